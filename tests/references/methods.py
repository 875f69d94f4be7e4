"""The methods, each one step from its equations.

A method takes step (a Step), the parameters w, the base optimizer, memory (what the method keeps between steps) and its
hyper-parameters o, and returns the next w. What is worth comparing besides w it writes into step.record. A norm that
divides has o.norm_eps added to it, so that a gradient of zeros has eps = 0.
"""

from types import SimpleNamespace

import numpy as np
from numpy.linalg import norm

from bases import OPTIONS, RULES, Base
from problems import PROBLEMS, STEPS


class Step:
    """Step number t = 0, 1, ...: the gradient of the loss over its first and over its second batch."""

    def __init__(self, problem, mask, t):
        self.problem, self.mask, self.t, self.record = problem, mask, t, {}

    def gradient(self, w):
        return self.problem.gradient(w, self.problem.first[self.t])

    def second_gradient(self, w):
        return self.problem.gradient(w, self.problem.second[self.t])

    def perturb(self, eps):
        """Records a perturbation and returns it."""
        self.record.update(eps=eps, eps_norm=norm(eps))
        return eps


# Perturbations eps for a gradient g = g(w).


def sam(step, w, g, memory, o):
    """Foret et al. 2021: eps = rho g / |g|."""
    return o.rho * g / (norm(g) + o.norm_eps)


def asam(step, w, g, memory, o):
    """Kwon et al. 2021: eps = rho T^2 g / |T g|, T = |w| + eta for weights and 1 for biases."""
    scale = np.where(step.problem.is_weight, abs(w) + o.eta, 1)
    return o.rho * scale**2 * g / (norm(scale * g) + o.norm_eps)


def fisher_sam(step, w, g, memory, o):
    """Kim et al. 2022: eps = rho F^-1 g / sqrt(g' F^-1 g), F = 1 + eta g^2 in each coordinate."""
    f = 1 + o.eta * g**2
    return o.rho * (g / f) / (np.sqrt(np.sum(g**2 / f)) + o.norm_eps)


def fsam(step, w, g, memory, o):
    """Li et al. 2024: eps = rho v / |v|, v = g - sigma m, m the moving average of the gradients before."""
    m = memory.get("m", g)
    v = g if step.t == 0 else g - o.sigma * m
    memory["m"] = o.decay * m + (1 - o.decay) * g
    return o.rho * v / (norm(v) + o.norm_eps)


def ssam(step, w, g, memory, o):
    """Mi et al. 2022: SAM's eps where the mask is 1, and 0 elsewhere."""
    return step.mask * sam(step, w, g, memory, o)


def vasso(step, w, g, memory, o):
    """Li and Giannakis 2023: eps = rho m / |m|, m <- (1 - theta) m + theta g, m = g at first."""
    m = memory["m"] = (1 - o.theta) * memory.get("m", g) + o.theta * g
    return o.rho * m / (norm(m) + o.norm_eps)


DISTANCES = {
    "manhattan_sum": lambda g, m: np.sum(abs(g - m)),
    "cosine": lambda g, m: 1 - g @ m / (norm(g) * norm(m) + 1e-12),
}


def bsam(step, w, g, memory, o):
    """Xu et al. 2025: eps = rho v / |v|, v = g - d m, m <- lambda m + (1 - lambda) g, m = 0 at first, d a distance of
    g and m."""
    m = memory["m"] = o.decay * memory.get("m", 0) + (1 - o.decay) * g
    d = step.record["d"] = DISTANCES[o.distance](g, m)
    v = g - d * m
    return o.rho * v / (norm(v) + o.norm_eps)


# Methods around a perturbation: s = g(w + eps) is the perturbed gradient.


def plain(step, w, base, memory, o):
    return base(w, step.gradient(w))


def sharp(perturbation):
    """w <- base(w, s)."""

    def method(step, w, base, memory, o):
        eps = step.perturb(perturbation(step, w, step.gradient(w), memory, o))
        return base(w, step.gradient(w + eps))

    return method


def plus(perturbation):
    """Xu et al. 2025, with a second batch: w <- base(w, kappa s + (1 - kappa) g2), g2 its gradient at w."""

    def method(step, w, base, memory, o):
        eps = step.perturb(perturbation(step, w, step.gradient(w), memory, o))
        return base(w, o.kappa * step.gradient(w + eps) + (1 - o.kappa) * step.second_gradient(w))

    return method


def gnp(step, w, base, memory, o):
    """Zhao et al. 2022: w <- base(w, (1 - alpha) g + alpha s)."""
    g = step.gradient(w)
    s = step.gradient(w + step.perturb(sam(step, w, g, memory, o)))
    return base(w, (1 - o.alpha) * g + o.alpha * s)


def gsam(step, w, base, memory, o):
    """Zhuang et al. 2022: w <- base(w, s - alpha p), p = g - cos(g, s) |g| s / |s|, the part of g orthogonal to s."""
    g = step.gradient(w)
    s = step.gradient(w + step.perturb(sam(step, w, g, memory, o)))
    cosine = g @ s / (norm(g) * norm(s) + o.norm_eps)
    return base(w, s - o.alpha * (g - cosine * norm(g) * s / (norm(s) + o.norm_eps)))


def wsam(step, w, base, memory, o):
    """Yue et al. 2023, decoupled: w <- base(w, g) - lr a (s - g), a = gamma / (1 - gamma)."""
    g = step.gradient(w)
    s = step.gradient(w + step.perturb(sam(step, w, g, memory, o)))
    return base(w, g) - base.lr * o.gamma / (1 - o.gamma) * (s - g)


def looksam(step, w, base, memory, o):
    """Liu et al. 2022: SAM on every k-th step, which keeps v = s - <s, u> u, u = g / |g|: the part of s that is
    orthogonal to g. In between w <- base(w, g + alpha |g| / |v| v)."""
    g = step.gradient(w)
    if step.t % o.k != 0:
        v = memory["v"]
        return base(w, g + o.alpha * norm(g) / (norm(v) + o.norm_eps) * v)
    s = step.gradient(w + step.perturb(sam(step, w, g, memory, o)))
    direction = g / (norm(g) + o.norm_eps)
    memory["v"] = s - s @ direction * direction
    return base(w, s)


def mirror(step, base, middle, o):
    """The second half of a mirror step: a smaller one uphill, from the point in the middle."""
    step.record["mid"] = middle
    return base(middle, -o.alpha2 * step.gradient(middle))


def mg(step, w, base, memory, o):
    """Zhong et al. 2024, Mirror Gradient (MG): on every beta-th step of an epoch down with alpha1 g, then up."""
    if step.t % o.epoch_len % o.beta != 0:
        return plain(step, w, base, memory, o)
    return mirror(step, base, base(w, o.alpha1 * step.gradient(w)), o)


def sgbd(step, w, base, memory, o):
    """Srivastava and Wu, SGBD: the same with SAM's s in place of g, on every beta-th step of all epochs."""
    if step.t % o.beta != 0:
        return plain(step, w, base, memory, o)
    g = step.gradient(w)
    eps = step.perturb(o.rho * g / (norm(g) + o.delta))
    return mirror(step, base, base(w, o.alpha1 * step.gradient(w + eps)), o)


METHODS = {
    "plain": (plain, {}),
    "sam": (sharp(sam), dict(rho=0.1)),
    "asam": (sharp(asam), dict(rho=0.4, eta=0.05)),
    "fisher_sam": (sharp(fisher_sam), dict(rho=0.2, eta=2.0, form="batch_gradient_squared")),
    "fsam": (sharp(fsam), dict(rho=0.1, sigma=0.7, **{"lambda": 0.8})),
    "ssam": (sharp(ssam), dict(rho=0.2, sparsity=0.4, norm_eps=1e-7)),
    "vasso": (sharp(vasso), dict(rho=0.1, theta=0.6, norm_eps=1e-7)),
    "bsam_manhattan": (sharp(bsam), dict(rho=0.15, distance="manhattan_sum", **{"lambda": 0.7})),
    "bsam_cosine": (sharp(bsam), dict(rho=0.15, distance="cosine", **{"lambda": 0.7})),
    "sam_plus": (plus(sam), dict(rho=0.1, kappa=0.7)),
    "bsam_plus": (plus(bsam), dict(rho=0.15, distance="manhattan_sum", kappa=0.7, **{"lambda": 0.6})),
    "gnp": (gnp, dict(rho=0.1, alpha=0.6)),
    "gsam": (gsam, dict(rho=0.1, alpha=0.3)),
    "wsam": (wsam, dict(rho=0.1, gamma=0.6, decouple=True)),
    "looksam": (looksam, dict(rho=0.2, k=3, alpha=0.5)),
    "mg": (mg, dict(alpha1=0.9, alpha2=0.3, beta=3, epoch_len=5)),
    "sgbd": (sgbd, dict(rho=0.1, delta=1e-12, alpha1=0.8, alpha2=0.2, beta=4, nonmirror="lr")),
}


def fisher_mask(problem, sparsity):
    """1 at the n (1 - sparsity) coordinates where the squared gradients of single samples have the largest sums."""
    scores = sum(problem.gradient(problem.initial, [i]) ** 2 for i in range(len(problem.x)))
    keep = int(len(scores) * (1 - sparsity))
    mask = np.zeros(len(scores), int)
    mask[np.argsort(-scores)[:keep]] = 1
    return {"sparsity": sparsity, "scores": scores, "keep": keep, "mask": mask}


def trajectory(method, options, problem, base, mask, with_eps):
    """STEPS steps: for each of them the loss at w before the step, w after it, and what the method records."""
    o = SimpleNamespace(**options, decay=options.get("lambda"))  # since `lambda` is a word of Python
    w, memory, rows = problem.initial, {}, []
    for t in range(STEPS):
        step = Step(problem, mask, t)
        loss = problem.loss(w, problem.first[t])
        w = method(step, w, base, memory, o)
        rows.append({"loss": loss, **step.record, "params": w})
    keys = dict.fromkeys(key for row in rows for key in row)
    if not with_eps:
        keys.pop("eps", None)
    return {key: [row.get(key) for row in rows] for key in keys}


def document(name, bases, make_base):
    """The content of the file of a method."""
    method, options = METHODS[name]
    if method not in (plain, mg, sgbd):
        options = {"norm_eps": 1e-12, **options}
    result = {"variants": {name: {"hp": options}}, "bases": {base: OPTIONS[base] for base in bases}}
    masks = {}
    if name == "ssam":
        masks = {key: fisher_mask(problem, options["sparsity"]) for key, problem in PROBLEMS.items()}
        result["masks"] = masks
    result["cases"] = []
    for key, problem in PROBLEMS.items():
        for base in bases:
            # All coordinates of eps in one case are enough, since no base optimizer takes part in them.
            with_eps = (key, base) == ("logistic", "sgd_momentum")
            mask = masks[key]["mask"] if masks else None
            steps = trajectory(method, options, problem, make_base(base, problem), mask, with_eps)
            case = {"id": f"{key}/{base}", "variant": name, "problem": key, "base": base, **steps}
            result["cases"].append(case)
    return result


def documents(make_base=Base, types=tuple(RULES)):
    """The content of all files: `plain` on every base optimizer of these types, the others on three."""

    def bases_of(name):
        bases = OPTIONS if name == "plain" else ("sgd_momentum", "adam", "rmsprop")
        return [base for base in bases if OPTIONS[base]["type"] in types]

    return {name: document(name, bases_of(name), make_base) for name in METHODS}

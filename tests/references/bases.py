"""The base optimizers, with the names, defaults and order of operations of torch.optim.

Each function takes parameters w and a gradient g and returns the new parameters. o: options; s: state, all zeros at
first; k = 1, 2, ...: how many times it was called.
"""

from types import SimpleNamespace

import numpy as np


def sgd(w, g, o, s, k, blocks):
    h = g + o.weight_decay * w
    if o.momentum == 0:
        return w - o.lr * h
    s.m = h if k == 1 else o.momentum * s.m + (1 - o.dampening) * h
    return w - o.lr * (h + o.momentum * s.m if o.nesterov else s.m)


def moments(h, o, s, k):
    """Adam's m and v, and both without their bias towards 0."""
    beta1, beta2 = o.betas
    s.m = beta1 * s.m + (1 - beta1) * h
    s.v = beta2 * s.v + (1 - beta2) * h**2
    return s.m / (1 - beta1**k), s.v / (1 - beta2**k)


def adam(w, g, o, s, k, blocks):
    m, v = moments(g + o.weight_decay * w, o, s, k)
    if o.amsgrad:
        s.largest = np.maximum(s.largest, s.v)
        v = s.largest / (1 - o.betas[1] ** k)
    return w - o.lr * m / (np.sqrt(v) + o.eps)


def adamw(w, g, o, s, k, blocks):
    without_decay = SimpleNamespace(**{**vars(o), "weight_decay": 0})
    return adam(w * (1 - o.lr * o.weight_decay), g, without_decay, s, k, blocks)


def rmsprop(w, g, o, s, k, blocks):
    h = g + o.weight_decay * w
    s.v = o.alpha * s.v + (1 - o.alpha) * h**2
    s.mean = o.alpha * s.mean + (1 - o.alpha) * h
    x = h / (np.sqrt(s.v - s.mean**2 if o.centered else s.v) + o.eps)
    s.m = o.momentum * s.m + x
    return w - o.lr * s.m


def adagrad(w, g, o, s, k, blocks):
    h = g + o.weight_decay * w
    if k == 1:
        s.sum = o.initial_accumulator_value
    s.sum = s.sum + h**2
    return w - o.lr / (1 + (k - 1) * o.lr_decay) * h / (np.sqrt(s.sum) + o.eps)


def lion(w, g, o, s, k, blocks):
    """Chen et al. 2023, Algorithm 2."""
    beta1, beta2 = o.betas
    direction = np.sign(beta1 * s.m + (1 - beta1) * g) + o.weight_decay * w
    s.m = beta2 * s.m + (1 - beta2) * g
    return w - o.lr * direction


def lamb(w, g, o, s, k, blocks):
    """You et al. 2020, Algorithm 2: Adam's direction, in each tensor as long as the tensor itself."""
    m, v = moments(g, o, s, k)
    r = m / (np.sqrt(v) + o.eps) + o.weight_decay * w
    w = w.copy()
    for block in blocks.values():
        w[block] -= o.lr * np.linalg.norm(w[block]) / np.linalg.norm(r[block]) * r[block]
    return w


RULES = {f.__name__: f for f in (sgd, adam, adamw, rmsprop, adagrad, lion, lamb)}

OPTIONS = {
    "sgd": dict(type="sgd", lr=0.2, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.02),
    "sgd_momentum": dict(type="sgd", lr=0.08, momentum=0.8, dampening=0.0, nesterov=False, weight_decay=0.02),
    "sgd_dampening": dict(type="sgd", lr=0.1, momentum=0.8, dampening=0.2, nesterov=False, weight_decay=0.0),
    "sgd_nesterov": dict(type="sgd", lr=0.08, momentum=0.8, dampening=0.0, nesterov=True, weight_decay=0.02),
    "adam": dict(type="adam", lr=0.06, betas=[0.8, 0.95], eps=1e-8, weight_decay=0.02, amsgrad=False),
    "adam_amsgrad": dict(type="adam", lr=0.06, betas=[0.8, 0.6], eps=1e-8, weight_decay=0.0, amsgrad=True),
    "adamw": dict(type="adamw", lr=0.06, betas=[0.9, 0.99], eps=1e-8, weight_decay=0.1, amsgrad=False),
    "rmsprop": dict(
        type="rmsprop", lr=0.03, alpha=0.9, eps=1e-6, weight_decay=0.02, momentum=0.0, centered=False
    ),
    "rmsprop_centered": dict(
        type="rmsprop", lr=0.02, alpha=0.8, eps=1e-3, weight_decay=0.0, momentum=0.5, centered=True
    ),
    "adagrad": dict(
        type="adagrad", lr=0.2, lr_decay=0.05, eps=1e-10, weight_decay=0.02, initial_accumulator_value=0.1
    ),
    "lion": dict(type="lion", lr=0.03, betas=[0.8, 0.9], weight_decay=0.05),
    "lamb": dict(type="lamb", lr=0.04, betas=[0.8, 0.95], eps=1e-6, weight_decay=0.05),
}


class Base:
    """One of OPTIONS with its state: base(w, g) is the next w."""

    def __init__(self, name, problem):
        self.options = SimpleNamespace(**OPTIONS[name])
        self.lr = self.options.lr
        self.state = SimpleNamespace(m=0.0, v=0.0, largest=0.0, mean=0.0, sum=0.0)
        self.calls, self.blocks = 0, problem.blocks

    def __call__(self, w, g):
        self.calls += 1
        return RULES[self.options.type](w, g, self.options, self.state, self.calls, self.blocks)


class TorchBase:
    """The same, computed by torch.optim."""

    NAMES = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"}

    def __init__(self, name, problem):
        import torch

        options = dict(OPTIONS[name])
        kind = getattr(torch.optim, self.NAMES[options.pop("type")])
        self.lr = options["lr"]
        self.w = torch.zeros(len(problem.initial), dtype=torch.float64, requires_grad=True)
        self.optimizer = kind([self.w], **options)

    def __call__(self, w, g):
        import torch

        self.w.data, self.w.grad = torch.tensor(w), torch.tensor(g)
        self.optimizer.step()
        return self.w.detach().numpy().copy()

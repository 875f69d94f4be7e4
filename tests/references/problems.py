"""The two problems of the trajectories: data, batches, loss and gradient.

The parameters w, and everything of their size, are one vector: the tensors in their order, each row by row.
"""

import numpy as np

STEPS = 10
BATCH = 4


class Logistic:
    """L(w) = mean over the batch of log(1 + exp(z_i)) - y_i z_i,   z_i = weight . x_i + bias."""

    kind, targets = "logistic", "y"

    def __init__(self, random):
        self.x = random.normal(size=(12, 5)).round(2)
        self.t = (self.x @ [1, -1, 0.5, 0, 0] + random.normal(size=12) > 0).astype(float)
        self.tensors = {"weight": (5,), "bias": (1,)}

    def loss(self, w, batch):
        z, y = self.x[batch] @ w[:5] + w[5], self.t[batch]
        return np.mean(np.logaddexp(0, z) - y * z)

    def gradient(self, w, batch):
        x, y = self.x[batch], self.t[batch]
        slope = (1 / (1 + np.exp(-(x @ w[:5] + w[5]))) - y) / len(batch)
        return np.append(slope @ x, slope.sum())


class Network:
    """L(w) = mean over the batch of (f(x_i) - t_i)^2 / 2,   f(x) = w2 . tanh(W1 x + b1) + b2."""

    kind, targets = "mlp", "t"

    def __init__(self, random):
        self.x = random.normal(size=(12, 2)).round(2)
        self.t = (np.sin(2 * self.x[:, 0]) * self.x[:, 1]).round(2)
        self.tensors = {"l1.weight": (3, 2), "l1.bias": (3,), "l2.weight": (1, 3), "l2.bias": (1,)}

    def forward(self, w, batch):
        w1, b1, w2, b2 = w[:6].reshape(3, 2), w[6:9], w[9:12], w[12]
        a = np.tanh(self.x[batch] @ w1.T + b1)
        return a, a @ w2 + b2 - self.t[batch]

    def loss(self, w, batch):
        return np.mean(self.forward(w, batch)[1] ** 2) / 2

    def gradient(self, w, batch):
        a, residual = self.forward(w, batch)
        slope = residual / len(batch)
        back = np.outer(slope, w[9:12]) * (1 - a**2)
        return np.concatenate([(back.T @ self.x[batch]).ravel(), back.sum(0), slope @ a, [slope.sum()]])


def make(problem, seed):
    """The problem with its data, its first point and two batches for each step, all drawn from the seed."""
    random = np.random.RandomState(seed)  # numpy promises that this generator never changes
    problem = problem(random)
    problem.blocks, size = {}, 0  # which part of w is which tensor
    for name, shape in problem.tensors.items():
        problem.blocks[name] = slice(size, size + np.prod(shape))
        size += np.prod(shape)
    problem.is_weight = np.zeros(size, bool)  # as opposed to a bias
    for name, block in problem.blocks.items():
        problem.is_weight[block] = "weight" in name
    problem.initial = random.normal(scale=0.5, size=size).round(2)
    drawn = [random.permutation(12) for _ in range(STEPS)]
    problem.first = [order[:BATCH] for order in drawn]
    problem.second = [order[BATCH : 2 * BATCH] for order in drawn]
    return problem


PROBLEMS = {"logistic": make(Logistic, seed=11), "network": make(Network, seed=12)}


def document():
    """The content of problems.json."""
    return {
        "problems": {
            name: {
                "kind": p.kind,
                "tensors": [{"name": tensor, "shape": shape} for tensor, shape in p.tensors.items()],
                "samples": len(p.x),
                "data": {"X": p.x, p.targets: p.t},
                "init": p.initial,
                "batches": {"B1": p.first, "B2": p.second},
            }
            for name, p in PROBLEMS.items()
        }
    }

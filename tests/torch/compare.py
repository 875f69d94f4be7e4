"""Base optimizers of polder against those of PyTorch: compare.py PROGRAM [CASES]

Draws CASES (200) base optimizers that torch.optim has, with options, shapes of parameters and gradients at random, lets PROGRAM
(steps.cpp) and PyTorch take the same steps in double precision, and compares the parameters to 1e-12 of the largest. Prints each
case that differs, and how many agree. POLDER_TEST_SEED draws other cases. Exit code: 0 where all agree, 1 otherwise, 77 without
PyTorch.
"""
import json
import math
import os
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import torch
except (ImportError, OSError):  # the second: a library that torch needs
    print("SKIPPED: this Python has no torch; POLDER_PYTHON names the one to use")
    sys.exit(77)

TOLERANCE = 1e-12
# polder's name of an option: PyTorch's
NAMES = {"learning_rate": "lr", "weight_decay": "weight_decay", "eps": "eps", "amsgrad": "amsgrad", "momentum": "momentum",
         "dampening": "dampening", "nesterov": "nesterov", "smoothing": "alpha", "centered": "centered",
         "learning_rate_decay": "lr_decay", "initial_accumulator": "initial_accumulator_value"}
OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop,
              "adagrad": torch.optim.Adagrad}


def log_uniform(rng, low, high):
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def options_of(rng, base):
    coin = lambda: rng.random() < 0.5
    options = {"learning_rate": log_uniform(rng, 1e-4, 0.5), "weight_decay": 0.0 if coin() else log_uniform(rng, 1e-5, 0.3)}
    if base in ("adam", "adamw"):
        options |= {"beta1": rng.uniform(0, 0.99), "beta2": rng.uniform(0.5, 0.9999), "eps": log_uniform(rng, 1e-10, 1e-2),
                    "amsgrad": coin()}
    elif base == "sgd":
        options["momentum"] = 0.0 if coin() else rng.uniform(0.1, 0.99)
        options["nesterov"] = options["momentum"] > 0 and coin()
        options["dampening"] = 0.0 if options["nesterov"] or coin() else rng.uniform(0, 1)
    elif base == "rmsprop":
        options |= {"smoothing": rng.uniform(0.3, 0.999), "eps": log_uniform(rng, 1e-10, 1e-2), "centered": coin(),
                    "momentum": 0.0 if coin() else rng.uniform(0.1, 0.95)}
    else:
        options |= {"learning_rate_decay": 0.0 if coin() else rng.uniform(0, 0.5), "eps": log_uniform(rng, 1e-12, 1e-3),
                    "initial_accumulator": 0.0 if coin() else rng.uniform(0, 1)}
    return options


def draw(rng):
    base = rng.choice(sorted(OPTIMIZERS))
    sizes = [rng.choice([1, 2, 3, 7, 16, 33, 130]) for _ in range(rng.randint(1, 4))]
    block = lambda size, scale: [rng.gauss(0, scale) for _ in range(size)]
    scale = log_uniform(rng, 1e-3, 1e2)
    gradients = [[block(size, scale) for size in sizes] for _ in range(rng.randint(1, 12))]
    return dict(base=base, options=options_of(rng, base), maximize=rng.random() < 0.25,
                start=[block(size, 1) for size in sizes], gradients=gradients)


def steps_of_torch(case):
    parameters = [torch.nn.Parameter(torch.tensor(block, dtype=torch.float64)) for block in case["start"]]
    options = {NAMES[name]: value for name, value in case["options"].items() if name in NAMES}
    if "beta1" in case["options"]:
        options["betas"] = (case["options"]["beta1"], case["options"]["beta2"])
    optimizer = OPTIMIZERS[case["base"]](parameters, maximize=case["maximize"], **options)
    for gradients in case["gradients"]:
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
    return [parameter.detach().tolist() for parameter in parameters]


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else repr(value)


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(os.environ.get("POLDER_TEST_SEED", "1"))
    rng = random.Random(seed)
    cases = [draw(rng) for _ in range(count)]
    with tempfile.TemporaryDirectory(prefix="polder-torch-") as folder:
        given, found = pathlib.Path(folder, "cases.json"), pathlib.Path(folder, "results.json")
        given.write_text(json.dumps([case | {"options": {name: as_text(value) for name, value in case["options"].items()}}
                                     for case in cases]))
        subprocess.run([program, given, found], check=True)
        results = json.loads(found.read_text())
    assert len(results) == count
    n_failed, counts = 0, {}
    for k, (case, result) in enumerate(zip(cases, results)):
        expected = steps_of_torch(case)
        largest = max(1.0, max(abs(value) for block in expected for value in block))
        worst = max(abs(a - b) for found, wanted in zip(result, expected, strict=True)
                    for a, b in zip(found, wanted, strict=True))
        counts[case["base"]] = counts.get(case["base"], 0) + 1
        if not worst <= TOLERANCE * largest:
            n_failed += 1
            print(f"case {k} of POLDER_TEST_SEED={seed}: {case['base']} {case['options']}"
                  f"{' maximize' if case['maximize'] else ''}, {len(case['gradients'])} steps: differs by {worst:.3g}")
    print(f"torch {torch.__version__}: {count - n_failed} of {count} agree ("
          + ", ".join(f"{base} {n}" for base, n in sorted(counts.items())) + ")")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes the reference files in this folder, or checks them.

    make.py            writes them anew
    make.py --check    writes nothing; compares the files with what it computes, to 1e-12 of a list's largest number

Needs numpy. The files of models/ need PyTorch too: without it they are left as they are. With it, --check also computes
the trajectories with the base optimizers of torch.optim.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

import bases
import methods
import problems

FOLDER = Path(__file__).parent
HAS_TORCH = importlib.util.find_spec("torch") is not None
TOLERANCE = 1e-12


def text_of(document):
    """JSON with numbers that read back to the same bits, a line for each member of a list of objects."""
    text = json.dumps(document, default=lambda array: array.tolist(), separators=(",", ":"))
    return text.replace(',{"', ',\n{"') + "\n"


def differences(found, expected, where):
    """Names what differs: numbers by more than TOLERANCE of the largest one in their list, all else at all."""
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        for key in expected:
            yield from differences(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        numbers = [abs(x) for x in expected if isinstance(x, float)]
        for k, (a, b) in enumerate(zip(found, expected)):
            if isinstance(b, float) and isinstance(a, float):
                if not abs(a - b) <= TOLERANCE * max(numbers):
                    yield f"{where}[{k}] is {b}, computed {a}"
            else:
                yield from differences(a, b, f"{where}[{k}]")
    elif isinstance(expected, float) and isinstance(found, float):
        if not abs(found - expected) <= TOLERANCE * max(1, abs(expected)):
            yield f"{where} is {expected}, computed {found}"
    elif found != expected:
        yield f"{where} is {str(expected)[:60]}, computed {str(found)[:60]}"


def differences_of(name, document):
    found, expected = json.loads(text_of(document)), json.loads((FOLDER / name).read_text())
    return list(differences(found, expected, name))


def differences_of_torch():
    """The trajectories of the files with torch.optim's base optimizers in place of those of bases.py."""
    wrong = []
    for name, document in methods.documents(bases.TorchBase, bases.TorchBase.NAMES).items():
        expected = json.loads((FOLDER / f"{name}.json").read_text())
        for case in json.loads(text_of(document))["cases"]:
            of_file = next(c for c in expected["cases"] if c["id"] == case["id"])
            wrong += differences(case, of_file, f"{name}.json with torch.optim: {case['id']}")
    return wrong


def main():
    arguments = sys.argv[1:]
    if arguments not in ([], ["--check"]):
        sys.exit(f"make.py: expected --check or no argument, found '{' '.join(arguments)}'")
    documents = {"problems.json": problems.document()}
    documents.update({f"{name}.json": d for name, d in methods.documents().items()})
    versions = f"numpy {np.__version__}"
    if HAS_TORCH:
        import torch

        import models

        documents.update({f"models/{name}.json": d for name, d in models.documents().items()})
        versions += f", PyTorch {torch.__version__}"
    else:
        versions += ", without PyTorch: models/ is left out"
    if arguments:
        files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.json")}
        wrong = [f"{name} is missing" for name in documents if name not in files]
        wrong += [
            f"{name} is made by no script"
            for name in sorted(files - documents.keys())
            if HAS_TORCH or not name.startswith("models/")
        ]
        if not wrong:
            wrong = [line for name, document in documents.items() for line in differences_of(name, document)]
            wrong += differences_of_torch() if HAS_TORCH else []
        print("\n".join(wrong[:20] + [f"{len(documents)} files, {len(wrong)} differences ({versions})"]))
        sys.exit(bool(wrong))
    (FOLDER / "models").mkdir(exist_ok=True)
    for name, document in documents.items():
        (FOLDER / name).write_text(text_of(document))
    print(f"{len(documents)} files ({versions})")


if __name__ == "__main__":
    main()

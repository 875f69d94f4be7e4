#!/usr/bin/env python3
"""polder next to PyTorch and ensmallen: the same steps, on the same problem, on as many threads.

The programs and the loops of PyTorch take turns, round by round; a time is the median of all steps of all
rounds. See README.md.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.dont_write_bytecode = True  # the repository stays as it is
from two_step_sam import SAM  # noqa: E402

# What makes glibc's malloc keep the memory of large arrays. By default it gives it back, and every tensor
# that an eager step makes pays for the kernel's zeroed pages again.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(2**30),
}


def gradient_blocks(floats, blocks):
    """The gradient of problem.hpp, cut into blocks."""
    counted = torch.arange(floats, dtype=torch.int64).remainder_(1009).to(torch.float32)
    return list((counted / 1009 - 0.5).chunk(blocks))


def run_torch(step_maker, floats, blocks, threads, steps):
    """Seconds of each step, and the mean of |x - 1| after the last."""
    torch.set_num_threads(threads)
    gradients = gradient_blocks(floats, blocks)
    parameters = [torch.ones_like(g).requires_grad_() for g in gradients]
    for p, g in zip(parameters, gradients):
        p.grad = g.clone()
    step = step_maker(parameters)
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    with torch.no_grad():
        moved = sum((p - 1).abs().sum(dtype=torch.float64).item() for p in parameters) / floats
    return seconds, moved


def run_program(program, method, floats, blocks, threads, steps):
    """As run_torch, and the version that the program reports."""
    command = [str(program), method, *(str(n) for n in (floats, blocks, threads, steps))]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said["seconds"], said["moved"], said["version"]


def sam_steps(**options):
    def make(parameters):
        optimizer = SAM(parameters, torch.optim.Adam, rho=0.05, **options)

        def step():  # the gradients are there already, both times
            optimizer.first_step()
            optimizer.second_step()

        return step

    return make


def adam_steps(**options):
    return lambda parameters: torch.optim.Adam(parameters, **options).step


TORCH = {
    "sam": {
        "PyTorch, foreach=False": sam_steps(foreach=False),
        "PyTorch, default": sam_steps(),
        "PyTorch, foreach=True": sam_steps(foreach=True),
        "PyTorch, fused=True": sam_steps(fused=True),
        "PyTorch, fused=True, no clones": sam_steps(fused=True, reuse=True),
    },
    "adam": {
        "PyTorch, foreach=False": adam_steps(foreach=False),
        "PyTorch, fused=True": adam_steps(fused=True),
    },
}


class Contestant:
    def __init__(self, name, run):
        self.name, self.run = name, run
        self.seconds, self.moved = [], None

    def take_turn(self, floats, blocks, threads, steps, warm):
        seconds, self.moved, *_ = self.run(floats, blocks, threads, steps)
        self.seconds += seconds[warm:]


def contestants(method, programs, blocks):
    """Ours first."""
    yield Contestant("polder", lambda *task: run_program(programs["polder"], method, *task))
    for name, maker in TORCH[method].items():
        yield Contestant(name, lambda *task, maker=maker: run_torch(maker, *task))
    if method == "adam" and blocks == 1 and "ensmallen" in programs:
        program = programs["ensmallen"]
        yield Contestant("ensmallen", lambda *task: run_program(program, method, *task))


def compare(method, programs, floats, blocks, threads, rounds, steps, warm):
    peers = list(contestants(method, programs, blocks))
    for _ in range(rounds):
        for peer in peers:
            peer.take_turn(floats, blocks, threads, steps, warm)
    for peer in peers[1:]:
        if not math.isclose(peer.moved, peers[0].moved, rel_tol=1e-2):
            sys.exit(f"compare.py: {peer.name} moved x by {peer.moved}, expected polder's {peers[0].moved}")

    title = {"sam": "SAM over Adam", "adam": "Adam"}[method]
    print(f"\n{title}, {floats:,} floats, blocks: {blocks}, threads: {threads}\n")
    print(f"| {'':30} |    us/step |   spread |  ratio |")
    print(f"|{'-' * 32}|{'-' * 11}:|{'-' * 9}:|-------:|")
    ours = statistics.median(peers[0].seconds)
    for peer in peers:
        median = statistics.median(peer.seconds)
        low, _, high = statistics.quantiles(peer.seconds, n=4)
        spread = (high - low) / median
        print(f"| {peer.name:30} | {median * 1e6:10,.1f} | {spread:8.1%} | {median / ours:6.1f} |")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build/release"),
                        help="build folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--keep-memory", action="store_true",
                        help="let malloc keep what is freed, on both sides")
    options = parser.parse_args()
    if options.keep_memory and not KEEP_MEMORY.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)

    programs = {}
    for name in ("polder", "ensmallen"):
        program = options.build / "bin" / f"peer_{name}"
        if program.exists():
            programs[name] = program
    if "polder" not in programs:
        parser.error(f"{options.build}/bin/peer_polder is not there; build the target peer_polder, "
                     "or name the build folder with --build")

    print(f"PyTorch {torch.__version__}, Python {platform.python_version()}")
    for name, program in programs.items():
        print(run_program(program, "adam", 1000, 1, 1, 1)[2])
    if options.keep_memory:
        print("malloc keeps what is freed")
    if "ensmallen" not in programs:
        print("ensmallen is left out: CMake's POLDER_ENSMALLEN names its headers")

    large = dict(floats=30_000_000, blocks=1, rounds=options.rounds, steps=9, warm=2)
    small = dict(floats=2_000, blocks=40, rounds=options.rounds, steps=1200, warm=200)
    for threads in options.threads:
        compare("sam", programs, threads=threads, **large)
        compare("adam", programs, threads=threads, **large)
        compare("sam", programs, threads=threads, **small)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Prints the tables of docs/results.md as Markdown, from the rows of the campaign.

    python3 docs/results/tables.py docs/results/lightgcn-tiktok.csv            settings with several seeds
    python3 docs/results/tables.py --search docs/results/lightgcn-tiktok.csv   settings with seed 999, the best in validation first

--metrics LIST     default: recall@10,recall@20,ndcg@20
--at-least COUNT   only settings with so many seeds; default: 3
--against SETTING  gains are over this setting of the same base optimizer; default: none

p is Welch's t-test over the seeds, two-sided. --search shows how many of the
settings were tried. Needs Python 3 alone.
"""
import argparse
import csv
import math
import statistics
import sys


def t_tail(t, freedom):
    """P(|T| > |t|) of Student's distribution: the regularised incomplete beta function I_x(f/2, 1/2), by its continued fraction
    (Lentz)."""
    x, a, b = freedom / (freedom + t * t), freedom / 2, 0.5
    if x <= 0:
        return 0.0

    def fraction(x, a, b):
        tiny, c, d = 1e-300, 1.0, 1 - (a + b) * x / (a + 1)
        d = 1 / (d if abs(d) > tiny else tiny)
        value = d
        for m in range(1, 500):
            for term in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                         -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
                d = 1 + term * d
                c = 1 + term / c
                d = 1 / (d if abs(d) > tiny else tiny)
                c = c if abs(c) > tiny else tiny
                value *= d * c
            if abs(d * c - 1) < 1e-14:
                break
        return value

    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * fraction(x, a, b) / a
    return 1 - front * fraction(1 - x, b, a) / b


def welch(a, b):
    """The two-sided p of equal means; none where it is not defined."""
    if len(a) < 2 or len(b) < 2:
        return None
    va, vb = statistics.variance(a) / len(a), statistics.variance(b) / len(b)
    if va + vb == 0:
        return None
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return t_tail((statistics.mean(a) - statistics.mean(b)) / math.sqrt(va + vb), freedom)


def p_text(p):
    return "" if p is None else "< .001" if p < 0.001 else f"{p:.3f}"[1:] if p < 1 else "1"


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "optimizer" not in rows[0]:
        sys.exit(f"{path}: expected rows with the columns optimizer, base, seed and metrics")
    return rows


def several_seeds(rows, metrics, at_least, against):
    found = {}
    for row in rows:
        found.setdefault((row["base"], row["optimizer"]), []).append(row)
    head = ["method", "base", "seeds"]
    for metric in metrics:
        head += [metric, "", "p"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))

    def mean(of, metric):
        return statistics.mean(float(r["test_" + metric]) for r in of)

    order = sorted(found, key=lambda k: (k[0], k[1] != against, -mean(found[k], metrics[-1])))
    for base, method in order:
        of, plain = found[base, method], found.get((base, against), [])
        if len(of) < at_least:
            continue
        cells = [f"`{method}`", base, str(len(of))]
        for metric in metrics:
            values = [float(r["test_" + metric]) for r in of]
            cells.append(f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}")
            if method == against or not plain:
                cells += ["", ""]
                continue
            before = [float(r["test_" + metric]) for r in plain]
            cells.append(f"{100 * (statistics.mean(values) / statistics.mean(before) - 1):+.1f} %")
            cells.append(p_text(welch(values, before)))
        print("| " + " | ".join(cells) + " |")


def search(rows):
    rows = [r for r in rows if r["seed"] == "999"]
    rows.sort(key=lambda r: -float(r["valid_recall@20"]))
    print(f"{len(rows)} settings.\n\n| setting | base | Recall@20, validation | Recall@20, test | cosine | best epoch |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        cosine = f"{float(r['cosine']):.2f}" if r.get("cosine") else ""
        print(f"| `{r['optimizer']}` | {r['base']} | {float(r['valid_recall@20']):.4f} | "
              f"{float(r['test_recall@20']):.4f} | {cosine} | {r['best_epoch']} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows")
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--metrics", default="recall@10,recall@20,ndcg@20")
    parser.add_argument("--at-least", type=int, default=3)
    parser.add_argument("--against", default="none")
    arguments = parser.parse_args()
    rows = read(arguments.rows)
    if arguments.search:
        search(rows)
    else:
        several_seeds(rows, arguments.metrics.split(","), arguments.at_least, arguments.against)


if __name__ == "__main__":
    main()

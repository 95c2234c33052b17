"""Do the reported intervals hold what they say? Coverage by simulation.

Wilson intervals of one field's accuracy, and the bootstrap over documents of the macro accuracy and
of the paired difference of two strategies, where the cells of one document are correlated.

    python benchmarks/intervals.py [--repetitions 2000]
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import publish
from ocr_moe.evaluation.metrics import bootstrap_macro, percentile_interval, wilson

LEVEL = 0.95
FIELDS = 8


def wilson_coverage(p: float, n: int) -> float:
    """Exact: the chance that the interval of a binomial count holds p."""
    from scipy.stats import binom

    counts = np.arange(n + 1)
    inside = [low <= p <= high for low, high in (wilson(int(k), n, LEVEL) for k in counts)]
    return float(binom.pmf(counts, n, p)[inside].sum())


def draw(
    n: int, accuracy: float, gain: float, correlation: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Two strategies over the same documents; shape (2, documents, fields)."""
    from scipy.stats import norm

    document = generator.standard_normal((1, n, 1))
    cell = generator.standard_normal((1, n, FIELDS))
    own = generator.standard_normal((2, n, FIELDS))
    luck = (
        np.sqrt(correlation) * document
        + np.sqrt((1 - correlation) / 2) * cell
        + np.sqrt((1 - correlation) / 2) * own
    )
    levels = norm.ppf(np.array([accuracy, accuracy + gain]))[:, None, None]
    right: NDArray[np.float64] = (luck + levels > 0).astype(np.float64)
    return right


def bootstrap_coverage(
    n: int, accuracy: float, gain: float, correlation: float, repetitions: int, seed: int
) -> tuple[float, float]:
    """(coverage of the macro accuracy, coverage of the paired difference)."""
    generator = np.random.default_rng(seed)
    single = paired = 0
    for _ in range(repetitions):
        right = draw(n, accuracy, gain, correlation, generator)
        samples = bootstrap_macro(right, np.ones_like(right), repeats=500, seed=seed)
        low, high = percentile_interval(samples[:, 0], LEVEL)
        single += low <= accuracy <= high
        low, high = percentile_interval(samples[:, 1] - samples[:, 0], LEVEL)
        paired += low <= gain <= high
    return single / repetitions, paired / repetitions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=2000)
    options = parser.parse_args()
    print("Wilson intervals of 95 %, exact coverage\n")
    print("| accuracy | 48 documents | 121 | 400 | 1000 |\n|---|---|---|---|---|")
    for p in (0.5, 0.8, 0.9, 0.95, 0.99):
        cells = " | ".join(f"{wilson_coverage(p, n):.1%}" for n in (48, 121, 400, 1000))
        print(f"| {p:.0%} | {cells} |")
    print(f"\nBootstrap over documents of 95 %, {options.repetitions} repetitions\n")
    print("| documents | accuracy | correlation in a document | macro | paired difference |")
    print("|---|---|---|---|---|")
    rows: list[dict[str, float]] = []
    for n in (48, 121, 400):
        for accuracy, gain in ((0.85, 0.05), (0.97, 0.01)):
            for correlation in (0.0, 0.5):
                one, two = bootstrap_coverage(
                    n, accuracy, gain, correlation, options.repetitions, seed=n
                )
                print(f"| {n} | {accuracy:.0%} | {correlation} | {one:.1%} | {two:.1%} |")
                rows.append(
                    {
                        "documents": n,
                        "accuracy": accuracy,
                        "correlation": correlation,
                        "macro": one,
                        "paired": two,
                    }
                )
    print()
    least = min(min(row["macro"], row["paired"]) for row in rows)
    publish(
        "intervals",
        {"repetitions": options.repetitions, "bootstrap": rows},
        [f"intervals of 95 % by bootstrap cover {least:.1%} at least"],
    )


if __name__ == "__main__":
    main()

"""Does the certified target hold? Experts of known accuracy, cost and correlation, many times over.

Each repetition draws verified documents, chooses a policy on one part, certifies its threshold on
another, with the functions that `ocr-moe compare` uses, and then looks up the true risk of what it
accepted in a large population. The share of repetitions that break the promise must not exceed what
was allowed (10 % at 90 % confidence).

    python benchmarks/simulation.py [--repetitions 1000]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import publish
from ocr_moe.evaluation.metrics import wilson
from ocr_moe.laboratory.candidates import PolicyCandidate
from ocr_moe.laboratory.certify import Cells, certify
from ocr_moe.laboratory.choosing import cheapest_good
from ocr_moe.laboratory.trials import Routing, Trial
from ocr_moe.settings import Component
from ocr_moe.types import Cost

POPULATION = 200_000
TARGET, CONFIDENCE = 0.99, 0.9
SHARES = (0.3, 0.5, 0.2)
MADE_UP = Component(kind="made_up")
"""Settings of policies that are drawn, never built."""


@dataclass(frozen=True)
class World:
    """Two experts, cheap and dear, that read one field of documents of varying difficulty."""

    name: str
    accuracies: tuple[float, float]
    costs: tuple[float, float]
    correlation: float
    """How much the experts' luck depends on the document, 0-1."""
    sharpness: float
    """How well a confidence tells right from wrong; 0: not at all."""
    documents: int


@dataclass(frozen=True)
class Sample:
    """What the experts did on some documents; arrays have the shape (documents, experts)."""

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    answer: NDArray[np.int64]
    """0 is the truth; wrong answers agree now and then."""


def draw(world: World, n: int, generator: np.random.Generator) -> Sample:
    from scipy.stats import norm

    shared = generator.standard_normal((n, 1))
    own = generator.standard_normal((n, 2))
    luck = np.sqrt(world.correlation) * shared + np.sqrt(1.0 - world.correlation) * own
    margin = luck + norm.ppf(np.array(world.accuracies))
    right = margin > 0.0
    noise = generator.standard_normal((n, 2))
    confidence = norm.cdf(world.sharpness * margin + noise + 1.0)
    answer = np.where(right, 0, generator.integers(1, 6, size=(n, 2)))
    return Sample(right, confidence, answer)


def policies(world: World, sample: Sample) -> list[Trial]:
    """Each expert alone, and cascades that ask the dear one below a confidence."""
    n = len(sample.right)
    trials = []
    for name, ask in [
        ("cheap", np.zeros(n, dtype=bool)),
        *((f"cascade@{t:g}", sample.confidence[:, 0] < t) for t in (0.5, 0.8, 0.9, 0.95, 0.99)),
        ("both", np.ones(n, dtype=bool)),
    ]:
        agree = sample.answer[:, 0] == sample.answer[:, 1]
        dear_wins = sample.confidence[:, 1] > sample.confidence[:, 0]
        right = np.where(ask & dear_wins, sample.right[:, 1], sample.right[:, 0])
        surest = sample.confidence.max(axis=1)
        doubted = np.where(agree, 1.0 - np.prod(1.0 - sample.confidence, axis=1), surest * 0.7)
        confidence = np.where(ask, doubted, sample.confidence[:, 0])
        amounts = world.costs[0] + world.costs[1] * ask
        trials.append(
            Trial(
                candidate=PolicyCandidate(name, name, MADE_UP, MADE_UP),
                fields=("code",),
                asked=np.ones((n, 1), dtype=bool),
                right=right[:, None],
                confidence=confidence[:, None],
                accepted=np.zeros((n, 1), dtype=bool),
                cost=Cost(),
                field_costs={},
                amounts=amounts,
                questions={},
                routing=Routing(0, 0, 0),
            )
        )
    return trials


@dataclass
class Tally:
    certified: int = 0
    broken: int = 0
    coverage: float = 0.0
    saved: float = 0.0


def run(world: World, repetitions: int, seed: int) -> Tally:
    generator = np.random.default_rng(seed)
    population = {t.candidate.name: t for t in policies(world, draw(world, POPULATION, generator))}
    tally = Tally()
    sizes = [round(share * world.documents) for share in SHARES]
    for _ in range(repetitions):
        choosing, testing = (
            {t.candidate.name: t for t in policies(world, draw(world, size, generator))}
            for size in sizes[:2]
        )
        chosen = cheapest_good(list(choosing.values()), TARGET).name
        certificate = certify(
            "code",
            choosing[chosen].cells("code"),
            testing[chosen].cells("code"),
            target=TARGET,
            confidence=CONFIDENCE,
        )
        if not certificate.passed:
            continue
        everyone: Cells = population[chosen].cells("code")
        accepted, wrong = everyone.accepted(certificate.threshold)
        tally.certified += 1
        tally.broken += wrong > (1.0 - TARGET) * accepted
        tally.coverage += accepted / POPULATION
        tally.saved += 1.0 - population[chosen].mean_amount / sum(world.costs)
    return tally


WORLDS = [
    World("easy, sharp, independent", (0.97, 0.985), (1.0, 20.0), 0.0, 3.0, 800),
    World("easy, sharp, correlated", (0.97, 0.985), (1.0, 20.0), 0.7, 3.0, 800),
    World("hard, sharp, correlated", (0.85, 0.93), (1.0, 20.0), 0.5, 3.0, 1500),
    World("at the edge of the target", (0.99, 0.99), (1.0, 20.0), 0.5, 0.3, 2000),
    World("a hair below the target", (0.9885, 0.9895), (1.0, 20.0), 0.9, 0.0, 2000),
    World("confidence without signal", (0.985, 0.992), (1.0, 20.0), 0.5, 0.0, 2000),
    World("few documents", (0.99, 0.995), (1.0, 20.0), 0.3, 3.0, 150),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        f"target {TARGET:.0%} at {CONFIDENCE:.0%} confidence, "
        f"{options.repetitions} repetitions a world\n"
    )
    print("| world | documents | certified | promise broken (95 % interval) | coverage | saved |")
    print("|---|---|---|---|---|---|")
    rows = []
    for index, world in enumerate(WORLDS):
        tally = run(world, options.repetitions, options.seed + index)
        low, high = wilson(tally.broken, options.repetitions)
        certified = max(tally.certified, 1)
        print(
            f"| {world.name} | {world.documents} | {tally.certified / options.repetitions:.1%} "
            f"| {tally.broken / options.repetitions:.1%} ({low:.1%}-{high:.1%}) "
            f"| {tally.coverage / certified:.1%} | {tally.saved / certified:.1%} |"
        )
        rows.append(
            {
                "world": world.name,
                "documents": world.documents,
                "certified": tally.certified,
                "broken": tally.broken,
                "coverage": tally.coverage / certified,
                "saved": tally.saved / certified,
            }
        )
    print()
    most = max(int(str(row["broken"])) for row in rows) / options.repetitions
    publish(
        "simulation",
        {"repetitions": options.repetitions, "worlds": rows},
        [f"{len(rows)} worlds, promise of {CONFIDENCE:.0%} broken in {most:.1%} at most"],
    )


if __name__ == "__main__":
    main()

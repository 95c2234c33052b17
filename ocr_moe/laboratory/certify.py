"""Certified selective risk: the confidence from which a field's values are right often enough.

For one field, "the risk among cells with confidence ≥ t is at most α" is tested for a sequence of
thresholds t with exact binomial (Clopper-Pearson 1934) bounds. The sequence is fixed beforehand on
other documents, from strict to lenient, and stops at the first threshold that fails, so that every
test runs at the full level (fixed-sequence testing; Bauer 1991, Angelopoulos et al. 2021, "Learn
then Test"). The statement holds for each field by itself: the cells of one document depend on each
other, those of one field over different documents do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

_STEPS = 40
"""How many thresholds are tried at most."""


@dataclass(frozen=True)
class Cells:
    """One field over many documents: the confidences (NaN: never accepted) and who was right."""

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.right)

    def accepted(self, threshold: float | None) -> tuple[int, int]:
        """(accepted, wrong among them) at a threshold; None accepts nothing."""
        if threshold is None:
            return 0, 0
        inside = self.confidence >= threshold
        return int(inside.sum()), int((inside & ~self.right).sum())


@dataclass(frozen=True)
class Certificate:
    """What is promised of one field, or why nothing can be."""

    field: str
    threshold: float | None
    """Accept from here; None: every cell needs a person."""
    cells: int
    """Documents in the split that the test ran on."""
    accepted: int
    wrong: int
    bound: float | None
    """Upper confidence bound of the selective risk, at the threshold or at the first to fail."""
    missing: int
    """About how many more verified documents the test would need; 0 where it passed."""
    sentence: str

    @property
    def passed(self) -> bool:
        return self.threshold is not None


def upper_bound(wrong: int, n: int, confidence: float) -> float:
    """Exact one-sided Clopper-Pearson upper bound of a risk; 1 where nothing was seen."""
    from scipy.stats import beta

    if n == 0 or wrong >= n:
        return 1.0
    return float(beta.ppf(confidence, wrong + 1, n - wrong))


def cells_needed(wrong: int, target: float, confidence: float) -> int:
    """The fewest accepted cells that certify `target` accuracy with so many wrong ones among them.

    Without an error: 230 for 99 % at 90 % confidence, 22 for 90 %.
    """
    if not 0.0 < target < 1.0:
        raise ValueError("a target accuracy lies between 0 and 1")
    low = wrong
    high = max(1, math.ceil((wrong + 1) / (1.0 - target)))
    while upper_bound(wrong, high, confidence) > 1.0 - target:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if upper_bound(wrong, middle, confidence) <= 1.0 - target:
            high = middle
        else:
            low = middle
    return high


def thresholds_to_test(tuning: Cells, n: int, target: float, confidence: float) -> list[float]:
    """The sequence for a test on `n` documents: from a strict start to accepting everything.

    The start is the strictest threshold that the tuning documents make likely to pass with a margin
    of two; where none does, the one with the lowest bound on them.
    """
    known = tuning.confidence[~np.isnan(tuning.confidence)]
    if not len(known):
        return []
    levels = np.unique(known)[::-1]
    if len(levels) > _STEPS:
        levels = levels[np.unique(np.linspace(0, len(levels) - 1, _STEPS).round().astype(int))]
    counts = [tuning.accepted(float(level)) for level in levels]
    scale = n / len(tuning)
    hopeful = [
        i
        for i, (accepted, wrong) in enumerate(counts)
        if _p_value(math.ceil(wrong * scale), int(accepted * scale), target)
        <= (1.0 - confidence) / 2
    ]
    bounds = [upper_bound(wrong, accepted, confidence) for accepted, wrong in counts]
    start = hopeful[0] if hopeful else int(np.argmin(bounds))
    return [_below(float(level)) for level in levels[start:]]


def certify(
    field: str,
    tuning: Cells,
    testing: Cells,
    *,
    target: float = 0.99,
    confidence: float = 0.9,
    share: float = 1.0,
) -> Certificate:
    """The most lenient threshold whose selective risk is certified on `testing`.

    `share` is the part of all verified documents that `testing` is; it only scales the advice.
    """
    best: tuple[float, int, int] | None = None
    failed: tuple[float, int, int] | None = None
    for threshold in thresholds_to_test(tuning, len(testing), target, confidence):
        accepted, wrong = testing.accepted(threshold)
        if upper_bound(wrong, accepted, confidence) > 1.0 - target:
            failed = (threshold, accepted, wrong)
            break
        best = (threshold, accepted, wrong)
    if best is not None:
        threshold, accepted, wrong = best
        bound = upper_bound(wrong, accepted, confidence)
        sentence = (
            f"{field}: at least {1 - bound:.2%} of what is accepted is right "
            f"({confidence:.0%} confidence; {wrong} wrong among {accepted} accepted "
            f"of {len(testing)} documents)"
        )
        return Certificate(field, threshold, len(testing), accepted, wrong, bound, 0, sentence)
    _, accepted, wrong = failed or (0.0, 0, 0)
    return _refusal(field, len(testing), accepted, wrong, target, confidence, share)


def _refusal(
    field: str, n: int, accepted: int, wrong: int, target: float, confidence: float, share: float
) -> Certificate:
    """Nothing is certified; say what would be needed."""
    bound = upper_bound(wrong, accepted, confidence)
    goal = f"{target:.1%} at {confidence:.0%} confidence"
    if accepted and wrong / accepted >= 1.0 - target:
        missing = 0
        sentence = (
            f"{field}: not certified. {wrong} wrong among the {accepted} surest cells is below the "
            f"target of {target:.1%} itself; it takes better experts or a better confidence"
        )
    else:
        needed = cells_needed(wrong, target, confidence)
        coverage = accepted / n if accepted else 1.0
        missing = max(1, math.ceil((needed - accepted) / coverage / share))
        sentence = (
            f"{field}: not certified. {goal} takes {needed} accepted cells with "
            f"{'no error' if wrong == 0 else f'at most {wrong} wrong'} to test on; there were "
            f"{accepted}, which promise {certified_accuracy(accepted, wrong, confidence):.1%} at best: "
            f"verify about {missing} more documents"
        )
    return Certificate(field, None, n, accepted, wrong, bound, missing, sentence)


def withheld(certificate: Certificate, share: float = 1.0) -> Certificate:
    """What is to be said of a policy that was chosen on the very documents of its test.

    That it passed there is no evidence then: as many others have to be verified. `share` as in
    `certify`.
    """
    if not certificate.passed:
        return certificate
    missing = max(1, math.ceil(certificate.cells / share))
    sentence = (
        f"{certificate.field}: not certified. The policy was chosen on the documents that were to "
        f"test it; as many others may certify it: verify about {missing} more documents"
    )
    return replace(certificate, threshold=None, bound=None, missing=missing, sentence=sentence)


def certified_accuracy(n: int, wrong: int, confidence: float) -> float:
    """What so many cells can promise at best: 121 without an error promise 98.1 % at 90 %."""
    return 1.0 - upper_bound(wrong, n, confidence)


def _p_value(wrong: int, accepted: int, target: float) -> float:
    """Chance of so few wrong cells if the risk were just above what is allowed."""
    from scipy.stats import binom

    return float(binom.cdf(wrong, accepted, 1.0 - target)) if accepted else 1.0


def _below(level: float) -> float:
    """A little below, so that rounding in a file cannot shut out the cell at the threshold."""
    return math.floor(level * 1e6) / 1e6

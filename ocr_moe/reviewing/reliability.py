"""How often people err: measured where a word can be held against another, assumed before that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ocr_moe.judgements import RELIABILITY
from ocr_moe.types import Probability, Value

FloatArray = NDArray[np.float64]

_PRIOR_WORDS = round(1.0 / (1.0 - RELIABILITY))
"""The assumption counts as much as so many measured words with one slip among them: 200."""
COINCIDENCE = 0.02
"""Share of slips that fall on the very value which another, independent word has as well. A judgement:
what is hard for one reader is hard for the next, so that the other may be wrong ten times as often as
usual, a few times in a hundred, and both then read the same every other time."""


class ErrorRate(Value):
    """A reviewer's slips, as a Poisson process over words.

    Its rate θ has the conjugate prior Gamma(1, 200), whose mean is 1 - `RELIABILITY`: before anything
    is measured, reviewers are what they are assumed to be, and 200 words later the measurement counts
    for half.  Only settled words count (`ocr_moe.reviewing.cells.check_of`): of a word that was given
    with the value in view and stands unopposed, nobody knows whether it is right.
    """

    words: int = 0
    """Words that could be held against an independent one."""
    slips: int = 0
    """Those that were overturned."""

    @property
    def rate(self) -> float:
        """Posterior mean of slips a word."""
        return (1.0 + self.slips) / (_PRIOR_WORDS + self.words)

    @property
    def variance(self) -> float:
        return self.rate / (_PRIOR_WORDS + self.words)

    def interval(self, level: float) -> tuple[float, float]:
        """Equal-tailed credible interval of the rate."""
        from scipy.special import gammaincinv

        tail = (1.0 - level) / 2
        low, high = gammaincinv(1.0 + self.slips, [tail, 1.0 - tail])
        scale = _PRIOR_WORDS + self.words
        return (float(low / scale), min(1.0, float(high / scale)))

    def tail(self, words: float, least: float) -> FloatArray:
        """P(at least e slips in so many further words), for e = 0, 1, … until it is `least` or less.

        Predictive, so negative binomial.  A word that slips with probability p has stochastically no
        more slips than a Poisson variable of mean -ln(1 - p), hence the tail is no smaller than that
        of words which slip once at most.
        """
        from scipy.special import betainc

        share = words / (words + _PRIOR_WORDS + self.words)
        if not share:
            return np.array([1.0, 0.0])
        size = 16
        while True:
            counts = np.arange(1.0, size)
            tail = np.r_[1.0, betainc(counts, 1.0 + self.slips, share)]
            if tail[-1] <= least:
                return np.asarray(tail[: int(np.argmax(tail <= least)) + 1])
            size *= 4


class ReviewerError(Value):
    """`ErrorRate`, to be shown."""

    words: int
    slips: int
    rate: Probability
    interval: tuple[float, float]
    """Credible, at the plan's assurance."""


def shown_rate(rate: ErrorRate, level: float) -> ReviewerError:
    return ReviewerError(
        words=rate.words,
        slips=rate.slips,
        rate=min(1.0, rate.rate),
        interval=rate.interval(level),
    )

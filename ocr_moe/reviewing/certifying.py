"""When people may stop: a lower bound for the share of right cells that holds while they look.

The population of the audit is fixed when it begins: the N cells that the run itself was sure of, each
with the value that it had then.  A cell is *wrong* if people who check it would change that value; so
W of them are wrong, an unknown but fixed number.  Cells are drawn in a random order without
replacement (`ocr_moe.reviewing.blind.blind_order`), and for every possible W a gambler bets against it:

    M_t(W) = Π (chance of what was drawn, by the gambler) / (the same, were W true)

Where W is true, M_t is a nonnegative supermartingale that begins at 1 (what the gambler bets on what
cannot be drawn is lost), so the chance that it *ever* reaches 1/α is at most α (Ville 1939): looking
after every cell costs nothing.  The numbers W that were not
rejected are a confidence sequence (Waudby-Smith & Ramdas 2020, "Confidence sequences for sampling
without replacement"; for risk-limiting audits Waudby-Smith, Stark & Ramdas 2021, "RiLACS").  Cells are
right or wrong, so every bet of the form 1 + λ(x - μ) is such a ratio (Stark 2023, "ALPHA"), and the
mixture over what the gambler believes has a closed form: with n drawn and k wrong among p cells of
which R are wrong, the sequence has the chance C(p-n, R-k) / C(p, R).  Against R the gambler mixes over
all smaller numbers r with the weights 1/(1 + r), whatever the target: right cells are bet on at every
scale, and an error costs some capital, not all.  Drawing every cell rejects all but the truth.

*Cells that leave.*  Work goes on meanwhile: a corrected school makes another cell doubtful, somebody
corrects a sure cell that they happen to see.  Such a cell was not drawn; it leaves the pool in a known
state.  Who lets it leave may know everything but the order of the cells that are still to come, so the
next draw remains uniform among those that are left, of which W minus all known wrong ones are wrong:
the chances are exact at each draw, and the product stays fair.  After a cell has left, the
gambler starts another factor with the beliefs they then have.  Only a cell that has come up in the
order must not leave: it counts as drawn however it was judged, and those after it count when it has
been.

*The sheet.*  What is certified is the sheet as it would be handed over.  Found errors are corrected;
wrong are at most

    what is wrong among the cells of the pool  (bounded as above)
    + every cell that nobody checked and that is not in the pool, or whose value has changed since
    + every cell on which two words disagree
    + slips of people on what they checked, a random number S that nobody sees.

With q_s = P(S ≥ s), "at most m are wrong" is said if each possible W has α·M_t(W) ≥ q_s for the s that
would break it.  *Proof:* let τ be the moment at which it is said, and W the truth.  Slips on cells that
stay as they are do not depend on what was drawn, so the promise is broken with the probability
E[1{said} q_s] ≤ α E[M_τ(W)] ≤ α.  A share of the capital is never bet, or M_τ could be 0 and no
reviewer good enough.  S is predicted by `ocr_moe.reviewing.reliability.ErrorRate`: the certificate
supposes that people err no more often than measured there, or assumed.  An error that people overlook
counts as a slip.  It is the moment at which one stops that α is about: who goes on and judges more
cells makes more slips, and the certificate of that later moment counts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ocr_moe.reviewing.reliability import COINCIDENCE, ErrorRate
from ocr_moe.types import Probability, Value

FloatArray = NDArray[np.float64]

NO_SLIPS: FloatArray = np.array([1.0, 0.0])
"""Chances of at least 0 and 1 slips of people who never err."""

_KEPT = 0.25
"""Share of the capital that is never bet. It makes certificates a little dearer (of 871 sure cells of
which 5 wrong ones would be too many, 463 must be seen instead of 438), and lets slips be predicted at a
quarter of the risk, at worst, where an error was found: without it nobody could be certified then."""
_TINY = 1e-150
"""Chances below it are taken for it."""


class Certificate(Value):
    """Whether the sheet is right, and how far it is from that."""

    target: Probability
    """Share of right cells that is asked for."""
    assurance: Probability
    bound: Probability
    """At least this share of the sheet is right, at that assurance, at whatever time one stops."""
    wrong_at_most: int
    """The same in cells."""
    allowed: int
    """Wrong cells that the target allows."""
    certified: bool
    """Whether work may stop."""
    more: int | None
    """Further blind cells that would certify the sheet if all of them are right, once every cell that
    is not audited has been checked; 0 where that alone does, None where nothing would: people err too
    often, as far as is known."""


def allowed_wrong(cells: int, target: float) -> int:
    """Wrong cells of a sheet that keeps the target; slack for floating-point shares."""
    return math.floor((1.0 - target) * cells + 1e-9)


class Audit:
    """What is known of the cells that are still in the pool; see the module.

    Arrays are indexed by r, the hypothetical number of wrong cells in the pool. Takes a few
    floats a cell, and for a bound a millisecond for 80,000 cells.
    """

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self.found = 0
        """Wrong cells that were found, drawn or not."""
        self.drawn = 0
        self._pool = cells
        """Cells at the beginning of the factor that is being played."""
        self._n = 0
        self._k = 0
        counts = np.arange(cells + 1, dtype=np.float64)
        self._log_factorial = np.r_[0.0, np.cumsum(np.log(counts[1:]))]
        self._beliefs: FloatArray
        """Weight of every number of wrong cells in the pool, when the factor began."""
        self._stakes: FloatArray
        """Their running sums."""
        self._believe(1.0 / (1.0 + counts))
        self._capital = np.ones(cells + 1)
        """The product of the finished factors."""
        self._known: FloatArray | None = None
        """The capital now, until something happens."""

    @property
    def left(self) -> int:
        """Cells in the pool."""
        return self._pool - self._n

    def draw(self, wrong: bool) -> None:
        """The next cell of the random order was checked. Raises ValueError when there is none."""
        if not self.left:
            raise ValueError("every cell of the audit is known already")
        self._known = None
        self.drawn += 1
        self._n += 1
        self._k += wrong
        self.found += wrong

    def leave(self, wrong: bool) -> None:
        """A cell that was not drawn was checked. Raises ValueError when there is none."""
        if not self.left:
            raise ValueError("every cell of the audit is known already")
        if self._n:
            self._finish()
        self._known = None
        self._pool -= 1
        self.found += wrong
        # Hypotheses are about W, so a wrong cell that leaves moves each to one less in the pool;
        # beliefs are about what is left.
        self._capital = self._capital[1:] if wrong else self._capital[:-1]
        self._beliefs, self._stakes = self._beliefs[:-1], self._stakes[:-1]

    def capital(self, more: int = 0, limit: int | None = None) -> FloatArray:
        """M for r = 0 … `limit` wrong cells in the pool, after `more` right draws."""
        n, k = self._n + more, self._k
        top = self._pool - n if limit is None else min(limit, self._pool - n)
        factor, _ = self._factor(n, k, top)
        with np.errstate(over="ignore"):
            whole = self._capital[k : k + top + 1] * factor
        return np.asarray(_KEPT + (1.0 - _KEPT) * whole)

    def wrong_at_most(self, assurance: float, slips: FloatArray = NO_SLIPS) -> int:
        """Upper bound for wrong cells in the pool and people's slips together.

        `slips` are the chances of at least 0, 1, … slips, as `ErrorRate.tail` gives them.
        """
        if self._known is None:
            self._known = self.capital()
        return _most(self._known, assurance, slips)

    def _factor(self, n: int, k: int, top: int) -> tuple[FloatArray, FloatArray]:
        """(the present factor, chance of its sequence but for a constant) for r = 0 … top."""
        log, p = self._log_factorial, self._pool
        chance = _log_choose(log, p - n, 0, top) - _log_choose(log, p, k, k + top)
        # Chances far beyond what floats hold apart count as equal: a bound that lies there is the
        # safer for it, as less is rejected.
        likely = np.maximum(np.exp(chance - chance.max()), _TINY)
        bets = np.cumsum(self._beliefs[k : k + top] * likely[:-1])
        stakes = self._stakes[k : k + top]
        # There is nothing to bet on against no wrong cell at all, nor where no beliefs are left.
        factor = np.ones(top + 1)
        np.divide(bets, stakes * likely[1:], out=factor[1:], where=stakes > 0.0)
        if k and self._stakes[k - 1] > 0.0:
            factor[0] = 0.0
        return factor, likely

    def _finish(self) -> None:
        k, top = self._k, self.left
        factor, likely = self._factor(self._n, k, top)
        with np.errstate(over="ignore"):
            capital = self._capital[k : k + top + 1] * factor
        self._capital = np.minimum(capital, 1.0 / _TINY)
        self._believe(self._beliefs[k : k + top + 1] * likely)
        self._pool, self._n, self._k = top, 0, 0

    def _believe(self, beliefs: FloatArray) -> None:
        self._beliefs = beliefs / max(float(beliefs.max()), _TINY)
        self._stakes = np.cumsum(self._beliefs)


def certificate(
    audit: Audit,
    *,
    cells: int,
    unaudited: int,
    words: float,
    reviewer: ErrorRate,
    target: float,
    assurance: float,
    guess: int = 0,
) -> Certificate:
    """A certificate on a sheet of so many `cells`.

    `unaudited` are those that nobody checked and that the audit says nothing of, with those in
    dispute; `words` how many words of people stand unopposed (`COINCIDENCE` for each that another
    confirms). A good `guess` of `more` saves time.
    """
    allowed = allowed_wrong(cells, target)
    least = (1.0 - assurance) * _KEPT
    wrong = min(cells, audit.wrong_at_most(assurance, reviewer.tail(words, least)) + unaudited)

    def enough(more: int) -> bool:
        # Only hypotheses of up to one wrong cell more than allowed are looked at: with right draws
        # alone those beyond it are rejected before.
        later = ErrorRate(words=reviewer.words + more, slips=reviewer.slips)
        slips = later.tail(words + unaudited + COINCIDENCE * more, least)
        return _most(audit.capital(more, limit=allowed + 1), assurance, slips) <= allowed

    return Certificate(
        target=target,
        assurance=assurance,
        bound=1.0 - wrong / cells if cells else 1.0,
        wrong_at_most=wrong,
        allowed=allowed,
        certified=wrong <= allowed,
        more=_first(enough, audit.left, guess),
    )


def _first(enough: Callable[[int], bool], most: int, guess: int) -> int | None:
    """The first number up to `most` that is enough, of which all greater ones are.

    Searched in growing steps from the guess, then by halving.
    """
    low, high, step = 0, min(guess, most), 1
    if enough(high):
        while high - step >= low and enough(high - step):
            high, step = high - step, step * 2
        low = max(low, high - step + 1)
    else:
        while True:
            if high == most:
                return None
            low, high, step = high + 1, min(high + step, most), step * 2
            if enough(high):
                break
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _most(capital: FloatArray, assurance: float, slips: FloatArray) -> int:
    """The most wrong cells and slips that any hypothesis which is not rejected must be allowed.

    Hypothesis r needs r + s - 1 for the first s with P(S >= s) <= α·M: where that is never more than
    some slips, those far below the highest that stands cannot need the most.
    """
    risk = (1.0 - assurance) * capital
    standing = np.flatnonzero(risk < 1.0)
    highest = int(standing[-1]) if len(standing) else 0
    lowest = max(0, highest - len(slips))
    near = risk[lowest : highest + 1]
    # Chances fall with s, so they are searched from their end.
    enough = len(slips) - np.searchsorted(slips[::-1], near, side="right")
    return int((np.arange(lowest, highest + 1) + np.maximum(enough, 1) - 1).max())


def _log_choose(log: FloatArray, total: int, low: int, high: int) -> FloatArray:
    """Logarithm of C(total, r) for r = low … high."""
    down = log[total - high : total - low + 1][::-1]
    return np.asarray(log[total] - log[low : high + 1] - down)

"""The plan: how many cells people must still check, what the sheet is worth now, when they may stop.

*Expected* accuracy comes from calibrated risk.  A cell that nobody checked is wrong with κ·(1 - c):
c is its confidence, and κ, one factor for the cells that the run is sure of and one for those that it
doubts, says how much calibration is worth on these documents.  κ ~ Gamma(2, 2) before anything is
checked: its mean is 1, and 95 % of it lie between 0.12 and 2.8, because a calibration that was fitted
elsewhere may be off by such factors (on 36 made certificates both were 1.2; on 80 real licences 2.1 and
1.0, errors of their labels among them).  Wrong cells that checks find are Poisson with mean κ·Σ(1 - c),
which updates κ in closed form.  A cell that people checked is wrong as often as they slip
(`ocr_moe.reviewing.reliability`).  Cells are checked in order of expected gain, κ·(1 - c) less the
reviewer's own error rate; those with nothing to hand over come first, and always.  A cell that is surer
than people are gains nothing.

The interval is that of the number of wrong cells: its mean and variance add up those of κ, of the
reviewer's rate and of the cells (Poisson-binomial given both), and a Gamma distribution of the same
mean and variance stands for it.  It supposes that κ is one factor a stratum and that cells are
independent given κ.

What is *certified* supposes none of this: see `ocr_moe.reviewing.certifying`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ocr_moe.reviewing.blind import blind_order, evidence_against
from ocr_moe.reviewing.cells import SURE, Cell
from ocr_moe.reviewing.certifying import Audit, Certificate, certificate
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.reliability import COINCIDENCE, ErrorRate, ReviewerError, shown_rate
from ocr_moe.routing.calibration import Calibration
from ocr_moe.schema import Schema
from ocr_moe.settings import ReviewOptions
from ocr_moe.types import Probability, Status, Value

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_PRIOR_FINDS = 2.0
"""Shape and rate of κ before anything is checked: calibration elsewhere counts as much as two errors
that were expected and found."""
_DISPUTED = 0.5
"""Chance that a cell on which two words disagree is wrong."""
_FEW = 20
"""Cells below which equal confidences may be chance."""


class PlanWarning(StrEnum):
    """What a reader of the plan must know; keys for phrases."""

    CONFIDENCE_EQUAL = "confidence_equal"
    """All sure cells have one confidence: there is no order in which to check them."""
    CONFIDENCE_UNCALIBRATED = "confidence_uncalibrated"
    """Confidences of unchecked cells are judgement: no model was fitted for them."""
    CONFIDENCE_CONTRADICTED = "confidence_contradicted"
    """Blind cells are wrong more often than their confidences say."""
    CELLS_UNREAD = "cells_unread"
    """Cells of documents or fields that could not be read are to be typed."""
    TARGET_OUT_OF_REACH = "target_out_of_reach"
    """Even checking every cell worth it is not expected to reach the target: people err as well, and
    only double entry makes that less."""
    CERTIFICATE_OUT_OF_REACH = "certificate_out_of_reach"
    """However many cells are checked once, people may err too often for a certificate."""


class BlindShare(Value):
    """What was shown without its value."""

    sure: int
    """Cells that the run was sure of, from which they are drawn."""
    due: int
    """Cells that the configured share comes to."""
    drawn: int
    right: int
    """Drawn cells whose value people found as well."""
    open: int
    """Those whose blind word differs from the value, and which nobody has settled yet."""
    expected_wrong: float
    """How many of the drawn cells are wrong if their confidences are calibrated."""
    accuracy: Probability
    """At least this share of the sure cells was right as the run read them, at the plan's assurance,
    however often one looks."""


class Plan(Value):
    """What to do, and what the sheet is worth; counts are of cells."""

    cells: int
    checked: int
    """Verified cells."""
    must: int
    """Cells to be typed or settled whatever the target is; part of `to_check`."""
    to_check: int
    """Further cells to check, in the order of `Planner.queue`, until the target can be expected."""
    to_check_interval: tuple[int, int]
    """The same if confidences are worth as much, and as little, as they may be."""
    target: Probability
    accuracy: Probability
    """Expected share of right cells, were the sheet handed over now."""
    accuracy_interval: tuple[float, float]
    """At the plan's assurance."""
    reached: bool
    """Whether the target can be expected of the sheet as it is."""
    blind: BlindShare
    reviewer: ReviewerError
    certificate: Certificate
    stop: bool
    """Whether the sheet is certified: work may stop."""
    warnings: tuple[PlanWarning, ...]


class _Factor(NamedTuple):
    """κ of one stratum: Gamma-distributed."""

    shape: float
    rate: float

    @property
    def mean(self) -> float:
        return self.shape / self.rate

    @property
    def variance(self) -> float:
        return self.shape / self.rate**2

    def quantile(self, share: float) -> float:
        from scipy.special import gammaincinv

        return float(gammaincinv(self.shape, share)) / self.rate


def uncalibrated_fields(
    schemas: Iterable[Schema], calibration: Calibration
) -> frozenset[tuple[str | None, str]]:
    """(schema, field) of the fields whose confidences are judgement, all of it or half."""
    return frozenset(
        (schema.name, field.name)
        for schema in schemas
        for field in schema.fields
        if field.kind not in calibration.models
        or (calibration.quality and field.name not in calibration.quality)
    )


class Planner:
    """Keeps count of a sheet's cells while people work on them.

    `seed` is the run's identity: with it the blind order is the same after a restart. `uncalibrated`
    are (schema, field) pairs as `uncalibrated_fields` gives them. Cells are held as some 50 bytes each,
    without their values. Not for several threads at once. Raises ValueError for two cells of one key.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        options: ReviewOptions,
        seed: str,
        *,
        uncalibrated: Collection[tuple[str | None, str]] = (),
    ) -> None:
        given = list(cells)
        self._options = options
        self._keys = [cell.key for cell in given]
        self._index = {key: i for i, key in enumerate(self._keys)}
        if len(self._index) < len(given):
            raise ValueError("two cells have the same key")
        n = len(given)
        self._sorted = False
        """Whether `_strata` is in order."""
        self._risk = np.ones(n)
        self._blank = np.zeros(n, dtype=bool)
        self._changed = np.zeros(n, dtype=bool)
        self._checked = np.zeros(n, dtype=bool)
        self._open = np.zeros(n, dtype=bool)
        self._blind = np.zeros(n, dtype=bool)
        self._wrong = np.zeros(n, dtype=bool)
        """Where somebody checked: whether the run's own value was wrong, or may have been."""
        self._order = np.zeros(n, dtype=np.int64)
        self._words = np.zeros(n, dtype=np.int32)
        self._slips = np.zeros(n, dtype=np.int32)
        self._single = np.zeros(n, dtype=np.float32)
        """How much of a lone word the cell hangs on."""
        self._issued = np.zeros(n, dtype=bool)
        self._sure = np.array([cell.own and cell.status in SURE for cell in given], dtype=bool)
        self._unread = np.array([cell.status is Status.FAILED for cell in given], dtype=bool)
        self._uncalibrated = np.array(
            [(cell.schema, cell.key.field) in uncalibrated for cell in given], dtype=bool
        )
        for i, cell in enumerate(given):
            self._set(i, cell)
        order = blind_order(self._keys, seed)
        self._sequence = order[self._sure[order]]
        self._rank = np.full(n, n, dtype=np.int64)
        self._rank[self._sequence] = np.arange(len(self._sequence))
        self._strata = (np.flatnonzero(self._sure), np.flatnonzero(~self._sure))
        """Sure cells and doubtful ones, each by falling risk once `_by_risk` was asked."""
        self._guess = len(self._sequence)
        self._audit = Audit(len(self._sequence))
        self._played = np.zeros((0, 3), dtype=np.int64)
        """What the audit knows: (cell, drawn or left, wrong), in its order."""

    def update(self, *cells: Cell) -> None:
        """What is now known of cells: a judgement, one that was taken back, another confidence.

        A cell's own status stays what it was. Raises KeyError for a cell that is none of the sheet's.
        """
        for cell in cells:
            self._set(self._index[cell.key], cell)

    def next_blind(self) -> CellKey | None:
        """The key of the next cell to be shown without its value; None when all are known.

        The same one until it is judged; from now on it counts as drawn however that is done. With
        several reviewers, see `blind_keys`.
        """
        keys = self.blind_keys(1)
        return keys[0] if keys else None

    def blind_keys(self, count: int) -> list[CellKey]:
        """The next so many cells of the blind order that nobody has judged, for work side by side."""
        todo = self._sequence[~self._checked[self._sequence]][:count]
        self._issued[todo] = True
        return [self._keys[i] for i in todo]

    def queue(self, limit: int | None = None) -> list[CellKey]:
        """Keys of unchecked cells: what must be typed or settled, then by expected gain."""
        todo = np.flatnonzero(~self._checked | self._open)
        sure, doubtful = self._factors()
        risk = self._risk[todo] * np.where(self._sure[todo], sure.mean, doubtful.mean)
        risk[(self._blank | self._open)[todo]] = np.inf
        return [self._keys[i] for i in todo[np.argsort(-risk, kind="stable")][:limit]]

    def risk(self, key: CellKey) -> float:
        """Chance that the cell is wrong as it would be handed over now."""
        i = self._index[key]
        if self._open[i]:
            return _DISPUTED
        if self._checked[i]:
            return float(self._single[i]) * self._reviewer().rate
        sure, doubtful = self._factors()
        factor = sure if self._sure[i] else doubtful
        return float(self._risk[i] if self._blank[i] else min(1.0, factor.mean * self._risk[i]))

    def plan(self) -> Plan:
        options = self._options
        level = options.assurance
        self._play()
        reviewer = self._reviewer()
        factors = self._factors()
        unchecked = ~self._checked
        outside = int((unchecked & (self._changed | ~self._sure)).sum() + self._open.sum())
        certified = certificate(
            self._audit,
            cells=len(self._keys),
            unaudited=outside,
            words=self._lone_words(),
            reviewer=reviewer,
            target=options.target,
            assurance=level,
            guess=self._guess,
        )
        self._guess = certified.more or 0
        low, high = ((1.0 - level) / 2, (1.0 + level) / 2)
        risks = self._by_risk()
        wrong, interval = self._expected(risks, factors, reviewer, low, high)
        to_check, reachable = self._to_check(risks, [f.mean for f in factors], reviewer.rate)
        fewest, _ = self._to_check(risks, [f.quantile(low) for f in factors], reviewer.rate)
        most, _ = self._to_check(risks, [f.quantile(high) for f in factors], reviewer.rate)
        n = max(len(self._keys), 1)
        blind = self._blind_share(level)
        return Plan(
            cells=len(self._keys),
            checked=int((self._checked & ~self._open).sum()),
            must=self._must(),
            to_check=to_check,
            to_check_interval=(min(fewest, to_check), max(most, to_check)),
            target=options.target,
            accuracy=max(0.0, 1.0 - wrong / n),
            accuracy_interval=(1.0 - interval[1] / n, 1.0 - interval[0] / n),
            reached=wrong <= (1.0 - options.target) * len(self._keys) + 1e-9,
            blind=blind,
            reviewer=shown_rate(reviewer, level),
            certificate=certified,
            stop=certified.certified,
            warnings=tuple(self._warnings(reachable, certified)),
        )

    def _set(self, i: int, cell: Cell) -> None:
        risk = 1.0 if cell.confidence is None else 1.0 - min(cell.confidence, cell.ceiling)
        if risk != self._risk[i]:
            self._risk[i] = risk
            self._sorted = False
        self._blank[i] = cell.confidence is None
        self._changed[i] = cell.changed
        check = cell.check
        self._checked[i] = check is not None
        self._open[i] = check is not None and check.open
        self._blind[i] = check is not None and check.blind
        self._wrong[i] = check is not None and not check.machine_right
        self._order[i] = 0 if check is None else check.order
        self._words[i] = 0 if check is None else check.words
        self._slips[i] = 0 if check is None else check.slips
        lone = check is not None and not check.open
        self._single[i] = (COINCIDENCE if check is not None and check.agreed else 1.0) * lone

    def _play(self) -> None:
        """Tell the audit what it does not know yet; from the beginning where something was undone."""
        come_up = self._blind | self._issued
        drawn = self._sure & self._checked & come_up
        left = self._sure & self._checked & ~come_up & ~self._open
        waiting = self._rank[self._sure & ~self._checked]
        first = waiting.min() if len(waiting) else len(self._keys)
        counted = np.flatnonzero(left | (drawn & (self._rank < first)))
        counted = counted[np.lexsort((self._rank[counted], self._order[counted]))]
        events = np.stack([counted, drawn[counted], self._wrong[counted]], axis=1)
        done = len(self._played)
        if done > len(events) or not np.array_equal(events[:done], self._played):
            self._audit, done = Audit(len(self._sequence)), 0
        for _, is_drawn, wrong in events[done:].tolist():
            (self._audit.draw if is_drawn else self._audit.leave)(bool(wrong))
        self._played = events

    def _reviewer(self) -> ErrorRate:
        return ErrorRate(words=int(self._words.sum()), slips=int(self._slips.sum()))

    def _lone_words(self) -> float:
        return float(self._single.sum(dtype=np.float64))

    def _must(self) -> int:
        return int((self._open | (self._blank & ~self._checked)).sum())

    def _factors(self) -> tuple[_Factor, _Factor]:
        """κ of sure cells, and of doubtful ones."""
        judged = self._checked & ~self._open & ~self._blank
        factors = []
        for stratum in (judged & self._sure, judged & ~self._sure):
            found = float(self._wrong[stratum].sum())
            stated = float(self._risk[stratum].sum())
            factors.append(_Factor(_PRIOR_FINDS + found, _PRIOR_FINDS + stated))
        return factors[0], factors[1]

    def _by_risk(self) -> tuple[FloatArray, FloatArray]:
        """Stated risks of unchecked cells with a value, from high to low: sure ones, doubtful ones."""
        if not self._sorted:
            # Stable sorting is quick where few risks have changed.
            sure, doubtful = (
                each[np.argsort(-self._risk[each], kind="stable")] for each in self._strata
            )
            self._strata, self._sorted = (sure, doubtful), True
        todo = ~(self._checked | self._blank)
        sure, doubtful = (self._risk[each[todo[each]]] for each in self._strata)
        return sure, doubtful

    def _expected(
        self,
        risks: tuple[FloatArray, FloatArray],
        factors: tuple[_Factor, _Factor],
        reviewer: ErrorRate,
        low: float,
        high: float,
    ) -> tuple[float, tuple[float, float]]:
        """Expected wrong cells of the sheet as it is, and quantiles of their number."""
        from scipy.special import gammaincinv

        lone, disputed = self._lone_words(), int(self._open.sum())
        slips = reviewer.rate * lone
        empty = int((self._blank & ~self._checked).sum())
        mean = empty + slips + _DISPUTED * disputed
        variance = slips + reviewer.variance * lone**2 + _DISPUTED**2 * disputed
        for factor, stated in zip(factors, risks, strict=True):
            certain = _above(stated, 1.0 / factor.mean)
            chance = factor.mean * stated[certain:]
            mean += certain + float(chance.sum())
            variance += float(chance.sum() - chance @ chance)
            variance += factor.variance * float(stated.sum()) ** 2
        if not variance:
            return mean, (mean, mean)
        quantiles = gammaincinv(mean**2 / variance, [low, high]) * variance / mean
        n = len(self._keys)
        return mean, (math.floor(quantiles[0]), min(n, math.ceil(quantiles[1])))

    def _to_check(
        self, risks: tuple[FloatArray, FloatArray], factors: Sequence[float], rate: float
    ) -> tuple[int, bool]:
        """(cells to check until the target is expected, whether it can be), at these factors."""
        allowed = (1.0 - self._options.target) * len(self._keys) + 1e-9
        must = self._must()
        wrong = rate * (self._lone_words() + must)
        worth = []
        for factor, stated in zip(factors, risks, strict=True):
            certain, gained = _above(stated, 1.0 / factor), _above(stated, rate / factor)
            wrong += certain + factor * float(stated[certain:].sum())
            worth.append(np.minimum(factor * stated[:gained], 1.0))
        # Two sorted runs: a stable sort only merges them.
        gains = -np.sort(-np.concatenate(worth), kind="stable") - rate
        after = wrong - np.r_[0.0, np.cumsum(gains)]
        enough = np.flatnonzero(after <= allowed)
        return must + (int(enough[0]) if len(enough) else len(gains)), bool(len(enough))

    def _blind_share(self, level: float) -> BlindShare:
        sure = len(self._sequence)
        drawn = self._sure & self._checked & self._blind
        most = self._audit.found + self._audit.wrong_at_most(level)
        return BlindShare(
            sure=sure,
            due=math.ceil(self._options.blind_share * sure - 1e-9),
            drawn=int(drawn.sum()),
            right=int((drawn & ~self._wrong).sum()),
            open=int((drawn & self._open).sum()),
            expected_wrong=float(self._risk[drawn].sum()),
            accuracy=1.0 - min(most, sure) / sure if sure else 1.0,
        )

    def _warnings(self, reachable: bool, certified: Certificate) -> Iterable[PlanWarning]:
        unchecked = ~self._checked
        sure = self._strata[0]
        if len(sure) >= _FEW and self._risk[sure[0]] - self._risk[sure[-1]] < 1e-6:
            yield PlanWarning.CONFIDENCE_EQUAL
        if (self._uncalibrated & unchecked & ~self._blank).any():
            yield PlanWarning.CONFIDENCE_UNCALIBRATED
        blind = self._sure & self._blind & self._checked & ~self._open
        against = evidence_against(self._risk[blind], self._wrong[blind])
        if against * (1.0 - self._options.assurance) >= 1.0:
            yield PlanWarning.CONFIDENCE_CONTRADICTED
        if (self._unread & unchecked).any():
            yield PlanWarning.CELLS_UNREAD
        if not reachable:
            yield PlanWarning.TARGET_OUT_OF_REACH
        if certified.more is None:
            yield PlanWarning.CERTIFICATE_OUT_OF_REACH


def _above(falling: FloatArray, level: float) -> int:
    """How many of the falling numbers lie above a level."""
    return len(falling) - int(np.searchsorted(falling[::-1], level, side="right"))

"""The certificate keeps its promise, whenever one stops, and whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest, nbinom

from ocr_moe.reviewing.certifying import (
    NO_SLIPS,
    Audit,
    Certificate,
    allowed_wrong,
    certificate,
)
from ocr_moe.reviewing.reliability import COINCIDENCE, ErrorRate

ALPHA = 0.05
ASSURANCE = 1.0 - ALPHA
SHEETS = 2500


def audited(cells: int, drawn: Sequence[bool]) -> Audit:
    audit = Audit(cells)
    for wrong in drawn:
        audit.draw(wrong)
    return audit


def table(cells: int, most_wrong: int, slips: NDArray[np.float64] = NO_SLIPS) -> NDArray[np.int64]:
    """The bound after n draws of which k were wrong; a draw's place does not matter."""
    bounds = np.full((cells + 1, most_wrong + 1), cells)
    for k in range(most_wrong + 1):
        audit = audited(cells, [True] * k)
        for n in range(k, cells + 1):
            bounds[n, k] = audit.wrong_at_most(ASSURANCE, slips)
            if n < cells:
                audit.draw(False)
    return bounds


def orders(cells: int, wrong: int, sheets: int, seed: int) -> NDArray[np.int64]:
    """Wrong cells found after 0 … n draws, for sheets in random orders; shape (sheets, cells + 1)."""
    luck = np.random.default_rng(seed).random((sheets, cells))
    drawn = np.argsort(luck, axis=1) < wrong
    found: NDArray[np.int64] = np.c_[np.zeros(sheets, dtype=np.int64), np.cumsum(drawn, axis=1)]
    return found


def at_most(share: float, broken: int, sheets: int) -> bool:
    """Whether so many broken promises are no evidence (at 1 in 10,000) against the share allowed."""
    return bool(binomtest(broken, sheets, share, alternative="greater").pvalue > 1e-4)


@pytest.mark.parametrize(
    ("cells", "allowed", "wrong"),
    [(150, 1, 2), (150, 1, 3), (300, 4, 5), (300, 4, 6), (300, 15, 16), (300, 15, 30)],
)
def test_a_wrong_sheet_is_hardly_ever_certified(cells: int, allowed: int, wrong: int) -> None:
    found = orders(cells, wrong, SHEETS, seed=wrong)
    bounds = table(cells, wrong)[np.arange(cells + 1), found]
    left = wrong - found
    broken = ((bounds <= allowed) & (left > allowed)).any(axis=1)
    assert at_most(ALPHA, int(broken.sum()), SHEETS), broken.mean()
    # The same of every bound that was ever told, whatever target one has in mind.
    assert at_most(ALPHA, int((bounds < left).any(axis=1).sum()), SHEETS)


def test_the_promise_is_not_kept_by_never_certifying() -> None:
    """Of a right sheet little more is asked than by one test that may be made only once."""
    cells, allowed = 300, 4
    needed = int(np.argmax(table(cells, 0)[:, 0] <= allowed))
    once = next(
        n
        for n in range(cells)
        if np.prod([(cells - n - i) / (cells - i) for i in range(5)]) <= ALPHA
    )
    assert once == 135
    assert once <= needed < 1.2 * once
    found = orders(cells, 2, 500, seed=0)
    bounds = table(cells, 2)[np.arange(cells + 1), found]
    assert np.median((bounds <= allowed).argmax(axis=1)) < 0.8 * cells


def test_people_who_err_are_counted() -> None:
    """Slips on other cells, as many as people may make, break no more promises."""
    cells, allowed, words = 200, 4, 100
    generator = np.random.default_rng(1)
    slips = ErrorRate().tail(words, 0.001)
    for wrong in (2, 4, 5, 6):
        found = orders(cells, wrong, SHEETS, seed=10 + wrong)
        certified = table(cells, wrong, slips)[np.arange(cells + 1), found] <= allowed
        at = certified.argmax(axis=1)
        left = wrong - found[np.arange(SHEETS), at]
        # Rates as the prior says, among them people who err every fiftieth time.
        made = generator.poisson(generator.gamma(1.0, 1 / 200, SHEETS) * words)
        broken = certified.any(axis=1) & (left + made > allowed)
        assert at_most(ALPHA, int(broken.sum()), SHEETS), (wrong, broken.mean())
        if wrong == 2:
            assert certified.any(axis=1).mean() > 0.9


Play = Callable[[Audit, int, list[int]], int | None]
"""Whether a cell leaves now: given the audit, the step, and cells that are left; it may know which are
wrong (they have the lowest numbers), not which come next."""


def never(audit: Audit, step: int, left: list[int]) -> int | None:
    return None


def a_wrong_one_when_lucky(audit: Audit, step: int, left: list[int]) -> int | None:
    return min(left) if step % 2 and not audit.found else None


def a_right_one_after_an_error(audit: Audit, step: int, left: list[int]) -> int | None:
    return max(left) if audit.found and step == 2 else None


PLAYS = [never, a_wrong_one_when_lucky, a_right_one_after_an_error]


def played(audit: Audit, order: Sequence[int], wrong: int, play: Play) -> Iterator[int]:
    """Wrong cells that are left, after each event."""
    left = list(range(len(order)))
    yield wrong
    for step, cell in enumerate(order):
        if cell not in left:
            continue
        leaving = play(audit, step, left)
        if leaving is not None:
            left.remove(leaving)
            audit.leave(leaving < wrong)
            yield sum(each < wrong for each in left)
        if cell in left:
            left.remove(cell)
            audit.draw(cell < wrong)
            yield sum(each < wrong for each in left)


@pytest.mark.parametrize("play", PLAYS)
@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_a_bet_against_the_truth_is_fair(play: Play, wrong: int) -> None:
    """Over all orders, the mean capital of the true hypothesis never grows; it stays what it was, to the
    last digit, as long as what the gambler bets on can still happen."""
    cells = 6
    totals: dict[int, list[float]] = {}
    for order in permutations(range(cells)):
        audit = Audit(cells)
        value = 1.0
        for event, truth in enumerate(played(audit, order, wrong, play)):
            value = float(audit.capital()[truth])
            totals.setdefault(event, []).append(value)
        for rest in range(event + 1, 2 * cells):
            totals.setdefault(rest, []).append(value)
    for event, values in totals.items():
        assert len(values) == 720
        assert np.mean(values) <= 1.0 + 1e-12
        if event <= cells - wrong and play is never:
            assert np.mean(values) == pytest.approx(1.0, abs=1e-12)
    if wrong and play is never:
        assert max(max(values) for values in totals.values()) > 1.5  # and it does bet


@pytest.mark.parametrize("play", PLAYS[1:])
def test_cells_that_leave_break_no_promise(play: Play) -> None:
    cells, wrong, sheets = 40, 4, 600
    generator = np.random.default_rng(5)
    broken = 0
    for _ in range(sheets):
        audit = Audit(cells)
        order = generator.permutation(cells).tolist()
        broken += any(
            audit.wrong_at_most(ASSURANCE) < left for left in played(audit, order, wrong, play)
        )
    assert at_most(ALPHA, broken, sheets), broken / sheets


draws = st.lists(st.booleans(), max_size=40)


@given(draws, st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_what_the_bound_obeys(drawn: list[bool], further: int) -> None:
    cells = len(drawn) + further
    bound = audited(cells, drawn).wrong_at_most(ASSURANCE)
    assert 0 <= bound <= further
    shuffled = sorted(drawn)
    assert audited(cells, shuffled).wrong_at_most(ASSURANCE) == bound, "the order says nothing"
    if further:
        right = audited(cells, [*drawn, False]).wrong_at_most(ASSURANCE)
        wrong = audited(cells, [*drawn, True]).wrong_at_most(ASSURANCE)
        assert right <= bound, "a right cell makes nothing worse"
        assert wrong >= right, "a wrong one is no better than a right one"
    else:
        assert bound == 0, "who has seen every cell knows"


@given(st.integers(0, 60), st.integers(0, 30), st.integers(0, 5), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_how_many_more_is_the_first_number_that_does(
    cells: int, drawn: int, wrong: int, unaudited: int
) -> None:
    drawn, wrong = min(drawn, cells), min(wrong, drawn, cells)
    reviewer = ErrorRate(words=500)
    sheet = cells + unaudited + 100

    def told(more: int, checked: bool, guess: int = 0) -> Certificate:
        audit = audited(cells, [True] * wrong + [False] * (drawn - wrong + more))
        return certificate(
            audit,
            cells=sheet,
            unaudited=0 if checked else unaudited,
            words=20.0 + (unaudited if checked else 0) + COINCIDENCE * more,
            reviewer=ErrorRate(words=reviewer.words + more),
            target=0.98,
            assurance=ASSURANCE,
            guess=guess,
        )

    more = told(0, checked=False).more
    first = next((m for m in range(cells - drawn + 1) if told(m, checked=True).certified), None)
    assert more == first
    assert {told(0, checked=False, guess=guess).more for guess in (1, 7, 1000)} == {more}


def test_a_certificate_of_a_small_sheet() -> None:
    """968 cells at 99.5 % may hold four wrong ones; who checks all the sure ones blind is certified."""

    def told(drawn: int, unaudited: int = 0) -> Certificate:
        return certificate(
            audited(871, [False] * drawn),
            cells=968,
            unaudited=unaudited,
            words=97 - unaudited + COINCIDENCE * drawn,
            reviewer=ErrorRate(words=drawn),
            target=0.995,
            assurance=ASSURANCE,
        )

    start = told(0, unaudited=97)
    assert (start.allowed, start.certified, start.bound) == (4, False, 0.0)
    assert start.more is not None
    assert 393 < start.more < 500  # 393 would do if one looked only once, and people never erred
    assert told(start.more).certified
    assert not told(start.more - 1).certified
    assert told(871).more == 0
    # Nobody can vouch for a sheet of which every cell hangs on one word of people who err that often.
    alone = certificate(
        Audit(0),
        cells=968,
        unaudited=0,
        words=968.0,
        reviewer=ErrorRate(),
        target=0.995,
        assurance=ASSURANCE,
    )
    assert not alone.certified
    assert alone.more is None
    # Cells outside the audit that nobody checked count as wrong.
    assert told(871, unaudited=3).wrong_at_most == told(871).wrong_at_most + 3
    assert not told(871, unaudited=5).certified


def test_allowed_wrong_cells_are_exact() -> None:
    for cells in range(0, 5000, 7):
        for target in ("0.9", "0.98", "0.99", "0.995", "0.999"):
            exact = int((1 - Fraction(target)) * cells)
            assert allowed_wrong(cells, float(target)) == exact, (cells, target)


def test_an_audit_that_is_over_takes_no_more() -> None:
    audit = audited(2, [False])
    audit.leave(True)
    assert (audit.left, audit.drawn, audit.found) == (0, 1, 1)
    assert audit.wrong_at_most(ASSURANCE) == 0
    with pytest.raises(ValueError, match="known already"):
        audit.draw(False)
    with pytest.raises(ValueError, match="known already"):
        audit.leave(False)


def test_slips_are_predicted_as_the_posterior_says() -> None:
    rate = ErrorRate(words=300, slips=2)
    tail = rate.tail(80.0, 1e-4)
    # Poisson with a Gamma rate is negative binomial.
    expected = nbinom.sf(np.arange(len(tail)) - 1, 3, 500 / 580)
    assert tail == pytest.approx(expected)
    assert tail[-1] <= 1e-4 < tail[-2]
    assert ErrorRate().tail(0.0, 1e-4).tolist() == [1.0, 0.0]
    assert len(ErrorRate().tail(50_000.0, 1e-3)) > 1000
    low, high = rate.interval(0.95)
    assert low < rate.rate == 3 / 500 < high


def test_reviewers_are_what_is_assumed_until_they_are_measured() -> None:
    assert ErrorRate().rate == pytest.approx(0.005)
    measured = ErrorRate(words=10_000, slips=200)
    assert measured.rate == pytest.approx(0.02, rel=0.02)
    low, high = measured.interval(0.95)
    assert 0.015 < low < 0.02 < high < 0.025

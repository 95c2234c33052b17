"""The statistics against figures worked out by hand or by definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.evaluation import metrics
from ocr_moe.evaluation.mistakes import Mistake, classify, confusions, marks
from ocr_moe.schema import Kind


def test_wilson_is_the_textbook_formula() -> None:
    # Wilson 1927 for 44 of 121 (36.4 %), z = 1.959964.
    z, n, p = 1.959964, 121, 44 / 121
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    margin = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))

    assert metrics.wilson(44, 121) == pytest.approx((centre - margin, centre + margin), abs=1e-6)
    assert metrics.wilson(0, 0) == (0.0, 1.0)
    # 121 documents without an error: the lower end of the 90 % interval is 97.8 %.
    assert metrics.wilson(121, 121, 0.9)[0] == pytest.approx(0.9781, abs=1e-4)


def test_mcnemar_counts_only_what_one_of_the_two_has_right() -> None:
    # 1 against 9: 2 · (1 + 10) / 2^10
    assert metrics.mcnemar_exact(1, 9) == pytest.approx(22 / 1024)
    assert metrics.mcnemar_exact(9, 1) == metrics.mcnemar_exact(1, 9)
    assert metrics.mcnemar_exact(0, 0) == 1.0
    assert metrics.mcnemar_exact(5, 5) == 1.0


def test_holm_steps_down_and_keeps_the_order() -> None:
    assert metrics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert metrics.holm([0.9, 0.6]) == pytest.approx([1.0, 1.0])
    assert metrics.holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
@settings(deadline=None)
def test_holm_never_lowers_a_p_value_and_keeps_their_ranking(p_values: list[float]) -> None:
    adjusted = metrics.holm(p_values)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])

    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.3, 0.1])
    right = np.array([True, True, False, True, False])
    # Pairs (right, wrong): 0.9>0.8, 0.9>0.1, 0.8=0.8, 0.8>0.1, 0.3<0.8, 0.3>0.1 → 4.5 of 6.
    assert metrics.auroc(confidence, right) == pytest.approx(4.5 / 6)
    assert metrics.auroc(confidence, np.ones(5, dtype=bool)) is None


def test_a_perfect_ranking_still_has_an_interval() -> None:
    low, high = metrics.auroc_interval(1.0, 50, 10)
    assert 0.9 < low < 1.0
    assert high == 1.0


def test_calibration_errors_by_hand() -> None:
    confidence = np.array([0.2, 0.4, 0.6, 0.8])
    right = np.array([False, True, True, True])
    # Two bins of two: |0.3 - 0.5|, |0.7 - 1| → mean 0.25.
    assert metrics.expected_calibration_error(confidence, right, bins=2) == pytest.approx(0.25)
    assert metrics.brier(confidence, right) == pytest.approx((0.04 + 0.36 + 0.16 + 0.04) / 4)
    assert metrics.brier(np.array([]), np.array([], dtype=bool)) is None


def test_risk_and_coverage_take_equal_confidences_together() -> None:
    confidence = np.array([0.9, 0.9, 0.5, np.nan])
    right = np.array([True, False, True, True])

    curve = metrics.risk_coverage(confidence, right)

    assert curve.coverage.tolist() == [0.5, 0.75]
    assert curve.risk.tolist() == pytest.approx([0.5, 1 / 3])
    assert curve.thresholds.tolist() == [0.9, 0.5]


def test_the_review_plan_checks_the_least_confident_cells() -> None:
    confidence = np.array([0.1, 0.2, 0.3, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    right = np.array([False, True, False] + [True] * 7)

    assert metrics.review_plan(confidence, right, 0.8).checked == 0
    nine = metrics.review_plan(confidence, right, 0.9)
    assert (nine.checked, nine.threshold) == (1, 0.1)
    assert nine.accuracy == pytest.approx(0.9)
    every = metrics.review_plan(confidence, right, 1.0)
    assert (every.checked, every.cells, every.threshold) == (3, 10, 0.3)


def test_without_a_ranking_the_review_is_not_lucky() -> None:
    # One of four equal cells is wrong: any order is as good, so all four must be checked.
    plan = metrics.review_plan(np.full(4, 0.5), np.array([False, True, True, True]), 1.0)
    assert plan.checked == 4


def test_what_has_no_confidence_is_checked_first() -> None:
    plan = metrics.review_plan(np.array([0.1, np.nan]), np.array([True, False]), 1.0)
    assert (plan.checked, plan.threshold) == (1, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
@settings(deadline=None)
def test_the_review_curve_starts_at_the_accuracy_and_ends_at_one(
    cells: list[tuple[float, bool]],
) -> None:
    confidence = np.array([cell[0] for cell in cells])
    right = np.array([cell[1] for cell in cells])

    curve = metrics.review_curve(confidence, right)

    assert curve[0] == pytest.approx(right.mean())
    assert curve[-1] == pytest.approx(1.0)
    assert (np.diff(curve) >= -1e-12).all()


def test_macro_is_the_mean_over_the_fields_that_were_asked() -> None:
    right = np.array([[1.0, 0, 0], [1, 1, 0]])
    asked = np.array([[1.0, 1, 0], [1, 1, 0]])
    assert metrics.macro(right, asked) == pytest.approx((1.0 + 0.5) / 2)


def test_the_bootstrap_is_paired_and_repeatable() -> None:
    generator = np.random.default_rng(1)
    first = (generator.random((200, 3)) < 0.9).astype(float)
    right = np.stack([first, first, 1 - first])
    asked = np.ones_like(right)

    samples = metrics.bootstrap_macro(right, asked, repeats=400, seed=5)

    assert samples.shape == (400, 3)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert np.array_equal(samples, metrics.bootstrap_macro(right, asked, repeats=400, seed=5))
    low, high = metrics.percentile_interval(samples[:, 0])
    assert low < first.mean() < high
    # Resampling documents has the standard error of the mean over documents.
    assert samples[:, 0].std() == pytest.approx(first.mean(axis=1).std() / math.sqrt(200), rel=0.2)


@pytest.mark.parametrize(
    ("kind", "truth", "value", "others", "mistake"),
    [
        (Kind.CODE, "106130004931", "106130004981", (), Mistake.SUBSTITUTED),
        (Kind.CODE, "106130004931", "10613000493", (), Mistake.WRONG_LENGTH),
        (Kind.CODE, "106130004931", "1061300004931", (), Mistake.ZERO_RUN),
        (Kind.CODE, "106130004931", "2019-06-20", ("2019-06-20",), Mistake.WRONG_FIELD),
        (Kind.CODE, "106130004931", "777", (), Mistake.OTHER_VALUE),
        (Kind.DATE, "2019-06-20", "2019-06-26", (), Mistake.SUBSTITUTED),
        (Kind.ENUM, "本科", "专科", (), Mistake.OTHER_VALUE),
        (Kind.PERSON, "王小明", "王明", (), Mistake.WRONG_LENGTH),
    ],
)
def test_kinds_of_mistakes(
    kind: Kind, truth: str, value: str, others: tuple[str, ...], mistake: Mistake
) -> None:
    assert classify(kind, truth, value, others) is mistake


def test_confused_and_marked_characters() -> None:
    assert confusions("10613000", "1O61300") == [("0", "O"), ("0", "")]
    assert confusions("张三", "北京大学") == []
    assert marks("20190620", "2019O62O") == (((4, 5), (7, 8)), ((4, 5), (7, 8)))
    assert marks("abc", "") == (((0, 3),), ())
    assert marks("abcd", "abd") == (((2, 3),), ())


@given(st.text("0123456789OIl", max_size=20), st.text("0123456789OIl", max_size=20))
@settings(deadline=None)
def test_what_is_not_marked_is_the_same_on_both_sides(truth: str, value: str) -> None:
    in_truth, in_value = marks(truth, value)

    def kept(text: str, spans: tuple[tuple[int, int], ...]) -> str:
        marked = {i for start, end in spans for i in range(start, end)}
        return "".join(char for i, char in enumerate(text) if i not in marked)

    assert kept(truth, in_truth) == kept(value, in_value)

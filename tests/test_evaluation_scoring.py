"""Scores worked out by hand over the small evaluation of `evaluationkit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Outcome, Scoring, score
from ocr_moe.evaluation.summary import SummaryOptions, summarize
from ocr_moe.evaluation.truth.matching import documents_of, match
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.sheet import Truth, load_truth
from ocr_moe.schema import Field, Schema
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Cost, Record
from tests.evaluationkit import RUNS, SCHEMA, decision, record, truth_file


def scored(runs: Mapping[str, Sequence[Record]], truths: Sequence[Truth]) -> Scoring:
    documents = documents_of(runs)
    return score(runs, [match(truth, documents) for truth in truths])


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> Scoring:
    path = truth_file(tmp_path_factory.mktemp("truth"))
    return scored(RUNS, [load_truth(path, SCHEMA)])


@pytest.fixture(scope="module")
def scores(scoring: Scoring) -> Scores:
    return summarize(scoring, RUNS, skipped={"vision_all": "set OCR_MOE_VISION_BASE_URL"})


R, W, M, V, F, N = (
    Outcome.RIGHT,
    Outcome.WRONG,
    Outcome.MISSING,
    Outcome.INVENTED,
    Outcome.FAILED,
    Outcome.NOT_SCORED,
)


def test_every_verified_cell_has_one_outcome(scoring: Scoring) -> None:
    assert scoring.documents == tuple(DocumentKey(f"{n}.jpg") for n in (1, 2, 3, 4))
    # Columns: name, date, number. The empty truth cell of 3.jpg is left out.
    assert scoring.grids["moe"].outcomes.tolist() == [[R, R, W], [R, V, R], [R, N, R], [F, F, F]]
    assert scoring.grids["ocr_page_llm"].outcomes.tolist() == [
        [M, R, R],
        [R, R, W],
        [F, N, F],
        [R, R, W],
    ]


def test_rows_and_documents_that_have_no_partner_are_listed(scores: Scores) -> None:
    assert scores.rows_without_document == ("9.jpg",)
    assert scores.documents_without_truth == ("5.jpg",)
    assert (scores.n_documents, scores.n_cells, scores.unverified_cells) == (4, 11, 1)


def test_figures_of_a_strategy(scores: Scores) -> None:
    moe = scores.strategies["moe"]

    assert (moe.cells.n, moe.cells.right, moe.cells.wrong, moe.cells.invented) == (11, 6, 1, 1)
    assert (moe.cells.missing, moe.cells.failed) == (0, 3)
    assert moe.fields["姓名"].accuracy == pytest.approx(3 / 4)
    assert moe.fields["毕业日期"].accuracy == pytest.approx(1 / 3)
    assert moe.fields["证书编号"].accuracy == pytest.approx(2 / 4)
    assert moe.macro == pytest.approx((3 / 4 + 1 / 3 + 2 / 4) / 3)
    # Without an error: only 3.jpg, whose unverified date does not count.
    assert moe.n_documents == 4
    assert moe.perfect == pytest.approx(1 / 4)
    assert moe.fields["姓名"].interval == pytest.approx((0.3006, 0.9544), abs=1e-4)


def test_coverage_and_selective_accuracy_look_at_what_the_strategy_stands_by(
    scores: Scores,
) -> None:
    cells = scores.strategies["moe"].cells
    # 11 cells: 3 failed and 1 abstained; of the 7 others one is wrong.
    assert cells.coverage == pytest.approx(7 / 11)
    assert cells.selective_accuracy == pytest.approx(6 / 7)


def test_precision_recall_and_f1_of_values(scores: Scores) -> None:
    date = scores.strategies["moe"].fields["毕业日期"]
    # Two values read, one of them right; two values in truth.
    assert (date.precision, date.recall, date.f1) == (0.5, 0.5, 0.5)
    other = scores.strategies["ocr_page_llm"].fields["毕业日期"]
    assert (other.accuracy, other.precision, other.recall) == (1.0, 1.0, 1.0)


def test_characters_mistakes_and_confusions(scores: Scores) -> None:
    moe, llm = scores.strategies["moe"], scores.strategies["ocr_page_llm"]
    # 72 digits in truth: one substituted, eighteen of the unreadable document gone.
    assert moe.fields["证书编号"].character_accuracy == pytest.approx(1 - 19 / 72)
    assert moe.cells.mistakes == {"substituted": 1, "invented": 1, "unreadable": 3}
    assert [(c.verified, c.read, c.count) for c in moe.confusions] == [("3", "8", 1)]
    assert llm.cells.mistakes == {
        "zero_run": 1,
        "wrong_field": 1,
        "missing": 1,
        "unreadable": 2,
    }


def test_confidence_is_judged_where_there_is_one(scores: Scores) -> None:
    found = scores.strategies["moe"].cells.confidence
    assert (found.n, found.errors, found.auroc, found.signal) == (8, 2, 1.0, "too_few_errors")
    flat = scores.strategies["ocr_page_llm"].cells.confidence
    assert (flat.n, flat.auroc) == (8, 0.5)


def test_pairs_are_compared_on_the_same_cells(scores: Scores) -> None:
    [pair] = scores.pairs

    assert (pair.a, pair.b, pair.n_documents) == ("moe", "ocr_page_llm", 4)
    moe, llm = scores.strategies["moe"].macro, scores.strategies["ocr_page_llm"].macro
    assert moe is not None
    assert llm is not None
    assert pair.macro_difference == pytest.approx(moe - llm)
    number = pair.fields["证书编号"]
    assert (number.n, number.only_a, number.only_b, number.p) == (4, 2, 1, 1.0)
    assert (pair.perfect.only_a, pair.perfect.only_b) == (1, 0)


def test_costs_and_savings(scores: Scores) -> None:
    assert (scores.cost_measure, scores.cost_reference) == ("tokens", "ocr_page_llm")
    llm = scores.strategies["ocr_page_llm"].cost
    assert (llm.total.calls, llm.tokens, llm.per_document.prompt_tokens) == (5, 4500, 800)
    assert (llm.saving, scores.strategies["moe"].cost.saving) == (0.0, 1.0)


def test_the_best_strategy_and_the_few_documents_are_told(scores: Scores) -> None:
    # ocr_page_llm: 2/4, 3/3, 1/4 → 0.583; moe: 0.75, 0.333, 0.5 → 0.528.
    assert scores.best == "ocr_page_llm"
    assert scores.skipped == {"vision_all": "set OCR_MOE_VISION_BASE_URL"}
    assert any(problem.kind == "few_documents" for problem in scores.problems)


def test_figures_are_repeatable_and_serialise_without_nan(scoring: Scoring) -> None:
    options = SummaryOptions(repeats=200, seed=3)
    first = summarize(scoring, RUNS, options=options).model_dump_json()
    assert first == summarize(scoring, RUNS, options=options).model_dump_json()
    assert "NaN" not in first


def test_review_goes_from_the_least_confident(scores: Scores) -> None:
    review = scores.strategies["moe"].review
    # Three failed cells, then 0.3 and 0.4: all errors are found in the first five.
    assert (review.checked, review.cells, review.accuracy) == (5, 11, 1.0)


def test_a_document_taken_for_another_kind_is_missing_not_dropped(tmp_path: Path) -> None:
    runs = {"moe": [record("1.jpg", {}, schema_name="licence")]}

    scoring = scored(runs, [load_truth(truth_file(tmp_path), SCHEMA)])

    assert scoring.grids["moe"].outcomes.tolist() == [[M, M, M]]
    assert ProblemKind.OTHER_SCHEMA in {problem.kind for problem in scoring.problems}


def test_strategies_with_other_documents_are_compared_where_both_were(tmp_path: Path) -> None:
    runs = {"a": RUNS["moe"][:2], "b": RUNS["moe"][1:3]}

    scoring = scored(runs, [load_truth(truth_file(tmp_path), SCHEMA)])
    scores = summarize(scoring, runs, options=SummaryOptions(repeats=50))

    assert [scores.strategies[name].n_documents for name in "ab"] == [2, 2]
    assert scores.pairs[0].n_documents == 1
    assert scores.pairs[0].macro_difference == 0.0
    told = [p for p in scoring.problems if p.kind is ProblemKind.MISSING_RECORD]
    assert [p.message.split()[0] for p in told] == ["a", "b"]


def test_strategies_without_a_common_document(tmp_path: Path) -> None:
    runs = {"a": RUNS["moe"][:1], "b": RUNS["moe"][1:2]}

    scoring = scored(runs, [load_truth(truth_file(tmp_path), SCHEMA)])
    [pair] = summarize(scoring, runs, options=SummaryOptions(repeats=50)).pairs

    assert (pair.n_documents, pair.macro_difference, pair.perfect.p) == (0, None, 1.0)


def test_nothing_in_common_names_a_few_of_both(tmp_path: Path) -> None:
    runs = {"moe": [record("other.jpg", {})]}
    with pytest.raises(TruthError, match=r"'1\.jpg'.*'other\.jpg'"):
        scored(runs, [load_truth(truth_file(tmp_path), SCHEMA)])


def test_rows_without_a_verified_cell(tmp_path: Path) -> None:
    rows = [("1.jpg", None, None, None), ("2.jpg", "李四", None, None)]
    truth = load_truth(truth_file(tmp_path, rows), SCHEMA)

    assert scored(RUNS, [truth]).documents == (DocumentKey("2.jpg"),)
    empty = load_truth(truth_file(tmp_path, rows[:1]), SCHEMA)
    with pytest.raises(TruthError, match="empty or damaged"):
        scored(RUNS, [empty])


def test_two_schemas_that_share_a_field_keep_their_figures_apart(tmp_path: Path) -> None:
    licence = Schema(name="licence", fields=(Field(name="姓名"), Field(name="住所")))
    (tmp_path / "l").mkdir()
    rows = [("l.jpg", "赵", "路")]
    sheets = [
        load_truth(truth_file(tmp_path), SCHEMA),
        load_truth(truth_file(tmp_path / "l", rows, ("文件名", "姓名", "住所")), licence),
    ]
    other = record("l.jpg", {"姓名": decision("赵"), "住所": decision("街")}, schema_name="licence")

    scoring = scored({"moe": [*RUNS["moe"], other]}, sheets)

    assert [column.key for column in scoring.fields] == [
        "diploma/姓名",
        "毕业日期",
        "证书编号",
        "licence/姓名",
        "住所",
    ]
    assert scoring.grids["moe"].outcomes[-1].tolist() == [N, N, N, R, W]


def test_dearer_by_money_where_there_are_prices(tmp_path: Path) -> None:
    def priced(strategy: str, money: float) -> list[Record]:
        cost = Cost(money=money, prompt_tokens=10)
        return [record("1.jpg", {"姓名": decision("张三")}, strategy=strategy, cost=cost)]

    runs = {"cheap": priced("cheap", 0.01), "dear": priced("dear", 0.04)}
    scoring = scored(runs, [load_truth(truth_file(tmp_path), SCHEMA)])
    scores = summarize(scoring, runs, options=SummaryOptions(repeats=10))

    assert (scores.cost_measure, scores.cost_reference, scores.best) == ("money", "dear", "cheap")
    assert scores.strategies["cheap"].cost.saving == pytest.approx(0.75)


def test_a_sure_signal_and_no_signal_are_told_apart() -> None:
    from ocr_moe.evaluation.summary import confidence_score

    generator = np.random.default_rng(0)
    right = generator.random(400) < 0.8
    sure = confidence_score(np.where(right, 0.9, 0.2) + generator.random(400) / 20, right, 0.95)
    none = confidence_score(generator.random(400), right, 0.95)

    assert (sure.signal, none.signal) == ("strong", "none")

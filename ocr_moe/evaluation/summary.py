"""From scored cells to figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ocr_moe.evaluation import metrics
from ocr_moe.evaluation.costs import Unit, amount, unit_for
from ocr_moe.evaluation.metrics import BoolArray, FloatArray
from ocr_moe.evaluation.mistakes import Mistake, classify, confusions, edit_distance
from ocr_moe.evaluation.scores import (
    CellScore,
    ConfidenceScore,
    Confusion,
    CostRate,
    LeftOut,
    Matched,
    McNemar,
    PairScore,
    Review,
    Scores,
    SheetProblem,
    StrategyCost,
    StrategyScore,
    TableScore,
    TextScore,
)
from ocr_moe.evaluation.scoring import Outcome, Scoring, StrategyGrid, TextCell
from ocr_moe.evaluation.truth.matched import MatchedBy
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind
from ocr_moe.subjects import key_of
from ocr_moe.types import LIVE, Cost, Origin, Record, Value

_MIN_ERRORS = 5
_STRONG_AUROC = 0.8
_FEW_DOCUMENTS = 30


class SummaryOptions(Value):
    """What the figures are made for."""

    target: float = 0.99
    """Accuracy that the sheet is to have after review."""
    level: float = 0.95
    """Of every interval."""
    repeats: int = 2000
    """Bootstrap resamples."""
    seed: int = 0
    confusions: int = 30
    """How many of the most confused characters to keep."""


def summarize(
    scoring: Scoring,
    runs: Mapping[str, Sequence[Record]],
    *,
    options: SummaryOptions | None = None,
    skipped: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
    origins: Mapping[str, Origin] | None = None,
    field_costs: Mapping[str, Mapping[str, Cost]] | None = None,
    pages_blank: int = 0,
    tables: Mapping[str, Mapping[str, TableScore]] | None = None,
    notes: Sequence[Problem] = (),
) -> Scores:
    """All figures of scores.json; `tables` are those of each strategy's tables, `notes` what was wrong
    with the sheets of their rows."""
    options = options or SummaryOptions()
    names = list(scoring.grids)
    costs = {name: sum((record.cost for record in runs[name]), Cost()) for name in names}
    documents = {name: len(runs[name]) for name in names}
    measure = unit_for(costs.values())
    reference = max(names, key=lambda name: _per_document(costs, documents, name, measure))
    samples = _bootstrap(scoring, names, options)
    strategies = {}
    for index, name in enumerate(names):
        strategies[name] = _strategy(
            scoring,
            name,
            samples[:, index],
            options,
            title=(titles or {}).get(name, name),
            origin=(origins or {}).get(name, LIVE),
            cost=_strategy_cost(costs, documents, name, measure, reference),
            field_costs=dict((field_costs or {}).get(name, {})),
            tables=dict((tables or {}).get(name, {})),
        )
    best = min(
        names,
        key=lambda name: (
            -(strategies[name].macro or 0.0),
            strategies[name].review.checked,
            _per_document(costs, documents, name, measure),
        ),
    )
    notebook = Notebook()
    if len(scoring.documents) < _FEW_DOCUMENTS:
        notebook.add(
            ProblemKind.FEW_DOCUMENTS,
            f"only {len(scoring.documents)} verified documents: differences of a few points "
            "between strategies may be chance",
        )
    return Scores(
        strategies=strategies,
        pairs=_pairs(scoring, names, samples, options),
        skipped=dict(skipped or {}),
        best=best,
        fields=tuple(column.key for column in scoring.fields),
        n_documents=len(scoring.documents),
        n_cells=int(sum(cell is not None for cell in scoring.truth.flat)),
        cost_measure=measure,
        cost_reference=reference,
        target=options.target,
        rows_without_document=scoring.rows_without_document,
        documents_without_truth=scoring.documents_without_truth,
        unverified_cells=scoring.blank,
        unscorable_cells=scoring.unscorable,
        left_out=_left_out(scoring, runs, pages_blank),
        matched=Matched(
            documents=scoring.n_documents,
            rows=scoring.n_rows,
            by_file_name=scoring.matched[MatchedBy.FILE_NAME],
            by_subject=scoring.matched[MatchedBy.SUBJECT],
            by_name_read=scoring.matched[MatchedBy.NAME_READ],
            by_code_read=scoring.matched[MatchedBy.CODE_READ],
        ),
        problems=tuple(
            SheetProblem(
                kind=problem.kind.value,
                sentence=problem.sentence,
                message=problem.message,
                source=problem.source,
                field=problem.field,
                rows=problem.rows,
            )
            for problem in (*scoring.problems, *notes, *notebook.problems())
        ),
        texts={name: _text_scores(cells) for name, cells in scoring.texts.items()},
    )


def _text_scores(cells: Sequence[TextCell]) -> dict[str, TextScore]:
    by_field: dict[str, list[TextCell]] = {}
    for cell in cells:
        by_field.setdefault(cell.field.key, []).append(cell)
    found = {}
    for key, own in by_field.items():
        overlaps = [cell.overlap for cell in own]
        found[key] = TextScore(
            measure=own[0].field.field.score.value,
            n=len(own),
            f1=fmean(each.f1 for each in overlaps),
            precision=fmean(each.precision for each in overlaps),
            recall=fmean(each.recall for each in overlaps),
            missing=sum(cell.value is None and not cell.failed for cell in own),
            failed=sum(cell.failed for cell in own),
        )
    return found


def _left_out(scoring: Scoring, runs: Mapping[str, Sequence[Record]], pages_blank: int) -> LeftOut:
    missing = (
        problem.field
        for problem in scoring.problems
        if problem.kind is ProblemKind.FIELD_WITHOUT_COLUMN and problem.field is not None
    )
    failed = {
        key_of(record.document)
        for records in runs.values()
        for record in records
        if record.error is not None
    }
    return LeftOut(
        documents_without_truth=len(scoring.documents_without_truth),
        rows_without_document=len(scoring.rows_without_document),
        damaged_cells=scoring.unscorable,
        columns_missing=tuple(dict.fromkeys(missing)),
        documents_failed=len(failed),
        pages_blank=pages_blank,
        rows_unclear=len(scoring.rows_unclear),
        rows_unchecked=scoring.rows_unchecked,
    )


def _per_document(
    costs: Mapping[str, Cost], documents: Mapping[str, int], name: str, measure: Unit
) -> float:
    return amount(costs[name], measure) / max(documents[name], 1)


def _strategy_cost(
    costs: Mapping[str, Cost],
    documents: Mapping[str, int],
    name: str,
    measure: Unit,
    reference: str,
) -> StrategyCost:
    total, n = costs[name], max(documents[name], 1)
    most = _per_document(costs, documents, reference, measure)
    return StrategyCost(
        documents=documents[name],
        total=total,
        per_document=CostRate(
            calls=total.calls / n,
            prompt_tokens=total.prompt_tokens / n,
            completion_tokens=total.completion_tokens / n,
            seconds=total.seconds / n,
            money=total.money / n,
        ),
        tokens=total.prompt_tokens + total.completion_tokens,
        saving=1 - _per_document(costs, documents, name, measure) / most if most > 0 else None,
    )


def _bootstrap(scoring: Scoring, names: Sequence[str], options: SummaryOptions) -> FloatArray:
    right = np.stack([scoring.grids[name].right for name in names]).astype(np.float64)
    asked = np.stack([scoring.grids[name].scored for name in names]).astype(np.float64)
    return metrics.bootstrap_macro(right, asked, repeats=options.repeats, seed=options.seed)


def _strategy(
    scoring: Scoring,
    name: str,
    macro_samples: FloatArray,
    options: SummaryOptions,
    *,
    title: str,
    origin: Origin,
    cost: StrategyCost,
    field_costs: dict[str, Cost],
    tables: dict[str, TableScore],
) -> StrategyScore:
    grid = scoring.grids[name]
    details = _Details(scoring, name)
    has_cells = grid.scored.any(axis=1)
    perfect = int((_perfect(grid) & has_cells).sum())
    documents = int(has_cells.sum())
    every = np.ones(len(scoring.fields), dtype=np.bool_)
    fields = {}
    for index, column in enumerate(scoring.fields):
        only = np.zeros_like(every)
        only[index] = True
        fields[column.key] = _cell_score(scoring, grid, details, only, options)
    plan = metrics.review_plan(
        grid.confidence[grid.scored], grid.right[grid.scored], options.target
    )
    return StrategyScore(
        title=title,
        origin=origin,
        n_documents=documents,
        perfect=_ratio(perfect, documents),
        perfect_interval=metrics.wilson(perfect, documents, options.level),
        macro=metrics.macro(grid.right.astype(np.float64), grid.scored.astype(np.float64))
        if documents
        else None,
        macro_interval=metrics.percentile_interval(macro_samples, options.level),
        cells=_cell_score(scoring, grid, details, every, options),
        fields=fields,
        tables=tables,
        review=Review(
            target=options.target,
            cells=plan.cells,
            checked=plan.checked,
            accuracy=plan.accuracy,
            threshold=plan.threshold,
        ),
        cost=cost,
        field_costs=field_costs,
        confusions=tuple(
            Confusion(verified=verified, read=read, count=count)
            for (verified, read), count in details.confused(options.confusions)
        ),
    )


class _Details:
    """What needs the characters: mistakes, edit distances and confusions of the cells not right."""

    def __init__(self, scoring: Scoring, strategy: str) -> None:
        shape = scoring.truth.shape
        self.distance: NDArray[np.int64] = np.zeros(shape, dtype=np.int64)
        self.mistakes: list[list[Mistake | None]] = [[None] * shape[1] for _ in range(shape[0])]
        self._confused: Counter[tuple[str, str]] = Counter()
        grid = scoring.grids[strategy]
        for row, column in np.argwhere(grid.scored & ~grid.right):
            cell = scoring.truth[row, column]
            truth, value = cell.value or "", grid.values[row, column] or ""
            self.distance[row, column] = edit_distance(truth, value) if truth else 0
            self.mistakes[row][column] = mistake_at(scoring, strategy, row, column)
            if grid.outcomes[row, column] == Outcome.WRONG:
                self._confused.update(confusions(truth, value))

    def confused(self, most: int) -> list[tuple[tuple[str, str], int]]:
        """Pairs of (verified, read) characters, the most frequent first."""
        ranked = sorted(self._confused.items(), key=lambda item: (-item[1], item[0]))
        return ranked[:most]


def mistake_at(scoring: Scoring, strategy: str, row: int, column: int) -> Mistake:
    """What kind of mistake a cell that is not right is."""
    grid = scoring.grids[strategy]
    match Outcome(int(grid.outcomes[row, column])):
        case Outcome.FAILED:
            return Mistake.UNREADABLE
        case Outcome.MISSING:
            return Mistake.MISSING
        case Outcome.INVENTED:
            return Mistake.INVENTED
    others = {
        cell.value
        for index, cell in enumerate(scoring.truth[row])
        if index != column and cell is not None and cell.value is not None
    }
    kind = scoring.fields[column].field.kind
    return classify(kind, scoring.truth[row, column].value, grid.values[row, column], others)


def _cell_score(
    scoring: Scoring,
    grid: StrategyGrid,
    details: _Details,
    columns: BoolArray,
    options: SummaryOptions,
) -> CellScore:
    mask = grid.scored & columns
    outcomes = grid.outcomes[mask]
    right = outcomes == Outcome.RIGHT
    n, hits = len(outcomes), int(right.sum())
    settled = grid.settled[mask]
    truths = [cell.value for cell in scoring.truth[mask]]
    has_truth = np.array([value is not None for value in truths], dtype=np.bool_)
    has_value = np.array([value is not None for value in grid.values[mask]], dtype=np.bool_)
    right_values = int((right & has_truth).sum())
    precision = _ratio(right_values, int(has_value.sum()))
    recall = _ratio(right_values, int(has_truth.sum()))
    characters = sum(len(value) for value in truths if value is not None)
    distance = int(details.distance[mask].sum())
    mistakes = Counter(
        mistake.value
        for row, column in np.argwhere(mask & ~grid.right)
        if (mistake := details.mistakes[row][column]) is not None
    )
    return CellScore(
        n=n,
        right=hits,
        wrong=int((outcomes == Outcome.WRONG).sum()),
        missing=int((outcomes == Outcome.MISSING).sum()),
        invented=int((outcomes == Outcome.INVENTED).sum()),
        failed=int((outcomes == Outcome.FAILED).sum()),
        accuracy=_ratio(hits, n),
        interval=metrics.wilson(hits, n, options.level),
        coverage=_ratio(int(settled.sum()), n),
        selective_accuracy=_ratio(int((right & settled).sum()), int(settled.sum())),
        to_check=int((~settled).sum()),
        silent_errors=int((settled & ~right).sum()),
        precision=precision,
        recall=recall,
        f1=_f1(precision, recall),
        character_accuracy=max(0.0, 1 - distance / characters) if characters else None,
        mistakes={kind.value: mistakes[kind.value] for kind in Mistake if mistakes[kind.value]},
        confidence=confidence_score(grid.confidence[mask], right, options.level),
    )


def confidence_score(confidence: FloatArray, right: BoolArray, level: float) -> ConfidenceScore:
    """What confidences (NaN where there is none) tell about cells being right."""
    known = ~np.isnan(confidence)
    confidence, right = confidence[known], right[known]
    n, errors = len(right), int((~right).sum())
    value = metrics.auroc(confidence, right)
    enough = min(errors, n - errors) >= _MIN_ERRORS
    interval = (
        metrics.auroc_interval(value, n - errors, errors, level)
        if value is not None and enough
        else None
    )
    return ConfidenceScore(
        n=n,
        errors=errors,
        auroc=value,
        auroc_interval=interval,
        ece=metrics.expected_calibration_error(confidence, right),
        brier=metrics.brier(confidence, right),
        signal=_signal(n, value, interval),
    )


def _signal(n: int, value: float | None, interval: tuple[float, float] | None) -> str:
    if n == 0:
        return "no_confidence"
    if value is None or interval is None:
        return "too_few_errors"
    if interval[0] <= 0.5:
        return "none"
    return "strong" if value >= _STRONG_AUROC else "some"


def _pairs(
    scoring: Scoring, names: Sequence[str], samples: FloatArray, options: SummaryOptions
) -> tuple[PairScore, ...]:
    tests: list[dict[str, tuple[int, int, int, float]]] = []
    couples = list(combinations(range(len(names)), 2))
    for a, b in couples:
        first, second = scoring.grids[names[a]], scoring.grids[names[b]]
        both = first.scored & second.scored
        units = {
            column.key: _units(first.right[:, i], second.right[:, i], both[:, i])
            for i, column in enumerate(scoring.fields)
        }
        units[""] = _units(_perfect(first), _perfect(second), np.asarray(both.any(axis=1)))
        tests.append(units)
    families = ["", *(column.key for column in scoring.fields)]
    adjusted = {key: metrics.holm([units[key][3] for units in tests]) for key in families}
    pairs = []
    for index, (a, b) in enumerate(couples):
        outcome = {
            key: McNemar(n=n, only_a=only_a, only_b=only_b, p=p, p_holm=adjusted[key][index])
            for key, (n, only_a, only_b, p) in tests[index].items()
        }
        pairs.append(_pair(scoring, names, (a, b), outcome, samples, options))
    return tuple(pairs)


def _pair(
    scoring: Scoring,
    names: Sequence[str],
    couple: tuple[int, int],
    outcome: dict[str, McNemar],
    samples: FloatArray,
    options: SummaryOptions,
) -> PairScore:
    a, b = couple
    first, second = scoring.grids[names[a]], scoring.grids[names[b]]
    both = (first.scored & second.scored).astype(np.float64)
    documents = int(both.any(axis=1).sum())
    if np.array_equal(first.scored, second.scored):
        differences = samples[:, a] - samples[:, b]
    else:
        right = np.stack([first.right, second.right]) * both
        again = metrics.bootstrap_macro(
            right, np.stack([both, both]), repeats=options.repeats, seed=options.seed
        )
        differences = again[:, 0] - again[:, 1]
    return PairScore(
        a=names[a],
        b=names[b],
        n_documents=documents,
        macro_difference=metrics.macro(first.right * both, both)
        - metrics.macro(second.right * both, both)
        if documents
        else None,
        macro_interval=metrics.percentile_interval(differences, options.level),
        perfect=outcome[""],
        fields={key: test for key, test in outcome.items() if key},
    )


def _units(first: BoolArray, second: BoolArray, both: BoolArray) -> tuple[int, int, int, float]:
    only_a = int((first & ~second & both).sum())
    only_b = int((~first & second & both).sum())
    return int(both.sum()), only_a, only_b, metrics.mcnemar_exact(only_a, only_b)


def _perfect(grid: StrategyGrid) -> BoolArray:
    return np.asarray((grid.right | ~grid.scored).all(axis=1))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _f1(precision: float | None, recall: float | None) -> float | None:
    if precision is None or recall is None:
        return None
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

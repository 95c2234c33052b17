"""What the report shows, ready formatted: the template only lays it out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ocr_moe.evaluation.advice import Advice, PolicyPoint
from ocr_moe.evaluation.costs import Unit, amount
from ocr_moe.evaluation.mistakes import Mistake
from ocr_moe.evaluation.report.charts import Words, interval_bar
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.figures import cost_charts, drawn_points, review_chart, risk_chart
from ocr_moe.evaluation.report.measures import (
    ALL_CELLS,
    CELLS,
    COSTS,
    OVERALL,
    REVIEW,
    Share,
    left_out,
    on_page,
    share_of,
    skipped_together,
)
from ocr_moe.evaluation.report.numbers import (
    amount_text,
    money,
    p_value,
    percent,
    points,
    round_percent,
)
from ocr_moe.evaluation.report.sentences import (
    advice_sentences,
    policy_title,
    problem_sentence,
    why_skipped,
)
from ocr_moe.evaluation.report.worst import WorstDocument, WorstDocuments, WorstOptions
from ocr_moe.evaluation.scores import (
    CellScore,
    Confusion,
    PairScore,
    Scores,
    StrategyScore,
    TableScore,
    TextScore,
)
from ocr_moe.evaluation.scoring import Scoring
from ocr_moe.formats.phrases import Phrase
from ocr_moe.types import Origin, Record

_LISTED = 40
_CONFUSED = 14


class ViewOptions(WorstOptions):
    """What the report shows."""

    heading: str = ""
    """A line above the verdict: the run, the data set."""
    footer: str = ""
    """Versions, date: whatever should stand at the end."""


@dataclass(frozen=True)
class PageView:
    """The template's names; every text is escaped by the template, Markup is made by us."""

    heading: str
    footer: str
    left_out: tuple[Phrase, ...]
    """What the figures are not about, a sentence each."""
    many: bool
    tie: bool
    """The next strategy is exactly as accurate."""
    cells: str
    documents: str
    target: str
    measure: Unit
    best: StrategyView
    strategies: tuple[StrategyView, ...]
    versus: Versus | None
    advice: Advice | None
    advice_name: Phrase | None
    advice_words: tuple[Phrase, ...]
    bar_start: str
    field_rows: tuple[FieldRow, ...]
    tables: tuple[TableRow, ...]
    texts: tuple[TextRow, ...]
    cost_charts: tuple[Markup, ...]
    has_bounds: bool
    review_chart: Markup
    review_headings: tuple[str, ...]
    risk_chart: Markup | None
    mistake_kinds: tuple[str, ...]
    mistakes: tuple[MistakeRow, ...]
    field_mistakes: tuple[MistakeRow, ...]
    confusions: tuple[ConfusionGroup, ...]
    pairs: tuple[PairRow, ...]
    worst: tuple[WorstDocument, ...]
    more_documents: int
    has_images: bool
    confidence_headings: tuple[str, ...]
    """Keys of words.yaml, as all headings."""
    confidence: tuple[ConfidenceRow, ...]
    saving_reference: str
    cost_headings: tuple[str, ...]
    field_costs: tuple[FieldCostRow, ...]
    origins: tuple[tuple[str, Origin], ...]
    skipped: tuple[tuple[str, Phrase], ...]
    problems: tuple[Phrase, ...]
    unverified: int
    unscorable: int
    lists: tuple[NameList, ...]


@dataclass(frozen=True)
class StrategyView:
    name: str
    title: str
    origin: Origin
    is_best: bool
    cells_right: str
    cells_low: str
    cells_high: str
    macro: str
    perfect: str
    checked: str
    review_cells: str
    accepted: str
    silent: int
    review_words: str
    review: tuple[str, ...]
    """Under the `review_headings`."""
    cost_tile: str
    documents: str
    costs: tuple[str, ...]
    """Under the `cost_headings`."""
    seconds_each: str
    saving: str


@dataclass(frozen=True)
class TextCell:
    """What the texts that a strategy made for a field have in common with the truth."""

    measure: str
    """Key of words.yaml."""
    figure: str
    n: str
    precision: str
    recall: str
    missing: int


@dataclass(frozen=True)
class TextRow:
    """A field whose values are made, strategy by strategy."""

    name: str
    cells: tuple[TextCell | None, ...]


@dataclass(frozen=True)
class TableRow:
    """Accuracy of all strategies in one table."""

    name: str
    cells: tuple[TableCell | None, ...]
    """One a strategy; None where it has no figures."""


@dataclass(frozen=True)
class TableCell:
    figure: str
    count: str
    range: str
    rows: int
    rows_right: int
    missing: int
    extra: int
    silent: int


@dataclass(frozen=True)
class FieldRow:
    """Accuracy of all strategies in one field, or over all fields."""

    name: str
    words: str
    """The key of its heading where it is no field's."""
    cells: tuple[FieldCell, ...]


@dataclass(frozen=True)
class FieldCell:
    figure: str
    """Empty where nothing was scored."""
    count: str = ""
    bar: Markup | None = None
    range: str = ""
    best: bool = False


@dataclass(frozen=True)
class MistakeRow:
    name: str
    total: str
    parts: tuple[MistakePart, ...]


@dataclass(frozen=True)
class MistakePart:
    kind: str
    count: int
    width: float
    """Percent of the longest row."""


@dataclass(frozen=True)
class ConfusionGroup:
    """The most confused characters of one strategy."""

    title: str
    characters: tuple[Confusion, ...]


@dataclass(frozen=True)
class PairRow:
    """One strategy against every other; None against itself."""

    title: str
    cells: tuple[PairCell | None, ...]


@dataclass(frozen=True)
class PairCell:
    look: str
    difference: str
    range: str
    p: str


@dataclass(frozen=True)
class ConfidenceRow:
    name: str
    words: str
    """The key of its heading where it is no field's."""
    figures: tuple[str, ...]
    """Under the `confidence_headings`."""
    auroc_range: str
    signal: str
    look: str


@dataclass(frozen=True)
class FieldCostRow:
    name: str
    figures: tuple[str, ...]


@dataclass(frozen=True)
class NameList:
    """The first of many names."""

    words: str
    count: int
    shown: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class Versus:
    """The best strategy against the next."""

    words: str
    points: str
    other: str
    low: str
    high: str


def build_view(
    scoring: Scoring,
    scores: Scores,
    runs: Mapping[str, Sequence[Record]],
    *,
    options: ViewOptions,
    points: Sequence[PolicyPoint],
    advice: Advice | None,
    image_source: ImageSource | None,
    words: Words,
) -> PageView:
    """Bring all figures of an evaluation into the shape of the page."""
    order = sorted(
        scores.strategies, key=lambda name: (-(scores.strategies[name].macro or 0), name)
    )
    order.remove(scores.best)
    order.insert(0, scores.best)
    strategies = tuple(_strategy(name, scores) for name in order)
    best = strategies[0]
    start = _bar_start(scores)
    documents = WorstDocuments(scoring, scores, runs, options, image_source)
    worst = documents.views()
    lists = [
        _list("rows_without", scores.rows_without_document),
        _list("documents_without", scores.documents_without_truth),
    ]
    return PageView(
        heading=options.heading,
        footer=options.footer,
        left_out=left_out(scores),
        many=len(order) > 1,
        tie=len(order) > 1
        and scores.strategies[order[1]].macro == scores.strategies[order[0]].macro,
        cells=f"{scores.n_cells:,}",
        documents=f"{scores.n_documents:,}",
        target=round_percent(scores.target),
        measure=scores.cost_measure,
        best=best,
        strategies=strategies,
        versus=_versus(scores, order),
        advice=advice,
        advice_name=policy_title(advice.name) if advice is not None else None,
        advice_words=advice_sentences(advice) if advice is not None else (),
        bar_start=percent(start, 0),
        field_rows=_field_rows(scores, order, start),
        tables=_tables(scores, order),
        texts=_texts(scores, order),
        cost_charts=cost_charts(scores, order, points, words),
        has_bounds=any(
            point.role in ("oracle", "random_mix") for point in drawn_points(scores, points)
        ),
        review_chart=review_chart(scoring, scores, order, words),
        review_headings=tuple(measure.words for measure in on_page(REVIEW)),
        risk_chart=risk_chart(scoring, scores, order, words),
        mistake_kinds=_mistake_kinds(scores),
        mistakes=_mistake_rows(
            [(scores.strategies[name].title, scores.strategies[name].cells) for name in order]
        ),
        field_mistakes=_mistake_rows(
            [
                (field, cells)
                for field, cells in scores.strategies[scores.best].fields.items()
                if cells.mistakes
            ]
        ),
        confusions=_confusions(scores, order),
        pairs=_pairs(scores, order),
        worst=worst,
        more_documents=documents.hidden,
        has_images=image_source is not None,
        confidence_headings=tuple(measure.words for measure in on_page(CELLS)),
        confidence=_confidence(scores.strategies[scores.best]),
        saving_reference=_saving_reference(scores),
        cost_headings=tuple(measure.words for measure in on_page(COSTS)),
        field_costs=_field_costs(scores, order),
        origins=tuple(
            (scores.strategies[name].title, scores.strategies[name].origin)
            for name in order
            if scores.strategies[name].origin
        ),
        skipped=tuple((names, why_skipped(why)) for names, why in skipped_together(scores)),
        problems=tuple(map(problem_sentence, scores.problems)),
        unverified=scores.unverified_cells,
        unscorable=scores.unscorable_cells,
        lists=tuple(item for item in lists if item.count),
    )


def _strategy(name: str, scores: Scores) -> StrategyView:
    score = scores.strategies[name]
    cells, review, cost = score.cells, score.review, score.cost
    if review.checked == 0:
        words = "review_none"
    elif review.checked > 0.5 * review.cells:
        words = "review_all"
    else:
        words = "review_some"
    return StrategyView(
        name=name,
        title=score.title,
        origin=score.origin,
        is_best=name == scores.best,
        cells_right=percent(cells.accuracy, 1),
        cells_low=f"{100 * cells.interval[0]:.1f}",
        cells_high=percent(cells.interval[1], 1),
        macro=percent(score.macro, 1),
        perfect=percent(score.perfect, 1),
        checked=f"{review.checked:,}",
        review_cells=f"{review.cells:,}",
        accepted=f"{cells.n - cells.to_check:,}",
        silent=cells.silent_errors,
        review_words=words,
        review=tuple(measure.shown(score) for measure in on_page(REVIEW)),
        cost_tile=_cost_tile(score, scores.cost_measure),
        documents=f"{cost.documents:,}",
        costs=tuple(measure.shown(cost.total) for measure in on_page(COSTS)),
        seconds_each=f"{cost.per_document.seconds:.2f}",
        saving=percent(cost.saving, 0),
    )


def _cost_tile(score: StrategyScore, unit: Unit) -> str:
    each = amount(score.cost.total, unit) / max(score.cost.documents, 1)
    if unit == "money":
        return money(each)
    if unit == "tokens":
        return f"{each:,.0f}"
    return f"{each:.2f}" if each else ""


def _versus(scores: Scores, order: Sequence[str]) -> Versus | None:
    if len(order) < 2:
        return None
    pair, sign = _pair_of(scores, order[0], order[1])
    if pair is None or pair.macro_difference is None:
        return None
    difference = sign * pair.macro_difference
    low, high = sorted(sign * side for side in pair.macro_interval)
    words = "versus_better" if low > 0 else "versus_unclear"
    if difference <= 0:
        words = "versus_tie"
    return Versus(
        words,
        f"{100 * difference:.1f}",
        scores.strategies[order[1]].title,
        points(low),
        points(high),
    )


def _pair_of(scores: Scores, a: str, b: str) -> tuple[PairScore | None, int]:
    for pair in scores.pairs:
        if (pair.a, pair.b) == (a, b):
            return pair, 1
        if (pair.a, pair.b) == (b, a):
            return pair, -1
    return None, 1


def _bar_start(scores: Scores) -> float:
    lows = [
        cells.interval[0]
        for score in scores.strategies.values()
        for cells in score.fields.values()
        if cells.n
    ]
    # The scale starts at a round figure below all intervals, so that near-perfect bars differ.
    return math.floor(max(0.0, min(lows, default=0.0)) * 10) / 10


def _field_rows(scores: Scores, order: Sequence[str], start: float) -> tuple[FieldRow, ...]:
    chosen = [scores.strategies[name] for name in order]
    rows = [
        FieldRow(field, "", _cells([share_of(score.fields[field]) for score in chosen], start))
        for field in scores.fields
    ]
    rows += [
        FieldRow("", overall.words, _cells([overall.of(score) for score in chosen], start))
        for overall in OVERALL
    ]
    return tuple(rows)


def _tables(scores: Scores, order: Sequence[str]) -> tuple[TableRow, ...]:
    names = dict.fromkeys(name for each in order for name in scores.strategies[each].tables)
    return tuple(
        TableRow(
            name, tuple(_table_cell(scores.strategies[each].tables.get(name)) for each in order)
        )
        for name in names
    )


def _table_cell(score: TableScore | None) -> TableCell | None:
    if score is None or score.accuracy is None:
        return None
    low, high = score.interval
    return TableCell(
        figure=percent(score.accuracy, 1),
        count=f"{score.right:,}/{score.n:,}",
        range=f"{percent(low, 1)}–{percent(high, 1)}",
        rows=score.rows,
        rows_right=score.rows_right,
        missing=score.rows_missing,
        extra=score.rows_extra,
        silent=score.silent_errors,
    )


def _texts(scores: Scores, order: Sequence[str]) -> tuple[TextRow, ...]:
    of = [scores.texts.get(each, {}) for each in order]
    return tuple(
        TextRow(name, tuple(_text_cell(each.get(name)) for each in of))
        for name in dict.fromkeys(name for each in of for name in each)
    )


def _text_cell(score: TextScore | None) -> TextCell | None:
    if score is None:
        return None
    return TextCell(
        measure="texts_rouge" if score.measure == "rouge" else "texts_set",
        figure=f"{100 * score.f1:.1f}",
        n=f"{score.n:,}",
        precision=f"{100 * score.precision:.1f}",
        recall=f"{100 * score.recall:.1f}",
        missing=score.missing + score.failed,
    )


def _cells(shares: Sequence[Share], start: float) -> tuple[FieldCell, ...]:
    top = max((each.value for each in shares if each.value is not None), default=None)
    cells = []
    for each in shares:
        if each.value is None:
            cells.append(FieldCell(""))
            continue
        best = len(shares) > 1 and each.value == top
        low, high = each.interval
        cells.append(
            FieldCell(
                figure=percent(each.value, 1),
                count=f"{each.right:,}/{each.n:,}" if each.right is not None else f"n = {each.n:,}",
                bar=interval_bar(each.value, low, high, start, best=best),
                range=f"{100 * low:.1f}–{100 * high:.1f}",
                best=best,
            )
        )
    return tuple(cells)


def _mistake_kinds(scores: Scores) -> tuple[str, ...]:
    return tuple(
        kind.value
        for kind in Mistake
        if any(score.cells.mistakes.get(kind.value) for score in scores.strategies.values())
    )


def _mistake_rows(rows: Iterable[tuple[str, CellScore]]) -> tuple[MistakeRow, ...]:
    listed = list(rows)
    most = max((sum(cells.mistakes.values()) for _, cells in listed), default=0) or 1
    return tuple(
        MistakeRow(
            name,
            f"{sum(cells.mistakes.values()):,}",
            tuple(
                MistakePart(kind.value, count, round(100 * count / most, 2))
                for kind in Mistake
                if (count := cells.mistakes.get(kind.value, 0))
            ),
        )
        for name, cells in listed
    )


def _confusions(scores: Scores, order: Sequence[str]) -> tuple[ConfusionGroup, ...]:
    return tuple(
        ConfusionGroup(score.title, score.confusions[:_CONFUSED])
        for score in (scores.strategies[name] for name in order[:3])
        if score.confusions
    )


def _pairs(scores: Scores, order: Sequence[str]) -> tuple[PairRow, ...]:
    if len(order) < 2:
        return ()
    return tuple(
        PairRow(scores.strategies[a].title, tuple(_pair_cell(scores, a, b) for b in order))
        for a in order
    )


def _pair_cell(scores: Scores, a: str, b: str) -> PairCell | None:
    pair, sign = _pair_of(scores, a, b)
    if a == b or pair is None or pair.macro_difference is None:
        return None
    low, high = sorted(sign * side for side in pair.macro_interval)
    sure = low > 0 or high < 0
    return PairCell(
        look=("up" if low > 0 else "down") + " sure" if sure else "",
        difference=points(sign * pair.macro_difference),
        range=f"{points(low)} … {points(high)}",
        p=p_value(pair.perfect.p_holm),
    )


def _confidence(score: StrategyScore) -> tuple[ConfidenceRow, ...]:
    looks = {"strong": "good", "some": "warn", "none": ""}
    rows = []
    for name, words, cells in [
        *((field, "", cells) for field, cells in score.fields.items()),
        ("", ALL_CELLS.words, score.cells),
    ]:
        interval = cells.confidence.auroc_interval
        rows.append(
            ConfidenceRow(
                name=name,
                words=words,
                figures=tuple(measure.shown(cells) for measure in on_page(CELLS)),
                auroc_range=f"{interval[0]:.2f}–{interval[1]:.2f}" if interval else "",
                signal=cells.confidence.signal,
                look=looks.get(cells.confidence.signal, "quiet"),
            )
        )
    return tuple(rows)


def _saving_reference(scores: Scores) -> str:
    if len(scores.strategies) < 2 or scores.strategies[scores.cost_reference].cost.saving is None:
        return ""
    return scores.strategies[scores.cost_reference].title


def _field_costs(scores: Scores, order: Sequence[str]) -> tuple[FieldCostRow, ...]:
    """What each field took a document, where the caller could tell."""
    chosen = [scores.strategies[name] for name in order]
    if not any(score.field_costs for score in chosen):
        return ()
    rows = []
    for field in scores.fields:
        figures = []
        for score in chosen:
            cost = score.field_costs.get(field)
            if cost is None:
                figures.append("–")
                continue
            each = amount(cost, scores.cost_measure) / max(score.cost.documents, 1)
            figures.append(amount_text(each))
        rows.append(FieldCostRow(field, tuple(figures)))
    return tuple(rows)


def _list(words: str, items: Sequence[str]) -> NameList:
    return NameList(words, len(items), tuple(items[:_LISTED]), max(0, len(items) - _LISTED))

"""What the report shows, ready formatted: the template only lays it out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from ocr_moe.errors import DocumentError
from ocr_moe.evaluation import metrics
from ocr_moe.evaluation.charts import Curve, Mark, Plot, Words, draw, interval_bar, pareto
from ocr_moe.evaluation.crops import ImageSource, crop, whole
from ocr_moe.evaluation.mistakes import Mistake, Span, marks
from ocr_moe.evaluation.scores import (
    CellScore,
    Interval,
    PairScore,
    PolicyPoint,
    Recommendation,
    Scores,
    StrategyScore,
)
from ocr_moe.evaluation.scoring import CellView, Outcome, Scoring, shown_key
from ocr_moe.evaluation.summary import cost_of, mistake_at
from ocr_moe.evaluation.workbook import worst_first
from ocr_moe.types import Record, Value

_LISTED = 40
_CURVE_POINTS = 400
_NARROW = "\u202f"
"""A narrow space that does not break."""


class ViewOptions(Value):
    """What the report shows."""

    heading: str = ""
    """A line above the verdict: the run, the data set."""
    footer: str = ""
    """Versions, date: whatever should stand at the end."""
    documents: int = 12
    """How many of the worst documents to show."""
    cells_per_document: int = 8
    image_bytes: int = 8_000_000
    """Crops stop when they take this much of the page."""


@dataclass(frozen=True)
class View:
    """The template's names; every text is escaped by the template, Markup is made by us."""

    heading: str
    footer: str
    many: bool
    cells: str
    documents: str
    target: str
    measure: str
    best: StrategyView
    strategies: tuple[StrategyView, ...]
    versus: Versus | None
    recommendation: Recommendation | None
    bar_start: str
    field_rows: tuple[dict[str, Any], ...]
    cost_charts: tuple[Markup, ...]
    has_bounds: bool
    review_chart: Markup
    risk_chart: Markup | None
    mistake_kinds: tuple[str, ...]
    mistakes: tuple[dict[str, Any], ...]
    field_mistakes: tuple[dict[str, Any], ...]
    confusions: tuple[dict[str, Any], ...]
    pairs: tuple[dict[str, Any], ...]
    worst: tuple[dict[str, Any], ...]
    more_documents: int
    has_images: bool
    confidence: tuple[dict[str, Any], ...]
    saving_reference: str
    field_costs: tuple[dict[str, Any], ...]
    provenance: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]
    unverified: int
    unscorable: int
    lists: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class StrategyView:
    name: str
    title: str
    provenance: str
    is_best: bool
    cells_right: str
    cells_low: str
    cells_high: str
    macro: str
    perfect: str
    checked: str
    review_cells: str
    review_words: str
    threshold: str
    coverage: str
    selective: str
    cost_tile: str
    costs: tuple[str, ...]


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
    recommendation: Recommendation | None,
    image_source: ImageSource | None,
    words: Words,
) -> View:
    """Bring all figures of an evaluation into the shape of the page."""
    order = sorted(
        scores.strategies, key=lambda name: (-(scores.strategies[name].macro or 0), name)
    )
    order.remove(scores.best)
    order.insert(0, scores.best)
    strategies = tuple(_strategy(name, scores) for name in order)
    best = strategies[0]
    start = _bar_start(scores)
    documents = _WorstDocuments(scoring, scores, runs, options, image_source)
    worst = documents.views()
    lists = [
        _list("rows_without", scores.rows_without_document),
        _list("documents_without", scores.documents_without_truth),
    ]
    return View(
        heading=options.heading,
        footer=options.footer,
        many=len(order) > 1,
        cells=f"{scores.n_cells:,}",
        documents=f"{scores.n_documents:,}",
        target=_round_percent(scores.target),
        measure=scores.cost_measure,
        best=best,
        strategies=strategies,
        versus=_versus(scores, order),
        recommendation=recommendation,
        bar_start=_percent(start, 0),
        field_rows=_field_rows(scores, order, start),
        cost_charts=_cost_charts(scores, order, points, words),
        has_bounds=any(point.role in ("oracle", "random_mix") for point in points),
        review_chart=_review_chart(scoring, scores, order, words),
        risk_chart=_risk_chart(scoring, scores, order, words),
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
        confidence=_confidence(scores.strategies[scores.best]),
        saving_reference=_saving_reference(scores),
        field_costs=_field_costs(scores, order),
        provenance=tuple(
            (scores.strategies[name].title, scores.strategies[name].provenance)
            for name in order
            if scores.strategies[name].provenance
        ),
        skipped=tuple(scores.skipped.items()),
        problems=tuple(problem.sentence for problem in scores.problems),
        unverified=scores.unverified_cells,
        unscorable=scores.unscorable_cells,
        lists=tuple(item for item in lists if item["count"]),
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
        provenance=score.provenance,
        is_best=name == scores.best,
        cells_right=_percent(cells.accuracy, 1),
        cells_low=f"{100 * cells.interval[0]:.1f}",
        cells_high=_percent(cells.interval[1], 1),
        macro=_percent(score.macro, 1),
        perfect=_percent(score.perfect, 1),
        checked=f"{review.checked:,}",
        review_cells=f"{review.cells:,}",
        review_words=words,
        threshold="–" if review.threshold is None else f"{review.threshold:.3f}",
        coverage=_percent(cells.coverage, 1),
        selective=_percent(cells.selective_accuracy, 2),
        cost_tile=_cost_tile(score, scores.cost_measure),
        costs=(
            f"{cost.documents:,}",
            f"{cost.total.calls:,}",
            f"{cost.total.prompt_tokens:,}",
            f"{cost.total.completion_tokens:,}",
            f"{cost.total.seconds:,.1f}",
            _money(cost.total.money),
            f"{cost.per_document.seconds:.2f}",
            _percent(cost.saving, 0),
        ),
    )


def _cost_tile(score: StrategyScore, measure: str) -> str:
    each = score.cost.per_document
    if measure == "money":
        return _money(each.money)
    if measure == "tokens":
        return f"{each.prompt_tokens + each.completion_tokens:,.0f}"
    return f"{each.seconds:.2f}" if each.seconds else ""


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
        _points(low),
        _points(high),
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


def _field_rows(scores: Scores, order: Sequence[str], start: float) -> tuple[dict[str, Any], ...]:
    chosen = [scores.strategies[name] for name in order]
    rows = []
    for field in scores.fields:
        parts = [score.fields[field] for score in chosen]
        cells = _cells(
            [(part.accuracy, part.right, part.n) for part in parts],
            [part.interval for part in parts],
            start,
        )
        rows.append({"name": field, "words": "", "cells": cells})
    sums: list[tuple[str, list[tuple[float | None, int | None, int]], list[Interval]]] = [
        (
            "all_cells",
            [(score.cells.accuracy, score.cells.right, score.cells.n) for score in chosen],
            [score.cells.interval for score in chosen],
        ),
        (
            "macro_row",
            [(score.macro, None, score.n_documents) for score in chosen],
            [score.macro_interval for score in chosen],
        ),
        (
            "perfect_row",
            [
                (score.perfect, round((score.perfect or 0) * score.n_documents), score.n_documents)
                for score in chosen
            ],
            [score.perfect_interval for score in chosen],
        ),
    ]
    for key, figures, intervals in sums:
        rows.append({"name": "", "words": key, "cells": _cells(figures, intervals, start)})
    return tuple(rows)


def _cells(
    figures: Sequence[tuple[float | None, int | None, int]],
    intervals: Sequence[tuple[float, float]],
    start: float,
) -> list[dict[str, Any]]:
    top = max((value for value, _, _ in figures if value is not None), default=None)
    cells = []
    for (value, right, n), (low, high) in zip(figures, intervals, strict=True):
        if value is None:
            cells.append({"figure": "", "count": "", "bar": "", "range": "", "best": False})
            continue
        best = len(figures) > 1 and value == top
        cells.append(
            {
                "figure": _percent(value, 1),
                "count": f"{right:,}/{n:,}" if right is not None else f"n = {n:,}",
                "bar": interval_bar(value, low, high, start, best=best),
                "range": f"{100 * low:.1f}–{100 * high:.1f}",
                "best": best,
            }
        )
    return cells


def _cost_charts(
    scores: Scores, order: Sequence[str], points: Sequence[PolicyPoint], words: Words
) -> tuple[Markup, ...]:
    measures = [scores.cost_measure]
    if scores.cost_measure != "seconds":
        measures.append("seconds")
    charts = []
    for measure in measures:
        own = points if measure == scores.cost_measure else ()
        costs = {
            name: cost_of(scores.strategies[name].cost.total, measure)
            / max(scores.strategies[name].cost.documents, 1)
            for name in order
        }
        if len(order) + len(own) > 1 and any(costs.values()):
            charts.append(_cost_chart(scores, order, costs, own, measure, words))
    return tuple(charts)


def _cost_chart(
    scores: Scores,
    order: Sequence[str],
    costs: Mapping[str, float],
    points: Sequence[PolicyPoint],
    measure: str,
    words: Words,
) -> Markup:
    factor = 1000.0 if measure == "money" else 1.0
    placed = []
    for name in reversed(order):
        score = scores.strategies[name]
        low, high = score.macro_interval
        look = "best" if name == scores.best else "dot"
        mark = Mark(score.title, factor * costs[name], 100 * (score.macro or 0.0))
        placed.append(replace(mark, low=100 * low, high=100 * high, look=look))
    looks = {"oracle": "oracle", "recommended": "recommended", "best_single": "single"}
    singles = [point for point in points if point.role != "random_mix"]
    for point in singles:
        named = f"role_{point.role}" if point.role in looks else ""
        placed.append(
            Mark(
                point.name,
                factor * point.cost,
                100 * point.accuracy,
                look=looks.get(point.role, "dot"),
                words=named,
            )
        )
    mix = sorted((factor * p.cost, 100 * p.accuracy) for p in points if p.role == "random_mix")
    reachable = [(mark.x, mark.y) for mark in placed if mark.look != "oracle"]
    heights = [mark.low if mark.low is not None else mark.y for mark in placed]
    heights += [height for _, height in mix]
    bottom = max(0.0, 5 * math.floor((min(heights) - 1) / 5))
    right = max([mark.x for mark in placed] + [cost for cost, _ in mix]) * 1.12 or 1.0
    return draw(
        Plot(
            x_title=words(f"axis_{measure}"),
            y_title=words("axis_accuracy"),
            x_range=(-0.035 * right, right),
            y_range=(bottom, 100.0),
            curves=(
                Curve(mix, "mix"),
                Curve(pareto(reachable), "front", steps=True),
            ),
            marks=placed,
            title="accuracy against cost",
            words=words,
        )
    )


def _review_chart(scoring: Scoring, scores: Scores, order: Sequence[str], words: Words) -> Markup:
    curves = []
    most = max(score.review.cells for score in scores.strategies.values())
    lows = []
    for name in reversed(order):
        grid = scoring.grids[name]
        values = metrics.review_curve(grid.confidence[grid.scored], grid.right[grid.scored])
        steps = np.unique(np.linspace(0, len(values) - 1, _CURVE_POINTS).astype(int))
        look = "line best" if name == scores.best else "line"
        curves.append(Curve([(float(k), 100 * float(values[k])) for k in steps], look))
        lows.append(100 * float(values[0]))
    review = scores.strategies[scores.best].review
    mark = Mark(f"{review.checked:,}", review.checked, 100 * review.accuracy, look="best")
    bottom = max(0.0, min(99.0, 5 * math.floor((min(lows) - 1) / 5)))
    return draw(
        Plot(
            x_title=words("axis_checked"),
            y_title=words("axis_after"),
            x_range=(0.0, float(most) or 1.0),
            y_range=(bottom, 100.0),
            height=330,
            width=560,
            curves=curves,
            marks=(mark,),
            drops=((mark.x, mark.y),),
            rules=((100 * scores.target, words("target_line")),),
            title="accuracy after review",
            words=words,
        )
    )


def _risk_chart(
    scoring: Scoring, scores: Scores, order: Sequence[str], words: Words
) -> Markup | None:
    curves = []
    top = 100 * (1 - scores.target) * 2
    for name in reversed(order):
        grid = scoring.grids[name]
        found = metrics.risk_coverage(grid.confidence[grid.scored], grid.right[grid.scored])
        if len(found.coverage) == 0:
            continue
        count = len(found.coverage)
        steps = np.unique(np.linspace(0, count - 1, _CURVE_POINTS).astype(int))
        points = [(100 * float(found.coverage[k]), 100 * float(found.risk[k])) for k in steps]
        look = "line best" if name == scores.best else "line"
        curves.append(Curve(points, look))
        # The first few cells of a curve are noise; the scale is set by where it ends.
        top = max(top, 1.15 * points[-1][1])
    if not curves:
        return None
    cells = scores.strategies[scores.best].cells
    chosen = []
    if cells.coverage and cells.selective_accuracy is not None:
        risk = 100 * (1 - cells.selective_accuracy)
        top = max(top, 1.1 * risk)
        chosen.append(Mark("", 100 * cells.coverage, risk, look="best", words="chosen_point"))
    clipped = [
        Curve([(left, min(high, top)) for left, high in curve.points], curve.look)
        for curve in curves
    ]
    return draw(
        Plot(
            x_title=words("axis_coverage"),
            y_title=words("axis_risk"),
            x_range=(0.0, 100.0),
            y_range=(0.0, top),
            height=330,
            width=560,
            curves=clipped,
            marks=chosen,
            rules=((100 * (1 - scores.target), words("target_line")),),
            title="risk and coverage",
            words=words,
        )
    )


def _mistake_kinds(scores: Scores) -> tuple[str, ...]:
    return tuple(
        kind.value
        for kind in Mistake
        if any(score.cells.mistakes.get(kind.value) for score in scores.strategies.values())
    )


def _mistake_rows(rows: Iterable[tuple[str, CellScore]]) -> tuple[dict[str, Any], ...]:
    listed = list(rows)
    most = max((sum(cells.mistakes.values()) for _, cells in listed), default=0) or 1
    return tuple(
        {
            "name": name,
            "total": f"{sum(cells.mistakes.values()):,}",
            "parts": [
                {
                    "kind": kind.value,
                    "count": count,
                    "width": round(100 * count / most, 2),
                }
                for kind in Mistake
                if (count := cells.mistakes.get(kind.value, 0))
            ],
        }
        for name, cells in listed
    )


def _confusions(scores: Scores, order: Sequence[str]) -> tuple[dict[str, Any], ...]:
    groups = []
    for name in order[:3]:
        score = scores.strategies[name]
        if score.confusions:
            groups.append({"title": score.title, "items": score.confusions[:14]})
    return tuple(groups)


def _pairs(scores: Scores, order: Sequence[str]) -> tuple[dict[str, Any], ...]:
    if len(order) < 2:
        return ()
    rows = []
    for a in order:
        cells: list[dict[str, str] | None] = []
        for b in order:
            pair, sign = _pair_of(scores, a, b)
            if a == b or pair is None or pair.macro_difference is None:
                cells.append(None)
                continue
            low, high = sorted(sign * side for side in pair.macro_interval)
            sure = low > 0 or high < 0
            look = ("up" if low > 0 else "down") + " sure" if sure else ""
            cells.append(
                {
                    "look": look,
                    "difference": _points(sign * pair.macro_difference),
                    "range": f"{_points(low)} … {_points(high)}",
                    "p": _p_value(pair.perfect.p_holm),
                }
            )
        rows.append({"title": scores.strategies[a].title, "cells": cells})
    return tuple(rows)


def _confidence(score: StrategyScore) -> tuple[dict[str, Any], ...]:
    looks = {"strong": "good", "some": "warn", "none": ""}
    rows = []
    for name, words, cells in [
        *((field, "", cells) for field, cells in score.fields.items()),
        ("", "all_cells", score.cells),
    ]:
        found = cells.confidence
        interval = found.auroc_interval
        rows.append(
            {
                "name": name,
                "words": words,
                "n": f"{found.n:,}",
                "errors": f"{found.errors:,}",
                "auroc": "–" if found.auroc is None else f"{found.auroc:.3f}",
                "auroc_range": f"{interval[0]:.2f}–{interval[1]:.2f}" if interval else "",
                "ece": "–" if found.ece is None else f"{found.ece:.3f}",
                "brier": "–" if found.brier is None else f"{found.brier:.3f}",
                "signal": found.signal,
                "look": looks.get(found.signal, "quiet"),
            }
        )
    return tuple(rows)


def _saving_reference(scores: Scores) -> str:
    if len(scores.strategies) < 2 or scores.strategies[scores.cost_reference].cost.saving is None:
        return ""
    return scores.strategies[scores.cost_reference].title


def _field_costs(scores: Scores, order: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What each field took a document, where the caller could tell."""
    chosen = [scores.strategies[name] for name in order]
    if not any(score.field_costs for score in chosen):
        return ()
    rows = []
    for field in scores.fields:
        figures = []
        for score in chosen:
            cost = score.field_costs.get(field)
            amount = cost_of(cost, scores.cost_measure) if cost is not None else None
            figures.append(
                "–" if amount is None else _amount(amount / max(score.cost.documents, 1))
            )
        rows.append({"name": field, "figures": figures})
    return tuple(rows)


def _list(words: str, items: Sequence[str]) -> dict[str, Any]:
    return {
        "words": words,
        "count": len(items),
        "shown": list(items[:_LISTED]),
        "more": max(0, len(items) - _LISTED),
    }


class _WorstDocuments:
    """The documents with most errors of the best strategy, with crops of what was misread."""

    def __init__(
        self,
        scoring: Scoring,
        scores: Scores,
        runs: Mapping[str, Sequence[Record]],
        options: ViewOptions,
        image_source: ImageSource | None,
    ) -> None:
        self._scoring = scoring
        self._scores = scores
        self._options = options
        self._image_source = image_source
        self._records = {
            (record.document.path, record.document.page): record for record in runs[scores.best]
        }
        self._budget = options.image_bytes
        grid = scoring.grids[scores.best]
        wrong = np.asarray((grid.scored & ~grid.right).any(axis=1))
        ranked = [index for index in worst_first(scoring, scores) if wrong[index]]
        self._chosen = ranked[: options.documents]
        self.hidden = len(ranked) - len(self._chosen)

    def views(self) -> tuple[dict[str, Any], ...]:
        cells: dict[int, list[CellView]] = {index: [] for index in self._chosen}
        for cell in self._scoring.cells(self._scores.best):
            if cell.document in cells:
                cells[cell.document].append(cell)
        return tuple(self._document(index, cells[index]) for index in self._chosen)

    def _document(self, index: int, cells: Sequence[CellView]) -> dict[str, Any]:
        key = self._scoring.documents[index]
        wrong = [cell for cell in cells if cell.outcome is not Outcome.RIGHT]
        pictures = _Pictures(self._records.get(key), self._image_source)
        shown = []
        for cell in wrong[: self._options.cells_per_document]:
            picture = pictures.of(cell.field.field.name) if self._budget > 0 else ""
            self._budget -= len(picture)
            shown.append(self._cell(cell, picture))
        return {
            "name": shown_key(key),
            "wrong": len(wrong),
            "total": len(cells),
            "cells": shown,
        }

    def _cell(self, cell: CellView, picture: str) -> dict[str, Any]:
        truth, value = cell.truth.value or "", cell.value or ""
        in_truth, in_value = marks(truth, value) if truth and value else ((), ())
        elsewhere = [
            self._scores.strategies[name].title
            for name, grid in self._scoring.grids.items()
            if grid.outcomes[cell.document, cell.column] == Outcome.RIGHT
        ]
        return {
            "field": cell.field.key,
            "mistake": mistake_at(
                self._scoring, self._scores.best, cell.document, cell.column
            ).value,
            "truth": _marked(truth, in_truth, "truth"),
            "value": _marked(value, in_value, ""),
            "confidence": "" if cell.confidence is None else f"{cell.confidence:.3f}",
            "elsewhere": ", ".join(elsewhere),
            "crop": Markup(picture),
        }


class _Pictures:
    """The crops of one document; its pages are asked for once."""

    def __init__(self, record: Record | None, source: ImageSource | None) -> None:
        self._record = record
        self._source = source
        self._pages: dict[int, Any] = {}
        self._whole_shown = False

    def of(self, field: str) -> str:
        """A picture of the field's place, else once of the whole page, as a data URL or empty."""
        if self._record is None or self._source is None:
            return ""
        decision = self._record.fields.get(field)
        evidence = decision.evidence if decision is not None else None
        page = self._page(evidence.page if evidence is not None else 1)
        if page is None:
            return ""
        if evidence is not None:
            return crop(page, evidence.box)
        if self._whole_shown:
            return ""
        self._whole_shown = True
        return whole(page)

    def _page(self, number: int) -> Any:
        if number not in self._pages and self._record is not None and self._source is not None:
            try:
                self._pages[number] = self._source(self._record, number)
            except DocumentError:
                # The scan was moved or changed since the run: the report goes without its picture.
                self._pages[number] = None
        return self._pages.get(number)


def _marked(text: str, spans: Sequence[Span], look: str) -> Markup:
    parts = []
    position = 0
    for start, end in spans:
        parts.append(escape(text[position:start]))
        parts.append(Markup('<mark class="{}">{}</mark>').format(look, text[start:end]))
        position = end
    parts.append(escape(text[position:]))
    return Markup("").join(parts)


def _percent(value: float | None, places: int) -> str:
    if value is None:
        return "–"
    # 99.96 % must not read as 100.0 %: only what is whole is shown as whole.
    scaled = 100 * value
    if 100 - 0.5 * 10**-places <= scaled < 100:
        scaled = 100 - 10**-places
    return f"{scaled:.{places}f}{_NARROW}%"


def _round_percent(value: float) -> str:
    return f"{100 * value:g}{_NARROW}%"


def _points(value: float) -> str:
    scaled = round(100 * value, 1)
    return f"{scaled:+.1f}".replace("-", "−") if scaled else "0.0"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _money(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"

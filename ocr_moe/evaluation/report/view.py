"""What the report shows, ready formatted: the template only lays it out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ocr_moe.evaluation.advice import Advice, PolicyPoint
from ocr_moe.evaluation.costs import amount
from ocr_moe.evaluation.metrics import Interval
from ocr_moe.evaluation.mistakes import Mistake
from ocr_moe.evaluation.report.charts import Words, interval_bar
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.figures import cost_charts, review_chart, risk_chart
from ocr_moe.evaluation.report.phrases import Phrase
from ocr_moe.evaluation.report.sentences import advice_sentences, problem_sentence
from ocr_moe.evaluation.report.worst import WorstDocuments, WorstOptions
from ocr_moe.evaluation.scores import CellScore, PairScore, Scores, StrategyScore
from ocr_moe.evaluation.scoring import Scoring
from ocr_moe.types import Origin, Record

_LISTED = 40
_NARROW = "\u202f"
"""A narrow space that does not break."""


class ViewOptions(WorstOptions):
    """What the report shows."""

    heading: str = ""
    """A line above the verdict: the run, the data set."""
    footer: str = ""
    """Versions, date: whatever should stand at the end."""


@dataclass(frozen=True)
class View:
    """The template's names; every text is escaped by the template, Markup is made by us."""

    heading: str
    footer: str
    many: bool
    tie: bool
    """The next strategy is exactly as accurate."""
    cells: str
    documents: str
    target: str
    measure: str
    best: StrategyView
    strategies: tuple[StrategyView, ...]
    versus: Versus | None
    advice: Advice | None
    advice_words: tuple[Phrase, ...]
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
    origins: tuple[tuple[str, Origin], ...]
    skipped: tuple[tuple[str, str], ...]
    problems: tuple[Phrase, ...]
    unverified: int
    unscorable: int
    lists: tuple[dict[str, Any], ...]


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
    advice: Advice | None,
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
    documents = WorstDocuments(scoring, scores, runs, options, image_source)
    worst = documents.views()
    lists = [
        _list("rows_without", scores.rows_without_document),
        _list("documents_without", scores.documents_without_truth),
    ]
    return View(
        heading=options.heading,
        footer=options.footer,
        many=len(order) > 1,
        tie=len(order) > 1
        and scores.strategies[order[1]].macro == scores.strategies[order[0]].macro,
        cells=f"{scores.n_cells:,}",
        documents=f"{scores.n_documents:,}",
        target=_round_percent(scores.target),
        measure=scores.cost_measure,
        best=best,
        strategies=strategies,
        versus=_versus(scores, order),
        advice=advice,
        advice_words=advice_sentences(advice) if advice is not None else (),
        bar_start=_percent(start, 0),
        field_rows=_field_rows(scores, order, start),
        cost_charts=cost_charts(scores, order, points, words),
        has_bounds=any(point.role in ("oracle", "random_mix") for point in points),
        review_chart=review_chart(scoring, scores, order, words),
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
        confidence=_confidence(scores.strategies[scores.best]),
        saving_reference=_saving_reference(scores),
        field_costs=_field_costs(scores, order),
        origins=tuple(
            (scores.strategies[name].title, scores.strategies[name].origin)
            for name in order
            if scores.strategies[name].origin
        ),
        skipped=tuple(scores.skipped.items()),
        problems=tuple(map(problem_sentence, scores.problems)),
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
        origin=score.origin,
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
            if cost is None:
                figures.append("–")
                continue
            each = amount(cost, scores.cost_measure) / max(score.cost.documents, 1)
            figures.append(_amount(each))
        rows.append({"name": field, "figures": figures})
    return tuple(rows)


def _list(words: str, items: Sequence[str]) -> dict[str, Any]:
    return {
        "words": words,
        "count": len(items),
        "shown": list(items[:_LISTED]),
        "more": max(0, len(items) - _LISTED),
    }


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

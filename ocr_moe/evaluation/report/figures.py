"""The report's charts: accuracy against cost, review, and risk against coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from markupsafe import Markup

from ocr_moe.evaluation import metrics
from ocr_moe.evaluation.advice import PolicyPoint
from ocr_moe.evaluation.costs import Unit, amount
from ocr_moe.evaluation.report.charts import Curve, Mark, Plot, Words, draw, pareto
from ocr_moe.evaluation.report.phrases import attribute
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Scoring

_CURVE_POINTS = 400


def cost_charts(
    scores: Scores, order: Sequence[str], points: Sequence[PolicyPoint], words: Words
) -> tuple[Markup, ...]:
    """One chart a measure: the run's own, and seconds where that is another."""
    charts = []
    for measure in _units(scores):
        own = [point for point in points if point.unit == measure]
        costs = {
            name: amount(scores.strategies[name].cost.total, measure)
            / max(scores.strategies[name].cost.documents, 1)
            for name in order
        }
        if len(order) + len(own) > 1 and any(costs.values()):
            charts.append(_cost_chart(scores, order, costs, own, measure, words))
    return tuple(charts)


def drawn_points(scores: Scores, points: Sequence[PolicyPoint]) -> list[PolicyPoint]:
    """The points that are counted in the unit of one of the charts."""
    return [point for point in points if point.unit in _units(scores)]


def _units(scores: Scores) -> tuple[Unit, ...]:
    measure = scores.cost_measure
    return (measure,) if measure == "seconds" else (measure, "seconds")


def _cost_chart(
    scores: Scores,
    order: Sequence[str],
    costs: Mapping[str, float],
    points: Sequence[PolicyPoint],
    measure: Unit,
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
            label=attribute("aria-label", "cost_title"),
            words=words,
        )
    )


def review_chart(scoring: Scoring, scores: Scores, order: Sequence[str], words: Words) -> Markup:
    """Accuracy by cells checked, with the point that reaches the target."""
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
            label=attribute("aria-label", "review_chart"),
            words=words,
        )
    )


def risk_chart(
    scoring: Scoring, scores: Scores, order: Sequence[str], words: Words
) -> Markup | None:
    """Risk by coverage, with the point at which the strategy works; None without confidences."""
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
            label=attribute("aria-label", "risk_chart"),
            words=words,
        )
    )

"""The report's charts as inline SVG. Colours come from the page's style sheet, by class.

All text is escaped by markupsafe; coordinates are plain numbers. Every chart is drawn on a canvas of
fixed units and scales with its container.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

Words = Callable[[str], Markup]
"""Gives a phrase of the report in both languages, as <tspan> elements."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 22, 18, 50
_LABEL = 26


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled point. `x` and `y` are in data units."""

    label: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None
    look: str = "dot"
    """CSS class: `dot`, `best`, `oracle`, `recommended`, `single`."""
    words: str = ""
    """A phrase key shown instead of the label."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through points in data units."""

    points: Sequence[tuple[float, float]]
    look: str = "line"
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart with two linear axes."""

    x_title: Markup
    y_title: Markup
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: int = 640
    height: int = 360
    curves: Sequence[Curve] = ()
    marks: Sequence[Mark] = ()
    rules: Sequence[tuple[float, Markup]] = ()
    """Horizontal lines with their words."""
    drops: Sequence[tuple[float, float]] = ()
    """Points from which dotted lines fall to the x axis."""
    label: Markup | str = ""
    """The attribute that tells what is drawn to those who do not see it."""
    words: Words = field(default=lambda key: Markup(escape(key)))


def draw(plot: Plot) -> Markup:
    """The chart as an SVG element."""
    x, y = (
        _scale(plot.x_range, _LEFT, plot.width - _RIGHT),
        _scale(plot.y_range, plot.height - _BOTTOM, _TOP),
    )
    parts = [_axes(plot, x, y)]
    for height, label in plot.rules:
        parts.append(
            Markup(
                '<line class="rule" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="rule-label" x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(
                _LEFT,
                plot.width - _RIGHT,
                _n(y(height)),
                _n(y(height)),
                plot.width - _RIGHT - 4,
                _n(y(height) - 5),
                label,
            )
        )
    for left, top in plot.drops:
        parts.append(
            Markup('<line class="drop" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                _n(x(left)), _n(x(left)), _n(y(top)), plot.height - _BOTTOM
            )
        )
    parts += [_curve(curve, x, y) for curve in plot.curves]
    parts += _marks(plot, x, y)
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" {}>{}</svg>').format(
        plot.width, plot.height, plot.label, Markup("").join(parts)
    )


def interval_bar(value: float, low: float, high: float, start: float, *, best: bool) -> Markup:
    """A dot on its interval, on a scale from `start` to 1; 120 × 14 units."""
    at = _scale((start, 1.0), 4, 116)
    if value < start:
        # Off the scale: an arrow to the left instead of a dot in a wrong place.
        point = Markup('<path class="off" d="M8 3l-4 4l4 4"/>')
    else:
        point = Markup('<circle class="point" cx="{}" cy="7" r="3.6"/>').format(_n(at(value)))
    return Markup(
        '<svg class="bar{}" viewBox="0 0 120 14" aria-hidden="true">'
        '<line class="track" x1="4" x2="116" y1="7" y2="7"/>'
        '<line class="range" x1="{}" x2="{}" y1="7" y2="7"/>{}</svg>'
    ).format(
        " best" if best else "",
        _n(at(max(low, start))),
        _n(at(min(max(high, start), 1.0))),
        point,
    )


def pareto(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, accuracy) points that no other beats in both, by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((cost, accuracy))
    return front


def nice_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers within a range."""
    if high <= low:
        return [low]
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _scale(data: tuple[float, float], start: float, end: float) -> Callable[[float], float]:
    low, high = data
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (end - start)


def _axes(plot: Plot, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    bottom = plot.height - _BOTTOM
    parts = [
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(
            *(_LEFT, plot.width - _RIGHT, _n(y(tick)), _n(y(tick))),
            *(_LEFT - 8, _n(y(tick) + 4), _label(tick)),
        )
        for tick in nice_ticks(*plot.y_range)
    ]
    parts += [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            _n(x(tick)), bottom + 18, _label(tick)
        )
        for tick in nice_ticks(*plot.x_range, wanted=6)
    ]
    parts.append(
        Markup(
            '<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="title" x="{}" y="{}" text-anchor="middle">{}</text>'
            '<text class="title" transform="translate(14 {}) rotate(-90)" '
            'text-anchor="middle">{}</text>'
        ).format(
            *(_LEFT, plot.width - _RIGHT, bottom, bottom),
            *((_LEFT + plot.width - _RIGHT) // 2, plot.height - 10, plot.x_title),
            *((_TOP + bottom) // 2, plot.y_title),
        )
    )
    return Markup("").join(parts)


def _curve(curve: Curve, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    if not curve.points:
        return Markup("")
    commands: list[str] = []
    for index, (left, top) in enumerate(curve.points):
        if index == 0:
            commands.append(f"M{_n(x(left))} {_n(y(top))}")
        elif curve.steps:
            commands.append(f"H{_n(x(left))}V{_n(y(top))}")
        else:
            commands.append(f"L{_n(x(left))} {_n(y(top))}")
    return Markup('<path class="{}" d="{}"/>').format(curve.look, "".join(commands))


def _marks(plot: Plot, x: Callable[[float], float], y: Callable[[float], float]) -> list[Markup]:
    parts = []
    placed: list[tuple[float, float, float, float]] = [
        (x(mark.x) - 7, y(mark.y) - 7, x(mark.x) + 7, y(mark.y) + 7) for mark in plot.marks
    ]
    for mark in plot.marks:
        left, top = x(mark.x), y(mark.y)
        if mark.low is not None and mark.high is not None:
            parts.append(
                Markup('<line class="whisker {}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                    mark.look, _n(left), _n(left), _n(y(mark.low)), _n(y(mark.high))
                )
            )
        if mark.look == "oracle":
            shape = Markup('<path class="mark {}" d="M{} {}l6 -7l6 7l-6 7z"/>').format(
                mark.look, _n(left - 6), _n(top)
            )
        else:
            shape = Markup('<circle class="mark {}" cx="{}" cy="{}" r="{}"/>').format(
                mark.look, _n(left), _n(top), 7 if mark.look == "best" else 5.5
            )
        parts.append(shape)
        shown = mark.words or _shortened(mark.label)
        text = plot.words(mark.words) if mark.words else escape(shown)
        label = _place(plot, left, top, _text_width(shown), placed)
        parts.append(
            Markup('<text class="label {}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
                mark.look, _n(label[0]), _n(label[1]), label[2], text
            )
        )
    return parts


def _place(
    plot: Plot,
    left: float,
    top: float,
    width: float,
    placed: list[tuple[float, float, float, float]],
) -> tuple[float, float, str]:
    """A free place for a label beside a point: right, left, below, above, then further off."""
    best: tuple[float, tuple[float, float, str], tuple[float, float, float, float]] | None = None
    for shift in (0, 13, -13, 26, -26, 39, -39):
        for anchor in ("start", "end", "middle"):
            dx = {"start": 12, "end": -12, "middle": 0}[anchor]
            dy = shift + 4 if anchor != "middle" else (22 + abs(shift) if shift >= 0 else shift - 2)
            start = left + dx - {"start": 0.0, "end": width, "middle": width / 2}[anchor]
            box = (start, top + dy - 11, start + width, top + dy + 3)
            outside = (
                max(0.0, _LEFT - box[0])
                + max(0.0, box[2] - plot.width + 4)
                + max(0.0, 4 - box[1])
                + max(0.0, box[3] - (plot.height - _BOTTOM))
            )
            overlap = sum(_overlap(box, other) for other in placed)
            badness = 50 * outside + 10 * overlap + abs(shift)
            if best is None or badness < best[0]:
                best = (badness, (left + dx, top + dy, anchor), box)
    if best is None:
        raise AssertionError("no place was tried")
    placed.append(best[2])
    return best[1]


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _shortened(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"


def _text_width(text: str) -> float:
    return sum(12.5 if ord(char) > 0x2E7F else 7.0 for char in text)


def _label(tick: float) -> str:
    if tick == 0:
        return "0"
    if abs(tick) >= 1000:
        return f"{tick:,.0f}"
    return f"{tick:.6g}"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")

"""The ruled lines around a table's cells: which of a page's lines are the table's, and what they part.

Level rules part rows, upright ones columns; a table may have both, either, or a frame alone. On a
photograph rules lean and bend as the paper does: text is moved so that they would stand upright and
level, by as much as the rules next to it are off.

Pure functions, no pixels. Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ocr_moe.reading.layout import Glyph, PageLayout, Piece
from ocr_moe.types import Point, Rule, Rulings

_ACROSS = 0.4
"""Share of a table's width over which a rule runs that parts rows of it: beside cells that stand over
several rows there is none."""
_REACH = 2.5
"""How far from the headings, in text heights, an upright rule of their columns begins at most."""
_CROSSED = 0.25
"""Share of a column's width up to which a rule is said not to cross it."""
_WORD = 4
"""Characters up to which a box holds hardly two cells …"""
_EDGE = 0.2
"""… and how far within its ends, in text heights, a line strikes it out …"""
_STRUCK = 3
"""… and so many such boxes that it is no rule."""
_MIDDLE = 0.5
"""Where, in page widths, level rules stand at the height that they are known by."""


@dataclass(frozen=True)
class Curve:
    """A rule on the page's plane: places along it and across, in order."""

    along: tuple[float, ...]
    across: tuple[float, ...]
    ink: tuple[tuple[float, float], ...]
    """Over which parts of it there is ink."""

    def at(self, place: float) -> float:
        """Where the rule stands at a place along it; beyond its ends it goes on."""
        index = min(max(bisect_right(self.along, place), 1), len(self.along) - 1)
        (a, b), (c, d) = self.along[index - 1 : index + 1], self.across[index - 1 : index + 1]
        return c + (d - c) * (place - a) / (b - a)

    def share(self, start: float, end: float) -> float:
        """Of the way from `start` to `end`, which share has ink."""
        covered = sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.ink)
        return covered / max(end - start, 1e-9)


def _curve(layout: PageLayout, rule: Rule, upright: bool) -> Curve:
    points = [layout.plane(point) for point in rule.points]
    side = 1 if upright else 0
    if upright:
        points = [(v, u) for u, v in points]
    first, last = rule.points[0][side], rule.points[-1][side]
    a, b = points[0][0], points[-1][0]

    def moved(place: float) -> float:
        return a + (b - a) * (place - first) / max(last - first, 1e-9)

    ink = tuple((moved(start), moved(end)) for start, end in rule.ink)
    return Curve(tuple(p for p, _ in points), tuple(q for _, q in points), ink)


@dataclass(frozen=True)
class Frame:
    """The rules of a part of a table."""

    level: tuple[Curve, ...]
    """Those that part rows, from the top down."""
    upright: tuple[Curve, ...]
    """Those that part columns, from left to right."""
    v: float
    """At which height upright rules are known by where they stand."""

    @cached_property
    def rules(self) -> list[float]:
        """u of the upright rules."""
        return [curve.at(self.v) for curve in self.upright]

    @cached_property
    def levels(self) -> list[float]:
        """v of the level rules."""
        return [curve.at(_MIDDLE) for curve in self.level]

    @cached_property
    def bottom(self) -> float | None:
        """Where the frame ends; None where no upright rules tell."""
        if len(self.upright) < 2:
            return None
        ends = [curve.ink[-1][1] for curve in self.upright]
        return max([*ends, *self.levels])

    def straight(self, glyph: Glyph) -> Glyph:
        """The character where it would stand if rules stood straight."""
        middle = (glyph.u0 + glyph.u1) / 2
        aside = _off([(c.at(glyph.v), c.at(self.v)) for c in self.upright], middle)
        down = _off([(c.at(middle), c.at(_MIDDLE)) for c in self.level], glyph.v)
        return replace(glyph, u0=glyph.u0 - aside, u1=glyph.u1 - aside, v=glyph.v - down)

    def straightened(self, pieces: Sequence[Piece]) -> list[Piece]:
        moved = (tuple(map(self.straight, piece.glyphs)) for piece in pieces)
        return [replace(piece, glyphs=glyphs) for piece, glyphs in zip(pieces, moved, strict=True)]

    def crosses(self, index: int, left: float, right: float) -> bool:
        """Whether a level rule runs between two columns' edges."""
        inward = (right - left) / 8
        return self.level[index].share(left + inward, right - inward) > _CROSSED

    def parted(self, top: float, bottom: float) -> bool:
        """Whether most upright rules within the frame stand between two level ones."""
        inner = self.upright[1:-1]
        middle = (bottom - top) / 4
        stand = sum(curve.share(top + middle, bottom - middle) > 0.5 for curve in inner)
        return bool(inner) and 2 * stand >= len(inner)


def _off(rules: Sequence[tuple[float, float]], place: float) -> float:
    """How far rules that stand at (here, straight) are off at a place, in between by their distances."""
    ordered = sorted(rules)
    if not ordered:
        return 0.0
    at = bisect_right([here for here, _ in ordered], place)
    if at in (0, len(ordered)):
        here, straight = ordered[min(at, len(ordered) - 1)]
        return here - straight
    (a, x), (b, y) = ordered[at - 1 : at + 1]
    share = (place - a) / max(b - a, 1e-9)
    return (a - x) + ((b - y) - (a - x)) * share


def frame_of(
    layout: PageLayout,
    rulings: Rulings,
    *,
    top: float,
    span: Point,
    until: float | None,
    under: bool = True,
) -> Frame | None:
    """The rules of the table whose headings stand at the height `top` within `span` (from, to).

    `until` is where the next headings are; not `under` headings the table begins with its first row.
    """
    size = layout.height
    reach = _REACH * size
    below: Callable[[float], bool] = lambda v: until is None or v < until  # noqa: E731
    upright = [_curve(layout, rule, True) for rule in rulings.upright]
    upright = [
        curve
        for curve in upright
        if curve.ink[0][0] <= top + reach and curve.ink[-1][1] >= top + size
    ]
    upright = [curve for curve in upright if not _is_of_type(curve, layout)]
    upright = _apart(upright, top, size / 2)
    left, right = span
    if len(upright) > 1:
        outer = [curve.at(top) for curve in upright]
        left, right = min(left, *outer), max(right, *outer)
    level = [_curve(layout, rule, False) for rule in rulings.level]
    level = [curve for curve in level if curve.share(left, right) >= _ACROSS]
    middles = sorted(level, key=lambda curve: curve.at(_MIDDLE))
    kept = [
        curve
        for curve in middles
        if curve.at(_MIDDLE) > top - (reach if under else 2 * reach) and below(curve.at(_MIDDLE))
    ]
    kept = _apart(kept, _MIDDLE, size / 2)
    if len(upright) < 2 and len(kept) < 2:
        return None
    return Frame(tuple(kept), tuple(upright), top)


def frame_alone(layout: PageLayout, rulings: Rulings) -> Frame | None:
    """The rules of a table that has no headings on a page: upright ones begin with it."""
    upright = [layout.plane(rule.points[0]) for rule in rulings.upright]
    level = [layout.plane(point) for rule in rulings.level for point in rule.points[:1]]
    ends = [layout.plane(rule.points[-1]) for rule in rulings.level]
    if len(upright) < 2 and len(level) < 2:
        return None
    top = statistics.median(v for _, v in upright) if len(upright) > 1 else min(v for _, v in level)
    across = [u for u, _ in upright] if len(upright) > 1 else [u for u, _ in (*level, *ends)]
    span = (min(across), max(across))
    return frame_of(layout, rulings, top=top, span=span, until=None, under=False)


def within(pieces: Sequence[Piece], frame: Frame, size: float) -> list[Piece]:
    """What stands above the end of a frame; all of it where none is seen to end."""
    bottom = frame.bottom
    return [piece for piece in pieces if bottom is None or piece.v < bottom + size / 4]


def _is_of_type(curve: Curve, layout: PageLayout) -> bool:
    """Whether an upright line runs through short words one under the other: it is made of them."""
    start, end = curve.ink[0][0], curve.ink[-1][1]
    struck = [
        piece
        for piece in layout.pieces
        if start <= piece.v <= end
        and len(piece.glyphs) <= _WORD
        and piece.u0 + _EDGE * piece.height < curve.at(piece.v) < piece.u1 - _EDGE * piece.height
    ]
    return len(struck) >= _STRUCK


def _apart(curves: Sequence[Curve], place: float, least: float) -> list[Curve]:
    """Of curves that stand at nearly one place, the longest; in order."""
    kept: list[Curve] = []
    for curve in sorted(curves, key=lambda each: each.along[0] - each.along[-1]):
        if all(abs(curve.at(place) - other.at(place)) > least for other in kept):
            kept.append(curve)
    return sorted(kept, key=lambda curve: curve.at(place))


def bands(frame: Frame, pieces: Sequence[Piece]) -> list[tuple[int, list[Piece]]]:
    """Pieces between the same two level rules: (index of the rule above, or -1; the pieces)."""
    levels = frame.levels
    found: dict[int, list[Piece]] = {}
    for piece in pieces:
        found.setdefault(bisect_right(levels, piece.v) - 1, []).append(piece)
    return sorted(found.items())


def pitch_of(frame: Frame) -> float:
    """Distance between level rules."""
    steps = [b - a for a, b in zip(frame.levels, frame.levels[1:], strict=False)]
    return statistics.median(steps) if steps else 0.0

"""From an engine's pixel polygons to lines in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ocr_moe.geometry import ORDER_LENGTH, direction, line_height
from ocr_moe.types import Line, Point, Quad


def lines_from_polygons(
    *,
    polygons: Iterable[Any],
    texts: Sequence[str],
    scores: Sequence[float],
    width: int,
    height: int,
) -> tuple[Line, ...]:
    """Lines in reading order from (4, 2) pixel polygons, corners in the engine's reading order."""
    lines = []
    for polygon, text, score in zip(polygons, texts, scores, strict=True):
        if not text.strip():
            continue
        corners: list[Point] = [
            (_fraction(float(x), width), _fraction(float(y), height)) for x, y in polygon
        ]
        quad: Quad = (corners[0], corners[1], corners[2], corners[3])
        lines.append(Line(text=text, confidence=_probability(float(score)), quad=quad))
    return reading_order(lines, aspect=width / height)


def reading_order(lines: Sequence[Line], aspect: float) -> tuple[Line, ...]:
    """Top to bottom, then left to right among lines whose centres share a row.

    Rows are measured across the page's skew (the median slope of its long lines), so that a tilted
    photograph reads as its straight scan would.
    """
    right, down = direction((line.quad for line in lines), ORDER_LENGTH, width=aspect)
    slope = down / right

    def level(line: Line) -> tuple[float, float, float]:
        x = sum(p[0] for p in line.quad) / 4
        y = sum(p[1] for p in line.quad) / 4 - slope * x * aspect
        return y, line_height(line.quad, width=aspect), line.quad[0][0]

    measured = sorted(((*level(line), line) for line in lines), key=lambda item: item[0])
    rows: list[list[tuple[float, float, float, Line]]] = []
    for item in measured:
        if rows:
            anchor = rows[-1][-1]
            if item[0] - anchor[0] < 0.5 * min(item[1], anchor[1]):
                rows[-1].append(item)
                continue
        rows.append([item])
    return tuple(item[3] for row in rows for item in sorted(row, key=lambda item: item[2]))


def _fraction(value: float, size: int) -> float:
    return round(min(max(value / size, 0.0), 1.0), 5)


def _probability(value: float) -> float:
    return round(min(max(value, 0.0), 1.0), 5)

"""Boxes and lines on a page: pure numbers, in fractions of the page unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.types import Box


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of them, clipped to the page."""
    return (
        max(0.0, min(box[0] for box in boxes)),
        max(0.0, min(box[1] for box in boxes)),
        min(1.0, max(box[2] for box in boxes)),
        min(1.0, max(box[3] for box in boxes)),
    )

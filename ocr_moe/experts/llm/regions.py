"""Where on a page a field is expected to stand, judged by the page's own text lines.

Pure functions over OCR lines: the shapes of codes, and the schema's patterns, labels and fallbacks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ocr_moe.codes.finding import find_codes
from ocr_moe.folds import fold_print
from ocr_moe.geometry import hull
from ocr_moe.reading.layout import PageLayout, Piece, Row
from ocr_moe.schema import Fallback, Field, Kind, Schema
from ocr_moe.types import Box, Line, PageText
from ocr_moe.values.dates import find_dates

_FOOT: Box = (0.0, 0.6, 1.0, 1.0)
_REACH = 1.5
"""A row this many line heights below a label still belongs to it."""


def row_texts(page: PageText) -> list[str]:
    """The page's text as printed rows in reading order.

    What runs across the rows (seals, slanted watermarks) is left out: it repeats what stands
    elsewhere, and small models mistake it for values.
    """
    return [" ".join(piece.text for piece in row) for row in PageLayout(page).rows]


def field_region(schema: Schema, field: Field, page: PageText) -> Box | None:
    """The part of the page where a field's label and value stand, or None where no text tells.

    Looked for in this order: text with the form of the field's codes, the schema's patterns, its
    labels, and the first or last date where the schema names it as a fallback (for the last, the
    page's foot where no date was read there).  The region takes in whole lines, what stands to the
    right of a label and the row below it, and half a line's height around; it is generous on
    purpose.
    """
    lines = _by_code(schema, field, page)
    if not lines and page.lines:
        layout = PageLayout(page)
        lines = _by_pattern(field, layout) or _by_label(field, layout) or _by_date(field, layout)
        if not lines and Fallback.LAST_DATE in field.fallbacks:
            return _FOOT
    if not lines:
        return None
    height = max(min(line.box[3] - line.box[1], line.box[2] - line.box[0]) for line in lines)
    x0, y0, x1, y1 = hull([line.box for line in lines])
    return (
        max(0.0, x0 - height),
        max(0.0, y0 - height / 2),
        min(1.0, x1 + height),
        min(1.0, y1 + height / 2),
    )


def _by_code(schema: Schema, field: Field, page: PageText) -> list[Line]:
    if field.kind is not Kind.CODE or not field.grammars:
        return []
    others = [other.label_forms for other in schema.fields if other.name != field.name]
    alien = tuple(label for labels in (*others, schema.other_labels) for label in labels)
    labels = (
        *field.label_forms,
        *(label for g in field.grammars for label in g.labels),
        field.name,
    )
    found = find_codes(page, field.grammars, labels, alien)
    strips = found.places[0].strips if found.places else ()
    strips = strips or tuple(strip for spot in found.spots[:1] for strip in spot.strips)
    return [Line(text="", confidence=0.0, quad=strip.quad) for strip in strips]


def _by_pattern(field: Field, layout: PageLayout) -> list[Line]:
    for text, patterns in (
        (layout.running(), field.patterns),
        (layout.lined(), field.line_patterns),
    ):
        for pattern in patterns:
            if match := re.search(pattern, text.text):
                glyphs = text.glyphs(match.start(), match.end())
                return _lines(layout, (glyph.line for glyph in glyphs))
    return []


def _by_label(field: Field, layout: PageLayout) -> list[Line]:
    # The longest first; among labels of one length the one declared first.
    labels = dict.fromkeys(fold_print(label) for label in (*field.label_forms, field.name))
    for label in sorted(filter(None, labels), key=len, reverse=True):
        places = [
            (not first, number, first, last)
            for number, row in enumerate(layout.rows)
            for first, last in _label_spans(label, row)
        ]
        if places:
            _, number, first, last = min(places)
            return _with_value(layout, number, first, last)
    return []


def _by_date(field: Field, layout: PageLayout) -> list[Line]:
    text = layout.running()
    dates = find_dates(text.text)
    places = [_lines(layout, (g.line for g in text.glyphs(d.start, d.end))) for d in dates]
    if Fallback.FIRST_DATE in field.fallbacks and places:
        return min(places, key=_top)
    if Fallback.LAST_DATE in field.fallbacks:
        # By height, not by order of reading: in two columns the foot of the first is not the last.
        return max(
            (place for place in places if _top(place) > _FOOT[1] - 0.1), key=_top, default=[]
        )
    return []


def _top(lines: Sequence[Line]) -> float:
    return min(line.box[1] for line in lines)


def _label_spans(label: str, row: Row) -> Iterator[tuple[int, int]]:
    """(first, last) piece of the row for every place where the label is printed in it."""
    folded = [fold_print(piece.text) for piece in row]
    owners = [index for index, text in enumerate(folded) for _ in text]
    text = "".join(folded)
    at = text.find(label)
    while at >= 0:
        yield owners[at], owners[at + len(label) - 1]
        at = text.find(label, at + 1)


def _with_value(layout: PageLayout, number: int, first: int, last: int) -> list[Line]:
    """The label's lines, the one to its right, and what the next row has under these."""
    beside: Sequence[Piece] = layout.rows[number][first : last + 2]
    left, right = beside[0].u0, beside[-1].u1
    height = max(piece.height for piece in beside)
    middle = max(piece.v for piece in beside)
    below = [
        piece
        for row in layout.rows[number + 1 : number + 2]
        for piece in row
        if piece.u0 < right and piece.u1 > left and piece.v - middle < (1 + _REACH) * height
    ]
    return _lines(layout, (glyph.line for piece in (*beside, *below) for glyph in piece.glyphs))


def _lines(layout: PageLayout, indexes: Iterable[int]) -> list[Line]:
    return [layout.page.lines[index] for index in sorted(set(indexes))]

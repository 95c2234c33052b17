"""Finding a value on the page: which text lines it was read from, and where it stands in them.

Pure functions over OCR lines; nothing here touches pixels.  A language model gives a value without
a place; aligning the value with the lines gives the evidence, and a value that aligns with nothing
was probably invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from ocr_moe.folds import fold_print
from ocr_moe.geometry import hull
from ocr_moe.reading.layout import span_box
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Evidence, Line
from ocr_moe.values.dates import find_dates
from ocr_moe.values.kinds import kind_of

MIN_SCORE = 0.6
"""Below this similarity a line is not the place of a value."""
MAX_WRAP = 4
"""Most lines over which a wrapped value is followed."""


@dataclass(frozen=True)
class _Line:
    """A line folded for comparison, with the way back to the page."""

    folded: str
    origin: tuple[int, ...]
    """For every folded character the index of the one in the line that it comes from."""


def find_evidence(
    field: Field,
    value: str | None,
    raw: str | None,
    lines: Sequence[Line],
    page: int = 1,
) -> tuple[Evidence | None, float]:
    """The place where a field's value is printed, and how well the print agrees with it (0-1).

    `value` is the normalised value and `raw` what the expert said; the better aligned of the two
    counts, and for dates and enums every printed form is tried.  Where several places agree equally
    well, one beside a label of the field is preferred.  The box covers the value's characters only,
    in proportion to the line's width; a value wrapped over lines gets the hull of its parts.
    Returns (None, 0.0) where nothing on the page resembles the value.
    """
    forms = list(_printed_forms(field, value, raw))
    if not forms or not lines:
        return None, 0.0
    best: tuple[float, float, list[tuple[int, int, int]]] | None = None
    labels = tuple(filter(None, map(fold_print, (*field.label_forms, field.name))))
    wanted = [fold_print(form) for form in forms]
    dates: set[str] = set()
    if field.kind is Kind.DATE:
        dates = {date.iso for form in forms for date in find_dates(form)}
    folded = [_folded(line.text) for line in lines]
    for index, line in enumerate(lines):
        beside = _label_nearby(labels, folded, index)
        candidates = list(_dates_in(line, index, dates)) if dates else []
        candidates += _matches_in(wanted, folded[index], index)
        candidates += _wrapped_matches(wanted, folded, index)
        for score, spans in candidates:
            key = (score, beside)
            if best is None or key > best[:2]:
                best = (score, beside, spans)
    if best is None or best[0] < MIN_SCORE:
        return None, 0.0
    score, _, spans = best
    boxes = [span_box(lines[index], start, end) for index, start, end in spans]
    text = "".join(lines[index].text[start:end] for index, start, end in spans)
    return Evidence(box=hull(boxes), text=text.strip(), page=page), round(score, 4)


def occurs_verbatim(text: str, lines: Sequence[Line]) -> bool:
    """Whether the text stands on the page word for word, spaces and punctuation aside."""
    wanted = fold_print(text)
    return bool(wanted) and wanted in "".join(_folded(line.text).folded for line in lines)


def _printed_forms(field: Field, value: str | None, raw: str | None) -> Iterator[str]:
    seen: set[str] = set()
    for form in (raw, value, *(_enum_forms(field, value) if value else ())):
        if form and (folded := fold_print(form)) and folded not in seen:
            seen.add(folded)
            yield form


def _enum_forms(field: Field, value: str) -> Iterable[str]:
    return field.values.get(value, ()) if kind_of(field).closed else ()


def _dates_in(
    line: Line, index: int, wanted: Iterable[str]
) -> Iterator[tuple[float, list[tuple[int, int, int]]]]:
    for date in find_dates(line.text):
        for other in wanted:
            if score := _date_agreement(date.iso, other):
                yield score, [(index, date.start, date.end)]


def _matches_in(
    wanted: Sequence[str], line: _Line, index: int
) -> Iterator[tuple[float, list[tuple[int, int, int]]]]:
    for form in wanted:
        score, first, last = _align(form, line.folded)
        if score >= MIN_SCORE:
            yield score, list(_spans((line,), index, first, last))


def _wrapped_matches(
    wanted: Sequence[str], lines: Sequence[_Line], index: int
) -> Iterator[tuple[float, list[tuple[int, int, int]]]]:
    """Values that begin in this line and go on in the next ones."""
    for form in wanted:
        if len(form) < 4:
            continue
        text = lines[index].folded
        longest = len(form) + len(text)
        for count in range(2, MAX_WRAP + 1):
            if index + count > len(lines) or len(text) >= longest:
                break
            text += lines[index + count - 1].folded
            score, first, last = _align(form, text)
            if score < MIN_SCORE:
                continue
            spans = list(_spans(lines[index : index + count], index, first, last))
            # Only a value that really needs all these lines is a wrapped one; the small discount
            # keeps a value inside one line ahead of the same value across a line break.
            if len(spans) == count:
                yield score * 0.99, spans


@lru_cache(maxsize=4096)
def _folded(text: str) -> _Line:
    parts = [fold_print(character) for character in text]
    origin = [index for index, part in enumerate(parts) for _ in part]
    return _Line("".join(parts), tuple(origin))


def _align(wanted: str, text: str) -> tuple[float, int, int]:
    """(similarity, first, last + 1) of the part of `text` that resembles `wanted` best."""
    if not wanted or not text:
        return 0.0, 0, 0
    at = text.find(wanted)
    if at >= 0:
        # A short value inside longer text is a weaker find than the same value alone.
        return 1.0 if len(wanted) > 1 or len(text) <= 3 else 0.98, at, at + len(wanted)
    if len(text) < len(wanted):
        score = Levenshtein.normalized_similarity(wanted, text)
        return score, 0, len(text)
    if len(wanted) < 3:
        return 0.0, 0, 0
    match = fuzz.partial_ratio_alignment(wanted, text)
    if match is None:
        return 0.0, 0, 0
    first, last = match.dest_start, match.dest_end
    return Levenshtein.normalized_similarity(wanted, text[first:last]), first, last


def _spans(
    lines: Sequence[_Line], index: int, first: int, last: int
) -> Iterator[tuple[int, int, int]]:
    """(line, first character, last + 1) for every line that the match touches, of lines that run on
    from the one at `index`."""
    before = 0
    for number, line in enumerate(lines, index):
        length = len(line.folded)
        start, end = max(first - before, 0), min(last - before, length)
        if start < end:
            yield number, line.origin[start], line.origin[end - 1] + 1
        before += length


def _label_nearby(labels: Sequence[str], lines: Sequence[_Line], index: int) -> float:
    """1.0 for a label in the line itself, 0.5 for one just before or left of it, else 0."""
    here = lines[index].folded
    if any(label in here for label in labels):
        return 1.0
    before = lines[index - 1].folded if index else ""
    return 0.5 if any(label in before for label in labels) else 0.0


def _date_agreement(printed: str, wanted: str) -> float:
    """1 for the same date, 0.9 where one of them leaves out the day, 0.7 where one part differs."""
    if printed == wanted:
        return 1.0
    here, there = printed.split("-"), wanted.split("-")
    if len(here) > 1 and len(there) > 1 and here[:2] == there[:2] and len(here) != len(there):
        return 0.9
    return 0.7 if sum(a == b for a, b in zip(here, there, strict=False)) >= 2 else 0.0

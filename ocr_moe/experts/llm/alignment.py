"""Finding a value on the page: which text lines it was read from, and where it stands in them.

Pure functions over OCR lines; nothing here touches pixels.  A language model gives a value without
a place; aligning the value with the lines gives the evidence, and a value that aligns with nothing
was probably invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
class _Text:
    """A run of one or more lines, folded for comparison, with the way back to the page."""

    folded: str
    origin: tuple[tuple[int, int], ...]
    """For every folded character: (index of the line, index of the character in it)."""


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
    labels = tuple(fold_print(label) for label in (*field.labels, field.name))
    for index, line in enumerate(lines):
        beside = _label_nearby(labels, lines, index)
        candidates = list(_matches_in(field, forms, line, index))
        candidates += _wrapped_matches(forms, lines, index)
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
    return bool(wanted) and wanted in "".join(fold_print(line.text) for line in lines)


def _printed_forms(field: Field, value: str | None, raw: str | None) -> Iterator[str]:
    seen: set[str] = set()
    for form in (raw, value, *(_enum_forms(field, value) if value else ())):
        if form and (folded := fold_print(form)) and folded not in seen:
            seen.add(folded)
            yield form


def _enum_forms(field: Field, value: str) -> Iterable[str]:
    return field.values.get(value, ()) if kind_of(field).closed else ()


def _matches_in(
    field: Field, forms: Sequence[str], line: Line, index: int
) -> Iterator[tuple[float, list[tuple[int, int, int]]]]:
    if field.kind is Kind.DATE:
        wanted = {date.iso for form in forms for date in find_dates(form)}
        for date in find_dates(line.text):
            for other in wanted:
                if score := _date_agreement(date.iso, other):
                    yield score, [(index, date.start, date.end)]
    text = _join((line,), index)
    for form in forms:
        score, first, last = _align(fold_print(form), text.folded)
        if score >= MIN_SCORE:
            yield score, list(_spans(text, first, last))


def _wrapped_matches(
    forms: Sequence[str], lines: Sequence[Line], index: int
) -> Iterator[tuple[float, list[tuple[int, int, int]]]]:
    """Values that begin in this line and go on in the next ones."""
    for form in forms:
        wanted = fold_print(form)
        if len(wanted) < 4:
            continue
        for count in range(2, MAX_WRAP + 1):
            if index + count > len(lines):
                break
            text = _join(lines[index : index + count], index)
            inner = text.folded[: _length_before(text, index + count - 1)]
            if len(inner) >= len(wanted) + len(fold_print(lines[index].text)):
                break
            score, first, last = _align(wanted, text.folded)
            spans = list(_spans(text, first, last))
            # Only a value that really needs all these lines is a wrapped one; the small discount
            # keeps a value inside one line ahead of the same value across a line break.
            if len(spans) == count and score >= MIN_SCORE:
                yield score * 0.99, spans


def _length_before(text: _Text, line: int) -> int:
    return sum(1 for index, _ in text.origin if index < line)


def _join(lines: Sequence[Line], first: int) -> _Text:
    folded: list[str] = []
    origin: list[tuple[int, int]] = []
    for offset, line in enumerate(lines):
        for position, character in enumerate(line.text):
            part = fold_print(character)
            folded.append(part)
            origin.extend([(first + offset, position)] * len(part))
    return _Text("".join(folded), tuple(origin))


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


def _spans(text: _Text, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """(line, first character, last + 1) for every line that the match touches."""
    by_line: dict[int, list[int]] = {}
    for line, position in text.origin[first:last]:
        by_line.setdefault(line, []).append(position)
    for line, positions in by_line.items():
        yield line, min(positions), max(positions) + 1


def _label_nearby(labels: Sequence[str], lines: Sequence[Line], index: int) -> float:
    """1.0 for a label in the line itself, 0.5 for one just before or left of it, else 0."""
    here = fold_print(lines[index].text)
    if any(label and label in here for label in labels):
        return 1.0
    before = fold_print(lines[index - 1].text) if index else ""
    return 0.5 if any(label and label in before for label in labels) else 0.0


def _date_agreement(printed: str, wanted: str) -> float:
    """1 for the same date, 0.9 where one of them leaves out the day, 0.7 where one part differs."""
    if printed == wanted:
        return 1.0
    here, there = printed.split("-"), wanted.split("-")
    if len(here) > 1 and len(there) > 1 and here[:2] == there[:2] and len(here) != len(there):
        return 0.9
    return 0.7 if sum(a == b for a, b in zip(here, there, strict=False)) >= 2 else 0.0

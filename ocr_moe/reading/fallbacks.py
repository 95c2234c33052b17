"""Where to look for a value that neither patterns nor labels find: places in a page's layout.

A schema names them under `fallbacks`.

Numbers that no figure follows are judgements: at half of them and at twice, not one of 1,100 verified
cells of 60 synthetic samples and 80 photographed licences comes out differently. `[half −4]` says that
at half of it four cells fewer are right, of 1,015, and `±0` that some differ but as many are right.
`benchmarks/thresholds.py` moves them anew.
The shipped schemas, and so these figures, do without FIRST_LINE, FIRST_DATE, LARGEST_AMOUNT and
BLOCK.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from ocr_moe.reading.candidates import (
    BELIEVED,
    Candidate,
    PreparedPage,
    by_label,
    by_pattern,
    candidate_in,
    compiled,
)
from ocr_moe.reading.forms import SURE
from ocr_moe.reading.layout import Glyph, PageLayout, Piece, Row, Text, join_rows
from ocr_moe.schema import Fallback, Field, Kind
from ocr_moe.values.amounts import PRICE, parse_amount
from ocr_moe.values.choices import listed_words
from ocr_moe.values.dates import DATE_CHARACTERS, DateSpan, find_dates, years_between
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.names import is_organisation
from ocr_moe.values.normalize import normalize

_PRIOR: Mapping[Fallback, float] = {
    Fallback.FIRST_LINE: 0.7,
    Fallback.ORGANISATION: 0.6,
    Fallback.FIRST_DATE: 0.7,
    Fallback.LAST_DATE: 0.7,
    Fallback.EARLIEST_DATE: 0.7,
    Fallback.LARGEST_AMOUNT: 0.5,
    Fallback.CODE: 0.7,
    Fallback.ANYWHERE: 0.75,
    Fallback.COLUMN: 0.65,
    Fallback.BLOCK: 0.6,
}
"""Belief in a value by the fallback that found it; of CODE, as a share of the belief in the code.
[ORGANISATION: half and 0.8 −1, twice ±0; LAST_DATE: half, 1.25 and twice −1; COLUMN: half ±0]"""
_FITS = 0.7
"""Plausibility from which a text without a label is taken for a value. [half and 0.8 +1, twice, and
so never, −6]"""
_YEARLESS = re.compile(
    r"(?:[\d〇○零一二三四五六七八九]{0,4}年)?"
    r"(?P<rest>[\d一二三四五六七八九十]{1,2}月[\d一二三四五六七八九十廿卅]{1,3}日)"
)
_PERIOD_END = re.compile(r"[至于自从到]\t|\t[至在入起止到]")
"""Around a date that bounds a period of study or of business."""


def _row_texts(page: PreparedPage) -> Iterator[tuple[Row, Text]]:
    """Every piece, and every row of several pieces, as a text of its own."""
    for row in page.layout.rows:
        for piece in row:
            yield (piece,), join_rows([(piece,)])
        if len(row) > 1:
            yield row, join_rows([row])


def _whole(wanted: Field, page: PreparedPage, text: Text, prior: float) -> Candidate | None:
    """The text as a value, unless it is one of the words by which the document is known."""
    candidate = candidate_in(wanted, text, (0, len(text.text)), prior)
    if candidate is not None and candidate.plain in page.schema.words:
        return None
    return candidate


_TOP_ROWS = 6
"""Rows that count as the top of a page …"""
_NEXT_ROW = 0.08
"""… and how much less each is believed than the one above …"""
_HALF_FITS = 0.5
"""… and the plausibility from which one is taken: less than `_FITS`, for its place says something."""


def _first_line(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    for rank, row in enumerate(page.layout.rows[:_TOP_ROWS]):
        prior = _PRIOR[Fallback.FIRST_LINE] - _NEXT_ROW * rank
        candidate = _whole(wanted, page, join_rows([row]), prior)
        if candidate is not None and candidate.plausibility >= _HALF_FITS:
            yield candidate


_CLOSE = 2.0
"""Distance up to which a value beside a label is taken for that label's own, in text heights."""


def _labelled(wanted: Field, page: PreparedPage, *, below: bool = True) -> set[Glyph]:
    """Where the values close beside the labels of other fields begin, or under them if `below`."""
    return {
        block.lines[0][0].glyphs[0]
        for index, label in enumerate(page.form.labels)
        if label.name != wanted.name and label.quality >= SURE
        for block in page.form.blocks.get(index, ())[:1]
        if block.distance <= _CLOSE and (below or block.place == "right")
    }


# What changes the belief in a name without a label.
_PER_SIZE = 0.1
"""More for each height of the page's text by which its type is taller … [half −1]"""
_TALLEST = 2.0
"""… up to so many."""
_OF_PIECES = 0.9
"""Factor for a name of several pieces: side by side stand a name and something else more often than
two parts of a name. [twice ±0]"""
_FURTHER_DOWN = 0.02
"""Less for each text above a Latin name, for a letterhead stands on top, and further down names are of
other parties …"""
_LETTERHEAD = 10
"""… up to so many."""
_RIM = 0.35
"""Belief in a name on a slant, such as the rim of a seal."""


def _announced(wanted: Field, page: PreparedPage) -> set[tuple[str, Glyph]]:
    """What patterns find for other fields, and where: 优秀学生干部 ends like a firm and is a title."""
    whole = page.whole or page
    return {
        (candidate.plain, candidate.glyphs[0])
        for other in page.schema.fields
        if other.name != wanted.name and not kind_of(other).closed
        for candidate in by_pattern(other, whole.part_for(other))
        if candidate.belief >= BELIEVED and candidate.glyphs
    }


def _organisation(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    tall = page.layout.height
    others = _labelled(wanted, page)
    values: set[tuple[str, Glyph]] | None = None
    for position, (row, text) in enumerate(_row_texts(page)):
        prior = _PRIOR[Fallback.ORGANISATION]
        candidate = _whole(wanted, page, text, prior)
        if candidate is None or not is_organisation(candidate.plain):
            continue
        if candidate.glyphs[0] in others:
            continue
        values = _announced(wanted, page) if values is None else values
        if (candidate.plain, candidate.glyphs[0]) in values:
            continue
        size = statistics.median(piece.height for piece in row) / tall
        prior += _PER_SIZE * min(max(size - 1.0, 0.0), _TALLEST)
        prior *= _OF_PIECES if len(row) > 1 else 1.0
        if candidate.value.isascii():
            prior -= _FURTHER_DOWN * min(position, _LETTERHEAD)
        yield replace(candidate, prior=prior)
    for piece in page.layout.tilted:
        candidate = _whole(wanted, page, join_rows([(piece,)]), _RIM)
        if candidate is not None and is_organisation(candidate.plain):
            yield candidate


_BOUND = 0.4
"""Belief in a date that bounds a period: of study, of business."""


def _is_birth(text: str, span: DateSpan) -> bool:
    return bool(
        re.search(r"born\s*(?:on|in)?\s*$", text[: span.start], re.IGNORECASE)
        or re.match(r"\s*出?生[,，。在于]", text[span.end :])
    )


def _dates(
    wanted: Field, page: PreparedPage, prior: float, *, births: bool = False
) -> list[Candidate]:
    """Dates of the page from top to bottom, without those that are another field's."""
    text = page.running.text
    spans = [
        (page.running, (span.start, span.end))
        for span in find_dates(text)
        if births or not _is_birth(text, span)
    ]
    known = {glyph for source, span in spans for glyph in source.glyphs(*span)}
    for scattered in _scattered_dates(page.layout):
        spans += [
            (scattered, (span.start, span.end))
            for span in find_dates(scattered.text)
            if not known.issuperset(scattered.glyphs(span.start, span.end))
        ]
    whole = page.whole or page
    claimed = {
        glyph
        for other in page.schema.fields
        if other.kind is Kind.DATE and other.name != wanted.name
        for candidate in (*by_pattern(other, whole.part_for(other)), *by_label(other, whole))
        if candidate.belief >= BELIEVED
        for glyph in candidate.glyphs
    }
    found = [
        candidate_in(wanted, *place, _BOUND if _PERIOD_END.search(_around(*place)) else prior)
        for place in spans
    ]
    # Under the label of a signature stands the date of the certificate.
    others = _labelled(wanted, page, below=False)
    free = (
        c
        for c in found
        if c is not None
        and c.glyphs
        and not claimed.issuperset(c.glyphs)
        and c.glyphs[0] not in others
    )
    return sorted(free, key=lambda c: c.glyphs[0].v)


def _around(source: Text, span: tuple[int, int]) -> str:
    """The characters beside a span, with a tab in its place."""
    start, end = span
    return f"{source.text[max(start - 1, 0) : start]}\t{source.text[end : end + 1]}"


_NOT_LEVEL = 1.3
"""How far from level the parts of a date may stand, in text heights: handwritten or stamped digits
seldom share the baseline of the printed 年, 月 and 日."""


def _scattered_dates(layout: PageLayout) -> Iterator[Text]:
    """Pieces of nothing but date characters that stand about level, put side by side."""
    pieces = [
        piece
        for row in layout.rows
        for piece in row
        if DATE_CHARACTERS.match(piece.text) or piece.text in "年月日"
    ]
    groups: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.v):
        for group in groups:
            if abs(group[-1].v - piece.v) <= _NOT_LEVEL * max(piece.height, group[-1].height):
                group.append(piece)
                break
        else:
            groups.append([piece])
    for group in groups:
        if len(group) > 1:
            yield join_rows([tuple(sorted(group, key=lambda p: p.u0))])


def _first_date(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    yield from _dates(wanted, page, _PRIOR[Fallback.FIRST_DATE])[:1]


_NOT_LAST = 0.25
"""By which share a date is believed less for each full date below it …"""
_NOT_LAST_BY_FAR = 3
"""… up to so many."""


def _last_date(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    dates = _dates(wanted, page, _PRIOR[Fallback.LAST_DATE])
    yield from _with_year_of_period(wanted, page)
    full = [candidate for candidate in dates if len(candidate.value) == 10]
    for rank, candidate in enumerate(reversed(full or dates)):
        yield replace(
            candidate, prior=candidate.prior * (1 - _NOT_LAST * min(rank, _NOT_LAST_BY_FAR))
        )


def _earliest_date(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    """The earliest date, where another one lies as much later as the schema says it must."""
    dates = _dates(wanted, page, _PRIOR[Fallback.EARLIEST_DATE], births=True)
    earliest = min(dates, key=lambda each: each.value, default=None)
    if earliest is None:
        return
    for check in page.schema.checks:
        if check.kind == "date_order" and check.years and check.fields[0] == wanted.name:
            known = [span.iso for span in find_dates(page.running.text)]
            if any(years_between(earliest.value, iso) >= check.years[0] for iso in known):
                yield earliest


def _largest_amount(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    best: tuple[float, Candidate] | None = None
    for _, text in _row_texts(page):
        if not (PRICE.search(text.text) or re.search(r"[元圆]", text.text)):
            continue
        candidate = _whole(wanted, page, text, _PRIOR[Fallback.LARGEST_AMOUNT])
        amount = parse_amount(candidate.value) if candidate else None
        if candidate is not None and amount is not None:
            rank = float(amount.value)
            if best is None or rank > best[0]:
                best = (rank, candidate)
    if best is not None:
        yield best[1]


_LISTED = 0.5
"""Belief in one of the words of a closed list, wherever it stands in the running text."""


def _anywhere(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    if kind_of(wanted).closed:
        for value, word, start in listed_words(wanted, page.running.text):
            glyphs = page.running.glyphs(start, start + len(word))
            yield Candidate(value, word, glyphs, _LISTED, 1.0)
        return
    others = _labelled(wanted, page)
    for _, text in _row_texts(page):
        candidate = _whole(wanted, page, text, _PRIOR[Fallback.ANYWHERE])
        if (
            candidate is not None
            and candidate.plausibility >= _FITS
            and candidate.glyphs[0] not in others
        ):
            yield candidate


def _from_code(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    """What a code on the page says of the field: its value, or the year of a date."""
    for other in page.schema.fields:
        for grammar in other.grammars:
            for segment in grammar.segments:
                binding = segment.binding
                if binding is None or binding.field != wanted.name:
                    continue
                for code in (*by_label(other, page), *_anywhere(other, page)):
                    span = (grammar.parse(code.value) or {}).get(segment.name)
                    if span is None:
                        continue
                    told = code.value[slice(*span)]
                    if binding.via == "values":
                        yield from _told(code, told, binding.values)
                    elif binding.via == "year" and len(told) == 4:
                        yield from _with_year(wanted, page, told)


def _told(code: Candidate, told: str, values: Mapping[str, Sequence[str]]) -> Iterator[Candidate]:
    for value, codes in values.items():
        if told in codes:
            prior = _PRIOR[Fallback.CODE] * code.prior
            yield replace(code, value=value, raw=told, prior=prior, plausibility=1.0)


_YEAR_OF_CODE = 0.5
"""Belief in a date of which only month and day are printed, with the year that a code says. [half
and 0.8 −1, 1.25 ±0, twice −1]"""


_YEAR_OF_PERIOD = 0.5
"""The same with the year of a period that ends in that month."""


def _with_year(wanted: Field, page: PreparedPage, year: str) -> Iterator[Candidate]:
    """The last month and day on the page that lost their year, with the year of the code."""
    match = _last_yearless(page)
    if match is not None:
        yield from _dated(wanted, page, match, year, _YEAR_OF_CODE)


def _with_year_of_period(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    """The last month and day on the page that lost their year, with the year that goes with that
    month elsewhere: studies end in the month of the certificate."""
    match = _last_yearless(page)
    day = None if match is None else normalize(wanted, f"2000年{match['rest']}")
    if match is None or day is None:
        return
    years = {
        span.iso[:4]
        for span in find_dates(page.running.text)
        if span.whole and len(span.iso) == len("2019-06") and span.iso[5:7] == day[5:7]
    }
    if len(years) == 1:
        yield from _dated(wanted, page, match, years.pop(), _YEAR_OF_PERIOD)


def _last_yearless(page: PreparedPage) -> re.Match[str] | None:
    dates = find_dates(page.running.text)
    partial = [
        match
        for match in _YEARLESS.finditer(page.running.text)
        if not any(
            span.whole and span.start < match.end() and match.start() < span.end for span in dates
        )
    ]
    return partial[-1] if partial else None


def _dated(
    wanted: Field, page: PreparedPage, match: re.Match[str], year: str, prior: float
) -> Iterator[Candidate]:
    value = normalize(wanted, f"{year}年{match['rest']}")
    if value is not None and len(value) == 10:
        yield Candidate(value, match.group(), page.running.glyphs(*match.span()), prior, 1.0)


def _column(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    if wanted.kind is Kind.TEXT and not wanted.shape:
        return
    for block in page.form.orphans:
        text = join_rows([tuple(line) for line in block.lines])
        candidate = _whole(wanted, page, text, _PRIOR[Fallback.COLUMN])
        if candidate is not None and candidate.plausibility >= _FITS:
            yield replace(candidate, column=1.0)


_BRACKETED = re.compile(r"\(.*\)")
"""A row that is a remark on the one above, such as a firm's registration number: no block begins so."""
_WIDER = 1.7
"""Times the distance of the block's first rows from which a row stands apart from it …"""
_APART = 3.0
"""… and text heights, where the block has one row."""


def _stands_apart(rows: Sequence[Row]) -> bool:
    """Whether the last of these rows is set off from those before it."""
    heights = [statistics.median(piece.v for piece in row) for row in rows]
    steps = [below - above for above, below in pairwise(heights)]
    size = max(piece.height for row in rows[-2:] for piece in row)
    usual = statistics.median(steps[:-1]) * _WIDER if len(steps) > 1 else _APART * size
    return steps[-1] > max(usual, size)


def _block(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    """The first rows that fit the shape, going on over one row that neither fits nor is rejected, up to
    one that stands apart."""
    if not wanted.shape:
        return
    fits: list[bool | None] = []
    for row in page.layout.rows:
        text = join_rows([row]).text
        rejected = bool(wanted.reject and compiled(wanted.reject).search(text))
        fits.append(None if rejected else bool(compiled(wanted.shape).search(text)))
    plain = [not _BRACKETED.fullmatch(join_rows([row]).text) for row in page.layout.rows]
    begins = [index for index, fit in enumerate(fits) if fit and plain[index]]
    if not begins:
        return
    first = last = begins[0]
    for index in range(first + 1, len(fits)):
        if fits[index] is None or index > last + 2:
            break
        if _stands_apart(page.layout.rows[first : index + 1]):
            break
        if fits[index]:
            last = index
    rows = join_rows(page.layout.rows[first : last + 1])
    candidate = _whole(wanted, page, rows, _PRIOR[Fallback.BLOCK])
    if candidate is not None:
        yield candidate


def _nowhere(_: Field, __: PreparedPage) -> Iterator[Candidate]:
    return iter(())


FALLBACKS = {
    Fallback.FIRST_LINE: _first_line,
    Fallback.ORGANISATION: _organisation,
    Fallback.FIRST_DATE: _first_date,
    Fallback.LAST_DATE: _last_date,
    Fallback.EARLIEST_DATE: _earliest_date,
    Fallback.LARGEST_AMOUNT: _largest_amount,
    Fallback.CODE: _from_code,
    Fallback.ANYWHERE: _anywhere,
    Fallback.COLUMN: _column,
    Fallback.BLOCK: _block,
    Fallback.NOWHERE: _nowhere,
}

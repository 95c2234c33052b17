"""Where values may stand on a page: what the patterns and labels of a schema point at.

A page is prepared once; every field then gathers its candidates.

Numbers that no figure follows are judgements: at half of them and at twice, not one of 1,100 verified
cells of 60 synthetic samples and 80 photographed licences comes out differently. `[half −4]` says that
at half of it four cells fewer are right, of 1,015, and `±0` that some differ but as many are right.
`benchmarks/thresholds.py` moves them anew.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property, lru_cache

from ocr_moe.reading.forms import WEAK, Block, Form, Label, read_form
from ocr_moe.reading.layout import Glyph, PageLayout, Piece, Text, join_rows
from ocr_moe.reading.letterheads import own_words, rows_of_name
from ocr_moe.reading.ownership import Owners
from ocr_moe.reading.sections import EVERYWHERE, Place, Sections, place_of
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import PageText
from ocr_moe.values.dates import DATE_CHARACTERS, find_dates, with_era
from ocr_moe.values.hanzi import folding, searchable
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

_FOR_LINES = re.compile(
    r"\(\?[aiLsux]*m|(?!\(\?[aiLux]*s)(?:\^|.*(?:(?<!\\)\$$|(?<!\\)(?:\\\\)*\\n|\n))", re.DOTALL
)
"""A pattern that begins with a flag for lines or at a line's beginning, ends at a line's end, or names
one in between; but for one with the flag by which lines do not matter."""

BELIEVED = 0.6
"""Belief in a candidate from which its field needs no fallback, and no other field may have it.
[half −1, 0.8 −1]"""
RANK_STEP = 0.1
"""What a rank takes off the features `pattern` and `fallback`: a scale that calibrations are fitted to,
no judgement."""
_CLAIMING = 0.9
"""Plausibility from which a line looks just like a value of its field."""


@dataclass(frozen=True)
class Candidate:
    """A possible value of one field, and where it comes from."""

    value: str
    raw: str
    glyphs: tuple[Glyph, ...]
    prior: float
    plausibility: float
    label: float = 0.0
    distance: float = 0.0
    pattern: float = 0.0
    fallback: float = 0.0
    below: float = 0.0
    column: float = 0.0
    snapped: float = 0.0
    placed: bool = True
    """Whether the printed words were found that tell where the field's value stands."""
    plain: str = ""
    """The value in simplified characters, in which a schema's words are declared."""

    @property
    def belief(self) -> float:
        return self.prior * self.plausibility


@dataclass(frozen=True)
class PreparedPage:
    """A page prepared for reading, shared by all fields."""

    schema: Schema
    number: int
    layout: PageLayout
    form: Form
    running: Text
    snapped: str
    """`running` with misread anchor words put right, character for character."""
    lined: Text
    places: Mapping[str, Place] = dataclass_field(default_factory=dict)
    """Field → where its value stands, for those of which the schema says that."""
    owners: Owners | None = None
    whole: PreparedPage | None = dataclass_field(default=None, compare=False, repr=False)
    """Of a part of a page: the page."""
    found: dict[str, tuple[Field, tuple[Candidate, ...]]] = dataclass_field(
        default_factory=dict, compare=False, repr=False
    )
    """Name of a field → the field and its candidates, once they were sought: several experts ask."""

    @cached_property
    def paragraph_ends(self) -> frozenset[Glyph]:
        """The last characters of the paragraphs."""
        return self.layout.paragraph_ends()

    def announces(self, label: Label, wanted: Field) -> bool:
        """Whether a label is the field's: also one that several columns share."""
        if label.name == wanted.name:
            return True
        return self.owners is not None and self.owners.share(wanted, label)

    def place(self, wanted: Field) -> Place:
        return self.places.get(wanted.name, EVERYWHERE) if wanted.placed else EVERYWHERE

    def part_for(self, wanted: Field) -> PreparedPage:
        """The part of the page where the field's value may stand; labels are those of the whole page."""
        place = self.place(wanted)
        if not wanted.placed:
            return self
        layout = self.layout.part(place.holds)
        running = layout.running()
        snapped = snap(running.text, self.schema.anchors)
        return replace(
            self,
            layout=layout,
            running=running,
            snapped=snapped,
            lined=layout.lined(),
            found={},
            whole=self,
        )


class _Last(threading.local):
    """The page that this thread prepared last: its experts read one page after the other."""

    page: PreparedPage | None = None


_last = _Last()


def prepare(schema: Schema, number: int, text: PageText) -> PreparedPage:
    """The page, prepared under a schema; for the same objects as last time, the same page."""
    page = _last.page
    if (
        page is None
        or page.layout.page is not text
        or page.schema is not schema
        or page.number != number
    ):
        page = _last.page = _prepared(schema, number, text)
    return page


def _prepared(schema: Schema, number: int, text: PageText) -> PreparedPage:
    likely = folding([line.text for line in text.lines]) if schema.script == "likely" else None
    layout = PageLayout(text, likely, searchable)
    vocabulary: dict[str | None, tuple[str, ...]] = {
        each.name: each.labels or _own_labels(each) for each in schema.fields
    }
    # Headings of tables announce none of the fields, and end their values.
    headings = (
        word for table in schema.tables for each in table.columns for word in headings_of(each)
    )
    vocabulary[None] = (*schema.other_labels, *headings)
    words = [label for labels in vocabulary.values() for label in labels]
    sections = Sections(layout, schema.headings, words)
    places = {
        each.name: place_of(each, layout, sections, rivalled=each.name in schema.rivalled)
        for each in schema.fields
        if each.placed
    }
    owners = Owners(schema, places)
    for name, labels in owners.joint.items():
        vocabulary[name] = (*vocabulary[name], *labels)
    running = layout.running()
    # A heading beside its block may be glued to a label: it is neither a part of it nor a value.
    upright = {g for heading in sections.headings if heading.step for g in heading.glyphs}
    return PreparedPage(
        schema=schema,
        number=number,
        layout=layout,
        form=read_form(
            layout.part(lambda glyph: glyph not in upright) if upright else layout,
            vocabulary,
            weak={each.name: each.weak_labels for each in schema.fields},
            multiline={each.name for each in schema.fields if kind_of(each).multiline},
            claims=lambda names, line: _claimed(schema, names, line),
            allows=lambda names, line: _allowed(schema, names, line),
            settle=owners.settled if owners.needed else None,
        ),
        running=running,
        snapped=snap(running.text, schema.anchors),
        lined=layout.lined(),
        places=places,
        owners=owners,
    )


def _claimed(schema: Schema, names: Collection[str], line: str) -> bool:
    """Whether a line is just what a value of one of these fields looks like."""
    for each in schema.fields:
        if each.name in names and kind_of(each).telling:
            value = normalize(each, line)
            if value is not None and plausibility(each, value) >= _CLAIMING:
                return True
    return False


def _allowed(schema: Schema, names: Collection[str], line: str) -> bool:
    """Whether a line may be a value of one of these fields, for all that is known of their looks."""
    for each in schema.fields:
        if each.name in names and each.kind in _PROSE and each.labels:
            value = normalize(each, line)
            unlike = each.shape and not compiled(each.shape).search(value or "")
            if value is not None and not unlike and plausibility(each, value) > 0.0:
                return True
    return False


def headings_of(column: Field) -> tuple[str, ...]:
    """The words that may head a table's column."""
    return column.labels or (column.name, *column.aliases)


def _own_labels(wanted: Field) -> tuple[str, ...]:
    """What to look for where a schema declares no labels: the names of the field."""
    if wanted.patterns or wanted.line_patterns or wanted.fallbacks or wanted.kind is Kind.TABLE:
        return ()
    return tuple(dict.fromkeys(n.replace("_", " ") for n in (wanted.name, *wanted.aliases)))


_ANCHOR = 4
"""Length of an anchor, in characters, that is told with one of them misread: its other half is whole."""


def snap(text: str, anchors: Sequence[str]) -> str:
    """`text` with anchor words of `_ANCHOR` and more characters put right where one was misread.

    A place that two anchors claim is left alone.
    """
    claims: dict[tuple[int, int], set[str]] = {}
    for word in anchors:
        if len(word) < _ANCHOR:
            continue
        middle = len(word) // 2
        for part, shift in ((word[:middle], 0), (word[middle:], middle)):
            at = text.find(part)
            while at >= 0:
                start = at - shift
                window = text[max(start, 0) : start + len(word)]
                at = text.find(part, at + 1)
                if start < 0 or len(window) != len(word) or window in anchors:
                    continue
                wrong = [a for a, b in zip(window, word, strict=True) if a != b]
                if len(wrong) == 1 and not wrong[0].isascii():
                    claims.setdefault((start, len(word)), set()).add(word)
    characters = list(text)
    for (start, length), words in claims.items():
        if len(words) == 1:
            characters[start : start + length] = words.pop()
    return "".join(characters)


# Belief in what a pattern finds.
_RUNNING = 0.97
"""In the running text: a schema's author wrote the words around the value. [half −1, 0.8 ±0, 1.25
−4, twice −7]"""
_LINED = 0.95
"""In the rows, where what runs over two of them may be torn."""
_LATER_PATTERN = 0.02
"""Less for each pattern that is declared before it …"""
_LEAST_PATTERN = 0.6
"""… but never below this. [twice, and so above every label, −5]"""
_SNAPPED = 0.97
"""Factor where a misread character was forgiven in the words around the value."""


def by_pattern(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    # An expression that is written for lines runs over lines.
    running = [each for each in wanted.patterns if not _FOR_LINES.match(each)]
    lined = [*wanted.line_patterns, *(each for each in wanted.patterns if _FOR_LINES.match(each))]
    for expressions, text, searched, most in (
        (running, page.running, page.snapped, _RUNNING),
        (lined, page.lined, page.lined.text, _LINED),
    ):
        for rank, expression in enumerate(expressions):
            for match in _matches(wanted, page, expression, searched):
                group = "value" if "value" in match.re.groupindex else 0
                if match[group] is None:
                    continue
                start, end = match.span(group)
                followed = match.start() == start and end < match.end()
                end = start + _stop(wanted, text.text[start:end])
                if text is page.running and wanted.kind in _PROSE:
                    start, end = within_sentence(page, start, end, followed=followed)
                span = (start, end)
                snapped = (
                    searched[match.start() : match.end()] != text.text[match.start() : match.end()]
                )
                prior = max(_LEAST_PATTERN, most - _LATER_PATTERN * rank)
                candidate = candidate_in(wanted, text, span, prior)
                if candidate is None:
                    continue
                found = replace(
                    candidate,
                    prior=candidate.prior * (_SNAPPED if snapped else 1.0),
                    pattern=max(RANK_STEP, 1 - RANK_STEP * rank),
                    snapped=float(snapped),
                )
                if wanted.kind is Kind.ORGANISATION and text is page.lined:
                    yield from _over_rows(wanted, page, found)
                else:
                    yield found


_HALF_A_NAME = 0.8
"""Factor for a row of a name that goes on over another one; as much for both where that is not sure."""


def _over_rows(wanted: Field, page: PreparedPage, found: Candidate) -> Iterator[Candidate]:
    """A firm's name on a row, and with the row before or after it where it may not be whole."""
    whole = [
        replace(joined, pattern=found.pattern, snapped=found.snapped)
        for rows in rows_of_name(page.layout.rows, found.glyphs, found.value)
        for text in [join_rows(rows)]
        if (joined := candidate_in(wanted, text, (0, len(text.text)), found.prior))
    ]
    torn = bool(whole) and (own_words(found.value) == 0 or whole[0].glyphs[0] == found.glyphs[0])
    yield replace(found, prior=found.prior * _HALF_A_NAME) if torn else found
    yield from whole


def _matches(
    wanted: Field, page: PreparedPage, expression: str, searched: str
) -> Iterator[re.Match[str]]:
    """Where an expression fits, one place after the other; not where a value of prose would begin within
    the document's title."""
    pattern = compiled(expression, wanted.case)
    group = "value" if "value" in pattern.groupindex else 0
    prose = searched is page.snapped and wanted.kind in _PROSE
    at = 0
    while (match := pattern.search(searched, at)) is not None:
        if prose and match[group] is not None and _begins_in_a_title(page, match.start(group)):
            at = match.start() + 1
            continue
        yield match
        at = max(match.end(), match.start() + 1)
        if at > len(searched):
            return


@lru_cache(maxsize=1024)
def compiled(expression: str, case: bool = False) -> re.Pattern[str]:
    """`case`: whether it tells capitals from small letters."""
    return re.compile(expression, re.MULTILINE | (0 if case else re.IGNORECASE))


# Belief in what a label announces; what follows `_BELOW` are factors.
_BESIDE = 0.96
"""On the label's right. [half −57, 0.8 −4, 1.25 −1, twice −2]"""
_BELOW = 0.85
"""Under it, where more often something else stands. [twice −1]"""
_QUALITY = 0.5
"""Power of the label's quality: a label of which half was misread still announces its value. [1.25
±0, twice −1]"""
_PER_HEIGHT = 0.01
"""Less for each text height between label and value …"""
_FURTHEST = 15.0
"""… up to so many."""
_LATER_LABEL = 0.8
"""Where two labels of one field are printed, and this is not the one declared first. [twice −3]"""
_WEAK_LABEL = 0.6
"""Where the label is one of the field's weak ones. [twice −1]"""
_SECOND_CHOICE = 0.95
"""Where another block stands closer to the label."""
_SMALL_PRINT = 0.7
"""Where the label is in small print, for the notes there speak of labels, too …"""
_SMALL = 0.6
"""… which is smaller than this, in heights of the page's text. [1.25 +1, twice −4]"""


def by_label(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    labels = page.form.labels
    ranks = sorted(label.rank for label in labels if page.announces(label, wanted))
    place = page.place(wanted)
    for index, label in enumerate(labels):
        if not page.announces(label, wanted):
            continue
        for choice, block in enumerate(page.form.blocks.get(index, ())):
            if wanted.column_of:
                column = _in_column(block, place)
                if column is None:
                    continue
                block = column
            prior = _BESIDE if block.place == "right" else _BELOW
            prior *= label.quality**_QUALITY * (1 - _PER_HEIGHT * min(block.distance, _FURTHEST))
            prior *= _LATER_LABEL if label.rank > ranks[0] else 1.0
            prior *= _WEAK_LABEL if label.rank >= WEAK else 1.0
            prior *= _SECOND_CHOICE**choice
            prior *= _SMALL_PRINT if label.height < _SMALL * page.layout.height else 1.0
            for candidate in _in_block(wanted, block, prior):
                if place.known and candidate.glyphs and not place.holds(candidate.glyphs[0]):
                    continue
                yield replace(
                    candidate,
                    placed=place.known
                    or page.owners is None
                    or page.owners.is_joint(wanted, label),
                    label=label.quality,
                    distance=block.distance,
                    below=float(block.place == "below"),
                )


def _in_column(block: Block, place: Place) -> Block | None:
    """What of a block stands in the column that the field is of."""
    lines = [[p for p in line if all(map(place.holds, p.glyphs))] for line in block.lines]
    lines = [line for line in lines if line]
    # However far away in its row, it is the column that tells it.
    return Block(block.label, block.place, lines, 0.0) if lines else None


_ASIDE = 8.0
"""How far right of the block's edge, in text heights, a line of it may begin."""
_SHORTER = 0.97
"""Factor for a name on the first line and no further: what goes on under a complete name may be
something else."""
_LEVEL_LINES = 2
"""Lines about level with the label of which either may be the value …"""
_NEXT_LINE = 0.1
"""… and by which share the next one is believed less."""


def _in_block(wanted: Field, block: Block, prior: float) -> Iterator[Candidate]:
    edge = min(line[0].u0 for line in block.lines)
    size = block.lines[0][0].height
    near = [line for line in block.lines if line[0].u0 <= edge + _ASIDE * size]
    lines = [_without_gaps(wanted, line) for line in near]
    if kind_of(wanted).multiline:
        if wanted.kind is Kind.ORGANISATION:
            # Under the name of a school stand a date and a seal that repeats the name.
            name = join_rows([tuple(lines[0])]).text
            rest = [line for line in lines[1:] if join_rows([tuple(line)]).text not in name]
            lines = [lines[0], *(line for line in rest if not _is_date(line))]
        for count in {len(lines), 1} if wanted.kind is Kind.ORGANISATION else {len(lines)}:
            text = join_rows([tuple(line) for line in lines[:count]])
            sure = prior if count == len(lines) else _SHORTER * prior
            candidate = candidate_in(wanted, text, (0, _stop(wanted, text.text)), sure)
            if candidate is not None:
                yield candidate
        return
    # One line is enough.
    lines.sort(key=lambda line: abs(line[0].v - block.label.v))
    for rank, line in enumerate(lines[: _LEVEL_LINES if block.place == "right" else 1]):
        text = join_rows([tuple(line)], piece_mark="\t" if _separate(wanted, line) else "")
        sure = prior * (1 - _NEXT_LINE * rank)
        candidate = candidate_in(wanted, text, (0, len(text.text)), sure)
        if candidate is not None:
            yield candidate


_AROUND_DATE = 2
"""Characters beside a date with which a line is still nothing but a date: a stroke, a dot."""


def _is_date(line: Sequence[Piece]) -> bool:
    text = join_rows([tuple(line)]).text
    return any(len(text) <= span.end - span.start + _AROUND_DATE for span in find_dates(text))


def _separate(wanted: Field, line: Sequence[Piece]) -> bool:
    """Whether boxes are words of their own: names are, unless they are spaced letter by letter."""
    return kind_of(wanted).one_box and any(len(piece.glyphs) > 1 for piece in line)


_FILLED_IN = 12.0
"""Widest gap within a date whose numbers were filled in between 年, 月 and 日, in text heights."""
_STAIN, _CLEAR = 0.7, 0.9
"""Line confidence of a stain behind a value, and of a value before which it is taken for one. [half
or twice of either −1: one stain]"""


def _without_gaps(wanted: Field, line: Sequence[Piece]) -> list[Piece]:
    """The pieces of a line up to a gap that no value of the kind has, or up to a stain."""
    kept = [line[0]]
    for piece in line[1:]:
        limit = kind_of(wanted).widest_gap
        if DATE_CHARACTERS.match(kept[-1].text[-1]) and re.search(r"[年月日至]", piece.text):
            limit = _FILLED_IN
        if piece.u0 - kept[-1].u1 > limit * max(piece.height, kept[-1].height):
            if not _rest_of_label(wanted, kept):
                break
            kept = []
        if kept and piece.confidence < _STAIN < _CLEAR < kept[0].confidence:
            break
        kept.append(piece)
    return kept


_FIGURES = (Kind.MONEY, Kind.NUMBER, Kind.PERCENTAGE, Kind.DATE, Kind.TIME)
"""Kinds whose values have figures or numerals, and are told by them."""


def _rest_of_label(wanted: Field, pieces: Sequence[Piece]) -> bool:
    """Whether words behind a label say more of it, as in Total (incl. tax), and are no value."""
    text = " ".join(piece.text for piece in pieces)
    return wanted.kind in _FIGURES and kind_of(wanted).find(wanted, text) is None


_FORMULA = re.compile(
    r"特发此|特颁此|特授此|特给此|特此(?:证明|表彰|公告|通知|发给)|特予|以资|以兹|以示鼓励|此证[。.]?$|此据|兹证明"
)
"""With which the closing sentence of a certificate begins, wherever the full stop before it is lost."""
_LEAST_BEFORE = 2
"""Characters of a value before what would end it."""


_PROSE = (Kind.TEXT, Kind.PERSON, Kind.ORGANISATION)
"""Kinds whose values in running text may be followed, or preceded, by what is no part of them."""


def within_sentence(page: PreparedPage, start: int, end: int, *, followed: bool) -> tuple[int, int]:
    """What of a stretch of the running text is of one sentence: up to the end of a paragraph, or to the
    formula with which the next sentence begins; the last part of it where only what follows the value
    tells that it is one (`followed`)."""
    text = page.running
    ends = [
        position
        for position in range(start + 1, end)
        for glyph in text.origins[position - 1 : position]
        if glyph is not None and glyph in page.paragraph_ends
    ]
    if ends and followed:
        start = ends[-1]
    elif ends:
        end = next((at for at in ends if at >= start + _LEAST_BEFORE), end)
    formula = _FORMULA.search(text.text, start + _LEAST_BEFORE, end)
    return start, formula.start() if formula else end


def _begins_in_a_title(page: PreparedPage, start: int) -> bool:
    """Whether a value would begin in the middle of a word by which the document is known: 获 of 获奖证书
    announces no prize."""
    running = page.running.text
    return any(
        running.find(word, max(start - len(word) + 1, 0), start + len(word) - 1) >= 0
        for word in page.schema.words
    )


def _stop(wanted: Field, text: str) -> int:
    found = [text.find(word) for word in wanted.stops]
    return min((at for at in found if at > 0), default=len(text))


_TORN = 0.9
"""Factor for a name that runs from one box of several letters into another."""


def candidate_in(
    wanted: Field, text: Text, span: tuple[int, int], prior: float
) -> Candidate | None:
    """The value within `span`, as the kind of the field finds it there, or None."""
    if wanted.kind is Kind.DATE:
        span = _whole_date(text.text, span)
    keep = _trimmed(wanted, text.text, span)
    inner = Text("".join(text.text[i] for i in keep), tuple(text.origins[i] for i in keep))
    part = kind_of(wanted).find(wanted, inner.text)
    if part is None:
        return None
    value = normalize(wanted, part.text)
    if value is None:
        return None
    belief = plausibility(wanted, value)
    if belief <= 0.0:
        return None
    glyphs = inner.glyphs(part.start, part.end)
    if kind_of(wanted).one_box and _torn(glyphs):
        belief *= _TORN
    raw, written = part.text, value
    if kind_of(wanted).verbatim and part.text == inner.text[part.start : part.end]:
        raw = inner.printed(part.start, part.end)
        written = normalize(wanted, raw) or value
    return Candidate(written, raw, glyphs, prior, part.certainty * belief, plain=value)


def _whole_date(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """A span with the whole of the date that it ends in, and the era before the one it begins with."""
    start, end = span
    return with_era(text, start), max([end, *(e for s, e in _dates_in(text) if start <= s < end)])


@lru_cache(maxsize=64)
def _dates_in(text: str) -> tuple[tuple[int, int], ...]:
    """Where whole dates stand in a text, and those that are whole but for a day nobody could read."""
    return tuple(
        (span.start, span.end)
        for span in find_dates(text)
        if span.whole or text[span.end - 1] in "日曰旦"
    )


def _torn(glyphs: Sequence[Glyph]) -> bool:
    """Whether a word runs from one box of several letters into another."""
    lines = [glyph.line for glyph in glyphs]
    return len(set(lines)) > 1 and max(lines.count(line) for line in set(lines)) > 1


def _trimmed(wanted: Field, text: str, span: tuple[int, int]) -> list[int]:
    """Indices of the characters of a span that remain after the field's `trim`."""
    keep = list(range(*span))
    for expression in wanted.trim:
        string = "".join(text[i] for i in keep)
        gone: set[int] = set()
        for match in compiled(expression).finditer(string):
            gone.update(range(*match.span()))
        keep = [i for position, i in enumerate(keep) if position not in gone]
    return keep

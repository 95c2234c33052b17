"""Where values may stand on a page: what the patterns and labels of a schema point at.

Part of the `rules` expert.  A page is prepared once; every field then gathers its candidates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.reading.forms import WEAK, Block, Form, read_form
from ocr_moe.reading.layout import Glyph, Piece, Sheet, Text, join_rows
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import PageText
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import find_dates
from ocr_moe.values.hanzi import folding
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

_MULTILINE = (Kind.TEXT, Kind.ORGANISATION)
_TELLING = (Kind.PERSON, Kind.DATE, Kind.MONEY, Kind.CODE)
"""Kinds whose values are known by their looks."""
DATE_CHARACTERS = re.compile(
    r"^[\d〇○◯零OoQ一二三四五六七八九十廿卅壹贰叁肆伍陆柒捌玖拾元年月日曰 .-]+$"
)
_MONEY_TAIL = re.compile(r"[\s元圆园圓整正人民币美金港欧日英镑]*(?:\([^()]{0,8}\))?")
PRICE = re.compile(
    r"(?:\b(?:RM|USD|EUR|GBP|CNY|RMB|HKD|JPY|SGD|AUD|CAD|INR|MYR|Rs)\.?|[$€£¥])?\s*-?\d[\d,]*\.\d{2}(?!\d)"
)
_CURRENCY = re.compile(r"[(]?(?:人民币|美元|港币|欧元|[A-Z]{2,3}|[$€£¥])[)]?\s*$")
_ALNUM_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z\s.·-]*[0-9A-Za-z]")
_STRAY = 2
"""Stray characters at the ends of a code that are forgiven."""
_FOR_LINES = re.compile(r"\(\?[aiLsux]*m")
_LOOKS_LIKE = {"O": "0", "Q": "0", "I": "1", "L": "1", "S": "5", "Z": "2", "B": "8"}
_PERSON_HEAD = re.compile(
    r"[\u3400-\u9fff]{1,8}(?:[·•・.][\u3400-\u9fff]{1,8})*|[A-Za-z][A-Za-z'. ,-]*[A-Za-z.]"
)


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

    @property
    def belief(self) -> float:
        return self.prior * self.plausibility


@dataclass(frozen=True)
class PreparedPage:
    """A page prepared for reading, shared by all fields."""

    schema: Schema
    number: int
    sheet: Sheet
    form: Form
    running: Text
    snapped: str
    """`running` with misread anchor words put right, character for character."""
    lined: Text


def prepare(schema: Schema, number: int, text: PageText) -> PreparedPage:
    sheet = Sheet(text, folding([line.text for line in text.lines]))
    vocabulary: dict[str | None, tuple[str, ...]] = {
        each.name: each.labels or _own_labels(each) for each in schema.fields
    }
    vocabulary[None] = schema.other_labels
    running = sheet.running()
    return PreparedPage(
        schema=schema,
        number=number,
        sheet=sheet,
        form=read_form(
            sheet,
            vocabulary,
            weak={each.name: each.weak_labels for each in schema.fields},
            multiline={each.name for each in schema.fields if each.kind in _MULTILINE},
            claims=lambda names, line: _claimed(schema, names, line),
        ),
        running=running,
        snapped=snap(running.text, schema.anchors),
        lined=sheet.lined(),
    )


def _claimed(schema: Schema, names: Collection[str], line: str) -> bool:
    """Whether a line is just what a value of one of these fields looks like."""
    for each in schema.fields:
        if each.name in names and each.kind in _TELLING:
            value = normalize(each, line)
            if value is not None and plausibility(each, value) >= 0.9:
                return True
    return False


def _own_labels(wanted: Field) -> tuple[str, ...]:
    """What to look for where a schema declares no labels: the names of the field."""
    if wanted.patterns or wanted.line_patterns or wanted.fallbacks:
        return ()
    return tuple(dict.fromkeys(n.replace("_", " ") for n in (wanted.name, *wanted.aliases)))


def snap(text: str, anchors: Sequence[str]) -> str:
    """`text` with anchor words of four and more characters put right where one was misread.

    A place that two anchors claim is left alone.
    """
    claims: dict[tuple[int, int], set[str]] = {}
    for word in anchors:
        if len(word) < 4:
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


def by_pattern(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    # An expression that is written for lines runs over lines.
    running = [each for each in wanted.patterns if not _FOR_LINES.match(each)]
    lined = [*wanted.line_patterns, *(each for each in wanted.patterns if _FOR_LINES.match(each))]
    for expressions, text, searched, start in (
        (running, page.running, page.snapped, 0.97),
        (lined, page.lined, page.lined.text, 0.95),
    ):
        for rank, expression in enumerate(expressions):
            for match in compiled(expression).finditer(searched):
                group = "value" if "value" in match.re.groupindex else 0
                if match[group] is None:
                    continue
                span = match.span(group)
                snapped = (
                    searched[match.start() : match.end()] != text.text[match.start() : match.end()]
                )
                candidate = candidate_in(wanted, text, span, max(0.6, start - 0.02 * rank))
                if candidate is not None:
                    yield replace(
                        candidate,
                        prior=candidate.prior * (0.97 if snapped else 1.0),
                        pattern=max(0.1, 1 - 0.1 * rank),
                        snapped=float(snapped),
                    )


@lru_cache(maxsize=1024)
def compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE | re.IGNORECASE)


def by_label(wanted: Field, page: PreparedPage) -> Iterator[Candidate]:
    labels = page.form.labels
    ranks = sorted(label.rank for label in labels if label.name == wanted.name)
    for index, label in enumerate(labels):
        if label.name != wanted.name:
            continue
        for choice, block in enumerate(page.form.blocks.get(index, ())):
            prior = 0.96 if block.place == "right" else 0.85
            prior *= label.quality**0.5 * (1 - 0.01 * min(block.distance, 15.0))
            # Where two labels of one field are printed, the one declared first is meant.
            prior *= 0.8 if label.rank > ranks[0] else 1.0
            prior *= 0.6 if label.rank >= WEAK else 1.0
            prior *= 0.95**choice
            if label.height < 0.6 * page.sheet.height:
                # The notes in small print speak of labels, too.
                prior *= 0.7
            for candidate in _in_block(wanted, block, prior):
                yield replace(
                    candidate,
                    label=label.quality,
                    distance=block.distance,
                    below=float(block.place == "below"),
                )


def _in_block(wanted: Field, block: Block, prior: float) -> Iterator[Candidate]:
    edge = min(line[0].u0 for line in block.lines)
    size = block.lines[0][0].height
    lines = [_without_gaps(wanted, line) for line in block.lines if line[0].u0 <= edge + 8 * size]
    if wanted.kind in _MULTILINE:
        if wanted.kind is Kind.ORGANISATION:
            # Under the name of a school stand a date and a seal that repeats the name.
            name = join_rows([tuple(lines[0])]).text
            rest = [line for line in lines[1:] if join_rows([tuple(line)]).text not in name]
            lines = [lines[0], *(line for line in rest if not _is_date(line))]
        for count in {len(lines), 1} if wanted.kind is Kind.ORGANISATION else {len(lines)}:
            text = join_rows([tuple(line) for line in lines[:count]])
            # What goes on under a name that is complete may be something else.
            sure = prior if count == len(lines) else 0.97 * prior
            candidate = candidate_in(wanted, text, (0, _stop(wanted, text.text)), sure)
            if candidate is not None:
                yield candidate
        return
    # One line is enough; where two stand about level with the label, either may be it.
    lines.sort(key=lambda line: abs(line[0].v - block.label.v))
    for rank, line in enumerate(lines[:2] if block.place == "right" else lines[:1]):
        text = join_rows([tuple(line)], piece_mark="\t" if _separate(wanted, line) else "")
        candidate = candidate_in(wanted, text, (0, len(text.text)), prior * (1 - 0.1 * rank))
        if candidate is not None:
            yield candidate


def _is_date(line: Sequence[Piece]) -> bool:
    text = join_rows([tuple(line)]).text
    return any(len(text) <= span.end - span.start + 2 for span in find_dates(text))


def _separate(wanted: Field, line: Sequence[Piece]) -> bool:
    """Whether boxes are words of their own: names are, unless they are spaced letter by letter."""
    return wanted.kind is Kind.PERSON and any(len(piece.glyphs) > 1 for piece in line)


def _without_gaps(wanted: Field, line: Sequence[Piece]) -> list[Piece]:
    """The pieces of a line up to a gap that no value of the kind has, or up to a stain."""
    kept = [line[0]]
    for piece in line[1:]:
        limit = 4.0 if wanted.kind in (Kind.TEXT, Kind.ORGANISATION, Kind.PERSON) else 12.0
        if DATE_CHARACTERS.match(kept[-1].text[-1]) and re.search(r"[年月日至]", piece.text):
            limit = 12.0
        if piece.u0 - kept[-1].u1 > limit * max(piece.height, kept[-1].height):
            break
        if piece.confidence < 0.7 < 0.9 < kept[0].confidence:
            break
        kept.append(piece)
    return kept


def _stop(wanted: Field, text: str) -> int:
    found = [text.find(word) for word in wanted.stops]
    return min((at for at in found if at > 0), default=len(text))


def candidate_in(
    wanted: Field, text: Text, span: tuple[int, int], prior: float
) -> Candidate | None:
    """The value within `span`, as the kind of the field finds it there, or None."""
    keep = _trimmed(wanted, text.text, span)
    inner = Text("".join(text.text[i] for i in keep), tuple(text.origins[i] for i in keep))
    part = _EXTRACT[wanted.kind](wanted, inner.text)
    if part is None:
        return None
    start, end, raw = part
    value = normalize(wanted, raw)
    if value is None:
        return None
    belief = plausibility(wanted, value)
    if belief <= 0.0:
        return None
    if wanted.kind is Kind.PERSON and _torn(inner.glyphs(start, end)):
        belief *= 0.9
    if wanted.kind is Kind.DATE and not find_dates(raw)[0].whole:
        belief *= 0.6
    return Candidate(value, raw, inner.glyphs(start, end), prior, belief)


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


Part = tuple[int, int, str]
"""Start and end within the searched text, and the value as printed."""


def _extract_date(_: Field, text: str) -> Part | None:
    found = find_dates(text)
    return (found[0].start, found[0].end, text[found[0].start : found[0].end]) if found else None


def _extract_money(_: Field, text: str) -> Part | None:
    price = None if re.search(r"[\u3400-\u9fff]", text) else PRICE.search(text)
    if price is not None:
        return (price.start(), price.end(), price.group().strip())
    amount = parse_amount(text)
    if amount is None:
        return None
    if re.search(r"[万亿元圆]", text[amount.end :]) and not re.search(
        r"[万亿元圆]", text[amount.start : amount.end]
    ):
        # A misread numeral parts the amount from its unit.
        return (0, len(text), text)
    tail = _MONEY_TAIL.match(text, amount.end)
    end = tail.end() if tail else amount.end
    head = re.search(
        r"(?:[(]?(?:人民币|美元|港币|欧元|[A-Z]{2,3}|[$€£¥])[)]?\s*)$", text[: amount.start]
    )
    start = head.start() if head else amount.start
    return (start, end, text[start:end].strip())


def _extract_code(wanted: Field, text: str) -> Part | None:
    best: tuple[float, Part] | None = None
    for match in _ALNUM_RUN.finditer(text):
        places = [i for i in range(*match.span()) if text[i].isalnum()]
        string = "".join(text[i] for i in places).upper()
        rough = min(len(string), 20) / 100
        options = [(rough, (match.start(), match.end(), match.group()))]
        for grammar in wanted.grammars:
            for good, start, code in _grammatical(grammar, string):
                options.append((good, (places[start], places[start + len(code) - 1] + 1, code)))
        chosen = max(options, key=lambda option: option[0])
        if best is None or chosen[0] > best[0]:
            best = chosen
    return None if best is None else best[1]


def _grammatical(grammar: CodeGrammar, string: str) -> Iterator[tuple[float, int, str]]:
    """(merit, start, code) of what fits the grammar in a run of letters and digits.

    A letter that the grammar lacks is read as the digit it resembles.  A part of a run counts only
    where a check vouches for it.
    """
    for length in range(min(grammar.longest, len(string)), grammar.shortest - 1, -1):
        if len(string) - length > _STRAY:
            continue
        for start in range(len(string) - length + 1):
            printed = string[start : start + length]
            code = "".join(
                char if char in grammar.characters else _LOOKS_LIKE.get(char, char)
                for char in printed
            )
            if not grammar.matches(code):
                continue
            passed = grammar.checks(code)
            if length < len(string) and not passed:
                continue
            merit = {True: 2.0, None: 1.0, False: 0.5}[passed]
            yield merit - (0.1 if code != printed else 0.0) + 0.01 * length, start, code


def _extract_person(_: Field, text: str) -> Part | None:
    match = _PERSON_HEAD.search(text)
    return None if match is None else (match.start(), match.end(), match.group())


def _extract_whole(_: Field, text: str) -> Part | None:
    return (0, len(text), text) if text.strip() else None


_EXTRACT = {
    Kind.DATE: _extract_date,
    Kind.MONEY: _extract_money,
    Kind.CODE: _extract_code,
    Kind.PERSON: _extract_person,
    Kind.ORGANISATION: _extract_whole,
    Kind.TEXT: _extract_whole,
    Kind.ENUM: _extract_whole,
}

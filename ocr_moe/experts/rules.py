"""The `rules` expert: OCR lines, the schema's labels and patterns, and the layout of the page.

No model is asked.  For every field candidates are gathered from four kinds of source, each is
believed as far as its source, its label and its shape allow, and the best one is the reading:

1. `patterns` over the page's running text (the prose of a diploma), `line_patterns` over its rows;
2. labels, with the text beside or under them (see `ocr_moe.forms`);
3. the schema's `fallbacks`: the organisation's line, the last date, an unlabelled line in a column
   of values;
4. for fields that declare none of these, what their kind suggests.

Features of a reading, all present, for calibration:

    conf            lowest confidence of the OCR lines that carry the value
    plausibility    how far the value looks like its kind and fits the field's `shape` (0-1)
    label           quality of the label's match (1 as declared), 0 without a label
    distance        from the label to the value in text heights, at most 20
    pattern         1 - 0.1 · rank of the pattern that matched, 0 without a pattern
    fallback        1 - 0.1 · rank of the fallback, 0 where none was needed
    below, column   1 where the value stands under its label, or in a column without its label
    support         how many sources gave this value
    rivals          how many other values were considered
    margin          belief in the value less belief in the best other value
    snapped         1 where a misread character was forgiven in the words around the value
    length, lines   characters of the value, and rows over which it stands
    trace           1 where the field's label was found, with or without a value
    parses          date: 1 for a full date, 0.5 for a month.  code: 1 where a grammar and its check
                    agree, 0.5 where only a grammar does.  Otherwise 1 where there is a value.

Where nothing is found the value is None, and `score` is the belief that the field is not on the
page.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from ocr_moe.amounts import parse_amount
from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.dates import find_dates
from ocr_moe.forms import WEAK, Block, Form, read_form
from ocr_moe.hanzi import folding
from ocr_moe.layout import Glyph, Piece, Row, Sheet, Text, join_rows
from ocr_moe.normalize import REVISION as NORMALISATION
from ocr_moe.normalize import normalize
from ocr_moe.plausible import is_organisation, plausibility
from ocr_moe.protocols import Document, Services
from ocr_moe.schema import Fallback, Field, Kind, Schema
from ocr_moe.types import Answer, Cost, PageText, Reading, Value

REVISION = "1"
"""Changes when the expert may read differently."""

_DEFAULT_FALLBACKS: Mapping[Kind, tuple[Fallback, ...]] = {
    Kind.DATE: (Fallback.COLUMN, Fallback.FIRST_DATE),
    Kind.ENUM: (Fallback.ANYWHERE,),
    Kind.CODE: (Fallback.ANYWHERE,),
    Kind.MONEY: (Fallback.COLUMN, Fallback.LARGEST_AMOUNT),
    Kind.ORGANISATION: (Fallback.COLUMN, Fallback.ORGANISATION),
    Kind.PERSON: (Fallback.COLUMN,),
    Kind.TEXT: (),
}
_MULTILINE = (Kind.TEXT, Kind.ORGANISATION)
_TELLING = (Kind.PERSON, Kind.DATE, Kind.MONEY, Kind.CODE)
"""Kinds whose values are known by their looks."""
_DATE_CHARACTERS = re.compile(r"^[\d〇○◯零OoQ一二三四五六七八九十廿卅壹贰叁肆伍陆柒捌玖拾元年月日曰 .-]+$")
_YEARLESS = re.compile(
    r"(?:[\d〇○零一二三四五六七八九]{0,4}年)?"
    r"(?P<rest>[\d一二三四五六七八九十]{1,2}月[\d一二三四五六七八九十廿卅]{1,3}日)"
)
_MONEY_TAIL = re.compile(r"[\s元圆园圓整正人民币美金港欧日英镑]*(?:\([^()]{0,8}\))?")
_PRICE = re.compile(
    r"(?:\b(?:RM|USD|EUR|GBP|CNY|RMB|HKD|JPY|SGD|AUD|CAD|INR|MYR|Rs)\.?|[$€£¥])?\s*-?\d[\d,]*\.\d{2}(?!\d)"
)
_ALNUM_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z\s.·-]*[0-9A-Za-z]")
_STRAY = 2
"""Stray characters at the ends of a code that are forgiven."""
_FOR_LINES = re.compile(r"\(\?[aiLsux]*m")
_LOOKS_LIKE = {"O": "0", "Q": "0", "I": "1", "L": "1", "S": "5", "Z": "2", "B": "8"}
_PERSON_HEAD = re.compile(
    r"[\u3400-\u9fff]{1,8}(?:[·•・.][\u3400-\u9fff]{1,8})*|[A-Za-z][A-Za-z'. ,-]*[A-Za-z.]"
)


@dataclass(frozen=True)
class _Candidate:
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
class _Page:
    """A page prepared for reading, shared by all fields."""

    schema: Schema
    number: int
    sheet: Sheet
    form: Form
    running: Text
    snapped: str
    """`running` with misread anchor words put right, character for character."""
    lined: Text


class RulesExpert:
    """Reads fields by labels, patterns and layout; see the module's docstring."""

    class Params(Value):
        minimum: float = 0.12
        """Belief below which a candidate is not offered."""

    def __init__(self, name: str, params: Params, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        return f"rules/{REVISION}/{NORMALISATION}/{self._params.minimum}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        texts = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        pages = [_prepare(document.schema, number, text) for number, text in texts]
        readings = tuple(self._reading(each, pages) for each in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))

    def _reading(self, wanted: Field, pages: Sequence[_Page]) -> Reading:
        gathered: list[tuple[_Candidate, _Page]] = []
        for page in pages:
            gathered += [(candidate, page) for candidate in _candidates(wanted, page)]
        if wanted.kind is Kind.MONEY:
            gathered = _prefer_prices(gathered)
        trace = any(label.name == wanted.name for page in pages for label in page.form.labels)
        offered = [
            (candidate, page)
            for candidate, page in gathered
            if candidate.belief >= self._params.minimum
        ]
        if not offered:
            return _nothing(wanted, trace, [page.sheet for page in pages])
        return _best(wanted, offered, trace)


def _nothing(wanted: Field, trace: bool, sheets: Sequence[Sheet]) -> Reading:
    lines = sum(len(sheet.page.lines) for sheet in sheets)
    if trace:
        note, score = "label found, no value beside it", 0.6
    elif lines < 3:
        note, score = "hardly any text was read on the page", 0.05
    elif wanted.required:
        note, score = "not found", 0.2
    else:
        note, score = "no trace of it on the page", 0.8
    features = dict.fromkeys(_FEATURES, 0.0) | {"trace": float(trace)}
    return Reading(field=wanted.name, score=score, features=features, notes=(note,))


_FEATURES = (
    "conf",
    "plausibility",
    "label",
    "distance",
    "pattern",
    "fallback",
    "below",
    "column",
    "support",
    "rivals",
    "margin",
    "snapped",
    "length",
    "lines",
    "trace",
    "parses",
)


def _prefer_prices(
    gathered: Sequence[tuple[_Candidate, _Page]],
) -> list[tuple[_Candidate, _Page]]:
    """Sums on a bill: with cents where any has them, and of those beside one label the largest."""
    amounts = [parse_amount(candidate.value) for candidate, _ in gathered]
    values = [amount.value if amount else Decimal(0) for amount in amounts]
    cents = [bool(_PRICE.search(candidate.value)) for candidate, _ in gathered]
    kept = []
    for (candidate, page), value, cent in zip(gathered, values, cents, strict=True):
        factor = 0.3 if any(cents) and not cent else 1.0
        rivals = [
            other
            for (rival, _), other, fine in zip(gathered, values, cents, strict=True)
            if rival.label >= candidate.label and fine == cent
        ]
        if candidate.label and any(other > value for other in rivals):
            factor *= 0.9
        kept.append((replace(candidate, prior=candidate.prior * factor), page))
    return kept


def _best(
    wanted: Field, offered: Sequence[tuple[_Candidate, _Page]], trace: bool
) -> Reading:
    beliefs: dict[str, float] = {}
    witnesses: dict[tuple[str, Glyph | None, bool, bool], float] = {}
    for candidate, _ in offered:
        # The same characters, found in the same way by two patterns, are one witness.
        first = candidate.glyphs[0] if candidate.glyphs else None
        place = (candidate.value, first, candidate.pattern > 0, candidate.label > 0)
        witnesses[place] = max(witnesses.get(place, 0.0), candidate.belief)
    for (each, *_), belief in sorted(witnesses.items(), key=lambda item: -item[1]):
        held = beliefs.get(each, 0.0)
        beliefs[each] = held + 0.3 * belief * (1 - held) if held else belief
    value = max(beliefs, key=lambda v: beliefs[v])
    if wanted.kind is Kind.ORGANISATION:
        value = _full_name(value, [candidate.value for candidate, _ in offered])
    chosen, page = max(
        ((c, p) for c, p in offered if c.value == value), key=lambda pair: pair[0].belief
    )
    second = max((belief for v, belief in beliefs.items() if v != value), default=0.0)
    confidence = page.sheet.confidence(chosen.glyphs)
    score = min(1.0, beliefs[value] * (0.4 + 0.6 * confidence))
    if second > 0.7 * beliefs[value]:
        score *= 0.85
    rows = {round(glyph.v / max(page.sheet.height, 1e-6)) for glyph in chosen.glyphs}
    features = {
        "conf": confidence,
        "plausibility": chosen.plausibility,
        "label": chosen.label,
        "distance": min(chosen.distance, 20.0),
        "pattern": chosen.pattern,
        "fallback": chosen.fallback,
        "below": chosen.below,
        "column": chosen.column,
        "support": float(sum(c.value == value for c, _ in offered)),
        "rivals": float(len(beliefs) - 1),
        "margin": beliefs[value] - second,
        "snapped": chosen.snapped,
        "length": float(len(value)),
        "lines": float(len(rows)),
        "trace": float(trace),
        "parses": _parses(wanted, value),
    }
    return Reading(
        field=wanted.name,
        value=value,
        raw=chosen.raw,
        score=round(score, 6),
        evidence=page.sheet.evidence(chosen.glyphs, page.number),
        features={name: round(number, 6) for name, number in features.items()},
    )


def _full_name(value: str, offered: Sequence[str]) -> str:
    """The longer name that begins with `value`, where several places on the page agree on it."""
    longer = [o for o in offered if o.startswith(value) and o != value and offered.count(o) > 1]
    return max(longer, key=lambda each: (offered.count(each), len(each)), default=value)


def _parses(wanted: Field, value: str) -> float:
    if wanted.kind is Kind.DATE:
        return 1.0 if len(value) == 10 else 0.5
    if wanted.kind is Kind.CODE and wanted.grammars:
        matching = [grammar for grammar in wanted.grammars if grammar.matches(value)]
        if any(grammar.checks(value) is not False for grammar in matching):
            return 1.0
        return 0.5 if matching else 0.0
    return 1.0


# --- preparing a page ---------------------------------------------------------------------------


def _prepare(schema: Schema, number: int, text: PageText) -> _Page:
    sheet = Sheet(text, folding([line.text for line in text.lines]))
    vocabulary: dict[str | None, tuple[str, ...]] = {
        each.name: each.labels or _own_labels(each) for each in schema.fields
    }
    vocabulary[None] = schema.other_labels
    running = sheet.running()
    return _Page(
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


# --- candidates ---------------------------------------------------------------------------------


def _candidates(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    found = [*_by_pattern(wanted, page), *_by_label(wanted, page)]
    yield from found
    if any(candidate.belief >= 0.6 for candidate in found):
        return
    declared = wanted.fallbacks or (() if wanted.patterns else _DEFAULT_FALLBACKS[wanted.kind])
    for rank, fallback in enumerate(declared):
        for candidate in _FALLBACKS[fallback](wanted, page):
            yield replace(
                candidate,
                prior=candidate.prior * (1 - 0.06 * rank),
                fallback=1 - 0.1 * rank,
            )


def _by_pattern(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    # An expression that is written for lines runs over lines.
    running = [each for each in wanted.patterns if not _FOR_LINES.match(each)]
    lined = [*wanted.line_patterns, *(each for each in wanted.patterns if _FOR_LINES.match(each))]
    for expressions, text, searched, start in (
        (running, page.running, page.snapped, 0.97),
        (lined, page.lined, page.lined.text, 0.95),
    ):
        for rank, expression in enumerate(expressions):
            for match in _compiled(expression).finditer(searched):
                group = "value" if "value" in match.re.groupindex else 0
                if match[group] is None:
                    continue
                span = match.span(group)
                snapped = searched[match.start() : match.end()] != text.text[
                    match.start() : match.end()
                ]
                candidate = _candidate(wanted, text, span, max(0.6, start - 0.02 * rank))
                if candidate is not None:
                    yield replace(
                        candidate,
                        prior=candidate.prior * (0.97 if snapped else 1.0),
                        pattern=max(0.1, 1 - 0.1 * rank),
                        snapped=float(snapped),
                    )


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE | re.IGNORECASE)


def _by_label(wanted: Field, page: _Page) -> Iterator[_Candidate]:
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


def _in_block(wanted: Field, block: Block, prior: float) -> Iterator[_Candidate]:
    edge = min(line[0].u0 for line in block.lines)
    size = block.lines[0][0].height
    lines = [
        _without_gaps(wanted, line) for line in block.lines if line[0].u0 <= edge + 8 * size
    ]
    if wanted.kind in _MULTILINE:
        if wanted.kind is Kind.ORGANISATION:
            # The date of a foot stands under the name of a school, and may be taken for its rest.
            lines = [lines[0], *(line for line in lines[1:] if not _is_date(line))]
        for count in {len(lines), 1} if wanted.kind is Kind.ORGANISATION else {len(lines)}:
            text = join_rows([tuple(line) for line in lines[:count]])
            # What goes on under a name that is complete may be something else.
            sure = prior if count == len(lines) else 0.97 * prior
            candidate = _candidate(wanted, text, (0, _stop(wanted, text.text)), sure)
            if candidate is not None:
                yield candidate
        return
    # One line is enough; where two stand about level with the label, either may be it.
    lines.sort(key=lambda line: abs(line[0].v - block.label.v))
    for rank, line in enumerate(lines[:2] if block.place == "right" else lines[:1]):
        text = join_rows([tuple(line)], piece_mark="\t" if _separate(wanted, line) else "")
        candidate = _candidate(wanted, text, (0, len(text.text)), prior * (1 - 0.1 * rank))
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
        if _DATE_CHARACTERS.match(kept[-1].text[-1]) and re.search(r"[年月日至]", piece.text):
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


def _candidate(
    wanted: Field, text: Text, span: tuple[int, int], prior: float
) -> _Candidate | None:
    """The value within `span`, as the kind of the field finds it there, or None."""
    keep = _trimmed(wanted, text.text, span)
    inner = Text(
        "".join(text.text[i] for i in keep), tuple(text.origins[i] for i in keep)
    )
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
    return _Candidate(value, raw, inner.glyphs(start, end), prior, belief)


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
        for match in _compiled(expression).finditer(string):
            gone.update(range(*match.span()))
        keep = [i for position, i in enumerate(keep) if position not in gone]
    return keep


Part = tuple[int, int, str]
"""Start and end within the searched text, and the value as printed."""


def _extract_date(_: Field, text: str) -> Part | None:
    found = find_dates(text)
    return (found[0].start, found[0].end, text[found[0].start : found[0].end]) if found else None


def _extract_money(_: Field, text: str) -> Part | None:
    price = None if re.search(r"[\u3400-\u9fff]", text) else _PRICE.search(text)
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
    head = re.search(r"(?:[(]?(?:人民币|美元|港币|欧元|[A-Z]{2,3}|[$€£¥])[)]?\s*)$", text[: amount.start])
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


# --- fallbacks ----------------------------------------------------------------------------------


def _row_texts(page: _Page) -> Iterator[tuple[Row, Text]]:
    """Every piece, and every row of several pieces, as a text of its own."""
    for row in page.sheet.rows:
        for piece in row:
            yield (piece,), join_rows([(piece,)])
        if len(row) > 1:
            yield row, join_rows([row])


def _whole(wanted: Field, page: _Page, text: Text, prior: float) -> _Candidate | None:
    """The text as a value, unless it is one of the words by which the document is known."""
    candidate = _candidate(wanted, text, (0, len(text.text)), prior)
    if candidate is not None and candidate.value in page.schema.words:
        return None
    return candidate


def _first_line(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    for rank, row in enumerate(page.sheet.rows[:6]):
        candidate = _whole(wanted, page, join_rows([row]), 0.7 - 0.08 * rank)
        if candidate is not None and candidate.plausibility >= 0.5:
            yield candidate


def _labelled(wanted: Field, page: _Page) -> set[Glyph]:
    """Where the values close beside the labels of other fields begin."""
    return {
        block.lines[0][0].glyphs[0]
        for index, label in enumerate(page.form.labels)
        if label.name != wanted.name and label.quality >= 0.75
        for block in page.form.blocks.get(index, ())[:1]
        if block.distance <= 2
    }


def _organisation(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    tall = page.sheet.height
    others = _labelled(wanted, page)
    for position, (row, text) in enumerate(_row_texts(page)):
        candidate = _whole(wanted, page, text, 0.6)
        if candidate is None or not is_organisation(candidate.value):
            continue
        if candidate.glyphs[0] in others:
            continue
        size = statistics.median(piece.height for piece in row) / tall
        prior = 0.6 + 0.1 * min(max(size - 1.0, 0.0), 2.0)
        # Side by side stand a name and something else more often than two parts of a name.
        prior *= 0.9 if len(row) > 1 else 1.0
        if candidate.value.isascii():
            # A letterhead stands on top; further down, names are of other parties.
            prior -= 0.02 * min(position, 10)
        yield replace(candidate, prior=prior)
    for piece in page.sheet.tilted:
        candidate = _whole(wanted, page, join_rows([(piece,)]), 0.35)
        if candidate is not None and is_organisation(candidate.value):
            yield candidate


def _dates(wanted: Field, page: _Page) -> list[_Candidate]:
    """Dates of the page from top to bottom, without those that are another field's."""
    text = page.running.text
    spans = [
        (page.running, (span.start, span.end))
        for span in find_dates(text)
        if not re.search(r"born\s*(?:on|in)?\s*$", text[: span.start], re.IGNORECASE)
        and not re.match(r"\s*出?生[,，。在于于]", text[span.end :])
    ]
    known = {glyph for source, span in spans for glyph in source.glyphs(*span)}
    for scattered in _scattered_dates(page.sheet):
        for span in find_dates(scattered.text):
            if not known.issuperset(scattered.glyphs(span.start, span.end)):
                spans.append((scattered, (span.start, span.end)))
    claimed = {
        glyph
        for other in page.schema.fields
        if other.kind is Kind.DATE and other.name != wanted.name
        for candidate in (*_by_pattern(other, page), *_by_label(other, page))
        if candidate.belief >= 0.6
        for glyph in candidate.glyphs
    }
    found = [_candidate(wanted, source, span, 0.7) for source, span in spans]
    free = (c for c in found if c is not None and c.glyphs and not claimed.issuperset(c.glyphs))
    return sorted(free, key=lambda c: c.glyphs[0].v)


def _scattered_dates(sheet: Sheet) -> Iterator[Text]:
    """Pieces of nothing but date characters that stand about level, put side by side.

    Handwritten or stamped digits seldom share the baseline of the printed 年, 月 and 日.
    """
    pieces = [
        piece
        for row in sheet.rows
        for piece in row
        if _DATE_CHARACTERS.match(piece.text) or piece.text in "年月日"
    ]
    groups: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.v):
        for group in groups:
            if abs(group[-1].v - piece.v) <= 1.3 * max(piece.height, group[-1].height):
                group.append(piece)
                break
        else:
            groups.append([piece])
    for group in groups:
        if len(group) > 1:
            yield join_rows([tuple(sorted(group, key=lambda p: p.u0))])


def _first_date(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    yield from _dates(wanted, page)[:1]


def _last_date(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    dates = _dates(wanted, page)
    full = [candidate for candidate in dates if len(candidate.value) == 10]
    for rank, candidate in enumerate(reversed(full or dates)):
        yield replace(candidate, prior=candidate.prior * (1 - 0.25 * min(rank, 3)))


def _largest_amount(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    best: tuple[float, _Candidate] | None = None
    for _, text in _row_texts(page):
        if not (_PRICE.search(text.text) or re.search(r"[元圆]", text.text)):
            continue
        candidate = _whole(wanted, page, text, 0.5)
        amount = parse_amount(candidate.value) if candidate else None
        if candidate is not None and amount is not None:
            rank = float(amount.value)
            if best is None or rank > best[0]:
                best = (rank, candidate)
    if best is not None:
        yield best[1]


def _anywhere(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    if wanted.kind is Kind.ENUM:
        running = page.running.text.lower()
        for value, synonyms in wanted.values.items():
            for word in sorted((value, *synonyms), key=len, reverse=True):
                at = running.find(word.lower()) if len(running) == len(page.running.text) else -1
                if at >= 0:
                    yield _Candidate(value, word, page.running.glyphs(at, at + len(word)), 0.5, 1.0)
                    break
        return
    others = _labelled(wanted, page)
    for _, text in _row_texts(page):
        candidate = _whole(wanted, page, text, 0.75)
        if (
            candidate is not None
            and candidate.plausibility >= 0.7
            and candidate.glyphs[0] not in others
        ):
            yield candidate


def _from_code(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    """What a code on the page says of the field: its value, or the year of a date."""
    for other in page.schema.fields:
        for grammar in other.grammars:
            for segment in grammar.segments:
                binding = segment.binding
                if binding is None or binding.field != wanted.name:
                    continue
                for code in (*_by_label(other, page), *_anywhere(other, page)):
                    span = (grammar.parse(code.value) or {}).get(segment.name)
                    if span is None:
                        continue
                    told = code.value[slice(*span)]
                    if binding.via == "values":
                        yield from _told(code, told, binding.values)
                    elif binding.via == "year" and len(told) == 4:
                        yield from _with_year(wanted, page, told)


def _told(
    code: _Candidate, told: str, values: Mapping[str, Sequence[str]]
) -> Iterator[_Candidate]:
    for value, codes in values.items():
        if told in codes:
            yield replace(code, value=value, raw=told, prior=0.7 * code.prior, plausibility=1.0)


def _with_year(wanted: Field, page: _Page, year: str) -> Iterator[_Candidate]:
    """The last month and day on the page that lost their year, with the year of the code."""
    partial = [
        match
        for match in _YEARLESS.finditer(page.running.text)
        if not any(
            span.whole and span.start < match.end() and match.start() < span.end
            for span in find_dates(page.running.text)
        )
    ]
    if not partial:
        return
    match = partial[-1]
    value = normalize(wanted, f"{year}年{match['rest']}")
    if value is not None and len(value) == 10:
        glyphs = page.running.glyphs(*match.span())
        yield _Candidate(value, match.group(), glyphs, 0.5, 1.0)


def _column(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    if wanted.kind is Kind.TEXT and not wanted.shape:
        return
    for block in page.form.orphans:
        text = join_rows([tuple(line) for line in block.lines])
        candidate = _whole(wanted, page, text, 0.65)
        if candidate is not None and candidate.plausibility >= 0.7:
            yield replace(candidate, column=1.0)


def _block(wanted: Field, page: _Page) -> Iterator[_Candidate]:
    """The first rows that fit the shape, going on over one row that neither fits nor is rejected."""
    if not wanted.shape:
        return
    fits: list[bool | None] = []
    for row in page.sheet.rows:
        text = join_rows([row]).text
        rejected = bool(wanted.reject and _compiled(wanted.reject).search(text))
        fits.append(None if rejected else bool(_compiled(wanted.shape).search(text)))
    if True not in fits:
        return
    first = last = fits.index(True)
    for index in range(first + 1, len(fits)):
        if fits[index] is None or index > last + 2:
            break
        if fits[index]:
            last = index
    candidate = _whole(wanted, page, join_rows(page.sheet.rows[first : last + 1]), 0.6)
    if candidate is not None:
        yield candidate


_FALLBACKS = {
    Fallback.FIRST_LINE: _first_line,
    Fallback.ORGANISATION: _organisation,
    Fallback.FIRST_DATE: _first_date,
    Fallback.LAST_DATE: _last_date,
    Fallback.LARGEST_AMOUNT: _largest_amount,
    Fallback.CODE: _from_code,
    Fallback.ANYWHERE: _anywhere,
    Fallback.COLUMN: _column,
    Fallback.BLOCK: _block,
}

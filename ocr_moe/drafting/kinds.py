"""What kind of field values seem to be of, by how they look."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.drafting.grammars import bare, induced
from ocr_moe.folds import fold_value, has_cjk
from ocr_moe.schema import Field, Kind
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import find_dates
from ocr_moe.values.names import is_organisation, person_belief
from ocr_moe.values.quantities import parse_percentage, parse_quantity
from ocr_moe.values.times import parse_time

_MOST = 0.7
"""Share of the values from which a field is of a kind: the others may be misread."""
_COVERED = 0.6
"""Share of a value's characters that the date in it has to have."""
_PERSON = 0.75
"""Belief in a person's name from which a value is one."""
_CODE_DIGITS = 4
"""Digits that a code has at least, unless its words say that it is one …"""
_CODE_SHARE = 0.35
"""… and their share of it."""
_ENUM_VALUES = 8
"""Values of an enum at most …"""
_ENUM_EACH = 3.0
"""… of which each stands on that many samples, on average …"""
_ENUM_LENGTH = 10
"""… and none has more characters."""
_ENUM_LATIN_WORDS = 3
_HEAD = 4
_DIFFERING = 0.3
"""Share of the values whose first characters differ, from which they may be names of organisations:
kinds of them, such as 有限责任公司(自然人独资), come again."""
_UNIT_SHARE = 0.2
"""Share of the values that have a unit, from which it is a unit of the field."""
_CHOICES = (
    ("男", "女"),
    ("是", "否"),
    ("M", "F"),
    ("MALE", "FEMALE"),
    ("YES", "NO"),
)
"""Values that are an enum's on however few samples."""
_SYNONYMS: Mapping[str, tuple[str, ...]] = {"男": ("Male",), "女": ("Female",)}
_OF_CODES = re.compile(
    r"号|號|码|碼|代码|编码|账户|\b(?:no|nr|number|code|id|ref|reference|iban|swift|vin|imei)\b|#|№",
    re.IGNORECASE,
)
_OF_MONEY = re.compile(
    r"金额|价|税额|合计|总计|费|款|资本|余额|应付|实付|小计|amount|total|price|sum|balance|due|cash|"
    r"change|tax|gst|vat|subtotal|fee|pay",
    re.IGNORECASE,
)
_OF_PERSONS = re.compile(
    r"姓名|人$|代表|经营者|负责人|经办|审核|收款人|\bname\b|holder|cashier|signed|attention|attn",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"[¥￥$€£]|RM\b|元|圆|CNY|USD|EUR|MYR|RMB|人民币", re.IGNORECASE)
_CENTS = re.compile(r"^[-+]?[\d ,]*\d\.\d{2}-?$")
_PLAIN_NUMBER = re.compile(r"^[-+]?\d[\d,]*(?:\.\d+)?$")
_NUMBER = Field(name="number", kind=Kind.NUMBER)


@dataclass(frozen=True)
class Guess:
    """What kind of field values are of."""

    kind: Kind
    fitting: int
    """How many of the values look it …"""
    of: int
    """… of how many."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grammars: tuple[CodeGrammar, ...] = ()


def guess_of(values: Sequence[str], words: str = "") -> Guess:
    """The kind of field that has these values; `words` are those that announce it."""
    texts = [text for value in values if (text := _plain(value))]
    if not texts:
        return Guess(Kind.TEXT, 0, 0)
    choices = _choices(texts)
    if choices is not None:
        return choices
    for kind, looks in _LOOKS:
        if (kind is Kind.MONEY and not _may_be_money(texts, words)) or (
            kind is Kind.NUMBER and _are_codes(texts, words)
        ):
            continue
        fitting = sum(looks(text) for text in texts)
        if fitting >= _MOST * len(texts):
            units = _units(texts) if kind is Kind.NUMBER else {}
            return Guess(kind, fitting, len(texts), units=units)
    if _are_codes(texts, words):
        fitting = sum(is_code(text) for text in texts)
        return Guess(Kind.CODE, fitting, len(texts), grammars=induced(list(filter(is_code, texts))))
    enum = _enum(texts)
    if enum is not None:
        return enum
    names = sum(person_belief(text) >= _PERSON for text in texts)
    firms = sum(is_organisation(text) for text in texts)
    differing = len({fold_value(text)[:_HEAD] for text in texts})
    if firms >= 0.5 * len(texts) and firms > names and differing >= _DIFFERING * len(texts):
        return Guess(Kind.ORGANISATION, firms, len(texts))
    if names >= _MOST * len(texts) and _are_names(texts, words):
        return Guess(Kind.PERSON, names, len(texts))
    return Guess(Kind.TEXT, len(texts), len(texts))


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).split()).strip(" :;,。、")


def is_date(text: str) -> bool:
    """Whether a text is a date and little else."""
    spans = find_dates(text)
    kept = sum(span.end - span.start for span in spans[:1])
    return bool(spans) and kept >= _COVERED * len(text) and len(spans) == 1


def _is_percentage(text: str) -> bool:
    return len(text) <= 12 and text.endswith(("%", "‰")) and parse_percentage(text) is not None


def _is_time(text: str) -> bool:
    return len(text) <= 14 and ":" in text and parse_time(text) is not None


def _is_money(text: str) -> bool:
    amount = parse_amount(text)
    if amount is None:
        return False
    kept = _CURRENCY.sub("", text)
    covered = amount.end - amount.start >= 0.5 * len(kept.strip())
    return covered and bool(
        _CENTS.match(text) or _CURRENCY.search(text) or _PLAIN_NUMBER.match(text)
    )


def _is_number(text: str) -> bool:
    found = parse_quantity(_NUMBER, text)
    if found is None or found.start > 0:
        return False
    return found.end >= 0.6 * len(text)


def _is_measured(text: str) -> bool:
    """Whether a text is a number with a unit and nothing else."""
    found = parse_quantity(_NUMBER, text)
    return found is not None and bool(found.unit) and (found.start, found.end) == (0, len(text))


_LOOKS: tuple[tuple[Kind, Callable[[str], bool]], ...] = (
    (Kind.DATE, is_date),
    (Kind.PERCENTAGE, _is_percentage),
    (Kind.TIME, _is_time),
    (Kind.MONEY, _is_money),
    (Kind.NUMBER, _is_number),
)
"""Kinds that looks tell, the strictest first."""


def is_code(text: str) -> bool:
    """Whether a text is made of digits and letters like a number of something."""
    code = bare(text)
    if not code or has_cjk(text) or not re.fullmatch(r"[0-9A-Z<]+", code):
        return False
    if is_date(text) and not text.isdigit():
        return False
    digits = sum(char.isdigit() for char in code)
    return (digits >= _CODE_DIGITS and digits >= _CODE_SHARE * len(code)) or (
        len(code) >= 30 and "<" in code
    )


def _are_codes(texts: Sequence[str], words: str) -> bool:
    """Whether what may be a number or a code is a code: a number is seldom as long, always as long, or
    begins with zeros."""
    codes = [text for text in texts if is_code(text)]
    if len(codes) < _MOST * len(texts):
        return False
    if _OF_CODES.search(words):
        return True
    if sum(map(_is_measured, codes)) >= _MOST * len(codes):
        return False
    if any(not text.replace(" ", "").isdigit() for text in codes):
        return not all(_PLAIN_NUMBER.match(text) for text in codes)
    lengths = {len(bare(text)) for text in codes}
    return (
        any(text.startswith("0") for text in codes)
        or min(lengths) >= 10
        or (len(lengths) == 1 and len(codes) >= 3 and min(lengths) >= 6)
    )


def _may_be_money(texts: Sequence[str], words: str) -> bool:
    signs = sum(bool(_CURRENCY.search(text) or _CENTS.match(text)) for text in texts)
    return signs >= 0.5 * len(texts) or bool(
        _OF_MONEY.search(words) and not _OF_CODES.search(words)
    )


def _choices(texts: Sequence[str]) -> Guess | None:
    for words in _CHOICES:
        known = {word.casefold(): word for word in words}
        fitting = [known[text.casefold()] for text in texts if text.casefold() in known]
        if len(fitting) >= _MOST * len(texts):
            values = {word: _SYNONYMS.get(word, ()) for word in words}
            return Guess(Kind.ENUM, len(fitting), len(texts), values=values)
    return None


def _enum(texts: Sequence[str]) -> Guess | None:
    """A few values that come again and again."""
    folded: dict[str, list[str]] = {}
    for text in texts:
        folded.setdefault(fold_value(text).casefold(), []).append(text)
    common = [texts_of for texts_of in folded.values() if len(texts_of) > 1]
    fitting = sum(map(len, common))
    if not 2 <= len(common) <= _ENUM_VALUES or fitting < 0.85 * len(texts):
        return None
    if len(texts) < _ENUM_EACH * len(folded) or any(_is_long(each[0]) for each in common):
        return None
    values: dict[str, tuple[str, ...]] = {
        Counter(each).most_common(1)[0][0]: () for each in sorted(common, key=len, reverse=True)
    }
    return Guess(Kind.ENUM, fitting, len(texts), values=values)


def _is_long(text: str) -> bool:
    if has_cjk(text):
        return len(text) > _ENUM_LENGTH
    return len(text.split()) > _ENUM_LATIN_WORDS


def _are_names(texts: Sequence[str], words: str) -> bool:
    """Chinese names are known by themselves; of Latin words the label has to say it."""
    if _OF_PERSONS.search(words):
        return True
    chinese = [text for text in texts if has_cjk(text)]
    surnames = sum(person_belief(text) >= 1.0 for text in chinese)
    return len(chinese) >= 0.8 * len(texts) and surnames >= _MOST * len(texts)


def _units(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    counted = Counter(
        found.unit
        for text in texts
        if (found := parse_quantity(_NUMBER, text)) is not None and found.unit
    )
    return {unit: () for unit, count in counted.items() if count >= _UNIT_SHARE * len(texts)}

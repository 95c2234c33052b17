"""Numbers with a unit, and percentages, in digits or in Chinese numerals.

A number is written in plain digits with a point and without separators of thousands, its unit behind
it; a percentage likewise, with its sign.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ocr_moe.schema import Field
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.printed import Part

_DIGITS = re.compile(
    r"(?<![\d.,])(?:[-+±]\s?)?(?:(?P<point>\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"|(?P<comma>\d{1,3}(?:\.\d{3})+,\d+|\d+,\d{1,2}))(?![\d.,]\d|\d)"
)
"""1,234.50 and 1 234.50, or, as most of Europe prints it, 1.234,50 and 12,5."""
_MULTIPLE = re.compile(r"\s*[十百千万亿萬億]+(?!克|米|瓦|卡|分之)")
_CHINESE = re.compile(r"[零〇一二三四五六七八九十百千万亿两]+(?:点[零〇一二三四五六七八九]+)?")
_LATIN_UNIT = re.compile(r"\s?(?:[A-Za-zµμΩ°℃℉]+[²³23]?)(?:/[A-Za-z]+[²³23]?)?")
_HAN_UNIT = re.compile(
    r"\s?(?:平方|立方)?(?:公斤|千克|毫克|克|吨|公里|千米|厘米|毫米|米|毫升|升|学分|学时|课时|分钟|小时"
    r"|千瓦时|公顷|亩|分|秒|天|日|岁|周|个月|月|年|人|名|个|件|箱|只|台|套|份|张|页|次|门|度|斤)"
)
_CHINESE_DIGITS = {char: str(i % 10) for i, char in enumerate("零一二三四五六七八九")} | {"〇": "0"}
_SIGN = r"(?:%|percent|per\s?cent|pct\.?)"
_PERCENTAGE = re.compile(
    rf"(?P<part>百分之)\s?(?P<words>[零〇一二三四五六七八九十百两]+(?:点[零〇一二三四五六七八九]+)?|\d+(?:\.\d+)?)"
    rf"|(?<![\d.,])(?P<number>(?:[-+]\s?)?\d+(?:[.,]\d+)?)\s?(?:(?P<mille>‰)|{_SIGN})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quantity:
    """A number and its unit, and the span of the text that says so."""

    number: str
    """In plain digits, with the decimals that are printed."""
    unit: str
    """As the field's schema writes it, else as printed; empty where there is none."""
    start: int
    end: int

    @property
    def value(self) -> str:
        return (
            f"{self.number} {self.unit}" if self.unit[:1].isascii() and self.unit else self._glued
        )

    @property
    def _glued(self) -> str:
        return f"{self.number}{self.unit}"


def parse_quantity(field: Field, text: str) -> Quantity | None:
    """The first number with one of the field's units; where none has any, the first number."""
    first: Quantity | None = None
    for number, start, end in _numbers(text):
        unit, after = _unit_at(field, text, end)
        found = Quantity(number, unit, start, after)
        if unit:
            return found
        if end - start > 1 or text[start].isascii() or text.strip() == text[start:end]:
            first = first or found  # 一 alone is mostly part of a word
    return first


def number_of(value: str) -> Decimal | None:
    """What a written number or percentage counts, percentages as parts of one: 12.5% is 0.125."""
    found = re.match(r"[-+]?\d+(?:\.\d+)?", value)
    if found is None:
        return None
    number = Decimal(found.group())
    return number / 100 if value.endswith("%") else number


def parse_number(field: Field, text: str) -> str | None:
    found = parse_quantity(field, text)
    return None if found is None else found.value


def find_number(field: Field, text: str) -> Part | None:
    found = parse_quantity(field, text)
    return None if found is None else Part(found.start, found.end, text[found.start : found.end])


def same_number(a: str, b: str) -> bool:
    """By number, and by unit where both name one."""
    (left, one), (right, other) = _parted(a), _parted(b)
    if left is None or left != right:
        return False
    return not one or not other or one.casefold() == other.casefold()


_WITHOUT_UNIT = 0.7
"""Belief in a number without a unit where the schema says which units there are."""
_BARE_NUMBER = 0.9
"""The same where it names none: a number may be anything's."""


def number_belief(field: Field, value: str) -> float:
    number, unit = _parted(value)
    if number is None:
        return 0.0
    if field.units:
        return 1.0 if unit in field.units else _WITHOUT_UNIT
    return 1.0 if unit else _BARE_NUMBER


_WITHOUT_SIGN = 0.6
"""Certainty of a percentage whose sign is not beside it: in the label, or not read."""


def parse_percentage(text: str) -> str | None:
    found = _percentage(text)
    return None if found is None else f"{found[0]}%"


def find_percentage(text: str) -> Part | None:
    found = _percentage(text)
    if found is None:
        return None
    _, (start, end), sure = found
    return Part(start, end, text[start:end], 1.0 if sure else _WITHOUT_SIGN)


def same_percentage(a: str, b: str) -> bool:
    left, right = number_of(a), number_of(b)
    return left is not None and left == right


_BEYOND = 0.5
"""Belief in more than a hundred per cent, which growth may be and a share may not."""


def percentage_belief(value: str) -> float:
    number = number_of(value)
    if number is None:
        return 0.0
    return 1.0 if 0 <= number <= 1 else _BEYOND


def _percentage(text: str) -> tuple[str, tuple[int, int], bool] | None:
    """(number of hundredths, span, whether the sign stands there) of the first percentage."""
    match = _PERCENTAGE.search(text)
    if match is not None:
        printed = match["words"] or match["number"]
        number = _plain(printed) if printed[-1] in "0123456789" else _in_words(printed)
        if number is not None:
            if match["mille"]:
                number = f"{Decimal(number) / 10:f}"
            return number, match.span(), True
    bare = next(_numbers(text), None)
    return None if bare is None else (bare[0], bare[1:], False)


def _numbers(text: str) -> Iterator[tuple[str, int, int]]:
    """(number in plain digits, start, end) of every number, from left to right."""
    at = 0
    while at < len(text):
        digits, words = _DIGITS.search(text, at), _CHINESE.search(text, at)
        if digits is not None and (words is None or digits.start() <= words.start()):
            number, start, at = _plain(digits.group()), digits.start(), digits.end()
            if (multiple := _MULTIPLE.match(text, at)) is not None:
                amount = parse_amount(text[start:])
                if amount is not None:
                    number, at = f"{amount.value.normalize():f}", start + amount.end
                    at = max(at, multiple.end())
        elif words is not None:
            number, start, at = _in_words(words.group()), words.start(), words.end()
        else:
            return
        if number is not None:
            yield number, start, at


def _plain(printed: str) -> str | None:
    """Digits with a point, and nothing between thousands."""
    text = re.sub(r"[\s'±+]", "", printed)
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    elif "," in text:
        text = text.replace(".", "").replace(",", ".")
    try:
        return f"{Decimal(text):f}"
    except InvalidOperation:
        return None


def _in_words(text: str) -> str | None:
    """三十二点五 as 32.5."""
    whole, _, part = text.partition("点")
    amount = parse_amount(whole)
    if amount is None or amount.end - amount.start != len(whole):
        return None
    decimals = "".join(_CHINESE_DIGITS[char] for char in part)
    return f"{amount.value:f}.{decimals}" if decimals else f"{amount.value:f}"


def _unit_at(field: Field, text: str, at: int) -> tuple[str, int]:
    """The unit that stands at a place, as the schema writes it, and where it ends."""
    words = {word: unit for unit, others in field.units.items() for word in (unit, *others)}
    for word in sorted(words, key=len, reverse=True):
        match = re.compile(rf"\s?{re.escape(word)}(?![A-Za-z])", re.IGNORECASE).match(text, at)
        if match is not None:
            return words[word], match.end()
    if field.units:
        return "", at
    match = _LATIN_UNIT.match(text, at) or _HAN_UNIT.match(text, at)
    return (match.group().strip(), match.end()) if match is not None else ("", at)


def _parted(value: str) -> tuple[Decimal | None, str]:
    number = re.match(r"([-+]?\d+(?:\.\d+)?)\s*(.*)", value)
    return (None, "") if number is None else (Decimal(number[1]), number[2])

"""Reading amounts of money printed in digits, in Chinese numerals, or in both.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects). For the figures
in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from ocr_moe.folds import HAN, fold_value
from ocr_moe.values.printed import Part

_DIGIT = {
    char: value
    for value, chars in enumerate(
        (
            "零〇○",
            "一壹弌",
            "二贰貳弍两兩",
            "三叁參叄弎",
            "四肆",
            "五伍",
            "六陆陸",
            "七柒",
            "八捌",
            "九玖",
        )
    )
    for char in chars
}
_SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_CURRENCIES = (
    ("CNY", r"人民币|人民幣|RMB|CNY"),
    ("USD", r"美元|美金|USD|US\$"),
    ("HKD", r"港元|港币|港幣|HKD|HK\$"),
    ("EUR", r"欧元|EUR|€"),
    ("JPY", r"日元|日币|JPY"),
    ("GBP", r"英镑|GBP|£"),
    ("MYR", r"\bRM|MYR"),
)
_NUMBER = r"\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_CHINESE = "[" + "".join((*_DIGIT, *_SMALL, *_LARGE)) + "]"
_AMOUNT = re.compile(
    rf"(?P<sign>-)?(?:(?P<number>{_NUMBER})\s*(?P<unit>[十百千拾佰仟]?[万萬亿億]|[百千佰仟])?"
    rf"(?P<tail>\d+(?:\.\d+)?\s*[万萬]|{_CHINESE}+)?|(?P<words>{_CHINESE}+))"
    rf"\s*(?:[元圆园圓](?:\s*(?P<jiao>[{''.join(_DIGIT)}\d])\s*角)?(?:\s*零?(?P<fen>[{''.join(_DIGIT)}\d])\s*分)?)?"
)

PRICE = re.compile(
    r"(?:\b(?:RM|USD|EUR|GBP|CNY|RMB|HKD|JPY|SGD|AUD|CAD|INR|MYR|Rs)\.?|[$€£¥])?\s*-?\d[\d,]*\.\d{2}(?!\d)"
)
"""An amount with cents, as bills print it."""
_PERCENTAGE = re.compile(r"\d[\d.,]*\s*[%％]")
_HEAD = re.compile(r"(?:[(]?(?:人民币|美元|港币|欧元|[A-Z]{2,3}|[$€£¥])[)]?\s*)$")
_TAIL = re.compile(r"[\s元圆园圓整正人民币美金港欧日英镑]*(?:\([^()]{0,8}\))?")
_UNIT = re.compile(r"[万亿元圆]")


@dataclass(frozen=True)
class Amount:
    """An amount in whole units of its currency, and the span of the text that says so."""

    value: Decimal
    currency: str | None
    """ISO 4217, None where the text does not say (a plain 元 or $ does not)."""
    start: int
    end: int


def parse_amount(text: str) -> Amount | None:
    """The first amount in `text`: 壹佰万元整, 人民币100万元 and 1,000,000.00 are all one million."""
    text = unicodedata.normalize("NFKC", text)
    currency = next(
        (code for code, words in _CURRENCIES if re.search(words, text, re.IGNORECASE)), None
    )
    for match in _AMOUNT.finditer(text):
        value = _value(match)
        if value is not None:
            return Amount(value, currency, match.start(), match.end())
    return None


def parse_money(text: str) -> str | None:
    return text.strip(" \t:;,、。") or None


def same_money(a: str, b: str) -> bool:
    """By amount, and by currency where both name one."""
    return _same_amount(a, b) or fold_value(a) == fold_value(b)


# Belief that a text is an amount of money; 1 for more than nothing with cents, a unit or a currency.
_NO_UNIT = 0.3
"""Chinese without 万, 亿, 元: a numeral in other words."""
_BARE_NUMBER = 0.6
"""Digits alone: a year, a number of things."""
_NOTHING = 0.6
"""Zero or less, which is seldom printed."""


def money_belief(value: str) -> float:
    amount = parse_amount(value)
    if amount is None:
        return 0.0
    if HAN.search(value) and not _UNIT.search(value):
        return _NO_UNIT
    if re.fullmatch(r"\d+", value):
        return _BARE_NUMBER
    return 1.0 if amount.value > 0 else _NOTHING


def find_money(text: str) -> Part | None:
    """The first amount of `text` with its currency and unit."""
    amounts = _PERCENTAGE.sub(lambda match: " " * len(match[0]), text)
    price = None if HAN.search(text) else PRICE.search(amounts)
    if price is not None:
        return Part(price.start(), price.end(), price.group().strip())
    amount = parse_amount(amounts)
    if amount is None:
        return None
    if _UNIT.search(text[amount.end :]) and not _UNIT.search(text[amount.start : amount.end]):
        # A misread numeral parts the amount from its unit.
        return Part(0, len(text), text)
    tail = _TAIL.match(text, amount.end)
    end = tail.end() if tail else amount.end
    head = _HEAD.search(text[: amount.start])
    start = head.start() if head else amount.start
    return Part(start, end, text[start:end].strip())


def _same_amount(a: str, b: str) -> bool:
    left, right = parse_amount(a), parse_amount(b)
    if left is None or right is None or left.value != right.value:
        return False
    return left.currency is None or right.currency is None or left.currency == right.currency


def _value(match: re.Match[str]) -> Decimal | None:
    if match["number"]:
        try:
            value = Decimal(re.sub(r"[,，]", "", match["number"]))
        except InvalidOperation:
            return None
        for char in match["unit"] or "":
            value *= {**_SMALL, **_LARGE}[char]
        tail = (match["tail"] or "").replace(" ", "")
        if tail and tail[0].isdigit():
            value += Decimal(tail[:-1]) * _LARGE[tail[-1]]
        elif tail:
            more = _chinese(tail)
            value = value + more if more is not None else value
    else:
        words = _chinese(match["words"])
        if words is None:
            return None
        value = Decimal(words)
    for group, part in (("jiao", "0.1"), ("fen", "0.01")):
        if match[group]:
            value += Decimal(_DIGIT.get(match[group], match[group])) * Decimal(part)
    return -value if match["sign"] else value


def _chinese(text: str) -> int | None:
    """A whole number in Chinese numerals, or in Chinese digits alone (二五〇)."""
    if all(char in _DIGIT for char in text):
        return int("".join(str(_DIGIT[char]) for char in text)) if text.strip("零〇○") else 0
    if text[0] in _LARGE:
        return None
    total = section = digit = 0
    for char in text:
        if char in _DIGIT:
            digit = _DIGIT[char]
        elif char in _SMALL:
            section += (digit or 1) * _SMALL[char]
            digit = 0
        else:
            section += digit
            # 一亿二千万 adds up, 一万亿 multiplies.
            if _LARGE[char] > 10**4 and total and not section:
                total *= _LARGE[char]
            else:
                total += section * _LARGE[char]
            section = digit = 0
    return total + section + digit

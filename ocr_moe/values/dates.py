"""Finding and reading dates in all the ways in which certificates and receipts print them.

Pure text in, ISO 8601 out.  A calendar is not consulted beyond months 1-12 and days 1-31: a document
may carry a date that never was, and it is read as it is printed.

For the figures in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ocr_moe.codes.lookalikes import ONES_IN_DATES, ZEROS_IN_DATES, ZEROS_UNDER_SEALS
from ocr_moe.values.printed import Part

_DIGIT = {
    **dict.fromkeys(ZEROS_IN_DATES, 0),
    **dict.fromkeys("一壹弌" + ONES_IN_DATES, 1),
    **dict.fromkeys("二贰貳弍两2", 2),
    **dict.fromkeys("三叁參叄弎3", 3),
    **dict.fromkeys("四肆4", 4),
    **dict.fromkeys("五伍5", 5),
    **dict.fromkeys("六陆陸6", 6),
    **dict.fromkeys("七柒7", 7),
    **dict.fromkeys("八捌8", 8),
    **dict.fromkeys("九玖9", 9),
}
_TENS = {"十": 10, "拾": 10, "廿": 20, "卄": 20, "卅": 30}

DATE_CHARACTERS = re.compile(
    r"^[\d〇○◯零OoQ一二三四五六七八九十廿卅壹贰叁肆伍陆柒捌玖拾元年月日曰 .-]+$"
)
"""A text that holds nothing but (a part of) a date."""
_D = "[" + re.escape("".join(_DIGIT)) + "]"
_N = "[" + re.escape("".join(_DIGIT) + "".join(_TENS)) + "]"
_ROUND = rf"(?:[{re.escape(ZEROS_UNDER_SEALS)}]|{_D})"
_CENTURY_ROUND = rf"[一二壹贰貳]\s*{_ROUND}\s*{_ROUND}\s*{_D}"
_NIAN = "[年牟午]"
_RI = "[日曰目号號]"

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH_NAME = "(?:" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"

_YEAR_MONTH_DAY = re.compile(
    rf"(?P<y>{_CENTURY_ROUND}|(?:{_D}\s*){{2,4}}|(?<!第)二)\s*{_NIAN}\s*度?\s*"
    rf"(?P<m>元|正|(?:{_N}\s*){{1,3}})\s*月"
    rf"(?:\s*(?P<d>(?:{_N}\s*){{1,4}}?)\s*(?:{_RI}|(?!{_N}|\s)))?"
)
_ERAS = {
    **dict.fromkeys(("民国", "民國", "民囯"), 1911),
    "大正": 1911,
    "昭和": 1925,
    "平成": 1988,
    "令和": 2018,
}
"""The year before the first of an era: 民国108年 is 2019."""
_OF_ERA = re.compile(
    rf"(?:中[华華])?(?P<era>{'|'.join(_ERAS)})\s*(?P<y>元|(?:(?:{_N}|百)\s*){{1,5}}?)\s*(?:{_NIAN}\s*|[-./]\s*)"
    rf"(?:(?P<m>元|正|(?:{_N}\s*){{1,3}}?)\s*(?:月|[-./])(?:\s*(?P<d>(?:{_N}\s*){{1,4}})\s*{_RI}?)?)?"
)
_YEAR_MARK_LOST = re.compile(
    rf"(?<!{_D})(?P<y>[一二12]\s*[九9{ZEROS_IN_DATES}]\s*{_D}\s*{_D})\s*(?P<m>(?:{_N}\s*){{1,2}})\s*月"
    rf"\s*(?P<d>(?:{_N}\s*){{1,4}}?)\s*{_RI}"
)
_MONTH_MARK_LOST = re.compile(
    rf"(?P<y>(?:{_D}\s*){{3}}{_D})\s*{_NIAN}\s*(?P<m>[01]?[0-9])(?:\s+|[^\w\s])(?P<d>[0-3]?[0-9])\s*{_RI}"
)
_SEPARATED = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)\s*[-./、年]\s*(?P<m>\d{1,2})\s*[-./、月]\s*(?P<d>\d{1,2})(?!\d)"
)
_COMPACT = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d\d)[. ]?(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?!\d)"
)
_SPACED = re.compile(
    rf"(?<!\d)(?P<y>(?:19|20)\d\d)\s+(?P<m>0?[1-9]|1[0-2])\s+(?P<d>[12]\d|3[01]|0?[1-9])(?:\s*{_RI}|(?!\s?\d))"
)
_DAY_FIRST = re.compile(
    r"(?<!\d)(?P<a>\d{1,2})\s?(?P<sep>[-./])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?(?P<y>(?:19|20)\d\d|\d\d)(?!\d)"
)
_DAY_NAME_YEAR = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*[-/., ]?\s*(?:of\s+)?(?P<mon>{_MONTH_NAME})"
    r"\s*[-/.,' ]?\s*(?P<y>(?:19|20)\d\d|\d\d)(?!\d)",
    re.IGNORECASE,
)
_NAME_DAY_YEAR = re.compile(
    rf"\b(?P<mon>{_MONTH_NAME})\s*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s*(?P<y>(?:19|20)\d\d)(?!\d)",
    re.IGNORECASE,
)
_NAME_YEAR = re.compile(
    rf"\b(?P<mon>{_MONTH_NAME})\s*,?\s*(?P<y>(?:19|20)\d\d)(?!\d)", re.IGNORECASE
)
_YEAR_MONTH = re.compile(
    r"(?<![\d./-])(?P<y>(?:19|20)\d\d)\s*[-./]\s*(?P<m>0?[1-9]|1[0-2])(?![\d./-])"
)
_YEAR_ONLY = re.compile(rf"(?P<y>{_CENTURY_ROUND}|(?:{_D}\s*){{3}}{_D})\s*{_NIAN}")
_COMPACT_MONTH = re.compile(r"^(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])$")
_BARE_YEAR = re.compile(r"^(?P<y>(?:19|20)\d\d)$")

_EVERYWHERE = (
    _OF_ERA,
    _YEAR_MONTH_DAY,
    _YEAR_MARK_LOST,
    _MONTH_MARK_LOST,
    _SEPARATED,
    _COMPACT,
    _SPACED,
    _DAY_NAME_YEAR,
    _NAME_DAY_YEAR,
    _DAY_FIRST,
    _NAME_YEAR,
    _YEAR_MONTH,
)


@dataclass(frozen=True)
class DateSpan:
    """A date found in a text: `text[start:end]` is how it is printed."""

    start: int
    end: int
    iso: str
    """`2019-06-20`, `2019-06` or `2019`: as exact as printed."""
    whole: bool = True
    """False where a character of the year was missing and has been guessed."""


def find_dates(text: str, *, years: bool = False) -> list[DateSpan]:
    """All dates in `text`, from left to right and without overlaps.

    Day-first is assumed where both orders are possible (22/12/2017 is what most of the world
    prints).  `years` also takes a year that stands alone before 年.
    """
    found: list[DateSpan] = []
    for pattern in (*_EVERYWHERE, *((_YEAR_ONLY,) if years else ())):
        for match in pattern.finditer(text):
            if any(match.start() < span.end and span.start < match.end() for span in found):
                continue
            iso = _iso(match)
            if iso is not None and (years or len(iso) > 4):
                end = match.start() + len(match.group().rstrip())
                digits = len(re.sub(r"\s", "", match["y"]))
                whole = (
                    digits == 4
                    or (digits == 2 and match["y"].isdigit())
                    or "era" in match.re.groupindex
                )
                found.append(DateSpan(match.start(), end, iso, whole))
    return sorted(found, key=lambda span: span.start)


_GUESSED = 0.6
"""Certainty of a date of whose year a character was guessed (`_mended`). [1.25 and twice ±0]"""
_BELIEF = {len("2019-06-20"): 1.0, len("2019-06"): 0.8}
_BELIEF_IN_LESS = 0.4
"""Belief in a date by how exact it is: full dates are what is printed; a month, and more so a year,
may be the rest of one. [a month: half ±0, 1.25 −1, twice −3]"""


def find_date(text: str) -> Part | None:
    """The first date of `text`, less certain where a character of its year was guessed."""
    spans = find_dates(text)
    if not spans:
        return None
    printed = text[spans[0].start : spans[0].end]
    alone = find_dates(printed)
    guessed = bool(alone) and not alone[0].whole
    return Part(spans[0].start, spans[0].end, printed, _GUESSED if guessed else 1.0)


def date_belief(value: str) -> float:
    return _BELIEF.get(len(value), _BELIEF_IN_LESS)


def parse_date(text: str) -> str | None:
    """The first date of `text` as ISO 8601, or None."""
    found = find_dates(text, years=True)
    if found:
        return found[0].iso
    squeezed = re.sub(r"\s", "", text)
    for pattern in (_COMPACT_MONTH, _BARE_YEAR):
        match = pattern.match(squeezed)
        if match:
            return _iso(match)
    return None


def agree_as_far_as_both_go(a: str, b: str) -> bool:
    """Whether two ISO dates are one at the coarser precision of the two: 2019-06-20 and 2019-06."""
    shorter = min(len(a), len(b))
    return shorter >= 4 and a[:shorter] == b[:shorter]


def small_number(text: str) -> int | None:
    """A number below 100 in Arabic or Chinese numerals (廿五, 二十, 卅一, 06), or None."""
    text = re.sub(r"\s", "", text)
    if text in ("元", "正"):
        return 1
    tens = [index for index, char in enumerate(text) if char in _TENS]
    if not tens:
        digits = [_DIGIT.get(char) for char in text]
        if not digits or len(digits) > 2 or None in digits:
            return None
        return int("".join(str(digit) for digit in digits))
    first, last = tens[0], tens[-1]
    head, tail = text[:first].lstrip(ZEROS_IN_DATES), text[last + 1 :].lstrip(ZEROS_IN_DATES)
    if len(head) > 1 or len(tail) > 1 or last - first > 1:
        return None
    base = _TENS[text[first]]
    if head:
        factor = _DIGIT.get(head)
        # 二十 is 20 but 廿 carries its factor already.
        if factor is None:
            return None
        base = factor * 10
    units = _DIGIT.get(tail) if tail else 0
    return None if units is None else base + units


def _iso(match: re.Match[str]) -> str | None:
    groups = match.groupdict()
    era = groups.get("era")
    year = _year(groups["y"]) if era is None else _year_of_era(era, groups["y"])
    if year is None:
        return None
    if "a" in groups:
        first, second = int(groups["a"]), int(groups["b"])
        month, day = (first, second) if second > 12 >= first else (second, first)
        return _join(year, month, day)
    if "mon" in groups:
        named = _MONTHS.get(groups["mon"].lower().rstrip("."))
        return _join(year, named, int(groups["d"]) if groups.get("d") else None)
    month_ = small_number(groups["m"]) if groups.get("m") else None
    if groups.get("m") and month_ is None:
        return None
    day_ = small_number(groups["d"]) if groups.get("d") else None
    if day_ is not None and not 1 <= day_ <= 31:
        day_ = None
    return _join(year, month_, day_)


def _join(year: int, month: int | None, day: int | None) -> str | None:
    if month is None:
        return f"{year:04d}"
    if not 1 <= month <= 12:
        return None
    if day is None:
        return f"{year:04d}-{month:02d}"
    return f"{year:04d}-{month:02d}-{day:02d}" if 1 <= day <= 31 else None


_YEARS = range(1900, 2100)
"""Years that a document may name: birth dates of the living, and terms of business that end far off."""
_CENTURY = 50
"""Years of two digits from which they are of the last century."""


def _year_of_era(era: str, text: str) -> int | None:
    """The year of our calendar of an era's 108, 一〇八 or 一百零八; 元 is its first."""
    text = re.sub(r"\s", "", text)
    hundreds, mark, rest = text.rpartition("百")
    if mark:
        number = 100 * (small_number(hundreds) or 1) + (small_number(rest) or 0)
    elif len(text) == 3 and all(char in _DIGIT for char in text):
        number = int("".join(str(_DIGIT[char]) for char in text))
    else:
        number = small_number(text) or 0
    year = _ERAS[era] + number
    return year if number and year in _YEARS else None


def _year(text: str) -> int | None:
    text = re.sub(r"\s", "", text)
    digits = "".join(str(_DIGIT.get(char, 0)) for char in text)
    year = int(_mended(digits) or 0)
    return year if year in _YEARS else None


def _mended(digits: str) -> str | None:
    """The four digits of a year of which an engine may have dropped some.

    It drops a 〇 more readily than any other character, and loses the head of a year rather than
    its tail: 二一九 is 2019, 二〇九 2009, 一九九 1990, 〇六 2006.
    """
    if len(digits) == 4:
        # A worn 9 is read as 0: nobody was born in 1095.
        return f"19{digits[2:]}" if digits[:2] == "10" and digits[2] > "4" else digits
    if len(digits) == 3:
        if digits.startswith("19"):
            return f"{digits}0"
        if digits[0] == "2":
            return f"20{digits[1:]}" if digits[1] != "0" else f"200{digits[2]}"
        return f"2{digits}" if digits[0] == "0" else None
    if len(digits) == 2:
        return f"20{digits}" if int(digits) < _CENTURY else f"19{digits}"
    return "2000" if digits == "2" else None

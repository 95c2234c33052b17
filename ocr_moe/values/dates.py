"""Finding and reading dates in all the ways in which certificates and receipts print them.

Pure text in, ISO 8601 out.  A calendar is not consulted beyond months 1-12 and days 1-31: a document
may carry a date that never was, and it is read as it is printed.

For the figures in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

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
_TENS = {"十": 10, "+": 10, "拾": 10, "廿": 20, "卄": 20, "卅": 30}
"""A small 十 is read as a plus sign."""

DATE_CHARACTERS = re.compile(
    r"^[\d〇○◯零OoQ一二三四五六七八九十廿卅壹贰叁肆伍陆柒捌玖拾元年月日曰 .-]+$"
)
"""A text that holds nothing but (a part of) a date."""
_D = "[" + re.escape("".join(_DIGIT)) + "]"
_N = "[" + re.escape("".join(_DIGIT) + "".join(_TENS)) + "]"
_ROUND = rf"(?:[{re.escape(ZEROS_UNDER_SEALS)}]|{_D})"
_DASHES = "-—–"
"""What is read for a 一 among Chinese numerals, and what a stroke beside a number is read as."""
_CENTURY_ROUND = rf"[一二壹贰貳2]\s*{_ROUND}\s*(?:{_ROUND}|[{_DASHES}])\s*{_D}"
_STRAY = rf"(?:[{_DASHES}·.,_/|]\s*)?"
"""A mark between the numbers of a date that is none of its own: a stroke of a seal, dust."""
_NIAN = "[年牟午]"
_RI = r"(?:[日曰目号號]|(?<=\d)旦)"

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
_LONG_MONTHS = tuple(name for name in _MONTHS if len(name) > 3)
"""Months of which a misread letter leaves enough to tell which it was."""

_UNITS = {
    word: number
    for number, words in enumerate(
        (
            "one first",
            "two second",
            "three third",
            "four fourth",
            "five fifth",
            "six sixth",
            "seven seventh",
            "eight eighth",
            "nine ninth",
            "ten tenth",
            "eleven eleventh",
            "twelve twelfth",
            "thirteen thirteenth",
            "fourteen fourteenth",
            "fifteen fifteenth",
            "sixteen sixteenth",
            "seventeen seventeenth",
            "eighteen eighteenth",
            "nineteen nineteenth",
        ),
        start=1,
    )
    for word in words.split()
}
_TENS_IN_WORDS = {
    "twenty": 20,
    "twentieth": 20,
    "thirty": 30,
    "thirtieth": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_NUMBER_WORD = "(?:" + "|".join(sorted((*_UNITS, *_TENS_IN_WORDS), key=len, reverse=True)) + ")"
_DAY_IN_WORDS = rf"{_NUMBER_WORD}(?:[- ]{_NUMBER_WORD})?"
_YEAR_IN_WORDS = (
    rf"(?:two\s+thousand|one\s+thousand\s*,?\s+nine\s+hundred|(?:nineteen|twenty)(?:\s+hundred)?)"
    rf"(?:(?:\s*,)?(?:\s+and)?\s+{_NUMBER_WORD}(?:[-\s]+{_NUMBER_WORD})?)?"
)

_UNREADABLE = (
    rf"\s*(?!(?:{_N}\s*)+{_RI})(?:(?:[^\W_\u3400-\u9fff]|{_N}){{1,3}}[日曰旦]"
    r"|(?!生)[\u3400-\u9fff][日曰](?=\s*(?:出?生|[,，。]|$)))"
)
"""A day that is printed, and was read as something that is none."""
_YEAR_MONTH_DAY = re.compile(
    rf"(?P<y>{_CENTURY_ROUND}|(?:{_D}\s*){{2,4}}|(?<!第)二)\s*{_NIAN}\s*度?\s*{_STRAY}"
    rf"(?P<m>元|正|(?:{_N}\s*){{1,3}})\s*{_STRAY}月"
    rf"(?:(?P<lost>{_UNREADABLE})"
    rf"|\s*{_STRAY}(?P<d>(?:{_N}\s*){{1,4}}?)\s*(?:{_RI}|(?P<torn>(?!{_N}|\s))))?"
)
_ERAS = {
    **dict.fromkeys(("民国", "民國", "民囯"), 1911),
    "明治": 1867,
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
_ERA_LETTERS = {"M": "明治", "T": "大正", "S": "昭和", "H": "平成", "R": "令和"}
_BY_ERA_LETTER = re.compile(
    r"(?<![A-Za-z0-9])(?P<era>[MTSHR])\s?(?P<y>\d{1,2})\s?[.．/年-]\s?(?P<m>0?[1-9]|1[0-2])"
    r"\s?[.．/月-]\s?(?P<d>[12]\d|3[01]|0?[1-9])(?![\d.])日?"
)
"""R3.5.1, as Japanese forms shorten 令和3年5月1日."""
_ERA_NAME = re.compile(rf"(?P<era>{'|'.join(_ERAS)})")
_ERA_BEFORE = re.compile(rf"(?:中[华華])?(?:{'|'.join(_ERAS)})\s*$")
_SHORT_YEAR = re.compile(rf"^\s*(?:{_N}\s*){{1,3}}{_NIAN}")
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
_HALF_SEPARATED = re.compile(
    r"(?<![\d-])(?P<y>(?:19|20)\d\d)(?P<dash>-)?(?P<m>0[1-9]|1[0-2])(?(dash)|-)"
    r"(?P<d>0[1-9]|[12]\d|3[01])(?![\d-])"
)
"""One of two dashes was not seen: 202507-20."""
_SPACED = re.compile(
    rf"(?<!\d)(?P<y>(?:19|20)\d\d)\s+(?P<m>0?[1-9]|1[0-2])\s+(?P<d>[12]\d|3[01]|0?[1-9])(?:\s*{_RI}|(?!\s?\d))"
)
_DAY_FIRST = re.compile(
    r"(?<!\d)(?P<a>\d{1,2})\s?(?P<sep>[-./])\s?(?P<b>\d{1,2})\s?(?P=sep)\s?(?P<y>(?:19|20)\d\d|\d\d)(?!\d)"
)
_OTHER_TONGUE = r"(?:(?:\d{1,2}\s*月|[^\W\d_]{3,9}\.?)\s*/\s*)"
_IN_ANOTHER = r"(?:\s*/\s*[^\W\d_]{3,9}\.?)"
"""The name of the month in another language, as passports print it: 28 7月/JUL 1981, 05 FEB /FÉV 65."""
_SPACED_DAY_FIRST = re.compile(
    r"(?<![\d.,/-])(?<!\d )(?P<a>0[1-9]|[12]\d|3[01]) (?P<b>0[1-9]|1[0-2]) "
    r"(?P<y>(?:19|20)\d\d)(?![ ]?\d)"
)
"""12 05 1974, as some passports print it."""
_DAY_NAME_YEAR = re.compile(
    rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*[-/., ]?\s*(?:of\s+)?"
    rf"{_OTHER_TONGUE}?(?P<mon>{_MONTH_NAME})"
    rf"{_IN_ANOTHER}?\s*[-/.,' ]?\s*(?P<y>(?:19|20)\d\d|\d\d)(?!\d)",
    re.IGNORECASE,
)
_NAME_DAY_YEAR = re.compile(
    rf"\b(?P<mon>{_MONTH_NAME})\s*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s*,?\s*(?P<y>(?:19|20)\d\d)(?!\d)",
    re.IGNORECASE,
)
_IN_WORDS = re.compile(
    rf"\b(?P<d>\d{{1,2}}(?:st|nd|rd|th)?|{_DAY_IN_WORDS})\s+(?:day\s+)?(?:of\s+)?(?:the\s+month\s+of\s+)?"
    rf"(?P<mon>{_MONTH_NAME})\s*,?\s*(?:(?:in|of)\s+)?(?:the\s+year\s+)?"
    rf"(?:of\s+(?:our\s+lord\s*,?\s*)?)?(?:a\.?\s?d\.?\s*)?"
    rf"(?P<y>(?:19|20)\d\d|{_YEAR_IN_WORDS})\b",
    re.IGNORECASE,
)
"""This seventeenth day of May, two thousand and nineteen."""
_NAME_IN_WORDS = re.compile(
    rf"\b(?P<mon>{_MONTH_NAME})\s+(?:the\s+)?(?P<d>{_DAY_IN_WORDS})\s*,?\s*(?:in\s+)?(?:the\s+year\s+)?"
    rf"(?P<y>(?:19|20)\d\d|{_YEAR_IN_WORDS})\b",
    re.IGNORECASE,
)
_MISREAD_NAME_DAY_YEAR = re.compile(
    r"\b(?P<mon>[A-Z][a-z]{3,9})\.?\s*(?P<d>\d{1,2})(?:st|nd|rd|th)?\s*[,.]?\s*(?P<y>(?:19|20)\d\d)(?!\d)"
)
"""The name of a month of which letters may be wrong; `_month_named` says whether it is one."""
_NAME_YEAR = re.compile(
    rf"\b(?P<mon>{_MONTH_NAME})\s*,?\s*(?P<y>(?:19|20)\d\d)(?!\d)", re.IGNORECASE
)
_YEAR_MONTH = re.compile(
    r"(?<![\d./-])(?P<y>(?:19|20)\d\d)\s*[-./]\s*(?P<m>0?[1-9]|1[0-2])(?![\d./-])"
)
_YEAR_ONLY = re.compile(rf"(?P<y>{_CENTURY_ROUND}|(?:{_D}\s*){{3}}{_D})\s*{_NIAN}")
_COMPACT_MONTH = re.compile(r"^(?P<y>(?:19|20)\d\d)(?P<m>0[1-9]|1[0-2])$")
_BARE_YEAR = re.compile(r"^(?P<y>(?:19|20)\d\d)$")

_ISO = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")

_EVERYWHERE = (
    _OF_ERA,
    _YEAR_MONTH_DAY,
    _YEAR_MARK_LOST,
    _MONTH_MARK_LOST,
    _SEPARATED,
    _COMPACT,
    _HALF_SEPARATED,
    _SPACED,
    _DAY_NAME_YEAR,
    _NAME_DAY_YEAR,
    _IN_WORDS,
    _NAME_IN_WORDS,
    _MISREAD_NAME_DAY_YEAR,
    _DAY_FIRST,
    _SPACED_DAY_FIRST,
    _BY_ERA_LETTER,
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
    """False where something is missing: a character of the year, its century, what ends the day."""
    others: tuple[str, ...] = ()
    """What else it may be where it has been guessed, the likelier first."""


def find_dates(text: str, *, years: bool = False) -> list[DateSpan]:
    """All dates in `text`, from left to right and without overlaps.

    Day-first is assumed where both orders are possible (22/12/2017 is what most of the world
    prints).  `years` also takes a year that stands alone before 年.
    """
    return list(_found_dates(text, years))


@lru_cache(maxsize=4096)  # the same lines are looked at for every field
def _found_dates(text: str, years: bool) -> tuple[DateSpan, ...]:
    found: list[DateSpan] = []
    for pattern in (*_EVERYWHERE, *((_YEAR_ONLY,) if years else ())):
        for match in pattern.finditer(text):
            if any(match.start() < span.end and span.start < match.end() for span in found):
                continue
            readings = [iso for iso in _readings(match) if years or len(iso) > 4]
            if readings:
                end = match.start() + len(match.group().rstrip())
                whole = _is_whole(match)
                others = () if whole else tuple(readings[1:])
                found.append(DateSpan(match.start(), end, readings[0], whole, others))
    return tuple(sorted(found, key=lambda span: span.start))


_GUESSED = 0.6
"""Certainty of a date of whose year a character was guessed (`_meant`). [1.25 and twice ±0]"""
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


def with_era(text: str, start: int) -> int:
    """Where a date begins that goes on at `start`, if the name of an era stands before it there."""
    era = _ERA_BEFORE.search(text[:start])
    return start if era is None else era.start()


def sole_era(text: str) -> str | None:
    """The one era that a text names, or None where it names none or several."""
    eras = {match["era"] for match in _ERA_NAME.finditer(text)}
    firsts = {_ERAS[era] for era in eras}
    return min(eras) if len(firsts) == 1 else None


def in_era(printed: str, era: str) -> str | None:
    """The ISO date of a printed one whose short year is of an era named elsewhere: 82年 is 1993.

    None where its year is not short, or it is no date of the era.
    """
    if not _SHORT_YEAR.match(printed):
        return None
    return next((span.iso for span in find_dates(era + printed) if span.start == 0), None)


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
            return next(iter(_readings(match)), None)
    return None


def agree_as_far_as_both_go(a: str, b: str) -> bool:
    """Whether two ISO dates are one at the coarser precision of the two: 2019-06-20 and 2019-06."""
    shorter = min(len(a), len(b))
    return shorter >= 4 and a[:shorter] == b[:shorter]


def is_date(value: str | None) -> bool:
    """Whether a value is a date in ISO 8601, as exact as printed, and no word in place of one."""
    return value is not None and _ISO.fullmatch(value) is not None


def years_between(earlier: str, later: str) -> float:
    """Years from one ISO date to another, negative where they stand the other way round; of a date
    without a month its first month is taken."""
    (year, month), (later_year, later_month) = (
        (int(iso[:4]), int(iso[5:7] or 1)) for iso in (earlier, later)
    )
    return later_year - year + (later_month - month) / 12


def small_number(text: str) -> int | None:
    """A number below 100 in Arabic or Chinese numerals (廿五, 二十, 卅一, 06), or None."""
    text = re.sub(r"\s", "", text)
    if text in ("元", "正"):
        return 1
    # A 一 beside Arabic digits is a stroke of something else.
    text = re.sub(r"(?<=\d)一$|^一(?=\d)", "", text)
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


def _is_whole(match: re.Match[str]) -> bool:
    """Whether a date is all there: no character of its year was guessed, no century, no dash, and
    its day goes as far as 日."""
    if any(match.groupdict().get(part) is not None for part in ("torn", "lost")):
        return False
    if match.re in (_HALF_SEPARATED, _MISREAD_NAME_DAY_YEAR):
        return False
    if "era" in match.re.groupindex or "a" in match.re.groupindex or "mon" in match.re.groupindex:
        return True
    return len(re.sub(r"\s", "", match["y"])) == 4


def _readings(match: re.Match[str]) -> Iterator[str]:
    """What a match of one of the patterns may mean, the likelier first."""
    groups = match.groupdict()
    for year in _years_of(groups.get("era"), groups["y"]):
        iso = _iso(groups, year)
        if iso is not None:
            yield iso


def _years_of(era: str | None, text: str) -> Sequence[int]:
    if era is not None:
        year = _year_of_era(era, text)
        return () if year is None else (year,)
    if re.search(r"[a-z]{3}", text, re.IGNORECASE):
        year = _year_in_words(text)
        return () if year is None else (year,)
    return _years(text)


def _iso(groups: Mapping[str, str | None], year: int) -> str | None:
    if groups.get("a") is not None:
        first, second = int(groups["a"] or ""), int(groups["b"] or "")
        month, day = (first, second) if second > 12 >= first else (second, first)
        return _join(year, month, day)
    name, day_text = groups.get("mon"), groups.get("d")
    if name is not None:
        named = _month_named(name)
        return None if named is None else _join(year, named, _day(day_text))
    month_text = groups.get("m")
    month_ = small_number(month_text) if month_text else None
    if month_text and month_ is None:
        return None
    day_ = small_number(day_text) if day_text else None
    if day_ is not None and not 1 <= day_ <= 31:
        day_ = None
    return _join(year, month_, day_)


def _day(text: str | None) -> int | None:
    """A day of an English date: 17, 17th, seventeenth."""
    if not text:
        return None
    digits = re.match(r"\d+", text)
    return int(digits.group()) if digits else _number_in_words(text)


def _month_named(text: str) -> int | None:
    """The month of that English name, of which as many letters may be misread as leave no doubt."""
    name = text.lower().rstrip(".")
    exact = _MONTHS.get(name)
    if exact is not None:
        return exact
    near = {
        _MONTHS[month]
        for month in _LONG_MONTHS
        if len(month) == len(name)
        and sum(a != b for a, b in zip(month, name, strict=True)) <= len(name) // 4
    }
    return near.pop() if len(near) == 1 else None


def _number_in_words(text: str) -> int | None:
    """A number below 100 in English words, cardinal or ordinal: twenty-first, seventeen."""
    words = re.split(r"[-\s]+", text.strip().lower())
    if len(words) == 1:
        return _UNITS.get(words[0], _TENS_IN_WORDS.get(words[0]))
    tens, units = _TENS_IN_WORDS.get(words[0]), _UNITS.get(words[1])
    if len(words) > 2 or tens is None or units is None or units > 9:
        return None
    return tens + units


def _year_in_words(text: str) -> int | None:
    """Two thousand and nineteen, nineteen hundred and ninety-eight, twenty nineteen."""
    words = [word for word in re.split(r"[-,\s]+", text.lower()) if word not in ("", "and")]
    if words[:4] == ["one", "thousand", "nine", "hundred"]:
        words = ["nineteen", "hundred", *words[4:]]
    if words[:2] == ["two", "thousand"]:
        base, rest = 2000, words[2:]
    elif words[:1] in (["nineteen"], ["twenty"]):
        base = 1900 if words[0] == "nineteen" else 2000
        rest = words[2:] if words[1:2] == ["hundred"] else words[1:]
    else:
        return None
    number = _number_in_words(" ".join(rest)) if rest else 0
    year = None if number is None else base + number
    return year if year in _YEARS else None


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


def _year_of_era(era: str, text: str) -> int | None:
    """The year of our calendar of an era's 108, 一〇八 or 一百零八; 元 is its first."""
    text = re.sub(r"\s", "", text)
    era = _ERA_LETTERS.get(era, era)
    hundreds, mark, rest = text.rpartition("百")
    if mark:
        number = 100 * (small_number(hundreds) or 1) + (small_number(rest) or 0)
    elif len(text) == 3 and all(char in _DIGIT for char in text):
        number = int("".join(str(_DIGIT[char]) for char in text))
    else:
        number = small_number(text) or 0
    year = _ERAS[era] + number
    return year if number and year in _YEARS else None


def _years(text: str) -> Sequence[int]:
    """The years that a text of digits may mean, the likelier first."""
    text = re.sub(r"\s", "", text)
    digits = "".join(str(_DIGIT.get(char, int(char in _DASHES))) for char in text)
    return [year for year in _meant(digits, text.isascii()) if year in _YEARS]


_MENDED_YEARS = range(1930, 2050)
"""Years among which one is sought that lost characters."""
_ZERO_LOST, _TWIN_LOST, _HEAD_LOST, _OTHER_LOST = 1.0, 2.0, 2.5, 3.0
"""What it counts that a 〇, one of two like digits, the century, or any other digit was not read."""
_MOST_LOST = 4.0


@lru_cache(maxsize=1024)
def _meant(digits: str, arabic: bool = False) -> tuple[int, ...]:
    """The years of which these digits may be all that an engine read, the likelier first.

    It drops a 〇, which an Arabic 0 is not, more readily than any other character, and loses the head
    of a year rather than its tail: 二一九 is 2019, 二〇九 2009, 一九九 1990, 〇六 2006.
    """
    if len(digits) == 4:
        # A worn 9 is read as 0: nobody was born in 1095.
        worn = digits[:2] == "10" and digits[2] > "4"
        return (int(f"19{digits[2:]}" if worn else digits),)
    costs = {year: _loss(digits, str(year), arabic) for year in _MENDED_YEARS}
    likely = sorted((cost, year) for year, cost in costs.items() if cost <= _MOST_LOST)
    return tuple(year for _, year in likely)


def _loss(digits: str, year: str, arabic: bool) -> float:
    """What was lost of a year of which only `digits` were read; infinite where they are not of it."""
    if not digits:
        return math.inf
    best = _HEAD_LOST if digits == year[2:] else math.inf
    for kept in combinations(range(len(year)), len(digits)):
        if "".join(year[i] for i in kept) == digits:
            lost = [i for i in range(len(year)) if i not in kept]
            best = min(best, sum(_loss_of(year, i, arabic) for i in lost))
    return best


def _loss_of(year: str, index: int, arabic: bool) -> float:
    if year[index] == "0" and not arabic:
        return _ZERO_LOST
    twins = {year[i] for i in (index - 1, index + 1) if 0 <= i < len(year)}
    return _TWIN_LOST if year[index] in twins else _OTHER_LOST

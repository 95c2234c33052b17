"""Dates and amounts as certificates print them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from random import Random

DIGITS = "〇一二三四五六七八九"
TENS = ("", "十", "二十", "三十")
REPUBLIC = 1911
"""The year before the first of the Republic of China (民國)."""
CAPITAL_DIGITS = "零壹贰叁肆伍陆柒捌玖"
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def chinese_number(number: int) -> str:
    """1-99 in Chinese numerals: 十, 十一, 二十五."""
    tens, ones = divmod(number, 10)
    head = "十" if tens == 1 else (DIGITS[tens] + "十" if tens else "")
    return head + (DIGITS[ones] if ones else "")


def _republic_year(year: int) -> str:
    """The year of the Republic in Chinese numerals: 八十二, 一百零三."""
    hundreds, rest = divmod(year - REPUBLIC, 100)
    if not hundreds:
        return chinese_number(rest)
    return "一百" + (("零" if rest < 10 else "") + chinese_number(rest) if rest else "")


class DateStyle:
    """One way of writing dates, kept through a document."""

    def __init__(self, kind: str, *, zero: str = "〇", padded: bool = False, gap: str = "") -> None:
        """`kind`: arabic, chinese, dotted, dashed, or, in years of the Republic of China, minguo
        and minguo_chinese; `zero`: the character printed for 〇."""
        self.kind, self.zero, self.padded, self.gap = kind, zero, padded, gap

    @classmethod
    def draw(cls, rng: Random, kinds: str = "arabic chinese") -> DateStyle:
        kind = rng.choice(kinds.split())
        zero = rng.choices("〇○OO零", weights=(90, 6, 2, 1, 1))[0]
        return cls(kind, zero=zero, padded=rng.random() < 0.4, gap=rng.choice(("", "", " ")))

    def write(self, when: str) -> str:
        """`when`: ISO 8601, year and month, or year, month and day."""
        year, month, *day = (int(part) for part in when.split("-"))
        if self.kind == "minguo_chinese":
            tail = f"{chinese_number(day[0])}日" if day else ""
            return f"民國{_republic_year(year)}年{chinese_number(month)}月{tail}"
        if self.kind == "chinese":
            years = "".join(DIGITS[int(d)] for d in str(year)).replace("〇", self.zero)
            tail = f"{chinese_number(day[0])}日" if day else ""
            return f"{years}年{chinese_number(month)}月{tail}"
        bare = self.kind in ("arabic", "minguo") and not self.padded
        form = "{}" if bare else "{:02d}"
        numbers = [str(year), *(form.format(n) for n in (month, *day))]
        if self.kind == "dotted":
            return ".".join(numbers)
        if self.kind == "dashed":
            return "-".join(numbers)
        gap = self.gap
        if self.kind == "minguo":
            numbers[0] = f"民國{gap}{year - REPUBLIC}"
        return gap.join(
            f"{number}{gap}{unit}" for number, unit in zip(numbers, "年月日", strict=False)
        )


def english_date(when: str) -> str:
    year, month, *day = (int(part) for part in when.split("-"))
    return f"{MONTHS[month - 1]} {day[0]}, {year}" if day else f"{MONTHS[month - 1]} {year}"


_ORDINALS = (
    *(
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
    ),
    *("eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth"),
    *("eighteenth", "nineteenth", "twentieth"),
)
_CARDINALS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def worded_day(
    rng: Random, when: str, *, british: bool = False, plain: bool = False, worded: bool = False
) -> str:
    """A day as English diplomas write it: in words, in figures behind A.D., or plainly."""
    year, month, day = (int(part) for part in when.split("-"))
    name = MONTHS[month - 1]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day // 10 != 1 else 0, "th")
    if plain or (not worded and rng.random() < 0.4):
        if british:
            return rng.choice((f"{day} {name} {year}", f"{day}{ending} {name} {year}"))
        return f"{name} {day}, {year}"
    ordinal = f"{day}{ending}" if rng.random() < 0.5 else _ordinal(day)
    if rng.random() < 0.35:
        return f"{ordinal} day of {name}, {rng.choice(('', 'A.D. '))}{year}"
    return f"{ordinal} day of {name}, {_year_in_words(rng, year)}"


def _ordinal(day: int) -> str:
    if day <= 20:
        return _ORDINALS[day - 1]
    return (
        "thirtieth"
        if day == 30
        else f"{'twenty' if day < 30 else 'thirty'}-{_ORDINALS[day % 10 - 1]}"
    )


def _year_in_words(rng: Random, year: int) -> str:
    century, rest = divmod(year, 100)
    tens, ones = divmod(rest, 10)
    tail = _CARDINALS[rest - 1] if 0 < rest < 20 else ""
    if rest >= 20:
        tail = _TENS[tens - 2] + (f"-{_CARDINALS[ones - 1]}" if ones else "")
    head = "two thousand" if century == 20 else "nineteen hundred"
    return f"{head}{rng.choice((' and ', ' and ', ' '))}{tail}" if tail else head


def capital_amount(ten_thousands: int) -> str:
    """An amount of 万元 in capital numerals: 壹佰万, 伍仟零伍拾万."""
    text, zero = "", False
    for digit, unit in zip(f"{ten_thousands:04d}", "仟佰拾 ", strict=True):
        if digit == "0":
            zero = bool(text)
            continue
        text += ("零" if zero else "") + CAPITAL_DIGITS[int(digit)] + unit.strip()
        zero = False
    return text + "万"


def capital_money(amount: Decimal, unit: str = "圆") -> str:
    """An amount in capital numerals with 角 and 分: 壹仟零伍圆整, 叁佰圆零贰分.

    >>> capital_money(Decimal("10305.20"))
    '壹万零叁佰零伍圆贰角整'
    """
    whole, cents = divmod(int(amount * 100), 100)
    text, zero = "", False
    groups = [whole // 10**8, whole // 10**4 % 10**4, whole % 10**4]
    for group, name in zip(groups, ("亿", "万", ""), strict=True):
        if not group:
            zero = bool(text)
            continue
        for digit, place in zip(f"{group:04d}", ("仟", "佰", "拾", ""), strict=True):
            if digit == "0":
                zero = bool(text)
                continue
            text += ("零" if zero else "") + CAPITAL_DIGITS[int(digit)] + place
            zero = False
        text, zero = text + name, group % 10 == 0
    text = f"{text}{unit}" if text else ""
    tenths, rest = divmod(cents, 10)
    if tenths:
        text += f"{CAPITAL_DIGITS[tenths]}角"
    elif rest and text:
        text += "零"
    return text + (f"{CAPITAL_DIGITS[rest]}分" if rest else "整")


def random_day(rng: Random, first: date, last: date) -> date:
    return date.fromordinal(rng.randint(first.toordinal(), last.toordinal()))

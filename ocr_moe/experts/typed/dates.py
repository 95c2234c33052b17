"""The language of dates: the calendar, in the ways in which certificates print it.

A printed date is year, month and day, each in Arabic or Chinese numerals. Where a seal hides a
stroke of one, every month and every day competes, written as the rest of the date is; what the
document's other dates say (`ocr_moe.reading.chronology`) is the prior: a certificate bears the month
in which the studies that it speaks of ended, or one soon after; a birth lies some twenty years before.

The priors are judgements, tempered: they decide between strokes of which the recogniser sees about
as much, and no document is held to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ocr_moe.experts.typed.language import ROOM, Context, Language
from ocr_moe.reading.candidates import Candidate, PreparedPage
from ocr_moe.schema import Check, Field
from ocr_moe.values.choices import parse_choice
from ocr_moe.values.dates import find_dates, small_number, years_between

_TORN = -5.0
"""Natural-log prior of a date of which something is missing: it was read so, not printed so."""
_YEAR_LOST = -2.0
"""Of a day without a year, which goes with the month of another date."""
_NO_DAY = -2.5
"""Of a month without a day, where a certificate is dated …"""
_NO_DAY_OF_BIRTH = -0.5
"""… and where somebody is born."""
_NO_SUCH_DAY = -6.0
"""The thirtieth of February: documents bear it, but seldom."""
_MIXED = -3.0
"""Chinese and Arabic numerals in one date."""
_AFTER_STUDIES = ((0.04, 0.0), (0.13, -1.5), (0.3, -2.0), (1.05, -3.0))
"""(years from the end of the studies, prior) up to so many …"""
_LONG_AFTER = -4.0
"""… and beyond, and before them. Certificates are dated in the last month of the studies, mostly."""
_STUDIES = (1.5, 9.0, -0.5)
"""(least, most, prior): years after the only other month, which may be the first of the studies."""
_AGES = ((17.0, 30.0, 0.0), (15.0, 50.0, -0.7), (10.0, 80.0, -2.0))
"""(least, most, prior): years of age at the latest date that a document names."""
_NO_AGE = -6.0
_LIVING = range(1940, 2036)
"""Years of which documents in use speak …"""
_LONG_AGO = -3.0
"""… and the prior of others."""
_EXPECTED = -1.0
"""Prior from which a date is what one expects."""

_YEARS_NEAR = range(1950, 2036)
_MOST_TEXTS = 4
"""Readings of which the parts are put together anew."""
_PARTS = re.compile(
    r"^(?P<head>\D{0,4}(?=\d)|(?:中[华華])?民[国國])?(?P<y>[^年]{1,6})年(?P<m>[^月]{0,4})月(?P<d>[^日]{0,4}?)(?P<tail>日?)$"
)
_WITHIN = re.compile(r"[\d〇○零一二三四五六七八九]{2,6}年[^年月]{1,4}月[^年月日]{1,4}日")
"""A date among other characters: more was cut out of the page than the date."""
_YEARLESS = re.compile(r"^[^年]{0,4}?年?(?P<rest>[^年月]{1,3}月[^年月日]{1,4}日)$")
_MARKED = re.compile(r"^(?P<y>\d{4})(?P<a>[-./])(?P<m>\d{1,2})(?P<b>[-./])(?P<d>\d{1,2})$")
_DAMAGED = 0.4
"""Belief in a line that may be a date, before it is read again."""
_OF_A_DATE = re.compile(r"[\d〇○零一二三四五六七八九十廿卅年月日]")
_MOSTLY, _LEAST_LENGTH, _LEAST_MARKS = 0.7, 4, 2
"""Share of a date's characters in such a line, how many characters it has, and of 年, 月 and 日."""
_YEAR_BEFORE, _DIGITS_BEFORE = 5.5, 3.5
"""Line heights before a date of which the year was not read, and not all of the year."""
_CHINESE = "〇一二三四五六七八九"
_HAN_NUMERAL = re.compile(r"[〇○零一二三四五六七八九十廿卅]")


@dataclass(frozen=True)
class _Written:
    """How the numbers of a date are written."""

    chinese: bool
    zero: str = "〇"
    padded: bool = False

    def year(self, number: int) -> str:
        if not self.chinese:
            return str(number)
        return "".join(_CHINESE[int(digit)] for digit in str(number)).replace("〇", self.zero)

    def small(self, number: int) -> str:
        if not self.chinese:
            return f"{number:02d}" if self.padded else str(number)
        tens, units = divmod(number, 10)
        head = ("" if tens == 1 else _CHINESE[tens]) + "十" if tens else ""
        return head + (_CHINESE[units] if units else "")


class Dates(Language):
    """Dates of the calendar, weighed by the document's other dates."""

    def __init__(self, field: Field, context: Context) -> None:
        self._field, self._name = field, field.name
        self._only_labelled = field.only_labelled
        order = [c for c in context.schema.checks if c.kind == "date_order"]
        self._earlier = _check_of(order, field.name, 0)
        self._later = _check_of(order, field.name, 1)
        spans = [span for line in _paragraphs(context.lines) for span in find_dates(line)]
        self._told = sorted({span.iso for span in spans if span.whole})
        self._months = [iso for iso in self._told if len(iso) == len("2019-06")]

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        """The dates within what was read, and all that differ from them in one part, so written."""
        dated = [each[0] for text in printed if (each := _WITHIN.search(text))]
        texts = list(dict.fromkeys([*printed[:_MOST_TEXTS], *dated[:_MOST_TEXTS]]))
        near = [each for text in texts for each in self._near(text)]
        return list(dict.fromkeys([*dated, *near]))

    def meaning(self, printed: str) -> tuple[str, float] | None:
        spans = find_dates(printed)
        if not spans:
            word = parse_choice(self._field, printed) if self._field.values else None
            return self._of_the_month(printed) if word is None else (word, 0.0)
        if len(spans) != 1 or spans[0].end - spans[0].start < len(printed.strip()):
            return None
        iso = spans[0].iso
        prior = self._prior(iso)
        if not spans[0].whole:
            prior += _TORN
        if re.search(r"\d", printed) and _HAN_NUMERAL.search(printed):
            prior += _MIXED
        if len(iso) < len("2019-06-20"):
            prior += _NO_DAY_OF_BIRTH if self._earlier else _NO_DAY
        elif not _is_a_day(iso):
            prior += _NO_SUCH_DAY
        return iso, prior

    @property
    def indel(self) -> float:
        """Nothing: the calendar says where a numeral is missing that a seal has hidden."""
        return 0.0

    def before(self, printed: str) -> float:
        spans = find_dates(printed)
        if not spans:
            return _YEAR_BEFORE
        return ROOM if spans[0].whole else _DIGITS_BEFORE

    def seek(self, page: PreparedPage) -> Iterator[Candidate]:
        """Lines of mostly a date's characters without a date: beside the field's own label, and where
        a certificate is dated."""
        pieces = [
            piece
            for index, label in enumerate(page.form.labels)
            if label.name == self._name
            for block in page.form.blocks.get(index, ())[:1]
            for piece in block.pieces
        ]
        if self._later is not None and not self._only_labelled:
            foot = page.layout.aspect / 2
            pieces += [piece for piece in page.layout.pieces if piece.v > foot]
        for piece in pieces:
            if _looks_like_a_date(piece.text):
                yield Candidate("", piece.text, piece.glyphs, _DAMAGED, 1.0)

    def looks(self, value: str) -> float:
        """Nothing: what a date says of its place is its prior already."""
        return 0.0

    def _of_the_month(self, printed: str) -> tuple[str, float] | None:
        """A day of which the year was lost, in the month in which the studies ended."""
        day = _YEARLESS.match(printed)
        if day is None or self._later is None or not self._months:
            return None
        end = self._months[-1]
        spans = find_dates(f"{end[:4]}年{day['rest']}")
        if len(spans) != 1 or not spans[0].whole or not spans[0].iso.startswith(end):
            return None
        return spans[0].iso, _YEAR_LOST if _is_a_day(spans[0].iso) else _NO_SUCH_DAY

    def familiar(self, printed: str) -> bool:
        meant = self.meaning(printed)
        return meant is not None and meant[1] >= _EXPECTED

    def _prior(self, iso: str) -> float:
        prior = 0.0 if int(iso[:4]) in _LIVING else _LONG_AGO
        if self._later is not None and self._months:
            gap = years_between(self._months[-1], iso)
            reach = (p for most, p in _AFTER_STUDIES if 0 <= gap <= most)
            least, most, studied = _STUDIES
            alone = len(self._months) == 1 and least <= gap <= most
            prior += studied if alone else next(reach, _LONG_AFTER)
        if self._later is not None and self._later.years is not None and self._told:
            age = years_between(self._told[0], iso)
            if age >= self._later.years[0]:
                prior += next((p for least, most, p in _AGES if least <= age <= most), _NO_AGE)
        if self._earlier is not None and self._told and not self._told[-1].startswith(iso):
            age = years_between(iso, self._told[-1])
            prior += next((p for least, most, p in _AGES if least <= age <= most), _NO_AGE)
        return prior

    def _near(self, text: str) -> list[str]:
        marked = _MARKED.match(text)
        if marked is not None:
            return [
                f"{y}{marked['a']}{m:02d}{marked['b']}{d:02d}"
                for y, m, d in _varied(int(marked["y"]), int(marked["m"]), int(marked["d"]), ())
            ]
        parts = _PARTS.match(text)
        if parts is None:
            return self._days_near(text)
        year_text, month_text, day_text = parts["y"], parts["m"], parts["d"]
        chinese = bool(_HAN_NUMERAL.search(text))
        zero = next((char for char in year_text if char in "〇○零"), "〇")
        spans = find_dates(f"{year_text}年1月")
        years = self._years(spans[0].iso[:4] if spans else "", year_text)
        month, day = small_number(month_text), small_number(day_text)
        head, tail = parts["head"] or "", parts["tail"] or "日"
        found = []
        paddings = (
            {False, True}
            if not chinese and (month is None or day is None)
            else {bool(re.match(r"0\d", month_text) or re.match(r"0\d", day_text))}
        )
        for padded in sorted(paddings):
            written = _Written(chinese, zero, padded)
            for y, m, d in _varied(years[0], month, day, years[1:]) if years else ():
                year = year_text if spans and spans[0].whole and y == years[0] else written.year(y)
                found.append(f"{head}{year}年{written.small(m)}月{written.small(d)}{tail}")
        return found

    def _days_near(self, text: str) -> list[str]:
        """The days of the month in which the studies ended, where the year was lost."""
        if not _YEARLESS.match(text) or not self._months:
            return []
        written = _Written(bool(_HAN_NUMERAL.search(text)), padded=bool(re.search(r"0\d", text)))
        month = int(self._months[-1][5:])
        head = text[: text.find("年") + 1]
        return [f"{head}{written.small(month)}月{written.small(d)}日" for d in range(1, 32)]

    def _years(self, read: str, text: str) -> list[int]:
        """The year that was read, those that differ by a digit, and those of the other dates."""
        told = [int(iso[:4]) for iso in self._told]
        if not read:
            return sorted(set(told), reverse=True)
        near = [
            y for y in _YEARS_NEAR if sum(a != b for a, b in zip(str(y), read, strict=True)) == 1
        ]
        others = [iso for span in find_dates(f"{text}年1月") for iso in span.others]
        guessed = [int(iso[:4]) for iso in others]
        return list(dict.fromkeys([int(read), *guessed, *told, *near]))


def dates(field: Field, context: Context) -> Dates:
    """The language of a field of dates."""
    return Dates(field, context)


def _looks_like_a_date(text: str) -> bool:
    if find_dates(text):
        return False
    known = len(_OF_A_DATE.findall(text))
    marks = sum(mark in text for mark in "年月日")
    return len(text) >= _LEAST_LENGTH and known >= _MOSTLY * len(text) and marks >= _LEAST_MARKS


def _check_of(checks: Sequence[Check], name: str, place: int) -> Check | None:
    return next((c for c in checks if c.fields[place] == name), None)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    """Each line, and all of them run together: a date may go on over two."""
    return [*lines, "".join(lines)]


def _is_a_day(iso: str) -> bool:
    try:
        date.fromisoformat(iso)
    except ValueError:
        return False
    return True


def _varied(
    year: int, month: int | None, day: int | None, years: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Dates that differ from a read one in one part, or in all parts that could not be read."""
    months, days = range(1, 13), range(1, 32)
    if month is None or day is None:
        return [
            (year, m, d)
            for m in (months if month is None else (month,))
            for d in (days if day is None else (day,))
        ]
    return [
        (year, month, day),
        *((year, m, day) for m in months),
        *((year, month, d) for d in days),
        *((y, month, day) for y in years),
    ]

"""Times of the day, written `15:20` or `15:20:05` however they are printed.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects).
"""

from __future__ import annotations

import re

from ocr_moe.values.dates import small_number
from ocr_moe.values.printed import Part

_AFTER = r"下午|晚上|傍晚|午後|午后|[Pp]\.?\s?[Mm]\b\.?"
_BEFORE = r"上午|早上|凌晨|清晨|午前|[Aa]\.?\s?[Mm]\b\.?"
_NOON = r"中午|正午"
_N = r"[\d〇零一二三四五六七八九十]{1,3}"
_CLOCK = re.compile(
    rf"(?:(?P<half>{_AFTER}|{_BEFORE}|{_NOON})\s?)?(?<![\d:.])(?P<h>[01]?\d|2[0-4])\s?[:：]\s?(?P<m>[0-5]\d)"
    rf"(?:\s?[:：]\s?(?P<s>[0-5]\d))?(?![\d:])(?:\s?(?P<end>{_AFTER}|{_BEFORE}))?"
)
_HOURS = re.compile(
    rf"(?:(?P<half>{_AFTER}|{_BEFORE}|{_NOON})\s?)?(?P<h>{_N})\s?(?:时|時|点|點)(?!间|間)"
    rf"(?:\s?(?:(?P<thirty>半)|(?P<quarter>[一三])刻|(?P<m>{_N})\s?分?(?:\s?(?P<s>{_N})\s?秒)?))?"
)
_ENGLISH = re.compile(rf"(?<![\d:.])(?P<h>1[0-2]|0?[1-9])\s?(?P<end>{_AFTER}|{_BEFORE})")


def find_time(text: str) -> Part | None:
    """The first time of `text`."""
    found = _first(text)
    return None if found is None else Part(*found.span(), found.group().strip())


def parse_time(text: str) -> str | None:
    found = _first(text)
    return None if found is None else _written(found)


def same_time(a: str, b: str) -> bool:
    """As exactly as both are printed: 15:20 and 15:20:05."""
    shorter = min(len(a), len(b))
    return shorter >= len("15:20") and a[:shorter] == b[:shorter]


def time_belief(value: str) -> float:
    return 1.0 if re.fullmatch(r"\d\d:\d\d(?::\d\d)?", value) else 0.0


def _first(text: str) -> re.Match[str] | None:
    found = [
        match
        for pattern in (_CLOCK, _HOURS, _ENGLISH)
        for match in pattern.finditer(text)
        if _written(match) is not None
    ]
    return min(found, key=lambda match: (match.start(), -match.end()), default=None)


def _written(match: re.Match[str]) -> str | None:
    said = match.groupdict()
    hour = small_number(match["h"])
    minute: int | None = 0
    if said.get("thirty"):
        minute = 30
    elif quarter := said.get("quarter"):
        minute = 15 * (small_number(quarter) or 0)
    elif said.get("m"):
        minute = small_number(said["m"])
    second = small_number(said["s"]) if said.get("s") else None
    if hour is None or minute is None:
        return None
    half = said.get("end") or said.get("half") or ""
    if (re.fullmatch(_AFTER, half) and hour < 12) or (re.fullmatch(_NOON, half) and hour < 3):
        hour += 12
    elif re.fullmatch(_BEFORE, half) and hour == 12:
        hour = 0
    if hour > 24 or minute > 59 or (second or 0) > 59 or (hour == 24 and (minute or second)):
        return None
    seconds = "" if second is None else f":{second:02d}"
    return f"{hour:02d}:{minute:02d}{seconds}"

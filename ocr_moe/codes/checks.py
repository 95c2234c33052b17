"""Check characters by name. The arithmetic is python-stdnum's where it has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

_STDNUM = {
    "uscc": "stdnum.cn.uscc",  # GB 32100-2015, 18 characters
    "mod_11_10": "stdnum.iso7064.mod_11_10",  # the 15-digit 注册号, among others
    "mod_11_2": "stdnum.iso7064.mod_11_2",
    "mod_37_36": "stdnum.iso7064.mod_37_36",
    "mod_97_10": "stdnum.iso7064.mod_97_10",
    "luhn": "stdnum.luhn",  # bank cards, IMEI
    "iso6346": "stdnum.iso6346",  # freight containers
    "iban": "stdnum.iban",
    "isbn": "stdnum.isbn",
    "ean": "stdnum.ean",
    "lei": "stdnum.lei",
    "imei": "stdnum.imei",
}
_MRZ_WEIGHTS = (7, 3, 1)


def known_checks() -> frozenset[str]:
    return frozenset(_STDNUM) | frozenset(_OWN)


def passes(name: str, code: str) -> bool:
    """Whether `code` carries the right check character(s). Raises KeyError for an unknown name."""
    return _check(name)(code)


@cache
def _check(name: str) -> Callable[[str], bool]:
    own = _OWN.get(name)
    if own is not None:
        return own
    is_valid: Callable[[str], bool] = import_module(_STDNUM[name]).is_valid
    return is_valid


def _mrz_value(character: str) -> int:
    return 0 if character == "<" else int(character, 36)


def _mrz_digit(text: str) -> str:
    total = sum(_mrz_value(c) * _MRZ_WEIGHTS[i % 3] for i, c in enumerate(text))
    return str(total % 10)


def _mrz_td3(line: str) -> bool:
    """Second line of a passport's machine-readable zone, ICAO Doc 9303 part 4 (44 characters)."""
    if len(line) != 44 or not all(c == "<" or (c.isascii() and c.isalnum()) for c in line):
        return False
    fields = ((0, 9), (13, 19), (21, 27))
    if any(_mrz_digit(line[a:b]) != line[b] for a, b in fields):
        return False
    personal, digit = line[28:42], line[42]
    if _mrz_digit(personal) != digit and not (digit == "<" and set(personal) == {"<"}):
        return False
    return _mrz_digit(line[0:10] + line[13:20] + line[21:43]) == line[43]


def _mrz_part(text: str) -> bool:
    """A part of a machine-readable zone and its check digit; of an empty part the digit may be `<`."""
    part, digit = text[:-1], text[-1:]
    if not part or not all(c == "<" or (c.isascii() and c.isalnum()) for c in text):
        return False
    return _mrz_digit(part) == digit or (digit == "<" and set(part) == {"<"})


def _mrz_td2(line: str) -> bool:
    """Second line of a machine-readable zone of size TD2, ICAO Doc 9303 part 6 (36 characters)."""
    if len(line) != 36 or not all(c == "<" or (c.isascii() and c.isalnum()) for c in line):
        return False
    if any(_mrz_digit(line[a:b]) != line[b] for a, b in ((0, 9), (13, 19), (21, 27))):
        return False
    return _mrz_digit(line[0:10] + line[13:20] + line[21:35]) == line[35]


def _mrz_td1(lines: str) -> bool:
    """First two lines of an identity card's machine-readable zone, ICAO Doc 9303 part 5 (60)."""
    if len(lines) != 60 or not all(c == "<" or (c.isascii() and c.isalnum()) for c in lines):
        return False
    upper, lower = lines[:30], lines[30:]
    if _mrz_digit(upper[5:14]) != upper[14]:
        return False
    if _mrz_digit(lower[:6]) != lower[6] or _mrz_digit(lower[8:14]) != lower[14]:
        return False
    return _mrz_digit(upper[5:30] + lower[:7] + lower[8:15] + lower[18:29]) == lower[29]


_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def _organisation(code: str) -> bool:
    """Characters 9-17 of a unified social credit code are an organisation code, GB 11714-1997."""
    body = code[8:17]
    if len(code) != 18 or not all(c.isascii() and c.isalnum() for c in body):
        return False
    total = sum(w * int(c, 36) for w, c in zip(_ORGANISATION_WEIGHTS, body[:8], strict=True))
    return body[8] == "0123456789X0"[11 - total % 11]


def _cn_id(code: str) -> bool:
    """18-character resident identity number, GB 11643: its check character, ISO 7064 MOD 11-2.

    Nothing else decides: the regions in it have changed over the years, and lists of them lag.
    """
    return re.fullmatch(r"[0-9]{17}[0-9X]", code) is not None and passes("mod_11_2", code)


_OWN: dict[str, Callable[[str], bool]] = {
    "cn_id": _cn_id,
    "icao9303": _mrz_part,
    "mrz_td3": _mrz_td3,
    "mrz_td2": _mrz_td2,
    "mrz_td1": _mrz_td1,
    "uscc_organisation": _organisation,
}

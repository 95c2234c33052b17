"""Certificate and registration numbers that obey the rules of their kind.

Sources: 教育部《高等教育学历证书电子注册管理暂行规定》 (diplomas), 国务院学位办 notice on the numbers
of degree certificates, GB 32100-2015 and GB 11714-1997 (统一社会信用代码), GS 15-2006 (注册号),
GB 11643-1999 (公民身份号码), ICAO Doc 9303 (machine-readable zones).
"""

from __future__ import annotations

from datetime import date
from random import Random

from stdnum.cn import uscc
from stdnum.iso7064 import mod_11_2, mod_11_10

DIPLOMA_FORMS = {"regular": "1", "graduate": "1", "adult": "5", "selfstudy": "6", "online": "7"}
DIPLOMA_LEVELS = {"博士研究生": "01", "硕士研究生": "02", "本科": "05", "专科": "06"}
DEGREE_LEVELS = {"博士研究生": "2", "硕士研究生": "3", "本科": "4"}
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def serial(rng: Random, length: int) -> str:
    """A running number: mostly small, so that it starts with zeros, as on real certificates."""
    digits = rng.choice((2, 3, 3, 4, 4, 4, 5)) if rng.random() < 0.75 else length
    return str(rng.randrange(1, 10 ** min(digits, length))).zfill(length)


def diploma_number(rng: Random, school: str, form: str, year: int, level: str) -> str:
    """18 digits: school 5, form 1, year 4, level 2, serial 6; the serial has 5 before 2003."""
    length = 6 if year >= 2003 or (year == 2002 and rng.random() < 0.5) else 5
    return school + DIPLOMA_FORMS[form] + str(year) + DIPLOMA_LEVELS[level] + serial(rng, length)


def selfstudy_number(rng: Random, region: str, year: int, month: int, level: str) -> str:
    """17 digits: 6, level 1, division 6, year 2, half-year 1, ticket 5, check 1."""
    half = "1" if month <= 7 else "2"
    digit = "5" if level == "本科" else "6"
    ticket = f"{rng.randrange(1, 99999):05d}{rng.randrange(10)}"
    return "6" + digit + region + f"{year % 100:02d}" + half + ticket


def degree_number(rng: Random, school: str, form: str, year: int, level: str) -> str:
    """16 characters: unit 5, level 1, year 4, serial 6; letters mark some kinds of degree."""
    tail = serial(rng, 6)
    if form == "adult" and rng.random() < 0.5:
        tail = rng.choice("CEZ") + tail[1:]
    elif level == "硕士研究生" and rng.random() < 0.15:
        tail = rng.choice("SZ") + tail[1:]
    return school + DEGREE_LEVELS[level] + str(year) + tail


def organisation_code(rng: Random, year: int) -> str:
    """9 characters of GB 11714, with its check character."""
    if year >= 2015:
        body = "MA" + "".join(rng.choice(USCC_ALPHABET) for _ in range(6))
    else:
        body = f"{rng.choice('01234567')}{rng.randrange(10**7):07d}"
    total = sum(
        USCC_ORDINAL[char] * weight
        for char, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
    )
    check = (11 - total % 11) % 11
    return body + ("X" if check == 10 else str(check))


USCC_ORDINAL = {char: n for n, char in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def credit_code(rng: Random, region: str, kind: str, year: int) -> str:
    """18 characters of GB 32100. `kind`: 1 enterprise, 2 individual, 3 farmers' cooperative."""
    body = "9" + kind + region + organisation_code(rng, year)
    return body + str(uscc.calc_check_digit(body))


def registration_number(rng: Random, region: str, kind: str) -> str:
    """15 digits: authority 6, kind 1 (0-3 domestic, 6-7 individual), serial 7, check 1."""
    first = rng.choice("67") if kind == "2" else rng.choice("0012")
    body = region + first + f"{rng.randrange(1, 10**7):07d}"
    return body + str(mod_11_10.calc_check_digit(body))


def old_registration_number(rng: Random, region: str) -> str:
    """13 digits, as given out before 2007; without a check digit."""
    return region + rng.choice("12") + f"{rng.randrange(1, 10**6):06d}"


def vat_code(rng: Random, region: str, year: int, edition: str, special: bool) -> str:
    """发票代码: 10 digits on paper (area 4, year 2, batch 1, language or kind 1, copies 1, version 1),
    12 where it is electronic (0, area 4, year 2, batch 3, kind 2)."""
    area = region[:2] + rng.choice(("00", region[2:4]))
    if edition == "electronic":
        return f"0{area}{year % 100:02d}{rng.randrange(0, 20):03d}{13 if special else 11}"
    return f"{area}{year % 100:02d}{rng.randrange(1, 10)}{1 if special else 3}{rng.choice('236')}0"


def identity_number(rng: Random, region: str, birth: str, sex: str) -> str:
    """18 characters: region 6, day of birth 8, order 3 (odd for men), check character."""
    body = f"{region}{birth.replace('-', '')}{_order(rng, sex)}"
    return body + str(mod_11_2.calc_check_digit(body))


def old_identity_number(rng: Random, region: str, birth: str, sex: str) -> str:
    """15 digits, as given out before 1999: the year of birth has two, and there is no check."""
    return f"{region}{birth.replace('-', '')[2:]}{_order(rng, sex)}"


def _order(rng: Random, sex: str) -> str:
    order = rng.randrange(0, 500) * 2 + (sex == "男")
    return f"{order or 2:03d}"


_ZONE_WEIGHTS = (7, 3, 1)


def zone_digit(text: str) -> str:
    """The check digit of a part of a machine-readable zone."""
    values = (0 if char == "<" else int(char, 36) for char in text)
    return str(sum(value * _ZONE_WEIGHTS[n % 3] for n, value in enumerate(values)) % 10)


def passport_zone(
    *,
    state: str,
    surname: str,
    given: str,
    number: str,
    birth: date,
    sex: str,
    expiry: date,
    personal: str = "",
) -> tuple[str, str]:
    """The two lines of 44 characters of a zone of size TD3; names with `<` between their parts."""
    first = f"P<{state}{surname}<<{given}"[:44].ljust(44, "<")
    numbered = number.ljust(9, "<")
    numbered += zone_digit(numbered)
    born, ends = (f"{day:%y%m%d}" for day in (birth, expiry))
    born, ends = born + zone_digit(born), ends + zone_digit(ends)
    optional = personal.ljust(14, "<")
    optional += zone_digit(optional) if personal else "<"
    second = f"{numbered}{state}{born}{sex}{ends}{optional}"
    return first, second + zone_digit(numbered + born + ends + optional)

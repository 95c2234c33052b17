"""What the QR codes on generated documents say, as those on real ones do.

Of 47 QR codes read on 80 real licences 26 name the number: 22 in a list of keys, and 4 as a parameter
of an address; one of them named the number before the printed one.  The other 21 hold the address of a
web page and nothing else.  Bytes are UTF-8, on licences of some places GB 18030.  Where a list has a
date, it is one of registration as often as not.
"""

from __future__ import annotations

import zlib
from datetime import date, timedelta
from random import Random

from ocr_moe.generation import codes
from ocr_moe.generation.documents.businesses import Licence
from ocr_moe.generation.documents.invoices import MARK_TYPES, Invoice

_PAGES = (
    "http://www.gsxt.example/notice/query/queryEntInfoMain.do?uuid={token}",
    "http://gsxt.example:58888/province/infoQueryServlet.json?pt&c={token}",
    "https://xyjg.example/ECPS/qyxxgsAction_initQyxyxxMain.action?nbxh={token}",
)
_TOKEN = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz0123456789"
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "gb18030")
_STYLES = (("：", "\n"), (":", ";\n"), ("：", "；"), (":", ";"), ("：", "\r\n"), ("：", "，"))
"""What stands behind a key, and what behind a value."""


def of_licence(rng: Random, facts: Licence) -> bytes:
    """The content of the QR code on a licence."""
    form = rng.choices(("page", "address", "keys", "plain"), weights=(45, 9, 43, 3))[0]
    if form == "page":
        return _page(rng).encode()
    number = _number(rng, facts)
    if form == "address":
        return f"http://www.gsxt.example/index.html?uniscid={number}".encode()
    if form == "plain":
        return number.encode()
    return _keys(rng, facts, number).encode(rng.choice(_ENCODINGS))


def of_invoice(facts: Invoice) -> bytes:
    """The list in the QR code of a VAT invoice. The sum is without tax, but with it on those that are
    digital altogether, which have neither code nor check code."""
    sum_of = facts.total if facts.edition == "digital" else facts.amount
    day = facts.issued.replace("-", "")
    parts = ("01", MARK_TYPES[facts.edition, facts.special], facts.code, facts.number, sum_of, day)
    crc = f"{zlib.crc32(','.join(parts).encode()) & 0xFFFF:04X}"
    return (",".join((*parts, facts.check, crc)) + ",").encode()


def of_register(verification_code: str) -> bytes:
    """The content of the QR code on a register sheet: an address with its verification code."""
    return f"https://www.chsi.example/xlcx/bg.do?vcode={verification_code}&srcid=bgcx".encode()


def _number(rng: Random, facts: Licence) -> str:
    if facts.era == "modern" and rng.random() < 0.04:
        return codes.registration_number(rng, facts.code[2:8], "1")
    return facts.code


def _keys(rng: Random, facts: Licence, number: str) -> str:
    colon, end = rng.choice(_STYLES)
    if rng.random() < 0.04:
        colon = ""
        end = "\n"
    label = "统一社会信用代码" if len(number) == 18 else "注册号"
    parts = [(label, number)]
    if len(number) == 18 and rng.random() < 0.3:
        parts.append(("注册号", codes.registration_number(rng, facts.code[2:8], "1")))
    if rng.random() < 0.8:
        parts.append(("名称", facts.name))
    if rng.random() < 0.5:
        parts.append(("法定代表人" if facts.family == "company" else "经营者", facts.person))
    if rng.random() < 0.25:
        parts.append(("住所", facts.address))
    if rng.random() < 0.45:
        parts.append(("成立日期", facts.founded_printed))
    elif rng.random() < 0.5:
        day = date.fromisoformat(facts.founded) + timedelta(days=rng.randint(0, 2500))
        parts.append(("登记日期", f"{day.year}年{day.month:02}月{day.day:02}日"))
    if rng.random() < 0.7:
        parts.append(("企业信用信息公示系统网址", "http://gsxt.example"))
    return end.join(f"{key}{colon}{value}" for key, value in parts)


def _page(rng: Random) -> str:
    return rng.choice(_PAGES).format(token=_token(rng, rng.choice((32, 48, 96, 144))))


def _token(rng: Random, length: int) -> str:
    return "".join(rng.choice(_TOKEN) for _ in range(length))

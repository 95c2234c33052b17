"""From a value as it was read to the value as it is written down, and when two of them are the same.

One function for readings, truth and predictions alike, so that nobody is compared with a ruler of
his own.  What each kind becomes is fixed by the field's schema and nothing else.
"""

from __future__ import annotations

import re
import unicodedata

from ocr_moe.schema import Field, Kind
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import DateSpan, find_dates, parse_date

_CJK = (
    r"\u2e80-\u2fff\u3001-\u303f\u30fb\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
_PUNCTUATION = r"!-/:-@\[-`{-~"
_SPACE_BETWEEN_CJK = re.compile(
    rf"(?<=[{_CJK}])\s+(?=[{_CJK}{_PUNCTUATION}])|(?<=[{_PUNCTUATION}])\s+(?=[{_CJK}])"
)
_HAS_CJK = re.compile(rf"[{_CJK}]")
_EDGES = " \t\r\n:;,.、。，；：|_~*'\"`"
_DASHES = re.compile(r"[-‐‑‒–—―─－﹣ーˉ~〜∼]+")
_DOTS = re.compile(r"[·•・‧∙⋅˙●]")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "【": "[", "】": "]"})
_FOREVER = re.compile(r"长期|永久|永续|无固定期限|不约定期限")
_RANGE_WORDS = re.compile(
    r"营业期限|经营期限|合伙期限|自|从|由|起|至|到|止|长期|永久|永续|无固定期限|不约定期限|年月日|[-—–~*/\s,.:;()|]"
)
_CODE_PREFIX = re.compile(r"^(?:NO|№|编号|证书编号|证书号|号)[.:：\s]*(?=[A-Z0-9])", re.IGNORECASE)


def normalize(field: Field, raw: str) -> str | None:
    """The value of `raw` as `field` writes it down, or None when it holds none.

    text, person, organisation, money: NFKC without spaces between CJK characters, else as printed.
    date: ISO 8601.  enum: one of the field's values.  code: characters only.
    """
    text = clean_text(raw)
    value = _by_kind(field, text) if text else None
    # Taking spaces out may have brought a letter and its accent together.
    return unicodedata.normalize("NFC", value) if value else None


def _by_kind(field: Field, text: str) -> str | None:
    match field.kind:
        case Kind.DATE:
            return parse_date(text)
        case Kind.ENUM:
            return _enum(field, text)
        case Kind.CODE:
            return _code(field, text)
        case Kind.PERSON:
            return _DOTS.sub("·", text).strip(_EDGES + "·-") or None
        case Kind.ORGANISATION:
            return text.strip(_EDGES) or None
        case Kind.MONEY:
            return text.strip(" \t:;,、。") or None
        case Kind.TEXT:
            return _text(text)


def equal(field: Field, a: str, b: str) -> bool:
    """Whether two values say the same, after normalisation.

    Beyond identity: money by amount (and currency, where both name one), ranges of dates by their
    dates, and Chinese text without regard to spaces, kinds of dash, dot and quotation mark.
    """
    left, right = normalize(field, a), normalize(field, b)
    if left is None or right is None:
        return left is right and _loose(clean_text(a)) == _loose(clean_text(b))
    if left == right:
        return True
    match field.kind:
        case Kind.DATE | Kind.ENUM:
            return False
        case Kind.CODE:
            return _bare_code(left) == _bare_code(right)
        case Kind.MONEY:
            return _same_amount(left, right) or _loose(left) == _loose(right)
        case _:
            return _loose(left) == _loose(right) or _same_range(left, right)


def clean_text(raw: str) -> str:
    """NFKC, one space for any run of white space, and none between CJK characters."""
    text = unicodedata.normalize("NFKC", raw)
    text = "".join(
        char for char in text if unicodedata.category(char) not in ("Cc", "Cf") or char.isspace()
    )
    text = re.sub(r"\s+", " ", text).strip()
    return _SPACE_BETWEEN_CJK.sub("", text)


def _text(text: str) -> str | None:
    if _range_dates(text) is not None:
        return re.sub(r"\s", "", text).strip(_EDGES.replace("*", "")) or None
    return text.strip(" \t:;,、") or None


def _enum(field: Field, text: str) -> str | None:
    folded = _loose(text).casefold()
    best: tuple[int, int, str] | None = None
    for value, synonyms in field.values.items():
        for word in (value, *synonyms):
            needle = _loose(clean_text(word)).casefold()
            if not needle:
                continue
            if folded == needle:
                return value
            # A Latin word must stand alone: "male" is not in "female".
            found = re.search(
                rf"(?<![a-z]){re.escape(needle)}(?![a-z])"
                if needle.isascii()
                else re.escape(needle),
                folded,
            )
            if found:
                rank = (len(needle), -found.start(), value)
                best = rank if best is None or rank[:2] > best[:2] else best
    return best[2] if best else None


def _code(field: Field, text: str) -> str | None:
    for label in field.labels:
        head = clean_text(label)
        if text.startswith(head) and len(text) > len(head):
            text = text[len(head) :]
            break
    text = _CODE_PREFIX.sub("", re.sub(r"\s", "", text).strip(_EDGES))
    if field.grammars:
        text = text.upper()
        if not _HAS_CJK.search(text):
            text = _bare_code(text)
    return text.strip(_EDGES + "-/") or None


def _bare_code(text: str) -> str:
    return "".join(char for char in text if char.isalnum()).upper()


def _loose(text: str) -> str:
    text = _DASHES.sub("-", _DOTS.sub("·", text.translate(_QUOTES)))
    if _HAS_CJK.search(text):
        text = re.sub(r"\s", "", text)
    return text.rstrip(".。,;、*")


def _same_amount(a: str, b: str) -> bool:
    left, right = parse_amount(a), parse_amount(b)
    if left is None or right is None or left.value != right.value:
        return False
    return left.currency is None or right.currency is None or left.currency == right.currency


def _range_dates(text: str) -> tuple[str, ...] | None:
    """The dates (and whether the end is open) of a text that is nothing but a range of dates."""
    spans = find_dates(text)
    if not spans or _RANGE_WORDS.sub("", _without(text, spans)):
        return None
    open_end = ("open",) if _FOREVER.search(text) else ()
    return (*(span.iso for span in spans), *open_end)


def _without(text: str, spans: list[DateSpan]) -> str:
    kept, position = [], 0
    for span in spans:
        kept.append(text[position : span.start])
        position = span.end
    return "".join((*kept, text[position:]))


def _same_range(a: str, b: str) -> bool:
    left = _range_dates(a)
    if left is not None:
        return left == _range_dates(b)
    return bool(_FOREVER.search(a) and _FOREVER.search(b)) and not (
        _RANGE_WORDS.sub("", a) or _RANGE_WORDS.sub("", b)
    )

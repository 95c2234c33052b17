"""Folds: how texts are written when they are compared, each for one kind of comparison.

They stand side by side because they differ on purpose: what is noise between two labels (a space)
parts two words of a value, and whoever needs to find his way back to the page may not lose a
character.  A fold is never a value; values are written by `ocr_moe.values.normalize`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

CJK = (
    r"\u2e80-\u2fff\u3001-\u303f\u30fb\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
"""Inside a character class: Han characters, kana excepted, and their punctuation."""
HAN = re.compile(r"[\u3400-\u9fff]")
"""A Han character as nearly all print has them: of the first plane, extension A and the unified ones."""
DOTS = re.compile(r"[·•・‧∙⋅˙●]")
"""What stands between the parts of a name."""

_HAS_CJK = re.compile(rf"[{CJK}]")
_DASHES = re.compile(r"[-‐‑‒–—―─－﹣ーˉ~〜∼]+")
_QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "【": "[", "】": "]"})
_NAME_MARKS = re.compile(r"[\s()\[\]·.]")
_ZEROS = "〇○"  # no letters by Unicode, but digits of a year


def has_cjk(text: str) -> bool:
    return _HAS_CJK.search(text) is not None


def fold_glyph(character: str) -> str:
    """A glyph of a code: NFKC, upper case.  May come out longer than one character (㎏)."""
    return unicodedata.normalize("NFKC", character).upper()


def fold_in_place(text: str) -> str:
    """A line in which a code or its label is sought: glyph by glyph, so that positions stay."""
    folded = ((character, fold_glyph(character)) for character in text)
    return "".join(glyph if len(glyph) == 1 else character for character, glyph in folded)


def fold_print(text: str) -> str:
    """A value against the print: NFKC, lower case, letters and digits only.

    Works character by character, so that `fold_print(a + b) == fold_print(a) + fold_print(b)`.
    """
    return "".join(map(_fold_printed, text))


@lru_cache(maxsize=32_768)  # more than the characters of certificates; a page has each many times
def _fold_printed(character: str) -> str:
    folded = unicodedata.normalize("NFKC", character).lower()
    return "".join(part for part in folded if part.isalnum() or part in _ZEROS)


def fold_label(text: str) -> str:
    """A printed label or word: NFKC, without case and white space.  Punctuation parts labels."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


def fold_label_glyph(character: str) -> str:
    """One NFKC character of a line in which a label is sought: without case, as one character."""
    return character.casefold()[:1]


def fold_heading(text: str) -> str:
    """A column's heading or a marker in a cell: a label, without the marks people add (`姓名*:`)."""
    return re.sub(r"[:*]", "", fold_label(text))


def fold_name(text: str) -> str:
    """An organisation's name against a list: NFKC, without spaces, brackets and dots.

    Case stays: a list's spelling is the measure, and similarity counts what differs.
    """
    return _NAME_MARKS.sub("", unicodedata.normalize("NFKC", text))


_SPACES_AT_MARKS = re.compile(r"(?<=[,;:.()&/])\s+|\s+(?=[,;:.()&/])")


def fold_value(text: str) -> str:
    """A clean value against another: one kind of dash, dot and quotation mark, no stop at its end.

    Spaces count between the words of Latin text only; case counts.
    """
    text = _DASHES.sub("-", DOTS.sub("·", text.translate(_QUOTES)))
    text = re.sub(r"\s", "", text) if has_cjk(text) else _SPACES_AT_MARKS.sub("", text)
    return text.rstrip(".。,;、*")


def fold_path(path: str) -> str:
    """A file's path as a sheet may name it: NFC, slashes, without case and a leading `./`.

    Not NFKC: two files may differ in the width of a character.
    """
    text = unicodedata.normalize("NFC", path).replace("\\", "/").strip().casefold()
    return text.removeprefix("./")

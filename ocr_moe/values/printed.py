"""Text as it is printed: cleaned, and the part of it that is a value."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from ocr_moe.folds import CJK

EDGES = " \t\r\n:;,.、。，；：|_~*'\"`"
"""What stands at the ends of a value without being of it."""
_PUNCTUATION = r"!-/:-@\[-`{-~"
_SPACE_BETWEEN_CJK = re.compile(
    rf"(?<=[{CJK}])\s+(?=[{CJK}{_PUNCTUATION}])|(?<=[{_PUNCTUATION}])\s+(?=[{CJK}])"
)


@dataclass(frozen=True)
class Part:
    """A value as printed: `text` is what characters `start` to `end` of a longer text say."""

    start: int
    end: int
    text: str
    certainty: float = 1.0
    """Less where the print says only a part of the value, and the rest was guessed."""


@lru_cache(maxsize=4096)  # the same lines are looked at for every field
def clean_text(raw: str) -> str:
    """NFKC, one space for any run of white space, and none between CJK characters."""
    text = unicodedata.normalize("NFKC", raw)
    text = "".join(
        char for char in text if unicodedata.category(char) not in ("Cc", "Cf") or char.isspace()
    )
    text = re.sub(r"\s+", " ", text).strip()
    return _SPACE_BETWEEN_CJK.sub("", text)

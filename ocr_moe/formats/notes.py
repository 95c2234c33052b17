"""Notes of decisions in the language of whoever reads them.

Records keep notes as English sentences that are made where something is noticed. For people they are
known again by their patterns (notes.yaml) and said in Chinese; what is of no known pattern, such as the
words of a server or of a schema, stays as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ocr_moe.formats.phrases import Language, Patterns

_NOTES = Patterns("ocr_moe.formats", "notes.yaml")
_NESTED = "reasons"
"""The name of what is made of further notes, parted by commas or semicolons."""
_NOTE = "why"
"""The name of what is one note itself."""
_LONGEST = 2_000
"""Characters of a note that is looked at: what is longer is the text of a page or of a server."""


@lru_cache(maxsize=4096)
def note_in(note: str, language: Language) -> str:
    """A note of a decision, a conflict or a subject in a language; as it is where no pattern fits."""
    if language == "en" or len(note) > _LONGEST:
        return note
    chinese = _NOTES.chinese(note, lambda name, text: _said(name, text, language))
    return note if chinese is None else chinese


def _said(name: str, text: str, language: Language) -> str:
    if name == _NOTE:
        return note_in(text, language)
    if name != _NESTED:
        return text
    return "，".join(note_in(part, language) for part in re.split(r"[,;] (?=[^()]* says )", text))

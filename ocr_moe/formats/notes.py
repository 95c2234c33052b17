"""Notes of decisions in the language of whoever reads them.

Records keep notes as English sentences that are made where something is noticed. For people they are
known again by their patterns (notes.yaml) and said in Chinese; what is of no known pattern, such as the
words of a server or of a schema, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from ocr_moe.formats.phrases import Language

_NAME = re.compile(r"\{(\w+)\}")
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
    for pattern, chinese in _patterns():
        found = pattern.fullmatch(note)
        if found is not None:
            return chinese.format_map(
                {name: _said(name, text, language) for name, text in found.groupdict().items()}
            )
    return note


def _said(name: str, text: str, language: Language) -> str:
    if name == _NOTE:
        return note_in(text, language)
    if name != _NESTED:
        return text
    return "，".join(note_in(part, language) for part in re.split(r"[,;] (?=[^()]* says )", text))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    import yaml

    file = resources.files("ocr_moe.formats").joinpath("notes.yaml")
    pairs: list[Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return tuple((_pattern(english), chinese) for english, chinese in pairs)


def _pattern(english: str) -> re.Pattern[str]:
    parts = _NAME.split(english)
    made = [re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(parts)]
    return re.compile("".join(made), re.DOTALL)

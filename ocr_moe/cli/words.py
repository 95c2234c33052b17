"""The words of the command line in the language of the terminal: words.yaml, filled in."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr_moe.formats.phrases import Language, Phrase, Words

_TOLD_BY = ("OCR_MOE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Environment variables; the first that is set says which language it is."""


def language() -> Language:
    """Chinese where the environment says so, else English."""
    told = next(filter(None, map(os.environ.get, _TOLD_BY)), "")
    return "zh" if told.lower().startswith("zh") else "en"


def phrase(key: str, **values: Any) -> Phrase:
    """A phrase of words.yaml, to stand inside another."""
    from ocr_moe.formats.phrases import Phrase

    return Phrase(key, values)


def said(key: str, **values: Any) -> str:
    """A phrase of words.yaml as text."""
    return _words().filled(phrase(key, **values), language(), str)


@cache
def _words() -> Words:
    from ocr_moe.formats.phrases import Words

    return Words("ocr_moe.cli", "words.yaml")

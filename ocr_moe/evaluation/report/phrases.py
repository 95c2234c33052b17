"""The words of the report in both languages: words.yaml, filled in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import resources

from markupsafe import Markup, escape

from ocr_moe.formats.phrases import Language, Phrase, Words

_PACKAGE = "ocr_moe.evaluation.report"
_WORDS = Words(_PACKAGE, "templates/words.yaml")


def text(phrases: Sequence[Phrase], language: Language) -> str:
    """Sentences one after the other, as plain text."""
    return "".join(_WORDS.filled(phrase, language, str) for phrase in phrases)


def markup(phrases: Sequence[Phrase], language: Language) -> Markup:
    """The same for a page: everything is escaped but markup of ours."""
    return Markup("").join(_WORDS.filled(phrase, language, escape) for phrase in phrases)


def unfilled(key: str, language: Language) -> str:
    """A phrase without names, or with its names still open."""
    return _WORDS.unfilled(key, language)


def attribute(name: str, key: str, opening: Language = "en") -> Markup:
    """An attribute of an element in the language in which the page opens, with both for its script."""
    english, chinese = unfilled(key, "en"), unfilled(key, "zh")
    return Markup('{}="{}" data-of="{}" data-en="{}" data-zh="{}"').format(
        name, chinese if opening == "zh" else english, name, english, chinese
    )


@cache
def asset(name: str) -> str:
    """A file of the report's templates. Raises FileNotFoundError."""
    folder = resources.files(_PACKAGE) / "templates"
    return (folder / name).read_text(encoding="utf-8")

"""The words of the report in both languages: words.yaml, filled in.

A phrase may stand inside another, and a list is told with the commas of the language around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

import yaml
from markupsafe import Markup, escape

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""In the order of words.yaml."""


@dataclass(frozen=True)
class Phrase:
    """A phrase of words.yaml with what fills its {names}, in no language yet."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """Texts, numbers, phrases, markup of ours, or lists of these."""


def text(phrases: Sequence[Phrase], language: Language) -> str:
    """Sentences one after the other, as plain text."""
    return "".join(_filled(phrase, language, str) for phrase in phrases)


def markup(phrases: Sequence[Phrase], language: Language) -> Markup:
    """The same for a page: everything is escaped but markup of ours."""
    return Markup("").join(_filled(phrase, language, escape) for phrase in phrases)


def unfilled(key: str, language: Language) -> str:
    """A phrase without names, or with its names still open."""
    return words()[key][LANGUAGES.index(language)]


@cache
def words() -> Mapping[str, tuple[str, str]]:
    """words.yaml: key → (English, Chinese)."""
    data = yaml.safe_load(asset("words.yaml"))
    return {key: (english, chinese) for key, (english, chinese) in data.items()}


@cache
def asset(name: str) -> str:
    """A file of the report's templates. Raises FileNotFoundError."""
    folder = resources.files("ocr_moe.evaluation.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _filled(phrase: Phrase, language: Language, safe: Callable[[str], str]) -> str:
    values = {name: _said(value, language, safe) for name, value in phrase.values.items()}
    return safe(unfilled(phrase.key, language)).format(**values)


def _said(value: Any, language: Language, safe: Callable[[str], str]) -> Any:
    if isinstance(value, Phrase):
        return _filled(value, language, safe)
    if isinstance(value, tuple | list):
        comma = safe(unfilled("comma", language))
        return comma.join(_said(part, language, safe) for part in value)
    return value

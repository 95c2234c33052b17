"""Words in two languages: files of phrases, and phrases that are filled in.

A file is YAML: a key, and under it the English and the Chinese text. Texts have {names}; a text with
a `|` says before it what is told of one (`n` is 1), and after it what is told of any other number.
A phrase may stand inside another, and a list is told with the commas of the language around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from typing import Any, Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
"""In the order of the files."""


@dataclass(frozen=True)
class Phrase:
    """A phrase of a file with what fills its {names}, in no language yet."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)
    """Texts, numbers, phrases, or lists of these."""


@dataclass(frozen=True)
class Words:
    """The phrases of one file of a package."""

    package: str
    name: str

    @cached_property
    def all(self) -> Mapping[str, tuple[str, str]]:
        """Key → (English, Chinese)."""
        import yaml

        file = resources.files(self.package).joinpath(*self.name.split("/"))
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
        return {key: (english, chinese) for key, (english, chinese) in data.items()}

    def unfilled(self, key: str, language: Language) -> str:
        """A phrase without names, or with its names still open. Raises KeyError."""
        return self.all[key][LANGUAGES.index(language)]

    def filled(self, phrase: Phrase, language: Language, safe: Callable[[str], str]) -> str:
        """A phrase as text; `safe` makes of a text of the file what fits where it is shown."""
        values = {name: self._said(value, language, safe) for name, value in phrase.values.items()}
        one, bar, many = self.unfilled(phrase.key, language).partition("|")
        chosen = many if bar and phrase.values.get("n") != 1 else one
        return safe(chosen).format(**values)

    def _said(self, value: Any, language: Language, safe: Callable[[str], str]) -> Any:
        if isinstance(value, Phrase):
            return self.filled(value, language, safe)
        if isinstance(value, Sequence) and not isinstance(value, str):
            comma = safe(self.unfilled("comma", language))
            return comma.join([self._said(part, language, safe) for part in value])
        return value


@dataclass(frozen=True)
class Patterns:
    """English sentences that are made where something is noticed, known again and said in Chinese.

    The file of a package is YAML: pairs of an English sentence with {names} and the Chinese one.
    """

    package: str
    name: str

    @cached_property
    def _all(self) -> Sequence[tuple[re.Pattern[str], str]]:
        import yaml

        file = resources.files(self.package).joinpath(*self.name.split("/"))
        pairs = yaml.safe_load(file.read_text(encoding="utf-8"))
        return [(_pattern(english), chinese) for english, chinese in pairs]

    def chinese(self, sentence: str, said: Callable[[str, str], str] | None = None) -> str | None:
        """The Chinese of the first sentence that fits; None where none does. `said` makes of a name and
        what stands for it what is to stand in the Chinese; by default {names} is a list."""
        for pattern, chinese in self._all:
            found = pattern.fullmatch(sentence)
            if found is not None:
                given = found.groupdict()
                return chinese.format_map({n: (said or _said)(n, given[n]) for n in given})
        return None


_NAME = re.compile(r"\{(\w+)\}")
_MORE = re.compile(r" … and \d+ more$")


def _pattern(english: str) -> re.Pattern[str]:
    parts = _NAME.split(english)
    made = [re.escape(part) if i % 2 == 0 else f"(?P<{part}>.+?)" for i, part in enumerate(parts)]
    return re.compile("".join(made), re.DOTALL)


def _said(name: str, text: str) -> str:
    """A list of names, cut short or not, has Chinese commas; anything else stays as it is."""
    return _MORE.sub(" 等", text).replace(", ", "、") if name == "names" else text

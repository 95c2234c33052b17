"""Names to pick from while a reviewer types: by their characters, by pinyin, by its initials, or by all
of these mixed; a slip of the keyboard is forgiven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from ocr_moe.codes.lexicon import find_lexicon
from ocr_moe.folds import fold_name, has_cjk
from ocr_moe.schema import Field

SHOWN = 8
"""Names that are offered at once: what a glance takes in."""
_LIKE = 72.0
"""Likeness, 0-100, from which a name is offered for what is mistyped: one slip in a word of five or
six letters is still found, two are not."""
_LONGEST = 40
"""Characters of a query that are looked at."""


@dataclass(frozen=True)
class _Name:
    spelled: str
    folded: str
    syllables: tuple[str, ...]
    """One for each character of `folded`: its pinyin without tone, or the character itself."""


class PickList:
    """Names, indexed once. Safe to share between threads."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = [_named(name) for name in dict.fromkeys(names) if name.strip()]
        self._folded = [name.folded.casefold() for name in self._names]
        self._pinyin = ["".join(name.syllables) for name in self._names]
        self._initials = ["".join(s[:1] for s in name.syllables) for name in self._names]

    def __len__(self) -> int:
        return len(self._names)

    def like(self, typed: str, limit: int = SHOWN) -> list[str]:
        """Names for what was typed, as they are spelled, the likeliest first; none for nothing typed.

        `四川`, `sichuan`, `scdx` and `四川dx` find 四川大学.
        """
        query = fold_name(typed[:_LONGEST]).casefold()
        if not query:
            return []
        found: dict[int, None] = {}
        for step in self._steps(query):
            for index in step:
                found.setdefault(index)
            if len(found) >= limit:
                break
        return [self._names[index].spelled for index in list(found)[:limit]]

    def _steps(self, query: str) -> Iterator[Sequence[int]]:
        """Ways of matching, the surest first; within a way, shorter names first."""
        latin = not has_cjk(query)
        columns = [self._folded, *((self._initials, self._pinyin) if latin else ())]
        tests: list[Callable[[str], bool]] = [
            lambda text: text == query,
            lambda text: text.startswith(query),
            lambda text: query in text,
        ]
        for test in tests:
            for column in columns:
                yield self._ranked(i for i, text in enumerate(column) if test(text))
        first = query[0]
        yield self._ranked(
            i
            for i, name in enumerate(self._names)
            if (first in self._initials[i] or first in self._folded[i])
            and _abbreviates(query, name)
        )
        column = self._pinyin if latin else self._folded
        near = process.extract(
            query, column, scorer=fuzz.partial_ratio, score_cutoff=_LIKE, limit=SHOWN
        )
        yield [index for _, _, index in near] if len(query) > 1 else []

    def _ranked(self, indices: Iterable[int]) -> list[int]:
        return sorted(indices, key=lambda index: (len(self._names[index].folded), index))


def pick_list(field: Field) -> PickList | None:
    """The names that a field's values mostly are; None where its schema knows no list of them.

    Raises ConfigError where a list cannot be read.
    """
    if field.lexicon is None:
        return None
    lexicon = find_lexicon(field.lexicon.name, field.lexicon.path)
    return None if lexicon is None else PickList(lexicon.spelled)


def _named(name: str) -> _Name:
    from pypinyin import lazy_pinyin

    folded = fold_name(name)
    # What has no pinyin comes in runs: it is taken apart again.
    spoken = "\0".join(lazy_pinyin(folded, errors="\0".join)).casefold()
    return _Name(name, folded, tuple(spoken.split("\0")))


def _abbreviates(query: str, name: _Name) -> bool:
    """Whether the query goes through characters of the name in a row, each by itself, its pinyin or the
    beginning of that."""
    return any(
        _goes_on(query, 0, name, start)
        for start, syllable in enumerate(name.syllables)
        if query[0] in (syllable[:1], name.folded[start].casefold())
    )


def _goes_on(query: str, at: int, name: _Name, index: int) -> bool:
    if at == len(query):
        return True
    if index == len(name.syllables):
        return False
    if query[at] == name.folded[index].casefold() and _goes_on(query, at + 1, name, index + 1):
        return True
    syllable = name.syllables[index]
    same = 0
    while same < len(syllable) and at + same < len(query) and syllable[same] == query[at + same]:
        same += 1
    return any(_goes_on(query, at + length, name, index + 1) for length in range(same, 0, -1))

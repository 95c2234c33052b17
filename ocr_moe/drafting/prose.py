"""Values within sentences that come again: what differs between words that stand on many samples.

A certificate says 学生 … 性别 … 于 … 年在我校 … 专业: the words between which the samples differ are
taken from the running text, and become patterns."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_moe.drafting.kinds import Guess, guess_of
from ocr_moe.drafting.printing import Printed
from ocr_moe.folds import HAN
from ocr_moe.schema import Kind

_OFTEN = 0.5
"""Share of the samples on which words stand that belong to the form's sentences …"""
_BOTH = 0.4
"""… and on which two of them stand around a value."""
_SHORTEST, _LONGEST = 2, 12
"""Characters of such words."""
_NEARLY = 0.9
"""Of two words of which one holds the other, the longer is taken where it is nearly as often."""
_VALUE = 40
"""Characters of a value at most."""
_BEFORE, _AFTER = 6, 4
"""Characters of the words before and after a value that its pattern asks for."""
_PHRASE = 14
"""Characters from which a value with commas is a sentence."""
_NAME = 6
_MARKS = re.compile(r"[,。]")
_SENTENCES = 2
"""Marks of sentences from which a page is prose."""
_EDGES = " ,:;。.、()"
_WORD = re.compile(r"[\u3400-\u9fff,:()]+")
_NAMING = re.compile(r"(专业|同学|称号|学位|学历|学院|奖学金|比赛|竞赛|课程|等级|名次|职务)")
"""Words after a value that tell what it is."""
_BODIES: Mapping[Kind, str] = {
    Kind.PERSON: r"[\u3400-\u9fff·]{2,8}?",
    Kind.CODE: r"[0-9A-Za-z\-]+",
}
_BODY = r"[^;。]{1,40}?"


@dataclass(frozen=True)
class Told:
    """A value that sentences tell."""

    name: str
    pattern: str
    guess: Guess
    values: Mapping[int, str]
    """Sample → value."""


def told_in(pages: Sequence[Printed], samples: int) -> list[Told]:
    """The values in the sentences of so many samples, in their order; none where there are too few."""
    if samples < 3:
        return []
    texts = {page.sample: page.running.text.replace(" ", "") for page in pages if page.number == 1}
    prose = sum(len(_MARKS.findall(text)) >= _SENTENCES for text in texts.values())
    if prose < 0.5 * samples:
        return []
    words = _words(texts, samples)
    gaps: dict[tuple[str, str], dict[int, tuple[int, str]]] = defaultdict(dict)
    for sample, text in texts.items():
        for at, before, value, after in _gaps(text, words):
            around = before.rstrip(_EDGES)[-_BEFORE:], after.lstrip(_EDGES)[:_AFTER]
            gaps[around].setdefault(sample, (at, value))
    found: list[tuple[float, Told]] = []
    for (before, after), places in gaps.items():
        values = {sample: value for sample, (_, value) in places.items()}
        if len(values) < max(3, math.ceil(_BOTH * samples)) or len(set(values.values())) < 2:
            continue
        guess = guess_of(list(values.values()), _name_of(before, after))
        middle = sum(at for at, _ in places.values()) / len(places)
        found.append(
            (middle, Told(_name_of(before, after), _pattern(before, after, guess), guess, values))
        )
    return [told for _, told in sorted(found, key=lambda each: each[0])]


def _words(texts: Mapping[int, str], samples: int) -> list[str]:
    """The words that stand on many of the texts, longer ones first."""
    seen: dict[str, set[int]] = defaultdict(set)
    for sample, text in texts.items():
        for run in _WORD.finditer(text):
            for start in range(run.start(), run.end()):
                for end in range(start + _SHORTEST, min(start + _LONGEST, run.end()) + 1):
                    seen[text[start:end]].add(sample)
    least = max(3, math.ceil(_OFTEN * samples))
    usual = {word: where for word, where in seen.items() if len(where) >= least and _is_word(word)}
    held = {
        word
        for word, where in usual.items()
        for longer in (char + word for char in _around(usual, word, before=True))
        if longer in usual and len(usual[longer]) >= _NEARLY * len(where)
    } | {
        word
        for word, where in usual.items()
        for longer in (word + char for char in _around(usual, word, before=False))
        if longer in usual and len(usual[longer]) >= _NEARLY * len(where)
    }
    kept = [word for word in usual if word not in held]
    return sorted(kept, key=lambda word: (-len(word), word))


def _around(usual: Mapping[str, set[int]], word: str, *, before: bool) -> set[str]:
    """Characters with which a word is longer."""
    if before:
        return {other[0] for other in usual if len(other) == len(word) + 1 and other[1:] == word}
    return {other[-1] for other in usual if len(other) == len(word) + 1 and other[:-1] == word}


def _is_word(text: str) -> bool:
    return len(HAN.findall(text)) >= _SHORTEST


def _gaps(text: str, words: Sequence[str]) -> Iterator[tuple[int, str, str, str]]:
    """(place, words before, value, words after) of what stands between words."""
    taken = [False] * len(text)
    places: list[tuple[int, str]] = []
    for word in words:
        at = text.find(word)
        while at >= 0:
            if not any(taken[at : at + len(word)]):
                taken[at : at + len(word)] = [True] * len(word)
                places.append((at, word))
            at = text.find(word, at + 1)
    places.sort()
    for (start, before), (end, after) in pairwise(places):
        value = text[start + len(before) : end].strip(_EDGES)
        if 0 < len(value) <= _VALUE and "。" not in value:
            yield start, before, value, after


def _name_of(before: str, after: str) -> str:
    """What a value is called: by the word after it that tells, else by the one before it."""
    telling = _NAMING.match(after.strip(_EDGES))
    if telling:
        return telling[1]
    return re.split(r"[,:()]", before.strip(_EDGES))[-1][-_NAME:]


def _pattern(before: str, after: str, guess: Guess) -> str:
    head, tail = re.escape(before), re.escape(after)
    body = _BODIES.get(guess.kind, _BODY)
    return rf"{head}[,:(\s]*(?P<value>{body})[,:)\s]*(?={tail})"


def is_sentence(texts: Sequence[str]) -> bool:
    """Whether values are mostly sentences, or what is left of them."""
    long = sum(len(text) > _PHRASE and re.search(r"[,;，；。]", text) is not None for text in texts)
    return long > 0.5 * len(texts)


def same_values(told: Told, values: Mapping[int, str]) -> bool:
    """Whether a label announces the same."""
    both = told.values.keys() & values.keys()
    alike = Counter(
        told.values[each] in values[each] or values[each] in told.values[each] for each in both
    )
    return bool(both) and alike[True] >= 0.5 * len(both)

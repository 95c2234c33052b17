"""Words that speak well or ill of something, as news and reviews use them, and common words.

The lists in `data` were written for this package; no list of others went into it, for the known
Chinese ones are for research only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

CHINESE_NEGATIONS = frozenset(
    (
        *("不", "没", "没有", "未能", "并未", "并非", "绝非", "无", "毫无", "难以", "无法", "尚未"),
        *("从未", "避免", "防止", "免于", "杜绝", "禁止"),
    )
)
"""Words that turn the meaning of the one that follows."""
_CHINESE_OTHERS = frozenset(
    ("不断", "不仅", "不但", "不只", "不少", "不久", "不同", "不管", "不论", "无论", "无比", "无数")
)
"""Words that begin like a negation and are none."""
CHINESE_REACH = 3
"""Characters between a negation and the word that it turns."""
_ENGLISH_NEGATIONS = frozenset(
    ("not", "no", "never", "neither", "nor", "without", "hardly", "barely", "cannot")
)
_ENGLISH_REACH = 3
"""Words up to the one that a negation turns."""
_NEUTRAL = frozenset(("goods", "likely", "likewise", "unlikely", "dying"))
"""What begins like a word of the lists, and speaks neither well nor ill."""
_ENGLISH = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
_ENDINGS = re.compile(
    r"(?:'s|s|es|d|ed|ing|ly|er|ers|ful|fully|ness|ment|ments|able|ous|y|ies|ied|ation|ations|ive|or|ors)"
)
_LONGEST_ENDING = 6


@cache
def words(name: str) -> frozenset[str]:
    """A list of `data`, such as `positive.en`."""
    return frozenset((files(__package__) / "data" / f"{name}.txt").read_text("utf-8").split())


def chinese_weights(text: str) -> Iterator[float]:
    """1 for each word that speaks well, -1 for each that speaks ill, turned by a negation before it."""
    positive, negative = words("positive.zh"), words("negative.zh")
    never = turned = -CHINESE_REACH - 1
    for match in _chinese().finditer(text):
        word = match[0]
        if word in positive or word in negative:
            weight = 1.0 if word in positive else -1.0
            yield -weight if match.start() - turned <= CHINESE_REACH else weight
            turned = never  # one word is turned, not all that follow
        if word in CHINESE_NEGATIONS:
            turned = match.end()


def english_weights(text: str) -> Iterator[float]:
    """The same for English; a word counts with any of its endings."""
    since = _ENGLISH_REACH + 1
    for match in _ENGLISH.finditer(text):
        word = match[0].lower().replace("’", "'")
        if word in _ENGLISH_NEGATIONS or word.endswith("n't"):
            since = 0
            continue
        since += 1
        if weight := _weight_of(word):
            yield -weight if since <= _ENGLISH_REACH else weight
            since = _ENGLISH_REACH + 1


@cache
def _chinese() -> re.Pattern[str]:
    known = words("positive.zh") | words("negative.zh") | CHINESE_NEGATIONS | _CHINESE_OTHERS
    return re.compile("|".join(sorted(map(re.escape, known), key=len, reverse=True)))


def _weight_of(word: str) -> float:
    if word in _NEUTRAL:
        return 0.0
    for stem in _stems(word):
        if stem in words("negative.en"):
            return -1.0
        if stem in words("positive.en"):
            return 1.0
    return 0.0


def _stems(word: str) -> Iterator[str]:
    """The word, and what may be its stem: longer ones first."""
    yield word
    for size in range(1, _LONGEST_ENDING + 1):
        stem, ending = word[:-size], word[-size:]
        if len(stem) < 3 or not _ENDINGS.fullmatch(ending):
            continue
        yield from (stem, f"{stem}e", f"{stem}y")
        if stem[-1] == stem[-2]:  # stopped, winning
            yield stem[:-1]

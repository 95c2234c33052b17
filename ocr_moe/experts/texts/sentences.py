"""Sentences and terms of Chinese and English text: what summaries and sentiments count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ocr_moe.experts.texts.lexicon import words
from ocr_moe.folds import CJK, HAN
from ocr_moe.reading.texts import Passage

_END = re.compile(
    r"[。！？!?…]+[”’」』\")）]*"
    r"|(?<=[^\s.A-Z])[.]+[”’\")]*(?=\s+[“\"'(]?[A-Z0-9]|\s*$)"  # not of initials and abbreviations
    r"|[；;](?=\s|$)|(?<=；)"
)
_SHORT = re.compile(
    r"(?:^|\W)(?:Dr|Mr|Mrs|Ms|Prof|St|Sr|Jr|vs|No|Inc|Ltd|Co|Corp|Gen|Sen|Gov|Mt)\.$"
)
"""An abbreviation at the end of what may be a sentence."""
_TERM = re.compile(rf"[A-Za-z][A-Za-z'’-]*|\d[\d.,%]*|[{CJK}]+")
EMPTY = frozenset("的了是在和与及或也都就而并且被把对从到为于以其这那个一不有中上下将让使")
"""Chinese characters of the same sort: a pair of them is no term."""


class Sentence(NamedTuple):
    text: str
    passage: Passage
    """Where it stands."""


def sentences_of(passages: Iterable[Passage]) -> list[Sentence]:
    """The sentences of a running text, in order; one does not go on in the next passage."""
    return [
        Sentence(text, passage) for passage in passages for text in split_sentences(passage.text)
    ]


def split_sentences(text: str) -> list[str]:
    found, start = [], 0
    for match in _END.finditer(text):
        if match.end() > start and not _SHORT.search(text, start, match.end()):
            found.append(text[start : match.end()])
            start = match.end()
    found.append(text[start:])
    return [each.strip() for each in found if any(char.isalnum() for char in each)]


def terms_of(text: str) -> Iterator[str]:
    """What a text is about: English words in lower case, and pairs of Chinese characters, which need no
    dictionary to be cut."""
    for match in _TERM.finditer(text):
        word = match[0]
        if HAN.match(word):
            for at in range(max(len(word) - 1, 1)):
                pair = word[at : at + 2]
                if not EMPTY.issuperset(pair):
                    yield pair
        elif (lowered := word.lower()) not in words("common.en") and len(lowered) > 1:
            yield lowered


def is_chinese(text: str) -> bool:
    """Whether more of it is Chinese than Latin; a word counts as two characters."""
    words = len(re.findall(r"[A-Za-z]+", text))
    return len(HAN.findall(text)) > 2 * words

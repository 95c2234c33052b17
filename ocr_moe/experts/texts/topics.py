"""The `terms` expert: a text's topics by the terms that it repeats; asks no model.

English: words and pairs of neighbouring words; Chinese, which is written without spaces: runs of two to
six characters within a clause.  A term counts as often as it occurs, once more where the headline has
it, times the logarithm of its length; a run that always stands in a longer one of the same count is no
term of its own (as in keyword extraction by PAT trees: Chien 1997; for the English ones, RAKE: Rose et
al. 2010).  A list of topics has no chance to be right as a whole: the reading has no score.

Features: `terms` that were given, `repeats` of the first.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from pydantic import Field as PydanticField

from ocr_moe.experts.texts.lexicon import words
from ocr_moe.experts.texts.sentences import EMPTY, is_chinese
from ocr_moe.protocols import Document, Services
from ocr_moe.reading.texts import given_values, running_text
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Reading, Value
from ocr_moe.values.normalize import normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_HEADLINES = ("headline", "title", "subject", "标题", "题目")
_LONGEST = 20_000
"""Characters of a text whose terms are counted."""
_MOST_CHARACTERS = 6
"""Of a Chinese term."""
_LONGEST_RUN = 12
"""Characters of a run that is counted: one that repeats whole is no term, but tells of its parts."""
_REPEATED = 2
"""Times that a term occurs, at the least."""
_WORD_END = re.compile(r"['’]s$")
_CLAUSE = re.compile(r"[\u3400-\u9fff]+")
_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]+")
_STOPS = re.compile(r"[.,;:!?()\[\]\n“”\"]")
_INSIDE = frozenset(
    "的了是在和与及或也都就而并且被把对从到为于以其这那不有将让使我你他她它们说称据"
)
"""Chinese characters that no term has: the words around it have them."""
_NO_TEXT = "the document has no running text to find topics in"


class TermsParams(Value):
    """How many terms are given."""

    terms: int = PydanticField(default=5, ge=1)
    """How many are given at most."""


class Terms:
    """Topics by repeated terms."""

    Params = TermsParams

    def __init__(self, name: str, params: TermsParams, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        return f"terms/{REVISION} {self._params.terms}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        pages = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        heads = [
            each.value for _, text in pages for each in given_values(text) if each.key in _HEADLINES
        ]
        body = "\n".join(passage.text for passage in running_text(pages))[:_LONGEST]
        found = terms_of_text("\n".join(heads), body)[: self._params.terms]
        readings = tuple(_reading(field, body, found) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))


def _reading(field: Field, body: str, found: Sequence[tuple[str, int]]) -> Reading:
    if not found:
        note = _NO_TEXT if not body.strip() else "the text repeats no term"
        return Reading(field=field.name, notes=(note,))
    apart = "、" if is_chinese(body) else ", "
    text = apart.join(term for term, _ in found)
    return Reading(
        field=field.name,
        value=normalize(field, text),
        raw=text,
        features={"terms": float(len(found)), "repeats": float(found[0][1])},
    )


def terms_of_text(headline: str, body: str) -> list[tuple[str, int]]:
    """Terms with the times that they occur; the weightiest first."""
    candidates = _chinese if is_chinese(f"{headline}\n{body}") else _english
    named = frozenset(candidates(headline))
    counts = Counter(chain(candidates(headline), candidates(body)))
    repeated = {term: count for term, count in counts.items() if count >= _REPEATED}
    ranked = sorted(
        (term for term in repeated if len(term) <= _MOST_CHARACTERS or not _CLAUSE.fullmatch(term)),
        key=lambda t: (-(repeated[t] + (t in named)) * math.log(1 + len(t)), len(t), t),
    )
    kept: list[str] = []
    for term in ranked:
        longer = (other for other in repeated if len(other) > len(term) and term in other)
        if any(repeated[other] >= repeated[term] for other in longer):
            continue
        if not any(term in other or other in term for other in kept):
            kept.append(term)
    return [(term, repeated[term]) for term in kept]


def _chinese(text: str) -> Iterator[str]:
    for match in _CLAUSE.finditer(text):
        clause = match[0]
        for start in range(len(clause)):
            for size in range(2, min(_LONGEST_RUN, len(clause) - start) + 1):
                if clause[start + size - 1] in _INSIDE or clause[start] in _INSIDE:
                    break
                term = clause[start : start + size]
                if not EMPTY.intersection(term):
                    yield term


def _english(text: str) -> Iterator[str]:
    common = words("common.en")
    for clause in _STOPS.split(text):
        spoken = [_WORD_END.sub("", word.lower()) for word in _WORD.findall(clause)]
        told = [word if word not in common and len(word) > 2 else "" for word in spoken]
        for first, second in pairwise([*told, ""]):
            if first:
                yield first
                if second:
                    yield f"{first} {second}"

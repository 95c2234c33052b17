"""The `extracts` expert: the sentences of a text that say most of it, as they stand; asks no model.

Sentences are chosen by LexRank (Erkan and Radev 2004) with a bonus for those that stand early, or
they are the first ones (`lead`), which for news is hard to beat.  It is done here because the packages
that do it load NLTK, and with it scipy and scikit-learn, 3 s and 200 MB a process.
A made text cannot be right or wrong: the reading has no score.

Features: `sentences` of the text, `kept` of them in the summary, `share` of its characters.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Literal

import numpy as np
from pydantic import Field as PydanticField

from ocr_moe.experts.texts.sentences import Sentence, sentences_of, terms_of
from ocr_moe.folds import has_cjk
from ocr_moe.geometry import hull
from ocr_moe.protocols import Document, Services
from ocr_moe.reading.texts import running_text
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Box, Cost, Evidence, Reading, Value
from ocr_moe.values.normalize import normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_DAMPING = 0.85
"""Of the walk, as in PageRank."""
_STEPS = 50
"""Of the walk: its distribution stands by then."""
_EARLY = 1.0
"""What the first sentence counts more than a late one; the second half of that, and so on."""
_MOST_SENTENCES = 400
"""Of a text among which sentences are chosen: their number squared is what LexRank takes."""
_EVIDENCE = 120
_NO_TEXT = "the document has no running text to summarise"


class ExtractsParams(Value):
    """How much is kept of a text, and how it is chosen."""

    method: Literal["lexrank", "lead"] = "lexrank"
    """How sentences are chosen."""
    sentences: int = PydanticField(default=2, ge=1)
    """How many are kept."""
    characters: int = PydanticField(default=400, ge=20)
    """Most characters of a summary; its first sentence is kept in any case, cut to them."""


class Extracts:
    """Summaries by sentences of the text."""

    Params = ExtractsParams

    def __init__(self, name: str, params: ExtractsParams, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        params = self._params
        return f"extracts/{REVISION} {params.method} {params.sentences} {params.characters}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        pages = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        sentences = sentences_of(running_text(pages))
        boxes = {
            (number, index): line.box
            for number, text in pages
            for index, line in enumerate(text.lines)
        }
        readings = tuple(self._reading(field, sentences, boxes) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))

    def _reading(
        self,
        field: Field,
        sentences: Sequence[Sentence],
        boxes: Mapping[tuple[int, int], Box],
    ) -> Reading:
        if not sentences:
            return Reading(field=field.name, notes=(_NO_TEXT,))
        kept = self._chosen(sentences[:_MOST_SENTENCES])
        first = kept[0].passage.page
        places = [boxes[first, s.passage.line] for s in kept if s.passage.page == first]
        text = _joined([sentence.text for sentence in kept])[: self._params.characters]
        text = normalize(field, text) or text
        whole = sum(len(sentence.text) for sentence in sentences)
        return Reading(
            field=field.name,
            value=text,
            raw=text,
            evidence=Evidence(box=hull(places), text=text[:_EVIDENCE], page=first),
            features={
                "sentences": float(len(sentences)),
                "kept": float(len(kept)),
                "share": round(len(text) / max(whole, 1), 4),
            },
        )

    def _chosen(self, sentences: Sequence[Sentence]) -> list[Sentence]:
        """The sentences that are kept, in the order of the text."""
        if self._params.method == "lead" or len(sentences) <= self._params.sentences:
            ranked = list(range(len(sentences)))
        else:
            ranked = _ranked(sentences)
        kept: list[int] = []
        room = self._params.characters
        for index in ranked[: self._params.sentences]:
            if kept and len(sentences[index].text) > room:
                continue
            kept.append(index)
            room -= len(sentences[index].text) + 1
        return [sentences[index] for index in sorted(kept)]


def _ranked(sentences: Sequence[Sentence]) -> list[int]:
    """Indexes of the sentences, those that say most first.

    LexRank: the stationary distribution of a walk between sentences that share weighty terms.  What
    stands early counts for more, as it does in news (Edmundson 1969).
    """
    counts = [Counter(terms_of(sentence.text)) for sentence in sentences]
    known = {term: index for index, term in enumerate(dict.fromkeys(chain(*counts)))}
    if not known:
        return list(range(len(sentences)))
    weights = np.zeros((len(sentences), len(known)))
    for row, terms in enumerate(counts):
        for term, count in terms.items():
            weights[row, known[term]] = count
    standing = np.count_nonzero(weights, axis=0)
    weights *= np.log(1.0 + len(sentences) / standing)
    lengths = np.linalg.norm(weights, axis=1, keepdims=True)
    weights /= np.maximum(lengths, 1e-12)
    alike = weights @ weights.T
    steps = alike / np.maximum(alike.sum(axis=1, keepdims=True), 1e-12)
    size = len(sentences)
    centrality = np.full(size, 1.0 / size)
    for _ in range(_STEPS):
        centrality = (1 - _DAMPING) / size + _DAMPING * (centrality @ steps)
    early = 1.0 + _EARLY / (1.0 + np.arange(size))
    belief = centrality * early
    return sorted(range(size), key=lambda index: (-round(float(belief[index]), 9), index))


def _joined(sentences: Sequence[str]) -> str:
    text = ""
    for sentence in sentences:
        apart = text and not (has_cjk(text[-1]) or has_cjk(sentence[0]))
        text += f" {sentence}" if apart and not text.endswith("”") else sentence
    return text

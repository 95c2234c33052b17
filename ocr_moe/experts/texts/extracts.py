"""The `extracts` expert: the sentences of a text that say most of it, as they stand; asks no model.

Sentences are chosen by the summarisers of the package sumy (LexRank: Erkan and Radev 2004; TextRank;
Luhn; KL), which get sentences and terms from here, so that Chinese is cut as well and nothing is
downloaded; or they are the first ones (`lead`), which for news is hard to beat.  A made text cannot be
right or wrong: the reading has no score.

Features: `sentences` of the text, `kept` of them in the summary, `share` of its characters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Literal

from pydantic import Field as PydanticField

from ocr_moe.errors import MissingDependencyError
from ocr_moe.experts.texts.sentences import Sentence, sentences_of, terms_of
from ocr_moe.folds import has_cjk
from ocr_moe.geometry import hull
from ocr_moe.protocols import Document, Package, Services
from ocr_moe.reading.texts import running_text
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Box, Cost, Evidence, Reading, Value
from ocr_moe.values.normalize import normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_SUMMARISERS = {
    "lexrank": ("sumy.summarizers.lex_rank", "LexRankSummarizer"),
    "textrank": ("sumy.summarizers.text_rank", "TextRankSummarizer"),
    "luhn": ("sumy.summarizers.luhn", "LuhnSummarizer"),
    "kl": ("sumy.summarizers.kl", "KLSummarizer"),
}
_MOST_SENTENCES = 400
"""Of a text among which sentences are chosen: their number squared is what LexRank takes."""
_EVIDENCE = 120
_NO_TEXT = "the document has no running text to summarise"


class ExtractsParams(Value):
    """How much is kept of a text, and how it is chosen."""

    method: Literal["lexrank", "textrank", "luhn", "kl", "lead"] = "lexrank"
    """How sentences are chosen."""
    sentences: int = PydanticField(default=2, ge=1)
    """How many are kept."""
    characters: int = PydanticField(default=400, ge=20)
    """Most characters of a summary; its first sentence is kept in any case, cut to them."""


class Extracts:
    """Summaries by sentences of the text."""

    Params = ExtractsParams
    packages = (Package("sumy", "summaries by sentences of the text"),)

    def __init__(self, name: str, params: ExtractsParams, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        params = self._params
        return f"extracts/{REVISION} {params.method} {params.sentences} {params.characters}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises, or
        MissingDependencyError."""
        pages = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        sentences = sentences_of(running_text(pages))
        boxes = {
            (number, index): line.box for number, text in pages for index, line in enumerate(text.lines)
        }
        readings = tuple(self._reading(field, sentences, boxes) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))

    def _reading(
        self,
        field: Field,
        sentences: Sequence[Sentence],
        boxes: dict[tuple[int, int], Box],
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
            ranked = _ranked(self._params.method, sentences, self._params.sentences)
        kept: list[int] = []
        room = self._params.characters
        for index in ranked[: self._params.sentences]:
            if kept and len(sentences[index].text) > room:
                continue
            kept.append(index)
            room -= len(sentences[index].text) + 1
        return [sentences[index] for index in sorted(kept)]


class _Cut:
    """Terms for sumy, which otherwise asks for data of NLTK that is to be downloaded."""

    def to_words(self, sentence: str) -> tuple[str, ...]:
        return tuple(terms_of(sentence))


def _ranked(method: str, sentences: Sequence[Sentence], count: int) -> list[int]:
    """Indexes of the sentences that say most; ties go to the earlier ones."""
    module, name = _SUMMARISERS[method]
    try:
        dom = import_module("sumy.models.dom")
        summariser: Callable[..., Any] = getattr(import_module(module), name)()
    except ImportError as error:
        raise MissingDependencyError(
            f"summaries by sentences need the package sumy ({error}); pip install sumy, or set "
            "`method: lead` for the expert"
        ) from error
    cut = _Cut()
    made = [dom.Sentence(sentence.text, cut) for sentence in sentences]
    document = dom.ObjectDocumentModel([dom.Paragraph(made)])
    places: dict[str, int] = {}
    for index, sentence in enumerate(sentences):
        places.setdefault(sentence.text, index)
    chosen = [places[str(each)] for each in summariser(document, count)]
    return list(dict.fromkeys(chosen)) or list(range(count))


def _joined(sentences: Sequence[str]) -> str:
    text = ""
    for sentence in sentences:
        apart = text and not (has_cjk(text[-1]) or has_cjk(sentence[0]))
        text += f" {sentence}" if apart and not text.endswith("”") else sentence
    return text

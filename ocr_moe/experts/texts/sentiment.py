"""The `lexicon` expert: the sentiment of a text by the words that it uses; asks no model.

Each word of the lists here counts one, turned by a negation just before it.  With P words that speak
well and N that speak ill, the polarity is (P - N) / (P + N + 2): a few words say little.  The score is
0.5 + |polarity| / 2 for a side, and 1 - |polarity| within the neutral middle: no chance that was
fitted.

The lists are the package's own and short: the known Chinese ones are for research only, the packages
with an English one have been left by their authors or load NLTK with all that hangs on it.

The field's `values` say how the sides are called: those that read as positive, negative and neutral
(积极, 消极, 中性; a field without a neutral value gets the nearer side).

Features: `polarity`, `words` that told, `neutral` 1 within the middle.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from pydantic import Field as PydanticField

from ocr_moe.experts.texts.lexicon import chinese_weights, english_weights
from ocr_moe.experts.texts.sentences import is_chinese
from ocr_moe.protocols import Document, Services
from ocr_moe.reading.texts import given_values, running_text
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Reading, Value
from ocr_moe.values.normalize import normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_NAMES = {
    1: ("positive", "积极", "正面", "好评", "pos"),
    0: ("neutral", "中性", "中立", "neu"),
    -1: ("negative", "消极", "负面", "差评", "neg"),
}
"""How the sides are called; a field's values or their synonyms have one of these."""
_SMOOTHING = 2.0
"""Weight of words that are taken to have been neutral."""
_LONGEST = 20_000
"""Characters of a text that are weighed: what it is about is said by then."""
_HEADLINES = ("headline", "title", "subject", "标题", "题目")
"""Keys whose value speaks for the whole text."""
_NO_TEXT = "the document has no running text to judge"


class LexiconParams(Value):
    """Where the neutral middle ends."""

    neutral: float = PydanticField(default=0.34, ge=0.0, lt=1.0)
    """Polarity up to which a text is neutral; with the default a single word does not tell."""


class Lexicon:
    """Sentiment by words that speak well or ill of something."""

    Params = LexiconParams

    def __init__(self, name: str, params: LexiconParams, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        return f"lexicon/{REVISION} {self._params.neutral}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        pages = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        heads = [
            each.value for _, text in pages for each in given_values(text) if each.key in _HEADLINES
        ]
        text = "\n".join([*heads, *(passage.text for passage in running_text(pages))])[:_LONGEST]
        weights = _weights(text)
        readings = tuple(self._reading(field, text, weights) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))

    def _reading(self, field: Field, text: str, weights: Sequence[float]) -> Reading:
        if not text.strip():
            return Reading(field=field.name, notes=(_NO_TEXT,))
        well = sum(weight for weight in weights if weight > 0)
        ill = -sum(weight for weight in weights if weight < 0)
        polarity = (well - ill) / (well + ill + _SMOOTHING)
        side = 0 if abs(polarity) <= self._params.neutral else 1 if polarity > 0 else -1
        value = _called(field, side)
        if value is None and side == 0:
            value = _called(field, 1 if polarity > 0 else -1)
        notes = () if value is not None else ("the field has no value for positive or negative",)
        score = 1 - abs(polarity) if side == 0 else 0.5 + abs(polarity) / 2
        if side == 0 and not weights:
            score = 0.5  # silence may be of a lexicon that does not know the words
        return Reading(
            field=field.name,
            value=value,
            score=round(score, 4) if value is not None else None,
            features={
                "polarity": round(polarity, 4),
                "words": float(len(weights)),
                "neutral": float(side == 0),
            },
            notes=notes,
        )


def _called(field: Field, side: int) -> str | None:
    """What the field calls a side."""
    return next(filter(None, (normalize(field, name) for name in _NAMES[side])), None)


def _weights(text: str) -> list[float]:
    """What the words of a text weigh, ill ones below 0."""
    return list(chinese_weights(text) if is_chinese(text) else english_weights(text))

"""How much a made text has of the one that a person wrote: neither is right or wrong.

`rouge`: ROUGE-L (Lin 2004), the F1 of the longest common subsequence of tokens, a token being an English
word, a number or a Chinese character.  `set`: the F1 of the parts of a list, whatever their order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sized

from rapidfuzz.distance import LCSseq

from ocr_moe.folds import fold_print
from ocr_moe.schema import Score
from ocr_moe.types import Value

_TOKEN = re.compile(r"[\u3400-\u9fff\u3040-\u30ff]|[^\W_\u3400-\u9fff\u3040-\u30ff]+")
_PARTS = re.compile(r"[,，、;；|/\n]+")


class Overlap(Value):
    """How a value and the truth cover one another."""

    precision: float
    """What of the value is in the truth."""
    recall: float
    """What of the truth is in the value."""

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def rouge_l(truth: str, value: str) -> Overlap:
    """ROUGE-L of a text."""
    wanted, given = (_TOKEN.findall(text.casefold()) for text in (truth, value))
    return _overlap(LCSseq.similarity(wanted, given), wanted, given)


def parts_in_common(truth: str, value: str) -> Overlap:
    """Of a list (甲、乙; a, b): a part counts where it is the same, case and marks aside."""
    wanted, given = (
        {part for each in _PARTS.split(text) if (part := fold_print(each))}
        for text in (truth, value)
    )
    return _overlap(len(wanted & given), wanted, given)


def _overlap(common: int, wanted: Sized, given: Sized) -> Overlap:
    if not common:
        return Overlap(precision=0.0, recall=0.0)
    return Overlap(precision=common / len(given), recall=common / len(wanted))


OVERLAPS: Mapping[Score, Callable[[str, str], Overlap]] = {
    Score.ROUGE: rouge_l,
    Score.SET: parts_in_common,
}
"""By how a field is scored; what is not here is right or wrong."""

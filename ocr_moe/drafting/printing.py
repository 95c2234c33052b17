"""What is printed on the samples: their pages laid out, and the texts that come again on them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ocr_moe.drafting.samples import Sample
from ocr_moe.folds import HAN, fold_label, fold_print
from ocr_moe.reading.layout import PageLayout, Text
from ocr_moe.types import PageText
from ocr_moe.values.hanzi import folding, searchable

RECURS = 0.3
"""Share of the samples on which a text stands that is part of the form: some are of other layouts."""
LETTER = re.compile(r"[^\W\d_]")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_PUNCTUATION = " :;,.、。·*_-|"


@dataclass(frozen=True, eq=False)
class Printed:
    """A page of a sample, laid out."""

    sample: int
    number: int
    text: PageText

    @cached_property
    def layout(self) -> PageLayout:
        likely = folding([line.text for line in self.text.lines])
        return PageLayout(self.text, likely, searchable)

    @cached_property
    def lined(self) -> Text:
        """The rows, one a line, with a tab between boxes."""
        return self.layout.lined()

    @cached_property
    def running(self) -> Text:
        return self.layout.running()

    @cached_property
    def letters(self) -> tuple[str, tuple[int, ...]]:
        """Letters and digits of `lined`, folded, and the place of each there."""
        letters: list[str] = []
        where: list[int] = []
        for index, char in enumerate(self.lined.text):
            for each in fold_print(char):
                letters.append(each)
                where.append(index)
        return "".join(letters), tuple(where)


def hides(text: str) -> bool:
    """Whether a text holds what nobody sees: marks of control and format, line breaks."""
    return any(unicodedata.category(char) in _HIDDEN for char in text)


def seen(text: str) -> str:
    """A text with spaces for what nobody sees in it: no schema's file may hold it."""
    return "".join(" " if hides(char) else char for char in text)


def printed_of(samples: Sequence[Sample]) -> tuple[Printed, ...]:
    """The pages of the samples, in order."""
    return tuple(
        Printed(index, number, _seen_page(page))
        for index, sample in enumerate(samples)
        for number, page in enumerate(sample.pages, 1)
        if page.lines
    )


def _seen_page(page: PageText) -> PageText:
    """The page without what nobody sees, if there is any."""
    if not any(hides(line.text) for line in page.lines):
        return page
    lines = tuple(line.model_copy(update={"text": seen(line.text)}) for line in page.lines)
    return page.model_copy(update={"lines": lines})


def enough(samples: int) -> int:
    """On how many of the samples a text of the form stands at least."""
    return 1 if samples == 1 else max(2, math.ceil(RECURS * samples))


def folded(text: str) -> str:
    """A text as texts of a form are compared."""
    return fold_label(text).strip(_PUNCTUATION)


def wide(text: str) -> float:
    """How wide a text is, in characters of Chinese."""
    return sum(1.0 if HAN.match(char) else 0.5 for char in text)


def is_wording(text: str) -> bool:
    """Whether a text may be printed by the form itself: letters, and hardly a figure."""
    letters = len(LETTER.findall(text))
    figures = sum(char.isdigit() for char in text)
    return letters >= 2 and figures <= max(1, letters // 8)

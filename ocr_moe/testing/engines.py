"""OCR without models: an engine and a line recogniser that give what a test set them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ocr_moe.codes.posterior import Posterior
from ocr_moe.types import Line, PageText

if TYPE_CHECKING:
    from PIL import Image

ALPHABET = "0123456789ABOSZ:证 "
"""What a `line_posterior` chooses from unless told otherwise: digits, and what passes for them."""


class ScriptedEngine:
    """An OCR engine that gives the pages' lines one after the other, the last page's for ever.

    An exception among them is raised instead; without pages it finds no lines.  `asked` holds the
    images that were shown.

    >>> from PIL import Image
    >>> from ocr_moe.testing import page
    >>> engine = ScriptedEngine(page("毕业证书"))
    >>> [line.text for line in engine.read(Image.new("RGB", (60, 40)))]
    ['毕业证书']
    >>> len(engine.asked)
    1
    """

    def __init__(self, *pages: PageText | Exception, fingerprint: str = "scripted engine") -> None:
        self.fingerprint = fingerprint
        self.asked: list[Image.Image] = []
        self._pages = pages

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        self.asked.append(image)
        if not self._pages:
            return ()
        found = self._pages[min(len(self.asked), len(self._pages)) - 1]
        if isinstance(found, Exception):
            raise found
        return found.lines


class ScriptedRecognizer:
    """A line recogniser that gives the posteriors one a crop, the last one for ever.

    `asked` holds the crops that were shown.

    >>> from PIL import Image
    >>> recognizer = ScriptedRecognizer(line_posterior("证:123"))
    >>> [posterior] = recognizer.recognize([Image.new("RGB", (60, 40))])
    >>> posterior.alphabet[posterior.probabilities[0].argmax()]
    '证'
    """

    def __init__(
        self,
        first: Posterior,
        *others: Posterior,
        fingerprint: str = "scripted recogniser",
    ) -> None:
        self.fingerprint = fingerprint
        self.asked: list[Image.Image] = []
        self._posteriors = (first, *others)

    def recognize(self, crops: Sequence[Image.Image]) -> list[Posterior]:
        return [self._next(crop) for crop in crops]

    def _next(self, crop: Image.Image) -> Posterior:
        self.asked.append(crop)
        return self._posteriors[min(len(self.asked), len(self._posteriors)) - 1]


def line_posterior(text: str, sure: float = 0.97, alphabet: str = ALPHABET) -> Posterior:
    """A posterior that reads `text` with that probability a character.

    Two time steps a character and a blank after them; what is left of the probability is spread
    evenly.  Every character must stand in `alphabet`.

    >>> line_posterior("证:123").probabilities.shape
    (15, 19)
    """
    import numpy as np

    characters = ("", *alphabet)
    rows = []
    for character in text:
        seen = np.full(len(characters), (1.0 - sure) / (len(characters) - 1))
        seen[characters.index(character)] = sure
        blank = np.full(len(characters), 0.01 / (len(characters) - 1))
        blank[0] = 0.99
        rows += [seen, seen, blank]
    return Posterior(np.array(rows, dtype=np.float32), characters)

"""What a language of values is, and what it may know.

A language is pure: what it says of a printed string depends on the schema and the string alone,
never on the clock, so that an answer stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

from ocr_moe.codes.lexicon import Lexicon, find_lexicon
from ocr_moe.reading.candidates import Candidate, PreparedPage
from ocr_moe.schema import Field, Schema


class Language(Protocol):
    """The values that one field may have, as they are printed, and how likely each is beforehand."""

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        """Further printed forms worth scoring, given the likeliest strings that were read."""

    def meaning(self, printed: str) -> tuple[str, float] | None:
        """(value as it is written down, natural-log prior) of a printed string; None where it is
        none of the language.

        Priors compare within a field only: 0 is what one expects.
        """

    def familiar(self, printed: str) -> bool:
        """Whether the language knows it outright: where it was also read surely, nobody looks again."""

    @property
    def indel(self) -> float:
        """Nats for each character by which a string is longer or shorter than what was read."""
        return INDEL

    def before(self, printed: str) -> float:
        """How far before its line, in line heights, a value may begin of which this was read."""
        return ROOM


INDEL = 3.0
"""Nats: a recogniser takes one character for another far more often than it drops or invents one."""
ROOM = 0.3
"""Line heights beyond the line's end that a clipped character may reach."""


@runtime_checkable
class Seeker(Protocol):
    """A language whose values are known by themselves, wherever they stand."""

    def seek(self, page: PreparedPage) -> Iterator[Candidate]:
        """Candidates anywhere on a page, for when no label and no pattern led to a familiar one."""

    def looks(self, value: str) -> float:
        """Natural-log belief, at most 0, that a value in this place looks like one of the language: it
        tells of the place, not of one reading of it against another."""


@dataclass(frozen=True)
class Context:
    """What a language may know besides its field."""

    schema: Schema
    lines: tuple[str, ...]
    """What page OCR read, line by line, over all pages."""
    field: Field

    @cached_property
    def lexicon(self) -> Lexicon | None:
        """The field's list of names. Raises ConfigError where the file is none."""
        named = self.field.lexicon
        return None if named is None else find_lexicon(named.name, named.path)

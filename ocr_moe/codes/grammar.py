"""Declarations of code grammars, as they stand in a schema's YAML.

A *grammar* is one variant that a strict field may take: an 18-digit diploma number, a unified
social credit code, a container number.  It is a sequence of *segments*; a field lists all its
variants and the decoder weighs them against each other.

    grammars:
      - name: diploma_18
        segments:
          - {name: school, length: 5, binding: {field: 毕业院校, via: lexicon}}
          - {name: type, length: 1, values: ["1", "5", "6", "7"]}
          - {name: year, length: 4, values: ["2019", "2020"], binding: {field: 毕业日期, via: year}}
          - {name: serial, length: 6}
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

from pydantic import Field as PydanticField
from pydantic import model_validator

from ocr_moe.codes.checks import known_checks, passes
from ocr_moe.types import Value

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_RANGE = re.compile(r"([0-9]{1,64})-([0-9]{1,64})")
_MOST_VALUES = 100_000
FILLER = "<"
"""What fills up the parts of a machine-readable zone, and parts the names in it."""
ALPHABETS = {
    "digits": DIGITS,
    "letters": LETTERS,
    "alphanumeric": DIGITS + LETTERS,
    "mrz": DIGITS + LETTERS + FILLER,
    "mrz_letters": LETTERS + FILLER,
}


class SegmentBinding(Value):
    """Another field of the same record that foretells a segment, as a soft prior."""

    field: str
    """The other field."""
    via: Literal["lexicon", "year", "values"]
    """lexicon: the code of the organisation of that name. year: the year of the date (its last
    digits, where the segment is shorter). values: the table below."""
    values: dict[str, tuple[str, ...]] = {}
    """values: the field's value → the segment's possible texts, the likeliest first."""

    @model_validator(mode="after")
    def _consistent(self) -> SegmentBinding:
        if (self.via == "values") != bool(self.values):
            raise ValueError("`values` belongs to `via: values`, and only there")
        return self


class Segment(Value):
    """A run of characters of one kind within a code."""

    name: str = ""
    """What others call it by: `from` of a field, `segment` of a check."""
    length: int = PydanticField(ge=0, le=64)
    """How many characters it has."""
    max_length: int | None = PydanticField(default=None, ge=0, le=64)
    """Longest length where the segment varies; `length` is then the shortest."""
    alphabet: str = "digits"
    """`digits`, `letters`, `alphanumeric`, `mrz` (these and `<`), `mrz_letters` (letters and `<`), or
    the allowed characters themselves."""
    values: tuple[str, ...] = ()
    """The only values allowed, where they are few. An item `1990-2035` stands for the range."""
    likely: tuple[str, ...] = ()
    """Beginnings that most codes have there, though no rule demands them (a running number's leading
    zero): having one speaks for a reading, having none says nothing."""
    check: Literal["icao9303"] | None = None
    """The check digit that follows the segment, and is right or wrong by itself."""
    covered: bool = True
    """Whether the grammar's own check is over this segment as well."""
    binding: SegmentBinding | None = None
    """Another field that foretells it."""

    @model_validator(mode="after")
    def _consistent(self) -> Segment:
        if self.max_length is not None and self.max_length < self.length:
            raise ValueError(f"segment {self.name!r}: max_length is less than length")
        if not self.alphabet:
            raise ValueError(f"segment {self.name!r}: the alphabet is empty")
        if sum(map(_count_of, self.values)) > _MOST_VALUES:
            raise ValueError(f"segment {self.name!r}: more than {_MOST_VALUES:,} values")
        for value in self.choices:
            if not self.length <= len(value) <= self.longest:
                raise ValueError(f"segment {self.name!r}: {value!r} has another length")
        return self

    @property
    def longest(self) -> int:
        return self.length if self.max_length is None else self.max_length

    @cached_property
    def characters(self) -> frozenset[str]:
        """The characters that the segment may hold."""
        if self.values:
            return frozenset("".join(self.choices))
        return frozenset(ALPHABETS.get(self.alphabet, self.alphabet))

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """`values` with ranges written out."""
        written: list[str] = []
        for value in self.values:
            ends = _RANGE.fullmatch(value)
            if ends and len(ends[1]) == len(ends[2]):
                numbers = range(int(ends[1]), int(ends[2]) + 1)
                written += [str(n).zfill(len(ends[1])) for n in numbers]
            else:
                written.append(value)
        return tuple(written)


def _count_of(value: str) -> int:
    """How many values an item of `values` stands for."""
    ends = _RANGE.fullmatch(value)
    return max(int(ends[2]) - int(ends[1]) + 1, 1) if ends else 1


class CodeGrammar(Value):
    """One variant of a code: segments in order, and optionally a check over the whole."""

    name: str
    """What the variant is called."""
    segments: tuple[Segment, ...] = PydanticField(min_length=1)
    """What it is made of, from left to right."""
    check: str | None = None
    """Name of a check over the whole code, see `ocr_moe.codes.checks`."""
    hints: tuple[str, ...] = ()
    """Checks that most codes of the form pass but no rule demands: passing one speaks for a
    reading, failing one says nothing."""
    weight: float = PydanticField(default=1.0, gt=0.0)
    """How common the variant is, relative to the field's others."""
    labels: tuple[str, ...] = ()
    """Those of the field's labels that announce this variant and no other."""

    @model_validator(mode="after")
    def _known_checks(self) -> CodeGrammar:
        for check in (self.check, *self.hints):
            if check is not None and check not in known_checks():
                known = ", ".join(sorted(known_checks()))
                raise ValueError(f"grammar {self.name}: unknown check {check!r}; known: {known}")
        return self

    @cached_property
    def shortest(self) -> int:
        return sum(segment.length for segment in self.segments)

    @cached_property
    def longest(self) -> int:
        return sum(segment.longest for segment in self.segments)

    @cached_property
    def characters(self) -> frozenset[str]:
        return frozenset().union(*(segment.characters for segment in self.segments))

    def has_length(self, code: str) -> bool:
        """Whether a code of this form can be so long."""
        return self.shortest <= len(code) <= self.longest

    def parse(self, code: str) -> dict[str, tuple[int, int]] | None:
        """Segment name → (start, end) within `code`, or None where the code is not of this form.

        The check is not part of the form. Unnamed segments are left out.
        """
        if not self.has_length(code):
            return None
        spans = self._spans(code, 0, 0)
        if spans is None:
            return None
        return {s.name: span for s, span in zip(self.segments, spans, strict=True) if s.name}

    def matches(self, code: str) -> bool:
        return self.parse(code) is not None

    def part_checks(self, code: str) -> dict[str, bool]:
        """Name of each segment with a check digit of its own → whether that is right."""
        if not any(segment.check for segment in self.segments):
            return {}
        spans = self.parse(code) or {}
        return {
            segment.name: passes(
                segment.check, code[spans[segment.name][0] : spans[segment.name][1] + 1]
            )
            for segment in self.segments
            if segment.check is not None and segment.name in spans
        }

    @cached_property
    def vouches(self) -> bool:
        """Whether so many checks are over it that no other text passes them all by chance."""
        return self.check is not None and sum(s.check is not None for s in self.segments) >= 2

    def hinted(self, code: str) -> int:
        """How many of `hints`, and of the segments with a `likely` beginning, hold for the code."""
        passed = sum(passes(hint, code) for hint in self.hints)
        if not any(segment.likely for segment in self.segments):
            return passed
        spans = self._spans(code, 0, 0) if self.has_length(code) else None
        return passed + sum(
            code[start:end].startswith(segment.likely)
            for segment, (start, end) in zip(self.segments, spans or (), strict=False)
        )

    def checks(self, code: str) -> bool | None:
        """Whether the check character is right; None where the grammar has no check."""
        return None if self.check is None else passes(self.check, code)

    def _spans(self, code: str, index: int, start: int) -> list[tuple[int, int]] | None:
        if index == len(self.segments):
            return [] if start == len(code) else None
        segment = self.segments[index]
        for length in range(segment.longest, segment.length - 1, -1):
            end = start + length
            text = code[start:end]
            if len(text) != length:
                continue
            allowed = (
                text in segment.choices if segment.values else segment.characters.issuperset(text)
            )
            if allowed and (rest := self._spans(code, index + 1, end)) is not None:
                return [(start, end), *rest]
        return None

"""The language of names that a list holds, mostly: schools, majors, authorities."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from ocr_moe.codes.lexicon import Lexicon
from ocr_moe.experts.typed.language import Context, Language
from ocr_moe.reading.candidates import Candidate, PreparedPage, candidate_in
from ocr_moe.schema import Field, Kind
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

UNLISTED = -7.0
"""Natural-log prior of a name that the list lacks against a listed one."""
_LEAST_LIKE = 0.34
"""Share of a name's characters that must have been read for it to be proposed."""
_NEAR = 12
"""How many listed names near the strings that were read are scored."""
_STRINGS = 6
"""How many of the strings they may be near."""
_SUFFIX = re.compile(r"[(（][^()（）]*[)）]$")
"""What a school adds to a listed name: (师范), (中外合作办学), a direction."""
_SUFFIXED = -0.5
"""Natural-log prior of a listed name with one."""
_LEAST_SOUGHT = 4
"""Characters from which a listed name is sought all over the page."""
_BEFORE = "校院所在攻读修完习,，、于学"
"""Characters after which a name may begin in the prose of a certificate."""
_BESIDE_LABEL, _WHOLE_LINE, _IN_PROSE = 0.75, 0.6, 0.4
"""Belief in a name that is found so, without a pattern or a place of the layout that says so."""
_IMPLAUSIBLE = 1e-3
"""Least plausibility that counts: a shape that no value has is no proof against a surely read one."""


class ListedNames(Language):
    """Names of a list, their suffixes in brackets, and, less likely beforehand, any other name."""

    def __init__(self, field: Field, lexicon: Lexicon) -> None:
        self._field = field
        self._lexicon = lexicon

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        names: dict[str, None] = {}
        suffixes: dict[str, list[str]] = {}
        for text in printed[:_STRINGS]:
            found = _SUFFIX.search(text)
            base, suffix = (text[: found.start()], found.group()) if found else (text, "")
            suffixes.setdefault(suffix, []).append(base)
        for suffix, bases in suffixes.items():
            for name in (
                *(name for base in bases[:2] for name in self._lexicon.within(base, least=4)),
                *self._lexicon.near(bases, limit=_NEAR, least=_LEAST_LIKE),
            ):
                names[name + suffix] = None
        return list(names)

    def meaning(self, printed: str) -> tuple[str, float] | None:
        value = normalize(self._field, printed)
        if value is None:
            return None
        listed = self._lexicon.listed(value)
        if listed is not None:
            return normalize(self._field, listed) or value, 0.0
        if self._known(value):
            return value, _SUFFIXED
        return value, UNLISTED + math.log(max(plausibility(self._field, value), _IMPLAUSIBLE))

    def familiar(self, printed: str) -> bool:
        value = normalize(self._field, printed)
        return value is not None and self._known(value)

    def seek(self, page: PreparedPage) -> Iterator[Candidate]:
        lined = page.layout.lined()
        at = 0
        for piece in re.split(r"[\n\t]", lined.text):
            for name in self._lexicon.within(piece, least=_LEAST_SOUGHT):
                start = piece.find(name)
                if start < 0:
                    continue
                belief = self._belief(piece[:start], piece[start + len(name) :])
                span = (at + start, at + start + len(name))
                candidate = candidate_in(self._field, lined, span, belief) if belief else None
                if candidate is not None:
                    yield candidate
                    break
            at += len(piece) + 1

    def _belief(self, before: str, after: str) -> float:
        """That a listed name between these two is the field's value; 0 where it cannot be told."""
        if not before and not after:
            return _WHOLE_LINE
        labels = (*self._field.labels, self._field.name)
        announced = before.rstrip(":： ").endswith(labels)
        if announced or (after.startswith(labels) and (not before or before[-1] in _BEFORE)):
            return _BESIDE_LABEL
        if after.startswith(labels):
            return _IN_PROSE
        return _IN_PROSE if self._field.kind is Kind.ORGANISATION else 0.0

    def _known(self, value: str) -> bool:
        """Whether the value is listed, as it is or without what stands behind it in brackets."""
        return any(self._lexicon.listed(each) for each in (value, _SUFFIX.sub("", value)))


def listed_names(field: Field, context: Context) -> ListedNames | None:
    """The language of a field that names a list; None where it names none, or none is installed."""
    return None if context.lexicon is None else ListedNames(field, context.lexicon)

"""The language of names that a list holds, mostly: schools, majors, authorities."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ocr_moe.codes.lexicon import Lexicon
from ocr_moe.experts.typed.language import Context
from ocr_moe.schema import Field
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

UNLISTED = -7.0
"""Natural-log prior of a name that the list lacks against a listed one."""
_NEAR = 8
"""How many listed names near the strings that were read are scored."""
_IMPLAUSIBLE = 1e-3
"""Least plausibility that counts: a shape that no value has is no proof against a surely read one."""


class ListedNames:
    """Names of a list, their suffixes in brackets, and, less likely beforehand, any other name."""

    def __init__(self, field: Field, lexicon: Lexicon) -> None:
        self._field = field
        self._lexicon = lexicon

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        within = [name for text in printed[:2] for name in self._lexicon.within(text, least=4)]
        return list(dict.fromkeys([*within, *self._lexicon.near(printed, limit=_NEAR)]))

    def meaning(self, printed: str) -> tuple[str, float] | None:
        value = normalize(self._field, printed)
        if value is None:
            return None
        listed = self._lexicon.listed(value)
        if listed is not None:
            return normalize(self._field, listed) or value, 0.0
        return value, UNLISTED + math.log(max(plausibility(self._field, value), _IMPLAUSIBLE))

    def familiar(self, printed: str) -> bool:
        return self._lexicon.listed(printed) is not None


def listed_names(field: Field, context: Context) -> ListedNames | None:
    """The language of a field that names a list; None where it names none, or none is installed."""
    return None if context.lexicon is None else ListedNames(field, context.lexicon)

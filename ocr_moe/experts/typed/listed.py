"""The language of names that a list holds, mostly: schools, majors, authorities.

A printed string is a name with what may stand around it: a neighbour's characters that page OCR glued
to it (校 before a school, 本核 before a major), and a suffix in brackets, which belongs to the value.
"""

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
"""Natural-log prior of a name that the list lacks against a listed one.  One character that was read
surely weighs more, so that an unlisted name which is printed clearly stays as it is."""
_STRANGE = -6.0
"""Natural-log belief in a place, for each character of its unlisted value that no listed name has …"""
_MOST_STRANGE = 3
"""… up to so many."""
_LEAST_LIKE = 0.34
"""Share of a name's characters that must have been read for it to be proposed."""
_NEAR = 12
"""How many listed names near the strings that were read are scored."""
_STRINGS = 6
"""How many of the strings they may be near."""
_LEAD = (
    r"(?:(?:学校|院校)?名称?|[学本我该]?[校核院]长?|本[校核院所]|在|于|攻读|所学|主修|读)?[:：]?"
)
_TAIL = r"(?:(?:研究生院)?[校院所]长?|研究生院|学位证?书?|毕业证?书?|学科|专业|专)?"
_PARTS = re.compile(
    rf"^(?P<lead>{_LEAD})(?P<base>.*?)(?P<suffix>[(（][^()（）]*[)）])?(?P<tail>{_TAIL})$"
)
_SUFFIXED = -0.5
"""Natural-log prior of a listed name with a suffix: (师范), (中外合作办学), a direction."""
_GLUED = -1.5
"""The same with a neighbour's characters."""
_LEAST_SOUGHT = 4
"""Characters from which a listed name is sought all over the page."""
_BEFORE = "校院所在攻读修完习,，、于学"
"""Characters after which a name may begin in the prose of a certificate."""
_BESIDE_LABEL, _WHOLE_LINE, _IN_PROSE = 0.75, 0.6, 0.4
"""Belief in a name that is found so, without a pattern or a place of the layout that says so."""
_IMPLAUSIBLE = 1e-3
"""Least plausibility that counts: a shape that no value has is no proof against a surely read one."""


class ListedNames(Language):
    """Names of a list, with suffixes and glued neighbours, and, less likely, any other name."""

    def __init__(self, field: Field, lexicon: Lexicon) -> None:
        self._field = field
        self._lexicon = lexicon

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        around: dict[tuple[str, str], list[str]] = {}
        for text in printed[:_STRINGS]:
            around.setdefault(("", ""), []).append(text)
            if parts := _PARTS.match(text):
                behind = (parts["suffix"] or "") + parts["tail"]
                if parts["lead"] or behind:
                    around.setdefault((parts["lead"], behind), []).append(parts["base"])
        return list(
            dict.fromkeys(
                lead + name + behind
                for (lead, behind), bases in around.items()
                for name in self._lexicon.near(bases, limit=_NEAR, least=_LEAST_LIKE)
            )
        )

    def meaning(self, printed: str) -> tuple[str, float] | None:
        value = normalize(self._field, printed)
        if value is None:
            return None
        known = self._known(value)
        if known is not None:
            return known
        return value, UNLISTED + math.log(max(plausibility(self._field, value), _IMPLAUSIBLE))

    def familiar(self, printed: str) -> bool:
        value = normalize(self._field, printed)
        return value is not None and self._known(value) is not None

    def _known(self, value: str) -> tuple[str, float] | None:
        """(value, prior) where the list has it, alone or with what may stand around it."""
        listed = self._lexicon.listed(value)
        if listed is not None:
            return normalize(self._field, listed) or value, 0.0
        parts = _PARTS.match(value)
        listed = self._lexicon.listed(parts["base"]) if parts and parts["base"] else None
        if parts is None or listed is None:
            return None
        glued = bool(parts["lead"] or parts["tail"])
        prior = _GLUED * glued + _SUFFIXED * bool(parts["suffix"])
        return normalize(self._field, listed + (parts["suffix"] or "")) or value, prior

    def seek(self, page: PreparedPage) -> Iterator[Candidate]:
        if self._field.only_labelled:
            return
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

    def looks(self, value: str) -> float:
        if self._known(value) is not None:
            return 0.0
        strange = sum(each not in self._lexicon.characters for each in value)
        return _STRANGE * min(strange, _MOST_STRANGE)

    def _belief(self, before: str, after: str) -> float:
        """That a listed name between these two is the field's value; 0 where it cannot be told."""
        if not before and not after:
            return _WHOLE_LINE
        labels = (*self._field.label_forms, self._field.name)
        announced = before.rstrip(":： ").endswith(labels)
        if announced or (after.startswith(labels) and (not before or before[-1] in _BEFORE)):
            return _BESIDE_LABEL
        if after.startswith(labels):
            return _IN_PROSE
        return _IN_PROSE if self._field.kind is Kind.ORGANISATION else 0.0


def listed_names(field: Field, context: Context) -> ListedNames | None:
    """The language of a field that names a list; None where it names none, or none is installed."""
    return None if context.lexicon is None else ListedNames(field, context.lexicon)

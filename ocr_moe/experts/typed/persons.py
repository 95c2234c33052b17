"""The language of persons' names.

A Chinese name of two to four characters is a surname and a given name; how common both are is a
prior, tempered so that it decides between characters for which the recogniser sees about as much
(璐 or 略), and overrules no sure reading.  Names with a dot, Latin ones and longer ones are names
like any other: they are not weighed by characters, and never held against anybody.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from ocr_moe.experts.typed.language import Context, Language
from ocr_moe.schema import Field
from ocr_moe.values.hanzi import simplified
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility

WEIGHT = 0.6
"""Of the frequencies' logarithms: names are fashions, and a class of one year has its own."""
_TYPICAL_SURNAME = math.log(0.01)
_TYPICAL_GIVEN = math.log(0.003)
"""What weighs nothing: a surname of one in a hundred people, a character of three in a thousand."""
_RARE_SURNAME = 0.1e-6
"""Frequency taken for a surname that the table lacks."""
_RARE_GIVEN = 2.0
"""Count taken for a character that the table lacks."""
_GIVEN_LENGTHS = {
    (1, 1): math.log(0.15),
    (1, 2): math.log(0.85),
    (2, 1): math.log(0.3),
    (2, 2): math.log(0.7),
}
"""(characters of the surname, of the given name), by share of those with such a surname."""
_UNWEIGHED = -1.0
"""Prior of a name that is not weighed by characters: in parts, or Latin."""
_TRANSCRIBED = -4.5
"""Of four characters without a compound surname, as Tibetan names are …"""
_LONG = -4.0
"""… and of five and more without a dot."""
_EVERYDAY_SURNAME = 1e-4
_EVERYDAY_GIVEN = 5e-4
"""Frequencies from which a character of a name is an everyday one: 300 characters make up nine tenths
of all given names, and what is read for a rarer one is seldom among them."""
_IMPLAUSIBLE = 1e-3
_WEIGHED = re.compile(r"[\u3400-\u9fff]{2,4}")
_HAN = re.compile(r"[\u3400-\u9fff]+")
_NAME = re.compile(r"[\u3400-\u9fff·]{2,}|[A-Za-z\u00c0-\u024f][A-Za-z\u00c0-\u024f '.,-]+")


class PersonNames(Language):
    """Names of people: Chinese ones weighed by their characters, all others as they stand."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def proposals(self, printed: Sequence[str]) -> Sequence[str]:
        return ()

    def meaning(self, printed: str) -> tuple[str, float] | None:
        value = normalize(self._field, printed)
        if value is None or not _NAME.fullmatch(value):
            return None
        belief = math.log(max(plausibility(self._field, value), _IMPLAUSIBLE))
        if _WEIGHED.fullmatch(value):
            return value, belief + name_prior(value)
        return value, belief + (_LONG if _HAN.fullmatch(value) else _UNWEIGHED)

    def familiar(self, printed: str) -> bool:
        value = normalize(self._field, printed) or ""
        surnames, given, total = _frequencies()
        plain = "".join(map(simplified, value))
        return any(
            surnames.get(plain[:split], 0.0) >= _EVERYDAY_SURNAME
            and plain[split:] != ""
            and all(given.get(each, 0) >= _EVERYDAY_GIVEN * total for each in plain[split:])
            for split in (1, 2)
            if _WEIGHED.fullmatch(plain)
        )


def name_prior(name: str) -> float:
    """Natural-log prior of a Chinese name of two to four characters; 0 is an ordinary one."""
    surnames, given, total = _frequencies()
    plain = "".join(map(simplified, name))
    weighed = []
    for split in (1, 2):
        surname = surnames.get(plain[:split])
        if surname is None and split == 2:
            continue
        weight = math.log(max(surname or 0.0, _RARE_SURNAME)) - _TYPICAL_SURNAME
        for character in plain[split:]:
            weight += math.log(given.get(character, _RARE_GIVEN) / total) - _TYPICAL_GIVEN
        length = _GIVEN_LENGTHS.get((split, len(plain) - split))
        if length is not None:
            weighed.append(WEIGHT * weight + length)
    return max(weighed, default=_TRANSCRIBED)


@cache
def _frequencies() -> tuple[Mapping[str, float], Mapping[str, int], int]:
    """(surname → share of people, character → count in given names, all counts)."""
    folder = files("ocr_moe.experts.typed").joinpath("data")

    def rows(name: str) -> list[dict[str, str]]:
        text = folder.joinpath(name).read_text(encoding="utf-8")
        return list(csv.DictReader(text.splitlines()))

    surnames = {row["surname"]: float(row["ppm"]) * 1e-6 for row in rows("surnames.csv")}
    given = {row["character"]: int(row["count"]) for row in rows("given.csv")}
    return surnames, given, sum(given.values())


def person_names(field: Field, context: Context) -> PersonNames:
    return PersonNames(field)

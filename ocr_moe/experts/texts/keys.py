"""The `keys` expert: what a text item says under a field's own key.

A field's name, labels and aliases are its keys, those named first believed most; case, spaces and
marks do not count (`Publish_Date`, `publish date`).  The value goes through the field's kind.  On a
page, which has no keys, the reading is `idle`.

Features of a reading with a value: `given_key` 1 (see `ocr_moe.routing.features`), `rivals` how many
other keys of the field have another value.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from ocr_moe.geometry import hull
from ocr_moe.protocols import Document, Services
from ocr_moe.reading.texts import Given, given_values, matching_keys
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Evidence, PageText, Reading, Value
from ocr_moe.values.normalize import equal, normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_SCORE = 0.99
"""That a value under a field's own key is the field's: nothing was read, but columns are mixed up."""
_CONTESTED = 0.5
"""The same where another of its keys says otherwise."""
_EVIDENCE = 120
"""Characters of a value that are shown as evidence."""


class KeysParams(Value):
    """Parameters of `KeysExpert`: none."""


class KeysExpert:
    """Reads fields off the keys of text items; asks no language model."""

    Params = KeysParams

    def __init__(self, name: str, params: KeysParams, services: Services) -> None:
        self.name = name

    @property
    def fingerprint(self) -> str:
        return f"keys/{REVISION}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        began = time.perf_counter()
        pages = [(page.number, page.text) for page in document.pages]
        given = [(number, text, each) for number, text in pages for each in given_values(text)]
        readings = tuple(_reading(field, given) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))


def _reading(field: Field, given: Sequence[tuple[int, PageText, Given]]) -> Reading:
    if not given:
        return Reading(field=field.name, idle=True)
    places = {id(each): (number, text) for number, text, each in given}
    keys = (field.name, *field.labels, *field.aliases)
    named = matching_keys([each for _, _, each in given], keys)
    values = [(each, normalize(field, each.value)) for each in named]
    usable = [(each, value) for each, value in values if value is not None]
    if not usable:
        return Reading(field=field.name, notes=tuple(_why_none(named)))
    first, value = usable[0]
    rivals = [other for _, other in usable[1:] if not equal(field, value, other)]
    number, text = places[id(first)]
    return Reading(
        field=field.name,
        value=value,
        raw=first.value,
        score=_CONTESTED if rivals else _SCORE,
        evidence=Evidence(
            box=hull([text.lines[index].box for index in first.lines]),
            text=_shown(first.value),
            page=number,
        ),
        features={"given_key": 1.0, "rivals": float(len(rivals))},
        notes=tuple(f"another key says {_shown(other)}" for other in rivals),
    )


def _why_none(named: Sequence[Given]) -> Iterator[str]:
    if not named:
        yield "no key of the item is called so"
    for each in named:
        yield f"{_shown(each.value)!r} under {each.key} is not a value of this field"


def _shown(text: str) -> str:
    bare = " ".join(text.split())
    return bare if len(bare) <= _EVIDENCE else f"{bare[:_EVIDENCE]}…"

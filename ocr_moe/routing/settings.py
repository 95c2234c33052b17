"""What gates and combiners share: thresholds by field, by kind or for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from pydantic import Field as PydanticField

from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Value

Threshold = Annotated[float, PydanticField(ge=0.0, le=1.0)]
T = TypeVar("T")


UNDECIDED = 0.5
"""The most that a value is believed of which a person must decide: which another document, another field
or an exact expert contradicts, which a check calls impossible, or which may be another document's."""


class Thresholds(Value):
    """The least confidence that is enough. `null` for a field or kind means that none is."""

    default: Threshold | None = 0.9
    """For the fields that neither `fields` nor `kinds` names."""
    kinds: dict[Kind, Threshold | None] = {}
    """For fields of a kind."""
    fields: dict[str, Threshold | None] = {}
    """For fields by name; goes before `kinds`."""

    def of(self, field: Field) -> float | None:
        if field.name in self.fields:
            return self.fields[field.name]
        return self.kinds.get(field.kind, self.default)

    def reached(self, field: Field, confidence: float | None) -> bool:
        """Whether the confidence is enough; an unknown one never is."""
        least = self.of(field)
        return least is not None and confidence is not None and confidence >= least


class PerSchema(Generic[T]):
    """Remembers what was derived from the schema of the last call.

    A run sees one schema, or a few in long stretches; schemas are compared by identity because
    hashing one costs more than the derivation. Safe between threads: the pair is replaced at once.
    """

    def __init__(self, derive: Callable[[Schema], T]) -> None:
        self._derive = derive
        self._last: tuple[Schema, T] | None = None

    def of(self, schema: Schema) -> T:
        last = self._last
        if last is not None and last[0] is schema:
            return last[1]
        derived = self._derive(schema)
        self._last = (schema, derived)
        return derived

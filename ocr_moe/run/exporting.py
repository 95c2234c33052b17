"""What a store gives to the exporters, whether its run has just ended or is opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from ocr_moe.errors import StoreError
from ocr_moe.formats.addresses import file_address
from ocr_moe.run.answers import on_page
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.types import Answer, Box, DocumentRef, Record

if TYPE_CHECKING:
    from ocr_moe.exports.exporters import Exported


Told = TypeVar("Told")


def told(store: Store, key: str, type_: type[Told], default: Told) -> Told:
    """What a run says of itself under a key of its store, as a type; `default` where it is silent.

    Raises StoreError where it is of another type.
    """
    value = store.get_meta(key)
    try:
        return default if value is None else TypeAdapter(type_).validate_python(value)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise StoreError(
            f"{store.path}: the store is damaged, what it says of {key!r} cannot be used ({why}); "
            "take a copy that is whole, or run again into another --out"
        ) from error


def schemas_of(store: Store) -> tuple[Schema, ...]:
    """What the documents of a run could be. Raises StoreError where the store does not hold it."""
    return told(store, "schemas", tuple[Schema, ...], ())


def _on_page(answer: Answer, region: Box | None) -> Answer:
    """An answer that is stored as the expert saw its document, told in fractions of the page."""
    if region is None:
        return answer
    readings = tuple(
        reading.model_copy(update={"evidence": on_page(reading.evidence, region)})
        for reading in answer.readings
    )
    return answer.model_copy(update={"readings": readings})


def exported(store: Store, strategy: str) -> Exported:
    """A strategy's records, and the answers of its experts as they were at the end of the run.

    A store that does not say which those were (version 1) gives the answers of all experts.
    """
    from ocr_moe.exports.exporters import Exported

    experts = told(store, "experts", dict[str, dict[str, str | None]], {})
    fingerprints = experts.get(strategy)

    def answers_of(record: Record) -> dict[str, list[Answer]]:
        found: dict[str, list[Answer]] = {}
        ref = record.document
        for name, _, answer in store.answers(ref.sha256, ref.page, ref.region):
            if fingerprints is None or fingerprints.get(name) == answer.expert:
                found.setdefault(name, []).append(_on_page(answer, ref.region))
        return found

    files = told(store, "files", dict[str, str | list[str | int]], {})

    def original_of(document: DocumentRef) -> str:
        place = files.get(document.path)
        return file_address(place if isinstance(place, str) else str(place[0])) if place else ""

    return Exported(store.records(strategy), schemas_of(store), answers_of, original_of=original_of)

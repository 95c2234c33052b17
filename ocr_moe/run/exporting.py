"""What a store gives to the exporters, whether its run has just ended or is opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ocr_moe.errors import OcrMoeError, StoreError
from ocr_moe.formats.addresses import file_address
from ocr_moe.run.answers import on_page
from ocr_moe.run.settling import subjects_told
from ocr_moe.schema import Schema
from ocr_moe.store.database import Records, Store
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Answer, Box, Record
from ocr_moe.workshop.config import Config

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


def own_configuration(store: Store) -> Config | None:
    """What a run was made with; None where its store does not say, or in words of another release."""
    plain = told(store, "configuration", dict[str, Any], {})
    if not plain:
        return None
    try:
        return Config.model_validate(plain)
    except (ValidationError, OcrMoeError):
        return None


def _on_page(answer: Answer, region: Box | None) -> Answer:
    """An answer that is stored as the expert saw its document, told in fractions of the page."""
    if region is None:
        return answer
    readings = tuple(
        reading.model_copy(update={"evidence": on_page(reading.evidence, region)})
        for reading in answer.readings
    )
    return answer.model_copy(update={"readings": readings})


@dataclass(frozen=True)
class _StoredRun:
    """See `ocr_moe.exports.sources.Stored`."""

    rows: Records
    fingerprints: Mapping[str, str | None] | None

    def records(self) -> Iterator[tuple[DocumentKey, bytes]]:
        return self.rows.rows()

    def record(self, key: DocumentKey, row: bytes) -> Record:
        return self.rows.parsed(key, row)

    def answers(self, sha256: str, page: int) -> list[tuple[str, bytes]]:
        return [
            (expert, row)
            for expert, fingerprint, row in self.rows.store.answer_rows(sha256, page)
            if self.fingerprints is None or self.fingerprints.get(expert) == fingerprint
        ]


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

    address_of = originals_of(store)
    records = store.records(strategy)
    return Exported(
        records,
        schemas_of(store),
        answers_of,
        stored=_StoredRun(records, fingerprints),
        told=subjects_told(store, strategy),
        original_of=lambda document: address_of(document.path),
    )


def originals_of(store: Store) -> Callable[[str], str]:
    """Path of a document → address of its file as the run found it; empty where none is known."""

    @lru_cache(maxsize=64)  # several sheets and rows name one document after the other
    def address_of(path: str) -> str:
        place = store.inputs.place_of(path)
        return file_address(place if isinstance(place, str) else str(place[0])) if place else ""

    return address_of

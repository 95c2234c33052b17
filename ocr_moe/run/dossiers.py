"""The last stage of a run: documents of one subject weigh on one another.

Decisions of documents alone stay in the store, so that a run that goes on, or takes further files in,
weighs all of them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ocr_moe.routing.dossiers import Dossiers, Entry, Settled, said_of, settled_record
from ocr_moe.routing.loop import Strategy
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Box, DocumentRef, Record


def settle_dossiers(
    store: Store, strategies: Sequence[Strategy], schemas: Sequence[Schema]
) -> None:
    """Write down what dossiers change of the records of every strategy that weighs them.

    Raises SchemaError for a wrong subject pattern, StoreError where the store is lost.
    """
    rules = {schema.name: schema for schema in schemas if schema.subjects is not None}
    for strategy in strategies:
        changes: dict[DocumentKey, Settled] = {}
        if strategy.dossiers is not None:
            offered = _offered(store, strategy)
            dossiers = {
                name: Dossiers(schema, strategy.dossiers, offered)
                for name, schema in rules.items()
                if schema.subjects is not None and schema.subjects.fields
            }
            entries = _entries(store, strategy.name, dossiers) if dossiers else {}
            for name, found in entries.items():
                changes |= dossiers[name].settle(found)
        store.put_settled(strategy.name, _changed(store, strategy.name, changes))


def _entries(
    store: Store, strategy: str, dossiers: Mapping[str, Dossiers]
) -> dict[str, list[Entry]]:
    """Schema → its documents, with no more of each than is looked at."""
    entries: dict[str, list[Entry]] = {name: [] for name in dossiers}
    for record in store.records(strategy, alone=True):
        schema = record.schema_name or ""
        if schema in dossiers and record.fields:
            wanted = dossiers[schema].fields
            said = {name: said_of(record.fields[name]) for name in wanted if name in record.fields}
            entries[schema].append(Entry(record.document, said))
    return entries


def _changed(
    store: Store, strategy: str, changes: Mapping[DocumentKey, Settled]
) -> Iterator[Record]:
    if not changes:
        return
    for record in store.records(strategy, alone=True):
        settled = changes.get(key_of(record.document))
        if settled is not None:
            yield settled_record(record, settled)


def _offered(store: Store, strategy: Strategy) -> Callable[[DocumentRef, str], Iterable[str]]:
    """The values that the strategy's experts gave for a field of a document, likely or not."""
    of_document: dict[tuple[str, int, Box | None], dict[str, set[str]]] = {}

    def offered(document: DocumentRef, field: str) -> Iterable[str]:
        key = (document.sha256, document.page, document.region)
        if key not in of_document:
            values: dict[str, set[str]] = {}
            for expert, _, answer in store.answers(*key):
                for reading in answer.readings if expert in strategy.experts else ():
                    given = (reading.value, *(other.value for other in reading.alternatives))
                    values.setdefault(reading.field, set()).update(v for v in given if v)
            of_document[key] = values
        return of_document[key].get(field, ())

    return offered

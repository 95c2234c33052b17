"""What an evaluation is made of: records, and verified sheets matched with their documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from ocr_moe.errors import UsageError
from ocr_moe.evaluation.truth.corrected import Written
from ocr_moe.evaluation.truth.matched import Match
from ocr_moe.evaluation.truth.matching import Readings, documents_of, match
from ocr_moe.evaluation.truth.rows import TableTruth
from ocr_moe.evaluation.truth.truthset import TruthSet
from ocr_moe.formats.recordbook import document_id, written_document
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Record


@dataclass(frozen=True)
class Material:
    """Records of each strategy, and what the verified sheets say of their documents."""

    runs: Mapping[str, Iterable[Record]]
    """Strategy → its records, to be gone through as often as wanted."""
    matches: tuple[Match, ...]
    tables: tuple[TableTruth, ...] = ()
    """What sheets of rows say of the documents' tables."""
    pages_blank: int = 0
    """Pages of the runs' files that are blank; `runs` has no records of them."""


def gather(
    runs: Mapping[str, Iterable[Record]], schemas: Sequence[Schema], truths: TruthSet
) -> Material:
    """Match the sheets with all documents of the runs, for the schemas that records are of.

    Raises TruthError when a sheet cannot be used, UsageError when there is nothing to score.
    """
    found = _looked_through(runs)
    runs = {name: _NotBlank(records) for name, records in runs.items()}
    documents = documents_of(runs)
    if not documents:
        raise UsageError("there are no records to score")
    read = Readings(runs)
    used = _used(schemas, found.schemas)
    matches = tuple(
        match(truth, documents, read) for truth in truths.of(used, lambda: _written_by(runs))
    )
    keys = [key_of(document) for document in documents]
    rows = truths.rows(used, keys, lambda: _written_by(runs))
    return Material(runs, matches, rows, len(found.blank))


def _written_by(runs: Mapping[str, Iterable[Record]]) -> Written | None:
    """What a run wrote into its records.xlsx; None where several strategies wrote one."""
    if len(runs) != 1:
        return None
    [records] = runs.values()
    return {
        document_id(*key_of(record.document)): written_document(record)
        for record in records
        if record.schema_name is not None
    }


@dataclass(frozen=True)
class _NotBlank:
    """Records without blank pages, which have nothing to score: a row about one is without document."""

    records: Iterable[Record]

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self.records if not record.blank)


@dataclass
class _Found:
    """What records are of."""

    schemas: set[str]
    blank: set[DocumentKey]


def _looked_through(runs: Mapping[str, Iterable[Record]]) -> _Found:
    found = _Found(set(), set())
    for records in runs.values():
        for record in records:
            if record.blank:
                found.blank.add(key_of(record.document))
            elif record.schema_name is not None:
                found.schemas.add(record.schema_name)
    return found


def _used(schemas: Sequence[Schema], names: Set[str]) -> Sequence[Schema]:
    """The schemas that records are of; all of them where no record says."""
    used = [schema for schema in schemas if schema.name in names]
    if not used and not schemas:
        raise UsageError("there is no schema to score by")
    return used or schemas

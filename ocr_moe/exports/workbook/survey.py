"""What a run holds, counted in one pass before the first sheet is begun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey, FileNameRule, NameRead, Subject, key_of, name_read
from ocr_moe.types import DOUBTFUL, DocumentRef, Record, Status


@dataclass
class Survey:
    """Figures of the records, and how they group into subjects."""

    strategy: str = ""
    documents: Counter[str] = field(default_factory=Counter)
    """By schema; those without one under the empty name. Blank pages are not among them."""
    cells: Counter[tuple[str, str, Status]] = field(default_factory=Counter)
    """By schema, field and status."""
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows of tables, by schema and field."""
    blank: int = 0
    set_aside: int = 0
    """Documents that are of no kind that the run knows, as people say."""
    failed: int = 0
    """Documents that could not be read."""
    doubtful: int = 0
    """Documents with cells to check."""
    contradicting: int = 0
    last_verified: str = ""
    """When a person last checked something, ISO 8601; empty where nobody did."""
    subjects: list[Subject] = field(default_factory=list)
    unmatched: list[tuple[str, DocumentRef]] = field(default_factory=list)
    """Documents of no subject, with their schema."""

    @property
    def all_documents(self) -> int:
        return sum(self.documents.values())

    def count(self, *statuses: Status) -> int:
        """Cells of these statuses."""
        return sum(n for (_, _, status), n in self.cells.items() if status in statuses)


def survey(
    records: Iterable[Record], schemas: Sequence[Schema], told: Mapping[DocumentKey, str] = {}
) -> Survey:
    """`told` is what people say of whose documents are. Raises SchemaError for a wrong subject
    pattern."""
    found = Survey()
    rules = {
        schema.name: (schema, FileNameRule(schema.subjects, told))
        for schema in schemas
        if schema.subjects is not None
    }
    references: dict[str, list[DocumentRef]] = {}
    read: dict[DocumentKey, NameRead] = {}
    for record in records:
        _count(found, record)
        group = _group_of(record, rules)
        if group is not None and not record.blank and record.set_aside is None:
            references.setdefault(group, []).append(record.document)
            name = name_read(rules[group][0], _values(record))
            if name is not None:
                read[key_of(record.document)] = name
    for schema_name, documents in references.items():
        grouping = rules[schema_name][1].group(documents, read)
        found.unmatched += [(schema_name, reference) for reference in grouping.unmatched]
        found.subjects += grouping.subjects
    return found


def _count(found: Survey, record: Record) -> None:
    found.strategy = record.strategy
    if record.blank:
        found.blank += 1
        return
    found.set_aside += record.set_aside is not None
    schema = record.schema_name or ""
    found.documents[schema] += 1
    found.failed += record.error is not None
    found.doubtful += any(each.status in DOUBTFUL for each in record.fields.values())
    found.contradicting += bool(record.conflicts)
    for name, decision in record.fields.items():
        found.cells[schema, name, decision.status] += 1
        if decision.rows:
            found.rows[schema, name] += len(decision.rows)
        if decision.status is Status.VERIFIED:
            found.last_verified = max(found.last_verified, decision.at or "")


def _values(record: Record) -> dict[str, str]:
    """Field → value, of the fields that have one."""
    fields = record.fields.items()
    return {name: decision.value for name, decision in fields if decision.value is not None}


def _group_of(record: Record, rules: Mapping[str, tuple[Schema, FileNameRule]]) -> str | None:
    """The schema by whose rule the record's file name is read."""
    if record.schema_name in rules:
        return record.schema_name
    # A file that could not be read was not recognised either; its name may still say whose it is.
    return next(iter(rules)) if record.schema_name is None and len(rules) == 1 else None

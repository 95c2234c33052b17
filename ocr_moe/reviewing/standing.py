"""How every document and cell of a run stands, in memory: what waits for whom, and who judged what."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from ocr_moe.reviewing.progress import Progress
from ocr_moe.reviewing.queue import CellKey, Order, Queue, Waiting
from ocr_moe.reviewing.tally import KeptDocument, Tally, kept, state_of
from ocr_moe.reviewing.views import DocumentSummary, Overview
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey, key_of, shown
from ocr_moe.types import DOUBTFUL, Decision, DocumentRef, Record, Status


@contextmanager
def growing() -> Iterator[None]:
    """Without the collector of cyclic garbage, which goes through all that is kept again and again while
    it grows, in half of the time, and would find nothing: what is kept has no cycles."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Standing:
    """The documents of a run and the queue of their cells. Not to be shared between threads."""

    def __init__(
        self, schemas: Sequence[Schema], progress: Progress, *, double_entry: bool
    ) -> None:
        """`progress` tells which sure cells are looked at as well; with `double_entry` every cell is
        judged by two people who do not know of one another."""
        self._schemas = {schema.name: schema for schema in schemas}
        self._progress = progress
        self._double_entry = double_entry
        self._documents: dict[DocumentKey, KeptDocument] = {}
        self._ids: dict[str, DocumentKey] = {}
        self._named: dict[str, DocumentKey] = {}
        """How conflicts name documents → which."""
        self._tally = Tally()
        self._queue = Queue()
        self._judges: dict[CellKey, set[str]] = defaultdict(set)
        """Cell → who judged it, of the judgements that count."""

    # Documents.

    def __contains__(self, key: DocumentKey) -> bool:
        return key in self._documents

    def ref(self, key: DocumentKey) -> DocumentRef:
        """Raises KeyError where there is no such document."""
        return self._documents[key].ref

    def key_of_id(self, id: str) -> DocumentKey:
        """The document that `id_of` names so. Raises KeyError."""
        return self._ids[id]

    def find(self, named: str) -> DocumentKey | None:
        """The document that is told so (`ocr_moe.subjects.shown`), as conflicts name it."""
        return self._named.get(named)

    def of_content(self, sha256: str) -> list[DocumentRef]:
        """The documents of a file, under all its names."""
        return [each.ref for each in self._documents.values() if each.ref.sha256 == sha256]

    def fields(self, key: DocumentKey) -> list[str]:
        """The fields of a document. Raises KeyError."""
        return list(self._documents[key].statuses)

    def first_read(self) -> DocumentKey | None:
        """The first document that has cells."""
        return next((key for key, each in self._documents.items() if each.statuses), None)

    def documents(self) -> list[DocumentSummary]:
        """All documents in the order of the records, without blank pages."""
        return [
            self._summary(key) for key, document in self._documents.items() if not document.blank
        ]

    def document(self, key: DocumentKey) -> DocumentSummary:
        """One of `documents`. Raises KeyError."""
        return self._summary(key)

    def overview(self, rereading: int) -> Overview:
        """The run in numbers; so many files are being read again."""
        fields: dict[tuple[str, str], Counter[str]] = {}
        for schema in self._schemas.values():
            for each in schema.fields:
                fields[schema.name, each.name] = Counter()
        statuses: Counter[Status] = Counter()
        for (schema_name, name, status), n in self._tally.cells.items():
            statuses[status] += n
            fields.setdefault((schema_name, name), Counter())[status.value] += n
        for of_field, n in self._queue.of_fields.items():
            fields[of_field]["waiting"] += n
        return Overview(
            documents=self._tally.documents,
            blank=self._tally.blank,
            set_aside=self._tally.set_aside,
            rereading=rereading,
            failed=self._tally.failed,
            cells=statuses.total(),
            waiting=len(self._queue),
            verified=statuses[Status.VERIFIED],
            accepted=statuses[Status.ACCEPTED] + statuses[Status.ABSENT],
            fields={key: counts for key, counts in fields.items() if counts},
            disputed=len(self._differing()),
        )

    # Cells.

    def waits(self, key: CellKey) -> bool:
        """Whether a cell waits for a look."""
        return key in self._queue

    def waiting(self, order: Order, *, after: CellKey | None = None) -> Iterator[Waiting]:
        """The cells that wait, in an order; with `after`, those behind it first."""
        return self._queue.cells(order, after=None if after is None else self._place(after))

    def is_for(self, key: CellKey, reviewer: str) -> bool:
        """Whether a cell that waits does so for this reviewer.

        What one reviewer settled waits for another's second look only, or for whoever sees that their
        blind word and what was read differ.
        """
        status, _ = self._documents[key.document].statuses[key.field]
        contradicted = self._progress.is_contradicted(key)
        return status in DOUBTFUL or contradicted or reviewer not in self._judges[key]

    def is_second_look(self, key: CellKey, reviewer: str) -> bool:
        """Whether the reviewer is to judge without knowing what one other said."""
        judges = self._judges.get(key, set())
        return self._double_entry and len(judges) == 1 and reviewer not in judges

    def differing(self) -> list[CellKey]:
        """Cells that wait although several people judged them: those on which they differ, and some that
        wait for another reason."""
        return sorted(self._differing())

    def is_as_before(self, key: CellKey, decision: Decision) -> bool:
        """Whether a cell stands here as a decision says."""
        return self._documents[key.document].statuses.get(key.field) == state_of(decision)

    # What changes.

    def fill(self, judges: Mapping[CellKey, Iterable[str]]) -> None:
        """Queue the cells of all documents that were taken in; `judges` are those who judged them."""
        for cell, who in judges.items():
            self._judges[cell].update(who)
        cells = (
            self._if_waiting(CellKey(key, name))
            for key, document in self._documents.items()
            for name in document.statuses
        )
        self._queue.fill([each for each in cells if each is not None])

    def take(self, record: Record) -> None:
        """Take a record in as it stands now; its cells are still to be queued."""
        key = key_of(record.document)
        known = self._documents.get(key)
        if known is None:
            self._ids[id_of(key)] = key
            self._named.setdefault(shown(record.document), key)
        else:
            self._tally.remove(known)
        self._documents[key] = document = kept(record)
        self._tally.add(document)

    def judged_by(self, key: CellKey, reviewers: Iterable[str]) -> None:
        """Take in whose judgements of a cell count."""
        self._judges[key] = set(reviewers)

    def requeue(self, key: CellKey) -> None:
        """Put a cell where it now belongs, or out of the queue."""
        cell = self._if_waiting(key)
        if cell is None:
            self._queue.drop(key)
        else:
            self._queue.put(cell)

    def drop(self, paths: Container[str]) -> None:
        """Let go of the documents of files."""
        for key in [key for key in self._documents if key.path in paths]:
            gone = self._documents.pop(key)
            self._tally.remove(gone)
            del self._ids[id_of(key)]
            if self._named.get(named := shown(gone.ref)) == key:
                del self._named[named]
            for name in gone.statuses:
                self._queue.drop(CellKey(key, name))
                self._judges.pop(CellKey(key, name), None)

    def sort(self) -> None:
        """Put the documents in the order of the records again."""
        self._documents = dict(sorted(self._documents.items()))

    def _summary(self, key: DocumentKey) -> DocumentSummary:
        document = self._documents[key]
        return DocumentSummary(
            key=key,
            ref=document.ref,
            schema=document.schema,
            error=document.error,
            set_aside=document.set_aside,
            cells=len(document.statuses),
            waiting=self._queue.of_document(key),
            verified=document.verified,
            conflicts=document.conflicts,
        )

    def _differing(self) -> list[CellKey]:
        found = (key for key, who in self._judges.items() if len(who) > 1)
        return [key for key in found if key in self._queue]

    def _if_waiting(self, key: CellKey) -> Waiting | None:
        document = self._documents.get(key.document)
        if document is None or key.field not in document.statuses:
            return None
        status, _ = document.statuses[key.field]
        second = self._double_entry and len(self._judges[key]) == 1
        audited = self._progress.is_hidden(key) or self._progress.is_contradicted(key)
        return self._place(key) if status in DOUBTFUL or second or audited else None

    def _place(self, key: CellKey) -> Waiting | None:
        """Where a cell stands, or would stand, in the queue."""
        document = self._documents.get(key.document)
        if document is None or key.field not in document.statuses:
            return None
        schema = self._schemas[document.schema]
        _, confidence = document.statuses[key.field]
        return Waiting(key, schema.name, schema.names.index(key.field), confidence)


def id_of(key: DocumentKey) -> str:
    """A name for a document that tells nothing of it, for addresses."""
    text = "\0".join(map(str, key))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

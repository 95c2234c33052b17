"""A run under review: its cells, what people say of them, and what follows from that at once.

The desk is the one that writes while a run is reviewed.  Each decision is a judgement in the store
before anything else happens; what it implies for the other fields of the document, and for the other
documents of its subject, is then decided anew over recorded answers (`ocr_moe.run.settling`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Lock, RLock
from typing import NamedTuple

from ocr_moe.errors import OcrMoeError, UsageError
from ocr_moe.formats.names import folder_name
from ocr_moe.formats.phrases import Language
from ocr_moe.judgements import verdicts_of
from ocr_moe.protocols import State
from ocr_moe.review.candidates import Candidate, candidates_of
from ocr_moe.review.opening import (
    OpenedRun,
    mark_written,
    open_run,
    reviewed_strategy,
    unwritten,
)
from ocr_moe.review.planning import Plan
from ocr_moe.review.progress import Progress
from ocr_moe.review.queue import CellKey, Order, Queue, Waiting
from ocr_moe.review.rereading import Reread, Rereading
from ocr_moe.review.verified import VERIFIED, export_verified
from ocr_moe.run.answers import NotRecordedError
from ocr_moe.run.exporting import exported, write_exports
from ocr_moe.run.judging import Judging
from ocr_moe.run.pictures import PageImages
from ocr_moe.run.settling import Settling, settle
from ocr_moe.schema import Field, Schema
from ocr_moe.settings import ReviewOptions
from ocr_moe.store.database import Judged, RecordRow, Store
from ocr_moe.subjects import DocumentKey, key_of, shown
from ocr_moe.types import (
    Box,
    Decision,
    DocumentRef,
    Judgement,
    JudgementKind,
    Reading,
    Record,
    Shown,
    Status,
)
from ocr_moe.values.normalize import normalize
from ocr_moe.workshop.config import Config

_OPEN = (Status.ABSTAINED, Status.FAILED)
"""What a person should look at."""


_OF_PAGES = (JudgementKind.SCHEMA, JudgementKind.REGIONS)
"""What is said of a page before it is read: it has to be read again."""
_LEAST = 0.05
"""Share of a page's width and height that a document on it has at least: a bank card on an A4 scan has
0.3."""
_LONGEST_NAME = 200


class StaleError(OcrMoeError):
    """Somebody else judged the cell since it was shown."""


class ClaimedError(OcrMoeError):
    """Somebody else works on the document."""


@dataclass(frozen=True)
class CellView:
    """A cell as a reviewer sees it."""

    key: CellKey
    document: DocumentRef
    schema: Schema
    field: Field
    decision: Decision
    """As it stands; of a hidden one, what may be seen: nothing of the value."""
    hidden: bool
    """Whether the value is kept from the reviewer, so that their word says something of it."""
    candidates: tuple[Candidate, ...]
    judgements: tuple[Judged, ...]
    """What people said of it, in the order in which they did."""
    revision: int
    """To be handed back with a decision: it tells whether somebody else decided meanwhile."""


@dataclass(frozen=True)
class CellSummary:
    """A cell in a list."""

    key: CellKey
    value: str | None
    status: Status
    confidence: float | None
    waiting: bool


class DocumentSummary(NamedTuple):
    """A document in a list."""

    key: DocumentKey
    ref: DocumentRef
    schema: str
    """Empty where none was recognised."""
    error: str | None
    """Why it could not be processed."""
    set_aside: str | None
    """Who said that it is of no kind that the run knows."""
    cells: int
    waiting: int
    """Cells that wait for a look."""
    verified: int
    conflicts: int


@dataclass(frozen=True)
class Change:
    """What a judgement made of a cell."""

    key: CellKey
    before: Decision
    after: Decision


@dataclass(frozen=True)
class Outcome:
    """What came of a judgement."""

    judgement: int
    """Its id."""
    changes: tuple[Change, ...]
    """The cells that it changed, the judged one first."""


@dataclass(frozen=True)
class Overview:
    """A run in numbers."""

    documents: int
    blank: int
    failed: int
    """Documents that could not be processed at all."""
    set_aside: int
    """Documents that people say are of no kind that the run knows."""
    rereading: int
    """Files that are being read again, or wait for that."""
    cells: int
    waiting: int
    verified: int
    accepted: int
    """Accepted or absent, and not verified."""
    fields: Mapping[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """(schema, field) → counts by status, and `waiting`."""
    disputed: int = 0


@dataclass(slots=True)
class _Document:
    """What is kept of a document in memory."""

    ref: DocumentRef
    schema: str
    error: str | None
    blank: bool
    set_aside: str | None
    conflicts: int
    statuses: dict[str, tuple[Status, float]]
    """Field → (status, confidence, or 0 where there is none)."""


@dataclass
class _Claim:
    reviewer: str
    until: datetime


class Desk:
    """A run under review. Safe to share between threads."""

    def __init__(
        self,
        run: OpenedRun,
        strategy: str,
        options: ReviewOptions,
        *,
        originals: Path | None = None,
    ) -> None:
        """Settles the run first; `originals` is a folder in which moved files are looked for.

        Raises StoreError, SchemaError, EndpointMissingError.
        """
        self.run = run
        self.pictures = PageImages(run.store, run.config.images, originals)
        self.store = run.store
        self.strategy = strategy
        self.options = options
        self.schemas = {schema.name: schema for schema in run.schemas}
        self._lock = RLock()
        built = run.workshop.strategy(strategy)
        self._combiner = built.combiner
        self._judging = Judging(self.store, run.workshop, built, run.schemas)
        self._settling = Settling(self.store, built, run.schemas, self._judging)
        self._answers = exported(self.store, strategy).answers
        self._documents: dict[DocumentKey, _Document] = {}
        self._ids: dict[str, DocumentKey] = {}
        self._queue = Queue()
        self._claims: dict[DocumentKey, _Claim] = {}
        self._judges: dict[CellKey, set[str]] = defaultdict(set)
        """Cell → who judged it, of the judgements that count."""
        self._rereading = Rereading(run, self.pictures, self._of_content, self._replaced)
        self._exporting = Lock()
        self._replaced_files = 0
        """How often records were replaced by those of files that were read again."""
        self._settling.settle()
        self._progress = Progress(self.store, built, run.schemas, options)
        self._load()
        self._rereading.go_on()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        config: Config | None = None,
        strategy: str | None = None,
        originals: Path | None = None,
    ) -> Desk:
        """A desk on the run of a folder. Raises what `open_run`, `reviewed_strategy` and the desk do."""
        run = open_run(folder, config)
        try:
            chosen = reviewed_strategy(run.strategies, run.config, strategy)
            return cls(run, chosen, run.config.review, originals=originals)
        except BaseException:
            run.store.close()
            raise

    def close(self) -> None:
        self._rereading.close()
        self.pictures.close()
        self._judging.close()
        self.store.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What there is to see.

    @property
    def recomputes(self) -> bool:
        """Whether what a decision implies can be recomputed; not where the run was read by another
        release, whose answers today's experts would not give."""
        for document in self._documents.values():
            if document.statuses:
                record = self.record(key_of(document.ref))
                return record is not None and self._judging.can_decide(record)
        return True

    def overview(self) -> Overview:
        """The run in numbers, as it stands."""
        with self._lock:
            fields: dict[tuple[str, str], Counter[str]] = {}
            for schema in self.run.schemas:
                for each in schema.fields:
                    fields[schema.name, each.name] = Counter()
            # Asked for after every few decisions: no step of Python's a cell where it can be spared.
            counted = Counter(
                (document.schema, name, status)
                for document in self._documents.values()
                for name, (status, _) in document.statuses.items()
            )
            statuses: Counter[Status] = Counter()
            for (schema_name, name, status), n in counted.items():
                statuses[status] += n
                fields.setdefault((schema_name, name), Counter())[status.value] += n
            for cell in self._queue.cells(Order.DOUBT):
                fields[cell.schema, cell.key.field]["waiting"] += 1
            documents = self._documents.values()
            return Overview(
                documents=sum(not each.blank for each in documents),
                blank=sum(each.blank for each in documents),
                set_aside=sum(each.set_aside is not None for each in documents),
                rereading=len(self._rereading.files),
                failed=sum(each.error is not None for each in documents),
                cells=statuses.total(),
                waiting=len(self._queue),
                verified=statuses[Status.VERIFIED],
                accepted=statuses[Status.ACCEPTED] + statuses[Status.ABSENT],
                fields={key: counts for key, counts in fields.items() if counts},
                disputed=sum(
                    len(self._judges[key]) > 1 for key in self._judges if key in self._queue
                ),
            )

    def documents(self) -> list[DocumentSummary]:
        """All documents in the order of the records, without blank pages."""
        with self._lock:
            waiting = Counter(cell.key.document for cell in self._queue.cells(Order.DOUBT))
            return [
                self._document_summary(key, waiting[key])
                for key, document in self._documents.items()
                if not document.blank
            ]

    def document(self, key: DocumentKey) -> DocumentSummary:
        """One of `documents`. Raises KeyError."""
        with self._lock:
            names = self._documents[key].statuses
            waiting = sum(CellKey(key, name) in self._queue for name in names)
            return self._document_summary(key, waiting)

    def has(self, key: DocumentKey) -> bool:
        """Whether there is such a document."""
        return key in self._documents

    @property
    def export_folder(self) -> Path:
        """Where the files of the reviewed strategy are written."""
        sole = len(self.run.strategies) == 1
        return self.run.folder if sole else self.run.folder / folder_name(self.strategy)

    @property
    def rereading_files(self) -> Mapping[str, Reread]:
        """Hash → how far it is, of the files that are to be read again."""
        return self._rereading.files

    def rereading(self, sha256: str) -> Reread | None:
        """How far a file is that is to be read again; None where its records stand."""
        return self._rereading.of(sha256)

    def key_of_id(self, id: str) -> DocumentKey:
        """The document that `id_of` names so. Raises KeyError."""
        return self._ids[id]

    def record(self, key: DocumentKey) -> Record | None:
        """A document's record as it stands."""
        return self.store.record(self.strategy, key)

    def view(self, key: CellKey, reviewer: str) -> CellView:
        """A cell as the reviewer is to see it. Raises KeyError where there is none."""
        with self._lock:
            record = self.record(key.document)
            if record is None or key.field not in record.fields:
                raise KeyError(key)
            schema = self.schemas[record.schema_name or ""]
            declared = schema.field(key.field)
            judged = self._judged(record.document, key.field)
            decision = record.fields[key.field]
            hidden = self._progress.is_hidden(key)
            given = [each.judgement for each in judged if not each.undone]
            if self.is_second_look(key, reviewer):
                # As the first reviewer saw it: a word given in knowledge of another is no second one.
                alone = self.store.record(self.strategy, key.document, alone=True)
                decision = decision if alone is None else alone.fields.get(key.field, decision)
                given, judged = [], []
            candidates = () if hidden else self._candidates(record, declared, decision, given)
            if hidden:
                decision = Decision(status=decision.status, evidence=decision.evidence)
            return CellView(
                key=key,
                document=record.document,
                schema=schema,
                field=declared,
                decision=decision,
                hidden=hidden,
                candidates=candidates,
                judgements=tuple(judged),
                revision=self._revision(record.document),
            )

    def next_cell(
        self,
        reviewer: str,
        order: Order = Order.DOUBT,
        *,
        after: CellKey | None = None,
        schema: str | None = None,
        field: str | None = None,
        document: DocumentKey | None = None,
        skip: Container[CellKey] = (),
    ) -> CellKey | None:
        """The next cell for a reviewer, behind `after` where it is given; None where nothing waits
        for them. Documents that others work on, and the cells of `skip`, are left out."""
        with self._lock:
            place = None if after is None else self._waiting(after)
            for cell in self._queue.cells(order, after=place):
                if schema is not None and cell.schema != schema:
                    continue
                if field is not None and cell.key.field != field:
                    continue
                if document is not None and cell.key.document != document:
                    continue
                if cell.key == after or cell.key in skip:
                    continue
                if self._is_for(cell.key, reviewer):
                    return cell.key
        return None

    def waiting(
        self,
        order: Order = Order.DOUBT,
        *,
        schema: str | None = None,
        field: str | None = None,
        start: int = 0,
        limit: int | None = None,
    ) -> list[CellSummary]:
        """The cells that wait, in an order, from the `start`-th on; with what they hold."""
        with self._lock:
            wanted = (
                cell.key
                for cell in self._queue.cells(order)
                if schema in (None, cell.schema) and field in (None, cell.key.field)
            )
            stop = None if limit is None else start + limit
            return [self._summary(key) for key in islice(wanted, start, stop)]

    def cells_of(self, key: DocumentKey, reviewer: str | None = None) -> list[CellSummary]:
        """All cells of a document; what the reviewer is to judge without knowing another's word stands
        as the run read it. Raises KeyError."""
        with self._lock:
            cells = [self._summary(CellKey(key, name)) for name in self._documents[key].statuses]
            if reviewer is None or not self.options.double_entry:
                return cells
            alone = self.store.record(self.strategy, key, alone=True)
            return [
                replace(
                    cell,
                    value=alone.fields[cell.key.field].value,
                    status=alone.fields[cell.key.field].status,
                    confidence=alone.fields[cell.key.field].confidence,
                )
                if alone is not None and self.is_second_look(cell.key, reviewer)
                else cell
                for cell in cells
            ]

    def differing(self) -> list[CellKey]:
        """Cells that wait although several people judged them: those on which they differ, and some that
        wait for another reason."""
        with self._lock:
            found = (key for key, who in self._judges.items() if len(who) > 1)
            return sorted(key for key in found if key in self._queue)

    def find(self, named: str) -> DocumentKey | None:
        """The document that is told so (`ocr_moe.subjects.shown`), as conflicts name it."""
        with self._lock:
            return next(
                (key for key, each in self._documents.items() if shown(each.ref) == named), None
            )

    # What people say.

    def judge(
        self,
        key: CellKey,
        value: str | None,
        reviewer: str,
        *,
        revision: int | None = None,
        via: str = "desk",
    ) -> Outcome:
        """Write down a person's word on a cell (None: absent), and settle what follows from it.

        The value is normalised as its field's kind asks for. With the `revision` that a view had,
        StaleError is raised where somebody else judged the document since. Raises KeyError where there
        is no such cell, UsageError for a value that the field cannot hold, ClaimedError.
        """
        with self._lock:
            view = self.view(key, reviewer)
            self._check_claim(key.document, reviewer)
            if revision is not None and revision != view.revision:
                raise StaleError(
                    f"{key.field} of {key.document.path} was judged since it was shown"
                )
            judgement = Judgement(
                field=key.field,
                value=None if value is None else self.normalized(view.field, value),
                reviewer=reviewer,
                at=_now(),
                via=via,
                shown=self._shown(view),
                independent=self.is_second_look(key, reviewer),
            )
            return self._settled(view.document, judgement)

    def normalized(self, field: Field, value: str) -> str:
        """What a person typed, as the field holds it. Raises UsageError for what it cannot hold."""
        found = normalize(field, value)
        if found is None:
            raise UsageError(f"{field.name}: {value!r} is no {field.kind.value}")
        return found

    def undo(self, reviewer: str, judgement: int | None = None) -> Outcome | None:
        """Take back a judgement of the reviewer, by default their last on a cell that stands; None for
        none. What was said of a whole document is taken back by its id only."""
        with self._lock:
            mine = [
                each
                for each in self.store.judgements()
                if each.judgement.reviewer == reviewer
                and each.judgement.kind is not JudgementKind.UNDO
                and not each.undone
                and judgement in (each.id, None)
                and (judgement is not None or each.judgement.kind is JudgementKind.VALUE)
            ]
            if not mine:
                return None
            last = mine[-1]
            kind = last.judgement.kind
            taken_back = Judgement(
                kind=JudgementKind.UNDO, field=last.judgement.field, reviewer=reviewer, at=_now()
            )
            # What it was about, and not what stands in that place now: the page may have been divided
            # anew, or the file have changed.
            document = DocumentRef(
                path=last.path,
                sha256=last.sha256,
                page=last.page,
                part=last.part,
                region=last.region,
            )
            if kind in _OF_PAGES:
                return self._to_be_reread(document, taken_back, undoes=last.id)
            return self._settled(document, taken_back, undoes=last.id)

    def name_schema(self, key: DocumentKey, schema: str | None, reviewer: str) -> Outcome:
        """Say which kind of document it is, None for none that the run knows; it is then read again
        in the background. Raises KeyError for no document, UsageError for no schema, ClaimedError."""
        with self._lock:
            document = self._documents[key].ref
            if schema is not None and schema not in self.schemas:
                known = ", ".join(self.schemas)
                raise UsageError(f"the run knows no schema {schema!r}; it knows {known}")
            self._check_claim(key, reviewer)
            kind = JudgementKind.SCHEMA
            judgement = Judgement(kind=kind, value=schema, reviewer=reviewer, at=_now())
            return self._to_be_reread(document, judgement)

    def divide(self, key: DocumentKey, regions: Sequence[Box], reviewer: str) -> Outcome:
        """Say where on a document's page documents stand, in fractions of the page as it is shown;
        without any the page is one document. It is then read again in the background.

        Raises KeyError for no document, UsageError for regions that are none, ClaimedError.
        """
        with self._lock:
            page = self._documents[key].ref.model_copy(update={"part": 1, "region": None})
            self._check_claim(key, reviewer)
            said = Judgement(
                kind=JudgementKind.REGIONS,
                regions=tuple(_sound_region(region) for region in regions),
                reviewer=reviewer,
                at=_now(),
            )
            return self._to_be_reread(page, said)

    def name_subject(self, key: DocumentKey, name: str, reviewer: str) -> Outcome:
        """Say whose document it is. Raises KeyError for no document, UsageError, ClaimedError."""
        with self._lock:
            document = self._documents[key].ref
            self._check_claim(key, reviewer)
            name = " ".join(name.split())
            if not name or len(name) > _LONGEST_NAME:
                raise UsageError(
                    f"a subject's name has 1 to {_LONGEST_NAME} characters, not {len(name)}"
                )
            kind = JudgementKind.SUBJECT
            said = Judgement(kind=kind, value=name, reviewer=reviewer, at=_now())
            return self._settled(document, said)

    def take_in(self, judgements: Iterable[tuple[DocumentRef, Judgement]]) -> int:
        """Add judgements that come from elsewhere, such as a corrected workbook; how many were new.

        What a reviewer said already in the same words is not added again, nor what they said otherwise
        since. Whoever had not before them what somebody else has made of the cell meanwhile does not
        overrule that: theirs is an independent word, and where the two differ somebody is to decide.
        """
        added = 0
        for document, judgement in judgements:
            with self._lock:  # of each by itself: people go on in between
                standing = verdicts_of(
                    self.store.judgements_of(document.sha256, document.page, document.region)
                ).get(judgement.field)
                if standing is not None and not standing.disputed:
                    if standing.reviewer == judgement.reviewer:
                        if standing.value == judgement.value or _is_older(judgement, standing.at):
                            continue
                    elif judgement.shown is None or judgement.shown.value != standing.value:
                        judgement = judgement.model_copy(update={"independent": True})
                self._settled(document, judgement)
                added += 1
        return added

    def plan(self) -> Plan:
        """What is still to be checked, what the sheet is worth, and whether work may stop."""
        with self._lock:
            return self._progress.plan()

    def draw_blind(self, count: int) -> int:
        """Put further sure cells into the queue, to be judged without seeing their values, for a
        certificate; how many there were."""
        with self._lock:
            drawn = self._progress.draw(count)
            for key in drawn:
                self._requeue(key)
            return len(drawn)

    def claim(self, key: DocumentKey, reviewer: str) -> None:
        """Keep a document for a reviewer for some minutes. Raises ClaimedError where another has it."""
        with self._lock:
            self._check_claim(key, reviewer)
            until = datetime.now(UTC) + timedelta(minutes=self.options.claim_minutes)
            for other, claim in list(self._claims.items()):
                if claim.reviewer == reviewer and other != key:
                    del self._claims[other]
            self._claims[key] = _Claim(reviewer, until)

    def claimed_by(self, key: DocumentKey) -> str | None:
        """Who keeps a document; None for nobody."""
        with self._lock:
            claim = self._standing_claim(key)
            return None if claim is None else claim.reviewer

    def release(self, reviewer: str) -> None:
        """Let go of what a reviewer has claimed."""
        with self._lock:
            self._claims = {k: c for k, c in self._claims.items() if c.reviewer != reviewer}

    # What comes of it.

    def export(
        self,
        begun: Callable[[str], None] = lambda target: None,
        language: Language = "en",
    ) -> None:
        """Write every export of the run anew and verified.xlsx, as it stands now, while people may go
        on; `begun` is told of each. Raises OutputError, StoreError."""
        run = self.run
        strategies = [run.workshop.strategy(name) for name in run.strategies]
        with self._exporting:
            with self._lock:
                others = [each for each in strategies if each.name != self.strategy]
                settle(self.store, others, run.schemas, run.workshop)
                replaced = self._replaced_files
            with Store(self.store.path, write=False) as reader, reader.snapshot():
                known = reader.last_judgement()
                write_exports(
                    run.folder,
                    self.store,
                    strategies,
                    run.schemas,
                    run.workshop,
                    snapshot=reader,
                    begun=begun,
                    language=language,
                )
                begun(VERIFIED)
                export_verified(run.folder / VERIFIED, reader, self.strategy, language)
            with self._lock:
                if replaced == self._replaced_files:
                    mark_written(self.store, known)

    @property
    def unwritten(self) -> int:
        """How much people said, in this session or an earlier one, that the run's files do not hold."""
        return unwritten(self.store)

    # Inside.

    def _load(self) -> None:
        for each in self.store.judgements():
            if not each.undone and each.judgement.kind is JudgementKind.VALUE:
                document = DocumentRef(
                    path=each.path, sha256=each.sha256, page=each.page, region=each.region
                )
                for copy in self._settling.copies(document):
                    cell = CellKey(copy, each.judgement.field)
                    self._judges[cell].add(each.judgement.reviewer)
        waiting = []
        for record in self.store.records(self.strategy):
            key = key_of(record.document)
            self._documents[key] = _kept(record)
            self._ids[id_of(key)] = key
            cells = (self._if_waiting(CellKey(key, name)) for name in record.fields)
            waiting += [each for each in cells if each is not None]
        self._queue.fill(waiting)

    def _settled(
        self, document: DocumentRef, judgement: Judgement, *, undoes: int | None = None
    ) -> Outcome:
        number = self.store.put_judgement(document, judgement, undoes=undoes)
        before: dict[DocumentKey, Record] = {}
        for key in self._same_content(document):
            if (record := self.record(key)) is not None:
                before[key] = record
        changed = self._settling.after(document)
        standing = {**before, **{key_of(record.document): record for record in changed}}
        for record in standing.values():
            self._progress.update(record)
        for key in before:
            self._note_judges(key, judgement.field, document)
        changes: list[Change] = []
        for record in changed:
            key = key_of(record.document)
            known = self._documents[key]
            old = before.get(key)
            self._documents[key] = _kept(record)
            for name, decision in record.fields.items():
                was = old.fields.get(name) if old is not None else None
                if was is None and known.statuses.get(name) == _state(decision):
                    continue
                if was != decision:
                    empty = Decision(status=decision.status)
                    changes.append(Change(CellKey(key, name), was or empty, decision))
        for record in changed:
            for name in record.fields:
                self._requeue(CellKey(key_of(record.document), name))
        for key in before:
            self._requeue(CellKey(key, judgement.field))
        own = CellKey(key_of(document), judgement.field)
        changes.sort(key=lambda change: (change.key != own, change.key))
        return Outcome(number, tuple(changes))

    def _to_be_reread(
        self, document: DocumentRef, judgement: Judgement, *, undoes: int | None = None
    ) -> Outcome:
        number = self.store.put_judgement(document, judgement, undoes=undoes)
        self._rereading.submit(document.sha256)
        return Outcome(number, ())

    def _of_content(self, sha256: str) -> list[DocumentRef]:
        with self._lock:
            return [each.ref for each in self._documents.values() if each.ref.sha256 == sha256]

    def _replaced(self, paths: Sequence[str], rows: Sequence[RecordRow]) -> None:
        """Take the records of files that were read again, in place of those before."""
        mine = [
            Record.model_validate_json(row.record) for row in rows if row.strategy == self.strategy
        ]
        with self._lock:
            self._replaced_files += 1
            mark_written(self.store, 0)
            self.store.replace_records(paths, rows)
            changed = self._settling.replaced(set(paths), mine)
            for key in [key for key in self._documents if key.path in paths]:
                gone = self._documents.pop(key)
                del self._ids[id_of(key)]
                for name in gone.statuses:
                    self._queue.drop(CellKey(key, name))
                    self._judges.pop(CellKey(key, name), None)
            now = {key_of(each.document): each for each in (*mine, *changed)}
            for key, record in now.items():
                self._documents[key] = _kept(record)
                self._ids[id_of(key)] = key
                for name in record.fields:
                    self._note_judges(key, name, record.document)
                    self._requeue(CellKey(key, name))
            self._documents = dict(sorted(self._documents.items()))
            hidden = self._progress.hidden
            self._progress.begin()
            for cell in hidden ^ self._progress.hidden:
                self._requeue(cell)

    def _document_summary(self, key: DocumentKey, waiting: int) -> DocumentSummary:
        document = self._documents[key]
        names = document.statuses
        return DocumentSummary(
            key=key,
            ref=document.ref,
            schema=document.schema,
            error=document.error,
            set_aside=document.set_aside,
            cells=len(names),
            waiting=waiting,
            verified=sum(status is Status.VERIFIED for status, _ in names.values()),
            conflicts=document.conflicts,
        )

    def _same_content(self, document: DocumentRef) -> list[DocumentKey]:
        return [key for key in self._settling.copies(document) if key in self._documents]

    def _note_judges(self, key: DocumentKey, name: str, document: DocumentRef) -> None:
        given = self.store.judgements_of(document.sha256, document.page, document.region)
        self._judges[CellKey(key, name)] = {
            each.reviewer
            for each in given
            if each.kind is JudgementKind.VALUE and each.field == name
        }

    def _requeue(self, key: CellKey) -> None:
        cell = self._if_waiting(key)
        if cell is None:
            self._queue.drop(key)
        else:
            self._queue.put(cell)

    def _if_waiting(self, key: CellKey) -> Waiting | None:
        document = self._documents.get(key.document)
        if document is None or key.field not in document.statuses:
            return None
        status, _ = document.statuses[key.field]
        second = self.options.double_entry and len(self._judges[key]) == 1
        audited = self._progress.is_hidden(key) or self._progress.is_contradicted(key)
        return self._waiting(key) if status in _OPEN or second or audited else None

    def _waiting(self, key: CellKey) -> Waiting | None:
        document = self._documents.get(key.document)
        if document is None or key.field not in document.statuses:
            return None
        schema = self.schemas[document.schema]
        _, confidence = document.statuses[key.field]
        return Waiting(key, schema.name, schema.names.index(key.field), confidence)

    def _summary(self, key: CellKey) -> CellSummary:
        record = self.record(key.document)
        assert record is not None
        decision = record.fields[key.field]
        hidden = self._progress.is_hidden(key)
        return CellSummary(
            key,
            None if hidden else decision.value,
            decision.status,
            None if hidden else decision.confidence,
            key in self._queue,
        )

    def is_second_look(self, key: CellKey, reviewer: str) -> bool:
        """Whether the reviewer is to judge without knowing what one other said."""
        judges = self._judges.get(key, set())
        return self.options.double_entry and len(judges) == 1 and reviewer not in judges

    def _is_for(self, key: CellKey, reviewer: str) -> bool:
        claim = self._standing_claim(key.document)
        if claim is not None and claim.reviewer != reviewer:
            return False
        status, _ = self._documents[key.document].statuses[key.field]
        # What one reviewer settled waits for another's second look only, or for whoever sees that their
        # blind word and what was read differ.
        contradicted = self._progress.is_contradicted(key)
        return status in _OPEN or contradicted or reviewer not in self._judges[key]

    def _standing_claim(self, key: DocumentKey) -> _Claim | None:
        claim = self._claims.get(key)
        return claim if claim is not None and claim.until > datetime.now(UTC) else None

    def _check_claim(self, key: DocumentKey, reviewer: str) -> None:
        claim = self._standing_claim(key)
        if claim is not None and claim.reviewer != reviewer:
            raise ClaimedError(f"{claim.reviewer} works on {key.path}")

    def _judged(self, document: DocumentRef, name: str) -> list[Judged]:
        found = self.store.judgements_on(document.sha256, document.page, document.region)
        return [
            each
            for each in found
            if each.judgement.kind is JudgementKind.VALUE and each.judgement.field == name
        ]

    def _revision(self, document: DocumentRef) -> int:
        found = self.store.judgements_on(document.sha256, document.page, document.region)
        return found[-1].id if found else 0

    def _shown(self, view: CellView) -> Shown:
        decision = view.decision
        return Shown(
            value=decision.value,
            confidence=decision.confidence,
            status=decision.status,
            strategy=self.strategy,
            hidden=view.hidden,
        )

    def _candidates(
        self,
        record: Record,
        declared: Field,
        decision: Decision,
        judgements: Sequence[Judgement],
    ) -> tuple[Candidate, ...]:
        readings: Mapping[str, Reading] = {}
        state: State | None = None
        with suppress(NotRecordedError, OcrMoeError):
            states = self._judging.course(record, {}).states
            state = states[-1] if states else None
        if state is not None:
            readings = state.readings.get(declared.name, {})
        else:
            readings = {
                expert: reading
                for expert, answers in self._answers(record).items()
                for answer in answers
                for reading in answer.readings
                if reading.field == declared.name
            }
        return candidates_of(declared, decision, readings, judgements, self._combiner, state)


def _sound_region(region: Box) -> Box:
    """A region to the five places that the store keeps. Raises UsageError for none."""
    x0, y0, x1, y1 = (round(side, 5) for side in region)
    if not (x0 >= 0 and x0 + _LEAST <= x1 <= 1 and y0 >= 0 and y0 + _LEAST <= y1 <= 1):
        raise UsageError(
            f"a document's place on its page is a box of at least {_LEAST:.0%} each way within the "
            f"page, not {x0:.0%}–{x1:.0%} by {y0:.0%}–{y1:.0%}"
        )
    return x0, y0, x1, y1


def id_of(key: DocumentKey) -> str:
    """A name for a document that tells nothing of it, for addresses."""
    return hashlib.sha256("\0".join(map(str, key)).encode("utf-8", "surrogatepass")).hexdigest()[
        :16
    ]


def _kept(record: Record) -> _Document:
    return _Document(
        ref=record.document,
        schema=record.schema_name or "",
        error=None if record.error is None else record.error.message,
        blank=record.blank,
        set_aside=record.set_aside,
        conflicts=len(record.conflicts),
        statuses={name: _state(decision) for name, decision in record.fields.items()},
    )


def _state(decision: Decision) -> tuple[Status, float]:
    return decision.status, decision.confidence or 0.0


def _is_older(judgement: Judgement, at: str) -> bool:
    """Whether it was given before a time; not where either cannot be read, as files may say anything."""
    try:
        return datetime.fromisoformat(judgement.at) < datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

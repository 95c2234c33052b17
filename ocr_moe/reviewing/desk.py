"""A run under review: its cells, what people say of them, and what follows from that at once.

The desk is the one that writes while a run is reviewed.  Each decision is a judgement in the store
before anything else happens; what it implies for the other fields of the document, and for the other
documents of its subject, is then decided anew over recorded answers (`ocr_moe.run.settling`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import Lock, RLock

from ocr_moe.errors import OcrMoeError, UsageError
from ocr_moe.formats.names import folder_name
from ocr_moe.formats.phrases import Language
from ocr_moe.judgements import OF_PAGES, Verdict, verdicts_of
from ocr_moe.reviewing.claims import Claims
from ocr_moe.reviewing.exporting import export_run, settle_others
from ocr_moe.reviewing.opening import mark_written, reviewed_strategy, unwritten
from ocr_moe.reviewing.planning import Plan
from ocr_moe.reviewing.progress import Progress
from ocr_moe.reviewing.queue import CellKey, Order
from ocr_moe.reviewing.rereading import Reread, Rereading
from ocr_moe.reviewing.sayings import region_of, subject_name, value_of
from ocr_moe.reviewing.showing import Showing
from ocr_moe.reviewing.standing import Standing, growing
from ocr_moe.reviewing.views import (
    CellSummary,
    CellView,
    Change,
    DocumentSummary,
    Outcome,
    Overview,
)
from ocr_moe.run.judging import Judging
from ocr_moe.run.opened import OpenedRun, open_run
from ocr_moe.run.pictures import PageImages
from ocr_moe.run.settling import Settling
from ocr_moe.settings import ReviewOptions
from ocr_moe.store.database import RecordRow
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Box, Decision, DocumentRef, Judgement, JudgementKind, Record, Shown
from ocr_moe.workshop.config import Config


class StaleError(OcrMoeError):
    """Somebody else judged the cell since it was shown."""


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
        self._judging = Judging(self.store, run.workshop, built, run.schemas)
        self._settling = Settling(self.store, built, run.schemas, self._judging)
        self._progress = Progress(self.store, built, run.schemas, options)
        self._standing = Standing(run.schemas, self._progress, double_entry=options.double_entry)
        self._load()
        self._showing = Showing(
            self.store, built, run.schemas, self._judging, self._standing, self._progress
        )
        self._claims = Claims(options.claim_minutes)
        self._exporting = Lock()
        self._replaced_files = 0
        """How often records were replaced by those of files that were read again."""
        self._rereading = Rereading(run, self.pictures, self._of_content, self._replaced)
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
        with self._lock:
            key = self._standing.first_read()
            record = None if key is None else self.record(key)
            return key is None or (record is not None and self._judging.can_decide(record))

    def overview(self) -> Overview:
        """The run in numbers, as it stands."""
        with self._lock:
            return self._standing.overview(len(self._rereading.files))

    def documents(self) -> list[DocumentSummary]:
        """All documents in the order of the records, without blank pages."""
        with self._lock:
            return self._standing.documents()

    def document(self, key: DocumentKey) -> DocumentSummary:
        """One of `documents`. Raises KeyError."""
        with self._lock:
            return self._standing.document(key)

    def has(self, key: DocumentKey) -> bool:
        """Whether there is such a document."""
        return key in self._standing

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
        return self._standing.key_of_id(id)

    def record(self, key: DocumentKey) -> Record | None:
        """A document's record as it stands."""
        return self.store.record(self.strategy, key)

    def view(self, key: CellKey, reviewer: str) -> CellView:
        """A cell as the reviewer is to see it. Raises KeyError where there is none."""
        with self._lock:
            return self._showing.view(key, reviewer)

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
            for cell in self._standing.waiting(order, after=after):
                if schema is not None and cell.schema != schema:
                    continue
                if field is not None and cell.key.field != field:
                    continue
                if document is not None and cell.key.document != document:
                    continue
                if cell.key == after or cell.key in skip:
                    continue
                if not self._claims.is_open_to(cell.key.document, reviewer):
                    continue
                if self._standing.is_for(cell.key, reviewer):
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
                for cell in self._standing.waiting(order)
                if schema in (None, cell.schema) and field in (None, cell.key.field)
            )
            stop = None if limit is None else start + limit
            return [self._showing.summary(key) for key in islice(wanted, start, stop)]

    def cells_of(self, key: DocumentKey, reviewer: str | None = None) -> list[CellSummary]:
        """All cells of a document; what the reviewer is to judge without knowing another's word stands
        as the run read it. Raises KeyError."""
        with self._lock:
            return self._showing.summaries(key, reviewer)

    def differing(self) -> list[CellKey]:
        """Cells that wait although several people judged them: those on which they differ, and some that
        wait for another reason."""
        with self._lock:
            return self._standing.differing()

    def find(self, named: str) -> DocumentKey | None:
        """The document that is told so (`ocr_moe.subjects.shown`), as conflicts name it."""
        with self._lock:
            return self._standing.find(named)

    def is_second_look(self, key: CellKey, reviewer: str) -> bool:
        """Whether the reviewer is to judge without knowing what one other said."""
        return self._standing.is_second_look(key, reviewer)

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
            view = self._showing.view(key, reviewer, offer=False)
            self._claims.check(key.document, reviewer)
            if revision is not None and revision != view.revision:
                raise StaleError(
                    f"{key.field} of {key.document.path} was judged since it was shown"
                )
            judgement = Judgement(
                field=key.field,
                value=None if value is None else value_of(view.field, value),
                reviewer=reviewer,
                at=_now(),
                via=via,
                shown=self._shown(view),
                independent=self.is_second_look(key, reviewer),
            )
            return self._settled(view.document, judgement)

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
            if kind in OF_PAGES:
                return self._to_be_reread(document, taken_back, undoes=last.id)
            return self._settled(document, taken_back, undoes=last.id)

    def name_schema(self, key: DocumentKey, schema: str | None, reviewer: str) -> Outcome:
        """Say which kind of document it is, None for none that the run knows; it is then read again
        in the background. Raises KeyError for no document, UsageError for no schema, ClaimedError."""
        with self._lock:
            document = self._standing.ref(key)
            if schema is not None and schema not in self.schemas:
                known = ", ".join(self.schemas)
                raise UsageError(f"the run knows no schema {schema!r}; it knows {known}")
            self._claims.check(key, reviewer)
            kind = JudgementKind.SCHEMA
            judgement = Judgement(kind=kind, value=schema, reviewer=reviewer, at=_now())
            return self._to_be_reread(document, judgement)

    def divide(self, key: DocumentKey, regions: Sequence[Box], reviewer: str) -> Outcome:
        """Say where on a document's page documents stand, in fractions of the page as it is shown;
        without any the page is one document. It is then read again in the background.

        Raises KeyError for no document, UsageError for regions that are none, ClaimedError.
        """
        with self._lock:
            page = self._standing.ref(key).model_copy(update={"part": 1, "region": None})
            self._claims.check(key, reviewer)
            said = Judgement(
                kind=JudgementKind.REGIONS,
                regions=tuple(region_of(region) for region in regions),
                reviewer=reviewer,
                at=_now(),
            )
            return self._to_be_reread(page, said)

    def name_subject(self, key: DocumentKey, name: str, reviewer: str) -> Outcome:
        """Say whose document it is. Raises KeyError for no document, UsageError, ClaimedError."""
        with self._lock:
            document = self._standing.ref(key)
            self._claims.check(key, reviewer)
            kind = JudgementKind.SUBJECT
            said = Judgement(kind=kind, value=subject_name(name), reviewer=reviewer, at=_now())
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
                        said = (standing.value, standing.cells) == (
                            judgement.value,
                            judgement.cells,
                        )
                        if said or _is_older(judgement, standing.at):
                            continue
                    elif _is_more(judgement, standing):
                        pass
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
                self._standing.requeue(key)
            return len(drawn)

    def claim(self, key: DocumentKey, reviewer: str) -> None:
        """Keep a document for a reviewer for some minutes. Raises ClaimedError where another has it."""
        with self._lock:
            self._claims.claim(key, reviewer)

    def claimed_by(self, key: DocumentKey) -> str | None:
        """Who keeps a document; None for nobody."""
        with self._lock:
            return self._claims.holder(key)

    def release(self, reviewer: str) -> None:
        """Let go of what a reviewer has claimed."""
        with self._lock:
            self._claims.release(reviewer)

    # What comes of it.

    def export(
        self,
        begun: Callable[[str], None] = lambda target: None,
        language: Language = "en",
    ) -> None:
        """Write every export of the run anew and verified.xlsx, as it stands now, while people may go
        on; `begun` is told of each. Raises OutputError, StoreError."""
        with self._exporting:
            with self._lock:
                settle_others(self.run, self.strategy)
                replaced = self._replaced_files
            known = export_run(self.run, self.strategy, begun, language)
            with self._lock:
                if replaced == self._replaced_files:
                    mark_written(self.store, known)

    @property
    def unwritten(self) -> int:
        """How much people said, in this session or an earlier one, that the run's files do not hold."""
        return unwritten(self.store)

    # Inside.

    def _load(self) -> None:
        def take(record: Record) -> None:
            self._standing.take(record)
            self._progress.take(record)

        with growing():
            self._progress.clear()
            self._settling.settle(take)  # records are many: each is looked at once
            self._progress.begin(self._settling.without_words())
        self._standing.fill(self._judges())

    def _judges(self) -> Mapping[CellKey, set[str]]:
        """Cell → who judged it, of the judgements that count."""
        judges: dict[CellKey, set[str]] = defaultdict(set)
        for each in self.store.judgements():
            if not each.undone and each.judgement.kind is JudgementKind.VALUE:
                document = DocumentRef(
                    path=each.path, sha256=each.sha256, page=each.page, region=each.region
                )
                for copy in self._settling.copies(document):
                    judges[CellKey(copy, each.judgement.field)].add(each.judgement.reviewer)
        return judges

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
            old = before.get(key)
            for name, decision in record.fields.items():
                was = old.fields.get(name) if old is not None else None
                if was is None and self._standing.is_as_before(CellKey(key, name), decision):
                    continue
                if was != decision:
                    empty = Decision(status=decision.status)
                    changes.append(Change(CellKey(key, name), was or empty, decision))
            self._standing.take(record)
        for record in changed:
            for name in record.fields:
                self._standing.requeue(CellKey(key_of(record.document), name))
        for key in before:
            self._standing.requeue(CellKey(key, judgement.field))
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
            return self._standing.of_content(sha256)

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
            self._standing.drop(paths)
            now = {key_of(each.document): each for each in (*mine, *changed)}
            for key, record in now.items():
                self._standing.take(record)
                for name in record.fields:
                    self._note_judges(key, name, record.document)
                    self._standing.requeue(CellKey(key, name))
            self._standing.sort()
            hidden = self._progress.hidden
            with growing():
                self._progress.clear()
                for record in self.store.records(self.strategy):
                    self._progress.take(record)
                self._progress.begin(self._settling.without_words())
            for cell in hidden ^ self._progress.hidden:
                self._standing.requeue(cell)

    def _same_content(self, document: DocumentRef) -> list[DocumentKey]:
        return [key for key in self._settling.copies(document) if key in self._standing]

    def _note_judges(self, key: DocumentKey, name: str, document: DocumentRef) -> None:
        given = self.store.judgements_of(document.sha256, document.page, document.region)
        self._standing.judged_by(
            CellKey(key, name),
            (
                each.reviewer
                for each in given
                if each.kind is JudgementKind.VALUE and each.field == name
            ),
        )

    def _shown(self, view: CellView) -> Shown:
        decision = view.decision
        return Shown(
            value=decision.value,
            confidence=decision.confidence,
            status=decision.status,
            strategy=self.strategy,
            hidden=view.hidden,
        )


def _is_more(judgement: Judgement, standing: Verdict) -> bool:
    """Whether it says the same of a table as stands, of which the other looked at some cells only."""
    return standing.cells is not None and judgement.value == standing.value


def _is_older(judgement: Judgement, at: str) -> bool:
    """Whether it was given before a time; not where either cannot be read, as files may say anything."""
    try:
        return datetime.fromisoformat(judgement.at) < datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")

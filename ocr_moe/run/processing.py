"""One file on its way to records: its pages, its documents, and every strategy's word on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from threading import Lock
from typing import NamedTuple

from ocr_moe.errors import (
    DeferredError,
    DocumentError,
    ExpertError,
    OcrMoeError,
    UnexpectedError,
    UnrecognisedError,
)
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import Source
from ocr_moe.judgements import latest
from ocr_moe.observing import Observation, Observed, gathered
from ocr_moe.permits import easing
from ocr_moe.reading.recognition import recognise
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import StoredAnswers, course_of, is_not_its_own, record_of, words_of
from ocr_moe.run.documents import WHOLE, FileDocument, PageReader, Place, open_document
from ocr_moe.run.ledger import Books
from ocr_moe.run.outcome import Notice, why_failed
from ocr_moe.schema import Schema
from ocr_moe.store.database import RecordRow, Store, is_failed, renamed, row_of
from ocr_moe.tracing import span
from ocr_moe.types import DocumentRef, Failure, JudgementKind, PageText, Record
from ocr_moe.workshop.build import Workshop


class Processed(NamedTuple):
    """The records of one content, ready to be written, and why the first that failed did so."""

    sha256: str
    rows: list[RecordRow]
    failure: str | None
    observations: tuple[Observation, ...] = ()
    """What was counted on the way to them."""
    deferred: bool = False
    """Whether questions wait for a batch; there are no records then."""


class Processor:
    """Makes the records of one file after the other. Safe to share between threads.

    `schemas` is what documents may be: one schema for all, or several to choose from by recognition.
    What people said of where documents stand and which kind they are of goes before both.
    Without a ledger nobody is asked and no file is opened: what the store lacks raises
    NotRecordedError.
    """

    def __init__(
        self,
        store: Store,
        workshop: Workshop,
        strategies: Sequence[Strategy],
        schemas: Sequence[Schema],
        ledger: Books | None,
        *,
        deferring: bool = False,
        notice: Callable[[Notice], None] = lambda notice: None,
    ) -> None:
        """With `deferring`, endpoints that are asked in batches may have documents wait for these."""
        self._deferring = deferring
        self._store = store
        self._workshop = workshop
        self._strategies = tuple(strategies)
        self._schemas = tuple(schemas)
        self._ledger = ledger
        self._notice = notice
        self._reading = Lock()
        self._decoder = Decoder(workshop.config.images)
        self._digests: dict[str, dict[tuple[str, ...], str]] = {s.name: {} for s in schemas}

    def close(self) -> None:
        """End the processes that decode."""
        self._decoder.close()

    def process(self, sources: Sequence[Source], sha256: str) -> Processed:
        """Records of every document and strategy, for each of the files of that one content.

        Never raises for a bad document or a broken plug-in; what is about the run passes through: a
        lost store, a spent budget, a wrong configuration, a wish to stop.
        """
        with gathered() as observed:
            try:
                with span("document"):
                    found = list(self._process(sources[0], sha256))
            except DeferredError:
                return Processed(sha256, [], None, deferred=True)
            try:
                done = _processed(sources, sha256, found)
            except ValueError as error:
                done = _processed(sources, sha256, self._failed(sources[0], sha256, 1, error))
        return done._replace(observations=(*observed, *done.observations))

    def given_up(self, sources: Sequence[Source], sha256: str, error: OcrMoeError) -> Processed:
        """What stands for a content that cannot be processed."""
        return _processed(sources, sha256, self.broken(sources[0], sha256, 1, error))

    def broken(
        self,
        source: Source,
        sha256: str,
        page: int,
        error: OcrMoeError,
        place: Place = WHOLE,
        rotation: int = 0,
    ) -> list[Record]:
        """What stands for a document that cannot be processed, under every strategy."""
        failure = Failure(type=type(error).__name__, message=str(error))
        return self._empty(source, sha256, page, place=place, rotation=rotation, error=failure)

    def _empty(
        self,
        source: Source,
        sha256: str,
        page: int,
        *,
        place: Place = WHOLE,
        rotation: int = 0,
        error: Failure | None = None,
        blank: bool = False,
        set_aside: str | None = None,
    ) -> list[Record]:
        """Records without fields, under every strategy."""
        document = DocumentRef(
            path=source.name,
            sha256=sha256,
            page=page,
            part=place.part,
            rotation=rotation,
            region=place.region,
        )
        known = len(self._schemas) == 1 and set_aside is None
        return [
            Record(
                document=document,
                schema_name=self._schemas[0].name if known else None,
                strategy=strategy.name,
                error=error,
                blank=blank,
                set_aside=set_aside,
            )
            for strategy in self._strategies
        ]

    def _process(self, source: Source, sha256: str) -> Iterator[Record]:
        config = self._workshop.config
        reader = PageReader(
            source,
            sha256,
            self._workshop.engine("default"),
            self._store,
            self._decoder,
            remove_seals=config.remove_seals,
            text_layer=config.images.text_layer,
            recorded_only=self._ledger is None,
            before_reading=self._tell_of_loading,
            books=self._ledger,
        )
        with closing(reader), easing(reader.rest):
            yield from self._documents(source, sha256, reader)

    def _tell_of_loading(self) -> None:
        """Once: the lock is never given back."""
        if self._reading.acquire(blocking=False):
            self._notice(Notice.LOADING)

    def _documents(self, source: Source, sha256: str, reader: PageReader) -> Iterator[Record]:
        page = 1
        deferred: DeferredError | None = None
        try:
            pages = reader.count()
        except BaseException as error:
            yield from self._failed(source, sha256, 1, error)
            return
        while page <= pages:
            if self._ledger is not None:
                self._ledger.proceed()
            try:
                blank = reader.found(page).blank  # the back of a sheet, or a separator
                said = latest(self._store.judgements_of(sha256, page), JudgementKind.REGIONS)
                told = None if said is None else said.regions
                regions = () if blank else reader.regions(page, self._schemas, told)
            except BaseException as error:
                yield from self._failed(source, sha256, page, error)
                page += 1
                continue
            if blank:
                yield from self._empty(source, sha256, page, blank=True)
                page += 1
                continue
            count = 1
            for place in [Place(*each) for each in enumerate(regions, 1)] or [WHOLE]:
                try:
                    given = self._store.judgements_of(sha256, page, place.region)
                    kind = latest(given, JudgementKind.SCHEMA)
                    turned = reader.found(page).rotation
                    if kind is not None and kind.value is None:
                        count, who = 1, kind.reviewer
                        found = self._empty(
                            source, sha256, page, place=place, rotation=turned, set_aside=who
                        )
                    else:
                        named = None if kind is None else kind.value
                        schema = self._schema_of(source, reader.text(page, place.region), named)
                        left = pages - page + 1 if place is WHOLE else 1
                        count = left if schema.pages is None else min(schema.pages, left)
                        document = open_document(source, sha256, schema, reader, page, count, place)
                        found = self._decided(document)
                except DeferredError as error:  # what other documents ask goes with the same batch
                    deferred, found = error, []
                except BaseException as error:
                    turned = reader.found(page).rotation
                    found = self._failed(source, sha256, page, error, place, turned)
                yield from found
            page += count
        if deferred is not None:
            raise deferred

    def _decided(self, document: FileDocument) -> list[Record]:
        digests = self._digests[document.schema.name]
        files = self._store.requests if self._deferring else None
        answers = StoredAnswers(self._store, self._ledger, digests, document, files=files)
        found: list[Record] = []
        deferred: DeferredError | None = None
        for each in self._strategies:
            try:
                found.append(record_of(document, each, course_of(document, each, answers)))
            except DeferredError as error:  # what others ask goes with the same batch
                deferred = error
        if deferred is not None:
            raise deferred
        return found

    def _failed(
        self,
        source: Source,
        sha256: str,
        page: int,
        error: BaseException,
        place: Place = WHOLE,
        rotation: int = 0,
    ) -> list[Record]:
        """What stands for a document over which something broke. Raises what is about the run."""
        if is_not_its_own(error):
            raise error
        if not isinstance(error, DocumentError | ExpertError):
            what = f"{source.name}, page {page}: unexpected error"
            error = UnexpectedError(f"{what} ({type(error).__name__}: {words_of(error)})")
        return self.broken(source, sha256, page, error, place, rotation)

    def _schema_of(self, source: Source, text: PageText, told: str | None) -> Schema:
        for schema in self._schemas:
            if schema.name == told:
                return schema
        if len(self._schemas) == 1:
            return self._schemas[0]
        with span("recognise"):
            found, _ = recognise(text, self._schemas)
        if found is None:
            known = ", ".join(schema.name for schema in self._schemas)
            raise UnrecognisedError(
                f"{source.name}: none of the schemas fits ({known}); name one with --schema"
            )
        return found


def _processed(sources: Sequence[Source], sha256: str, found: Sequence[Record]) -> Processed:
    rows = [row_of(renamed(record, source.name)) for source in sources for record in found]
    observations = [each for record in found for each in observations_of(record, len(sources))]
    return Processed(sha256, rows, _failure_of(found), tuple(observations))


def observations_of(record: Record, files: int = 1) -> Iterator[Observation]:
    """What a record comes to, in numbers, for so many files of one content."""
    if record.error is not None:
        outcome = "failed"
        yield Observation(Observed.FAILURES, files, (record.error.type,))
    elif record.blank:
        outcome = "blank"
    else:
        outcome = "read" if record.set_aside is None else "set_aside"
    yield Observation(Observed.DOCUMENTS, files, (record.strategy, outcome))
    statuses = Counter(decision.status for decision in record.fields.values())
    for status, count in statuses.items():
        yield Observation(Observed.CELLS, files * count, (record.strategy, status.value))


def _failure_of(records: Sequence[Record]) -> str | None:
    failed = next((record for record in records if is_failed(record)), None)
    return None if failed is None else why_failed(failed)

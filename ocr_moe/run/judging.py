"""Recorded documents decided anew with people's word in them. Nobody is asked, and no file opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ocr_moe.errors import OcrMoeError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import Source
from ocr_moe.judgements import Verdict, with_verdicts
from ocr_moe.routing.loop import Course, Strategy
from ocr_moe.routing.tables import with_rows
from ocr_moe.run.answers import NotRecordedError, StoredAnswers, course_of, record_of
from ocr_moe.run.documents import FileDocument, PageReader, Place, open_document
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.types import Record
from ocr_moe.workshop.build import Workshop


class Judging:
    """Decides the documents of a store anew by one strategy. Safe to share between threads."""

    def __init__(
        self, store: Store, workshop: Workshop, strategy: Strategy, schemas: Sequence[Schema]
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._strategy = strategy
        self._schemas = {schema.name: schema for schema in schemas}
        self._digests: dict[str, dict[tuple[str, ...], str]] = {s.name: {} for s in schemas}
        self._decoder = Decoder(workshop.config.images)  # asked for nothing: no page is read

    def close(self) -> None:
        """End what decodes."""
        self._decoder.close()

    def course(self, record: Record, verdicts: Mapping[str, Verdict]) -> Course:
        """How the strategy decides on the record's document where people say that.

        Raises NotRecordedError where the store lacks what that takes, such as the answers of an
        expert of today's revision.
        """
        return self._course(self._document(record), verdicts)

    def record(self, record: Record, verdicts: Mapping[str, Verdict]) -> Record:
        """A record as people's word leaves it, and all that follows from it in the document.

        Where it cannot be decided anew (see `course`) their word is put in its place, and nothing
        else changes.
        """
        if record.schema_name not in self._schemas:
            return record
        # What was said of it as another kind of document waits for its return to that kind.
        verdicts = {name: each for name, each in verdicts.items() if name in record.fields}
        if not verdicts:
            return record
        try:
            document = self._document(record)
            anew = record_of(document, self._strategy, self._course(document, verdicts))
        except (NotRecordedError, OcrMoeError):
            schema = self._schemas[record.schema_name]
            judged = with_verdicts(record.fields, verdicts)
            fields = dict(with_rows(schema, record.fields, judged, verdicts))
            return record.model_copy(update={"fields": fields})
        return anew.model_copy(update={"document": record.document, "cost": record.cost})

    def can_decide(self, record: Record) -> bool:
        """Whether the record's document can be decided anew."""
        try:
            self.course(record, {})
        except (NotRecordedError, OcrMoeError):
            return False
        return True

    def _course(self, document: FileDocument, verdicts: Mapping[str, Verdict]) -> Course:
        digests = self._digests[document.schema.name]
        answers = StoredAnswers(self._store, None, digests, document)
        return course_of(document, self._strategy, answers, verdicts)

    def _document(self, record: Record) -> FileDocument:
        ref = record.document
        config = self._workshop.config
        source = Source(Path(ref.path), ref.path)
        reader = PageReader(
            source,
            ref.sha256,
            self._workshop.engine("default"),
            self._store,
            self._decoder,
            remove_seals=config.remove_seals,
            text_layer=config.images.text_layer,
            recorded_only=True,
        )
        schema = self._schemas[record.schema_name or ""]
        place = Place(ref.part, ref.region)
        return open_document(source, ref.sha256, schema, reader, ref.page, ref.pages, place)

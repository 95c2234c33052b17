"""What people vouch for, written as a workbook from a run's store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ocr_moe.exports.verified import TARGET, PersonsWord, write_verified
from ocr_moe.formats.phrases import Language
from ocr_moe.run.exporting import schemas_of
from ocr_moe.run.settling import content_of
from ocr_moe.store.database import Judged, Store
from ocr_moe.subjects import key_of
from ocr_moe.types import DocumentRef, JudgementKind

VERIFIED = TARGET


def export_verified(path: Path, store: Store, strategy: str, language: Language = "en") -> int:
    """Write verified.xlsx of a strategy's records; how many cells are verified. Raises OutputError,
    StoreError."""
    words = persons_words(store, strategy)
    return write_verified(path, store.records(strategy), schemas_of(store), words, language)


def persons_words(store: Store, strategy: str) -> Iterator[PersonsWord]:
    """What people said and did not take back, in that order; of a cell, their last word.

    Words on copies of a document are told once, where they were given.
    """
    last: dict[tuple[object, ...], Judged] = {}
    for each in store.judgements():
        if not each.undone and each.judgement.kind is not JudgementKind.UNDO:
            said = each.judgement
            about: tuple[object, ...] = (each.sha256, each.page, each.region, said.kind, said.field)
            if said.independent and about in last:
                about = (*about, said.reviewer)  # a second person's word stands beside the first's
            last.pop(about, None)
            last[about] = each
    for each in last.values():
        said = each.judgement
        document = DocumentRef(
            path=each.path,
            sha256=each.sha256,
            page=each.page,
            part=each.part,
            region=each.region,
        )
        record = store.record(strategy, key_of(document), alone=True)
        before = None
        if record is not None and content_of(record.document) == content_of(document):
            read = record.fields.get(said.field)
            before = None if read is None else read.value
        yield PersonsWord(
            document, said.kind, said.field, before, said.value, said.reviewer, said.at, said.via
        )

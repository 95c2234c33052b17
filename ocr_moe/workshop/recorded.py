"""Experts that answer from a store alone, where the real one cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.protocols import Document
from ocr_moe.routing.recall import digest_fields, recall, unrecorded
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.types import Answer


class RecordedExpert:
    """Gives the recorded answers of an expert, under that expert's own fingerprint."""

    def __init__(self, name: str, fingerprint: str, model: str | None, store: Store) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.source = model or name
        """Whose answers they are, for people to read."""
        self._store = store

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        ref = document.ref
        recorded = [
            entry
            for entry in self._store.answers(ref.sha256, ref.page)
            if entry.answer.expert == self.fingerprint
        ]
        names = [field.name for field in fields]
        question = digest_fields(document.schema.name, fields)
        answer = recall(recorded, self.name, question, names) or unrecorded(self.name, names)
        return answer.model_copy(update={"expert": self.fingerprint})

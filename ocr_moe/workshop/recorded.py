"""Experts that answer from a store alone, where the real one cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ocr_moe.errors import EndpointMissingError
from ocr_moe.protocols import (
    ChatImage,
    ChatModel,
    Document,
    LineRecognizer,
    OcrEngine,
    Rereader,
    Services,
    SymbolReader,
)
from ocr_moe.routing.recall import digest_fields, recall, unrecorded
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.types import Answer, Recorded


class RecordedExpert:
    """Gives the recorded answers of an expert, under that expert's own fingerprint.

    With a `rereader` (the expert without anybody to ask) it parses recorded replies as today.
    """

    def __init__(
        self,
        name: str,
        fingerprint: str,
        model: str | None,
        store: Store,
        rereader: Rereader | None = None,
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.source = model or name
        """Whose answers they are, for people to read."""
        self._store = store
        self._rereader = rereader

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        ref = document.ref
        recorded = [
            self._as_parsed_today(document, entry)
            for entry in self._store.answers(ref.sha256, ref.page, ref.region)
            if entry.answer.expert == self.fingerprint
        ]
        names = [field.name for field in fields]
        question = digest_fields(document.schema.name, fields)
        answer = recall(recorded, self.name, question, names) or unrecorded(self.name, names)
        return answer.model_copy(update={"expert": self.fingerprint})

    @property
    def parsing(self) -> str:
        return "" if self._rereader is None else self._rereader.parsing

    def reread(self, document: Document, fields: Sequence[Field], answer: Answer) -> Answer:
        return answer if self._rereader is None else self._rereader.reread(document, fields, answer)

    def _as_parsed_today(self, document: Document, entry: Recorded) -> Recorded:
        if not entry.answer.is_outdated(self.parsing):
            return entry
        names = [reading.field for reading in entry.answer.readings]
        if not set(names) <= set(document.schema.names):
            return entry
        answer = self.reread(document, document.schema.select(names), entry.answer)
        return entry._replace(answer=answer)


class Unasked:
    """Services for an expert that only rereads: everything of `services`, and nobody to ask."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def chat(self, name: str) -> ChatModel:
        return _Nobody(name)

    def engine(self, name: str) -> OcrEngine:
        return self._services.engine(name)

    def recognizer(self, name: str) -> LineRecognizer:
        return self._services.recognizer(name)

    def symbols(self, name: str) -> SymbolReader:
        return self._services.symbols(name)


class _Nobody:
    """Stands for a chat endpoint that is not configured, until it is asked something."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def fingerprint(self) -> str:
        self._missing()

    def complete(
        self,
        *,
        system: str,
        user: str,
        images: Sequence[ChatImage] = (),
        images_last: bool = False,
        json_schema: Mapping[str, Any] | None = None,
        max_tokens: int = 1024,
    ) -> NoReturn:
        self._missing()

    def _missing(self) -> NoReturn:
        raise EndpointMissingError(f"No {self._name} endpoint is configured.")

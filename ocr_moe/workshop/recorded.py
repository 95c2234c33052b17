"""Experts that answer from a store alone, where the real one cannot be had."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.errors import ExpertError
from ocr_moe.protocols import Document
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.types import Answer

RECORDED = "recorded answers of "
"""How the provenance of such answers begins; the models follow."""


class RecordedExpert:
    """Gives the recorded answers of an expert, under that expert's own fingerprint."""

    def __init__(self, name: str, fingerprint: str, model: str | None, store: Store) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.model = model
        self._store = store

    @property
    def provenance(self) -> str:
        return RECORDED + (self.model or self.name)

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        ref = document.ref
        asked = [field.name for field in fields]
        answer = self._store.find_answer(ref.sha256, ref.page, self.fingerprint, asked)
        if answer is None:
            answer = self._out_of_a_larger_answer(document, asked)
        if answer is None:
            raise ExpertError(
                f"{self.name} has no recorded answer for {ref.path}, page {ref.page}; "
                "configure its endpoint to ask it"
            )
        return answer

    def _out_of_a_larger_answer(self, document: Document, asked: Sequence[str]) -> Answer | None:
        """The asked readings of the smallest recorded answer that has them all, at its whole cost."""
        ref = document.ref
        fitting = []
        for name, answer in self._store.answers(ref.sha256, ref.page):
            readings = {reading.field: reading for reading in answer.readings}
            if (
                name == self.name
                and answer.expert == self.fingerprint
                and readings.keys() >= set(asked)
            ):
                fitting.append((len(readings), [readings[field] for field in asked], answer))
        if not fitting:
            return None
        _, chosen, answer = min(fitting, key=lambda found: found[0])
        return answer.model_copy(update={"readings": tuple(chosen)})

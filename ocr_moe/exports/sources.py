"""What exports may ask for beside the records: answers of experts, pictures, addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Answer, DocumentRef, Record

AnswersOf = Callable[[Record], Mapping[str, Sequence[Answer]]]
"""Expert → its answers, of a record's document."""
CropOf = Callable[[Record, str], bytes | None]
"""(record, field) → a JPEG of where the value stands, None where that is not known or cannot be had."""
PageOf = Callable[[Record], bytes | None]
"""A JPEG of the whole page, for cells of which nobody knows where they stand."""
LinkOf = Callable[[DocumentRef], str]
"""The address of something of a document; empty where it has none."""


class Stored(Protocol):
    """Records and answers as the JSON that a store holds of them, for whoever writes JSON again."""

    def records(self) -> Iterator[tuple[DocumentKey, bytes]]:
        """In their order."""

    def answers(self, sha256: str, page: int) -> Sequence[tuple[str, bytes]]:
        """(expert, answer) of a document that is no part of its page, as its experts were at the end
        of the run, those of one expert one after the other."""

    def record(self, key: DocumentKey, row: bytes) -> Record:
        """What such a row says. Raises StoreError where it is damaged, or of another document."""

"""What exports may ask for beside the records: answers of experts, pictures, addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ocr_moe.types import Answer, DocumentRef, Record

AnswersOf = Callable[[Record], Mapping[str, Sequence[Answer]]]
"""Expert → its answers, of a record's document."""
CropOf = Callable[[Record, str], bytes | None]
"""(record, field) → a JPEG of where the value stands, None where that is not known or cannot be had."""
PageOf = Callable[[Record], bytes | None]
"""A JPEG of the whole page, for cells of which nobody knows where they stand."""
LinkOf = Callable[[DocumentRef], str]
"""The address of something of a document; empty where it has none."""

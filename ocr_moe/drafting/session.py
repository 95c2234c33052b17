"""A schema under work: its text, the samples that it is read on, and the sheet that it is held
against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ocr_moe.drafting.checking import schema_of
from ocr_moe.drafting.columns import Verified
from ocr_moe.drafting.samples import Samples
from ocr_moe.drafting.scores import Scored, Share, scored
from ocr_moe.formats.files import write_text
from ocr_moe.schema import Schema
from ocr_moe.types import Record


@dataclass(frozen=True)
class Reading:
    """What a schema reads on the samples."""

    schema: Schema
    records: Sequence[Record]
    scored: Scored | None
    """Held against the sheet, where there is one."""


class Drafting:
    """The work on one schema. Safe to share between threads."""

    def __init__(
        self,
        samples: Samples,
        text: str,
        file: Path,
        *,
        verified: Verified | None = None,
        strategy: str,
        crossed: Mapping[str, Share] | None = None,
        nowhere: Sequence[str] = (),
    ) -> None:
        """`file` is where the text stands, or is to. `crossed` is how right drafts are on samples that
        they were not drafted from, `nowhere` the columns whose values are not on the pages."""
        self.samples = samples
        self.text = text
        self.file = file
        self.verified = verified
        self.strategy = strategy
        self.crossed = dict(crossed or {})
        self.nowhere = tuple(nowhere)
        self._lock = Lock()
        self._last: tuple[str, Reading] | None = None

    def schema(self, text: str) -> Schema:
        """The schema that a text is. Raises MistakenError, which says what is wrong and where."""
        return schema_of(text, self.file)

    def read(self, text: str) -> Reading:
        """What a text's schema reads on the samples, from the page texts that are kept. Raises
        MistakenError, and what a run raises."""
        schema = self.schema(text)
        with self._lock:
            if self._last is not None and self._last[0] == text:
                return self._last[1]
            records = self.samples.read(schema, self.strategy)
            judged = None if self.verified is None else scored(records, schema, self.verified)
            reading = Reading(schema, records, judged)
            self._last = (text, reading)
            return reading

    def save(self, text: str) -> Path:
        """Write a text into the file. Raises MistakenError for one that is no schema, OutputError."""
        self.schema(text)
        with self._lock:
            write_text(self.file, text)
            self.text = text
        return self.file

    def close(self) -> None:
        """Let go of what decodes pages."""
        self.samples.close()

    def __enter__(self) -> Drafting:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

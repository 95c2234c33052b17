"""How a run goes and went, in numbers and sentences."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocr_moe.types import Record


@dataclass(frozen=True)
class Progress:
    """One more file is done."""

    done: int
    total: int
    path: str
    failure: str | None


@dataclass
class Outcome:
    """How a run went."""

    files: int = 0
    documents: int = 0
    failed: int = 0
    """Documents that failed, or have a failed field, under any strategy."""
    resumed: int = 0
    """Files that an earlier start had finished."""
    blank: int = 0
    """Blank pages; `documents` does not count them."""
    asked: int = 0
    """Questions put to experts in this start."""
    stopped: str | None = None
    """Why the run ended before its end, if it did."""
    failures: list[str] = field(default_factory=list)


def why_failed(record: Record) -> str:
    """A sentence on the failure of a record that failed or has a failed field."""
    if record.error is not None:
        return record.error.message
    for name, decision in record.fields.items():
        if decision.status == "failed":
            why = "; ".join(decision.notes) or "no expert could answer"
            return f"{record.document.path}: {name}: {why}"
    return ""

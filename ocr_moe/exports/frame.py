"""Records as pandas frames: one row a document, or one a doubtful cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ocr_moe.types import DOUBTFUL, Decision, Record

if TYPE_CHECKING:
    import pandas as pd


def frame_of(records: Iterable[Record], cell: Callable[[Decision], object]) -> pd.DataFrame:
    """The columns path, page, part, schema, one a field with what `cell` makes of it, and error."""
    import pandas as pd

    rows = [
        {
            "path": record.document.path,
            "page": record.document.page,
            "part": record.document.part,
            "schema": record.schema_name,
            **{name: cell(decision) for name, decision in record.fields.items()},
            "error": record.error.message if record.error else None,
        }
        for record in records
    ]
    frame = pd.DataFrame(rows)
    if "error" not in frame:
        return frame
    return frame[[column for column in frame if column != "error"] + ["error"]]


def doubts_of(records: Iterable[Record]) -> pd.DataFrame:
    """One row a cell that abstained or failed, the most doubtful first: path, page, part, schema, field,
    value, confidence, status, notes."""
    import pandas as pd

    columns = ["path", "page", "part", "schema", "field", "value", "confidence", "status", "notes"]
    rows = [
        (
            record.document.path,
            record.document.page,
            record.document.part,
            record.schema_name,
            name,
            decision.value,
            decision.confidence,
            str(decision.status),
            "; ".join(decision.notes),
        )
        for record in records
        for name, decision in record.fields.items()
        if decision.status in DOUBTFUL
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("confidence", kind="stable", na_position="first", ignore_index=True)

"""Records as a pandas frame: one row a document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ocr_moe.types import Decision, Record

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

"""How a run shows itself in a notebook: in numbers, with the most doubtful cells and their pictures."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from html import escape

from ocr_moe.exports.sources import CropOf
from ocr_moe.types import DOUBTFUL, Record, Status

_SHOWN = 5
"""Doubtful cells that are shown: what fits below a cell of a notebook."""
_COUNTED = {
    Status.ACCEPTED: "accepted",
    Status.VERIFIED: "verified",
    Status.ABSENT: "absent",
    Status.ABSTAINED: "to check",
    Status.FAILED: "failed",
}


def html_of(title: str, records: Iterable[Record], crop_of: CropOf) -> str:
    """A run's records as a piece of HTML without script or style sheet; texts of documents escaped."""
    statuses: Counter[Status] = Counter()
    documents = failed = 0

    def doubtful() -> Iterable[tuple[float, int, str, Record]]:
        nonlocal documents, failed
        for number, record in enumerate(records):
            documents += not record.blank
            failed += record.error is not None
            for name, decision in record.fields.items():
                statuses[decision.status] += 1
                if decision.status in DOUBTFUL:
                    yield decision.confidence or 0.0, number, name, record

    worst = nsmallest(_SHOWN, doubtful(), key=lambda cell: cell[:3])
    counts = [f"<b>{documents}</b> documents"]
    counts += [f"<b>{failed}</b> that could not be processed"] if failed else []
    counts += [f"<b>{n}</b> cells {_COUNTED[s]}" for s in _COUNTED if (n := statuses[s])]
    rows = [_row(confidence, name, record, crop_of) for confidence, _, name, record in worst]
    head = "".join(
        f'<th style="text-align:left">{each}</th>'
        for each in ("document", "field", "value", "confidence", "as printed")
    )
    table = f"<table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""
    return f"<div><p><code>{escape(title)}</code>: {', '.join(counts)}</p>{table}</div>"


def _row(confidence: float, name: str, record: Record, crop_of: CropOf) -> str:
    picture = crop_of(record, name)
    shown = ""
    if picture is not None:
        data = base64.b64encode(picture).decode("ascii")
        alt = escape(f"{name} as printed")
        shown = f'<img style="max-height:48px" alt="{alt}" src="data:image/jpeg;base64,{data}">'
    texts = (record.document.path, name, record.fields[name].value or "")
    cells = "".join(f'<td style="text-align:left"><bdi>{escape(text)}</bdi></td>' for text in texts)
    return f"<tr>{cells}<td>{confidence:.2f}</td><td>{shown}</td></tr>"

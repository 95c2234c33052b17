"""How right readings of samples are by a verified sheet, by the ruler of every evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocr_moe.drafting.columns import Verified
from ocr_moe.errors import TruthError
from ocr_moe.evaluation.scoring import score
from ocr_moe.evaluation.truth.matching import Readings, documents_of, match
from ocr_moe.evaluation.truth.sheet import TruthCell
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Record

_READER = "draft"


@dataclass(frozen=True)
class Share:
    """Right cells of a field, of all that are verified."""

    right: int
    cells: int

    def __add__(self, other: Share) -> Share:
        return Share(self.right + other.right, self.cells + other.cells)


@dataclass(frozen=True)
class Scored:
    """Readings held against a sheet."""

    fields: Mapping[str, Share]
    """In the order of the schema; fields without a verified cell are left out."""
    cells: Mapping[tuple[DocumentKey, str], tuple[TruthCell, bool]]
    """(document, field) → what is verified, and whether it was read so."""

    @property
    def whole(self) -> Share:
        return sum(self.fields.values(), Share(0, 0))


def scored(records: Sequence[Record], schema: Schema, verified: Verified) -> Scored:
    """What readings under a schema are worth; nothing where no column of the sheet is a field of it."""
    runs = {_READER: records}
    try:
        truths = verified.truths.of((schema,))
        matches = [match(truth, documents_of(runs), Readings(runs)) for truth in truths]
        found = score(runs, matches)
    except TruthError:
        return Scored({}, {})
    counted = dict.fromkeys(schema.names, Share(0, 0))
    cells: dict[tuple[DocumentKey, str], tuple[TruthCell, bool]] = {}
    grid = found.grids[_READER]
    for cell in found.cells(_READER):
        name = cell.field.field.name
        right = bool(grid.right[cell.document, cell.column])
        counted[name] += Share(int(right), 1)
        cells[found.documents[cell.document], name] = (cell.truth, right)
    return Scored({name: share for name, share in counted.items() if share.cells}, cells)

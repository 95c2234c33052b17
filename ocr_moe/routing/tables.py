"""Tables: what several experts' rows come to, cell by cell.

The rows are those of the table that the combiner chose; the others' rows are matched with them, by the
table's key column or by their order, and every cell is then decided as a field is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ocr_moe.judgements import RELIABILITY
from ocr_moe.schema import Field
from ocr_moe.types import HUMAN, Decision, Evidence, Reading, Status
from ocr_moe.values.tables import named_cells, paired, table_rows, table_text

Readings = Mapping[str, Reading]
DecideCell = Callable[[Field, Readings], Decision]
"""Decides one cell of a column by what the experts read there."""
STANDING = (Status.ACCEPTED, Status.ABSENT, Status.VERIFIED)


def decided_rows(
    table: Field, readings: Readings, chosen: str, decide: DecideCell
) -> tuple[dict[str, Decision], ...]:
    """The rows of the expert `chosen`, each cell decided by what all of them read there.

    `readings` are those that have rows, `chosen` is one of them.
    """
    base = readings[chosen].rows
    others: dict[str, list[dict[str, Reading] | None]] = {}
    for expert, reading in readings.items():
        if expert == chosen:
            continue
        pairs = paired(table.key, *(_values(rows) for rows in (base, reading.rows)))
        others[expert] = [
            None if theirs is None else reading.rows[theirs]
            for own, theirs in pairs
            if own is not None
        ]
    decided = []
    for index, row in enumerate(base):
        cells: dict[str, Decision] = {}
        for column in table.columns:
            said = {chosen: row[column.name]} if column.name in row else {}
            for expert, rows in others.items():
                other = rows[index]
                if other is not None and column.name in other:
                    said[expert] = other[column.name]
            cells[column.name] = decide(column, said)
        decided.append(cells)
    return tuple(decided)


def _values(rows: Sequence[Mapping[str, Reading]]) -> list[dict[str, str | None]]:
    return [{name: cell.value for name, cell in row.items()} for row in rows]


def tabulated(
    decision: Decision, rows: tuple[dict[str, Decision], ...], accepted: bool
) -> Decision:
    """The decision on a table whose cells are decided: it stands only where all of them do, and is as
    sure as the least sure one. `accepted` tells whether what is that sure stands."""
    value = table_text({name: cell.value for name, cell in row.items()} for row in rows)
    stands = accepted and all(cell.status in STANDING for row in rows for cell in row.values())
    return decision.model_copy(
        update={
            "value": value,
            "rows": rows,
            "confidence": lowest(decision, rows),
            "status": Status.ACCEPTED if stands and value is not None else Status.ABSTAINED,
        }
    )


def lowest(decision: Decision, rows: Sequence[Mapping[str, Decision]]) -> float | None:
    """The confidence of the least sure cell, as far as that of the table may go."""
    sure = [cell.confidence for row in rows for cell in row.values() if cell.confidence is not None]
    return min([*sure, decision.ceiling]) if sure else decision.confidence


def verified_rows(table: Field, decision: Decision) -> tuple[dict[str, Decision], ...]:
    """The rows of a table that a person said; evidence stays where a cell still says the same."""
    rows = []
    for index, said in enumerate(table_rows(decision.value)):
        cells = named_cells(table, said)
        before = decision.rows[index] if index < len(decision.rows) else {}
        rows.append(
            {
                column.name: Decision(
                    value=cells.get(column.name),
                    confidence=RELIABILITY,
                    status=Status.VERIFIED,
                    experts=(HUMAN,),
                    evidence=_place(before.get(column.name), cells.get(column.name)),
                    reviewer=decision.reviewer,
                    at=decision.at,
                )
                for column in table.columns
            }
        )
    return tuple(rows)


def _place(before: Decision | None, value: str | None) -> Evidence | None:
    return before.evidence if before is not None and before.value == value else None

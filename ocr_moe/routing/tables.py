"""Tables: what several experts' rows come to, cell by cell.

The rows are those of the table that the combiner chose; the others' rows are matched with them, by the
table's key column or by their order, and every cell is then decided as a field is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ocr_moe.judgements import RELIABILITY, Verdict, judged
from ocr_moe.routing.settings import UNDECIDED
from ocr_moe.schema import Field, Schema
from ocr_moe.types import HUMAN, Decision, Reading, Status
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


def judged_table(
    table: Field, read: Decision, verdict: Verdict, failed: tuple[str, ...] = ()
) -> Decision:
    """A person's word on a table, over what was read: its rows stand as they said them.

    Where they looked at some cells only, the others stay as sure as they were read, and so does the
    table; where reviewers differ, the cells on which they do are for a person. `failed` tells of the
    checks that fail all the same.
    """
    decision = judged(read, verdict)
    notes: tuple[str, ...] = ()
    if verdict.disputed:
        words = [
            (verdict.reviewer, verdict.value),
            *((o.reviewer, o.value) for o in verdict.others),
        ]
        told = "; ".join(f"{who} says {_length(value)}" for who, value in words)
        notes = (f"reviewers differ: {told}",)
    elif read.value is not None and read.value != verdict.value:
        notes = (f"was {_length(read.value)}",)
    rows = _judged_rows(table, read, decision, verdict)
    update: dict[str, object] = {"rows": rows, "notes": (*notes, *failed)}
    statuses = {cell.status for row in rows for cell in row.values()}
    if verdict.cells is not None and not verdict.disputed and statuses != {Status.VERIFIED}:
        stands = statuses <= {*STANDING} and read.ceiling > UNDECIDED and not failed
        update |= {
            "status": Status.ACCEPTED if stands else Status.ABSTAINED,
            "confidence": lowest(read, rows),
            "ceiling": read.ceiling,
            "reviewer": None,
            "at": None,
            "notes": (*notes, *read.notes, *failed),
        }
    return decision.model_copy(update=update)


def _length(value: str | None) -> str:
    return "absent" if value is None else f"a table of {len(table_rows(value))} rows"


def _judged_rows(
    table: Field, read: Decision, decision: Decision, verdict: Verdict
) -> tuple[dict[str, Decision], ...]:
    said = [named_cells(table, row) for row in table_rows(decision.value)]
    before = _rows_before(table, said, read)
    disputed = _disputed(table, said, verdict)
    looked = None if verdict.cells is None else frozenset(verdict.cells)
    rows = []
    for index, cells in enumerate(said):
        was = before[index]
        row: dict[str, Decision] = {}
        for column in table.columns:
            value, known = cells.get(column.name), was.get(column.name)
            checked = looked is None or (index, column.name) in looked
            if not checked and known is not None and known.value == value:
                row[column.name] = known
                continue
            undecided = not checked or (index, column.name) in disputed
            row[column.name] = Decision(
                value=value,
                confidence=UNDECIDED if undecided else RELIABILITY,
                ceiling=UNDECIDED if undecided else 1.0,
                status=Status.ABSTAINED if undecided else Status.VERIFIED,
                experts=(HUMAN,),
                evidence=None if known is None else known.evidence,
                notes=_was(known, value),
                reviewer=None if undecided else verdict.reviewer,
                at=None if undecided else verdict.at,
            )
        rows.append(row)
    return tuple(rows)


def _rows_before(
    table: Field, said: Sequence[Mapping[str, str]], read: Decision
) -> list[Mapping[str, Decision]]:
    """The row as it was read, of every row that a person said; nothing where there was none."""
    values = [{name: cell.value for name, cell in row.items()} for row in read.rows]
    found: list[Mapping[str, Decision]] = [{} for _ in said]
    for own, other in paired(table.key, said, values):
        if own is not None and other is not None:
            found[own] = read.rows[other]
    return found


def _disputed(
    table: Field, said: Sequence[Mapping[str, str]], verdict: Verdict
) -> set[tuple[int, str]]:
    """The cells of which another reviewer says something else."""
    found: set[tuple[int, str]] = set()
    for other in verdict.others:
        theirs = [named_cells(table, row) for row in table_rows(other.value)]
        for own, index in paired(table.key, said, theirs):
            if own is not None:
                cells = {} if index is None else theirs[index]
                names = [column.name for column in table.columns]
                found |= {(own, n) for n in names if said[own].get(n) != cells.get(n)}
    return found


def _was(known: Decision | None, value: str | None) -> tuple[str, ...]:
    if known is None or known.value is None or known.value == value:
        return ()
    return (f"was {known.value}",)


def with_rows(
    schema: Schema,
    read: Mapping[str, Decision],
    decisions: Mapping[str, Decision],
    verdicts: Mapping[str, Verdict],
) -> Mapping[str, Decision]:
    """Decisions in which people's word stands, those on tables with their rows; `read` are the decisions
    without that word."""
    rows = {
        table.name: judged_table(table, read[table.name], verdicts[table.name])
        for table in schema.tables
        if table.name in verdicts and table.name in read and HUMAN not in read[table.name].experts
    }
    return {**decisions, **rows} if rows else decisions

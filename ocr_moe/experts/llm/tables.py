"""Tables in answers: a JSON list with an object a row, and the reading that is made of it.

Every cell is interpreted as the answer to its column would be.  Its place is sought only level with the
row's longest value, for a 4 stands in many places of a page; a cell that is not found there has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ocr_moe.errors import ChatAnswerError
from ocr_moe.experts.llm.alignment import find_evidence
from ocr_moe.experts.llm.gathering import VALUE_KEYS, Keys
from ocr_moe.experts.llm.interpreting import interpret
from ocr_moe.experts.llm.unwrapping import Number, Unusable, loads, whole
from ocr_moe.geometry import hull
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Box, Evidence, Line, RawReply, Reading
from ocr_moe.values.tables import table_text

_ROWS = (*VALUE_KEYS, "rows", "data", "items", "table", "行", "表格", "数据")
"""Under which the rows may stand."""
_LEVEL = 0.5
"""Share of its height by which a line is level with another."""
Pages = Sequence[Sequence[Line]]


def interpret_table(
    reply: RawReply, table: Field, said: Sequence[tuple[str, Any]], pages: Pages
) -> Reading:
    """The reading of what is said of a table. Raises ChatAnswerError where no rows can be made of it."""
    _, given = said[-1]
    rows = _rows(reply, table, given)
    keys = Keys(table.columns)
    read = []
    for number, row in enumerate(rows, start=1):
        for part in row if isinstance(row, list) else [row]:
            if isinstance(part, Unusable):
                _rows(reply, table, part)  # says why
        cells = _row(reply, table, row, keys, pages)
        if any(cell.value is not None or cell.raw is not None for cell in cells.values()):
            read.append(cells)
        elif not isinstance(row, dict):
            raise _garbled(reply, f"row {number} of this table is no object")
    value = table_text({name: cell.value for name, cell in row.items()} for row in read)
    features = {"constrained": float(reply.constrained)}
    if value is None:
        return Reading(field=table.name, features=features)
    return Reading(
        field=table.name,
        value=value,
        evidence=_place(read),
        features=features,
        rows=tuple(read),
    )


def bare_rows(content: str, fields: Sequence[Field]) -> list[Any] | None:
    """The rows, where an answer to one table alone is nothing but them."""
    if len(fields) != 1 or fields[0].kind is not Kind.TABLE:
        return None
    start, end = content.find("["), content.rfind("]")
    value = whole(content) or (loads(content[start : end + 1]) if 0 <= start < end else None)
    keys = Keys(fields[0].columns)
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return None
    return value if any(keys.field(key) for row in value for key in row) else None


def _rows(reply: RawReply, table: Field, given: Any) -> list[Any]:
    match given:
        case None | False | "" | "无":
            return []
        case Unusable():
            hint = "Raise `max_tokens` of the expert." if given is Unusable.CUT else ""
            raise ChatAnswerError(f"The answer of {reply.model} {given.value}. {hint}".strip())
        case Number():
            raise _garbled(reply, "this table is a number")
        case str():
            inner = loads(given)
            if inner is None:
                raise _garbled(reply, "this table is a text")
            return _rows(reply, table, inner)
        case list():
            return given
        case dict():
            for key in (*_ROWS, table.name, *table.aliases):
                if isinstance(given.get(key), list):
                    return list(given[key])
            return [given]
        case _:
            raise _garbled(reply, "this table has no rows")


def _garbled(reply: RawReply, why: str) -> ChatAnswerError:
    return ChatAnswerError(
        f"In the answer of {reply.model} {why}. Set `structured: json_schema` for the endpoint if its "
        "server knows it."
    )


def _row(reply: RawReply, table: Field, row: Any, keys: Keys, pages: Pages) -> dict[str, Reading]:
    said: dict[str, list[tuple[str, Any]]] = {}
    if isinstance(row, dict):
        for key, each in row.items():
            if (name := keys.field(key)) is not None:
                said.setdefault(name, []).append((key, each))
    elif isinstance(row, list) and len(row) == len(table.columns):
        said = {c.name: [(c.name, each)] for c, each in zip(table.columns, row, strict=True)}
    cells = {
        column.name: interpret(reply, column, said[column.name], ())
        if column.name in said
        else Reading(field=column.name)
        for column in table.columns
    }
    places = dict(_places(table, cells, pages))
    return {
        name: cell.model_copy(update={"evidence": places[name]}) if name in places else cell
        for name, cell in cells.items()
    }


def _places(
    table: Field, cells: dict[str, Reading], pages: Pages
) -> Iterator[tuple[str, Evidence]]:
    """Column → where its cell stands: the longest value first, the others level with it."""
    named = [(name, cell) for name, cell in cells.items() if cell.value is not None]
    named.sort(key=lambda each: -len(each[1].value or ""))
    level: tuple[int, Box] | None = None
    for name, cell in named:
        column = table.column(name)
        for number, lines in enumerate(pages, start=1):
            beside = lines
            if level is not None:
                page, box = level
                beside = [line for line in lines if page == number and _is_level(line.box, box)]
            found, _ = find_evidence(column, cell.value, cell.raw, beside, number)
            if found is not None:
                level = level or (number, found.box)
                yield name, found
                break
        else:
            if level is None:
                return


def _is_level(one: Box, other: Box) -> bool:
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared >= _LEVEL * min(one[3] - one[1], other[3] - other[1])


def _place(rows: Sequence[dict[str, Reading]]) -> Evidence | None:
    """The box around the cells on the first page where any stand."""
    found = [cell.evidence for row in rows for cell in row.values() if cell.evidence is not None]
    if not found:
        return None
    first = min(each.page for each in found)
    there = [each for each in found if each.page == first]
    return Evidence(box=hull([each.box for each in there]), text=there[0].text, page=first)

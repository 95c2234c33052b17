"""What the fields of one record say about one another: the checks that a schema declares."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from ocr_moe.expressions import Moment, Operand, parsed
from ocr_moe.folds import fold_value
from ocr_moe.schema import Check, Field, Kind, Schema, Total
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import is_date, years_between
from ocr_moe.values.hanzi import simplified
from ocr_moe.values.quantities import number_of
from ocr_moe.values.tables import number_in, summed, table_rows


class Contradiction(NamedTuple):
    """What speaks against a value."""

    note: str
    impossible: bool
    """Whether one of the values must be wrong: no document is dated tomorrow, but a certificate may
    keep an old number."""


def check(
    schema: Schema, values: Mapping[str, str | None], today: str | None = None
) -> dict[str, list[Contradiction]]:
    """Per field, every declared check that fails on these normalised values; `today` is the day of
    the run, ISO 8601.

    A check with a missing value says nothing.  Fields that no check speaks against are left out.
    """
    found: dict[str, list[Contradiction]] = {}
    for each in schema.checks:
        if each.kind == "not_future":
            late = [name for name in each.fields if _is_after(values.get(name), today)]
            for name in late:
                note = (
                    each.message or f"{name} ({values[name]}) is after the day of the run ({today})"
                )
                found.setdefault(name, []).append(Contradiction(note, True))
            continue
        message = _CHECKS[each.kind](schema, each, values)
        if message is None:
            continue
        impossible = each.kind in ("date_order", "expression")
        contradiction = Contradiction(each.message or message, impossible)
        for name in each.fields or _named(schema, each):
            found.setdefault(name, []).append(contradiction)
    for table in schema.tables:
        for total in table.totals:
            wrong = _not_the_sum(table, total, values)
            if wrong is not None:
                for name in (table.name, total.field):
                    found.setdefault(name, []).append(Contradiction(wrong, True))
    return found


def _not_the_sum(table: Field, total: Total, values: Mapping[str, str | None]) -> str | None:
    """What a column adds up to, where the field that should say so says otherwise."""
    rows, printed = values.get(table.name), number_in(values.get(total.field))
    if not total.field or not rows or printed is None:
        return None
    come_to = summed(row.get(total.column) for row in table_rows(rows))
    if abs(come_to - printed) <= Decimal(str(total.tolerance)):
        return None
    return f"{total.column} of {table.name} adds up to {come_to}, {total.field} is {printed}"


def day_of(moment: str | None) -> str | None:
    """The day of a moment in ISO 8601."""
    return None if moment is None else moment[: len("2019-06-20")]


def _is_after(date: str | None, today: str | None) -> bool:
    """As exactly as the date is known: this month is not after today."""
    return bool(today) and is_date(date) and str(date) > str(today)[: len(str(date))]


def _date_order(_: Schema, each: Check, values: Mapping[str, str | None]) -> str | None:
    earlier, later = (values.get(name) for name in each.fields[:2])
    if not earlier or not later or not (is_date(earlier) and is_date(later)):
        return None
    # Compared as exactly as both are known: 2019-06 is not before 2019-06-20.
    length = min(len(earlier), len(later))
    if earlier[:length] > later[:length]:
        return f"{each.fields[0]} ({earlier}) is after {each.fields[1]} ({later})"
    years = years_between(earlier, later)
    if each.years and not each.years[0] <= years <= each.years[1]:
        return f"{each.fields[0]} ({earlier}) and {each.fields[1]} ({later}) are {years:.0f} years apart"
    return None


def _code_year(schema: Schema, each: Check, values: Mapping[str, str | None]) -> str | None:
    code, date = (values.get(name) for name in each.fields[:2])
    if not code or not date or not is_date(date):
        return None
    years = []
    for grammar in schema.field(each.fields[0]).grammars:
        spans = grammar.parse(code)
        if spans is not None and each.segment in spans:
            years.append(code[slice(*spans[each.segment])])
    if not years or any(date[:4].endswith(year) for year in years):
        return None
    return f"the year in {each.fields[0]} is {years[0]}, {each.fields[1]} is {date}"


def _code_check(schema: Schema, each: Check, values: Mapping[str, str | None]) -> str | None:
    name = each.fields[0]
    code = values.get(name)
    field = schema.field(name)
    if not code or field.kind is not Kind.CODE or not field.grammars:
        return None
    results = [g.checks(code) for g in field.grammars if g.matches(code)]
    if not results:
        return f"{name} has none of the declared forms"
    return None if any(result is not False for result in results) else f"{name}: check failed"


def _expression(schema: Schema, each: Check, values: Mapping[str, str | None]) -> str | None:
    expression = parsed(each.expression)
    fields = {name: schema.named(name) for name in expression.names}
    operands = {name: operand(field, values.get(field.name)) for name, field in fields.items()}
    try:
        if expression.holds(operands) is not False:
            return None
    except TypeError:  # schemas are tried before; what only some values are good for says nothing
        return None
    known = {field.name: values.get(field.name) for field in fields.values()}
    told = ", ".join(f"{name} = {value}" for name, value in known.items() if value is not None)
    return f"check fails: {each.expression.strip()} ({told})"


def operand(field: Field, value: str | None) -> Operand | None:
    """A field's value as expressions count with it; None where it says nothing."""
    if value is None:
        return None
    match field.kind:
        case Kind.NUMBER | Kind.PERCENTAGE:
            return number_of(value)
        case Kind.MONEY:
            amount = parse_amount(value)
            return None if amount is None else amount.value
        case Kind.DATE if value in field.values:
            return value
        case Kind.DATE | Kind.TIME:
            return Moment(value)
        case Kind.ENUM | Kind.CODE:
            return value
    return "".join(map(simplified, fold_value(value)))


def _named(schema: Schema, each: Check) -> tuple[str, ...]:
    return tuple(schema.named(name).name for name in parsed(each.expression).names)


_CHECKS = {
    "date_order": _date_order,
    "code_year": _code_year,
    "code_check": _code_check,
    "expression": _expression,
}

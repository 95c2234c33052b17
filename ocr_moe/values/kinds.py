"""The table of field kinds: everything that differs from one kind of field to the next.

To add a kind, name it in `ocr_moe.schema.Kind` and give it an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from ocr_moe.schema import Fallback, Field, Kind
from ocr_moe.values.amounts import find_money, money_belief, parse_money, same_money
from ocr_moe.values.choices import find_choice, parse_choice
from ocr_moe.values.codes import code_belief, find_code, parse_code, same_code
from ocr_moe.values.dates import date_belief, find_date, parse_date
from ocr_moe.values.names import (
    find_person,
    organisation_belief,
    parse_organisation,
    parse_person,
    person_belief,
)
from ocr_moe.values.printed import Part, clean_text
from ocr_moe.values.quantities import (
    find_number,
    find_percentage,
    number_belief,
    parse_number,
    parse_percentage,
    percentage_belief,
    same_number,
    same_percentage,
)
from ocr_moe.values.tables import parse_table
from ocr_moe.values.texts import parse_text, same_text, text_belief
from ocr_moe.values.times import find_time, parse_time, same_time, time_belief

R = TypeVar("R")


def _any_field(rule: Callable[[str], R]) -> Callable[[Field, str], R]:
    """A rule to which it does not matter what the field's schema says."""
    return lambda _, text: rule(text)


def _whole(_: Field, text: str) -> Part | None:
    return Part(0, len(text), text) if text.strip() else None


def _cell(column: Field, text: str) -> str | None:
    """A cell of a table as its column writes it down."""
    return FIELD_KINDS[column.kind].parse(column, clean_text(text))


def _parse_day(field: Field, text: str) -> str | None:
    """A date, or one of the words that may stand in its place (长期)."""
    return parse_date(text) or (parse_choice(field, text) if field.values else None)


def _day_belief(field: Field, value: str) -> float:
    return 1.0 if value in field.values else date_belief(value)


def _find_day(field: Field, text: str) -> Part | None:
    return find_date(text) or (find_choice(field, text) if field.values else None)


def _nowhere(_: Field, __: str) -> Part | None:
    """What stands nowhere in a stretch of text."""
    return None


def _never(_: str, __: str) -> bool:
    return False


@dataclass(frozen=True)
class FieldKind:
    """What is known of the values of one kind; functions take the field where its schema matters."""

    parse: Callable[[Field, str], str | None]
    """Cleaned text → the value as it is written down, None where it holds none."""
    belief: Callable[[Field, str], float]
    """How far a value looks like the kind: 0 (cannot be) to 1 (just what one expects)."""
    same: Callable[[str, str], bool] = _never
    """Whether two values say the same though they are written differently."""

    find: Callable[[Field, str], Part | None] = _whole
    """The value within a stretch of printed text; the whole stretch where nothing marks its ends."""
    telling: bool = False
    """Whether a value is known by its looks, without a label."""
    multiline: bool = False
    """Whether a printed value goes on over further lines."""
    one_box: bool = False
    """Whether boxes of several letters are values of their own, as a person's name is."""
    widest_gap: float = 12.0
    """Within a printed value, in text heights: 4 between words, more in blanks that were filled in.
    [twice the 4 −1, twice the 12 as it was; see `ocr_moe.reading.candidates`]"""
    fallbacks: tuple[Fallback, ...] = ()
    """Where to look where a schema declares neither patterns nor fallbacks."""

    verbatim: bool = True
    """Whether a value keeps the characters in which it is printed, traditional ones too."""

    prompt: str = ""
    """How a model is told to write the value, where the schema does not describe the field."""
    prompt_always: bool = False
    """Whether it is told so where the schema does describe it."""
    closed: bool = False
    """Whether the value is one of the field's `values`, which a prompt then lists."""

    width: float = 16.0
    """Of a column of such values in Excel, in characters; all values are kept as text."""
    width_compared: float = 16.0
    """The same in a report that sets several strategies' values side by side."""


FIELD_KINDS: Mapping[Kind, FieldKind] = {
    Kind.TEXT: FieldKind(
        parse=_any_field(parse_text),
        belief=_any_field(text_belief),
        same=same_text,
        multiline=True,
        widest_gap=4.0,
        width=28,
    ),
    Kind.PERSON: FieldKind(
        parse=_any_field(parse_person),
        belief=_any_field(person_belief),
        same=same_text,
        find=_any_field(find_person),
        telling=True,
        one_box=True,
        widest_gap=4.0,
        fallbacks=(Fallback.COLUMN,),
        prompt="人名",
        width=12,
    ),
    Kind.ORGANISATION: FieldKind(
        parse=_any_field(parse_organisation),
        belief=_any_field(organisation_belief),
        same=same_text,
        multiline=True,
        widest_gap=4.0,
        fallbacks=(Fallback.COLUMN, Fallback.ORGANISATION),
        prompt="机构全称",
        width=30,
    ),
    Kind.DATE: FieldKind(
        parse=_parse_day,
        belief=_day_belief,
        find=_find_day,
        telling=True,
        fallbacks=(Fallback.COLUMN, Fallback.FIRST_DATE),
        verbatim=False,
        prompt="年月日，照原文抄写",
        prompt_always=True,
        width=13,
    ),
    Kind.ENUM: FieldKind(
        parse=parse_choice,
        belief=lambda _, __: 1.0,
        fallbacks=(Fallback.ANYWHERE,),
        verbatim=False,
        closed=True,
        width=12,
    ),
    Kind.MONEY: FieldKind(
        parse=_any_field(parse_money),
        belief=_any_field(money_belief),
        same=same_money,
        find=_any_field(find_money),
        telling=True,
        fallbacks=(Fallback.COLUMN, Fallback.LARGEST_AMOUNT),
        prompt="金额，连同单位照原文抄写",
        prompt_always=True,
        width=18,
    ),
    Kind.CODE: FieldKind(
        parse=parse_code,
        belief=code_belief,
        same=same_code,
        find=find_code,
        telling=True,
        fallbacks=(Fallback.ANYWHERE,),
        prompt="号码，逐位照抄，不增不减",
        prompt_always=True,
        width=24,
        width_compared=23,
    ),
    Kind.NUMBER: FieldKind(
        parse=parse_number,
        belief=number_belief,
        same=same_number,
        find=find_number,
        fallbacks=(Fallback.COLUMN,),
        verbatim=False,
        prompt="数字，连同单位照原文抄写",
        prompt_always=True,
        width=12,
    ),
    Kind.PERCENTAGE: FieldKind(
        parse=_any_field(parse_percentage),
        belief=_any_field(percentage_belief),
        same=same_percentage,
        find=_any_field(find_percentage),
        fallbacks=(Fallback.COLUMN,),
        verbatim=False,
        prompt="百分数，连同百分号照原文抄写",
        prompt_always=True,
        width=9,
    ),
    Kind.TIME: FieldKind(
        parse=_any_field(parse_time),
        belief=_any_field(time_belief),
        same=same_time,
        find=_any_field(find_time),
        telling=True,
        fallbacks=(Fallback.COLUMN,),
        verbatim=False,
        prompt="时间，照原文抄写",
        prompt_always=True,
        width=10,
    ),
    Kind.TABLE: FieldKind(
        parse=lambda field, text: parse_table(field, text, _cell),
        belief=lambda _, __: 1.0,
        find=_nowhere,
        prompt="表格，逐行照抄，一行不漏",
        prompt_always=True,
        width=16,
    ),
}


def complete(table: Mapping[Kind, FieldKind]) -> Mapping[Kind, FieldKind]:
    """The table, if it has every kind. Raises LookupError, which names those that it lacks."""
    missing = [kind.value for kind in Kind if kind not in table]
    if missing:
        raise LookupError(
            f"no entry for the field kind {', '.join(missing)}: add one to FIELD_KINDS in {__name__}"
        )
    return table


complete(FIELD_KINDS)


def kind_of(field: Field) -> FieldKind:
    return FIELD_KINDS[field.kind]

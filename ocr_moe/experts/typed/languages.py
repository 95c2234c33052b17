"""Which language the values of a field are in, by the field's kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ocr_moe.experts.typed.amounts import amounts
from ocr_moe.experts.typed.dates import dates
from ocr_moe.experts.typed.language import Context, Language
from ocr_moe.experts.typed.listed import listed_names
from ocr_moe.experts.typed.persons import person_names
from ocr_moe.schema import Field, Kind

LANGUAGES: Mapping[Kind, Callable[[Field, Context], Language | None]] = {
    Kind.ORGANISATION: listed_names,
    Kind.TEXT: listed_names,
    Kind.PERSON: person_names,
    Kind.DATE: dates,
    Kind.MONEY: amounts,
}
"""None: the field has no language, and the expert says nothing of it."""


def language_of(field: Field, context: Context) -> Language | None:
    build = LANGUAGES.get(field.kind)
    return None if build is None else build(field, context)

"""The `marks` expert: QR codes, Data Matrix, PDF417 and bar codes, read by the schema.

A symbol's content has check codes of its own: it is decoded rightly or not at all.  What can be wrong is
whether it means the field (see `ocr_moe.experts.marks.payloads`), and whether it is up to date.  Every
value goes through the field's kind, grammars, `shape` and `reject`; what does not fit is no reading.

A page without symbols, and one whose symbols say nothing of a field, gives a reading that is `idle`:
it does not count as silence.  Where several symbols name different values, the first by key is the
value and all of them are alternatives, with a note.

Features of a reading with a value, all present, for calibration:

    qr, matrix, stacked, linear   1 for QR and Aztec codes, for Data Matrix, PDF417 and bar codes
    json, listed, address, keyed, bare, plain   1 for how the value stands in the symbol's text
    rank          of the key among those of the field, 0 for the first
    check         code: 1 where a check character vouches for it, 0.5 where only the form fits
    scale         size, against the page's, at which the symbol could be decoded
    symbols       how many symbols of the document name the value
    rivals        how many other values symbols name for the field
    length        characters of the value
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ocr_moe.errors import OcrMoeError
from ocr_moe.experts.marks.payloads import Form, Statement, statements
from ocr_moe.folds import fold_value
from ocr_moe.protocols import Document, Page, Services
from ocr_moe.schema import Field, Kind, Marks, Schema
from ocr_moe.types import Alternative, Answer, Cost, Evidence, Reading, Symbol, Value
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.plausible import plausibility

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_LEAST_BELIEF = 0.55
"""Plausibility from which a value is one of its field: above what a missing `shape` leaves."""
_EVIDENCE = 120
"""Characters of a symbol's text that are shown as evidence."""
_LONGEST = 500
"""Characters of a value; longer ones run on into something else."""
_KIND_FEATURES = {
    "QR code": "qr",
    "Aztec code": "qr",
    "Data Matrix": "matrix",
    "PDF417": "stacked",
}
_FORM_ORDER = tuple(Form)


class MarksParams(Value):
    """Parameters of `MarksExpert`."""

    symbols: str = "zxing"
    """The reader of symbols, by name."""


@dataclass(frozen=True)
class _Named:
    """A value that a symbol names."""

    statement: Statement
    value: str
    check: float
    symbol: Symbol
    page: int

    @property
    def order(self) -> tuple[int, int]:
        """The key believed most comes first, then what is marked most clearly."""
        return (self.statement.rank, _FORM_ORDER.index(self.statement.form))


class MarksExpert:
    """Reads fields out of the QR codes, bar codes and the like on a page; asks no language model."""

    Params = MarksParams

    def __init__(self, name: str, params: MarksParams, services: Services) -> None:
        self.name = name
        self._reader = services.symbols(params.symbols)

    @property
    def fingerprint(self) -> str:
        return f"marks/{REVISION} {self._reader.fingerprint}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what decoding the page raises."""
        schema = _asked(document.schema, fields)
        expected = any(field.marks != Marks() for field in document.schema.fields)
        pages = [page for page in document.pages if not _is_text(page)]
        images = [(page.number, page.image) for page in pages]
        began = time.perf_counter()
        named: dict[str, list[_Named]] = {field.name: [] for field in fields}
        for number, image in images:
            for symbol in self._reader.read(image, expected=expected):
                for each in _named(schema, symbol, number):
                    if each.statement.field in named:
                        named[each.statement.field].append(each)
        readings = tuple(_reading(field, named[field.name]) for field in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))


def _is_text(page: Page) -> bool:
    """Whether nobody ever saw the page, which has no symbols then."""
    try:
        return page.is_given
    except OcrMoeError:  # symbols are read where no line can be
        return False


def _asked(schema: Schema, fields: Sequence[Field]) -> Schema:
    """The document's schema with the fields as they are asked for."""
    asked = {field.name: field for field in fields}
    if all(asked.get(field.name, field) is field for field in schema.fields):
        return schema
    return schema.model_copy(
        update={"fields": tuple(asked.get(field.name, field) for field in schema.fields)}
    )


def _named(schema: Schema, symbol: Symbol, page: int) -> Iterator[_Named]:
    for statement in statements(schema, symbol.text):
        field = schema.field(statement.field)
        if len(statement.raw) > _LONGEST:
            continue
        value = normalize(field, statement.raw)
        if value is None or plausibility(field, value) < _LEAST_BELIEF:
            continue
        check = 0.0
        if field.grammars:
            checks = [grammar.checks(value) for grammar in field.grammars if grammar.matches(value)]
            if True in checks:
                check = 1.0
            elif None in checks and (statement.form is not Form.PLAIN or field.marks.plain):
                check = 0.5
            else:
                continue
        yield _Named(statement, value, check, symbol, page)


def _reading(field: Field, named: Sequence[_Named]) -> Reading:
    if not named:
        return Reading(field=field.name, idle=True)
    ordered = sorted(named, key=lambda each: each.order)
    best = ordered[0]
    others = _rivals(field, ordered)
    statement, symbol = best.statement, best.symbol
    bearers = {id(each.symbol) for each in named if equal(field, each.value, best.value)}
    shown = " ".join(statement.text.split())
    if len(shown) > _EVIDENCE:
        shown = f"{shown[:_EVIDENCE]}…"
    kind = _KIND_FEATURES.get(symbol.symbology, "linear")
    features = {
        **{each: float(each == kind) for each in ("qr", "matrix", "stacked", "linear")},
        **{str(form): float(form is statement.form) for form in Form},
        "rank": float(statement.rank),
        "check": best.check,
        "scale": symbol.scale,
        "symbols": float(len(bearers)),
        "rivals": float(len(others)),
        "length": float(len(best.value)),
    }
    score = _score(field, best)
    alternatives: tuple[Alternative, ...] = ()
    notes: tuple[str, ...] = ()
    if others:
        score /= 1 + len(others)
        share = math.log((1 - score) / len(others))
        alternatives = (
            Alternative(value=best.value, logprob=round(math.log(score), 6)),
            *(Alternative(value=other, logprob=round(share, 6)) for other in others),
        )
        said = ", ".join((best.value, *others))
        notes = (f"what the codes on the page say differs: {said}",)
    return Reading(
        field=field.name,
        value=best.value,
        raw=statement.raw,
        score=round(score, 6),
        alternatives=alternatives,
        evidence=Evidence(box=symbol.box, text=f"{symbol.symbology}: {shown}", page=best.page),
        features=features,
        notes=notes,
    )


def _rivals(field: Field, ordered: Sequence[_Named]) -> list[str]:
    """What symbols say instead of the first value.

    A symbol's lesser keys are no rivals of its own best one: beside the 统一社会信用代码 it may well
    name the 注册号 of before.
    """
    best = ordered[0]
    ranks: dict[int, int] = {}
    for each in ordered:
        ranks.setdefault(id(each.symbol), each.statement.rank)
    agreeing = {id(each.symbol) for each in ordered if equal(field, each.value, best.value)}
    found: dict[str, str] = {}
    for each in ordered:
        own = each.symbol is best.symbol
        if each.statement.rank > ranks[id(each.symbol)] or (
            id(each.symbol) in agreeing and not own
        ):
            continue
        if not equal(field, each.value, best.value):
            found.setdefault(fold_value(each.value), each.value)
    return list(found.values())


# (right, all) of what codes on 80 real licences say, against what is printed there.
_BY_FIRST_KEY: Mapping[Kind, tuple[int, int]] = {
    Kind.CODE: (19, 19),
    Kind.ORGANISATION: (19, 19),
    Kind.PERSON: (13, 13),
    Kind.DATE: (9, 9),
    Kind.MONEY: (5, 5),
    Kind.TEXT: (17, 20),
}
_CODE_BY_LESSER_KEY = (6, 7)
"""A 注册号: the one was the number that the licence had before it got the printed 统一社会信用代码."""
_NOTHING_KNOWN = (0, 0)


def _score(field: Field, named: _Named) -> float:
    """Chance that the value is the document's: the mean of what Jeffreys' prior and the counts say."""
    right, cases = _BY_FIRST_KEY.get(field.kind, _NOTHING_KNOWN)
    if field.kind is Kind.CODE and named.statement.rank > 0:
        right, cases = _CODE_BY_LESSER_KEY
    if named.statement.form is Form.PLAIN and named.check < 1.0:
        right, cases = _NOTHING_KNOWN
    return (right + 0.5) / (cases + 1)

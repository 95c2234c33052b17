"""How well a row of the verified sheet fits a document, by what was read on it.

Matching by what is to be scored is never free of bias: a document on which the telling value was
misread does not find its row and is not scored. It comes after file names, therefore, is counted,
and told (`MatchedBy`). Agreement is looked for in any strategy's readings, so that all strategies
are scored on the same documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rapidfuzz.distance import Levenshtein

from ocr_moe.evaluation.truth.matched import Said
from ocr_moe.evaluation.truth.sheet import TruthCell, TruthRow
from ocr_moe.folds import fold_name
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.subjects import kind_rank, may_be_misread

MISREAD_CHARACTERS = 1
"""In which a code may differ from the row's where another cell that only its subject has agrees: codes
of neighbours in a class differ in one character as well."""
SHORTEST_CODE = 8
"""Characters of a code that may be told by one less: shorter ones are alike too often."""
_STRANGERS = 2
"""Cells that say otherwise, with none that agrees, before two of one name are two people."""


@dataclass(frozen=True, slots=True, order=True)
class Likeness:
    """How a row and a document agree beyond the subject's name; the greater the better."""

    code: bool
    """A code was read as the row says."""
    near: bool
    """A code was read that may be a misreading of the row's."""
    balance: int
    """Cells that were read as the row says, less those that were read otherwise."""
    same: int
    differ: int = field(compare=False)
    """Read otherwise than the row says, by more than a misreading."""
    codes_differ: bool = field(compare=False)
    """Both have a code, and none is alike."""

    @property
    def of_strangers(self) -> bool:
        """Whether next to everything speaks against them."""
        return not (self.code or self.near or self.same) and self.differ >= _STRANGERS

    @property
    def telling(self) -> bool:
        """Whether more speaks for them than that the name is the same."""
        return self.code or self.near or (self.balance > 0 and not self.codes_differ)


def likeness(schema: Schema, row: TruthRow, said: Said) -> Likeness:
    """What a row's cells and the readings of a document come to. Closed lists (sex, degree) and the
    subject's name are not looked at: strangers share them."""
    name = name_field(schema)
    code = near = coded = False
    same = differ = 0
    for item in schema.fields:
        if item.kind is Kind.ENUM or item.name == name:
            continue
        cells = [cell for cell in _cells(row, item.name) if cell.value is not None]
        values = said.get(item.name, ())
        if not cells or not values:
            continue
        agrees = any(_says(item, cell, value) for cell in cells for value in values)
        alike = agrees or any(
            may_be_misread(value, cell.value) for cell in cells if cell.value for value in values
        )
        if item.kind is Kind.CODE:
            coded, code, near = True, code or agrees, near or alike
        same += agrees
        differ += not alike
    return Likeness(code, near, same - differ, same, differ, coded and not near)


def _says(item: Field, cell: TruthCell, value: str) -> bool:
    """`TruthCell.says`, without a second look at what has one way of being written only."""
    if item.kind in (Kind.CODE, Kind.DATE) and not cell.months:
        return value == cell.value
    return cell.says(item, value)


def _cells(row: TruthRow, name: str) -> Iterator[TruthCell]:
    for cells in (row.cells, *row.of_kind.values()):
        if name in cells:
            yield cells[name]


def name_field(schema: Schema) -> str:
    """The field that names the subject; empty where the schema has none."""
    return schema.subjects.name_field if schema.subjects is not None else ""


def codes_of(schema: Schema, row: TruthRow) -> Iterator[str]:
    """The codes that a row tells."""
    for item in schema.fields:
        if item.kind is Kind.CODE:
            for cell in _cells(row, item.name):
                if cell.value is not None:
                    yield cell.value


def codes_read(schema: Schema, said: Said) -> Iterator[str]:
    """The codes that were read on a document."""
    for item in schema.fields:
        if item.kind is Kind.CODE:
            yield from said.get(item.name, ())


def names_read(schema: Schema, said: Said) -> frozenset[str]:
    """The subject's names that were read on a document, folded."""
    return frozenset(map(fold_name, said.get(name_field(schema), ())))


def own_fields(schema: Schema) -> Iterator[Field]:
    """Fields other than name and code that tell one subject from another (a birth date)."""
    rule = schema.subjects
    for name in rule.constant if rule is not None else ():
        item = schema.field(name)
        if name != name_field(schema) and item.kind not in (Kind.ENUM, Kind.CODE):
            yield item


def one_character_apart(told: str, read: str) -> bool:
    """Whether a code was read as told but for a character."""
    if min(len(told), len(read)) < SHORTEST_CODE:
        return False
    apart = Levenshtein.distance(told, read, score_cutoff=MISREAD_CHARACTERS)
    return apart <= MISREAD_CHARACTERS


def kind_read(schema: Schema, rule: Subjects, codes: Iterator[str]) -> int | None:
    """The kind of document (its rank) that the form of codes tells; None where it tells none."""
    kinds = {
        kind_rank(rule, label)
        for code in codes
        for item in schema.fields
        for grammar in item.grammars
        if grammar.matches(code)
        for label in grammar.labels
    } - {None}
    return kinds.pop() if len(kinds) == 1 else None


R = TypeVar("R", bound=Hashable)
D = TypeVar("D", bound=Hashable)
Item = TypeVar("Item")


def assigned(fits: Mapping[tuple[R, D], Likeness]) -> dict[R, D]:
    """Rows with their documents, where each is the other's best and no other is as good.

    What is settled leaves the field, and may settle what remains.
    """
    left, found = dict(fits), dict[R, D]()
    while True:
        of_rows: dict[R, list[tuple[Likeness, D]]] = defaultdict(list)
        of_documents: dict[D, list[tuple[Likeness, R]]] = defaultdict(list)
        for (row, document), rank in left.items():
            of_rows[row].append((rank, document))
            of_documents[document].append((rank, row))
        settled = {
            row: best
            for row, some in of_rows.items()
            if (best := _best(some)) is not None and _best(of_documents[best]) == row
        }
        if not settled:
            return found
        found |= settled
        taken = set(settled.values())
        left = {
            pair: r for pair, r in left.items() if pair[0] not in settled and pair[1] not in taken
        }


def _best(ranked: list[tuple[Likeness, Item]]) -> Item | None:
    """The one that is better than all others."""
    best = max(rank for rank, _ in ranked)
    first = [item for rank, item in ranked if rank == best]
    return first[0] if len(first) == 1 else None

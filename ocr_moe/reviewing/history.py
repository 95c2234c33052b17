"""What people did on a desk: who said what and when, where they differ, how much each of them did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from ocr_moe.judgements import verdicts_of
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.store.database import Judged
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Judgement, JudgementKind
from ocr_moe.values.tables import table_rows


@dataclass(frozen=True)
class Deed:
    """A judgement, and whether it still counts."""

    judged: Judged
    hidden: bool
    """Whether the reader is to judge the cell without knowing it."""


@dataclass(frozen=True)
class Share:
    """How much one person did."""

    reviewer: str
    cells: int
    """Judgements on cells that count."""
    changed: int
    """Those among them that say something else than what was shown."""
    undone: int
    last: str
    """When they last said something, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Dispute:
    """A cell on which people who did not know of one another differ."""

    key: CellKey
    words: tuple[Judgement, ...]
    """The first one's, and those that differ from it."""


def history(desk: Desk, reader: str | None, document: DocumentKey | None = None) -> list[Deed]:
    """What people said, of the run or of one document, the latest first; undoing is no deed of its own.
    Raises KeyError for no document."""
    if document is None:
        found = desk.store.judgements()
    else:
        ref = desk.document(document).ref
        found = desk.store.judgements_on(ref.sha256, ref.page, ref.region)
        if ref.region is not None:  # what was said of the page as a whole
            found += desk.store.judgements_on(ref.sha256, ref.page)
            found.sort(key=lambda each: each.id)
    return [
        Deed(each, _is_hidden(desk, each, reader))
        for each in reversed(found)
        if each.judgement.kind is not JudgementKind.UNDO
    ]


def shares(desk: Desk) -> list[Share]:
    """How much each person did, by name."""
    by_name: dict[str, list[Judged]] = defaultdict(list)
    for each in desk.store.judgements():
        by_name[each.judgement.reviewer].append(each)
    return [_share(name, given) for name, given in sorted(by_name.items())]


def _share(name: str, given: list[Judged]) -> Share:
    cells = [each for each in given if each.judgement.kind is JudgementKind.VALUE]
    counted = [each.judgement for each in cells if not each.undone]
    changed = sum(each.shown is not None and each.shown.value != each.value for each in counted)
    undone = sum(each.undone for each in given)
    return Share(name, len(counted), changed, undone, max(each.judgement.at for each in given))


def disputes(desk: Desk) -> Iterator[Dispute]:
    """The cells on which people differ, in the order of the documents."""
    for key in desk.differing():
        ref = desk.document(key.document).ref
        given = desk.store.judgements_of(ref.sha256, ref.page, ref.region)
        verdict = verdicts_of(given).get(key.field)
        if verdict is not None and verdict.disputed:
            of_field = (
                each
                for each in given
                if each.kind is JudgementKind.VALUE and each.field == key.field
            )
            first = next(
                each
                for each in reversed([*of_field])
                if (each.reviewer, each.at) == (verdict.reviewer, verdict.at)
            )
            yield Dispute(key, (first, *verdict.others))


def differing_parts(one: str, other: str) -> list[tuple[str, bool]]:
    """One text in pieces, each with whether it differs there from the other."""
    matcher = SequenceMatcher(None, other, one, autojunk=False)
    return [
        (one[start:end], tag != "equal")
        for tag, _, _, start, end in matcher.get_opcodes()
        if start < end
    ]


def differing_rows(one: str, other: str) -> list[tuple[str, bool]]:
    """The rows of a table that another one has not, each with its number, in pieces that tell its cells;
    what stands in all others is left out."""
    theirs = table_rows(other)
    pieces: list[tuple[str, bool]] = []
    for number, row in enumerate(table_rows(one), 1):
        if row in theirs:
            continue
        at = number - 1
        beside = theirs[at] if at < len(theirs) else {}
        pieces.append((f"{number}. ", False))
        for name, value in row.items():
            pieces += [(value, beside.get(name) != value), (" · ", False)]
        pieces[-1] = ("\n", False)
    return pieces or [("=", False)]


def _is_hidden(desk: Desk, each: Judged, reader: str | None) -> bool:
    said = each.judgement
    if reader is None or said.kind is not JudgementKind.VALUE or said.reviewer == reader:
        return False
    return desk.is_second_look(
        CellKey(DocumentKey(each.path, each.page, each.part), said.field), reader
    )

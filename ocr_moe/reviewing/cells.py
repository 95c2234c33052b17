"""Cells of a sheet as the plan sees them, and what people's judgements on one come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ocr_moe.judgements import verdicts_of
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.subjects import key_of
from ocr_moe.types import Decision, Judgement, JudgementKind, Record, Status

SURE = (Status.ACCEPTED, Status.ABSENT)
"""What the run stands by: the cells that nobody would look at, and that are audited blind."""
_MIN_WORDS = 2
"""Words that must have been given unaware of one another before any of them can be judged by others."""

_UNKNOWN = 0.5
"""Confidence of a value for which there is none: it says nothing."""

Same = Callable[[str | None, str | None], bool]
"""Whether two values say the same."""


def _same(one: str | None, other: str | None) -> bool:
    return one == other


class Check(NamedTuple):
    """What people's work on one cell came to."""

    order: int
    """When: any number that grows from judgement to judgement, such as the store's."""
    blind: bool = False
    """Whether the first word was given without the machine's value in view."""
    open: bool = False
    """Whether two words contradict each other that nobody has settled yet."""
    machine_right: bool | None = None
    """Whether the run's own value is what people made of the cell; None while that is open."""
    words: int = 0
    """Independent words that could be held against another: a blind one, or two of double entry."""
    slips: int = 0
    """Those among them that the settlement overturned."""
    agreed: bool = False
    """Whether two independent words, one of which may be the machine's, carry the final value."""


class Cell(NamedTuple):
    """One field of one document, as the sheet would be handed over."""

    key: CellKey
    schema: str | None
    status: Status
    """The run's own, before any person's word on any document: what was sure by it is the population
    of the audit, whatever is recomputed later."""
    confidence: float | None
    """The machine's calibrated chance that what it would hand over is right, never that of a verified
    value; None where it has nothing to hand over, and a person must type."""
    ceiling: float = 1.0
    own: bool = True
    """Whether the run itself found the document so; False where it came of a person's word on the
    schema or on where documents stand: such cells are not audited. Cells of a document that people
    did away with stay, with a check by which the machine was wrong."""
    changed: bool = False
    """Whether the machine's value is now another than the run's own."""
    check: Check | None = None
    """None: nobody has judged it."""


def cells_of(
    record: Record, fields: Sequence[str] = (), checks: Mapping[str, Check] | None = None
) -> Iterator[Cell]:
    """The cells of a record of the run's own, with what people made of them (field → check).

    A document that could not be read has the cells that `fields` names, all to be typed; a blank page
    has none.
    """
    if record.blank:
        return
    checks = checks or {}
    decisions: Mapping[str, Decision | None] = record.fields or dict.fromkeys(fields)
    document = key_of(record.document)
    for name, decision in decisions.items():
        key = CellKey(document, name)
        yield cell_of(key, record.schema_name, decision, checks.get(name))


def cell_of(
    key: CellKey, schema: str | None, decision: Decision | None, check: Check | None = None
) -> Cell:
    """A cell by the run's own decision on it; None where the document could not be read.

    A blank that the run does not stand by is nothing to hand over, however sure of it the run is.
    """
    if decision is None:
        return Cell(key, schema, Status.FAILED, None, check=check)
    confidence = _UNKNOWN if decision.confidence is None else decision.confidence
    if decision.value is None and decision.status is not Status.ABSENT:
        return Cell(key, schema, decision.status, None, check=check)
    return Cell(key, schema, decision.status, confidence, decision.ceiling, check=check)


def check_of(
    machine: str | None,
    judgements: Sequence[Judgement],
    order: int,
    same: Same = _same,
) -> Check | None:
    """What judgements on one cell come to, given in their order without those that were taken back;
    `machine` is the run's own value.  None where nobody said anything of its value.

    Who erred, only a settlement can tell: where a blind word differs from the machine's, or two
    reviewers from each other, the cell is open until somebody who sees both decides, and whoever is
    overturned has slipped.  A blind word that equals the machine's is settled by that.
    """
    given = [each for each in judgements if each.kind is JudgementKind.VALUE]
    if not given:
        return None
    [verdict] = verdicts_of(given).values()
    final = verdict.value
    groups = _groups(given)
    blind = _is_blind(given[0])
    alone = len(groups[-1]) < _MIN_WORDS and _is_blind(groups[-1][0])
    if verdict.disputed or (alone and not same(final, machine)):
        return Check(order, blind=blind, open=True)
    machine_right = same(final, machine)
    independent = [
        word for group in groups for word in group if len(group) >= _MIN_WORDS or _is_blind(word)
    ]
    carried = {word.reviewer for word in independent if same(word.value, final)}
    unseen = machine_right and any(_is_blind(word) and same(word.value, final) for word in given)
    return Check(
        order,
        blind=blind,
        machine_right=machine_right,
        words=len(independent),
        slips=sum(not same(word.value, final) for word in independent),
        agreed=len(carried) + unseen >= _MIN_WORDS,
    )


def _is_blind(judgement: Judgement) -> bool:
    return judgement.shown is not None and judgement.shown.hidden


def _groups(given: Sequence[Judgement]) -> list[list[Judgement]]:
    """Judgements that were given unaware of one another, together; of one reviewer the last."""
    groups: list[dict[str, Judgement]] = []
    for each in given:
        if not each.independent or not groups:
            groups.append({})
        groups[-1][each.reviewer] = each
    return [list(group.values()) for group in groups]

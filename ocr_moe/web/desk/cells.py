"""The page on which a person checks cells, and what it asks for.

All answers are JSON, in the words of the reader's language; errors are problems
(`ocr_moe.web.desk.problems`).  Every decision is in the store before it is acknowledged.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic import Field as BodyField

from ocr_moe.errors import UsageError
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language, Phrase
from ocr_moe.reviewing.candidates import Candidate
from ocr_moe.reviewing.checking import (
    LONGEST_TABLE,
    Checked,
    Group,
    check,
    groups_of,
    refusal_of,
)
from ocr_moe.reviewing.claims import ClaimedError
from ocr_moe.reviewing.desk import Desk, StaleError
from ocr_moe.reviewing.picklist import PickList, pick_list
from ocr_moe.reviewing.queue import CellKey, Order
from ocr_moe.reviewing.standing import id_of
from ocr_moe.reviewing.views import CellView, Change
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Decision, Evidence, JudgementKind
from ocr_moe.web.desk.frame import desk_of, reviewer_of, shown
from ocr_moe.web.desk.problems import Problem, ProblemRoute
from ocr_moe.web.pages import Pages, language_of

_AHEAD = 6
"""Cells that are given at most at once, for a page that loads the next ones ahead."""
_SKIPPED = 400
"""Cells that a page may name as those it has already."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JudgementBody(_Body):
    """A reviewer's word on a cell."""

    value: str | None = BodyField(max_length=LONGEST_TABLE)
    """None: it is not on the document. Of a table its rows as JSON."""
    revision: int | None = None
    """As the cell had it that the reviewer saw."""


class UndoBody(_Body):
    """Which judgement of the reviewer's is taken back; by default the last."""

    judgement: int | None = None


class ClaimBody(_Body):
    document: str


class NextBody(_Body):
    """Which cells a page wants next."""

    order: Order = Order.DOUBT
    schema_name: str | None = BodyField(default=None, alias="schema")
    field: str | None = None
    document: str | None = None
    skip: tuple[tuple[str, str], ...] = BodyField(default=(), max_length=_SKIPPED)
    """(document, field) of those that it has."""
    limit: int = BodyField(default=1, ge=1, le=_AHEAD)


class TypedBody(_Body):
    value: str = BodyField(max_length=LONGEST_TABLE)
    column: str | None = None
    """Of a table: the column whose cell it is."""


def cells_router() -> APIRouter:
    """The page of cells, and its questions."""
    router = APIRouter(route_class=ProblemRoute)
    lists: dict[tuple[str, str], PickList | None] = {}

    @router.get("/cells")
    def cells_page(request: Request) -> Response:
        pages: Pages = request.app.state.pages
        desk = desk_of(request)
        reviewer_of(request)
        order = request.query_params.get("order", Order.DOUBT)
        return shown(
            request,
            "cell.html",
            "cells",
            phrases=pages.phrases("cell_", language_of(request)),
            shelf=_shelf_of(desk),
            order=order if order in [*Order] else Order.DOUBT,
            orders=[*Order],
            schema=request.query_params.get("schema", ""),
            field=request.query_params.get("field", ""),
            document=request.query_params.get("document", ""),
            cell=request.query_params.get("cell", ""),
            fields=[
                (schema.name, schema.title or schema.name, each.name)
                for schema in desk.run.schemas
                for each in schema.fields
            ],
        )

    @router.post("/api/next")
    def next_cells(request: Request, body: NextBody) -> dict[str, Any]:
        """The next cells in an order, without those that the page has."""
        desk, reviewer = _seat(request)
        document = None if body.document is None else desk.key_of_id(body.document)
        skip = set(_known(desk, body.skip))
        found: list[dict[str, Any]] = []
        while len(found) < body.limit:
            key = desk.next_cell(
                reviewer,
                body.order,
                schema=body.schema_name,
                field=body.field,
                document=document,
                skip=skip,
            )
            if key is None:
                break
            skip.add(key)
            found.append(_cell(request, desk, desk.view(key, reviewer)))
        return {"cells": found}

    @router.get("/api/progress")
    def progress(request: Request, schema: str = "", field: str = "") -> dict[str, Any]:
        """How many cells wait and how many are verified: of the run with its plan, or of a field."""
        desk, _ = _seat(request)
        overview = desk.overview()
        if not field:
            plan = desk.plan()
            return {
                "waiting": overview.waiting,
                "verified": overview.verified,
                "plan": {
                    "to_check": plan.to_check,
                    "target": plan.target,
                    "reached": plan.reached,
                    "stop": plan.stop,
                },
            }
        counts = [
            counts
            for (of, name), counts in overview.fields.items()
            if name == field and schema in ("", of)
        ]
        return {
            "waiting": sum(each["waiting"] for each in counts),
            "verified": sum(each["verified"] for each in counts),
        }

    @router.get("/api/cell/{doc_id}/{field}")
    def cell(request: Request, doc_id: str, field: str) -> dict[str, Any]:
        desk, reviewer = _seat(request)
        return _cell(request, desk, desk.view(CellKey(desk.key_of_id(doc_id), field), reviewer))

    @router.post("/api/cell/{doc_id}/{field}")
    def judge(request: Request, doc_id: str, field: str, body: JudgementBody) -> dict[str, Any]:
        """Write a reviewer's word down, and tell what else it changed.

        Sent again, because its answer was lost, it is acknowledged and not written twice.
        """
        desk, reviewer = _seat(request)
        key = CellKey(desk.key_of_id(doc_id), field)
        record = desk.record(key.document)
        if record is None or field not in record.fields:
            raise KeyError(field)
        declared = desk.schemas[record.schema_name or ""].field(field)
        value = None if body.value is None else _fitting(declared, body.value)
        of = record.document
        on_it = desk.store.judgements_on(of.sha256, of.page, of.region)
        latest = on_it[-1].id if on_it else 0
        seen = latest if body.revision is None else body.revision
        given = [
            each.judgement
            for each in on_it
            if each.id > seen and not each.undone and each.judgement.kind is JudgementKind.VALUE
        ]
        since = [each for each in given if each.field == field]
        if since and (since[-1].reviewer, since[-1].value) == (reviewer, value):
            return {"judgement": None, "changes": [], "revision": latest}
        others = [each.reviewer for each in given if each in since or each.reviewer != reviewer]
        if others:
            who = {"who": others[-1]}
            raise Problem(409, Phrase("cell_problem_stale_by", who), kind="stale")
        try:
            outcome = desk.judge(key, value, reviewer, revision=latest)
        except ClaimedError:
            raise _claimed(desk, key) from None
        except UsageError:
            raise Problem(422, refusal_of(declared, body.value or "")) from None
        except StaleError:
            raise Problem(409, Phrase("cell_problem_stale"), kind="stale") from None
        return {
            "judgement": outcome.judgement,
            "changes": _changes(desk, outcome.changes, key),
            "revision": outcome.judgement,
        }

    @router.post("/api/undo")
    def undo(request: Request, body: UndoBody) -> dict[str, Any]:
        """Take the reviewer's last judgement back; `cell` says which cell it was on."""
        desk, reviewer = _seat(request)
        outcome = desk.undo(reviewer, body.judgement)
        if outcome is None:
            raise Problem(404, Phrase("cell_problem_nothing_to_undo"), kind="nothing")
        changes = _changes(desk, outcome.changes, None)
        return {"cell": changes[0] if changes else None, "changes": changes[1:]}

    @router.post("/api/claim")
    def claim(request: Request, body: ClaimBody) -> dict[str, Any]:
        """Keep a document for the reviewer for some minutes."""
        desk, reviewer = _seat(request)
        key = desk.key_of_id(body.document)
        try:
            desk.claim(key, reviewer)
        except ClaimedError:
            raise _claimed(desk, CellKey(key, "")) from None
        return {"minutes": desk.options.claim_minutes}

    @router.post("/api/release")
    def release(request: Request) -> dict[str, Any]:
        """Let go of what the reviewer keeps."""
        desk, reviewer = _seat(request)
        desk.release(reviewer)
        return {}

    @router.post("/api/check/{doc_id}/{field}")
    def checked(request: Request, doc_id: str, field: str, body: TypedBody) -> dict[str, Any]:
        """What a text comes to that is being typed, and what speaks for and against it."""
        desk, _ = _seat(request)
        record = desk.record(desk.key_of_id(doc_id))
        if record is None or record.schema_name not in desk.schemas:
            raise KeyError(doc_id)
        declared = desk.schemas[record.schema_name].field(field)
        if body.column is not None:
            declared = declared.column(body.column)
        return _told(request, check(declared, body.value))

    @router.get("/api/suggest/{schema}/{field}")
    def suggest(request: Request, schema: str, field: str, q: str = "") -> dict[str, Any]:
        """Names of the field's list for what was typed: characters, pinyin or initials."""
        desk, _ = _seat(request)
        if (schema, field) not in lists:
            lists[schema, field] = pick_list(desk.schemas[schema].field(field))
        found = lists[schema, field]
        return {"names": [] if found is None else found.like(q)}

    return router


def _seat(request: Request) -> tuple[Desk, str]:
    """The desk, and who sits at it. Raises Problem where nobody does."""
    reviewer = request.app.state.reviewers.of(request)
    if reviewer is None:
        raise Problem(401, Phrase("cell_problem_reviewer"), kind="reviewer")
    return request.app.state.desk, reviewer


def _known(desk: Desk, named: Sequence[tuple[str, str]]) -> Iterator[CellKey]:
    for doc_id, field in named:
        try:
            yield CellKey(desk.key_of_id(doc_id), field)
        except KeyError:
            continue


def _fitting(field: Field, typed: str) -> str:
    """The value as it is written down. Raises Problem for what the field cannot hold."""
    found = check(field, typed)
    if found.value is None:
        assert found.refusal is not None
        raise Problem(422, found.refusal, kind="refused")
    return found.value


def _claimed(desk: Desk, key: CellKey) -> Problem:
    who = desk.claimed_by(key.document) or "?"
    return Problem(409, Phrase("cell_problem_claimed_by", {"who": who}), kind="claimed", who=who)


def _shelf_of(desk: Desk) -> str:
    """A name for the run, by which a browser keeps what is not saved yet."""
    return hashlib.sha256(str(desk.run.folder.resolve()).encode()).hexdigest()[:16]


def _cell(request: Request, desk: Desk, view: CellView) -> dict[str, Any]:
    language = language_of(request)
    decision, document = view.decision, view.document
    doc_id = id_of(view.key.document)
    is_code = view.field.kind is Kind.CODE
    value = decision.value
    fits = value is not None and len(decision.characters) == len(value)
    return {
        "document": doc_id,
        "field": view.field.name,
        "schema": view.schema.name,
        "title": document.path,
        "place": {"page": document.page, "pages": document.pages, "part": document.part},
        "region": document.region,
        "kind": view.field.kind.value,
        "required": view.field.required,
        "hidden": view.hidden,
        "value": value,
        "status": decision.status.value,
        "confidence": decision.confidence,
        "characters": [*decision.characters] if fits else [],
        "groups": _groups(groups_of(view.field, value)) if is_code and value else [],
        "candidates": [
            {
                "value": each.value,
                "experts": [_expert(request, name, language) for name in each.experts],
                "chance": chance,
                "groups": _groups(groups_of(view.field, each.value)) if is_code else [],
            }
            for each, chance in shares(view.candidates, decision)
        ],
        "checked": None if value is None else _told(request, check(view.field, value)),
        "table": _table(request, view) if view.field.kind is Kind.TABLE else None,
        "choices": [*view.field.values],
        "list": view.field.lexicon is not None,
        "notes": [note_in(note, language) for note in decision.notes],
        "evidence": _evidence(decision.evidence, is_code and not view.hidden, value),
        "judgements": [
            {
                "reviewer": each.judgement.reviewer,
                "at": each.judgement.at,
                "value": each.judgement.value,
                "undone": each.undone,
            }
            for each in view.judgements
        ],
        "revision": view.revision,
    }


def _table(request: Request, view: CellView) -> dict[str, Any]:
    """A table as a grid: what its columns hold, and its rows as they stand."""
    language = language_of(request)
    return {
        "columns": [
            {
                "name": column.name,
                "kind": column.kind.value,
                "required": column.required,
                "choices": [*column.values],
            }
            for column in view.field.columns
        ],
        "rows": [
            {
                name: {
                    "value": cell.value,
                    "status": cell.status.value,
                    "confidence": cell.confidence,
                    "notes": [note_in(note, language) for note in cell.notes],
                    "evidence": _evidence(cell.evidence, False, None),
                }
                for name, cell in row.items()
            }
            for row in view.decision.rows
        ],
    }


def shares(
    candidates: Sequence[Candidate], decision: Decision
) -> list[tuple[Candidate, float | None]]:
    """Candidates with their chances as parts of one whole.

    Only one value is right, but each candidate's chance is worked out by itself: the value that stands
    keeps its confidence, which is calibrated, and the others share at most the rest in proportion.
    """
    stands = decision.confidence if decision.value is not None else None
    others = sum(each.chance or 0.0 for each in candidates if each.value != decision.value)
    rest = 1.0 - (stands or 0.0)
    scale = min(1.0, rest / others) if others else 1.0
    told: list[tuple[Candidate, float | None]] = []
    for each in candidates:
        if each.value == decision.value and stands is not None:
            told.append((each, stands))
        else:
            told.append((each, None if each.chance is None else each.chance * scale))
    return told


def _expert(request: Request, name: str, language: Language) -> str:
    pages: Pages = request.app.state.pages
    try:
        return pages.plain(Phrase(f"cell_expert_{name}"), language)
    except KeyError:
        return name


def _groups(groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [{"name": each.name, "start": each.start, "end": each.end} for each in groups]


def _evidence(
    evidence: Evidence | None, spans: bool, value: str | None
) -> Mapping[str, Any] | None:
    if evidence is None:
        return None
    span = _span(evidence.text, value) if spans and value else None
    return {"page": evidence.page, "box": evidence.box, "span": span}


def _span(printed: str, code: str) -> tuple[float, float] | None:
    """Between which fractions of its line's width a code is printed, by the usual widths of what stands
    before and after it; None where the line does not hold it in one piece."""
    start = printed.upper().find(code)
    if start < 0:
        return None
    widths = [_width(char) for char in printed]
    total = sum(widths)
    before = sum(widths[:start])
    return before / total, (before + sum(widths[start : start + len(code)])) / total


@cache
def _width(char: str) -> float:
    """Of a printed character, in digits."""
    return 2.0 if unicodedata.east_asian_width(char) in "WF" else 1.0


def _told(request: Request, found: Checked) -> dict[str, Any]:
    pages: Pages = request.app.state.pages
    language = language_of(request)
    return {
        "value": found.value,
        "refusal": None if found.refusal is None else pages.plain(found.refusal, language),
        "doubts": [pages.plain(each, language) for each in found.doubts],
        "grave": found.grave,
        "merits": [pages.plain(each, language) for each in found.merits],
        "groups": _groups(found.groups),
        "cells": [
            {"row": row, "column": column, **_told(request, cell)}
            for (row, column), cell in found.cells.items()
        ],
    }


def _changes(desk: Desk, changes: Sequence[Change], own: CellKey | None) -> list[dict[str, Any]]:
    return [
        {
            "document": id_of(each.key.document),
            "title": each.key.document.path,
            "field": each.key.field,
            "before": {"status": each.before.status.value},
            "after": {"status": each.after.status.value},
            # Not what it is now: it may be a cell that its reviewer is to read without knowing.
            "moved": each.before.value != each.after.value,
        }
        for each in changes
        if each.key != own
    ]

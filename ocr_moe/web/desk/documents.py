"""All documents, and each by itself: its page, its cells, its contradictions and its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.history import history
from ocr_moe.reviewing.standing import id_of
from ocr_moe.reviewing.views import CellSummary, DocumentSummary
from ocr_moe.subjects import DocumentKey, FileNameRule
from ocr_moe.types import Box, Conflict, JudgementKind, Record
from ocr_moe.web.desk.frame import NotFoundError, desk_of, reviewer_of, shown

PER_PAGE = 100
"""Documents on a page of the list."""
_THUMBNAILS = 12
"""Pages of a document that are shown."""

FILTERS: dict[str, Callable[[DocumentSummary], bool]] = {
    "all": lambda each: True,
    "waiting": lambda each: each.waiting > 0,
    "verified": lambda each: 0 < each.cells == each.verified,
    "failed": lambda each: each.error is not None,
    "set_aside": lambda each: each.set_aside is not None,
    "conflicts": lambda each: each.conflicts > 0,
}

router = APIRouter()


@dataclass(frozen=True)
class PlacedCell:
    """A cell of a document, and where on the page it stands."""

    summary: CellSummary
    box: Box | None
    page: int


@dataclass(frozen=True)
class LinkedConflict:
    """A contradiction, with the other documents that take part: (in words, id or None)."""

    conflict: Conflict
    others: tuple[tuple[str, str | None], ...]


def document_of(request: Request, id: str) -> DocumentKey:
    """The document that an address names. Raises NotFoundError."""
    try:
        return desk_of(request).key_of_id(id)
    except KeyError:
        raise NotFoundError from None


@router.get("/documents")
def documents_page(
    request: Request, q: str = "", show: str = "all", schema: str = "", page: int = 1
) -> Response:
    """The documents that a search finds, some at a time."""
    reviewer_of(request)
    desk = desk_of(request)
    wanted = q.strip().casefold()
    fits = FILTERS.get(show, FILTERS["all"])
    found = [
        each
        for each in desk.documents()
        if fits(each)
        and (not schema or each.schema == schema)
        and (not wanted or wanted in each.ref.path.casefold())
    ]
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(page, 1), pages)
    return shown(
        request,
        "documents.html",
        "documents",
        found=[(id_of(each.key), each) for each in found[(page - 1) * PER_PAGE : page * PER_PAGE]],
        total=len(found),
        page=page,
        pages=pages,
        q=q,
        show=show if show in FILTERS else "all",
        filters=list(FILTERS),
        schema=schema,
        schemas={each.name: each.title or each.name for each in desk.run.schemas},
    )


@router.get("/documents/{id}")
def document_page(request: Request, id: str) -> Response:
    """One document."""
    reviewer = reviewer_of(request)
    desk = desk_of(request)
    key = document_of(request, id)
    record = desk.record(key)
    if record is None:
        raise NotFoundError
    summary = desk.document(key)
    schema = desk.schemas.get(summary.schema)
    return shown(
        request,
        "document.html",
        "documents",
        id=id,
        document=summary,
        schema_title=(schema.title or schema.name) if schema is not None else "",
        schemas={each.name: each.title or each.name for each in desk.run.schemas},
        cells=_placed(desk, record, key, reviewer),
        conflicts=[_linked(desk, each) for each in record.conflicts],
        thumbnails=range(2, min(summary.ref.pages, _THUMBNAILS) + 1),
        parts_of_page=_parts(desk, summary),
        subject=_subject(desk, summary),
        groups=schema is None or schema.subjects is not None,
        deeds=history(desk, reviewer, key),
        reread=desk.rereading(summary.ref.sha256),
    )


@router.get("/documents/{id}/state")
def document_state(request: Request, id: str) -> dict[str, bool]:
    """Whether the document is being read again."""
    try:
        ref = desk_of(request).document(document_of(request, id)).ref
    except NotFoundError:  # it was split or merged meanwhile
        return {"busy": False}
    found = desk_of(request).rereading(ref.sha256)
    return {"busy": found is not None and found.phase != "failed"}


def _placed(desk: Desk, record: Record, key: DocumentKey, reviewer: str) -> list[PlacedCell]:
    placed = []
    for summary in desk.cells_of(key, reviewer):
        decision = record.fields.get(summary.key.field)
        evidence = None if decision is None else decision.evidence
        placed.append(
            PlacedCell(
                summary,
                None if evidence is None else evidence.box,
                1 if evidence is None else evidence.page,
            )
        )
    return placed


def _linked(desk: Desk, conflict: Conflict) -> LinkedConflict:
    found = ((named, desk.find(named)) for named in conflict.documents)
    return LinkedConflict(
        conflict, tuple((named, None if key is None else id_of(key)) for named, key in found)
    )


def _parts(desk: Desk, document: DocumentSummary) -> list[tuple[str, DocumentSummary]]:
    """The documents that share the page, in their order; of a page with one document, none."""
    path, page, _ = document.key
    keys = [
        DocumentKey(path, page, part)
        for part in range(1, _MOST_PARTS + 1)
        if desk.has(DocumentKey(path, page, part))
    ]
    shared = len(keys) > 1 or document.ref.region is not None
    return [(id_of(key), desk.document(key)) for key in keys] if shared else []


_MOST_PARTS = 50


def _subject(desk: Desk, document: DocumentSummary) -> str:
    """Whose document it is, as people or the file's name say; empty where neither does."""
    ref = document.ref
    for each in reversed(desk.store.judgements_of(ref.sha256, ref.page, ref.region)):
        if each.kind is JudgementKind.SUBJECT:
            return each.value or ""
    schema: Any = desk.schemas.get(document.schema)
    if schema is None or schema.subjects is None:
        return ""
    named = FileNameRule(schema.subjects).identify(ref)
    return "" if named is None else named.name

"""What people say of whole documents, what they take back, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from ocr_moe.reviewing.history import Deed, differing_parts, differing_rows, disputes, history
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.standing import id_of
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Box, Judgement
from ocr_moe.web.desk.documents import document_of
from ocr_moe.web.desk.frame import (
    RefusedError,
    back,
    desk_of,
    inside,
    reviewer_of,
    rows_in,
    shown,
)

PER_PAGE = 100
"""Judgements on a page of the history."""
_HALVES: dict[str, tuple[Box, ...]] = {
    "whole": (),
    "columns": ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)),
    "rows": ((0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)),
}
"""Ways to divide a page that need no drawing."""

_NONE = "-"
"""What a form says for no kind of document; no schema is called so."""
_Sides = Annotated[tuple[str, ...], Form()]
"""One side of every box, in percent of the page; empty in rows that were not filled in."""

router = APIRouter()


@dataclass(frozen=True)
class ShownDispute:
    """A cell in dispute, as the page shows it."""

    id: str
    key: CellKey
    words: tuple[tuple[Judgement, list[tuple[str, bool]]], ...]
    """Each with its value in pieces, and whether these differ from the first's, or of the first's from
    the second's."""


@router.post("/documents/{id}/schema")
def name_schema(request: Request, id: str, kind: Annotated[str, Form()]) -> Response:
    """Say which kind of document it is; `-`, that it is none of those known."""
    known = desk_of(request).schemas
    if kind != _NONE and kind not in known:
        raise RefusedError("problem_schema")
    reviewer = reviewer_of(request)
    desk_of(request).name_schema(
        document_of(request, id), None if kind == _NONE else kind, reviewer
    )
    return back(request, f"/documents/{id}", done="reread")


@router.post("/documents/{id}/regions")
def divide(
    request: Request,
    id: str,
    how: Annotated[str, Form()] = "boxes",
    x0: _Sides = (),
    y0: _Sides = (),
    x1: _Sides = (),
    y1: _Sides = (),
) -> Response:
    """Say where on the page documents stand: in percent of it, or by a plain way to divide it."""
    reviewer = reviewer_of(request)
    key = document_of(request, id)
    regions = _HALVES[how] if how in _HALVES else _boxes(x0, y0, x1, y1)
    desk_of(request).divide(key, regions, reviewer)
    first = id_of(DocumentKey(key.path, key.page))
    return back(request, f"/documents/{first}", done="reread")


@router.post("/documents/{id}/subject")
def name_subject(request: Request, id: str, name: Annotated[str, Form()] = "") -> Response:
    """Say whose document it is."""
    if not name.strip():
        raise RefusedError("problem_name")
    reviewer = reviewer_of(request)
    desk_of(request).name_subject(document_of(request, id), name, reviewer)
    return back(request, f"/documents/{id}", done="subject")


@router.get("/history")
def history_page(request: Request, who: str = "", page: int = 1) -> Response:
    """Who said what and when."""
    reviewer = reviewer_of(request)
    desk = desk_of(request)
    deeds = history(desk, reviewer)
    names = sorted({each.judged.judgement.reviewer for each in deeds})
    found = [each for each in deeds if who in ("", each.judged.judgement.reviewer)]
    pages = max(1, -(-len(found) // PER_PAGE))
    page = min(max(page, 1), pages)
    return shown(
        request,
        "history.html",
        "history",
        deeds=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        ids={each.judged.id: _id_of(request, each) for each in found},
        total=len(found),
        page=page,
        pages=pages,
        who=who,
        names=names,
    )


@router.post("/history/{judgement}/undo")
def undo(request: Request, judgement: int, then: Annotated[str, Form()] = "/history") -> Response:
    """Take one's own judgement back."""
    if desk_of(request).undo(reviewer_of(request), judgement) is None:
        raise RefusedError("problem_undo")
    return back(request, inside(then, "/history"), done="undone")


@router.get("/disputes")
def disputes_page(request: Request) -> Response:
    """Cells on which people who did not know of one another differ."""
    reviewer = reviewer_of(request)
    desk = desk_of(request)
    found = []
    for each in disputes(desk):
        values = [word.value or "" for word in each.words]
        against = [values[1], *(values[0] for _ in values[1:])]
        is_table = any(rows_in(desk, each.key.field, value) is not None for value in values)
        parts = map(differing_rows if is_table else differing_parts, values, against)
        words = tuple(zip(each.words, parts, strict=True))
        found.append(ShownDispute(id_of(each.key.document), each.key, words))
    return shown(request, "disputes.html", "disputes", found=found, reviewer_name=reviewer)


@router.post("/disputes/{id}/{field}")
def decide(request: Request, id: str, field: str, judgement: Annotated[str, Form()]) -> Response:
    """Let one of the words stand, by what was seen of both."""
    reviewer = reviewer_of(request)
    desk = desk_of(request)
    key = CellKey(document_of(request, id), field)
    word = next(
        (
            word
            for each in disputes(desk)
            if each.key == key
            for word in each.words
            if word.at == judgement
        ),
        None,
    )
    if word is None:
        raise RefusedError("problem_stale")
    desk.judge(key, word.value, reviewer)
    return back(request, "/disputes", done="decided")


def _boxes(*sides: Sequence[str]) -> list[Box]:
    """Boxes by their sides in percent; rows that are empty are left out. Raises RefusedError."""
    if len({len(each) for each in sides}) != 1:
        raise RefusedError("problem_regions")
    boxes: list[Box] = []
    for row in zip(*sides, strict=True):
        if not any(side.strip() for side in row):
            continue
        try:
            left, top, right, bottom = (float(side) / 100 for side in row)
        except ValueError:
            raise RefusedError("problem_regions") from None
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise RefusedError("problem_regions")
        boxes.append((left, top, right, bottom))
    if not boxes:
        raise RefusedError("problem_regions")
    return sorted(boxes, key=lambda box: (box[1] + box[3] > 1, box[0], box[1]))


def _id_of(request: Request, deed: Deed) -> str | None:
    """The document's id, where it is still there."""
    key = DocumentKey(deed.judged.path, deed.judged.page, deed.judged.part)
    return id_of(key) if desk_of(request).has(key) else None

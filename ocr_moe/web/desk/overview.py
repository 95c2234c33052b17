"""The first page, the page for whoever answers for the sheet, and who reviews."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Form, Request, Response

from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.history import shares
from ocr_moe.reviewing.standing import id_of
from ocr_moe.reviewing.views import Overview
from ocr_moe.web.desk.frame import NotFoundError, back, desk_of, inside, reviewer_of, shown

_WORST = 8
"""Documents that are named on the first page."""

_DRAWN_AT_ONCE = 20
"""Blind cells that are put into the queue at a time: a few minutes' work."""

router = APIRouter()


@dataclass(frozen=True)
class FieldRow:
    """A field of a kind of document, in numbers of cells."""

    schema: str
    field: str
    cells: int
    verified: int
    unchecked: int
    """Accepted or absent by the run's own word."""
    waiting: int


def rows_of(fields: Mapping[tuple[str, str], Counter[str]]) -> list[FieldRow]:
    """The fields of an overview that have cells."""
    return [
        FieldRow(
            schema,
            name,
            cells=counts.total() - counts["waiting"],
            verified=counts["verified"],
            unchecked=counts["accepted"] + counts["absent"],
            waiting=counts["waiting"],
        )
        for (schema, name), counts in fields.items()
    ]


@router.get("/")
def overview_page(request: Request) -> Response:
    """What was counted, what waits, and where to begin."""
    reviewer_of(request)
    desk = desk_of(request)
    waiting = [each for each in desk.documents() if each.waiting or each.error is not None]
    worst = sorted(waiting, key=lambda each: (-each.waiting, each.key))[:_WORST]
    return shown(
        request,
        "overview.html",
        "",
        **_counted(desk),
        worst=worst,
        id_of=id_of,
        n_waiting_documents=len(waiting),
        shares=shares(desk),
        double_entry=desk.options.double_entry,
        recomputes=desk.recomputes,
    )


@router.get("/state")
def state(request: Request) -> dict[str, int]:
    """How many files are still to be read again."""
    left = len(desk_of(request).rereading_files)
    return {"busy": left, "files": left}


@router.get("/summary")
def summary_page(request: Request) -> Response:
    """One printed side: what was counted, what not, and how sure it is."""
    reviewer_of(request)
    desk = desk_of(request)
    return shown(
        request,
        "summary.html",
        "summary",
        **_counted(desk),
        shares=shares(desk),
        today=datetime.now(UTC).date().isoformat(),
        strategy=desk.strategy,
    )


def _counted(desk: Desk) -> dict[str, Any]:
    counts: Overview = desk.overview()
    rows = rows_of(counts.fields)
    return {
        "counts": counts,
        "rows": rows,
        "schemas": {
            schema.name: schema.title or schema.name
            for schema in desk.run.schemas
            if any(row.schema == schema.name for row in rows)
        },
        "plan": desk.plan() if counts.cells else None,
    }


@router.post("/plan/blind")
def draw_blind(request: Request) -> Response:
    """Put further sure cells into the queue without their values."""
    reviewer_of(request)
    desk = desk_of(request)
    desk.draw_blind(min(desk.plan().certificate.more or 0, _DRAWN_AT_ONCE))
    return back(request, "/")


@router.get("/reviewer")
def reviewer_page(request: Request, then: str = "/") -> Response:
    """Choose under whose name to review."""
    return shown(request, "reviewer.html", "reviewer", then=inside(unquote(then), "/"))


@router.post("/reviewer")
def choose_reviewer(
    request: Request, name: Annotated[str, Form()], then: Annotated[str, Form()] = "/"
) -> Response:
    """Remember a name."""
    response = back(request, inside(then, "/"))
    try:
        request.app.state.reviewers.choose(response, name)
    except KeyError:
        raise NotFoundError from None
    return response

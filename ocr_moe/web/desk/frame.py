"""What all pages of the desk stand in: their navigation, who reads them, and what goes wrong."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ocr_moe.errors import OcrMoeError, StoreError, UsageError
from ocr_moe.reviewing.claims import ClaimedError
from ocr_moe.reviewing.desk import Desk, StaleError
from ocr_moe.values.tables import table_rows
from ocr_moe.web.pages import Pages

_PAGES = ("", "cells", "documents", "disputes", "history", "learning", "files", "summary")
"""Of the navigation, by their addresses."""


class NobodyError(Exception):
    """A name is to be chosen first."""


class NotFoundError(Exception):
    """There is no such page, document or judgement."""


class RefusedError(Exception):
    """What was sent cannot be done; the phrase says why."""

    def __init__(self, phrase: str, **values: Any) -> None:
        super().__init__(phrase)
        self.phrase = phrase
        self.values = values


def desk_of(request: Request) -> Desk:
    """The desk that a request is about."""
    desk: Desk = request.app.state.desk
    return desk


def reviewer_of(request: Request) -> str:
    """Whose word a request is. Raises NobodyError where a name is still to be chosen."""
    name: str | None = request.app.state.reviewers.of(request)
    if name is None:
        raise NobodyError
    return name


def shown(
    request: Request, template: str, here: str, *, status: int = 200, **context: Any
) -> Response:
    """A page of the desk; `here` is its address in the navigation."""
    desk = desk_of(request)
    pages: Pages = request.app.state.pages
    differ = desk.options.double_entry or here == "disputes" or desk.differing()
    hidden = set() if differ else {"disputes"}
    return pages.page(
        request,
        template,
        status=status,
        here=here,
        places=[each for each in _PAGES if each not in hidden],
        reviewer=request.app.state.reviewers.of(request),
        reviewers=request.app.state.reviewers.names,
        run=desk.run.folder.resolve().name,
        done=request.query_params.get("done", ""),
        rows_in=lambda field, text: rows_in(desk, field, text),
        **context,
    )


def rows_in(desk: Desk, field: str, text: str | None) -> int | None:
    """How many rows a value has; None for one that is no table."""
    if not any(field == table.name for schema in desk.run.schemas for table in schema.tables):
        return None
    return len(table_rows(text)) or None


def back(request: Request, path: str, **query: str) -> RedirectResponse:
    """Go on at another page of the desk, once something was done."""
    asked = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{path}{asked}", 303)


def inside(path: str, otherwise: str) -> str:
    """A path that a form names to go on at, if it is one of the desk's own."""
    own = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if own and path.isprintable() else otherwise


def answer_errors(app: FastAPI) -> None:
    """Make pages of what goes wrong."""

    def nobody(request: Request, _: Exception) -> Response:
        here = request.url.path.removeprefix(request.scope.get("root_path", ""))
        then = here if request.method == "GET" else "/"
        return back(request, "/reviewer", then=quote(then))

    def not_found(request: Request, _: Exception) -> Response:
        return _problem(request, 404, "problem_not_found")

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return _problem(request, 422, error.phrase, **error.values)

    def failed(request: Request, error: Exception) -> Response:
        status, phrase = next(told for kind, told in _TOLD.items() if isinstance(error, kind))
        return _problem(request, status, phrase, why=str(error))

    def by_status(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return not_found(request, error)
        return _problem(request, error.status_code, "problem_request")

    def not_understood(request: Request, _: Exception) -> Response:
        return _problem(request, 422, "problem_request")

    app.add_exception_handler(NobodyError, nobody)
    app.add_exception_handler(NotFoundError, not_found)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(OcrMoeError, failed)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(RequestValidationError, not_understood)


_TOLD: dict[type[Exception], tuple[int, str]] = {
    ClaimedError: (409, "problem_claimed"),
    StaleError: (409, "problem_stale"),
    UsageError: (422, "problem_refused"),
    StoreError: (503, "problem_store"),
    OcrMoeError: (500, "problem_failed"),
}


def _problem(request: Request, status: int, phrase: str, **values: Any) -> Response:
    why = values.get("why", "")
    return shown(request, "problem.html", "", status=status, phrase=phrase, values=values, why=why)

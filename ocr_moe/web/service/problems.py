"""Errors as `application/problem+json` (RFC 9457), in the language of whoever asked.

A problem is a status, a phrase of words.yaml under `problem_<name>` (its title under `title_<name>`),
and what fills that in. Nothing else of an exception is ever sent.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match

from ocr_moe.formats.phrases import Language, Phrase, Words
from ocr_moe.web.pages import language_of

MEDIA_TYPE = "application/problem+json"
WORDS = Words("ocr_moe.web.service", "words.yaml")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OF_STATUS = {404: "not_found", 405: "method", 406: "request", 411: "request", 413: "too_large"}
"""What the framework itself refuses, by its status; all else is `request`."""


class Problem(Exception):
    """What a request is answered with that cannot be met."""

    def __init__(
        self,
        status: int,
        name: str,
        /,
        *,
        files: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> None:
        """`files`: name of a file and what is wrong with it, for each that is to blame."""
        super().__init__(name)
        self.status = status
        self.name = name
        self.files = tuple(files)
        self.headers = dict(headers or {})
        self.values = values

    def body(self, language: Language, request_id: str | None = None) -> dict[str, Any]:
        """As RFC 9457 has it; `files` and `request_id` are members of our own."""
        found: dict[str, Any] = {
            "type": f"urn:ocr-moe:problem:{self.name.replace('_', '-')}",
            "title": WORDS.unfilled(f"title_{self.name}", language),
            "status": self.status,
            "detail": WORDS.filled(Phrase(f"problem_{self.name}", self.values), language, str),
        }
        if self.files:
            found["files"] = [{"file": file, "detail": why} for file, why in self.files]
        if request_id is not None:
            found["request_id"] = request_id
        return found

    def response(self, request: Request) -> JSONResponse:
        language = language_of(request)
        return JSONResponse(
            self.body(language, request.scope.get("state", {}).get("request_id")),
            self.status,
            {"Content-Language": language, "Vary": "Accept-Language", **self.headers},
            MEDIA_TYPE,
        )


def problem_of(error: BaseException) -> Problem:
    """What an error comes to for whoever asked."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, HTTPException):
        name = _OF_STATUS.get(error.status_code, "request")
        return Problem(error.status_code, name, headers=error.headers)
    if isinstance(error, RequestValidationError):
        places = [".".join(map(str, each["loc"])) for each in error.errors()]
        return Problem(422, "parameter", names=places)
    if is_disk_full(error):
        return Problem(507, "disk_full")
    return Problem(500, "unexpected")


def is_disk_full(error: BaseException | None) -> bool:
    """Whether there is no room behind an error, or behind what it was raised from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return True
        code = getattr(error, "sqlite_errorcode", 0) if isinstance(error, sqlite3.Error) else 0
        if code & 0xFF == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__
    return False


def tell_problems(app: FastAPI) -> None:
    """Have all errors of an application answered so."""

    async def told(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        if problem.status == 405:  # the framework names those of the first route that fits
            problem.headers["Allow"] = ", ".join(sorted(_methods_of(app, request)))
        return problem.response(request)

    for kind in (Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, told)


def _methods_of(app: FastAPI, request: Request) -> set[str]:
    """The methods that the address of a request takes."""
    return {
        method
        for method in METHODS
        for route in app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }

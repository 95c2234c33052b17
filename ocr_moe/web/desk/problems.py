"""What goes wrong with a request, in the reader's words: application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from ocr_moe.errors import DocumentError, StoreError
from ocr_moe.formats.phrases import Phrase
from ocr_moe.reviewing.claims import ClaimedError
from ocr_moe.reviewing.desk import StaleError
from ocr_moe.web.pages import Pages, language_of

LARGEST = 1 << 20
"""Bytes of a request's body: a cell's text many times over."""


class Problem(Exception):
    """An answer that is none of the asked for."""

    def __init__(self, status: int, phrase: Phrase, **more: Any) -> None:
        super().__init__(phrase.key)
        self.status = status
        self.phrase = phrase
        self.more = more


class ProblemRoute(APIRoute):
    """A route whose errors are problems, never pages or bare text."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                if int(request.headers.get("content-length") or 0) > LARGEST:
                    raise Problem(413, Phrase("cell_problem_large"))
                return await handler(request)
            except Problem as problem:
                return _answered(request, problem)
            except RequestValidationError:
                return _answered(request, Problem(400, Phrase("cell_problem_request")))
            except KeyError:
                return _answered(request, Problem(404, Phrase("cell_problem_unknown")))
            except StaleError:
                return _answered(request, Problem(409, Phrase("cell_problem_stale"), kind="stale"))
            except ClaimedError:
                claimed = Problem(409, Phrase("cell_problem_claimed"), kind="claimed")
                return _answered(request, claimed)
            except DocumentError:
                return _answered(request, Problem(404, Phrase("cell_problem_picture")))
            except StoreError:
                return _answered(request, Problem(503, Phrase("cell_problem_store")))

        return answer


def _answered(request: Request, problem: Problem) -> JSONResponse:
    pages: Pages = request.app.state.pages
    # Plain text: whoever shows it sees to it that it is no markup.
    said = pages.plain(problem.phrase, language_of(request))
    return JSONResponse(
        {"title": said, "status": problem.status, "detail": said, **problem.more},
        problem.status,
        headers={"Cache-Control": "no-store"},
        media_type="application/problem+json",
    )

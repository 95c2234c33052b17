"""The page of a draft as an application: a schema's text, what it reads on the samples, and their pages.

What a client sends is the text alone: the file that it is saved in was named when the page was
started."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from ocr_moe.drafting.checking import MistakenError
from ocr_moe.drafting.scores import Share
from ocr_moe.drafting.session import Drafting, Reading
from ocr_moe.errors import DocumentError, OcrMoeError
from ocr_moe.imaging.jpeg import jpeg
from ocr_moe.run.answers import words_of
from ocr_moe.schema import Field, Kind
from ocr_moe.subjects import key_of
from ocr_moe.types import Decision, Record
from ocr_moe.web.pages import Pages, language_of
from ocr_moe.web.responses import Problem

_LOG = logging.getLogger(__name__)
LARGEST = 1 << 20
"""Bytes of a schema's text; ours have a hundredth of it."""
_WIDEST = 1600
_QUALITY = 84
_SCRIPT = "js_"
_VALUE = 400
"""Characters of a value that are shown."""

router = APIRouter()


def drafting_app(drafting: Drafting) -> FastAPI:
    """The page over a draft. It trusts whoever asks: `ocr_moe.web.guard` stands before it."""
    app = FastAPI(title="ocr_moe draft", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.drafting = drafting
    app.state.pages = Pages("drafting")
    app.state.pages.mount(app)
    app.include_router(router)
    return app


def _drafting(request: Request) -> Drafting:
    found: Drafting = request.app.state.drafting
    return found


@router.get("/")
def page(request: Request) -> Response:
    """The text beside the samples."""
    drafting = _drafting(request)
    pages: Pages = request.app.state.pages
    return pages.page(
        request,
        "draft.html",
        text=drafting.text,
        file=drafting.file.name,
        samples=[each.name for each in drafting.samples.documents],
        unread=drafting.samples.unread,
        nowhere=drafting.nowhere,
        sheet=None if drafting.verified is None else drafting.verified.sheet.name,
        strategy=drafting.strategy,
        words=dict(pages.phrases(_SCRIPT, language_of(request))),
    )


@router.post("/read")
async def read_samples(request: Request) -> Response:
    """What the schema that is sent reads on the samples, or what is wrong with its text."""
    drafting = _drafting(request)
    text = await _text(request)
    if isinstance(text, Response):
        return text
    try:
        reading = await run_in_threadpool(drafting.read, text)
    except MistakenError as error:
        return JSONResponse({"mistakes": _mistakes(request, error)})
    except OcrMoeError as error:
        return _problem(request, 422, "problem_reading", why=str(error))
    except Exception as error:  # of a plug-in: the page goes on without it
        _LOG.exception("the samples could not be read")
        return _problem(request, 500, "problem_reading", why=words_of(error))
    return JSONResponse(_told(drafting, reading))


@router.post("/save")
async def save(request: Request) -> Response:
    """Write the text into the draft's file, if it is a schema."""
    drafting = _drafting(request)
    text = await _text(request)
    if isinstance(text, Response):
        return text
    try:
        file = await run_in_threadpool(drafting.save, text)
    except MistakenError as error:
        return JSONResponse({"mistakes": _mistakes(request, error)}, 422)
    except OcrMoeError as error:
        return _problem(request, 500, "problem_saving", why=str(error))
    return JSONResponse({"saved": file.name})


@router.get("/image/{sample}/{number}")
def image(request: Request, sample: int, number: int) -> Response:
    """A page of a sample, by its place in the list."""
    drafting = _drafting(request)
    documents = drafting.samples.documents
    if not 0 <= sample < len(documents) or not 1 <= number <= len(documents[sample].pages):
        return _problem(request, 404, "problem_picture")
    tag = f'"{documents[sample].sha256[:24]}-{number}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        picture = drafting.samples.image(sample, number)
    except DocumentError:
        return _problem(request, 404, "problem_picture")
    body = jpeg(picture, (_WIDEST, picture.height), _QUALITY)
    return Response(body, media_type="image/jpeg", headers=headers)


async def _text(request: Request) -> str | Response:
    """The text that was sent; a problem where it is none, or too long."""
    if int(request.headers.get("content-length") or 0) > LARGEST:
        return _problem(request, 413, "problem_large")
    body = await request.body()
    if len(body) > LARGEST:
        return _problem(request, 413, "problem_large")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return _problem(request, 400, "problem_text")


def _problem(request: Request, status: int, key: str, **values: str) -> Problem:
    pages: Pages = request.app.state.pages
    language = language_of(request)
    return Problem(status, key, pages.text(key, language, **values), language)


def _mistakes(request: Request, error: MistakenError) -> list[dict[str, Any]]:
    language = language_of(request)
    return [
        {"line": each.line, "key": each.key, "message": each.told(language)}
        for each in error.mistakes
    ]


def _told(drafting: Drafting, reading: Reading) -> dict[str, Any]:
    """A reading for the page's script: plain text and numbers, which it shows as text."""
    by_name: dict[str, Record] = {}
    for record in reading.records:
        by_name.setdefault(record.document.path, record)
    found = reading.scored
    samples = []
    for each in drafting.samples.documents:
        read = by_name.get(each.name)
        failure = None if read is None or read.error is None else read.error.message
        samples.append(
            {
                "name": each.name,
                "pages": [{"width": page.width, "height": page.height} for page in each.pages],
                "error": failure,
                "cells": []
                if read is None
                else [_cell(field, read, reading) for field in reading.schema.fields],
            }
        )
    return {
        "fields": [{"name": each.name, "kind": each.kind.value} for each in reading.schema.fields],
        "samples": samples,
        "accuracy": None if found is None else _shares(found.fields),
        "whole": None if found is None else _share(found.whole),
        "crossed": _shares(drafting.crossed),
    }


def _shares(shares: Mapping[str, Share]) -> dict[str, dict[str, int]]:
    return {name: _share(share) for name, share in shares.items()}


def _share(share: Share) -> dict[str, int]:
    return {"right": share.right, "cells": share.cells}


def _cell(field: Field, record: Record, reading: Reading) -> dict[str, Any]:
    decision = record.fields.get(field.name)
    judged = (
        None
        if reading.scored is None
        else reading.scored.cells.get((key_of(record.document), field.name))
    )
    return {
        "field": field.name,
        "value": None if decision is None else _value(field, decision),
        "rows": len(decision.rows) if decision is not None and field.kind is Kind.TABLE else None,
        "status": "absent" if decision is None else decision.status.value,
        "confidence": None if decision is None else decision.confidence,
        "boxes": [] if decision is None else list(_boxes(decision)),
        "truth": None if judged is None else judged[0].value or judged[0].raw or "",
        "right": None if judged is None else judged[1],
    }


def _value(field: Field, decision: Decision) -> str | None:
    if field.kind is Kind.TABLE or decision.value is None:
        return None
    return decision.value if len(decision.value) <= _VALUE else f"{decision.value[:_VALUE]}…"


def _boxes(decision: Decision) -> Iterator[dict[str, Any]]:
    """Where it stands; of a table first the whole, then its cells."""
    found = [decision.evidence]
    found += [cell.evidence for row in decision.rows for cell in row.values()]
    for evidence in found:
        if evidence is not None:
            yield {"page": evidence.page, "box": list(evidence.box)}

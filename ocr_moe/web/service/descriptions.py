"""The OpenAPI document: shapes, words and examples of every request and response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import ConfigDict
from pydantic import Field as Key

from ocr_moe.exports.forms import RecordLine
from ocr_moe.formats.phrases import Phrase
from ocr_moe.schema import Kind
from ocr_moe.types import Value
from ocr_moe.web.service.jobstore import JobStatus
from ocr_moe.web.service.problems import MEDIA_TYPE, Problem

SUMMARY = "Scanned certificates in, checked records out"
DESCRIPTION = """\
Reads the fields of scanned certificates, says how sure it is of each, and which ones a person should
look at. Send a few files to `/v1/extract` and wait for the answer; send many to `/v1/jobs` and come
back. Errors are `application/problem+json` (RFC 9457), in the language of `Accept-Language` (English,
Chinese). Where the service needs a token, send it as `Authorization: Bearer …`.
"""
TAGS = [
    {"name": "reading", "description": "Files in, records out, at once."},
    {"name": "jobs", "description": "Files that are read in the background."},
    {"name": "choices", "description": "What can be read, and how."},
    {"name": "operation", "description": "For whoever runs the service."},
]


class Told(Value):
    """Base of the shapes: what stands below a key becomes its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class FileProblem(Told):
    """What is wrong with one file."""

    file: str
    detail: str


class ProblemDetails(Told):
    """An error (RFC 9457)."""

    type: str
    """A URN that stays the same, such as urn:ocr-moe:problem:busy."""
    title: str
    status: int = Key(ge=400, le=599)
    detail: str
    """What happened and what to do."""
    files: list[FileProblem] | None = None
    """The files that are to blame."""
    request_id: str | None = None
    """As in the header X-Request-Id and in the service's log."""


class Extracted(Told):
    """Records in the order of the files, several for a file that holds several documents."""

    records: list[RecordLine]


class FilesOfJob(Told):
    """How far a job is."""

    total: int
    """Files; an archive counts as what is in it."""
    done: int
    failed: int
    """Files that could not be read in full; their records say why."""


class ToCheckOfJob(Told):
    """What a person should look at."""

    cells: int
    documents: int
    failed_cells: int
    failed_documents: int
    contradicting: int


class ResultOfJob(Told):
    """What a job came to."""

    documents: int
    blank_pages: int
    cells: dict[str, int]
    """Status → how many fields have it."""
    to_check: ToCheckOfJob
    stopped: str | None = None
    """Why reading ended early, if it did."""


class ErrorOfJob(Told):
    """Why a job as a whole failed."""

    type: str
    message: str


class LinksOfJob(Told):
    """Addresses on this server. Those of results are there once there are any."""

    self: str
    jsonl: str | None = None
    xlsx: str | None = None
    review: str | None = None


class JobForm(Told):
    """A job as it stands."""

    id: str
    status: JobStatus
    created: str
    """Times are ISO 8601 in UTC."""
    started: str | None
    finished: str | None
    schema_name: str = Key(alias="schema")
    strategy: str
    files: FilesOfJob
    result: ResultOfJob | None
    error: ErrorOfJob | None
    links: LinksOfJob


class JobsForm(Told):
    """Jobs, newest first."""

    jobs: list[JobForm]


class FieldForm(Told):
    """A field of a kind of document."""

    name: str
    kind: Kind
    required: bool


class SchemaForm(Told):
    """A kind of document."""

    name: str
    title: str
    description: str
    fields: list[FieldForm]


class SchemasForm(Told):
    """The kinds of documents."""

    schemas: list[SchemaForm]


class StrategyForm(Told):
    """A way to read documents."""

    name: str
    title: str
    description: str
    default: bool
    available: bool
    """Whether it can be used here."""
    why: str | None
    """Why not."""


class StrategiesForm(Told):
    """The ways to read documents."""

    strategies: list[StrategyForm]


class HealthForm(Told):
    """The process answers."""

    status: Literal["ok"]


class ReadyForm(Told):
    """Requests can be taken."""

    status: Literal["ready"]
    checks: dict[str, bool]


_ID = "5f0c6d1e9b3a48d7a2c41b60"
_RECORD = {
    "format": 1,
    "document": {
        "path": "张三.jpg",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "page": 1,
        "pages": 1,
        "part": 1,
        "rotation": 0,
    },
    "schema": "graduation_certificate",
    "strategy": "moe",
    "fields": {
        "姓名": {
            "value": "张三",
            "confidence": 0.996,
            "status": "accepted",
            "experts": ["typed"],
            "evidence": {"box": [0.21, 0.34, 0.3, 0.37], "text": "张三"},
            "characters": [0.999, 0.997],
            "notes": [],
        },
    },
    "cost": {
        "calls": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "seconds": 0.61,
        "ocr_seconds": 0.5,
        "money": 0.0,
    },
    "error": None,
}
_JOB = {
    "id": _ID,
    "status": "done",
    "created": "2026-11-02T08:00:00+00:00",
    "started": "2026-11-02T08:00:00+00:00",
    "finished": "2026-11-02T08:00:41+00:00",
    "schema": "auto",
    "strategy": "moe",
    "files": {"total": 60, "done": 60, "failed": 0},
    "result": {
        "documents": 60,
        "blank_pages": 0,
        "cells": {"accepted": 471, "abstained": 9},
        "to_check": {
            "cells": 9,
            "documents": 7,
            "failed_cells": 0,
            "failed_documents": 0,
            "contradicting": 0,
        },
        "stopped": None,
    },
    "error": None,
    "links": {
        "self": f"/v1/jobs/{_ID}",
        "jsonl": f"/v1/jobs/{_ID}/records.jsonl",
        "xlsx": f"/v1/jobs/{_ID}/records.xlsx",
    },
}
_QUEUED = _JOB | {
    "status": "queued",
    "started": None,
    "finished": None,
    "files": {"total": 60, "done": 0, "failed": 0},
    "result": None,
    "links": {"self": f"/v1/jobs/{_ID}"},
}
_SCHEMA = {
    "name": "graduation_certificate",
    "title": "毕业证书与学位证书",
    "description": "A Chinese graduation or degree certificate.",
    "fields": [{"name": "证书编号", "kind": "code", "required": True}],
}
_STRATEGY = {
    "name": "moe",
    "title": "moe",
    "description": "Each field to the expert that reads it best",
    "default": True,
    "available": True,
    "why": None,
}

_PROBLEMS = {
    400: Problem(400, "multipart"),
    404: Problem(404, "no_job"),
    408: Problem(408, "stalled", seconds=60),
    409: Problem(409, "no_records", status=Phrase("js_status_running")),
    413: Problem(413, "too_large_upload", n=512),
    415: Problem(415, "no_document", files=[("notes.txt", "not an image or PDF; save it as PDF")]),
    422: Problem(422, "schema_unknown", name="diploma", known=["graduation_certificate", "auto"]),
    429: Problem(429, "busy", seconds=12),
    500: Problem(500, "unexpected"),
    503: Problem(503, "not_ready", names=["models"]),
    504: Problem(504, "too_long", seconds=300),
    507: Problem(507, "disk_full"),
}
_MEANINGS = {
    400: "The request is damaged",
    404: "There is no such job",
    408: "The upload stalled",
    409: "Not at this stage of the job",
    413: "More than the service takes at once",
    415: "No form of files, or no document among the files",
    422: "A field of the form or a parameter is wrong",
    429: "Busy; `Retry-After` says when to come again",
    500: "An error of the service",
    503: "Not ready, or ending",
    504: "Not done in time; send the files to /v1/jobs",
    507: "The service's disk is full",
}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": _MEANINGS[status],
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                "example": _PROBLEMS[status].body("en", "4be1d1c09a6f20b3"),
            }
        },
    }
    if status in (429, 503):
        seconds = {"description": "Seconds", "schema": {"type": "integer"}}
        told["headers"] = {"Retry-After": seconds}
    return told


def _answer(description: str, model: type[Value], example: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "model": model,
        "content": {"application/json": {"example": example}},
    }


def _file(description: str, media_type: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": schema}}}


def _form(more: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        "files": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
            "description": "Images (JPEG, PNG, TIFF, WebP, HEIC, …), PDFs, ZIP archives or Office "
            "documents with scans; told apart by their content.",
        },
        "schema": {
            "type": "string",
            "default": "auto",
            "description": "Kind of document, see /v1/schemas, or `auto`.",
        },
        "strategy": {
            "type": "string",
            "description": "How to read, see /v1/strategies; by default the configured one.",
        },
        "urls": {
            "type": "array",
            "items": {"type": "string", "format": "uri"},
            "description": "https addresses of further documents, where the service fetches any.",
        },
        **more,
    }
    body = {
        "schema": {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        },
        "encoding": {"files": {"contentType": "application/octet-stream"}},
        "example": {"files": ["(bytes of 张三.jpg)"], "schema": "auto", "strategy": "moe"},
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": body}}}


_WEBHOOK = {
    "webhook": {
        "type": "string",
        "format": "uri",
        "description": "https address that is called when the job is over, where that is allowed.",
    }
}
_UPLOAD = (400, 408, 413, 415, 422, 429, 500, 507)

EXTRACT: dict[str, Any] = {
    "tags": ["reading"],
    "operation_id": "extract",
    "summary": "Read a few files and wait for their records",
    "responses": {
        200: _answer("The records", Extracted, {"records": [_RECORD]}),
        **_problems(*_UPLOAD, 503, 504),
    },
    "openapi_extra": _form({}),
}
SUBMIT: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "submit_job",
    "summary": "Have files read in the background",
    "responses": {202: _answer("Taken", JobForm, _QUEUED), **_problems(*_UPLOAD)},
    "openapi_extra": _form(_WEBHOOK),
}
JOBS: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "list_jobs",
    "summary": "Jobs, newest first",
    "responses": {
        200: _answer("The jobs", JobsForm, {"jobs": [_JOB]}),
        **_problems(404, 422, 500),
    },
}
JOB: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "get_job",
    "summary": "How far a job is, and what it came to",
    "responses": {200: _answer("The job", JobForm, _JOB), **_problems(404, 422, 500)},
}
CANCEL: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "cancel_job",
    "summary": "Cancel a job, or delete one that is over",
    "description": "Cancels a job that waits or runs: what is under way is finished, and what was "
    "read is kept. A job that is over stays as it is, so that asking twice loses nothing; with "
    "`purge=true` it is deleted with its files, its results and what people said of them.",
    "responses": {
        200: _answer("The job, cancelled or over before", JobForm, _JOB | {"status": "cancelled"}),
        204: {"description": "Deleted"},
        **_problems(404, 409, 422, 500),
    },
}
RECORDS_JSONL: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "get_records_jsonl",
    "summary": "A job's records, one line of JSON each",
    "responses": {
        200: _file("records.jsonl", "application/jsonl", {"type": "string"}),
        **_problems(404, 409, 422, 500),
    },
}
RECORDS_XLSX: dict[str, Any] = {
    "tags": ["jobs"],
    "operation_id": "get_records_xlsx",
    "summary": "A job's records as an Excel workbook",
    "responses": {
        200: _file(
            "records.xlsx",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            {"type": "string", "format": "binary"},
        ),
        **_problems(404, 409, 422, 500),
    },
}
SCHEMAS: dict[str, Any] = {
    "tags": ["choices"],
    "operation_id": "list_schemas",
    "summary": "Kinds of documents",
    "responses": {
        200: _answer("The kinds", SchemasForm, {"schemas": [_SCHEMA]}),
        **_problems(500),
    },
}
STRATEGIES: dict[str, Any] = {
    "tags": ["choices"],
    "operation_id": "list_strategies",
    "summary": "Ways to read",
    "responses": {
        200: _answer("The ways", StrategiesForm, {"strategies": [_STRATEGY]}),
        **_problems(500),
    },
}
HEALTH: dict[str, Any] = {
    "tags": ["operation"],
    "operation_id": "health",
    "summary": "Whether the process answers",
    "responses": {200: _answer("It does", HealthForm, {"status": "ok"})},
}
READY: dict[str, Any] = {
    "tags": ["operation"],
    "operation_id": "ready",
    "summary": "Whether requests can be taken: models loaded, data folder writable, room in the queue",
    "responses": {
        200: _answer(
            "They can",
            ReadyForm,
            {"status": "ready", "checks": {"models": True, "data": True, "queue": True}},
        ),
        **_problems(503),
    },
}
METRICS: dict[str, Any] = {
    "tags": ["operation"],
    "operation_id": "metrics",
    "summary": "Counts for Prometheus",
    "responses": {
        200: {
            "description": "Prometheus's text format",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'ocr_moe_jobs{status="done"} 3.0\n',
                }
            },
        },
        **_problems(500),
    },
}


def complete(app: FastAPI) -> None:
    """Have /openapi.json know the shape of problems, and nothing of FastAPI's own."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                tags=app.openapi_tags,
                routes=app.routes,
            )
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas["ProblemDetails"] = ProblemDetails.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            schemas |= schemas["ProblemDetails"].pop("$defs", {})
            for framework in ("HTTPValidationError", "ValidationError"):
                schemas.pop(framework, None)
            for path in found["paths"].values():
                for operation in path.values():
                    for status, response in operation["responses"].items():
                        content = response.get("content", {})
                        if status != "200" and MEDIA_TYPE in content:
                            content.pop("application/json", None)
                        if {"application/jsonl", "text/plain", _SHEET} & content.keys():
                            content.pop("application/json", None)
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

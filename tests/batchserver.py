"""A real HTTP server that answers at once and in batches, as OpenAI's API has it; it counts what is
paid."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ocr_moe.testing.chatserver import Request as Asked
from ocr_moe.testing.chatserver import completion
from tests.httpservers import serving

ENDED = ("completed", "failed", "expired", "cancelled")
Fate = Callable[[int, int], "str | int"]
"""(number of the batch, number of its line) → `answered`, `missing`, `expired`, or a status that refuses
it."""


@dataclass
class Batch:
    id: str
    metadata: Mapping[str, str]
    lines: list[Mapping[str, Any]]
    status: str = "validating"
    looks: int = 0
    output: str | None = None
    errors: str | None = None


@dataclass
class BatchServer:
    """What it was asked and will say; entered by `served`."""

    answer: Callable[[Asked], Mapping[str, Any]] = lambda asked: dict.fromkeys(asked.asked)
    fate: Fate = lambda batch, line: "answered"
    end: Callable[[int], str] = lambda batch: "completed"
    looks: int = 2
    """How often a batch is looked at before it has ended."""
    without: frozenset[str] = frozenset()
    """Paths that are not there."""
    status_without: int = 404
    is_held: threading.Event = field(default_factory=threading.Event)
    """Set: no batch ends."""
    after_submission: Callable[[], None] = lambda: None
    """Called once a batch is taken, before that is said."""
    live: list[str] = field(default_factory=list)
    """Prompts that were answered at once."""
    paid: Counter[str] = field(default_factory=Counter)
    """Request → how often it was answered, at once or in a batch."""
    batches: list[Batch] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    """Method and path of every request."""
    port: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def repeated(self) -> list[str]:
        return [asked for asked, times in self.paid.items() if times > 1]

    @contextmanager
    def served(self) -> Iterator[BatchServer]:
        app = Starlette(
            routes=[
                Route(f"/v1{path}", self._noting(path, handle), methods=[method])
                for path, method, handle in (
                    ("/chat/completions", "POST", self._chat),
                    ("/models", "GET", self._models),
                    ("/files", "POST", self._upload),
                    ("/files/{id}/content", "GET", self._download),
                    ("/batches", "POST", self._submit),
                    ("/batches", "GET", self._list),
                    ("/batches/{id}", "GET", self._look),
                )
            ]
        )
        with serving(app) as self.port:
            yield self

    def _noting(self, path: str, handle: Callable[[Any, Any], Response]) -> Any:
        async def route(request: Request) -> Response:
            body: Any = None
            if request.method == "POST" and path == "/files":
                async with request.form() as form:
                    upload: Any = form["file"]
                    assert form["purpose"] == "batch"
                    body = await upload.read()
            elif request.method == "POST":
                body = await request.json()
            with self.lock:
                self.seen.append(f"{request.method} {path}")
                if path in self.without:
                    return JSONResponse({"error": {"message": "no such URL"}}, self.status_without)
                return handle(request, body)

        return route

    def _answered(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.paid[json.dumps(body, sort_keys=True)] += 1
        said = json.dumps(self.answer(Asked(body, {})), ensure_ascii=False)
        reply: Mapping[str, Any] = json.loads(completion(said).body)
        return reply

    def _chat(self, request: Request, body: Any) -> Response:
        self.live.append(Asked(body, {}).prompt)
        return JSONResponse(self._answered(body))

    def _models(self, request: Request, body: Any) -> Response:
        return JSONResponse({"object": "list", "data": [{"id": "test-model"}]})

    def _upload(self, request: Request, body: bytes) -> Response:
        return JSONResponse({"id": self._filed(body), "object": "file", "purpose": "batch"})

    def _filed(self, data: bytes) -> str:
        name = f"file-{len(self.files) + 1}"
        self.files[name] = data
        return name

    def _download(self, request: Request, body: Any) -> Response:
        return Response(self.files[request.path_params["id"]])

    def _submit(self, request: Request, body: Any) -> Response:
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        assert body["endpoint"] == "/v1/chat/completions"
        assert body["completion_window"] == "24h"
        assert {(line["method"], line["url"]) for line in lines} == {
            ("POST", "/v1/chat/completions")
        }
        batch = Batch(f"batch_{len(self.batches) + 1}", body["metadata"], lines)
        self.batches.append(batch)
        self.after_submission()
        return JSONResponse(self._told(batch))

    def _list(self, request: Request, body: Any) -> Response:
        newest = list(reversed(self.batches))
        after = request.query_params.get("after")
        if after is not None:
            newest = newest[[batch.id for batch in newest].index(after) + 1 :]
        page = newest[:2]  # so that there are several
        return JSONResponse(
            {
                "object": "list",
                "data": [self._told(batch) for batch in page],
                "has_more": len(page) < len(newest),
            }
        )

    def _look(self, request: Request, body: Any) -> Response:
        [batch] = [each for each in self.batches if each.id == request.path_params["id"]]
        batch.looks += 1
        if batch.status not in ENDED:
            batch.status = ("in_progress", "finalizing")[batch.looks % 2]
            if batch.looks > self.looks and not self.is_held.is_set():
                self._end(batch)
        return JSONResponse(self._told(batch))

    def _end(self, batch: Batch) -> None:
        number = self.batches.index(batch)
        batch.status = self.end(number)
        if batch.status == "failed":
            return
        output, errors = [], []
        for position, line in enumerate(batch.lines):
            fate, said = self.fate(number, position), {"custom_id": line["custom_id"]}
            if fate == "answered":
                response = {"status_code": 200, "body": self._answered(line["body"])}
                output.append({**said, "response": response, "error": None})
            elif fate == "expired":
                why = {"code": "batch_expired", "message": "This request could not be executed."}
                errors.append({**said, "response": None, "error": why})
            elif isinstance(fate, int):
                body = {"error": {"message": "not this one", "type": "error"}}
                errors.append({**said, "response": {"status_code": fate, "body": body}})
        if output:
            # In another order than they were asked in, as the API has it.
            batch.output = self._filed(b"\n".join(map(_json, reversed(output))))
        if errors:
            batch.errors = self._filed(b"\n".join(map(_json, errors)) + b"\n")

    def _told(self, batch: Batch) -> Mapping[str, Any]:
        problems = [{"code": "invalid", "message": "the file is not to my liking"}]
        return {
            "id": batch.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "status": batch.status,
            "created_at": 4_000_000_000,
            "metadata": batch.metadata,
            "output_file_id": batch.output,
            "error_file_id": batch.errors,
            "errors": {"data": problems} if batch.status == "failed" else None,
        }


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()

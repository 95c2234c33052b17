"""The pages for people: files dropped and jobs followed, what the API has, and the review desk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from ocr_moe.formats.phrases import Phrase
from ocr_moe.intake.limits import MIB
from ocr_moe.web.pages import Pages, language_of
from ocr_moe.web.service import routes
from ocr_moe.web.service.jobs import Jobs
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.problems import Problem

_PAGES = Pages("service")


def add(app: FastAPI, jobs: Jobs, mount_desk: Callable[[Job, Path], ASGIApp] | None) -> None:
    """Serve the pages and their files; the review desk below /jobs/<id>/review where there is one."""
    _PAGES.mount(app)
    app.add_api_route("/", _start, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    if mount_desk is not None:
        app.router.routes.append(Mount("/jobs/{id}/review", app=_Desks(jobs, mount_desk)))


def _start(request: Request) -> Response:
    service = routes.service_of(request)
    options = service.config.service
    return _PAGES.page(
        request,
        "start.html",
        schemas=list(service.reader.schemas.values()),
        strategies=[each for each in routes.strategies_to_json(service) if each["available"]],
        known_strategies=_PAGES.phrases("strategy_", language_of(request)),
        max_files=options.max_files,
        max_bytes=options.max_upload * MIB,
        keep_days=f"{options.keep_days:g}",
        words=dict(_PAGES.phrases("js_", language_of(request))),
    )


def _docs(request: Request) -> Response:
    origin = (
        str(request.base_url).removesuffix("/").removesuffix(request.scope.get("root_path", ""))
    )
    return _PAGES.page(request, "docs.html", document=request.app.openapi(), origin=origin)


class _Desks:
    """Review desks, one a job, each made when it is first asked for."""

    def __init__(self, jobs: Jobs, mount: Callable[[Job, Path], ASGIApp]) -> None:
        self._jobs = jobs
        self._mount = mount
        self._lock = threading.Lock()
        self._made: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            job = self._jobs.store[scope["path_params"]["id"]]
        except KeyError as error:
            raise Problem(404, "no_job") from error
        run = self._jobs.run_folder(job)
        if not job.status.is_over or not (run / "records.jsonl").is_file():
            raise Problem(409, "no_records", status=Phrase(f"js_status_{job.status}"))
        with self._lock:
            if job.id not in self._made:
                self._made[job.id] = self._mount(job, run)
        await self._made[job.id](scope, receive, send)

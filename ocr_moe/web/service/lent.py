"""What the service is lent to reach others with, as far as the configuration allows it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ocr_moe.formats.phrases import Language
from ocr_moe.reviewing.desk import Desk
from ocr_moe.settings import ServiceOptions
from ocr_moe.web.desk.application import desk_app
from ocr_moe.web.fetching import fetch
from ocr_moe.web.outward import Outside, Unreachable
from ocr_moe.web.pages import language_of
from ocr_moe.web.service.application import Hooks
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.webhooks import JobEnded, check_address, secret_of, send
from ocr_moe.workshop.config import Config

FETCH_SECONDS = 60.0
"""For one address of a document, and each that it leads on to."""


def hooks(
    options: ServiceOptions,
    environment: Mapping[str, str] = os.environ,
    outside: Outside | None = None,
    *,
    config: Config | None = None,
) -> Hooks:
    """Documents by address, webhooks, and with a configuration the review desk.

    Raises UsageError where webhooks lack their secret.
    """
    way = outside or Outside()
    announce = None
    if options.webhooks:
        announce = partial(_announce, way, secret_of(environment))
    return Hooks(
        fetch=partial(_fetch, way) if options.urls else None,
        check_webhook=check_address,
        announce=announce,
        mount_desk=None if config is None else partial(_mounted, config),
    )


class _DeskOfJob:
    """The review desk on a job's run."""

    def __init__(self, config: Config, run: Path) -> None:
        self._desk = Desk.open(run, config=config)
        self._app = desk_app(self._desk)
        self._language: Language = "en"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._language = language_of(Request(scope))
        await self._app(scope, receive, send)

    def write(self) -> None:
        """In the language of whoever was at the desk last."""
        if self._desk.unwritten:
            self._desk.export(language=self._language)

    def close(self) -> None:
        with closing(self._desk):
            self.write()


def _mounted(config: Config, job: Job, run: Path) -> _DeskOfJob:
    return _DeskOfJob(config, run)


def _fetch(outside: Outside, url: str, into: BinaryIO, limit: int) -> str:
    return fetch(url, into, limit=limit, seconds=FETCH_SECONDS, outside=outside)


def _announce(outside: Outside, secret: bytes, job: Job) -> None:
    """Raises Unreachable where nobody took it."""
    result: Mapping[str, Any] = job.result or {}
    event = JobEnded(
        job=job.id,
        status=job.status.value,  # type: ignore[arg-type]  # of a job that is over
        at=job.finished or "",
        documents=result.get("documents", 0),
        failed=job.failed,
        to_check=result.get("to_check", {}).get("cells", 0),
    )
    delivery = send(job.webhook or "", event, secret, outside=outside)
    if delivery.problem is not None:
        raise Unreachable(delivery.problem)

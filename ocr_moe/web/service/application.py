"""The service as an application: what it is made of, and how it begins and ends."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from ocr_moe.version import __version__
from ocr_moe.web.lingering import Lingering
from ocr_moe.web.service import descriptions, pages, routes
from ocr_moe.web.service.desks import Desks, Mounting
from ocr_moe.web.service.extracts import Extracts
from ocr_moe.web.service.inspection import Inspector
from ocr_moe.web.service.jobs import Jobs
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.metrics import ServiceMetrics
from ocr_moe.web.service.observing import Observed
from ocr_moe.web.service.problems import tell_problems
from ocr_moe.web.service.reader import Reader
from ocr_moe.workshop.config import Config


@dataclass(frozen=True)
class Hooks:
    """What the service is lent, and goes without where it is not."""

    fetch: Callable[[str, BinaryIO, int], str] | None = None
    """Writes what is behind an https address into a stream, at most so many bytes; gives the name of
    the document. Raises DocumentError. Used only where the options allow `urls`."""
    check_webhook: Callable[[str], None] | None = None
    """Raises UsageError for an address that is never called."""
    announce: Callable[[Job], None] | None = None
    """Calls a job's webhook. Used only where the options allow `webhooks`."""
    mount_desk: Mounting | None = None
    """Opens the review desk on a job's run, to be served below /jobs/<id>/review."""


@dataclass(frozen=True)
class Service:
    """The parts that requests are answered with."""

    config: Config
    hooks: Hooks
    reader: Reader
    inspector: Inspector
    jobs: Jobs
    extracts: Extracts
    metrics: ServiceMetrics
    desks: Desks | None


def service_app(config: Config, data: Path, hooks: Hooks | None = None) -> FastAPI:
    """The service with its data in a folder, which it alone uses from here until its end.

    Who may ask is not its matter: a guard stands before it. Raises ConfigError, SchemaError, or
    UsageError where the folder cannot be used.
    """
    hooks = hooks or Hooks()
    options = config.service
    reader, metrics = Reader(config), ServiceMetrics()
    announce = hooks.announce if options.webhooks else None
    jobs = Jobs(data, reader, options, metrics, announce)
    desks = None if hooks.mount_desk is None else Desks(jobs, hooks.mount_desk)
    if desks is not None:
        jobs.before_removal = desks.drop
    service = Service(
        config=config,
        hooks=hooks,
        reader=reader,
        inspector=Inspector(config.images, options),
        jobs=jobs,
        extracts=Extracts(reader, options, metrics),
        metrics=metrics,
        desks=desks,
    )

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        service.jobs.start()
        threading.Thread(target=reader.load, name="loading", daemon=True).start()
        yield
        await run_in_threadpool(_close, service)

    app = FastAPI(
        title="ocr_moe",
        version=__version__,
        summary=descriptions.SUMMARY,
        description=descriptions.DESCRIPTION,
        openapi_tags=descriptions.TAGS,
        docs_url=None,  # FastAPI's own load scripts from elsewhere
        redoc_url=None,
        lifespan=life,
    )
    app.state.service = service
    app.add_middleware(Lingering)
    app.add_middleware(Observed, metrics=metrics)  # outside of all else
    tell_problems(app)
    app.include_router(routes.router)
    pages.add(app, desks)
    descriptions.complete(app)
    return app


def _close(service: Service) -> None:
    if service.desks is not None:
        service.desks.close()
    service.extracts.close()
    service.jobs.close()
    service.reader.close()
    service.inspector.close()

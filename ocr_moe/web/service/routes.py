"""The HTTP API: its routes. What they answer is described in `ocr_moe.web.service.descriptions`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from ocr_moe.errors import DocumentError, UsageError
from ocr_moe.formats.phrases import Phrase
from ocr_moe.intake.limits import MIB
from ocr_moe.web.service import descriptions as told
from ocr_moe.web.service import metrics, reader
from ocr_moe.web.service.jobs import delete
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.problems import Problem
from ocr_moe.web.service.uploads import Upload, UploadedFile, file_path, label, receive

if TYPE_CHECKING:
    from ocr_moe.web.service.application import Service

router = APIRouter()
_GONE = Response(status_code=499)
"""For a client that has left; nobody sees it."""
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_JSONL = "application/jsonl"


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@dataclass
class Taken:
    """A request that was received whole and looked at."""

    folder: Path
    upload: Upload
    wanted: reader.Request
    kept: bool = False
    """Whether the folder is still worked in after the request."""


@router.post("/v1/extract", **told.EXTRACT)
async def extract(request: Request) -> Response:
    service = service_of(request)
    with service.extracts.line.place() as place:
        try:
            async with _taken(request, service) as taken:
                try:
                    records = await service.extracts.answer(
                        request, taken.wanted, taken.folder, place
                    )
                finally:
                    taken.kept = place.kept
        except ClientDisconnect:
            return _GONE
    return JSONResponse({"records": records})


@router.post("/v1/jobs", status_code=202, **told.SUBMIT)
async def submit(request: Request) -> Response:
    service = service_of(request)
    if await run_in_threadpool(lambda: service.jobs.is_full):
        raise Problem(429, "busy_jobs", headers={"Retry-After": "60"})
    try:
        async with _taken(request, service) as taken:
            upload = taken.upload
            webhook = await run_in_threadpool(_webhook_of, service, upload)
            job = await run_in_threadpool(
                service.jobs.submit, taken.folder, upload.files, taken.wanted, webhook
            )
    except ClientDisconnect:
        return _GONE
    told_of = job_to_json(job, request)
    return JSONResponse(told_of, 202, {"Location": told_of["links"]["self"]})


@router.get("/v1/jobs", **told.JOBS)
def jobs(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=500, description="Jobs to list.")] = 100,
    before: Annotated[
        str | None, Query(max_length=64, description="List the jobs older than this one.")
    ] = None,
) -> Response:
    try:
        found = service_of(request).jobs.store.latest(limit, before)
    except KeyError as error:
        raise Problem(404, "no_job") from error
    return JSONResponse({"jobs": [job_to_json(job, request) for job in found]})


@router.get("/v1/jobs/{id}", **told.JOB)
def job(request: Request, id: str) -> Response:
    return JSONResponse(job_to_json(job_of(request, id), request))


@router.delete("/v1/jobs/{id}", **told.CANCEL)
def cancel(
    request: Request,
    id: str,
    purge: Annotated[
        bool, Query(description="Delete a job that is over, with its files and its results.")
    ] = False,
) -> Response:
    job_of(request, id)
    held = service_of(request).jobs
    try:
        if purge:
            held.remove(id)
            return Response(status_code=204)
        return JSONResponse(job_to_json(held.cancel(id), request))
    except KeyError as error:  # deleted in the meantime
        raise Problem(404, "no_job") from error


@router.get("/v1/jobs/{id}/records.jsonl", **told.RECORDS_JSONL)
def records_jsonl(request: Request, id: str) -> Response:
    return _records(request, id, "records.jsonl", _JSONL)


@router.get("/v1/jobs/{id}/records.xlsx", **told.RECORDS_XLSX)
def records_xlsx(request: Request, id: str) -> Response:
    return _records(request, id, "records.xlsx", _XLSX)


@router.get("/v1/schemas", **told.SCHEMAS)
def schemas(request: Request) -> Response:
    found = [
        {
            "name": schema.name,
            "title": schema.title,
            "description": schema.description,
            "fields": [
                {"name": field.name, "kind": str(field.kind), "required": field.required}
                for field in schema.fields
            ],
        }
        for schema in service_of(request).reader.schemas.values()
    ]
    return JSONResponse({"schemas": found})


@router.get("/v1/strategies", **told.STRATEGIES)
def strategies(request: Request) -> Response:
    return JSONResponse({"strategies": strategies_to_json(service_of(request))})


@router.get("/healthz", **told.HEALTH)
def health() -> Response:
    return JSONResponse({"status": "ok"})


@router.get("/readyz", **told.READY)
def ready(request: Request) -> Response:
    service = service_of(request)
    checks = {
        "models": service.reader.ready,
        "data": service.jobs.is_writable,
        "queue": not (service.extracts.line.is_full or service.jobs.is_full),
    }
    if all(checks.values()):
        return JSONResponse({"status": "ready", "checks": checks})
    lacking = [name for name, holds in checks.items() if not holds]
    raise Problem(503, "not_ready", names=lacking, headers={"Retry-After": "5"})


@router.get("/metrics", **told.METRICS)
def measured(request: Request) -> Response:
    service = service_of(request)
    counts = {str(status): n for status, n in service.jobs.store.counts().items()}
    page = service.metrics.at_present(counts, service.extracts.line.present, service.reader.ready)
    return Response(page, headers={"Content-Type": metrics.CONTENT_TYPE})


def job_of(request: Request, id_: str) -> Job:
    """Raises Problem (404)."""
    try:
        return service_of(request).jobs.store[id_]
    except KeyError as error:
        raise Problem(404, "no_job") from error


def job_to_json(job: Job, request: Request) -> dict[str, Any]:
    """A job as it is told to clients."""
    service = service_of(request)
    root = request.scope.get("root_path", "")
    self = f"{root}/v1/jobs/{job.id}"
    links = {"self": self}
    if (service.jobs.run_folder(job) / "records.jsonl").is_file():
        links |= {"jsonl": f"{self}/records.jsonl", "xlsx": f"{self}/records.xlsx"}
        if service.hooks.mount_desk is not None:
            links["review"] = f"{root}/jobs/{job.id}/review/"
    return {
        "id": job.id,
        "status": job.status,
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "schema": job.schema,
        "strategy": job.strategy,
        "files": {"total": job.files, "done": job.done, "failed": job.failed},
        "result": job.result,
        "error": job.error,
        "links": links,
    }


def strategies_to_json(service: Service) -> list[dict[str, Any]]:
    runnable, lacking = service.reader.strategies()
    return [
        {
            "name": name,
            "title": settings.title or name,
            "description": settings.description,
            "default": name == service.config.strategy,
            "available": name in runnable,
            "why": lacking.get(name),
        }
        for name, settings in service.config.strategies.items()
    ]


@asynccontextmanager
async def _taken(request: Request, service: Service) -> AsyncIterator[Taken]:
    """What a request sent, in a folder that is deleted after the block unless it is kept or moved.

    Raises Problem, ClientDisconnect, OSError.
    """
    folder = await run_in_threadpool(service.jobs.incoming)
    taken: Taken | None = None
    try:
        files = folder / "files"
        upload = await receive(request, files, service.config.service)
        service.metrics.received(upload.size)
        await run_in_threadpool(_fetch, service, upload, files)
        if not upload.files:
            raise Problem(422, "no_files")
        schema, strategy = await run_in_threadpool(
            service.reader.checked, upload.one("schema"), upload.one("strategy")
        )
        sources = await run_in_threadpool(service.inspector.look, upload.files)
        taken = Taken(folder, upload, reader.Request(sources, schema, strategy))
        yield taken
    finally:
        if taken is None or not taken.kept:
            await run_in_threadpool(delete, folder)


def _fetch(service: Service, upload: Upload, folder: Path) -> None:
    """Fetch what was named by its address. Raises Problem."""
    options, fetch = service.config.service, service.hooks.fetch
    addresses = [text for text in upload.fields.get("urls", ()) if text]
    if addresses and (fetch is None or not options.urls):
        raise Problem(422, "urls_off")
    refused: list[tuple[str, str]] = []
    for address in addresses:
        assert fetch is not None
        number = len(upload.files) + 1
        if number > options.max_files:
            raise Problem(413, "too_many_files", n=options.max_files)
        path = file_path(folder, number)
        try:
            with path.open("xb") as into:
                name = fetch(address, into, options.max_upload * MIB - upload.size)
        except DocumentError as error:
            path.unlink()
            refused.append((label(address, "urls"), str(error)))
            continue
        upload.size += path.stat().st_size
        upload.files.append(UploadedFile(path, label(name, path.name)))
    if refused:
        raise Problem(422, "not_fetched", files=refused)


def _webhook_of(service: Service, upload: Upload) -> str | None:
    """Raises Problem."""
    address = upload.one("webhook")
    if address is None:
        return None
    if not service.config.service.webhooks or service.hooks.announce is None:
        raise Problem(422, "webhooks_off")
    try:
        if service.hooks.check_webhook is not None:
            service.hooks.check_webhook(address)
    except UsageError as error:
        raise Problem(422, "webhook_refused", why=str(error)) from error
    return address


def _records(request: Request, id_: str, name: str, media_type: str) -> Response:
    job, service = job_of(request, id_), service_of(request)
    file = service.jobs.run_folder(job) / name
    if not file.is_file():
        raise Problem(409, "no_records", status=Phrase(f"js_status_{job.status}"))
    if service.desks is not None and job.status.is_over:
        service.desks.bring_up_to_date(job)  # what was decided at its desk since
    stem, dot, suffix = name.partition(".")
    return FileResponse(file, media_type=media_type, filename=f"{stem}-{job.id[:8]}{dot}{suffix}")

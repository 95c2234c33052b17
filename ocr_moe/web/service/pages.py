"""The pages for people: files dropped and jobs followed, what the API has, and the review desk."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from ocr_moe.intake.limits import MIB
from ocr_moe.web.pages import Pages, language_of
from ocr_moe.web.service import routes
from ocr_moe.web.service.desks import Desks

_PAGES = Pages("service")


def add(app: FastAPI, desks: Desks | None) -> None:
    """Serve the pages and their files; the review desk below /jobs/<id>/review where there is one."""
    _PAGES.mount(app)
    app.add_api_route("/", _start, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    if desks is not None:
        app.router.routes.append(Mount("/jobs/{id}/review", app=desks))


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

"""Around every request: a number of its own, a line in the log, a count, and a last resort.

The log has the route, never the address: addresses and bodies may name people.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_moe.web.service.metrics import ServiceMetrics
from ocr_moe.web.service.problems import METHODS, problem_of

_GONE = 499
"""What is counted for a client that left before an answer, as nginx does."""
_LOG = logging.getLogger(__name__)


class Observed:
    """ASGI middleware. `X-Request-Id` of an answer, `request_id` of a problem and the log agree."""

    def __init__(self, app: ASGIApp, metrics: ServiceMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        number = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = number
        status = 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", number.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:
            problem = problem_of(error)
            if problem.name == "unexpected":
                _LOG.error("request %s: %s", number, type(error).__name__)
                _LOG.debug("request %s", number, exc_info=error)
            if not status:
                await problem.response(Request(scope))(scope, receive, observed)
        finally:
            seconds = time.perf_counter() - began
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = _route_of(scope)
            self._metrics.answered(method, route, status or _GONE, seconds)
            _LOG.info(
                "request %s: %s %s %d %.0f ms",
                number,
                method,
                route,
                status or _GONE,
                seconds * 1e3,
            )


def _route_of(scope: MutableMapping[str, Any]) -> str:
    """The pattern of the route that took a request, such as /v1/jobs/{id}; nothing of its values."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "other"

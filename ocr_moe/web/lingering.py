"""An answer given before all of a request was read: said at once, heard, and the rest not taken.

A connection that is closed over unread bytes takes the answer with it (TCP resets it). So the answer
is sent whole, some of what still comes is passed over, and only then is the connection closed, as
nginx does (`lingering_close`).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BYTES = 64 << 20
"""That are passed over: what a client may have under way, a slow proxy's buffers included."""
_SECONDS = 5.0
"""That a client has to stop sending."""


class Lingering:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(scope):
            await self._app(scope, receive, send)
            return
        unread = True

        async def reading() -> Message:
            nonlocal unread
            message = await receive()
            unread = unread and bool(message.get("more_body"))
            return message

        async def answering(message: Message) -> None:
            if unread and message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
            last = message["type"] == "http.response.body" and not message.get("more_body")
            if not (unread and last):
                await send(message)
                return
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await _pass_over(reading)
            await send({"type": "http.response.body", "body": b""})

        await self._app(scope, reading, answering)


async def _pass_over(receive: Receive) -> None:
    passed = 0
    while passed < _BYTES:
        message = await receive()
        passed += len(message.get("body", b""))
        if not message.get("more_body"):
            return


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"

"""Real HTTP servers on loopback, in a thread of the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

import uvicorn
from starlette.types import ASGIApp

from ocr_moe.web.serving import listen


@contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1") -> Iterator[int]:
    """Serve an application; the port."""
    bound = listen(host, 0)
    config = uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield int(bound.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        bound.close()


@dataclass(frozen=True)
class Got:
    """A response, read to its end."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, response: HTTPResponse) -> Got:
        pairs = tuple((name.lower(), value) for name, value in response.getheaders())
        return cls(response.status, pairs, response.read())

    def __getitem__(self, name: str) -> str:
        """A header; the test fails where there is not exactly one."""
        [value] = [value for key, value in self.headers if key == name]
        return value

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.headers)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


def ask(
    port: int,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str | bytes]] = (),
    body: bytes = b"",
    *,
    host: str | None = "",
    at: str = "127.0.0.1",
) -> Got:
    """One request with exactly these headers; `host` is that header: by default the true one, None to
    leave it out."""
    connection = HTTPConnection(at, port, timeout=30)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        if host is not None:
            connection.putheader("Host", host or f"{at}:{port}")
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        return Got.of(connection.getresponse())
    finally:
        connection.close()

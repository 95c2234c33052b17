"""What is outside, for tests: a real server with TLS on loopback that stands for every address."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache

import trustme

from ocr_moe.web.outward import Outside, resolve

PUBLIC = "93.184.215.14"
HOST = "files.example"


def head(status: str = "200 OK", **headers: object) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


Reply = Callable[[ssl.SSLSocket, bytes], None]


def saying(*parts: bytes) -> Reply:
    def reply(connection: ssl.SSLSocket, request: bytes) -> None:
        for part in parts:
            connection.sendall(part)

    return reply


@dataclass
class Internet:
    """One real server with TLS on loopback that stands for every address outside."""

    trust: ssl.SSLContext
    port: int = 0
    reply: Reply = field(default=saying(head(Content_Length=0)))
    names: dict[str, list[list[str]]] = field(default_factory=dict)
    """Host → what it leads to, one look-up after the other; the last for good."""
    looked_up: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    def outside(self) -> Outside:
        return Outside(self.resolve, self.connect, self.trust)

    def resolve(self, host: str, port: int, seconds: float) -> list[str]:
        self.looked_up.append(host)
        if host not in self.names:
            return resolve(host, port, seconds)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: str, port: int, seconds: float) -> socket.socket:
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), seconds)


@cache
def _certificates() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Of the server, and who trusts it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, PUBLIC).configure_cert(context)
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trust)
    return context, trust


@contextmanager
def public_internet() -> Iterator[Internet]:
    """A server, whom `HOST` leads to."""
    context, trust = _certificates()
    internet = Internet(trust, names={HOST: [[PUBLIC]]})
    context.sni_callback = lambda _socket, name, _context: internet.server_names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer(plain: socket.socket) -> None:
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536) or b"\r\n\r\n"
                sizes = re.findall(rb"(?i)content-length: (\d+)", request)
                missing = int(sizes[0]) - len(request.partition(b"\r\n\r\n")[2]) if sizes else 0
                while missing > 0 and (more := connection.recv(missing)):
                    request, missing = request + more, missing - len(more)
                internet.requests.append(request)
                internet.reply(connection, request)
                connection.unwrap()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    threading.Thread(target=answer, args=(plain,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        internet.port = listening.getsockname()[1]
        yield internet

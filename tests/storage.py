"""A server that speaks S3, started by the tests on loopback: moto's, with troubles of our own."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

ACCOUNT = "123456789012"
REFUSED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)


@dataclass
class Storage:
    """The server's address, and what goes wrong with which keys."""

    endpoint: str
    refused: set[str] = field(default_factory=set)
    """Parts of addresses that nobody may read."""
    broken: set[str] = field(default_factory=set)
    """Parts of addresses of which the connection always breaks half-way."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Method and path of every request."""
    seconds: float = 0.0
    """How long an upload takes at the least."""

    def put(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Put objects into a bucket, which is made, without asking the server."""
        backend = s3_backends[ACCOUNT]["aws"]
        if bucket not in backend.buckets:
            self.client().create_bucket(Bucket=bucket)
        for key, body in objects.items():
            backend.put_object(bucket, key, body)

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """All objects below a prefix, without asking the server."""
        keys = s3_backends[ACCOUNT]["aws"].buckets[bucket].keys
        return {key: keys[key].value for key in list(keys) if key.startswith(prefix)}

    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.endpoint)

    @property
    def uploads(self) -> list[str]:
        """Paths of all uploads so far, in their order."""
        return [path for method, path in self.asked if method == "PUT"]


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object, **__: object) -> None:
        pass


@contextmanager
def storage_server() -> Iterator[Storage]:
    """Serve, with an environment in which S3 clients of this process and its children find it."""
    app = DomainDispatcherApplication(create_backend_app)
    storage = Storage("")

    def troubled(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode()
        storage.asked.append((method, path))
        if any(part in path for part in storage.refused):
            start(
                "403 Forbidden",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(REFUSED)))],
            )
            return [b"" if method == "HEAD" else REFUSED]
        if method == "GET" and any(part in path for part in storage.broken):
            start("200 OK", [("Content-Length", "1000"), ("ETag", '"0"'), ("Connection", "close")])
            return [b"x" * 10]
        if method == "PUT":
            time.sleep(storage.seconds)
        return app(environ, start)  # type: ignore[no-any-return]

    server = make_server("127.0.0.1", 0, troubled, threaded=True, request_handler=_Quiet)
    storage.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    before = dict(os.environ)
    os.environ.update(
        AWS_ACCESS_KEY_ID="a-key-of-tests",
        AWS_SECRET_ACCESS_KEY="a-secret-of-tests",
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=storage.endpoint,
        AWS_MAX_ATTEMPTS="2",
    )
    try:
        yield storage
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.shutdown()
        thread.join(timeout=20)

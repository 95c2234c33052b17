"""Where metrics of a command go: to whoever scrapes them while it runs, or into a file at its end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ocr_moe.errors import UsageError
from ocr_moe.formats.files import replacing
from ocr_moe.telemetry.metrics import Metrics

LOOPBACK = "127.0.0.1"
_PORT = re.compile(r"(?:(?P<host>.+):)?(?P<port>\d{1,5})")
_FILE = ".prom"


@contextmanager
def exposed(target: str, metrics: Metrics) -> Iterator[str]:
    """Metrics of the block at a target: `PORT` or `HOST:PORT` serves them at /metrics, on this machine
    only unless a host is named; a path that ends in `.prom` is written once the block ends, however it
    ends, for the textfile collector of Prometheus's node exporter. Yields the address or path.

    Raises UsageError where it is neither or cannot be had, OutputError where the file cannot be written.
    """
    if target.endswith(_FILE):
        path = Path(target)
        # Before anything is begun, as it may not be writable; what the last run left stays until then.
        with replacing(path) as temporary:
            if path.is_file():
                temporary.write_bytes(path.read_bytes())
        try:
            yield target
        finally:
            with replacing(path) as temporary:
                temporary.write_bytes(metrics.page())
        return
    host, port = _address(target)
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise UsageError(
            f"--metrics {target}: nothing can be served there ({error.strerror or error}); name "
            "another port, or a file that ends in .prom"
        ) from error
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _address(target: str) -> tuple[str, int]:
    found = _PORT.fullmatch(target)
    if found is None or int(found["port"]) > 65_535:
        raise UsageError(
            f"--metrics {target}: name a port, a host and a port, or a file that ends in .prom"
        )
    host = (found["host"] or LOOPBACK).strip("[]")
    return ("127.0.0.1" if host == "localhost" else host), int(found["port"])

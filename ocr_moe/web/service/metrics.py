"""What the service counts, for Prometheus. Nothing of a document is a label."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """A registry of its own, so that several services in a process do not add up."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "ocr_moe_requests_total",
            "Requests answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "ocr_moe_request_seconds",
            "From a request's first byte to its last",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "ocr_moe_received_bytes_total", "Bytes of uploads", registry=registry
        )
        self._files = Counter(
            "ocr_moe_files_total", "Files read, by outcome", ("outcome",), registry=registry
        )
        self._cells = Counter(
            "ocr_moe_cells_total", "Fields decided, by status", ("status",), registry=registry
        )
        self._jobs = Gauge("ocr_moe_jobs", "Jobs, by status", ("status",), registry=registry)
        self._present = Gauge(
            "ocr_moe_extracts",
            "Requests to /v1/extract that are worked on or wait",
            registry=registry,
        )
        self._ready = Gauge("ocr_moe_ready", "1 once models are loaded", registry=registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def received(self, size: int) -> None:
        self._received.inc(size)

    def read_file(self, *, failed: bool) -> None:
        self._files.labels("failed" if failed else "read").inc()

    def read_cells(self, statuses: Mapping[str, int]) -> None:
        for status, count in statuses.items():
            self._cells.labels(status).inc(count)

    def page(self, jobs: Mapping[str, int], present: int, ready: bool) -> bytes:
        """All of it in Prometheus's text format, with what is so at the moment."""
        for status, count in jobs.items():
            self._jobs.labels(status).set(count)
        self._present.set(present)
        self._ready.set(ready)
        return generate_latest(self._registry)

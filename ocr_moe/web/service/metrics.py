"""What the service counts, for Prometheus: requests and jobs, beside what reading documents counts
(`ocr_moe.telemetry.metrics`)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

from ocr_moe.telemetry.metrics import CONTENT_TYPE, SECONDS, Metrics

__all__ = ["CONTENT_TYPE", "ServiceMetrics"]


class ServiceMetrics(Metrics):
    """Of one service."""

    def __init__(self) -> None:
        super().__init__()
        registry = self.registry
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
            buckets=SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "ocr_moe_received_bytes_total", "Bytes of uploads", registry=registry
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

    def at_present(self, jobs: Mapping[str, int], present: int, ready: bool) -> bytes:
        """`page`, with what is so at the moment."""
        for status, count in jobs.items():
            self._jobs.labels(status).set(count)
        self._present.set(present)
        self._ready.set(ready)
        return self.page()

"""Prometheus metrics of reading documents: all that there are, for `--metrics` and the service alike.

Nothing of a document is a label: they are names of the configuration (strategies, experts, endpoints)
and of ours (statuses, classes of errors).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from ocr_moe.observing import Observation, Observed
from ocr_moe.run.outcome import Progress

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
"""Buckets of latencies: from rules to a text LLM on a small machine."""


class Metrics:
    """A registry of its own, so that several runs in a process do not add up. Safe to share between
    threads."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"ocr_moe_{name}_total", says, labels, registry=registry)

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"ocr_moe_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, *labels: str) -> Histogram:
            return Histogram(f"ocr_moe_{name}", says, labels, buckets=SECONDS, registry=registry)

        self._files = counter("files", "Files read, by outcome", "outcome")
        self._waiting = gauge("files_waiting", "Files that are still to be read")
        self._requests_now = gauge(
            "endpoint_requests", "Requests to language models now, by state", "state"
        )
        answers = counter(
            *("answers", "Answers, from the expert or the store (a cache hit)"),
            *("expert", "source", "outcome"),
        )
        given_up = gauge(
            "endpoint_given_up",
            "1 while an endpoint is left alone (its breaker is open)",
            "endpoint",
        )
        page_seconds = histogram("page_seconds", "Seconds of page OCR of a page")
        answer_seconds = histogram("answer_seconds", "Seconds of an answer asked for", "expert")
        counters = {
            Observed.DOCUMENTS: counter(
                "documents", "Records made, by outcome", "strategy", "outcome"
            ),
            Observed.CELLS: counter("cells", "Fields decided, by status", "strategy", "status"),
            Observed.FAILURES: counter("failures", "Documents that failed, by error", "error"),
            Observed.PAGES: counter("pages", "Pages, read or found in the store", "source"),
            Observed.ANSWERS: answers,
            Observed.REQUESTS: counter("requests_to_models", "Requests to models", "expert"),
            Observed.TOKENS: counter("tokens", "Tokens, by kind", "expert", "kind"),
            Observed.MONEY: counter("money", "Money spent on models", "expert"),
            Observed.RETRIES: counter("retries", "Attempts after a request's first", "endpoint"),
        }
        self._heard: Mapping[Observed, Callable[[Observation], None]] = {
            **{what: _counting(each) for what, each in counters.items()},
            Observed.PAGE_SECONDS: lambda seen: page_seconds.observe(seen.number),
            Observed.ANSWER_SECONDS: lambda seen: answer_seconds.labels(*seen.labels).observe(
                seen.number
            ),
            Observed.GIVEN_UP: lambda seen: given_up.labels(*seen.labels).set(seen.number),
        }

    def progressed(self, progress: Progress, *, whole: bool = True) -> None:
        """One more file is done. `whole`: of the only run that is under way, so that its files are all
        that wait."""
        self._files.labels("read" if progress.failure is None else "failed").inc()
        for seen in progress.observations:
            self._heard[seen.what](seen)
        if whole:
            self._waiting.set(progress.total - progress.done)
        if progress.requests is not None:
            for state, count in zip(("under_way", "waiting"), progress.requests, strict=True):
                self._requests_now.labels(state).set(count)

    def page(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)


def _counting(counter: Counter) -> Callable[[Observation], None]:
    return lambda seen: counter.labels(*seen.labels).inc(seen.number)

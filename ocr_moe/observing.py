"""What is counted while a document is read: observations, gathered where somebody asks for them.

Whoever does a unit of work (a document, in whichever thread, process or machine) gathers what is
observed in it and hands it over with the result, so that a run's figures are added up in one place and
nothing is counted twice or lost with a process (`ocr_moe.telemetry`). An observation has a name, a
number and labels; none of them is anything that a document says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import NamedTuple

from ocr_moe.contexts import Arguments, Result, with_value_here


class Observed(StrEnum):
    """What can be observed, with the labels that it has."""

    DOCUMENTS = "documents"
    """Records made. Strategy; outcome: read, failed, blank, set_aside."""
    CELLS = "cells"
    """Fields decided. Strategy; status."""
    FAILURES = "failures"
    """Documents that failed. Class of the error."""
    PAGES = "pages"
    """Pages of which text was had. Source: read, stored."""
    PAGE_SECONDS = "page_seconds"
    """Of the page OCR of one page that was read."""
    ANSWERS = "answers"
    """Answers of experts. Expert; source: asked, stored; outcome: answered, failed (no field of it had
    a reading)."""
    ANSWER_SECONDS = "answer_seconds"
    """Of one answer that was asked for. Expert."""
    REQUESTS = "requests"
    """To language models, for answers that were asked for. Expert."""
    TOKENS = "tokens"
    """Expert; kind: prompt, completion."""
    MONEY = "money"
    """In the currency of the configured prices. Expert."""
    RETRIES = "retries"
    """Attempts after the first of a request. Endpoint."""
    GIVEN_UP = "given_up"
    """1 where a server is left alone from now on (its breaker opened), 0 where it answers again.
    Endpoint."""


class Observation(NamedTuple):
    what: Observed
    number: float = 1.0
    labels: tuple[str, ...] = ()


_GATHERED: ContextVar[list[Observation] | None] = ContextVar("observations", default=None)


def observe(what: Observed, *labels: str, number: float = 1.0) -> None:
    """Tell whoever gathers observations here; nobody may."""
    gathered = _GATHERED.get()
    if gathered is not None:
        gathered.append(Observation(what, number, labels))


@contextmanager
def gathered() -> Iterator[list[Observation]]:
    """Within, what is observed in this context (this thread) is gathered."""
    found: list[Observation] = []
    token = _GATHERED.set(found)
    try:
        yield found
    finally:
        _GATHERED.reset(token)


def observed_here(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Work for another thread, what is observed in which is gathered as if it were done in this one."""
    return with_value_here(_GATHERED, work)

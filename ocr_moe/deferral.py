"""Requests that are answered later: kept by whoever runs a batch, filed by whoever would make them.

An endpoint with a batch API answers within a day, for less.  Whoever would ask it looks for the reply
in the `Files` lent to it; where there is none the request is filed there, and the question is put
again once it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from ocr_moe.contexts import Arguments, Result, with_value_here


class Files(Protocol):
    """Requests and their replies. Safe to share between threads, and with other processes."""

    def form(self, endpoint: str) -> str | None:
        """What was found out of an endpoint in this run, as `keep_form` was given it."""

    def keep_form(self, endpoint: str, form: str) -> str:
        """Keep what was found out, unless another process was first; what counts from now on."""

    def reply(self, key: str) -> str | None:
        """The reply to a request, as the endpoint wanted it kept; None where there is none yet."""

    def keep_reply(self, key: str, endpoint: str, reply: str) -> None:
        """Keep the reply to a request that was made at once."""

    def file(self, key: str, endpoint: str, body: str, money: float) -> None:
        """Have a request, which will cost so much at most, made with the next batch.

        `endpoint` is its name in the configuration, `body` JSON.
        """


@dataclass
class Deferral:
    """Of one question."""

    files: Files
    has_deferred: bool = False
    """Whether any of its requests is still to be answered."""


_DEFERRAL: ContextVar[Deferral | None] = ContextVar("deferral", default=None)


def deferral() -> Deferral | None:
    """Of the question that this thread answers; None where all requests are to be made at once."""
    return _DEFERRAL.get()


@contextmanager
def deferring(to: Files | None) -> Iterator[Deferral | None]:
    """Within, this thread answers a question whose requests may be filed."""
    found = None if to is None else Deferral(to)
    token = _DEFERRAL.set(found)
    try:
        yield found
    finally:
        _DEFERRAL.reset(token)


def deferred_here(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Work for another thread, whose requests belong to the question that this one answers."""
    return with_value_here(_DEFERRAL, work)

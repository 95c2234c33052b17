"""Structured logs: one JSON object a line, for machines that run ocr_moe.

Quiet unless asked for. At `info` and above nothing is told that a document says, nor what its file is
called, which mostly is a person's name: documents are known by the hash of their bytes. `debug` names
files and says in full why they failed, which may quote what a page or a server said. Keys are never
logged: they are scrubbed where servers' words come in, and no event of ours has one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from ocr_moe.errors import OutputError, UsageError
from ocr_moe.formats.files import unwritable
from ocr_moe.observing import Observed
from ocr_moe.run.outcome import Notice, Outcome, Progress

LOGGER = __name__
"""Its records have `event` and `details` beside the message; programs may give it handlers of their
own."""
LEVELS = ("debug", "info", "warning", "error")
_DIGITS = 12
"""Of a hash: enough to tell a million documents apart."""
_log = logging.getLogger(LOGGER)


class Event(StrEnum):
    """What is told, each with details of its own (docs/observability.md)."""

    RUN_STARTED = "run.started"
    MODELS_LOADING = "models.loading"
    FILE_DONE = "file.done"
    FILE_FAILED = "file.failed"
    ENDPOINT_RETRIED = "endpoint.retried"
    ENDPOINT_GIVEN_UP = "endpoint.given_up"
    ENDPOINT_BACK = "endpoint.back"
    RUN_FINISHED = "run.finished"
    RUN_STOPPED = "run.stopped"


class JsonLines(logging.Formatter):
    """A record as one line: time (ISO 8601, UTC), level, event or logger and message, details."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower()}
        event = getattr(record, "event", None)
        if event is not None:
            line |= {"event": str(event), **getattr(record, "details", {})}
        else:
            line |= {"logger": record.name, "message": record.getMessage()}
        return json.dumps(line, ensure_ascii=False)


def tell(level: int, event: Event, **details: object) -> None:
    """Log an event. Details are plain data, nothing of a document's content at info or above."""
    if _log.isEnabledFor(level):
        _log.log(level, event.value, extra={"event": event, "details": details})


@contextmanager
def logging_to(level: str | None, file: Path | None) -> Iterator[None]:
    """Within, events from a level on are written to a file (added to what is there), or to standard
    error; to a file alone from `info` on, without either nowhere. Warnings of ours are then told there
    as well.

    Raises UsageError for an unknown level, OutputError where the file cannot be written.
    """
    if level is None and file is None:
        yield
        return
    level = (level or "info").lower()
    if level not in LEVELS:
        raise UsageError(f"there is no log level {level!r}; name one of {', '.join(LEVELS)}")
    handler = _handler(file)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger("ocr_moe")
    before = _log.level
    handler.addFilter(lambda record: record.name == LOGGER or record.levelno >= logging.WARNING)
    ours.addHandler(handler)
    _log.setLevel(level.upper())
    try:
        yield
    finally:
        ours.removeHandler(handler)
        _log.setLevel(before)
        handler.close()


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"{file}: {unwritable(error)}") from error


def started(version: str) -> None:
    tell(logging.INFO, Event.RUN_STARTED, version=version)


def noticed(notice: Notice) -> None:
    if notice is Notice.LOADING:
        tell(logging.INFO, Event.MODELS_LOADING)


def progressed(progress: Progress) -> None:
    """The events of one file that is done."""
    cells: dict[str, int] = {}
    errors: list[str] = []
    for what, number, labels in progress.observations:
        match what:
            case Observed.CELLS:
                cells[labels[1]] = cells.get(labels[1], 0) + int(number)
            case Observed.FAILURES:
                errors += labels
            case Observed.RETRIES:
                tell(logging.DEBUG, Event.ENDPOINT_RETRIED, endpoint=labels[0])
            case Observed.GIVEN_UP if number:
                tell(logging.WARNING, Event.ENDPOINT_GIVEN_UP, endpoint=labels[0])
            case Observed.GIVEN_UP:
                tell(logging.WARNING, Event.ENDPOINT_BACK, endpoint=labels[0])
    details: dict[str, object] = {
        "document": progress.sha256[:_DIGITS],
        "done": progress.done,
        "total": progress.total,
        "cells": cells,
    }
    if _log.isEnabledFor(logging.DEBUG):
        details |= {"path": progress.path, "failure": progress.failure}
    if progress.failure is None:
        tell(logging.INFO, Event.FILE_DONE, **details)
    else:
        tell(logging.WARNING, Event.FILE_FAILED, **details, errors=sorted(set(errors)))


def finished(outcome: Outcome | None) -> None:
    """How a run went; None where it was not one of this process."""
    if outcome is None:
        return
    told = {
        "files": outcome.files,
        "documents": outcome.documents,
        "failed": outcome.failed,
        "resumed": outcome.resumed,
        "blank": outcome.blank,
        "asked": outcome.asked,
        "cells_to_check": None if outcome.to_check is None else outcome.to_check.cells,
    }
    if outcome.stopped:
        tell(logging.WARNING, Event.RUN_STOPPED, **told, why="budget")
    else:
        tell(logging.INFO, Event.RUN_FINISHED, **told)


def left(kind: type[BaseException] | None, error: object, trace: object) -> None:
    """The way in which the block of a run is left: an exception is told by its class alone, as what it
    says may quote."""
    if kind is not None:
        tell(logging.ERROR, Event.RUN_STOPPED, why=kind.__name__)

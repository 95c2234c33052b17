"""What a run and its workers tell each other.

The run begins with a `Job`, and then sends `Work`; the worker says when it is `Ready`, when it is
`Wanting` another file, and what came of each. Questions are numbered, and answered by that number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_moe.intake.sources import Source
from ocr_moe.permits import Limiter, Outcome
from ocr_moe.run.outcome import Notice
from ocr_moe.run.processing import Processed
from ocr_moe.schema import Schema
from ocr_moe.workshop.build import Blueprint

# From the run to a worker


@dataclass(frozen=True)
class Job:
    """What another process needs to make records of this run."""

    store: Path
    blueprint: Blueprint
    strategies: tuple[str, ...]
    schemas: tuple[Schema, ...]
    limited: bool = False
    """Whether requests cost money of which there is only so much."""
    deferring: bool = False
    """Whether documents may wait for batches of an endpoint."""


@dataclass(frozen=True)
class Work:
    """One content, and the files that have it."""

    sha256: str
    sources: Sequence[Source]


@dataclass(frozen=True)
class Allowed:
    """What was asked for under that number."""

    number: int
    refusal: BaseException | None = None


@dataclass(frozen=True)
class Stop:
    """Nothing new is to be begun."""


# From a worker to the run


@dataclass(frozen=True)
class Ready:
    """Everything is built; files may come."""


@dataclass(frozen=True)
class Wanting:
    """One more file may come, as nothing waits for a place to be computed on."""


@dataclass(frozen=True)
class Done:
    processed: Processed


@dataclass(frozen=True)
class Failed:
    """What is about the run and ends it."""

    error: BaseException
    sha256: str = ""
    """Over which content it showed; empty where the worker could not be built."""


@dataclass(frozen=True)
class Noticed:
    notice: Notice


@dataclass(frozen=True)
class Acquire:
    """Asks for a permit (`ocr_moe.permits`)."""

    number: int
    endpoint: str
    limiter: Limiter


@dataclass(frozen=True)
class Release:
    endpoint: str
    outcome: Outcome


@dataclass(frozen=True)
class Reserve:
    """Asks for money (`ocr_moe.run.ledger`)."""

    number: int
    expert: str


@dataclass(frozen=True)
class Book:
    expert: str
    money: float | None


@dataclass(frozen=True)
class Enter:
    money: float

"""Documents of which everything is in the store already: their records, on all cores.

A replay is Python from end to end, so threads would only wait for each other; the documents go to
processes of their own, which read the store while this one writes it.
"""

from __future__ import annotations

import gc
import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from uuid import uuid4

from ocr_moe.collecting import uncollected
from ocr_moe.intake.sources import Source
from ocr_moe.run.answers import NotRecordedError
from ocr_moe.run.interrupts import leave_with
from ocr_moe.run.processing import Processed, Processor
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Blueprint

_CHUNK = 50
"""Documents a message: few enough to keep all processes busy to the end."""


@dataclass(frozen=True)
class Setup:
    """What another process needs to replay documents of this run."""

    parent: int
    """The process that wants to know."""
    store: Path
    blueprint: Blueprint
    strategies: tuple[str, ...]
    schemas: tuple[Schema, ...]


def replay(
    setup: Setup, contents: Iterable[tuple[str, Sequence[Source]]]
) -> Iterator[list[Processed]]:
    """The files of every content (hash, files) about which nobody needs to be asked any more.

    Results come some at a time, in no order; what is missing in them has to be processed live.
    """
    from joblib import Parallel, cpu_count, delayed

    work = delayed(_replay_chunk)
    key, pickled = uuid4().hex, pickle.dumps(setup)
    # Two even on one core: what is opened there is not to stay open here.
    pool = Parallel(n_jobs=max(cpu_count(), 2), return_as="generator_unordered", batch_size=1)
    with suppress(BrokenProcessPool):  # a process that was killed leaves the rest to be done live
        yield from pool(work(key, pickled, part) for part in _chunks(contents))


def _chunks(
    contents: Iterable[tuple[str, Sequence[Source]]],
) -> Iterator[list[tuple[str, Sequence[Source]]]]:
    items = iter(contents)
    while chunk := list(islice(items, _CHUNK)):
        yield chunk


def _replay_chunk(
    key: str, setup: bytes, chunk: Sequence[tuple[str, Sequence[Source]]]
) -> list[Processed]:
    store, processor = _opened(key, setup)
    done = []
    with uncollected(), store.snapshot():
        for sha256, sources in chunk:
            with suppress(NotRecordedError):
                done.append(processor.process(sources, sha256))
    return done


@lru_cache(maxsize=1)
def _opened(key: str, setup: bytes) -> tuple[Store, Processor]:
    """What this process works with; `key` keeps a later run in a folder of that name apart."""
    given: Setup = pickle.loads(setup)
    leave_with(given.parent)
    workshop = given.blueprint.build()
    store = Store(given.store, write=False)
    strategies = [workshop.strategy(name) for name in given.strategies]
    gc.freeze()  # what is built now stays; looking through it for garbage only takes time
    return store, Processor(store, workshop, strategies, given.schemas, ledger=None)

"""Every export of a run: one after the other, or side by side in processes of their own.

An export is Python from end to end and only reads the store, so a run of many documents gains by every
core; for a small one starting processes would take longer than its exports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ocr_moe.collecting import uncollected
from ocr_moe.formats.files import sweep
from ocr_moe.formats.names import folder_name
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.exporting import exported
from ocr_moe.run.interrupts import leave_with
from ocr_moe.run.manifest import RUN, Manifest, manifest, write_manifest
from ocr_moe.run.pictures import PageImages
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.tracing import Trace, include, recorded, span
from ocr_moe.workshop.build import Workshop

if TYPE_CHECKING:
    from ocr_moe.exports.exporters import Exported

APART_FROM = 2_000
"""Documents, of all strategies together, from which on exports have processes of their own: these take
a second to start, and the exports of 2,000 documents some six one after the other."""
_LONGEST_FIRST = ("xlsx", "documents", "review", "jsonl")
"""Exporters in the order in which they are begun, so that no core is left with a long one at the end."""


def _place_in_order(task: _Task) -> int:
    known = task.exporter in _LONGEST_FIRST
    return _LONGEST_FIRST.index(task.exporter) if known else len(_LONGEST_FIRST)


class _Task(NamedTuple):
    """One export of one strategy."""

    exporter: str
    strategy: str
    folder: Path


@dataclass(frozen=True)
class _Setting:
    """What is the same for all exports of a run."""

    limits: ImageLimits
    language: Language


def write_exports(
    out: Path,
    store: Store,
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    workshop: Workshop,
    *,
    snapshot: Store | None = None,
    begun: Callable[[str], None] = lambda target: None,
    language: Language = "en",
) -> Manifest:
    """Write every export of `ocr_moe.exports.exporters`, and run.json, from the store, or from a
    `snapshot` of it, so that it can be written meanwhile; `begun` is told of each.

    `language` is that of workbooks; pages are in their reader's.

    What killed starts left half-written goes. Raises OutputError, or StoreError where the store is
    lost.
    """
    from ocr_moe.exports.exporters import EXPORTERS

    read = snapshot or store
    sweep(out)
    with uncollected():
        written = manifest(read, strategies, schemas, workshop)
    experts = {name: strategy.experts for name, strategy in written.strategies.items()}
    store.set_meta("experts", experts)
    tasks = [
        _Task(
            name, strategy.name, out if len(strategies) == 1 else out / folder_name(strategy.name)
        )
        for strategy in strategies
        for name in EXPORTERS
    ]

    def begin(task: _Task) -> None:
        begun(EXPORTERS[task.exporter].target)

    setting = _Setting(workshop.config.images, language)
    documents = sum(each.documents for each in written.strategies.values())
    if snapshot is None and documents >= APART_FROM:
        _write_apart(store.path, setting, tasks, begin)
    else:
        with closing(PageImages(read, setting.limits)) as pictures:
            runs = {each.name: _run(read, setting, each.name, pictures) for each in strategies}
            for task in tasks:
                begin(task)
                _write(runs[task.strategy], task)
    write_manifest(out / RUN, written)
    store.check()
    return written


def _run(store: Store, setting: _Setting, strategy: str, pictures: PageImages) -> Exported:
    run = exported(store, strategy)
    return replace(run, sole=True, language=setting.language, pictures=pictures)


def _write(run: Exported, task: _Task) -> None:
    from ocr_moe.exports.exporters import EXPORTERS

    exporter = EXPORTERS[task.exporter]
    with uncollected(), span(f"export.{task.exporter}"):
        exporter.write(task.folder / exporter.target, run)


def _write_apart(
    store: Path, setting: _Setting, tasks: Sequence[_Task], begin: Callable[[_Task], None]
) -> None:
    """Raises what exporters raise. Others may then still be under way, each of which writes its file in
    one step or not at all."""
    from joblib import Parallel, cpu_count, delayed

    work, parent = delayed(_write_in_process), getpid()
    ordered = sorted(tasks, key=_place_in_order)

    def begun() -> Iterator[object]:
        for task in ordered:
            begin(task)
            yield work(parent, store, setting, task)

    processes = min(cpu_count(), len(tasks))
    pool = Parallel(n_jobs=processes, return_as="generator_unordered", batch_size=1)
    for trace in pool(begun()):
        include(trace)


def _write_in_process(parent: int, path: Path, setting: _Setting, task: _Task) -> Trace:
    leave_with(parent)
    with (
        recorded() as trace,
        Store(path, write=False) as store,
        closing(PageImages(store, setting.limits)) as pictures,
    ):
        _write(_run(store, setting, task.strategy, pictures), task)
    return trace

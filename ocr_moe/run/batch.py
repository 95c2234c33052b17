"""A batch: many files, one or more strategies over them, one store, and its exports."""

from __future__ import annotations

import hashlib
import json
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from ocr_moe.errors import BudgetExceededError, DocumentError, StoreError
from ocr_moe.formats.files import write_text
from ocr_moe.intake.images import Source, digest
from ocr_moe.protocols import Package, Rereader
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import Ledger
from ocr_moe.run.documents import IMPORTED, page_key
from ocr_moe.run.processing import Processed, Processor, why_failed
from ocr_moe.run.replay import Setup, replay
from ocr_moe.run.runners.pool import PoolRunner
from ocr_moe.run.runners.serial import SerialRunner
from ocr_moe.schema import Schema
from ocr_moe.store.database import Records, Store, row_of
from ocr_moe.types import Answer, Cost, PageText, Record
from ocr_moe.version import __version__
from ocr_moe.workshop.build import Workshop, fingerprint_of

STORE = "store.sqlite"
REPLAY_FROM = 500
"""Recorded documents from which on a run starts processes to replay them."""
Item = TypeVar("Item")


@dataclass(frozen=True)
class Progress:
    """One more file is done."""

    done: int
    total: int
    path: str
    failure: str | None


@dataclass
class Outcome:
    """How a run went."""

    files: int = 0
    documents: int = 0
    failed: int = 0
    """Documents that failed, or have a failed field, under any strategy."""
    resumed: int = 0
    """Files that an earlier start had finished."""
    asked: int = 0
    """Questions put to experts in this start."""
    stopped: str | None = None
    """Why the run ended before its end, if it did."""
    failures: list[str] = field(default_factory=list)


class Batch:
    """Files on their way through one or more strategies.

    `schemas` is what documents may be: one schema for all, or several to choose from by recognition.
    """

    def __init__(
        self,
        out: Path,
        *,
        workshop: Workshop,
        strategies: Sequence[Strategy],
        schemas: Sequence[Schema],
        max_cost: float | None = None,
    ) -> None:
        self.out = out
        self.strategies = tuple(strategies)
        self.schemas = tuple(schemas)
        self._workshop = workshop
        self._ledger = Ledger(max_cost)
        self.store = Store(out / STORE)
        self._processor = Processor(
            self.store, workshop, self.strategies, self.schemas, self._ledger
        )

    def close(self) -> None:
        self.store.close()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(
        self,
        sources: Sequence[Source],
        *,
        update: bool = False,
        retry_failed: bool = False,
        frozen_strategies: bool = True,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> Outcome:
        """Process what is not finished yet.

        An earlier start in the same folder must have had the same inputs and configuration
        (StoreError says what differs), unless `update` takes changed inputs in. Without
        `frozen_strategies` other strategies are welcome: what experts have said already is kept.
        """
        inputs, errors = _hash_all(sources)
        folders = {source.name: str(source.file) for source in sources}
        self._enter(inputs, update=update, frozen_strategies=frozen_strategies)
        self.store.set_meta("files", folders)
        outcome = Outcome(files=len(sources))
        if retry_failed:
            self.store.forget_failures()
        names = [strategy.name for strategy in self.strategies]
        finished = self.store.finished_paths(names)
        groups: dict[str, list[Source]] = {}
        for source in sources:
            if source.name in finished:
                outcome.resumed += 1
            elif source.name in errors:
                broken = self._processor.broken(source, "", 1, errors[source.name])
                self.store.put_records([row_of(record) for record in broken])
            else:
                groups.setdefault(inputs[source.name], []).append(source)
        done = outcome.resumed
        try:
            for results in _until_interrupted(self._results(groups)):
                self.store.put_records([row for result in results for row in result.rows])
                for result in results:
                    for source in groups[result.sha256]:
                        done += 1
                        report(Progress(done, len(sources), source.name, result.failure))
        except BudgetExceededError as error:
            outcome.stopped = str(error)
        outcome.asked = self._ledger.asked
        self._count(outcome)
        return outcome

    def _results(self, groups: Mapping[str, Sequence[Source]]) -> Iterator[list[Processed]]:
        """The records of all files of each content, as they come, some at a time."""
        fresh = dict(groups)
        if self._worth_replaying(groups):
            setup = Setup(
                self.store.path,
                self._workshop.blueprint,
                tuple(strategy.name for strategy in self.strategies),
                self.schemas,
            )
            for some in replay(setup, groups):
                for processed in some:
                    del fresh[processed.sha256]
                yield some
        workers = self._workshop.config.workers
        runner = PoolRunner(workers) if workers > 1 else SerialRunner()

        def work(group: tuple[str, Sequence[Source]]) -> list[Processed]:
            sha256, same = group
            return [self._processor.process(same, sha256)]

        yield from runner.map(work, fresh.items())

    def _worth_replaying(self, groups: Mapping[str, Sequence[Source]]) -> bool:
        """Whether so much is recorded that starting processes for it pays."""
        return all(map(self._workshop.owns, self.strategies)) and (
            len(self.store.opened_files() & groups.keys()) >= REPLAY_FROM
        )

    def records(self, strategy: str) -> Records:
        return self.store.records(strategy)

    def export(self) -> None:
        """Write JSONL, one JSON a document, Excel and run.json from the store."""
        from ocr_moe.exports.jsonl import write_documents, write_jsonl
        from ocr_moe.exports.workbook import write_workbook

        single = len(self.strategies) == 1
        for strategy in self.strategies:
            folder = self.out if single else self.out / strategy.name
            folder.mkdir(parents=True, exist_ok=True)
            records = self.records(strategy.name)
            write_jsonl(folder / "records.jsonl", records, presorted=True)
            write_documents(folder / "documents", records, self._answers_of(strategy))
            write_workbook(folder / "records.xlsx", records, self.schemas)
        write_text(self.out / "run.json", _pretty(self.summary()))

    def summary(self) -> dict[str, Any]:
        """What run.json holds: configuration, versions, fingerprints, counts, costs, times."""
        strategies: dict[str, Any] = {}
        for strategy in self.strategies:
            counts = {"documents": 0, "failed_documents": 0}
            statuses: dict[str, int] = {}
            cost = Cost()
            for record in self.records(strategy.name):
                counts["documents"] += 1
                counts["failed_documents"] += record.error is not None
                cost += record.cost
                for decision in record.fields.values():
                    statuses[decision.status] = statuses.get(decision.status, 0) + 1
            strategies[strategy.name] = {
                "title": strategy.title,
                "origin": strategy.origin.model_dump(mode="json"),
                "experts": {n: fingerprint_of(e) for n, e in sorted(strategy.experts.items())},
                **counts,
                "fields": dict(sorted(statuses.items())),
                "cost": {k: round(v, 6) for k, v in cost.model_dump().items()},
            }
        identity = self.store.get_meta("identity")
        return {
            "ocr_moe": __version__,
            "versions": _versions(self._workshop.packages()),
            "started": self.store.get_meta("started"),
            "engine": page_key(
                self._workshop.engine("default"), self._workshop.config.remove_seals
            ),
            "schemas": [schema.name for schema in self.schemas],
            "strategies": strategies,
            "inputs": len(identity["inputs"]) if identity else 0,
            "configuration": self._workshop.config.model_dump(mode="json"),
        }

    def _answers_of(self, strategy: Strategy) -> Callable[[Record], dict[str, list[Answer]]]:
        fingerprints = {name: fingerprint_of(expert) for name, expert in strategy.experts.items()}

        def of(record: Record) -> dict[str, list[Answer]]:
            found: dict[str, list[Answer]] = {}
            ref = record.document
            for name, _, answer in self.store.answers(ref.sha256, ref.page):
                if fingerprints.get(name) == answer.expert:
                    found.setdefault(name, []).append(answer)
            return found

        return of

    def _enter(self, inputs: Mapping[str, str], *, update: bool, frozen_strategies: bool) -> None:
        """Hold this start against an earlier one in the same store, and sign it."""
        config = self._workshop.config.model_dump(mode="json", exclude={"workers", "truth"})
        strategies = {s.name: config["strategies"].get(s.name) for s in self.strategies}
        identity = {
            "inputs": dict(inputs),
            "schemas": {s.name: _digest(s.model_dump(mode="json")) for s in self.schemas},
            "pages": {key: config[key] for key in ("images", "ocr", "remove_seals", "engines")},
            "strategies": {
                "chosen": strategies,
                "experts": {
                    name: {
                        expert: config["experts"].get(expert) for expert in sorted(strategy.experts)
                    }
                    for name, strategy in ((s.name, s) for s in self.strategies)
                },
            },
        }
        before = self.store.get_meta("identity")
        if before is None:
            self.store.set_meta("started", datetime.now(UTC).isoformat(timespec="seconds"))
        else:
            differences = _differences(before, identity, update=update, frozen=frozen_strategies)
            if differences:
                raise StoreError(
                    f"{self.out} holds another run: {'; '.join(differences)}. Name another --out"
                    + ("" if update else ", or take changed inputs in with --update")
                )
            if before != identity:
                self.store.clear_records()
        parsings = {
            name: expert.parsing
            for strategy in self.strategies
            for name, expert in strategy.experts.items()
            if isinstance(expert, Rereader)
        }
        parsed = self.store.get_meta("parsings") or {}
        if any(parsed.get(name, parsing) != parsing for name, parsing in parsings.items()):
            self.store.clear_records()  # decided anew, of the replies that are stored
        self.store.set_meta("parsings", parsed | parsings)
        self.store.set_meta("identity", identity)
        self.store.set_meta("schemas", [s.model_dump(mode="json") for s in self.schemas])
        self.store.set_meta(
            "origins",
            {s.name: s.origin.model_dump(mode="json") for s in self.strategies if s.origin},
        )
        self.store.set_meta("titles", {s.name: s.title for s in self.strategies})

    def _count(self, outcome: Outcome) -> None:
        names = [strategy.name for strategy in self.strategies]
        outcome.documents = self.store.count_documents(names)
        outcome.failures = list(
            {
                (record.document.path, record.document.page): why_failed(record)
                for record in self.store.failed_records(names)
            }.values()
        )
        outcome.failed = len(outcome.failures)


def _until_interrupted(results: Iterator[Item]) -> Iterator[Item]:
    """The results until Ctrl-C, which raises KeyboardInterrupt between two documents.

    Libraries may swallow an interrupt or leave a half-done page behind; the documents under way are
    therefore finished first. A second Ctrl-C interrupts at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield from results
        return
    pressed = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        for result in results:
            yield result
            if pressed.is_set():
                raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def import_ocr(store: Store, file: Path) -> int:
    """Take page OCR in from JSONL (see `export_ocr`); how many pages it was. Raises StoreError."""
    count = 0
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    entry = json.loads(line)
                    text = PageText.model_validate(entry["text"])
                    store.put_page(str(entry["sha256"]), int(entry["page"]), IMPORTED, text)
                except (ValueError, KeyError, TypeError) as error:
                    raise StoreError(
                        f"{file}, line {number}: not page OCR as `ocr-moe export --ocr` writes it "
                        f"({str(error).splitlines()[0]})"
                    ) from error
                count += 1
    except OSError as error:
        raise StoreError(f"{file}: cannot be read ({error.strerror})") from error
    return count


def export_ocr(store: Store, file: Path) -> int:
    """Write all page OCR of a run as JSONL: {"sha256", "page", "text"}; how many pages it was."""
    lines = [
        json.dumps(
            {"sha256": sha256, "page": page, "text": text.model_dump(mode="json")},
            ensure_ascii=False,
        )
        for sha256, page, text in store.pages()
    ]
    write_text(file, "".join(f"{line}\n" for line in lines))
    return len(lines)


def _hash_all(sources: Sequence[Source]) -> tuple[dict[str, str], dict[str, DocumentError]]:
    inputs: dict[str, str] = {}
    errors: dict[str, DocumentError] = {}
    for source in sources:
        try:
            inputs[source.name] = digest(source.file)
        except DocumentError as error:
            inputs[source.name] = ""
            errors[source.name] = error
    return inputs, errors


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any], *, update: bool, frozen: bool
) -> list[str]:
    """What keeps this start from going on with an earlier one, in words."""
    found = []
    old, new = before["inputs"], now["inputs"]
    if not update:
        for what, names in (
            ("added", sorted(new.keys() - old.keys())),
            ("gone", sorted(old.keys() - new.keys())),
            ("changed", sorted(k for k in old.keys() & new.keys() if old[k] != new[k])),
        ):
            if names:
                some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
                found.append(f"{len(names)} input file(s) {what} ({some})")
    keys = ("schemas", "pages", "strategies") if frozen else ("schemas", "pages")
    for key in keys:
        paths = _changed_paths(before[key], now[key], key)
        if paths:
            found.append("different: " + ", ".join(paths[:5]))
    return found


def _changed_paths(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            path
            for key in sorted(old.keys() | new.keys())
            for path in _changed_paths(old.get(key), new.get(key), f"{where}.{key}")
        ]
    return [] if old == new else [where]


def _digest(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _versions(packages: Sequence[Package]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package.name] = version(package.name)
        except PackageNotFoundError:
            continue
    return found


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"

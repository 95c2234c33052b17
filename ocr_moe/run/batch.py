"""A batch: many files, one or more strategies over them, one store, and its exports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from ocr_moe.errors import BudgetExceededError, DocumentError, InterruptedRunError
from ocr_moe.exports.ocr import read_ocr
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import Source
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import StoppedError
from ocr_moe.run.documents import IMPORTED
from ocr_moe.run.identity import Identity, hold_against, identity_of, parsings_of
from ocr_moe.run.interrupts import stopping
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.manifest import Manifest, configuration_of
from ocr_moe.run.outcome import Notice, Outcome, Progress, why_failed
from ocr_moe.run.processing import Processed, Processor, observations_of
from ocr_moe.run.replay import Setup, replay
from ocr_moe.run.runners import Runner, local_runner
from ocr_moe.run.settling import settle
from ocr_moe.run.workers.crew import Crew, UnbuildableError
from ocr_moe.run.workers.messages import Job, Work
from ocr_moe.run.writing import write_exports
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store, row_of
from ocr_moe.store.opening import is_begun
from ocr_moe.tracing import span
from ocr_moe.workshop.build import Workshop

STORE = "store.sqlite"
PROCESSES_FROM = 8
"""Files from which on a run starts processes to read them: for fewer, models are loaded sooner here."""
REPLAY_FROM = 500
"""Recorded documents from which on a run starts processes to replay them."""


class Batch:
    """Files on their way through one or more strategies.

    `schemas` is what documents may be: one schema for all, or several to choose from by recognition.
    Nothing is written before `execute` has found that it may.
    """

    def __init__(
        self,
        out: Path,
        *,
        workshop: Workshop,
        strategies: Sequence[Strategy],
        schemas: Sequence[Schema],
        max_cost: float | None = None,
        runner: Runner | None = None,
        notice: Callable[[Notice], None] = lambda notice: None,
        language: Language = "en",
    ) -> None:
        self.language: Language = language
        """Of what exports say to people."""
        self.out = out
        self.strategies = tuple(strategies)
        self.schemas = tuple(schemas)
        self._workshop = workshop
        self._ledger = Ledger(max_cost)
        self._notice = notice
        self._runner = runner
        self._noticed: set[Notice] = set()

    @cached_property
    def store(self) -> Store:
        """The run's store, made or opened for writing when first asked for. Raises StoreError."""
        return Store(self.out / STORE)

    @cached_property
    def _processor(self) -> Processor:
        return Processor(
            self.store,
            self._workshop,
            self.strategies,
            self.schemas,
            self._ledger,
            notice=self._notice,
        )

    def stop(self) -> None:
        """Have `execute` stop as on Ctrl-C, from any thread, also before it has begun: what is under
        way is finished and kept, then it raises InterruptedRunError."""
        self._ledger.stop(StoppedError())

    def close(self) -> None:
        if "_processor" in vars(self):
            self._processor.close()
        if "store" in vars(self):
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
        ocr: Path | None = None,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> Outcome:
        """Process what is not finished yet; page OCR in the JSONL file `ocr` stands for our own.

        An earlier start in the same folder must have had the same inputs and configuration
        (StoreError says what differs), unless `update` takes changed inputs in. Without
        `frozen_strategies` other strategies are welcome: what experts have said already is kept.
        A start that is refused has written nothing.
        """
        with ExitStack() as stack:
            crew = None
            if self._worth_processes(sources):  # which load modules while files are hashed
                workers = self._workshop.config.workers
                crew = stack.enter_context(Crew(workers, self._ledger, self._needed_modules()))
            return self._execute(
                sources, crew, update, retry_failed, frozen_strategies, ocr, report
            )

    def _execute(
        self,
        sources: Sequence[Source],
        crew: Crew | None,
        update: bool,
        retry_failed: bool,
        frozen_strategies: bool,
        ocr: Path | None,
        report: Callable[[Progress], None],
    ) -> Outcome:
        inputs, errors = _hash_all(sources, self._workshop.config.images)
        identity = identity_of(inputs, self.schemas, self.strategies, self._workshop.config)
        for _ in read_ocr(ocr) if ocr is not None else ():
            pass  # a line that cannot be read is to be found before anything is written

        def holds(store: Store) -> bool:
            return hold_against(
                store, identity, self.out, update=update, frozen_strategies=frozen_strategies
            )

        file = self.out / STORE
        if "store" not in vars(self) and is_begun(file):
            with Store(file, write=False) as before:
                holds(before)
        self._sign(identity, sources, clear_records=not holds(self.store))
        if ocr is not None:
            self.store.put_pages((p.sha256, p.page, IMPORTED, p.text) for p in read_ocr(ocr))
        if retry_failed:
            self.store.forget_failures()
        return self._process(sources, crew, inputs, errors, report)

    def _process(
        self,
        sources: Sequence[Source],
        crew: Crew | None,
        inputs: Mapping[str, str],
        errors: Mapping[str, DocumentError],
        report: Callable[[Progress], None],
    ) -> Outcome:
        outcome = Outcome(files=len(sources))
        names = [strategy.name for strategy in self.strategies]
        if self.store.finished_paths(names):
            self.store.drop_damaged()
        finished = self.store.finished_paths(names)
        groups: dict[str, list[Source]] = {}
        broken = 0
        for source in sources:
            if source.name in finished:
                outcome.resumed += 1
            elif source.name in errors:
                broken += 1
                records = self._processor.broken(source, "", 1, errors[source.name])
                self.store.put_records([row_of(record) for record in records])
                why = why_failed(records[0])
                seen = tuple(each for record in records for each in observations_of(record))
                step = outcome.resumed + broken
                report(Progress(step, len(sources), source.name, why, observations=seen))
            else:
                groups.setdefault(inputs[source.name], []).append(source)
        done = outcome.resumed + broken
        results = self._results(groups, crew)
        try:
            with stopping(self.stop):
                for some in results:
                    self.store.put_records([row for result in some for row in result.rows])
                    for result in some:
                        told = result.observations
                        for source in groups[result.sha256]:
                            done += 1
                            report(
                                Progress(
                                    *(done, len(sources), source.name, result.failure),
                                    sha256=result.sha256,
                                    observations=told,
                                    requests=None if crew is None else crew.requests,
                                )
                            )
                            told = ()
        except BudgetExceededError as error:
            outcome.stopped = str(error)
        except StoppedError as error:
            raise self._interrupted(done, len(sources)) from error
        except KeyboardInterrupt as error:
            with suppress(KeyboardInterrupt):
                results.throw(error)  # which waits for nobody
            raise self._interrupted(done, len(sources), at_once=True) from error
        except BaseException as error:
            self._ledger.stop(error)
            results.close()  # once what is under way is done, so that the store outlives it
            raise
        with span("settle"):
            settle(self.store, self.strategies, self.schemas, self._workshop)
        outcome.asked = self._ledger.asked
        self._count(outcome)
        return outcome

    def _interrupted(self, done: int, files: int, *, at_once: bool = False) -> InterruptedRunError:
        kept = "but for what was under way, every answer" if at_once else "every answer"
        return InterruptedRunError(
            f"{done} of {files} files are done, {self._ledger.asked} questions were asked in this "
            f"start; {kept} is kept in {self.out}, and the same command goes on where this stopped",
            at_once=at_once,
        )

    def _results(
        self, groups: Mapping[str, Sequence[Source]], crew: Crew | None
    ) -> Generator[list[Processed], None, None]:
        """The records of all files of each content, as they come, some at a time."""
        fresh = dict(groups)
        if self._worth_replaying(groups):
            setup = Setup(
                os.getpid(),
                self.store.path,
                self._workshop.blueprint,
                tuple(strategy.name for strategy in self.strategies),
                self.schemas,
            )
            for some in replay(setup, groups):
                for processed in some:
                    del fresh[processed.sha256]
                yield some
                self._ledger.proceed()

        if crew is not None:
            try:
                yield from self._of_workers(fresh, crew)
            except UnbuildableError:  # a part that was made here alone; nothing is begun yet
                pass
            else:
                return

        def work(group: tuple[str, Sequence[Source]]) -> list[Processed]:
            sha256, same = group
            try:
                self._ledger.proceed()
                return [self._processor.process(same, sha256)]
            except BaseException as error:  # about the run: nothing else is to be begun
                self._ledger.stop(error)
                raise

        runner = self._runner or local_runner(self._workshop.config.workers)
        yield from runner.map(work, fresh.items())

    def _of_workers(
        self, groups: Mapping[str, Sequence[Source]], crew: Crew
    ) -> Generator[list[Processed], None, None]:
        job = Job(
            self.store.path,
            self._workshop.blueprint,
            tuple(strategy.name for strategy in self.strategies),
            self.schemas,
            limited=self._ledger.limit is not None,
        )
        yield from crew.work(
            job,
            (Work(sha256, sources) for sha256, sources in groups.items()),
            lambda work, error: self._processor.given_up(work.sources, work.sha256, error),
            self._notice_once,
        )

    def _needed_modules(self) -> list[str]:
        """What is loaded here of parts that make records, and what these will load."""
        rooms = ("ocr_moe.experts.", "ocr_moe.engines.", "ocr_moe.routing.", "ocr_moe.values.")
        experts = {expert for strategy in self.strategies for expert in strategy.experts}
        asks = any(map(self._workshop.chat_uses, experts))
        found = sorted(name for name in sys.modules if name.startswith(rooms))
        return ["numpy", "PIL.Image", *found, *(["ocr_moe.engines.chat.transport"] if asks else [])]

    def _notice_once(self, notice: Notice) -> None:
        """Of what every worker tells."""
        if notice not in self._noticed:
            self._noticed.add(notice)
            self._notice(notice)

    def _worth_processes(self, sources: Sequence[Source]) -> bool:
        """Whether there is so much to read that starting processes for it pays, and they can."""
        return (
            self._runner is None
            and self._workshop.config.workers > 1
            and len(sources) >= PROCESSES_FROM
            and self._workshop.is_plain
            and all(map(self._workshop.owns, self.strategies))
        )

    def _worth_replaying(self, groups: Mapping[str, Sequence[Source]]) -> bool:
        """Whether so much is recorded that starting processes for it pays."""
        return all(map(self._workshop.owns, self.strategies)) and (
            len(self.store.opened_files() & groups.keys()) >= REPLAY_FROM
        )

    def export(self) -> Manifest:
        """Write every export of `ocr_moe.exports.exporters`, and run.json, from the store.

        What killed starts left half-written goes. Raises OutputError, or StoreError where the store
        is lost.
        """
        return write_exports(
            self.out,
            self.store,
            self.strategies,
            self.schemas,
            self._workshop,
            language=self.language,
        )

    def _sign(self, identity: Identity, sources: Sequence[Source], *, clear_records: bool) -> None:
        """Write down whose run this is."""
        parsed = self.store.get_meta("parsings") or {}
        parsings = parsings_of(self.strategies)
        if any(parsed.get(name, parsing) != parsing for name, parsing in parsings.items()):
            clear_records = True  # decided anew, of the replies that are stored
        started = self.store.get_meta("started") or datetime.now(UTC).isoformat(timespec="seconds")
        origins = {s.name: s.origin.model_dump(mode="json") for s in self.strategies if s.origin}
        self.store.sign(
            {
                "started": started,
                "identity": identity,
                "parsings": parsed | parsings,
                "schemas": [schema.model_dump(mode="json") for schema in self.schemas],
                "origins": origins,
                "titles": {strategy.name: strategy.title for strategy in self.strategies},
                "files": {source.name: source.locate() for source in sources},
                "configuration": configuration_of(self._workshop.config),
            },
            clear_records=clear_records,
        )

    def _count(self, outcome: Outcome) -> None:
        names = [strategy.name for strategy in self.strategies]
        outcome.blank = self.store.count_documents(names, blank=True)
        outcome.documents = self.store.count_documents(names) - outcome.blank
        outcome.failures = list(
            {
                (record.document.path, record.document.page, record.document.part): (
                    f"{record.document.path}: {why_failed(record)}"
                )
                for record in self.store.failed_records(names)
            }.values()
        )
        outcome.failed = len(outcome.failures)


def _hash_all(
    sources: Sequence[Source], limits: ImageLimits
) -> tuple[dict[str, str], dict[str, DocumentError]]:
    inputs: dict[str, str] = {}
    errors: dict[str, DocumentError] = {}
    for source in sources:
        try:
            inputs[source.name] = source.digest(limits)
        except DocumentError as error:
            inputs[source.name] = ""
            errors[source.name] = error
    return inputs, errors

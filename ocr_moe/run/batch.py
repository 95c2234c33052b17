"""A batch: many files, one or more strategies over them, one store, and its exports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock

from ocr_moe.errors import (
    BudgetExceededError,
    DocumentError,
    EndpointMissingError,
    InterruptedRunError,
    PostponedError,
    UsageError,
    WorkerLostError,
)
from ocr_moe.exports.ocr import read_ocr
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.source import Source, located
from ocr_moe.observing import Observation
from ocr_moe.protocols import Batching
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import StoppedError
from ocr_moe.run.currency import Currency
from ocr_moe.run.deferred import DeferredQuestions
from ocr_moe.run.documents import IMPORTED
from ocr_moe.run.identity import Identity, hold_against, identity_of, parsings_of
from ocr_moe.run.inputs import Changes, Comparison, LookAhead, Pending, give_back
from ocr_moe.run.interrupts import stopping
from ocr_moe.run.kept import take_kept
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.manifest import Manifest, configuration_of
from ocr_moe.run.outcome import Notice, Outcome, Progress, Teller, count_documents, why_failed
from ocr_moe.run.processing import Processed, Processor, observations_of
from ocr_moe.run.replay import Setup, replay
from ocr_moe.run.runners import Cluster, Runner, local_runner
from ocr_moe.run.settling import settle
from ocr_moe.run.shards import Division
from ocr_moe.run.workers.crew import Crew, UnbuildableError
from ocr_moe.run.workers.messages import Job, Work
from ocr_moe.run.workers.nursery import PROCESSES_FROM as PROCESSES_FROM
from ocr_moe.run.writing import write_exports
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store, is_failed, renamed, row_of
from ocr_moe.store.opening import is_begun
from ocr_moe.tracing import span
from ocr_moe.types import Record
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.recorded import RecordedExpert

STORE = "store.sqlite"
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
        cluster: Cluster | None = None,
        deferring: bool = False,
        wait: bool = True,
        notice: Callable[[Notice], None] = lambda notice: None,
        language: Language = "en",
    ) -> None:
        """With `deferring`, endpoints that are to be asked in batches are; without `wait` a run ends
        when its questions are submitted."""
        self.language: Language = language
        """Of what exports say to people."""
        self.out = out
        self.strategies = tuple(strategies)
        self.schemas = tuple(schemas)
        self._workshop = workshop
        self._ledger = Ledger(max_cost)
        self._notice = notice
        self._runner = runner
        self._cluster = cluster
        self._deferring = deferring
        self._deferred = DeferredQuestions(
            lambda: self.store, self._asked_later(), self._ledger, notice, wait=wait
        )
        self._noticed: set[Notice] = set()
        self._names = [strategy.name for strategy in self.strategies]
        self._keeping = Lock()
        self._under_way: dict[str, Source] = {}
        """Hash → the file of these bytes that is being processed."""
        self._currency = Currency(
            out, out / STORE, self.strategies, self.schemas, workshop.config, language
        )
        self._waiting = 0
        """Contents of which questions wait for a batch."""
        self._is_current = False
        """Whether the exports were those of the store before this start."""
        self._exported = False

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
            deferring=self._deferred.is_needed,
            notice=self._notice,
        )

    def _asked_later(self) -> dict[str, Batching]:
        """The endpoints of the strategies' experts that can be asked in batches."""
        if not self._deferring:
            return {}
        experts = {each.name: each for s in self.strategies for each in s.experts.values()}
        live = [name for name, each in experts.items() if not isinstance(each, RecordedExpert)]
        names = {use.endpoint for name in live for use in self._workshop.chat_uses(name)}
        chats = {}
        for name in sorted(names):
            with suppress(EndpointMissingError):  # of an expert that was built elsewhere
                chats[name] = self._workshop.chat(name)
        return {name: chat for name, chat in chats.items() if isinstance(chat, Batching)}

    def stop(self) -> None:
        """Have `execute` stop as on Ctrl-C, from any thread, also before it has begun: what is under
        way is finished and kept, then it raises InterruptedRunError."""
        self._ledger.stop(StoppedError())

    def close(self) -> None:
        if "_processor" in vars(self):
            self._processor.close()
        if "store" in vars(self):
            self.store.close()
        if self._exported:
            self._currency.note()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(
        self,
        sources: Collection[Source],
        *,
        update: bool = False,
        retry_failed: bool = False,
        frozen_strategies: bool = True,
        ocr: Path | None = None,
        division: Division | None = None,
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> Outcome:
        """Process what is not finished yet; page OCR in the JSONL file `ocr` stands for our own.
        `division` tells of what whole the sources are a share.

        Sources are sorted by name. An earlier start in the same folder must have had the same inputs
        and configuration (StoreError says what differs), unless `update` takes changed inputs in.
        Without `frozen_strategies` other strategies are welcome: what experts have said already is
        kept.
        A start that is refused has written nothing.
        """
        self._is_current = "store" not in vars(self) and self._currency.holds()
        if self._deferred.is_wanted and self._cluster is not None:
            raise UsageError(
                "--runner ray does not wait for batches of an endpoint: set its `batch` to false, or "
                "run on this machine"
            )
        if not self._is_current:
            self._deferred.examine()
        with ExitStack() as stack:

            def crews() -> Crew | None:
                if not self._worth_processes():
                    return None
                workers = self._workshop.config.workers
                return stack.enter_context(Crew(workers, self._ledger, self._needed_modules()))

            return self._execute(
                sources, division, crews, update, retry_failed, frozen_strategies, ocr, report
            )

    def _execute(
        self,
        sources: Collection[Source],
        division: Division | None,
        crews: Callable[[], Crew | None],
        update: bool,
        retry_failed: bool,
        frozen_strategies: bool,
        ocr: Path | None,
        report: Callable[[Progress], None],
    ) -> Outcome:
        shard = None if division is None else str(division.shard)
        identity = identity_of(self.schemas, self.strategies, self._workshop.config, shard)
        for _ in read_ocr(ocr) if ocr is not None else ():
            pass  # a line that cannot be read is to be found before anything is written

        def holds(store: Store, changes: Changes) -> bool:
            return hold_against(
                store,
                identity,
                changes,
                self.out,
                update=update,
                frozen_strategies=frozen_strategies,
            )

        file = self.out / STORE
        with closing(Comparison(sources, self._workshop.config.images)) as comparison:
            if "store" not in vars(self) and is_begun(file):
                with Store(file, write=False) as before:
                    holds(before, comparison.look(before))
            with self.store.writing():
                # A finished run is looked through once: nobody touched its store since.
                known = self._is_current and comparison.is_same
                changes = Changes() if known else comparison.apply(self.store)
                self._sign(identity, division, clear_records=not holds(self.store, changes))
                self._deferred.hold()
        take_kept(self.store)
        if ocr is not None:
            self.store.put_pages((p.sha256, p.page, IMPORTED, p.text) for p in read_ocr(ocr))
        if retry_failed:
            self.store.forget_failures()
        return self._process(sources, crews, report)

    def _process(
        self,
        sources: Collection[Source],
        crews: Callable[[], Crew | None],
        report: Callable[[Progress], None],
    ) -> Outcome:
        outcome = Outcome(files=len(sources))
        outcome.resumed = self.store.inputs.count_finished(self._names)
        if outcome.resumed and not self._is_current:
            self.store.drop_damaged()
            outcome.resumed = self.store.inputs.count_finished(self._names)
        crew = crews()
        self._teller = Teller(
            *(report, outcome.resumed, outcome.files),
            requests=lambda: None if crew is None else crew.requests,
        )
        results = self._results(sources, crew)
        try:
            with stopping(self.stop):
                while True:
                    for some in results:
                        self._keep(some)
                    if not self._waiting:
                        break
                    self._deferred.end_round()
                    crew = crews()
                    results = self._results(sources, crew)
                self._deferred.end()
                self.store.requests.forget_pages()
        except (BudgetExceededError, PostponedError) as error:
            outcome.stopped = str(error)
        except StoppedError as error:
            raise self._interrupted(self._teller) from error
        except KeyboardInterrupt as error:
            with suppress(KeyboardInterrupt):
                results.throw(error)  # which waits for nobody
            raise self._interrupted(self._teller, at_once=True) from error
        except BaseException as error:
            self._ledger.stop(error)
            results.close()  # once what is under way is done, so that the store outlives it
            raise
        with span("settle"):
            settle(self.store, self.strategies, self.schemas, self._workshop)
        outcome.asked = self._ledger.asked
        count_documents(outcome, self.store, self._names)
        return outcome

    def _interrupted(self, teller: Teller, *, at_once: bool = False) -> InterruptedRunError:
        kept = "but for what was under way, every answer" if at_once else "every answer"
        return InterruptedRunError(
            f"{teller.done} of {teller.total} files are done, {self._ledger.asked} questions were asked "
            f"in this start; {kept} is kept in {self.out}, and the same command goes on where this "
            "stopped",
            at_once=at_once,
        )

    def _results(
        self, sources: Collection[Source], crew: Crew | None
    ) -> Generator[list[Processed], None, None]:
        """The records of one file of each content, as they come, some at a time."""
        self._waiting = 0
        self._deferred.begin_round()
        limits = self._workshop.config.images
        if self._is_of_elsewhere():
            with LookAhead(self.store, sources, self._names, limits) as ahead:
                for pending in ahead:
                    give_back(pending.source)
        if self._worth_replaying():
            setup = Setup(
                os.getpid(),
                self.store.path,
                self._workshop.blueprint,
                tuple(self._names),
                self.schemas,
            )
            for some in replay(setup, self._recorded()):
                yield some
                self._ledger.proceed()
            self._under_way.clear()  # what is left there has to be processed live

        if self._cluster is not None:
            with LookAhead(self.store, sources, self._names, limits, fetch=False) as ahead:
                works = (Work(sha256, (source,)) for sha256, source in self._contents(ahead))
                yield from self._cluster.work(
                    self._job, works, self.store, self._ledger, self._given_up
                )
            return
        if crew is not None:
            try:
                with LookAhead(self.store, sources, self._names, limits) as ahead:
                    yield from self._of_workers(self._contents(ahead), crew)
            except UnbuildableError:  # a part that was made here alone; nothing is begun yet
                crew.close()
                self._under_way.clear()
            else:
                return

        def work(item: tuple[str, Source]) -> list[Processed]:
            sha256, source = item
            try:
                self._ledger.proceed()
                return [self._processor.process((source,), sha256)]
            except BaseException as error:  # about the run: nothing else is to be begun
                self._ledger.stop(error)
                raise

        runner = self._runner or local_runner(self._workshop.config.workers)
        with LookAhead(self.store, sources, self._names, limits) as ahead:
            yield from runner.map(work, self._contents(ahead))

    def _of_workers(
        self, contents: Iterable[tuple[str, Source]], crew: Crew
    ) -> Generator[list[Processed], None, None]:
        works = (Work(sha256, (source,)) for sha256, source in contents)
        yield from crew.work(self._job, works, self._given_up, self._notice_once)
        crew.close()  # what follows needs their memory

    @property
    def _job(self) -> Job:
        return Job(
            self.store.path.absolute(),
            self._workshop.blueprint,
            tuple(self._names),
            self.schemas,
            limited=self._ledger.limit is not None,
            deferring=self._deferred.is_needed,
        )

    def _given_up(self, work: Work, error: WorkerLostError) -> Processed:
        return self._processor.given_up(work.sources, work.sha256, error)

    def _needed_modules(self) -> list[str]:
        """What is loaded here of parts that make records, and what these will load."""
        rooms = ("ocr_moe.experts.", "ocr_moe.engines.", "ocr_moe.routing.", "ocr_moe.values.")
        experts = {expert for strategy in self.strategies for expert in strategy.experts}
        asks = any(map(self._workshop.chat_uses, experts))
        found = sorted(name for name in sys.modules if name.startswith(rooms))
        return [*found, *(["ocr_moe.engines.chat.transport"] if asks else [])]

    def _notice_once(self, notice: Notice) -> None:
        """Of what every worker tells."""
        if notice not in self._noticed:
            self._noticed.add(notice)
            self._notice(notice)

    def _worth_processes(self) -> bool:
        """Whether there is so much to read that starting processes for it pays, and they can."""
        return (
            self._runner is None
            and self._cluster is None
            and self._workshop.config.workers > 1
            and self._workshop.can_be_copied(self.strategies)
            and self.store.inputs.has_unfinished(self._names, PROCESSES_FROM)
        )

    def _is_of_elsewhere(self) -> bool:
        """Whether the store holds much of files, and none of them is known to be one of the inputs: what
        can be replayed shows only once they are read."""
        return (
            not self.store.inputs.has_read()
            and self.store.has_opened(REPLAY_FROM)
            and self._workshop.can_be_copied(self.strategies)
        )

    def _worth_replaying(self) -> bool:
        """Whether so much is recorded that starting processes for it pays."""
        return self._workshop.can_be_copied(self.strategies) and self.store.inputs.has_recorded(
            self._names, REPLAY_FROM
        )

    def _recorded(self) -> Iterator[tuple[str, Sequence[Source]]]:
        for sha256, row in self.store.inputs.recorded(self._names):
            source = located(row.path, row.place)
            with self._keeping:
                self._under_way[sha256] = source
            yield sha256, (source,)

    def _contents(self, pending: Iterable[Pending]) -> Iterator[tuple[str, Source]]:
        """What is to be processed of the files that lack records: of each content one file.

        What cannot be read, or has the bytes of a file that is done, gets its records here.
        """
        for source, sha256, error in pending:
            if error is not None:
                self._keep_broken(source, error)
                give_back(source)
                continue
            with self._keeping:
                if sha256 in self._under_way:
                    give_back(source)
                    continue  # with its records this one's come
                done = self.store.inputs.finished_copy(source.name, sha256, self._names)
                if done is None:
                    self._under_way[sha256] = source
                elif done != source.name:  # else it got its records with another of these bytes
                    self._copy(self.store.records_of(done, self._names), [source.name])
            if done is None:
                yield sha256, source
            else:
                give_back(source)

    def _keep(self, results: Sequence[Processed]) -> None:
        """Store the records of some contents, under all files of these bytes that were seen so far."""
        with self._keeping:
            self.store.put_records([row for result in results for row in result.rows])
            for result in results:
                source = self._under_way.pop(result.sha256)
                give_back(source)
                if result.deferred:
                    self._waiting += 1
                    continue
                self._teller.note(
                    source.name,
                    result.failure,
                    sha256=result.sha256,
                    observations=result.observations,
                )
                if paths := self.store.inputs.waiting_copies(result.sha256, self._names):
                    records = [Record.model_validate_json(row.record) for row in result.rows]
                    self._copy(records, paths)

    def _copy(self, records: Sequence[Record], paths: Sequence[str]) -> None:
        """Record what is known of a content under further files."""
        for path in paths:
            self.store.put_records([row_of(renamed(record, path)) for record in records])
            failed = next((record for record in records if is_failed(record)), None)
            self._teller.note(
                path,
                None if failed is None else why_failed(failed),
                sha256=records[0].document.sha256,
                observations=_counted(records),
            )

    def _keep_broken(self, source: Source, error: DocumentError) -> None:
        records = self._processor.broken(source, "", 1, error)
        self.store.put_records([row_of(record) for record in records])
        self._teller.note(source.name, why_failed(records[0]), observations=_counted(records))

    def export(self) -> Manifest:
        """Write every export of `ocr_moe.exports.exporters`, and run.json, from the store; nothing where
        they are there and neither they nor the store changed since.

        What killed starts left half-written goes. Raises OutputError, or StoreError where the store
        is lost.
        """
        if self._is_current and not self.store.is_changed:
            written = self._currency.manifest()
            if written is not None:
                return written
        self._exported = False
        written = write_exports(
            self.out,
            self.store,
            self.strategies,
            self.schemas,
            self._workshop,
            language=self.language,
        )
        self._exported = True
        return written

    def _sign(self, identity: Identity, division: Division | None, *, clear_records: bool) -> None:
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
                "shard": None if division is None else division.model_dump(mode="json"),
                "parsings": parsed | parsings,
                "schemas": [schema.model_dump(mode="json") for schema in self.schemas],
                "origins": origins,
                "titles": {strategy.name: strategy.title for strategy in self.strategies},
                "configuration": configuration_of(self._workshop.config),
            },
            clear_records=clear_records,
        )


def _counted(records: Sequence[Record]) -> Iterator[Observation]:
    return (each for record in records for each in observations_of(record))

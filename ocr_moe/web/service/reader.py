"""The reading that all requests share: one workshop whose models are loaded once, one set of workers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from PIL import Image

from ocr_moe.errors import EndpointMissingError, OcrMoeError, SchemaError
from ocr_moe.exports.jsonl import record_to_json
from ocr_moe.intake.sources import Source
from ocr_moe.protocols import Transcriber
from ocr_moe.run.batch import Batch
from ocr_moe.run.manifest import StrategyManifest
from ocr_moe.run.outcome import Outcome, Progress
from ocr_moe.run.runners.pool import PoolRunner
from ocr_moe.schema import Schema
from ocr_moe.types import Record
from ocr_moe.web.service.problems import Problem
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, candidate_schemas

AUTO = "auto"
_BLANK = (640, 480)
"""Pixels of the blank page by which models are loaded; large enough for every detector."""
_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Request:
    """What is to be read, and how."""

    sources: Sequence[Source]
    schema: str
    """A name, or `auto`."""
    strategy: str


class Reader:
    """Reads requests, any number at once; together they have as many documents under way as the
    configuration's `workers` says. Safe to share between threads.

    Raises ConfigError or SchemaError where the configuration is wrong.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._workshop = Workshop(config)
        self._workshop.validate()
        self._workshop.check_endpoints()
        self.schemas: Mapping[str, Schema] = {s.name: s for s in candidate_schemas(config)}
        self._pool = ThreadPoolExecutor(config.workers, thread_name_prefix="document")
        self._loaded = threading.Event()
        self.trouble: str | None = None
        """Why models could not be loaded."""

    @property
    def ready(self) -> bool:
        """Whether the models of page OCR are loaded."""
        return self._loaded.is_set()

    def load(self) -> None:
        """Load the models, so that no request waits for them. What goes wrong is kept in `trouble`."""
        try:
            self._workshop.strategy(self.config.strategy)
            engine = self._workshop.engine("default")
            local = engine.finder if isinstance(engine, Transcriber) else engine
            local.read(Image.new("RGB", _BLANK, "white"))
        except OcrMoeError as error:
            self.trouble = str(error)
            _LOG.error("models cannot be loaded: %s", error)
        else:
            self._loaded.set()

    def close(self) -> None:
        """Wait for the documents that are under way."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def strategies(self) -> tuple[frozenset[str], Mapping[str, str]]:
        """The strategies that can run here, and why each of the others cannot."""
        ready, skipped = self._workshop.available_strategies()
        return frozenset(ready), skipped

    def checked(self, schema: str | None, strategy: str | None) -> tuple[str, str]:
        """The names of a schema and a strategy, the defaults where none is named.

        A name is looked for among what is configured, never opened as a file. Raises Problem.
        """
        schema, strategy = schema or AUTO, strategy or self.config.strategy
        if schema != AUTO and schema not in self.schemas:
            raise Problem(422, "schema_unknown", name=schema[:80], known=[*self.schemas, AUTO])
        if strategy not in self.config.strategies:
            known = list(self.config.strategies)
            raise Problem(422, "strategy_unknown", name=strategy[:80], known=known)
        try:
            self._workshop.strategy(strategy)
        except EndpointMissingError as error:
            raise Problem(422, "strategy_unavailable", name=strategy, why=str(error)) from error
        return schema, strategy

    def batch(self, request: Request, out: Path) -> Batch:
        """A batch over the shared models and workers, its run in `out`.

        Raises ConfigError or SchemaError where the configuration no longer has what is asked for.
        """
        every = tuple(self.schemas.values())
        if request.schema != AUTO and request.schema not in self.schemas:
            raise SchemaError(
                f"there is no schema {request.schema!r} any more; send the files again"
            )
        return Batch(
            out,
            workshop=self._workshop,
            strategies=[self._workshop.strategy(request.strategy)],
            schemas=every if request.schema == AUTO else [self.schemas[request.schema]],
            runner=PoolRunner(self.config.workers, self._pool),
        )


class Reading(Generic[Result]):
    """A request on its way through the reader; what `finish` makes of the batch is its result."""

    def __init__(
        self,
        reader: Reader,
        request: Request,
        out: Path,
        finish: Callable[[Batch], Result],
        report: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._reader = reader
        self._request = request
        self._out = out
        self._finish = finish
        self._report = report
        self._lock = threading.Lock()
        self._stopped = False
        self._batch: Batch | None = None

    def stop(self) -> None:
        """End as on Ctrl-C, from any thread and at any time."""
        with self._lock:
            self._stopped = True
            if self._batch is not None:
                self._batch.stop()

    def run(self) -> tuple[Outcome, Result]:
        """Raises InterruptedRunError once stopped, StoreError, OutputError, ConfigError."""
        with self._reader.batch(self._request, self._out) as batch:
            with self._lock:
                self._batch = batch
                if self._stopped:
                    batch.stop()
            try:
                outcome = batch.execute(self._request.sources, report=self._report)
                return outcome, self._finish(batch)
            finally:
                with self._lock:
                    self._batch = None


def written(batch: Batch) -> StrategyManifest:
    """Writes the files of a run; what its only strategy came to. Raises OutputError."""
    return batch.export().strategies[batch.strategies[0].name]


def records_in_order(batch: Batch, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """The records of a batch as JSON, in the order in which the files were sent."""
    place = {source.name: (str(source.file), source.name) for source in sources}

    def order(record: Record) -> tuple[tuple[str, str], int, int]:
        return place[record.document.path], record.document.page, record.document.part

    found = sorted(batch.store.records(batch.strategies[0].name), key=order)
    return [record_to_json(record) for record in found]

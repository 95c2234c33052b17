"""The Python API: extract, compare, and what came of it as pandas frames.

import ocr_moe
run = ocr_moe.extract(["scans/"], out="run")
run.to_frame()
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ocr_moe.errors import StoreError
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.sources import discover
from ocr_moe.laboratory.goal import Goal as Goal
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.estimate import Plan
from ocr_moe.run.estimate import estimate as estimate_run
from ocr_moe.run.manifest import StrategyManifest
from ocr_moe.run.outcome import Notice, Outcome, Progress, ToCheck
from ocr_moe.schema import Schema, crop_schema
from ocr_moe.store.database import Records, Store
from ocr_moe.types import Decision, Status
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, candidate_schemas, find_schema, load_config

if TYPE_CHECKING:
    import pandas as pd

    from ocr_moe.evaluation.scores import Scores
    from ocr_moe.laboratory.calibrating import CalibrationResult

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]
TruthFiles = str | PathLike[str] | Sequence[str | PathLike[str]]
"""Verified sheets, one a schema."""


def _silent(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Options:
    """What a batch is run with; every field but `language` has the name of its command-line option."""

    schema: str = "auto"
    config: Path | Config | None = None
    local_only: bool = False
    max_cost: float | None = None
    retry_failed: bool = False
    update: bool = False
    workers: int | None = None
    ocr: Path | None = None
    recorded: Path | None = None
    crops: str | None = None
    language: Language = "en"
    """Of the workbooks."""

    def load(self) -> Config:
        """Raises ConfigError."""
        own = self.config
        config = own if isinstance(own, Config) else load_config(own)
        return (
            config if self.workers is None else config.model_copy(update={"workers": self.workers})
        )

    def schemas(self, config: Config) -> tuple[Schema, ...]:
        """The named schema, or for `auto` all that are known. Raises SchemaError."""
        known = {schema.name: schema for schema in candidate_schemas(config)}
        if self.schema == "auto":
            found = tuple(known.values())
        else:
            found = (known[self.schema] if self.schema in known else find_schema(self.schema),)
        return found if self.crops is None else (crop_schema(found, self.crops),)


class Run:
    """A finished run in its folder.

    `outcome` says how this start went, and is None for a run that was merely opened.
    """

    def __init__(self, folder: str | PathLike[str], outcome: Outcome | None = None) -> None:
        self.folder = Path(folder)
        self.outcome = outcome

    @property
    def strategies(self) -> list[str]:
        with self._store() as store:
            return store.strategies()

    @contextmanager
    def records(self, strategy: str | None = None) -> Iterator[Records]:
        """The records of a strategy (of the only one, if not named), as a context.

        Raises StoreError when there is no run, KeyError when it has no such strategy.
        """
        with self._store() as store:
            yield store.records(_one_of(store.strategies(), strategy))

    def to_frame(self, strategy: str | None = None) -> pd.DataFrame:
        """One row a document: path, page, part, schema, the fields' values, and the error if any."""
        return self._frame(strategy, lambda decision: decision.value)

    def confidences(self, strategy: str | None = None) -> pd.DataFrame:
        """Like `to_frame`, with confidences (0-1) in place of values."""
        return self._frame(strategy, lambda decision: decision.confidence)

    def statuses(self, strategy: str | None = None) -> pd.DataFrame:
        """Like `to_frame`, with the decisions' statuses in place of values."""
        return self._frame(strategy, lambda decision: str(decision.status))

    def _frame(self, strategy: str | None, cell: Callable[[Decision], object]) -> pd.DataFrame:
        from ocr_moe.exports.frame import frame_of

        with self.records(strategy) as records:
            return frame_of(records, cell)

    def export(
        self,
        to: str | PathLike[str],
        *,
        format: str = "jsonl",
        strategy: str | None = None,
        language: Language = "en",
        crops: bool = False,
    ) -> int:
        """Write a strategy's records to a file (or folder) in a format of `ocr_moe.exports.exporters`.

        How many they are. With `crops`, a workbook has pictures of its doubtful cells, for which the
        pages are decoded again. Raises StoreError without a run, KeyError for an unknown name,
        OutputError.
        """
        from ocr_moe.exports.exporters import EXPORTERS
        from ocr_moe.run.exporting import exported
        from ocr_moe.run.pictures import FieldCrops, PageImages

        with self._store() as store:
            name = _one_of(store.strategies(), strategy)
            run = replace(exported(store, name), language=language)
            if crops:
                run = replace(run, crop_of=FieldCrops(PageImages(store, load_config().images)))
            return EXPORTERS[format].write(Path(to), run)

    def export_ocr(self, to: str | PathLike[str]) -> int:
        """Write all page OCR as JSONL, for `Options.ocr`; how many pages. Raises as `export` does."""
        from ocr_moe.exports.ocr import write_ocr

        with self._store() as store:
            return write_ocr(Path(to), store.pages())

    def _store(self) -> Store:
        return _store_of(self.folder)


def extract(
    paths: Paths,
    *,
    out: str | PathLike[str] | None = None,
    strategy: str | None = None,
    options: Options | None = None,
    listing: IO[str] | None = None,
    report: Callable[[Progress], None] = _silent,
    notice: Callable[[Notice], None] = _silent,
) -> Run:
    """Read every document with one strategy, and export the run.

    `out` is a new temporary folder when not given; a run that was started there before goes on.
    `report` hears of every file that is done, `notice` of what is told once. Raises UsageError and
    its kin, OutputError where the exports cannot be written, and InterruptedRunError (a
    KeyboardInterrupt) on Ctrl-C, once what was under way is stored; a document that fails is in its
    record, not raised.
    """
    options = options or Options()
    folder = Path(tempfile.mkdtemp(prefix="ocr-moe-")) if out is None else Path(out)
    with _prepared(options) as (config, workshop, schemas):
        chosen = [workshop.strategy(strategy or config.strategy)]
        sources = discover(_texts(paths), listing, config.images)
        with Batch(
            folder,
            workshop=workshop,
            strategies=chosen,
            schemas=schemas,
            max_cost=options.max_cost,
            notice=notice,
            language=options.language,
        ) as batch:
            outcome = batch.execute(
                sources,
                ocr=options.ocr,
                update=options.update,
                retry_failed=options.retry_failed,
                report=report,
            )
            outcome.to_check = _to_check(batch.export().strategies[chosen[0].name])
    return Run(folder, outcome)


def _to_check(written: StrategyManifest) -> ToCheck:
    failed = written.fields.get(Status.FAILED, 0)
    return ToCheck(
        cells=written.fields.get(Status.ABSTAINED, 0) + failed,
        documents=written.documents_to_check,
        failed_cells=failed,
        failed_documents=written.failed_documents,
        contradicting=written.contradicting_documents,
    )


@contextmanager
def _prepared(
    options: Options,
) -> Iterator[tuple[Config, Workshop, tuple[Schema, ...]]]:
    config = options.load()
    schemas = options.schemas(config)
    with ExitStack() as stack:
        store = None
        if options.recorded is not None:
            store = stack.enter_context(Store(options.recorded, write=False))
        workshop = Workshop(config, local_only=options.local_only, recorded=store)
        workshop.validate()
        workshop.check_endpoints()
        yield config, workshop, schemas


def estimate(
    paths: Paths,
    *,
    out: str | PathLike[str],
    strategies: Sequence[str] = (),
    options: Options | None = None,
    listing: IO[str] | None = None,
) -> Plan:
    """What a batch would ask and cost; nothing is started. Raises UsageError and its kin."""
    options = options or Options()
    with _prepared(options) as (config, workshop, schemas):
        built = [workshop.strategy(name) for name in strategies or (config.strategy,)]
        sources = discover(_texts(paths), listing, config.images)
        file = Path(out) / STORE
        with Store(file, write=False) if file.is_file() else nullcontext() as store:
            return estimate_run(sources, built, schemas, workshop, store)


def evaluate(
    folder: str | PathLike[str],
    truth: TruthFiles,
    *,
    config: Config | None = None,
    goal: Goal | None = None,
) -> Scores:
    """Score a run, or all strategies of a comparison, against verified sheets.

    Writes scores.json, accuracy.xlsx and report.html into the folder, and with a `goal` also
    recommended.yaml, the cheapest policy that is certified for it. Raises TruthError when a sheet
    cannot be used, StoreError when the folder holds no run.
    """
    from ocr_moe.evaluation.truth.truthset import read_truths
    from ocr_moe.laboratory.evaluating import evaluate_run

    config = config or load_config()
    folder = Path(folder)
    with _store_of(folder) as store:
        return evaluate_run(store, read_truths(_files(truth), config.truth), folder, config, goal)


def evaluate_columns(
    sheet: str | PathLike[str],
    truth_column: str,
    predicted_column: str,
    *,
    out: str | PathLike[str] | None = None,
    config: Config | None = None,
) -> Scores:
    """Score one column of a sheet against another, each named by heading or by letter.

    Raises TruthError when a column is not there or holds nothing.
    """
    from ocr_moe.evaluation.evaluate import score_columns

    config = config or load_config()
    return score_columns(
        Path(sheet),
        truth_column,
        predicted_column,
        None if out is None else Path(out),
        truth=config.truth,
    )


def compare(
    paths: Paths,
    truth: TruthFiles,
    *,
    out: str | PathLike[str],
    strategies: Sequence[str] = (),
    options: Options | None = None,
    goal: Goal | None = None,
    listing: IO[str] | None = None,
    report: Callable[[Progress], None] = _silent,
    notice: Callable[[Notice], None] = _silent,
) -> tuple[Run, Scores]:
    """Run several strategies over the same documents, each expert asked once, and score them.

    Without `strategies` every one whose endpoints are configured is taken, and the others are listed
    with what to set. Raises UsageError and its kin.
    """
    from ocr_moe.evaluation.truth.truthset import read_truths
    from ocr_moe.laboratory.evaluating import evaluate_run

    options = options or Options()
    folder = Path(out)
    with _prepared(options) as (config, workshop, schemas):
        # A sheet that cannot be used is told before anything is started or written.
        truths = read_truths(_files(truth), config.truth)
        truths.check(schemas)
        skipped: dict[str, str] = {}
        if strategies:
            chosen = {name: workshop.strategy(name) for name in strategies}
        else:
            chosen, skipped = workshop.available_strategies()
        sources = discover(_texts(paths), listing, config.images)
        with Batch(
            folder,
            workshop=workshop,
            strategies=list(chosen.values()),
            schemas=schemas,
            max_cost=options.max_cost,
            notice=notice,
            language=options.language,
        ) as batch:
            outcome = batch.execute(
                sources,
                ocr=options.ocr,
                update=options.update,
                retry_failed=options.retry_failed,
                frozen_strategies=False,
                report=report,
            )
            batch.store.set_meta("skipped", skipped)
            batch.export()
        with Store(folder / STORE, write=False) as store:
            scores = evaluate_run(store, truths, folder, config, goal or Goal())
    return Run(folder, outcome), scores


def calibrate(
    folder: str | PathLike[str],
    truth: TruthFiles,
    *,
    config: Config | None = None,
    synthetic: bool = False,
    report: Callable[[int, int], None] = _silent,
) -> tuple[CalibrationResult, list[Path]]:
    """Fit confidences on a run and its verified sheets, asking nobody.

    `report` hears which of how many steps is done.

    Writes calibration.yaml (the model, readable) and calibrated.yaml (configuration that uses it)
    into the folder. Raises TruthError when there is too little truth, StoreError without a run.
    """
    from ocr_moe.laboratory.files import write_calibration
    from ocr_moe.laboratory.laboratory import open_run

    config = config or load_config()
    folder, sheets = Path(folder), _files(truth)
    with _store_of(folder) as store:
        laboratory = open_run(store, sheets, config)
        data = ", ".join(sheet.name for sheet in sheets)
        result = laboratory.calibrate(data, synthetic=synthetic, report=report)
    return result, write_calibration(folder, result.calibration, config)


def _store_of(folder: Path) -> Store:
    """The store of a run, to be read. Raises StoreError, also when the folder is no run's."""
    file = folder / STORE
    if not file.exists():
        what = (
            "is not a folder of a run, it has no store.sqlite"
            if folder.exists()
            else "is not there"
        )
        raise StoreError(f"{folder} {what}: name the folder that `extract` or `compare` wrote")
    return Store(file, write=False)


def _texts(paths: Paths) -> list[str]:
    if isinstance(paths, str | PathLike):
        return [str(paths)]
    return [str(path) for path in paths]


def _files(truth: TruthFiles) -> list[Path]:
    return [Path(sheet) for sheet in ([truth] if isinstance(truth, str | PathLike) else truth)]


def _one_of(names: Sequence[str], wanted: str | None) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise KeyError(f"name one of the strategies {', '.join(names)}")
    return str(wanted)

"""The Python API: extract, evaluate, compare, review, and what came of it as pandas frames.

import ocr_moe
run = ocr_moe.extract(["scans/"], out="run", schema="business_license")
run.to_frame()
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ocr_moe.errors import StoreError, UsageError
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.source import Source
from ocr_moe.intake.sources import discover
from ocr_moe.laboratory.goal import Goal as Goal
from ocr_moe.remote.fetching import local_copies
from ocr_moe.remote.filesystems import as_given, is_url, shown
from ocr_moe.remote.publication import Published
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.destinations import destination_of, opened_destination
from ocr_moe.run.estimate import Plan
from ocr_moe.run.estimate import estimate as estimate_run
from ocr_moe.run.merging import Merged
from ocr_moe.run.merging import merge as merge_runs
from ocr_moe.run.opened import choice_of
from ocr_moe.run.outcome import Notice, Outcome, Progress
from ocr_moe.run.pictures import PageImages
from ocr_moe.run.runners import Cluster
from ocr_moe.run.shards import Division, Shard, Share
from ocr_moe.schema import Schema, crop_schema
from ocr_moe.store.database import Records, Store
from ocr_moe.types import Decision, Record
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, candidate_schemas, find_schema, load_config

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from ocr_moe.drafting.session import Drafting
    from ocr_moe.evaluation.scores import Scores
    from ocr_moe.laboratory.calibrating import CalibrationResult
    from ocr_moe.reviewing.desk import Desk

Paths = str | PathLike[str] | Iterable[str | PathLike[str]]
Files = str | PathLike[str] | Sequence[str | PathLike[str]]
TruthFiles = Files
"""Verified sheets, one a schema."""


_NOTEBOOK_PICTURE = (520, 96)
"""Most pixels of a picture in a notebook's table."""


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
    work: Path | None = None
    """Where the store is of a run whose `out` is a URL; by default a folder of this machine's own."""
    shard: str | None = None
    runner: str = "local"
    no_wait: bool = False
    language: Language = "en"
    """Of the workbooks."""

    def load(self) -> Config:
        """Raises ConfigError."""
        own = self.config
        config = own if isinstance(own, Config) else load_config(own)
        return (
            config if self.workers is None else config.model_copy(update={"workers": self.workers})
        )

    def schemas(self, config: Config, folder: Path) -> tuple[Schema, ...]:
        """The named schema, or for `auto` all that are known; what ships since the run of the folder
        was begun is none of its. Raises SchemaError."""
        begun = choice_of(folder) if self.schema == "auto" else frozenset()
        known = {schema.name: schema for schema in candidate_schemas(config, begun)}
        if self.schema == "auto":
            found = tuple(known.values())
        else:
            found = (known[self.schema] if self.schema in known else find_schema(self.schema),)
        return found if self.crops is None else (crop_schema(found, self.crops),)


class Run:
    """A finished run in its folder, or of a URL, whose folder is then on this machine.

    `outcome` says how this start went, and is None for a run that was merely opened.
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        outcome: Outcome | None = None,
        *,
        work: str | PathLike[str] | None = None,
    ) -> None:
        """`work` is the folder of a URL's run, where it is not the usual one.

        Raises StoreError for a URL whose run is not on this machine."""
        self.destination = opened_destination(folder, work)
        self.folder = self.destination.folder
        self.outcome = outcome

    def publish(self, report: Callable[[int, int], None] = _silent) -> Published | None:
        """Upload to the run's URL what is not there yet; None for a run without one. `report` hears how
        many of how many files are there. Raises OutputError."""
        return self.destination.publish(report)

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

    def __iter__(self) -> Iterator[Record]:
        """The records of the only strategy; the store is open while they are gone through."""
        with self.records() as records:
            yield from records

    def to_check(self, strategy: str | None = None) -> pd.DataFrame:
        """One row a cell at which a person should look, the most doubtful first: path, page, part,
        schema, field, value, confidence, status, notes."""
        from ocr_moe.exports.frame import doubts_of

        with self.records(strategy) as records:
            return doubts_of(records)

    def page(self, record: Record, page: int = 1) -> Image.Image:
        """A righted page of a record's document, counted from 1. Raises DocumentError where the original
        is gone or was changed."""
        with self._pictures() as pictures:
            return pictures.page(record.document, page)

    def crop(self, record: Record, field: str) -> Image.Image | None:
        """What stands on the page where a field's value was found; None where none was.

        Raises KeyError for a field that the record does not have, DocumentError as `page` does.
        """
        evidence = record.fields[field].evidence
        if evidence is None:
            return None
        with self._pictures() as pictures:
            return pictures.crop(record.document, evidence.box, evidence.page)

    def evaluate(
        self, truth: TruthFiles, *, config: Config | None = None, goal: Goal | None = None
    ) -> Scores:
        """Score the run against verified sheets; see `evaluate`."""
        return evaluate(self.folder, truth, config=config, goal=goal)

    def review(self, strategy: str | None = None) -> Desk:
        """The run under review; see `review`."""
        return review(self.folder, strategy=strategy)

    def _repr_html_(self) -> str:
        """The run in numbers, and its most doubtful cells, for notebooks."""
        from ocr_moe.exports.notebook import html_of

        with self._store() as store, closing(PageImages(store, load_config().images)) as pictures:
            shown = (
                html_of(
                    f"{self.folder}: {name}",
                    store.records(name),
                    lambda record, field: pictures.field_jpeg(record, field, _NOTEBOOK_PICTURE),
                )
                for name in store.strategies()
            )
            return "".join(shown)

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
        from ocr_moe.exports.exporters import FORMATS
        from ocr_moe.run.exporting import exported

        with self._store() as store:
            name = _one_of(store.strategies(), strategy)
            with closing(PageImages(store, load_config().images)) as pictures:
                run = replace(
                    exported(store, name),
                    language=language,
                    pictures=pictures,
                    sheet_pictures=crops,
                )
                return FORMATS[format].write(_here(to), run)

    def export_ocr(self, to: str | PathLike[str]) -> int:
        """Write all page OCR as JSONL, for `Options.ocr`; how many pages. Raises as `export` does."""
        from ocr_moe.exports.ocr import write_ocr

        with self._store() as store:
            return write_ocr(_here(to), store.pages())

    def _store(self) -> Store:
        return _store_of(self.folder)

    @contextmanager
    def _pictures(self) -> Iterator[PageImages]:
        with self._store() as store, closing(PageImages(store, load_config().images)) as pictures:
            yield pictures


def extract(
    paths: Paths,
    *,
    out: str | PathLike[str] | None = None,
    schema: str | None = None,
    strategy: str | None = None,
    options: Options | None = None,
    listing: IO[str] | None = None,
    report: Callable[[Progress], None] = _silent,
    notice: Callable[[Notice], None] = _silent,
    publishing: Callable[[int, int], None] = _silent,
) -> Run:
    """Read every document with one strategy, and export the run.

    `schema` is the name of a kind of document, the path of a schema's file, or `auto`; it goes before
    that of the options. `out` is a new temporary folder when not given; a run that was started there
    before goes on. Where it is a URL the store is in `options.work`, and the run's files are published
    behind the URL at the end. `report` hears of every file that is done, `notice` of what is told once,
    `publishing` of how many of how many files are published. Raises UsageError and its kin, OutputError
    where the exports cannot be written, and InterruptedRunError (a KeyboardInterrupt) on Ctrl-C, once
    what was under way was stored; a document that fails is in its record, not raised.
    """
    options = options or Options()
    if schema is not None:
        options = replace(options, schema=schema)
    to = destination_of(tempfile.mkdtemp(prefix="ocr-moe-") if out is None else out, options.work)
    with _local(options) as options, _prepared(options, to.folder) as (config, workshop, schemas):
        chosen = [workshop.strategy(strategy or config.strategy)]
        sources, division = _share(discover(_texts(paths), listing, config.images), options)
        with _batch(to.folder, sources, options, workshop, chosen, schemas, notice) as batch:
            outcome = batch.execute(
                sources,
                ocr=options.ocr,
                update=options.update,
                retry_failed=options.retry_failed,
                division=division,
                report=report,
            )
            outcome.to_check = batch.export().strategies[chosen[0].name].left_to_check
    to.publish(publishing)
    return Run(to.url or to.folder, outcome, work=options.work)


@contextmanager
def _batch(
    folder: Path,
    sources: Collection[Source],
    options: Options,
    workshop: Workshop,
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    notice: Callable[[Notice], None],
) -> Iterator[Batch]:
    """A batch in a folder, on a cluster where the options want one."""
    with (
        _cluster(options, workshop, strategies, schemas, sources) as cluster,
        Batch(
            folder,
            cluster=cluster,
            workshop=workshop,
            strategies=strategies,
            schemas=schemas,
            max_cost=options.max_cost,
            deferring=True,
            wait=not options.no_wait,
            notice=notice,
            language=options.language,
        ) as batch,
    ):
        yield batch


@contextmanager
def _local(options: Options) -> Iterator[Options]:
    """The options with local copies of the files that they name by URLs."""
    with local_copies() as local:
        yield replace(
            options,
            config=local(options.config)
            if isinstance(options.config, PathLike)
            else options.config,
            ocr=None if options.ocr is None else local(options.ocr),
            recorded=None if options.recorded is None else local(options.recorded),
        )


@contextmanager
def _prepared(
    options: Options,
    folder: Path,
) -> Iterator[tuple[Config, Workshop, tuple[Schema, ...]]]:
    config = options.load()
    schemas = options.schemas(config, folder)
    with ExitStack() as stack:
        store = None
        if options.recorded is not None:
            store = stack.enter_context(Store(options.recorded, write=False))
        yield config, _checked_workshop(config, options, store), schemas


def _checked_workshop(config: Config, options: Options, recorded: Store | None = None) -> Workshop:
    workshop = Workshop(config, local_only=options.local_only, recorded=recorded)
    workshop.validate()
    workshop.check_endpoints()
    return workshop


@contextmanager
def _cluster(
    options: Options,
    workshop: Workshop,
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    sources: Iterable[Source],
) -> Iterator[Cluster | None]:
    """What makes the records on other machines, once each of them was found fit to; None where this one
    does. Raises UsageError, ClusterError."""
    if options.runner == "local":
        yield None
        return
    if options.runner != "ray":
        raise UsageError(f"--runner {options.runner}: there are local, ray")
    if not workshop.can_be_copied(strategies):
        raise UsageError(
            "--runner ray: nodes build what reads from the configuration; parts that were made in this "
            "process alone cannot be sent to them"
        )
    from ocr_moe.run.cluster.attaching import attached
    from ocr_moe.run.cluster.runner import RayRunner
    from ocr_moe.run.workers.messages import Job

    settings = workshop.config.cluster
    names = tuple(strategy.name for strategy in strategies)
    with attached(settings, workshop.config.workers) as cluster:
        runner = RayRunner(cluster, settings)
        job = Job(Path(), workshop.blueprint, names, tuple(schemas))
        readable = (source for source in sources if source.problem is None)
        runner.examine(job, next(readable, None))
        yield runner


def _share(
    sources: Collection[Source], options: Options
) -> tuple[Collection[Source], Division | None]:
    """The files of the shard that the options name, or all. Raises UsageError."""
    if options.shard is None:
        return sources, None
    share = Share(Shard.parse(options.shard), sources)
    return share, share.division


def merge(
    folders: Files,
    out: str | PathLike[str],
    *,
    language: Language = "en",
    begun: Callable[[Merged], None] = _silent,
    publishing: Callable[[int, int], None] = _silent,
) -> tuple[Run, Merged]:
    """Take shards of a run, or runs of further files, into one, asking nobody, and export it.

    `begun` hears first of shards that are missing or doubled, `publishing` as in `extract`. Runs that
    were not made alike, or of which one cannot be used, raise StoreError, and nothing is written.
    """
    to = destination_of(out)
    parts = [opened_destination(folder).folder for folder in _files(folders)]
    merged = merge_runs(parts, to.folder, language=language, begun=begun)
    to.publish(publishing)
    return Run(to.url or to.folder, merged.outcome), merged


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
    to = destination_of(out, options.work)
    with _local(options) as options, _prepared(options, to.folder) as (config, workshop, schemas):
        built = [workshop.strategy(name) for name in strategies or (config.strategy,)]
        sources, _ = _share(discover(_texts(paths), listing, config.images), options)
        file = to.folder / STORE
        with Store(file, write=False) if file.is_file() else nullcontext() as store:
            return estimate_run(sources, built, schemas, workshop, store)


def evaluate(
    folder: str | PathLike[str],
    truth: TruthFiles,
    *,
    config: Config | None = None,
    goal: Goal | None = None,
    language: Language = "en",
) -> Scores:
    """Score a run, or all strategies of a comparison, against verified sheets.

    `folder` may also be the records.xlsx in it, or a Parquet file or folder of parts that `export`
    wrote, of which there is no store. Writes scores.json, accuracy.xlsx (in a language) and
    report.html (in both) into the folder, and with a `goal` also recommended.yaml: the cheapest policy
    that is certified for it, or else the most accurate strategy that ran. Raises TruthError when a sheet
    cannot be used, StoreError when the folder holds no run.
    """
    from ocr_moe.evaluation.truth.truthset import read_truths
    from ocr_moe.laboratory.evaluating import evaluate_run

    config = config or load_config()
    if goal is None and _is_parquet(folder):
        return _evaluate_parts(Path(folder), _files(truth), config, language)
    named = folder
    folder = run_folder(folder)
    if folder.is_file() and any((sheet / STORE).exists() for sheet in _files(truth)):
        raise UsageError(
            f"{folder} is a file, and --truth names the folder of a run: give the folder first, then "
            "--truth and the sheet"
        )
    with _store_of(folder) as store, local_copies() as local:
        truths = read_truths(_files(truth, local), config.truth)
        scores = evaluate_run(store, truths, folder, config, goal, language=language)
    if is_url(as_given(named)):
        opened_destination(named).publish()
    return scores


def _is_parquet(what: str | PathLike[str]) -> bool:
    path = Path(what)
    if path.is_dir():
        return not (path / STORE).exists() and any(path.rglob("*.parquet"))
    return path.suffix.lower() == ".parquet" and path.is_file()


def _evaluate_parts(
    what: Path, truth: Sequence[Path], config: Config, language: Language
) -> Scores:
    """What `evaluate` does, of records alone; without crops, as nobody knows where pages are."""
    from ocr_moe.evaluation.evaluate import EvaluationOptions
    from ocr_moe.evaluation.evaluate import evaluate as evaluate_material
    from ocr_moe.evaluation.material import gather
    from ocr_moe.evaluation.truth.truthset import read_truths
    from ocr_moe.exports.parts import read_parquet

    runs, schemas = read_parquet(what)
    material = gather(runs, schemas, read_truths(truth, config.truth))
    out = what if what.is_dir() else what.parent
    return evaluate_material(material, out, options=EvaluationOptions(language=language))


def evaluate_columns(
    sheet: str | PathLike[str],
    truth_column: str,
    predicted_column: str,
    *,
    out: str | PathLike[str] | None = None,
    config: Config | None = None,
    language: Language = "en",
) -> Scores:
    """Score one column of a sheet against another, each named by heading or by letter.

    They are compared by the field that their headings name, of all schemas that are known (dates as
    dates, amounts as amounts), else by what their values look like; `problems` says which it was
    (`compared_as`). Raises TruthError when a column is not there or holds nothing.
    """
    from ocr_moe.evaluation.evaluate import EvaluationOptions, score_columns

    config = config or load_config()
    return score_columns(
        Path(sheet),
        truth_column,
        predicted_column,
        None if out is None else _here(out),
        fields=[field for schema in candidate_schemas(config) for field in schema.fields],
        truth=config.truth,
        options=EvaluationOptions(language=language),
    )


def template(
    what: str | PathLike[str],
    out: str | PathLike[str],
    *,
    strategy: str | None = None,
    language: Language = "en",
    config: Config | None = None,
) -> int:
    """Write a verified sheet to be filled in; how many documents it has.

    `what` is a schema (by name, or by its YAML file), for an empty sheet, or the folder of a run, for
    one with its documents and what one strategy is sure of: the named one, the configured one, or else
    the only one. Rows of it count once a person has marked them as checked. Raises UsageError where
    `out` exists (a person's work may be in it), StoreError, SchemaError, OutputError.
    """
    from ocr_moe.exports.template import write_prefilled, write_template
    from ocr_moe.run.exporting import schemas_of

    config, out, folder = config or load_config(), _here(out), run_folder(what)
    if out.suffix.lower() != ".xlsx":
        raise UsageError(f"{out}: a verified sheet is an Excel workbook; name it something.xlsx")
    if out.exists():
        raise UsageError(f"{out} exists, and somebody may have worked in it; name another file")
    absent = next(iter(config.truth.absent), "")
    if not absent:
        raise UsageError("truth.absent of the configuration names no word for what is not there")
    if not folder.is_dir():
        write_template(out, find_schema(str(what)), language=language, absent=absent)
        return 0
    with _store_of(folder) as store:
        names = store.strategies()
        if strategy is None and config.strategy in names:
            strategy = config.strategy
        if strategy not in names and (strategy is not None or len(names) != 1):
            raise UsageError(f"{folder}: name one of its strategies: {', '.join(names) or 'none'}")
        records = store.records(strategy or names[0])
        return write_prefilled(out, records, schemas_of(store), language=language, absent=absent)


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
    publishing: Callable[[int, int], None] = _silent,
) -> tuple[Run, Scores]:
    """Run several strategies over the same documents, each expert asked once, and score them.

    Without `strategies` every one whose endpoints are configured is taken, and the others are listed
    with what to set. Raises UsageError and its kin.
    """
    from ocr_moe.evaluation.truth.truthset import read_truths
    from ocr_moe.laboratory.evaluating import evaluate_run

    options = options or Options()
    to = destination_of(out, options.work)
    folder = to.folder
    with (
        _local(options) as options,
        local_copies() as local,
        _prepared(options, folder) as (config, workshop, schemas),
    ):
        # A sheet that cannot be used is told before anything is started or written.
        truths = read_truths(_files(truth, local), config.truth)
        truths.check(schemas)
        skipped: dict[str, str] = {}
        if strategies:
            chosen = {name: workshop.strategy(name) for name in strategies}
        else:
            chosen, skipped = workshop.available_strategies()
        sources, division = _share(discover(_texts(paths), listing, config.images), options)
        built = list(chosen.values())
        with _batch(folder, sources, options, workshop, built, schemas, notice) as batch:
            outcome = batch.execute(
                sources,
                ocr=options.ocr,
                update=options.update,
                retry_failed=options.retry_failed,
                frozen_strategies=False,
                division=division,
                report=report,
            )
            batch.store.sign({"skipped": skipped}, clear_records=False)
            batch.export()
        with Store(folder / STORE, write=False) as store:
            scores = evaluate_run(
                store, truths, folder, config, goal or Goal(), language=options.language
            )
    to.publish(publishing)
    return Run(to.url or folder, outcome, work=options.work), scores


def suggest(
    paths: Paths,
    *,
    out: str | PathLike[str],
    truth: str | PathLike[str] | None = None,
    name: str = "",
    count: int = 20,
    strategy: str = "rules",
    llm: bool = True,
    options: Options | None = None,
    listing: IO[str] | None = None,
    report: Callable[[int, int], None] = _silent,
    notice: Callable[[Notice], None] = _silent,
    trouble: Callable[[str], None] = _silent,
) -> Drafting:
    """Draft a schema from some of the files, and write it to `out`, a new YAML file.

    With a verified sheet as `truth` its columns are the fields, and what was drafted is held against it
    with a strategy. Where a text LLM is configured it is asked for better names, unless `llm` is false;
    `trouble` hears why it was of no use, and which files could not be read. Texts of pages are kept in
    `options.work`, where that is given. The samples can then be read under any text of a schema, until
    what is returned is closed. Raises UsageError and its kin.
    """
    from ocr_moe.drafting.suggesting import Wish, suggested

    options = options or Options()
    file = _here(out)
    with _local(options) as options, local_copies() as local:
        config = options.load()
        workshop = _checked_workshop(config, options)
        wish = Wish(
            file=file,
            sheet=None if truth is None else local(truth),
            name=name,
            count=count,
            strategy=strategy,
            llm=llm,
            language=options.language,
        )
        sources = discover(_texts(paths), listing, config.images)
        return suggested(
            sources, workshop, wish, options.work, report=report, notice=notice, trouble=trouble
        )


def review(
    folder: str | PathLike[str],
    *,
    strategy: str | None = None,
    config: Config | None = None,
    originals: str | PathLike[str] | None = None,
) -> Desk:
    """Open a run for review: its doubtful cells, and what people say of them.

    with ocr_moe.review("run") as desk:
        for cell in desk.waiting():
            desk.judge(cell.key, "…", reviewer="li")

    Nobody else writes the run meanwhile. Without a configuration it is the run's own; `originals` is a
    folder in which moved files are looked for. Raises StoreError where there is no run or another
    process writes it, UsageError for a strategy that it does not have.
    """
    from ocr_moe.reviewing.desk import Desk

    where = None if originals is None else Path(originals)
    return Desk.open(run_folder(folder), config=config, strategy=strategy, originals=where)


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
    folder, sheets = run_folder(folder), _files(truth)
    with _store_of(folder) as store:
        laboratory = open_run(store, sheets, config)
        data = ", ".join(sheet.name for sheet in sheets)
        result = laboratory.calibrate(data, synthetic=synthetic, report=report)
    return result, write_calibration(folder, result.calibration, config)


def run_folder(what: str | PathLike[str]) -> Path:
    """The folder of a run that is named by itself or by one of the files that it wrote there; of a
    Parquet file its own."""
    if _is_parquet(what):
        return Path(what) if Path(what).is_dir() else Path(what).parent
    path = opened_destination(what).folder
    return path.parent if path.is_file() and (path.parent / STORE).is_file() else path


def _store_of(folder: Path) -> Store:
    """The store of a run, to be read. Raises StoreError, also when the folder is no run's."""
    if folder.is_file():
        raise StoreError(
            f"{folder} is a file, not the folder of a run: name the folder that `extract` or `compare` "
            "wrote; a verified sheet goes with --truth, and two columns of one sheet are compared with "
            "--truth-column and --predicted-column"
        )
    file = folder / STORE
    if not file.exists():
        what = (
            "is not a folder of a run, it has no store.sqlite"
            if folder.exists()
            else "is not there"
        )
        raise StoreError(f"{folder} {what}: name the folder that `extract` or `compare` wrote")
    return Store(file, write=False)


def _here(path: str | PathLike[str]) -> Path:
    """Where a single file is to be written. Raises UsageError for a URL."""
    text = as_given(path)
    if is_url(text):
        raise UsageError(f"{shown(text)}: a single file is written to this machine; name a path")
    return Path(path)


def _texts(paths: Paths) -> list[str]:
    if isinstance(paths, str | PathLike):
        return [as_given(paths)]
    return [as_given(path) for path in paths]


def _files(files: Files, local: Callable[[str | PathLike[str]], Path] = Path) -> list[Path]:
    return [local(file) for file in ([files] if isinstance(files, str | PathLike) else files)]


def _one_of(names: Sequence[str], wanted: str | None) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted not in names:
        raise KeyError(f"name one of the strategies {', '.join(names)}")
    return str(wanted)

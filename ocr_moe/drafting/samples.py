"""Sample documents: some of the files behind PATHs, read once by the run's own intake and engine, and
read again under any schema from the texts that are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError, EngineError, UsageError
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.folds import fold_path
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.righting import turn
from ocr_moe.intake.sources import Source
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import words_of
from ocr_moe.run.documents import PageReader
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.outcome import Notice
from ocr_moe.run.processing import Processor
from ocr_moe.schema import Schema
from ocr_moe.settings import Component
from ocr_moe.store.database import Store
from ocr_moe.types import PageText, Record
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import StrategyConfig

if TYPE_CHECKING:
    from PIL import Image

KEPT = "samples.sqlite"
"""The texts of the pages, in the folder that they are kept in."""
_TRIAL = "trial"
"""A strategy of the expert `rules` alone; its name is nobody else's, for it is in no configuration."""
MOST_PAGES = 3
"""Pages of a file that are looked at: labels that come later only are rare, and reading takes a second a
page."""


def _silent(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Sample:
    """A sample document: its file, and what was read on its first pages."""

    name: str
    source: Source
    sha256: str
    pages: tuple[PageText, ...]
    is_whole: bool = True
    """Whether these are all of its pages."""


@dataclass(frozen=True)
class Unread:
    """A file that could not be read, and why."""

    name: str
    why: str


class Samples:
    """Documents that a schema is drafted from. Safe to share between threads."""

    def __init__(
        self, workshop: Workshop, documents: Sequence[Sample], unread: Sequence[Unread] = ()
    ) -> None:
        self.workshop = workshop
        self.documents = tuple(documents)
        self.unread = tuple(unread)
        self._lock = Lock()

    def read(self, schema: Schema, strategy: str) -> list[Record]:
        """What a strategy reads on the samples under a schema, from the texts that are kept: no page
        goes through OCR again. Raises as a run does."""
        return self._read(schema, self.workshop, strategy)

    def tried(self, schema: Schema) -> list[Record]:
        """The same by page texts, labels and patterns alone: what they find is what a draft is made
        of."""
        return self._read(schema, self._trial, _TRIAL)

    @cached_property
    def _trial(self) -> Workshop:
        config = self.workshop.config
        alone = StrategyConfig(
            gate=Component.model_validate({"kind": "fixed", "default": ["rules"]}),
            combiner=Component(kind="priority"),
        )
        strategies = {**config.strategies, _TRIAL: alone}
        return Workshop(config.model_copy(update={"strategies": strategies}), offline=True)

    def _read(self, schema: Schema, workshop: Workshop, strategy: str) -> list[Record]:
        with tempfile.TemporaryDirectory(prefix="ocr-moe-") as folder:
            return self._read_in(Path(folder), schema, workshop, workshop.strategy(strategy))

    def _read_in(
        self, folder: Path, schema: Schema, workshop: Workshop, chosen: Strategy
    ) -> list[Record]:
        # A store of its own: answers hang on more of a schema than the question's digest tells.
        with Store(folder / KEPT) as store:
            for each in self.documents:
                store.put_page_count(each.sha256, len(each.pages))
                store.put_pages(
                    (each.sha256, number, page.engine, page)
                    for number, page in enumerate(each.pages, 1)
                )
            processor = Processor(store, workshop, [chosen], [schema], Ledger())
            with closing(processor):
                rows = [
                    row
                    for each in self.documents
                    for row in processor.process([each.source], each.sha256).rows
                ]
        return [Record.model_validate_json(row.record) for row in rows]

    def image(self, index: int, page: int = 1) -> Image.Image:
        """Righted pixels of a sample's page. Raises DocumentError, IndexError."""
        sample = self.documents[index]
        text = sample.pages[page - 1]
        with self._lock, self._decoder.open(sample.source, sample.sha256) as opened:
            return turn(opened.page(page), text.rotation)

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.workshop.config.images)

    def close(self) -> None:
        """End the processes that decode."""
        if "_decoder" in vars(self):
            self._decoder.close()

    def __enter__(self) -> Samples:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_samples(
    sources: Collection[Source],
    workshop: Workshop,
    *,
    count: int,
    kept: Path,
    named: Collection[Path] = (),
    report: Callable[[int, int], None] = _silent,
    notice: Callable[[Notice], None] = _silent,
) -> Samples:
    """Read some of the files, evenly spread over them, or over those that sheets name.

    Texts of pages are kept in the folder `kept`, and taken from there where they are. `report` hears how
    many of how many are read. Raises UsageError where not one can be read.
    """
    chosen = chosen_of(sources, count, named)
    documents: list[Sample] = []
    unread: list[Unread] = []
    kept.mkdir(parents=True, exist_ok=True)
    with Store(kept / KEPT) as store, Decoder(workshop.config.images) as decoder:
        for number, source in enumerate(chosen, 1):
            try:
                documents += _sample(source, workshop, store, decoder, notice)
            except (DocumentError, EngineError) as error:
                unread.append(Unread(source.name, words_of(error)))
            report(number, len(chosen))
    if not documents:
        why = "; ".join(each.why for each in unread[:3]) or "every page is blank"
        raise UsageError(f"none of the samples can be read: {why}")
    return Samples(workshop, documents, unread)


def _sample(
    source: Source,
    workshop: Workshop,
    store: Store,
    decoder: Decoder,
    notice: Callable[[Notice], None],
) -> Iterator[Sample]:
    config = workshop.config
    sha256 = source.digest(config.images)
    reader = PageReader(
        source,
        sha256,
        workshop.engine("default"),
        store,
        decoder,
        remove_seals=config.remove_seals,
        text_layer=config.images.text_layer,
        before_reading=lambda: notice(Notice.LOADING),
        books=Ledger(),
    )
    with closing(reader):
        total = reader.count()
        pages = tuple(reader.text(number) for number in range(1, min(total, MOST_PAGES) + 1))
    if any(page.lines for page in pages):
        yield Sample(source.name, source, sha256, pages, total <= MOST_PAGES)


def chosen_of(
    sources: Collection[Source], count: int, sheets: Collection[Path] = ()
) -> list[Source]:
    """At most so many of the files, evenly spread: of those that a sheet names, where it names any."""
    words = {
        fold_path(cell.text).rsplit("/", 1)[-1]
        for path in sheets
        for table in read_tables(path)
        for _, row in table.rows
        for cell in row
        if cell.text
    }
    if words:
        named = [each for each in sources if _is_named(each, words)]
        if named:
            return _spread(named, count)
    return _spread(list(sources), count)


def _is_named(source: Source, words: Collection[str]) -> bool:
    name = fold_path(source.name).rsplit("/", 1)[-1]
    return name in words or name.rpartition(".")[0] in words


def _spread(sources: Sequence[Source], count: int) -> list[Source]:
    if len(sources) <= count:
        return list(sources)
    return [sources[index * len(sources) // count] for index in range(count)]

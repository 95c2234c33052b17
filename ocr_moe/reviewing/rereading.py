"""Files that are read again because people said what their documents are, or where they stand.

It is the run's own pipeline with live experts: what the store holds already is not asked for again, so
that mostly only the fields of another schema are read.  One file at a time, in the background; a desk
that is closed or killed meanwhile goes on with the rest when it is opened again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ocr_moe.errors import DocumentError, OcrMoeError, StoreError
from ocr_moe.run.answers import words_of
from ocr_moe.run.exporting import told
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.opened import OpenedRun
from ocr_moe.run.pictures import PageImages
from ocr_moe.run.processing import Processor
from ocr_moe.store.database import RecordRow
from ocr_moe.types import DocumentRef, Record
from ocr_moe.workshop.build import Workshop

_PENDING = "rereading"
"""Under which the store keeps the hashes of the files that are still to be read again."""


class Phase(StrEnum):
    """How far a file is."""

    WAITING = "waiting"
    READING = "reading"
    FAILED = "failed"


@dataclass(frozen=True)
class Reread:
    """A file that is being read again, or could not be."""

    phase: Phase
    message: str = ""
    """Why it failed."""


class Rereading:
    """Reads files of a run again, one after the other. Safe to share between threads."""

    def __init__(
        self,
        run: OpenedRun,
        pictures: PageImages,
        documents: Callable[[str], Sequence[DocumentRef]],
        done: Callable[[Sequence[str], Sequence[RecordRow]], None],
    ) -> None:
        """`documents` gives those of a file by its hash; `done` takes the paths of one content with
        their new records under every strategy."""
        self._run = run
        self._pictures = pictures
        self._documents = documents
        self._done = done
        self._lock = threading.Lock()
        self._files: dict[str, Reread] = {}
        self._worker = ThreadPoolExecutor(1, "rereading")

    def go_on(self) -> None:
        """Take up what an earlier desk left."""
        for sha256 in told(self._run.store, _PENDING, list[str], []):
            self.submit(sha256)

    def submit(self, sha256: str) -> None:
        """Read all files of that content again, some time soon."""
        with self._lock:
            self._files[sha256] = Reread(Phase.WAITING)
            self._keep()
        self._worker.submit(self._work, sha256)

    def of(self, sha256: str) -> Reread | None:
        """How far a file is; None where its records stand."""
        with self._lock:
            return self._files.get(sha256)

    @property
    def files(self) -> Mapping[str, Reread]:
        """Hash → how far it is, of what does not stand yet."""
        with self._lock:
            return dict(self._files)

    def close(self) -> None:
        """Finish what is under way; the rest is left to the next desk."""
        self._worker.shutdown(cancel_futures=True)
        if "_processor" in vars(self):
            self._processor.close()

    @cached_property
    def _processor(self) -> Processor:
        run = self._run
        asked = any(model for _, model in run.store.recorded_experts().values())
        # Documents leave this machine only where the run itself asked servers.
        workshop = Workshop(run.config, recorded=run.store, local_only=not asked)
        strategies = [workshop.strategy(name) for name in run.strategies]
        return Processor(run.store, workshop, strategies, run.schemas, Ledger())

    def _work(self, sha256: str) -> None:
        with self._lock:
            self._files[sha256] = Reread(Phase.READING)
        try:
            self._read(sha256)
        except OcrMoeError as error:
            self._end(sha256, str(error))
        except Exception as error:  # of a plug-in: the desk goes on without it
            self._end(sha256, f"unexpected error ({type(error).__name__}: {words_of(error)})")
        else:
            self._end(sha256, None)

    def _read(self, sha256: str) -> None:
        documents = self._documents(sha256)
        sources = {each.path: self._pictures.source(each) for each in documents}
        if not sources:
            return
        processed = self._processor.process(list(sources.values()), sha256)
        if _are_read(processed.rows):
            # What experts answer without pixels would be worse than what stands there.
            self._pictures.page(documents[0])
        self._done(list(sources), processed.rows)

    def _end(self, sha256: str, why: str | None) -> None:
        with self._lock:
            if why is None:
                del self._files[sha256]
            else:
                self._files[sha256] = Reread(Phase.FAILED, why)
            try:
                self._keep()
            except StoreError:
                return  # the store is lost, which whoever asks next is told

    def _keep(self) -> None:
        self._run.store.set_meta(_PENDING, sorted(self._files))


def _are_read(rows: Iterable[RecordRow]) -> bool:
    """Whether any of the records has fields; raises DocumentError for a file that cannot be read."""
    records = [Record.model_validate_json(row.record) for row in rows]
    for record in records:
        if record.error is not None and record.error.type == DocumentError.__name__:
            raise DocumentError(record.error.message)
    return any(record.fields for record in records)

"""The inputs of a start beside those that the store knows: what differs, and what is still to be done.

Both are sorted by path and gone through side by side, so that a million files need no more memory than
ten.  A file whose state is what it was when it was read is not read again.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ocr_moe.errors import DocumentError
from ocr_moe.formats.files import scratch
from ocr_moe.formats.names import short_digest
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.source import Source
from ocr_moe.remote.filesystems import RemoteFile
from ocr_moe.store.database import Store
from ocr_moe.store.inputs import Input
from ocr_moe.types import FileState

_SHOWN = 3
"""Files that are named of those that differ in one way."""
_WRITTEN = 500
"""Rows that are written at once."""
_AHEAD = 64
"""Files that are read ahead of those that are processed."""
_AHEAD_BYTES = 1 << 30
"""Bytes of local copies from which on no further files are fetched."""
_TOGETHER = 16
"""Files of which is written down at once what was read."""
_READERS = 8
"""Of them at once: a storage answers slowly, but many at a time."""


class Difference(StrEnum):
    """How a file differs from what the store knows; the value is the word for it."""

    ADDED = "added"
    GONE = "gone"
    CHANGED = "changed"


@dataclass
class Changes:
    """How many files differ in which way, and the first of them."""

    counts: dict[Difference, int] = field(default_factory=dict)
    first: dict[Difference, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.counts)

    def note(self, difference: Difference, path: str) -> None:
        self.counts[difference] = self.counts.get(difference, 0) + 1
        shown = self.first.setdefault(difference, [])
        if len(shown) < _SHOWN:
            shown.append(path)

    def told(self) -> list[str]:
        """A phrase a way."""
        found = []
        for difference in Difference:
            count = self.counts.get(difference, 0)
            if count:
                shown = ", ".join(self.first[difference])
                more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
                files = "input file" if count == 1 else "input files"
                found.append(f"{count} {files} {difference} ({shown}{more})")
        return found


class Examined(NamedTuple):
    """What reading a file came to."""

    sha256: str
    """Empty where it cannot be read."""
    state: FileState | None
    """See `Source.examine`."""
    error: DocumentError | None = None
    """Why it cannot be read."""


def examined(source: Source, limits: ImageLimits) -> Examined:
    """Read a file to know which it is."""
    try:
        return Examined(*source.examine(limits))
    except DocumentError as error:
        return Examined("", None, error)


class Comparison:
    """The sources of a start, held against the rows of a store. What was read for it is read once."""

    def __init__(self, sources: Collection[Source], limits: ImageLimits) -> None:
        self.is_same = False
        """Whether a look found nothing that is to be written."""
        self._sources = sources
        self._limits = limits
        self._read = sqlite3.connect(
            "", isolation_level=None
        )  # on the disk: all of them may have been touched
        self._read.execute("CREATE TABLE read (path TEXT PRIMARY KEY, sha256, size, modified, tag)")

    def look(self, store: Store) -> Changes:
        """What differs from what a store knows; nothing is written."""
        changes = Changes()
        self.is_same = True
        for path, difference, _ in self._compared(store):
            self.is_same = False
            if difference is not None:
                changes.note(difference, path)
        return changes

    def apply(self, store: Store) -> Changes:
        """Make the store know the sources; what differed. Records of files that changed or are gone are
        dropped. To be done within `Store.writing`, so that it can still be refused."""
        changes = Changes()
        found = self._compared(store)
        while some := list(islice(found, _WRITTEN)):
            for path, difference, _ in some:
                if difference is not None:
                    changes.note(difference, path)
            gone = [path for path, how, _ in some if how is Difference.GONE]
            changed = [path for path, how, _ in some if how is Difference.CHANGED]
            store.inputs.change([row for _, _, row in some if row is not None], gone)
            if stale := gone + changed:
                store.drop_records(stale)
        return changes

    def close(self) -> None:
        self._read.close()

    def _compared(self, store: Store) -> Iterator[tuple[str, Difference | None, Input | None]]:
        """Of every file that differs, or of which something else is to be written: its path, in which
        way, and its new row."""
        for source, row in beside(self._sources, store.inputs):
            if source is None:
                assert row is not None
                yield row.path, Difference.GONE, None
                continue
            place = source.locate()
            if row is None:
                yield source.name, Difference.ADDED, Input(source.name, place)
            elif row.sha256 is None or (row.state is not None and row.state == source.state):
                if row.place != place:
                    yield source.name, None, row._replace(place=place)
            else:
                sha256, state = self._examined(source)
                new = Input(source.name, place, state, sha256)
                how = None if sha256 == row.sha256 else Difference.CHANGED
                if new != row:
                    yield source.name, how, new

    def _examined(self, source: Source) -> tuple[str, FileState | None]:
        found = self._read.execute("SELECT * FROM read WHERE path = ?", (source.name,)).fetchone()
        if found is not None:
            _, sha256, *state = found
            return sha256, None if state[0] is None else FileState(*state)
        sha256, known, _ = examined(source, self._limits)
        self._read.execute(
            "INSERT INTO read VALUES (?, ?, ?, ?, ?)",
            (source.name, sha256, *(known or (None, None, None))),
        )
        return sha256, known


class Pending(NamedTuple):
    """A file that lacks records."""

    source: Source
    sha256: str
    """Empty where it cannot be read."""
    error: DocumentError | None
    """Why it cannot be read."""


class LookAhead:
    """The files that lack records, by path, each read before it is its turn, a bounded number ahead.

    What was read of a file is in the store when it is given. A remote file comes with a local copy in a
    scratch folder beside the store; see `give_back`.
    """

    def __init__(
        self,
        store: Store,
        sources: Collection[Source],
        strategies: Sequence[str],
        limits: ImageLimits,
        *,
        fetch: bool = True,
    ) -> None:
        """Without `fetch` remote files come without a copy: they are processed on other machines."""
        self._fetch = fetch
        self._store = store
        self._sources = sources
        self._strategies = tuple(strategies)
        self._limits = limits
        self._stack = ExitStack()
        self._copies: Path | None = None

    def __enter__(self) -> LookAhead:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Pending]:
        readers = ThreadPoolExecutor(_READERS, thread_name_prefix="input")
        waiting: deque[_Waiting] = deque()
        lacking = self._lacking()
        try:
            while True:
                while len(waiting) < _AHEAD and sum(each.size for each in waiting) < _AHEAD_BYTES:
                    found = next(lacking, None)
                    if found is None:
                        break
                    waiting.append(self._begun(readers, *found))
                if not waiting:
                    return
                ready = [waiting.popleft()]
                while waiting and waiting[0].is_ready() and len(ready) < _TOGETHER:
                    ready.append(waiting.popleft())
                given = [each.result() for each in ready]
                self._store.inputs.read(
                    [
                        (pending.source.name, pending.sha256, state)
                        for each, (pending, state) in zip(ready, given, strict=True)
                        if each.future is not None
                    ]
                )
                for pending, _ in given:
                    yield pending
        finally:
            readers.shutdown(wait=False, cancel_futures=True)

    def _lacking(self) -> Iterator[tuple[Source, Input]]:
        sources = iter(self._sources)
        source: Source | None = None
        for row in self._store.inputs.unfinished(
            self._strategies
        ):  # of a finished run there is none
            while source is None or source.name < row.path:
                source = next(sources, None)
                if source is None:
                    return
            if source.name == row.path:
                yield source, row

    def _begun(self, readers: ThreadPoolExecutor, source: Source, row: Input) -> _Waiting:
        if row.sha256:  # as of an earlier start, and it was seen that it is the same
            return _Waiting(source, row.sha256, None, 0)
        copy = None
        if self._fetch and isinstance(source.file, RemoteFile):
            if self._copies is None:
                self._copies = self._stack.enter_context(scratch(self._store.path.parent))
            copy = self._copies / f"{short_digest(source.name)}{source.file.suffix[:16]}"
        future = readers.submit(_fetched, source, copy, self._limits)
        size = source.state.size if source.state is not None and copy is not None else 0
        return _Waiting(source, "", future, size)


def give_back(source: Source) -> None:
    """Whoever was given a source is done with it: no copy is needed any more."""
    if source.copy is not None:
        source.copy.unlink(missing_ok=True)


class _Waiting(NamedTuple):
    """A file that is read or about to be."""

    source: Source
    sha256: str
    """Where it is known already."""
    future: Future[tuple[Source, Examined]] | None
    size: int
    """Bytes that its copy takes."""

    def is_ready(self) -> bool:
        return self.future is None or self.future.done()

    def result(self) -> tuple[Pending, FileState | None]:
        if self.future is None:
            return Pending(self.source, self.sha256, None), None
        source, (sha256, state, error) = self.future.result()
        return Pending(source, sha256, error), state


def _fetched(source: Source, copy: Path | None, limits: ImageLimits) -> tuple[Source, Examined]:
    if copy is not None:
        try:
            source = source.fetched(copy, limits)
        except DocumentError as error:
            copy.unlink(missing_ok=True)
            return source, Examined("", None, error)
    return source, examined(source, limits)


def beside(
    sources: Iterable[Source], rows: Iterable[Input]
) -> Iterator[tuple[Source | None, Input | None]]:
    """Sources and rows of one path together, both in the order of paths."""
    left, right = iter(sources), iter(rows)
    source, row = next(left, None), next(right, None)
    while source is not None or row is not None:
        if row is None or (source is not None and source.name < row.path):
            yield source, None
            source = next(left, None)
        elif source is None or row.path < source.name:
            yield None, row
            row = next(right, None)
        else:
            yield source, row
            source, row = next(left, None), next(right, None)

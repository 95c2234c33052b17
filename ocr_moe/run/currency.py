"""Whether the files of a run are those that its store would give again.

As in Git's index it is concluded from what the file system says of the store and of every export, noted
down once all was written: a finished run of a hundred thousand files that is started again reads none of
it.  Whatever changed since, by whomever, shows in a size or a time, and everything is written anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ocr_moe.errors import OutputError
from ocr_moe.formats.files import write_text
from ocr_moe.formats.names import folder_name
from ocr_moe.formats.phrases import Language
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.manifest import RUN, Manifest
from ocr_moe.schema import Schema
from ocr_moe.version import __version__
from ocr_moe.workshop.config import Config

NOTE = ".exported.json"
"""The note, in the folder of the run."""
_HEAD = 100
"""Bytes of SQLite's header, which has counters of its own."""
_BITS = (1 << 64) - 1


class Currency:
    """What the files of a run were made of, and how they were then."""

    def __init__(
        self,
        out: Path,
        store: Path,
        strategies: Sequence[Strategy],
        schemas: Sequence[Schema],
        config: Config,
        language: Language,
    ) -> None:
        self._out = out
        self._store = store
        names = [strategy.name for strategy in strategies]
        self._folders = [out] if len(names) == 1 else [out / folder_name(name) for name in names]
        plain = [
            __version__,
            language,
            names,
            [schema.model_dump(mode="json") for schema in schemas],
            config.model_dump(mode="json"),
        ]
        text = json.dumps(plain, sort_keys=True)
        self._made_by = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def holds(self) -> bool:
        """Whether the store, which nobody has opened, and its exports are as they were noted."""
        try:
            noted = json.loads((self._out / NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(noted == self._now())

    def note(self) -> None:
        """Note how the store, which nobody has opened any more, and its exports are."""
        now = self._now()
        if now is not None:
            with suppress(OutputError):  # then everything is written anew the next time
                write_text(self._out / NOTE, json.dumps(now))

    def manifest(self) -> Manifest | None:
        """run.json as it stands there; None where it cannot be used."""
        try:
            return Manifest.model_validate_json((self._out / RUN).read_bytes())
        except (OSError, ValidationError):
            return None

    def _now(self) -> dict[str, Any] | None:
        from ocr_moe.exports.exporters import EXPORTERS

        targets = [folder / e.target for folder in self._folders for e in EXPORTERS.values()]
        try:
            if any(
                self._store.with_name(f"{self._store.name}{s}").exists() for s in ("-wal", "-shm")
            ):
                return None  # somebody is at it, or died over it
            with self._store.open("rb") as stream:
                head = stream.read(_HEAD).hex()
            store = [*_told(self._store.stat()), head]
            if not all(target.exists() for target in targets):
                return None
            exports = _summed(_all_below([*targets, self._out / RUN]))
        except OSError:
            return None
        return {"made_by": self._made_by, "store": store, "exports": exports}


def _all_below(paths: Iterable[str | Path]) -> Iterator[tuple[str, os.stat_result]]:
    """The files among paths and in folders among them, with their states."""
    for path in paths:
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        yield from _all_below([entry.path])
                    else:
                        yield entry.path, entry.stat(follow_symlinks=False)
        else:
            yield str(path), os.stat(path)


def _summed(files: Iterable[tuple[str, os.stat_result]]) -> list[int]:
    """How many they are, and a digest of their states that does not depend on their order."""
    count = total = 0
    for path, status in files:
        text = json.dumps([os.path.basename(path), *_told(status)])
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        total = (total + int.from_bytes(digest)) & _BITS
        count += 1
    return [count, total]


def _told(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns]

"""Where a run goes: a folder, or a URL behind which its files are published from a folder here.

The store is local in any case: it is written to with every answer, which no object store allows.  The
folder of a URL is found again by the URL, so the same command goes on with the same run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from ocr_moe.errors import StoreError, UsageError
from ocr_moe.formats.names import safe_name, short_digest
from ocr_moe.remote.filesystems import as_given, is_url, local_path, shown, system_of
from ocr_moe.remote.publication import Published, publish
from ocr_moe.run.batch import STORE
from ocr_moe.run.currency import NOTE
from ocr_moe.run.kept import KEPT
from ocr_moe.run.manifest import RUN


@dataclass(frozen=True)
class Destination:
    """A run's folder, and behind which URL its files are published, if any."""

    folder: Path
    url: str | None = None

    def __str__(self) -> str:
        return str(self.folder) if self.url is None else shown(self.url)

    def publish(
        self, report: Callable[[int, int], None] = lambda done, total: None
    ) -> Published | None:
        """Upload what differs from what is there; None where there is no URL. Raises OutputError."""
        if self.url is None:
            return None
        return publish(
            self.folder,
            self.url,
            last=RUN,  # readers of a published run wait for it
            is_left_out=lambda path: path.startswith((STORE, KEPT)) or path == NOTE,
            report=report,
        )


def destination_of(
    out: str | PathLike[str], work: str | PathLike[str] | None = None
) -> Destination:
    """Where a run named by a folder or a URL goes; `work` is the folder for that of a URL.

    Raises UsageError for a URL that no backend knows, or `work` without a URL.
    """
    text = as_given(out)
    if is_url(text):
        path = local_path(text)
        if path is None:
            system_of(text)
            return Destination(_work_folder(text) if work is None else Path(work), text.rstrip("/"))
        text = path
    if work is not None:
        raise UsageError(f"--work {work}: is for an --out that is a URL, and {text} is a folder")
    return Destination(Path(text))


def opened_destination(
    what: str | PathLike[str], work: str | PathLike[str] | None = None
) -> Destination:
    """The same of a run that is there. Raises StoreError where its store is not on this machine."""
    found = destination_of(what, work)
    if found.url is not None and not (found.folder / STORE).exists():
        raise StoreError(
            f"{found}: the store of this run is not on this machine, where it would be in "
            f"{found.folder}; its files can be read where they are, and everything else is done where "
            "it was made, or with a copy of that folder"
        )
    return found


def _work_folder(url: str) -> Path:
    """The folder of a URL's run: where applications keep data that is not to be lost."""
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    name = safe_name(shown(url).rstrip("/").rpartition("/")[2]) or "run"
    return home / "ocr_moe" / "runs" / f"{name}.{short_digest(shown(url).rstrip('/'))}"

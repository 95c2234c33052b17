"""The one folder that an assistant is let into."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ocr_moe.errors import UsageError


class Confinement:
    """Paths below a folder, and none beside it: neither by `..` nor through a symbolic link."""

    def __init__(self, root: Path) -> None:
        """Raises UsageError where there is no such folder."""
        self.root = root.resolve()
        if not self.root.is_dir():
            raise UsageError(f"{root}: there is no such folder")

    def path(self, text: str) -> Path:
        """A path as an assistant writes it, relative to the root or absolute, with every link on its
        way followed; it need not exist. Raises UsageError."""
        if "\0" in text:
            raise UsageError("a path holds a NUL character")
        try:
            # `resolve` comes before the comparison: what counts is where a path leads.
            found = (self.root / text).resolve()
        except (OSError, RuntimeError) as error:  # too long, or a link to itself
            raise UsageError(f"{text[:200]}: this path cannot be followed") from error
        self.check([found], text)
        return found

    def existing(self, text: str) -> Path:
        """A file or folder that is there. Raises UsageError."""
        found = self.path(text)
        if not found.exists():
            raise UsageError(f"{text}: there is no such file or folder in the shared folder")
        return found

    def folder(self, text: str) -> Path:
        """A folder that nothing leads out of, so that what is read and written in it stays below the
        root; it need not exist. Raises UsageError."""
        found = self.path(text)
        for parent, folders, files in os.walk(found):
            names = (Path(parent, name) for name in (*folders, *files))
            self.check((name.resolve() for name in names if name.is_symlink()), text)
        return found

    def check(self, paths: Iterable[Path], told: str) -> None:
        """Raises UsageError where a followed path is not below the root."""
        if not all(path.is_relative_to(self.root) for path in paths):
            raise UsageError(f"{told[:200]}: this leads out of the folder that is shared with you")

    def shown(self, path: Path) -> str:
        """A path below the root as it is told."""
        return path.relative_to(self.root).as_posix()

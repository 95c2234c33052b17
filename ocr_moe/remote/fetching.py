"""Single files that are named by URLs, fetched for as long as they are needed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from os import PathLike
from pathlib import Path

from ocr_moe.errors import UsageError
from ocr_moe.remote.filesystems import RemoteError, RemoteFile, as_given, is_url, local_path


@contextmanager
def local_copies() -> Iterator[Callable[[str | PathLike[str]], Path]]:
    """What makes local paths of paths and URLs: what is behind a URL is here, under its own name, until
    the block ends. Raises UsageError where it cannot be had."""
    with ExitStack() as stack:

        def local(path: str | PathLike[str]) -> Path:
            text = as_given(path)
            if not is_url(text):
                return Path(path)
            here = local_path(text)
            if here is not None:
                return Path(here)
            file = RemoteFile(text)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ocr-moe-"))
            to = Path(folder) / file.name
            try:
                file.fetch(to)
            except RemoteError as error:
                raise UsageError(f"{file}: {error.strerror}") from error
            return to

        yield local

"""What was sent, looked at before it is taken: what each file is, by its bytes, and how many pages."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.errors import DocumentError
from ocr_moe.intake.containers import is_container
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.kinds import kind_of, refusal
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.source import open_file
from ocr_moe.intake.sources import Source, under_names
from ocr_moe.intake.texts.documents import is_text_name
from ocr_moe.settings import ServiceOptions
from ocr_moe.web.service.problems import Problem
from ocr_moe.web.service.uploads import UploadedFile

_HEAD = 4096
_OF_PAGES = frozenset({"PDF", "TIFF"})
"""Kinds that may have more pages than one."""


class Inspector:
    """Looks at uploads. Safe to share between threads; `close` ends the processes that open files."""

    def __init__(self, images: ImageLimits, options: ServiceOptions) -> None:
        self._images = images
        self._options = options
        self._decoder = Decoder(images)

    def close(self) -> None:
        self._decoder.close()

    def look(self, files: Sequence[UploadedFile]) -> tuple[Source, ...]:
        """The scans in some files, archives opened.

        What cannot be read among them stays: it gets a record that says why. Raises Problem: 415
        where there is nothing to read at all, 413 beyond the limits of files and pages.
        """
        sources = under_names([(file.path, file.name) for file in files], self._images)
        if len(sources) > self._options.max_files:
            raise Problem(413, "too_many_files", n=self._options.max_files)
        pages = 0
        refused: list[tuple[str, str]] = []
        for source in sources:
            try:
                pages += self._pages(source)
            except DocumentError as error:
                refused.append((source.name, str(error).removeprefix(f"{source.name}: ")))
                continue
            if pages > self._options.max_pages:
                raise Problem(413, "too_many_pages", n=self._options.max_pages)
        if len(refused) == len(sources):
            raise Problem(415, "no_document", files=refused)
        return tuple(sources)

    def _pages(self, source: Source) -> int:
        """Raises DocumentError for what is no document at all."""
        if source.problem is not None:
            raise source.problem
        if source.member is None:
            with open_file(source.file, source.name) as stream:
                head = stream.read(_HEAD)
        else:
            head = source.read(self._images)[:_HEAD]
        kind = kind_of(head)
        if kind is None and head and is_text_name(source.name):
            return 1
        if kind is None:
            raise DocumentError(_refusal(source.name, head))
        if kind not in _OF_PAGES:
            return 1
        try:
            opened = self._decoder.open(source)
        except DocumentError:
            return 1  # a damaged or protected one: its record will say so
        try:
            return opened.pages
        finally:
            opened.close()


def _refusal(name: str, head: bytes) -> str:
    if not head:
        return f"{name}: is empty; send it again"
    if is_container(head):
        return f"{name}: an archive inside an archive is not opened; unpack the outer one"
    return refusal(name, head)

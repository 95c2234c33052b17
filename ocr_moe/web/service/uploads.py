"""Uploads: a multipart body written to disk while it comes in, under names of our own.

Memory stays flat whatever is sent. A file's name is a label that people read; no path is ever made
of it, and what a file is, its bytes say.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from ocr_moe.formats.names import text_of
from ocr_moe.intake.limits import MIB
from ocr_moe.settings import ServiceOptions
from ocr_moe.web.service.problems import Problem

FIELDS = frozenset({"schema", "strategy", "urls", "webhook"})
"""The text fields of a request."""
_FIELD_BYTES = 8192
"""Of a text field; addresses are the longest, and servers take no more of one either."""
_FIELD_COUNT = 1000
_STALL_SECONDS = 60
"""Without a byte, after which an upload is given up: nginx waits as long (client_body_timeout)."""
_HEADER_BYTES = 1 << 20
"""Of one header of a part: a file's name of 100,000 characters, each percent-encoded, fits in."""
_LABEL = 200
"""Characters of a file's name that are kept: what file systems take of one."""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that are not seen, or turn others around."""
_ESCAPED = (("%22", '"'), ("%0D", " "), ("%0A", " "))
"""What browsers escape in a file's name, and nothing else (HTML, multipart/form-data)."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that was sent: where it lies, and what the client called it."""

    path: Path
    name: str


@dataclass
class Upload:
    """What a request sent."""

    files: list[UploadedFile] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    size: int = 0
    """Bytes of the body."""

    def one(self, name: str) -> str | None:
        """The text of a field, None where it is empty or was not sent. Raises Problem if sent twice."""
        found = [text for text in self.fields.get(name, ()) if text]
        if len(found) > 1:
            raise Problem(422, "field_twice", field=name)
        return found[0] if found else None


async def receive(request: Request, folder: Path, options: ServiceOptions) -> Upload:
    """Write the files of a request into a folder that is there, as 000001, 000002, ….

    Raises Problem (400, 408, 413, 415, 422), before all is read where possible; ClientDisconnect, and
    OSError where the disk is full.
    """
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Problem(415, "not_multipart")
    most = options.max_upload * MIB
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise _too_large(options)
    parts = _Parts(folder, options)
    try:
        try:
            parser = parts.parser(boundary)
            async for chunk in _lively(request):
                parts.upload.size += len(chunk)
                if parts.upload.size > most:
                    raise _too_large(options)
                await run_in_threadpool(parser.write, chunk)
            parser.finalize()
        except FormParserError as error:
            raise Problem(400, "multipart") from error
    finally:
        parts.close()
    if not parts.ended:
        raise Problem(400, "multipart")
    return parts.upload


async def _lively(request: Request) -> AsyncIterator[bytes]:
    """A body as it comes. Raises Problem (408) where it stalls: a place must not be held for nothing."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(_STALL_SECONDS):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Problem(408, "stalled", seconds=_STALL_SECONDS) from error
        yield chunk


class _Parts:
    """The parts of a multipart body, as the parser comes upon them."""

    def __init__(self, folder: Path, options: ServiceOptions) -> None:
        self.upload = Upload()
        self.ended = False
        self._folder = folder
        self._options = options
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._file: IO[bytes] | None = None
        self._name = ""
        self._text = bytearray()

    def parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._ended,
            },
            max_header_size=_HEADER_BYTES,
        )

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # what could not be written is told already
                self._file.close()
            self._file = None

    def _ended(self) -> None:
        self.ended = True

    def _begin(self) -> None:
        self._headers.clear()
        self._text.clear()

    def _header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        _, told = parse_options_header(self._headers.get(b"content-disposition"))
        self._name = text_of(told.get(b"name", b""))
        if b"filename" in told:
            self._open(text_of(told[b"filename"]))
        elif self._name == "files":
            raise Problem(422, "field_is_file", field=self._name)
        elif self._name not in FIELDS:
            raise Problem(422, "field_unknown", field=label(self._name, ""), known=_known())
        elif sum(map(len, self.upload.fields.values())) >= _FIELD_COUNT:
            raise Problem(413, "too_many_fields", n=_FIELD_COUNT)

    def _open(self, name: str) -> None:
        if self._name != "files":
            known = self._name in FIELDS
            raise (
                Problem(422, "field_is_text", field=self._name)
                if known
                else Problem(422, "field_unknown", field=label(self._name, ""), known=_known())
            )
        number = len(self.upload.files) + 1
        if number > self._options.max_files:
            raise Problem(413, "too_many_files", n=self._options.max_files)
        path = file_path(self._folder, number)
        self._file = path.open("xb")
        self.upload.files.append(UploadedFile(path, label(name, f"{number:06}")))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > _FIELD_BYTES:
            raise Problem(422, "field_long", field=self._name, n=_FIELD_BYTES)

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            return
        text = self._text.decode("utf-8", "replace").strip()
        self.upload.fields.setdefault(self._name, []).append(text)


def file_path(folder: Path, number: int) -> Path:
    """Where the file of a number lies; sorted by name they are in the order in which they were sent."""
    return folder / f"{number:06}"


def label(name: str, otherwise: str) -> str:
    """A client's name for a file as a relative path that is safe to show, to write down and to sort by.

    Without steps upwards, characters that are not seen or turn others around (NUL, U+202E), and of a
    bearable length. `otherwise` where nothing is left.

    >>> label("../../etc/passwd", "1"), label("C:\\\\scans\\\\张三.jpg", "1"), label("\\0\\u202e", "1")
    ('etc/passwd', 'C:/scans/张三.jpg', '1')
    """
    for escaped, meant in _ESCAPED:
        name = name.replace(escaped, meant)
    seen = "".join(c for c in name[: 1 << 17] if unicodedata.category(c) not in _HIDDEN)
    parts = (part.strip() for part in seen.replace("\\", "/").split("/"))
    kept = "/".join(part for part in parts if part not in ("", ".", ".."))
    if len(kept) > _LABEL:
        kept = f"{kept[: _LABEL - 41]}…{kept[-40:]}".replace("/…", "…").replace("…/", "…")
    return kept or otherwise


def _known() -> Iterable[str]:
    return ["files", *sorted(FIELDS)]


def _too_large(options: ServiceOptions) -> Problem:
    return Problem(413, "too_large_upload", n=options.max_upload)

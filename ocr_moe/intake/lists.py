"""Lists of paths, one a line, as people and Windows programs save them."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}


_BLOCK = 1 << 20
"""Bytes, or characters, that are read at once; by the first ones is told what kind of list it is."""


def read_list(data: bytes | IO[Any]) -> Iterator[list[str]]:
    """For each line the paths that it may mean, the likeliest first.

    Understands UTF-8 and UTF-16 with or without a byte-order mark, GBK, CRLF, NUL between paths (as
    `find -print0` writes), quotes around a path, and back-slashes. A path's bytes may also stand
    there as the file system has them. Empty lines are left out. A stream is read as it is needed.
    """
    blocks = _blocks(io.BytesIO(data) if isinstance(data, bytes) else data)
    first = next(blocks, b"")
    blocks = chain([first], blocks)
    for mark, encoding in _BOMS:
        if first.startswith(mark):
            return _texts(blocks, encoding)
    if b"\0" not in first:
        return _meanings(map(_decoded, _split(blocks, b"\n")))
    wide = _wide(first)
    if wide is not None:
        return _texts(blocks, wide)
    return _meanings(map(_decoded, _split(blocks, b"\0")))


def _blocks(stream: IO[Any]) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block.encode("utf-8", "surrogateescape") if isinstance(block, str) else block


def _split(blocks: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    """What stands between separators; at the end of a line a carriage return is one as well."""
    rest = b""
    for block in blocks:
        *whole, rest = (rest + _as_lines(block, separator)).split(separator)
        yield from whole
    yield rest


def _as_lines(block: bytes, separator: bytes) -> bytes:
    return block.replace(b"\r", b"\n") if separator == b"\n" else block


def _texts(blocks: Iterable[bytes], encoding: str) -> Iterator[list[str]]:
    """The lines of a list in an encoding, without the mark before the first."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    told = (decoder.decode(block) for block in blocks)
    utf8 = (
        text.encode("utf-8", "surrogatepass") for text in chain(told, [decoder.decode(b"", True)])
    )
    lines = (line.decode("utf-8", "surrogatepass") for line in _split(utf8, b"\n"))
    return _meanings([line.removeprefix("\ufeff")] for some in lines for line in some.split("\0"))


def _wide(block: bytes) -> str | None:
    """Which UTF-16 without a mark it is, or None: its line ends or full stops tell it."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(block)  # which may end anywhere
        except UnicodeDecodeError:
            continue
        if "\n" in text or "." in text or "/" in text:
            return encoding
    return None


def _decoded(line: bytes) -> list[str]:
    """As the file system has it, and where that is not UTF-8, as GBK."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return [os.fsdecode(line), line.decode("gb18030", "replace")]
    return [text]


def _meanings(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    for candidates in lines:
        stripped = [text.strip() for text in candidates]
        if not all(stripped):
            continue
        texts = [*candidates, *stripped, *map(_unquoted, stripped)]
        texts += [text.replace("\\", "/") for text in texts]
        # As the file system has them, where its encoding is another than UTF-8.
        texts += [os.fsdecode(text.encode("utf-8", "surrogateescape")) for text in texts]
        yield list(dict.fromkeys(texts))


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[0])
    return text[1:-1].strip() if closing and len(text) > 2 and text.endswith(closing) else text

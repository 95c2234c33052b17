"""Lists of paths, one a line, as people and Windows programs save them."""

from __future__ import annotations

import codecs
import os

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}


def read_list(data: bytes) -> list[list[str]]:
    """For each line the paths that it may mean, the likeliest first.

    Understands UTF-8 and UTF-16 with or without a byte-order mark, GBK, CRLF, NUL between paths (as
    `find -print0` writes), quotes around a path, and back-slashes. A path's bytes may also stand
    there as the file system has them. Empty lines are left out.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = data[len(mark) :].decode(encoding, "replace")
            return _meanings([[line] for line in _lines(text)])
    if b"\0" in data:
        wide = _wide(data)
        if wide is not None:
            return _meanings([[line] for line in _lines(wide)])
        return _meanings([_decoded(path) for path in data.split(b"\0")])
    return _meanings([_decoded(line) for line in data.replace(b"\r", b"\n").split(b"\n")])


def _lines(text: str) -> list[str]:
    return text.replace("\r", "\n").replace("\0", "\n").split("\n")


def _wide(data: bytes) -> str | None:
    """The text of UTF-16 without a mark, or None: its line ends or full stops tell it."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\n" in text or "." in text or "/" in text:
            return text
    return None


def _decoded(line: bytes) -> list[str]:
    """As the file system has it, and where that is not UTF-8, as GBK."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return [os.fsdecode(line), line.decode("gb18030", "replace")]
    return [text]


def _meanings(lines: list[list[str]]) -> list[list[str]]:
    found = []
    for candidates in lines:
        stripped = [text.strip() for text in candidates]
        if not all(stripped):
            continue
        texts = [*candidates, *stripped, *map(_unquoted, stripped)]
        texts += [text.replace("\\", "/") for text in texts]
        # As the file system has them, where its encoding is another than UTF-8.
        texts += [os.fsdecode(text.encode("utf-8", "surrogateescape")) for text in texts]
        found.append(list(dict.fromkeys(texts)))
    return found


def _unquoted(text: str) -> str:
    closing = _QUOTES.get(text[0])
    return text[1:-1].strip() if closing and len(text) > 2 and text.endswith(closing) else text

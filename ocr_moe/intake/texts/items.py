"""Items of text in one file: where they begin, and one of them read. Nothing is held but an item.

An item is named by the byte at which it begins, so that any process reads it without those before it.
What is given for one is a JSON object in UTF-8, whatever file it comes from: the same item in a CSV and
a JSON file is the same content, and is read once.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import IO, Any, NamedTuple

from ocr_moe.errors import TooLargeError, UnreadableFileError
from ocr_moe.formats.names import text_of
from ocr_moe.intake.limits import MIB, ImageLimits

JSON = frozenset({".json"})
JSON_LINES = frozenset({".jsonl", ".ndjson"})
TABLES = frozenset({".csv", ".tsv"})
SUFFIXES = JSON | JSON_LINES | TABLES
"""Files that hold items."""

_NAMED = re.compile(rf"({'|'.join(map(re.escape, sorted(SUFFIXES)))})#\d+(?: \(\d+\))?$", re.I)
_DIGITS = 5
"""Of an item's number in its name, so that names sort as items do, up to a hundred thousand."""
_MOST = 16 * MIB
"""Bytes that an item may have."""
_CHUNK = 1 << 20
_FIRST = 1 << 16
"""Bytes that are read of an item first, and of a file's head to tell its encoding."""
_NEAR_END = 16
"""Characters before the end within which what is wrong with JSON may be that the rest was not read."""
_HOLDERS = frozenset(
    (
        *(
            "items",
            "data",
            "articles",
            "news",
            "results",
            "documents",
            "records",
            "rows",
            "entries",
        ),
        *("posts", "list", "feed", "docs"),
    )
)
"""Keys of an object that hold a file's items, where it is not an item itself."""
_NEXT_OBJECT = re.compile(r"\}\s*,\s*(?=\{)|\n\s*(?=\{)")
_BLANK = re.compile(r"[\s,]*")
_DELIMITERS = ",\t;"
_MOST_UNCLOSED = 100
"""Rows with a quotation mark that is never closed, after which a file is given up."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = codecs.BOM_UTF8

_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Numbers stay as they are written: an id may begin with zeros, or have more digits than a float."""


class Item(NamedTuple):
    """Where an item begins, in bytes, and why it is not read where that is known."""

    place: int
    problem: str | None = None


def holds_items(name: str) -> bool:
    """Whether a file of that name is one of items."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def item_name(file: str, number: int) -> str:
    """The name of an item, counted from 1."""
    return f"{file}#{number:0{_DIGITS}d}"


def is_item_name(name: str) -> bool:
    return _NAMED.search(name) is not None


def list_items(stream: IO[bytes], name: str, limits: ImageLimits) -> Iterator[Item]:
    """The items of a file by the name `name`, in its order.

    A broken item is one with a problem; those after it are found. Raises UnreadableFileError or
    TooLargeError, maybe after some items, where the file as a whole is no good.
    """
    size = stream.seek(0, 2)
    if size > limits.max_file * MIB:
        raise TooLargeError(
            f"{name}: has more than {limits.max_file:,} MiB (images.max_file in the configuration); "
            "split it or raise the limit"
        )
    stream.seek(0)
    head = stream.read(_FIRST)
    if head[:2] in _UTF16 or b"\0" in head:
        raise UnreadableFileError(f"{name}: is no text in UTF-8 or GBK; save it as UTF-8")
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in TABLES:
        found = _rows(stream, name)
    elif suffix in JSON_LINES:
        found = _lines(stream)
    else:
        found = _values(stream, name)
    empty = True
    for item in found:
        empty = False
        yield item
    if empty:
        raise UnreadableFileError(f"{name}: holds no items; leave it out")


def read_item(stream: IO[bytes], name: str, place: int) -> bytes:
    """An item that begins at a byte of its file, as a JSON object in UTF-8; `name` is the item's.

    Raises UnreadableFileError or TooLargeError.
    """
    suffix = PurePosixPath(name.rpartition("#")[0]).suffix.lower()
    try:
        if suffix in TABLES:
            item: Any = _row(stream, name, place)
        else:
            item = _value(stream, name, place, one_line=suffix in JSON_LINES)
    except RecursionError:
        raise UnreadableFileError(f"{name}: is nested too deeply; flatten it") from None
    if isinstance(item, str):
        item = {"text": item}
    if not isinstance(item, dict):
        raise UnreadableFileError(
            f"{name}: is no object with keys ({type(item).__name__}); write it as "
            '{"headline": …, "text": …}'
        )
    return json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


# --- JSON -------------------------------------------------------------------------------------------


class _Broken(Exception):
    """What is wrong with a value of JSON."""


class _Text:
    """A file as text, read on as needed; `at` is where it is gone through.

    UTF-8 is looked at byte by byte: what marks JSON is ASCII, and no part of another character. In GBK
    it may be, so that it is decoded first.
    """

    def __init__(self, stream: IO[bytes], start: int, encoding: str, chunk: int = _CHUNK) -> None:
        stream.seek(start)
        self._stream = stream
        self._chunk = chunk
        self._encoding = encoding
        self._decode = codecs.getincrementaldecoder(encoding)("replace")
        self._base = start
        self._ended = False
        self.buffer = ""
        self.at = 0

    def more(self) -> bool:
        """Read on; whether there was anything."""
        if self._ended:
            return False
        data = self._stream.read(max(self._chunk, len(self.buffer)))
        self._ended = not data
        self.buffer += self._decode.decode(data, final=self._ended)
        return bool(data)

    def forget(self) -> None:
        """Let go of what was gone through."""
        if self.at > _CHUNK:
            self._base += self._size(self.buffer[: self.at])
            self.buffer, self.at = self.buffer[self.at :], 0

    @property
    def place(self) -> int:
        """The byte at which it is."""
        return self._base + self._size(self.buffer[: self.at])

    def skip(self) -> str:
        """Go past white space and commas; the character there, empty at the end."""
        while True:
            blank = _BLANK.match(self.buffer, self.at)
            self.at = blank.end() if blank is not None else self.at
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        """The value that begins here. Raises _Broken, being where it began."""
        while True:
            try:
                value, self.at = _decoder.raw_decode(self.buffer, self.at)
                return value
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or (
                    error.pos >= len(self.buffer) - _NEAR_END
                )
                if len(self.buffer) - self.at > _MOST:
                    raise _Broken(f"has more than {_MOST // MIB} MiB, or is broken") from None
                if not cut or not self.more():
                    raise _Broken(f"is broken JSON ({error.msg})") from None
            except RecursionError:
                raise _Broken("is nested too deeply") from None

    def resume(self) -> bool:
        """Go to where the next object seems to begin, after one that is broken."""
        start = self.at + 1
        while True:
            found = _NEXT_OBJECT.search(self.buffer, start)
            if found is not None:
                self.at = found.end()
                return True
            start = max(start, len(self.buffer) - 2)
            if not self.more():
                self.at = len(self.buffer)
                return False

    def _size(self, text: str) -> int:
        return len(text) if self._encoding == "latin-1" else len(text.encode(self._encoding))


def _values(stream: IO[bytes], name: str) -> Iterator[Item]:
    """The items of a JSON file: of an array, of an object that holds one, or one after the other."""
    stream.seek(0)
    start = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
    text = _Text(stream, start, "latin-1" if _is_utf8(stream) else "gb18030")
    while mark := text.skip():
        if mark == "[":
            text.at += 1
            yield from _of_array(text)
        elif mark == "{":
            yield from _of_object(text)
        else:
            raise UnreadableFileError(f"{name}: is no JSON (it begins with {mark!r}); mend it")


def _of_array(text: _Text) -> Iterator[Item]:
    while True:
        mark = text.skip()
        if mark == "]":
            text.at += 1
            return
        place = text.place
        if not mark:
            yield Item(place, "is missing: the file ends before its array does; copy it again")
            return
        try:
            text.value()
        except _Broken as error:
            yield Item(place, f"{error}; mend it")
            if not text.resume():
                return
        else:
            yield Item(place)
        text.forget()


def _of_object(text: _Text) -> Iterator[Item]:
    """The items that an object holds; the object where it holds none."""
    place, held = text.place, False
    start = text.at
    text.at += 1
    try:
        while text.skip() != "}":
            key = text.value()
            if text.skip() != ":" or not isinstance(key, str):
                raise _Broken("is broken JSON (a key and a colon are expected)")
            text.at += 1
            if text.skip() == "[" and not held and key.lower() in _HOLDERS:
                before = text.at
                text.at += 1
                if text.skip() == "{":
                    held = True
                    yield from _of_array(text)
                    continue
                text.at = before
            text.value()
        text.at += 1
    except _Broken as error:
        yield Item(text.place if held else place, f"{error}; mend it")
        text.at = max(text.at, start)
        text.resume()
        return
    if not held:
        yield Item(place)
    text.forget()


def _lines(stream: IO[bytes]) -> Iterator[Item]:
    """The lines of a JSONL file that are not blank."""
    stream.seek(0)
    place = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
    stream.seek(place)
    while line := stream.readline(_MOST):
        if line.strip():
            try:
                json.loads(text_of(line))
            except (ValueError, RecursionError) as error:
                why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
                yield Item(place, f"is broken JSON ({why}); mend the line")
            else:
                yield Item(place)
        place += len(line)


def _value(stream: IO[bytes], name: str, place: int, *, one_line: bool) -> Any:
    stream.seek(0)
    is_utf8 = _may_be_utf8(stream.read(_FIRST))
    stream.seek(place)
    if one_line:
        data = stream.readline(_MOST)
    else:
        is_utf8 = is_utf8 and _may_be_utf8(stream.read(_FIRST))
        text = _Text(stream, place, "latin-1" if is_utf8 else "gb18030", _FIRST)
        try:
            text.value()
        except _Broken as error:
            raise UnreadableFileError(f"{name}: {error}; mend it") from None
        size = text.place - place
        stream.seek(place)
        data = stream.read(size)
    try:
        item = text_of(data) if is_utf8 else data.decode("gb18030", "replace")
        return _decoder.decode(item.strip())
    except json.JSONDecodeError as error:
        raise UnreadableFileError(f"{name}: is broken JSON ({error.msg}); mend it") from error


# --- tables -----------------------------------------------------------------------------------------


class _UnclosedError(Exception):
    """A row goes on for longer than any item does."""


class _Records:
    """The rows of a CSV file as bytes in Latin-1, and where each begins.

    Neither in UTF-8 nor in GBK is a comma, a semicolon, a quotation mark or the end of a line part of
    another character.
    """

    def __init__(self, stream: IO[bytes], start: int, delimiter: str) -> None:
        stream.seek(start)
        self._stream = stream
        self._start = self._next = start
        self._rows = csv.reader(self._read(), delimiter=delimiter, strict=True)

    def _read(self) -> Iterator[str]:
        while line := self._stream.readline(_MOST):
            self._next += len(line)
            if self._next - self._start > _MOST:
                raise _UnclosedError
            yield line.decode("latin-1")

    def next(self) -> tuple[int, list[str]] | None:
        """Where the next row begins, and its cells; None at the end. Raises csv.Error or
        _UnclosedError."""
        self._start = self._next
        row = next(self._rows, None)
        return None if row is None else (self._start, row)

    @property
    def start(self) -> int:
        """Where the row begins that was read last."""
        return self._start


def _rows(stream: IO[bytes], name: str) -> Iterator[Item]:
    delimiter, headings, start = _heading(stream, name)
    records = _Records(stream, start, delimiter)
    unclosed = 0
    while True:
        try:
            found = records.next()
        except (csv.Error, _UnclosedError) as error:
            large = isinstance(error, _UnclosedError) or "field limit" in str(error)
            whole = large or "end of data" in str(error)
            why = f"is broken ({error})"
            if large:
                most = csv.field_size_limit()
                why = f"has a cell of more than {most:,} bytes, or an open quotation mark"
            elif whole:
                why = "has a quotation mark that is never closed"
            yield Item(records.start, f"{why}; mend the row")
            if whole:
                unclosed += 1
                if unclosed > _MOST_UNCLOSED:
                    raise UnreadableFileError(
                        f"{name}: more than {_MOST_UNCLOSED} rows have a quotation mark that is never "
                        "closed; the rows after them were not read: save the file again, or as JSONL"
                    ) from None
                stream.seek(records.start)
                records = _Records(stream, records.start + len(stream.readline(_MOST)), delimiter)
            continue
        if found is None:
            return
        place, row = found
        if len(row) > len(headings):
            yield Item(
                place,
                f"has {len(row)} cells under {len(headings)} headings; put quotation marks around "
                "cells with a comma",
            )
        elif any(cell.strip() for cell in row):
            yield Item(place)


def _row(stream: IO[bytes], name: str, place: int) -> dict[str, str]:
    delimiter, headings, _ = _heading(stream, name)
    try:
        found = _Records(stream, place, delimiter).next()
    except (csv.Error, _UnclosedError) as error:
        raise UnreadableFileError(f"{name}: is broken ({error}); mend the row") from error
    row = [] if found is None else found[1]
    return {
        heading: value
        for heading, cell in zip(headings, row, strict=False)
        if heading and (value := text_of(cell.encode("latin-1")).strip())
    }


def _heading(stream: IO[bytes], name: str) -> tuple[str, list[str], int]:
    """What parts cells, the headings, and where the rows begin. Raises UnreadableFileError."""
    stream.seek(0)
    start = len(_BOM) if stream.read(len(_BOM)) == _BOM else 0
    stream.seek(start)
    line = stream.readline(_MOST).decode("latin-1")
    bare = re.sub(r'"[^"]*"', "", line)
    delimiter = max(_DELIMITERS, key=bare.count)
    records = _Records(stream, start, delimiter)
    try:
        found = records.next()
        end = records._next
    except (csv.Error, _UnclosedError) as error:
        raise UnreadableFileError(
            f"{name}: its headings are broken ({error}); mend them"
        ) from error
    headings = [text_of(cell.encode("latin-1")).strip() for cell in found[1]] if found else []
    if not any(headings):
        raise UnreadableFileError(
            f"{name}: its first row has no headings; name the columns there (headline, text…)"
        )
    return delimiter, headings, end


# --- encodings --------------------------------------------------------------------------------------


def _is_utf8(stream: IO[bytes]) -> bool:
    """Whether a file is UTF-8 from beginning to end."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while data := stream.read(_CHUNK):
            decoder.decode(data)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _may_be_utf8(data: bytes) -> bool:
    """Whether the beginning of something is UTF-8, whatever it is cut off in."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def decoded_file(data: bytes) -> str:
    """A whole file's text: in UTF-8 or UTF-16 as it says, else in GBK."""
    if data.startswith(_UTF16):
        return data.decode("utf-16", "replace")
    return text_of(data.removeprefix(_BOM))


def flattened(item: Mapping[str, Any], depth: int = 4) -> Iterator[tuple[str, str]]:
    """An item's keys with their values as text; what is nested under `key.inner`, lists joined."""
    for key, value in item.items():
        yield from _flat(str(key).strip(), value, depth)


def _flat(key: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if value is None or value == "":
        return
    if isinstance(value, dict) and depth > 0:
        for inner, each in value.items():
            yield from _flat(f"{key}.{inner}", each, depth - 1)
    elif isinstance(value, list) and all(isinstance(each, str) for each in value):
        yield key, _joined(value)
    elif isinstance(value, list | dict):
        yield key, json.dumps(value, ensure_ascii=False)
    elif isinstance(value, bool):
        yield key, "true" if value else "false"
    else:
        yield key, str(value)


def _joined(values: Sequence[str]) -> str:
    """A list: paragraphs where one of them is long, else words."""
    return ("\n" if any(len(value) > 60 for value in values) else ", ").join(values)

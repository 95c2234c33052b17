"""Reading delimited text: CSV and its kin, in the encodings and with the delimiters of the wild."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Table, trimmed

_DELIMITERS = ",;\t|"
_SAMPLE = 16384
"""Characters by which encoding and delimiter are judged."""
_COMMON_SIMPLIFIED = range(0xB0, 0xD8)
"""First bytes of GB 2312's level 1: 3,755 characters that make 99.7 % of running text."""
_COMMON_TRADITIONAL = range(0xA4, 0xC7)
"""First bytes of Big5's level 1: 5,401 frequently used characters."""


def read_delimited(path: Path, data: bytes) -> Table:
    """The one table of a delimited text. Raises TruthError."""
    text = _decode(path, data)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, trimmed(map(_cell, row))) for row in reader]
    except csv.Error as error:
        raise TruthError(
            f"{path}, line {reader.line_num}: not a readable CSV file ({error}); "
            "is a quotation mark left open?"
        ) from error
    return Table(path.stem, tuple((number, cells) for number, cells in rows if cells))


def _cell(text: str) -> RawCell:
    # ="00123" and '00123 are how spreadsheets are told to keep a code as text in a CSV file.
    text = re.sub(r'^="(.*)"$', r"\1", text.strip())
    text = re.sub(r"^'(?=\d)", "", text)
    return RawCell(text) if text else BLANK


def _delimiter(text: str) -> str:
    """What parts most lines into the same number of cells: a title above the table parts into none."""
    sample = text[:_SAMPLE]
    if len(text) > _SAMPLE:
        sample = sample.rpartition("\n")[0] or sample
    return max(_DELIMITERS, key=lambda char: (_evenness(sample, char), -_DELIMITERS.index(char)))


def _evenness(sample: str, delimiter: str) -> int:
    """Lines of the most frequent width, times the delimiters in each."""
    widths: Counter[int] = Counter()
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            widths[len(row)] += 1
    except csv.Error:
        return 0
    return max(((width - 1) * lines for width, lines in widths.items()), default=0)


def _decode(path: Path, data: bytes) -> str:
    """The text of a file. Raises TruthError when it is none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: Iterable[str] = ("utf-16",)
    elif b"\x00" in data[:4096]:
        encodings = (_utf_16(data),)
    else:
        encodings = ("utf-8-sig", *_chinese(data))
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(_is_binary(char) for char in text[:_SAMPLE]):
            return text
    if b"\x00" in data[:4096]:
        raise TruthError(f"{path}: not a text file; an .xlsx or .csv file is wanted")
    raise TruthError(
        f"{path}: the text is neither UTF-8 nor GB 18030, Big5 or UTF-16; save it as CSV UTF-8"
    )


def _utf_16(data: bytes) -> str:
    """Without a byte order mark: the zero bytes of delimiters and digits stand second, or first."""
    head = data[:4096]
    return "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"


def _is_binary(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cn", "Cs") and char not in "\t\r\n\x0b\x0c\x1a"


def _chinese(data: bytes) -> tuple[str, ...]:
    """The two encodings of Chinese, the one first of whose common characters the text has more.

    Nearly every text in Big5 is valid GB 18030 as well, of rare characters.
    """
    shares = {
        "gb18030": _share(data, "gb18030", "gb2312", _COMMON_SIMPLIFIED),
        "cp950": _share(data, "cp950", "cp950", _COMMON_TRADITIONAL),
    }
    return tuple(sorted(shares, key=lambda name: -shares[name]))


def _share(data: bytes, encoding: str, charset: str, common: range) -> float:
    """Share of common characters among those that are not ASCII; 0 where the text is not of the
    encoding."""
    try:
        text = data.decode(encoding)[:_SAMPLE]
    except UnicodeDecodeError:
        return 0.0
    beyond = [char for char in text if not char.isascii()]
    known = sum(char.encode(charset, "replace")[0] in common for char in beyond)
    return known / max(len(beyond), 1)

"""Page OCR as JSONL, a line a page: from a store to a file, and from a file to be read elsewhere."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import from_json

from ocr_moe.errors import StoreError
from ocr_moe.exports.forms import OCR_FORMAT
from ocr_moe.formats.files import replacing
from ocr_moe.formats.versions import refusal
from ocr_moe.formats.yamlfile import validation_sentences
from ocr_moe.types import PageText, Value

_LONGEST = 64 * 2**20
"""Bytes of a line; a page of 10,000 lines of text has a fiftieth of that."""


class OcrPage(NamedTuple):
    """The text of one page of a file."""

    sha256: str
    page: int
    text: PageText


class _Entry(Value):
    """A line of the file, but for its format; keys may have been added by a later version."""

    model_config = ConfigDict(extra="ignore")

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    page: int = Field(ge=1, le=1_000_000)
    text: PageText


def write_ocr(path: Path, pages: Iterable[tuple[str, int, PageText]]) -> int:
    """Write page OCR, (hash of the file, page, text), in one step; how many. Raises OutputError."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        for sha256, page, text in pages:
            if not (isinstance(sha256, str) and isinstance(page, int)):
                raise StoreError(f"the store is damaged: {page!r} is no page of a file {sha256!r}")
            line = {
                "format": OCR_FORMAT,
                "sha256": sha256,
                "page": page,
                "text": text.model_dump(mode="json", exclude=_unset(text)),
            }
            out.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            count += 1
    return count


def _unset(text: PageText) -> set[str]:
    """Keys of few pages, which the others are written without."""
    return {name for name, said in (("region", text.region), ("cost", text.cost.calls)) if not said}


def read_ocr(path: Path) -> Iterator[OcrPage]:
    """The pages of a file, one by one. Raises StoreError naming the line that is wrong."""
    try:
        with path.open("rb") as lines:
            for number in itertools.count(1):
                line = lines.readline(_LONGEST + 1)
                if not line:
                    return
                if len(line) > _LONGEST:
                    raise StoreError(f"{path}, line {number}: longer than any page's text is")
                if line.strip():
                    yield _page_of(line, f"{path}, line {number}")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error


def _page_of(line: bytes, where: str) -> OcrPage:
    try:
        entry = from_json(line)  # refuses what json lets pass: NaN, surrogates, depth without end
        if not isinstance(entry, dict):
            raise ValueError("no JSON object")
        refused = refusal(entry.pop("format", None), OCR_FORMAT)
        if refused is None:
            page = _Entry.model_validate(entry)
            return OcrPage(page.sha256, page.page, page.text)
    except ValidationError as error:
        refused = validation_sentences(error, _Entry)[:200]
    except ValueError as error:
        refused = str(error).splitlines()[0]
    raise StoreError(f"{where}: not page OCR as `ocr-moe export --ocr` writes it ({refused})")

"""Page OCR as JSONL, a line a page: from a store to a file, and from a file to be read elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ocr_moe.errors import StoreError
from ocr_moe.exports.forms import OCR_FORMAT
from ocr_moe.formats.files import replacing
from ocr_moe.formats.versions import refusal
from ocr_moe.types import PageText


class OcrPage(NamedTuple):
    """The text of one page of a file."""

    sha256: str
    page: int
    text: PageText


def write_ocr(path: Path, pages: Iterable[tuple[str, int, PageText]]) -> int:
    """Write page OCR, (hash of the file, page, text), in one step; how many. Raises OutputError."""
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        for sha256, page, text in pages:
            line = {
                "format": OCR_FORMAT,
                "sha256": sha256,
                "page": page,
                "text": text.model_dump(mode="json"),
            }
            out.write(f"{json.dumps(line, ensure_ascii=False)}\n")
            count += 1
    return count


def read_ocr(path: Path) -> Iterator[OcrPage]:
    """The pages of a file, one by one. Raises StoreError naming the line that is wrong."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _page_of(line, f"{path}, line {number}")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"{path}: cannot be read ({why})") from error


def _page_of(line: str, where: str) -> OcrPage:
    try:
        entry = json.loads(line)
        refused = refusal(entry.get("format"), OCR_FORMAT)
        if refused is None:
            text = PageText.model_validate(entry["text"])
            return OcrPage(str(entry["sha256"]), int(entry["page"]), text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        refused = str(error).splitlines()[0]
    raise StoreError(f"{where}: not page OCR as `ocr-moe export --ocr` writes it ({refused})")

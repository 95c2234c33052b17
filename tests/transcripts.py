"""Transcripts of records for tests, drawn as `ocr-moe generate` draws them, also over several pages."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from random import Random

from PIL import Image

from ocr_moe.generation.damage import damage, encode
from ocr_moe.generation.documents.transcripts import draw_transcript, row_of
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.layouts.transcripts import INK, Courses, foot, head
from ocr_moe.generation.layouts.transcripts import Style as TableStyle
from ocr_moe.generation.look import Look
from ocr_moe.generation.sheet import Pen, Sheet


@dataclass(frozen=True)
class Style:
    """How a transcript is set."""

    table: TableStyle
    rows: int = 20
    pages: int = 1
    english: bool = False
    level: str = "clean"


@dataclass(frozen=True)
class Transcript:
    """Pages with what they say."""

    pages: tuple[bytes, ...]
    """JPEG files."""
    rows: tuple[dict[str, str], ...]


def draw(seed: int, style: Style) -> Transcript:
    """Equal arguments give equal bytes, where the same typefaces are installed."""
    rng = Random(f"transcript {seed}")
    book = FontBook.discover()
    facts = draw_transcript(rng, count=style.rows, english=style.english)
    look = replace(Look.draw(rng, book), body_face=rng.choice(book.of("song", "hei")))
    pages = []
    each = -(-style.rows // style.pages)
    for number in range(style.pages):
        sheet = Sheet(Image.new("RGB", (1500, 2120), (252, 252, 250)), book, rng)
        size = 30 if style.table.blocks == 1 else 26
        pen = Pen(look.body_face, size, INK)
        courses = Courses(sheet, facts, style.table, pen, 80, 1420)
        part = range(number * each, min((number + 1) * each, style.rows))
        last = number == style.pages - 1
        if number == 0:
            top = head(sheet, facts, look, 120, 80, 1420, 32)
        else:
            sheet.text(750, 120, f"{facts.school}学生成绩单（续）    {facts.name}", pen, align="m")
            top = 170.0
        bottom = courses.draw(top, part, first=number == 0, last=last)
        if last:
            foot(sheet, facts, look, bottom + 60, 80, 1420, 30)
        else:
            sheet.text(750, 2050, f"第{number + 1}页", pen, align="m")
        result = damage(sheet.image, style.level, rng)
        pages.append(encode(result.image, int(result.settings["jpeg"])))
    rows = tuple(
        {name: row_of(facts, n)[name] for name in style.table.columns} for n in range(style.rows)
    )
    return Transcript(tuple(pages), rows)


def opened(page: bytes) -> Image.Image:
    return Image.open(io.BytesIO(page)).convert("RGB")

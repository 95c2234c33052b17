"""From a spec to pixels."""

from __future__ import annotations

import unicodedata
from random import Random

from ocr_moe.generation.damage import damage
from ocr_moe.generation.facts import Rows
from ocr_moe.generation.kinds import kind_of
from ocr_moe.generation.layouts import layouts
from ocr_moe.generation.layouts.pieces import second_seal
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper
from ocr_moe.generation.ornaments.notices import print_notice
from ocr_moe.generation.sheet import PixelBox, Sheet
from ocr_moe.generation.spec import Rendered, Spec
from ocr_moe.types import Quad


def render(spec: Spec) -> Rendered:
    """Draws and damages one page.

    Raises:
        ConfigError: when the level is unknown.
        KeyError: when the layout is unknown.
    """
    layout = {layout.name: layout for layout in layouts()}[spec.layout]
    rng = Random(spec.seed)
    width = round(spec.width * layout.scale)
    size = (width, round(width * rng.uniform(*layout.ratio)))
    look = Look.draw(rng, spec.fonts, older=layout.older)
    sheet = Sheet(paper.blank(rng, size), spec.fonts, rng)
    layout.draw(sheet, spec.facts, look)
    marks = list(sheet.marks)
    kind = kind_of(layout.schema)
    code = sheet.box_of(kind.code)
    if spec.second_seal and code:
        second_seal(sheet, look, code, spec.facts.owner, kind.seals)
    quads: dict[str, list[Quad]] = {}
    for name, box in marks:
        quads.setdefault(name, []).append(_quad(box, size))
    result = damage(sheet.image, spec.level, rng, quads)
    image, settings = result.image, result.settings
    if spec.notice:
        image, degrees = print_notice(Random(f"notice {spec.seed}"), image, spec.fonts)
        settings = settings | {"notice": degrees}
    truth = {
        field: _normal(sheet.stated.get(field, value if field in quads else None))
        for field, value in spec.facts.truth().items()
    }
    tables: dict[str, Rows] = {
        table: tuple(
            {
                column: unicodedata.normalize("NFKC", cell)
                for column, cell in row.items()
                if column in sheet.columns.get(table, row)
            }
            for row in rows
        )
        for table, rows in spec.facts.rows().items()
    }
    return Rendered(
        image,
        truth,
        tables,
        result.quads,
        tuple(sheet.used),
        int(settings["jpeg"]),
        settings,
    )


def _normal(said: str | None) -> str | None:
    return unicodedata.normalize("NFKC", said) if said else None


def _quad(box: PixelBox, size: tuple[int, int]) -> Quad:
    x0, y0, x1, y1 = (
        box[0] / size[0],
        box[1] / size[1],
        box[2] / size[0],
        box[3] / size[1],
    )
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))

"""From a spec to pixels."""

from __future__ import annotations

import unicodedata
from random import Random

from ocr_moe.generation.damage import damage
from ocr_moe.generation.facts import Graduate
from ocr_moe.generation.layouts import layouts
from ocr_moe.generation.layouts.pieces import second_seal
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper
from ocr_moe.generation.ornaments.notices import print_notice
from ocr_moe.generation.sheet import PixelBox, Sheet
from ocr_moe.generation.spec import Rendered, Spec
from ocr_moe.types import Quad

CODE_FIELDS = ("证书编号", "统一社会信用代码")
RECORDS = ("学历证书专用章", "教务处", "证书专用章", "学籍专用章")
REGISTRY = ("登记专用章", "企业登记专用章", "注册登记专用章")


def render(spec: Spec) -> Rendered:
    """Draws and damages one page.

    Raises:
        ConfigError: when the level is unknown.
        KeyError: when the layout is unknown.
    """
    layout = {layout.name: layout for layout in layouts()}[spec.layout]
    rng = Random(spec.seed)
    size = (spec.width, round(spec.width * rng.uniform(*layout.ratio)))
    look = Look.draw(rng, spec.fonts, older=layout.older)
    sheet = Sheet(paper.blank(rng, size), spec.fonts, rng)
    layout.draw(sheet, spec.facts, look)
    marks = list(sheet.marks)
    code = next((sheet.box_of(name) for name in CODE_FIELDS if sheet.box_of(name)), None)
    if spec.second_seal and code:
        facts = spec.facts
        if isinstance(facts, Graduate):
            second_seal(sheet, look, code, facts.school, RECORDS)
        else:
            second_seal(sheet, look, code, facts.region, REGISTRY)
    quads: dict[str, list[Quad]] = {}
    for name, box in marks:
        quads.setdefault(name, []).append(_quad(box, size))
    result = damage(sheet.image, spec.level, rng, quads)
    image, settings = result.image, result.settings
    if spec.notice:
        image, degrees = print_notice(Random(f"notice {spec.seed}"), image, spec.fonts)
        settings = settings | {"notice": degrees}
    truth: dict[str, str | None] = {}
    for field, value in spec.facts.truth().items():
        said = sheet.stated.get(field, value if field in quads else None)
        truth[field] = unicodedata.normalize("NFKC", said) if said else None
    return Rendered(
        image,
        truth,
        result.quads,
        tuple(sheet.used),
        int(settings["jpeg"]),
        settings,
    )


def _quad(box: PixelBox, size: tuple[int, int]) -> Quad:
    x0, y0, x1, y1 = (
        box[0] / size[0],
        box[1] / size[1],
        box[2] / size[0],
        box[3] / size[1],
    )
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))

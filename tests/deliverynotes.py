"""Delivery notes of a firm that does not exist, drawn for tests: labels in Chinese and English, and
a table."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import NamedTuple

from openpyxl import Workbook
from PIL import Image, ImageDraw

from ocr_moe.generation.fonts import FontBook, load

_FIRMS = (
    "江海贸易有限公司",
    "东方建材有限公司",
    "北湖机械厂",
    "长河物流有限公司",
    "青山纸业有限公司",
)
_PEOPLE = ("林书瑶", "陈思远", "王小丽", "赵子轩", "李雨桐", "刘建国")
_GOODS = ("镀锌钢管", "离心水泵", "铜芯电缆", "铸铁阀门", "滚珠轴承", "橡胶垫圈")
HEADINGS = ("文件名", "编号", "收货单位", "收货人", "送货日期", "净重", "结论", "内部备注")
_SIZE = (1240, 1000)
_TYPE = 30


class Note(NamedTuple):
    """What a note says."""

    number: str
    firm: str
    person: str
    day: tuple[int, int, int]
    weight: str
    verdict: str
    goods: tuple[tuple[str, int, str], ...]

    def row(self, file: str) -> list[str]:
        """Its row of a verified sheet, under `HEADINGS`."""
        day = "{}-{:02d}-{:02d}".format(*self.day)
        return [file, self.number, self.firm, self.person, day, self.weight, self.verdict, "甲类"]


def draw_note(rng: Random) -> Note:
    goods = rng.sample(_GOODS, rng.choice((2, 3, 4)))
    return Note(
        number=f"DN{rng.randrange(10**8):08d}",
        firm=rng.choice(_FIRMS),
        person=rng.choice(_PEOPLE),
        day=(2024, rng.randrange(1, 13), rng.randrange(1, 29)),
        weight=f"{rng.randrange(100, 9000)} kg",
        verdict=rng.choice(("合格", "合格", "不合格")),
        goods=tuple((name, rng.randrange(1, 99), f"{rng.randrange(5, 900)}.50") for name in goods),
    )


def drawn(note: Note, *, more: str = "") -> Image.Image:
    """The picture of a note; `more` is printed at its foot."""
    face = FontBook.discover().of("song", "hei")[0]
    image = Image.new("RGB", _SIZE, (252, 252, 250))
    draw = ImageDraw.Draw(image)

    def put(x: int, y: int, text: str, size: int = _TYPE) -> None:
        draw.text((x, y), text, font=load(str(face.path), face.index, size), fill=(25, 25, 35))

    put(500, 60, "送货单", 60)
    put(90, 190, f"编号 No.: {note.number}")
    put(700, 190, "送货日期：{}年{}月{}日".format(*note.day))
    put(90, 270, f"收货单位：{note.firm}")
    put(90, 350, f"收货人：{note.person}")
    put(700, 350, f"净重：{note.weight}")
    put(90, 430, f"结论：{note.verdict}")
    for x, heading in ((90, "品名"), (480, "数量"), (760, "单价")):
        put(x, 530, heading)
    for index, (name, count, price) in enumerate(note.goods):
        y = 590 + 58 * index
        for x, text in ((90, name), (480, str(count)), (760, price)):
            put(x, y, text)
    put(90, 860, "本单一式三份，签收后生效")
    if more:
        put(90, 930, more)
    return image


def drawn_into(folder: Path, count: int, seed: int = 0, *, more: str = "") -> dict[str, Note]:
    """Notes as files of a folder, and beside it `verified.xlsx`."""
    rng = Random(f"delivery notes {seed}")
    folder.mkdir(parents=True, exist_ok=True)
    notes = {f"note_{index}.png": draw_note(rng) for index in range(count)}
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADINGS)
    for name, note in notes.items():
        drawn(note, more=more).save(folder / name)
        sheet.append(note.row(name))
    book.save(folder.parent / "verified.xlsx")
    return notes

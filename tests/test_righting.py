"""Which way up a page is, told by what an engine reads on it each way round."""

from __future__ import annotations

from PIL import Image

from ocr_moe.intake.righting import read_upright
from ocr_moe.types import Line


def line(text: str, confidence: float, *, on_end: bool = False) -> Line:
    right, bottom = (0.15, 0.9) if on_end else (0.9, 0.15)
    return Line(
        text=text,
        confidence=confidence,
        quad=((0.1, 0.1), (right, 0.1), (right, bottom), (0.1, bottom)),
    )


class Engine:
    """Reads a marked image as it is told to, by how far the page has been turned clockwise."""

    def __init__(self, readings: dict[int, list[Line]]) -> None:
        self._readings = readings
        self.asked: list[int] = []

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        corners = {0: (0, 0), 90: (-1, 0), 180: (-1, -1), 270: (0, -1)}
        width, height = image.size
        [turned] = [
            angle
            for angle, (x, y) in corners.items()
            if image.getpixel((x % width, y % height)) == (255, 0, 0)
        ]
        self.asked.append(turned)
        return tuple(self._readings[turned])


def page() -> Image.Image:
    image = Image.new("RGB", (400, 300), "white")
    image.putpixel((0, 0), (255, 0, 0))
    return image


GOOD = [line("学士学位证书编号", 0.99), line("青岛农业大学", 0.98)]
RUBBISH = [line("大", 0.85), line("月二", 0.5), line("动使校", 0.44)]
UPSIDE_DOWN_ON_END = [line("养昂昂热使实", 0.5, on_end=True), line("婚贯", 0.4, on_end=True)]
ON_END = [line("学士学位证书编号", 0.97, on_end=True), line("青岛农", 0.99, on_end=True)]


def test_an_upright_page_is_read_once() -> None:
    engine = Engine({0: GOOD})
    assert read_upright(page(), engine.read) == (0, tuple(GOOD))
    assert engine.asked == [0]


def test_upside_down() -> None:
    engine = Engine({0: RUBBISH, 180: GOOD})
    assert read_upright(page(), engine.read)[0] == 180
    assert engine.asked == [0, 180]


def test_lines_on_end_mean_a_sideways_page() -> None:
    engine = Engine({0: ON_END, 90: RUBBISH, 270: GOOD})
    assert read_upright(page(), engine.read)[0] == 270
    assert engine.asked == [0, 270]


def test_lines_on_end_that_are_upside_down_are_turned_the_other_way_first() -> None:
    engine = Engine({0: UPSIDE_DOWN_ON_END, 90: GOOD, 270: RUBBISH})
    assert read_upright(page(), engine.read)[0] == 90
    assert engine.asked == [0, 90]


def test_lines_on_end_never_win_over_legible_level_ones() -> None:
    doubtful = [line("学士学位证书编号", 0.95), line("青岛农", 0.2), line("业大学", 0.3)]
    engine = Engine({0: ON_END, 90: RUBBISH, 270: doubtful})
    assert read_upright(page(), engine.read) == (270, tuple(doubtful))


def test_columns_of_upright_characters_stay_where_no_way_round_is_legible() -> None:
    column = [line("學士學位證書", 0.7, on_end=True), line("國立臺灣大學", 0.6, on_end=True)]
    engine = Engine({0: column, 90: RUBBISH, 270: RUBBISH})
    assert read_upright(page(), engine.read) == (0, tuple(column))


def test_a_sideways_page_on_which_nothing_is_legible_at_first() -> None:
    engine = Engine({0: RUBBISH, 180: ON_END, 90: GOOD, 270: RUBBISH})
    assert read_upright(page(), engine.read) == (90, tuple(GOOD))
    assert engine.asked == [0, 180, 90]


def test_a_poorly_read_line_is_not_taken_for_a_sideways_page() -> None:
    digits = [line(digit, 0.99) for digit in "106131202505004931"]
    engine = Engine(
        {0: [line("编号：106131202505004931", 0.6)], 180: [line("：", 0.8)], 90: digits}
    )
    assert read_upright(page(), engine.read)[0] == 0
    assert engine.asked == [0, 180]


def test_a_page_that_is_legible_no_way_round_is_taken_as_read_best() -> None:
    better = [line("大学", 0.9), line("证书编号", 0.7)]
    engine = Engine({0: RUBBISH, 180: RUBBISH, 90: RUBBISH, 270: better})
    assert read_upright(page(), engine.read)[0] == 270


def test_a_blank_page_is_not_turned() -> None:
    engine = Engine({0: []})
    assert read_upright(page(), engine.read) == (0, ())
    assert engine.asked == [0]

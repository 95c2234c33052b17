"""What stands around a code, told by its pixels."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from ocr_moe.codes.finding import Strip
from ocr_moe.codes.placing import Spelled
from ocr_moe.experts.codes.wholeness import Ends, ends_of

CODE = "106131202505004931"
SIZE = 36
MARGIN = 90


def look(
    printed: str,
    read: slice | tuple[int, ...],
    *,
    cut_left: float = 0.0,
    cut_right: float = 0.0,
    glyphs: tuple[tuple[int, str], ...] = (),
) -> Ends:
    """The ends of a code that is made of some characters of a printed line.

    The cuts take that many characters' widths of the line away, margins included. `glyphs` are what a
    recogniser reads, by the index of the printed character.
    """
    face = ImageFont.load_default(SIZE)
    starts = [MARGIN + face.getlength(printed[:i]) for i in range(len(printed) + 1)]
    wide = face.getlength("0")
    image = Image.new("RGB", (round(starts[-1]) + MARGIN, 3 * SIZE), (246, 244, 238))
    ImageDraw.Draw(image).text((MARGIN, SIZE), printed, fill=(30, 30, 30), font=face)
    left = round(starts[0] + cut_left * wide) if cut_left else 0
    right = round(starts[-1] - cut_right * wide) if cut_right else image.width
    image = image.crop((left, 0, right, image.height))
    indices = range(len(printed))[read] if isinstance(read, slice) else read
    x0, x1 = max(starts[indices[0]] - left, 0), min(starts[indices[-1] + 1] - left, image.width)
    y0, y1 = 0.9 * SIZE / image.height, 2.1 * SIZE / image.height
    quad = (
        (x0 / image.width, y0),
        (x1 / image.width, y0),
        (x1 / image.width, y1),
        (x0 / image.width, y1),
    )

    def placed(index: int) -> float:
        return ((starts[index] + starts[index + 1]) / 2 - left - x0) / (x1 - x0)

    spelled = Spelled(
        Strip(quad, 0.0, 0.0),
        tuple(placed(index) for index in indices),
        tuple((placed(index), glyph) for index, glyph in glyphs),
    )
    ends = ends_of(image, [spelled], lambda crop: crop)
    assert ends is not None
    return ends


def test_a_whole_number_has_paper_around_it() -> None:
    ends = look(CODE, slice(None))
    assert not ends.cut
    assert max(ends.ink_before, ends.ink_after, ends.ink_between) < 0.1


@pytest.mark.parametrize(
    ("read", "where"),
    [
        (slice(1, None), "ink_before"),
        (slice(None, -1), "ink_after"),
        ((*range(8), *range(9, 18)), "ink_between"),
    ],
    ids=["first", "last", "middle"],
)
def test_a_lost_character_leaves_its_ink(read: slice | tuple[int, ...], where: str) -> None:
    ends = look(CODE, read)
    assert ends.features[where] > 0.4
    others = {"ink_before", "ink_after", "ink_between"} - {where}
    assert all(ends.features[other] < 0.1 for other in others)


def test_what_the_recogniser_knows_as_label_or_bracket_is_no_lost_character() -> None:
    printed = f"x{CODE}x"
    unread = look(printed, slice(1, -1))
    assert min(unread.ink_before, unread.ink_after) > 0.4
    read = look(printed, slice(1, -1), glyphs=((0, "号"), (19, ")")))
    assert (read.ink_before, read.ink_after) == (0.0, 0.0)
    stain = look(printed, slice(1, -1), glyphs=((0, "•"), (19, "•")))
    assert min(stain.ink_before, stain.ink_after) > 0.4


def test_groups_of_digits_are_one_number() -> None:
    printed = f"{CODE[:6]} {CODE[6:12]} {CODE[12:]}"
    ends = look(printed, tuple(i for i, c in enumerate(printed) if c != " "))
    assert ends.ink_between < 0.1


@pytest.mark.parametrize(
    ("read", "cut"),
    [
        (slice(None), {"cut_left": 0.3}),
        (slice(1, None), {"cut_left": 1.02}),
        (slice(None), {"cut_right": 0.3}),
        (slice(None, -1), {"cut_right": 1.02}),
    ],
)
def test_a_number_that_runs_out_of_the_picture_is_cut(read: slice, cut: dict[str, float]) -> None:
    assert look(CODE, read, **cut).cut  # type: ignore[arg-type]


def test_too_few_characters_tell_no_pitch() -> None:
    strip = Strip(((0.1, 0.4), (0.9, 0.4), (0.9, 0.6), (0.1, 0.6)), 0.0, 0.0)
    page = Image.new("RGB", (400, 100), "white")
    assert ends_of(page, [Spelled(strip, (0.2, 0.4), ())], lambda crop: crop) is None
    assert ends_of(page, [], lambda crop: crop) is None

"""Synthetic lines of printed codes as a page pipeline would crop them.

Each sample is a patch of a page of about 1,500 pixels in width: a code (most often with a label
before it and other lines around it) is printed on paper, stamped, warped, lit, scaled down,
blurred, made noisy and compressed *in this order*, and only then is the line cut out by a
quadrilateral that is as inexact as a text detector's.  So what the recogniser learns from has the
pixels of a real crop: few, correlated and blocky.

`Sampler.sample` depends on nothing but the seed and the index.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ocr_moe.codes.posterior import OTHER

Rng = np.random.Generator
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_SIZES = (18, 19, 20, 21, 22, 24, 26, 28, 30, 32, 34, 36, 39, 42)  # pixels; few, to reuse fonts
_DIGITS = string.digits
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LABELS = (
    "证书编号", "证书编号", "证书编号", "编号", "编 号", "证 书 编 号", "学位证书编号", "证书号码",
    "学校编号", "统一社会信用代码", "统一社会信用代码", "注册号", "注 册 号", "电子注册号", "证号",
    "毕业证书编号", "登记号", "证照编号", "號碼", "證書編號", "No", "NO", "No", "№",
    "Certificate No", "Diploma No", "Registration No", "Serial Number", "Code", "ID",
)  # fmt: skip
_COMMON = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面"
    "方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性"
    "好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气"
    "第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设"
    "及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任"
    "取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再"
    "采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况"
)


@dataclass(frozen=True)
class Damage:
    """One level of damage; ranges are uniform."""

    rotation: float
    """Degrees, either way."""
    perspective: float
    """Shift of the patch's corners as a fraction of its height."""
    scale: tuple[float, float]
    blur: tuple[float, float]
    noise: tuple[float, float]
    jpeg: tuple[int, int]
    light: float
    """Largest loss of light across the page."""
    seal: float
    """Probability of a seal over the line."""
    wild: float
    """Probability of each damage that the levels of docs/formats.md do not have."""
    label: float = 0.45
    """Probability of a label before the code."""


LEVELS = {
    "clean": Damage(0.0, 0.0, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (95, 95), 0.0, 0.33, 0.0),
    "scan": Damage(2.5, 0.0, (0.7, 1.0), (0.25, 0.6), (4.0, 4.0), (60, 90), 0.0, 0.33, 0.0),
    "photo": Damage(1.0, 0.10, (0.6, 0.9), (0.45, 1.1), (7.0, 7.0), (50, 80), 0.35, 0.33, 0.0),
    "hard": Damage(1.5, 0.20, (0.45, 0.65), (0.55, 1.3), (11.0, 11.0), (35, 60), 0.35, 0.33, 0.0),
}
"""The levels at which recognisers are compared; seal over a third of the lines."""

PRIMER = Damage(1.5, 0.05, (0.6, 1.0), (0.0, 0.6), (0.0, 5.0), (70, 96), 0.2, 0.1, 0.0, 0.0)
"""What the first shards have: a few characters, legible, from which CTC finds its way at once."""

TRAINING = {
    "easy": Damage(2.5, 0.08, (0.6, 1.3), (0.0, 0.8), (0.0, 7.0), (50, 96), 0.3, 0.4, 0.04),
    "middle": Damage(3.5, 0.18, (0.45, 0.9), (0.3, 1.2), (2.0, 12.0), (35, 85), 0.4, 0.5, 0.07),
    "severe": Damage(4.0, 0.25, (0.40, 0.65), (0.5, 1.4), (5.0, 14.0), (28, 65), 0.45, 0.5, 0.08),
    "extreme": Damage(5.0, 0.3, (0.34, 0.55), (0.6, 1.5), (7.0, 17.0), (22, 55), 0.5, 0.5, 0.10),
}


@dataclass(frozen=True)
class Face:
    """A typeface that codes or labels are set in."""

    path: str
    index: int
    family: str
    letters: bool = True
    """Whether its capital letters can be told from its digits."""


@dataclass(frozen=True)
class Sample:
    """A cropped line and what it says."""

    pixels: Pixels
    """RGB, shape (height, width, 3)."""
    text: str
    """The code, with OTHER for each run of anything else."""
    marks: Floats
    """Where the centre of each character of `text` lies, as fractions of the width."""
    em: float
    """Size of the type in pixels at capture."""


class Sampler:
    """Draws samples; holds typefaces and banks of seals and textures, made from the seed."""

    def __init__(self, codes: Sequence[Face], labels: Sequence[Face], seed: int) -> None:
        self._codes = codes
        self._families = sorted({face.family for face in codes})
        self._labels = labels
        self._seed = seed
        self._font = lru_cache(maxsize=700)(_open)
        rng = np.random.default_rng((seed, 1))
        self._seals = [self._seal_mask(rng) for _ in range(80)]
        self._textures = [_texture(rng) for _ in range(60)]

    def sample(
        self, index: int, damage: Damage, text: Callable[[Rng], str] | None = None
    ) -> Sample:
        """The sample of that index; `text` draws the code (by default codes of every kind)."""
        rng = np.random.default_rng((self._seed, 2, index))
        code = random_code(rng) if text is None else text(rng)
        plain = text is not None
        return self._compose(rng, code, damage, plain)

    # Printing ----------------------------------------------------------------------------------

    def _compose(self, rng: Rng, code: str, damage: Damage, plain: bool) -> Sample:
        letters = any(c in string.ascii_uppercase for c in code)
        face = self._code_face(rng, letters)
        em = _SIZES[rng.integers(5, 10)] if plain or rng.random() < 0.6 else rng.choice(_SIZES)
        em = int(em)
        font = self._font(face, em)
        tracking = em * (0.0 if plain else _tracking(rng))
        label = bool(rng.random() < damage.label)
        glyphs, said = self._line(rng, code, font, em, tracking, plain=plain, label=label)
        width = glyphs.shape[1]
        side = int(em * (3 if rng.random() < 0.2 else 1.6))
        above = int(em * 1.2)
        height = glyphs.shape[0] + 2 * above
        page = _paper(rng, height, width + 2 * side, self._textures, plain)
        ink = np.zeros(page.shape[1:], np.float32)
        ink[above : above + glyphs.shape[0], side : side + width] = glyphs
        bounds = _ink_bounds(ink)
        marks = np.array([(x + side, above + em) for _, x in said], np.float32)
        if label and rng.random() < 0.5:
            # A crop often begins within the label.
            start = int(marks[1, 0] - em * rng.uniform(0.8, 3.0))
            bounds = (max(bounds[0], start), *bounds[1:])
        if not plain and rng.random() < 0.35:
            _weather(rng, ink)
        others = np.zeros_like(ink)
        if rng.random() < 0.4:
            self._neighbours(rng, others, bounds, em)
        if rng.random() < 0.12:
            y = int(bounds[3] + em * rng.uniform(0.1, 0.5))
            others[y : y + int(rng.integers(1, 3)), :] = rng.uniform(0.3, 1)
        colour = _ink_colour(rng, plain)
        page = _print(page, np.maximum(ink, others), colour, 1.0 if plain else _strength(rng))
        seals = int(rng.random() < damage.seal) + int(rng.random() < damage.seal * 0.2)
        for _ in range(seals):
            page = self._stamp(rng, page, bounds, em, plain)
        corners = np.array(bounds, np.float32)[[[0, 1], [2, 1], [2, 3], [0, 3]]]
        pixels, points, scale = _capture(rng, page, np.vstack([corners, marks]), em, damage)
        roomy = side >= em * 2
        crop, marks = _cut(rng, pixels, points, em * scale, roomy=roomy)
        kept = [
            (character, mark)
            for (character, _), mark in zip(said, marks, strict=True)
            if character != OTHER or 0 < mark < 1
        ]
        text = "".join(character for character, _ in kept)
        places = np.clip([mark for _, mark in kept], 0, 1).astype(np.float32)
        return Sample(crop, text, places, em * scale)

    def _code_face(self, rng: Rng, letters: bool) -> Face:
        # By family first: a family with many cuts must not crowd out the others.
        while True:
            family = self._families[rng.integers(len(self._families))]
            faces = [face for face in self._codes if face.family == family]
            face = faces[rng.integers(len(faces))]
            if face.letters or not letters:
                return face

    def _line(
        self,
        rng: Rng,
        code: str,
        font: ImageFont.FreeTypeFont,
        em: float,
        tracking: float,
        *,
        plain: bool,
        label: bool,
    ) -> tuple[Floats, list[tuple[str, float]]]:
        """Coverage of the printed line in 0-1; what is to be read, with the places along it."""
        runs: list[tuple[str, str, ImageFont.FreeTypeFont, float]] = []  # printed, read, …
        if label:
            label_face = self._labels[int(rng.integers(len(self._labels)))]
            words = _label(rng)
            if words.isascii() and rng.random() < 0.5:
                label_font = font
            else:
                label_font = self._font(label_face, _near(em * rng.uniform(0.85, 1.15)))
            words = words.rstrip()
            runs.append((words, " " * (len(words) - 1) + OTHER, label_font, 0.0))
            gap = " " * int(rng.integers(0, 3))
            runs.append((gap, gap, font, 0.0))
        runs.append((*_grouped(rng, code, plain), font, tracking))
        if not plain and rng.random() < 0.06:
            tail = _random_han(rng, int(rng.integers(1, 6)))
            tail_face = self._labels[int(rng.integers(len(self._labels)))]
            runs.append((" ", " ", font, 0.0))
            runs.append((tail, OTHER.ljust(len(tail)), self._font(tail_face, em), 0.0))
        wobble = em * 0.03 * float(not plain and rng.random() < 0.08)
        total = sum(f.getlength(c) + t for run, _, f, t in runs for c in run)
        canvas = Image.new("L", (int(total + em * 1.5), int(em * 1.9)), 0)
        draw = ImageDraw.Draw(canvas)
        x, baseline = em * 0.5, em * 1.35
        bold = int(not plain and rng.random() < 0.06)
        said = []
        for run, read, run_font, extra in runs:
            for character, meaning in zip(run, read, strict=True):
                y = baseline + wobble * rng.standard_normal()
                advance = run_font.getlength(character)
                if character != " ":
                    draw.text((x, y), character, 255, run_font, anchor="ls", stroke_width=bold)
                if meaning != " ":
                    said.append((meaning, x + advance / 2))
                x += advance + extra
        mask = np.asarray(canvas, dtype=np.float32) / 255.0
        if not plain and rng.random() < 0.35:
            stretch = rng.uniform(0.78, 1.25)
            narrowed = cv2.resize(mask, None, fx=stretch, fy=1.0, interpolation=cv2.INTER_AREA)
            mask = np.asarray(narrowed, dtype=np.float32)
            said = [(character, place * stretch) for character, place in said]
        return mask.astype(np.float32), said

    def _neighbours(
        self, rng: Rng, ink: Floats, bounds: tuple[int, int, int, int], em: float
    ) -> None:
        """Lines above and below, so close that a crop catches some of them."""
        for sign in (-1, 1):
            if rng.random() < 0.35:
                continue
            size = _near(em * rng.uniform(0.7, 1.4))
            font = self._font(self._labels[int(rng.integers(len(self._labels)))], size)
            text = _random_han(rng, int(rng.integers(3, 14)))
            if rng.random() < 0.3:
                text = "".join(rng.choice(list(_DIGITS + "年月日-"), 10))
            canvas = Image.new("L", (ink.shape[1], ink.shape[0]), 0)
            gap = em * rng.uniform(0.3, 1.0)
            y = bounds[1] - gap if sign < 0 else bounds[3] + gap
            x = rng.uniform(0, ink.shape[1] * 0.6)
            anchor = "ls" if sign < 0 else "lt"
            ImageDraw.Draw(canvas).text((x, y), text, 255, font, anchor=anchor)
            np.maximum(ink, np.asarray(canvas, dtype=np.float32) / 255.0, out=ink)

    # Seals -------------------------------------------------------------------------------------

    def _seal_mask(self, rng: Rng) -> Floats:
        """Coverage of one seal in 0-1, 320 pixels square: ring, star, text around and across."""
        side = 320
        canvas = Image.new("L", (side, side), 0)
        draw = ImageDraw.Draw(canvas)
        middle = side / 2
        kind = rng.random()
        if kind < 0.12:
            edge = rng.uniform(20, 70)
            box = (edge, edge, side - edge, side - edge)
            draw.rectangle(box, outline=255, width=int(rng.integers(6, 16)))
            font = self._font(
                self._labels[int(rng.integers(len(self._labels)))], int(side / 2 - edge)
            )
            for row in range(2):
                draw.text(
                    (middle, edge + (side / 2 - edge) * (row + 0.5)),
                    _random_han(rng, 2), 255, font, anchor="mm",
                )  # fmt: skip
        else:
            radius = rng.uniform(140, 156)
            squash = rng.uniform(0.62, 0.8) if rng.random() < 0.15 else 1.0
            box = (
                middle - radius, middle - radius * squash,
                middle + radius, middle + radius * squash,
            )  # fmt: skip
            draw.ellipse(box, outline=255, width=int(rng.integers(4, 13)))
            if rng.random() < 0.3:
                inner = radius - rng.uniform(14, 24)
                box = (
                    middle - inner, middle - inner * squash,
                    middle + inner, middle + inner * squash,
                )  # fmt: skip
                draw.ellipse(box, outline=255, width=int(rng.integers(2, 5)))
            if rng.random() < 0.8:
                star = rng.uniform(35, 60) * squash
                points = []
                for corner in range(10):
                    reach = star if corner % 2 == 0 else star * 0.382
                    angle = math.pi * corner / 5 - math.pi / 2
                    points.append(
                        (middle + reach * math.cos(angle), middle + reach * math.sin(angle))
                    )
                draw.polygon(points, fill=255)
            size = int(rng.uniform(30, 52) * squash)
            font = self._font(self._labels[int(rng.integers(len(self._labels)))], size)
            count = int(rng.integers(7, 14))
            sweep = math.radians(rng.uniform(200, 270))
            for place, character in enumerate(_random_han(rng, count)):
                angle = -math.pi / 2 - sweep / 2 + sweep * place / (count - 1)
                tile = Image.new("L", (size * 2, size * 2), 0)
                ImageDraw.Draw(tile).text((size, size), character, 255, font, anchor="mm")
                tile = tile.rotate(-math.degrees(angle) - 90, Image.Resampling.BILINEAR)
                reach = radius - size * 0.9
                spot = (
                    int(middle + reach * math.cos(angle) - size),
                    int(middle + reach * squash * math.sin(angle) - size),
                )
                canvas.paste(255, spot, tile)
            if rng.random() < 0.6:
                font = self._font(
                    self._labels[int(rng.integers(len(self._labels)))], int(rng.uniform(22, 36))
                )
                bottom = middle + radius * squash * 0.55
                line = _random_han(rng, int(rng.integers(3, 7)))
                if rng.random() < 0.3:
                    line = "".join(rng.choice(list(_DIGITS), 12))
                draw.text((middle, bottom), line, 255, font, anchor="mm")
        mask = np.asarray(canvas, dtype=np.float32) / 255.0
        grain = cv2.resize(
            rng.random((40, 40)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC
        )
        fine = rng.random((side, side)).astype(np.float32)
        wear = rng.uniform(0.0, 0.6)
        return (mask * np.clip(1.25 - wear * (grain + fine), 0, 1)).astype(np.float32)

    def _stamp(
        self,
        rng: Rng,
        page: Floats,
        bounds: tuple[int, int, int, int],
        em: float,
        plain: bool,
    ) -> Floats:
        """The page with a seal somewhere over the line."""
        height, width = page.shape[1:]
        mask = self._seals[int(rng.integers(len(self._seals)))]
        diameter = em * (rng.uniform(7.0, 11.0) if plain else rng.uniform(4.0, 13.0))
        centre = (
            rng.uniform(bounds[0] - 0.2 * diameter, bounds[2] + 0.2 * diameter),
            (bounds[1] + bounds[3]) / 2 + rng.uniform(-0.5, 0.5) * diameter,
        )
        angle = float(rng.uniform(-25, 25))
        turn = np.asarray(cv2.getRotationMatrix2D((160, 160), angle, diameter / 320), np.float64)
        turn[:, 2] += np.array(centre) - 160
        turned = cv2.warpAffine(mask, turn, (width, height), flags=cv2.INTER_LINEAR)
        cover = np.array(turned, dtype=np.float32)
        draw = rng.random()
        if draw < 0.78:
            colour = np.array([rng.uniform(165, 235), rng.uniform(15, 75), rng.uniform(15, 75)])
        elif draw < 0.88:
            colour = np.array([rng.uniform(20, 90), rng.uniform(30, 110), rng.uniform(120, 210)])
        else:
            colour = np.full(3, rng.uniform(20, 130)) + rng.uniform(-12, 12, 3)
        colour = colour.astype(np.float32)
        strength = np.float32(rng.uniform(0.3, 0.92))
        if not plain and rng.random() < 0.07:
            # A steel seal leaves relief, not ink: light and shadow along its edges.
            relief = cv2.GaussianBlur(cover, (0, 0), 1.2)
            shade = cv2.Sobel(relief, cv2.CV_32F, 1, 1, ksize=3) * rng.uniform(60, 220)
            return np.clip(page + shade, 0, 255).astype(np.float32)
        cover *= strength
        if rng.random() < 0.5:
            # Translucent ink darkens what is under it; opaque ink also hides it.
            for channel in range(3):
                page[channel] *= 1 - cover * (1 - colour[channel] / 255)
            return page
        return _print(page, cover, colour, 1.0)


# Text ------------------------------------------------------------------------------------------


def _pick(rng: Rng, alphabet: str, count: int) -> str:
    return "".join(alphabet[i] for i in rng.integers(len(alphabet), size=count))


def diploma_number(rng: Rng) -> str:
    """18 digits: school 5, type 1, year 4, level 2, serial 6."""
    serial = int(10 ** rng.uniform(0, 5.3)) if rng.random() < 0.8 else int(rng.integers(1000000))
    level = ("01", "02", "04", "05", "06")[rng.integers(5)]
    school = f"{rng.integers(10001, 14700)}" if rng.random() < 0.8 else _pick(rng, _DIGITS, 5)
    year = int(rng.integers(1991, 2026))
    return f"{school}{'1567'[rng.integers(4)]}{year}{level}{serial % 1000000:06d}"


def random_code(rng: Rng) -> str:
    """A code of any kind.

    Most are drawn digit by digit: the network shall read, not guess; what is likely on a
    certificate is the decoder's business.
    """
    kind = rng.random()
    if kind < 0.16:
        return diploma_number(rng)
    if kind < 0.40:
        return _pick(rng, _DIGITS, 18)
    if kind < 0.48:
        code = _pick(rng, _DIGITS, 16)
        if rng.random() < 0.5:
            place = int(rng.integers(0, 10))
            code = code[:place] + "SECZ"[rng.integers(4)] + code[place + 1 :]
        return code
    if kind < 0.62:
        if rng.random() < 0.6:
            return (
                _pick(rng, "15919", 1)
                + _pick(rng, "123", 1)
                + _pick(rng, _DIGITS, 6)
                + ("MA" * int(rng.random() < 0.6) + _pick(rng, _USCC, 10))[:10]
            )
        return _pick(rng, _USCC, 18)
    if kind < 0.68:
        return _pick(rng, _DIGITS, 15)
    if kind < 0.78:
        # Runs, zeros above all, are what CTC miscounts.
        code = ""
        while len(code) < 13:
            digit = "0" if rng.random() < 0.6 else _pick(rng, _DIGITS, 1)
            code += digit * int(rng.integers(1, 8))
        return code[: int(rng.integers(8, 21))]
    if kind < 0.90:
        return _pick(rng, _DIGITS, int(rng.integers(4, 23)))
    alphabet = _USCC + "SVZ" * 2
    if rng.random() < 0.15:
        alphabet = _DIGITS + string.ascii_uppercase
    return _pick(rng, alphabet, int(rng.integers(4, 21)))


def few_characters(rng: Rng) -> str:
    """Two to six characters, mostly digits."""
    return _pick(rng, _DIGITS if rng.random() < 0.7 else _USCC + "SVZ", int(rng.integers(2, 7)))


def _random_han(rng: Rng, count: int) -> str:
    return _pick(rng, _COMMON, count)


def _label(rng: Rng) -> str:
    """Text before the code, with its punctuation."""
    draw = rng.random()
    if draw < 0.75:
        label = _LABELS[rng.integers(len(_LABELS))]
    elif draw < 0.92:
        label = _random_han(rng, int(rng.integers(1, 8)))
    else:
        label = _pick(rng, string.ascii_lowercase, int(rng.integers(2, 9))).capitalize()
    if not label.isascii():
        colons: tuple[str, ...] = ("：", "：", "：", ":", "", " ")
    elif label in ("No", "NO"):
        colons = (".", ".", ":", "：", ".:", "．", "°")
    else:
        colons = (":", ":", ".", "：")
    return label + colons[rng.integers(len(colons))]


def _grouped(rng: Rng, code: str, plain: bool) -> tuple[str, str]:
    """(what is printed, what is to be read): codes in groups by spaces or, rarely, signs."""
    draw = 1.0 if plain else rng.random()
    if draw > 0.16 or len(code) < 8:
        return code, code
    size = int(rng.integers(3, 7))
    groups = [code[i : i + size] for i in range(0, len(code), size)]
    if draw < 0.13:
        spaced = (" " * int(rng.integers(1, 3))).join(groups)
        return spaced, spaced
    sign = "-—·/"[rng.integers(4)]
    place = size * int(rng.integers(1, len(groups)))
    return code[:place] + sign + code[place:], code[:place] + OTHER + code[place:]


def _tracking(rng: Rng) -> float:
    """Extra space between characters in ems."""
    draw = rng.random()
    if draw < 0.5:
        return 0.0
    return float(rng.uniform(-0.03, 0.08) if draw < 0.8 else rng.uniform(0.05, 0.4))


# Paper and ink ---------------------------------------------------------------------------------


def _texture(rng: Rng) -> Floats:
    """A security background in 0-1, 700 x 2000: guilloche lines, waves or a dot screen."""
    height, width = 350, 1000
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.random()
    if kind < 0.6:
        field = np.zeros((height, width), np.float32)
        for _ in range(int(rng.integers(1, 4))):
            phase = x * rng.uniform(0.005, 0.05) + rng.uniform(0, 6)
            wave = np.sin(phase) * rng.uniform(4, 40) + np.sin(phase * 2.7) * rng.uniform(0, 12)
            pitch = rng.uniform(5, 22)
            lines = np.cos((y + wave) * 2 * math.pi / pitch)
            field = np.maximum(field, np.clip((lines - rng.uniform(0.5, 0.9)) * 4, 0, 1))
    elif kind < 0.8:
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        radius = np.hypot(x - cx, y - cy)
        angle = np.arctan2(y - cy, x - cx)
        petals = np.sin(angle * rng.integers(6, 40)) * rng.uniform(2, 14)
        lines = np.cos((radius + petals) * 2 * math.pi / rng.uniform(6, 24))
        field = np.clip((lines - 0.6) * 4, 0, 1)
    else:
        pitch = rng.uniform(4, 10)
        dots = np.cos(x * 2 * math.pi / pitch) * np.cos(y * 2 * math.pi / pitch)
        field = np.clip((dots - rng.uniform(0.1, 0.6)) * 3, 0, 1)
    return np.tile(field, (2, 2)).astype(np.float32)


def _paper(rng: Rng, height: int, width: int, textures: Sequence[Floats], plain: bool) -> Floats:
    base = rng.uniform(225, 255)
    tint = rng.uniform(0, 1, 3) * rng.choice([0, 6, 14, 30], p=[0.35, 0.3, 0.25, 0.1])
    page = np.empty((3, height, width), np.float32)
    page[:] = np.clip(base - tint, 0, 255)[:, None, None]
    if rng.random() < 0.45:
        texture = textures[int(rng.integers(len(textures)))]
        top = int(rng.integers(0, texture.shape[0] - min(height, texture.shape[0]) + 1))
        left = int(rng.integers(0, max(texture.shape[1] - width, 0) + 1))
        cut = texture[top : top + height, left : left + width]
        if cut.shape != (height, width):
            cut = np.asarray(cv2.resize(cut, (width, height)), dtype=np.float32)
        colour = rng.uniform(0, 230, 3).astype(np.float32)
        page = _print(page, cut, colour, rng.uniform(0.04, 0.16 if plain else 0.4))
    if rng.random() < 0.4:
        coarse = rng.standard_normal((height // 12 + 2, width // 12 + 2)).astype(np.float32)
        cloud = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        page += cloud * np.float32(rng.uniform(1, 5))
    if not plain and rng.random() < 0.04:
        x = int(rng.integers(0, width))
        page[:, :, x : x + int(rng.integers(1, 4))] *= np.float32(rng.uniform(0.6, 0.92))
    return page


def _ink_colour(rng: Rng, plain: bool) -> Floats:
    draw = rng.random()
    if plain or draw < 0.8:
        colour = np.full(3, rng.uniform(0, 60)) + rng.uniform(0, 15, 3)
    elif draw < 0.88:
        colour = np.array([rng.uniform(0, 60), rng.uniform(10, 80), rng.uniform(60, 150)])
    elif draw < 0.95:
        colour = np.array([rng.uniform(140, 210), rng.uniform(10, 60), rng.uniform(10, 60)])
    else:
        colour = rng.uniform(40, 130, 3)
    return colour.astype(np.float32)


def _strength(rng: Rng) -> float:
    return float(rng.uniform(0.75, 1.0) if rng.random() < 0.75 else rng.uniform(0.4, 0.75))


def _print(page: Floats, ink: Floats, colour: Floats, strength: float) -> Floats:
    """Opaque ink of the coverage on the page, in place."""
    alpha = ink * np.float32(strength)
    for channel in range(3):
        page[channel] += alpha * (colour[channel] - page[channel])
    return page


def _weather(rng: Rng, ink: Floats) -> None:
    """Bleeding, thinning or fading ink, in place."""
    draw = rng.random()
    if draw < 0.35:
        soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.5, 1.0))
        ink[:] = np.clip(soft * rng.uniform(1.0, 1.6), 0, 1)
    elif draw < 0.6:
        soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.4, 0.8))
        ink[:] = np.clip((soft - rng.uniform(0.1, 0.25)) * 1.25, 0, 1)
    elif draw < 0.85:
        height, width = ink.shape
        coarse = rng.random((height // 10 + 2, width // 14 + 2)).astype(np.float32)
        field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        ink *= np.clip(field * rng.uniform(0.7, 1.5) + rng.uniform(0.25, 0.6), 0, 1)
    else:
        ink *= (rng.random(ink.shape) > rng.uniform(0.03, 0.2)).astype(np.float32)


def _ink_bounds(ink: Floats) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1) of what is printed."""
    ys = np.flatnonzero((ink > 0.3).any(axis=1))
    xs = np.flatnonzero((ink > 0.3).any(axis=0))
    if not len(xs):
        return (0, 0, ink.shape[1], ink.shape[0])
    return (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1)


# Capture ---------------------------------------------------------------------------------------


def _capture(
    rng: Rng, paper: Floats, points: Floats, em: float, damage: Damage
) -> tuple[Pixels, Floats, float]:
    """The photographed patch, where the points (n, 2) lie on it, and the scale."""
    page = cv2.merge(list(np.clip(paper, 0, 255).astype(np.uint8)))
    height, width = page.shape[:2]

    def wild(factor: float = 1.0) -> bool:
        return bool(rng.random() < damage.wild * factor)

    if wild(1.5):
        # A page that does not lie flat.
        xs, ys = np.meshgrid(
            np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        )
        swing = em * rng.uniform(-0.35, 0.35)
        phase, period = rng.uniform(0, 6.3), rng.uniform(0.8, 2.5) * width
        ys += swing * np.sin(xs * 2 * math.pi / period + phase)
        page = cv2.remap(page, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    scale = rng.uniform(*damage.scale)
    tilt = math.radians(rng.uniform(-damage.rotation, damage.rotation))
    shear = rng.uniform(-0.25, 0.25) if wild(2) else rng.uniform(-1, 1) * damage.perspective * 0.2
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    turn = np.array(
        [[math.cos(tilt), -math.sin(tilt)], [math.sin(tilt), math.cos(tilt)]], np.float32
    )
    middle = np.array([width / 2, height / 2], np.float32)
    moved = (frame - middle) @ turn.T
    moved[:, 0] -= shear * moved[:, 1]
    moved += rng.uniform(-1, 1, (4, 2)) * damage.perspective * height * 0.5
    moved = (moved - moved.min(axis=0)).astype(np.float32)
    size = (math.ceil(moved[:, 0].max()), math.ceil(moved[:, 1].max()))
    pose = cv2.getPerspectiveTransform(frame, moved)
    page = cv2.warpPerspective(
        page, pose, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    points = cv2.perspectiveTransform(points[None], pose)[0]
    target = (max(int(size[0] * scale), 8), max(int(size[1] * scale), 8))
    method = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(3)]
    page = cv2.resize(page, target, interpolation=method)
    points = points * np.array([target[0] / size[0], target[1] / size[1]], np.float32)
    page = page.astype(np.float32)
    if damage.light:
        xs = np.linspace(0, 1, target[0], dtype=np.float32)[None, :]
        ys = np.linspace(0, 1, target[1], dtype=np.float32)[:, None]
        level = 1 - rng.uniform(0, damage.light)
        slope = rng.uniform(-1, 1, 2) * damage.light * np.array([0.5, 0.15])
        light = level + slope[0] * (xs - 0.5) + slope[1] * (ys - 0.5)
        if wild():
            edge = rng.uniform(0, 1) + rng.uniform(-0.3, 0.3) * ys
            light = light * (1 - rng.uniform(0.1, 0.45) / (1 + np.exp((xs - edge) * 60)))
        page = page * np.clip(light, 0.25, 1.1)[:, :, None].astype(np.float32)
        page *= 1 - rng.uniform(0, 0.12, 3).astype(np.float32) * float(rng.random() < 0.4)
    blur = rng.uniform(*damage.blur)
    if blur > 0.05:
        page = cv2.GaussianBlur(page, (0, 0), blur)
    if wild():
        length = int(rng.integers(2, 5))
        kernel = np.zeros((5, 5), np.float32)
        kernel[2, :length] = 1 / length
        spin = cv2.getRotationMatrix2D((2, 2), float(rng.uniform(0, 180)), 1)
        kernel = np.asarray(cv2.warpAffine(kernel, spin, (5, 5)), dtype=np.float32)
        page = cv2.filter2D(page, -1, kernel / max(float(kernel.sum()), 0.2))
    if wild():
        page += (page - cv2.GaussianBlur(page, (0, 0), 1.5)) * rng.uniform(0.3, 1.5)
    if wild():
        page = (page - 128) * rng.uniform(0.55, 1.5) + 128 + rng.uniform(-40, 25)
    if wild(1.5):
        page[:] = page.mean(axis=2, keepdims=True)
    noise = rng.uniform(*damage.noise)
    if noise:
        grain = rng.standard_normal(page.shape, dtype=np.float32)
        if wild(2):
            grain[:] = grain[:, :, :1]
        page = page + grain * np.float32(noise)
    if wild(0.5):
        # A fax: black and white by a threshold of the neighbourhood.
        grey = page.mean(axis=2)
        page = np.repeat(
            ((grey > cv2.GaussianBlur(grey, (0, 0), 8) - 12) * 255.0)[:, :, None], 3, axis=2
        )
    pixels = np.clip(page, 0, 255).astype(np.uint8)
    for _ in range(2 if wild() else 1):
        quality = int(rng.integers(damage.jpeg[0], damage.jpeg[1] + 1))
        # The line may lie anywhere in the grid of 8 x 8 blocks.
        top, left = int(rng.integers(0, 8)), int(rng.integers(0, 8))
        framed = cv2.copyMakeBorder(pixels, top, 0, left, 0, cv2.BORDER_REPLICATE)
        coded = cv2.imencode(".jpg", framed[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)[top:, left:, ::-1]
    return np.ascontiguousarray(pixels), points.astype(np.float32), float(scale)


def _cut(
    rng: Rng, pixels: Pixels, points: Floats, em: float, *, roomy: bool
) -> tuple[Pixels, Floats]:
    """The line as a detector's quadrilateral cuts it, made upright, and its marks.

    The first four points are the line's corners, the others its marks, which come back as
    fractions of the width.
    """
    quad = points[:4]
    along = quad[1] - quad[0]
    along = along / max(float(np.linalg.norm(along)), 1e-6)
    down = quad[3] - quad[0]
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    if rng.random() < 0.5:
        top, bottom = rng.uniform(-0.04, 0.25, 2) * em
        left, right = rng.uniform(0.0, 0.35, 2) * em
    else:
        top, bottom = rng.uniform(0.05, 0.6, 2) * em
        left = rng.uniform(0.0, 1.2) * em
        right = rng.uniform(0.0, 2.8 if roomy else 1.2) * em
    corners = np.stack(
        [
            quad[0] - along * left - down * top,
            quad[1] + along * right - down * top,
            quad[2] + along * right + down * bottom,
            quad[3] - along * left + down * bottom,
        ]
    )
    corners += rng.uniform(-0.07, 0.07, (4, 2)) * em
    width = int(max(float(np.linalg.norm(corners[1] - corners[0])), 8))
    height = int(max(float(np.linalg.norm(corners[3] - corners[0])), 6))
    upright = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    pose = cv2.getPerspectiveTransform(corners.astype(np.float32), upright)
    method = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
    cut = cv2.warpPerspective(
        pixels, pose, (width, height), flags=method, borderMode=cv2.BORDER_REPLICATE
    )
    marks = cv2.perspectiveTransform(points[None, 4:], pose)[0, :, 0] / width
    return np.asarray(cut, dtype=np.uint8), marks.astype(np.float32)


# Typefaces -------------------------------------------------------------------------------------


def faces(folders: Sequence[Path]) -> list[Face]:
    """Typefaces under the folders that can print digits (and capitals, unless marked)."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.name.lower()
            if path.suffix.lower() not in (".ttf", ".otf", ".ttc", ".woff"):
                continue
            if path.suffix.lower() == ".woff" and not _wanted_web_font(name):
                continue
            for index in range(12 if path.suffix.lower() == ".ttc" else 1):
                try:
                    font = _open(Face(str(path), index, ""), 32)
                except OSError:
                    break
                if not _prints(font, _DIGITS):
                    continue
                family = (font.getname()[0] or path.stem).split(",")[0]
                plain = "dseg" in name or not _prints(font, string.ascii_uppercase)
                found.append(Face(str(path), index, _grouping(family), letters=not plain))
    return found


def _wanted_web_font(name: str) -> bool:
    """Web fonts come in dozens of subsets and weights: regular and bold Latin are enough."""
    if "dseg" in name:
        return name.startswith(("dseg7-classic-400", "dseg14-classic-400")) and "mini" not in name
    return (
        ("-latin-" in name or "-400-" in name)
        and "-ext-" not in name
        and any(f"-{weight}-" in name for weight in ("400", "700"))
    )


def _grouping(family: str) -> str:
    """One name for all national variants of a CJK family."""
    for suffix in (" SC", " TC", " HK", " JP", " KR", " CN", " TW", " MBE"):
        family = family.removesuffix(suffix)
    return family


def _near(size: float) -> int:
    return min(_SIZES, key=lambda known: abs(known - size))


def _open(face: Face, size: int) -> ImageFont.FreeTypeFont:
    # Basic layout: characters are placed one by one anyway.
    layout = ImageFont.Layout.BASIC
    return ImageFont.truetype(face.path, size, index=face.index, layout_engine=layout)


def _prints(font: ImageFont.FreeTypeFont, characters: str) -> bool:
    """Whether the font has a glyph of its own for every character."""
    missing = bytes(font.getmask("\U000e0fff"))
    seen = set()
    for character in characters:
        mask = font.getmask(character)
        data = bytes(mask)
        if not data or data == missing or mask.getbbox() is None:
            return False
        seen.add((mask.size, data))
    return len(seen) > len(characters) - 3


def label_faces(found: Sequence[Face]) -> list[Face]:
    """Those that have the labels' Chinese characters, one of each file."""
    chosen: list[Face] = []
    for face in found:
        if any(face.path == known.path for known in chosen):
            continue
        font = _open(face, 32)
        if _prints(font, "证书编号统社会信用代码注册学"):
            chosen.append(face)
    return chosen

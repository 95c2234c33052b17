"""Pictures on certificates: passport photographs, emblems, QR codes, bar codes, signatures."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]


def portrait(rng: Random, width: int, height: int, sex: str) -> Image.Image:
    """A drawn head and shoulders, in colour or in black and white."""
    scale = 2
    size = (width * scale, height * scale)
    backdrop = rng.choice(((67, 142, 219), (200, 30, 40), (250, 250, 250), (120, 170, 220)))
    image = Image.new("RGB", size, backdrop)
    draw = ImageDraw.Draw(image)
    w, h = size
    skin = rng.choice(((238, 205, 178), (224, 186, 158), (246, 218, 196), (210, 170, 140)))
    shade: Colour = (skin[0] - 22, skin[1] - 24, skin[2] - 24)
    hair: Colour = rng.choice(((25, 22, 22), (40, 30, 26), (16, 16, 20)))
    cloth: Colour = rng.choice(
        ((30, 34, 50), (240, 240, 240), (60, 60, 66), (120, 40, 44), (90, 110, 140))
    )
    x = w * rng.uniform(0.47, 0.53)
    y = h * rng.uniform(0.40, 0.45)
    rx, ry = w * rng.uniform(0.19, 0.225), h * rng.uniform(0.19, 0.22)
    if sex == "女":
        draw.ellipse((x - rx * 1.35, y - ry * 1.35, x + rx * 1.35, y + ry * 1.7), fill=hair)
    draw.rounded_rectangle((w * 0.06, h * 0.76, w * 0.94, h * 1.2), radius=w // 5, fill=cloth)
    draw.rectangle((x - rx * 0.45, y + ry * 0.7, x + rx * 0.45, h * 0.8), fill=shade)
    draw.polygon(
        [(x - rx * 0.6, h * 0.77), (x + rx * 0.6, h * 0.77), (x, h * 0.9)], fill=(245, 245, 245)
    )
    draw.ellipse((x - rx * 1.1, y - ry * 1.28, x + rx * 1.1, y + ry * 0.4), fill=hair)
    draw.ellipse((x - rx, y - ry * 0.98, x + rx, y + ry * 1.1), fill=skin)
    draw.pieslice((x - rx * 1.05, y - ry * 1.22, x + rx * 1.05, y + ry * 0.2), 190, 350, fill=hair)
    for side in (-1, 1):
        ex, ey = x + side * rx * 0.42, y + ry * 0.02
        draw.ellipse(
            (ex - rx * 0.16, ey - ry * 0.06, ex + rx * 0.16, ey + ry * 0.06), fill=(250, 250, 250)
        )
        draw.ellipse(
            (ex - rx * 0.08, ey - ry * 0.06, ex + rx * 0.08, ey + ry * 0.06), fill=(30, 22, 20)
        )
        draw.arc(
            (ex - rx * 0.26, ey - ry * 0.32, ex + rx * 0.26, ey + ry * 0.1),
            200,
            340,
            fill=hair,
            width=max(2, w // 60),
        )
        if rng.random() < 0.25:
            draw.rectangle(
                (ex - rx * 0.3, ey - ry * 0.14, ex + rx * 0.3, ey + ry * 0.18),
                outline=(40, 40, 40),
                width=3,
            )
    draw.line(
        (x, y + ry * 0.1, x - rx * 0.06, y + ry * 0.4, x + rx * 0.08, y + ry * 0.42),
        fill=shade,
        width=max(2, w // 80),
    )
    draw.arc(
        (x - rx * 0.3, y + ry * 0.45, x + rx * 0.3, y + ry * 0.75),
        20,
        160,
        fill=(176, 84, 80),
        width=max(2, w // 50),
    )
    image = image.resize((width, height), Image.Resampling.LANCZOS).filter(
        ImageFilter.GaussianBlur(0.6)
    )
    if rng.random() < 0.25:
        image = image.convert("L").convert("RGB")
    ImageDraw.Draw(image).rectangle((0, 0, width - 1, height - 1), outline=(200, 200, 200))
    return image


def emblem(rng: Random, size: int, *, mono: bool = False) -> Image.Image:
    """A round emblem with a gate, stars and a gear, reminiscent of the one on licences."""
    scale = 3
    side = size * scale
    red, gold = ((120, 120, 120), (235, 235, 235)) if mono else ((200, 26, 32), (246, 206, 92))
    image = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, side - 1, side - 1), fill=gold)
    edge = side * rng.uniform(0.07, 0.1)
    draw.ellipse((edge, edge, side - edge, side - edge), fill=red)
    middle = side / 2
    for n in range(28):
        angle = 2 * math.pi * n / 28
        if math.sin(angle) > -0.6:
            x, y = middle + 0.42 * side * math.cos(angle), middle + 0.42 * side * math.sin(angle)
            draw.ellipse(
                (x - side * 0.035, y - side * 0.025, x + side * 0.035, y + side * 0.025), fill=gold
            )
    _star(draw, middle, side * 0.24, side * 0.085, gold)
    for dx, dy in ((-0.2, 0.33), (-0.1, 0.37), (0.1, 0.37), (0.2, 0.33)):
        _star(draw, middle + dx * side, dy * side, side * 0.035, gold)
    draw.polygon(
        [
            (side * 0.3, side * 0.52),
            (side * 0.7, side * 0.52),
            (side * 0.64, side * 0.45),
            (side * 0.36, side * 0.45),
        ],
        fill=gold,
    )
    draw.rectangle((side * 0.32, side * 0.54, side * 0.68, side * 0.64), fill=gold)
    for n in range(5):
        x = side * (0.36 + 0.07 * n)
        draw.rectangle((x - side * 0.015, side * 0.57, x + side * 0.015, side * 0.64), fill=red)
    draw.ellipse(
        (side * 0.42, side * 0.7, side * 0.58, side * 0.86), outline=gold, width=max(2, side // 40)
    )
    return image.resize((size, size), Image.Resampling.LANCZOS)


def _star(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: Colour) -> None:
    points = []
    for n in range(10):
        reach = radius if n % 2 == 0 else radius * 0.382
        points.append(
            (x + reach * math.sin(math.pi * n / 5), y - reach * math.cos(math.pi * n / 5))
        )
    draw.polygon(points, fill=colour)


def qr_code(rng: Random, size: int, content: Callable[[Random], bytes]) -> Image.Image:
    """A QR code of `size` pixels that says what `content` draws, without its quiet zone.

    `content` has a generator of its own: what it draws does not change the rest of the page.
    """
    import zxingcpp

    level = rng.choice("LMMQ")
    payload = content(Random(rng.getrandbits(32)))
    symbol = zxingcpp.create_barcode(payload, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    modules = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    sharp = -(-4 * size // len(modules))
    image = Image.fromarray(modules).resize((sharp * len(modules),) * 2, Image.Resampling.NEAREST)
    return image.resize((size, size), Image.Resampling.BOX).convert("RGB")


def bar_code(rng: Random, width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    x = 2
    while x < width - 4:
        bar = rng.choice((2, 2, 3, 4))
        draw.rectangle((x, 0, x + bar - 1, height), fill="black")
        x += bar + rng.choice((2, 3, 4))
    return image


def signature(rng: Random, width: int, height: int) -> Image.Image:
    """A scrawl of three or four joined strokes, dark on white."""
    image = Image.new("RGB", (width * 2, height * 2), "white")
    draw = ImageDraw.Draw(image)
    ink = rng.choice(((20, 20, 24), (24, 30, 90), (40, 40, 44)))
    cells = rng.choice((2, 3, 3))
    for cell in range(cells):
        for _ in range(rng.randint(2, 4)):
            x0 = (cell + rng.random()) * width * 2 / (cells + 0.4)
            y0 = rng.uniform(0.1, 0.7) * height * 2
            points = [(x0, y0)]
            for _ in range(rng.randint(2, 4)):
                x, y = points[-1]
                points.append(
                    (x + rng.uniform(-0.4, 0.5) * height, y + rng.uniform(-0.6, 0.8) * height)
                )
            draw.line(_curve(points), fill=ink, width=rng.randint(2, 6), joint="curve")
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _curve(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A smooth line through the points (Catmull-Rom)."""
    path = [points[0], *points, points[-1]]
    return [
        (_between(p0[0], p1[0], p2[0], p3[0], t / 8), _between(p0[1], p1[1], p2[1], p3[1], t / 8))
        for p0, p1, p2, p3 in zip(path, path[1:], path[2:], path[3:], strict=False)
        for t in range(8)
    ]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    """The spline's value at `t` between `b` and `c`."""
    linear, square = (c - a) * t, (2 * a - 5 * b + 4 * c - d) * t * t
    return 0.5 * (2 * b + linear + square + (3 * b - a - 3 * c + d) * t**3)

"""Damage: what a scanner, a camera and JPEG do to a page.

The levels are those by which figures are compared; sizes refer to a page 1,500 pixels wide.
"""

from __future__ import annotations

import io
import math
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ocr_moe.errors import ConfigError
from ocr_moe.types import Point, Quad, Value

Pair = tuple[float, float]
Quads = dict[str, list[Quad]]
Pixels = NDArray[np.uint8]
"""Height x width x RGB."""


class Level(Value):
    """Ranges from which the damage of one image is drawn."""

    rotation: float = 0.0
    """Largest rotation in degrees."""
    perspective: float = 0.0
    """Largest shift of a corner, in parts of the page's width and height."""
    scale: Pair = (1.0, 1.0)
    blur: Pair = (0.0, 0.0)
    """Standard deviation in pixels of the scaled image."""
    noise: float = 0.0
    """Standard deviation in grey levels of 0-255."""
    jpeg: tuple[int, int] = (95, 95)
    """Quality of the encoder."""
    falloff: float = 0.0
    """How much darker the darkest place is than the brightest, in parts."""


LEVELS: dict[str, Level] = {
    "clean": Level(),
    "scan": Level(rotation=2.5, scale=(0.7, 1.0), blur=(0.25, 0.6), noise=4, jpeg=(60, 90)),
    "photo": Level(
        perspective=0.03, scale=(0.6, 0.9), blur=(0.45, 1.1), noise=7, jpeg=(50, 80), falloff=0.35
    ),
    "hard": Level(
        perspective=0.06,
        scale=(0.45, 0.65),
        blur=(0.55, 1.3),
        noise=11,
        jpeg=(35, 60),
        falloff=0.35,
    ),
}


class Damaged(NamedTuple):
    """An image after damage, not yet encoded as JPEG."""

    image: Image.Image
    quads: Quads
    """The fields' places in fractions of the new image."""
    settings: dict[str, float]
    """What was drawn: rotation, perspective, scale, blur, noise, jpeg, falloff."""


def level_named(name: str) -> Level:
    """Raises ConfigError for a name that is not a level."""
    if name not in LEVELS:
        raise ConfigError(f"unknown damage level {name!r}; known are {', '.join(LEVELS)}")
    return LEVELS[name]


def damage(image: Image.Image, level: str, rng: Random, quads: Quads | None = None) -> Damaged:
    """Damages an RGB page; the quads (fractions of the page) move along.

    Encoding is the last step of the damage and left to the caller, who writes the file: see
    `encode`, and `settings["jpeg"]` for the quality that was drawn.
    """
    import cv2

    chosen = level_named(level)
    quads = dict(quads or {})
    angle = rng.uniform(-chosen.rotation, chosen.rotation)
    scale = rng.uniform(*chosen.scale)
    blur = rng.uniform(*chosen.blur)
    quality = rng.randint(*chosen.jpeg)
    pixels = np.asarray(image)
    if chosen.rotation or chosen.perspective:
        corners, size = _corners(image.size, angle, chosen.perspective, rng)
        matrix = _homography(_rectangle(image.size), corners)
        quads = {
            name: [_moved(quad, matrix, image.size, size) for quad in places]
            for name, places in quads.items()
        }
        pixels = cv2.warpPerspective(
            pixels,
            matrix,
            size,
            dst=_surface(size, bool(chosen.perspective), rng),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_TRANSPARENT,
        )
    if scale < 1:
        height, width = pixels.shape[:2]
        small = (round(width * scale), round(height * scale))
        pixels = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    if blur:
        pixels = cv2.GaussianBlur(pixels, (0, 0), blur)
    if chosen.falloff or chosen.noise:
        pixels = _light_and_noise(pixels, chosen.falloff, chosen.noise, rng)
    settings = {
        "rotation": angle,
        "perspective": chosen.perspective,
        "scale": scale,
        "blur": blur,
        "noise": chosen.noise,
        "jpeg": float(quality),
        "falloff": chosen.falloff,
    }
    return Damaged(Image.fromarray(pixels), quads, settings)


def encode(image: Image.Image, quality: int) -> bytes:
    """The image as a JPEG file; colour is subsampled as cameras and scanners do."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _rectangle(size: tuple[int, int]) -> tuple[Point, ...]:
    width, height = size
    return ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))


def _corners(
    size: tuple[int, int], angle: float, shift: float, rng: Random
) -> tuple[tuple[Point, ...], tuple[int, int]]:
    """Where the page's corners go, and the size of the image that shows them.

    Around the page some of the surface it lies on may show; at most 2 % of it is cut off.
    """
    width, height = size
    margin = rng.uniform(max(0.0, shift - 0.02), shift + 0.03)
    out = (round(width * (1 + 2 * margin)), round(height * (1 + 2 * margin)))
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    points = []
    for x, y in _rectangle(size):
        dx, dy = x - width / 2, y - height / 2
        points.append(
            (
                out[0] / 2 + dx * cosine - dy * sine + rng.uniform(-shift, shift) * width,
                out[1] / 2 + dx * sine + dy * cosine + rng.uniform(-shift, shift) * height,
            )
        )
    return tuple(points), out


def _homography(source: tuple[Point, ...], target: tuple[Point, ...]) -> NDArray[np.float64]:
    """The 3 x 3 matrix that takes four points to four others."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    flat = np.array(target, dtype=np.float64).reshape(8)
    solved = np.linalg.solve(np.array(rows, dtype=np.float64), flat)
    return np.append(solved, 1.0).reshape(3, 3)


def _moved(
    quad: Quad, matrix: NDArray[np.float64], page: tuple[int, int], out: tuple[int, int]
) -> Quad:
    points = np.array([(x * page[0], y * page[1], 1.0) for x, y in quad]) @ matrix.T
    plane = points[:, :2] / points[:, 2:] / np.array(out)
    a, b, c, d = ((float(x), float(y)) for x, y in np.clip(plane, 0.0, 1.0))
    return (a, b, c, d)


def _surface(size: tuple[int, int], camera: bool, rng: Random) -> Pixels:
    """What the page lies on: a scanner's lid, or a table."""
    if not camera:
        shade = rng.choice((255, 250, 245, 235, rng.randint(30, 230)))
        return np.full((size[1], size[0], 3), shade, np.uint8)
    base = rng.choice(((92, 64, 44), (140, 108, 76), (60, 62, 66), (176, 172, 166), (38, 40, 48)))
    tone = np.array([[rng.randint(-22, 22)] * 3 for _ in range(9)], np.int16)
    tile = np.clip(np.array(base, np.int16) + tone, 0, 255).astype(np.uint8).reshape(3, 3, 3)
    return np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.BILINEAR)).copy()


def _light_and_noise(pixels: Pixels, falloff: float, noise: float, rng: Random) -> Pixels:
    """Darkens towards one side or corner, then adds Gaussian noise to every sample."""
    height, width = pixels.shape[:2]
    values = pixels.astype(np.float32)
    if falloff:
        x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
        y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        if rng.random() < 0.5:
            angle = rng.uniform(0, 2 * math.pi)
            dark = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
        else:
            dark = np.hypot(x - np.float32(rng.random()), y - np.float32(rng.random()))
        dark = (dark - dark.min()) / (dark.max() - dark.min())
        values *= (1 - np.float32(falloff) * dark)[:, :, None]
    if noise:
        generator = np.random.default_rng(rng.getrandbits(32))
        grain = generator.standard_normal(pixels.shape, np.float32)
        grain *= np.float32(noise)
        values += grain
    values += 0.5
    return np.clip(values, 0, 255, out=values).astype(np.uint8)

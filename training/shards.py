"""Lines on disk: training shards made ahead by a process of their own, and the validation sets."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from network import HEIGHT, STRETCH
from numpy.typing import NDArray
from synthesis import (
    LEVELS,
    PRIMER,
    TRAINING,
    Face,
    Sample,
    Sampler,
    diploma_number,
    faces,
    few_characters,
    label_faces,
    random_code,
)

Pixels = NDArray[np.uint8]

SHARD = 1000
EASY = np.array([0.50, 0.35, 0.15, 0.00])
FULL = np.array([0.14, 0.30, 0.38, 0.18])
"""Shares of the damage levels at the start and from shard `CURRICULUM` on."""
CURRICULUM = 30
PRIMERS = 4
"""How many shards at the start have only a few characters a line."""
UNSEEN = frozenset(
    {
        "Carlito", "Cutive Mono", "Gelasio", "IBM Plex Mono", "Libre Baskerville", "PT Serif",
        "Roboto Condensed", "Ubuntu",
    }
)  # fmt: skip
"""Families that only validation sees."""
VALIDATION_SEED = 90210


STORED = 40
"""Height in pixels to which higher lines are scaled down before they are stored."""


def stored(pixels: Pixels) -> Pixels:
    """The line no higher than `STORED`; lower ones are kept as they are."""
    height, width = pixels.shape[:2]
    if height <= STORED:
        return pixels
    method = cv2.INTER_AREA if height > 2 * STORED else cv2.INTER_LINEAR
    size = (max(math.ceil(STORED * width / height), 8), STORED)
    return np.asarray(cv2.resize(pixels, size, interpolation=method), dtype=np.uint8)


def fitted(pixels: Pixels) -> Pixels:
    """The line at the network's height, exactly as `SpecialistLines` scales it."""
    height, width = pixels.shape[:2]
    method = cv2.INTER_AREA if height > 2 * HEIGHT else cv2.INTER_LINEAR
    size = (max(math.ceil(STRETCH * HEIGHT * width / height), 8), HEIGHT)
    return np.asarray(cv2.resize(pixels, size, interpolation=method), dtype=np.uint8)


class Line(NamedTuple):
    """A stored line; see `Sample`."""

    pixels: Pixels
    text: str
    marks: NDArray[np.float32]


def save(path: Path, lines: Sequence[Sample]) -> None:
    """Lines in one file, complete or absent."""
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        data=np.concatenate([line.pixels.ravel() for line in lines]),
        shapes=np.array([line.pixels.shape[:2] for line in lines], dtype=np.int32),
        texts=np.array([line.text for line in lines]),
        marks=np.concatenate([line.marks for line in lines]),
    )
    partial.rename(path)


def load(path: Path) -> list[Line]:
    with np.load(path) as content:
        data, shapes, texts, marks = (content[n] for n in ("data", "shapes", "texts", "marks"))
    lines = []
    start = first = 0
    for (height, width), text in zip(shapes, texts, strict=True):
        end, last = start + int(height) * int(width) * 3, first + len(text)
        pixels = data[start:end].reshape(height, width, 3)
        lines.append(Line(pixels, str(text), marks[first:last]))
        start, first = end, last
    return lines


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard_{number:05d}.npz"


def training_faces(fonts: Sequence[Path]) -> tuple[list[Face], list[Face]]:
    """(typefaces of codes, typefaces of labels) without those kept for validation."""
    found = [face for face in faces(fonts) if face.family not in UNSEEN]
    return found, label_faces(found)


def make_training(folder: Path, fonts: Sequence[Path], seed: int, ahead: int) -> None:
    """Writes shard after shard, at most `ahead` more than the trainer has taken."""
    codes, labels = training_faces(fonts)
    sampler = Sampler(codes, labels, seed)
    levels = list(TRAINING.values())
    number = 0
    while True:
        taken = folder / "taken"
        done = int(taken.read_text()) if taken.exists() else 0
        if number > done + ahead:
            time.sleep(2)
            continue
        path = shard_path(folder, number)
        if not path.exists():
            progress = min(number / CURRICULUM, 1.0)
            shares = EASY * (1 - progress) + FULL * progress
            choice = np.random.default_rng((seed, 3, number))
            lines = []
            for place in range(SHARD):
                index = number * SHARD + place
                if number < PRIMERS:
                    drawn = sampler.sample(index, PRIMER, few_characters)
                else:
                    damage = levels[choice.choice(len(levels), p=shares)]
                    drawn = sampler.sample(index, damage)
                lines.append(replace(drawn, pixels=stored(drawn.pixels)))
            save(path, lines)
        number += 1


def make_validation(folder: Path, fonts: Sequence[Path], size: int) -> None:
    """`size` lines per damage level of docs/formats.md (and of letters, worse) and font group."""
    found = faces(fonts)
    labels = label_faces(found)
    for group in ("seen", "unseen"):
        codes = [face for face in found if (face.family in UNSEEN) == (group == "unseen")]
        sampler = Sampler(codes, labels, VALIDATION_SEED + (group == "unseen"))
        for level, damage in {**LEVELS, "codes": TRAINING["middle"]}.items():
            path = folder / f"{level}-{group}.npz"
            if path.exists():
                continue
            kind = random_code if level == "codes" else diploma_number
            drawn = [sampler.sample(index, damage, kind) for index in range(size)]
            save(path, drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("training", "validation"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, nargs="+", default=[Path("/usr/share/fonts")])
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--ahead", type=int, default=60)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "training":
        make_training(options.out, options.fonts, options.seed, options.ahead)
    else:
        make_validation(options.out, options.fonts, options.size)


if __name__ == "__main__":
    main()

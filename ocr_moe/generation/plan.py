"""What a set of images contains: who, on which layout, how damaged, under which name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count as counter
from random import Random

from ocr_moe.generation.damage import level_named
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.kinds import kind_of
from ocr_moe.generation.layouts import select
from ocr_moe.generation.spec import Spec

SUFFIXES = ((".jpg", 86), (".png", 9), (".webp", 3), (".jpeg", 2))


def plan(
    schema: str,
    *,
    count: int,
    seed: int,
    levels: Sequence[str],
    layouts: Sequence[str] | None,
    fonts: FontBook,
    width: int = 1500,
    notices: float = 0.0,
) -> list[tuple[str, Spec]]:
    """File names and specs of a set. Levels alternate, so that each has its share.

    `notices` is the share of pages with a notice printed all over them; the others are what they are
    without.

    Raises:
        ConfigError: for an unknown schema, layout or level.
    """
    for level in levels:
        level_named(level)
    chosen = select(schema, layouts)
    rng = Random(f"{schema} {seed}")
    documents = kind_of(schema).documents(rng, chosen)
    planned: list[tuple[str, Spec]] = []
    taken: set[str] = set()
    seals = _shuffled_thirds(rng, count)
    marked = Random(f"notices {schema} {seed}")
    for n in range(count):
        facts, layout = next(documents)
        turned = rng.random() < 0.05
        level = levels[n % len(levels)]
        suffix = rng.choices([s for s, _ in SUFFIXES], weights=[w for _, w in SUFFIXES])[0]
        if suffix == ".png" and level != "clean":
            suffix = ".jpg"  # a noisy page as PNG is several megabytes
        spec = Spec(
            layout=layout.name,
            facts=facts,
            level=level,
            seed=rng.getrandbits(48),
            fonts=fonts,
            second_seal=seals[n],
            notice=marked.random() < notices,
            rotation=rng.choice((90, 180, 270)) if turned else 0,
            exif=turned and rng.random() < 0.3 and suffix in (".jpg", ".jpeg"),
            width=width,
            suffix=suffix,
        )
        planned.append((_unique(facts.stem, taken) + suffix, spec))
    return planned


def _shuffled_thirds(rng: Random, count: int) -> list[bool]:
    """One in three true, in random order."""
    marks = [n % 3 == 0 for n in range(count)]
    rng.shuffle(marks)
    return marks


def _unique(stem: str, taken: set[str]) -> str:
    """The stem, or the stem with a number: two students may share a name."""
    name = stem
    for n in counter(2):
        if name not in taken:
            break
        name = f"{stem}_{n}"
    taken.add(name)
    return name

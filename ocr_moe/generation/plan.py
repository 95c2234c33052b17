"""What a set of images contains: who, on which layout, how damaged, under which name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count as counter
from random import Random

from ocr_moe.generation.businesses import draw_licence
from ocr_moe.generation.damage import level_named
from ocr_moe.generation.facts import Graduate, Licence
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.graduates import draw_certificates, draw_further
from ocr_moe.generation.layouts import Layout, select
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
    documents: Iterator[tuple[Graduate | Licence, Layout]]
    documents = (
        _certificates(rng, chosen) if schema == "graduation_certificate" else _licences(rng, chosen)
    )
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


def _certificates(
    rng: Random, chosen: Sequence[Layout]
) -> Iterator[tuple[Graduate | Licence, Layout]]:
    """Certificates, student by student; now and then one of an earlier student's name.

    Where there are layouts for holders of several kinds, the kinds take turns by chance.
    """
    holders = sorted({layout.holder for layout in chosen})
    others = [holder for holder in holders if holder != "mainland"]
    seen: list[str] = []
    used: Counter[str] = Counter()
    older = sum(layout.weight for layout in chosen if layout.older)
    share = 0.9 * older / sum(layout.weight for layout in chosen)
    while True:
        holder = rng.choice(holders) if others else "mainland"
        if holder != "mainland":
            facts = draw_further(rng, holder)
            yield facts, _pick(rng, [layout for layout in chosen if layout.accepts(facts)], used)
            continue
        name = rng.choice(seen) if seen and rng.random() < 0.03 else None
        certificates = draw_certificates(rng, older=rng.random() < share, name=name)
        seen.append(certificates[0].person.name)
        for facts in certificates:
            before = int(facts.issued[:4]) < 2003
            fitting = [
                layout
                for layout in chosen
                if layout.accepts(facts) and (before or not layout.older)
            ]
            if fitting:
                yield facts, _pick(rng, fitting, used)


def _licences(rng: Random, chosen: Sequence[Layout]) -> Iterator[tuple[Graduate | Licence, Layout]]:
    used: Counter[str] = Counter()
    while True:
        facts = draw_licence(rng, era="old" if rng.random() < 0.35 else "modern")
        fitting = [layout for layout in chosen if layout.accepts(facts)]
        if fitting:
            yield facts, _pick(rng, fitting, used)


def _pick(rng: Random, fitting: Sequence[Layout], used: Counter[str]) -> Layout:
    """By weight, but sooner what was used seldom: small sets then show every layout."""
    weights = [layout.weight / (1 + used[layout.name] / layout.weight) ** 2 for layout in fitting]
    layout = rng.choices(fitting, weights)[0]
    used[layout.name] += 1
    return layout


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

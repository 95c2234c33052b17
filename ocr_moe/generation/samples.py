"""Sets of images on disk, with their truth."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

from ocr_moe.errors import ConfigError
from ocr_moe.generation.damage import encode
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.layouts import select
from ocr_moe.generation.plan import plan
from ocr_moe.generation.render import render
from ocr_moe.generation.spec import LEVEL_NAMES, Rendered, Sample, Spec
from ocr_moe.generation.workbook import write_truth
from ocr_moe.types import Box, Quad

_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}
_EXIF_ORIENTATION = {90: 6, 180: 3, 270: 8}


def generate(
    out: Path,
    *,
    schema: str,
    count: int,
    seed: int,
    levels: Sequence[str] = LEVEL_NAMES,
    layouts: Sequence[str] | None = None,
    fonts: Sequence[str] | None = None,
    truth_name: str = "verified.xlsx",
    workers: int = 1,
    width: int = 1500,
    notices: float = 0.0,
) -> list[Sample]:
    """Writes `count` images, their truth and samples.jsonl into the folder `out`.

    The same arguments give the same bytes, whatever `workers` is, on a machine with the same
    typefaces.

    Args:
        schema: name of a schema that something is drawn for (`ocr_moe.generation.kinds`).
        levels: damage levels, which take turns.
        layouts: names of layouts or groups: `standard`, `heldout`, `further` (all further kinds), one
            further kind (`taiwan`, `foreign`, `english`, `early`, `registry`), or one of these with
            `heldout_` before it; None is standard.
        fonts: names of typefaces to use; None uses all known ones that are installed.
        width: pixels of a page before damage.
        notices: share of pages, 0-1, with a notice such as 仅供入职审核使用 printed all over them.

    Raises:
        ConfigError: no typeface for Chinese is installed; an unknown schema, level, layout or
            typeface; a count below one.
    """
    if count < 1 or not levels:
        raise ConfigError("generate needs a count of at least 1 and at least one damage level")
    book = FontBook.discover(only=fonts)
    planned = plan(
        schema,
        count=count,
        seed=seed,
        levels=levels,
        layouts=layouts,
        fonts=book,
        width=width,
        notices=notices,
    )
    out.mkdir(parents=True, exist_ok=True)
    jobs = [(out, schema, name, spec) for name, spec in planned]
    if workers > 1:
        # a forked child may hang in the thread pool that OpenCV had started in its parent
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            samples = list(pool.map(_write_image, jobs, chunksize=4))
    else:
        samples = [_write_image(job) for job in jobs]
    samples.sort(key=lambda sample: sample.file)
    with open(out / "samples.jsonl", "w", encoding="utf-8", newline="\n") as stream:
        for sample in samples:
            line = sample.model_dump(mode="json", by_alias=True)
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    write_truth(out / truth_name, samples)
    return samples


def layout_names(schema: str, group: str = "standard") -> tuple[str, ...]:
    """The layouts of a group: `standard`, `heldout`, `further`, `taiwan` …"""
    return tuple(layout.name for layout in select(schema, (group,)))


def _write_image(job: tuple[Path, str, str, Spec]) -> Sample:
    out, schema, name, spec = job
    rendered = render(spec)
    (out / name).write_bytes(_file_bytes(rendered, spec))
    return Sample(
        file=name,
        schema_name=schema,
        layout=spec.layout,
        level=spec.level,
        seed=spec.seed,
        rotation=spec.rotation,
        exif=spec.exif,
        second_seal=spec.second_seal,
        fonts=rendered.fonts,
        width=rendered.image.width,
        height=rendered.image.height,
        damage={key: round(value, 4) for key, value in rendered.settings.items()},
        boxes={field: _hull(quads) for field, quads in rendered.boxes.items()},
        quads={
            field: tuple(_rounded(quad) for quad in quads)
            for field, quads in rendered.boxes.items()
        },
        truth=rendered.truth,
        tables=rendered.tables,
    )


def _file_bytes(rendered: Rendered, spec: Spec) -> bytes:
    """The image in its file format. What is not JPEG has still been through a JPEG encoder,
    because that is part of the damage."""
    image = rendered.image
    if spec.rotation:
        image = image.transpose(_TURNS[spec.rotation])
    jpeg = encode(image, rendered.quality)
    buffer = io.BytesIO()
    if spec.exif:
        exif = Image.Exif()
        exif[0x0112] = _EXIF_ORIENTATION[spec.rotation]
        image.save(buffer, "JPEG", quality=rendered.quality, exif=exif)
        return buffer.getvalue()
    if spec.suffix in (".jpg", ".jpeg"):
        return jpeg
    decoded = Image.open(io.BytesIO(jpeg))
    if spec.suffix == ".png":
        decoded.save(buffer, "PNG")
    else:
        decoded.save(buffer, "WEBP", quality=90, method=2)
    return buffer.getvalue()


def _hull(quads: Iterable[Quad]) -> Box:
    points = [point for quad in quads for point in quad]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (round(min(xs), 5), round(min(ys), 5), round(max(xs), 5), round(max(ys), 5))


def _rounded(quad: Quad) -> Quad:
    a, b, c, d = ((round(x, 5), round(y, 5)) for x, y in quad)
    return (a, b, c, d)

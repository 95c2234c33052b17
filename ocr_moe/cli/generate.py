"""`ocr-moe generate`: synthetic documents with their verified sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def generate(
    out: Annotated[Path, typer.Option("--out", help="Folder for the images and verified.xlsx.")],
    schema: Annotated[
        str,
        typer.Option(
            "--schema", help="A shipped schema, such as graduation_certificate or passport."
        ),
    ] = "graduation_certificate",
    count: Annotated[int, typer.Option("--count", min=1, help="How many images.")] = 40,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same images.")] = 1,
    levels: Annotated[
        str, typer.Option("--levels", help="Damage levels, taken in turn.")
    ] = "clean,scan,photo,hard",
    layouts: Annotated[
        str | None,
        typer.Option(
            "--layouts", help="Only these layouts, by name or group: heldout, further, taiwan …"
        ),
    ] = None,
    notices: Annotated[
        float,
        typer.Option(
            "--notices", min=0, max=1, help="Share of pages with 仅供…使用 printed all over them."
        ),
    ] = 0.0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that draw.")] = 1,
) -> None:
    """Draw synthetic certificates, licences and cards, damaged like scans and photographs, with their
    truth."""
    from ocr_moe.cli.words import said
    from ocr_moe.generation import generate as draw

    samples = draw(
        out,
        schema=schema,
        count=count,
        seed=seed,
        levels=_names(levels),
        layouts=_names(layouts) if layouts else None,
        notices=notices,
        workers=workers,
    )
    typer.echo(said("images_drawn", n=len(samples), folder=out))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())

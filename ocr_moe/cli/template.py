"""`ocr-moe template`: a verified sheet to be filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options


def template(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SCHEMA|DIR", help="A schema (name or YAML file), or the folder of a run."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The workbook to write, a new file.")],
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Of a run: whose values to fill in.")
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Write a verified sheet: empty for a schema, or with the documents of a run, to be checked."""
    from ocr_moe import api
    from ocr_moe.cli.words import language, phrase, said
    from ocr_moe.workshop.config import load_config

    chosen = load_config(config)
    n = api.template(what, out, strategy=strategy, language=language(), config=chosen)
    if Path(what).is_dir():
        documents = phrase("n_documents", n=n)
        typer.echo(said("template_filled", documents=documents, file=out, folder=what))
    else:
        typer.echo(said("template_empty", schema=what, file=out))

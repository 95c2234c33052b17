"""`ocr-moe evaluate`: how right a run is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options


def evaluate(
    what: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|FILE.xlsx",
            help="Folder of a run (or the records.xlsx in it), or a sheet with columns.",
        ),
    ],
    truth: Annotated[
        list[Path] | None, typer.Option("--truth", help="The verified sheet (one a schema).")
    ] = None,
    truth_column: Annotated[
        str | None, typer.Option("--truth-column", help="Of a sheet: heading or letter.")
    ] = None,
    predicted_column: Annotated[
        str | None, typer.Option("--predicted-column", help="Of a sheet: heading or letter.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="For a sheet: where to write the scores.")
    ] = None,
    config: options.ConfigFile = None,
) -> None:
    """Score a run against a verified sheet, or two columns of one sheet against each other."""
    from ocr_moe import api
    from ocr_moe.cli.tables import print_scores
    from ocr_moe.cli.words import language
    from ocr_moe.errors import UsageError
    from ocr_moe.workshop.config import load_config

    chosen = load_config(config)
    if truth_column is not None or predicted_column is not None:
        if truth_column is None or predicted_column is None:
            raise UsageError("--truth-column and --predicted-column go together")
        scores = api.evaluate_columns(
            what, truth_column, predicted_column, out=out, config=chosen, language=language()
        )
        folder = out
    elif truth:
        scores = api.evaluate(what, truth, config=chosen, language=language())
        folder = api.run_folder(what)
    else:
        raise UsageError(
            "name the verified sheet with --truth, or two columns of one sheet with "
            "--truth-column and --predicted-column"
        )
    print_scores(scores)
    if folder is not None:
        for name in ("report.html", "accuracy.xlsx", "scores.json"):
            typer.echo(f"  {folder / name}")

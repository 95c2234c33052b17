"""`ocr-moe calibrate`: confidences that mean what they say, from the user's own verified sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options


def calibrate(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run or comparison.")],
    truth: options.Truth,
    config: options.ConfigFile = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="The documents are synthetic; the file says so.")
    ] = False,
) -> None:
    """Fit confidences on a run and its verified sheet; nothing is asked again."""
    from ocr_moe import api
    from ocr_moe.cli.session import steps
    from ocr_moe.cli.words import said
    from ocr_moe.workshop.config import load_config

    chosen = load_config(config)
    with steps("fitting") as report:
        result, files = api.calibrate(run, truth, config=chosen, synthetic=synthetic, report=report)
    for quality in result.calibration.quality.values():
        typer.echo(quality.verdict)
    for file in files:
        typer.echo(f"  {file}")
    typer.echo(said("use_it", file=files[-1]))

"""The recipes by name: `python -m recipes` lists them, `python -m recipes samples` follows one."""

from __future__ import annotations

import typer

from recipes import (
    architecture,
    calibration,
    configuration,
    formats,
    recorded,
    revisions,
    samples,
    screenshots,
)

app = typer.Typer(
    name="python -m recipes",
    help="How what ships was made: each recipe makes its part again.",
    no_args_is_help=True,
    add_completion=False,
)
for recipe, name in (
    (samples, "samples"),
    (calibration, "calibration"),
    (recorded, "recorded"),
    (configuration, "configuration"),
    (architecture, "architecture"),
    (formats, "formats"),
    (revisions, "revisions"),
    (screenshots, "screenshots"),
):
    app.command(name)(recipe.main)


if __name__ == "__main__":
    app()

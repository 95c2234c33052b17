"""The recipes by name: `python -m recipes` lists them, `python -m recipes samples` follows one."""

from __future__ import annotations

import typer

from recipes import calibration, recorded, samples

app = typer.Typer(
    name="python -m recipes",
    help="How what ships was made: each recipe makes its part again.",
    no_args_is_help=True,
    add_completion=False,
)
app.command("samples")(samples.main)
app.command("calibration")(calibration.main)
app.command("recorded")(recorded.main)


if __name__ == "__main__":
    app()

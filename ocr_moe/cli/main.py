"""The command `ocr-moe`: a thin skin over the Python API."""

from __future__ import annotations

import sys

import typer

from ocr_moe.cli import (
    calibrate,
    compare,
    doctor,
    evaluate,
    export,
    extract,
    generate,
    listings,
    screen,
)

app = typer.Typer(
    name="ocr-moe",
    help="Turn a pile of scanned certificates into a spreadsheet that is right, "
    "and say which cells a person must still check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("extract")(extract.extract)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("calibrate")(calibrate.calibrate)
app.command("generate")(generate.generate)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
app.command("schemas")(listings.schemas)
app.command("strategies")(listings.strategies)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from ocr_moe.version import __version__

        typer.echo(f"ocr-moe {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point. Exit status 2 for wrong usage or configuration, 130 when interrupted."""
    from ocr_moe.errors import OcrMoeError, UsageError

    screen.prepare()
    try:
        app()
    except UsageError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OcrMoeError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("Interrupted. The same command goes on where this stopped.", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()

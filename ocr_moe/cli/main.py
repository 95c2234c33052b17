"""The command `ocr-moe`: a thin skin over the Python API."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from ocr_moe.cli import (
    calibrate,
    compare,
    doctor,
    evaluate,
    export,
    extract,
    generate,
    listings,
    mcp,
    merge,
    review,
    schema,
    screen,
    serve,
    template,
)
from ocr_moe.errors import InterruptedRunError, OcrMoeError, UsageError


class Commands(TyperGroup):
    """Says in a sentence what stops a command that is under way."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            interrupt_on_signals()  # here, where it is told; before, nothing is begun yet
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            told = str(stop) or "interrupted; give the same command again"
            with suppress(OSError):  # the terminal may be gone as well
                typer.echo(f"Stopped: {told}", err=True)
            if isinstance(stop, InterruptedRunError) and not stop.at_once:
                raise typer.Exit(130) from stop
            leave(130)
        except BrokenPipeError:
            with suppress(OSError):
                typer.echo("Error: standard output was closed before all was said.", err=True)
            leave(1)


def interrupt_on_signals() -> None:
    """Let a request to end, or the end of the terminal, be what Ctrl-C is."""
    for name in ("SIGTERM", "SIGHUP", "SIGBREAK"):  # the last is of Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
            signal.signal(number, signal.default_int_handler)


def leave(status: int) -> NoReturn:
    """End the process without waiting for threads, and without writing to a closed stream."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


app = typer.Typer(
    name="ocr-moe",
    cls=Commands,
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
app.command("merge")(merge.merge)
app.command("review")(review.review)
app.command("calibrate")(calibrate.calibrate)
app.command("serve")(serve.serve)
app.command("template")(template.template)
app.command("generate")(generate.generate)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
app.command("schemas")(listings.schemas)
app.add_typer(schema.app, name="schema")
app.command("strategies")(listings.strategies)
app.command("mcp")(mcp.mcp)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from ocr_moe.version import __version__

        typer.echo(f"ocr-moe {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point. Exit status 2 for wrong usage or configuration, 130 when interrupted."""
    screen.prepare()
    try:
        app()
    except UsageError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OcrMoeError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        typer.echo(f"Error: {where}{error.strerror or error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()

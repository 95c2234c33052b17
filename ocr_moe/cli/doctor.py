"""`ocr-moe doctor`: what works on this machine, in plain words."""

from __future__ import annotations

import typer

from ocr_moe.cli import options


def doctor(config: options.ConfigFile = None) -> None:
    """Say what is installed, which weights are found, and which endpoints answer."""
    from ocr_moe.workshop.checkup import examine
    from ocr_moe.workshop.config import load_config

    healthy = True
    for finding in examine(load_config(config)):
        mark = {"good": "ok  ", "missing": "-   ", "bad": "BAD "}[finding.state]
        typer.echo(f"{mark}{finding.subject}: {finding.words}")
        healthy = healthy and finding.state != "bad"
    raise typer.Exit(0 if healthy else 1)

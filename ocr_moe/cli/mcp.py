"""`ocr-moe mcp`: extract, evaluate and the queue for assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options


def mcp(
    root: Annotated[
        Path,
        typer.Option("--root", help="The folder that the assistant may read and write below."),
    ] = Path(),
    config: options.ConfigFile = None,
    local_only: options.LocalOnly = False,
    max_cost: options.MaxCost = None,
) -> None:
    """Offer extract, evaluate and the queue to assistants (Model Context Protocol) on standard input
    and output. Assistants start this command themselves: see docs/security.md."""
    from ocr_moe import api
    from ocr_moe.errors import MissingDependencyError

    try:
        from ocr_moe.assistants.server import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise MissingDependencyError(
            "the package mcp is not installed: pip install 'ocr-moe[mcp]'"
        ) from error
    chosen = api.Options(config=config, local_only=local_only, max_cost=max_cost)
    server(root, chosen).run("stdio")

"""`ocr-moe schemas` and `ocr-moe strategies`: what there is to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from ocr_moe.cli import options


def schemas(
    config: options.ConfigFile = None,
    json_schema: Annotated[
        bool,
        typer.Option("--json-schema", help="Print the JSON Schema of schema files, for editors."),
    ] = False,
) -> None:
    """List the kinds of documents and their fields."""
    from ocr_moe.workshop.config import (
        SCHEMA_OF_SCHEMAS,
        candidate_schemas,
        config_folder,
        load_config,
    )

    if json_schema:
        text = (config_folder() / SCHEMA_OF_SCHEMAS).read_text(encoding="utf-8")
        typer.echo(text, nl=False)
        return
    for schema in candidate_schemas(load_config(config)):
        typer.echo(f"{schema.name}: {schema.title}")
        for field in schema.fields:
            optional = "" if field.required else ", optional"
            typer.echo(f"  {field.name} ({field.kind}{optional})")


def strategies(config: options.ConfigFile = None) -> None:
    """List the strategies, and what the ones that cannot run here lack."""
    from ocr_moe.workshop.build import Workshop
    from ocr_moe.workshop.config import load_config

    chosen = load_config(config)
    ready, skipped = Workshop(chosen).available_strategies()
    for name, settings in chosen.strategies.items():
        default = " (default)" if name == chosen.strategy else ""
        typer.echo(f"{name}{default}: {settings.description or settings.title}")
        if name in skipped:
            typer.echo(f"  cannot run here: {skipped[name]}")
        else:
            typer.echo(f"  asks: {', '.join(sorted(ready[name].experts))}")

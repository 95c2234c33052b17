"""`ocr-moe schemas` and `ocr-moe strategies`: what there is to choose from."""

from __future__ import annotations

import typer

from ocr_moe.cli import options


def schemas(config: options.ConfigFile = None) -> None:
    """List the kinds of documents and their fields."""
    from ocr_moe.workshop.config import candidate_schemas, load_config

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

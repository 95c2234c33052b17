"""Printing the estimate of `--dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ocr_moe.run.estimate import Plan


def print_estimate(plan: Plan) -> None:
    broken = f", {plan.unreadable} of them unreadable" if plan.unreadable else ""
    typer.echo(f"{plan.files} files{broken}: {plan.documents} documents. Nothing was started.")
    if not plan.estimates:
        typer.echo("No language model is asked: no tokens, no money.")
    for item in plan.estimates:
        most = "" if item.sure else "at most "
        typer.echo(
            f"{item.strategy}: {item.expert} ({item.chat} endpoint): {most}{item.calls:,} calls, "
            f"about {item.prompt_tokens:,} + {item.completion_tokens:,} tokens, "
            f"money {item.money:,.2f}"
        )

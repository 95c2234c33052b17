"""Printing the estimate of `--dry-run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ocr_moe.cli.words import phrase, said

if TYPE_CHECKING:
    from ocr_moe.run.estimate import Plan


def print_estimate(plan: Plan) -> None:
    typer.echo(
        said(
            "dry_run",
            files=phrase("n_files", n=plan.files),
            unreadable=phrase("unreadable", n=plan.unreadable) if plan.unreadable else "",
            documents=phrase("n_documents", n=plan.documents),
        )
    )
    if not plan.estimates:
        typer.echo(said("nobody_asked"))
    for item in plan.estimates:
        calls = phrase("n_calls", n=item.calls, shown=f"{item.calls:,}")
        typer.echo(
            said(
                "estimate",
                strategy=item.strategy,
                expert=item.expert,
                chat=item.chat,
                calls=calls if item.sure else phrase("at_most", calls=calls),
                prompt=f"{item.prompt_tokens:,}",
                completion=f"{item.completion_tokens:,}",
                money=f"{item.money:,.2f}",
            )
        )

"""`ocr-moe compare`: strategies side by side on the same documents."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ocr_moe.cli import options


def compare(
    context: typer.Context,
    paths: options.Paths,
    truth: options.Truth,
    out: options.Out,
    schema: options.SchemaName = "auto",
    strategies: Annotated[
        str | None,
        typer.Option("--strategies", help="Names with commas. Default: all that can run here."),
    ] = None,
    target_accuracy: Annotated[
        float,
        typer.Option(
            "--target-accuracy",
            min=0.5,
            max=1.0,
            help="Of accepted values; recommended.yaml is certified for it.",
        ),
    ] = 0.99,
    confidence: Annotated[
        float, typer.Option("--confidence", min=0.5, max=0.999, help="Of that certificate.")
    ] = 0.9,
    config: options.ConfigFile = None,
    local_only: options.LocalOnly = False,
    max_cost: options.MaxCost = None,
    retry_failed: options.RetryFailed = False,
    update: options.Update = False,
    workers: options.Workers = None,
    ocr: options.OcrFile = None,
    recorded: options.Recorded = None,
    work: options.Work = None,
    metrics: options.Metrics = None,
    log_level: options.LogLevel = None,
    log_file: options.LogFile = None,
) -> None:
    """Run strategies over the same documents and score each against the verified sheet."""
    from ocr_moe.cli.session import finish, published, publishing, watched, workers_ahead

    context.with_resource(workers_ahead(paths, workers))
    from ocr_moe import api
    from ocr_moe.cli.tables import print_scores
    from ocr_moe.cli.words import language

    names = [name.strip() for name in (strategies or "").split(",") if name.strip()]
    chosen = api.Options(
        schema=schema,
        config=config,
        local_only=local_only,
        max_cost=max_cost,
        retry_failed=retry_failed,
        update=update,
        workers=workers,
        ocr=ocr,
        recorded=recorded,
        work=work,
        language=language(),
    )
    with watched(metrics=metrics, log_level=log_level, log_file=log_file) as watch:
        run, scores = api.compare(
            paths,
            truth,
            out=out,
            strategies=names,
            options=chosen,
            goal=api.Goal(target_accuracy, confidence),
            listing=sys.stdin,
            report=watch.report,
            notice=watch.notice,
            publishing=publishing,
        )
        watch.finished(run.outcome)
    print_scores(scores)
    finish(
        run.outcome,
        published(run, ["report.html", "accuracy.xlsx", "scores.json", "recommended.yaml"]),
    )

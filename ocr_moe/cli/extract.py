"""`ocr-moe extract`: images in, records out."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ocr_moe.cli import options


def extract(
    context: typer.Context,
    paths: options.Paths,
    out: options.Out,
    schema: options.SchemaName = "auto",
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="See `strategies`. Default: moe.")
    ] = None,
    config: options.ConfigFile = None,
    local_only: options.LocalOnly = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate calls, tokens and money; start nothing.")
    ] = False,
    max_cost: options.MaxCost = None,
    retry_failed: options.RetryFailed = False,
    update: options.Update = False,
    workers: options.Workers = None,
    ocr: options.OcrFile = None,
    recorded: options.Recorded = None,
    work: options.Work = None,
    crops: Annotated[
        str | None,
        typer.Option("--crops", help="The images are ready-made crops of this one field."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="Only the I-th of N shares of the files; see `merge`."
        ),
    ] = None,
    runner: Annotated[
        str,
        typer.Option(
            "--runner", help="local: on this machine. ray: on a Ray cluster (docs/cluster.md)."
        ),
    ] = "local",
    no_wait: options.NoWait = False,
    metrics: options.Metrics = None,
    log_level: options.LogLevel = None,
    log_file: options.LogFile = None,
) -> None:
    """Read the fields of every document into JSONL, JSON and Excel."""
    from ocr_moe.cli.session import finish, published, publishing, watched, workers_ahead

    if not dry_run and runner == "local":
        context.with_resource(workers_ahead(paths, workers))
    from ocr_moe import api
    from ocr_moe.cli.estimate import print_estimate
    from ocr_moe.cli.words import language
    from ocr_moe.exports.exporters import EXPORTERS
    from ocr_moe.run.manifest import RUN

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
        language=language(),
        crops=crops,
        work=work,
        shard=shard,
        runner=runner,
        no_wait=no_wait,
    )
    if dry_run:
        names = [strategy] if strategy else []
        print_estimate(
            api.estimate(paths, out=out, strategies=names, options=chosen, listing=sys.stdin)
        )
        return
    with watched(metrics=metrics, log_level=log_level, log_file=log_file) as watch:
        run = api.extract(
            paths,
            out=out,
            strategy=strategy,
            options=chosen,
            listing=sys.stdin,
            report=watch.report,
            notice=watch.notice,
            publishing=publishing,
        )
        watch.finished(run.outcome)
    finish(run.outcome, published(run, [*(e.target for e in EXPORTERS.values()), RUN]))

"""`ocr-moe merge`: shards into one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocr_moe.cli import options

if TYPE_CHECKING:
    from ocr_moe.run.merging import Merged

_SHOWN = 20
"""Shards that are named one by one."""


def merge(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Folders of runs, as `extract --shard` wrote them."),
    ],
    out: options.Out,
) -> None:
    """Take shards of a run, or runs of further files, into one run; nobody is asked again."""
    from ocr_moe import api
    from ocr_moe.cli.session import finish, published, publishing
    from ocr_moe.cli.words import language
    from ocr_moe.exports.exporters import EXPORTERS
    from ocr_moe.run.manifest import RUN

    def tell_first(merged: Merged) -> None:
        for line in _of_shards(merged):
            typer.echo(line, err=True)

    run, merged = api.merge(runs, out, language=language(), begun=tell_first, publishing=publishing)
    for line in _of_runs(merged):
        typer.echo(line, err=True)
    names = [exporter.target for exporter in EXPORTERS.values()] if len(run.strategies) == 1 else []
    finish(run.outcome, published(run, [*names, RUN]))
    if not merged.complete:
        raise typer.Exit(1)


def _of_shards(merged: Merged) -> Iterator[str]:
    """What is known before anything is taken in."""
    from ocr_moe.cli.words import phrase, said

    if merged.missing:
        shown = [str(shard) for shard in merged.missing[:_SHOWN]]
        more = len(merged.missing) - len(shown)
        names = [*shown, *([phrase("and_more", n=more)] if more else [])]
        yield said("shards_missing", n=len(merged.missing), shards=names)
    if merged.absent:
        yield said("files_absent", n=merged.absent)
    if merged.listings:
        each = [
            phrase("whole_of", folder=str(f), files=phrase("n_files", n=n))
            for f, n in merged.listings
        ]
        yield said("shards_differ", wholes=each)
    for shard, folders in merged.doubled:
        yield said("shard_doubled", shard=str(shard), folders=[str(folder) for folder in folders])


def _of_runs(merged: Merged) -> Iterator[str]:
    """What shows while runs are taken in."""
    from ocr_moe.cli.words import phrase, said

    for each in merged.unfinished:
        files = phrase("n_files", n=each.of)
        yield said("unfinished", folder=str(each.folder), n=each.files, files=files)
    if merged.repeated:
        yield said("repeated", n=merged.repeated)

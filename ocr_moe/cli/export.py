"""`ocr-moe export`: files from a run's store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of a run, or its URL: then it is published there."
        ),
    ],
    ocr: Annotated[
        Path | None,
        typer.Option("--ocr", help="Write all page OCR to this JSONL file, for `extract --ocr`."),
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option("--records", help="Write all records to this file (or folder, see --format)."),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", help="Of --records; a name that is unknown lists them all.")
    ] = "jsonl",
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Of which strategy; default: the only one.")
    ] = None,
    crops: Annotated[
        bool,
        typer.Option(
            "--crops",
            help="Of --format xlsx: pictures of the cells to check, from the original files.",
        ),
    ] = False,
) -> None:
    """Write page OCR or records from the store of a run, or publish a run's files at its URL."""
    from ocr_moe.api import Run
    from ocr_moe.cli.session import published, publishing
    from ocr_moe.cli.words import language, said
    from ocr_moe.errors import UsageError
    from ocr_moe.exports.exporters import FORMATS

    opened = Run(run)
    if opened.destination.url is not None:
        opened.publish(publishing)
        published(opened, ())
    elif ocr is None and records is None:
        raise UsageError("nothing to export: name --ocr FILE or --records FILE")
    if format not in FORMATS:
        raise UsageError(f"--format {format}: there are {', '.join(FORMATS)}")
    if crops and (records is None or format != "xlsx"):
        raise UsageError("--crops: pictures go into a workbook: name --records FILE --format xlsx")
    if ocr is not None:
        typer.echo(said("pages_written", n=opened.export_ocr(ocr), file=ocr))
    if records is not None:
        names = opened.strategies
        if strategy is None and len(names) != 1:
            raise UsageError(f"{run} has several strategies ({', '.join(names)}): name one")
        if strategy is not None and strategy not in names:
            raise UsageError(f"{run} has no strategy {strategy}; it has {', '.join(names)}")
        count = opened.export(
            records, format=format, strategy=strategy, language=language(), crops=crops
        )
        typer.echo(said("records_written", n=count, file=records))

"""`ocr-moe export`: files from a run's store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    ocr: Annotated[
        Path | None,
        typer.Option("--ocr", help="Write all page OCR to this JSONL file, for `extract --ocr`."),
    ] = None,
    records: Annotated[
        Path | None, typer.Option("--records", help="Write all records to this JSONL file.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Of which strategy; default: the only one.")
    ] = None,
) -> None:
    """Write page OCR or records from the store of a run."""
    from ocr_moe.errors import UsageError
    from ocr_moe.exports.jsonl import write_jsonl
    from ocr_moe.run.batch import STORE, export_ocr
    from ocr_moe.store.database import Store

    if ocr is None and records is None:
        raise UsageError("nothing to export: name --ocr FILE or --records FILE")
    with Store(run / STORE, write=False) as store:
        if ocr is not None:
            typer.echo(f"{export_ocr(store, ocr)} pages written to {ocr}")
        if records is not None:
            names = store.strategies()
            if strategy is None and len(names) != 1:
                raise UsageError(f"{run} has several strategies ({', '.join(names)}): name one")
            count = write_jsonl(records, store.records(strategy or names[0]), presorted=True)
            typer.echo(f"{count} records written to {records}")

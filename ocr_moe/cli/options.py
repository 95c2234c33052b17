"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Files, folders (walked), globs, URLs (s3://…, gs://…, az://…), or - for a list of them "
        "on standard input.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out",
        help="Folder of the run: the store and all exports; or a URL that the exports are published to.",
    ),
]
Work = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="With a URL as --out: the folder of the store. Default: one of this machine's.",
    ),
]
SchemaName = Annotated[
    str,
    typer.Option(
        "--schema", help="Kind of document: a name (see `schemas`), a YAML file, or auto."
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="YAML with what differs from the shipped configuration."),
]
LocalOnly = Annotated[
    bool, typer.Option("--local-only", help="Refuse endpoints on other machines.")
]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0.0, help="Stop cleanly once this much money is spent."),
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Ask again what failed in an earlier start.")
]
Update = Annotated[
    bool, typer.Option("--update", help="Take added, changed or removed input files in.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes that read documents.")
]
OcrFile = Annotated[
    Path | None, typer.Option("--ocr", help="Page OCR to use, as `export --ocr` writes it.")
]
Recorded = Annotated[
    Path | None,
    typer.Option(
        "--recorded",
        help="A store whose answers stand in for experts that cannot be asked here.",
    ),
]
NoWait = Annotated[
    bool,
    typer.Option(
        "--no-wait", help="Leave once questions are in a batch of their endpoint; come back later."
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="PORT|HOST:PORT|FILE.prom",
        help="Serve Prometheus metrics while running, or write them to a file at the end.",
    ),
]
LogLevel = Annotated[
    str | None,
    typer.Option(
        "--log-level",
        envvar="OCR_MOE_LOG",
        metavar="debug|info|warning|error",
        help="Log events from this level on, a line of JSON each.",
    ),
]
LogFile = Annotated[
    Path | None,
    typer.Option(
        "--log-file", envvar="OCR_MOE_LOG_FILE", help="Where to; standard error by default."
    ),
]
Truth = Annotated[
    list[Path], typer.Option("--truth", help="The verified sheet, .xlsx or .csv (one a schema).")
]

"""`ocr-moe schema suggest`: a schema from samples."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocr_moe.cli import options
from ocr_moe.cli.words import language, phrase, said

if TYPE_CHECKING:
    from ocr_moe.drafting.scores import Share
    from ocr_moe.drafting.session import Drafting

app = typer.Typer(
    help="Make a schema: the description of a kind of document.", no_args_is_help=True
)


@app.callback()
def _schema() -> None:
    """Make a schema: the description of a kind of document."""


@app.command("suggest")
def suggest(
    paths: options.Paths,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="A verified sheet: its columns become the fields."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The YAML file to write, a new one.")] = Path(
        "schema.yaml"
    ),
    name: Annotated[
        str, typer.Option("--name", help="The schema's name. Default: that of the file.")
    ] = "",
    count: Annotated[int, typer.Option("--count", min=1, help="Samples to read, at most.")] = 20,
    strategy: Annotated[
        str,
        typer.Option("--strategy", help="What reads the samples by the draft; see `strategies`."),
    ] = "rules",
    llm: Annotated[
        bool,
        typer.Option("--llm/--no-llm", help="Ask a text LLM for names, where one is configured."),
    ] = True,
    opened: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Open the draft beside its samples on a page. Default: where this is a terminal.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = 8765,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Show the page in a browser.")
    ] = True,
    config: options.ConfigFile = None,
    local_only: options.LocalOnly = False,
    work: Annotated[
        Path | None,
        typer.Option("--work", help="Folder that keeps the pages' texts for the next time."),
    ] = None,
) -> None:
    """Draft a schema from a few documents of one kind, and open it beside them."""
    from ocr_moe import api
    from ocr_moe.cli.session import steps

    chosen = api.Options(config=config, local_only=local_only, work=work, language=language())
    with steps("sampling") as report:
        drafting = api.suggest(
            paths,
            out=out,
            truth=truth,
            name=name,
            count=count,
            strategy=strategy,
            llm=llm,
            options=chosen,
            listing=sys.stdin,
            report=report,
            trouble=lambda why: typer.echo(f"  {why}", err=True),
        )
    with drafting:
        _tell(drafting)
        if opened if opened is not None else sys.stdout.isatty():
            _serve(drafting, host, port, browser=browser, config=config)


def _tell(drafting: Drafting) -> None:
    """What was drafted, and what it is worth."""
    reading = drafting.read(drafting.text)
    fields = phrase("n_fields", n=len(reading.schema.fields))
    documents = phrase("n_documents", n=len(drafting.samples.documents))
    typer.echo(said("drafted", fields=fields, documents=documents, file=drafting.file))
    if drafting.nowhere:
        typer.echo(said("columns_nowhere", names=list(drafting.nowhere)))
    if reading.scored is None:
        filled = {
            each.name: sum(
                each.name in record.fields and record.fields[each.name].value is not None
                for record in reading.records
            )
            for each in reading.schema.fields
        }
        for each in reading.schema.fields:
            told = phrase("n_documents", n=filled[each.name])
            typer.echo(
                "  " + said("field_drafted", name=each.name, kind=each.kind.value, documents=told)
            )
        return
    typer.echo(said("accuracy_of_draft", strategy=drafting.strategy))
    for name, share in reading.scored.fields.items():
        typer.echo("  " + _share(name, share, drafting.crossed.get(name)))
    typer.echo("  " + _share(said("all_fields"), reading.scored.whole, _sum(drafting.crossed)))
    typer.echo(said("accuracy_crossed" if drafting.crossed else "accuracy_not_crossed"))


def _share(name: str, share: Share, other: Share | None) -> str:
    if other is None:
        return said("share_of_field", name=name, right=share.right, cells=share.cells)
    return said(
        "shares_of_field",
        name=name,
        right=share.right,
        cells=share.cells,
        other=other.right,
        others=other.cells,
    )


def _sum(shares: dict[str, Share]) -> Share | None:
    from ocr_moe.drafting.scores import Share

    return sum(shares.values(), Share(0, 0)) if shares else None


def _serve(drafting: Drafting, host: str, port: int, *, browser: bool, config: Path | None) -> None:
    import webbrowser

    from ocr_moe.web.access import Access
    from ocr_moe.web.drafting.application import drafting_app
    from ocr_moe.web.guard import guarded
    from ocr_moe.web.serving import listen, serve
    from ocr_moe.workshop.config import load_config

    bound = listen(host, port)
    taken = bound.getsockname()[1]
    access = Access.of(load_config(config), host, taken)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{taken}/"

    def started() -> None:
        typer.echo(said("drafting_at", address=address))
        if browser:
            webbrowser.open(address)

    serve(guarded(drafting_app(drafting), access), bound, started)
    typer.echo(said("drafting_over", file=drafting.file))

"""`ocr-moe review`: the review desk on a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options
from ocr_moe.cli.words import language, said


def review(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run.")],
    truth: Annotated[
        list[Path] | None,
        typer.Option(
            "--truth", help="A sheet to take in: what is checked in it counts as verified."
        ),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Whose records, where the run has several.")
    ] = None,
    originals: Annotated[
        Path | None, typer.Option("--originals", help="Where the images are, if they were moved.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.")] = 8765,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the desk in a browser.")
    ] = True,
    config: options.ConfigFile = None,
) -> None:
    """Check doubtful cells on a page, and get a verified sheet."""
    import gc
    import webbrowser

    from ocr_moe.cli.session import publishing
    from ocr_moe.reviewing.desk import Desk
    from ocr_moe.reviewing.taking import taken_in
    from ocr_moe.run.destinations import opened_destination
    from ocr_moe.web.access import Access
    from ocr_moe.web.desk.application import desk_app
    from ocr_moe.web.guard import guarded
    from ocr_moe.web.serving import listen, serve
    from ocr_moe.workshop.config import load_config

    chosen = None if config is None else load_config(config)
    run = opened_destination(folder)
    with Desk.open(run.folder, config=chosen, strategy=strategy, originals=originals) as desk:
        for sheet in truth or ():
            new, problems = taken_in(desk, sheet)
            typer.echo(said("taken_in", n=new, file=sheet))
            for problem in problems:
                typer.echo(f"  {problem.told(language())}", err=True)
        bound = listen(host, port)
        taken = bound.getsockname()[1]
        # Of this machine's configuration: a run may come from anybody, and trust whomever it likes.
        access = Access.of(chosen or load_config(), host, taken)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{taken}/"

        def started() -> None:
            typer.echo(said("review_at", address=address))
            if browser:
                webbrowser.open(address)

        gc.freeze()  # what the desk keeps is kept for good: no decision is to wait for a look at it
        serve(guarded(desk_app(desk), access), bound, started)
        desk.export(language=language())
        run.publish(publishing)
        typer.echo(said("reviewed", folder=run))

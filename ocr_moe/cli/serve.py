"""`ocr-moe serve`: the service, and its page for people without a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocr_moe.cli import options


def serve(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; by default this machine only.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")
    ] = 8000,
    data: Annotated[
        Path, typer.Option("--data", help="Folder for jobs, with their files and results.")
    ] = Path("ocr-moe-data"),
    config: options.ConfigFile = None,
) -> None:
    """Serve documents in, records out, over HTTP, with a page to drop files on."""
    import logging

    from ocr_moe.cli.words import said
    from ocr_moe.web.access import Access
    from ocr_moe.web.guard import guarded
    from ocr_moe.web.service.application import service_app
    from ocr_moe.web.service.lent import hooks
    from ocr_moe.web.serving import listen
    from ocr_moe.web.serving import serve as run
    from ocr_moe.workshop.config import load_config

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("ocr_moe").setLevel(logging.INFO)
    settings = load_config(config)
    bound = listen(host, port)
    taken = bound.getsockname()[1]
    access, lent = Access.of(settings, host, taken), hooks(settings.service, config=settings)
    app = guarded(service_app(settings, data, lent), access)
    address = f"[{host}]" if ":" in host else host
    url = f"http://{address}:{taken}/"
    run(app, bound, lambda: typer.echo(said("serving", url=url, data=data)))

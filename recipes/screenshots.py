"""Pictures of every page of the review desk, light and dark, in both languages, wide and narrow.

    python -m recipes.screenshots [RUN] [--out DIR] [--only PAGE] [--keep docs/screenshots]

RUN is the folder of a run, which is copied before anything is judged in it; without it the samples
in data_samples are read first (minutes). `--keep` writes the few that the documentation shows, small.
Needs Chromium and playwright.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import typer
from PIL import Image

from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey, Order
from ocr_moe.reviewing.standing import id_of
from ocr_moe.types import Status
from ocr_moe.web.desk.application import desk_app
from ocr_moe.web.serving import listen

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "data_samples" / "graduation_certificate"
WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LANGUAGES = ("en", "zh")
KEPT = (
    ("cells", "wide", "light", "en"),
    ("cells", "wide", "light", "zh"),
    ("overview", "wide", "light", "en"),
    ("cells", "narrow", "dark", "zh"),
)
"""Pictures for the documentation: (page, width, scheme, language)."""
_KEPT_BYTES = 120_000
_KEPT_WIDTH = 1280
_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--force-color-profile=srgb",
)


def main(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a run; without it the samples are read first.")
    ] = None,
    out: Path = ROOT / "reports" / "screenshots",
    only: Annotated[str | None, typer.Option(help="One page.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Where the few for the docs go, small.")] = None,
) -> None:
    """Make pictures of every page of the review desk."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ocr_moe-") as folder:
        copy = Path(folder) / "certificates"
        if run is None:
            _read_samples(copy)
        else:
            shutil.copytree(run, copy)
        with Desk.open(copy, originals=SAMPLES) as desk, _served(desk) as address:
            _review_some(desk)
            _all_pictures(address, _pages(desk), out, only, keep)


def _read_samples(out: Path) -> None:
    from ocr_moe.cli.main import app

    app(["extract", str(SAMPLES), "--schema", "auto", "--out", str(out)], standalone_mode=False)


def _review_some(desk: Desk) -> None:
    """A third of what waits, as two people would do it."""
    waiting = desk.waiting(Order.FIELD)
    for index, cell in enumerate(waiting[: max(len(waiting) // 3, 1)]):
        if cell.value is not None:
            desk.judge(cell.key, cell.value, ("李老师", "王老师")[index % 2])
    sure = (
        CellKey(document.key, cell.key.field)
        for document in desk.documents()
        for cell in desk.cells_of(document.key)
        if cell.status is Status.ACCEPTED and cell.value is not None
    )
    for index, key in zip(range(40), sure, strict=False):
        record = desk.record(key.document)
        assert record is not None
        desk.judge(key, record.fields[key.field].value, ("李老师", "王老师")[index % 2])


def _pages(desk: Desk) -> dict[str, str]:
    """Name → address."""
    documents = desk.documents()
    shown = next((each for each in documents if each.waiting), documents[0])
    return {
        "overview": "/",
        "cells": f"/cells?{urlencode(_doubtful_number(desk))}",
        "learning": "/learning",
        "documents": "/documents",
        "document": f"/documents/{id_of(shown.key)}",
        "disputes": "/disputes",
        "history": "/history",
        "files": "/files",
        "summary": "/summary",
        "reviewer": "/reviewer",
        "problem": "/nothing",
    }


def _doubtful_number(desk: Desk) -> dict[str, str]:
    """The query for a number that was read and is doubted."""
    field = "证书编号"
    asked = {"order": Order.FIELD.value, "field": field}
    waiting = desk.waiting(Order.FIELD, field=field)
    shown = next((each.key for each in waiting if each.value is not None), None)
    return asked if shown is None else asked | {"cell": f"{id_of(shown.document)}:{field}"}


@contextmanager
def _served(desk: Desk) -> Iterator[str]:
    import uvicorn

    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(desk_app(desk), log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()


def _all_pictures(
    address: str, pages: dict[str, str], out: Path, only: str | None, keep: Path | None
) -> None:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_CHROMIUM])
        for language in LANGUAGES:
            for scheme in SCHEMES:
                for width, (x, y) in WIDTHS.items():
                    context = browser.new_context(
                        viewport={"width": x, "height": y},
                        color_scheme=scheme,
                        locale={"en": "en-GB", "zh": "zh-CN"}[language],
                        device_scale_factor=1,
                    )
                    for name, path in pages.items():
                        if only not in (None, name):
                            continue
                        picture = _picture(context, address + path)
                        file = out / f"{name}-{width}-{scheme}-{language}.png"
                        file.write_bytes(picture)
                        if keep is not None and (name, width, scheme, language) in KEPT:
                            _keep(picture, keep / f"{file.stem}.webp", y)
                    context.close()
        browser.close()
    print(f"{len(list(out.glob('*.png')))} pictures in {out}")


def _picture(context: Any, address: str) -> bytes:
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    page.wait_for_timeout(300)
    picture: bytes = page.screenshot(full_page=True)
    page.close()
    return picture


def _keep(picture: bytes, file: Path, height: int) -> None:
    """A picture of the first screen, small enough for the documentation."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image = image.crop((0, 0, image.width, min(image.height, height)))
    if image.width > _KEPT_WIDTH:
        image = image.resize((_KEPT_WIDTH, round(image.height * _KEPT_WIDTH / image.width)))
    file.parent.mkdir(parents=True, exist_ok=True)
    for quality in (88, 80, 70, 60):
        image.save(file, "WEBP", quality=quality, method=6)
        if file.stat().st_size <= _KEPT_BYTES:
            break


if __name__ == "__main__":
    typer.run(main)

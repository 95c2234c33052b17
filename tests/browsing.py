"""A real browser for tests of pages, and what a page asked for and complained about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any, Self

import pytest

CHROMIUM = (
    "--no-sandbox --disable-gpu --disable-quic --disable-sync --no-first-run "
    "--disable-background-networking --disable-component-update"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright; tests are skipped where the machine has none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine: install it to test pages in a browser")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM.split())
        yield chromium
        chromium.close()


class Visit:
    """A page opened at an address, with everything it asked for and complained about."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def outside(self) -> list[str]:
        """What was asked for over a network."""
        return [url for url in self.requests if not url.startswith(("data:", "file:", "blob:"))]


def violations(page: Any) -> list[str]:
    """What axe-core finds wrong with a page's accessibility: rule, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]

"""The service's pages in a real browser: files sent and followed by people, in two languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from ocr_moe.web.service.application import Hooks
from tests.browsing import Visit, violations
from tests.servicekit import NAME, Running, scan, until

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='owned'>\u202e.bin"
PATIENCE = 20_000
"""Milliseconds until a page that does not come to something has failed."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    hooks = Hooks(mount_desk=lambda job, run: Nobody())
    with Running(tmp_path_factory.mktemp("service"), hooks, concurrency=1, max_files=30) as running:
        yield running


class Nobody:
    """A desk that is only linked to."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("nobody opens the desk here")

    def write(self) -> None:
        raise AssertionError("it is never open")

    def close(self) -> None:
        raise AssertionError("it is never open")


class Sender(Visit):
    """Somebody at the first page."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        super().__init__(browser, url, **{"locale": "en-US", **context})
        self.context.set_default_timeout(PATIENCE)

    def choose(self, *names: str) -> None:
        found = [
            {"name": name, "mimeType": "image/png", "buffer": scan(number)}
            for number, name in enumerate(names)
        ]
        self.page.set_input_files("#files", found)

    def first(self, status: str) -> Any:
        """The newest job, once it is so far."""
        self.page.locator(".job").first.locator(".chip", has_text=status).wait_for()
        return self.page.locator(".job").first


def test_files_are_sent_followed_and_fetched_by_keyboard(
    browser: Any, service: Running, tmp_path: Path
) -> None:
    with Sender(browser, service.url) as visit:
        page = visit.page
        assert page.locator("#send").is_disabled()
        visit.choose("张三.png", "李四.png")
        assert "2 files" in page.locator("#chosen-words").inner_text()
        page.locator("#schema").focus()
        schema = "graduation_certificate"
        while page.locator("#schema").input_value() != schema:
            before = page.locator("#schema").input_value()
            page.keyboard.press("ArrowDown")
            assert page.locator("#schema").input_value() != before
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "send"
        page.keyboard.press("Enter")
        job = visit.first("Done")
        assert "2 documents" in job.inner_text()
        check = job.locator("[data-action=review]")
        assert re.fullmatch(r"/jobs/\w+/review/", check.get_attribute("href"))
        job.locator("[data-action=download]").focus()
        with page.expect_download() as told:
            page.keyboard.press("Enter")
        assert told.value.suggested_filename.endswith(".xlsx")
        told.value.save_as(tmp_path / "records.xlsx")
        assert (tmp_path / "records.xlsx").read_bytes()[:2] == b"PK"
        newest = service.client.get("/v1/jobs?limit=1").json()["jobs"][0]
        lines = service.client.get(newest["links"]["jsonl"]).text.splitlines()
        assert [json.loads(line)["document"]["path"] for line in lines] == ["张三.png", "李四.png"]
        assert newest["schema"] == schema
        assert all(address.startswith(service.url) for address in visit.requests)
        assert visit.complaints == []


def test_a_folder_is_chosen_or_dropped_to_its_end(
    browser: Any, service: Running, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    (folder / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(
        ("a.png", "deep/b.png", "deep/er/c.png", "Thumbs.db", ".DS_Store")
    ):
        (folder / name).write_bytes(scan(number))
    with Sender(browser, service.url) as visit:
        page = visit.page
        page.set_input_files("#folder", folder)
        names = page.locator("#chosen-names").inner_text()
        assert sorted(names.split(", ")) == [
            "scans/a.png",
            "scans/deep/b.png",
            "scans/deep/er/c.png",
        ]
        page.locator("#clear").click()
        assert page.locator("#chosen").is_hidden()
        # A folder as Chromium hands it to a page: some entries at a time, an empty list at the end.
        page.evaluate(
            """() => {
              const file = (name) => (
                { isFile: true, name, file: (done) => done(new File(["x"], name)) });
              const folder = (name, ...parts) => ({ isFile: false, name, createReader: () => {
                const left = [...parts];
                return { readEntries: (done) => done(left.splice(0, 1)) };
              } });
              const dropped = folder("up", file("1.png"), folder("down", file("2.png"), file("3.png")));
              const transfer = new DataTransfer();
              transfer.items.add(new File(["x"], "up"));
              DataTransferItem.prototype.webkitGetAsEntry = () => dropped;
              for (const kind of ["dragenter", "drop"]) {
                document.getElementById("drop").dispatchEvent(
                  new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
              }
            }"""
        )
        page.locator("#chosen-words", has_text="3 files").wait_for()
        names = page.locator("#chosen-names").inner_text()
        assert names == "up/1.png, up/down/2.png, up/down/3.png"
        visit.choose(*(f"{number}.png" for number in range(28)))
        assert "30 files" in page.locator("#message").inner_text()
        assert page.locator("#send").is_disabled()
        assert visit.complaints == []


def test_what_is_refused_is_told_and_runs_nothing(browser: Any, service: Running) -> None:
    with Sender(browser, service.url, locale="zh-CN") as visit:
        page = visit.page
        page.set_input_files(
            "#files", [{"name": HOSTILE, "mimeType": "image/png", "buffer": b"no scan"}]
        )
        page.locator("#send").click()
        message = page.locator("#message .notice")
        message.wait_for()
        assert "都不是图片" in message.inner_text()
        assert "onerror" in message.locator("li").inner_text()
        assert page.locator("img").count() == 0
        assert "owned" not in page.title()
        assert page.locator("#send").is_enabled(), "it can be tried again"
        assert [c for c in visit.complaints if "415" not in c] == []


def test_a_job_is_cancelled_and_deleted_once_that_is_confirmed(
    browser: Any, service: Running
) -> None:
    with service.engine.held(), Sender(browser, service.url) as visit:
        page = visit.page
        asked = service.engine.asked
        visit.choose(*(f"{number}.png" for number in range(6)))
        page.locator("#send").click()
        job = visit.first("Reading")
        until(lambda: service.engine.asked > asked)
        assert job.locator("progress").get_attribute("max") == "6"
        job.locator("[data-action=cancel]").click()
        page.keyboard.press("Escape")
        assert visit.first("Reading")
        job.locator("[data-action=cancel]").click()
        page.locator("#ask-yes").click()
        visit.first("Cancelled")
        (service.folder / "hold").unlink()
        newest = service.client.get("/v1/jobs?limit=1").json()["jobs"][0]["id"]
        under_way = service.app.state.service.jobs._under_way
        until(lambda: newest not in under_way)
        page.locator(f'[data-id="{newest}"] [data-action=delete]').click()
        page.locator("#ask-yes").click()
        page.locator(f'[data-id="{newest}"]').wait_for(state="detached")
        assert service.client.get(f"/v1/jobs/{newest}").status_code == 404
        assert visit.complaints == []


def test_the_language_is_chosen_and_kept(browser: Any, service: Running) -> None:
    with Sender(browser, service.url) as visit:
        assert visit.page.locator("html").get_attribute("lang") == "en"
        visit.page.get_by_role("link", name="中文").click()
        visit.page.goto(service.url)
        assert visit.page.locator("html").get_attribute("lang") == "zh-CN"
        visit.page.get_by_role("link", name="English").click()
        visit.page.goto(f"{service.url}/docs")
        assert visit.page.locator("html").get_attribute("lang") == "en"


def test_no_page_holds_a_script_or_style_of_its_own(service: Running) -> None:
    for address in ("/", "/docs"):
        html = httpx.get(service.url + address, trust_env=False).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
        sources = re.findall(r'(?:src|href)="([^"]*)"', html)
        assert all(each.startswith(("/", "#", "?")) and "//" not in each for each in sources)
        assert NAME not in html


@pytest.mark.parametrize(("language", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_pages_can_be_used_by_everybody(
    browser: Any, service: Running, language: str, scheme: str
) -> None:
    service.over(service.submit(scan(1), b"no scan")["id"])
    wide = {"width": 1280, "height": 900}
    narrow = {"width": 360, "height": 740}
    how = {"locale": language, "color_scheme": scheme}
    with service.engine.held():
        running = service.submit(scan(2))
        for viewport in (wide, narrow):
            with Sender(browser, service.url, viewport=viewport, **how) as visit:
                page = visit.page
                page.locator(".job progress").wait_for()
                visit.choose("张三.png")
                for address in (None, f"{service.url}/docs"):
                    if address is not None:
                        page.goto(address)
                        page.locator("summary").first.click()
                    assert violations(page) == []
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert visit.complaints == []
    service.over(running["id"])

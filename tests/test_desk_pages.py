"""The pages of the desk beside that of cells: real documents, a real server, a real browser."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pypdfium2
import pytest
from openpyxl import load_workbook
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.standing import id_of
from ocr_moe.types import Status
from ocr_moe.web.desk.application import desk_app
from ocr_moe.workshop.config import Config
from tests.browsing import violations
from tests.deskkit import copy_of, desk_settings, served, with_hostile_texts

pytestmark = pytest.mark.slow
WIDE = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", "locale": "en-GB"}
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-CN"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'"
)
"""Stricter than what stands before the desk."""


@pytest.fixture
def run(reviewed_run: Path, tmp_path: Path) -> Path:
    return copy_of(reviewed_run, tmp_path)


def with_policy(app: ASGIApp) -> ASGIApp:
    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                ]
            await send(message)

        await app(scope, receive, answer)

    return guarded


@contextmanager
def opened(run: Path, **review: Any) -> Iterator[tuple[Desk, str]]:
    config = Config.model_validate(desk_settings(**review)) if review else None
    with (
        Desk.open(run, config=config) as desk,
        served(with_policy(desk_app(desk))) as address,
    ):
        yield desk, address


def client(address: str) -> httpx.Client:
    headers = {"accept-language": "en"}
    return httpx.Client(base_url=address, headers=headers, follow_redirects=True, timeout=120)


def first_waiting(desk: Desk) -> CellKey:
    return next(each.key for each in desk.waiting() if each.value is not None)


def until_read(desk: Desk) -> None:
    for _ in range(1200):
        if not desk.rereading_files:
            return
        time.sleep(0.05)
    raise AssertionError("a file was not read again")


def disagree(desk: Desk, key: CellKey) -> None:
    desk.judge(key, None, "李老师")
    desk.judge(key, desk.view(key, "王老师").decision.value, "王老师")


def addresses(desk: Desk) -> list[str]:
    documents = [f"/documents/{id_of(each.key)}" for each in desk.documents()][:2]
    pages = ["/", "/documents", "/history", "/disputes", "/files", "/summary", "/reviewer", "/none"]
    return pages + documents


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_is_accessible_and_asks_nobody_else(
    run: Path, browser: Any, screen: dict[str, Any]
) -> None:
    two = ("李老师", "王老师")
    with opened(run, double_entry=True, reviewers=two) as (desk, address):
        disagree(desk, first_waiting(desk))
        context = browser.new_context(**screen)
        page = context.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + "/documents")
        page.get_by_role("button", name="王老师").click()
        assert page.url == address + "/documents"
        for path in addresses(desk):
            page.goto(address + path, wait_until="networkidle")
            wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert page.evaluate(wide), path
            # axe itself writes styles into the page, which the policy forbids: told apart.
            heard, complaints[:] = [*complaints], []
            assert [each for each in heard if "404" not in each] == [], path
            assert violations(page) == [], path
            complaints.clear()
        assert {url.split("/")[2] for url in asked} == {address.split("/")[2]}
        context.close()


def test_hostile_texts_stay_text(run: Path, browser: Any) -> None:
    with_hostile_texts(run)
    with opened(run) as (desk, address):
        page = browser.new_page()
        key = first_waiting(desk)
        desk.judge(key, "<script>window.harmed = 1</script>", '"><b id="harm">')
        for path in addresses(desk):
            page.goto(address + path)
            assert page.evaluate("window.harmed") is None
            assert page.query_selector("#harm") is None
        page.close()


def test_the_first_page_says_first_what_was_counted(run: Path) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        aside = desk.documents()[0]
        desk.name_schema(aside.key, None, "ann")
        until_read(desk)
        text = " ".join(re.sub("<[^>]+>", " ", ask.get("/").text).split())
        counts = desk.overview()

        counted = f"{counts.documents - 1} documents with {counts.cells} cells were counted."
        assert f"{counted} Not counted: 1 set aside" in text
        assert f"{counts.waiting} cells wait for a look" in text
        plan = desk.plan()
        assert f"Check {plan.to_check} of {plan.cells} cell" in text
        chinese = ask.get("/?language=zh").text
        assert "核对" in chinese
        assert 'lang="zh-CN"' in ask.get("/history").text


def test_a_word_on_a_document_is_given_shown_and_taken_back(run: Path) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        document = desk.documents()[0]
        id = id_of(document.key)
        before = desk.record(document.key)

        page = ask.post(f"/documents/{id}/schema", data={"kind": "-"}).text
        assert "read again" in page
        until_read(desk)
        page = ask.get(f"/documents/{id}").text
        assert "Set aside by" in page
        [undo] = re.findall(r'action="(/history/\d+/undo)"', page)

        back = ask.post(undo, data={"then": f"/documents/{id}"})
        assert back.url.path == f"/documents/{id}"
        until_read(desk)
        assert desk.record(document.key) == before
        assert "taken back" in ask.get("/history").text

        ask.post(f"/documents/{id}/subject", data={"name": " 张  三 "})
        assert 'value="张 三"' in ask.get(f"/documents/{id}").text


def test_boxes_drawn_on_the_page_divide_it(run: Path, browser: Any) -> None:
    with opened(run) as (desk, address):
        document = desk.documents()[-1]
        page = browser.new_page(viewport={"width": 1440, "height": 1400})
        page.goto(f"{address}/documents/{id_of(document.key)}", wait_until="networkidle")
        page.get_by_role("button", name="Draw boxes on the page").click()
        frame = page.locator("#page img").bounding_box()

        def at(x: float, y: float) -> tuple[float, float]:
            return frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]

        for left, right in ((0.02, 0.48), (0.52, 0.98)):
            page.mouse.move(*at(left, 0.05))
            page.mouse.down()
            page.mouse.move(*at(right, 0.5), steps=3)
            page.mouse.move(*at(right, 0.95))
            page.mouse.up()
        assert float(page.get_by_label("Document 2: left").input_value()) == pytest.approx(
            52, abs=1
        )
        page.get_by_role("button", name="Divide so").click()
        page.wait_for_url("**done=reread")
        until_read(desk)

        parts = [each.ref.region for each in desk.documents() if each.key.path == document.key.path]
        assert len(parts) == 2
        assert parts[0] == pytest.approx((0.02, 0.05, 0.48, 0.95), abs=0.01)
        # The page notices by itself that the other part is there now.
        page.get_by_text("Documents on this page").wait_for()
        page.get_by_role("button", name="One document", exact=True).click()
        page.wait_for_url("**done=reread")
        until_read(desk)
        assert desk.record(document.key) is not None
        assert not desk.has(document.key._replace(part=2))
        page.close()


def test_two_words_stand_side_by_side_until_one_is_chosen(run: Path) -> None:
    with opened(run, double_entry=True, reviewers=("李老师", "王老师", "陈老师")) as (
        desk,
        address,
    ):
        key = first_waiting(desk)
        read = desk.view(key, "李老师").decision.value
        desk.judge(key, read, "李老师")
        with client(address) as ask:
            assert ask.get("/").url.path == "/reviewer"
            ask.post("/reviewer", data={"name": "王老师", "then": "/"})
            assert "hidden until you have judged" in ask.get("/history").text
            desk.judge(key, None, "王老师")
            page = ask.get("/disputes").text
            assert {"李老师", "王老师"} <= set(re.findall(r"[李王]老师", page))
            [other] = [w.at for w in next(iter(_disputes(desk))).words if w.value is None]
            address_of = f"/disputes/{id_of(key.document)}/{key.field}"
            assert ask.post(address_of, data={"judgement": "never"}).status_code == 422
            ask.post(address_of, data={"judgement": other})

        record = desk.record(key.document)
        assert record is not None
        decided = record.fields[key.field]
        assert (decided.value, decided.status) == (None, Status.VERIFIED)
        assert list(_disputes(desk)) == []


def _disputes(desk: Desk) -> Any:
    from ocr_moe.reviewing.history import disputes

    return disputes(desk)


def test_files_hold_what_was_decided(run: Path) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        assert ask.get("/files/verified.xlsx").status_code == 422
        key = first_waiting(desk)
        value = desk.view(key, "ann").decision.value
        desk.judge(key, value, "ann")
        assert "1 decision is newer" in ask.get("/files").text
        ask.post("/files/write")
        for _ in range(1200):
            if not ask.get("/files/state").json()["busy"]:
                break
            time.sleep(0.05)

        assert "hold everything that was decided" in ask.get("/files").text
        sheet = load_workbook(io.BytesIO(ask.get("/files/verified.xlsx").content))
        found = {
            (row[0], heads[index])
            for name in desk.schemas
            for heads, *rows in [list(sheet[name].iter_rows(values_only=True))]
            for row in rows
            for index in range(3, len(row))
            if row[index] is not None
        }
        assert found == {(key.document.path, key.field)}
        lines = ask.get("/files/records.jsonl").text.splitlines()
        assert len(lines) == len(desk.documents())
        with ZipFile(io.BytesIO(ask.get("/files/documents").content)) as archive:
            assert len(archive.namelist()) == len(desk.documents())

        # What is downloaded is never older than what was decided, written by hand or not.
        desk.undo("ann")
        for line in map(json.loads, ask.get("/files/records.jsonl").text.splitlines()):
            assert all(cell["status"] != "verified" for cell in line["fields"].values())
        assert "newer" not in ask.get("/files").text


def test_the_summary_is_one_printed_side(run: Path, browser: Any) -> None:
    with opened(run) as (desk, address):
        for name in ("李老师", "王老师", "陈老师"):
            key = first_waiting(desk)
            desk.judge(key, desk.view(key, name).decision.value, name)
        for language in ("en", "zh"):
            page = browser.new_page()
            page.goto(f"{address}/summary?language={language}", wait_until="networkidle")
            printed = pypdfium2.PdfDocument(page.pdf(prefer_css_page_size=True))
            assert len(printed) == 1
            text = printed[0].get_textpage().get_text_bounded()
            assert str(desk.overview().cells) in text
            page.close()


def test_a_list_is_searched_and_cut_into_pages(run: Path) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        path = desk.documents()[0].ref.path
        assert "1 document<" in ask.get("/documents", params={"q": path[:6]}).text
        assert "No document fits" in ask.get("/documents", params={"q": "%_<b>"}).text
        waiting = sum(each.waiting > 0 for each in desk.documents())
        assert f"{waiting} document" in ask.get("/documents", params={"show": "waiting"}).text
        assert ask.get("/documents", params={"page": "9999"}).status_code == 200
        assert ask.get("/documents", params={"page": "x"}).status_code == 422


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/documents/{id}/schema", {"kind": "lease"}, 422),
        ("/documents/{id}/subject", {"name": "  "}, 422),
        ("/documents/{id}/subject", {"name": "长" * 201}, 422),
        ("/documents/{id}/regions", {"x0": "a", "y0": "0", "x1": "50", "y1": "9"}, 422),
        ("/documents/{id}/regions", {"x0": "60", "y0": "0", "x1": "50", "y1": "90"}, 422),
        ("/documents/{id}/regions", {"x0": "1", "y0": "0", "x1": "2", "y1": "90"}, 422),
        ("/documents/{id}/regions", {"x0": ["1", "2"], "y0": "0", "x1": "50", "y1": "90"}, 422),
        ("/documents/{id}/regions", {}, 422),
        ("/documents/0123456789abcdef/subject", {"name": "张三"}, 404),
        ("/documents/../../etc/passwd/subject", {"name": "张三"}, 404),
        ("/history/1/undo", {}, 422),
        ("/reviewer", {"name": "mallory"}, 404),
        ("/files/take-in", {}, 422),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    run: Path, path: str, data: dict[str, Any], status: int
) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        id = id_of(desk.documents()[0].key)
        answer = ask.post(path.format(id=id), data=data)
        assert answer.status_code == status
        assert "<h1>" in answer.text
        assert desk.store.last_judgement() == 0


def test_a_form_leads_nowhere_else(run: Path) -> None:
    with opened(run, reviewers=("李老师", "王老师")) as (_, address):  # noqa: SIM117
        with httpx.Client(base_url=address) as ask:
            for then in (
                "//evil.example/",
                "https://evil.example/",
                "/\\evil.example",
                "/\r\nX: y",
            ):
                answer = ask.post("/reviewer", data={"name": "李老师", "then": then})
                assert answer.headers["location"] == "/"
            answer = ask.get("/files/..%2Fstore.sqlite")
            assert answer.status_code in (303, 404)


def test_a_corrected_workbook_is_taken_in(run: Path) -> None:
    with opened(run) as (desk, address), client(address) as ask:
        desk.export()
        key = first_waiting(desk)
        book = load_workbook(run / "records.xlsx")
        for sheet in book:
            rows = list(sheet.iter_rows(min_row=1, max_row=20))
            heads = next((row for row in rows if key.field in [cell.value for cell in row]), None)
            if heads is None or "document" not in str(heads[0].value).lower():
                continue
            column = [cell.value for cell in heads].index(key.field)
            for row in rows:
                if row[0].value == key.document.path:
                    row[column].value = "2001-02-03"
        changed = io.BytesIO()
        book.save(changed)
        file = ("..\\..\\<b>核对.xlsx", changed.getvalue(), "application/octet-stream")
        answer = ask.post("/files/take-in", files={"file": file})
        assert answer.status_code == 200
        refused = ask.post("/files/take-in", files={"file": ("a.xlsx", b"x", "text/csv")})
        assert refused.status_code in (422, 500)
        assert "<h1>" in refused.text

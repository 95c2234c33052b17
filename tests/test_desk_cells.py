"""The page of cells: by keys alone, by two people at once, with the server killed, on real documents."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from ocr_moe.reviewing.checking import check, groups_of
from ocr_moe.reviewing.picklist import PickList, pick_list
from ocr_moe.schema import Field, Kind
from ocr_moe.workshop.config import find_schema
from tests.browsing import violations
from tests.deskkit import (
    DeskProcess,
    copy_of,
    desk_on,
    desk_settings,
    judgements_in,
    with_hostile_texts,
)

WIDE = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def run(reviewed_run: Path, tmp_path: Path) -> Path:
    return copy_of(reviewed_run, tmp_path)


class Reviewer:
    """Somebody at the page, with what it complained of."""

    def __init__(self, browser: Any, address: str, *, name: str = "", **context: Any) -> None:
        self.context = browser.new_context(
            **{**WIDE, "locale": "en", **context}, bypass_csp=True
        )  # waiting for a function evaluates one
        if name:
            cookie = {"name": "ocr_moe_reviewer", "value": quote(name), "url": address}
            self.context.add_cookies([cookie])
        self.address = address
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: Any) -> None:
        # A refused request is told on the page; the browser tells it again.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def open(self, query: str = "") -> Reviewer:
        self.page.goto(f"{self.address}/cells{query}")
        self.page.wait_for_function("document.activeElement.matches('#card, #empty, #input')")
        return self

    @property
    def cell(self) -> str:
        """The address's word for the cell that is shown: document:field."""
        return str(self.page.evaluate("new URL(location.href).searchParams.get('cell')"))

    @property
    def field(self) -> str:
        return str(self.page.inner_text("#name"))

    @property
    def value(self) -> str | None:
        none = self.page.locator("#value .none")
        return None if none.count() else str(self.page.text_content("#value .sr-only"))

    def press(self, *keys: str) -> None:
        for key in keys:
            if key == "Enter":
                self.page.wait_for_timeout(220)  # sooner it is taken for one meant for another cell
            self.page.keyboard.press(key)

    def decide(self, *keys: str) -> None:
        """Press keys that decide, and wait for the next cell."""
        before = self.cell
        self.press(*keys)
        self.page.wait_for_function(
            "was => document.querySelector('#card').hidden"
            " || new URL(location.href).searchParams.get('cell') !== was",
            arg=before,
        )

    def saved(self) -> None:
        """Wait until the desk has everything."""
        self.page.wait_for_function("document.querySelector('#saving').textContent === 'saved'")


def outcome_of(address: str, cell: str) -> dict[str, Any]:
    document, field = cell.split(":", 1)
    found: dict[str, Any] = httpx.get(f"{address}/api/cell/{document}/{quote(field)}").json()
    return found


# On the page.


def test_ten_cells_by_keys_alone(run: Path, browser: Any) -> None:
    expected: list[tuple[str, str | None]] = []
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open()
        typed = {
            Kind.DATE: ("1997年10月17日", "1997-10-17"),
            Kind.TEXT: ("有限责任公司", "有限责任公司"),
        }
        for turn in range(10):
            field, value = reviewer.field, reviewer.value
            kind = Kind(outcome_of(address, reviewer.cell)["kind"])
            if value is not None and turn % 3 == 0 and reviewer.page.locator(".offer").count() > 1:
                value = str(reviewer.page.locator(".offer").nth(1).get_attribute("data-value"))
                reviewer.decide("2", "Enter")
            elif kind in typed and turn % 2:
                text, value = typed[kind]
                reviewer.press("e")
                reviewer.page.keyboard.insert_text(text)
                reviewer.decide("Enter")
            elif value is None:
                reviewer.press("Enter")
                assert reviewer.page.is_visible("#hint")  # an empty cell is not accepted by mistake
                reviewer.decide("a", "Enter")
            else:
                reviewer.decide("Enter")
            expected.append((field, value))
        reviewer.saved()
        assert reviewer.complaints == []
    assert [(field, value) for field, value, _ in judgements_in(run)] == expected


def test_undo_gives_the_cell_back(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open()
        first = reviewer.cell
        reviewer.decide("a", "Enter")
        reviewer.saved()
        assert outcome_of(address, first)["status"] == "verified"
        reviewer.decide("u")
        assert reviewer.cell == first
        assert outcome_of(address, first)["status"] != "verified"
        reviewer.decide("Tab")  # passed over: no word on it
        assert reviewer.cell != first
        reviewer.decide("Shift+Tab")
        assert reviewer.cell == first
    assert judgements_in(run) == []


def test_enter_of_an_input_method_decides_nothing(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open("?field=" + quote("名称"))
        here = reviewer.cell
        reviewer.press("e")
        reviewer.page.fill("#input", "")
        devtools = reviewer.context.new_cdp_session(reviewer.page)
        composed = {"text": "shanghai", "selectionStart": 8, "selectionEnd": 8}
        devtools.send("Input.imeSetComposition", composed)
        reviewer.press("Enter")
        assert reviewer.cell == here
        devtools.send("Input.insertText", {"text": "上海威诺商贸有限公司"})
        reviewer.decide("Enter")
        reviewer.saved()
    assert [value for _, value, _ in judgements_in(run)] == ["上海威诺商贸有限公司"]


def test_a_key_that_bounces_decides_once(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open("?field=" + quote("毕业日期"))
        reviewer.press("Enter")
        reviewer.page.keyboard.press("Enter")
        reviewer.saved()
    assert len(judgements_in(run)) == 1


def test_what_follows_of_a_word_is_told_and_shown(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address, locale="zh-CN").open("?field=" + quote("毕业日期"))
        while "杨旻" not in reviewer.page.inner_text("#where"):
            reviewer.decide("Tab")
        reviewer.press("e")
        reviewer.page.keyboard.insert_text("2007-06-20")
        reviewer.press("Enter")
        reviewer.page.wait_for_selector("#notices .notice")
        assert "毕业日期 → 证书编号已重新评估" in reviewer.page.inner_text("#notices")


def test_a_doubtful_code_is_asked_for_twice_and_never_corrected(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        listed = httpx.post(f"{address}/api/next", json={"order": "field", "field": "毕业日期"})
        document = listed.json()["cells"][0]["document"]
        reviewer = Reviewer(browser, address).open(f"?cell={document}:{quote('证书编号')}")
        reviewer.press("e")
        reviewer.page.fill(
            "#input", "１００８６１２０１９０５００"
        )  # full-width, four digits short
        reviewer.page.wait_for_selector("#verdict .as")
        assert "10086120190500" in reviewer.page.inner_text("#verdict")
        assert "14 characters" in reviewer.page.inner_text("#verdict")
        here = reviewer.cell
        reviewer.press("Enter")
        reviewer.page.wait_for_selector("#hint:not([hidden])")
        assert reviewer.cell == here
        reviewer.press("Enter")
        reviewer.saved()
    assert [value for _, value, _ in judgements_in(run)] == ["10086120190500"]


def test_a_school_is_found_by_its_initials(run: Path, browser: Any) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open()
        listed = httpx.post(
            f"{address}/api/next",
            json={"order": "field", "field": "专业", "schema": "graduation_certificate"},
        ).json()["cells"][0]
        reviewer.open(f"?cell={listed['document']}:{quote('专业')}")
        reviewer.press("e")
        reviewer.page.keyboard.type("gdxxkx")
        reviewer.page.wait_for_selector("#names [role=option]")
        reviewer.press("ArrowDown", "Enter")
        assert reviewer.page.input_value("#input") == "光电信息科学与工程"
        assert reviewer.page.get_attribute("#input", "aria-expanded") == "false"
        reviewer.press("Escape")
        assert reviewer.page.evaluate("document.activeElement.id") == "card"
    assert judgements_in(run) == []


def test_two_people_at_once(run: Path, browser: Any) -> None:
    with desk_on(run, config=desk_settings(reviewers=("甲", "乙"))) as address:
        one = Reviewer(browser, address, name="甲").open()
        one.page.wait_for_timeout(150)  # its claim is under way
        two = Reviewer(browser, address, name="乙").open()
        assert two.cell.split(":")[0] != one.cell.split(":")[0]
        # The other's cell by its address: they are sent on, and told why.
        theirs = one.cell
        two.page.goto(f"{address}/cells?cell={quote(theirs)}")
        two.page.wait_for_selector("#notices .notice")
        assert "甲 is at work on" in two.page.inner_text("#notices")
        # What somebody saw before another decided is not taken.
        document, field = theirs.split(":", 1)
        seen = outcome_of_as(address, theirs, "乙")["revision"]
        one.decide("a", "Enter")
        one.saved()
        one.page.close()
        time.sleep(0.1)
        stale = httpx.post(
            f"{address}/api/cell/{document}/{quote(field)}",
            json={"value": "x1", "revision": seen},
            cookies={"ocr_moe_reviewer": quote("乙")},
        )
        assert (stale.status_code, stale.json()["kind"]) in ((409, "stale"), (409, "claimed"))
    assert [who for _, _, who in judgements_in(run)] == ["甲"]


def outcome_of_as(address: str, cell: str, who: str) -> dict[str, Any]:
    document, field = cell.split(":", 1)
    cookies = {"ocr_moe_reviewer": quote(who)}
    found: dict[str, Any] = httpx.get(
        f"{address}/api/cell/{document}/{quote(field)}", cookies=cookies
    ).json()
    return found


def test_a_killed_desk_loses_nothing(run: Path, browser: Any) -> None:
    with DeskProcess(run) as desk:
        reviewer = Reviewer(browser, desk.address).open("?order=document")
        reviewer.decide("a", "Enter")
        reviewer.decide("a", "Enter")
        reviewer.saved()
        desk.kill()
        acknowledged = judgements_in(run)
        assert len(acknowledged) == 2
        reviewer.press("a", "Enter")
        reviewer.page.wait_for_function("document.querySelector('#saving').matches('.bad')")
        assert "1 not saved yet" in reviewer.page.inner_text("#saving")
        asked: list[str] = []

        def asked_to_stay(dialog: Any) -> None:
            asked.append(dialog.type)
            dialog.accept()

        reviewer.page.on("dialog", asked_to_stay)
        with reviewer.page.expect_event("close"):
            reviewer.page.close(run_before_unload=True)
        assert asked == ["beforeunload"]
        desk.start()
        reviewer.page = reviewer.context.new_page()
        reviewer.open()
        reviewer.page.wait_for_function("document.querySelector('#saving').textContent === ''")
        while len(judgements_in(run)) < 3:
            time.sleep(0.05)
    assert judgements_in(run)[:2] == acknowledged


def test_without_originals_everything_else_goes_on(run: Path, browser: Any, tmp_path: Path) -> None:
    from ocr_moe.run.batch import STORE
    from ocr_moe.store.database import Store

    with Store(run / STORE) as store:
        gone = [row._replace(place=str(tmp_path / "gone" / row.path)) for row in store.inputs]
        store.inputs.change(gone, ())
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address).open()
        reviewer.page.wait_for_selector("#nopage:not([hidden])")
        assert "--originals" in reviewer.page.inner_text("#nopage")
        reviewer.decide("a", "Enter")
        reviewer.saved()
        assert reviewer.complaints == []
    assert len(judgements_in(run)) == 1


def test_hostile_texts_are_text(run: Path, browser: Any) -> None:
    hostile = set(with_hostile_texts(run))
    shown: set[str] = set()
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address)
        asked = {"limit": 6, "schema": "business_license"}
        cells = httpx.post(f"{address}/api/next", json=asked).json()["cells"]
        skip = [[each["document"], each["field"]] for each in cells]
        cells += httpx.post(f"{address}/api/next", json={**asked, "skip": skip}).json()["cells"]
        for each in cells:
            if each["value"] not in hostile - shown:
                continue
            shown.add(each["value"])
            reviewer.open(f"?cell={each['document']}:{quote(each['field'])}")
            assert reviewer.page.evaluate("window.harmed") is None
            assert reviewer.page.locator("#card :is(script, img[src='x'], b#harm)").count() == 0
            wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert reviewer.page.evaluate(wide)
            if "\u202e" in each["value"]:
                assert "U+202E" in reviewer.page.inner_text("#value")
        assert reviewer.complaints == []
    assert len(shown) >= 4


@pytest.mark.parametrize(
    ("screen", "scheme", "language"),
    [(WIDE, "light", "en"), (PHONE, "dark", "zh-CN")],
    ids=["wide", "phone"],
)
def test_the_page_is_accessible(
    run: Path, browser: Any, screen: Any, scheme: str, language: str
) -> None:
    with desk_on(run) as address:
        reviewer = Reviewer(browser, address, color_scheme=scheme, locale=language, **screen)
        asked = {
            "order": "field",
            "field": "毕业日期",
            "schema": "graduation_certificate",
            "limit": 6,
        }
        cells = httpx.post(f"{address}/api/next", json=asked).json()["cells"]
        several = next(each for each in cells if len(each["candidates"]) > 1)
        reviewer.open(f"?cell={several['document']}:{quote(several['field'])}")
        reviewer.page.wait_for_selector(".offer")
        for keys in ((), ("e",), ("Escape", "?")):
            reviewer.press(*keys)
            reviewer.page.wait_for_timeout(250)  # what fades in is not judged half way
            assert violations(reviewer.page) == []
        reviewer.press("Escape")
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert reviewer.page.evaluate(wide)
        if screen is PHONE:
            reviewer.page.tap("#sheet")
            assert reviewer.page.is_visible("#stage")
            reviewer.page.tap("#closesheet")
            reviewer.page.tap(".offer >> nth=1")
            assert reviewer.page.get_attribute(".offer >> nth=1", "aria-pressed") == "true"


# What the page asks.


@pytest.fixture
def ask(run: Path) -> Iterator[Callable[..., httpx.Response]]:
    with desk_on(run) as address, httpx.Client(base_url=address) as client:
        yield client.request


@pytest.mark.slow
def test_a_word_sent_twice_is_written_once(ask: Callable[..., httpx.Response], run: Path) -> None:
    cell = ask("POST", "/api/next", json={"order": "field"}).json()["cells"][0]
    path = f"/api/cell/{cell['document']}/{quote(cell['field'])}"
    word = {"value": None, "revision": cell["revision"]}
    assert ask("POST", path, json=word).status_code == 200
    assert ask("POST", path, json=word).json()["judgement"] is None
    assert len(judgements_in(run)) == 1


@pytest.mark.slow
def test_bad_questions_get_a_sentence(ask: Callable[..., httpx.Response], run: Path) -> None:
    cells = ask("POST", "/api/next", json={"order": "document", "limit": 6}).json()["cells"]
    dated = next(each for each in cells if each["kind"] == "date")
    path = f"/api/cell/{dated['document']}/{quote(dated['field'])}"
    bad: list[tuple[int, httpx.Response]] = [
        (422, ask("POST", path, json={"value": "瓜"})),
        (422, ask("POST", path, json={"value": "2019-06-20" + "x" * 100_000})),
        (400, ask("POST", path, json={"value": 7})),
        (400, ask("POST", path, content=b"{")),
        (413, ask("POST", path, content=b"x" * (2 << 20))),
        (404, ask("GET", f"/api/cell/{dated['document']}/nothing")),
        (404, ask("GET", "/api/cell/0123456789abcdef/" + quote(dated["field"]))),
        (404, ask("GET", "/img/page/..%2f..%2fetc%2fpasswd/1")),
        (404, ask("GET", f"/img/page/{dated['document']}/99")),
        (404, ask("POST", "/api/undo", json={})),
        (404, ask("GET", "/api/suggest/none/none?q=a")),
    ]
    for status, answer in bad:
        assert answer.status_code == status, answer.text
        if "passwd" not in str(answer.url):
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
    assert "2019-06-20" in bad[0][1].json()["detail"]
    said = ask("POST", path, json={"value": "瓜"}, headers={"Accept-Language": "zh"}).json()
    assert "不是日期" in said["detail"]
    assert judgements_in(run) == []


@pytest.mark.slow
def test_pictures_are_the_documents_own(ask: Callable[..., httpx.Response]) -> None:
    cells = ask("POST", "/api/next", json={"order": "document", "limit": 6}).json()["cells"]
    cell = next(each for each in cells if each["evidence"])
    page = ask("GET", f"/img/page/{cell['document']}/1?w=1100")
    assert page.headers["content-type"] == "image/jpeg"
    assert page.headers["cache-control"].startswith("private")
    again = ask(
        "GET",
        f"/img/page/{cell['document']}/1?w=1100",
        headers={"If-None-Match": page.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")
    crop = ask("GET", f"/img/crop/{cell['document']}/{quote(cell['field'])}")
    shown = [float(edge) for edge in crop.headers["crop-box"].split(",")]
    x0, y0, x1, y1 = cell["evidence"]["box"]
    assert (shown[0] <= x0, shown[1] <= y0) == (True, True)
    assert (shown[2] >= x1, shown[3] >= y1) == (True, True)
    assert "crop-box" not in page.headers


@pytest.mark.slow
def test_the_page_keeps_to_a_strict_policy(ask: Callable[..., httpx.Response]) -> None:
    page = ask("GET", "/cells").text
    scripts = re.findall(r"<script[^>]*>", page)
    assert {"src=" in each for each in scripts} == {True}
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|https?://", page)
    words = re.search(r"data-words='([^']*)'", page)
    assert words is not None
    assert json.loads(words[1])["cell_accept"] == "Accept"


# What is told while somebody types.


def certificate(name: str) -> Field:
    return find_schema("graduation_certificate").field(name)


def test_codes_are_grouped_by_the_grammar_they_follow() -> None:
    groups = groups_of(certificate("证书编号"), "106131202505004931")
    assert [(each.name, each.end - each.start) for each in groups] == [
        ("school", 5),
        ("type", 1),
        ("year", 4),
        ("level", 2),
        ("serial", 6),
    ]
    unknown = groups_of(certificate("证书编号"), "ABCDEFGHIJ")
    assert [each.end for each in unknown] == [4, 8, 10]
    licence = find_schema("business_license").field("统一社会信用代码")
    assert check(licence, "91330100799655058B").merits[0].key == "cell_merit_check"
    wrong = check(licence, "91330100799655058C")
    assert (wrong.grave, wrong.doubts[0].key) == (True, "cell_doubt_check")
    assert wrong.value == "91330100799655058C"  # told, not corrected


def test_dates_are_taken_as_people_write_them() -> None:
    field = certificate("毕业日期")
    for typed in (
        "20190620",
        "2019年6月20日",
        "2019-6-20",
        "民國108年6月20日",
        "２０１９．６．２０",
    ):
        assert check(field, typed).value == "2019-06-20", typed
    today = date(2026, 11, 28)
    keys = {
        text: [each.key for each in check(field, text, today).doubts]
        for text in ("2019-02-30", "2031-01-01", "2019-06", "2019-06-20")
    }
    assert keys == {
        "2019-02-30": ["cell_doubt_calendar"],
        "2031-01-01": ["cell_doubt_future"],
        "2019-06": ["cell_doubt_no_day"],
        "2019-06-20": [],
    }
    assert check(field, "  ").refusal is not None


def test_a_list_is_searched_by_characters_pinyin_and_initials() -> None:
    names = PickList(["四川大学", "四川农业大学", "重庆大学", "清华大学", "Hong Kong University"])
    for typed in ("四川大", "sichuandaxue", "scdx", "四川dx", "sichaundaxue"):
        assert names.like(typed)[0] == "四川大学", typed
    assert names.like("cqdx") == ["重庆大学"]
    assert names.like("清化大学")[0] == "清华大学"
    assert names.like("hong kong")[0] == "Hong Kong University"
    assert names.like("") == names.like("  ") == []
    majors = pick_list(certificate("专业"))
    assert majors is not None
    assert "计算机科学与技术" in majors.like("jsjkxyjs")
    assert pick_list(certificate("姓名")) is None

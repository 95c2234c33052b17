"""Tables at the desk, in records.xlsx and on review.html: on drawn transcripts that were really read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import openpyxl
import pytest
import yaml

from ocr_moe.evaluation.evaluate import evaluate
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.generation.layouts.transcripts import Style as TableStyle
from ocr_moe.reviewing.decisions import decisions_in
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.taking import taken_in
from ocr_moe.run.batch import STORE
from ocr_moe.store.database import Store, row_of
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Decision, Judgement, Record, Status
from ocr_moe.values.tables import table_rows, table_text
from tests.browsing import Visit, violations
from tests.conftest import ROOT, Command
from tests.deskkit import (
    HOSTILE,
    as_of_one_start,
    copy_of,
    desk_on,
    desk_settings,
    judgements_in,
    line_of,
)
from tests.transcripts import Style, draw

WIDE = {"viewport": {"width": 1440, "height": 900}, "locale": "en", "bypass_csp": True}
FIRST = DocumentKey("a.jpg", 1, 1)
CELL = CellKey(FIRST, "课程")


@pytest.fixture(scope="module")
def transcripts(ocr_moe: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two drawn transcripts; the credits of a course are numbers. To be copied."""
    folder = tmp_path_factory.mktemp("transcripts")
    schema = yaml.safe_load(
        (ROOT / "tests" / "data" / "transcript.yaml").read_text(encoding="utf-8")
    )
    [credits_] = [c for c in schema["fields"][-1]["columns"] if c["name"] == "学分"]
    credits_["kind"] = "number"
    del credits_["shape"]
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema, allow_unicode=True), "utf-8")
    (folder / "scans").mkdir()
    for name, style in (
        ("a", Style(TableStyle(), rows=8)),
        ("b", Style(TableStyle(ruled=False), rows=6)),
    ):
        (folder / "scans" / f"{name}.jpg").write_bytes(draw(40, style).pages[0])
    run = folder / "run"
    done = ocr_moe("extract", folder / "scans", "--schema", folder / "schema.yaml", "--out", run)
    assert done.status in (0, 1), done.err
    return as_of_one_start(run)


@pytest.fixture
def run(transcripts: Path, tmp_path: Path) -> Path:
    return copy_of(transcripts, tmp_path)


def records_of(run: Path) -> dict[str, Record]:
    with Store(run / STORE, write=False) as store:
        [strategy] = store.strategies()
        return {each.document.path: each for each in store.records(strategy)}


def rows_read(run: Path, path: str = "a.jpg") -> list[dict[str, str]]:
    return table_rows(records_of(run)[path].fields["课程"].value)


class Grid:
    """Somebody at the grid of the first document's table."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.complaints: list[str] = []
        self.page = browser.new_context(**{**WIDE, **context}).new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        document = next(
            each["document"]
            for each in httpx.post(
                f"{address}/api/next", json={"field": "课程", "limit": 6}
            ).json()["cells"]
            if each["title"] == "a.jpg"
        )
        self.cell = f"{document}/{quote('课程')}"
        self.page.goto(f"{address}/cells?field=课程&order=document&cell={document}:课程")
        self.page.wait_for_selector("#grid td")
        self.page.wait_for_timeout(300)  # an Enter so soon would be meant for the cell before

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.page.keyboard.insert_text(text)

    def td(self, row: int, column: str) -> Any:
        heads = self.page.locator("#grid thead th").all_inner_texts()
        at = [head.rstrip("*") for head in heads].index(column) - 1
        return self.page.locator(f'#grid td[data-row="{row}"][data-column="{at}"]')

    def change(self, row: int, column: str, text: str) -> None:
        self.td(row, column).click()
        self.press("F2")
        self.type(text)
        self.press("Enter")

    def saved(self) -> None:
        self.page.wait_for_function("document.querySelector('#saving').textContent === 'saved'")


@pytest.fixture
def desk(run: Path) -> Iterator[str]:
    with desk_on(run) as address:
        yield address


# At the desk.


def test_a_table_is_corrected_by_keys_and_comes_back_verified(
    run: Path, browser: Any, tmp_path: Path
) -> None:
    before = rows_read(run)
    with desk_on(run) as address:
        grid = Grid(browser, address)
        assert grid.page.locator("#grid tbody tr").count() == len(before) == 8
        # The focus shows the cell's own place.
        grid.td(2, "成绩").click()
        crop = grid.page.wait_for_selector("#crop[alt*='成绩']")
        assert crop is not None
        place = records_of(run)["a.jpg"].fields["课程"].rows[2]["成绩"].evidence
        assert place is not None
        drawn = grid.page.locator("#box").evaluate("box => parseFloat(box.style.left)")
        wide = grid.page.locator("#page").evaluate("image => image.naturalWidth")
        assert drawn == pytest.approx(place.box[0] * wide, abs=2)

        grid.press("F2")
        grid.type("61")
        grid.press("Enter")
        grid.td(7, "序号").click()
        grid.press("Control+Delete")
        grid.td(0, "序号").click()
        grid.press("Insert")
        grid.type("99")
        grid.press("Tab")
        grid.type("测量学")
        grid.press("Tab")
        grid.type("2.5")
        grid.press("Tab")
        grid.type("77")
        grid.press("Enter", "Alt+ArrowDown")  # the active row is now the one below: it goes down
        grid.press("Control+Enter")
        grid.saved()
        assert grid.complaints == []

    expected = [dict(row) for row in before[:7]]
    expected[2]["成绩"] = "61"
    expected.insert(1, {"序号": "99", "课程名称": "测量学", "学分": "2.5", "成绩": "77"})
    expected[2], expected[3] = expected[3], expected[2]
    [(field, value, _)] = judgements_in(run)
    assert (field, table_rows(value)) == ("课程", expected)
    table = records_of(run)["a.jpg"].fields["课程"]
    assert table.status is Status.VERIFIED
    assert table.rows[2]["成绩"].evidence == place

    with Desk.open(run) as opened:
        opened.export()
    told = line_of(run, "a.jpg")["fields"]["课程"]  # type: ignore[index]
    assert [row["课程名称"]["value"] for row in told["value"]] == [r["课程名称"] for r in expected]
    sheet = openpyxl.load_workbook(run / "verified.xlsx")["课程"]
    assert sheet.max_row == 1 + len(expected)
    made = records_of(run)
    runs = {"moe": list(made.values())}
    schemas = opened.run.schemas
    material = gather(runs, schemas, read_truths([run / "verified.xlsx"]))
    scores = evaluate(material, tmp_path / "out").strategies["moe"].tables["课程"]
    assert (scores.accuracy, scores.rows_right, scores.rows_extra) == (1.0, len(expected), 0)
    # records.xlsx carries the word along, and says the same.
    material = gather(runs, schemas, read_truths([run / "records.xlsx"]))
    assert evaluate(material, None).strategies["moe"].tables["课程"].accuracy == 1.0


def test_what_no_value_is_is_told_in_its_cell_and_not_saved(
    run: Path, desk: str, browser: Any
) -> None:
    grid = Grid(browser, desk)
    grid.change(1, "学分", "many")
    grid.page.wait_for_selector('#grid td.wrong[aria-invalid="true"]')
    assert "“many” is no number" in str(grid.td(1, "学分").get_attribute("aria-label"))
    grid.press("Control+Enter")
    grid.page.wait_for_selector("#hint:visible")
    assert "many" in grid.page.inner_text("#hint")
    assert judgements_in(run) == []
    # A whole table that holds such a cell is refused by the desk itself, with its place.
    text = json.dumps([{"课程名称": "a"}, {"课程名称": "b", "学分": "many"}])
    answer = httpx.post(f"{desk}/api/cell/{grid.cell}", json={"value": text})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Row 2, 学分:")
    grid.press("Control+z")
    assert grid.page.locator("#grid td.wrong").count() == 0


def test_a_table_that_was_taken_back_keeps_what_was_typed(
    run: Path, desk: str, browser: Any
) -> None:
    grid = Grid(browser, desk)
    grid.change(0, "成绩", "61")
    grid.press("Control+Enter")
    grid.saved()
    assert len(judgements_in(run)) == 1
    grid.page.wait_for_selector("#grid", state="hidden")
    grid.press("Escape", "u")
    grid.page.wait_for_selector("#grid", state="visible")
    assert judgements_in(run) == []
    assert grid.td(0, "成绩").inner_text().startswith("61")
    # Absent: the document has no such table.
    grid.press("a")
    assert grid.page.is_hidden("#grid")
    grid.page.wait_for_timeout(300)
    grid.press("Enter")
    grid.saved()
    assert judgements_in(run)[0][:2] == ("课程", None)


def test_rows_of_a_spreadsheet_are_pasted(run: Path, desk: str, browser: Any) -> None:
    grid = Grid(browser, desk)
    before = rows_read(run)
    grid.td(7, "课程名称").click()
    grid.page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const how = { clipboardData: data, bubbles: true, cancelable: true };
            document.activeElement.dispatchEvent(new ClipboardEvent("paste", how));
        }""",
        "材料力学\t2\t80\r\n流体力学\t3\t81\r\n",
    )
    assert grid.page.locator("#grid tbody tr").count() == 9
    grid.press("Control+Enter")
    grid.saved()
    [(_, value, _)] = judgements_in(run)
    rows = table_rows(value)
    assert rows[:7] == before[:7]
    assert rows[7] == {**before[7], "课程名称": "材料力学", "学分": "2", "成绩": "80"}
    assert rows[8] == {"课程名称": "流体力学", "学分": "3", "成绩": "81"}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_grid_is_accessible_and_speaks_both_languages(
    desk: str, browser: Any, language: str
) -> None:
    grid = Grid(browser, desk, locale=language)
    grid.td(1, "课程名称").click()
    assert violations(grid.page) == []
    text = grid.page.inner_text("#grid")
    assert ("Add a row" in text) == (language == "en")
    assert ("添加一行" in text) == (language != "en")


def test_hostile_rows_are_text(run: Path, browser: Any) -> None:
    with Store(run / STORE) as store:
        [strategy] = store.strategies()
        record = next(each for each in store.records(strategy) if each.document.path == "a.jpg")
        table = record.fields["课程"]
        cells = [{**row} for row in table.rows]
        for index, worst in enumerate(HOSTILE[:4]):
            told = {"value": worst, "status": Status.ABSTAINED, "notes": (worst,)}
            cells[index]["课程名称"] = cells[index]["课程名称"].model_copy(update=told)
        text = table_text({n: c.value for n, c in row.items()} for row in cells)
        table = table.model_copy(update={"value": text, "rows": (*cells,)})
        fields = {**record.fields, "课程": table}
        store.put_records([row_of(record.model_copy(update={"fields": fields}))])
    with desk_on(run) as address:
        grid = Grid(browser, address)
        for index, worst in enumerate(HOSTILE[:4]):
            grid.td(index, "课程名称").click()
            assert worst in grid.td(index, "课程名称").locator(".v").text_content()
        assert grid.page.evaluate("window.harmed") is None
        assert grid.page.locator("#harm").count() == 0
        assert grid.complaints == []


def test_people_who_differ_on_a_table_see_its_rows(run: Path, browser: Any) -> None:
    rows = rows_read(run)
    other = [*rows[:3], {**rows[3], "成绩": "11"}, *rows[4:]]
    with Desk.open(run) as opened:
        document = opened.record(FIRST)
        assert document is not None
        words = [
            Judgement(field="课程", value=table_text(said), reviewer=who, at=at, independent=True)
            for who, said, at in (
                ("li", rows, "2026-11-28T00:00"),
                ("wu", other, "2026-11-28T01:00"),
            )
        ]
        opened.take_in((document.document, word) for word in words)
    with desk_on(run) as address:
        text = httpx.get(f"{address}/disputes").text
        assert "<mark>11</mark>" in text
        assert rows[2]["课程名称"] not in text
        grid = Grid(browser, address)
        assert grid.page.locator("#grid td.doubt").count() == 1
        assert grid.td(3, "成绩").locator(".v").text_content() == rows[3]["成绩"]


# By way of files.


def test_a_corrected_workbook_comes_to_the_desk(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "back.xlsx"
    before = rows_read(run)
    book = openpyxl.load_workbook(run / "records.xlsx")
    sheet = book["课程"]
    at = {cell.value: cell.column for cell in sheet[1]}
    assert [sheet.cell(row, at["document"]).value for row in (2, 9, 10)] == [
        *("a.jpg", "a.jpg", "b.jpg")
    ]
    sheet.cell(4, at["成绩"]).value = "61"
    sheet.delete_rows(3)
    sheet.insert_rows(4)
    for name, value in {"课程名称": "测量学", "学分": "2", "成绩": "70", "序号": "9"}.items():
        sheet.cell(4, at[name]).value = value
    book.save(file)
    expected = [before[0], {**before[2], "成绩": "61"}, *before[3:]]
    expected.insert(2, {"序号": "9", "课程名称": "测量学", "学分": "2", "成绩": "70"})
    with Desk.open(run) as opened:
        count, problems = taken_in(opened, file, "li")
        assert (count, [each.message for each in problems]) == (1, [])
        record = opened.record(FIRST)
        assert record is not None
        table = record.fields["课程"]
        assert table_rows(table.value) == expected
        checked = [
            (index, name)
            for index, row in enumerate(table.rows)
            for name, cell in row.items()
            if cell.status is Status.VERIFIED
        ]
        assert checked == [(1, "成绩"), *((2, name) for name in table.rows[2])]
        # What was doubtful and nobody looked at still waits.
        doubts = [c for row in table.rows for c in row.values() if c.status is Status.ABSTAINED]
        assert bool(doubts) == (table.status is Status.ABSTAINED)
        assert taken_in(opened, file, "li")[0] == 0

        # A mark beside every row is a word on all of it.
        opened.export()
        book = openpyxl.load_workbook(run / "records.xlsx")
        sheet = book["课程"]
        at = {cell.value: cell.column for cell in sheet[1]}
        for row in range(2, 2 + len(expected)):
            sheet.cell(row, at["checked"]).value = "wu"
        book.save(file)
        assert taken_in(opened, file, "li")[0] == 1
        record = opened.record(FIRST)
        assert record is not None
        table = record.fields["课程"]
        assert (table.status, table.reviewer) == (Status.VERIFIED, "wu")
        assert table_rows(table.value) == expected
        # Taken back, what the first file said stands again.
        opened.undo("wu")
        record = opened.record(FIRST)
        assert record is not None
        assert record.fields["课程"].rows[1]["成绩"].status is Status.VERIFIED


def test_a_verified_sheet_of_rows_comes_to_the_desk(run: Path, tmp_path: Path) -> None:
    rows = rows_read(run)
    rows[0]["成绩"] = "61"
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    names = ["序号", "课程名称", "学分", "成绩", "学期"]
    sheet.append(["文件名", *names])
    for index, row in enumerate(rows):
        sheet.append(["a.jpg" if index == 0 else None, *(row.get(name, "无") for name in names)])
    book.save(tmp_path / "list.xlsx")
    with Desk.open(run) as opened:
        count, _ = taken_in(opened, tmp_path / "list.xlsx", "li")
        assert count == 1
        record = opened.record(FIRST)
        assert record is not None
        table: Decision = record.fields["课程"]
    assert (table.status, table.rows[0]["成绩"].value) == (Status.VERIFIED, "61")
    assert table.rows[1]["成绩"].evidence is not None


def test_rows_are_corrected_on_the_page_without_a_server(
    run: Path, browser: Any, tmp_path: Path
) -> None:
    before = rows_read(run)
    visit = Visit(browser, (run / "review.html").as_uri(), locale="en-GB", accept_downloads=True)
    page = visit.page
    page.locator("#reviewer").fill("li")
    page.locator("#field").select_option(label="课程")
    card = page.locator(".cell", has_text="a.jpg")
    if card.locator("button", has_text="Show the rows").count():
        card.locator("button", has_text="Show the rows").click()
    assert card.locator("table.rows tr").count() == 1 + len(before)
    card.locator('[aria-label="row 3, 成绩"]').fill("61")
    card.locator('[aria-label="delete row 8"]').click()
    card.locator('[aria-label="add a row below row 1"]').click()
    card.locator('[aria-label="row 2, 课程名称"]').fill("测量学")
    card.locator('[aria-label="move row 2 up"]').click()
    assert violations(page) == []
    card.locator('[aria-label="row 1, 课程名称"]').press("Control+Enter")
    with page.expect_download() as download:
        page.locator("#save").click()
    assert visit.complaints == []
    file = tmp_path / "decisions.json"
    download.value.save_as(file)
    expected = [{"课程名称": "测量学"}, *before[:2], {**before[2], "成绩": "61"}, *before[3:7]]
    with Desk.open(run) as opened:
        found = decisions_in(file, opened.store, opened.strategy, opened.run.schemas)
        assert found.problems == ()
        [(document, judgement)] = found.judgements
        assert key_of(document) == FIRST
        assert table_rows(judgement.value) == expected
        assert judgement.reviewer == "li"
        taken_in(opened, file)
        record = opened.record(FIRST)
        assert record is not None
        assert record.fields["课程"].status is Status.VERIFIED


def test_a_second_reviewer_sees_the_rows_as_they_were_read(run: Path) -> None:
    before = rows_read(run)
    settings = desk_settings(double_entry=True, reviewers=["li", "wu"])
    with desk_on(run, config=settings) as address:
        li, wu = (
            httpx.Client(base_url=address, cookies={"ocr_moe_reviewer": name})
            for name in ("li", "wu")
        )
        [document] = [
            each["document"]
            for each in li.post("/api/next", json={"field": "课程", "limit": 6}).json()["cells"]
            if each["title"] == "a.jpg"
        ]
        path = f"{document}/{quote('课程')}"
        first = li.post(f"/api/cell/{path}", json={"value": table_text(before[1:])})
        assert first.status_code == 200
        li.post("/api/release")
        seen = wu.get(f"/api/cell/{path}").json()
        assert [row["课程名称"]["value"] for row in seen["table"]["rows"]] == [
            row["课程名称"] for row in before
        ]
        crops = [
            client.get(f"/img/crop/{path}", params={"row": 0, "column": "课程名称"}).headers[
                "Crop-Box"
            ]
            for client in (li, wu)
        ]
        # The first row of either: of what stands, and of what was read.
        assert crops[0] != crops[1]
        last = wu.get(f"/img/crop/{path}", params={"row": 7, "column": "课程名称"})
        none = li.get(f"/img/crop/{path}", params={"row": 7, "column": "课程名称"})
        assert (last.status_code, none.status_code) == (200, 404)
        wu.post(f"/api/cell/{path}", json={"value": table_text(before)})
    table = records_of(run)["a.jpg"].fields["课程"]
    assert table.status is Status.ABSTAINED
    assert table.notes[0].startswith("reviewers differ: li says a table of 7 rows")

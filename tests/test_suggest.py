"""`ocr-moe schema suggest` on real pixels, and its page in a real browser."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from PIL import Image

from ocr_moe import api
from ocr_moe.drafting.samples import KEPT, MOST_PAGES
from ocr_moe.drafting.session import Drafting
from ocr_moe.schema import Kind, load_schema
from ocr_moe.testing.chatserver import ChatServer
from ocr_moe.web.access import Access
from ocr_moe.web.drafting.application import drafting_app
from ocr_moe.web.guard import guarded
from ocr_moe.web.serving import listen
from ocr_moe.workshop.config import load_config
from tests.browsing import Visit, violations
from tests.conftest import Command, arguments, environment
from tests.deliverynotes import Note, drawn_into
from tests.deskkit import served

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='owned'>"
NAMED = f"{HOSTILE}.png"
PATIENCE = 20_000
"""Milliseconds until a page that does not come to something has failed."""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Note]]:
    """A folder with drawn notes in `notes`, their sheet, and in `work` what OCR reads on them."""
    folder = tmp_path_factory.mktemp("suggest")
    drawn = drawn_into(folder / "notes", 8, more=f"备注：{HOSTILE}")
    options = api.Options(work=folder / "work")
    api.suggest(folder / "notes", out=folder / "first.yaml", options=options).close()
    return folder, drawn


def test_a_schema_is_drafted_from_samples_alone(
    ocr_moe: Command, notes: tuple[Path, dict[str, Note]], tmp_path: Path
) -> None:
    folder, _ = notes
    file = tmp_path / "note.yaml"
    done = ocr_moe(
        *("schema", "suggest", folder / "notes", "--out", file, "--no-open"),
        *("--work", folder / "work"),
        env={"OCR_MOE_LANGUAGE": "zh"},
    )
    assert done.status == 0, done.err
    assert "已根据 8 份文档拟定" in done.out
    schema = load_schema(file)
    kinds = {field.name: field.kind for field in schema.fields}
    assert kinds == {
        "编号": Kind.CODE,
        "送货日期": Kind.DATE,
        "收货单位": Kind.ORGANISATION,
        "收货人": Kind.PERSON,
        "净重": Kind.NUMBER,
        "结论": Kind.ENUM,
        "明细": Kind.TABLE,
    }
    assert schema.title == "送货单"
    assert schema.field("编号").labels == ("编号 / No",)
    assert [(s.alphabet, s.length) for s in schema.field("编号").grammars[0].segments] == [
        ("letters", 2),
        ("digits", 8),
    ]
    assert schema.field("净重").units == {"kg": ()}
    assert set(schema.field("结论").values) == {"合格", "不合格"}
    assert [column.name for column in schema.field("明细").columns] == ["品名", "数量", "单价"]


def test_with_a_sheet_its_columns_are_read_and_their_accuracy_told(
    ocr_moe: Command, notes: tuple[Path, dict[str, Note]], tmp_path: Path
) -> None:
    folder, _ = notes
    file = tmp_path / "note.yaml"
    done = ocr_moe(
        *("schema", "suggest", folder / "notes", "--truth", folder / "verified.xlsx"),
        *("--out", file, "--no-open", "--work", folder / "work"),
    )
    assert done.status == 0, done.err
    assert "On no page stand the values of: 内部备注" in done.out
    for name in ("编号", "收货单位", "收货人", "送货日期", "净重", "结论"):
        assert f"{name}: 8 of 8; left out: 8 of 8" in done.out
    assert load_schema(file).names == (
        *("编号", "收货单位", "收货人", "送货日期", "净重", "结论", "内部备注"),
    )
    fresh = drawn_into(tmp_path / "more" / "notes", 3, seed=7)
    ran = ocr_moe(
        *("extract", tmp_path / "more" / "notes", "--schema", file),
        *("--out", tmp_path / "run", "--strategy", "rules"),
    )
    assert ran.status == 0, ran.err
    with (tmp_path / "run" / "records.jsonl").open(encoding="utf-8") as lines:
        records = {record["document"]["path"]: record for record in map(json.loads, lines)}
    for name, note in fresh.items():
        read = {key: field["value"] for key, field in records[name]["fields"].items()}
        assert read["编号"] == note.number
        assert read["收货单位"] == note.firm
        assert read["收货人"] == note.person
        assert read["送货日期"] == "{}-{:02d}-{:02d}".format(*note.day)
        assert read["净重"] == note.weight
        assert read["结论"] == note.verdict


def test_pages_are_read_by_ocr_once(
    notes: tuple[Path, dict[str, Note]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = notes
    assert (folder / "work" / KEPT).is_file()
    monkeypatch.setattr("ocr_moe.run.documents.PageReader._read_page", no_ocr)
    options = api.Options(work=folder / "work")
    with api.suggest(folder / "notes", out=tmp_path / "a.yaml", options=options) as drafting:
        changed = drafting.text.replace("收货单位", "不在页上")
        before, after = drafting.read(drafting.text), drafting.read(changed)
    assert all(record.fields["收货单位"].value for record in before.records)
    assert not any(record.fields["不在页上"].value for record in after.records)


def no_ocr(*_: object) -> None:
    raise AssertionError("the page was read already")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("empty",), "no images found"),
        (("notes", "--out", "note.txt"), "a schema is a YAML file"),
        (("notes", "--out", "first.yaml"), "exists, and somebody may have worked in it"),
        (("notes", "--truth", "nothing.xlsx"), "there is no such file"),
        (("notes", "--truth", "others.csv"), "no row is about one of the samples"),
        (("notes", "--strategy", "rulez"), "did you mean 'rules'"),
    ],
)
def test_what_cannot_be_drafted_is_told(
    ocr_moe: Command,
    notes: tuple[Path, dict[str, Note]],
    given: tuple[str, ...],
    told: str,
) -> None:
    folder, _ = notes
    (folder / "empty").mkdir(exist_ok=True)
    (folder / "others.csv").write_text("文件名,编号\nelse.png,DN1\n", encoding="utf-8")
    done = ocr_moe("schema", "suggest", *given, "--no-open", "--work", "work", cwd=folder)
    assert done.status == 2
    assert told in done.err
    assert not (folder / "schema.yaml").exists()


def test_a_language_model_is_asked_once_and_its_words_are_checked(
    ocr_moe: Command, notes: tuple[Path, dict[str, Note]], tmp_path: Path
) -> None:
    folder, _ = notes
    answer = {
        "title": None,
        "description": "送货时签收的单据",
        "fields": [
            {"field": "收货人", "name": "签收人", "description": "谁签收", "labels": ["不在页上"]}
        ],
    }
    command = ["schema", "suggest", folder / "notes", "--no-open", "--work", folder / "work"]
    with ChatServer(answer=lambda request: answer) as server:
        env = {"OCR_MOE_TEXT_BASE_URL": server.base_url}
        done = ocr_moe(*command, "--out", tmp_path / "a.yaml", env=env)
        assert done.status == 0, done.err
        assert len(server.requests) == 1
        ocr_moe(*command, "--out", tmp_path / "b.yaml", "--no-llm", env=env)
        assert len(server.requests) == 1
    asked = server.requests[0].body["messages"][-1]["content"]
    assert HOSTILE not in asked  # angle brackets of a document cannot leave its section
    schema = load_schema(tmp_path / "a.yaml")
    assert schema.description == "送货时签收的单据"
    assert schema.field("签收人").description == "谁签收"
    assert schema.field("签收人").labels == ("收货人",)
    assert "收货人" in load_schema(tmp_path / "b.yaml").names


@pytest.fixture(scope="module")
def drafting(
    notes: tuple[Path, dict[str, Note]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drafting]:
    folder, _ = notes
    hostile = folder / "hostile"
    hostile.mkdir()
    book = load_workbook(folder / "verified.xlsx")
    for source in sorted((folder / "notes").iterdir()):
        shutil.copy(source, hostile / (NAMED if source.name == "note_0.png" else source.name))
    book.active["A2"] = NAMED
    book.save(folder / "hostile.xlsx")
    made = api.suggest(
        hostile,
        out=tmp_path_factory.mktemp("draft") / "note.yaml",
        truth=folder / "hostile.xlsx",
        options=api.Options(work=folder / "work"),
    )
    with made:
        yield made


@pytest.fixture(scope="module")
def address(drafting: Drafting) -> Iterator[str]:
    with served(drafting_app(drafting)) as at:
        yield at


class Writer(Visit):
    """Somebody at the page."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        super().__init__(browser, address, **{"locale": "en-US", **context})
        self.context.set_default_timeout(PATIENCE)
        self.page.wait_for_selector("#cells tbody tr")

    def write(self, old: str, new: str) -> None:
        text = self.page.input_value("#text")
        assert old in text
        self.page.fill("#text", text.replace(old, new))


def test_what_is_read_is_drawn_on_the_sample(browser: Any, address: str) -> None:
    with Writer(browser, address) as writer:
        page = writer.page
        names = page.locator("#boxes text").all_text_contents()
        assert any(name.startswith("编号: DN") and name.endswith("(accepted)") for name in names)
        assert page.locator("#boxes rect").count() >= 6
        assert page.evaluate("document.getElementById('picture').naturalWidth") > 0
        before = page.inner_text("#cells")
        page.click("#after")
        assert page.inner_text("#cells") != before
        assert "编号\t8 of 8" in page.inner_text("#accuracy")
        assert writer.complaints == []
        assert writer.outside() == [url for url in writer.requests if url.startswith(address)]


def test_a_change_is_read_anew_and_its_accuracy_told(browser: Any, address: str) -> None:
    with Writer(browser, address) as writer:
        page = writer.page
        assert "编号\t8 of 8" in page.inner_text("#accuracy")
        writer.write("labels: [收货人]", "labels: [结论]")
        page.wait_for_function(
            "document.querySelector('#accuracy').innerText.includes('收货人\\t0 of 8')"
        )
        assert page.inner_text("#state") == "Changed, not saved"


def test_mistakes_are_told_with_their_line_and_what_was_read_stays(
    browser: Any, address: str
) -> None:
    with Writer(browser, address, locale="zh-CN") as writer:
        page = writer.page
        writer.write("kind: code", "kind: cod")
        page.wait_for_selector("#mistakes:not([hidden])")
        assert "只能是" in page.inner_text("#mistakes")
        number = int(page.inner_text("#lines .bad"))
        lines = page.input_value("#text").split("\n")
        assert "kind: cod" in lines[number - 1]
        assert page.locator("#cells tbody tr").count() == 7
        page.click("#mistakes button")
        chosen = page.evaluate(
            "[document.getElementById('text').selectionStart, "
            "document.getElementById('text').selectionEnd]"
        )
        assert page.input_value("#text")[chosen[0] : chosen[1]] == lines[number - 1]
        page.click("#save")
        page.wait_for_function("document.getElementById('state').textContent.includes('1')")


def test_the_text_is_saved_in_its_file_alone(
    browser: Any, address: str, drafting: Drafting
) -> None:
    with Writer(browser, address) as writer:
        before = drafting.file.read_text(encoding="utf-8")
        writer.write("收货人", "签收人")
        writer.page.click("#save")
        writer.page.wait_for_function(
            "document.getElementById('state').textContent.startsWith('Saved in note.yaml')"
        )
        assert drafting.file.read_text(encoding="utf-8") == before.replace("收货人", "签收人")
        assert load_schema(drafting.file)
        writer.write("签收人", "收货人")
        with writer.page.expect_response("**/save"):
            writer.page.click("#save")
    assert drafting.file.read_text(encoding="utf-8") == before
    assert [each.name for each in drafting.file.parent.iterdir()] == ["note.yaml"]


def test_what_documents_and_files_say_is_text(browser: Any, address: str) -> None:
    with Writer(browser, address) as writer:
        page = writer.page
        page.fill(
            "#text",
            'name: a\nfields:\n  - {name: "<b>x</b>", labels: [备注]}\n',
        )
        page.wait_for_function("document.querySelector('#cells').innerText.includes('<b>x</b>')")
        for _ in range(8):
            page.click("#after")
        shown = page.inner_text("#cells")
        assert "onerror=document.title" in shown
        assert page.locator("#cells b, #cells img, #boxes img").count() == 0
        assert page.title() != "owned"
        assert HOSTILE[:10] in page.inner_text("#sample")
        assert writer.complaints == []


def test_the_page_is_for_everybody(browser: Any, address: str) -> None:
    for width in (1400, 420):
        size = {"width": width, "height": 900}
        with Writer(browser, address, viewport=size) as writer:
            assert violations(writer.page) == []


def test_requests_that_are_no_schema_are_answered(address: str, drafting: Drafting) -> None:
    client = httpx.Client(base_url=address, timeout=30)
    before = drafting.file.read_bytes()
    assert client.post("/save", content="name: [").status_code == 422
    assert client.post("/save", content=b"\xff\xfe").status_code == 400
    assert client.post("/save", content="#" * (2 << 20)).status_code == 413
    assert client.post("/read", content="- a").json()["mistakes"][0]["line"] is None
    assert client.get("/image/99/1").status_code == 404
    assert client.get("/image/0/9").status_code == 404
    assert client.get("/image/0/1").headers["content-type"] == "image/jpeg"
    assert drafting.file.read_bytes() == before


def test_the_guard_stands_before_the_page(
    drafting: Drafting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCR_MOE_TOKEN", "a-token-of-many-letters")
    app = guarded(drafting_app(drafting), Access.of(load_config(), "127.0.0.1", 1))
    with served(app) as at:
        assert httpx.post(f"{at}/save", content="name: a").status_code in (401, 421, 400, 403)


def test_the_page_is_served_until_it_is_told_to_stop(
    notes: tuple[Path, dict[str, Note]], tmp_path: Path
) -> None:
    folder, _ = notes
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        arguments(
            [
                *("schema", "suggest", folder / "notes", "--out", tmp_path / "note.yaml"),
                *("--work", folder / "work", "--open", "--no-browser", "--port", port),
            ]
        ),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = next(line for line in process.stdout if "http://" in line)
    assert f"http://127.0.0.1:{port}/" in told
    assert "送货单" in httpx.get(f"http://127.0.0.1:{port}/").text
    process.send_signal(signal.SIGINT)
    assert "To read documents by it" in process.stdout.read()
    assert process.wait() == 0


def test_of_long_files_the_first_pages_are_read_and_bad_files_are_told(
    notes: tuple[Path, dict[str, Note]], tmp_path: Path
) -> None:
    folder, _ = notes
    pages = [Image.open(path).convert("L") for path in sorted((folder / "notes").iterdir())[:4]]
    scans = tmp_path / "scans"
    scans.mkdir()
    pages[0].save(scans / "long.tiff", save_all=True, append_images=pages[1:])
    (scans / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    told: list[str] = []
    with api.suggest(scans, out=tmp_path / "a.yaml", trouble=told.append) as drafting:
        (sample,) = drafting.samples.documents
        assert (len(sample.pages), sample.is_whole) == (MOST_PAGES, False)
        assert drafting.schema(drafting.text).pages is None
        assert {record.document.pages for record in drafting.read(drafting.text).records} == {3}
    assert len(told) == 1
    assert told[0].startswith("bad.png: ")

"""Documents that mean harm: what they say is shown and written as what it is, and does nothing."""

from __future__ import annotations

import email.message
import json
import re
import zipfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import openpyxl
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from ocr_moe.exports.jsonl import read_jsonl, write_documents, write_jsonl
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Decision, DocumentRef, Evidence, Failure, Record, Status
from ocr_moe.web.access import Access
from ocr_moe.web.guard import guarded
from ocr_moe.web.pages import Pages, shown, visible
from ocr_moe.web.responses import Problem, attachment
from tests.browsing import Visit
from tests.httpservers import serving

SCRIPT = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"
TEXTS = {
    "formula": "=1+1",
    "command": "+cmd|' /C calc'!A0",
    "minus": "-2+3+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)",
    "tab": "\t=1+1",
    "link": '=HYPERLINK("http://evil.example","ok")',
    "script": SCRIPT,
    "closing": f"</script></style></textarea></title>{SCRIPT}",
    "attribute": "' onmouseover='window.pwned=1' \" autofocus onfocus=\"window.pwned=1",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "address": "javascript:window.pwned=1",
    "backwards": "cert\u202egpj.exe",
    "isolated": "a\u2066b\u2069\u2069\u2069c",
    "hebrew": "שלום 123",
    "nothing": "a\u200b\ufeff\u00adb",
    "nul": "a\x00b\x1b[31mc",
    "lines": "a\r\nb\u2028c\u0085d",
    "long": "长" * 100_000,
    "combining": "e" + "\u0301" * 500,
    "quotes": "\"';--,",
    "path": "../../../etc/passwd",
}
SCHEMA = Schema(name="diploma", fields=(Field(name="姓名", kind=Kind.PERSON), Field(name="备注")))


def record(name: str) -> Record:
    """A record that holds a text wherever one can stand."""
    text = TEXTS[name]
    place = Evidence(box=(0.1, 0.1, 0.4, 0.2), text=text)
    fields = {
        "姓名": Decision(
            value=text, confidence=0.2, status=Status.ABSTAINED, evidence=place, notes=(text,)
        ),
        "备注": Decision(value=text, confidence=0.9, status=Status.ACCEPTED, evidence=place),
    }
    return Record(
        document=DocumentRef(path=f"{text[:200]}.jpg", sha256=name),
        schema_name=SCHEMA.name,
        strategy="moe",
        fields=fields,
    )


RECORDS = sorted((record(name) for name in TEXTS), key=lambda each: each.document.path)


def failed(name: str) -> Record:
    message = TEXTS[name]
    document = DocumentRef(path=f"failed-{name}.jpg", sha256=name)
    error = Failure(type="UnreadableFileError", message=message)
    return Record(document=document, schema_name=None, strategy="moe", error=error)


# --- files


def test_a_record_stays_one_line_and_itself(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_jsonl(path, RECORDS)
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == len(RECORDS) + 1
    assert all(json.loads(line)["format"] == 1 for line in lines[:-1])
    assert list(read_jsonl(path)) == RECORDS


def test_files_of_documents_stay_in_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    (tmp_path / "canary").touch()
    write_documents(folder, RECORDS, lambda record: {})
    assert {path.name for path in tmp_path.iterdir()} == {"documents", "canary"}
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) == len(RECORDS)
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in written)


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "records.xlsx"
    write_workbook(path, [*RECORDS, *map(failed, TEXTS)], (SCHEMA,))
    return path


def test_no_cell_of_a_workbook_is_a_formula_of_a_document(workbook: Path) -> None:
    with zipfile.ZipFile(workbook) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
        formulas = [
            formula
            for name in sheets
            for formula in re.findall(r"<f[ >].*?</f>", archive.read(name).decode("utf-8"))
        ]
        assert len(sheets) >= 2
        assert not [text for text in formulas if "evil" in text or "cmd" in text or "1+1" in text]
        targets = [
            target
            for name in archive.namelist()
            if name.endswith(".rels")
            for target in re.findall(r'Target="([^"]*)"', archive.read(name).decode("utf-8"))
        ]
    assert not [each for each in targets if re.match(r"(?i)\s*(javascript|data|vbscript):", each)]
    assert not [each for each in targets if "evil.example" in each]


def test_a_workbook_says_what_documents_say(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    texts = {cell.value for cell in cells if cell.data_type == "s"}
    for name in ("formula", "command", "minus", "at", "tab", "link", "script", "quotes", "hebrew"):
        assert TEXTS[name] in texts, name
    assert not [cell for cell in cells if cell.data_type == "f" and "1+1" in str(cell.value)]
    assert max(len(text) for text in texts) <= 32_767


# --- pages

PAGE = """{% extends "web/base.html" %}{% block main %}
{% for name, text in texts.items() %}
<p id="{{ name }}" title="{{ text | visible }}"><b>[</b>{{ text | data(limit) }}<i>]</i></p>
<input value="{{ text }}" aria-label="{{ name }}">
{% endfor %}
{% endblock %}"""


def page_of(limit: int | None) -> Starlette:
    pages = Pages("web")
    template = pages._environment.from_string(PAGE)

    async def front(request: Request) -> Response:
        text = template.render(
            texts=TEXTS,
            limit=limit,
            language="en",
            root="",
            logout="",
            request=request,
            t=lambda key, **values: pages.said(key, "en", **values),
            static=lambda name: f"/static/{name}",
        )
        return HTMLResponse(text)

    app = Starlette(routes=[Route("/", front)])
    pages.mount(app)
    return app


@pytest.fixture(scope="module")
def visit(browser: Any) -> Iterator[Visit]:
    with serving(guarded(page_of(2000), Access("127.0.0.1", 8000))) as port:
        yield Visit(browser, f"http://127.0.0.1:{port}/")


def test_nothing_of_a_document_acts_on_a_page(visit: Visit) -> None:
    assert visit.page.evaluate("window.pwned === undefined")
    assert visit.page.locator("main script, main img, main p [onmouseover]").count() == 0
    assert visit.page.locator("main > p").count() == len(TEXTS)
    assert visit.complaints == []
    assert {url.split("/static/")[-1] for url in visit.outside()} <= {
        visit.page.url,
        *("web/style.css", "web/icon.svg"),
    }


def test_a_page_says_what_documents_say(visit: Visit) -> None:
    for name in ("formula", "script", "closing", "attribute", "template", "quotes", "hebrew"):
        told = visit.page.locator(f"[id={name}] bdi").text_content()
        assert told == TEXTS[name]
        assert visit.page.locator(f"input[aria-label={name}]").input_value() == TEXTS[name]
    assert visit.page.locator("#backwards bdi").text_content() == "cert[U+202E]gpj.exe"
    assert visit.page.locator("#nul bdi").text_content() == "a[U+0000]b[U+001B][31mc"
    assert visit.page.locator("#long bdi").text_content().endswith("… (100,000)")


def test_a_document_does_not_turn_what_stands_around_it(visit: Visit) -> None:
    for name in TEXTS:
        if name != "long":
            places = [
                visit.page.locator(f"[id={name}] {tag}").bounding_box()["x"] for tag in ("b", "i")
            ]
            assert places == sorted(places), name


def test_even_a_script_that_came_through_would_not_run(browser: Any) -> None:
    """The second line: a page that forgets to escape."""

    async def careless(request: Request) -> Response:
        return HTMLResponse(f"<!doctype html><title>x</title><p>{SCRIPT}")

    app = Starlette(routes=[Route("/", careless)])
    with serving(guarded(app, Access("127.0.0.1", 8000))) as port:
        visit = Visit(browser, f"http://127.0.0.1:{port}/")
        assert visit.page.evaluate("window.pwned === undefined")
        assert any("Content Security Policy" in complaint for complaint in visit.complaints)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        (None, "<bdi></bdi>"),
        (12, "<bdi>12</bdi>"),
        ("", "<bdi></bdi>"),
        ("</bdi><b>", "<bdi>&lt;/bdi&gt;&lt;b&gt;</bdi>"),
        ("张 三\u3000\u00a0", "<bdi>张 三\u3000\u00a0</bdi>"),
        ("a\n\tb", "<bdi>a\n\tb</bdi>"),
        ("e\u0301葛\U000e0100", "<bdi>e\u0301葛\U000e0100</bdi>"),
        ("\u202e<", '<bdi><span class="unseen">[U+202E]</span>&lt;</bdi>'),
        ("\x00\u200b", '<bdi><span class="unseen">[U+0000][U+200B]</span></bdi>'),
        ("\ud800", '<bdi><span class="unseen">[U+D800]</span></bdi>'),
    ],
)
def test_how_a_text_is_shown(text: object, html: str) -> None:
    assert shown(text) == html


def test_a_text_is_cut_where_it_is_asked_for() -> None:
    assert shown("一二三四", 4) == "<bdi>一二三四</bdi>"
    assert shown("一二三四五", 4) == '<bdi>一二三四<span class="soft">… (5)</span></bdi>'


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_visible_holds_nothing_hidden(name: str) -> None:
    told = visible(TEXTS[name])
    assert all(each.isprintable() or each in "\t\n" for each in told)
    assert visible(told) == told


# --- headers and problems


@pytest.mark.parametrize("name", TEXTS)
def test_a_problem_holds_any_sentence(name: str) -> None:
    problem = Problem(422, "field", TEXTS[name], "en")
    assert json.loads(bytes(problem.body)) == {
        "type": "urn:ocr-moe:problem:field",
        "title": HTTPStatus(422).phrase,
        "status": 422,
        "detail": TEXTS[name],
    }
    assert problem.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", TEXTS)
def test_a_name_of_a_download_stays_a_name(name: str) -> None:
    header = attachment(f"{TEXTS[name]}.xlsx")
    assert header.isascii()
    assert header.isprintable()
    told = Response(headers={"Content-Disposition": header})
    assert told.headers["content-disposition"] == header
    message = email.message.Message()
    message["Content-Disposition"] = header
    assert [key for key, _ in message.get_params(header="content-disposition") or []] == [
        *("attachment", "filename", "filename")
    ]
    [encoded] = re.findall(r"filename\*=UTF-8''([^;]*)$", header)
    saved = unquote(encoded, errors="strict")
    assert saved.isprintable()
    assert not set(saved) & set('/\\:*?"<>|')
    assert saved not in (".", "..")


def test_an_ordinary_name_is_kept() -> None:
    assert attachment("核对 records.xlsx") == (
        "attachment; filename=\"__ records.xlsx\"; filename*=UTF-8''%E6%A0%B8%E5%AF%B9%20records.xlsx"
    )

"""review.html in a real browser: it needs no server, and what is decided on it reaches the run."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocr_moe.errors import TruthError
from ocr_moe.exports.reviewpage import page as reviewpage
from ocr_moe.exports.reviewpage.page import write_review_page
from ocr_moe.reviewing.decisions import decisions_in, is_decisions
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store, row_of
from ocr_moe.types import (
    Alternative,
    Answer,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Reading,
    Record,
    Status,
)
from ocr_moe.workshop.config import find_schema
from tests.browsing import Visit, violations

HOSTILE = '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">\u202e=1+1'
NUMBER = "106101201205001234"


@pytest.fixture(scope="module")
def schema() -> Schema:
    return find_schema("graduation_certificate")


def picture(colour: str = "white") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (300, 60), colour).save(stream, "JPEG")
    return stream.getvalue()


def doubtful(value: str | None, confidence: float, **more: Any) -> Decision:
    evidence = Evidence(box=(0.1, 0.1, 0.4, 0.2), text=value) if value else None
    given = {"experts": ("rules",), "evidence": evidence} | more
    return Decision(value=value, confidence=confidence, status=Status.ABSTAINED, **given)


def record(path: str, **fields: Decision) -> Record:
    document = DocumentRef(path=path, sha256=path.encode().hex()[:64].rjust(64, "0"))
    return Record(
        document=document, schema_name="graduation_certificate", strategy="moe", fields=fields
    )


RECORDS = [
    record(
        "a.jpg",
        姓名=doubtful("王方", 0.4),
        证书编号=doubtful(NUMBER, 0.3, characters=(0.99,) * 17 + (0.4,)),
        性别=Decision(value="女", confidence=0.99, status=Status.ACCEPTED),
    ),
    record("b.jpg", 专业=doubtful(None, 0.2, notes=(HOSTILE,)), 姓名=doubtful(HOSTILE, 0.6)),
    record("broken.jpg").model_copy(update={"error": Failure(type="E", message="no image")}),
]


def answers(record: Record) -> dict[str, list[Answer]]:
    if record.document.path != "a.jpg":
        return {}
    reading = Reading(
        field="姓名",
        value="王芳",
        score=0.3,
        alternatives=(
            Alternative(value="王芳", logprob=-0.5),
            Alternative(value="王坊", logprob=-2),
        ),
    )
    return {"typed": [Answer(expert="typed/1", readings=(reading,))]}


def written(folder: Path, schema: Schema, **more: Any) -> str:
    path = folder / "review.html"
    pictures = {"crop_of": lambda *_: picture(), "page_of": lambda *_: picture("grey")}
    write_review_page(path, RECORDS, [schema], answers, **(pictures | more))
    return path.as_uri()


def decided(visit: Visit) -> dict[str, Any]:
    with visit.page.expect_download() as download:
        visit.page.locator("#save").click()
    found: dict[str, Any] = json.loads(Path(download.value.path()).read_text("utf-8"))
    return found


def test_the_most_doubtful_cells_come_first_and_the_rest_is_told(
    schema: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviewpage, "MOST_CELLS", 2)
    assert write_review_page(tmp_path / "review.html", RECORDS, [schema], answers) == len(RECORDS)
    text = (tmp_path / "review.html").read_text("utf-8")
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert [cell["field"] for cell in data["cells"]] == ["专业", "证书编号"]
    assert (data["left"], data["failed"]) == (2, 1)


def test_equal_runs_give_equal_pages(schema: Schema, tmp_path: Path) -> None:
    written(tmp_path, schema)
    first = (tmp_path / "review.html").read_bytes()
    written(tmp_path, schema)
    assert (tmp_path / "review.html").read_bytes() == first


@pytest.mark.slow
def test_cells_are_decided_with_the_keyboard_and_reach_the_run(
    browser: Any, schema: Schema, tmp_path: Path
) -> None:
    visit = Visit(browser, written(tmp_path, schema), locale="en-GB")
    keys = visit.page.keyboard
    visit.page.locator("#reviewer").fill("li")
    visit.page.locator(".cell.here").click(position={"x": 5, "y": 5})
    keys.press("a")  # 专业 of b.jpg is not there
    keys.press("e")  # 证书编号
    visit.page.locator(".cell.here input").fill("106101201205001235")
    keys.press("Enter")
    keys.press("2")  # 姓名 of a.jpg: the other expert's reading
    keys.press("u")
    keys.press("2")
    file = decided(visit)

    assert visit.outside() == []
    assert visit.complaints == []
    assert [(each["field"], each["value"]) for each in file["decisions"]] == [
        ("专业", None),
        ("证书编号", "106101201205001235"),
        ("姓名", "王芳"),
    ]
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps(file), encoding="utf-8")
    assert is_decisions(path)
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(each) for each in RECORDS])
        taken = decisions_in(path, store, "moe", [schema])
    assert taken.problems == ()
    judgement = taken.judgements[1][1]
    assert (judgement.reviewer, judgement.via) == ("li", "decisions.json")
    assert judgement.shown is not None
    assert judgement.shown.value == NUMBER


@pytest.mark.slow
def test_what_was_decided_outlives_the_page(browser: Any, schema: Schema, tmp_path: Path) -> None:
    address = written(tmp_path, schema)
    visit = Visit(browser, address)
    visit.page.locator("#reviewer").fill("li")
    visit.page.locator(".cell button.first").nth(1).click()
    again = visit.context.new_page()
    again.goto(address)
    assert "1" in again.locator("#progress").inner_text()
    assert again.locator("#reviewer").input_value() == "li"
    assert again.locator("#unsaved").inner_text() != ""


@pytest.mark.slow
def test_nobody_decides_without_a_name(browser: Any, schema: Schema, tmp_path: Path) -> None:
    visit = Visit(browser, written(tmp_path, schema))
    visit.page.locator(".cell button.first").nth(1).click()
    assert visit.page.locator("#problem").is_visible()
    assert visit.page.locator(".cell.done").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(("language", "scheme"), [("en-GB", "light"), ("zh-CN", "dark")])
def test_the_page_can_be_used_by_everybody(
    browser: Any, schema: Schema, tmp_path: Path, language: str, scheme: str
) -> None:
    size = {"width": 390, "height": 800}
    visit = Visit(
        browser, written(tmp_path, schema), locale=language, color_scheme=scheme, viewport=size
    )
    assert visit.page.evaluate("window.pwned === undefined")
    assert visit.page.locator("html").get_attribute("lang") == language.replace("-GB", "")
    assert violations(visit.page) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_decision_that_does_not_fit_the_run_is_told_and_the_others_are_taken(
    schema: Schema, tmp_path: Path
) -> None:
    def decision(path: str, field: str, value: str | None, **more: Any) -> dict[str, Any]:
        of_record = next(each for each in RECORDS if each.document.path == path)
        document = of_record.document.model_dump(include={"path", "sha256", "page", "part"})
        at = "2026-01-02T03:04:05.000Z"
        given = {"schema": "graduation_certificate", "field": field, "value": value, "at": at}
        return {"document": document, **given, **more}

    other = decision("a.jpg", "姓名", "王芳")
    other["document"]["sha256"] = "0" * 64
    decisions = [
        other,
        decision("a.jpg", "名称", "某公司"),
        decision("a.jpg", "出生日期", "no date at all"),
        "nonsense",
        decision("a.jpg", "出生日期", "1990年1月2日"),
        decision("a.jpg", "出生日期", "1990年1月3日", at="no time at all"),
    ]
    file = {"format": 1, "kind": "ocr_moe decisions", "strategy": "moe", "reviewer": " "}
    path = tmp_path / "decisions.json"
    path.write_text(json.dumps(file | {"decisions": decisions}), encoding="utf-8")
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(each) for each in RECORDS])
        taken = decisions_in(path, store, "moe", [schema], "li")
    said = [judgement for _, judgement in taken.judgements]
    assert [(each.value, each.reviewer) for each in said] == [
        ("1990-01-02", "li"),
        ("1990-01-03", "li"),
    ]
    assert said[0].at == "2026-01-02T03:04:05.000+00:00"
    assert datetime.fromisoformat(said[1].at).tzinfo is not None
    assert [
        each.sentence.split(" (")[0].removesuffix(": not a decision") for each in taken.problems
    ] == [f"decisions.json: decision {number}" for number in (1, 2, 3, 4)]
    told = [each.told("zh") for each in taken.problems]
    assert told[0].startswith("decisions.json：第 1 条（")
    assert "没有这份文档" in told[0]
    assert not any("decision " in each for each in told)


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"kind": "ocr_moe decisions"}', "\x00"])
def test_a_file_without_decisions_is_told(schema: Schema, tmp_path: Path, text: str) -> None:
    path = tmp_path / "decisions.json"
    path.write_text(text, encoding="utf-8")
    with (
        Store(tmp_path / "store.sqlite") as store,
        pytest.raises(TruthError, match=r"review\.html"),
    ):
        decisions_in(path, store, "moe", [schema])

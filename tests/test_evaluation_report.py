"""report.html in a real browser: one file, no request, no script but its own, nothing injected."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2 as pdfium
import pytest
import yaml
from PIL import Image

from ocr_moe.evaluation.advice import Advice, PolicyPoint
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.report import charts
from ocr_moe.evaluation.report.charts import nice_ticks, pareto
from ocr_moe.evaluation.report.crops import crop
from ocr_moe.evaluation.report.measures import (
    CELLS,
    COSTS,
    LEFT_OUT,
    OVERALL,
    REVIEW,
    Measure,
    on_page,
)
from ocr_moe.evaluation.report.page import ReportOptions
from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.report.sentences import problem_sentence
from ocr_moe.evaluation.scores import SheetProblem
from ocr_moe.evaluation.summary import SummaryOptions
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.formats.phrases import Patterns
from ocr_moe.types import Cost, Evidence, Origin, Record
from tests.browsing import Visit
from tests.evaluationkit import RUNS, decision, material, record, truth_file

HOSTILE = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">"\'&{{7*7}}'
TEMPLATES = Path(charts.__file__).parent / "templates"


def page_of(record: Record, page: int) -> Image.Image:
    assert page == 1
    return Image.new("RGB", (800, 600), (200, 220, 255))


def write(folder: Path, runs: dict[str, list[Record]], **options: Any) -> str:
    chosen = EvaluationOptions(summary=SummaryOptions(repeats=100), **options)
    evaluate(material(truth_file(folder), runs), folder, options=chosen, image_source=page_of)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(
        tmp_path_factory.mktemp("report"),
        RUNS,
        titles={"moe": "MOE"},
        origins={"ocr_page_llm": Origin(recorded=("Qwen2.5",))},
        skipped={"vision_all": "set OCR_MOE_VISION_BASE_URL"},
        points=[
            PolicyPoint(name="oracle", role="oracle", accuracy=0.9, cost=400, unit="tokens"),
            PolicyPoint(name="mix", role="random_mix", accuracy=0.5, cost=0, unit="tokens"),
            PolicyPoint(name="mix", role="random_mix", accuracy=0.6, cost=900, unit="tokens"),
        ],
        advice=Advice(
            name="cascade",
            target=0.99,
            confidence=0.9,
            certified=("姓名",),
            uncertified=("毕业日期", "证书编号"),
            missing=40,
        ),
    )


def test_it_is_one_file_that_refers_to_nothing_outside(report: str) -> None:
    # Namespaces of SVG are not written either: inline SVG in HTML needs none.
    assert re.findall(r"(?:https?:)?//[a-z0-9]", report) == []
    assert "@import" not in report
    assert set(re.findall(r'(?:src|href)="([^"#]{0,15})', report)) <= {
        "data:image/jpeg",
        "data:,",
        "",
    }


def test_it_says_what_decides(report: str) -> None:
    for words in (
        "is the most accurate of 2 strategies",
        "recorded answers of Qwen2.5",
        "Qwen2.5 的已录制回答",
        "所需的端点或专家不可用（请设置 OCR_MOE_VISION_BASE_URL）。",
        "set OCR_MOE_VISION_BASE_URL",
        "cascade: 姓名 certified for 99.0% accuracy at 90% confidence; check 毕业日期, 证书编号 by "
        "hand. Verify about 40 more documents.",
        "cascade：姓名以 90% 的置信度认证达到 99.0%；毕业日期、证书编号请人工核对。"
        "约需再核对 40 份文档。",
        "9.jpg",
        "5.jpg",
        "理想上限",
    ):
        assert words in report


def test_every_figure_of_the_page_stands_there_under_both_headings(report: str) -> None:
    phrases = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    shown: list[Measure[Any]] = [*on_page(CELLS), *on_page(REVIEW), *on_page(COSTS)]
    for words in [measure.words for measure in shown] + [overall.words for overall in OVERALL]:
        english, chinese = phrases[words]
        assert f'<span class="en" lang="en">{english}</span>' in report
        assert f'<span class="zh" lang="zh-CN">{chinese}</span>' in report


def test_costs_by_field_and_points_are_told_in_the_unit_of_the_run(tmp_path: Path) -> None:
    page = write(
        tmp_path,
        RUNS,
        field_costs={"ocr_page_llm": {"姓名": Cost(prompt_tokens=5000, seconds=7.0)}},
        points=[
            PolicyPoint(name="far", role="policy", accuracy=0.9, cost=400, unit="tokens"),
            PolicyPoint(name="off", role="policy", accuracy=0.9, cost=400, unit="money"),
        ],
    )
    costs = page[page.index('id="costs"') :]
    [row] = re.findall(r"<tr>(?:(?!</tr>).)*姓名.*?</tr>", costs)
    assert sorted(re.findall(r'<td class="num">(.*?)</td>', row)) == ["1,000", "–"]
    assert ">far<" in page
    assert ">off<" not in page


def test_crops_of_what_was_misread_are_inside(report: str) -> None:
    assert report.count("data:image/jpeg;base64,") >= 1
    assert "1061312019050" in report


def test_every_phrase_has_two_languages_and_is_used() -> None:
    phrases = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    sources = (TEMPLATES / "report.html.j2").read_text(encoding="utf-8")
    for module in TEMPLATES.parents[1].rglob("*.py"):
        sources += module.read_text(encoding="utf-8")
    measures: list[Measure[Any]] = [*CELLS, *REVIEW, *COSTS]
    figures = {each.words for each in measures} | {overall.words for overall in OVERALL}
    assert figures == {key for key in phrases if key.startswith("figure_")}
    told_first = {omission.words for omission in LEFT_OUT} | {"left_title", "left_names"}
    assert told_first == {key for key in phrases if key.startswith("left_")}
    for key, texts in phrases.items():
        assert len(texts) == 2, key
        names = [set(re.findall(r"{(\w+)}", text)) for text in texts]
        # English has the whole sentence there.
        if not key.startswith(("problem_", "recorded_of", "skipped_why", "policy")):
            assert names[0] == names[1], key
        stem = re.sub(
            r"_(money|tokens|seconds|strong|some|none|too_few_errors|no_confidence)$", "_", key
        )
        stem = re.sub(r"^(role|problem|left)_\w+", r"\1_", stem)
        stem = re.sub(r"^(?:column|sheet)_(\w+)", r'"\1"', stem)  # of the workbook
        assert key in figures or key in sources or stem in sources, f"{key} is never shown"


def test_problems_of_every_kind_are_told_in_chinese_too() -> None:
    phrases = yaml.safe_load((TEMPLATES / "words.yaml").read_text(encoding="utf-8"))
    for kind in ProblemKind:
        _, chinese = phrases[f"problem_{kind.value}"]
        # What is {told} is a note of formats/notes.yaml.
        assert "{told}" in chinese or re.search(r"[\u4e00-\u9fff]{4}", chinese), kind


def test_a_problem_names_sheet_field_and_rows_in_both_languages(tmp_path: Path) -> None:
    sheet = truth_file(tmp_path)
    book = openpyxl.load_workbook(sheet)
    headings = [cell.value for cell in book.active[1]]
    column = headings.index("证书编号") + 1
    book.active.cell(3, column).value = 106131201905000000
    book.save(sheet)
    evaluate(material(sheet), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "证书编号：数字过长" in page
    assert "（第 3 行）" in page
    assert "(row 3)" in page


def test_the_pareto_front_has_no_dominated_point() -> None:
    points = [(0.0, 90.0), (10.0, 95.0), (10.0, 92.0), (20.0, 94.0), (30.0, 99.0)]
    assert pareto(points) == [(0.0, 90.0), (10.0, 95.0), (30.0, 99.0)]


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(0, 100) == [0, 20, 40, 60, 80, 100]
    assert nice_ticks(90.0, 100.0) == [90, 92, 94, 96, 98, 100]
    assert nice_ticks(5, 5) == [5]


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (0.99, 0.99, 1, 1), (1, 1, 1, 1), (0.5, 0.5, 0.5, 0.5)]
)
def test_a_crop_is_had_for_any_box(box: tuple[float, float, float, float]) -> None:
    assert crop(Image.new("RGB", (300, 200)), box).startswith("data:image/jpeg;base64,")


def hostile_runs() -> dict[str, list[Record]]:
    place = Evidence(box=(0.1, 0.1, 0.4, 0.2), text=HOSTILE)
    fields = {
        "姓名": decision(HOSTILE, 0.2, evidence=place, notes=(HOSTILE,)),
        "毕业日期": decision("2019-06-20"),
        "证书编号": decision("</style></script>" + HOSTILE, 0.1),
    }
    return {HOSTILE: [record("1.jpg", fields)], "moe": RUNS["moe"]}


def visit_of(browser: Any, path: Path, **context: Any) -> Visit:
    return Visit(browser, path.as_uri(), **context)


def test_the_browser_asks_for_nothing_and_does_not_complain(
    browser: Any, report: str, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")

    visit = visit_of(browser, tmp_path / "report.html", viewport={"width": 1280, "height": 900})

    assert visit.outside() == []
    assert len([url for url in visit.requests if url.startswith("file:")]) == 1
    assert visit.complaints == []
    assert visit.page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")


def test_what_was_read_cannot_act_as_markup(browser: Any, tmp_path: Path) -> None:
    write(
        tmp_path,
        hostile_runs(),
        titles={"moe": HOSTILE},
        origins={"moe": Origin(recorded=(HOSTILE,))},
        skipped={HOSTILE: HOSTILE},
        points=[PolicyPoint(name=HOSTILE, role="policy", accuracy=0.5, cost=1, unit="tokens")],
        advice=Advice(
            name=HOSTILE, target=0.9, confidence=0.9, certified=(HOSTILE,), uncertified=(HOSTILE,)
        ),
        report=ReportOptions(heading=HOSTILE, footer=HOSTILE),
    )

    visit = visit_of(browser, tmp_path / "report.html")

    assert visit.page.evaluate("window.pwned === undefined")
    assert visit.page.locator("script").count() == 1
    assert visit.page.locator('img[src="x"]').count() == 0
    assert visit.page.locator("text={{7*7}}").count() > 0
    assert visit.outside() == []
    assert visit.complaints == []


def test_language_and_theme_can_be_switched(browser: Any, report: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    visit = visit_of(browser, tmp_path / "report.html", locale="zh-CN", color_scheme="dark")

    def background() -> str:
        return str(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    title = visit.page.locator("#fields h2")
    assert title.inner_text() == "各字段、各策略的准确率"
    visit.page.click("[data-do=language]")
    assert title.inner_text() == "Accuracy by field and strategy"
    assert visit.page.evaluate("document.documentElement.lang") == "en"
    dark = background()
    visit.page.click("[data-do=theme]")
    assert background() != dark


def test_what_is_not_counted_stands_above_the_verdict(
    browser: Any, report: str, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    visit = visit_of(browser, tmp_path / "report.html", locale="zh-CN")

    note = visit.page.locator(".left-out")
    assert note.is_visible()
    assert note.locator("li").all_inner_texts() == [
        "5 份文档中有 1 份（20\u202f%）没有核实行，未计入（5.jpg）。",
        "5 个核实行中有 1 个（20\u202f%）没有对应的文档，未计入（9.jpg）。",
        "1 份文档无法读取，其已核实单元格计为失败。",
    ]
    below = visit.page.locator("h1").bounding_box()["y"]
    assert note.bounding_box()["y"] < below
    visit.page.click("[data-do=language]")
    assert note.locator("li").first.inner_text() == (
        "1 of 5 documents (20\u202f%) has no verified row and is not counted (5.jpg)."
    )


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(
    browser: Any, report: str, tmp_path: Path, width: int
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")

    visit = visit_of(browser, tmp_path / "report.html", viewport={"width": width, "height": 800})

    assert visit.page.evaluate("document.documentElement.scrollWidth") == width


def test_it_can_be_read_without_script_and_prints(
    browser: Any, report: str, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    visit = visit_of(
        browser, tmp_path / "report.html", java_script_enabled=False, color_scheme="dark"
    )

    assert visit.page.locator("#fields h2").inner_text() == "Accuracy by field and strategy"
    visit.page.emulate_media(media="print")
    assert not visit.page.locator(".tools").is_visible()
    assert visit.page.pdf().startswith(b"%PDF")


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page."""
    with closing(pdfium.PdfDocument(pdf)) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


def test_it_prints_light_and_no_heading_stands_alone(
    browser: Any, report: str, tmp_path: Path
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    visit = visit_of(browser, tmp_path / "report.html", color_scheme="dark")
    visit.page.click("[data-do=theme]")
    visit.page.click("[data-do=theme]")
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"

    visit.page.emulate_media(media="print", color_scheme="dark")
    paper = "getComputedStyle(document.querySelector({})).backgroundColor"
    white = ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    for part in ("body", ".tiles", ".tile", "section"):
        assert visit.page.evaluate(paper.format(repr(part))) in white, part
    pages = pages_of(visit.page.pdf(prefer_css_page_size=True))
    for heading, below in (
        ("Accuracy by field and strategy", "姓名"),
        ("Accuracy against cost", "LLM tokens a document"),
        ("What a person should check", "cells checked"),
        ("What goes wrong", "substituted character"),
        ("Worst documents", "4.jpg"),
        ("Is the confidence worth anything?", "毕业日期"),
    ):
        [page] = [page for page in pages if heading in page]
        assert below in page, heading


@pytest.mark.parametrize("asked_by", ["button", "address"])
def test_one_page_has_what_was_counted_what_not_and_how_sure(
    browser: Any, report: str, tmp_path: Path, asked_by: str
) -> None:
    (tmp_path / "report.html").write_text(report, encoding="utf-8")
    visit = visit_of(browser, tmp_path / "report.html", locale="zh-CN")
    if asked_by == "button":
        visit.page.evaluate("window.print = () => { window.printed = 1 }")
        visit.page.click("[data-do=one-page]")
        assert visit.page.evaluate("window.printed") == 1
    else:
        visit.page.evaluate("location.hash = '#one-page'")
        visit.page.wait_for_function("document.documentElement.dataset.print")

    [page] = pages_of(visit.page.pdf(prefer_css_page_size=True))

    for words in (
        "没有核实行，未计入（5.jpg）",
        "2 种策略中",
        "置信区间",
        "漏网错误",
        "未认证",
        "毕业日期",
    ):
        assert words in page
    visit.page.evaluate("location.hash = ''; window.dispatchEvent(new Event('afterprint'))")
    assert len(pages_of(visit.page.pdf(prefer_css_page_size=True))) > 1


def test_a_chinese_page_has_no_english_left(browser: Any, tmp_path: Path) -> None:
    sheet = truth_file(tmp_path, header=("文件名", "姓名", "没有的列", "证书编号"))
    options = EvaluationOptions(
        summary=SummaryOptions(repeats=100),
        skipped={"vision_all": "set OCR_MOE_VISION_BASE_URL"},
        field_costs={"moe": {"姓名": Cost(seconds=7.0)}},
        advice=Advice(
            name="Each field to the expert that was best at it",
            target=0.99,
            confidence=0.9,
            certified=(),
            uncertified=("姓名",),
            missing=40,
            fallback="less_accurate",
            instead_of="moe (asks the next expert below a confidence of 0.5)",
        ),
    )
    evaluate(material(sheet), tmp_path, options=options, image_source=page_of)

    visit = visit_of(browser, tmp_path / "report.html", locale="zh-CN")

    told = visit.page.evaluate(
        """[document.title, document.body.innerText,
            ...[...document.querySelectorAll('[title], [aria-label], [alt]')].map(
              e => e.title || e.getAttribute('aria-label') || e.alt)].join('\\n')"""
    )
    named = re.compile(
        r"English|ocr-moe|ocr_page_llm|moe|vision_all|OCR_MOE_VISION_BASE_URL|accuracy\.xlsx"
        r"|verified\.xlsx|\.jpg|LLM|token|Wilson|McNemar|Holm|AUROC|ECE|Brier|Pareto"
    )
    left = [line for line in told.splitlines() if re.search("[A-Za-z]{3,}", named.sub("", line))]
    assert left == []
    assert "置信度低于 0.5 时询问下一位专家" in told
    assert "每个字段交给最擅长它的专家" in told


def test_what_sheets_tell_has_its_chinese() -> None:
    file = TEMPLATES / "sentences.yaml"
    for english, chinese in yaml.safe_load(file.read_text(encoding="utf-8")):
        names = [set(re.findall(r"{(\w+)}", text)) for text in (english, chinese)]
        assert names[1] <= names[0], english
        filled = english.format(**{name: name.upper() for name in names[0]})
        patterns = Patterns("ocr_moe.evaluation.report", "templates/sentences.yaml")
        assert patterns.chinese(filled) == chinese.format(**{n: n.upper() for n in names[0]})
    unknown = SheetProblem(kind="months", sentence="s: no such thing", message="no such thing")
    assert "该列日期只到月" in text([problem_sentence(unknown)], "zh")
    listed = SheetProblem(
        kind="ambiguous",
        sentence="v.xlsx: the name fits several documents (a, b … and 2 more); write the folder too",
        message="the name fits several documents (a, b … and 2 more); write the folder too",
        source="v.xlsx",
        rows=(3,),
    )
    assert text([problem_sentence(listed)], "zh") == (
        "v.xlsx：该文件名对应多份文档（a、b 等），请连同文件夹一起填写（第 3 行）"
    )


def test_one_strategy_without_an_error_and_without_pictures(tmp_path: Path) -> None:
    fields = {
        "姓名": decision("张三"),
        "毕业日期": decision("2019-06-20"),
        "证书编号": decision("106131201905004931"),
    }
    evaluate(material(truth_file(tmp_path), {"moe": [record("1.jpg", fields)]}), tmp_path)

    text = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert "has no wrong cell" in text
    assert "without any review" in text
    assert 'id="compare"' not in text


def test_a_tie_is_called_one(tmp_path: Path) -> None:
    surer = [
        r.model_copy(update={"fields": {n: d for n, d in r.fields.items() if n != "毕业日期"}})
        for r in RUNS["moe"]
    ]
    sheet = truth_file(tmp_path, [("3.jpg", "王五", None, "106131201905000123")])

    scores = evaluate(material(sheet, {"moe": RUNS["moe"], "twin": surer}), tmp_path)

    assert scores.strategies["moe"].macro == scores.strategies["twin"].macro == 1.0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "None of 2 strategies is more accurate than" in text

"""Strategies side by side: each expert asked once, recorded answers replayed, everything scored."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openpyxl import load_workbook

import ocr_moe
from ocr_moe.api import Goal, Options, calibrate, evaluate
from ocr_moe.evaluation import material
from ocr_moe.evaluation.truth import truthset
from ocr_moe.exports.jsonl import read_jsonl
from ocr_moe.formats.notes import note_in
from ocr_moe.workshop.config import load_config
from tests.conftest import SAMPLES, Command, clean_samples

pytestmark = pytest.mark.slow

TRUTH = SAMPLES / "graduation_certificate" / "verified.xlsx"
RECORDED = SAMPLES / "recorded.sqlite"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    for sample in clean_samples("graduation_certificate", 8):
        shutil.copy(sample, folder / sample.name)
    return folder


@pytest.fixture(scope="module")
def comparison(
    scans: Path, ocr_moe: Command, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("comparison") / "out"
    done = ocr_moe("compare", scans, "--truth", TRUTH, "--recorded", RECORDED, "--out", out)
    assert done.status == 0, done.err
    return out, done.out


def test_all_that_can_run_is_compared_and_the_rest_is_named(comparison: tuple[Path, str]) -> None:
    out, said = comparison
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert set(scores["strategies"]) == {"ocr_page_llm", "ocr_crop_llm", "rules", "moe"}
    assert set(scores["skipped"]) == {
        *("vision_all", "vision_single", "ocr_hint_vision", "published_moe"),
    }
    assert "OCR_MOE_VISION_BASE_URL" in scores["skipped"]["vision_all"]
    for name in ("ocr_page_llm", "ocr_crop_llm"):
        assert "qwen2.5-coder" in scores["strategies"][name]["origin"]["recorded"][0]
    assert "recorded answers of qwen2.5-coder" in said
    assert "recorded answers of qwen2.5-coder" in (out / "report.html").read_text("utf-8")


def test_scores_tell_what_docs_formats_md_says(comparison: tuple[Path, str]) -> None:
    out, _ = comparison
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    for strategy in scores["strategies"].values():
        assert strategy["n_documents"] == 8
        assert 0 <= strategy["perfect"] <= 1
        assert 0 <= strategy["macro"] <= 1
        for cell in strategy["fields"].values():
            low, high = cell["interval"]
            assert 0 <= low <= cell["accuracy"] <= high <= 1
            assert cell["right"] <= cell["n"] <= 8
            for key in ("missing", "invented", "failed", "coverage", "selective_accuracy"):
                assert key in cell
    assert scores["strategies"]["moe"]["macro"] >= 0.9
    costs = scores["strategies"]["ocr_page_llm"]["field_costs"]
    total = scores["strategies"]["ocr_page_llm"]["cost"]["total"]
    assert total["prompt_tokens"] > 0
    assert sum(c["prompt_tokens"] for c in costs.values()) == pytest.approx(
        total["prompt_tokens"], abs=len(costs)
    )
    assert len(scores["pairs"]) == 6


def test_every_strategy_has_its_exports(comparison: tuple[Path, str]) -> None:
    out, _ = comparison
    for name in ("ocr_page_llm", "ocr_crop_llm", "rules", "moe"):
        records = list(read_jsonl(out / name / "records.jsonl"))
        assert len(records) == 8
        assert {record.strategy for record in records} == {name}
    book = load_workbook(out / "accuracy.xlsx")
    headings = {
        str(cell.value) for sheet in book for row in sheet.iter_rows(max_row=3) for cell in row
    }
    assert any("MOE策略证书编号" in heading for heading in headings), headings


def test_another_look_with_other_thresholds_asks_nobody(
    comparison: tuple[Path, str], scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(comparison[0], out)
    with sqlite3.connect(out / "store.sqlite") as db:
        before = db.execute("SELECT count(*) FROM answers").fetchone()
    other = tmp_path / "other.yaml"
    other.write_text("strategies: {moe: {combiner: {kind: moe, accept: {default: 0.999}}}}\n")
    done = ocr_moe(
        *("compare", scans, "--truth", TRUTH, "--recorded", RECORDED, "--out", out),
        *("--config", other),
    )
    assert done.status == 0, done.err
    assert "0 questions asked" in done.out
    with sqlite3.connect(out / "store.sqlite") as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone() == before
    was = {r.document.path: r for r in read_jsonl(comparison[0] / "moe" / "records.jsonl")}
    now = {r.document.path: r for r in read_jsonl(out / "moe" / "records.jsonl")}
    assert {k: {n: d.value for n, d in r.fields.items()} for k, r in was.items()} == {
        k: {n: d.value for n, d in r.fields.items()} for k, r in now.items()
    }
    accepted = [sum(d.status == "accepted" for r in s.values() for d in r.fields.values())
                for s in (was, now)]  # fmt: skip
    assert accepted[1] < accepted[0]


def test_live_and_replayed_runs_give_the_same_records(
    comparison: tuple[Path, str], scans: Path, tmp_path: Path
) -> None:
    """The store of one run, replayed in another folder, decides the same."""
    replayed = ocr_moe.extract(
        scans,
        out=tmp_path / "replayed",
        strategy="ocr_page_llm",
        options=Options(schema="graduation_certificate", recorded=comparison[0] / "store.sqlite"),
    )
    live = {r.document.path: r.fields
            for r in read_jsonl(comparison[0] / "ocr_page_llm" / "records.jsonl")}  # fmt: skip
    with replayed.records() as records:
        # Exports round to six places, so the comparison is between exports.
        assert len(list(records)) == 8
    again = {r.document.path: r.fields
             for r in read_jsonl(tmp_path / "replayed" / "records.jsonl")}  # fmt: skip
    assert again == live


def test_confidences_can_be_fitted_and_used(comparison: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(comparison[0], out)
    result, files = calibrate(out, TRUTH, synthetic=True)
    assert set(result.calibration.quality) <= {
        field for r in read_jsonl(out / "moe" / "records.jsonl") for field in r.fields
    }
    assert all(file.is_file() for file in files)
    config = load_config(files[-1])
    assert config.strategies["moe"].combiner.params["calibration"] == str(files[0].absolute())


def test_a_run_is_evaluated_from_python(
    comparison: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(comparison[0], out)
    done: list[str] = []

    def noted(module: ModuleType, name: str) -> None:
        real = getattr(module, name)

        def work(*args: Any) -> Any:
            done.append(name)
            return real(*args)

        monkeypatch.setattr(module, name, work)

    noted(truthset, "read_tables")
    noted(material, "match")
    scores = evaluate(out, TRUTH, goal=Goal(0.9, 0.8))
    # For the scores and for the laboratory together.
    assert done == ["read_tables", "match"]
    assert scores.strategies["moe"].n_documents == 8
    recommended = (out / "recommended.yaml").read_text(encoding="utf-8")
    assert recommended.startswith("# ")
    for field in scores.strategies["moe"].fields:
        assert f"\n# {field}: " in recommended
    load_config(out / "recommended.yaml")
    frame = ocr_moe.Run(out).to_frame("moe")
    assert len(frame) == 8
    assert "证书编号" in frame


def test_what_is_recommended_keeps_what_was_promised(
    comparison: tuple[Path, str], scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    promised = comparison[0] / "recommended.yaml"
    [line] = [x for x in promised.read_text("utf-8").splitlines() if x.startswith("# - recom")]
    settings = load_config(promised)
    assert settings.strategy == "recommended"
    assert settings.strategies["recommended"].dossiers == settings.strategies["moe"].dossiers
    ready = ocr_moe("extract", scans, "--config", promised, "--out", tmp_path / "no", "--dry-run")
    assert ready.status == 0, ready.err
    out = tmp_path / "out"
    shutil.copytree(comparison[0], out)
    done = ocr_moe(
        *("compare", scans, "--truth", TRUTH, "--recorded", RECORDED, "--out", out),
        *("--config", promised, "--strategies", "recommended"),
    )
    assert done.status == 0, done.err
    assert "0 questions asked" in done.out
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    macro = scores["strategies"]["recommended"]["macro"]
    assert f"accuracy {macro:.2%}," in line
    before = json.loads((comparison[0] / "scores.json").read_text(encoding="utf-8"))
    assert macro >= max(each["macro"] for each in before["strategies"].values())


def test_two_columns_of_a_sheet(
    comparison: tuple[Path, str], ocr_moe: Command, tmp_path: Path
) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["证书编号", "策略一"])
    for truth, read in (("106131202505004931", "106131202505004931"), ("106131202505004932", "x"),
                        ("106131202505004933", None)):  # fmt: skip
        sheet.append([truth, read])
    book.save(tmp_path / "columns.xlsx")
    done = ocr_moe(
        *("evaluate", tmp_path / "columns.xlsx", "--truth-column", "证书编号"),
        *("--predicted-column", "B", "--out", tmp_path / "scores"),
    )
    assert done.status == 0, done.err
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text(encoding="utf-8"))
    [cell] = scores["strategies"]["策略一"]["fields"].values()
    assert (cell["n"], cell["right"], cell["missing"]) == (3, 1, 1)
    half = ocr_moe("evaluate", tmp_path / "columns.xlsx", "--truth-column", "A")
    assert half.status == 2
    nothing = ocr_moe("evaluate", comparison[0])
    assert nothing.status == 2


def test_a_sheet_without_a_usable_column_is_refused(
    comparison: tuple[Path, str], ocr_moe: Command, tmp_path: Path
) -> None:
    from openpyxl import Workbook

    book = Workbook()
    assert book.active is not None
    book.active.append(["a", "b"])
    book.active.append([1, 2])
    book.save(tmp_path / "useless.xlsx")
    done = ocr_moe("evaluate", comparison[0], "--truth", tmp_path / "useless.xlsx")
    assert done.status == 2
    assert "useless.xlsx" in done.err
    assert "证书编号" in done.err


def test_a_wrong_sheet_is_refused_before_anything_is_asked_or_written(
    scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    useless = tmp_path / "useless.csv"
    useless.write_text("a,b\n1,2\n", encoding="utf-8")
    for sheet in (useless, tmp_path / "gone.xlsx"):
        done = ocr_moe("compare", scans, "--truth", sheet, "--out", tmp_path / "out")
        assert done.status == 2
        assert sheet.name in done.err
        assert not (tmp_path / "out").exists()


def test_every_note_of_a_run_is_said_in_chinese(comparison: tuple[Path, str]) -> None:
    notes = {
        note
        for file in comparison[0].glob("*/records.jsonl")
        for line in file.read_text(encoding="utf-8").splitlines()
        for decision in json.loads(line)["fields"].values()
        for note in decision["notes"]
    }
    assert notes
    assert [note for note in notes if note.isascii() and note_in(note, "zh") == note] == []

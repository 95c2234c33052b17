"""Pages with several documents through a whole run: real OCR, resumed, replayed, exported, scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image

from benchmarks.kills import differences
from ocr_moe.api import evaluate
from ocr_moe.generation.composition import compose
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.plan import plan
from ocr_moe.generation.render import render
from ocr_moe.run.batch import STORE
from ocr_moe.store.database import Store
from tests.conftest import Command

pytestmark = pytest.mark.slow

Truth = dict[str, str | None]


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[tuple[Image.Image, Truth]]]:
    """A diploma, a degree certificate and a licence each, undamaged."""
    book = FontBook.discover()
    found: dict[str, list[tuple[Image.Image, Truth]]] = {}
    for layout, schema in (
        ("diploma_prose", "graduation_certificate"),
        ("degree_prose", "graduation_certificate"),
        ("licence_landscape", "business_license"),
    ):
        planned = plan(
            schema, count=2, seed=11, levels=["clean"], layouts=[layout], fonts=book, width=1200
        )
        pages = [render(spec) for _, spec in planned]
        found[layout] = [(each.image, each.truth) for each in pages]
    return found


@pytest.fixture(scope="module")
def scans(
    drawn: dict[str, list[tuple[Image.Image, Truth]]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    (diploma, _), (another, _) = drawn["diploma_prose"]
    (degree, _), _ = drawn["degree_prose"]
    (licence, _), _ = drawn["licence_landscape"]
    compose([diploma, another], turned=(1.5, -1.5)).save(folder / "stacked.png")
    compose([degree, licence], columns=2, ground=(70, 60, 50)).save(folder / "beside.png")
    compose([degree], size=(3600, 4800)).save(folder / "bed.jpg", quality=90)
    diploma.save(folder / "one.png")
    return folder


@pytest.fixture(scope="module")
def run(scans: Path, ocr_moe: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    done = ocr_moe("extract", scans, "--strategy", "rules", "--out", out)
    assert done.status == 0, done.err
    return out


def records(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    lines = (out / "records.jsonl").read_text(encoding="utf-8").splitlines()
    parsed = [json.loads(line) for line in lines]
    return {(r["document"]["path"], r["document"]["part"]): r for r in parsed}


def right(record: dict[str, Any], truth: Truth) -> set[str]:
    return {name for name, field in record["fields"].items() if field["value"] == truth[name]}


def test_every_document_is_a_record_of_its_own(
    run: Path, drawn: dict[str, list[tuple[Image.Image, Truth]]]
) -> None:
    found = records(run)
    first, second = (truth for _, truth in drawn["diploma_prose"])
    degree, licence = drawn["degree_prose"][0][1], drawn["licence_landscape"][0][1]
    wanted = {
        ("stacked.png", 1): first,
        ("stacked.png", 2): second,
        ("beside.png", 1): degree,
        ("beside.png", 2): licence,
        ("bed.jpg", 1): degree,
        ("one.png", 1): first,
    }
    assert list(found) == sorted(wanted)
    for key, truth in wanted.items():
        missed = set(found[key]["fields"]) - right(found[key], truth)
        assert len(missed) <= 1, (key, missed)
        for name, field in found[key]["fields"].items():
            assert field["status"] != "accepted" or field["value"] == truth[name], (key, name)
    assert found["beside.png", 2]["schema"] == "business_license"
    assert "region" not in found["one.png", 1]["document"]


def test_places_are_told_in_fractions_of_the_page(run: Path) -> None:
    found = records(run)
    for key, record in found.items():
        x0, y0, x1, y1 = record["document"].get("region", (0, 0, 1, 1))
        boxes = [f["evidence"]["box"] for f in record["fields"].values() if f["evidence"]]
        assert boxes, key
        for box in boxes:
            assert x0 - 1e-6 <= box[0] <= box[2] <= x1 + 1e-6
            assert y0 - 1e-6 <= box[1] <= box[3] <= y1 + 1e-6
    lower = json.loads((run / "documents" / "stacked.png.part2.json").read_text("utf-8"))
    for field, decision in lower["fields"].items():
        by_rules = [a for a in lower["answers"] if a["expert"] == "rules"]
        told = [r for a in by_rules for r in a["readings"] if r["field"] == field]
        if decision["evidence"] and decision["experts"] == ["rules"]:
            assert decision["evidence"]["box"] == told[0]["evidence"]["box"]


def test_resumed_and_replayed_runs_export_the_same(
    run: Path, scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    """What a killed run left: page OCR and some answers of parts, and no record of their file."""
    again = Path(shutil.copytree(run, tmp_path / "again"))
    sha256 = records(run)["stacked.png", 2]["document"]["sha256"]
    with Store(again / STORE) as store:
        store._write("DELETE FROM records WHERE path = 'stacked.png'")
        store._write(
            "DELETE FROM answers WHERE sha256 = ?1 AND region = "
            "(SELECT max(region) FROM answers WHERE sha256 = ?1)",
            (sha256,),
        )
        assert store._row("SELECT count(*) FROM answers WHERE sha256 = ?", (sha256,)) == (3,)
        before = store._row("SELECT count(*) FROM pages")
    done = ocr_moe("extract", scans, "--strategy", "rules", "--out", again)
    assert done.status == 0, done.err
    assert differences(run, again) == []
    with Store(again / STORE, write=False) as store:
        assert store._row("SELECT count(*) FROM pages") == before  # no pixel was looked at again

    text = tmp_path / "pages.jsonl"
    assert ocr_moe("export", run, "--ocr", text).status == 0
    other = tmp_path / "other"
    done = ocr_moe("extract", scans, "--strategy", "rules", "--ocr", text, "--out", other)
    assert done.status == 0, done.err
    assert {key: record["fields"] for key, record in records(other).items()} == {
        key: record["fields"] for key, record in records(run).items()
    }


def test_each_row_of_a_sheet_is_about_its_own_document(
    run: Path, drawn: dict[str, list[tuple[Image.Image, Truth]]], tmp_path: Path
) -> None:
    rows = [truth for _, truth in drawn["diploma_prose"]][::-1]
    book = openpyxl.Workbook()
    book.active.append(["文件名", *rows[0]])
    for truth in rows:
        book.active.append(["stacked.png", *truth.values()])
    book.save(tmp_path / "verified.xlsx")
    scored = Path(shutil.copytree(run, tmp_path / "run"))
    scores = evaluate(scored, tmp_path / "verified.xlsx")
    assert scores.strategies["rules"].n_documents == 2
    assert (scores.strategies["rules"].macro or 0.0) > 0.85

"""A batch of good, bad, turned, doubled and many-paged files, with real OCR on real pixels."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from PIL import Image, ImageOps

from benchmarks.kills import from_a_terminal
from tests.conftest import SAMPLES, Command, arguments, clean_samples, environment

pytestmark = pytest.mark.slow

TRUTH = SAMPLES / "graduation_certificate" / "verified.xlsx"


def upright(file: Path) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scans")
    first, second, third = clean_samples("graduation_certificate", 3)
    [licence] = clean_samples("business_license", 1)
    upright(first).save(folder / "a.png")
    (folder / "again").mkdir()
    shutil.copy(folder / "a.png", folder / "again" / "a.png")
    upright(second).transpose(Image.Transpose.ROTATE_90).save(folder / "turned.png")
    pages = [upright(first), upright(third)]
    pages[0].save(
        folder / "two.pdf", save_all=True, append_images=pages[1:], resolution=200, quality=95
    )
    upright(licence).save(folder / "licence.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (folder / "empty.pdf").write_bytes(b"")
    Image.new("RGB", (600, 400), "white").save(folder / "blank.png")
    return folder


@pytest.fixture(scope="module")
def run(scans: Path, ocr_moe: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    done = ocr_moe("extract", scans, "--out", out)
    assert done.status == 1, done.err
    assert "broken.jpg" in done.err
    return out


def records(out: Path) -> dict[tuple[str, int], dict[str, Any]]:
    lines = (out / "records.jsonl").read_text(encoding="utf-8").splitlines()
    parsed = [json.loads(line) for line in lines]
    keys = [(r["document"]["path"], r["document"]["page"]) for r in parsed]
    assert keys == sorted(keys)
    return dict(zip(keys, parsed, strict=True))


def values(record: dict[str, Any]) -> dict[str, str | None]:
    return {name: field["value"] for name, field in record["fields"].items()}


def test_good_files_are_read_and_bad_ones_named(run: Path) -> None:
    found = records(run)
    assert set(found) == {
        ("a.png", 1),
        ("again/a.png", 1),
        ("blank.png", 1),
        ("broken.jpg", 1),
        ("empty.pdf", 1),
        ("licence.png", 1),
        ("turned.png", 1),
        ("two.pdf", 1),
        ("two.pdf", 2),
    }
    for path in ("broken.jpg", "empty.pdf"):
        assert found[path, 1]["fields"] == {}
        assert found[path, 1]["error"]["type"] == "UnreadableFileError"
        assert path in found[path, 1]["error"]["message"]
    assert found["blank.png", 1]["blank"] is True
    assert found["blank.png", 1]["error"] is None
    assert found["blank.png", 1]["fields"] == {}
    assert found["licence.png", 1]["schema"] == "business_license"
    assert values(found["licence.png", 1])["统一社会信用代码"]
    for key, record in found.items():
        if record["error"] is None and key[0] not in ("licence.png", "blank.png"):
            assert record["schema"] == "graduation_certificate"
            assert len(record["fields"]) == 8
            for field in record["fields"].values():
                assert field["status"] in ("accepted", "abstained", "absent", "failed")
                assert field["confidence"] is None or 0 <= field["confidence"] <= 1
                if field["evidence"]:
                    x0, y0, x1, y1 = field["evidence"]["box"]
                    assert 0 <= x0 <= x1 <= 1
                    assert 0 <= y0 <= y1 <= 1


def test_the_same_bytes_are_read_once_and_recorded_twice(run: Path) -> None:
    found = records(run)
    assert found["a.png", 1]["fields"] == found["again/a.png", 1]["fields"]
    with sqlite3.connect(run / "store.sqlite") as db:
        sha256 = found["a.png", 1]["document"]["sha256"]
        assert db.execute("SELECT count(*) FROM pages WHERE sha256 = ?", (sha256,)).fetchone() == (
            1,
        )


def test_pages_of_a_pdf_are_documents(run: Path) -> None:
    found = records(run)
    assert values(found["two.pdf", 1])["姓名"] == values(found["a.png", 1])["姓名"]
    assert values(found["two.pdf", 2])["姓名"] != values(found["a.png", 1])["姓名"]
    assert (run / "documents" / "two.pdf.page2.json").is_file()


def test_turned_pages_are_righted(run: Path) -> None:
    turned = records(run)["turned.png", 1]
    assert turned["document"]["rotation"] == 90
    sample = clean_samples("graduation_certificate", 2)[1]
    sheet = load_workbook(SAMPLES / "graduation_certificate" / "verified.xlsx").active
    headings = [cell.value for cell in next(sheet.iter_rows())]
    [row] = [row for row in sheet.iter_rows(values_only=True) if sample.name in row]
    assert values(turned)["姓名"] == row[headings.index("姓名")]


def test_excel_has_codes_as_text(run: Path) -> None:
    book = load_workbook(run / "records.xlsx")
    shown = [sheet.title for sheet in book if sheet.sheet_state == "visible"]
    assert shown == [
        *("summary", "business_license", "graduation_certificate", "to check", "subjects"),
        *("to clear up", "other pages", "failures"),
    ]
    sheet = book["graduation_certificate"]
    headings = [cell.value for cell in next(sheet.iter_rows())]
    column = headings.index("证书编号")
    codes = [row[column] for row in sheet.iter_rows(min_row=2)]
    filled = [cell for cell in codes if cell.value]
    assert filled
    assert all(isinstance(cell.value, str) for cell in filled)
    assert sheet.freeze_panes
    failures = [row[0] for row in book["failures"].iter_rows(min_row=2, values_only=True)]
    assert {"broken.jpg", "empty.pdf"} <= set(failures)
    assert "blank.png" not in failures


def test_a_second_start_repeats_nothing(run: Path, scans: Path, ocr_moe: Command) -> None:
    before = {name: (run / name).read_bytes() for name in ("records.jsonl", "run.json")}
    done = ocr_moe("extract", scans, "--out", run)
    assert done.status == 1
    assert "0 questions asked" in done.out
    assert {name: (run / name).read_bytes() for name in before} == before


def test_other_inputs_or_strategies_are_refused_and_named(
    run: Path, scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    pages = tmp_path / "pages.jsonl"
    assert ocr_moe("export", copy, "--ocr", pages).status == 0
    before = contents(copy)
    done = ocr_moe("extract", scans, "--out", copy, "--strategy", "rules", "--ocr", pages)
    assert done.status == 2
    assert "it is of the strategy moe" in done.err
    assert contents(copy) == before
    more = tmp_path / "scans"
    shutil.copytree(scans, more)
    shutil.copy(scans / "licence.png", more / "new.png")
    for command in ("extract", "compare"):
        truth = ("--truth", TRUTH) if command == "compare" else ()
        done = ocr_moe(command, more, "--out", copy, "--ocr", pages, *truth)
        assert done.status == 2
        assert "1 input file added (new.png)" in done.err
        assert contents(copy) == before
    done = ocr_moe("extract", more, "--out", copy, "--update")
    assert done.status == 1, done.err
    assert ("new.png", 1) in records(copy)
    assert "0 questions asked" in done.out


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_page_ocr_goes_from_run_to_run(
    run: Path, scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    pages = tmp_path / "pages.jsonl"
    assert ocr_moe("export", run, "--ocr", pages).status == 0
    out = tmp_path / "again"
    # An engine that cannot work: every page must come from the file.
    broken = tmp_path / "broken.yaml"
    broken.write_text("engines: {paddle: {kind: paddle, detection_model_dir: /nowhere}}\n")
    done = ocr_moe(
        *("extract", scans / "a.png", scans / "licence.png"),
        *("--out", out, "--ocr", pages, "--config", broken, "--strategy", "rules"),
    )
    assert done.status == 0, done.err
    name = values(records(run)["a.png", 1])["姓名"]
    assert values(records(out)["a.png", 1])["姓名"] == name


def test_ready_made_crops_of_one_field(
    run: Path, scans: Path, ocr_moe: Command, tmp_path: Path
) -> None:
    field = records(run)["a.png", 1]["fields"]["证书编号"]
    page = upright(scans / "a.png")
    x0, y0, x1, y1 = field["evidence"]["box"]
    margin = 0.01
    crop = page.crop(
        (
            round((x0 - margin) * page.width),
            round((y0 - margin) * page.height),
            round((x1 + margin) * page.width),
            round((y1 + margin) * page.height),
        )
    )
    (tmp_path / "crops").mkdir()
    crop.resize((crop.width * 2, crop.height * 2)).save(tmp_path / "crops" / "one.png")
    out = tmp_path / "out"
    done = ocr_moe(
        "extract", tmp_path / "crops", "--crops", "证书编号", "--out", out,
        "--schema", "graduation_certificate",
    )  # fmt: skip
    assert done.status == 0, done.err
    [record] = records(out).values()
    assert values(record) == {"证书编号": field["value"]}


def masked(out: Path) -> list[dict[str, Any]]:
    """Records without measured times, which differ between any two runs."""
    found = list(records(out).values())
    for record in found:
        record["cost"].pop("seconds")
        record["cost"].pop("ocr_seconds")
    return found


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_goes_on_and_ends_the_same(
    run: Path, scans: Path, ocr_moe: Command, tmp_path: Path, how: signal.Signals
) -> None:
    out = tmp_path / "run"
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        from_a_terminal(*arguments(["extract", scans, "--out", out, "--workers", 1])[1:]),
        stdout=log,
        stderr=log,
        env=environment(),
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None and finished(out) < 3:
        time.sleep(0.05)
    assert process.poll() is None, (tmp_path / "log").read_text()
    process.send_signal(how)
    status = process.wait(60)
    log.close()
    assert status == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert not (out / "records.jsonl").exists()
    assert 0 < finished(out) < 8
    done = ocr_moe("extract", scans, "--out", out)
    assert done.status == 1
    assert "files from an earlier start" in done.out
    assert masked(out) == masked(run)


def finished(out: Path) -> int:
    if not (out / "store.sqlite").exists():
        return 0
    try:
        with sqlite3.connect(f"file:{out / 'store.sqlite'}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(DISTINCT path) FROM records").fetchone()[0])
    except sqlite3.OperationalError:  # the tables are being made
        return 0


def test_a_list_on_standard_input(run: Path, scans: Path, ocr_moe: Command, tmp_path: Path) -> None:
    pages = tmp_path / "pages.jsonl"
    ocr_moe("export", run, "--ocr", pages)
    listing = f"{scans / 'a.png'}\n{scans / 'licence.png'}\n"
    out = tmp_path / "out"
    done = ocr_moe(
        "extract", "-", "--out", out, "--ocr", pages, "--strategy", "rules", stdin=listing
    )
    assert done.status == 0, done.err
    assert {path for path, _ in records(out)} == {"a.png", "licence.png"}


def test_run_json_tells_what_was_used_and_no_secret(run: Path, scans: Path) -> None:
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert told["strategies"]["moe"]["documents"] == 8
    assert told["strategies"]["moe"]["failed_documents"] == 2
    assert told["strategies"]["moe"]["blank_pages"] == 1
    assert told["engine"].startswith("ppocr-r1 ")
    assert set(told["strategies"]["moe"]["experts"]) == {
        *("codes", "keys", "marks", "rules", "typed"),
        *("extracts", "lexicon", "terms"),  # of texts
    }
    assert told["configuration"]["ocr"] == "ppocr"

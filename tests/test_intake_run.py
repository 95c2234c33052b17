"""Whole runs over what people really have in a folder: each thing is read, or told, none ends it."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import openpyxl
import pytest
from PIL import Image, ImageOps

import ocr_moe
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.summary import SummaryOptions
from ocr_moe.exports.jsonl import record_from_json, record_to_json
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.run.outcome import Progress
from ocr_moe.types import DocumentRef, Record
from tests.conftest import Command, clean_samples
from tests.evaluationkit import RUNS, SCHEMA, material, truth_file

BLANK = Record(
    document=DocumentRef(path="5.pdf", sha256="x", page=2),
    schema_name="diploma",
    strategy="moe",
    blank=True,
)


def certificate() -> Image.Image:
    return ImageOps.exif_transpose(Image.open(clean_samples("graduation_certificate", 1)[0]))


def jpeg(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="named pipes and names in bytes are POSIX's")
def test_a_folder_of_everything(tmp_path: Path, ocr_moe: Command) -> None:
    scans, scan = tmp_path / "scans", certificate()
    scans.mkdir()
    back = Image.new("RGB", scan.size, (247, 246, 240))
    scan.convert("RGB").save(
        scans / "duplex.pdf", save_all=True, append_images=[back], resolution=72, quality=95
    )
    with zipfile.ZipFile(scans / "certs.zip", "w") as archive:
        archive.writestr("甲/乙.jpg", jpeg(scan))
        archive.writestr("甲/broken.png", b"\x89PNG\r\n\x1a\n")
    with zipfile.ZipFile(scans / "scan.docx", "w") as archive:
        archive.writestr("word/media/image1.jpeg", jpeg(scan))
    (scans / "cut.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    os.mkfifo(scans / "pipe.jpg")
    gbk = os.fsencode(scans) + b"/" + "王伟.jpg".encode("gbk")
    Path(os.fsdecode(gbk)).write_bytes(jpeg(scan.resize((scan.width // 2, scan.height // 2))))
    done = ocr_moe(
        *("extract", scans, tmp_path / "nowhere.png", "--schema", "graduation_certificate"),
        *("--out", tmp_path / "run"),
        env={"LC_ALL": "C"},
    )
    assert done.status == 1, done.err
    assert "1 blank page" in done.out
    lines = (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = {
        (record["document"]["path"], record["document"]["page"]): record
        for record in map(json.loads, lines)
    }
    failed = {path for (path, _), record in records.items() if record["error"] is not None}
    assert failed == {
        *("certs.zip/甲/broken.png", "cut.tif", f"{scans}/pipe.jpg", f"{tmp_path}/nowhere.png"),
    }
    assert records["duplex.pdf", 2] == {
        **records["duplex.pdf", 2],
        **{"blank": True, "fields": {}, "error": None},
    }
    names = {
        key: record["fields"]["姓名"]["value"]
        for key, record in records.items()
        if record["fields"]
    }
    assert names.keys() == {
        *(("duplex.pdf", 1), ("certs.zip/甲/乙.jpg", 1)),
        *(("scan.docx/word/media/image1.jpeg", 1), ("王伟.jpg", 1)),
    }
    assert len(set(names.values())) == 1
    documents = tmp_path / "run" / "documents"
    assert (documents / "certs.zip" / "甲" / "乙.jpg.json").is_file()
    again = ocr_moe(
        *("extract", scans, tmp_path / "nowhere.png", "--schema", "graduation_certificate"),
        *("--out", tmp_path / "run"),
    )
    assert again.status == 1
    assert "0 questions asked" in again.out
    assert (tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8").splitlines() == lines


@pytest.mark.slow
def test_a_file_replaced_during_the_run_is_noticed(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    certificate().convert("RGB").save(scans / "a.png")
    certificate().convert("RGB").resize((700, 500)).save(scans / "b.png")

    def replace(progress: Progress) -> None:
        shutil.copy(scans / "a.png", scans / "b.png")

    options = ocr_moe.Options(schema="graduation_certificate", workers=1)
    run = ocr_moe.extract([str(scans)], out=tmp_path / "run", options=options, report=replace)
    with run.records() as found:
        errors = {r.document.path: r.error and r.error.message for r in found}
    assert errors["a.png"] is None
    assert "b.png: the file was changed while the run was under way" in str(errors["b.png"])


@pytest.mark.slow
def test_what_a_limit_refused_is_tried_again_under_a_higher_one(
    tmp_path: Path, ocr_moe: Command
) -> None:
    (tmp_path / "scans").mkdir()
    certificate().convert("RGB").save(tmp_path / "scans" / "a.tif")
    low, high = tmp_path / "low.yaml", tmp_path / "high.yaml"
    low.write_text("images: {max_file: 1}\n", encoding="utf-8")
    high.write_text("images: {max_file: 100, max_memory: 1000}\n", encoding="utf-8")
    start = ("extract", tmp_path / "scans", "--schema", "graduation_certificate", "--out")
    first = ocr_moe(*start, tmp_path / "run", "--config", low)
    assert first.status == 1
    assert "a.tif: has more than 1 MiB (images.max_file" in first.err
    second = ocr_moe(*start, tmp_path / "run", "--config", high, "--update", "--retry-failed")
    assert second.status == 0, second.err


def test_blank_pages_in_records_jsonl() -> None:
    data = record_to_json(BLANK)
    assert (data["blank"], data["fields"], data["error"]) == (True, {}, None)
    assert record_from_json(data) == BLANK
    assert "blank" not in record_to_json(RUNS["moe"][0])


def test_blank_pages_in_the_workbook(tmp_path: Path) -> None:
    write_workbook(tmp_path / "records.xlsx", [BLANK], [SCHEMA])
    book = openpyxl.load_workbook(tmp_path / "records.xlsx")
    heading, row = book["documents"].iter_rows(values_only=True)
    told = dict(zip(heading, row, strict=True))
    assert told["document"] == "5.pdf"
    assert told["notes"] == "blank page"
    assert told["to check"] is None
    assert book["failures"].max_row == 1


def test_blank_pages_are_not_scored(tmp_path: Path) -> None:
    options = EvaluationOptions(summary=SummaryOptions(repeats=100))
    truth = truth_file(tmp_path)
    without = evaluate(material(truth), None, options=options)
    pages = {**RUNS, "moe": [*RUNS["moe"], BLANK]}
    scores = evaluate(material(truth, pages), None, options=options)
    assert scores.left_out.pages_blank == 1
    told = scores.left_out.model_copy(update={"pages_blank": 0})
    assert scores.model_copy(update={"left_out": told}) == without

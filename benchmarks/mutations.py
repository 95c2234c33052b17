"""Does any damaged or hostile file end in a traceback?

Takes good schemas, configurations, verified sheets, page OCR, calibrations and stores, damages each
hundreds of times (bytes flipped, cut, doubled; values replaced by what parsers stumble over), and
uses them as a command would. A file may be read or refused with an error of `ocr_moe.errors`; any
other exception is a failure. The same seed makes the same files.

    python -m benchmarks.mutations [--each 400] [--seed 1] [--only schema store] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sqlite3
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import openpyxl

from benchmarks.results import publish
from ocr_moe.api import Run, evaluate
from ocr_moe.errors import OcrMoeError
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.evaluation.truth.sheet import load_truth
from ocr_moe.exports.ocr import read_ocr, write_ocr
from ocr_moe.routing.calibration import load_calibration
from ocr_moe.schema import load_schema
from ocr_moe.store.database import Store, row_of
from ocr_moe.subjects import FileNameRule
from ocr_moe.testing.pages import page
from ocr_moe.types import Decision, DocumentRef, Record, Status
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import (
    candidate_schemas,
    config_folder,
    find_schema,
    load_config,
    shipped_schemas,
)

SCHEMA = "graduation_certificate"
FIELDS = ("姓名", "毕业日期", "证书编号")
ROWS = (
    ("陈思远_本科_毕业证书.jpg", "陈思远", "2019-06-20", "100051201905001234"),
    ("刘若琳_本科_学位证书.jpg", "刘若琳", "2019年6月", "1000642019005678"),
    ("张雅晓_硕士_毕业证书.jpg", "张雅晓", "无", "100071202102009012"),
)
DOCUMENTS = tuple(DocumentRef(path=row[0], sha256=f"{i:064x}") for i, row in enumerate(ROWS))

NASTY = (
    *("", "~", "null", "no", "on", "true", "-1", "0", "1e999", ".nan", ".inf", "0b_", "0x", "1:99"),
    *("9" * 30, "9" * 5000, "2019-13-45", "2019-06-20", "19:61:61", "[]", "{}", "[", "{", "}", "]"),
    *("&a [*a]", "*a", "&a", "<<: *a", "!!int {}", "!!timestamp x", "!!python/none x", "!!set {a}"),
    *("- - - -", "? [a]", "|", ">-", "'", '"', '"\\ud800"', '"\\x00"', "\x00", "\x1b[2J", "#", "%"),
    *("(", "[a-", "x{99999999}", "(?P<x", "(?i", "\\", "*", "a" * 5000, "😀", "\u202e", "[" * 300),
)
"""What parsers and those behind them stumble over."""


def of_bytes(data: bytes, rng: Random) -> bytes:
    """A few bytes flipped, or a stretch cut out, doubled, moved or overwritten."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        end = min(len(changed), at + rng.choice((1, 2, 8, 64, 512)))
        match rng.randrange(6):
            case 0:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                changed[at] = rng.randrange(256)
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end]
            case 4:
                changed[at:end] = rng.choice(NASTY).encode("utf-8", "replace")
            case _:
                del changed[at:]
    return bytes(changed)


def of_text(data: bytes, rng: Random) -> bytes:
    """A line's value or key replaced, the line indented, cut, doubled or moved; or bytes changed."""
    if rng.random() < 0.3:
        return of_bytes(data, rng)
    lines = data.decode().split("\n")
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        key, colon, value = lines[at].partition(": ")
        match rng.randrange(6):
            case 0 | 1:
                lines[at] = f"{key}{colon}{rng.choice(NASTY)}"
            case 2:
                lines[at] = f"{key.rstrip()} {rng.choice(NASTY)}: {value}"
            case 3:
                lines[at] = " " * rng.randrange(5) + lines[at].lstrip()
            case 4:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case _:
                del lines[at]
                lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "replace")


def of_archive(data: bytes, rng: Random) -> bytes:
    """One part of a workbook changed, lost or renamed; or the bytes of the archive."""
    if rng.random() < 0.2:
        return of_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice([*parts, *["xl/worksheets/sheet1.xml"] * 4])
    match rng.randrange(8):
        case 0:
            del parts[name]
        case 1:
            parts[name.replace("/", "\\")] = parts.pop(name)
        case 2 | 3:
            text = parts[name].decode("utf-8", "replace")
            pieces = text.split('"')
            pieces[rng.randrange(len(pieces))] = rng.choice(NASTY)
            parts[name] = '"'.join(pieces).encode("utf-8", "replace")
        case _:
            parts[name] = of_bytes(parts[name], rng)
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in parts.items():
            archive.writestr(each, content)
    return changed.getvalue()


def of_json(data: bytes, rng: Random) -> bytes:
    """One value anywhere in one line of JSON replaced; or bytes changed."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    lines = data.decode().splitlines()
    at = rng.randrange(len(lines))
    entry = json.loads(lines[at])
    place, key = entry, rng.choice(list(entry))
    while isinstance(place[key], dict | list) and place[key] and rng.random() < 0.8:
        place = place[key]
        key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    place[key] = rng.choice((None, True, -1, 0, 2**70, 1e308, float("nan"), [], {}, *NASTY))
    lines[at] = json.dumps(entry, ensure_ascii=rng.random() < 0.5)
    return "\n".join(lines).encode("utf-8", "replace")


def of_store(data: bytes, rng: Random) -> bytes:
    """One cell of one table replaced, as a failing disk or a curious hand does; or bytes changed."""
    if rng.random() < 0.4:
        return of_bytes(data, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        path.write_bytes(data)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            table = rng.choice(
                [
                    row[0]
                    for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
                ]
            )
            column = rng.choice([row[1] for row in db.execute(f"PRAGMA table_info({table})")])
            [before] = db.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone() or [None]
            after: object = rng.choice((None, -1, 2**62, 1.5, b"\xff\xfe", *NASTY))
            if isinstance(before, str) and before and rng.random() < 0.6:
                after = (
                    of_json(before.encode(), rng)
                    if before[0] == "{"
                    else of_bytes(before.encode(), rng)
                )
                after = after.decode("utf-8", "replace") if rng.random() < 0.8 else after
            try:
                db.execute(f"UPDATE OR REPLACE {table} SET {column} = ?", (after,))
            except sqlite3.Error:  # a constraint holds
                return of_bytes(data, rng)
        return path.read_bytes()


@dataclass(frozen=True)
class Target:
    """A kind of file: good ones, how to damage them, and how a command uses them."""

    name: str
    suffix: str
    seeds: Sequence[bytes]
    damage: Callable[[bytes, Random], bytes]
    use: Callable[[Path], object]


@dataclass
class Tally:
    """What became of the damaged files of one kind."""

    read: int = 0
    refused: int = 0
    uncaught: Counter[str] = field(default_factory=Counter)
    example: str = ""

    @property
    def tried(self) -> int:
        return self.read + self.refused + self.uncaught.total()


def run(target: Target, each: int, seed: int, keep: Path | None = None) -> Tally:
    """Damage and use a kind of file `each` times; what was not caught is kept in a folder."""
    tally = Tally()
    for number in range(each):
        rng = Random(f"{seed}/{target.name}/{number}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"mutant{target.suffix}"
            path.write_bytes(target.damage(rng.choice(target.seeds), rng))
            try:
                target.use(path)
                tally.read += 1
            except OcrMoeError as error:
                str(error).encode()  # a sentence that no terminal can show is none
                tally.refused += 1
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                tally.uncaught[f"{type(error).__name__} in {Path(where.filename).name}"] += 1
                tally.example = tally.example or traceback.format_exc()
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep / f"{target.name}-{number}{target.suffix}")
    return tally


def targets(folder: Path) -> list[Target]:
    """All kinds of files; their good ones are made in `folder`."""
    lists = str(config_folder() / "lexicons").encode()  # beside which the damaged ones do not stand
    shipped = [
        path.read_bytes().replace(b"../lexicons", lists) for path in shipped_schemas().values()
    ]
    calibration = (config_folder() / "calibration" / "default.yaml").read_bytes()
    sheet = _sheet()
    lines = "\n".join(",".join(row) for row in (("文件名", *FIELDS), *ROWS))
    pages = folder / "pages.jsonl"
    texts = [page(f"姓名:{row[1]}\n{row[2]}\n编号:{row[3]}") for row in ROWS]
    write_ocr(pages, [(ref.sha256, 1, text) for ref, text in zip(DOCUMENTS, texts, strict=True)])
    truth = folder / "truth.xlsx"
    truth.write_bytes(sheet)
    store = folder / "store.sqlite"
    _fill(store, pages)
    own = b"workers: 3\nimages:\n  max_pages: 20\nstrategies:\n  rules:\n    gate:\n      kind: fixed\n"
    return [
        Target("schema", ".yaml", shipped, of_text, _use_schema),
        Target("configuration", ".yaml", [own, _shipped_config()], of_text, _use_config),
        Target("truth xlsx", ".xlsx", [sheet], of_archive, _use_truth),
        Target("truth csv", ".csv", _delimited(lines), of_bytes, _use_truth),
        Target("page ocr", ".jsonl", [pages.read_bytes()], of_json, _use_ocr),
        Target("calibration", ".yaml", [calibration], of_text, _use_calibration),
        Target("store", ".sqlite", [store.read_bytes()], of_store, lambda p: _use_store(p, truth)),
    ]


def _shipped_config() -> bytes:
    return (config_folder() / "default.yaml").read_bytes()


def _delimited(text: str) -> list[bytes]:
    forms = [text, text.replace(",", ";"), f"2019届核对表\n{text}".replace(",", "\t")]
    encodings = ("utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le")
    return [form.encode(encoding) for form in forms for encoding in encodings]


def _sheet() -> bytes:
    workbook = openpyxl.Workbook()
    worksheet = workbook.worksheets[0]
    for row in (("核对表",), ("文件名", *FIELDS), *ROWS):
        worksheet.append(list(row))
    worksheet.append(["万辰凡_专科_毕业证书.jpg", "=B2", 43636, 66510104191443036])
    worksheet.merge_cells("A1:D1")
    worksheet.merge_cells("C3:C4")
    made = io.BytesIO()
    workbook.save(made)
    return made.getvalue()


def _fill(path: Path, pages: Path) -> None:
    """The store of a small run, without anything that a model would have to read."""
    with Store(path) as store:
        store.put_pages((p.sha256, p.page, "imported", p.text) for p in read_ocr(pages))
        for ref in DOCUMENTS:
            store.put_page_count(ref.sha256, 1)
        records = [_record(ref, row) for ref, row in zip(DOCUMENTS, ROWS, strict=True)]
        store.put_records([row_of(record) for record in records])
        store.set_meta("schemas", [find_schema(SCHEMA).model_dump(mode="json")])
        store.pack()


def _record(ref: DocumentRef, row: Sequence[str]) -> Record:
    fields = {
        name: Decision(value=value, confidence=0.9, status=Status.ACCEPTED)
        for name, value in zip(FIELDS, row[1:], strict=True)
    }
    return Record(document=ref, schema_name=SCHEMA, strategy="moe", fields=fields)


def _use_schema(path: Path) -> None:
    schema = load_schema(path)
    if schema.subjects is not None:
        FileNameRule(schema.subjects).group(DOCUMENTS)


def _use_config(path: Path) -> None:
    config = load_config(path)
    candidate_schemas(config)
    Workshop(config).validate()


def _use_truth(path: Path) -> None:
    match(load_truth(path, find_schema(SCHEMA)), DOCUMENTS)


def _use_ocr(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        store.put_pages((p.sha256, p.page, "imported", p.text) for p in read_ocr(path))
        list(store.pages())


def _use_calibration(path: Path) -> None:
    calibration = load_calibration(path)
    for model in (*calibration.models.values(), *calibration.joint.values()):
        model.probability({"score": 1e6, "agree": 0.0})


def _use_store(path: Path, truth: Path) -> None:
    folder = path.parent / "run"
    folder.mkdir()
    shutil.copy(path, folder / "store.sqlite")
    Run(folder).export_ocr(folder / "pages.jsonl")
    evaluate(folder, truth)


def table(tallies: Mapping[str, Tally]) -> str:
    lines = ["| file | tried | read | refused | uncaught |", "|---|---|---|---|---|"]
    for name, tally in tallies.items():
        uncaught = tally.uncaught.total()
        lines.append(f"| {name} | {tally.tried} | {tally.read} | {tally.refused} | {uncaught} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            if options.only is None or target.name in options.only:
                tallies[target.name] = run(target, options.each, options.seed, options.keep)
    print(table(tallies))
    uncaught = sum(tally.uncaught.total() for tally in tallies.values())
    publish(
        "mutations",
        {name: {"uncaught": dict(tally.uncaught)} for name, tally in tallies.items()},
        [f"{len(tallies)} targets, {options.each} mutations each, {uncaught} not caught"],
    )
    for name, tally in tallies.items():
        for what, count in tally.uncaught.most_common():
            print(f"{name}: {count} x {what}", file=sys.stderr)
        if tally.example:
            print(tally.example, file=sys.stderr)
    return int(any(tally.uncaught for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())

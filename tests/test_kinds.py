"""The table of field kinds: complete, and all that a new kind needs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ocr_moe.schema import Field, Kind
from ocr_moe.values.kinds import FIELD_KINDS, FieldKind, complete, kind_of

ROOT = Path(__file__).parent.parent
NEW_MEMBER = {"schema.py": {'    ENUM = "enum"\n': '    RATIO = "ratio"\n'}}
NEW_ENTRY = {
    "values/kinds.py": {
        "from collections.abc import": "import re\n",
        "FIELD_KINDS: Mapping": """\
def _printed(text: str) -> Part | None:
    found = re.search(r"\\d+(?:\\.\\d+)? ?%", text)
    return Part(*found.span(), found.group()) if found else None


def _ratio(text: str) -> str | None:
    part = _printed(text)
    return part.text.replace(" ", "") if part else None


""",
        "    Kind.CODE: FieldKind(": """\
    Kind.RATIO: FieldKind(
        parse=_any_field(_ratio),
        belief=lambda _, value: 1.0 if float(value[:-1]) <= 100.0 else 0.0,
        find=_any_field(_printed),
        same=lambda a, b: float(a[:-1]) == float(b[:-1]),
        telling=True,
        prompt="百分数，连同百分号",
        prompt_always=True,
        width=9,
    ),
""",
    }
}

USE = """\
import sys
from pathlib import Path

import openpyxl
import ocr_moe
from ocr_moe.evaluation.scoring import score
from ocr_moe.evaluation.truth.sheet import load_truth
from ocr_moe.experts.llm.prompts import describe
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.schema import load_schema
from ocr_moe.types import Decision, DocumentRef, Record, Status
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.plausible import plausibility
from ocr_moe.testing import StubDocument, StubPage, page

folder = Path(sys.argv[1])
assert Path(ocr_moe.__file__).is_relative_to(folder)
schema = load_schema(folder / "report.yaml")
rate = schema.field("合格率")

assert normalize(rate, "合格率：９８．５ ％") == "98.5%"
assert normalize(rate, "合格") is None
assert equal(rate, "98.50%", "98.5 %") and not equal(rate, "98.5%", "89.5%")
assert plausibility(rate, "98.5%") == 1.0 and plausibility(rate, "985%") == 0.0
assert describe(rate) == "- 合格率：百分数，连同百分号；抽检合格的份额"

document = StubDocument(schema, [StubPage(page("检验报告\\n批号：|A12\\n合格率：|98.5%|共200件"))])
(reading,) = RulesExpert("rules", RulesExpert.Params(), None).read(document, [rate]).readings
assert reading.value == "98.5%", reading
assert reading.evidence is not None and reading.evidence.text == "98.5%"

decision = Decision(value=reading.value, confidence=0.9, status=Status.ACCEPTED)
record = Record(
    document=DocumentRef(path="one.jpg", sha256="1" * 64),
    schema_name=schema.name,
    strategy="rules",
    fields={rate.name: decision},
)
write_workbook(folder / "records.xlsx", [record], [schema])
sheet = openpyxl.load_workbook(folder / "records.xlsx")["documents"]
column = next(cell for cell in sheet[1] if cell.value == rate.name)
assert sheet.cell(2, column.column).value == "98.5%"

verified = openpyxl.Workbook()
verified.active.append(["file", rate.name])
verified.active.append(["one.jpg", "98.50 %"])
verified.save(folder / "verified.xlsx")
truth = load_truth(folder / "verified.xlsx", schema)
scoring = score({"rules": [record]}, [match(truth, [record.document])])
assert scoring.grids["rules"].right.tolist() == [[True]]
assert not scoring.problems, scoring.problems
"""

SCHEMA = """\
name: report
pages: 1
fields:
  - {name: 合格率, kind: ratio, labels: [合格率], description: 抽检合格的份额}
"""


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_readmes_name_every_kind(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    assert [kind.value for kind in Kind if f"`{kind.value}`" not in text] == []


def a_copy(folder: Path, *edits: Mapping[str, Mapping[str, str]]) -> None:
    """The package; `edits` say by file which text comes before which other text."""
    skipped = shutil.ignore_patterns("__pycache__", "models")
    shutil.copytree(ROOT / "ocr_moe", folder / "ocr_moe", ignore=skipped)
    for name, additions in [item for edit in edits for item in edit.items()]:
        file = folder / "ocr_moe" / name
        source = file.read_text(encoding="utf-8")
        for place, text in additions.items():
            assert source.count(place) == 1, place
            source = source.replace(place, text + place)
        file.write_text(source, encoding="utf-8")


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_every_kind_is_in_the_table() -> None:
    assert set(FIELD_KINDS) == set(Kind)
    for kind in Kind:
        columns = (Field(name="a"),) if kind is Kind.TABLE else ()
        values: dict[str, tuple[str, ...]] = {"a": ()} if kind is Kind.ENUM else {}
        field = Field(name="x", kind=kind, values=values, columns=columns)
        assert kind_of(field) is FIELD_KINDS[kind]


def test_a_table_that_lacks_a_kind_names_it() -> None:
    short: dict[Kind, FieldKind] = {
        kind: entry for kind, entry in FIELD_KINDS.items() if kind is not Kind.MONEY
    }
    with pytest.raises(LookupError, match="no entry for the field kind money: add one"):
        complete(short)


def test_a_kind_without_an_entry_stops_the_first_import(tmp_path: Path) -> None:
    a_copy(tmp_path, NEW_MEMBER)
    done = run(tmp_path, "import ocr_moe.values.normalize")
    assert done.returncode == 1
    assert "LookupError: no entry for the field kind ratio" in done.stderr
    assert "FIELD_KINDS in ocr_moe.values.kinds" in done.stderr


@pytest.mark.slow
def test_two_files_make_a_kind(tmp_path: Path) -> None:
    """A member and an entry; read, compared, told to models, exported and scored like the others."""
    a_copy(tmp_path, NEW_MEMBER, NEW_ENTRY)
    (tmp_path / "report.yaml").write_text(SCHEMA, encoding="utf-8")
    done = run(tmp_path, USE)
    assert done.returncode == 0, done.stderr

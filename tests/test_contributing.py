"""What the documentation shows is done here, to the letter."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ocr_moe.schema import load_schema
from ocr_moe.store.database import Store
from tests.conftest import ROOT, Command, clean_samples


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_a_third_party_expert_in_four_steps(tmp_path: Path, ocr_moe: Command) -> None:
    site = tmp_path / "site"
    site.mkdir()
    [code] = blocks("CONTRIBUTING.md", "python")
    (site / "loudest.py").write_text(code)
    [toml] = blocks("CONTRIBUTING.md", "toml")
    entry = re.search(r'^(\w+) = "([\w:]+)"', toml, re.MULTILINE)
    assert entry is not None
    info = site / "loudest-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loudest\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[ocr_moe.experts]\n{entry[1]} = {entry[2]}\n")
    [config] = blocks("CONTRIBUTING.md", "yaml")
    (tmp_path / "mine.yaml").write_text(config)
    commands = blocks("CONTRIBUTING.md", "sh")
    assert "--config mine.yaml --strategy headline" in commands[-1]
    scan = clean_samples("business_license", 1)[0]
    done = ocr_moe(
        *("extract", scan, "--config", "mine.yaml", "--strategy", "headline", "--out", "run"),
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
    )
    assert done.status == 0, done.err
    record = json.loads((tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8"))
    assert record["fields"]["名称"]["experts"] == ["headline"]
    assert "执照" in record["fields"]["名称"]["value"]


def test_the_guide_s_own_tests_of_that_expert_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = blocks("CONTRIBUTING.md", "python")
    (tmp_path / "loudest.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    [tests] = blocks("docs/plugins.md", "python")
    names: dict[str, object] = {}
    exec(tests, names)
    found = [value for name, value in names.items() if name.startswith("test_")]
    assert len(found) == 3
    for test in found:
        assert callable(test)
        test()


def test_a_plugin_that_cannot_be_loaded_is_named(tmp_path: Path, ocr_moe: Command) -> None:
    info = tmp_path / "site" / "broken-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ocr_moe.experts]\nbroken = no_such_module:Expert\n")
    (tmp_path / "mine.yaml").write_text("experts: {mine: {kind: broken}}\n")
    scan = clean_samples("business_license", 1)[0]
    done = ocr_moe(
        *("extract", scan, "--config", tmp_path / "mine.yaml", "--out", tmp_path / "run"),
        env={"PYTHONPATH": str(tmp_path / "site")},
    )
    assert done.status == 2
    assert "no_such_module:Expert cannot be loaded" in done.err


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_schema_in_readme_loads(tmp_path: Path, readme: str) -> None:
    text = next(block for block in blocks(readme, "yaml") if "fields:" in block)
    (tmp_path / "receipt.yaml").write_text(text, encoding="utf-8")
    schema = load_schema(tmp_path / "receipt.yaml")
    assert schema.names == ("company", "date", "total")
    assert len(text.splitlines()) <= 16


def test_the_schema_in_the_guide_to_codes_loads(tmp_path: Path) -> None:
    [text] = blocks("docs/codes.md", "yaml")
    (tmp_path / "slip.yaml").write_text(text, encoding="utf-8")
    schema = load_schema(tmp_path / "slip.yaml")
    [container] = schema.field("container").grammars
    assert container.matches("CSQU3054383")
    assert container.checks("CSQU3054383")
    assert container.checks("CSQU3054384") is False
    [resident] = schema.field("identity").grammars
    assert resident.checks("11010519491231002X")


@pytest.mark.slow
def test_the_python_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extracted, compared, reviewed, suggested = blocks("docs/python.md", "python")
    folder = tmp_path / "data_samples" / "business_license"
    folder.mkdir(parents=True)
    doubtful = ROOT / "data_samples/business_license/福州市鼓楼区金辉养生馆_营业执照.webp"
    for sample in (*clean_samples("business_license", 1), doubtful):
        (folder / sample.name).write_bytes(sample.read_bytes())
    sheet = ROOT / "data_samples" / "business_license" / "verified.xlsx"
    (folder / "verified.xlsx").write_bytes(sheet.read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(extracted + compared + reviewed + suggested, names)
    assert len(names["frame"]) == 2  # type: ignore[arg-type]
    shown = names["run"]._repr_html_()  # type: ignore[attr-defined]
    assert shown.count("<img") == 5
    assert "福州市鼓楼区金辉养生馆" in shown
    with Store(tmp_path / "run" / "store.sqlite", write=False) as store:
        assert [each.undone for each in store.judgements()] == [True, False]
    assert (tmp_path / "comparison" / "recommended.yaml").is_file()
    assert "统一社会信用代码" in load_schema(tmp_path / "own.yaml").names

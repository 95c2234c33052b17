"""How what ships was made can be told, and done again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from ocr_moe.generation import generate
from recipes import samples
from tests.conftest import ROOT


@pytest.mark.slow
def test_every_recipe_is_listed_with_what_it_makes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "recipes"], cwd=ROOT, capture_output=True, text=True
    )
    for path in (ROOT / "recipes").glob("[a-z]*.py"):
        assert re.search(rf"\b{path.stem} +\w+", done.stdout + done.stderr), path.stem


def test_the_recipe_of_the_samples_is_the_one_that_their_readme_names() -> None:
    told = (samples.SAMPLES / "README.md").read_text(encoding="utf-8")
    for schema, count in samples.COUNTS.items():
        command = f"ocr-moe generate --schema {schema} --count {count} --seed {samples.SEED} "
        assert command in told
        lines = (samples.SAMPLES / schema / "samples.jsonl").read_text(encoding="utf-8")
        assert len(lines.splitlines()) == count


@pytest.mark.slow
def test_samples_are_drawn_again_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = tmp_path / "shipped"
    counts = {"graduation_certificate": 2, "business_license": 1}
    for schema, count in counts.items():
        generate(shipped / schema, schema=schema, count=count, seed=samples.SEED)
    monkeypatch.setattr(samples, "COUNTS", counts)
    monkeypatch.setattr(samples, "SAMPLES", shipped)
    samples.main()
    told = capsys.readouterr().out
    assert "graduation_certificate: 4 of 4 files have the bytes that ship" in told
    assert "business_license: 3 of 3 files have the bytes that ship" in told
    image = next((shipped / "business_license").glob("*_营业执照.*"))
    image.write_bytes(image.read_bytes() + b"\0")
    with pytest.raises(typer.Exit) as left:
        samples.main(tmp_path / "again")
    assert left.value.exit_code == 1
    again = capsys.readouterr()
    assert "business_license: 2 of 3 files" in again.out
    assert f"{image.name} differs" in again.out
    assert "typefaces" in again.err
    assert (tmp_path / "again" / "business_license" / image.name).is_file()

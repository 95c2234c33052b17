"""Results of benchmarks: what is written down, and the table at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS, Part, Run, chosen, main, run, table
from benchmarks.results import (
    FOLDER_VARIABLE,
    ROOT,
    Spread,
    interleaved,
    publish,
    published,
    ratio,
)


def test_systems_take_turns() -> None:
    order: list[str] = []

    def system(name: str, figures: list[float]) -> float:
        order.append(name)
        return figures.pop(0)

    ours, peer = [3.0, 1.0, 2.0], [6.0, 4.0, 5.0]
    found = interleaved({"ours": lambda: system("o", ours), "peer": lambda: system("p", peer)})
    assert order == ["o", "p"] * 3
    assert found["ours"] == Spread((3.0, 1.0, 2.0))
    assert found["ours"].as_json() == {
        "median": 2.0,
        "min": 1.0,
        "max": 3.0,
        "runs": [3.0, 1.0, 2.0],
    }
    assert ratio(found["peer"], found["ours"]) == 2.5


def test_results_are_written_down_where_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    publish("some", {"seconds": Spread((1.0, 2.0))}, ["1.5 s"])
    assert published(tmp_path) == {}
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    publish("some", {"seconds": Spread((1.0, 2.0)), "folder": Path("a")}, ["1.5 s"])
    assert capsys.readouterr().out == "1.5 s\n1.5 s\n"
    [(name, found)] = published(tmp_path).items()
    assert name == "some"
    assert found["figures"]["seconds"]["median"] == 1.5
    assert found["figures"]["folder"] == "a"
    assert found["machine"]["cores"] >= 1
    assert "python" in found["versions"]
    assert json.loads((tmp_path / "some.json").read_text(encoding="utf-8")) == found


def test_what_lacks_what_it_needs_is_not_run() -> None:
    parts = [Part("a"), Part("b", needs="SERVER")]
    assert [part.module for part in chosen(parts, [], {})] == ["a"]
    assert [part.module for part in chosen(parts, [], {"SERVER": "x"})] == ["a", "b"]
    assert [part.module for part in chosen(parts, ["b"], {"SERVER": "x"})] == ["b"]


def test_every_part_is_a_benchmark() -> None:
    assert [
        part.module for part in PARTS if not (ROOT / f"benchmarks/{part.module}.py").exists()
    ] == []


def test_an_unknown_name_starts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "no such benchmark: nothing" in capsys.readouterr().err


def test_the_table_tells_what_each_found_and_what_failed(tmp_path: Path) -> None:
    failing = run(Part("intervals", ("--no-such-option",)), tmp_path)
    assert failing.status == 2
    runs = [Run(Part("replay"), 0, 90.0), failing]
    lines = list(table(runs, {"replay": {"summary": ["10,000 documents", "7.1 s"]}}))
    assert lines[1] == "| replay | 1.5 | 10,000 documents<br>7.1 s |"
    assert lines[2].startswith("| intervals --no-such-option |")
    assert lines[2].endswith("| failed |")

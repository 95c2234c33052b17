"""A small share of the mutations that `python -m benchmarks.mutations` tries by the thousand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutations import Target, run, targets

NAMES = (
    *("schema", "configuration", "truth xlsx", "truth csv"),
    *("page ocr", "calibration", "store"),
)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return {target.name: target for target in targets(tmp_path_factory.mktemp("seeds"))}


@pytest.mark.parametrize("name", NAMES)
def test_no_damaged_file_ends_in_a_traceback(kinds: dict[str, Target], name: str) -> None:
    tally = run(kinds[name], each=12, seed=7)

    assert tally.tried == 12
    assert not tally.uncaught, tally.example


@pytest.mark.parametrize("name", NAMES)
def test_undamaged_files_are_read(kinds: dict[str, Target], name: str, tmp_path: Path) -> None:
    target = kinds[name]
    for number, seed in enumerate(target.seeds):
        path = tmp_path / str(number) / f"good{target.suffix}"
        path.parent.mkdir()
        path.write_bytes(seed)
        target.use(path)

"""Replays over what a store holds already, in real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_moe.intake.sources import digest, discover
from ocr_moe.routing.loop import Strategy
from ocr_moe.run import batch as batches
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.documents import IMPORTED
from ocr_moe.run.outcome import Outcome
from ocr_moe.store.database import Store
from ocr_moe.types import Line, PageText
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, find_schema
from tests.conftest import print_alone

pytestmark = pytest.mark.slow

DOCUMENTS = 60
SCHEMA = find_schema("graduation_certificate")


def page(number: int) -> PageText:
    """Text of a certificate; every tenth has a code with a year that its date denies."""
    year = 2011 if number % 10 else 2013
    name = "张" + "一二三四五六七八九十"[number % 10]
    texts = (
        "毕业证书",
        f"学生 {name} 性别 男，一九八九年三月{number % 28 + 1}日生，于二〇〇七年九月",
        "至二〇一一年六月在本校 临床医学 专业四年制本科学习，准予毕业。",
        f"证书编号：104411{year}05{number:06}",
        "山东中医药大学",
        "二〇一一年六月二十日",
    )
    lines = tuple(
        Line(
            text=text,
            confidence=0.97,
            quad=((0.1, y), (0.9, y), (0.9, y + 0.05), (0.1, y + 0.05)),
        )
        for y, text in zip((0.1, 0.3, 0.4, 0.6, 0.7, 0.8), texts, strict=True)
    )
    return PageText(engine=IMPORTED, width=1500, height=1000, rotation=0, lines=lines, seconds=0.5)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that nobody can open, because nobody has to; the last has the bytes of the first."""
    folder = tmp_path_factory.mktemp("scans")
    for number in range(DOCUMENTS):
        (folder / f"{number:03}.png").write_text(str(number))
    (folder / "twin.png").write_text("0")
    return folder


@pytest.fixture(scope="module")
def recorded(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    out = tmp_path_factory.mktemp("run") / "out"
    with Store(out / STORE) as store:
        for number in range(DOCUMENTS):
            sha256 = digest(scans / f"{number:03}.png")
            store.put_page_count(sha256, 1)
            store.put_page(sha256, 1, IMPORTED, page(number))
    outcome = run(out, scans, print_alone())
    assert outcome.asked == DOCUMENTS
    assert outcome.failed == 0
    return out


def run(out: Path, scans: Path, config: Config) -> Outcome:
    """What is not replayed is processed in this process."""
    workshop = Workshop(config.model_copy(update={"workers": 1}))
    strategies = [workshop.strategy("rules")]
    with Batch(out, workshop=workshop, strategies=strategies, schemas=[SCHEMA]) as batch:
        outcome = batch.execute(discover([str(scans)]), frozen_strategies=False, update=True)
        batch.export()
    return outcome


def stricter() -> Config:
    """Thresholds that another run would take."""
    config = print_alone().model_dump(mode="json")
    config["strategies"]["rules"]["combiner"]["accept"] = {"default": 1.0}
    return Config.model_validate(config)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few documents are worth processes."""
    monkeypatch.setattr(batches, "REPLAY_FROM", 10)


@pytest.fixture
def out(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "out"))


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Collects which files are processed in this process."""
    from ocr_moe.run.processing import Processor

    seen: list[Path] = []
    process = Processor.process

    def noting(self, sources, sha256):  # type: ignore[no-untyped-def]
        seen.append(sources[0].file)
        return process(self, sources, sha256)

    monkeypatch.setattr(Processor, "process", noting)
    return seen


def test_other_thresholds_ask_nobody_and_give_the_same_records_as_one_process(
    recorded: Path, out: Path, scans: Path, tmp_path: Path, many: None, live: list[Path]
) -> None:
    before = (out / "records.jsonl").read_bytes()
    outcome = run(out, scans, stricter())
    assert live == []
    assert (outcome.asked, outcome.documents) == (0, DOCUMENTS + 1)
    alone = Path(shutil.copytree(recorded, tmp_path / "alone"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "REPLAY_FROM", DOCUMENTS + 1)
        run(alone, scans, stricter())
    assert len(live) == DOCUMENTS
    after = (out / "records.jsonl").read_bytes()
    assert after == (alone / "records.jsonl").read_bytes()
    assert after != before


def test_what_the_store_lacks_is_processed_here(
    out: Path, scans: Path, many: None, live: list[Path]
) -> None:
    missing = digest(scans / "007.png")
    with Store(out / STORE) as store:
        store._write("DELETE FROM answers WHERE sha256 = ?", (missing,))
    outcome = run(out, scans, stricter())
    assert outcome.asked == 1
    assert [file.name for file in live] == ["007.png"]
    assert outcome.documents == DOCUMENTS + 1


def test_a_strategy_from_elsewhere_is_not_taken_for_the_configured_one(
    out: Path, scans: Path, many: None, live: list[Path]
) -> None:
    workshop = Workshop(stricter())
    configured = workshop.strategy("rules")
    own = Strategy("rules", "mine", configured.gate, configured.combiner, configured.experts)
    assert workshop.owns(configured)
    assert not workshop.owns(own)
    with Batch(out, workshop=workshop, strategies=[own], schemas=[SCHEMA]) as batch:
        batch.execute(discover([str(scans)]), frozen_strategies=False, update=True)
    assert len(live) == DOCUMENTS


_REPLAY = """
import multiprocessing, os, signal, sys, threading, time
from pathlib import Path
from ocr_moe.run import batch
from ocr_moe.run.processing import Processor
from tests.test_replay import run, stricter

batch.REPLAY_FROM = 10
killed, live = [], []
process = Processor.process
Processor.process = lambda self, *given: live.append(given) or process(self, *given)

def kill():
    until = time.monotonic() + 60
    while not killed and time.monotonic() < until:
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGKILL)
            killed.append(child.pid)
        time.sleep(0.01)

threading.Thread(target=kill, daemon=True).start()
outcome = run(Path(sys.argv[1]), Path(sys.argv[2]), stricter())
print(len(killed), len(live), outcome.documents, outcome.failed)
"""


def test_a_killed_process_loses_nothing(out: Path, scans: Path) -> None:
    replaying = subprocess.run(
        [sys.executable, "-c", _REPLAY, str(out), str(scans)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        timeout=120,
        check=True,
    )
    killed, live, documents, failed = map(int, replaying.stdout.split()[-4:])
    assert killed, "no process to kill was seen"
    assert live, "nothing was left to be done here"
    assert (documents, failed) == (DOCUMENTS + 1, 0)
    assert len((out / "records.jsonl").read_text(encoding="utf-8").splitlines()) == DOCUMENTS + 1

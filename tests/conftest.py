"""What tests share: the shipped synthetic samples, and the command as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocr_moe.workshop.config import Config, load_config
from ocr_moe.workshop.registry import KINDS
from tests.browsing import browser as browser

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data_samples"


@dataclass(frozen=True)
class Finished:
    status: int
    out: str
    err: str


Command = Callable[..., Finished]


def environment(**extra: str) -> dict[str, str]:
    """This process's environment without any endpoint."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OCR_MOE_")}
    return (
        kept
        | {
            "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
            "COLUMNS": "200",
            "OCR_MOE_LANGUAGE": "en",
        }
        | extra
    )


def arguments(args: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "ocr_moe.cli.main", *map(str, args)]


@pytest.fixture(scope="session")
def ocr_moe() -> Command:
    """Run `ocr-moe ARGS…` in a process of its own, and wait for it."""

    def run(
        *args: object, stdin: str = "", cwd: Path | None = None, env: Mapping[str, str] = {}
    ) -> Finished:
        done = subprocess.run(
            arguments(args),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment(**env),
            timeout=500,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Where no other process is, but on Windows, which has no such lock."""
    with lock.open("w") as held:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def reviewed_run(ocr_moe: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with many doubtful cells, really read, once for all workers; to be copied before it is
    written in (`tests.deskkit.copy_of`)."""
    from tests.deskkit import DOUBTFUL, as_of_one_start

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    run, reading = folder / "reviewed", folder / "reviewed-reading"
    with alone(folder / "reviewed.lock"):
        if not run.exists():
            done = ocr_moe("extract", *DOUBTFUL, "--schema", "auto", "--out", reading)
            assert done.status in (0, 1), done.err
            as_of_one_start(reading).rename(run)
    return run


def clean_samples(schema: str, count: int) -> list[Path]:
    """The first shipped samples of a kind whose damage is `clean` or `scan`."""
    lines = (SAMPLES / schema / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    easy = [entry["file"] for entry in entries if entry["level"] in ("clean", "scan")]
    assert len(easy) >= count
    return [SAMPLES / schema / name for name in easy[:count]]


def print_alone() -> Config:
    """The shipped configuration with `rules` as of version 0.2, which looked at page OCR alone: for
    runs of that time, and for files without pixels."""
    config = load_config().model_dump(mode="json")
    config["strategies"]["rules"] = {
        "title": "",
        "description": "OCR + labels, layout and patterns; no LLM",
        "gate": {"kind": "fixed", "default": ["rules"]},
        "combiner": {"kind": "priority"},
    }
    return Config.model_validate(config)


def scans_with_text(folder: Path, count: int) -> Path:
    """Scans of licences, and `pages.jsonl` with page OCR for them, so that no engine is asked."""
    from ocr_moe.intake.sources import digest
    from ocr_moe.types import Line, PageText

    pages = []
    for number, sample in enumerate(clean_samples("business_license", count)):
        target = folder / f"{number}{sample.suffix}"
        target.write_bytes(sample.read_bytes())
        quad = ((0.1, 0.1), (0.6, 0.1), (0.6, 0.15), (0.1, 0.15))
        line = Line(text=f"名称 第{number}有限公司", confidence=0.99, quad=quad)
        text = PageText(engine="hand", width=1000, height=700, rotation=0, lines=(line,))
        entry = {"sha256": digest(target), "page": 1, "text": text.model_dump(mode="json")}
        pages.append(json.dumps(entry, ensure_ascii=False))
    (folder / "pages.jsonl").write_text("\n".join(pages), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True, scope="module")
def kinds_as_shipped() -> Iterator[None]:
    """Components that a module's tests add to the registry are gone after it."""
    before = {group: dict(kinds) for group, kinds in KINDS.items()}
    yield
    for group, kinds in before.items():
        KINDS[group].clear()
        KINDS[group].update(kinds)


NEED_FONTS = (
    "test_generation.py",
    "test_codes_reader.py",
    "test_desk_tables.py",
    "test_recipes.py",
)
"""Modules whose tests draw Chinese text."""


SLOW_FIXTURES = frozenset(
    {
        "browser",
        "card",
        "made",
        "ocr_moe",
        "ppocr",
        "rapid",
        "recommendation",
        "reviewed_run",
        "shipped",
        "specialist",
    }
)
"""What loads models, opens a browser, draws pages or starts commands: tests that use it are slow."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and leave out what cannot be run here.

    What draws Chinese text is left out where no typeface for it is installed, and says so. With
    OCR_MOE_ALL_TESTS set (as continuous integration does) nothing is left out: it fails there.
    """
    from ocr_moe.errors import ConfigError
    from ocr_moe.generation import FontBook

    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    drawing = [item for item in items if item.path.name in NEED_FONTS]
    if not drawing or os.environ.get("OCR_MOE_ALL_TESTS"):
        return
    try:
        FontBook.discover()
    except ConfigError as error:
        for item in drawing:
            item.add_marker(pytest.mark.skip(reason=str(error)))

"""Runs whose questions are put in batches, against a real server: nothing is paid for twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import ocr_moe
from benchmarks.kills import Command, exports
from ocr_moe.api import Options, Run
from ocr_moe.errors import ConfigError, InterruptedRunError, StoreError, UsageError
from ocr_moe.run import batch as batches
from ocr_moe.run import deferred
from ocr_moe.run.batch import STORE
from ocr_moe.run.outcome import Notice
from ocr_moe.testing.chatserver import Request
from tests.batchserver import BatchServer
from tests.test_interrupts import lay_out

pytestmark = pytest.mark.slow

SCHEMA = "graduation_certificate"
DOCUMENTS = 5
KEY = "sk-0123456789abcdef"
STRATEGIES = {
    "twice": {
        "gate": {
            "kind": "cascade",
            "default": ["ocr_page_llm", "single"],
            "ask_below": {"default": 1.0},
        },
        "combiner": {"kind": "priority"},
    }
}
EXPERTS = {"single": {"kind": "ocr_text", "scope": "page", "fields": "single"}}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, and page OCR that is not theirs."""
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


@pytest.fixture(autouse=True)
def only_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", KEY)


def answer(request: Request) -> dict[str, str | None]:
    """As the prompt has it, so that each question has an answer of its own."""
    return {name: f"{name}{len(request.prompt)}" for name in request.asked}


@contextmanager
def serving(**settings: Any) -> Iterator[BatchServer]:
    with BatchServer(**{"answer": answer, **settings}).served() as server:
        yield server


def config(folder: Path, server: BatchServer, **chat: Any) -> Path:
    entry = {
        "kind": "openai",
        "base_url": server.base_url,
        "model": "test-model",
        "batch": True,
        "batch_poll": 0.05,
        "retries": 1,
        "prompt_price": 1000.0,
        "completion_price": 1000.0,
        **chat,
    }
    file = folder / "config.yaml"
    file.write_text(
        json.dumps({"chat": {"text": entry}, "strategies": STRATEGIES, "experts": EXPERTS})
    )
    return file


def run(
    inputs: Path,
    out: Path,
    server: BatchServer,
    strategy: str = "ocr_page_llm",
    *,
    workers: int = 1,
    chat: dict[str, Any] | None = None,
    notice: Callable[[Notice], None] = lambda notice: None,
    **more: Any,
) -> Run:
    options = Options(
        schema=SCHEMA,
        config=config(out.parent, server, **(chat or {})),
        ocr=inputs / "pages.jsonl",
        workers=workers,
        **more,
    )
    return ocr_moe.extract(
        inputs / "scans", out=out, strategy=strategy, options=options, notice=notice
    )


def read(out: Path) -> dict[str, bytes]:
    """The exports but for what was spent."""
    found = {}
    for name, data in exports(out).items():
        if name.endswith(".jsonl"):
            lines = [json.loads(line) for line in data.splitlines()]
            found[name] = b"\n".join(
                json.dumps({k: v for k, v in line.items() if k != "cost"}).encode()
                for line in lines
            )
    assert found
    return found


def money(run: Run) -> float:
    with run.records() as records:
        return sum(record.cost.money for record in records)


@pytest.mark.parametrize("strategy", ["ocr_page_llm", "twice"])
def test_records_are_those_of_questions_put_at_once(
    strategy: str, inputs: Path, tmp_path: Path
) -> None:
    told: list[Notice] = []
    with serving() as server:
        later = run(inputs, tmp_path / "later", server, strategy, notice=told.append)
        asked = dict(server.paid)
        assert len(server.live) == 1, "by which is found out what the server can do"
        assert len(server.batches) == (2 if strategy == "twice" else 1)
        assert server.repeated == []
        assert Notice.BATCH in told
        server.paid.clear()
        at_once = run(inputs, tmp_path / "at_once", server, strategy, chat={"batch": False})
        assert dict(server.paid) == asked
    assert read(tmp_path / "later") == read(tmp_path / "at_once")
    assert later.outcome is not None
    assert at_once.outcome is not None
    assert later.outcome.asked == at_once.outcome.asked
    assert (later.outcome.failed, later.outcome.stopped) == (0, None)
    price = 0.15  # of 120 and 30 tokens
    assert money(at_once) == pytest.approx(price * len(asked))
    assert money(later) == pytest.approx(price / 2 * (len(asked) - 1) + price)
    assert KEY.encode() not in b"".join(
        file.read_bytes() for file in (tmp_path / "later").rglob("*") if file.is_file()
    )


def test_a_dry_run_knows_the_price(inputs: Path, tmp_path: Path) -> None:
    with serving() as server:
        at_once, later = (
            ocr_moe.api.estimate(
                inputs / "scans",
                out=tmp_path / "run",
                strategies=["ocr_page_llm"],
                options=Options(schema=SCHEMA, config=config(tmp_path, server, batch=batch)),
            )
            for batch in (False, True)
        )
    assert at_once.estimates[0].money > 0
    assert later.estimates[0].money == pytest.approx(at_once.estimates[0].money / 2)


def test_what_is_answered_and_what_waits_is_known_to_the_next_start(
    inputs: Path, tmp_path: Path
) -> None:
    """Some documents are still to be asked about when the first round is answered."""
    pressed = []

    def press(notice: Notice) -> None:
        pressed.append(notice)
        if pressed.count(Notice.BATCH) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    def first_only(batch: int, line: int) -> str | int:
        return "expired" if batch == 0 and line == 0 else "answered"

    with serving(fate=first_only) as server:
        server.looks = 1
        with pytest.raises(InterruptedRunError):
            run(inputs, tmp_path / "run", server, "twice", notice=press)
        server.is_held.clear()
        with pytest.raises(StoreError, match="would be paid for twice"):
            run(inputs, tmp_path / "run", server, "twice", chat={"batch": False})
        done = run(inputs, tmp_path / "run", server, "twice")
        assert server.repeated == []
    assert done.outcome is not None
    assert done.outcome.failed == 0


def test_a_finished_run_asks_the_server_nothing(inputs: Path, tmp_path: Path) -> None:
    with serving() as server:
        run(inputs, tmp_path / "run", server)
        seen = len(server.seen)
        again = run(inputs, tmp_path / "run", server)
        assert len(server.seen) == seen
    assert again.outcome is not None
    assert again.outcome.resumed == DOCUMENTS
    with sqlite3.connect(tmp_path / "run" / STORE) as db:
        assert db.execute("SELECT count(*) FROM requests").fetchone() == (0,)
    db.close()


def test_processes_file_their_questions_in_one_store(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        run(inputs, tmp_path / "threads", server, "twice")
        server.paid.clear()
        server.live.clear()
        monkeypatch.setattr(batches, "PROCESSES_FROM", 2)
        run(inputs, tmp_path / "processes", server, "twice", workers=2)
        assert server.repeated == []
        assert len(server.live) <= 2
    assert read(tmp_path / "processes") == read(tmp_path / "threads")


def test_a_file_holds_so_many_requests(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deferred, "MOST_REQUESTS", 3)
    with serving() as server:
        done = run(inputs, tmp_path / "run", server)
        assert [len(batch.lines) for batch in server.batches] == [3, 1]
        assert server.repeated == []
        monkeypatch.setattr(deferred, "MOST_BYTES", 1)
        run(inputs, tmp_path / "bytes", server)
        assert [len(batch.lines) for batch in server.batches[2:]] == [1] * (DOCUMENTS - 1)
        assert set(server.paid.values()) == {2}, "once a run"
    assert done.outcome is not None
    assert done.outcome.failed == 0


@pytest.mark.parametrize("fate", ["expired", "missing", 500])
def test_what_a_batch_leaves_undone_goes_with_the_next(
    fate: str | int, inputs: Path, tmp_path: Path
) -> None:
    def first_only(batch: int, line: int) -> str | int:
        return fate if batch == 0 and line % 2 else "answered"

    ends = "expired" if fate in ("expired", "missing") else "completed"
    with serving(fate=first_only, end=lambda batch: "completed" if batch else ends) as server:
        done = run(inputs, tmp_path / "run", server)
        assert [len(batch.lines) for batch in server.batches] == [4, 2]
        assert server.repeated == []
    assert done.outcome is not None
    assert done.outcome.failed == 0


def test_what_no_batch_answers_fails_its_fields_and_can_be_asked_anew(
    inputs: Path, tmp_path: Path
) -> None:
    fate: list[str | int] = ["expired"]
    with serving(fate=lambda batch, line: "answered" if line else fate[0]) as server:
        done = run(inputs, tmp_path / "run", server)
        assert [len(batch.lines) for batch in server.batches] == [4, 1], "once more by `retries`"
        assert done.outcome is not None
        assert done.outcome.failed == 1
        assert done.outcome.stopped is None
        assert "did not answer in any of its batches" in done.outcome.failures[0]
        fate[0] = "answered"
        again = run(inputs, tmp_path / "run", server, retry_failed=True)
        assert again.outcome is not None
        assert (again.outcome.failed, again.outcome.asked) == (0, 1)
        assert server.repeated == []


def test_a_request_that_is_refused_is_not_made_again(inputs: Path, tmp_path: Path) -> None:
    with serving(fate=lambda batch, line: "answered" if line else 400) as server:
        done = run(inputs, tmp_path / "run", server)
        assert len(server.batches) == 1
    assert done.outcome is not None
    assert done.outcome.failed == 1
    assert "refused the request (400): not this one" in done.outcome.failures[0]


def test_a_batch_that_fails_is_submitted_again(inputs: Path, tmp_path: Path) -> None:
    with serving(end=lambda batch: "completed" if batch == 1 else "failed") as server:
        done = run(inputs, tmp_path / "run", server)
        assert [len(batch.lines) for batch in server.batches] == [4, 4]
        assert server.repeated == []
        assert done.outcome is not None
        assert done.outcome.failed == 0
        server.end = lambda batch: "failed"
        failed = run(inputs, tmp_path / "failed", server, chat={"retries": 0})
    assert failed.outcome is not None
    assert failed.outcome.failed == DOCUMENTS - 1
    assert "the file is not to my liking" in failed.outcome.failures[0]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/batches", 400), ("/batches", 404), ("/batches", 405), ("/files", 404)],
)
def test_a_server_without_batches_is_told_of(
    path: str, status: int, inputs: Path, tmp_path: Path
) -> None:
    with (
        serving(without=frozenset({path}), status_without=status) as server,
        pytest.raises(ConfigError, match=r"takes no batches: .* Set chat\.text\.batch to false"),
    ):
        run(inputs, tmp_path / "run", server)
    if path == "/batches":
        assert server.live == []
        assert not (tmp_path / "run").exists()


def test_the_budget_holds_for_what_is_submitted(inputs: Path, tmp_path: Path) -> None:
    with serving() as server:
        # The one that is made at once costs 0.15, the others 0.075 in the end and 0.5 to 1 at most.
        done = run(inputs, tmp_path / "run", server, max_cost=2.2)
        assert done.outcome is not None
        assert (done.outcome.failed, done.outcome.stopped) == (0, None)
        sizes = [len(batch.lines) for batch in server.batches]
        assert sum(sizes) == 4
        assert len(sizes) > 1, "what the first left of the budget allows for the others"
        assert 2 <= sizes[0] < 4
        none = run(inputs, tmp_path / "none", server, max_cost=0.3)
        assert none.outcome is not None
        assert "--max-cost 0.3 does not allow for another batch" in (none.outcome.stopped or "")
        before = len(server.batches)
        on = run(inputs, tmp_path / "none", server)
        assert len(server.batches) == before + 1
        assert server.batches[-1].lines
        assert on.outcome is not None
        assert (on.outcome.failed, on.outcome.stopped) == (0, None)


def test_without_waiting_the_same_command_comes_back(inputs: Path, tmp_path: Path) -> None:
    with serving() as server:
        server.is_held.set()
        left = run(inputs, tmp_path / "run", server, no_wait=True)
        assert left.outcome is not None
        assert left.outcome.stopped is not None
        assert "4 questions are in batch batch_1 of the text endpoint (127.0.0.1:" in (
            left.outcome.stopped
        )
        assert left.outcome.stopped.endswith("come back with the same command")
        with pytest.raises(StoreError, match="would be paid for twice"):
            run(inputs, tmp_path / "run", server, chat={"batch": False})
        server.is_held.clear()
        done = run(inputs, tmp_path / "run", server)
        assert done.outcome is not None
        assert (done.outcome.failed, done.outcome.stopped) == (0, None)
        assert len(server.batches) == 1
        assert server.repeated == []


def test_ctrl_c_leaves_and_the_same_command_goes_on(inputs: Path, tmp_path: Path) -> None:
    def press(notice: Notice) -> None:
        if notice is Notice.BATCH:
            os.kill(os.getpid(), signal.SIGINT)

    with serving() as server:
        server.is_held.set()
        with pytest.raises(InterruptedRunError, match="the same command goes on"):
            run(inputs, tmp_path / "run", server, notice=press)
        server.is_held.clear()
        done = run(inputs, tmp_path / "run", server)
        assert done.outcome is not None
        assert done.outcome.failed == 0
        assert len(server.batches) == 1
        assert server.repeated == []


def test_a_submission_of_which_nothing_was_heard_is_not_made_again(
    inputs: Path, tmp_path: Path
) -> None:
    def breaks() -> None:
        raise RuntimeError("the reply is lost")

    with serving(after_submission=breaks) as server:
        done = run(inputs, tmp_path / "run", server)
        assert len(server.batches) == 1
        assert server.repeated == []
    assert done.outcome is not None
    assert done.outcome.failed == 0


def test_a_cluster_does_not_wait(inputs: Path, tmp_path: Path) -> None:
    from ocr_moe.workshop.build import Workshop
    from ocr_moe.workshop.config import find_schema, load_config

    with serving() as server:
        workshop = Workshop(load_config(config(tmp_path, server)))
        with (
            batches.Batch(
                tmp_path / "run",
                workshop=workshop,
                strategies=[workshop.strategy("ocr_page_llm")],
                schemas=[find_schema(SCHEMA)],
                cluster=object(),  # type: ignore[arg-type]
                deferring=True,
            ) as batch,
            pytest.raises(UsageError, match="--runner ray does not wait"),
        ):
            batch.execute([])
    assert server.seen == []


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("moment", ["polling", "submitting"])
def test_a_killed_run_pays_for_nothing_twice(moment: str, inputs: Path, tmp_path: Path) -> None:
    with serving() as server:
        run(inputs, tmp_path / "undisturbed", server)
        file = config(tmp_path, server)
        server.batches.clear()
        server.paid.clear()
        server.live.clear()
        more = ("--ocr", str(inputs / "pages.jsonl"), "--config", str(file))
        command = Command(inputs / "scans", server.base_url, "ocr_page_llm", 1, more)
        server.is_held.set()
        process: list[subprocess.Popen[bytes]] = []
        if moment == "submitting":
            server.after_submission = lambda: process[0].kill()
        process.append(command.start(tmp_path / "run"))
        if moment == "polling":
            wait_until(lambda: bool(server.batches) and server.batches[0].looks > 1, process[0])
            process[0].kill()
        process[0].communicate()
        assert process[0].returncode == -signal.SIGKILL
        server.after_submission = lambda: None
        server.is_held.clear()
        again = command.start(tmp_path / "run")
        told = again.communicate(timeout=120)[1].decode()
        assert again.returncode == 0, told
        assert len(server.batches) == 1
        assert len(server.live) == 1
        assert server.repeated == []
    assert read(tmp_path / "run") == read(tmp_path / "undisturbed")

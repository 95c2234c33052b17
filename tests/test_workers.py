"""Workers: processes that make records, what they share with the run, and what their loss costs."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

import ocr_moe
from benchmarks.kills import WORKER, Command, answering, differences, exports, processes, torment
from ocr_moe.api import Options, Run
from ocr_moe.cli.session import workers_ahead
from ocr_moe.errors import InterruptedRunError, OcrMoeError, StoreError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import Source, digest
from ocr_moe.run import batch as batches
from ocr_moe.run.documents import PageReader
from ocr_moe.run.workers.messages import Work
from ocr_moe.run.workers.nursery import Child, Nursery, started_ahead
from ocr_moe.run.workers.shift import Shift
from ocr_moe.run.workers.worker import Places
from ocr_moe.store.database import Store
from ocr_moe.testing import ScriptedEngine, page
from ocr_moe.testing.chatserver import ChatServer, Reply, Request, completion
from ocr_moe.workshop.config import load_config
from tests.test_interrupts import lay_out
from tests.test_permits import PATIENCE, in_thread
from tests.test_plugins import Install
from tests.test_plugins import install as install

SCHEMA = "graduation_certificate"
DOCUMENTS = 24


# What is to be done next.


def works(count: int) -> Iterator[Work]:
    for number in range(count):
        yield Work(f"{number}", [Source(Path(f"{number}.png"), f"{number}.png")])


def begun(shift: Shift[str], worker: str) -> str | None:
    work = shift.begin(worker)
    return None if work is None else work.sha256


def test_only_what_ends_its_worker_alone_is_given_up() -> None:
    shift: Shift[str] = Shift(works(4))
    assert [begun(shift, "a"), begun(shift, "a"), begun(shift, "b")] == ["0", "1", "2"]
    shift.lose("a")
    shift.appoint("c")
    assert begun(shift, "b") == "3", "others go on"
    assert begun(shift, "c") == "0"
    assert begun(shift, "c") is None, "a suspect is alone"
    shift.lose("c")
    assert [work.sha256 for work in shift.given_up] == ["0"]
    assert shift.has_more
    shift.appoint("d")
    assert begun(shift, "d") == "1"
    shift.end("d", "1")
    assert (shift.has_more, shift.is_idle) == (False, False)
    for sha256 in ("2", "3"):
        shift.end("b", sha256)
    assert shift.is_idle
    assert [work.sha256 for work in shift.given_up] == ["0"]


def test_a_worker_that_has_other_things_to_do_ends_them_before_a_suspect() -> None:
    shift: Shift[str] = Shift(works(4))
    assert [begun(shift, "a"), begun(shift, "b")] == ["0", "1"]
    shift.lose("a")
    shift.appoint("b")  # no other could be started
    assert begun(shift, "b") is None
    shift.end("b", "1")
    assert begun(shift, "b") == "0"
    shift.end("b", "0")
    assert begun(shift, "b") == "2", "then it is one like the others again"


def test_nothing_is_begun_once_it_is_stopped() -> None:
    shift: Shift[str] = Shift(works(2))
    assert begun(shift, "a") == "0"
    shift.is_stopped = True
    assert begun(shift, "a") is None
    assert (shift.has_more, shift.is_idle) == (False, False)


def test_who_comes_back_goes_before_who_is_new() -> None:
    places = Places()
    places.take(back=False)
    order: list[str] = []

    def come(name: str, back: bool) -> None:
        places.take(back=back)
        order.append(name)
        places.leave()

    threads = [in_thread(lambda: come("new", False))]
    time.sleep(0.1)  # however they come
    threads.append(in_thread(lambda: come("back", True)))
    until = time.monotonic() + PATIENCE
    while not places._back and time.monotonic() < until:
        time.sleep(0.01)
    places.leave()
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["back", "new"]


def test_a_document_that_rests_holds_no_page(tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    Image.new("RGB", (40, 30), "red").save(file)
    with Store(tmp_path / "store.sqlite") as store, Decoder(load_config().images) as decoder:
        engine = ScriptedEngine(page("毕业证书"))
        reader = PageReader(Source(file, file.name), digest(file), engine, store, decoder)
        before = reader.image(1).tobytes()
        reader.rest()
        assert (reader._pixels, reader._file) == (None, None)
        assert reader.image(1).tobytes() == before
        assert len(engine.asked) == 1
        reader.close()


# Runs.


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, and page OCR that is not theirs."""
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


@pytest.fixture(autouse=True)
def no_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
        monkeypatch.delenv(name)


def run(
    inputs: Path,
    out: Path,
    server: ChatServer | None = None,
    *,
    workers: int = 2,
    chat: Mapping[str, Any] = {},
    strategy: str = "ocr_page_llm",
    **more: Any,
) -> Run:
    config = out.parent / "config.yaml"
    if server is None:
        config.write_text("{}\n")
        strategy = "rules"
    else:
        entry = {"kind": "openai", "base_url": server.base_url, "model": "m", **chat}
        config.write_text(json.dumps({"chat": {"text": entry}}))
    options = Options(
        schema=SCHEMA, config=config, ocr=inputs / "pages.jsonl", workers=workers, **more
    )
    return ocr_moe.extract(inputs / "scans", out=out, strategy=strategy, options=options)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Process ids of workers, as they are started."""
    seen: list[int] = []
    start = Nursery.start

    def noting(self: Nursery) -> Child:
        child = start(self)
        seen.append(child.pid)
        return child

    monkeypatch.setattr(Nursery, "start", noting)
    return seen


@pytest.mark.slow
def test_processes_write_the_same_bytes_as_threads(
    inputs: Path, tmp_path: Path, started: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "PROCESSES_FROM", DOCUMENTS + 1)
        run(inputs, tmp_path / "threads")
    assert started == []
    run(inputs, tmp_path / "processes")
    assert len(started) == 2
    assert exports(tmp_path / "processes")
    assert differences(tmp_path / "processes", tmp_path / "threads") == []


@pytest.mark.slow
def test_a_few_files_are_not_worth_processes(tmp_path: Path, started: list[int]) -> None:
    few = lay_out(tmp_path, batches.PROCESSES_FROM - 1)
    assert run(few, tmp_path / "out").outcome.failed == 0  # type: ignore[union-attr]
    assert started == []


def started_by() -> dict[int, int]:
    """Process of this session → its parent."""
    return {pid: parent for pid, parent, *_ in processes(os.getsid(0))}


@pytest.mark.slow
def test_what_is_loaded_ahead_is_taken_once_and_by_who_fits() -> None:
    with started_ahead():
        ahead = Nursery(1, ["json"])
        later = Nursery(1, [])
        try:
            children = [ahead.start(), later.start()]
            parents = {started_by()[child.pid] for child in children}
            assert len(parents) == 2
            for child in children:  # a worker whose run says nothing more ends
                child.stdin.close()
                assert child.wait() == 0
        finally:
            ahead.close()
            later.close()
    assert not parents & started_by().keys()


@pytest.mark.slow
@pytest.mark.parametrize("threads", [None, 3])
def test_what_is_loaded_ahead_and_not_taken_is_ended(threads: int | None) -> None:
    before = started_by()
    with started_ahead():
        [ahead] = {pid for pid, by in started_by().items() if by == os.getpid()} - before.keys()
        if threads is not None:  # as many as the one ahead has not
            Nursery(threads, []).close()
        assert ahead in started_by()
    assert ahead not in started_by()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "paths", "workers", "begun"),
    [
        (batches.PROCESSES_FROM, ["."], None, True),
        (batches.PROCESSES_FROM - 1, ["."], None, False),
        (batches.PROCESSES_FROM, ["."], 1, False),
        (1, ["0.png"], None, False),
        (1, ["*.png"], None, True),
        (1, ["0.png"] * batches.PROCESSES_FROM, None, True),
        (0, ["s3://bucket/scans"], None, True),
    ],
)
def test_workers_are_loaded_ahead_where_many_files_may_be(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    paths: list[str],
    workers: int | None,
    begun: bool,
) -> None:
    for number in range(files):
        (tmp_path / f"{number}.png").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    before = started_by().keys()
    with workers_ahead(paths, workers):
        children = {pid for pid, by in started_by().items() if by == os.getpid()} - before
        assert bool(children) is begun


@pytest.mark.slow
def test_documents_that_wait_leave_their_place_and_workers_share_the_permits(
    inputs: Path, tmp_path: Path, started: list[int]
) -> None:
    """Two processes, each of which computes on one document: five requests come together all the
    same, and no more, as the endpoint's limit is one for both."""
    together = threading.Barrier(5)

    def answer(request: Request) -> Reply:
        if (
            len(server.requests) > 2
        ):  # the first ones, one a process, find out what the server can do
            with suppress(threading.BrokenBarrierError):  # the last ones are fewer
                together.wait(PATIENCE if len(server.requests) < DOCUMENTS - 5 else 0.1)
        return completion(json.dumps(dict.fromkeys(request.asked)))

    with ChatServer(answer) as server:
        done = run(inputs, tmp_path / "out", server, chat={"concurrency": 5})
        assert server.at_once == 5
        assert len(server.requests) == DOCUMENTS
    assert done.outcome is not None
    assert done.outcome.asked == DOCUMENTS


@pytest.mark.slow
def test_workers_share_the_budget(inputs: Path, tmp_path: Path) -> None:
    with ChatServer(lambda request: dict.fromkeys(request.asked), usage=(100, 0)) as server:
        chat = {"prompt_price": 1000, "retries": 0}  # 0.1 a request
        part = run(inputs, tmp_path / "out", server, workers=3, chat=chat, max_cost=0.5)
        assert len(server.requests) == 5
        assert part.outcome is not None
        assert part.outcome.stopped is not None
        assert "--max-cost 0.5" in part.outcome.stopped
        whole = run(inputs, tmp_path / "out", server, workers=3, chat=chat)
        assert len(server.requests) == DOCUMENTS
    assert whole.outcome is not None
    assert (whole.outcome.stopped, whole.outcome.failed) == (None, 0)


ENGINE = """
import os, signal, time
from pathlib import Path
from ocr_moe.types import Line, Value

class Mine:
    class Params(Value):
        deadly: tuple[int, ...] = ()
        once: Path | None = None

    def __init__(self, name, params):
        self.params = params
        self.fingerprint = "mine"

    def read(self, image):
        if image.width in self.params.deadly:
            if self.params.once is None or not self.params.once.exists():
                if self.params.once is not None:
                    self.params.once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)  # or all is done before another worker is there
        quad = ((0.1, 0.1), (0.6, 0.1), (0.6, 0.2), (0.1, 0.2))
        return (Line(text=f"毕业证书 {image.width}", confidence=0.99, quad=quad),)
"""


def read(scans: Path, out: Path, **params: Any) -> Run:
    config = out.parent / "mine.json"
    config.write_text(json.dumps({"ocr": "mine", "engines": {"mine": {"kind": "mine", **params}}}))
    options = Options(schema=SCHEMA, config=config)
    return ocr_moe.extract(scans, out=out, strategy="rules", options=options)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(12):
        Image.new("RGB", (40 + number, 30), "black").save(folder / f"{number:02}.png")
    return folder


@pytest.mark.slow
def test_a_document_that_ends_its_worker_fails_alone(
    scans: Path, tmp_path: Path, install: Install, started: list[int]
) -> None:
    install("engines", ENGINE)
    done = read(scans, tmp_path / "out", deadly=[43, 47])
    assert done.outcome is not None
    assert (done.outcome.documents, done.outcome.failed) == (12, 2)
    for failure, name in zip(sorted(done.outcome.failures), ("03.png", "07.png"), strict=True):
        assert failure.startswith(f"{name}: the process that read it ended twice")
        assert "SIGKILL" in failure
        assert "--retry-failed" in failure
    with done.records() as records:
        kinds = [r.error.type for r in records if r.error is not None]
    assert kinds == ["WorkerLostError"] * 2
    assert len(started) >= 4


@pytest.mark.slow
def test_a_worker_lost_once_costs_nothing(
    scans: Path, tmp_path: Path, install: Install, started: list[int]
) -> None:
    install("engines", ENGINE)
    done = read(scans, tmp_path / "out", deadly=[43], once=str(tmp_path / "once"))
    assert (tmp_path / "once").exists()
    assert done.outcome is not None
    assert (done.outcome.documents, done.outcome.failed) == (12, 0)
    assert len(started) == 3


@pytest.mark.slow
def test_the_process_that_workers_are_forked_of_may_be_lost(
    scans: Path, tmp_path: Path, install: Install, started: list[int]
) -> None:
    install("engines", ENGINE.replace("os.kill(os.getpid()", "end(os.getpid()") + ORIGIN)
    done = read(scans, tmp_path / "out", deadly=[43], once=str(tmp_path / "once"))
    assert (tmp_path / "once").exists()
    assert done.outcome is not None
    assert (done.outcome.documents, done.outcome.failed) == (12, 0)
    assert len(started) == 3


ORIGIN = """
def end(worker, how):
    os.kill(os.getppid(), how)
    os.kill(worker, how)
"""


@pytest.mark.slow
def test_workers_that_never_do_anything_end_the_run(
    scans: Path, tmp_path: Path, install: Install, started: list[int]
) -> None:
    install("engines", ENGINE)
    with pytest.raises(OcrMoeError, match=r"lost one after the other.*workers: 1"):
        read(scans, tmp_path / "out", deadly=list(range(40, 60)))
    assert len(started) < 20


@pytest.mark.slow
def test_parts_that_only_this_process_has_are_used_here(
    scans: Path, tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plug-in is where no other process looks for it."""
    import sys

    from ocr_moe.workshop import registry

    module = type(sys)("mine_here")
    exec(ENGINE, module.__dict__)
    monkeypatch.setitem(sys.modules, "mine_here", module)
    monkeypatch.setitem(registry.KINDS["engines"], "mine", "mine_here:Mine")
    done = read(scans, tmp_path / "out")
    assert started == []
    assert done.outcome is not None
    assert (done.outcome.documents, done.outcome.failed) == (12, 0)


@pytest.mark.slow
def test_a_lost_store_ends_the_run_and_its_workers(
    inputs: Path, tmp_path: Path, started: list[int]
) -> None:
    out = tmp_path / "out"

    def answer(request: Request) -> Reply:
        if len(server.requests) == 6:
            for file in out.glob("store.sqlite*"):
                file.unlink()
        return completion(json.dumps(dict.fromkeys(request.asked)))

    with ChatServer(answer) as server, pytest.raises(StoreError, match="deleted or replaced"):
        run(inputs, out, server)
    assert len(server.requests) < DOCUMENTS
    assert [pid for pid in started if is_running(pid)] == []


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_stop_finishes_what_is_under_way(
    inputs: Path, tmp_path: Path, started: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[batches.Batch] = []

    def keep(self: Any, *given: Any, **named: Any) -> None:
        build(self, *given, **named)
        made.append(self)

    build = batches.Batch.__init__
    monkeypatch.setattr(batches.Batch, "__init__", keep)

    def answer(request: Request) -> Reply:
        if len(server.requests) == 4:
            made[0].stop()
        return completion(json.dumps(dict.fromkeys(request.asked)), delay=0.2)

    with ChatServer(answer) as server:
        with pytest.raises(InterruptedRunError, match=rf"of {DOCUMENTS} files are done"):
            run(inputs, tmp_path / "out", server)
        asked = len(server.requests)
        assert asked < DOCUMENTS
        assert [pid for pid in started if is_running(pid)] == []
        again = run(inputs, tmp_path / "out", server)
        assert again.outcome is not None
        assert again.outcome.asked == DOCUMENTS - asked
        assert len(server.requests) == DOCUMENTS


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_runs_and_workers_killed_again_and_again_end_the_same(inputs: Path, tmp_path: Path) -> None:
    paid: list[str] = []
    config = tmp_path / "config.yaml"  # as many at the server as `Command.in_flight` counts with
    config.write_text("chat: {text: {concurrency: 4}}\n")
    with answering(paid, delay=0.15) as server:
        more = ("--ocr", str(inputs / "pages.jsonl"), "--config", str(config))
        command = Command(inputs / "scans", server.base_url, "ocr_page_llm", 2, more)
        command.start(tmp_path / "undisturbed").communicate()
        paid.clear()
        out = tmp_path / "out"
        tally = torment(command, out, paid, 25, Random(1), longest=1.0)
    assert tally.kills.total() == 25
    assert tally.kills[WORKER] >= 5
    assert tally.problems == []
    assert differences(out, tmp_path / "undisturbed") == []
    assert signal.SIGKILL.name in tally.kills

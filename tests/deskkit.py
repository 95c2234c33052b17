"""A run under review for tests: real documents that were really read, and a desk served over a copy."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from ocr_moe.reviewing.desk import Desk
from ocr_moe.types import Status
from ocr_moe.web.desk.application import desk_app
from ocr_moe.web.serving import listen
from tests.conftest import SAMPLES, environment

DOUBTFUL = (
    SAMPLES / "business_license/福州市鼓楼区金辉养生馆_营业执照.webp",
    SAMPLES / "business_license/上海威诺商贸有限公司_营业执照.jpg",
    SAMPLES / "graduation_certificate/王恒文_本科_毕业证书.jpg",
    SAMPLES / "graduation_certificate/杨旻_专科_毕业证书.jpg",
)
"""Samples with many doubtful cells, of two kinds of document. Of the last one, number and date differ:
a word on the one re-weighs the other."""


def copy_of(run: Path, folder: Path) -> Path:
    """A copy of a run to write in."""
    target = folder / "run"
    shutil.copytree(run, target)
    return target


def as_of_one_start(run: Path) -> Path:
    """The run with the start of all runs of the tests: which cells are shown without their values is
    drawn by it."""
    from ocr_moe.run.batch import STORE
    from ocr_moe.store.database import Store

    with Store(run / STORE) as store:
        store.set_meta("started", "2026-11-01T00:00:00+00:00")
    return run


@contextmanager
def served(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve an application on loopback; its address, without a slash at the end."""
    bound = listen("127.0.0.1", port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True  # browsers keep their connections open
        thread.join()


@contextmanager
def desk_on(run: Path, *, config: object = None, originals: Path | None = None) -> Iterator[str]:
    """Serve the desk over a run; its address."""
    from ocr_moe.workshop.config import Config

    chosen = Config.model_validate(config) if config is not None else None
    with Desk.open(run, config=chosen, originals=originals) as desk, served(desk_app(desk)) as at:
        yield at


class DeskProcess:
    """`ocr-moe review` as a process of its own, to be killed."""

    def __init__(self, run: Path, port: int = 0) -> None:
        self._arguments = [sys.executable, "-m", "ocr_moe.cli.main", "review", str(run)]
        self._process: subprocess.Popen[str] | None = None
        self.port = port
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, or start it again at the same port; returns once it answers."""
        if self.port == 0:
            with listen("127.0.0.1", 0) as free:
                self.port = free.getsockname()[1]
        self._process = subprocess.Popen(
            [*self._arguments, "--no-browser", "--port", str(self.port)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(600):
            assert self._process.poll() is None
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the desk did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self, how: signal.Signals) -> int:
        """Ask it to end; its exit status."""
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(120)

    def __enter__(self) -> DeskProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


def judgements_in(run: Path) -> list[tuple[str, str | None, str]]:
    """(field, value, reviewer) of the judgements that a run's store holds, undone ones left out."""
    from ocr_moe.run.batch import STORE
    from ocr_moe.store.database import Store

    with Store(run / STORE, write=False) as store:
        return [
            (each.judgement.field, each.judgement.value, each.judgement.reviewer)
            for each in store.judgements()
            if not each.undone and each.judgement.kind.value == "value"
        ]


def line_of(run: Path, name: str) -> dict[str, object]:
    """The line of records.jsonl of the document whose path ends so."""
    lines = (run / "records.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return next(each for each in found if str(each["document"]["path"]).endswith(name))


def desk_settings(**review: object) -> dict[str, object]:
    """The shipped configuration with other settings of the desk."""
    from ocr_moe.workshop.config import load_config

    return {**load_config().model_dump(mode="json"), "review": review}


HOSTILE = (
    "<script>window.harmed = 1</script>",
    "<img src='x' onerror='window.harmed = 1'>",
    '"><b id="harm">',
    "\u202egnp.exe\u202c invoice",
    "长" * 100_000,
    "{{ 7 * 7 }} ${window.harmed = 1} =HYPERLINK(1)",
)


def with_hostile_texts(run: Path) -> list[str]:
    """Let experts have read the worst in the texts of a run's licences; what they read."""
    from ocr_moe.run.batch import STORE
    from ocr_moe.store.database import Store, row_of

    given: list[str] = []
    with Store(run / STORE) as store:
        [strategy] = store.strategies()
        rows = []
        for record in store.records(strategy):
            fields = dict(record.fields)
            for name in {"名称", "类型", "住所", "经营范围"} & set(fields):
                worst = HOSTILE[len(given) % len(HOSTILE)]
                given.append(worst)
                told = {
                    "value": worst,
                    "status": Status.ABSTAINED,
                    "characters": (),
                    "notes": (worst,),
                }
                fields[name] = fields[name].model_copy(update=told)
            rows.append(row_of(record.model_copy(update={"fields": fields})))
        store.put_records(rows)
    assert len(given) >= len(HOSTILE)
    return given

"""The service in tests: a real server, in this process or another, with an OCR engine that is a stub.

The engine says the same of every page but tells who asked: one byte a page is added to the file
`asked`, and no page is answered while the file `hold` is there.  As a program,
`python -m tests.servicekit serve …` is the command `ocr-moe` with that engine.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import httpx
import uvicorn
import yaml
from PIL import Image

from ocr_moe.protocols import Package
from ocr_moe.testing import page
from ocr_moe.types import Line, Value
from ocr_moe.web.service.application import Hooks, service_app
from ocr_moe.workshop.config import Config, load_config
from ocr_moe.workshop.registry import KINDS

NAME = "王小明"
SCHOOL = "四川大学"
CERTIFICATE = page(
    "普通高等学校毕业证书\n"
    f"学生{NAME}，性别男，一九九七年六月一日生，于二〇一五年九月至二〇一九年六月\n"
    "在本校汉语言文学专业四年制本科学习，修完教学计划规定的全部课程，成绩合格，准予毕业。\n"
    f"校名：{SCHOOL}\n"
    "证书编号：106101201905001234\n"
    "二〇一九年六月二十日"
)
SCHEMA = "graduation_certificate"


class StubParams(Value):
    """Where the engine tells who asked, and where it looks whether it may answer."""

    folder: str
    seconds: float = 0.0


class StubEngine:
    Params = StubParams
    packages: ClassVar[tuple[Package, ...]] = ()
    fingerprint = "stub engine of the tests"

    def __init__(self, name: str, params: StubParams) -> None:
        self.name = name
        self._seconds = params.seconds
        self._hold = Path(params.folder) / "hold"
        self._asked = Path(params.folder) / "asked"

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        if image.convert("L").getextrema() == (255, 255):
            return ()  # the blank page by which models are loaded
        with self._asked.open("ab") as asked:
            asked.write(b".")
        time.sleep(self._seconds)
        while self._hold.exists():
            time.sleep(0.01)
        return CERTIFICATE.lines


def register() -> None:
    KINDS["engines"]["stub"] = "tests.servicekit:StubEngine"


def settings(folder: Path, **service: Any) -> dict[str, Any]:
    """What differs from the shipped configuration: the stub, page OCR alone, limits of the service."""
    return {
        "ocr": "stub",
        "engines": {"stub": {"kind": "stub", "folder": str(folder)}},
        "strategy": "rules",
        "strategies": {
            "rules": {
                "gate": {"kind": "fixed", "default": ["rules"]},
                "combiner": {"kind": "priority"},
            }
        },
        "service": service,
    }


def configuration(folder: Path, **service: Any) -> Config:
    register()
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(settings(folder, **service), allow_unicode=True), "utf-8")
    return load_config(file)


def scan(number: int = 0, *, pages: int = 1) -> bytes:
    """A small image; each number has its own bytes. Several pages make a TIFF."""
    images = [Image.new("L", (60 + number, 40 + at), 90) for at in range(pages)]
    written = io.BytesIO()
    if pages == 1:
        images[0].save(written, "PNG")
    else:
        images[0].save(written, "TIFF", save_all=True, append_images=images[1:])
    return written.getvalue()


def files(*scans: bytes, names: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, bytes]]]:
    """The files of a form; `0.png`, `1.png`, … where no names are given."""
    called = names or tuple(f"{number}.png" for number in range(len(scans)))
    return [("files", each) for each in zip(called, scans, strict=True)]


class Engine:
    """The stub's two files, from outside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def asked(self) -> int:
        """Pages that were shown to it."""
        file = self._folder / "asked"
        return file.stat().st_size if file.exists() else 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """No page is answered before the end of the block."""
        hold = self._folder / "hold"
        hold.touch()
        try:
            yield
        finally:
            hold.unlink(missing_ok=True)


class Running:
    """A service that answers on loopback, in a thread of this process."""

    def __init__(self, folder: Path, hooks: Hooks | None = None, **service: Any) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.engine = Engine(folder)
        self.app = service_app(configuration(folder, **service), self.data, hooks)
        self._socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self.app, log_level="warning", access_log=False, timeout_graceful_shutdown=5
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def __enter__(self) -> Running:
        self._thread.start()
        until(lambda: self._server.started)
        until(lambda: self.client.get("/readyz").status_code == 200)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        (self.folder / "hold").unlink(missing_ok=True)  # or a test that failed would never end
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()

    def extract(self, *scans: bytes, names: tuple[str, ...] = (), **fields: str) -> httpx.Response:
        return self.client.post("/v1/extract", files=files(*scans, names=names), data=fields)

    def submit(self, *scans: bytes, **fields: str) -> dict[str, Any]:
        answer = self.client.post("/v1/jobs", files=files(*scans), data=fields)
        assert answer.status_code == 202, answer.text
        return cast(dict[str, Any], answer.json())

    def job(self, id_: str) -> dict[str, Any]:
        return cast(dict[str, Any], self.client.get(f"/v1/jobs/{id_}").json())

    def over(self, id_: str) -> dict[str, Any]:
        """A job once it is over."""
        until(lambda: self.job(id_)["status"] not in ("queued", "running"))
        return self.job(id_)


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def values(record: Mapping[str, Any]) -> dict[str, str | None]:
    return {name: decision["value"] for name, decision in record["fields"].items()}


if __name__ == "__main__":
    from ocr_moe.cli.main import main

    register()
    # The engine is found by this module's name, not as that of the program.
    main()

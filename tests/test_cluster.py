"""`--runner ray` on a real Ray cluster of two nodes, one of which is killed, and whose head is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kills import answering, differences
from ocr_moe.formats.yamlfile import write_yaml
from ocr_moe.run.kept import KEPT
from ocr_moe.testing.chatserver import ChatServer
from tests.conftest import Command, arguments, environment
from tests.test_interrupts import lay_out

pytest.importorskip("ray", reason="Ray is an extra")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Ray nodes are POSIX")]

DOCUMENTS = 24
AT_ONCE = 4
"""Requests that the endpoint takes at once, from the whole cluster."""
IN_FLIGHT = AT_ONCE + 2
"""Requests under way, and answers on their way to the run."""
DELAY = 0.4
OBJECTS = 80 << 20


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, and page OCR that is not theirs."""
    return lay_out(tmp_path_factory.mktemp("inputs"), DOCUMENTS)


@pytest.fixture(scope="module")
def paid() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def nothing_paid(paid: list[str], local: Path) -> None:
    paid.clear()


@pytest.fixture(scope="module")
def server(paid: list[str]) -> Iterator[ChatServer]:
    with answering(paid, delay=DELAY) as server:
        yield server


@pytest.fixture(scope="module")
def env(server: ChatServer) -> dict[str, str]:
    return environment(
        OCR_MOE_TEXT_BASE_URL=server.base_url,
        OCR_MOE_TEXT_MODEL="test-model",
        RAY_USAGE_STATS_ENABLED="0",
        RAY_BACKEND_LOG_LEVEL="fatal",
    )


@pytest.fixture(scope="module")
def nodes(env: dict[str, str]) -> Iterator[Nodes]:
    with Nodes(env) as nodes:
        yield nodes


class Nodes:
    """A cluster of a head and another node, one core each, that are processes of this machine."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._cluster: Any = None

    def __enter__(self) -> Nodes:
        from ray.cluster_utils import Cluster

        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._env.items():
                patch.setenv(name, value)
            head = {"num_cpus": 1, "object_store_memory": OBJECTS, "include_dashboard": False}
            self._cluster = Cluster(initialize_head=True, head_node_args=head)
            self._second = self._cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.shutdown()

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def kill_second(self) -> None:
        """With everything that runs there."""
        self._cluster.remove_node(self._second, allow_graceful=False)

    def kill_head(self) -> None:
        self._cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    def restart(self) -> None:
        self._cluster.shutdown()
        self.__enter__()


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
    """run.json tells the configuration, of which the address of the cluster is part."""
    return [name for name in names if name != "run.json"]


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
    told = process.communicate(timeout=150)[1].decode()
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
    told = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert "the same command goes on where this stopped" in told
    nodes.restart()
    config = configuration(tmp_path, address=nodes.address)
    again = subprocess.run(command, env=env, stderr=subprocess.PIPE, timeout=150)
    assert again.returncode == 0, again.stderr.decode()
    assert len(set(paid)) == DOCUMENTS
    assert len(paid) - DOCUMENTS <= IN_FLIGHT
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

"""A Ray cluster of a head and another node, one core each, as processes of this machine.

They are started by a process of their own, told on its standard input what to do: Ray takes signals over
from the process that starts nodes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

OBJECTS = 80 << 20
"""Bytes of a node's object store."""


class Nodes:
    """The cluster, from its start to its end."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.raynodes"],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = ""
        """Of the head."""

    def __enter__(self) -> Nodes:
        self._tell("start")
        return self

    def __exit__(self, *_: object) -> None:
        self._tell("end")
        self._process.communicate(timeout=60)

    def kill_second(self) -> None:
        """With everything that runs there, by SIGKILL."""
        self._tell("kill second")

    def kill_head(self) -> None:
        self._tell("kill head")

    def restart(self) -> None:
        """Both nodes, at another address."""
        self._tell("start")

    def _tell(self, words: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{words}\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("done "):
                self.address = line.removeprefix("done ").strip()
                return
        raise AssertionError(f"the nodes ended at {words!r}")


def main() -> None:
    from ray.cluster_utils import Cluster

    cluster: Any = None
    second: Any = None
    for line in sys.stdin:
        match line.strip():
            case "start":
                if cluster is not None:
                    cluster.shutdown()
                head = {"num_cpus": 1, "object_store_memory": OBJECTS, "include_dashboard": False}
                cluster = Cluster(initialize_head=True, head_node_args=head)
                second = cluster.add_node(num_cpus=1, object_store_memory=OBJECTS)
            case "kill second":
                cluster.remove_node(second, allow_graceful=False)
            case "kill head":
                cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
            case "end":
                cluster.shutdown()
        print("done", cluster.address, flush=True)


if __name__ == "__main__":
    main()

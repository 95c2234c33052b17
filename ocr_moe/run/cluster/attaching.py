"""Finding a Ray cluster, or starting one on this machine, and seeing that every node of it can read."""

from __future__ import annotations

import logging
import os
import pickle
import platform
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from threading import Thread
from typing import Any

from ocr_moe.errors import ClusterError, MissingDependencyError, OcrMoeError
from ocr_moe.intake.source import Source
from ocr_moe.run.documents import page_key
from ocr_moe.run.workers.messages import Job
from ocr_moe.settings import ClusterOptions
from ocr_moe.version import __version__
from ocr_moe.workshop.build import Workshop

Connect = Callable[[], object]
_MIB = 1 << 20
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
}
"""Nobody is told of the run, nothing is installed for it, and the screen is ours."""
_CONNECTING = 5.0
"""Seconds for a connection to the head."""
_SHOWN = 8
"""Nodes that are named of those that lack something."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to."""

    head: tuple[str, int]
    """Host and port."""
    own: bool
    """Whether it was started for the run, and ends with it."""

    def is_there(self) -> bool:
        """Whether its head can be connected to."""
        return _answers(*self.head)


@contextmanager
def attached(options: ClusterOptions, workers: int) -> Iterator[Cluster]:
    """The cluster that the options name. Raises ClusterError where it is not there, and
    MissingDependencyError."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError(
            f"--runner ray: Ray is not installed ({error}); pip install 'ocr-moe[ray]'"
        ) from error
    address = options.address or os.environ.get("RAY_ADDRESS") or None
    arguments: dict[str, Any] = {
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "configure_logging": True,
    }
    if address is None:
        arguments |= {
            "address": "local",
            "num_cpus": workers,
            "object_store_memory": options.object_store * _MIB,
            "include_dashboard": False,
        }
    else:
        head = _head_of(address)
        if not _answers(*head):
            raise ClusterError(
                f"no Ray cluster answers at {address}; see whether its head runs (ray status) and can "
                "be reached from here, or unset cluster.address and RAY_ADDRESS to use this machine"
            )
        arguments |= {"address": f"{head[0]}:{head[1]}"}
    # Ray ends what it started when the thread ends that started it.
    wait = _at_once if address is None else _within(options.wait)
    with _our_signals():
        _connect(lambda: ray.init(**arguments), address or "this machine", wait)
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        yield Cluster((host, int(port)), own=address is None)
    finally:
        _let_go()


@contextmanager
def _our_signals() -> Iterator[None]:
    """What signals do stays as it is; Ray would have some end the process."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _let_go() -> None:
    """Disconnect; a cluster that is gone is not waited for."""
    import ray

    leaving = Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(_CONNECTING)


def _connect(connect: Connect, address: str, wait: Callable[[Connect], None]) -> None:
    """Raises ClusterError."""
    try:
        wait(connect)
    except TimeoutError as error:
        raise ClusterError(
            f"the Ray cluster at {address} does not answer; see whether that is the port of its head "
            "(6379 by default)"
        ) from error
    except Exception as error:
        why = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise ClusterError(f"the Ray cluster at {address} cannot be used: {why}") from error


def _at_once(connect: Connect) -> None:
    connect()


def _within(seconds: float) -> Callable[[Connect], None]:
    """Ray itself waits long for what listens at an address and is no cluster."""

    def wait(connect: Connect) -> None:
        connected: Future[None] = Future()

        def try_to() -> None:
            try:
                connect()
            except BaseException as error:
                connected.set_exception(error)
            else:
                connected.set_result(None)

        # No pool: the process would wait for its threads before it ends.
        Thread(target=try_to, name="connecting", daemon=True).start()
        connected.result(seconds)

    return wait


def _head_of(address: str) -> tuple[str, int]:
    """Raises ClusterError for what is no address."""
    if address.startswith("ray://"):
        raise ClusterError(
            f"{address}: a run is to be started on a node of the cluster (ssh, kubectl exec, ray job "
            "submit), as its store lies there; name host:port of the head"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"{address}: host:port of a Ray head is expected, such as 10.0.0.1:6379")
    return host.strip("[]"), int(port)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError):
        socket.create_connection((host, port), _CONNECTING).close()
        return True
    return False


@dataclass(frozen=True)
class Found:
    """What a node reads with."""

    host: str
    version: str
    python: str
    engine: str = ""
    """What page OCR is stored under."""
    experts: tuple[tuple[str, str], ...] = ()
    """(name, fingerprint), empty where it asks an endpoint."""
    lacking: tuple[str, ...] = ()
    """Sentences."""


def examined(job: Job, example: Source | None) -> Found:
    """What this machine reads with; nothing is loaded that it would read with."""
    lacking: list[str] = []
    engine = ""
    experts: tuple[tuple[str, str], ...] = ()
    try:
        workshop = job.blueprint.build()
        workshop.validate()
        lacking += _packages(workshop)
        engine = page_key(workshop.engine("default"), workshop.config.remove_seals)
        experts = _experts(workshop, job.strategies)
    except (OcrMoeError, OSError) as error:
        lacking.append(str(error))
    if example is not None and not _is_readable(example, job):
        lacking.append(f"{example.name} cannot be read; files must be where all nodes have them")
    here = socket.gethostname(), __version__, platform.python_version()
    return Found(*here, engine, experts, tuple(lacking))


def _is_readable(source: Source, job: Job) -> bool:
    try:
        source.digest(job.blueprint.config.images)
    except OcrMoeError:
        return False
    return True


def _packages(workshop: Workshop) -> Iterator[str]:
    for package in workshop.packages():
        if not package.optional:
            try:
                version(package.name)
            except PackageNotFoundError:
                yield f"{package.name} is not installed; it is for {package.use}"


def _experts(workshop: Workshop, strategies: Sequence[str]) -> tuple[tuple[str, str], ...]:
    experts = {name: e for s in strategies for name, e in workshop.strategy(s).experts.items()}
    return tuple(
        (name, "" if workshop.chat_uses(name) else experts[name].fingerprint)
        for name in sorted(experts)
    )


def unfit(here: Found, there: Found) -> list[str]:
    """Why a node would not read what this machine reads, in sentences."""
    if there.version != here.version:
        return [f"it has ocr_moe {there.version}, this machine {here.version}"]
    if there.python.split(".")[:2] != here.python.split(".")[:2]:
        return [f"it has Python {there.python}, this machine {here.python}"]
    found = list(there.lacking)
    if not found and there.engine != here.engine:
        found.append(f"it reads pages with {there.engine}, this machine with {here.engine}")
    mine, its = dict(here.experts), dict(there.experts)
    if not found and mine.keys() != its.keys():
        lacks = ", ".join(sorted(mine.keys() - its.keys()))
        more = ", ".join(sorted(its.keys() - mine.keys()))
        told = [f"cannot ask {lacks}"] if lacks else []
        told += [f"would ask {more} as well"] if more else []
        found.append(
            f"it {' and '.join(told)}: set the same variables OCR_MOE_… there, before `ray start`"
        )
    if not found:
        found += [
            f"its {name} is {its[name]}, that of this machine {mine[name]}"
            for name in mine
            if mine[name] != its[name]
        ]
    return found


def examine_nodes(job: Job, example: Source | None, options: ClusterOptions) -> None:
    """Raises ClusterError where an actor has room nowhere, or a node would read otherwise than this
    machine, naming it."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    _wait_for_room(options)
    if example is not None and not _is_readable(example, job):
        example = None  # it is the file's fault, and told in its record
    here = examined(job, example)
    if here.lacking:
        raise ClusterError(f"this machine: {here.lacking[0]}")
    task = ray.remote(num_cpus=0, max_retries=0)(_examined_there)
    asked = {}
    pickled = pickle.dumps((job, example))
    for node in ray.nodes():
        if node["Alive"]:
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[task.options(scheduling_strategy=where).remote(pickled)] = _name_of(node)
    ray.wait(list(asked), num_returns=len(asked), timeout=options.wait)
    problems = []
    for answer, name in asked.items():
        try:
            found = ray.get(answer, timeout=0)
            problems += [f"node {name}: {why}" for why in unfit(here, found)[:1]]
        except RayError as error:
            why = str(getattr(error, "cause", None) or error).strip().splitlines()
            problems.append(f"node {name} cannot run ocr_moe: {why[-1] if why else 'no answer'}")
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise ClusterError("; ".join(problems[:_SHOWN]) + more)


def _examined_there(pickled: bytes) -> Found:
    job, example = pickle.loads(pickled)
    return examined(job, example)


def _name_of(node: Mapping[str, Any]) -> str:
    return f"{node['NodeManagerHostname']} ({node['NodeID'][:8]})"


def has_room(options: ClusterOptions) -> bool:
    """Whether any node is large enough for an actor."""
    import ray

    return any(
        node["Alive"]
        and node["Resources"].get("CPU", 0.0) >= options.cpus
        and node["Resources"].get("GPU", 0.0) >= options.gpus
        for node in ray.nodes()
    )


def _wait_for_room(options: ClusterOptions) -> None:
    import ray

    until = time.monotonic() + options.wait
    while not has_room(options):
        if time.monotonic() > until:
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            most = max((each.get("CPU", 0.0) for each in nodes), default=0.0)
            gpus = max((each.get("GPU", 0.0) for each in nodes), default=0.0)
            raise ClusterError(
                f"an actor wants {options.cpus:g} cores and {options.gpus:g} GPUs (cluster.cpus, "
                f"cluster.gpus), and the largest of {len(nodes)} nodes has {most:g} and {gpus:g}"
            )
        time.sleep(0.5)

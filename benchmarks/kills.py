"""Does a run survive being killed? One `extract`, ended again and again at random moments.

Real OCR of real pages and a real HTTP server as language model are both under way when the process is
sent SIGKILL, SIGINT or SIGTERM, or one of its workers is sent SIGKILL; the same command then goes on.
In the end the exports must be those of a run that nobody disturbed, no call that was paid may have been
paid again but those in flight at a SIGKILL, and neither temporary files nor processes may be left.

    python -m benchmarks.kills [--kills 25] [--documents 8] [--seed 0]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from PIL import Image

from benchmarks.results import publish
from ocr_moe.testing.chatserver import ChatServer, Reply, Request, completion

SAMPLES = Path(__file__).parent.parent / "data_samples" / "graduation_certificate"
SCHEMA = "graduation_certificate"
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
"""SIGKILL most often: it is the one that nobody can prepare for."""
WORKER = "worker"
"""What a kill of a worker is counted as."""
_OF_WORKERS = 0.5
"""How many of the kills are of workers, where there are any."""
_WORKERS = "ocr_moe.run.workers"
_MEASURED = re.compile(rb'"(ocr_seconds|seconds|started)": ?("[^"]*"|[0-9.e-]+)')


@dataclass(frozen=True)
class Command:
    """How `extract` is started."""

    inputs: Path
    base_url: str
    strategy: str = "ocr_crop_llm"
    """Which asks a text LLM twice a document."""
    workers: int = 3
    more: tuple[str, ...] = ()
    """Further arguments."""
    in_flight: int = 8
    """Requests that a kill may lose: those at the server with `concurrency: 4`, and as many that
    are answered and on their way into the store."""

    def start(self, out: Path, *further: str) -> subprocess.Popen[bytes]:
        """In a session of its own, so that every process that it starts can be found."""
        args = ["extract", self.inputs, "--out", out, "--schema", SCHEMA]
        args += ["--strategy", self.strategy, "--workers", self.workers, *self.more, *further]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OCR_MOE_")}
        return subprocess.Popen(
            from_a_terminal("-m", "ocr_moe.cli.main", *map(str, args)),
            env=kept | {"OCR_MOE_TEXT_BASE_URL": self.base_url, "OCR_MOE_TEXT_MODEL": "test-model"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def from_a_terminal(*args: str) -> list[str]:
    """The command that runs Python with the signals of a terminal's process.

    Where this process was put into the background, it and what it starts ignore some of them.
    """
    code = (
        "import os, signal, sys\n"
        "for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):\n"
        "    signal.signal(getattr(signal, name), signal.SIG_DFL)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    return [sys.executable, "-c", code, *args]


@dataclass
class Tally:
    """What came of it; `problems` is what must not be."""

    kills: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    """Runs that came to their end."""
    repeated: int = 0
    """Calls that were paid again."""
    problems: list[str] = field(default_factory=list)


def torment(
    command: Command, out: Path, paid: list[str], kills: int, random: Random, longest: float = 3.0
) -> Tally:
    """Start and end the command until it or a worker of it was ended `kills` times, then let it end by
    itself.

    `paid` is the list that the server lengthens by one prompt a call; `longest` is the seconds that are
    waited at most before a kill.
    """
    tally = Tally()
    in_flight = 0
    """Calls that a SIGKILL may have lost since the folder was begun."""
    process, before = command.start(out), 0
    while tally.kills.total() < kills:
        assert process.stderr is not None
        # At a random moment after the first call; now and then before it, in the start or in OCR.
        calls = len(paid) + random.choice((0, 1, 1, 1, 2, 3))
        while len(paid) < calls and process.poll() is None:
            time.sleep(0.01)
        time.sleep(random.uniform(0, longest))
        if process.poll() is not None:  # it was done: all of it is begun anew
            tally.problems += _brought_to_its_end(command, out, process)
            _close(tally, paid, in_flight)
            shutil.rmtree(out)
            paid.clear()
            in_flight = 0
            process, before = command.start(out), 0
            continue
        workers = _workers(process.pid)
        if workers and random.random() < _OF_WORKERS:
            with suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)
            tally.kills[WORKER] += 1
            in_flight += command.in_flight
            continue
        how = random.choice(SIGNALS)
        process.send_signal(how)
        told = process.communicate()[1].decode("utf-8", "replace")
        tally.kills[how.name] += 1
        in_flight += command.in_flight if how is signal.SIGKILL else 0
        if len(paid) - len(set(paid)) > in_flight:
            tally.problems.append(f"calls paid again that were not in flight, after {tally.kills}")
        had_begun = told or len(paid) > before
        if had_begun and process.returncode == 130 and "same command" not in told:
            tally.problems.append(f"{how.name}: not told what to do: {told!r}")
        if "Traceback" in told:
            tally.problems.append(f"{how.name}: {told}")
        tally.problems += left_running(process.pid)
        process, before = command.start(out), len(paid)
    tally.problems += _brought_to_its_end(command, out, process)
    tally.problems += [f"left: {path}" for path in out.rglob(".part-*")]
    _close(tally, paid, in_flight)
    return tally


def _close(tally: Tally, paid: Sequence[str], in_flight: int) -> None:
    """The account of a folder whose run came to its end."""
    repeated = len(paid) - len(set(paid))
    tally.finished += 1
    tally.repeated += repeated
    if repeated > in_flight:
        tally.problems.append(f"{repeated} calls paid again, {in_flight} were in flight")


def _workers(session: int) -> list[int]:
    """The processes of a session that make records, and the one that they are forked of."""
    return sorted(pid for pid, _, _, command in processes(session) if _WORKERS in command)


def _brought_to_its_end(command: Command, out: Path, process: subprocess.Popen[bytes]) -> list[str]:
    """What is wrong with a run that ends by itself, and with one more start of it: a document whose
    worker was killed twice has failed."""
    told = process.communicate()[1].decode("utf-8", "replace")
    wrong = [told] if "Traceback" in told or process.returncode not in (0, 1) else []
    return [*wrong, *_ended_well(command.start(out, "--retry-failed"))]


def _ended_well(process: subprocess.Popen[bytes]) -> list[str]:
    told = process.communicate()[1].decode("utf-8", "replace")
    problems = left_running(process.pid)
    if process.returncode or "Traceback" in told:
        problems.append(f"a last start exits with {process.returncode}: {told}")
    return problems


def left_running(session: int) -> list[str]:
    """The processes of a session that outlive its leader by more than 15 seconds."""
    until = time.monotonic() + 15
    while found := _members(session):
        if time.monotonic() > until:
            return [f"still running: {name}" for name in found]
        time.sleep(0.1)
    return []


def _members(session: int) -> list[str]:
    return [command for _, _, state, command in processes(session) if state != "Z"]


def processes(session: int) -> Iterator[tuple[int, int, str, str]]:
    """Number, parent, state and command of each process of a session."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # pid (name) state parent group session ...
                rest = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it has just ended
                continue
            if int(rest[3]) == session:
                yield int(folder.name), int(rest[1]), rest[0], command


def exports(out: Path) -> Mapping[str, bytes]:
    """Every file that is exported, without measured times, workbooks unzipped."""
    found: dict[str, bytes] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not name.startswith(("store.sqlite", ".exported")):
            if path.suffix == ".xlsx":
                with zipfile.ZipFile(path) as book:
                    found |= {f"{name}/{part}": book.read(part) for part in book.namelist()}
            else:
                found[name] = _MEASURED.sub(rb'"\1":0', path.read_bytes())
    return found


def differences(out: Path, undisturbed: Path) -> list[str]:
    """Names of exports that are not the same."""
    one, other = exports(out), exports(undisturbed)
    return [name for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name)]


def answering(paid: list[str], delay: float) -> ChatServer:
    """A server that takes some time over an answer, and writes down what is to be paid."""

    def answer(request: Request) -> Reply:
        paid.append(request.prompt)
        return completion(json.dumps(dict.fromkeys(request.asked)), delay=delay)

    return ChatServer(answer)


def lay_out(folder: Path, documents: int) -> Path:
    """Small images of the shipped samples, each of other bytes."""
    samples = sorted(path for path in SAMPLES.iterdir() if path.suffix == ".jpg")
    folder.mkdir(parents=True)
    for number in range(documents):
        image = Image.open(samples[number % len(samples)]).convert("RGB")
        image.thumbnail((480 - number, 480 - number))
        image.save(folder / f"{number:03}.png")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--documents", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    paid: list[str] = []
    with tempfile.TemporaryDirectory() as name, answering(paid, delay=0.3) as server:
        folder = Path(name)
        inputs = lay_out(folder / "inputs", options.documents)
        config = folder / "config.yaml"
        config.write_text("ocr: rapid\nchat: {text: {concurrency: 4}}\n", encoding="utf-8")
        command = Command(inputs, server.base_url, more=("--config", str(config)))
        command.start(folder / "undisturbed").communicate()
        once = len(paid)
        paid.clear()
        tally = torment(command, folder / "out", paid, options.kills, Random(options.seed))
        tally.problems += [
            f"differs: {name}" for name in differences(folder / "out", folder / "undisturbed")
        ]
    killed = ", ".join(f"{count} {name}" for name, count in tally.kills.most_common())
    print(f"{options.documents} documents, {once} calls undisturbed; ended {killed}")
    print(f"{tally.finished} runs came to their end; {tally.repeated} calls were paid again")
    for problem in tally.problems:
        print(f"PROBLEM {problem}")
    publish(
        "kills",
        {
            "documents": options.documents,
            "calls": once,
            "kills": dict(tally.kills),
            "finished": tally.finished,
            "paid_again": tally.repeated,
            "problems": tally.problems,
        },
        [f"{len(tally.problems)} problems"],
    )
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""Where workers come from: a process that has loaded what they need, and is forked for each.

So that is loaded once, however many workers there are, and its memory is shared.  It has no thread but
its own: a fork of the run's own process might inherit a lock that nobody gives back.  Where there is no
fork, every worker is started by itself.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Protocol

from ocr_moe.run.interrupts import leave_signals_to_the_run

PROCESSES_FROM = 8
"""Files from which on a run starts processes to read them: for fewer, models are loaded sooner here."""
_FORK = b"fork"
_WAIT = b"wait"
_LOAD = b"load"
_LENGTH = 1 << 16
"""Bytes of a message at most: a word, and a number or names of modules."""
_UNKNOWN = 255
"""The exit status of a worker whose nursery is gone."""
_FORKS = hasattr(os, "fork")
_NURSERY, _WORKER = "ocr_moe.run.workers.nursery", "ocr_moe.run.workers.worker"
_PYTHON = [sys.executable, "-P", *(["-X", "utf8"] if sys.flags.utf8_mode else [])]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""By these, numeric libraries say how many cores one process may take."""
_ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": str(2 << 20)}
"""To glibc: give back what images took. An arena a core and thread, and blocks that are kept because as
large ones came before, are a tenth of a worker's memory."""
_USUAL = (
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "cv2", "numpy", "zxingcpp"),
    "ocr_moe.engines.runtime",
)
"""What nearly every worker needs, whatever the configuration, and no module of ours loads at once."""


class Child(Protocol):
    """A started worker."""

    pid: int
    stdin: IO[bytes]
    stdout: IO[bytes]

    def wait(self) -> int:
        """Its exit status, once it has ended; the negative number of a signal."""

    def kill(self) -> None: ...


class Nursery:
    """Starts workers that may take so many cores each. Safe to share between threads.

    `modules` are loaded before the first worker is asked for.
    """

    def __init__(self, threads: int, modules: Sequence[str]) -> None:
        """Raises OSError where no process can be started."""
        self._threads = threads
        self._modules = tuple(modules)
        self._lock = threading.Lock()
        self._origin = self._begun() if _FORKS else None

    def start(self) -> Child:
        """One more worker. Raises OSError."""
        if not _FORKS:
            return _Started(_popen(self._threads, _WORKER, stdin=subprocess.PIPE))
        origin = self._living()
        try:
            return _Forked(origin)
        except ConnectionError:  # it was killed just now
            return _Forked(self._living(gone=origin))

    def _living(self, gone: _Origin | None = None) -> _Origin:
        """The process that is forked, a new one where it was killed."""
        with self._lock:
            if self._origin in (None, gone) or self._origin.is_gone:
                self.close()
                self._origin = self._begun()
            return self._origin

    def _begun(self) -> _Origin:
        origin = _ahead.take(self._threads) or _Origin(self._threads)
        origin.load(self._modules)
        return origin

    def close(self) -> None:
        """Once all its workers have ended."""
        if self._origin is not None:
            self._origin.close()


class _Origin:
    """The process that is forked."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        try:
            with there:
                self._popen = _popen(
                    threads,
                    *(_NURSERY, str(there.fileno())),
                    stdin=subprocess.DEVNULL,
                    stdout=2,  # what libraries print
                    pass_fds=[there.fileno()],
                )
        except BaseException:
            self._line.close()
            raise

    @property
    def is_gone(self) -> bool:
        return self._popen.poll() is not None

    def load(self, modules: Iterable[str]) -> None:
        """Before anything is forked; where it is gone, whoever asks it for that hears so."""
        with self._lock, contextlib.suppress(OSError):
            self._line.send(b" ".join([_LOAD, *map(str.encode, modules)]))

    def fork(self, incoming: int, outgoing: int) -> int:
        """The number of a worker on these pipes. Raises OSError."""
        with self._lock:
            socket.send_fds(self._line, [_FORK], [incoming, outgoing])
            return self._answer()

    def wait(self, pid: int) -> int:
        """The exit status of a worker that has ended, or is about to."""
        with self._lock:
            try:
                self._line.send(b"%s %d" % (_WAIT, pid))
                return self._answer()
            except OSError:
                return _UNKNOWN

    def close(self) -> None:
        self._line.close()
        self._popen.wait()

    def discard(self) -> None:
        """Nothing was forked of it."""
        self._popen.kill()
        self.close()

    def _answer(self) -> int:
        data = self._line.recv(_LENGTH)
        if not data:
            raise ConnectionError("the process that starts workers is gone")
        return int(data)


class _Ahead:
    """The one that was started before it was known for what. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._origin: _Origin | None = None

    def start(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._origin is None and _FORKS:
                self._origin = _Origin(threads=1)

    def take(self, threads: int) -> _Origin | None:
        """None where there is none of that kind, and alive."""
        with self._lock:
            if self._origin is None or self._origin.threads != threads or self._origin.is_gone:
                return None
            origin, self._origin = self._origin, None
            return origin

    def discard(self) -> None:
        with self._lock:
            origin, self._origin = self._origin, None
        if origin is not None:
            origin.discard()


_ahead = _Ahead()


@contextlib.contextmanager
def started_ahead() -> Iterator[None]:
    """A process loads what workers usually need, beside what this one loads itself; a run in the block
    that has a worker a core takes it."""
    _ahead.start()
    try:
        yield
    finally:
        _ahead.discard()


class _Forked:
    """A worker out of a nursery."""

    def __init__(self, origin: _Origin) -> None:
        there, self.stdin = _pipe_to()
        self.stdout, here = _pipe_from()
        try:
            self.pid = origin.fork(there, here)
        except BaseException:
            self.stdin.close()
            self.stdout.close()
            raise
        finally:
            os.close(there)
            os.close(here)
        self._origin = origin

    def wait(self) -> int:
        return self._origin.wait(self.pid)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class _Started:
    """A worker that was started by itself."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        self.pid = popen.pid
        self.stdin = popen.stdin
        self.stdout = popen.stdout
        self.wait = popen.wait
        self.kill = popen.kill


def _pipe_to() -> tuple[int, IO[bytes]]:
    theirs, ours = os.pipe()
    return theirs, os.fdopen(ours, "wb")


def _pipe_from() -> tuple[IO[bytes], int]:
    ours, theirs = os.pipe()
    return os.fdopen(ours, "rb"), theirs


def _popen(threads: int, *command: str, **more: Any) -> subprocess.Popen[bytes]:
    folders = [folder or os.getcwd() for folder in sys.path]
    # A group of its own: Ctrl-C is for us, who then let it finish what is under way.
    group: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        [*_PYTHON, "-m", *command],
        env={
            **dict.fromkeys(_THREADS, str(threads)),
            **_ALLOCATOR,
            **os.environ,
            "PYTHONPATH": os.pathsep.join(folders),
        },
        **{"stdout": subprocess.PIPE, **group, **more},
    )


def serve(line: socket.socket) -> tuple[int, int] | None:
    """Load and fork as asked until the run is gone: None then, and in each worker its two pipes."""
    while True:
        try:
            data, handles, _, _ = socket.recv_fds(line, _LENGTH, 2)
        except OSError:
            return None
        if not data:
            return None
        word, *rest = data.split()
        if word == _LOAD:
            load(name.decode() for name in rest)
            continue
        if word == _FORK:
            gc.freeze()  # what is shared is to stay so
            answer = os.fork()
            if answer == 0:
                line.close()
                return handles[0], handles[1]
            for handle in handles:
                os.close(handle)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(int(rest[0]), 0)[1])
        with contextlib.suppress(OSError):  # the run is gone: the next look finds that
            line.send(b"%d" % answer)


def load(modules: Iterable[str]) -> None:
    for name in modules:
        with contextlib.suppress(ImportError):  # is told by whoever needs it
            importlib.import_module(name)


def main() -> None:
    leave_signals_to_the_run()
    line = socket.socket(fileno=int(sys.argv[1]))
    from ocr_moe.run.workers import worker
    from ocr_moe.workshop.registry import shipped_modules

    load([*shipped_modules(), *_USUAL])
    pipes = serve(line)
    if pipes is None:
        return
    if threading.active_count() > 1:  # of a plug-in, whose locks are not to be inherited
        os.dup2(pipes[0], 0)
        os.dup2(pipes[1], 1)
        os.execv(sys.executable, [*_PYTHON, "-m", _WORKER])
    worker.main(*pipes)


if __name__ == "__main__":
    main()

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
from collections.abc import Sequence
from typing import IO, Any, Protocol

from ocr_moe.run.interrupts import leave_signals_to_the_run

_FORK = b"fork"
_WAIT = b"wait"
_LENGTH = 64
"""Bytes of a message at most: a word and a number."""
_UNKNOWN = 255
"""The exit status of a worker whose nursery is gone."""
_FORKS = hasattr(os, "fork")
_NURSERY, _WORKER = "ocr_moe.run.workers.nursery", "ocr_moe.run.workers.worker"
_PYTHON = [sys.executable, "-P", *(["-X", "utf8"] if sys.flags.utf8_mode else [])]
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""By these, numeric libraries say how many cores one process may take."""


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
        self._origin = _Origin(threads, self._modules) if _FORKS else None

    def start(self) -> Child:
        """One more worker. Raises OSError."""
        if not _FORKS:
            return _Started(_popen(self._threads, _WORKER, stdin=subprocess.PIPE))
        with self._lock:
            if self._origin is None or self._origin.is_gone:  # it was killed
                self.close()
                self._origin = _Origin(self._threads, self._modules)
            origin = self._origin
        return _Forked(origin)

    def close(self) -> None:
        """Once all its workers have ended."""
        if self._origin is not None:
            self._origin.close()


class _Origin:
    """The process that is forked."""

    def __init__(self, threads: int, modules: Sequence[str]) -> None:
        self._line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        try:
            with there:
                command = (_NURSERY, str(there.fileno()), *modules)
                self._popen = _popen(
                    threads,
                    *command,
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

    def _answer(self) -> int:
        data = self._line.recv(_LENGTH)
        if not data:
            raise ConnectionError("the process that starts workers is gone")
        return int(data)


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
            **os.environ,
            "PYTHONPATH": os.pathsep.join(folders),
        },
        **{"stdout": subprocess.PIPE, **group, **more},
    )


def serve(line: socket.socket) -> tuple[int, int] | None:
    """Fork as asked until the run is gone: None then, and in each worker its two pipes."""
    while True:
        data, handles, _, _ = socket.recv_fds(line, _LENGTH, 2)
        word, _, number = data.partition(b" ")
        if word == _FORK:
            pid = os.fork()
            if pid == 0:
                line.close()
                return handles[0], handles[1]
            for handle in handles:
                os.close(handle)
            line.send(b"%d" % pid)
        elif word == _WAIT:
            _, status = os.waitpid(int(number), 0)
            line.send(b"%d" % os.waitstatus_to_exitcode(status))
        else:
            return None


def main() -> None:
    leave_signals_to_the_run()
    line = socket.socket(fileno=int(sys.argv[1]))
    from ocr_moe.run.workers import worker

    for name in sys.argv[2:]:
        with contextlib.suppress(ImportError):  # is told by whoever needs it
            importlib.import_module(name)
    gc.freeze()  # what is shared is to stay so
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

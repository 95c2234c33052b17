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

_FORK = b"fork"
_WAIT = b"wait"
_LENGTH = 64
"""Bytes of a message at most: a word and a number."""
_UNKNOWN = 255
"""The exit status of a worker whose nursery is gone."""
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
        self._opened: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        if hasattr(os, "fork"):
            self._opened = self._open()

    def start(self) -> Child:
        """One more worker. Raises OSError."""
        if not hasattr(os, "fork"):
            return _Started(self._popen("-m", "ocr_moe.run.workers.worker", stdin=subprocess.PIPE))
        there, stdin = os.pipe()
        stdout, here = os.pipe()
        try:
            pid = self._fork(there, here)
        except BaseException:
            os.close(stdin)
            os.close(stdout)
            raise
        finally:
            os.close(there)
            os.close(here)
        return _Forked(self, pid, os.fdopen(stdin, "wb"), os.fdopen(stdout, "rb"))

    def wait(self, pid: int) -> int:
        """The status of a worker that has ended, or is about to."""
        with self._lock:
            if self._opened is None:
                return _UNKNOWN
            try:
                return self._told(self._opened[1], _WAIT, pid)
            except OSError:
                return _UNKNOWN

    def close(self) -> None:
        """Of what has started all its workers."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            process, line = opened
            line.close()
            process.wait()

    def _fork(self, incoming: int, outgoing: int) -> int:
        with self._lock:
            if self._opened is None or self._opened[0].poll() is not None:  # it was killed
                self._opened = self._open()
            line = self._opened[1]
            socket.send_fds(line, [_FORK], [incoming, outgoing])
            return _number(line)

    @staticmethod
    def _told(line: socket.socket, word: bytes, number: int) -> int:
        line.send(b"%s %d" % (word, number))
        return _number(line)

    def _open(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        line, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            handle = there.fileno()
            process = self._popen(
                *("-m", "ocr_moe.run.workers.nursery", str(handle), *self._modules),
                stdin=subprocess.DEVNULL,
                pass_fds=[handle],
            )
        return process, line

    def _popen(self, *command: str, **more: Any) -> subprocess.Popen[bytes]:
        folders = [folder or os.getcwd() for folder in sys.path]
        # A group of its own: Ctrl-C is for us, who then let it finish what is under way.
        group: dict[str, Any] = {"process_group": 0}
        if sys.platform == "win32":
            group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        flags = ["-X", "utf8"] if sys.flags.utf8_mode else []
        return subprocess.Popen(
            [sys.executable, "-P", *flags, *command],
            stdout=subprocess.PIPE if "pass_fds" not in more else 2,  # what libraries print
            env={
                **dict.fromkeys(_THREADS, str(self._threads)),
                **os.environ,
                "PYTHONPATH": os.pathsep.join(folders),
            },
            **group,
            **more,
        )


class _Forked:
    """A worker out of a nursery."""

    def __init__(self, nursery: Nursery, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self._nursery = nursery

    def wait(self) -> int:
        return self._nursery.wait(self.pid)

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


def _number(line: socket.socket) -> int:
    data = line.recv(_LENGTH)
    if not data:
        raise ConnectionError("the process that starts workers is gone")
    return int(data)


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = socket.socket(fileno=int(sys.argv[1]))
    from ocr_moe.run.workers import worker

    for name in sys.argv[2:]:
        with contextlib.suppress(ImportError):  # is told by whoever needs it
            importlib.import_module(name)
    gc.freeze()  # what is shared is to stay so
    pipes = serve(line)
    if pipes is not None:
        worker.main(*pipes)


if __name__ == "__main__":
    main()

"""One worker process, as the run sees it: started, spoken to, and heard."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ocr_moe.permits import Outcome
from ocr_moe.run.workers.channel import Channel
from ocr_moe.run.workers.messages import (
    Acquire,
    Allowed,
    Book,
    Enter,
    Release,
    Reserve,
)
from ocr_moe.run.workers.nursery import Child
from ocr_moe.run.workers.offices import Offices

_ENDING = 10.0
"""Seconds that a process which is done may take to end."""


class WorkerProcess:
    """A process that makes records. What it tells is heard in a thread of its own, as
    `hear(process, message)`; None is the last thing heard, when it is gone."""

    def __init__(
        self, child: Child, offices: Offices, hear: Callable[[WorkerProcess, object], None]
    ) -> None:
        self.is_ready = False
        self._offices = offices
        self._hear = hear
        self._child = child
        self._status: int | None = None
        self._channel = Channel(child.stdout, child.stdin)
        self._lock = threading.Lock()
        self._permits: Counter[str] = Counter()
        """Endpoint → permits that it has."""
        self._reserved: Counter[str] = Counter()
        """Expert → requests that it has reserved money for."""
        self._is_gone = False
        self._thread = threading.Thread(target=self._listen, name="worker", daemon=True)
        self._thread.start()

    def send(self, message: object) -> None:
        """Where it is gone, which is heard, nothing happens."""
        with suppress(OSError, ValueError):
            self._channel.send(message)

    def let_go(self) -> None:
        """Let it end; where it has anything under way, it leaves that behind."""
        self._channel.end()

    def join(self) -> None:
        """Wait until it has ended, which it is made to where it takes long."""
        self._thread.join(_ENDING)
        if self._thread.is_alive():
            self.kill()
            self._thread.join()

    def kill(self) -> None:
        self._child.kill()

    @property
    def end(self) -> str:
        """How it ended, as the rest of a sentence."""
        if self._status is None:
            return "it is still there"
        if self._status == -getattr(signal, "SIGKILL", 9):
            return "SIGKILL, as the system sends it where memory runs out"
        try:
            return signal.Signals(-self._status).name
        except ValueError:
            return f"exit status {self._status}"

    def _listen(self) -> None:
        while True:
            try:
                message = self._channel.receive()
            except EOFError:
                break
            except Exception:  # what it says cannot be understood: it is of no use any more
                self._child.kill()
                break
            if not self._serves(message):
                self._hear(self, message)
        self._status = self._child.wait()
        self._channel.close()
        self._bury()
        self._hear(self, None)

    def _serves(self, message: Any) -> bool:
        """Whether it is a matter of permits and money, and done."""
        offices = self._offices
        match message:
            case Acquire(number, endpoint, limiter):
                offices.put(
                    lambda: offices.permits.acquire(endpoint, limiter),
                    lambda refusal: self._allow(number, refusal, self._permits, endpoint),
                )
            case Reserve(number, expert):
                offices.put(
                    lambda: offices.ledger.reserve(expert),
                    lambda refusal: self._allow(number, refusal, self._reserved, expert),
                )
            case Release(endpoint, outcome):
                with self._lock:
                    self._permits[endpoint] -= 1
                offices.release(endpoint, outcome)
            case Book(expert, money):
                if offices.ledger.limit is None:
                    offices.ledger.pay(expert, money)
                else:
                    with self._lock:
                        self._reserved[expert] -= 1
                    offices.ledger.book(expert, money)
            case Enter(money):
                offices.ledger.enter(money)
            case _:
                return False
        return True

    def _allow(
        self, number: int, refusal: BaseException | None, held: Counter[str], what: str
    ) -> None:
        with self._lock:
            gone = self._is_gone
            if refusal is None and not gone:
                held[what] += 1
        if refusal is None and gone:
            self._give_back(held, what)
        self.send(Allowed(number, refusal))

    def _bury(self) -> None:
        """What it held is others' again."""
        with self._lock:
            self._is_gone = True
        for held in (self._permits, self._reserved):
            for what in list(held.elements()):
                self._give_back(held, what)

    def _give_back(self, held: Counter[str], what: str) -> None:
        if held is self._permits:
            self._offices.release(what, Outcome(answered=False))
        else:
            self._offices.ledger.book(what, None)

"""A circuit breaker: a server that hangs or is away is left alone for a while.

The pattern is Nygard's (Release It!, 2007).  It is written here because pybreaker, the package for
it, holds its lock during a call and so would put one question at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LONGEST = 16
"""A pause that fails again and again grows up to so many times the first one."""


class Breaker:
    """Counts attempts that failed in a row. Safe to use from several threads.

    After `threshold` failures nobody is let through for `pause` seconds; then one attempt is, which
    ends the pause or begins one of twice the length.
    """

    def __init__(
        self, threshold: int, pause: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pauses = 0
        self._until = 0.0
        self._trying = False

    @property
    def failures(self) -> int:
        """Attempts that failed in a row."""
        return self._failures

    def wait(self) -> float:
        """0 where an attempt may be made, which is then to be told of; else seconds until one may."""
        with self._lock:
            if not self._pauses:
                return 0.0
            left = self._until - self._clock()
            if left <= 0 and not self._trying:
                self._trying = True
                return 0.0
            return max(left, 1.0)

    def succeeded(self) -> bool:
        """The server answered; whether it had been given up before."""
        with self._lock:
            was_open = self._pauses > 0
            self._failures = self._pauses = 0
            self._trying = False
            return was_open

    def failed(self) -> bool:
        """The server did not; whether it is given up just now, after it had answered."""
        with self._lock:
            self._failures += 1
            late = self._pauses > 0 and not self._trying  # under way when the pause began
            self._trying = False
            if self._failures < self._threshold or late:
                return False
            length = min(2**self._pauses, LONGEST) * self._pause
            self._until = self._clock() + length
            self._pauses += 1
            return self._pauses == 1

    def abandoned(self) -> None:
        """The attempt was given up by us: it says nothing about the server."""
        with self._lock:
            self._trying = False

"""How many requests are taken: those beyond are told to come again, and when."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from ocr_moe.settings import ServiceOptions
from ocr_moe.web.service.problems import Problem

_FIRST_GUESS = 2.0
"""Seconds that a request takes, before any was seen."""
_WEIGHT = 0.2
"""Of the latest request in the mean of their seconds."""
_LONGEST = 600
"""Seconds that anybody is told to wait."""


class Line:
    """The requests that are worked on, and those that wait. For one event loop."""

    def __init__(self, options: ServiceOptions) -> None:
        self._at_once = options.concurrency
        self._most = options.concurrency + options.queue
        self._seconds = _FIRST_GUESS
        self.present = 0

    @property
    def is_full(self) -> bool:
        return self.present >= self._most

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one request, given back at the end of the block unless that is put off.

        Raises Problem (429).
        """
        if self.is_full:
            wait = math.ceil(self._seconds * max(self.present, 1) / self._at_once)
            wait = min(max(wait, 1), _LONGEST)
            raise Problem(429, "busy", seconds=wait, headers={"Retry-After": str(wait)})
        place = Place(self)
        self.present += 1
        try:
            yield place
        finally:
            if not place.kept:
                place.leave()

    def took(self, seconds: float) -> None:
        """A request was worked on for so long."""
        self._seconds += _WEIGHT * (seconds - self._seconds)


class Place:
    def __init__(self, line: Line) -> None:
        self._line = line
        self.kept = False
        """Whether the request goes on after its block, which then calls `leave` itself."""

    def leave(self) -> None:
        self._line.present -= 1

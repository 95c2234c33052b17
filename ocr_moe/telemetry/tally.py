"""How a run is getting on, added up: for whoever waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from ocr_moe.observing import Observed
from ocr_moe.run.outcome import Progress
from ocr_moe.types import DOUBTFUL


class Tally:
    """Hears of every file that is done in one start of a run."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int, float] | None = None
        """When the first file was done, and how many files and documents were by then: what earlier
        starts had finished says nothing of the speed, nor does the time that models take to load."""
        self._files = self._left = 0
        self._records = 0.0
        self._strategies: set[str] = set()
        self._to_check = 0
        self.tokens = 0
        self.money = 0.0

    def progressed(self, progress: Progress) -> None:
        self._files = progress.done
        self._left = progress.total - progress.done
        for what, number, labels in progress.observations:
            match what:
                case Observed.DOCUMENTS:
                    self._strategies.add(labels[0])
                    self._records += number
                case Observed.CELLS if labels[1] in DOUBTFUL:
                    self._to_check += int(number)
                case Observed.TOKENS:
                    self.tokens += int(number)
                case Observed.MONEY:
                    self.money += number
        if self._first is None:
            self._first = self._clock(), self._files, self._documents

    @property
    def _documents(self) -> float:
        return self._records / max(1, len(self._strategies))

    @property
    def documents_a_second(self) -> float | None:
        """Since the first file was done; None until there is another."""
        return self._a_second(2)

    @property
    def seconds_left(self) -> float | None:
        """As many as the files that are left take at the speed so far."""
        speed = self._a_second(1)
        return self._left / speed if speed else None

    @property
    def to_check(self) -> int | None:
        """Cells of the documents of this start at which a person should look, before documents of one
        subject are weighed together; None where strategies are compared."""
        return self._to_check if len(self._strategies) <= 1 else None

    def _a_second(self, which: int) -> float | None:
        if self._first is None or self._files == self._first[1]:
            return None
        seconds = self._clock() - self._first[0]
        now = (seconds, self._files, self._documents)[which]
        return (now - self._first[which]) / seconds if seconds > 0 else None

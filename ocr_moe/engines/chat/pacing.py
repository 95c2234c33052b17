"""How many requests a server is sent at a time, learnt from how it answers.

Three signs are gone by.  What a server *refuses* (429, or 503 with a Retry-After) lowers the number
at once, by a tenth at least, and it grows back by one a round: additive increase, multiplicative
decrease (Chiu & Jain 1989, as TCP has it), so that several clients of one server come to like shares.
Its *rate of answers* says whether more at a time are of any use: the number grows fourfold a round
while the rate follows, and falls back to where it last did (the start-up of BBR, Cardwell et al. 2016).
A server that answers one at a time is found out so after one round: its rate stays, only its queue
grows.  And its *latency* bounds both: no more are under way than are answered, at the rate seen so far,
within half of what a request may take, so that none times out in a queue of our own making.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ocr_moe.permits import Outcome

AUTO = 64
"""Most requests at a time where the configuration leaves that to be learnt."""
_START = 16
"""After the first answer, if it came quickly enough."""
_STEP = 4
_USEFUL = 1.25
"""Growth is kept where the rate of answers has grown by a quarter (BBR's start-up gain)."""
_LEAST = 2
"""One is answered, one waits: less would leave a server idle between two answers."""
_BACK_OFF = 0.9
"""Of the number that was too much; Netflix's concurrency-limits has the same."""
_HOLD = 10
"""Rounds after a refusal in which no more than what was too much is tried again."""
_AGAIN = 50
"""Rounds after which a number that was found best is looked for anew: other clients come and go."""
_FULL = 0.8
"""Share of the number that is to be in use for a round to tell anything about it."""
_LONGEST_PAUSE = 60.0
"""Seconds for which a Retry-After is obeyed; a longer one is asked again for."""


@dataclass
class Pace:
    """A limiter (`ocr_moe.permits`) of one server. A *round* is as many answers as requests are let in
    at a time."""

    most: int
    patience: float
    """Seconds within which a request is to be answered: half of its timeout."""
    limit: float = 1.0
    """Requests that are let in at a time."""
    growing: bool = True
    """Whether the rate of answers still follows the number."""
    paused_until: float = 0.0
    _best: float = 0.0
    """The highest rate so far, in answers a second."""
    _knee: float = 1.0
    """The number at which it was found."""
    _hold: int = 0
    """Rounds in which the number stays."""
    _stalled: bool = False
    """Whether it stays because the rate did not follow it any further."""
    _ceiling: float = math.inf
    """What was too much."""
    _started: float | None = None
    """When this round began."""
    _answers: int = 0
    _fullest: int = 0
    """Most requests under way in this round."""
    _echoes: int = 0
    """Requests that were under way when the number was lowered: their end says nothing new."""

    @classmethod
    def fixed(cls, most: int, patience: float) -> Pace:
        """Begins with the most: the configuration says that the server takes so many."""
        return cls(most, patience, limit=float(most), growing=False)

    def wait(self, under_way: int, now: float) -> float:
        if now < self.paused_until:
            return self.paused_until - now
        return 0.0 if under_way < int(self.limit) else math.inf

    def ended(self, outcome: Outcome, under_way: int, now: float) -> None:
        if outcome.retry_after:
            until = now + min(outcome.retry_after, _LONGEST_PAUSE)
            self.paused_until = max(self.paused_until, until)
        echo = self._echoes > 0
        self._echoes = max(self._echoes - 1, 0)
        if outcome.overloaded:
            self._refused(under_way, echo)
        elif not outcome.answered:
            self._lost(under_way, echo)
        else:
            self._answered(outcome, under_way, now)

    def _refused(self, under_way: int, echo: bool) -> None:
        if echo:  # of the same burst: each one refused was one too many
            self._ceiling -= 1
            self.limit = max(1.0, min(self.limit, self._ceiling - 1))
            return
        self._ceiling = min(float(under_way), self.limit)
        self._lower(self._ceiling * _BACK_OFF, under_way)
        self._hold, self._stalled = 0, False

    def _lost(self, under_way: int, echo: bool) -> None:
        """A server that hangs or breaks connections is asked half as much."""
        if not echo:
            self._lower(self.limit / 2, under_way)
            self._hold = _HOLD

    def _lower(self, limit: float, under_way: int) -> None:
        self.limit = max(1.0, limit)
        self.growing = False
        self._echoes = under_way - 1
        self._begin(None)

    def _answered(self, outcome: Outcome, under_way: int, now: float) -> None:
        if self._started is None:
            self._started = now - outcome.seconds
        self._answers += 1
        self._fullest = max(self._fullest, under_way)
        if self._answers < int(self.limit):
            return
        rate = self._answers / max(now - self._started, 1e-3)
        full = self._fullest >= _FULL * int(self.limit)
        if full and not self._echoes:
            self._learn(rate)
        self._begin(now)

    def _learn(self, rate: float) -> None:
        """At the end of a round in which the number was in use."""
        if self.growing and rate >= _USEFUL * self._best:
            self._best, self._knee = rate, self.limit
            self.limit = _START if self.limit < _LEAST else self.limit * _STEP
        elif self.growing:
            self.growing, self._stalled, self._hold = False, True, _AGAIN
            self.limit = max(self._knee, _LEAST)
        elif self._hold:
            self._hold -= 1
        elif self._stalled:
            self.growing, self._stalled, self._best = True, False, 0.0
        elif self.limit + 1 >= self._ceiling:
            self._ceiling, self._hold = math.inf, _HOLD
        else:
            self.limit += 1
        most = min(self.most, max(_LEAST, rate * self.patience))
        self.limit = min(self.limit, most)

    def _begin(self, now: float | None) -> None:
        self._started, self._answers, self._fullest = now, 0, 0

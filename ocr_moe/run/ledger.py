"""What a run has asked and spent, and whether it may go on asking.

Money is reserved before it is spent: a request is made only where the dearest one of its expert so
far, for it and for each under way, stays within the limit.  As long as none of an expert is paid,
its requests go one by one.  So a limit is passed by no more than one request is dearer than all of
its expert before it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ocr_moe.budget import charged_to
from ocr_moe.errors import BudgetExceededError
from ocr_moe.permits import resume
from ocr_moe.types import Answer, Cost

_ROUNDING = 1e-9
"""Three times 0.1 is within 0.3."""


class Books(ABC):
    """Where questions to experts are entered and what they cost, in this process or in another.

    Safe to share between threads.
    """

    @abstractmethod
    def stop(self, why: BaseException) -> None:
        """From now on nobody is asked; what is under way goes on to its end. The first reason counts."""

    @abstractmethod
    def proceed(self) -> None:
        """Raises why nothing new is to be begun, where that is so."""

    @contextmanager
    def question(self, expert: str) -> Iterator[Question]:
        """One question to an expert, within which requests are charged to it.

        Raises BudgetExceededError, before anything is asked, where the budget does not allow it, and
        as `proceed` does.
        """
        question = Question(self, expert)
        self.proceed()
        self.reserve(expert)
        try:
            with charged_to(question):
                yield question
        finally:
            question.close()

    @abstractmethod
    def reserve(self, expert: str) -> None:
        """Before a request to an expert: waits, and raises, as `ocr_moe.budget.Account` does."""

    @abstractmethod
    def book(self, expert: str, money: float | None) -> None:
        """The end of a request, or of a question that was none: None where it came to nothing."""

    @abstractmethod
    def enter(self, money: float) -> None:
        """The end of a question, and what it cost beyond what was booked for it."""


class DistantBooks(Books):
    """Books that are kept elsewhere: with the run of a worker, or in the office of a cluster.

    Where nothing is limited nobody waits, and only what was paid is told.
    """

    def __init__(self, *, limited: bool) -> None:
        self._limited = limited
        self._why: BaseException | None = None

    def stop(self, why: BaseException) -> None:
        self._why = self._why or why

    def proceed(self) -> None:
        if self._why is not None:
            raise self._why

    def reserve(self, expert: str) -> None:
        if self._limited:
            self._ask_to_reserve(expert)
            resume()  # whoever asks may be no endpoint

    def book(self, expert: str, money: float | None) -> None:
        if self._limited or money:
            self._tell_booked(expert, money)

    @abstractmethod
    def _ask_to_reserve(self, expert: str) -> None:
        """Waits, perhaps without a place to compute at, and raises, as `reserve` does."""

    @abstractmethod
    def _tell_booked(self, expert: str, money: float | None) -> None: ...


class Ledger(Books):
    """What a run has asked and spent so far."""

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self._changed = threading.Condition()
        self._dearest: dict[str, float] = {}
        """Expert → its dearest request; not there as long as none is paid."""
        self._under_way: dict[str, int] = {}
        """Expert → requests that are being answered."""
        self.asked = 0
        """Questions put to an expert rather than found in the store."""
        self.money = 0.0
        self._promised = 0.0
        """What batches of requests that are under way cost at most."""
        self._why: BaseException | None = None
        self._hearing: tuple[Callable[[], None], ...] = ()

    def stop(self, why: BaseException) -> None:
        with self._changed:
            self._why = self._why or why
            self._changed.notify_all()
        for hear in self._hearing:
            hear()

    @contextmanager
    def telling(self, hear: Callable[[], None]) -> Iterator[None]:
        """Within, `hear` is called when nothing new is to be begun any more, perhaps amid a signal."""
        self._hearing = (*self._hearing, hear)
        try:
            if self._why is not None:
                hear()
            yield
        finally:
            self._hearing = tuple(each for each in self._hearing if each is not hear)

    def proceed(self) -> None:
        if self._why is not None:
            raise self._why

    def reserve(self, expert: str) -> None:
        with self._changed:
            while self.limit is not None and not self._affords(expert, self.limit):
                if self.money >= self.limit or not any(self._under_way.values()):
                    raise self._exceeded(expert, self.limit)
                self._changed.wait()
                self.proceed()
            self._under_way[expert] = self._under_way.get(expert, 0) + 1

    def _affords(self, expert: str, limit: float) -> bool:
        if self.money >= limit:
            return False
        if expert not in self._dearest:
            return not self._under_way.get(expert)
        reserved = sum(
            count * self._dearest.get(name, 0.0) for name, count in self._under_way.items()
        )
        spoken_for = self.money + self._promised + reserved
        return spoken_for + self._dearest[expert] <= limit * (1 + _ROUNDING)

    def affords_later(self, money: float) -> bool:
        """Whether requests that cost so much at most may be submitted on top of all that is."""
        with self._changed:
            spoken_for = self.money + self._promised + money
            return self.limit is None or spoken_for <= self.limit * (1 + _ROUNDING)

    def promise(self, money: float) -> None:
        """A batch is under way that costs so much at most."""
        with self._changed:
            self._promised += money

    def keep_promise(self, promised: float, money: float) -> None:
        """A batch for which so much was promised has ended, and what it cost."""
        with self._changed:
            self._promised -= promised
            self.money += money
            self._changed.notify_all()

    def _exceeded(self, expert: str, limit: float) -> BudgetExceededError:
        why = (
            f"--max-cost {limit:g} is reached (spent {self.money:.4g})"
            if self.money >= limit
            else f"--max-cost {limit:g} does not allow for another request to {expert}, which may cost "
            f"{self._dearest.get(expert, 0.0):.4g} (spent {self.money:.4g})"
        )
        return BudgetExceededError(
            f"{why}; run again with a higher one to go on where this stopped"
        )

    def book(self, expert: str, money: float | None) -> None:
        with self._changed:
            self._under_way[expert] -= 1
            self._paid(expert, money)

    def pay(self, expert: str, money: float | None) -> None:
        """The end of a request that was not reserved for, or no longer is: it was paid all the same."""
        with self._changed:
            self._paid(expert, money)

    def _paid(self, expert: str, money: float | None) -> None:
        if money is not None:
            self.money += money
            self._dearest[expert] = max(self._dearest.get(expert, 0.0), money)
        self._changed.notify_all()

    def enter(self, money: float) -> None:
        with self._changed:
            self.asked += 1
            self.money += money


class Question:
    """The account of one question (`ocr_moe.budget.Account`)."""

    def __init__(self, books: Books, expert: str) -> None:
        self._books = books
        self._expert = expert
        self._lock = threading.Lock()
        self._first = True
        """Whether what was reserved for the question itself is still to be used."""
        self._booked = 0.0
        """Of the question's cost, what is in the books already."""

    def reserve(self) -> None:
        with self._lock:
            first, self._first = self._first, False
        if not first:
            self._books.reserve(self._expert)

    def book(self, money: float | None) -> None:
        with self._lock:
            self._booked += money or 0.0
        self._books.book(self._expert, money)

    def prepaid(self, money: float) -> None:
        with self._lock:
            self._booked += money

    def settle(self, cost: Cost) -> None:
        """The end of the question, and what the expert says that it cost.

        What was booked along the way is part of that; an expert that books nothing is charged here.
        """
        with self._lock:
            first, self._first = self._first, False
            rest = max(0.0, cost.money - self._booked)
        if first:
            self._books.book(self._expert, rest)
            rest = 0.0
        self._books.enter(rest)

    def close(self) -> None:
        """Lets go of what was reserved for a question that came to nothing."""
        with self._lock:
            first, self._first = self._first, False
        if first:
            self._books.book(self._expert, None)


def unasked(answer: Answer) -> tuple[str, ...]:
    """The fields of an answer that the budget did not allow to be asked for."""
    return tuple(
        reading.field
        for reading in answer.readings
        if reading.error is not None and reading.error.type == BudgetExceededError.__name__
    )

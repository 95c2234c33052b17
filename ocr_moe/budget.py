"""What a question may spend: lent by whoever runs a batch to whoever pays while answering.

A question to an expert may be many requests, each paid for.  Whoever makes them asks `account()`
for the account of the question that is being answered, and books each request there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Account(Protocol):
    """The account of one question. Safe to share between threads."""

    def reserve(self) -> None:
        """Before a request. Waits while requests under way may still exhaust the budget; raises
        BudgetExceededError where it does not allow for another one."""

    def book(self, money: float | None) -> None:
        """After a request that was reserved for: what it cost, or None where it came to nothing."""

    def prepaid(self, money: float) -> None:
        """Of what the answer costs, so much was booked before the question was put."""


class Unlimited:
    """An account that allows everything."""

    def reserve(self) -> None:
        return

    def book(self, money: float | None) -> None:
        return

    def prepaid(self, money: float) -> None:
        return


_ACCOUNT: ContextVar[Account | None] = ContextVar("account", default=None)


def account() -> Account:
    """The account of the question that this thread answers; an unlimited one where there is none."""
    return _ACCOUNT.get() or Unlimited()


@contextmanager
def charged_to(account: Account) -> Iterator[None]:
    """Within, this thread answers the question of that account."""
    token = _ACCOUNT.set(account)
    try:
        yield
    finally:
        _ACCOUNT.reset(token)

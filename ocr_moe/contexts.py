"""Values of this thread's context in the threads that work for it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def with_value_here(
    variable: ContextVar[Any], work: Callable[Arguments, Result]
) -> Callable[Arguments, Result]:
    """Work for another thread, in which the variable is what it is in this one now.

    A copy of the whole context would not do: a document's place and its spans are of one thread.
    """
    value = variable.get()

    def within(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        token = variable.set(value)
        try:
            return work(*args, **kwargs)
        finally:
            variable.reset(token)

    return within

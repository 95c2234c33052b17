"""Python's search for garbage, held off where it finds none.

Values are frozen and refer to no one who refers to them, so they go as soon as nobody holds them. While
many of them are made Python looks through all there are, again and again, for cycles: a third of the
time of a large export.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Do the block without it; for work whose garbage has no cycles, or few. Not nested across threads:
    the last one to leave turns it on for all."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

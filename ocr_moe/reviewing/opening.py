"""Opening a run for review: whose records people look at, and what its files do not hold yet."""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.errors import UsageError
from ocr_moe.run.exporting import told
from ocr_moe.store.database import Store
from ocr_moe.workshop.config import Config

_WRITTEN = "written"
"""Under which the store keeps the last judgement that the run's files hold."""


def reviewed_strategy(strategies: Sequence[str], config: Config, wanted: str | None) -> str:
    """The strategy whose records people look at: the one named, else the configuration's default,
    else the first. Raises UsageError for one that the run does not have."""
    if wanted is not None:
        if wanted not in strategies:
            known = ", ".join(strategies)
            raise UsageError(f"the run has no strategy {wanted!r}; it has {known}")
        return wanted
    return config.strategy if config.strategy in strategies else strategies[0]


def unwritten(store: Store) -> int:
    """How much people said that the files of a run do not hold yet. A desk that was killed leaves them
    behind its store. Raises StoreError."""
    return max(store.last_judgement() - told(store, _WRITTEN, int, 0), 0)


def mark_written(store: Store, judgement: int) -> None:
    """Note the last judgement that the run's files hold; 0 for none. Raises StoreError."""
    store.set_meta(_WRITTEN, judgement)

"""Answers that were paid for elsewhere, and written down beside the run's store until they are in it."""

from __future__ import annotations

from pathlib import Path

from ocr_moe.store.database import Store
from ocr_moe.store.portions import all_answers, put_portions

KEPT = "paid.sqlite"
"""Beside the run's store, as long as a cluster works for the run, or after it was lost."""


def take_kept(store: Store) -> None:
    """Put into a run's store what is kept beside it, whoever wrote it. Raises StoreError."""
    file = store.path.parent / KEPT
    if not file.exists():
        return
    with Store(file) as kept:
        put_portions(store, [all_answers(kept)])
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)

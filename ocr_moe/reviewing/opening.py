"""Opening a run for review: its store, its own configuration, and who decides there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ocr_moe.errors import StoreError, UsageError
from ocr_moe.run.batch import STORE
from ocr_moe.run.exporting import own_configuration, schemas_of, told
from ocr_moe.schema import Schema, load_schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, load_config, shipped_schemas

_WRITTEN = "written"
"""Under which the store keeps the last judgement that the run's files hold."""


@dataclass(frozen=True)
class OpenedRun:
    """A run that is open for writing; nobody else writes it meanwhile."""

    folder: Path
    store: Store
    config: Config
    workshop: Workshop
    """Builds what decides over recorded answers; it asks no server."""
    schemas: tuple[Schema, ...]
    strategies: tuple[str, ...]


def open_run(folder: Path, config: Config | None = None) -> OpenedRun:
    """Open the run of a folder. Without a configuration it is the run's own.

    Raises StoreError where there is no run, another process writes it, or its store cannot be used;
    UsageError where it has no records yet; ConfigError.
    """
    file = folder / STORE
    if not file.is_file():
        what = "is not a folder of a run" if folder.exists() else "is not there"
        raise StoreError(f"{folder} {what}: name the folder that `extract` or `compare` wrote")
    store = Store(file)
    try:
        strategies = store.strategies()
        if not strategies:
            raise UsageError(
                f"{folder}: the run has no records yet; finish it with `extract` first"
            )
        schemas = tuple(map(_with_lists, schemas_of(store)))
        chosen = config or own_configuration(store) or load_config()
        workshop = Workshop(chosen, recorded=store, offline=True)
        workshop.validate()
    except BaseException:
        store.close()
        raise
    return OpenedRun(folder, store, chosen, workshop, schemas, tuple(strategies))


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


def _with_lists(schema: Schema) -> Schema:
    """A run's schema with the places of its lists of names on this machine, where the shipped schema of
    that name has the same lists. A store keeps what a list held and not where it was."""
    shipped = shipped_schemas().get(schema.name)
    if shipped is None:
        return schema
    here = load_schema(shipped)
    places = {
        (field.name, field.lexicon.digest): field.lexicon
        for field in here.fields
        if field.lexicon is not None
    }
    fields = tuple(
        field.model_copy(
            update={"lexicon": places.get((field.name, field.lexicon.digest), field.lexicon)}
        )
        if field.lexicon is not None
        else field
        for field in schema.fields
    )
    return schema.model_copy(update={"fields": fields})

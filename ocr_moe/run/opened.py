"""A run's store opened to go on with: its own configuration, and who decides there, asking nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocr_moe.errors import StoreError, UsageError
from ocr_moe.run.batch import STORE
from ocr_moe.run.exporting import own_configuration, schemas_of
from ocr_moe.schema import Schema, load_schema
from ocr_moe.store.database import Store
from ocr_moe.store.opening import is_begun
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, load_config, shipped_schemas


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
        return opened(folder, store, config)
    except BaseException:
        store.close()
        raise


def opened(folder: Path, store: Store, config: Config | None = None) -> OpenedRun:
    """The run of a store that is open. Raises as `open_run` does."""
    strategies = store.strategies()
    if not strategies:
        raise UsageError(f"{folder}: the run has no records yet; finish it with `extract` first")
    schemas = tuple(map(_with_lists, schemas_of(store)))
    chosen = config or own_configuration(store) or load_config()
    workshop = Workshop(chosen, recorded=store, offline=True)
    workshop.validate()
    return OpenedRun(folder, store, chosen, workshop, schemas, tuple(strategies))


def choice_of(folder: Path) -> frozenset[str]:
    """Names of the schemas among which the run of a folder chooses; empty where there is no run that
    does, or its store cannot be read."""
    file = folder / STORE
    if not is_begun(file):
        return frozenset()
    try:
        with Store(file, write=False) as store:
            names = frozenset(schema.name for schema in schemas_of(store))
    except StoreError:  # told where the run goes on
        return frozenset()
    return names if len(names) > 1 else frozenset()


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

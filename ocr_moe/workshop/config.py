"""Configuration: what the user may set, read from YAML and laid over the shipped defaults.

A user's file holds only what differs. Mappings are merged key by key, except that a component
(anything with a `kind`) of another kind replaces the default one whole. Secrets are never here:
keys come from environment variables that the configuration names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field as PydanticField
from pydantic import ValidationError

from ocr_moe.errors import ConfigError, SchemaError
from ocr_moe.formats.yamlfile import read_yaml, validation_sentences
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.routing.dossiers import DossierParams
from ocr_moe.schema import Schema, load_schema
from ocr_moe.settings import ClusterOptions, Component, ReviewOptions, ServiceOptions, TruthOptions
from ocr_moe.types import Value


class StrategyConfig(Value):
    """A named way to get from documents to decisions."""

    title: str = ""
    """Heads its columns in workbooks and reports; by default the strategy's name."""
    description: str = ""
    """What it does, in a sentence for `ocr-moe strategies`."""
    gate: Component
    """Who is asked what: a component of the group gates."""
    combiner: Component
    """What the readings come to: a component of the group combiners."""
    dossiers: DossierParams | None = None
    """How documents of one subject weigh on one another; null: each document stands alone."""


class Config(Value):
    """The whole configuration; docs/configuration.md, made from these words, tells every key."""

    images: ImageLimits = ImageLimits()
    """How files are decoded, and what is refused."""
    workers: int = PydanticField(default=2, ge=1)
    """Documents that are read at once, each in a process of its own where there are enough of them.
    Those that wait for an endpoint are not counted."""
    ocr: str = "ppocr"
    """The engine that reads pages, by its name under `engines`."""
    remove_seals: bool = True
    """Whether red seals are faded before a page is read; text under them is found that way."""
    engines: dict[str, Component] = {}
    """OCR engines by name."""
    recognizers: dict[str, Component] = {}
    """Recognisers of single lines by name."""
    symbols: dict[str, Component] = {}
    """Readers of QR codes, bar codes and the like, by name."""
    chat: dict[str, Component] = {}
    """Chat endpoints by name; the name is part of their environment variables."""
    experts: dict[str, Component] = {}
    """Experts by name."""
    strategies: dict[str, StrategyConfig] = {}
    """Strategies by name."""
    strategy: str = "moe"
    """The strategy of `extract` when none is named."""
    schemas: tuple[str, ...] = ()
    """Further schema files, looked at by `--schema auto` and found by name."""
    truth: TruthOptions = TruthOptions()
    """How verified sheets are read."""
    review: ReviewOptions = ReviewOptions()
    """How people review a run."""
    cluster: ClusterOptions = ClusterOptions()
    """How `--runner ray` spreads files over machines."""
    service: ServiceOptions = ServiceOptions()
    """What the service takes, and how much at once."""


SCHEMA_OF_SCHEMAS = "schema.json"
"""In the shipped `config/`: the JSON Schema of a schema's file, for editors."""


def config_folder() -> Path:
    """The shipped `config/`: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "_config"
    return packaged if packaged.is_dir() else package.parent / "config"


def load_config(path: Path | None = None) -> Config:
    """The defaults with the user's file laid over them. Raises ConfigError."""
    shipped = config_folder() / "default.yaml"
    data: dict[str, Any] = read_yaml(shipped, ConfigError)
    if path is not None:
        data = _overlay(data, read_yaml(path, ConfigError))
    return _validated(data, path or shipped)


def _validated(data: Mapping[str, Any], path: Path) -> Config:
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {validation_sentences(error, Config, path)}") from error


def _overlay(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            other_kind = "kind" in value and value["kind"] != before.get("kind")
            merged[key] = value if other_kind else _overlay(before, value)
        else:
            merged[key] = value
    return merged


def shipped_schemas() -> dict[str, Path]:
    """Name → file of the schemas that come with ocr_moe."""
    return {path.stem: path for path in sorted((config_folder() / "schemas").glob("*.yaml"))}


def find_schema(name: str) -> Schema:
    """A schema by its shipped name or by the path of a YAML file. Raises SchemaError."""
    shipped = shipped_schemas()
    if name in shipped:
        return load_schema(shipped[name])
    if name.endswith((".yaml", ".yml")) or Path(name).is_file():
        return load_schema(Path(name))
    raise SchemaError(
        f"no schema {name!r}; there are {', '.join(shipped)}, auto, or a path to a YAML file"
    )


def candidate_schemas(config: Config, begun: Collection[str] = ()) -> tuple[Schema, ...]:
    """What `--schema auto` chooses from: the shipped schemas and the configured ones. Of the shipped
    ones those alone among which a run has `begun` to choose, if it has."""
    ships = shipped_schemas()
    shipped = [load_schema(path) for name, path in ships.items() if not begun or name in begun]
    return (*shipped, *(load_schema(Path(path)) for path in config.schemas))

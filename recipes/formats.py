"""Make the JSON Schemas of the written formats from the models behind them.

    python -m recipes.formats

They lie in ocr_moe/formats/schemas and are shipped with the package; docs/formats.md tells what the
keys mean.  config/schema.json is of what people write, the files of schemas: for their editors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

import ocr_moe
from ocr_moe.evaluation.scores import Scores
from ocr_moe.exports.forms import (
    DocumentFile,
    OcrLine,
    RecordLine,
    WrittenDecision,
    WrittenDocument,
    WrittenEvidence,
    WrittenReading,
)
from ocr_moe.formats.files import write_text
from ocr_moe.run.manifest import Manifest, StrategyManifest
from ocr_moe.schema import Schema
from ocr_moe.types import Line, PageText
from ocr_moe.workshop.config import SCHEMA_OF_SCHEMAS, config_folder
from recipes.configuration import attribute_docstrings, nested

FOLDER = Path(ocr_moe.__file__).parent / "formats" / "schemas"
EDITORS = config_folder() / SCHEMA_OF_SCHEMAS
FORMS: Mapping[str, type[BaseModel]] = {
    "record": RecordLine,
    "document": DocumentFile,
    "run": Manifest,
    "scores": Scores,
    "page_ocr": OcrLine,
}
LEFT_OUT = {
    WrittenEvidence.__name__: {"page"},
    WrittenReading.__name__: {"idle"},
    WrittenDecision.__name__: {"reviewer", "at"},
    WrittenDocument.__name__: {"region"},
    RecordLine.__name__: {"blank", "set_aside", "conflicts"},
    DocumentFile.__name__: {"blank", "set_aside", "conflicts"},
    Manifest.__name__: {"repeated"},
    StrategyManifest.__name__: {"contradicting_documents"},
    OcrLine.__name__: {"format"},
    PageText.__name__: {"blank", "region", "cost"},
    Line.__name__: {"exact", "key"},
    Scores.__name__: {"texts"},
}
"""Keys that need not be there, by the title of what they belong to."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what is written. Further keys are allowed: some may be added."""
    schema = model.model_json_schema(mode="serialization")
    for part in _objects(schema):
        optional = LEFT_OUT.get(part.get("title", ""), set())
        part["required"] = [key for key in part["properties"] if key not in optional]
        del part["additionalProperties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def editors_schema() -> dict[str, Any]:
    """JSON Schema of a schema's file. It says what each key means, and takes no other keys."""
    schema = Schema.model_json_schema(mode="validation", by_alias=True)
    models: list[type[BaseModel]] = [Schema, *nested([Schema])]
    told = {model.__name__: model for model in models}
    for part in _objects(schema):
        model = told[part.get("title", "")]
        words = attribute_docstrings(model)
        for name, info in model.model_fields.items():
            key = info.alias or name
            part["properties"][key].pop("title", None)
            if name in words:
                part["properties"][key]["description"] = " ".join(words[name].split())
    _take_numbers_for_text(schema)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def _take_numbers_for_text(schema: Any) -> None:
    """`labels: [007, No]` is text to whoever reads a schema, whatever YAML makes of it."""
    if isinstance(schema, dict):
        if schema.get("type") == "string" and "enum" not in schema and "const" not in schema:
            schema["type"] = ["string", "number", "boolean"]
        for part in schema.values():
            _take_numbers_for_text(part)
    elif isinstance(schema, list):
        for part in schema:
            _take_numbers_for_text(part)


def as_text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object with named properties."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from _objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _objects(part)


def main(folder: Path = FOLDER) -> None:
    """Write the JSON Schemas of the written formats from their models."""
    for name, model in FORMS.items():
        write_text(folder / f"{name}.json", as_text(schema_of(model)))
        typer.echo(folder / f"{name}.json")
    write_text(EDITORS, as_text(editors_schema()))
    typer.echo(EDITORS)


if __name__ == "__main__":
    typer.run(main)

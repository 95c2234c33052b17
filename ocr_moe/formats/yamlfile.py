"""Reading YAML and saying what is wrong with it, for configuration and schemas alike."""

from __future__ import annotations

import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from ocr_moe.errors import UsageError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language either way; the one in C reads a calibration ten times faster."""


def read_yaml(path: Path, error_type: type[UsageError]) -> Any:
    """The parsed content of a YAML file (mapping at the top). Raises `error_type`."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise error_type(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise error_type(f"{path}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise error_type(f"{path}: not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise error_type(f"{path}: expected a mapping of keys to values at the top")
    return data


def write_yaml(data: Any) -> str:
    """YAML text for people: keys in their order, Chinese as it is."""
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)


def validation_sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per problem; an unknown key is answered with the nearest known one."""
    sentences = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            key = str(problem["loc"][-1])
            known = sorted(_keys_of(model))
            near = process.extractOne(key, known, score_cutoff=60)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            sentences.append(f"{where}: unknown key {key!r}{hint}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            sentences.append(f"{where}: {message}" if where else message)
    return "; ".join(sentences)


def _keys_of(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> set[str]:
    seen = seen if seen is not None else set()
    if model in seen:
        return set()
    seen.add(model)
    keys = set(model.model_fields)
    for info in model.model_fields.values():
        for nested in _models_in(info.annotation):
            keys |= _keys_of(nested, seen)
    return keys


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models_in(part)]

"""Reading YAML and saying what is wrong with it, for configuration and schemas alike."""

from __future__ import annotations

import datetime as dt
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from ocr_moe.errors import UsageError

_LARGEST = 16 * 2**20
"""Bytes of a file; the largest of ours has a thousandth of that."""
_DEEPEST = 100
"""Levels of nesting; ours have ten."""
_MOST = 1_000_000
"""Values, those that aliases repeat counted again."""

_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same language either way; the one in C reads a calibration ten times faster."""


class _Loader(_Safe):  # type: ignore[misc]
    """YAML without keys that overwrite one another, and with a place for what is no date or number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands here twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_checked(self, node: Any) -> Any:
        try:
            return getattr(self, _CHECKED[node.tag])(node)
        except (ValueError, OverflowError, LookupError, AttributeError) as error:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value[:40]!r} is taken for a {_CHECKED[node.tag][15:]} and is none; put "
                "it in quotation marks",
                node.start_mark,
            ) from error


_MERGE = "tag:yaml.org,2002:merge"
_CHECKED = {
    "tag:yaml.org,2002:int": "construct_yaml_int",
    "tag:yaml.org,2002:float": "construct_yaml_float",
    "tag:yaml.org,2002:timestamp": "construct_yaml_timestamp",
    "tag:yaml.org,2002:bool": "construct_yaml_bool",
    "tag:yaml.org,2002:binary": "construct_yaml_binary",
}
for _tag in _CHECKED:
    _Loader.add_constructor(_tag, _Loader.construct_checked)


def read_yaml(path: Path, error_type: type[UsageError]) -> Any:
    """The parsed content of a YAML file (mapping at the top). Raises `error_type`."""
    return parse_yaml(_text_of(path, error_type), path, error_type)


def parse_yaml(text: str, path: Path, error_type: type[UsageError]) -> Any:
    """The same of a text that stands, or is to stand, in a file of that name. What the error comes from
    may have a `problem_mark`."""
    try:
        _measure_depth(text)
        data = yaml.load(text, _Loader)
        _measure(data)
    except yaml.YAMLError as error:
        told = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        raise error_type(f"{path}: not valid YAML: {told}") from error
    except _UnfitError as error:
        raise error_type(f"{path}: not usable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise error_type(f"{path}: expected a mapping of keys to values at the top")
    return data


class _UnfitError(Exception):
    """Valid YAML that is no configuration of anything."""


def _text_of(path: Path, error_type: type[UsageError]) -> str:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise error_type(f"{path}: is a device or pipe, not a file")
        if path.stat().st_size > _LARGEST:
            raise error_type(
                f"{path}: larger than {_LARGEST // 2**20} MB; that is no configuration"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise error_type(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        raise error_type(f"{path}: cannot be read ({error})") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise error_type(f"{path}: the text is not UTF-8; save it as UTF-8 ({error})") from error


def _measure_depth(text: str) -> None:
    """Refuse nesting that would exhaust the stack of the loader, which recurses in C."""
    depth = 0
    for event in yaml.parse(text, _Safe):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                mark = event.start_mark
                where = f" (line {mark.line + 1})" if mark is not None else ""
                raise _UnfitError(f"more than {_DEEPEST} levels within one another{where}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _measure(data: Any) -> None:
    """Refuse what aliases make endless or huge, and characters that no file can hold."""
    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def size(value: Any) -> int:
        if isinstance(value, str):
            if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
                raise _UnfitError(f"half a character (surrogate) in {ascii(value)[:40]}")
            return 1
        if not isinstance(value, dict | list | set | tuple):
            return 1
        known = sizes.get(id(value))
        if known is None:
            if id(value) in under_way:
                raise _UnfitError("an alias stands within what it stands for")
            under_way.add(id(value))
            parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
            known = sizes[id(value)] = 1 + sum(map(size, parts))
            under_way.discard(id(value))
        if known > _MOST:
            raise _UnfitError(f"aliases make more than {_MOST:,} values of it")
        return known

    size(data)


def write_yaml(data: Any) -> str:
    """YAML text for people: keys in their order, Chinese as it is."""
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=100)


def validation_sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """One line per problem; an unknown key is answered with the nearest known one."""
    return "; ".join(sentence for _, sentence in validation_problems(error, model))


def validation_problems(
    error: ValidationError, model: type[BaseModel]
) -> list[tuple[tuple[str | int, ...], str]]:
    """The same, each with the keys and places in lists that lead to it."""
    sentences: list[tuple[tuple[str | int, ...], str]] = []
    for problem in error.errors(include_url=False):
        loc = problem["loc"]
        where = ".".join(str(part) for part in loc)
        if problem["type"] == "extra_forbidden":
            key = str(problem["loc"][-1])
            known = sorted(_keys_of(model) - {key})
            near = process.extractOne(key, known, score_cutoff=60)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            sentences.append((loc, f"{where}: unknown key {key!r}{hint}"))
        else:
            message = problem["msg"].removeprefix("Value error, ") + _as_yaml_sees(problem)
            sentences.append((loc, f"{where}: {message}" if where else message))
    return sentences


def _as_yaml_sees(problem: Any) -> str:
    """Why a text is none: YAML takes `no` for false, 0012 and 2019-06-20 for a number and a date."""
    value = problem["input"]
    if problem["type"] != "string_type" or not isinstance(value, bool | int | float | dt.date):
        return ""
    return f" (YAML reads {str(value)[:40]} here, no text; put what is meant in quotation marks)"


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

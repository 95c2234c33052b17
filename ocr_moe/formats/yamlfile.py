"""Reading YAML and saying what is wrong with it, for configuration and schemas alike."""

from __future__ import annotations

import codecs
import datetime as dt
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from rapidfuzz import process

from ocr_moe.errors import UsageError
from ocr_moe.formats.yamltraps import TrapError, Traps, advice

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

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` names, each key once: merged again and again, a few would be millions."""
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        if len(own) == len(node.value):
            return
        merges = [value for key, value in node.value if key.tag == _MERGE]
        node.value = own  # first, for a mapping that is merged into itself
        merged: dict[Any, Any] = {}
        for value in merges:
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(part, yaml.MappingNode):
                    raise yaml.constructor.ConstructorError(
                        None, None, "`<<` takes keys and values, or a list of such", part.start_mark
                    )
                self.flatten_mapping(part)
                self._merged += len(part.value)
                if self._merged > _MOST:
                    raise _UnfitError(f"`<<` merges more than {_MOST:,} values")
                for pair in part.value:
                    merged.setdefault(_name_of(pair[0]), pair)
        given = {_name_of(key) for key, _ in own}
        node.value = [pair for name, pair in merged.items() if name not in given] + own

    _merged = 0

    def construct_checked(self, node: Any) -> Any:
        number = node.tag in _NUMBERS and isinstance(node, yaml.ScalarNode)
        if number and _TWO_WAYS.fullmatch(node.value):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value[:40]!r} is another number to YAML than to people: digits behind a "
                "leading zero count by eights, and those around a colon by sixties; write the number "
                "without, or a text in quotation marks",
                node.start_mark,
            )
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
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_TWO_WAYS = re.compile(r"[-+]?(?:0[0-7_]*[1-9][0-7_]*|[0-9_.]+(?::[0-9_.]+)+)")
for _tag in _CHECKED:
    _Loader.add_constructor(_tag, _Loader.construct_checked)
_Loader.add_constructor(_MERGE, _Loader.construct_yaml_str)  # a value `<<`, which merges nothing


class _TextLoader(_Loader):
    """YAML in which whatever stands there is the text that stands there: `no`, 007, 12:30, 2024-01-02.

    What is to be a number or a truth value becomes one where it is validated.
    """


_TextLoader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] in (_MERGE, "tag:yaml.org,2002:null")]
    for first, resolvers in _Safe.yaml_implicit_resolvers.items()
}


def _name_of(key: Any) -> Any:
    """What tells a key from others of its mapping."""
    return (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key)


def read_yaml(path: Path, error_type: type[UsageError], *, texts: bool = False) -> Any:
    """The parsed content of a YAML file (mapping at the top), all its values as `texts` where people
    write words into it and numbers are few. Raises `error_type`."""
    return parse_yaml(_text_of(path, error_type), path, error_type, texts=texts)


def parse_yaml(text: str, path: Path, error_type: type[UsageError], *, texts: bool = False) -> Any:
    """The same of a text that stands, or is to stand, in a file of that name. What the error comes from
    may have a `problem_mark`."""
    try:
        _look_through(text)
        data = yaml.load(text, _TextLoader if texts else _Loader)
        _measure(data)
    except yaml.YAMLError as error:
        told = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        raise error_type(f"{path}: not valid YAML: {told}{advice(text, error)}") from error
    except TrapError as error:
        raise error_type(f"{path}: {error}") from error
    except _UnfitError as error:
        raise error_type(f"{path}: not usable as YAML: {error}") from error
    except RecursionError as error:
        raise error_type(f"{path}: not usable as YAML: `<<` merges too many times over") from error
    if not isinstance(data, dict):
        empty = "the file is empty" if data is None else f"it is {str(data)[:40]!r}"
        raise error_type(f"{path}: expected a mapping of keys to values at the top; {empty}")
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
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        looks = f"it looks like {like}; " if (like := _looks_like(data)) else ""
        raise error_type(
            f"{path}: the text is not UTF-8; save it as UTF-8 ({looks}line {line}: {error.reason})"
        ) from error


def _looks_like(data: bytes) -> str:
    """The encoding of a file that is not in UTF-8, where that can be told: pairs of high bytes and no
    others are Chinese; letters with accents stand alone among ASCII."""
    try:
        text = data.decode("gb2312")
    except UnicodeDecodeError:
        return ""
    return "GBK, which Windows calls ANSI" if sum(not char.isascii() for char in text) > 1 else ""


def _look_through(text: str) -> None:
    """Refuse what means something else than it says, and nesting that would exhaust the stack of the
    loader, which recurses in C."""
    depth = 0
    traps = Traps(text)
    for event in yaml.parse(text, _Safe):
        traps.see(event)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                mark = event.start_mark
                where = f" (line {mark.line + 1})" if mark is not None else ""
                raise _UnfitError(f"more than {_DEEPEST} levels within one another{where}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    traps.finish()


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


def validation_sentences(
    error: ValidationError, model: type[BaseModel], path: Path | None = None
) -> str:
    """One line per problem, with that of the file where it is named; an unknown key is answered with the
    nearest known one."""
    root = _nodes_of(path) if path is not None else None
    sentences = []
    for loc, sentence in validation_problems(error, model):
        line = line_of(root, loc)
        sentences.append(f"line {line}, {sentence}" if line else sentence)
    return "; ".join(sentences)


def validation_problems(
    error: ValidationError, model: type[BaseModel]
) -> list[tuple[tuple[str | int, ...], str]]:
    """The same without lines, each with the keys and places in lists that lead to it."""
    problems = error.errors(include_url=False)
    wrong = [problem["loc"] for problem in problems]
    sentences: list[tuple[tuple[str | int, ...], str]] = []
    for problem in problems:
        loc = problem["loc"]
        if problem["type"] == "too_short" and any(_within(loc, other) for other in wrong):
            continue  # items that are wrong themselves are not counted
        where = ".".join(str(part) for part in loc)
        if problem["type"] == "extra_forbidden":
            sentences.append((loc, f"{where}: {_unknown(str(loc[-1]), model)}"))
        else:
            message = problem["msg"].removeprefix("Value error, ") + _as_yaml_sees(problem)
            sentences.append((loc, f"{where}: {message}" if loc else message))
    return sentences


def _unknown(key: str, model: type[BaseModel]) -> str:
    keys = _keys_of(model)
    for colon in ":：":
        name, parted, _ = key.partition(colon)
        if parted and name in keys:
            return f"unknown key {key!r}; behind a key stand a colon and a space: {name}: …"
    near = process.extractOne(key, sorted(keys - {key}), score_cutoff=60)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _within(outer: Sequence[Any], inner: Sequence[Any]) -> bool:
    return len(inner) > len(outer) and tuple(inner[: len(outer)]) == tuple(outer)


def _nodes_of(path: Path) -> Any:
    """The file as it is written, for the lines in it; None where it cannot be read again."""
    try:
        return nodes_in(_text_of(path, UsageError))
    except UsageError:
        return None


def nodes_in(text: str) -> Any:
    """A YAML text as it is written, for the lines in it; None where it is none."""
    try:
        return yaml.compose(text, _Safe)
    except yaml.YAMLError:
        return None


def line_of(node: Any, loc: Sequence[Any]) -> int | None:
    """The line of what a problem is about, or of as much of its place as the file has."""
    line = None
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _as_yaml_sees(problem: Any) -> str:
    """Why a text is none, or a list: YAML takes `no` for false, 2019-06-20 for a date."""
    value, kind = problem["input"], problem["type"]
    if kind == "string_type" and isinstance(value, bool | int | float | dt.date):
        said = f"YAML reads {str(value)[:40]} here, no text; put what is meant in quotation marks"
    elif kind == "string_type" and isinstance(value, dict):
        said = "a text with a colon in it, or in brackets, stands in quotation marks"
    elif value is None:
        said = "nothing stands here, or null; leave the key out, or put what is meant in quotation marks"
    elif kind == "tuple_type":
        said = "a list is meant: [a, b], or a line an item, each begun with a hyphen and a space"
    elif isinstance(value, str) and kind in ("model_type", "dict_type"):
        said = "keys with values are meant; behind a key stand a colon and a space (name: value)"
    else:
        return ""
    return f" ({said})"


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

"""Writes docs/configuration.md from the docstrings of what the configuration is made of.

    python -m recipes.configuration

Every key, every built-in kind of component and every parameter stands there with its type, its
default and what the source says of it; nothing of that is written twice.
"""

from __future__ import annotations

import ast
import enum
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from ocr_moe.plugins import AsksChat, NeedsPackages
from ocr_moe.routing.calibration import Policy
from ocr_moe.schema import Kind
from ocr_moe.settings import Component
from ocr_moe.types import Value
from ocr_moe.workshop.config import Config, load_config
from ocr_moe.workshop.registry import KINDS, SHAPES, resolve

TARGET = Path(__file__).parents[1] / "docs" / "configuration.md"

GROUPS = {
    "engines": "OCR engines, by name under `engines`; `ocr` names the one that reads pages.",
    "recognizers": "Recognisers of single lines, by name under `recognizers`, for the code reader.",
    "symbols": "Readers of QR codes, bar codes and the like, by name under `symbols`.",
    "chat": "Chat endpoints, by name under `chat`.",
    "experts": "Experts, by name under `experts`; strategies name them.",
    "gates": "The `gate` of a strategy: who is asked what, given what was read so far.",
    "combiners": "The `combiner` of a strategy: what all readings of a document come to.",
    "steps": "Record-level steps, in the list `steps` of a combiner.",
}
ENVIRONMENT = {
    "OCR_MOE_<NAME>_BASE_URL": "Address of the chat endpoint called `<name>` (`text` and `vision` "
    "are configured), for instance `http://127.0.0.1:8000/v1`; `base_url` in the configuration goes "
    "before it.",
    "OCR_MOE_<NAME>_MODEL": "The model to ask there; by default the first that the server lists.",
    "OCR_MOE_<NAME>_API_KEY": "The key, where the server wants one; `api_key_variable` names another "
    "variable.",
    "OCR_MOE_CACHE": "Folder for what is derived from model weights; by default "
    "`$XDG_CACHE_HOME/ocr_moe`, else `~/.cache/ocr_moe`.",
    "OCR_MOE_TOKEN": "The token of `serve` and `review`, 16 characters or more; needed unless they are "
    "bound to this machine alone ([security.md](security.md)).",
    "OCR_MOE_WEBHOOK_SECRET": "What webhooks are signed with, `whsec_` and base64; needed where "
    "`service.webhooks` is on.",
    "OCR_MOE_LOG": "`--log-level`: events from this level on are logged, a line of JSON each "
    "([observability.md](observability.md)).",
    "OCR_MOE_LOG_FILE": "`--log-file`: where to; standard error by default.",
    "OCR_MOE_LANGUAGE": "Of the terminal's messages and of workbooks: `zh` or `en`; by default what "
    "`LC_ALL`, "
    "`LC_MESSAGES` or `LANG` says.",
}
FITTED = (Policy,)
"""Models that are fitted and written to files, not set by hand."""

HEAD = """\
<!-- Made by `make docs` from the docstrings in the source; changes belong there. -->
# Configuration

`--config mine.yaml` holds what differs from the shipped [config/default.yaml](../config/default.yaml);
it is laid over that file key by key.  A component, which is anything with a `kind`, of another kind
replaces the shipped one whole.  An unknown key or a value of the wrong type stops the command before
anything is started (exit status 2) and is named together with the nearest key that there is.  Keys
and passwords never stand here: they come from environment variables.

A *component* below is a mapping with a `kind` and the parameters of that kind; a *kind of field* is
one of {kinds}.

```yaml
workers: 4
engines:
  paddle: {{kind: paddle, detection_limit: 1600}}
strategies:
  moe:
    combiner: {{accept: {{default: 0.95}}}}
```

"""
PLUGINS = """\
## Kinds of your own

Another package adds kinds through entry points, one group of them for each group above;
[CONTRIBUTING](../CONTRIBUTING.md) shows an expert in four steps.  Its class has `Params`, a pydantic
model (best a `Value` of `ocr_moe.types`: frozen, no unknown keys); what stands beside `kind` in the
configuration is checked against it before anything is built.  Its fields are documented like those
above, by a docstring below each:

```python
class Params(Value):
    least_confidence: float = 0.5
    \"\"\"Lines below are passed over.\"\"\"
```

The Protocols of `ocr_moe.plugins` say how the class of each group is called and what it makes.

| entry points | called with | makes |
|---|---|---|
{calls}

Optional: `packages` names the distributions that a class needs, for `ocr-moe doctor` and `run.json`
(`ocr_moe.protocols.Package`); `chat_uses` of an expert's class names the endpoints that it asks and
what is typical of a request (`ocr_moe.protocols.ChatUse`): one that is not configured counts before a
run starts, and `--dry-run` tells calls, tokens and money.  `Params` of a gate say which experts are
`required` and which `optional`, those of a combiner its `calibration` and its `steps`
(`ocr_moe.routing.combiners.CombinerParams` may be inherited).
"""


def render() -> str:
    """The whole reference as Markdown."""
    kinds = ", ".join(f"`{kind.value}`" for kind in Kind)
    parts = [HEAD.format(kinds=kinds), "## The file\n\n", table(Config, load_config())]
    of_config = list(nested([Config]))
    parts += map(_section, of_config)
    for group, words in GROUPS.items():
        parts.append(f"## {group.capitalize()}\n\n{words}\n\n")
        for kind in KINDS[group]:
            parts.append(_kind(group, kind))
    params = [_class(group, kind).Params for group in GROUPS for kind in KINDS[group]]
    shared = [model for model in nested(params) if model not in of_config]
    parts.append("## Values within parameters\n\n")
    parts += map(_section, shared)
    parts.append("## Environment variables\n\n| variable | meaning |\n|---|---|\n")
    parts += [f"| `{name}` | {words} |\n" for name, words in ENVIRONMENT.items()]
    calls = "\n".join(
        f"| `ocr_moe.{group}` | {_call(shape.made_by)} | `{_where(shape.makes)}` |"
        for group, shape in SHAPES.items()
    )
    parts.append("\n" + PLUGINS.format(calls=calls))
    return "".join(parts)


def table(model: type[BaseModel], shipped: BaseModel | None = None) -> str:
    """A row a field: key, type, default, meaning. What is `shipped` may go before the default."""
    rows = ["| key | type | default | meaning |\n|---|---|---|---|\n"]
    told = attribute_docstrings(model)
    for name, field in model.model_fields.items():
        default = _default(field)
        if shipped is not None and getattr(shipped, name) != field.default:
            default = "[as shipped](../config/default.yaml)"
        cells = (f"`{name}`", _type(field), default, _in_yaml_words(told[name]))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    return "".join(rows) + "\n"


def attribute_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The string below each annotated name of a class and its parents, by name."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls.__module__.startswith("pydantic"):
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        for statement, after in zip(definition.body, definition.body[1:], strict=False):
            match statement, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = inspect.cleandoc(text)
    return found


def models() -> Iterator[type[BaseModel]]:
    """Every model whose fields stand in the reference."""
    roots = [Config, *(_class(g, kind).Params for g in GROUPS for kind in KINDS[g])]
    yield from dict.fromkeys(roots)
    yield from nested(roots)


def _class(group: str, kind: str) -> Any:
    return resolve(group, Component(kind=kind), "reference")


def _kind(group: str, kind: str) -> str:
    cls = _class(group, kind)
    text = [f"### `{{kind: {kind}}}`\n\n", _prose(inspect.getdoc(cls) or "")]
    if isinstance(cls, NeedsPackages):
        needs = ", ".join(f"{p.name} ({p.use})" for p in cls.packages)
        text.append(f"Packages: {needs}.\n\n")
    if isinstance(cls, AsksChat):
        text.append("Asks the chat endpoint that `chat` names.\n\n")
    if cls.Params.model_fields:
        text.append(table(cls.Params))
    else:
        text.append("No parameters.\n\n")
    return "".join(text)


def _section(model: type[BaseModel]) -> str:
    return f"### {model.__name__}\n\n{_prose(inspect.getdoc(model) or '')}{table(model)}"


def _prose(text: str) -> str:
    """Paragraphs on a line each, without those on what is raised, which are for programmers."""
    paragraphs = [_in_yaml_words(part) for part in text.split("\n\n")]
    return "".join(f"{p}\n\n" for p in paragraphs if not p.startswith("Raises "))


def _in_yaml_words(text: str) -> str:
    """On one line, and with YAML's words for Python's."""
    for python, yaml in (("None", "`null`"), ("False", "`false`"), ("True", "`true`")):
        text = re.sub(rf"(?<!`)\b{python}\b", yaml, text)
    return " ".join(text.split())


def nested(roots: list[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """The models within the fields of models, each once, in the order in which they are met."""
    seen: dict[type[BaseModel], None] = dict.fromkeys(roots)
    waiting = list(roots)
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            for model in _models_in(field.annotation):
                if model not in seen:
                    seen[model] = None
                    waiting.append(model)
                    yield model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation is not Component and annotation not in FITTED:
            yield annotation
        return
    for part in typing.get_args(annotation):
        yield from _models_in(part)


WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`true` or `false`",
    Path: "path",
    types.NoneType: "`null`",
    Component: "component",
    Kind: "kind of field",
    Any: "anything",
}
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _type(field: FieldInfo) -> str:
    return _words(field.annotation) + _bounds(field.metadata)


def _bounds(metadata: Any) -> str:
    found = [
        f"{sign} {getattr(constraint, name):g}"
        for constraint in metadata
        for name, sign in BOUNDS.items()
        if getattr(constraint, name, None) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _words(annotation: Any) -> str:
    """A type as a person writes it in YAML."""
    if annotation in WORDS:
        return WORDS[annotation]
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        constraints = [x for each in args[1:] for x in getattr(each, "metadata", (each,))]
        return _words(args[0]) + _bounds(constraints)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_words(part) for part in args)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is tuple and args[-1] is Ellipsis:
        return f"list of {_grouped(args[0])}"
    if origin is tuple:
        return "[" + ", ".join(_words(part) for part in args) + "]"
    if origin is dict:
        return f"mapping of {_words(args[0])} to {_grouped(args[1])}"
    if issubclass(annotation, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in annotation)
    if annotation in FITTED:
        return str(annotation.__name__).lower()
    assert issubclass(annotation, BaseModel), annotation
    return f"[{annotation.__name__}](#{annotation.__name__.lower()})"


def _grouped(annotation: Any) -> str:
    words = _words(annotation)
    return f"({words})" if " or " in words and annotation is not bool else words


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, Value) and default == type(default)():
        return "its defaults"
    plain = json.dumps(_plain(default), ensure_ascii=False)
    return f"`{plain}`"


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def _call(made_by: Any) -> str:
    names = [name for name in inspect.signature(made_by.__call__).parameters if name != "self"]
    return "`" + ", ".join(names) + "`"


def _where(protocol: type) -> str:
    return f"{protocol.__module__}.{protocol.__name__}"


def main() -> None:
    """Write docs/configuration.md from the docstrings."""
    TARGET.write_text(render(), encoding="utf-8")
    print(f"{TARGET} is up to date.")


if __name__ == "__main__":
    main()

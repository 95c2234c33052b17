"""Which class stands behind a component's `kind`: dotted paths, imported on first use.

Other packages add kinds through entry points of the groups `ocr_moe.experts`, `ocr_moe.engines`,
`ocr_moe.recognizers`, `ocr_moe.symbols`, `ocr_moe.chat`, `ocr_moe.gates`, `ocr_moe.combiners` and
`ocr_moe.steps` (record-level steps of a combiner).  `ocr_moe.plugins` says what such a class looks
like; here it is held against that, and what is missing becomes a sentence.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, overload

from pydantic import BaseModel
from rapidfuzz import process

from ocr_moe import plugins, protocols
from ocr_moe.errors import ConfigError, OcrMoeError
from ocr_moe.routing.combiners import RecordStep
from ocr_moe.settings import Component

KINDS: dict[str, dict[str, str]] = {
    "engines": {
        "paddle": "ocr_moe.engines.paddle:PaddleEngine",
        "ppocr": "ocr_moe.engines.ppocr:PpOcrEngine",
        "rapid": "ocr_moe.engines.rapid:RapidEngine",
        "vlm": "ocr_moe.engines.vlm.engine:VlmEngine",
    },
    "recognizers": {
        "ppocr": "ocr_moe.engines.lines:PpOcrLines",
        "specialist": "ocr_moe.engines.lines:SpecialistLines",
    },
    "symbols": {"zxing": "ocr_moe.engines.symbols:ZxingSymbols"},
    "chat": {"openai": "ocr_moe.engines.chat.endpoint:ChatEndpoint"},
    "experts": {
        "vision": "ocr_moe.experts.llm.vision:Vision",
        "ocr_text": "ocr_moe.experts.llm.ocr_text:OcrText",
        "writer": "ocr_moe.experts.llm.writing:Writer",
        "keys": "ocr_moe.experts.texts.keys:KeysExpert",
        "extracts": "ocr_moe.experts.texts.extracts:Extracts",
        "transformers": "ocr_moe.experts.texts.transformer:Transformers",
        "terms": "ocr_moe.experts.texts.topics:Terms",
        "lexicon": "ocr_moe.experts.texts.sentiment:Lexicon",
        "rules": "ocr_moe.experts.rules.expert:RulesExpert",
        "typed": "ocr_moe.experts.typed.expert:TypedExpert",
        "codes": "ocr_moe.experts.codes.expert:CodesExpert",
        "marks": "ocr_moe.experts.marks.expert:MarksExpert",
    },
    "gates": {
        "fixed": "ocr_moe.routing.gates:Fixed",
        "cascade": "ocr_moe.routing.gates:Cascade",
        "learned": "ocr_moe.routing.gates:Learned",
    },
    "combiners": {
        "priority": "ocr_moe.routing.combiners:Priority",
        "confident": "ocr_moe.routing.combiners:Confident",
        "agreement": "ocr_moe.routing.combiners:Agreement",
        "votes": "ocr_moe.routing.combiners:Votes",
        "moe": "ocr_moe.routing.combiners:Moe",
    },
    "steps": {
        "binding": "ocr_moe.routing.binding:Binding",
        "parts": "ocr_moe.routing.parts:Parts",
    },
}

_SHIPPED = {group: dict(kinds) for group, kinds in KINDS.items()}


def shipped_modules() -> frozenset[str]:
    """The modules of all shipped parts. Importing one imports no library that may be missing."""
    return frozenset(
        path.partition(":")[0] for kinds in _SHIPPED.values() for path in kinds.values()
    )


def is_as_shipped() -> bool:
    """Whether this process has no kinds of its own."""
    return KINDS == _SHIPPED


@dataclass(frozen=True)
class Shape:
    """The Protocols that the classes of a group keep to."""

    made_by: type
    """The class as it is called."""
    makes: type
    """What it makes."""
    set_by: type | None = None
    """What its `Params` say beyond what is theirs."""


SHAPES = {
    "engines": Shape(plugins.EngineClass, protocols.OcrEngine),
    "recognizers": Shape(plugins.RecognizerClass, protocols.LineRecognizer),
    "symbols": Shape(plugins.SymbolsClass, protocols.SymbolReader),
    "chat": Shape(plugins.ChatClass, plugins.ChatService),
    "experts": Shape(plugins.ExpertClass, protocols.Expert),
    "gates": Shape(plugins.GateClass, protocols.Gate, plugins.GateParams),
    "combiners": Shape(plugins.CombinerClass, protocols.Combiner, plugins.JudgementParams),
    "steps": Shape(plugins.StepClass, RecordStep),
}


@overload
def resolve(
    group: Literal["engines"], component: Component, where: str
) -> plugins.EngineClass[Any]: ...
@overload
def resolve(
    group: Literal["recognizers"], component: Component, where: str
) -> plugins.RecognizerClass[Any]: ...
@overload
def resolve(
    group: Literal["symbols"], component: Component, where: str
) -> plugins.SymbolsClass[Any]: ...
@overload
def resolve(group: Literal["chat"], component: Component, where: str) -> plugins.ChatClass[Any]: ...
@overload
def resolve(
    group: Literal["experts"], component: Component, where: str
) -> plugins.ExpertClass[Any]: ...
@overload
def resolve(
    group: Literal["gates"], component: Component, where: str
) -> plugins.GateClass[Any]: ...
@overload
def resolve(
    group: Literal["combiners"], component: Component, where: str
) -> plugins.CombinerClass[Any]: ...
@overload
def resolve(
    group: Literal["steps"], component: Component, where: str
) -> plugins.StepClass[Any]: ...
@overload
def resolve(group: str, component: Component, where: str) -> Any: ...
def resolve(group: str, component: Component, where: str) -> Any:
    """The class of a component, which keeps to the group's Protocol.

    Raises ConfigError, which names the nearest kind, or what the class lacks.
    """
    own = KINDS[group].get(component.kind)
    if own is not None:
        module, _, name = own.partition(":")
        return getattr(importlib.import_module(module), name)
    found = _plugins(group)
    if component.kind not in found:
        kinds = sorted({*KINDS[group], *found})
        near = process.extractOne(component.kind, kinds, score_cutoff=50)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{where}: unknown kind {component.kind!r}{hint} (there are {', '.join(kinds)})"
        )
    try:
        cls = found[component.kind].load()
    except Exception as error:
        raise ConfigError(
            f"{where}: the plug-in {found[component.kind].value} cannot be loaded ({error})"
        ) from error
    if lacking := class_lacks(group, cls):
        raise ConfigError(f"{where}: {_named(group, component)} {lacking}")
    return cls


def build(group: str, component: Component, where: str, make: Callable[[], Any]) -> Any:
    """What `make` makes of a component, held against the group's Protocol.

    Raises ConfigError where it lacks something, or where a plug-in fails to be built.
    """
    if component.kind in KINDS[group]:
        return make()
    try:
        made = make()
    except OcrMoeError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{where}: {_named(group, component)} cannot be built ({type(error).__name__}: {error})"
        ) from error
    if lacking := object_lacks(SHAPES[group].makes, made):
        raise ConfigError(f"{where}: {_named(group, component)} {lacking}")
    return made


@cache
def class_lacks(group: str, cls: Any) -> str | None:
    """What keeps a class from being one of the group, as the rest of a sentence; None: nothing."""
    shape = SHAPES[group]
    if not callable(cls):
        return "is no class"
    params = getattr(cls, "Params", None)
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        return (
            "has no `Params`: a pydantic model of its parameters "
            "(`class Params(Value)`, empty where there are none)"
        )
    if shape.set_by is not None:
        for name in _members(shape.set_by):
            if name not in params.model_fields and not hasattr(params, name):
                return f"has `Params` without `{name}`{_see(shape.set_by)}"
    made_by = shape.made_by
    if group == "engines" and isinstance(cls, plugins.AsksChat):
        made_by = plugins.AskingEngineClass
    if problem := _misfit(cls, made_by.__call__):
        return f"cannot be called with {_told(made_by.__call__)}: {problem}"
    if isinstance(cls, type):
        for name, member in _members(shape.makes).items():
            if inspect.isfunction(member) and not hasattr(cls, name):
                return f"has no `{name}`{_see(shape.makes)}"
    if isinstance(cls, plugins.AsksChat) and (
        problem := _misfit(cls.chat_uses, plugins.AsksChat.chat_uses)
    ):
        return f"has no class or static method `chat_uses` of (params): {problem}"
    if isinstance(cls, plugins.NeedsPackages) and not _are_packages(cls.packages):
        return f"has `packages` that are none{_see(protocols.Package)}"
    return None


def object_lacks(protocol: type, made: Any) -> str | None:
    """What keeps an object from what a Protocol says, as the rest of a sentence; None: nothing.

    No property is evaluated: a fingerprint may have to ask a server.
    """
    absent = object()
    for name, member in _members(protocol).items():
        found = inspect.getattr_static(made, name, absent)
        if found is absent and not hasattr(made, name):
            return f"has no `{name}`{_see(protocol)}"
        if isinstance(member, property) and (problem := _no_value(found, member)):
            return f"has a `{name}` that is {problem}{_see(protocol)}"
        if inspect.isfunction(member) and (problem := _misfit(getattr(made, name), member)):
            return f"has a method `{name}` that cannot be called with {_told(member)}: {problem}"
    return None


def _plugins(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"ocr_moe.{group}")}


def _named(group: str, component: Component) -> str:
    return f"the plug-in {_plugins(group)[component.kind].value} of kind {component.kind!r}"


def _members(protocol: type) -> dict[str, Any]:
    """The properties and methods that a Protocol and its parents declare."""
    return {
        name: member
        for parent in reversed(protocol.__mro__)
        for name, member in vars(parent).items()
        if not name.startswith("_")
    }


def _are_packages(named: Any) -> bool:
    return isinstance(named, tuple | list) and all(
        isinstance(package, protocols.Package) for package in named
    )


def _see(protocol: type) -> str:
    return f": see {protocol.__module__}.{protocol.__name__}"


def _parameters(declared: Callable[..., Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(declared).parameters.values())[1:]


def _misfit(called: Any, declared: Callable[..., Any]) -> str | None:
    """Why something cannot be called as a method of a Protocol is declared; None: it can be."""
    if inspect.iscoroutinefunction(called):
        return "it is asynchronous, and nobody would wait for it"
    parameters = _parameters(declared)
    words = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    try:
        inspect.signature(called).bind(*[None] * (len(parameters) - len(words)), **words)
    except TypeError as error:
        return str(error)
    except ValueError:  # a callable in C that does not tell its signature
        return None
    return None


def _no_value(found: Any, declared: property) -> str | None:
    """What stands where a property is declared to be, if it can be seen to be none of its values."""
    if inspect.isroutine(found):
        return "a method and no property (`@property`)"
    returned = declared.fget.__annotations__.get("return") if declared.fget is not None else None
    if returned in ("str", str) and not (isinstance(found, str) or hasattr(found, "__get__")):
        return f"no text but {found!r}"
    return None


def _told(declared: Callable[..., Any]) -> str:
    return "(" + ", ".join(parameter.name for parameter in _parameters(declared)) + ")"


def kind_of(group: str, cls: type) -> str:
    """The kind under which a class of ours stands in configurations. Raises KeyError."""
    kinds = {place: kind for kind, place in KINDS[group].items()}
    return kinds[f"{cls.__module__}:{cls.__qualname__}"]

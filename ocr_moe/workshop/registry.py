"""Which class stands behind a component's `kind`: dotted paths, imported on first use.

Other packages add kinds through entry points of the groups `ocr_moe.experts`, `ocr_moe.engines`,
`ocr_moe.recognizers`, `ocr_moe.chat`, `ocr_moe.gates`,
`ocr_moe.combiners` and `ocr_moe.steps` (record-level steps of a combiner).
"""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from rapidfuzz import process

from ocr_moe.errors import ConfigError
from ocr_moe.settings import Component

KINDS: dict[str, dict[str, str]] = {
    "engines": {
        "paddle": "ocr_moe.engines.paddle:PaddleEngine",
        "rapid": "ocr_moe.engines.rapid:RapidEngine",
    },
    "recognizers": {
        "ppocr": "ocr_moe.engines.lines:PpOcrLines",
        "specialist": "ocr_moe.engines.lines:SpecialistLines",
    },
    "chat": {"openai": "ocr_moe.engines.chat:ChatEndpoint"},
    "experts": {
        "vision": "ocr_moe.experts.llm.vision:Vision",
        "ocr_text": "ocr_moe.experts.llm.ocr_text:OcrText",
        "rules": "ocr_moe.experts.rules.expert:RulesExpert",
        "codes": "ocr_moe.experts.codes.expert:CodesExpert",
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
    "steps": {"binding": "ocr_moe.routing.binding:Binding"},
}


def resolve(group: str, component: Component, where: str) -> Any:
    """The class of a component. Raises ConfigError, which names the nearest kind."""
    own = KINDS[group].get(component.kind)
    if own is not None:
        module, _, name = own.partition(":")
        return getattr(importlib.import_module(module), name)
    found = {point.name: point for point in entry_points(group=f"ocr_moe.{group}")}
    if component.kind in found:
        try:
            return found[component.kind].load()
        except Exception as error:
            raise ConfigError(
                f"{where}: the plug-in {found[component.kind].value} cannot be loaded ({error})"
            ) from error
    kinds = sorted({*KINDS[group], *found})
    near = process.extractOne(component.kind, kinds, score_cutoff=50)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"{where}: unknown kind {component.kind!r}{hint} (there are {', '.join(kinds)})"
    )


def kind_of(group: str, cls: type) -> str:
    """The kind under which a class of ours stands in configurations. Raises KeyError."""
    kinds = {place: kind for kind, place in KINDS[group].items()}
    return kinds[f"{cls.__module__}:{cls.__qualname__}"]

"""What a plug-in looks like: the classes that the composition root builds, group by group.

A plug-in is a class that an entry point names (`ocr_moe.engines`, `ocr_moe.recognizers`,
`ocr_moe.symbols`, `ocr_moe.chat`, `ocr_moe.experts`, `ocr_moe.gates`, `ocr_moe.combiners`,
`ocr_moe.steps`).  Every class has `Params`, the pydantic model of what may stand beside its `kind` in
the configuration, and is called with them.  What it makes has the shape that `ocr_moe.protocols` gives
for the group.

The built-in classes keep to the same Protocols, which mypy checks; a plug-in's class is held against
them when it is loaded (`ocr_moe.workshop.registry`), and a sentence says what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from ocr_moe.protocols import (
    ChatModel,
    ChatUse,
    Combiner,
    Expert,
    Gate,
    LineRecognizer,
    OcrEngine,
    Package,
    Services,
    SymbolReader,
)
from ocr_moe.routing.calibration import Calibration
from ocr_moe.routing.combiners import Checking, RecordStep
from ocr_moe.settings import Component

P = TypeVar("P", bound=BaseModel)
P_co = TypeVar("P_co", bound=BaseModel, covariant=True)
P_contra = TypeVar("P_contra", bound=BaseModel, contravariant=True)


class Configurable(Protocol[P_co]):
    """What the classes of all groups have."""

    @property
    def Params(self) -> type[P_co]:
        """The parameters that a configuration may set, checked before anything is built."""


class EngineClass(Configurable[P], Protocol[P]):
    def __call__(self, name: str, params: P, /) -> OcrEngine:
        """The engine called `name` in the configuration; its models may wait for the first page."""


class AskingEngineClass(Configurable[P], Protocol[P]):
    """Of an engine that asks a chat endpoint, as its class says (`AsksChat`)."""

    def __call__(self, name: str, params: P, services: Services, /) -> OcrEngine:
        """The engine called `name`; `services` may be kept and used when a page is read."""


class RecognizerClass(Configurable[P], Protocol[P]):
    def __call__(self, name: str, params: P, /) -> LineRecognizer:
        """The line recogniser called `name` in the configuration."""


class SymbolsClass(Configurable[P], Protocol[P]):
    def __call__(self, name: str, params: P, /) -> SymbolReader:
        """The reader of symbols called `name` in the configuration."""


class ChatService(ChatModel, Protocol):
    """A chat model that says where it is."""

    @property
    def is_local(self) -> bool:
        """Whether documents sent there stay on this machine; `--local-only` refuses the others."""


class ChatClass(Configurable[P], Protocol[P]):
    def __call__(self, name: str, params: P, /) -> ChatService:
        """The endpoint called `name`. Raises EndpointMissingError where none is configured."""


class ExpertClass(Configurable[P], Protocol[P]):
    def __call__(self, name: str, params: P, services: Services, /) -> Expert:
        """The expert called `name`; `services` may be kept and used when a document is read."""


class GateParams(Protocol):
    """What a gate's parameters say of the experts they name."""

    @property
    def required(self) -> frozenset[str]:
        """Experts without which the strategy is not what its name says."""

    @property
    def optional(self) -> frozenset[str]:
        """Experts that are asked where they can be had."""


class GateClass(Configurable[P], Protocol[P]):
    """Its `Params` are `GateParams` as well."""

    def __call__(self, params: P, available: frozenset[str], /) -> Gate:
        """The gate, for a configuration in which these experts can be asked."""


class JudgementParams(Protocol):
    """What a combiner's parameters name for others to load and build.

    `ocr_moe.routing.combiners.CombinerParams` says it; a plug-in's `Params` may inherit it.
    """

    @property
    def calibration(self) -> str | None:
        """The confidence model: `default` (shipped), a file, or None."""

    @property
    def steps(self) -> Sequence[Component]:
        """Record-level steps, in order."""


class CombinerClass(Configurable[P], Protocol[P]):
    """Its `Params` are `JudgementParams` as well."""

    def __call__(
        self,
        params: P,
        /,
        *,
        calibration: Calibration | None,
        steps: Sequence[RecordStep],
        check: Checking,
    ) -> Combiner:
        """The combiner, with what its parameters name: the confidence model, the steps over the
        decisions of a record, and the schema's checks."""


class StepClass(Configurable[P], Protocol[P]):
    def __call__(self, params: P, /) -> RecordStep:
        """The step; it asks nobody."""


@runtime_checkable
class AsksChat(Protocol[P_contra]):
    """Optional, of an expert's or an engine's class: which endpoints it asks, known before it is built.

    An endpoint that is not configured then counts before a run starts, and `--dry-run` can tell
    calls, tokens and money.
    """

    def chat_uses(self, params: P_contra, /) -> Sequence[ChatUse]:
        """A class or static method: one entry for each endpoint that is asked by what is so set up, of
        an engine's for a page."""


@runtime_checkable
class NeedsPackages(Protocol):
    """Optional, of any class: the distributions it needs; `doctor` and `run.json` list them."""

    @property
    def packages(self) -> Sequence[Package]: ...


@runtime_checkable
class BatchParams(Protocol):
    """Optional, of a chat class's parameters: whether it is asked in batches, and at what discount."""

    @property
    def batch(self) -> bool: ...

    @property
    def batch_price_factor(self) -> float:
        """What a token costs in a batch, as a part of its price."""


@runtime_checkable
class PricedParams(Protocol):
    """Optional, of a chat class's parameters: what tokens cost, for `--dry-run`."""

    @property
    def prompt_price(self) -> float:
        """Money for a million prompt tokens."""

    @property
    def completion_price(self) -> float:
        """Money for a million completion tokens."""

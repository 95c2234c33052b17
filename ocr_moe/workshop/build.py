"""The composition root: from configuration to objects. Nothing else knows which class is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

from pydantic import ValidationError
from rapidfuzz import process

from ocr_moe.errors import (
    ConfigError,
    EndpointMissingError,
    MissingDependencyError,
    UsageError,
)
from ocr_moe.formats.yamlfile import validation_sentences
from ocr_moe.plugins import (
    AsksChat,
    BatchParams,
    ChatService,
    JudgementParams,
    NeedsPackages,
    PricedParams,
)
from ocr_moe.protocols import (
    ChatModel,
    ChatUse,
    Combiner,
    Expert,
    Gate,
    LineRecognizer,
    OcrEngine,
    Package,
    Rereader,
    SymbolReader,
)
from ocr_moe.routing.calibration import Calibration, load_calibration
from ocr_moe.routing.combiners import RecordStep
from ocr_moe.routing.consistency import check
from ocr_moe.routing.loop import Strategy
from ocr_moe.settings import Component
from ocr_moe.store.database import Store
from ocr_moe.types import Origin
from ocr_moe.workshop.config import Config, config_folder
from ocr_moe.workshop.recorded import RecordedExpert, Unasked
from ocr_moe.workshop.registry import build, is_as_shipped, resolve

COMMON_PACKAGES = (
    Package("pillow", "images"),
    Package("pypdfium2", "the pages of PDF files"),
    Package("openpyxl", "verified sheets"),
)
"""What every configuration needs, whatever its components."""


@dataclass(frozen=True)
class Blueprint:
    """What a workshop is made of; unlike one, it can be sent to another process."""

    config: Config
    local_only: bool = False
    recorded: Path | None = None
    offline: bool = False

    def build(self) -> Workshop:
        """Raises StoreError where the store of recorded answers is gone."""
        recorded = None if self.recorded is None else Store(self.recorded, write=False)
        return Workshop(
            self.config, local_only=self.local_only, recorded=recorded, offline=self.offline
        )


class Workshop:
    """Builds components by name, each once, on first use; lends them to experts as `Services`.

    `recorded` is a store whose answers stand in for experts that cannot be built here; `offline` builds
    none that would ask a server, configured or not.
    """

    def __init__(
        self,
        config: Config,
        *,
        local_only: bool = False,
        recorded: Store | None = None,
        offline: bool = False,
    ) -> None:
        self.config = config
        self._local_only = local_only
        self._offline = offline
        self._recorded = recorded
        self._built: dict[tuple[str, str], Any] = {}
        self._strategies: dict[str, Strategy] = {}
        self._calibrations: dict[Path, Calibration] = {}
        self._lock = RLock()

    @cached_property
    def _recorded_experts(self) -> Mapping[str, tuple[str, str | None]]:
        return self._recorded.recorded_experts() if self._recorded is not None else {}

    @property
    def blueprint(self) -> Blueprint:
        recorded = self._recorded.path if self._recorded is not None else None
        return Blueprint(self.config, self._local_only, recorded, self._offline)

    def engine(self, name: str) -> OcrEngine:
        """The OCR engine of that name; `default` is the one that reads pages."""
        name = self.config.ocr if name == "default" else name
        lent = (self,) if self.engine_uses(name) else ()
        engine: OcrEngine = self._once("engines", self.config.engines, name, *lent)
        return engine

    def engine_uses(self, name: str) -> tuple[ChatUse, ...]:
        """The endpoints that an engine's class says it asks about a page; mostly none."""
        return self._chat_uses("engines", self.config.engines, name)

    def recognizer(self, name: str) -> LineRecognizer:
        recognizer: LineRecognizer = self._once("recognizers", self.config.recognizers, name)
        return recognizer

    def symbols(self, name: str) -> SymbolReader:
        reader: SymbolReader = self._once("symbols", self.config.symbols, name)
        return reader

    def chat(self, name: str) -> ChatModel:
        if self._offline:
            raise EndpointMissingError(f"no server is asked here, that of {name} neither")
        endpoint: ChatService = self._once("chat", self.config.chat, name)
        if self._local_only and not endpoint.is_local:
            raise EndpointMissingError(
                f"the {name} endpoint is on another machine, which --local-only forbids"
            )
        return endpoint

    def prices(self, chat: str) -> tuple[float, float]:
        """Money for a million prompt and completion tokens of an endpoint, in batches where it is asked
        so; 0 where it says none."""
        component = self.config.chat.get(chat)
        if component is None:
            return 0.0, 0.0
        where = f"chat.{chat}"
        params = self._params(resolve("chat", component, where), component, where)
        if not isinstance(params, PricedParams):
            return 0.0, 0.0
        prices = params.prompt_price, params.completion_price
        if not isinstance(params, BatchParams) or not params.batch:
            return prices
        return prices[0] * params.batch_price_factor, prices[1] * params.batch_price_factor

    def chat_uses(self, expert: str) -> tuple[ChatUse, ...]:
        """The endpoints that an expert's class says it asks, built or not."""
        return self._chat_uses("experts", self.config.experts, expert)

    def _chat_uses(
        self, group: str, named: Mapping[str, Component], name: str
    ) -> tuple[ChatUse, ...]:
        component, where = named.get(name), f"{group}.{name}"
        if component is None:
            return ()
        cls = resolve(group, component, where)
        if not isinstance(cls, AsksChat):
            return ()
        return tuple(cls.chat_uses(self._params(cls, component, where)))

    def expert(self, name: str) -> Expert:
        """The expert, or its recorded answers. Raises EndpointMissingError, ConfigError, ...."""
        try:
            for use in self.chat_uses(name):
                self.chat(use.endpoint)
            expert: Expert = self._once("experts", self.config.experts, name, self)
        except EndpointMissingError:
            if self._recorded is None or name not in self._recorded_experts:
                raise
            return RecordedExpert(
                name,
                *self._recorded_experts[name],
                store=self._recorded,
                rereader=self._rereader(name),
            )
        return expert

    def _rereader(self, name: str) -> Rereader | None:
        """The expert without its endpoint, where it can parse the replies that are recorded."""
        component, where = self.config.experts[name], f"experts.{name}"
        cls = resolve("experts", component, where)
        try:
            expert = cls(name, self._params(cls, component, where), Unasked(self))
        except Exception:  # a plug-in may want more of its endpoint than there is
            return None
        return expert if isinstance(expert, Rereader) else None

    def strategy(self, name: str) -> Strategy:
        """A strategy by name. Raises EndpointMissingError when an expert it needs cannot be had."""
        with self._lock:
            if name not in self._strategies:
                self._strategies[name] = self._build_strategy(name)
            return self._strategies[name]

    def owns(self, strategy: Strategy) -> bool:
        """Whether the strategy was built here, so that a copy of this workshop has it as well."""
        return self._strategies.get(strategy.name) is strategy

    def can_be_copied(self, strategies: Iterable[Strategy]) -> bool:
        """Whether another process builds the same of the blueprint: none of the strategies was made
        elsewhere, and no kind of component was added to this process's registry alone."""
        return is_as_shipped() and all(map(self.owns, strategies))

    def _build_strategy(self, name: str) -> Strategy:
        settings = self.config.strategies.get(name)
        if settings is None:
            raise ConfigError(_unknown("strategy", name, self.config.strategies))
        where = f"strategies.{name}"
        required, optional = self._experts_of(settings.gate, f"{where}.gate")
        experts = {expert: self.expert(expert) for expert in sorted(required)}
        for expert in sorted(optional):
            try:
                experts[expert] = self.expert(expert)
            except EndpointMissingError:
                continue
        gate, combiner = self.policy(
            settings.gate, settings.combiner, frozenset(experts), where=where
        )
        sources = {e.source for e in experts.values() if isinstance(e, RecordedExpert)}
        return Strategy(
            name=name,
            title=settings.title or name,
            gate=gate,
            combiner=combiner,
            experts=experts,
            origin=Origin(recorded=tuple(sorted(sources))),
            dossiers=settings.dossiers,
        )

    def policy(
        self,
        gate: Component,
        combiner: Component,
        available: frozenset[str],
        *,
        calibration: Calibration | None = None,
        where: str = "policy",
    ) -> tuple[Gate, Combiner]:
        """Gate and combiner for the experts that can be asked. Raises ConfigError.

        `calibration` stands in for the one that the combiner's settings name.
        """
        here = f"{where}.gate"
        cls = resolve("gates", gate, here)
        params = self._params(cls, gate, here)
        built: Gate = build("gates", gate, here, lambda: cls(params, available))
        return built, self._combiner(combiner, f"{where}.combiner", calibration)

    def required_experts(self, strategy: str) -> frozenset[str]:
        """The experts without which a strategy is not what its name says."""
        gate = self.config.strategies[strategy].gate
        return self._experts_of(gate, f"strategies.{strategy}.gate")[0]

    def available_experts(self) -> list[str]:
        """Names of the experts that can be built here, or whose answers are recorded."""
        found = []
        for name in self.config.experts:
            try:
                self.expert(name)
            except EndpointMissingError:
                continue
            found.append(name)
        return found

    def fitted_on(self) -> tuple[str, ...]:
        """Beginnings of the hashes of the documents behind the default strategy's calibration."""
        settings = self.config.strategies[self.config.strategy].combiner
        where = f"strategies.{self.config.strategy}.combiner"
        params = self._params(resolve("combiners", settings, where), settings, where)
        calibration = self._calibration(params.calibration, where)
        if calibration is None or calibration.provenance is None:
            return ()
        return calibration.provenance.hashes

    def _experts_of(self, gate: Component, where: str) -> tuple[frozenset[str], frozenset[str]]:
        params = self._params(resolve("gates", gate, where), gate, where)
        return frozenset(params.required), frozenset(params.optional)

    def available_strategies(self) -> tuple[dict[str, Strategy], dict[str, str]]:
        """Every configured strategy that can run here, and why each of the others cannot."""
        ready: dict[str, Strategy] = {}
        skipped: dict[str, str] = {}
        for name in self.config.strategies:
            try:
                ready[name] = self.strategy(name)
            except EndpointMissingError as error:
                skipped[name] = str(error)
        return ready, skipped

    def validate(self) -> None:
        """Check every component's parameters without building it. Raises ConfigError."""
        for _ in self._configured():
            pass
        if self.config.ocr not in self.config.engines:
            raise ConfigError(_unknown("engine (ocr)", self.config.ocr, self.config.engines))
        for name, strategy in self.config.strategies.items():
            where = f"strategies.{name}.gate"
            for expert in sorted(self._experts_of(strategy.gate, where)[0]):
                if expert not in self.config.experts:
                    raise ConfigError(
                        f"{where}: " + _unknown("expert", expert, self.config.experts)
                    )

    def check_endpoints(self) -> None:
        """Raises ConfigError where an endpoint's address is set but is none, whoever would ask it, and
        EndpointMissingError where page OCR needs one that there is not.

        It must not pass for an endpoint that is not configured, and neither be found halfway.
        """
        for name in self.config.chat:
            with suppress(EndpointMissingError, MissingDependencyError):
                self._once("chat", self.config.chat, name)
        if self._recorded is None:
            for use in self.engine_uses(self.config.ocr):
                self.chat(use.endpoint)

    def packages(self) -> tuple[Package, ...]:
        """The distributions behind the configured components, each once. Raises ConfigError."""
        found: dict[str, Package] = {}
        for cls in self._configured():
            for package in cls.packages if isinstance(cls, NeedsPackages) else ():
                known = found.get(package.name)
                if known is None or (known.optional and not package.optional):
                    found[package.name] = package
        return (*found.values(), *(each for each in COMMON_PACKAGES if each.name not in found))

    def _configured(self) -> Iterator[Any]:
        """The class of every component, once its parameters are found right. Raises ConfigError."""
        config = self.config
        components = [
            *(("engines", f"engines.{name}", each) for name, each in config.engines.items()),
            *(("recognizers", f"recognizers.{name}", x) for name, x in config.recognizers.items()),
            *(("symbols", f"symbols.{name}", each) for name, each in config.symbols.items()),
            *(("chat", f"chat.{name}", each) for name, each in config.chat.items()),
            *(("experts", f"experts.{name}", each) for name, each in config.experts.items()),
        ]
        for name, strategy in config.strategies.items():
            components.append(("gates", f"strategies.{name}.gate", strategy.gate))
            components.append(("combiners", f"strategies.{name}.combiner", strategy.combiner))
        for group, where, component in components:
            cls = resolve(group, component, where)
            params = self._params(cls, component, where)
            yield cls
            if group == "combiners":
                for here, step in _steps(params, where):
                    of_step = resolve("steps", step, here)
                    self._params(of_step, step, here)
                    yield of_step

    def _combiner(
        self, component: Component, where: str, calibration: Calibration | None
    ) -> Combiner:
        cls = resolve("combiners", component, where)
        params = self._params(cls, component, where)
        if calibration is None:
            calibration = self._calibration(params.calibration, where)
        steps = tuple(self._step(step, here) for here, step in _steps(params, where))
        combiner: Combiner = build(
            "combiners",
            component,
            where,
            lambda: cls(params, calibration=calibration, steps=steps, check=check),
        )
        return combiner

    def _step(self, component: Component, where: str) -> RecordStep:
        cls = resolve("steps", component, where)
        params = self._params(cls, component, where)
        step: RecordStep = build("steps", component, where, lambda: cls(params))
        return step

    def _calibration(self, name: str | None, where: str) -> Calibration | None:
        if name is None:
            return None
        path = config_folder() / "calibration" / "default.yaml" if name == "default" else Path(name)
        if name == "default" and not path.is_file():
            return None
        if path not in self._calibrations:
            try:
                self._calibrations[path] = load_calibration(path)
            except UsageError as error:
                raise ConfigError(f"{where}.calibration: {error}") from error
        return self._calibrations[path]

    def _once(self, group: str, named: Mapping[str, Component], name: str, *lent: Any) -> Any:
        """The component of that name, built on the first call with its parameters and what is lent."""
        with self._lock:
            if (group, name) not in self._built:
                if name not in named:
                    raise ConfigError(_unknown(group.removesuffix("s"), name, named))
                component, where = named[name], f"{group}.{name}"
                cls = resolve(group, component, where)
                params = self._params(cls, component, where)
                self._built[group, name] = build(
                    group, component, where, lambda: cls(name, params, *lent)
                )
            return self._built[group, name]

    @staticmethod
    def _params(cls: Any, component: Component, where: str) -> Any:
        try:
            return cls.Params.model_validate(component.params)
        except ValidationError as error:
            raise ConfigError(f"{where}: {validation_sentences(error, cls.Params)}") from error


def fingerprint_of(expert: Expert) -> str | None:
    """The expert's fingerprint, or None where it has none: its server does not answer, or it breaks."""
    try:
        found = expert.fingerprint
        found.encode("utf-8")
    except UsageError:
        raise
    except Exception:
        return None
    return found


def _steps(params: JudgementParams, where: str) -> Iterator[tuple[str, Component]]:
    for number, step in enumerate(params.steps):
        yield f"{where}.steps.{number}", step


def _unknown(what: str, name: str, known: Mapping[str, Any]) -> str:
    near = process.extractOne(name, list(known), score_cutoff=50)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"no {what} {name!r}{hint} (there are {', '.join(known) or 'none'})"

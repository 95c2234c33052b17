"""Gates: who is asked what, given what was read so far.

`fixed`    every field has its experts, asked at once
`cascade`  every field has a chain of experts; the next is asked while the decision is unsure
`learned`  a fitted policy weighs each expert's chance to be right against its cost, as in
           RouteLLM (Ong et al. 2024) and cost-sensitive cascades (Chen et al. 2023, FrugalGPT)

A gate keeps no state of its own: the readings in `State` say what was asked, so one gate serves
every document and thread, and a replay routes exactly as the live run did. No expert is asked for
one field twice, so every loop over a gate ends.

The composition root passes `available`, the experts that this installation and configuration can
run; the others are left out of every list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ocr_moe.protocols import Ask, State
from ocr_moe.routing.calibration import Policy, load_policy
from ocr_moe.routing.features import state_features
from ocr_moe.routing.settings import PerSchema, Thresholds
from ocr_moe.routing.tuning import Variant
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Value

OTHER = "other"
"""All tasks that a gate does not name."""
_Chain = tuple[tuple[str, ...], ...]
_Wanted = list[tuple[str, tuple[str, ...]]]
_STEPS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Confidences to ask the next expert below, for `Cascade.variants`; denser where models live."""


class FixedParams(Value):
    """Whom each field goes to."""

    default: tuple[str, ...] = ()
    """Experts of the fields that neither `fields` nor `kinds` names."""
    kinds: dict[Kind, tuple[str, ...]] = {}
    """Experts of fields of a kind."""
    fields: dict[str, tuple[str, ...]] = {}
    """Experts of fields by name; goes before `kinds`."""
    made: dict[str, tuple[str, ...]] = {}
    """Experts of the fields that are made of the text, by task; `other` stands for tasks not named,
    which without it go where their kind does. Of several the last is believed most."""
    on_failure: tuple[str, ...] = ()
    """Asked one after the other for a field whose experts all failed or cannot be had."""
    separate: tuple[str, ...] = ()
    """Experts that are asked for each field in a question of its own."""

    @property
    def required(self) -> frozenset[str]:
        """Experts without which the strategy is not what its name says."""
        return _named(self.default, *self.kinds.values(), *self.fields.values())

    @property
    def optional(self) -> frozenset[str]:
        return _named(self.on_failure, *self.made.values()) - self.required


class Fixed:
    """Each field goes to its experts; fields of one expert go into one question."""

    Params = FixedParams

    def __init__(self, params: FixedParams, available: frozenset[str] | None = None) -> None:
        self._params = params
        self._available = available
        self._plan = PerSchema(self._derive)

    def route(self, state: State) -> Sequence[Ask]:
        asks = _Asks(self._params.separate)
        found, made = self._plan.of(state.schema)
        for name, experts in found:
            had = state.readings.get(name, {})
            wanted = [expert for expert in experts if expert not in had]
            if not wanted and all(reading.error is not None for reading in had.values()):
                spare = _usable(self._params.on_failure, self._available)
                wanted = [expert for expert in spare if expert not in had][:1]
            for expert in wanted:
                asks.add(expert, name)
        # Of what is made the last is believed most: nobody is asked before those that he outranks.
        for place in range(max((len(experts) for _, experts in made), default=0)):
            for name, experts in made:
                if place < len(experts) and experts[place] not in state.readings.get(name, {}):
                    asks.add(experts[place], name)
        return asks.made()

    def _derive(self, schema: Schema) -> tuple[_Wanted, _Wanted]:
        """Whom fields go to, those that are made of the text apart."""
        wanted = [
            (field, _usable(_experts(_of_field(self._params, field)), self._available))
            for field in schema.fields
        ]
        found = [(field.name, e) for field, e in wanted if not _is_made(self._params, field)]
        made = [(field.name, e) for field, e in wanted if _is_made(self._params, field)]
        return found, made


class CascadeParams(Value):
    """Each field's chain of experts, and how far it is followed."""

    default: tuple[str | tuple[str, ...], ...] = ()
    """The chain of the fields that neither `fields` nor `kinds` names. A link is an expert, or a
    list of experts that are asked together. The first link is always asked."""
    kinds: dict[Kind, tuple[str | tuple[str, ...], ...]] = {}
    """Chains of fields of a kind."""
    fields: dict[str, tuple[str | tuple[str, ...], ...]] = {}
    """Chains of fields by name; goes before `kinds`."""
    made: dict[str, tuple[str | tuple[str, ...], ...]] = {}
    """Chains of the fields that are made of the text, by task; `other` stands for tasks not named,
    which without it go where their kind does. All of such a chain is asked: a made text has no
    confidence, and two that judge alike are surer. Of texts the last is believed."""
    ask_below: Thresholds = Thresholds()
    """The next link is asked while the decision's confidence is below."""
    whole: bool = True
    """Ask an expert for all fields in whose chain it stands as soon as one of them needs it. One
    question then serves every strategy, and the others get another opinion for almost nothing
    (a question's cost is the page, not the fields). False: only the fields in need."""
    separate: tuple[str, ...] = ()
    """Experts that are asked for each field in need in a question of its own."""

    @property
    def required(self) -> frozenset[str]:
        """The first links; the others are asked where they can be had."""
        chains = (self.default, *self.kinds.values(), *self.fields.values())
        return _named(*(_links(chain)[0] for chain in chains if chain))

    @property
    def optional(self) -> frozenset[str]:
        chains = (
            self.default,
            *self.kinds.values(),
            *self.fields.values(),
            *self.made.values(),
        )
        named = _named(*(link for chain in chains for link in _links(chain)))
        return named - self.required


class Cascade:
    """Asks the next expert of a field's chain while the decision is not sure enough."""

    Params = CascadeParams

    def __init__(self, params: CascadeParams, available: frozenset[str] | None = None) -> None:
        self._params = params
        self._available = available
        self._plan = PerSchema(self._derive)

    def route(self, state: State) -> Sequence[Ask]:
        plan = self._plan.of(state.schema)
        needed: dict[str, list[str]] = {}
        for field, chain in plan:
            for expert in self._next(state, field, chain):
                needed.setdefault(expert, []).append(field.name)
        asks = _Asks(self._params.separate)
        for expert, names in needed.items():
            if self._params.whole and expert not in self._params.separate:
                names = [
                    field.name
                    for field, chain in plan
                    if any(expert in link for link in chain)
                    and expert not in state.readings.get(field.name, {})
                ]
            for name in names:
                asks.add(expert, name)
        return asks.made()

    def variants(self) -> list[Variant]:
        """One threshold for all fields, from never asking the next expert to always doing so."""
        asks = "asks the next expert"
        return [
            Variant("never", f"never {asks}", {"ask_below": {"default": 0.0}}),
            *(
                Variant(
                    f"{step:g}",
                    f"{asks} below a confidence of {step:g}",
                    {"ask_below": {"default": step}},
                )
                for step in _STEPS
            ),
            Variant("always", f"always {asks}", {"ask_below": {"default": None}}),
        ]

    def _next(self, state: State, field: Field, chain: _Chain) -> list[str]:
        had = state.readings.get(field.name, {})
        for position, link in enumerate(chain):
            unasked = [expert for expert in link if expert not in had]
            if not unasked:
                continue
            if position > 0 and not _is_made(self._params, field):
                decision = state.decisions.get(field.name)
                confidence = decision.confidence if decision is not None else None
                if self._params.ask_below.reached(field, confidence):
                    return []
            return unasked
        return []

    def _derive(self, schema: Schema) -> list[tuple[Field, _Chain]]:
        params = self._params
        plan = []
        for field in schema.fields:
            chain = _of_field(params, field)
            links = (_usable(link, self._available) for link in _links(chain))
            plan.append((field, tuple(link for link in links if link)))
        return plan


class LearnedParams(Value):
    """The fitted policy, and what an answer may cost."""

    policy: Policy | Path
    """The fitted policy, or the file it stands in."""
    price: float | None = None
    """λ: how many right cells a unit of cost must bring at least. None: the policy's own."""
    sure: float = 0.999
    """A field decided with this confidence asks nobody."""
    separate: tuple[str, ...] = ()
    """Experts that are asked for each field in a question of its own."""

    @property
    def required(self) -> frozenset[str]:
        return frozenset()

    @property
    def optional(self) -> frozenset[str]:
        return frozenset(_policy(self.policy).experts)


class Learned:
    """Asks the expert whose answer is worth most: Σ over fields of (chance − confidence) − λ·cost.

    The chance of every expert to be right is predicted per field from what was read so far, before
    the first call (from the field alone) and after each one. An expert is asked for all the fields
    it serves at once, and only while its worth is above zero.
    """

    Params = LearnedParams

    def __init__(self, params: LearnedParams, available: frozenset[str] | None = None) -> None:
        self._params = params
        self._policy = _policy(params.policy)
        self._price = self._policy.price if params.price is None else params.price
        self._experts = _usable(sorted(self._policy.experts), available)

    def route(self, state: State) -> Sequence[Ask]:
        features = {
            field.name: state_features(field, state.readings.get(field.name, {}), state.decisions)
            for field in state.schema.fields
        }
        best: tuple[float, str, list[str]] | None = None
        for expert in self._experts:
            gain, names = 0.0, []
            for field in state.schema.fields:
                if expert in state.readings.get(field.name, {}):
                    continue
                chance = self._policy.chance(expert, field, features[field.name])
                if chance is None:
                    continue
                names.append(field.name)
                decision = state.decisions.get(field.name)
                sure = (decision.confidence or 0.0) if decision is not None else 0.0
                if sure < self._params.sure:
                    gain += max(0.0, chance - sure)
            if not names:
                continue
            worth = gain - self._price * self._policy.experts[expert].cost
            if worth > 0.0 and (best is None or worth > best[0]):
                best = (worth, expert, names)
        if best is None:
            return self._unread(state)
        asks = _Asks(self._params.separate)
        for name in best[2]:
            asks.add(best[1], name)
        return asks.made()

    def _unread(self, state: State) -> Sequence[Ask]:
        """No field stays without any reading because its experts look too dear."""
        asks = _Asks(self._params.separate)
        for field in state.schema.fields:
            if state.readings.get(field.name):
                continue
            serving = [
                expert
                for expert in self._experts
                if self._policy.chance(expert, field, {}) is not None
            ]
            if serving:
                asks.add(min(serving, key=lambda e: (self._policy.experts[e].cost, e)), field.name)
        return asks.made()


class _Asks:
    """Collects (expert, field) pairs into questions, in the order in which they were wished."""

    def __init__(self, separate: Sequence[str]) -> None:
        self._separate = separate
        self._fields: dict[str, list[str]] = {}

    def add(self, expert: str, field: str) -> None:
        self._fields.setdefault(expert, []).append(field)

    def made(self) -> list[Ask]:
        asks: list[Ask] = []
        for expert, fields in self._fields.items():
            if expert in self._separate:
                asks.extend(Ask(expert, (field,)) for field in fields)
            else:
                asks.append(Ask(expert, tuple(fields)))
        return asks


def _of_field(params: FixedParams | CascadeParams, field: Field) -> Sequence[str | tuple[str, ...]]:
    """Whom a field goes to: by name, by what is made of the text, by kind, or by default."""
    if _is_made(params, field):
        return params.made.get(field.made, params.made.get(OTHER, ()))
    return params.fields.get(field.name, params.kinds.get(field.kind, params.default))


def _is_made(params: FixedParams | CascadeParams, field: Field) -> bool:
    """Whether a field goes where the gate sends what is made of the text."""
    named = field.made in params.made or OTHER in params.made
    return bool(field.made) and named and field.name not in params.fields


def _experts(chain: Sequence[str | tuple[str, ...]]) -> Iterator[str]:
    return (expert for link in _links(chain) for expert in link)


def _links(chain: Sequence[str | tuple[str, ...]]) -> _Chain:
    return tuple((link,) if isinstance(link, str) else link for link in chain)


def _usable(experts: Iterable[str], available: frozenset[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(e for e in experts if available is None or e in available))


def _named(*groups: Iterable[str]) -> frozenset[str]:
    return frozenset(expert for group in groups for expert in group)


def _policy(source: Policy | Path) -> Policy:
    return source if isinstance(source, Policy) else load_policy(source)

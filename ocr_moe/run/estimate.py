"""What a run would ask and cost, before it starts: nothing is decoded, nothing is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocr_moe.errors import DocumentError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import Source
from ocr_moe.protocols import State
from ocr_moe.routing.loop import Strategy
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.config import Config

PROMPT_TOKENS = {"ocr_text": 900, "vision": 1800}
"""Typical prompt of a page, by kind of expert, where the store holds no answers to learn from."""
COMPLETION_TOKENS = 25
"""Typical answer, for each field."""


@dataclass(frozen=True)
class Estimate:
    """Of one expert under one strategy: sure in the first round, at most if every field is unsure."""

    strategy: str
    expert: str
    chat: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    money: float
    sure: bool
    """Whether the calls are made in any case; a cascade asks later experts only where unsure."""


@dataclass(frozen=True)
class Plan:
    files: int
    documents: int
    unreadable: int
    estimates: tuple[Estimate, ...]


def estimate(
    sources: Sequence[Source],
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    config: Config,
    store: Store | None,
) -> Plan:
    """Calls, tokens and money by expert. Tokens come from the store's answers where it has any."""
    documents = unreadable = 0
    schema = max(schemas, key=lambda schema: len(schema.fields))
    with Decoder(config.images) as decoder:
        for source in sources:
            try:
                pages = _pages(source, decoder, store)
            except DocumentError:
                unreadable += 1
                continue
            documents += pages if schema.pages == 1 else 1
    found = [
        item
        for strategy in strategies
        for item in _of_strategy(strategy, schema, documents, config, store)
    ]
    return Plan(len(sources), documents, unreadable, tuple(found))


def _pages(source: Source, decoder: Decoder, store: Store | None) -> int:
    known = store.get_page_count(source.digest(decoder.limits)) if store is not None else None
    if known is not None:
        return known
    with decoder.open(source) as opened:
        return opened.pages


def _of_strategy(
    strategy: Strategy, schema: Schema, documents: int, config: Config, store: Store | None
) -> list[Estimate]:
    first = strategy.gate.route(State(schema, {name: {} for name in schema.names}))
    asked: dict[str, tuple[int, int, bool]] = {}
    for ask in first:
        calls, fields, _ = asked.get(ask.expert, (0, 0, True))
        asked[ask.expert] = (calls + 1, fields + len(ask.fields), True)
    for expert in strategy.experts:
        asked.setdefault(expert, (1, len(schema.fields), False))
    estimates = []
    for expert, (calls, fields, sure) in asked.items():
        component = config.experts.get(expert)
        chat = component.params.get("chat") if component is not None else None
        if component is None or component.kind not in PROMPT_TOKENS:
            continue
        chat = chat or {"ocr_text": "text", "vision": "vision"}[component.kind]
        if component.params.get("fields") == "single":
            calls = fields
        mean = store.mean_tokens(expert) if store is not None else None
        prompt, completion = mean or (PROMPT_TOKENS[component.kind], COMPLETION_TOKENS * fields)
        prompt, completion = round(prompt * calls * documents), round(completion * documents)
        if mean is not None:
            completion = round(mean[1] * calls * documents)
        endpoint = config.chat[chat].params if chat in config.chat else {}
        money = (
            prompt * float(endpoint.get("prompt_price", 0.0))
            + completion * float(endpoint.get("completion_price", 0.0))
        ) / 1e6
        estimates.append(
            Estimate(
                strategy.name, expert, chat, calls * documents, prompt, completion, money, sure
            )
        )
    return estimates

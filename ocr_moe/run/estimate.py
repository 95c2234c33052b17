"""What a run would ask and cost, before it starts: nothing is decoded, nothing is asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ocr_moe.errors import DocumentError
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import Source
from ocr_moe.protocols import State
from ocr_moe.routing.loop import Strategy
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop


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
    sources: Collection[Source],
    strategies: Sequence[Strategy],
    schemas: Sequence[Schema],
    workshop: Workshop,
    store: Store | None,
) -> Plan:
    """Calls, tokens and money by expert. Tokens come from the store's answers where it has any,
    else they are what the experts call typical."""
    documents = unreadable = pages_in_all = 0
    schema = max(schemas, key=lambda schema: len(schema.fields))
    with Decoder(workshop.config.images) as decoder:
        for source in sources:
            try:
                pages = _pages(source, decoder, store)
            except DocumentError:
                unreadable += 1
                continue
            pages_in_all += pages
            documents += pages if schema.pages == 1 else 1
    found = _of_pages(pages_in_all, workshop) + [
        item
        for strategy in strategies
        for item in _of_strategy(strategy, schema, documents, workshop, store)
    ]
    return Plan(len(sources), documents, unreadable, tuple(found))


def _pages(source: Source, decoder: Decoder, store: Store | None) -> int:
    known = store.get_page_count(source.digest(decoder.limits)) if store is not None else None
    if known is not None:
        return known
    with decoder.open(source) as opened:
        return opened.pages


def _of_pages(pages: int, workshop: Workshop) -> list[Estimate]:
    """What page OCR asks at most: pages with text of their own, and blank ones, are not asked about."""
    engine = workshop.config.ocr
    found = []
    for use in workshop.engine_uses(engine):
        prices = workshop.prices(use.endpoint)
        prompt, completion = use.prompt_tokens * pages, use.completion_tokens * pages
        found.append(
            Estimate(
                strategy="ocr",
                expert=engine,
                chat=use.endpoint,
                calls=pages,
                prompt_tokens=prompt,
                completion_tokens=completion,
                money=(prompt * prices[0] + completion * prices[1]) / 1e6,
                sure=False,
            )
        )
    return found


def _of_strategy(
    strategy: Strategy, schema: Schema, documents: int, workshop: Workshop, store: Store | None
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
        mean = store.mean_tokens(expert) if store is not None else None
        for use in workshop.chat_uses(expert):
            requests = fields if use.each_field else calls
            if mean is not None:
                prompt, completion = mean[0] * requests, mean[1] * requests
            else:
                prompt, completion = use.prompt_tokens * requests, use.completion_tokens * fields
            prompt, completion = round(prompt * documents), round(completion * documents)
            prices = workshop.prices(use.endpoint)
            estimates.append(
                Estimate(
                    strategy=strategy.name,
                    expert=expert,
                    chat=use.endpoint,
                    calls=requests * documents,
                    prompt_tokens=prompt,
                    completion_tokens=completion,
                    money=(prompt * prices[0] + completion * prices[1]) / 1e6,
                    sure=sure,
                )
            )
    return estimates

"""The loop: route, ask, combine, until the gate wants nothing more.

Live, resumed and replayed runs are this same loop; only who answers differs, an expert or the store.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ocr_moe.errors import BudgetExceededError, ExpertError, OcrMoeError, UsageError
from ocr_moe.protocols import Combiner, Document, Expert, Gate, State
from ocr_moe.schema import Field
from ocr_moe.store.database import Question, Store
from ocr_moe.types import Answer, Cost, Decision, Failure, Reading, Record


@dataclass(frozen=True)
class Strategy:
    """A named way to get from documents to decisions, built and ready."""

    name: str
    title: str
    gate: Gate
    combiner: Combiner
    experts: Mapping[str, Expert]
    provenance: str = ""
    """Where answers come from when not from a live expert, for people to read."""


class Answerer(Protocol):
    """Who answers an expert's question: the expert itself, or the store."""

    def answer(self, expert: Expert, document: Document, fields: Sequence[Field]) -> Answer: ...


def extract(document: Document, strategy: Strategy, answerer: Answerer) -> Record:
    """All decisions of one strategy for one document."""
    schema = document.schema
    readings: dict[str, dict[str, Reading]] = {name: {} for name in schema.names}
    ocr_seconds = sum(page.text.seconds for page in document.pages)
    cost = Cost(seconds=ocr_seconds, ocr_seconds=ocr_seconds)
    decisions: Mapping[str, Decision] = {}
    while asks := strategy.gate.route(State(schema, readings, decisions)):
        for ask in asks:
            answer = answerer.answer(
                strategy.experts[ask.expert], document, schema.select(ask.fields)
            )
            cost += answer.cost
            for reading in answer.readings:
                readings[reading.field][ask.expert] = reading
        decisions = strategy.combiner.combine(State(schema, readings))
    if not decisions:
        decisions = strategy.combiner.combine(State(schema, readings))
    return Record(
        document=document.ref,
        schema_name=schema.name,
        strategy=strategy.name,
        fields=dict(decisions),
        cost=cost,
    )


class Ledger:
    """What a run has asked and spent so far. Safe to share between threads."""

    def __init__(self, limit: float | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.asked = 0
        """Questions put to an expert rather than found in the store."""
        self.money = 0.0

    def check(self) -> None:
        """Raises BudgetExceededError when the ceiling is reached."""
        if self._limit is not None and self.money >= self._limit:
            raise BudgetExceededError(
                f"--max-cost {self._limit:g} is reached (spent {self.money:.4g}); "
                "run again with a higher one to go on where this stopped"
            )

    def enter(self, cost: Cost) -> None:
        with self._lock:
            self.asked += 1
            self.money += cost.money


class StoredAnswers:
    """Answers about one document: from the store, else from the expert, whose word is then stored."""

    def __init__(self, store: Store, ledger: Ledger, digests: dict[tuple[str, ...], str]) -> None:
        """`digests` remembers question digests across documents of one schema object."""
        self._store = store
        self._ledger = ledger
        self._digests = digests
        self._known: dict[tuple[str, str], Answer] = {}

    def answer(self, expert: Expert, document: Document, fields: Sequence[Field]) -> Answer:
        names = tuple(field.name for field in fields)
        digest = self._digests.get(names)
        if digest is None:
            digest = self._digests[names] = digest_fields(document.schema.name, fields)
        try:
            key = (expert.fingerprint, digest)
        except ExpertError as error:  # a server that is down cannot say which model it has
            return failed_answer(expert.name, fields, error)
        if key not in self._known:
            self._known[key] = self._look_up(expert, document, fields, names, digest)
        return self._known[key]

    def _look_up(
        self,
        expert: Expert,
        document: Document,
        fields: Sequence[Field],
        names: tuple[str, ...],
        digest: str,
    ) -> Answer:
        question = Question(
            sha256=document.ref.sha256,
            page=document.ref.page,
            fingerprint=expert.fingerprint,
            digest=digest,
            expert=expert.name,
            schema=document.schema.name,
            fields=names,
        )
        stored = self._store.get_answer(question)
        if stored is not None:
            return stored
        self._ledger.check()
        answer = ask(expert, document, fields)
        self._ledger.enter(answer.cost)
        self._store.put_answer(question, answer)
        return answer


def ask(expert: Expert, document: Document, fields: Sequence[Field]) -> Answer:
    """One question to one expert. An expert that breaks gives a failed reading for every field."""
    start = time.perf_counter()
    try:
        answer = expert.read(document, fields)
    except UsageError:
        raise
    except Exception as error:  # an expert, perhaps a third party's, must not end the batch
        seconds = round(time.perf_counter() - start, 4)
        answer = failed_answer(expert.name, fields, error, expert.fingerprint, seconds)
    asked = [field.name for field in fields]
    given = [reading.field for reading in answer.readings]
    if given != asked:
        raise TypeError(f"expert {expert.name} was asked for {asked} and answered {given}")
    return answer


def failed_answer(
    name: str,
    fields: Sequence[Field],
    error: Exception,
    fingerprint: str = "",
    seconds: float = 0.0,
) -> Answer:
    """A failed reading for every field."""
    message = str(error) or type(error).__name__
    if not isinstance(error, OcrMoeError):
        message = f"unexpected error in expert {name}: {message}"
    failure = Failure(type=type(error).__name__, message=message)
    return Answer(
        expert=fingerprint or name,
        readings=tuple(Reading(field=field.name, error=failure) for field in fields),
        cost=Cost(seconds=seconds),
    )


def fingerprint_of(expert: Expert) -> str | None:
    """The expert's fingerprint, or None where its server does not answer."""
    try:
        return expert.fingerprint
    except ExpertError:
        return None


def digest_fields(schema: str, fields: Sequence[Field]) -> str:
    """A short digest of the declarations that a question is about."""
    declared = [schema, *(field.model_dump(mode="json") for field in fields)]
    text = json.dumps(declared, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""Answers about one document: from the store, else from the expert, whose word is then stored.

A stored answer of a language model is its raw replies.  Where they are parsed otherwise today than
when it was stored, they are parsed again: nobody is asked, and what was paid for stays of use.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ocr_moe.deferral import Files, deferring
from ocr_moe.errors import (
    BudgetExceededError,
    DamagedRowError,
    DeferredError,
    OcrMoeError,
    UsageError,
)
from ocr_moe.geometry import onto_page
from ocr_moe.judgements import Verdict
from ocr_moe.observing import Observed, observe
from ocr_moe.permits import resume
from ocr_moe.protocols import Document, Expert, Rereader
from ocr_moe.routing.consistency import day_of
from ocr_moe.routing.loop import Course, Strategy, decide
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.ledger import Books, unasked
from ocr_moe.schema import Field
from ocr_moe.store.database import Question, Store
from ocr_moe.tracing import span
from ocr_moe.types import Answer, Box, Cost, Decision, Evidence, Failure, Reading, Record

_WORDS = 2000
"""Characters of an exception that are kept."""
_LONGEST = 100_000
"""Characters that a value may have; no field of a page has so many."""


class NotRecordedError(OcrMoeError):
    """The store does not hold what is asked for, and nobody may be asked."""


class StoppedError(OcrMoeError):
    """The run is asked to stop: nothing new is begun."""


class StoredAnswers:
    """Answers about one document, each question put once."""

    def __init__(
        self,
        store: Store,
        ledger: Books | None,
        digests: dict[tuple[str, ...], str],
        document: Document,
        *,
        files: Files | None = None,
    ) -> None:
        """Without a ledger nobody is asked: what is not stored as it would be today raises
        NotRecordedError.

        `digests` remembers question digests across documents of one schema object. In `files` requests
        may wait for a batch; without them all are made at once.
        """
        self._store = store
        self._ledger = ledger
        self._digests = digests
        self._document = document
        self._files = files
        self._known: dict[tuple[str, str], Answer] = {}

    @property
    def today(self) -> str | None:
        """The day on which the run was first started, where the store tells."""
        return day_of(self._store.get_meta("started"))

    def answer(self, expert: Expert, fields: Sequence[Field]) -> Answer:
        """Raises BudgetExceededError, DeferredError, StoppedError, NotRecordedError or UsageError; a
        failing expert does not."""
        names = tuple(field.name for field in fields)
        digest = self._digests.get(names)
        if digest is None:
            digest = self._digests[names] = digest_fields(self._document.schema.name, fields)
        try:
            fingerprint = expert.fingerprint
            fingerprint.encode("utf-8")  # it is a key of the store
        except UsageError:
            raise
        except Exception as error:  # a server that is down cannot say which model it has
            return failed_answer(expert.name, fields, error)
        key = (fingerprint, digest)
        if key not in self._known:
            self._known[key] = self._look_up(expert, fingerprint, fields, names, digest)
        return self._known[key]

    def _look_up(
        self,
        expert: Expert,
        fingerprint: str,
        fields: Sequence[Field],
        names: tuple[str, ...],
        digest: str,
    ) -> Answer:
        ref = self._document.ref
        question = Question(
            sha256=ref.sha256,
            page=ref.page,
            fingerprint=fingerprint,
            digest=digest,
            expert=expert.name,
            schema=self._document.schema.name,
            fields=names,
            region=ref.region,
        )
        stored = self._store.get_answer(question)
        rest = fields if stored is None else [f for f in fields if f.name in unasked(stored)]
        if stored is not None and not rest:
            observe(Observed.ANSWERS, expert.name, "stored", _outcome_of(stored))
            return self._as_parsed_today(expert, fields, question, stored)
        if self._ledger is None:
            raise NotRecordedError(f"{ref.path}: {expert.name} has not been asked")
        with deferring(self._files) as deferral, self._ledger.question(expert.name) as paid:
            answer = ask(expert, self._document, rest, fingerprint)
            if deferral is not None and deferral.has_deferred:  # whatever the expert made of that
                resume()
                raise DeferredError(f"{expert.name} is answered later")
            paid.settle(answer.cost)
        _observe_asked(expert.name, answer)
        if stored is not None:
            answer = _completed(self._as_parsed_today(expert, fields, question, stored), answer)
        self._store.put_answer(question, answer)
        resume()
        if left := unasked(answer):
            failures = {reading.field: reading.error for reading in answer.readings}
            failure = failures[left[0]]
            raise BudgetExceededError(failure.message if failure is not None else "")
        return answer

    def _as_parsed_today(
        self, expert: Expert, fields: Sequence[Field], question: Question, stored: Answer
    ) -> Answer:
        if not stored.replies or not isinstance(expert, Rereader):
            return stored  # as most are: looking at the expert takes longer
        if not stored.is_outdated(expert.parsing):
            return stored
        if self._ledger is None:  # nor can anything be stored
            raise NotRecordedError(
                f"{self._document.ref.path}: the replies to {expert.name} are to be parsed again"
            )
        answer = reread(expert.name, expert, self._document, fields, stored)
        self._store.put_answer(question, answer)
        return answer


def course_of(
    document: Document,
    strategy: Strategy,
    answers: StoredAnswers,
    verdicts: Mapping[str, Verdict] = {},
) -> Course:
    """How one strategy routes one document, and what it decides; `verdicts` is what people say."""
    schema = document.schema
    course = decide(
        schema,
        strategy.gate,
        strategy.combiner,
        lambda ask: answers.answer(strategy.experts[ask.expert], schema.select(ask.fields)),
        ocr_seconds=sum(page.text.seconds for page in document.pages),
        today=answers.today,
        verdicts=verdicts,
    )
    _check(schema.names, course.decisions)
    paid = sum((page.text.cost for page in document.pages), Cost())
    return replace(course, cost=course.cost + paid) if paid.calls else course


def record_of(document: Document, strategy: Strategy, course: Course) -> Record:
    """What the routing of a document by a strategy came to."""
    region = document.ref.region
    return Record(
        document=document.ref,
        schema_name=document.schema.name,
        strategy=strategy.name,
        fields={
            name: decision
            if region is None
            else decision.model_copy(update={"evidence": on_page(decision.evidence, region)})
            for name, decision in course.decisions.items()
        },
        cost=course.cost,
    )


def on_page(evidence: Evidence | None, region: Box | None) -> Evidence | None:
    """Where a thing stands on the page, of which a document's experts saw that region only."""
    if evidence is None or region is None:
        return evidence
    return evidence.model_copy(update={"box": onto_page(evidence.box, region)})


def _check(names: Sequence[str], decisions: Mapping[str, Decision]) -> None:
    """Raises ValueError for decisions that are not one a field, or that no store could give back."""
    if set(decisions) != set(names):
        raise ValueError(
            f"the combiner was asked for {list(names)} and decided on {list(decisions)}"
        )
    for name, decision in decisions.items():
        # What pydantic checks, unless a combiner builds decisions without it (model_construct).
        numbers = (decision.confidence, *decision.characters)
        box = () if decision.evidence is None else decision.evidence.box
        if not all(n is None or 0 <= n <= 1 for n in numbers) or not all(map(math.isfinite, box)):
            raise ValueError(f"the combiner gave {name} a number that is none")
        if len(decision.value or "") > _LONGEST:
            raise ValueError(f"the combiner gave {name} more than {_LONGEST} characters")


def ask(
    expert: Expert, document: Document, fields: Sequence[Field], fingerprint: str = ""
) -> Answer:
    """One question to one expert. An expert that breaks gives a failed reading for every field."""
    start = time.perf_counter()
    answer: object = None
    try:
        with span(f"expert.{expert.name}"):
            answer = expert.read(document, fields)
        return _sound(fields, answer)
    except BaseException as error:  # an expert, perhaps a third party's, must not end the batch
        if is_not_its_own(error):
            raise
        seconds = round(time.perf_counter() - start, 4)
        failed = failed_answer(expert.name, fields, error, fingerprint, seconds)
        return failed.model_copy(update={"cost": _spent(answer) or failed.cost})


def reread(
    name: str, expert: Rereader, document: Document, fields: Sequence[Field], answer: Answer
) -> Answer:
    """The replies of an answer parsed anew. Where that breaks, every field has a failed reading, and
    replies and cost are kept for the next revision of the parsing."""
    try:
        return _sound(fields, expert.reread(document, fields, answer))
    except BaseException as error:
        if is_not_its_own(error):
            raise
        failed = failed_answer(name, fields, error).readings
        return answer.model_copy(update={"readings": failed, "parsing": expert.parsing})


def _observe_asked(expert: str, answer: Answer) -> None:
    cost = answer.cost
    observe(Observed.ANSWERS, expert, "asked", _outcome_of(answer))
    observe(Observed.ANSWER_SECONDS, expert, number=cost.seconds)
    if cost.calls:
        observe(Observed.REQUESTS, expert, number=cost.calls)
        observe(Observed.TOKENS, expert, "prompt", number=cost.prompt_tokens)
        observe(Observed.TOKENS, expert, "completion", number=cost.completion_tokens)
        observe(Observed.MONEY, expert, number=cost.money)


def _outcome_of(answer: Answer) -> str:
    failed = bool(answer.readings) and all(each.error is not None for each in answer.readings)
    return "failed" if failed else "answered"


def _completed(before: Answer, rest: Answer) -> Answer:
    """An answer that the budget interrupted, with what was asked later: as if it had been one."""
    later = {reading.field: reading for reading in rest.readings}
    readings = tuple(later.get(reading.field, reading) for reading in before.readings)
    replies = [reply for reply in before.replies if not later.keys() & set(reply.fields)]
    return rest.model_copy(
        update={
            "readings": readings,
            "cost": before.cost + rest.cost,
            "model": rest.model or before.model,
            "replies": (*replies, *rest.replies),
        }
    )


def is_not_its_own(error: BaseException) -> bool:
    """Whether an exception that comes out of a plug-in is about the run: it is to be raised on.

    That is a wrong configuration, a lost store, a spent budget, a question that waits, and
    Ctrl-C, which reaches the main thread only.
    """
    if isinstance(error, KeyboardInterrupt):
        return threading.current_thread() is threading.main_thread()
    if isinstance(error, DamagedRowError):  # of a store whose answers stand in for an expert
        return False
    return isinstance(
        error,
        UsageError | BudgetExceededError | DeferredError | StoppedError | NotRecordedError,
    )


def words_of(error: BaseException) -> str:
    """What an exception says, as text of bounded length that can be stored."""
    try:
        text = str(error)
    except Exception:  # whoever wrote its class
        text = ""
    text = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return (text if len(text) <= _WORDS else f"{text[:_WORDS]}…") or type(error).__name__


def _sound(fields: Sequence[Field], answer: object) -> Answer:
    """An answer as the store will give it back. Raises TypeError or ValueError for what is none."""
    if not isinstance(answer, Answer):
        raise TypeError(f"an Answer is expected, not {type(answer).__name__}")
    asked = [field.name for field in fields]
    # What was built without validation (model_construct) shows when it is written and read.
    answer = Answer.model_validate_json(answer.model_dump_json(warnings="error"))
    given = [reading.field for reading in answer.readings]
    if given != asked:
        raise TypeError(f"it was asked for {asked} and answered {given}")
    for reading in answer.readings:
        if max(len(reading.value or ""), len(reading.raw or "")) > _LONGEST:
            raise ValueError(f"the value of {reading.field} has more than {_LONGEST} characters")
    return answer


def _spent(answer: object) -> Cost | None:
    """What an answer that cannot be used has cost all the same."""
    try:
        cost = answer.cost if isinstance(answer, Answer) else None
        return None if cost is None else Cost.model_validate(cost.model_dump())
    except (AttributeError, ValueError):
        return None


def failed_answer(
    name: str,
    fields: Sequence[Field],
    error: BaseException,
    fingerprint: str = "",
    seconds: float = 0.0,
) -> Answer:
    """A failed reading for every field."""
    message = words_of(error)
    if not isinstance(error, OcrMoeError):
        message = f"unexpected error in expert {name}: {message}"
    failure = Failure(type=type(error).__name__, message=message)
    return Answer(
        expert=fingerprint or name,
        readings=tuple(Reading(field=field.name, error=failure) for field in fields),
        cost=Cost(seconds=seconds),
    )

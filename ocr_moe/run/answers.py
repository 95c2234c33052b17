"""Answers about one document: from the store, else from the expert, whose word is then stored.

A stored answer of a language model is its raw replies.  Where they are parsed otherwise today than
when it was stored, they are parsed again: nobody is asked, and what was paid for stays of use.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ocr_moe.errors import BudgetExceededError, ExpertError, OcrMoeError, UsageError
from ocr_moe.protocols import Document, Expert, Rereader
from ocr_moe.routing.loop import Strategy, decide
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.ledger import Ledger, unasked
from ocr_moe.schema import Field
from ocr_moe.store.database import Question, Store
from ocr_moe.types import Answer, Cost, Failure, Reading, Record


class NotRecordedError(OcrMoeError):
    """The store does not hold what is asked for, and nobody may be asked."""


class StoredAnswers:
    """Answers about one document, each question put once."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger | None,
        digests: dict[tuple[str, ...], str],
        document: Document,
    ) -> None:
        """Without a ledger nobody is asked: what is not stored as it would be today raises
        NotRecordedError.

        `digests` remembers question digests across documents of one schema object.
        """
        self._store = store
        self._ledger = ledger
        self._digests = digests
        self._document = document
        self._known: dict[tuple[str, str], Answer] = {}

    def answer(self, expert: Expert, fields: Sequence[Field]) -> Answer:
        """Raises BudgetExceededError, NotRecordedError or UsageError; a failing expert does not."""
        names = tuple(field.name for field in fields)
        digest = self._digests.get(names)
        if digest is None:
            digest = self._digests[names] = digest_fields(self._document.schema.name, fields)
        try:
            key = (expert.fingerprint, digest)
        except ExpertError as error:  # a server that is down cannot say which model it has
            return failed_answer(expert.name, fields, error)
        if key not in self._known:
            self._known[key] = self._look_up(expert, fields, names, digest)
        return self._known[key]

    def _look_up(
        self, expert: Expert, fields: Sequence[Field], names: tuple[str, ...], digest: str
    ) -> Answer:
        ref = self._document.ref
        question = Question(
            sha256=ref.sha256,
            page=ref.page,
            fingerprint=expert.fingerprint,
            digest=digest,
            expert=expert.name,
            schema=self._document.schema.name,
            fields=names,
        )
        stored = self._store.get_answer(question)
        rest = fields if stored is None else [f for f in fields if f.name in unasked(stored)]
        if stored is not None and not rest:
            return self._as_parsed_today(expert, fields, question, stored)
        if self._ledger is None:
            raise NotRecordedError(f"{ref.path}: {expert.name} has not been asked")
        with self._ledger.question(expert.name) as paid:
            answer = ask(expert, self._document, rest)
            paid.settle(answer.cost)
        if stored is not None:
            answer = _completed(self._as_parsed_today(expert, fields, question, stored), answer)
        self._store.put_answer(question, answer)
        if left := unasked(answer):
            failures = {reading.field: reading.error for reading in answer.readings}
            failure = failures[left[0]]
            raise BudgetExceededError(failure.message if failure is not None else "")
        return answer

    def _as_parsed_today(
        self, expert: Expert, fields: Sequence[Field], question: Question, stored: Answer
    ) -> Answer:
        if not isinstance(expert, Rereader) or not stored.is_outdated(expert.parsing):
            return stored
        if self._ledger is None:  # nor can anything be stored
            raise NotRecordedError(
                f"{self._document.ref.path}: the replies to {expert.name} are to be parsed again"
            )
        answer = reread(expert.name, expert, self._document, fields, stored)
        self._store.put_answer(question, answer)
        return answer


def record_of(document: Document, strategy: Strategy, answers: StoredAnswers) -> Record:
    """All decisions of one strategy for one document."""
    schema = document.schema
    course = decide(
        schema,
        strategy.gate,
        strategy.combiner,
        lambda ask: answers.answer(strategy.experts[ask.expert], schema.select(ask.fields)),
        ocr_seconds=sum(page.text.seconds for page in document.pages),
    )
    return Record(
        document=document.ref,
        schema_name=schema.name,
        strategy=strategy.name,
        fields=dict(course.decisions),
        cost=course.cost,
    )


def ask(expert: Expert, document: Document, fields: Sequence[Field]) -> Answer:
    """One question to one expert. An expert that breaks gives a failed reading for every field."""
    start = time.perf_counter()
    try:
        answer = expert.read(document, fields)
    except (UsageError, BudgetExceededError):
        raise
    except Exception as error:  # an expert, perhaps a third party's, must not end the batch
        seconds = round(time.perf_counter() - start, 4)
        answer = failed_answer(expert.name, fields, error, expert.fingerprint, seconds)
    return _complete(expert.name, fields, answer)


def reread(
    name: str, expert: Rereader, document: Document, fields: Sequence[Field], answer: Answer
) -> Answer:
    """The replies of an answer parsed anew. Where that breaks, every field has a failed reading, and
    replies and cost are kept for the next revision of the parsing."""
    try:
        again = expert.reread(document, fields, answer)
    except UsageError:
        raise
    except Exception as error:
        failed = failed_answer(name, fields, error).readings
        again = answer.model_copy(update={"readings": failed, "parsing": expert.parsing})
    return _complete(name, fields, again)


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


def _complete(expert: str, fields: Sequence[Field], answer: Answer) -> Answer:
    asked = [field.name for field in fields]
    given = [reading.field for reading in answer.readings]
    if given != asked:
        raise TypeError(f"expert {expert} was asked for {asked} and answered {given}")
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

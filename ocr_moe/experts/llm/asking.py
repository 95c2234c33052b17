"""Putting requests to a language model: what the experts `vision` and `ocr_text` share."""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from ocr_moe import permits
from ocr_moe.budget import account
from ocr_moe.deferral import deferred_here
from ocr_moe.errors import (
    BudgetExceededError,
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatTooLargeError,
    UsageError,
)
from ocr_moe.experts.llm.replies import REVISION as PARSING
from ocr_moe.experts.llm.replies import parse
from ocr_moe.formats.text import sound
from ocr_moe.observing import observed_here
from ocr_moe.protocols import ChatImage, ChatModel, ChatReply, Concurrent
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Answer, Cost, Failure, Line, RawReply, Value

COMPLETION_TOKENS = 25
"""Of a typical answer, for each field."""
TABLE_TOKENS = 4096
"""Further tokens that an answer may have for each table: some forty rows of five columns."""


@dataclass(frozen=True)
class ChatRequest:
    """The fields that a request asks for, the prompt, and images where there are some."""

    fields: tuple[Field, ...]
    user: str
    images: tuple[ChatImage, ...] = ()
    images_last: bool = False
    """Whether they stand after the text."""
    smaller: Callable[[], tuple[ChatImage, ...]] | None = None
    """Makes the same images smaller with each call, for servers that find them too large; nothing
    once they would not be legible."""


@dataclass(frozen=True)
class _Outcome:
    """What came of one request: a reply that was paid for, an error, or both."""

    fields: tuple[str, ...]
    reply: ChatReply | None = None
    error: Exception | None = None

    @property
    def stops(self) -> bool:
        """Whether it is of no use to ask on."""
        return isinstance(self.error, ChatConnectionError | ChatAuthError | BudgetExceededError)

    def kept(self) -> RawReply:
        failure = None if self.error is None else _failure(self.error)
        if self.reply is None:
            return RawReply(fields=self.fields, error=failure)
        logprobs = tuple((sound(token), _finite(logprob)) for token, logprob in self.reply.logprobs)
        return RawReply(
            fields=self.fields,
            content=sound(self.reply.content),
            model=sound(self.reply.model),
            constrained=self.reply.constrained,
            truncated=self.reply.truncated,
            logprobs=logprobs,
            error=failure,
        )


def ask(
    chat: ChatModel,
    expert: str,
    system: str,
    requests: Iterable[ChatRequest],
    asked: Sequence[Field],
    pages: Sequence[Sequence[Line]],
    max_tokens: int,
) -> Answer:
    """The answer to all requests, one reading per asked field in the order asked.

    The first request goes alone, the others as many at a time as the endpoint allows.  A request
    that fails, or that cannot be made (its crop cannot be read), costs its own fields only; every
    reply is kept, whether it can be understood or not.  Where the endpoint cannot be reached or
    refuses the key, or where the budget is spent, the remaining requests are not made.  Raises
    ChatError, EngineError, DocumentError or BudgetExceededError where no reply came at all.
    """
    started = time.perf_counter()
    spent = account()

    def put(request: ChatRequest) -> _Outcome:
        names = tuple(field.name for field in request.fields)
        try:
            spent.reserve()
        except BudgetExceededError as error:
            return _Outcome(names, error=error)
        reply: ChatReply | None = None
        try:
            reply = _put(chat, request, system, max_tokens)
            return _Outcome(names, reply)
        except UsageError:
            raise
        except Exception as error:  # whatever it is, it must not lose the other replies
            unusable = error.reply if isinstance(error, ChatAnswerError) else None
            reply = unusable if isinstance(unusable, ChatReply) else None
            return _Outcome(names, reply, error)
        finally:
            if reply is not None and reply.prepaid:
                spent.prepaid(reply.cost.money)
            spent.book(None if reply is None or reply.prepaid else reply.cost.money)

    at_once = chat.concurrency if isinstance(chat, Concurrent) else 1
    outcomes, broken = _outcomes(put, iter(requests), at_once)
    problem = next((one.error for one in outcomes if one.stops), None) or broken
    had = {name for one in outcomes for name in one.fields}
    if rest := tuple(field.name for field in asked if field.name not in had):
        outcomes.append(_Outcome(rest, error=problem))
    replied = [one.reply for one in outcomes if one.reply is not None]
    if not replied and (first := next((one.error for one in outcomes if one.error), None)):
        raise first
    replies = tuple(one.kept() for one in outcomes)
    readings = parse(replies, asked, pages)
    cost = sum((reply.cost for reply in replied), Cost())
    return Answer(
        expert=expert,
        readings=tuple(readings[field.name] for field in asked),
        cost=cost.model_copy(update={"seconds": round(time.perf_counter() - started, 3)}),
        model=sound(replied[-1].model) if replied else None,
        replies=replies,
        parsing=PARSING,
    )


def _outcomes(
    put: Callable[[ChatRequest], _Outcome], requests: Iterator[ChatRequest], at_once: int
) -> tuple[list[_Outcome], Exception | None]:
    """What came of the requests, in their order, and why no further one could be made.

    Requests are made in this thread, no sooner than one is free to be put.
    """
    found: list[_Outcome] = []
    pending: deque[Future[_Outcome]] = deque()
    broken: Exception | None = None
    pool: ThreadPoolExecutor | None = None
    try:
        while True:
            while pending and pending[0].done():
                found.append(pending.popleft().result())
            if any(one.stops for one in (*found, *(f.result() for f in pending if f.done()))):
                break
            running = [future for future in pending if not future.done()]
            if len(running) >= at_once:
                with permits.waiting():
                    wait(running, return_when=FIRST_COMPLETED)
                continue
            try:
                request = next(requests, None)
            except (UsageError, BudgetExceededError):
                raise
            except Exception as error:  # what was paid for must not be lost with it
                broken = error
                break
            if request is None:
                break
            if (not found and not pending) or at_once == 1:
                found.append(put(request))
                continue
            pool = pool or ThreadPoolExecutor(at_once, thread_name_prefix="request")
            pending.append(pool.submit(observed_here(deferred_here(put)), request))
    finally:
        if pool is not None:
            with permits.waiting():
                pool.shutdown(wait=True)
    return [*found, *(future.result() for future in pending)], broken


def _put(chat: ChatModel, request: ChatRequest, system: str, max_tokens: int) -> ChatReply:
    """With smaller images while the server finds them too large. Raises ChatError."""
    while True:
        try:
            return chat.complete(
                system=system,
                user=request.user,
                images=request.images,
                **({"images_last": True} if request.images_last else {}),
                json_schema=answer_schema(request.fields),
                max_tokens=max_tokens
                + TABLE_TOKENS * sum(field.kind is Kind.TABLE for field in request.fields),
            )
        except ChatTooLargeError:
            images = request.images
            while images and images == request.images:  # where they were smaller to begin with
                images = request.smaller() if request.smaller is not None else ()
            if not images:
                raise
            request = replace(request, images=images)


def answer_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """The JSON schema of an answer: one string or null for every asked field, in order, and for a table
    a list of such objects.

    Enums are not bound to their values: a degree is printed in more ways than the schema's own, and
    a model that copies what it sees leaves the translation to `normalize`.  Those that a model makes
    itself are.
    """
    return {
        "type": "object",
        "properties": {field.name: _value_schema(field) for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def _value_schema(field: Field) -> dict[str, Any]:
    """A text or null; of a table a list with an object a row."""
    if field.kind is Kind.TABLE:
        return {"type": ["array", "null"], "items": answer_schema(field.columns)}
    if field.made and field.values:
        return {"enum": [*field.values, None]}
    return {"type": ["string", "null"]}


def groups(fields: Sequence[Field], together: bool) -> list[tuple[Field, ...]]:
    """All fields in one request, or one request a field."""
    return [tuple(fields)] if together else [(field,) for field in fields]


def digest(params: Value, later: frozenset[str] = frozenset()) -> str:
    """A short stable hash of an expert's parameters. Those that came `later` are left out where they
    have their defaults: what was answered before they were there stays known."""
    fields = type(params).model_fields
    unset = {name for name in later if getattr(params, name) == fields[name].default}
    return hashlib.sha256(params.model_dump_json(exclude=unset).encode()).hexdigest()[:8]


def _finite(logprob: float) -> float:
    """To six decimals; what a server counts as impossible becomes -9999, as OpenAI writes it."""
    return round(logprob, 6) if math.isfinite(logprob) else -9999.0


def _failure(error: Exception) -> Failure:
    return Failure(type=type(error).__name__, message=sound(str(error)))

"""Putting requests to a language model: what the experts `vision` and `ocr_text` share."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ocr_moe.errors import (
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatError,
    ChatTooLargeError,
    DocumentError,
    ExpertError,
)
from ocr_moe.experts.llm.replies import REVISION as PARSING
from ocr_moe.experts.llm.replies import parse, sound
from ocr_moe.protocols import ChatImage, ChatModel, ChatReply
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Failure, Line, RawReply, Value

COMPLETION_TOKENS = 25
"""Of a typical answer, for each field."""


@dataclass(frozen=True)
class ChatRequest:
    """The fields that a request asks for, the prompt, and images where there are some."""

    fields: tuple[Field, ...]
    user: str
    images: tuple[ChatImage, ...] = ()
    smaller: Callable[[], tuple[ChatImage, ...]] | None = None
    """Makes the same images smaller with each call, for servers that find them too large; nothing
    once they would not be legible."""


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

    A request that fails, or that cannot be made (its crop cannot be read), costs its own fields
    only; every reply is kept, whether it can be understood or not.  Where the endpoint cannot be
    reached or refuses the key, the remaining requests are not made.  Raises ChatError, EngineError
    or DocumentError where no reply came at all.
    """
    started = time.perf_counter()
    replies: list[RawReply] = []
    cost = Cost()
    model: str | None = None
    stopped: ChatError | None = None
    first: ExpertError | DocumentError | None = None
    try:
        for request in requests:
            names = tuple(field.name for field in request.fields)
            try:
                if stopped is not None:
                    raise stopped
                reply = _put(chat, request, system, max_tokens)
                replies.append(_kept(names, reply))
            except ChatError as error:
                first = first or error
                if isinstance(error, ChatConnectionError | ChatAuthError):
                    stopped = error
                unusable = error.reply if isinstance(error, ChatAnswerError) else None
                if not isinstance(unusable, ChatReply):
                    replies.append(RawReply(fields=names, error=_failure(error)))
                    continue
                reply = unusable
                replies.append(_kept(names, reply, error))
            cost += reply.cost
            model = reply.model
    except (ExpertError, DocumentError) as error:
        first = first or error
        had = {name for reply in replies for name in reply.fields}
        rest = tuple(field.name for field in asked if field.name not in had)
        replies.append(RawReply(fields=rest, error=_failure(error)))
    if model is None and first is not None:
        raise first
    readings = parse(replies, asked, pages)
    return Answer(
        expert=expert,
        readings=tuple(readings[field.name] for field in asked),
        cost=cost.model_copy(update={"seconds": round(time.perf_counter() - started, 3)}),
        model=model,
        replies=tuple(replies),
        parsing=PARSING,
    )


def _put(chat: ChatModel, request: ChatRequest, system: str, max_tokens: int) -> ChatReply:
    """With smaller images while the server finds them too large. Raises ChatError."""
    while True:
        try:
            return chat.complete(
                system=system,
                user=request.user,
                images=request.images,
                json_schema=answer_schema(request.fields),
                max_tokens=max_tokens,
            )
        except ChatTooLargeError:
            images = request.images
            while images and images == request.images:  # where they were smaller to begin with
                images = request.smaller() if request.smaller is not None else ()
            if not images:
                raise
            request = replace(request, images=images)


def answer_schema(fields: Sequence[Field]) -> dict[str, Any]:
    """The JSON schema of an answer: one string or null for every asked field, in order.

    Enums are not bound to their values: a degree is printed in more ways than the schema's own, and
    a model that copies what it sees leaves the translation to `normalize`.
    """
    return {
        "type": "object",
        "properties": {field.name: {"type": ["string", "null"]} for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }


def groups(fields: Sequence[Field], together: bool) -> list[tuple[Field, ...]]:
    """All fields in one request, or one request a field."""
    return [tuple(fields)] if together else [(field,) for field in fields]


def digest(params: Value) -> str:
    """A short stable hash of an expert's parameters."""
    return hashlib.sha256(params.model_dump_json().encode()).hexdigest()[:8]


def _kept(fields: tuple[str, ...], reply: ChatReply, error: ChatError | None = None) -> RawReply:
    return RawReply(
        fields=fields,
        content=sound(reply.content),
        model=reply.model,
        constrained=reply.constrained,
        truncated=reply.truncated,
        logprobs=tuple((sound(token), _finite(logprob)) for token, logprob in reply.logprobs),
        error=None if error is None else _failure(error),
    )


def _finite(logprob: float) -> float:
    """To six decimals; what a server counts as impossible becomes -9999, as OpenAI writes it."""
    return round(logprob, 6) if math.isfinite(logprob) else -9999.0


def _failure(error: Exception) -> Failure:
    return Failure(type=type(error).__name__, message=sound(str(error)))

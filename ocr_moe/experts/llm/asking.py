"""Putting questions to a language model: what the experts `vision` and `ocr_text` share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocr_moe.errors import ChatAuthError, ChatConnectionError, ChatError
from ocr_moe.experts.llm.answers import answer_schema, failed, readings_of
from ocr_moe.protocols import ChatImage, ChatModel
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Line, Reading, Value

COMPLETION_TOKENS = 25
"""Of a typical answer, for each field."""


@dataclass(frozen=True)
class Question:
    """One request: the fields it asks for, the prompt, and images where there are some."""

    fields: tuple[Field, ...]
    user: str
    images: tuple[ChatImage, ...] = ()


def ask(
    chat: ChatModel,
    expert: str,
    system: str,
    questions: Iterable[Question],
    asked: Sequence[Field],
    pages: Sequence[Sequence[Line]],
    max_tokens: int,
) -> Answer:
    """The answer to all questions, one reading per asked field in the order asked.

    A question that fails costs its own fields only.  Where the endpoint cannot be reached or
    refuses the key, the remaining questions are not put.  Raises ChatError when no question got any
    reply.
    """
    readings: dict[str, Reading] = {}
    cost = Cost()
    model: str | None = None
    stopped: ChatError | None = None
    first: ChatError | None = None
    for question in questions:
        try:
            if stopped is not None:
                raise stopped
            reply = chat.complete(
                system=system,
                user=question.user,
                images=question.images,
                json_schema=answer_schema(question.fields),
                max_tokens=max_tokens,
            )
            cost += reply.cost
            model = reply.model
            found: Sequence[Reading] = readings_of(reply, question.fields, pages)
        except ChatError as error:
            first = first or error
            if isinstance(error, ChatConnectionError | ChatAuthError):
                stopped = error
            found = [failed(field, error) for field in question.fields]
        readings |= {reading.field: reading for reading in found}
    if model is None and first is not None:
        raise first
    ordered = tuple(readings[field.name] for field in asked)
    return Answer(expert=expert, readings=ordered, cost=cost, model=model)


def groups(fields: Sequence[Field], together: bool) -> list[tuple[Field, ...]]:
    """All fields in one question, or one question a field."""
    return [tuple(fields)] if together else [(field,) for field in fields]


def digest(params: Value) -> str:
    """A short stable hash of an expert's parameters."""
    return hashlib.sha256(params.model_dump_json().encode()).hexdigest()[:8]

"""What a server is and what it obeys, asked with a few tiny requests: for `ocr-moe doctor`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from ocr_moe.engines.chat.connection import Connection
from ocr_moe.engines.chat.ladder import Ladder, descend
from ocr_moe.engines.chat.messages import messages
from ocr_moe.engines.chat.quirks import LEVELS, Capabilities, Structured
from ocr_moe.engines.chat.replies import (
    NOT_THINKING,
    content_of,
    is_streamed,
    logprobs_of,
    thought_of,
)
from ocr_moe.errors import ChatConnectionError, ChatError
from ocr_moe.protocols import ChatImage, EndpointReport

_SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": ["Q7"]}},
    "required": ["code"],
    "additionalProperties": False,
}
_RETRIES = 1
"""At most: somebody is waiting, and can ask again."""
_SHORT, _LONG = 8, 1024
"""Tokens for a short answer: without, and with thoughts before it. The long one is the least that the
experts allow by default."""


def probe(connection: Connection, model: str | None) -> EndpointReport:
    """`model` is None where it is the first that the server lists. Never raises ChatError."""
    models: tuple[str, ...] = ()
    retries = min(connection.params.retries, _RETRIES)
    try:
        models = connection.models(retries=retries)
        model = model or connection.first_model(retries=retries)
    except ChatError as error:
        model = model or connection.address.deployment
        if model is None or isinstance(error, ChatConnectionError):
            return _report(connection, answers=False, model=model, problem=str(error))
    hello = messages("Answer briefly.", "Say hello. (If asked for JSON, any JSON will do.)")
    started = time.perf_counter()
    try:
        completion, plain = descend(
            Ladder(model, structured=Structured.NONE, logprobs=False),
            lambda form, retries: connection.ask(form, hello, max_tokens=_SHORT, retries=retries),
            lambda form: connection.ask(form, hello, max_tokens=1, retries=retries),
            retries,
        )
        thinks = _only_thinks(completion)
        if thinks:
            completion = connection.ask(plain, hello, max_tokens=_LONG, retries=retries)
    except ChatError as error:
        return _report(connection, answers=False, model=model, models=models, problem=str(error))
    seconds = round(time.perf_counter() - started, 2)
    found: dict[str, Any] = {
        "model": model,
        "models": models,
        "streamed": is_streamed(completion),
        "thinks": thinks or bool(thought_of(completion)),
        "seconds": seconds,
    }
    if _only_thinks(completion):
        problem = (
            f"{connection.complaints.who} only thinks: within {_LONG} tokens it came to no answer; "
            f"{NOT_THINKING}"
        )
        return _report(connection, answers=False, problem=problem, **found)
    if not content_of(completion).strip():
        problem = f"{connection.complaints.who} gives empty answers."
        return _report(connection, answers=False, problem=problem, **found)
    more = _LONG if found["thinks"] else 32
    obeyed = (
        level
        for level in LEVELS[:-1]
        if _obeys(connection, plain.model_copy(update={"structured": level}), hello, more)
    )
    return _report(
        connection,
        answers=True,
        structured=next(obeyed, Structured.NONE),
        logprobs=_gives_logprobs(connection, plain.model_copy(update={"logprobs": True}), hello),
        images=_sees(connection, plain, more),
        **found,
    )


def _report(connection: Connection, **found: Any) -> EndpointReport:
    address = connection.address
    return EndpointReport(name=connection.name, host=address.host, local=address.is_local, **found)


def _only_thinks(completion: Any) -> bool:
    """Whether nothing was said beside what was thought, in a part of its own or between tags."""
    said = content_of(completion).strip()
    if not said:
        return bool(thought_of(completion).strip())
    return said.startswith("<think") and "</think" not in said


def _obeys(connection: Connection, form: Capabilities, hello: list[Any], max_tokens: int) -> bool:
    try:
        completion = connection.ask(form, hello, _SCHEMA, max_tokens=max_tokens, retries=0)
        answer = json.loads(content_of(completion).rpartition("</think>")[2])
    except (ChatError, ValueError, RecursionError):
        return False
    if form.structured is Structured.JSON_OBJECT:
        return isinstance(answer, Mapping)
    return bool(answer == {"code": "Q7"})


def _gives_logprobs(connection: Connection, form: Capabilities, hello: list[Any]) -> bool:
    try:
        return bool(logprobs_of(connection.ask(form, hello, max_tokens=_SHORT, retries=0)))
    except ChatError:
        return False


def _sees(connection: Connection, form: Capabilities, max_tokens: int) -> bool:
    image = ChatImage(data=_red_square(), media_type="image/png")
    question = messages("Answer in one word.", "Which colour is this image?", (image,))
    try:
        completion = connection.ask(form, question, max_tokens=max_tokens, retries=0)
    except ChatError:
        return False
    answer = content_of(completion).rpartition("</think>")[2].lower()
    return "red" in answer or "红" in answer


def _red_square() -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()

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
from ocr_moe.engines.chat.replies import content_of, logprobs_of
from ocr_moe.errors import ChatError
from ocr_moe.protocols import ChatImage, EndpointReport

_SCHEMA = {
    "type": "object",
    "properties": {"code": {"type": "string", "enum": ["Q7"]}},
    "required": ["code"],
    "additionalProperties": False,
}


def probe(connection: Connection, model: str | None) -> EndpointReport:
    """`model` is None where it is the first that the server lists. Never raises ChatError."""
    models: tuple[str, ...] = ()
    try:
        models = connection.models()
        model = model or connection.first_model()
    except ChatError as error:
        if model is None:
            return _report(connection, answers=False, problem=str(error))
    hello = messages("Answer briefly.", "Say hello. (If asked for JSON, any JSON will do.)")
    started = time.perf_counter()
    try:
        _, plain = descend(
            Ladder(model, structured=Structured.NONE, logprobs=False),
            lambda form, _: connection.ask(form, hello, max_tokens=8),
            lambda form: connection.ask(form, hello, max_tokens=1),
        )
    except ChatError as error:
        return _report(connection, answers=False, model=model, models=models, problem=str(error))
    seconds = round(time.perf_counter() - started, 2)
    obeyed = (
        level
        for level in LEVELS[:-1]
        if _obeys(connection, plain.model_copy(update={"structured": level}), hello)
    )
    return _report(
        connection,
        answers=True,
        model=model,
        models=models,
        structured=next(obeyed, Structured.NONE),
        logprobs=_gives_logprobs(connection, plain.model_copy(update={"logprobs": True}), hello),
        images=_sees(connection, plain),
        seconds=seconds,
    )


def _report(connection: Connection, **found: Any) -> EndpointReport:
    address = connection.address
    return EndpointReport(name=connection.name, host=address.host, local=address.is_local, **found)


def _obeys(connection: Connection, form: Capabilities, hello: list[Any]) -> bool:
    try:
        completion = connection.ask(form, hello, _SCHEMA, max_tokens=32, retries=0)
        answer = json.loads(content_of(completion))
    except (ChatError, ValueError):
        return False
    if form.structured is Structured.JSON_OBJECT:
        return isinstance(answer, Mapping)
    return bool(answer == {"code": "Q7"})


def _gives_logprobs(connection: Connection, form: Capabilities, hello: list[Any]) -> bool:
    try:
        return bool(logprobs_of(connection.ask(form, hello, max_tokens=8, retries=0)))
    except ChatError:
        return False


def _sees(connection: Connection, form: Capabilities) -> bool:
    image = ChatImage(data=_red_square(), media_type="image/png")
    question = messages("Answer in one word.", "Which colour is this image?", (image,))
    try:
        completion = connection.ask(form, question, max_tokens=16, retries=0)
    except ChatError:
        return False
    answer = content_of(completion).lower()
    return "red" in answer or "红" in answer


def _red_square() -> bytes:
    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()

"""What is sent: messages, the form that binds the answer, and the parameters of decoding."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from ocr_moe.engines.chat.quirks import FORM, LOGPROBS, Capabilities, Structured
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.protocols import ChatImage

_PATCH = 28
"""Pixels of the side of the square that is one token to Qwen2.5-VL (arXiv:2502.13923, 2.1)."""
_LETTERS = 4
"""Latin letters or digits to a token, by the rule of thumb of OpenAI's documentation."""


def messages(
    system: str, user: str, images: Sequence[ChatImage] = (), *, images_last: bool = False
) -> list[Any]:
    """A system message and a user's, images first or last, as data URLs."""
    content: Any = user
    if images:
        content = [
            {
                "type": "image_url",
                "image_url": {
                    "url": f"data:{image.media_type};base64,"
                    + base64.b64encode(image.data).decode("ascii")
                },
            }
            for image in images
        ]
        content.insert(0 if images_last else len(content), {"type": "text", "text": user})
    question = {"role": "user", "content": content}
    return [{"role": "system", "content": system}, question] if system else [question]


def estimated_tokens(messages: list[Any]) -> int:
    """About how many tokens a server sees in messages, where it does not count them itself."""
    contents = [message["content"] for message in messages]
    texts = [content for content in contents if isinstance(content, str)]
    parts = [part for content in contents if not isinstance(content, str) for part in content]
    texts += [part["text"] for part in parts if part["type"] == "text"]
    images = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return sum(map(estimated_tokens_of, texts)) + sum(map(_tokens_of_image, images))


def estimated_tokens_of(text: str) -> int:
    """About how many tokens a text is: one for each character outside of ASCII, fewer within."""
    plain = sum(map(str.isascii, text))
    return len(text) - plain + math.ceil(plain / _LETTERS)


def _tokens_of_image(url: str) -> int:
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        width, height = image.size
    return math.ceil(width / _PATCH) * math.ceil(height / _PATCH)


def parameters(
    form: Capabilities,
    params: ChatParams,
    json_schema: Mapping[str, Any] | None,
    max_tokens: int,
) -> dict[str, Any]:
    """Everything of a request but the model and the messages, as a server of that form takes it."""
    own: dict[str, Any] = {"max_tokens": max_tokens, "temperature": params.temperature}
    if params.seed is not None:
        own["seed"] = params.seed
    if form.logprobs:
        own[LOGPROBS] = True
    for quirk in form.quirks:
        own = quirk.applied(own)
    bound = {} if json_schema is None else _response_format(form.structured, json_schema)
    return own | params.extra_body | bound


def _response_format(level: Structured, schema: Mapping[str, Any]) -> dict[str, Any]:
    match level:
        case Structured.JSON_SCHEMA:
            body = {"name": "answer", "strict": True, "schema": dict(schema)}
            return {FORM: {"type": "json_schema", "json_schema": body}}
        case Structured.JSON_OBJECT_SCHEMA:
            return {FORM: {"type": "json_object", "schema": dict(schema)}}
        case Structured.JSON_OBJECT:
            return {FORM: {"type": "json_object"}}
        case Structured.NONE:
            return {}

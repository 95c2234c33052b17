"""What servers can do, and the words in which they refuse the rest.

A new quirk is one entry in `QUIRKS`: what it means, how servers put it, and what is left out of the
request from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ocr_moe.types import Value

FORM = "response_format"
LOGPROBS = "logprobs"


class Structured(StrEnum):
    """How far a server can bind its answer, best first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_SCHEMA = "json_object_schema"
    """`json_object` with a `schema` beside it (llama.cpp and its relatives)."""
    JSON_OBJECT = "json_object"
    NONE = "none"


LEVELS = tuple(Structured)


class Quirk(Value):
    """Something that servers refuse, known by what they say of it."""

    meaning: str
    words: tuple[str, ...]
    """Any of them, in lower case, in the server's own sentence."""
    without: tuple[str, ...] = ()
    """Parts of the request, by their names in the protocol, that are left out from then on."""
    renamed: dict[str, str] = {}
    """Parts of the request that the server knows by another name."""
    added: dict[str, Any] = {}
    """Parts of the request that the server wants besides."""
    too_large: bool = False
    """Whether a smaller image would be taken."""

    @property
    def of_document(self) -> bool:
        """Whether it is about what was sent: no plainer request would help."""
        return not self.without and not self.renamed and not self.added

    @property
    def on_ladder(self) -> bool:
        """Whether it is about a part that is found out step by step, even without any words."""
        return FORM in self.without or LOGPROBS in self.without

    def applied(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as such a server takes it."""
        return {
            self.renamed.get(part, part): value
            for part, value in request.items()
            if part not in self.without
        } | self.added


_STREAM: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}

QUIRKS = (
    Quirk(
        meaning="The server does not count the tokens of a stream.",
        words=("stream_options", "include_usage"),
        without=("stream_options",),
    ),
    Quirk(
        meaning="The model thinks in any case, and streams (DashScope's thinking models).",
        words=("restricted to true", "enable_thinking must be set to true"),
        added={"enable_thinking": True, **_STREAM},
    ),
    Quirk(
        meaning="The model thinks only where it streams (DashScope's open models).",
        words=("enable_thinking must be set to false", "enable_thinking"),
        added={"enable_thinking": False},
    ),
    Quirk(
        meaning="The server only streams.",
        words=(
            "stream mode",
            "streaming mode",
            "support stream",
            "supports stream",
            "stream=true",
            "stream must be",
            "stream parameter",
            "streaming is required",
            "non-streaming",
        ),
        added=_STREAM,
    ),
    Quirk(
        meaning="The image is too large for the server; a smaller one may be taken.",
        words=(
            "image too large",
            "image is too large",
            "image size",
            "image exceeds",
            "image_too_large",
            "image file size",
            "image dimension",
            "too many pixels",
            "total pixels",
            "max pixels",
            "entity too large",
            "payload too large",
            "content too large",
            "body too large",
            "body is too large",
            "request too large",
            "request is too large",
            "body size limit",
            "request size",
            "multimodal file size",
        ),
        too_large=True,
    ),
    Quirk(
        meaning="The limit of tokens goes by its newer name (OpenAI's reasoning models).",
        words=("max_completion_tokens", "max_tokens"),
        renamed={"max_tokens": "max_completion_tokens"},
    ),
    Quirk(
        meaning="The model decodes in its own way only (OpenAI's reasoning models).",
        words=("temperature", "'seed'", '"seed"', "`seed`"),
        without=("temperature", "seed"),
    ),
    Quirk(
        meaning="The server gives no log-probabilities (llama-cpp-python without logits_all).",
        words=("logprob", "logits_all"),
        without=(LOGPROBS,),
    ),
    Quirk(
        meaning="The server does not know this way to bind its answer.",
        words=("response_format", "json_schema", "json_object", "grammar", "guided"),
        without=(FORM,),
    ),
    Quirk(
        meaning="The document is too long for the model.",
        words=(
            "context length",
            "context window",
            "maximum context",
            "too many tokens",
            "exceed",
        ),
    ),
    Quirk(
        meaning="The model takes no images, or not this one.",
        words=("image", "multimodal", "vision", "content type", "content part"),
    ),
)
"""The first that fits a server's words counts."""


def recognise(words: str) -> Quirk | None:
    """The quirk that a server's words (in lower case) tell of."""
    return next((quirk for quirk in QUIRKS if any(word in words for word in quirk.words)), None)


LOADING = (
    "loading model",
    "model is loading",
    "is currently loading",
    "model is being loaded",
    "model not ready",
    "model is not ready",
    "still loading",
    "warming up",
)
"""Words, in lower case, of a server that will answer once it has its model (llama.cpp, TGI, vLLM's
routers): it fails with a 5xx status until then."""

ERROR_STATUS = {
    "rate_limit": 429,
    "too_many_requests": 429,
    "throttling": 429,
    "insufficient_quota": 429,
    "overloaded": 503,
    "unavailable": 503,
    "server_error": 500,
    "internal": 500,
    "timeout": 504,
    "authentication": 401,
    "invalid_api_key": 401,
    "invalidapikey": 401,
    "permission": 403,
    "invalid_request": 400,
    "badrequest": 400,
    "context_length": 400,
}
"""Parts of the codes and types, in lower case, of errors that gateways send with status 200, and the
status that each would have: whether it is retried goes by that."""

NO_CHAT = (
    "embed",
    "rerank",
    "bge-",
    "gte-",
    "e5-",
    "whisper",
    "tts",
    "speech",
    "moderation",
    "dall-e",
    "stable-diffusion",
    "clip-",
)
"""Parts of the names or types of models that are listed beside chat models and are none."""


def is_chat(model: str, kind: str = "") -> bool:
    """Whether a listed model may be one to talk to, by its name and by its type where one is told."""
    said = f"{model} {kind}".lower()
    return not any(part in said for part in NO_CHAT)


class Capabilities(Value):
    """What a server can do, as far as it is known."""

    model: str
    """The model's name as the server wants to hear it."""
    structured: Structured
    logprobs: bool
    quirks: tuple[Quirk, ...] = ()
    """Those that change the request in another way."""

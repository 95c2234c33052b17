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

    @property
    def of_document(self) -> bool:
        """Whether it is about what was sent: no plainer request would help."""
        return not self.without and not self.renamed

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
        }


QUIRKS = (
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


class Capabilities(Value):
    """What a server can do, as far as it is known."""

    model: str
    """The model's name as the server wants to hear it."""
    structured: Structured
    logprobs: bool
    quirks: tuple[Quirk, ...] = ()
    """Those that change the request in another way."""

"""What may be set for an endpoint: in the configuration, and in environment variables."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import Field as PydanticField

from ocr_moe.engines.chat.hosts import Address
from ocr_moe.engines.chat.quirks import Structured
from ocr_moe.errors import ConfigError, EndpointMissingError
from ocr_moe.types import Value

EXAMPLE = "http://127.0.0.1:8000/v1"


class ChatParams(Value):
    """Settings of one endpoint. What is not set comes from the environment variables
    OCR_MOE_<NAME>_BASE_URL, OCR_MOE_<NAME>_MODEL and OCR_MOE_<NAME>_API_KEY."""

    base_url: str | None = None
    """For instance http://127.0.0.1:8000/v1."""
    model: str | None = None
    """`auto` is the first that the server lists under /v1/models."""
    api_key_variable: str | None = None
    """Name of the environment variable that holds the key; never the key itself."""
    timeout: float = PydanticField(default=180.0, gt=0)
    """Seconds for one attempt as a whole, from connecting to the last byte of the answer."""
    retries: int = PydanticField(default=3, ge=0)
    """Further attempts after a connection error, 408, 409 or 5xx, with exponential back-off. So many
    may also be refused as too many requests (429) while no other is answered; a Retry-After of up to
    a minute is obeyed, by all requests to the endpoint."""
    loading_timeout: float = PydanticField(default=300.0, ge=0)
    """Seconds to wait for a server that says that it is still loading its model."""
    max_answer_bytes: int = PydanticField(default=10_000_000, ge=1000)
    """Longest body of an answer, decompressed; the log-probabilities of 10,000 tokens take a tenth."""
    breaker_threshold: int = PydanticField(default=8, ge=1)
    """Attempts that fail in a row because the server hangs, is away, or is so by a gateway's word
    (502, 503, 504), until it is left alone: two questions with all their retries by default."""
    breaker_pause: float = PydanticField(default=60.0, gt=0)
    """Seconds for which such a server is not asked; then one attempt is made, and if that fails too,
    the next pause is twice as long, up to 16 times."""
    concurrency: Annotated[int, PydanticField(ge=1)] | Literal["auto"] = "auto"
    """Requests at a time, of all workers of a run together. `auto` begins with one and goes on with as
    many as the server answers the faster for, up to 64; a number is begun with. With either, fewer are
    sent where the server refuses them (429), hangs, or would take too long for so many."""
    temperature: float = PydanticField(default=0.0, ge=0)
    """0 for the likeliest answer; left out where the server refuses it."""
    seed: int | None = 0
    """For servers that can repeat themselves; left out where the server refuses it."""
    structured: Structured | None = None
    """Set to skip finding out."""
    logprobs: bool | None = None
    """Set to skip finding out."""
    extra_body: dict[str, Any] = {}
    """Added to every request as it stands."""
    prompt_price: float = PydanticField(default=0.0, ge=0)
    """Money for a million prompt tokens."""
    cached_prompt_price: float | None = PydanticField(default=None, ge=0)
    """Money for a million of those that the server says it has in its cache; `prompt_price` where not
    set."""
    completion_price: float = PydanticField(default=0.0, ge=0)
    """Money for a million completion tokens."""
    batch: bool = False
    """Put questions in batches, which are cheaper and answered within a day, where the server has the
    API for that (OpenAI's /v1/batches). `extract` and `compare` do; whoever cannot wait asks at once."""
    batch_price_factor: float = PydanticField(default=0.5, ge=0)
    """What a token costs in a batch, as a part of its price."""
    batch_poll: float = PydanticField(default=60.0, gt=0)
    """Seconds between two looks at a batch."""


def variable(name: str, what: Literal["BASE_URL", "MODEL", "API_KEY"]) -> str:
    """The environment variable that sets something for the endpoint `name`."""
    return f"OCR_MOE_{name.upper()}_{what}"


def find_address(name: str, params: ChatParams) -> Address:
    """The endpoint's base URL, from the configuration or else from the environment.

    Raises EndpointMissingError where none is set (or a blank), ConfigError where what is set is no
    http(s) address.
    """
    set_by = variable(name, "BASE_URL")
    text = os.environ.get(set_by, "").strip()
    if params.base_url is not None and params.base_url.strip():
        set_by, text = f"chat.{name}.base_url", params.base_url
    if not text:
        raise EndpointMissingError(
            f"No {name} endpoint is configured. Set {set_by} (for instance {EXAMPLE}), and where "
            f"needed {variable(name, 'MODEL')} and {variable(name, 'API_KEY')}."
        )
    try:
        return Address.parse(text)
    except ValueError as error:
        raise ConfigError(
            f"{set_by} is not the address of a chat server: {error}. Set it to something like "
            f"{EXAMPLE}, or to nothing where there is no {name} endpoint."
        ) from error


def find_model(name: str, params: ChatParams) -> str:
    """The model's name, or `auto`."""
    return params.model or os.environ.get(variable(name, "MODEL"), "").strip() or "auto"


def find_key(name: str, params: ChatParams) -> str:
    """The key, or nothing. Raises ConfigError where the configuration holds a key and not the name
    of its variable."""
    if not (params.api_key_variable or "A").isidentifier():
        raise ConfigError(
            f"chat.{name}.api_key_variable is not the name of an environment variable. The key itself "
            "does not belong into a configuration: put it into a variable, and name that here."
        )
    return os.environ.get(params.api_key_variable or variable(name, "API_KEY"), "").strip()

"""Requests to one server: the third-party client, and nothing of it outside."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from ocr_moe.engines.chat.breaker import Breaker
from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.hosts import Address
from ocr_moe.engines.chat.messages import parameters
from ocr_moe.engines.chat.pacing import AUTO, Pace
from ocr_moe.engines.chat.quirks import Capabilities, is_chat
from ocr_moe.engines.chat.replies import checked
from ocr_moe.engines.chat.scrubbing import Scrubber
from ocr_moe.engines.chat.settings import ChatParams, find_key, variable
from ocr_moe.errors import (
    ChatAnswerError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    MissingDependencyError,
)
from ocr_moe.observing import Observed, observe
from ocr_moe.permits import LocalPermits, Outcome, lent

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

    from ocr_moe.engines.chat.transport import Background

Answered = TypeVar("Answered")

_LISTING = 30.0
"""Seconds in which a server lists its models, whatever it takes for its answers."""
_FIRST_BACK_OFF, _LONGEST_BACK_OFF = 0.5, 8.0
"""Seconds until a request that was refused is made again, where the server names none: twice as many
with each time, and by chance up to a quarter less, as the client has it for other errors."""
_MOST_REFUSALS = 40
"""Of one request, while others are answered: five minutes of asking again."""


class Connection:
    """Opened with the first request. Safe to use from several threads."""

    def __init__(self, name: str, address: Address, params: ChatParams) -> None:
        self.name = name
        self.address = address
        self.params = params
        self._breaker = Breaker(params.breaker_threshold, params.breaker_pause)
        self._open: tuple[AsyncOpenAI, Background] | None = None
        self._lock = threading.Lock()
        self._permits = LocalPermits()
        self._answered = 0
        """Requests so far that were not refused."""

    @cached_property
    def complaints(self) -> Complaints:
        key = find_key(self.name, self.params)
        return Complaints(
            self.name,
            self.address.host,
            self.params.timeout,
            Scrubber((key, *self.address.secrets)),
            tuple(self.params.extra_body),
        )

    def ask(
        self,
        form: Capabilities,
        messages: list[Any],
        json_schema: Mapping[str, Any] | None = None,
        *,
        max_tokens: int,
        retries: int | None = None,
    ) -> Any:
        """One chat completion, under a permit; `retries` are the configured ones where not given.

        A request that is refused as one too many gives its permit back and is made again; it fails
        where it was refused more than `retries` times without any other being answered.  Raises
        ChatError.
        """
        retries = self.params.retries if retries is None else retries
        body = self.body(form, messages, json_schema, max_tokens=max_tokens)
        answered, in_a_row = self._answered, 0
        for number in range(_MOST_REFUSALS):
            try:
                with self._permit():
                    completion = self._put(body, retries)
                break
            except ChatRateLimitError as error:
                in_a_row = in_a_row + 1 if self._answered == answered else 1
                answered = self._answered
                if in_a_row > retries or number + 1 == _MOST_REFUSALS:
                    raise
                if _retry_after(error) is None:
                    seconds = min(_FIRST_BACK_OFF * 2**number, _LONGEST_BACK_OFF)
                    time.sleep(seconds * random.uniform(0.75, 1.0))
                observe(Observed.RETRIES, self.complaints.name)
        return checked(completion, self.complaints)

    def body(
        self,
        form: Capabilities,
        messages: list[Any],
        json_schema: Mapping[str, Any] | None,
        *,
        max_tokens: int,
    ) -> dict[str, Any]:
        """Of a request, as it is sent."""
        head = {"model": form.model, "messages": messages}
        return head | parameters(form, self.params, json_schema, max_tokens)

    def call(
        self,
        ask: Callable[[AsyncOpenAI], Awaitable[Answered]],
        *,
        seconds: float | None = None,
        retries: int | None = None,
    ) -> Answered:
        """What the client gives for a request that asks no model; `seconds` and `retries` are the
        configured ones where not given. Raises ChatError."""
        client, background = self._opened()
        client = client.with_options(
            max_retries=self.params.retries if retries is None else retries,
            timeout=self.params.timeout if seconds is None else seconds,
        )

        async def work() -> Answered:
            return await ask(client)

        with self.complaints.translated():
            return background.run(work())

    def _put(self, body: Mapping[str, Any], retries: int) -> ChatCompletion:
        client, background = self._opened()
        from openai.types.chat import ChatCompletion

        with self.complaints.translated():
            # As `chat.completions.create` does, but for going through the body type by type, which
            # takes as long as all else that the client does.
            completion: ChatCompletion = background.run(
                client.with_options(max_retries=retries).post(
                    "/chat/completions", body=body, cast_to=ChatCompletion
                )
            )
        return completion

    @contextmanager
    def _permit(self) -> Iterator[None]:
        """Within, one request is under way. Waits for as long as the server is not to be asked."""
        permits, who = lent() or self._permits, f"{self.name} {self.address.base}"
        permits.acquire(who, self._pace())
        started = time.perf_counter()
        answered, overloaded, retry_after = False, False, None
        try:
            yield
            answered = True
        except ChatRateLimitError as error:
            answered = overloaded = True
            retry_after = _retry_after(error)
            raise
        except ChatError as error:
            answered = not isinstance(error, ChatConnectionError)
            raise
        finally:
            if answered and not overloaded:
                self._answered += 1
            seconds = time.perf_counter() - started
            permits.release(who, Outcome(answered, overloaded, seconds, retry_after))

    def _pace(self) -> Pace:
        most, patience = self.params.concurrency, self.params.timeout / 2
        return Pace(AUTO, patience) if most == "auto" else Pace.fixed(most, patience)

    @property
    def concurrency(self) -> int:
        """Most requests at a time."""
        return AUTO if self.params.concurrency == "auto" else self.params.concurrency

    def models(self, *, retries: int | None = None) -> tuple[str, ...]:
        """The names of the chat models that the server lists. Raises ChatError."""
        client, background = self._opened()
        client = client.with_options(
            max_retries=self.params.retries if retries is None else retries,
            timeout=min(self.params.timeout, _LISTING),
        )
        complaints = self.complaints
        with complaints.translated():
            page = background.run(client.get("/models", cast_to=object))
        data = page.get("data") if isinstance(page, Mapping) else None
        if not isinstance(data, list):
            raise ChatAnswerError(
                f"{complaints.who} does not list its models. Check the base URL (it usually ends in "
                f"/v1), or set {variable(self.name, 'MODEL')}."
            )
        return tuple(model["id"] for model in data if is_chat(model["id"], model["type"]))

    def first_model(self, *, retries: int | None = None) -> str:
        """The model of the address, or else the first chat model listed. Raises ChatError."""
        if self.address.deployment is not None:
            return self.address.deployment
        models = self.models(retries=retries)
        if not models:
            raise ChatAnswerError(
                f"{self.complaints.who} lists no chat model. Set {variable(self.name, 'MODEL')}."
            )
        return models[0]

    def close(self) -> None:
        """The next request opens a new one. What is under way is given up."""
        with self._lock:
            opened, self._open = self._open, None
        if opened is not None:
            client, background = opened
            background.run(client.close())
            background.close()

    def _opened(self) -> tuple[AsyncOpenAI, Background]:
        with self._lock:
            if self._open is None:
                try:
                    import openai

                    from ocr_moe.engines.chat.transport import Background, Transport
                except ImportError as error:
                    raise MissingDependencyError(
                        "Chat endpoints need the package `openai`: pip install openai"
                    ) from error
                address = self.address
                settings: dict[str, Any] = {
                    "base_url": address.base,
                    "api_key": find_key(self.name, self.params) or "none",
                    "timeout": self.params.timeout,
                    "default_query": address.query,
                    "http_client": Transport(
                        self.params, self.complaints, self._breaker, local=address.is_local
                    ),
                }
                if address.authorization is not None:
                    settings["default_headers"] = {"Authorization": address.authorization}
                client: AsyncOpenAI
                if address.azure_version is None:
                    client = openai.AsyncOpenAI(**settings)
                else:
                    client = openai.AsyncAzureOpenAI(**settings, api_version=address.azure_version)
                self._open = client, Background()
            return self._open


def _retry_after(error: ChatError) -> float | None:
    """Seconds for which the server wants to be left alone, as it was said with a refusal."""
    seconds: float | None = getattr(error.__cause__, "retry_after", None)
    return seconds

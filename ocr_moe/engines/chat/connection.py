"""Requests to one server: the third-party client, and nothing of it outside."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ocr_moe.engines.chat.breaker import Breaker
from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.hosts import Address
from ocr_moe.engines.chat.messages import parameters
from ocr_moe.engines.chat.quirks import Capabilities, is_chat
from ocr_moe.engines.chat.replies import checked
from ocr_moe.engines.chat.scrubbing import Scrubber
from ocr_moe.engines.chat.settings import ChatParams, find_key, variable
from ocr_moe.errors import ChatAnswerError, MissingDependencyError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from ocr_moe.engines.chat.transport import Background

_LISTING = 30.0
"""Seconds in which a server lists its models, whatever it takes for its answers."""


class Connection:
    """Opened with the first request. Safe to use from several threads."""

    def __init__(self, name: str, address: Address, params: ChatParams) -> None:
        self.name = name
        self.address = address
        self.params = params
        self._breaker = Breaker(params.breaker_threshold, params.breaker_pause)
        self._open: tuple[AsyncOpenAI, Background] | None = None
        self._lock = threading.Lock()

    @property
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
        """One chat completion; `retries` are the configured ones where not given. Raises ChatError."""
        client, background = self._opened()
        client = client.with_options(
            max_retries=self.params.retries if retries is None else retries
        )
        body = parameters(form, self.params, json_schema, max_tokens)
        complaints = self.complaints
        with complaints.translated():
            completion = background.run(
                client.chat.completions.create(model=form.model, messages=messages, extra_body=body)
            )
        return checked(completion, complaints)

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

"""Requests to one server: the third-party client, and nothing of it outside."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.hosts import Address
from ocr_moe.engines.chat.messages import parameters
from ocr_moe.engines.chat.quirks import Capabilities
from ocr_moe.engines.chat.replies import checked
from ocr_moe.engines.chat.settings import ChatParams, find_key, variable
from ocr_moe.errors import ChatAnswerError, MissingDependencyError

if TYPE_CHECKING:
    from openai import OpenAI


class Connection:
    """Opened with the first request. Safe to use from several threads."""

    def __init__(self, name: str, address: Address, params: ChatParams) -> None:
        self.name = name
        self.address = address
        self.params = params
        self._client: OpenAI | None = None
        self._lock = threading.Lock()

    @property
    def complaints(self) -> Complaints:
        key = find_key(self.name, self.params)
        secrets = (*([key] if key else []), *self.address.secrets)
        return Complaints(self.name, self.address.host, self.params.timeout, secrets)

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
        client = self._openai().with_options(
            max_retries=self.params.retries if retries is None else retries
        )
        body = parameters(form, self.params, json_schema, max_tokens)
        complaints = self.complaints
        with complaints.translated():
            completion = client.chat.completions.create(
                model=form.model, messages=messages, extra_body=body
            )
        return checked(completion, complaints)

    def models(self) -> tuple[str, ...]:
        """The names that the server lists. Raises ChatError."""
        client, complaints = self._openai(), self.complaints
        with complaints.translated():
            page = client.models.list()
        data = getattr(page, "data", None)
        if not isinstance(data, list):
            raise ChatAnswerError(
                f"{complaints.who} does not list its models. Check the base URL (it usually ends in "
                f"/v1), or set {variable(self.name, 'MODEL')}."
            )
        return tuple(str(model.id) for model in data if getattr(model, "id", None))

    def first_model(self) -> str:
        """Raises ChatError."""
        models = self.models()
        if not models:
            raise ChatAnswerError(
                f"{self.complaints.who} lists no model. Set {variable(self.name, 'MODEL')}."
            )
        return models[0]

    def close(self) -> None:
        """The next request opens a new one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _openai(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                try:
                    import openai
                except ImportError as error:
                    raise MissingDependencyError(
                        "Chat endpoints need the package `openai`: pip install openai"
                    ) from error
                local = self.address.is_local
                # A document meant to stay on this machine must not leave it through a proxy or a
                # redirect.
                self._client = openai.OpenAI(
                    base_url=self.address.url,
                    api_key=find_key(self.name, self.params) or "none",
                    timeout=self.params.timeout,
                    max_retries=self.params.retries,
                    http_client=openai.DefaultHttpxClient(
                        trust_env=not local, follow_redirects=not local
                    ),
                )
            return self._client

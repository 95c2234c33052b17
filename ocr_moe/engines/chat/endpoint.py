"""A chat endpoint: answers to questions, with what was learnt of the server kept for the next."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from ocr_moe.engines.chat.connection import Connection
from ocr_moe.engines.chat.ladder import Ladder, descend
from ocr_moe.engines.chat.messages import estimated_tokens, estimated_tokens_of, messages
from ocr_moe.engines.chat.probe import probe
from ocr_moe.engines.chat.quirks import Capabilities
from ocr_moe.engines.chat.replies import (
    content_of,
    demand_answer,
    is_constrained,
    is_truncated,
    logprobs_of,
    thought_of,
    tokens_of,
)
from ocr_moe.engines.chat.settings import ChatParams, find_address, find_key, find_model
from ocr_moe.permits import AtMost, LocalPermits, Outcome, lent, waiting
from ocr_moe.protocols import ChatImage, ChatReply, EndpointReport, Package
from ocr_moe.types import Cost

REVISION = "1"


class ChatEndpoint:
    """A ChatModel over HTTP. Safe to use from several threads.

    Raises EndpointMissingError where no base URL is configured, ConfigError where it is none, or
    where the configuration holds a key.
    """

    Params = ChatParams
    packages: ClassVar = (Package("openai", "asking chat endpoints"),)

    def __init__(self, name: str, params: ChatParams) -> None:
        self.name = name
        self.params = params
        find_key(name, params)
        self._connection = Connection(name, find_address(name, params), params)
        self._model = find_model(name, params)
        self._capabilities: Capabilities | None = None
        self._estimates = False
        self._lock = threading.RLock()
        self._permits = LocalPermits()

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.name!r}, host={self.host!r}, model={self._model!r})"

    @property
    def host(self) -> str:
        """Host and port, without credentials, path or query."""
        return self._connection.address.host

    @property
    def concurrency(self) -> int:
        """Most requests at a time; further ones wait."""
        return self.params.concurrency

    @property
    def is_local(self) -> bool:
        """Whether documents sent there stay on this machine."""
        return self._connection.address.is_local

    @property
    def capabilities(self) -> Capabilities | None:
        """What has been learnt of the server so far."""
        return self._capabilities

    @property
    def model(self) -> str:
        """The model's name; asks the server once where it is `auto`. Raises ChatError."""
        with self._lock:
            if self._model == "auto":
                self._model = self._connection.first_model()
            return self._model

    @property
    def fingerprint(self) -> str:
        """Model and decoding parameters, without secrets; the server's address is not part of it, so
        that a moved server's answers stay known. Raises ChatError where the model is `auto` and the
        server does not tell its name."""
        decoding = json.dumps(
            [self.params.temperature, self.params.seed, self.params.extra_body], sort_keys=True
        )
        digest = hashlib.sha256(decoding.encode()).hexdigest()[:8]
        return f"chat r{REVISION} {self.model} {digest}"

    def complete(
        self,
        *,
        system: str,
        user: str,
        images: Sequence[ChatImage] = (),
        json_schema: Mapping[str, Any] | None = None,
        max_tokens: int = 1024,
    ) -> ChatReply:
        """One answer to one question.

        `constrained` in the reply says that the server was bound to `json_schema` and kept to it.
        An answer cut off at `max_tokens` comes back with `truncated`.  The first call finds out
        what the server can do; its refused attempts are not part of the cost.  Tokens that the
        server does not count are estimated.  Raises ChatError: ChatConnectionError (also where the
        server failed so often in a row that it is not asked for a while), ChatAuthError,
        ChatRateLimitError, ChatServerError, ChatRequestError (ChatTooLargeError where smaller images
        may be taken), or ChatAnswerError for an empty answer or a refusal, which it carries with
        their cost, or for one that is not of the protocol.
        """
        question = messages(system, user, images)
        started = time.perf_counter()
        form = self._capabilities
        if form is None:
            with waiting(), self._lock:
                form = self._capabilities
                if form is None:
                    with self._permit():
                        completion, form, before = self._find_out(question, json_schema, max_tokens)
                    return self._reply(question, completion, form, json_schema, started, before)
        with waiting(), self._permit():
            started = time.perf_counter()
            completion = self._connection.ask(form, question, json_schema, max_tokens=max_tokens)
        return self._reply(question, completion, form, json_schema, started)

    def money(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost, in the currency of the configured prices."""
        return (
            prompt_tokens * self.params.prompt_price
            + completion_tokens * self.params.completion_price
        ) / 1_000_000

    def probe(self) -> EndpointReport:
        """Ask the server what it is and what it obeys, with a few tiny requests."""
        return probe(self._connection, None if self._model == "auto" else self._model)

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        self._connection.close()

    @contextmanager
    def _permit(self) -> Iterator[None]:
        """Within, one request is under way."""
        permits = lent() or self._permits
        who = f"{self.name} {self._connection.address.base}"
        permits.acquire(who, AtMost(self.params.concurrency))
        started = time.perf_counter()
        try:
            yield
        finally:
            permits.release(who, Outcome(seconds=time.perf_counter() - started))

    def _find_out(
        self, question: list[Any], json_schema: Mapping[str, Any] | None, max_tokens: int
    ) -> tuple[Any, Capabilities, Cost]:
        """The first answer, in the best form that the server takes, which is kept; and what was paid
        for finding that out."""
        connection, params = self._connection, self.params
        checks: list[Any] = []
        completion, form = descend(
            Ladder(self.model, params.structured, params.logprobs),
            lambda form, retries: connection.ask(
                form, question, json_schema, max_tokens=max_tokens, retries=retries
            ),
            lambda form: checks.append(connection.ask(form, question, max_tokens=1)),
            params.retries,
        )
        if form.logprobs and params.logprobs is None and not logprobs_of(completion):
            form = form.model_copy(update={"logprobs": False})
        if json_schema is not None:
            self._capabilities = form
        return completion, form, sum((self._cost(question, check) for check in checks), Cost())

    def _reply(
        self,
        question: list[Any],
        completion: Any,
        form: Capabilities,
        json_schema: Mapping[str, Any] | None,
        started: float,
        before: Cost | None = None,
    ) -> ChatReply:
        content = content_of(completion)
        cost = (before or Cost()) + self._cost(question, completion)
        reply = ChatReply(
            content=content,
            model=form.model,
            cost=cost.model_copy(update={"seconds": round(time.perf_counter() - started, 3)}),
            constrained=is_constrained(content, form, json_schema),
            logprobs=logprobs_of(completion),
            truncated=is_truncated(completion),
        )
        demand_answer(completion, reply, self._connection.complaints)
        return reply

    def _cost(self, question: list[Any], completion: Any) -> Cost:
        prompt, answer = tokens_of(completion)
        counted = bool(prompt and answer)
        if not counted:
            with self._lock:
                told, self._estimates = self._estimates, True
            if not told:
                self._connection.complaints.tell_estimated()
            said = content_of(completion) + thought_of(completion)
            prompt = prompt or estimated_tokens(question)
            answer = answer or estimated_tokens_of(said)
        return Cost(
            calls=1,
            estimated_calls=0 if counted else 1,
            prompt_tokens=prompt,
            completion_tokens=answer,
            money=self.money(prompt, answer),
        )

"""A chat endpoint: answers to questions, with what was learnt of the server kept for the next."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from ocr_moe.deferral import Deferral, deferral
from ocr_moe.engines.chat.batches import Batches, Line
from ocr_moe.engines.chat.connection import Connection
from ocr_moe.engines.chat.kept import Kept
from ocr_moe.engines.chat.ladder import Ladder, descend
from ocr_moe.engines.chat.messages import estimated_tokens, estimated_tokens_of, messages
from ocr_moe.engines.chat.probe import probe
from ocr_moe.engines.chat.quirks import Capabilities, Structured
from ocr_moe.engines.chat.replies import (
    cached_tokens_of,
    content_of,
    demand_answer,
    is_constrained,
    is_truncated,
    logprobs_of,
    thought_of,
    tokens_of,
)
from ocr_moe.engines.chat.settings import ChatParams, find_address, find_key, find_model
from ocr_moe.errors import DeferredError
from ocr_moe.permits import waiting
from ocr_moe.protocols import (
    BatchReply,
    ChatImage,
    ChatReply,
    EndedBatch,
    EndpointReport,
    Package,
)
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
        self._batches = Batches(self._connection)
        self._capabilities: Capabilities | None = None
        self._plain: Capabilities | None = None
        """What has been learnt from questions whose answers are not bound to a schema."""
        self._estimates = False
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.name!r}, host={self.host!r}, model={self._model!r})"

    @property
    def host(self) -> str:
        """Host and port, without credentials, path or query."""
        return self._connection.address.host

    @property
    def concurrency(self) -> int:
        """Most requests at a time; further ones wait."""
        return self._connection.concurrency

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
        images_last: bool = False,
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
        their cost, or for one that is not of the protocol; DeferredError for a question that was filed
        to be put with the next batch.
        """
        question = messages(system, user, images, images_last=images_last)
        started = time.perf_counter()
        waiting_for = deferral() if json_schema is not None else None
        if waiting_for is not None:
            reply = self._kept(waiting_for, question, json_schema, max_tokens, started)
            if reply is not None:
                return reply
        form = self._form_for(json_schema)
        if form is None:
            with waiting(), self._lock:
                form = self._form_for(json_schema)
                if form is None:
                    completion, form, before = self._find_out(question, json_schema, max_tokens)
                    return self._reply(question, completion, form, json_schema, started, before)
        with waiting():
            completion = self._connection.ask(form, question, json_schema, max_tokens=max_tokens)
        return self._reply(question, completion, form, json_schema, started)

    def _form_for(self, json_schema: Mapping[str, Any] | None) -> Capabilities | None:
        """What is known of how to put a question, with a schema or without; None: nothing yet."""
        return self._capabilities or (self._plain if json_schema is None else None)

    def money(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """What so many tokens cost, in the currency of the configured prices; `cached_tokens` are
        those of the prompt that the server had in its cache."""
        fresh, cached = self.params.prompt_price, self.params.cached_prompt_price
        return (
            (prompt_tokens - cached_tokens) * fresh
            + cached_tokens * (fresh if cached is None else cached)
            + completion_tokens * self.params.completion_price
        ) / 1_000_000

    def probe(self) -> EndpointReport:
        """Ask the server what it is and what it obeys, with a few tiny requests."""
        return probe(self._connection, None if self._model == "auto" else self._model)

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        self._connection.close()

    @property
    def defers(self) -> bool:
        """Whether questions are put in batches, by whoever can wait."""
        return self.params.batch

    @property
    def patience(self) -> tuple[int, float]:
        """How often a request that failed in a batch is made again, and seconds between two looks."""
        return self.params.retries, self.params.batch_poll

    def examine_batches(self) -> None:
        """Raises ConfigError where the server has no batches, ChatError where it cannot be asked."""
        self._batches.examine()

    def submit_batch(self, mark: str, requests: Callable[[], Iterable[tuple[str, str]]]) -> str:
        """Submit requests under a mark; the server's name for the batch. Raises ChatError, or
        ConfigError where the server has no batches."""
        return self._batches.submit(mark, requests)

    def find_batch(self, mark: str, since: float) -> str | None:
        """The server's name for the batch of a mark, if it knows it. Raises ChatError."""
        return self._batches.find(mark, since)

    def end_of_batch(self, id: str) -> EndedBatch | None:
        """What came of a batch; None while it is under way. Raises ChatError."""
        ended = self._batches.end(id)
        if ended is None:
            return None
        return EndedBatch(map(self._of_batch, ended.lines), Kept(why=ended.why).model_dump_json())

    def _of_batch(self, line: Line) -> BatchReply:
        factor = self.params.batch_price_factor
        kept = Kept(status=line.status, body=line.body, factor=factor)
        usage = line.body.get("usage", {})
        prompt, answer = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        cached = usage.get("prompt_tokens_details", {}).get("cached_tokens", 0)
        answered = 200 <= line.status < 400
        money = self.money(prompt, answer, cached) * factor if prompt and answer else None
        return BatchReply(
            key=line.key,
            reply=kept.model_dump_json(),
            money=money if answered else 0.0,
            failed=not answered,
            again=line.may_be_repeated,
        )

    def _kept(
        self,
        waiting_for: Deferral,
        question: list[Any],
        json_schema: Mapping[str, Any] | None,
        max_tokens: int,
        started: float,
    ) -> ChatReply | None:
        """The reply that is kept, or that of the question by which it is found out what the server can
        do, which is put at once. Of all others None where they are to be put at once as well; else
        raises DeferredError."""
        files = waiting_for.files

        def body(form: Capabilities) -> str:
            said = self._connection.body(form, question, json_schema, max_tokens=max_tokens)
            streaming = ("stream", "stream_options")  # a batch has nobody to stream to
            return json.dumps({name: said[name] for name in said if name not in streaming})

        known = files.form(self._form_key)
        if known is None and not self.params.batch:
            return None
        if known is None:
            with waiting(), self._lock:
                known = files.form(self._form_key)
                if known is None:
                    completion, form, before = self._find_out(question, json_schema, max_tokens)
                    # The form is part of a request's key: all of a run's processes have one.
                    agreed = files.keep_form(self._form_key, form.model_dump_json())
                    kept = Kept(status=200, body=completion.model_dump(), before=before)
                    key = _key_of(self.name, body(Capabilities.model_validate_json(agreed)))
                    files.keep_reply(key, self.name, kept.model_dump_json())
                    return self._reply(question, completion, form, json_schema, started, before)
        form = Capabilities.model_validate_json(known)
        request = body(form)
        key = _key_of(self.name, request)
        told = files.reply(key)
        if told is not None:
            kept = Kept.model_validate_json(told)
            completion = kept.completion(self._connection.complaints)
            return self._reply(
                question, completion, form, json_schema, started, kept.before, prepaid=kept.factor
            )
        if not self.params.batch:  # any more
            return None
        tokens = estimated_tokens(question)
        money = self.money(tokens, max_tokens) * self.params.batch_price_factor
        files.file(key, self.name, request, money)
        waiting_for.has_deferred = True
        raise DeferredError(f"{self._connection.complaints.who} answers with its next batch.")

    @property
    def _form_key(self) -> str:
        params = self.params
        settings = [params.structured, params.logprobs, params.extra_body]
        return json.dumps([self.name, self._connection.address.base, self.model, settings])

    def _find_out(
        self, question: list[Any], json_schema: Mapping[str, Any] | None, max_tokens: int
    ) -> tuple[Any, Capabilities, Cost]:
        """The first answer, in the best form that the server takes, which is kept; and what was paid
        for finding that out."""
        connection, params = self._connection, self.params
        checks: list[Any] = []
        structured = Structured.NONE if json_schema is None else params.structured
        completion, form = descend(
            Ladder(self.model, structured, params.logprobs),
            lambda form, retries: connection.ask(
                form, question, json_schema, max_tokens=max_tokens, retries=retries
            ),
            lambda form: checks.append(connection.ask(form, question, max_tokens=1)),
            params.retries,
        )
        if form.logprobs and params.logprobs is None and not logprobs_of(completion):
            form = form.model_copy(update={"logprobs": False})
        if json_schema is None:
            self._plain = form
        else:
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
        prepaid: float | None = None,
    ) -> ChatReply:
        """`before` is what finding out had cost, `prepaid` the part of the price that was paid for a
        reply that had been kept."""
        content = content_of(completion)
        cost = self._cost(question, completion)
        if prepaid is not None:
            cost = cost.model_copy(update={"money": cost.money * prepaid})
        cost = (before or Cost()) + cost
        reply = ChatReply(
            content=content,
            model=form.model,
            cost=cost.model_copy(update={"seconds": round(time.perf_counter() - started, 3)}),
            constrained=is_constrained(content, form, json_schema),
            logprobs=logprobs_of(completion),
            truncated=is_truncated(completion),
            prepaid=prepaid is not None,
        )
        demand_answer(completion, reply, self._connection.complaints)
        return reply

    def _cost(self, question: list[Any], completion: Any) -> Cost:
        prompt, answer = tokens_of(completion)
        cached = cached_tokens_of(completion)
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
            cached_tokens=cached,
            completion_tokens=answer,
            money=self.money(prompt, answer, cached),
        )


def _key_of(endpoint: str, body: str) -> str:
    """Tells requests apart, by all that is sent."""
    return hashlib.sha256(f"{endpoint}\n{body}".encode()).hexdigest()

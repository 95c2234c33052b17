"""A chat endpoint that speaks the OpenAI protocol: vLLM, llama.cpp, Ollama, DashScope, OpenAI, ….

What a server can do is found out with the first real request, not asked for in advance: the best
form of the request is tried first and made plainer until the server takes it.  What was learnt
holds for all later requests.  Third-party exceptions end here and become the tree of
`ocr_moe.errors`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import ipaddress
import json
import os
import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field as PydanticField

from ocr_moe.errors import (
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
    EndpointMissingError,
    MissingDependencyError,
)
from ocr_moe.protocols import ChatImage, ChatReply, Package
from ocr_moe.types import Cost, Value

if TYPE_CHECKING:
    from openai import OpenAI

REVISION = "1"
_ERROR_LENGTH = 200


class Structured(StrEnum):
    """How far a server can bind its answer, best first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_SCHEMA = "json_object_schema"
    """`json_object` with a `schema` beside it (llama.cpp and its relatives)."""
    JSON_OBJECT = "json_object"
    NONE = "none"


_LEVELS = tuple(Structured)


class Capabilities(Value):
    """What a server can do, as far as it is known."""

    model: str
    """The model's name as the server wants to hear it."""
    structured: Structured
    logprobs: bool
    sampling: bool = True
    """Whether temperature and seed may be given."""
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


class EndpointReport(Value):
    """What `ocr-moe doctor` tells of an endpoint."""

    name: str
    host: str
    local: bool
    answers: bool
    model: str | None = None
    models: tuple[str, ...] = ()
    structured: Structured | None = None
    """The best form that the server not only takes but also obeys."""
    logprobs: bool | None = None
    images: bool | None = None
    seconds: float | None = None
    """For a short answer."""
    problem: str | None = None


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
    """Seconds for one attempt."""
    retries: int = PydanticField(default=3, ge=0)
    """Further attempts after a connection error, 408, 409, 429 or 5xx, with exponential back-off;
    a Retry-After of up to a minute is obeyed."""
    concurrency: int = PydanticField(default=4, ge=1)
    """Most requests at a time."""
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
    completion_price: float = PydanticField(default=0.0, ge=0)
    """Money for a million completion tokens."""


class ChatEndpoint:
    """A ChatModel over HTTP. Safe to use from several threads.

    Raises EndpointMissingError where no base URL is configured.
    """

    Params = ChatParams
    packages: ClassVar = (Package("openai", "asking chat endpoints"),)

    def __init__(self, name: str, params: ChatParams) -> None:
        prefix = f"OCR_MOE_{name.upper()}"
        base_url = params.base_url or os.environ.get(f"{prefix}_BASE_URL", "").strip()
        if not base_url:
            raise EndpointMissingError(
                f"No {name} endpoint is configured. Set {prefix}_BASE_URL (for instance "
                f"http://127.0.0.1:8000/v1), and where needed {prefix}_MODEL and {prefix}_API_KEY."
            )
        if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
            raise EndpointMissingError(
                f"The base URL of the {name} endpoint is not an http(s) address. "
                f"Set {prefix}_BASE_URL to something like http://127.0.0.1:8000/v1."
            )
        self.name = name
        self.params = params
        self._base_url = base_url
        self._prefix = prefix
        self._model = params.model or os.environ.get(f"{prefix}_MODEL", "").strip() or "auto"
        self._capabilities: Capabilities | None = None
        self._client: OpenAI | None = None
        self._lock = threading.RLock()
        self._slots = threading.BoundedSemaphore(params.concurrency)

    def __repr__(self) -> str:
        return f"ChatEndpoint({self.name!r}, host={self.host!r}, model={self._model!r})"

    @property
    def host(self) -> str:
        """Host and port, without credentials, path or query."""
        parts = urlsplit(self._base_url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return f"{host}:{parts.port}" if parts.port else host

    @property
    def is_local(self) -> bool:
        """Whether documents sent there stay on this machine."""
        return is_local_host(urlsplit(self._base_url).hostname or "")

    @property
    def capabilities(self) -> Capabilities | None:
        """What has been learnt of the server so far."""
        return self._capabilities

    @property
    def model(self) -> str:
        """The model's name; asks the server once where it is `auto`. Raises ChatError."""
        with self._lock:
            if self._model == "auto":
                known = self._capabilities.model if self._capabilities else None
                self._model = known or self._first_model()
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
        what the server can do; its refused attempts are not part of the cost.  Raises ChatError:
        ChatConnectionError, ChatAuthError, ChatRateLimitError, ChatServerError, ChatRequestError,
        or ChatAnswerError for an empty answer or a refusal, which it carries with their cost, or
        for one that is not of the protocol.
        """
        messages = _messages(system, user, images)
        started = time.perf_counter()
        capabilities = self._capabilities
        if capabilities is None:
            with self._lock:
                capabilities = self._capabilities
                if capabilities is None:
                    completion, capabilities = self._find_out(messages, json_schema, max_tokens)
                    return self._reply(completion, capabilities, json_schema, started)
        with self._slots:
            started = time.perf_counter()
            completion = self._request(capabilities, messages, json_schema, max_tokens)
        return self._reply(completion, capabilities, json_schema, started)

    def close(self) -> None:
        """Let go of the connections; the next request opens new ones."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def probe(self) -> EndpointReport:
        """Ask the server what it is and what it obeys, with a few tiny requests; never raises."""
        started = time.perf_counter()
        models: tuple[str, ...] = ()
        try:
            models = self._models()
        except ChatError as error:
            if self._model == "auto":
                return self._report(answers=False, problem=str(error))
        try:
            model = self.model
        except ChatError as error:
            return self._report(answers=False, problem=str(error))
        schema = {
            "type": "object",
            "properties": {"code": {"type": "string", "enum": ["Q7"]}},
            "required": ["code"],
            "additionalProperties": False,
        }
        plain = Capabilities(model=model, structured=Structured.NONE, logprobs=False)
        ask = _messages("Answer briefly.", "Say hello. (If asked for JSON, any JSON will do.)", ())
        try:
            self._request(plain, ask, None, 8)
            seconds = time.perf_counter() - started
        except ChatError as error:
            return self._report(answers=False, model=model, models=models, problem=str(error))
        structured = next(
            (
                level
                for level in _LEVELS[:-1]
                if self._obeys(plain.model_copy(update={"structured": level}), ask, schema)
            ),
            Structured.NONE,
        )
        logprobs = self._gives_logprobs(plain.model_copy(update={"logprobs": True}), ask)
        images = self._sees(plain)
        return self._report(
            answers=True,
            model=model,
            models=models,
            structured=structured,
            logprobs=logprobs,
            images=images,
            seconds=round(seconds, 2),
        )

    def _report(self, **values: Any) -> EndpointReport:
        return EndpointReport(name=self.name, host=self.host, local=self.is_local, **values)

    def _obeys(
        self, capabilities: Capabilities, messages: list[Any], schema: Mapping[str, Any]
    ) -> bool:
        try:
            completion = self._request(capabilities, messages, schema, 32, retries=0)
            answer = json.loads(completion.choices[0].message.content or "")
        except (ChatError, ValueError):
            return False
        if capabilities.structured is Structured.JSON_OBJECT:
            return isinstance(answer, dict)
        return bool(answer == {"code": "Q7"})

    def _gives_logprobs(self, capabilities: Capabilities, messages: list[Any]) -> bool:
        try:
            return bool(_logprobs(self._request(capabilities, messages, None, 8, retries=0)))
        except ChatError:
            return False

    def _sees(self, capabilities: Capabilities) -> bool:
        image = ChatImage(data=_red_square(), media_type="image/png")
        messages = _messages("Answer in one word.", "Which colour is this image?", (image,))
        try:
            completion = self._request(capabilities, messages, None, 16, retries=0)
        except ChatError:
            return False
        answer = (completion.choices[0].message.content or "").lower()
        return "red" in answer or "红" in answer

    def _find_out(
        self, messages: list[Any], json_schema: Mapping[str, Any] | None, max_tokens: int
    ) -> tuple[Any, Capabilities]:
        """The first request, in the best form that the server takes."""
        best = Capabilities(
            model=self.model,
            structured=self.params.structured or _LEVELS[0],
            logprobs=self.params.logprobs is not False,
        )
        current = best
        reachable = patient = False
        while True:
            plainest = self._plainer(current, None) is None
            try:
                completion = self._request(
                    current,
                    messages,
                    json_schema,
                    max_tokens,
                    retries=self.params.retries if plainest or patient else 0,
                )
            except ChatRateLimitError:
                if plainest or patient:
                    raise
                patient = True
            except (ChatRequestError, ChatServerError, ChatAnswerError) as error:
                plainer = self._plainer(current, error)
                if plainer is None or _is_about_content(error):
                    raise
                if not reachable and not _named(error):
                    # Is it the form of the request, or is the server unwell? One token tells.
                    self._request(self._plainest(current), messages, None, 1)
                    reachable = True
                    if isinstance(error, ChatServerError):
                        continue
                current = plainer
            else:
                if current.logprobs and self.params.logprobs is None and not _logprobs(completion):
                    current = current.model_copy(update={"logprobs": False})
                if json_schema is not None:
                    self._capabilities = current
                return completion, current

    def _plainest(self, capabilities: Capabilities) -> Capabilities:
        update = {"structured": Structured.NONE, "logprobs": False}
        return capabilities.model_copy(update=update)

    def _plainer(self, capabilities: Capabilities, error: ChatError | None) -> Capabilities | None:
        """The next form to try after `error`, or None when there is nothing left to leave out."""
        named = _named(error) if error else None
        if named == "max_tokens" and capabilities.token_limit == "max_tokens":
            return capabilities.model_copy(update={"token_limit": "max_completion_tokens"})
        if named == "sampling" and capabilities.sampling:
            return capabilities.model_copy(update={"sampling": False})
        if capabilities.logprobs and self.params.logprobs is None and named != "structured":
            return capabilities.model_copy(update={"logprobs": False})
        if self.params.structured is None and capabilities.structured is not Structured.NONE:
            level = _LEVELS[_LEVELS.index(capabilities.structured) + 1]
            logprobs = self.params.logprobs is not False and named != "logprobs"
            return capabilities.model_copy(update={"structured": level, "logprobs": logprobs})
        return None

    def _reply(
        self,
        completion: Any,
        capabilities: Capabilities,
        json_schema: Mapping[str, Any] | None,
        started: float,
    ) -> ChatReply:
        choice = completion.choices[0]
        message = choice.message
        content = message.content if isinstance(message.content, str) else ""
        truncated = choice.finish_reason == "length"
        constrained = (
            json_schema is not None
            and capabilities.structured in (Structured.JSON_SCHEMA, Structured.JSON_OBJECT_SCHEMA)
            and _keeps_to(content, json_schema)
        )
        usage = completion.usage
        prompt = int(getattr(usage, "prompt_tokens", 0) or 0)
        answer = int(getattr(usage, "completion_tokens", 0) or 0)
        reply = ChatReply(
            content=content,
            model=self.model,
            cost=Cost(
                calls=1,
                prompt_tokens=prompt,
                completion_tokens=answer,
                seconds=round(time.perf_counter() - started, 3),
                money=self.money(prompt, answer),
            ),
            constrained=constrained,
            logprobs=_logprobs(completion),
            truncated=truncated,
        )
        if getattr(message, "refusal", None) and not content.strip():
            said = _short(message.refusal)
            raise ChatAnswerError(f"{self._who} refused to answer: {said}", reply)
        if choice.finish_reason == "content_filter":
            raise ChatAnswerError(f"{self._who} withheld its answer (content filter).", reply)
        if not content.strip():
            why = " (all tokens went into reasoning; allow more)" if truncated else ""
            raise ChatAnswerError(f"{self._who} gave an empty answer{why}.", reply)
        return reply

    def money(self, prompt_tokens: int, completion_tokens: int) -> float:
        """What so many tokens cost, in the currency of the configured prices."""
        return (
            prompt_tokens * self.params.prompt_price
            + completion_tokens * self.params.completion_price
        ) / 1_000_000

    def _request(
        self,
        capabilities: Capabilities,
        messages: list[Any],
        json_schema: Mapping[str, Any] | None,
        max_tokens: int,
        retries: int | None = None,
    ) -> Any:
        options: dict[str, Any] = {capabilities.token_limit: max_tokens}
        if capabilities.sampling:
            options["temperature"] = self.params.temperature
            if self.params.seed is not None:
                options["seed"] = self.params.seed
        if capabilities.logprobs:
            options["logprobs"] = True
        extra = dict(self.params.extra_body)
        if json_schema is not None:
            extra |= _response_format(capabilities.structured, json_schema)
        client = self._openai().with_options(
            max_retries=self.params.retries if retries is None else retries
        )
        with self._translated():
            completion = client.chat.completions.create(
                model=capabilities.model, messages=messages, extra_body=extra, **options
            )
        self._check(completion)
        return completion

    def _check(self, completion: Any) -> None:
        """Raise ChatAnswerError for an answer that is not a chat completion."""
        choices = getattr(completion, "choices", None)
        if choices and getattr(choices[0], "message", None) is not None:
            return
        body = completion if isinstance(completion, str) else getattr(completion, "error", "")
        said = _short(body or "")
        raise ChatAnswerError(
            f"{self._who} answered with something other than a chat completion"
            f"{f' ({said})' if said else ''}. Check the base URL: it usually ends in /v1."
        )

    def _models(self) -> tuple[str, ...]:
        with self._translated():
            page = self._openai().models.list()
        data = getattr(page, "data", None)
        if not isinstance(data, list):
            raise ChatAnswerError(
                f"{self._who} does not list its models. Check the base URL (it usually ends in "
                f"/v1), or set {self._prefix}_MODEL."
            )
        return tuple(str(model.id) for model in data if getattr(model, "id", None))

    def _first_model(self) -> str:
        models = self._models()
        if not models:
            raise ChatAnswerError(f"{self._who} lists no model. Set {self._prefix}_MODEL.")
        return models[0]

    def _openai(self) -> OpenAI:
        with self._lock:
            if self._client is None:
                try:
                    import openai
                except ImportError as error:
                    raise MissingDependencyError(
                        "Chat endpoints need the package `openai`: pip install openai"
                    ) from error
                local = self.is_local
                # A document meant to stay on this machine must not leave it through a proxy or a
                # redirect.
                self._client = openai.OpenAI(
                    base_url=self._base_url,
                    api_key=self._key() or "none",
                    timeout=self.params.timeout,
                    max_retries=self.params.retries,
                    http_client=openai.DefaultHttpxClient(
                        trust_env=not local, follow_redirects=not local
                    ),
                )
            return self._client

    def _key(self) -> str:
        variable = self.params.api_key_variable or f"{self._prefix}_API_KEY"
        return os.environ.get(variable, "").strip()

    @property
    def _who(self) -> str:
        return f"The {self.name} endpoint ({self.host})"

    def _translated(self) -> _Translation:
        return _Translation(self._who, self._prefix, self.params.timeout, self._key())


class _Translation:
    """Turns the client's exceptions into ours, with a sentence that says what to do."""

    def __init__(self, who: str, prefix: str, timeout: float, key: str) -> None:
        self._who = who
        self._prefix = prefix
        self._timeout = timeout
        self._key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import openai

        if error is None:
            return
        if isinstance(error, openai.APITimeoutError):
            raise ChatConnectionError(
                f"{self._who} did not answer within {self._timeout:g} s. Is it overloaded? "
                "A longer `timeout` or a smaller `concurrency` may help."
            ) from error
        if isinstance(error, openai.APIConnectionError):
            raise ChatConnectionError(
                f"{self._who} cannot be reached. Is the server running, and is "
                f"{self._prefix}_BASE_URL right?"
            ) from error
        if isinstance(error, openai.APIStatusError):
            raise self._of_status(error) from error
        if isinstance(error, openai.OpenAIError | ValueError):
            # The client raises plain ValueError where a body announced as JSON is not JSON.
            raise ChatAnswerError(
                f"{self._who} answered with something that is not JSON. Check the base URL: it "
                "usually ends in /v1."
            ) from error

    def _of_status(self, error: Any) -> ChatError:
        status = int(error.status_code)
        said = _said(error)
        if self._key:
            said = said.replace(self._key, "…")
        said = f": {said}" if said else ""
        if status in (401, 403):
            return ChatAuthError(
                f"{self._who} refused the key ({status}){said}. Set {self._prefix}_API_KEY."
            )
        if status == 429:
            return ChatRateLimitError(
                f"{self._who} still answered 429 (too many requests) after all retries{said}. "
                "Lower `concurrency`, or run again later: what was read is kept."
            )
        if status >= 500:
            return ChatServerError(f"{self._who} failed with {status}{said}.")
        hint = " Check the base URL: it usually ends in /v1." if status in (404, 405) else ""
        return ChatRequestError(f"{self._who} refused the request ({status}){said}.{hint}")


def is_local_host(host: str) -> bool:
    """Whether every address of a host belongs to this machine.

    Loopback addresses do, and so do those that a socket can be bound to. A name that cannot be
    resolved does not.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_own(family, str(to[0])) for family, _, _, _, to in found)


def _is_own(family: int, address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.is_loopback:
        return True
    if ip.is_unspecified or ip.is_multicast:
        return ip.is_unspecified
    try:
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            attempt.bind((address, 0))
    except OSError:
        return False
    return True


def _messages(system: str, user: str, images: Sequence[ChatImage]) -> list[Any]:
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
        content.append({"type": "text", "text": user})
    return [{"role": "system", "content": system}, {"role": "user", "content": content}]


def _response_format(level: Structured, schema: Mapping[str, Any]) -> dict[str, Any]:
    match level:
        case Structured.JSON_SCHEMA:
            body = {"name": "answer", "strict": True, "schema": dict(schema)}
            return {"response_format": {"type": "json_schema", "json_schema": body}}
        case Structured.JSON_OBJECT_SCHEMA:
            return {"response_format": {"type": "json_object", "schema": dict(schema)}}
        case Structured.JSON_OBJECT:
            return {"response_format": {"type": "json_object"}}
        case Structured.NONE:
            return {}


def _keeps_to(content: str, schema: Mapping[str, Any]) -> bool:
    try:
        answer = json.loads(content)
    except ValueError:
        return False
    return isinstance(answer, dict) and set(schema.get("required", ())) <= set(answer)


def _logprobs(completion: Any) -> tuple[tuple[str, float], ...]:
    found = getattr(completion.choices[0], "logprobs", None)
    tokens = getattr(found, "content", None) or ()
    return tuple((str(token.token), float(token.logprob)) for token in tokens)


_NAMES = (
    ("max_tokens", ("max_completion_tokens", "max_tokens")),
    ("sampling", ("temperature", "'seed'", '"seed"', "`seed`")),
    ("logprobs", ("logprob", "logits_all")),
    ("structured", ("response_format", "json_schema", "json_object", "grammar", "guided")),
)
_CONTENT = ("context length", "context window", "maximum context", "too many tokens", "exceed")
_IMAGE = ("image", "multimodal", "vision", "content type", "content part")


def _named(error: ChatError) -> str | None:
    """Which part of the request an error complains of, if it says so."""
    said = _words(error)
    return next((name for name, words in _NAMES if any(word in said for word in words)), None)


def _is_about_content(error: ChatError) -> bool:
    """Whether an error is about the document (too long, an image), whatever the request's form."""
    said = _words(error)
    return _named(error) is None and any(word in said for word in (*_CONTENT, *_IMAGE))


def _words(error: ChatError) -> str:
    """What the server itself said, without our sentence around it."""
    cause = error.__cause__
    return _said(cause).lower() if hasattr(cause, "body") else ""


def _said(error: Any) -> str:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        text = inner.get("message") if isinstance(inner, dict) else inner
        return _short(text or body.get("detail") or body.get("message") or "")
    return _short(body if isinstance(body, str) else "")


def _short(text: Any) -> str:
    """A server's words on one short line, without markup."""
    plain = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", str(text), flags=re.S))
    plain = " ".join(plain.split())
    return plain if len(plain) <= _ERROR_LENGTH else plain[: _ERROR_LENGTH - 1] + "…"


def _red_square() -> bytes:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()

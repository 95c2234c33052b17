"""Does any endpoint end a batch, hang it, or get a key into a file?

Servers that fail in every way that was seen or thought of, over real HTTP, each asked by `extract`
and by `doctor`.  A way is survived where nothing is raised, every document has its record, what went
wrong is said in a sentence, `doctor` calls no strategy ready whose server it called bad, and neither
the key nor twelve characters of it stand in any file or message.

    python -m benchmarks.fuzz_endpoints [--every 1] [--only NAME]
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import logging
import os
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.results import publish
from ocr_moe.api import Options, extract
from ocr_moe.intake.sources import digest
from ocr_moe.store.database import Store
from ocr_moe.testing.chatserver import (
    ChatServer,
    Raw,
    Reply,
    Request,
    completion,
    failure,
    stream,
    streamed,
    web_page,
)
from ocr_moe.types import Line, PageText
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.checkup import Finding, examine_endpoints
from ocr_moe.workshop.config import Config, load_config

KEY = "sk-proj-Zq8vT3nLw5XyB7kR2mHd9PfJ"
FIELD = "名称"
NAME = "某某有限公司"
DOCUMENTS = 2
TIMEOUT = 0.6
MOST_SECONDS = 60.0
"""For a batch of so few documents and so short a timeout; nobody waits for ever."""

Server = Mapping[str, Any]


@dataclass(frozen=True)
class Mode:
    """One way in which a server behaves."""

    kind: str
    name: str
    server: Callable[[str], Server]
    """Arguments of the ChatServer; it is given the address of another host."""
    reads: bool | None = None
    """Whether the documents are read all the same; None where either will do."""
    well: bool | None = None
    """Whether `doctor` calls the server good; None where either will do."""
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    mode: Mode
    command: str
    problem: str
    """Empty where it was survived."""
    seconds: float


def values(request: Request) -> str:
    return json.dumps(dict.fromkeys(request.asked) | {FIELD: NAME}, ensure_ascii=False)


def answering(make: Callable[[str], Any]) -> Callable[[str], Server]:
    """A server that makes its reply of the right content."""
    return lambda elsewhere: {"answer": lambda request: make(values(request)), "probed": False}


def always(reply: Reply | Raw) -> Callable[[str], Server]:
    return lambda elsewhere: {"answer": lambda request: reply, "probed": False}


def first(*replies: Reply | Raw) -> Callable[[str], Server]:
    """A server that fails at first and then recovers."""
    return lambda elsewhere: {"answer": values, "script": replies}


def refusing(
    complaint: Callable[[Request], str | None], status: int = 400
) -> Callable[[str], Server]:
    def answer(request: Request) -> Reply:
        said = complaint(request)
        if said is not None:
            return failure(status, said)
        content = values(request) if FIELD in request.prompt else "hello"
        if request.body.get("stream"):
            return streamed(content)
        return completion(content)

    return lambda elsewhere: {"answer": answer, "probed": False}


def listing(reply: Reply | Raw) -> Callable[[str], Server]:
    return lambda elsewhere: {"answer": values, "models_reply": reply}


def raw(*pieces: bytes, then: Callable[[], Iterable[bytes]] = tuple, pause: float = 0.0) -> Raw:
    def made() -> Iterator[bytes]:
        yield from pieces
        yield from then()

    return Raw(made, pause)


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *lines, "", "")).encode("latin-1")


JSON = "content-type: application/json"
GOOD = json.loads(completion("{}").body)
"""A completion, to be damaged."""


def damaged(**changes: Any) -> Reply:
    return Reply(json.dumps({**GOOD, **changes}))


def choosing(content: str = "{}", **changes: Any) -> Reply:
    choice = {**json.loads(completion(content).body)["choices"][0], **changes}
    return damaged(choices=[choice])


def _statuses() -> Iterator[Mode]:
    for status in (
        *(400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 411, 413, 415, 418, 422, 424, 426, 429),
        *(431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 522, 524, 529, 530, 599),
    ):
        yield Mode("statuses", f"{status}", always(failure(status, "no")), False, False)
    for status in (400, 401, 403, 404, 413, 429, 500, 502, 503, 504):
        yield Mode("statuses", f"{status}, a web page", always(web_page(status)), False, False)
    for status in (400, 404, 500, 503):
        yield Mode("statuses", f"{status}, empty", always(Reply("", status)), False, False)
    for status in (201, 202, 203, 206, 299):
        made = lambda content, status=status: Reply(completion(content).body, status)  # noqa: E731
        yield Mode("statuses", f"{status}, a completion", answering(made), True, True)
    for status in (204, 205, 304):
        yield Mode("statuses", f"{status}", always(Reply("", status)), False, False)
    for name, wait in {
        "for an hour": "3600",
        "of less than nothing": "-5",
        "of no number": "soon",
        "of a date": "Fri, 31 Dec 1999 23:59:59 GMT",
        "of infinity": "inf",
    }.items():
        script = first(failure(429, "later", retry_after=wait))
        yield Mode("statuses", f"429 with a wait {name}", script, True)


def _redirects() -> Iterator[Mode]:
    def to(address: str, status: int) -> Server:
        return {
            "answer": lambda request: Reply("", status, headers={"location": address}),
            "probed": False,
        }

    def away(status: int) -> Callable[[str], Server]:
        return lambda elsewhere: to(f"{elsewhere}/chat/completions", status)

    def here(address: str) -> Callable[[str], Server]:
        return lambda elsewhere: to(address, 307)

    for status in (300, 301, 302, 303, 307, 308):
        yield Mode("redirects", f"{status} to another host", away(status), False, False)
    for name, address in {
        "in a circle": "/v1/chat/completions",
        "to a file": "file:///etc/passwd",
        "to nowhere": "",
        "to no address": "http://[::1",
        "to another scheme": "gopher://127.0.0.1/",
    }.items():
        yield Mode("redirects", name, here(address), False, False)


def _bodies() -> Iterator[Mode]:
    texts = {
        "nothing": "",
        "null": "null",
        "true": "true",
        "a number": "1",
        "a list": "[]",
        "an empty object": "{}",
        "a string": '"hello"',
        "half of a completion": completion("{}").body[:60],
        "a deep list": "[" * 100_000,
        "a deep list, closed": "[" * 50_000 + "]" * 50_000,
        "a deep object": '{"a":' * 100_000,
        "a long number": '{"choices": ' + "9" * 100_000 + "}",
        "not a number": '{"choices": NaN}',
        "a web page": "<html><body>It works!</body></html>",
        "plain words": "It works!",
        "NUL bytes": "\0" * 100,
        "one object a line": '{"response": "a"}\n{"response": "b"}',
        "two completions": completion("{}").body * 2,
        "a lone surrogate": '{"choices": "\\ud800"}',
        "XML": "<?xml version='1.0'?><error>no</error>",
    }
    for name, text in texts.items():
        for kind in ("application/json", "text/html"):
            reply = always(Reply(text, content_type=kind))
            yield Mode("bodies", f"{name} as {kind}", reply, False, False)
    for name, made in {
        "a byte order mark": lambda content: Reply("\ufeff" + completion(content).body),
        "blank lines before it": lambda content: Reply("\n\n  " + completion(content).body),
        "as plain text": lambda content: Reply(completion(content).body, content_type="text/plain"),
        "without a type": lambda content: Reply(completion(content).body, content_type=""),
        "another charset": lambda content: Reply(
            completion(content).body, content_type="application/json; charset=nonsense"
        ),
    }.items():
        yield Mode("bodies", name, answering(made), True, True)
    yield Mode(
        "bodies",
        "a million choices",
        always(Reply('{"choices": [' + ",".join(["{}"] * 1_000_000) + "]}")),
        False,
        False,
    )


def _completions() -> Iterator[Mode]:
    bad: dict[str, Reply] = {
        "no choices": damaged(choices=None),
        "empty choices": damaged(choices=[]),
        "choices of null": damaged(choices=[None]),
        "choices of lists": damaged(choices=[[]]),
        "choices as an object": damaged(choices={"0": {}}),
        "a choice without message": damaged(choices=[{"index": 0}]),
        "a message of null": choosing(message=None),
        "a message that is a list": choosing(message=["hello"]),
        "content of null": choosing(message={"content": None}),
        "content of blanks": choosing(message={"content": " \n "}),
        "content of true": choosing(message={"content": True}),
        "empty parts": choosing(message={"content": []}),
        "parts of null": choosing(message={"content": [None, 1, {"type": "image"}]}),
        "a refusal": choosing(message={"content": None, "refusal": "I cannot help with that."}),
        "a content filter": choosing(finish_reason="content_filter", message={"content": ""}),
        "cut off in its thoughts": choosing(
            finish_reason="length", message={"content": "", "reasoning_content": "Let me see"}
        ),
        "nothing but thoughts": choosing(message={"content": "", "reasoning_content": "I see"}),
        "tool calls of null": choosing(message={"content": None, "tool_calls": [None]}),
    }
    for name, reply in bad.items():
        yield Mode("completions", name, always(reply), False, False)

    def message(**said: Any) -> Reply:
        return choosing(message={"role": "assistant", **said})

    good: dict[str, Callable[[str], Reply]] = {
        "parts": lambda content: message(content=[{"type": "text", "text": content}]),
        "parts of text": lambda content: message(content=[content[:5], content[5:]]),
        "thoughts as parts": lambda content: message(
            content=[
                {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                {"type": "text", "text": content},
            ]
        ),
        "thoughts beside it": lambda content: message(content=content, reasoning_content="hm"),
        "an answer taken for thoughts": lambda content: message(
            content=None, reasoning_content=content
        ),
        "a function called": lambda content: message(
            content=None, tool_calls=[{"function": {"name": "f", "arguments": content}}]
        ),
        "a finish that is a number": lambda content: choosing(content, finish_reason=7),
        "no finish": lambda content: choosing(content, finish_reason=None),
        "a model that is a number": lambda content: Reply(
            json.dumps({**json.loads(completion(content).body), "model": 7})
        ),
    }
    for name, made in good.items():
        yield Mode("completions", name, answering(made), True)
    yield Mode(
        "completions",
        "an object for a text",
        answering(lambda content: message(content=json.loads(content))),
        True,
    )
    yield Mode(
        "completions",
        "a lone surrogate in a value",
        answering(lambda content: completion(content.replace("某某", "某\ud800某"))),
        None,
        True,
    )


def _usages() -> Iterator[Mode]:
    usages: dict[str, Any] = {
        "missing": None,
        "of null": (None, None),
        "negative": (-1000, -50),
        "of text": ("120", "30"),
        "of words": ("many", "few"),
        "of fractions": (120.5, 30.5),
        "beyond all bounds": (10**30, 10**30),
        "infinite": (float("inf"), float("inf")),
        "not a number": (float("nan"), float("nan")),
        "of lists": ([1], [2]),
        "of truth": (True, False),
        "half": (120, 0),
    }
    for name, usage in usages.items():
        made = lambda content, usage=usage: completion(content, usage=usage)  # noqa: E731
        yield Mode("usage", name, answering(made), True, True)
    for name, logprobs in {
        "a list": [1, 2],
        "tokens of numbers": {"content": [{"token": 1, "logprob": -0.1}]},
        "words": {"content": [{"token": "a", "logprob": "low"}]},
        "null": {"content": [{"token": "a", "logprob": None}]},
        "not a number": {"content": [{"token": "a", "logprob": float("nan")}]},
        "minus infinity": {"content": [{"token": "a", "logprob": float("-inf")}]},
        "above nought": {"content": [{"token": "a", "logprob": 5.0}]},
        "lone surrogates": {"content": [{"token": "\ud800", "logprob": -0.1}]},
        "no tokens": {"content": [None]},
    }.items():
        made = lambda content, logprobs=logprobs: choosing(content, logprobs=logprobs)  # noqa: E731
        yield Mode("usage", f"log-probabilities: {name}", answering(made), True, True)


def _errors_as_successes() -> Iterator[Mode]:
    bodies: dict[str, Any] = {
        "429": {"error": {"message": "slow down", "code": 429}},
        "500 as text": {"error": {"message": "oh", "code": "500"}},
        "a rate limit by name": {"error": {"message": "slow", "type": "rate_limit_exceeded"}},
        "a server error by name": {"error": {"message": "oh", "type": "server_error"}},
        "401": {"error": {"message": "who?", "code": 401}},
        "a message only": {"error": {"message": "no provider has capacity"}},
        "a sentence": {"error": "no provider has capacity"},
        "vLLM's": {"object": "error", "message": "no", "type": "BadRequestError", "code": 400},
        "DashScope's": {"code": "Throttling", "message": "slow", "request_id": "1"},
        "FastAPI's": {"detail": [{"loc": ["body"], "msg": "field required"}]},
        "of null": {"error": None},
        "of a number": {"error": 7},
        "deep": {"error": {"error": {"error": {"message": "x"}}}},
    }
    for name, body in bodies.items():
        reply = Reply(json.dumps(body))
        yield Mode("errors with status 200", name, always(reply), False, False)
        if name in ("429", "500 as text", "a rate limit by name"):
            yield Mode("errors with status 200", f"{name}, once", first(reply), True, True)


def _streams() -> Iterator[Mode]:
    def delta(**said: Any) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": said}]}

    good: dict[str, Callable[[str], Reply]] = {
        "unasked": streamed,
        "without usage": lambda content: streamed(content, usage=None),
        "without an end": lambda content: stream(delta(content=content), done=False),
        "as JSON by its type": lambda content: Reply(streamed(content).body),
        "with returns": lambda content: Reply(
            streamed(content).body.replace("\n", "\r\n"), content_type="text/event-stream"
        ),
        "with comments": lambda content: Reply(
            ": keep-alive\n\n" * 50 + streamed(content).body, content_type="text/event-stream"
        ),
        "with junk": lambda content: Reply(
            'data: {half\n\ndata: 7\n\nnothing: x\n\ndata: {"choices": 7}\n\n'
            + streamed(content).body,
            content_type="text/event-stream",
        ),
        "with roles": lambda content: stream(
            delta(role="assistant", content=None), delta(content=content)
        ),
        "with thoughts": lambda content: stream(
            delta(reasoning_content="hm"), delta(content=content)
        ),
        "whole in one message": lambda content: stream(
            {"choices": [{"index": 0, "message": {"content": content}, "finish_reason": "stop"}]}
        ),
        "of two choices": lambda content: stream(
            {"choices": [{"index": 1, "delta": {"content": "no"}}]}, delta(content=content)
        ),
        "with events": lambda content: Reply(
            streamed(content).body.replace("data:", "event: chunk\nid: 1\ndata:"),
            content_type="text/event-stream",
        ),
    }
    for name, made in good.items():
        yield Mode("streams", name, answering(made), True, True)
    yield Mode(
        "streams",
        "the only way",
        refusing(
            lambda request: (
                None
                if request.body.get("stream")
                else "This model only support stream mode, please enable the stream parameter to access "
                "the model."
            )
        ),
        True,
        True,
    )
    for name, reply in {
        "empty": stream(),
        "nothing at all": Reply("", content_type="text/event-stream"),
        "of nulls": stream(None, None),
        "an error": stream({"error": {"message": "overloaded"}}),
        "an error in the middle": stream(delta(content="{"), {"error": {"message": "oh"}}),
        "of thoughts only": stream(*[delta(reasoning_content="hm")] * 10),
        "broken off": stream(delta(content='{"名'), done=False),
        "a hundred thousand empty chunks": stream(*[delta()] * 100_000),
    }.items():
        yield Mode("streams", name, always(reply), False)


def _sockets() -> Iterator[Mode]:
    body = completion("{}").body.encode()
    whole = head(JSON, f"content-length: {len(body)}")
    modes: dict[str, Raw] = {
        "closed at once": raw(),
        "closed after the headers": raw(head(JSON, "content-length: 100")),
        "a body cut off": raw(head(JSON, f"content-length: {len(body)}"), body[:40]),
        "garbage": raw(b"\x00\xff\x13\x37" * 50),
        "the web of 1991": raw(b"<html>hello</html>"),
        "no number for a status": raw(b"HTTP/1.1 abc OK\r\n\r\n"),
        "status 999": raw(head("content-length: 0", status="999 Odd")),
        "status 0": raw(b"HTTP/1.1 000 Odd\r\n\r\n"),
        "two lengths": raw(head("content-length: 5", "content-length: 9"), b"hello"),
        "a length below nought": raw(head("content-length: -1"), b"hello"),
        "a length of words": raw(head("content-length: many"), b"hello"),
        "chunks without an end": raw(head(JSON, "transfer-encoding: chunked"), b"5\r\nhello\r\n"),
        "broken chunks": raw(head(JSON, "transfer-encoding: chunked"), b"zz\r\nhello\r\n"),
        "a header without a colon": raw(b"HTTP/1.1 200 OK\r\nhello\r\n\r\n"),
        "a header of strange bytes": raw(b"HTTP/1.1 200 OK\r\nx: \xff\xfe\0\r\n\r\n"),
        "an endless header": raw(b"HTTP/1.1 200 OK\r\nx: ", then=lambda: repeat(b"a" * 65536)),
        "endless headers": raw(b"HTTP/1.1 200 OK\r\n", then=lambda: repeat(b"x: y\r\n" * 5000)),
        "a body that is not gzip": raw(head(JSON, "content-encoding: gzip"), body),
        "an unknown compression": raw(head(JSON, "content-encoding: br"), body),
        "a gzip bomb": raw(
            head(JSON, "content-encoding: gzip"), gzip.compress(b" " * 300_000_000, 9)
        ),
        "an endless body": raw(head(JSON), then=lambda: repeat(b" " * 65536)),
        "an endless chunked body": raw(
            head(JSON, "transfer-encoding: chunked"),
            then=lambda: repeat(b"4000\r\n" + b" " * 16384 + b"\r\n"),
        ),
        "an endless stream": raw(
            head("content-type: text/event-stream"), then=lambda: repeat(b"data: {}\n\n" * 5000)
        ),
        "hangs": raw(then=lambda: repeat(b""), pause=0.1),
        "hangs after the headers": raw(whole, then=lambda: repeat(b""), pause=0.1),
        "hangs in the body": raw(whole, body[:9], then=lambda: repeat(b""), pause=0.1),
        "a body byte by byte": raw(head(JSON), then=lambda: repeat(b" "), pause=0.1),
        "headers byte by byte": raw(
            b"HTTP/1.1 200 OK\r\nx: ", then=lambda: repeat(b"a"), pause=0.1
        ),
        "a status byte by byte": raw(then=lambda: repeat(b"H"), pause=0.1),
        "a stream that is kept alive": raw(
            head("content-type: text/event-stream"), then=lambda: repeat(b": wait\n\n"), pause=0.1
        ),
        "continue for ever": raw(then=lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), pause=0.05),
        "another protocol": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
        "an offer of another protocol": raw(head("upgrade: h2c", status="101 Switching Protocols")),
    }
    for name, reply in modes.items():
        yield Mode("sockets", name, always(reply), False, False)
    for name in ("closed at once", "a body cut off", "hangs", "garbage", "headers byte by byte"):
        yield Mode("sockets", f"{name}, once", first(modes[name]), True, True)


def _lists() -> Iterator[Mode]:
    def listed(*names: Any) -> Reply:
        return Reply(json.dumps({"object": "list", "data": [{"id": name} for name in names]}))

    good = {
        "embeddings first": listed("nomic-embed-text:latest", "bge-m3", "qwen2.5:7b"),
        "with junk": Reply(json.dumps({"data": [None, 1, {"name": "x"}, {"id": "qwen"}]})),
        "ten thousand models": listed(*(f"m{number}" for number in range(10_000))),
    }
    for name, names in good.items():
        yield Mode("lists of models", name, listing(names), True, True)
    bad: dict[str, Reply | Raw] = {
        "a web page": web_page(200),
        "404": failure(404, "no"),
        "401": failure(401, "no"),
        "500": failure(500, "no"),
        "nothing": Reply(""),
        "null": Reply("null"),
        "no data": Reply("{}"),
        "data of null": Reply('{"data": null}'),
        "no models": listed(),
        "embeddings only": listed("nomic-embed-text", "bge-reranker"),
        "names of numbers": listed(1, 2),
        "blank names": listed("", " "),
        "deep": Reply("[" * 100_000),
        "a stream": stream({"data": []}),
        "closed at once": raw(),
        "hangs": raw(then=lambda: repeat(b""), pause=0.1),
        "byte by byte": raw(head(JSON), then=lambda: repeat(b" "), pause=0.1),
        "endless": raw(head(JSON), then=lambda: repeat(b" " * 65536)),
    }
    for name, reply in bad.items():
        yield Mode("lists of models", name, listing(reply), False, False)
    surrogate = Reply('{"data": [{"id": "qwen\\ud800"}]}')
    yield Mode("lists of models", "a lone surrogate", listing(surrogate), True, True)


def _refusals() -> Iterator[Mode]:
    def unless(part: str, said: str) -> Callable[[Request], str | None]:
        return lambda request: said if part in request.body else None

    parts = {
        "temperature": "Unsupported value: 'temperature' does not support 0.0",
        "max_tokens": "Use 'max_completion_tokens' instead of 'max_tokens'.",
        "seed": "Unknown parameter: 'seed'.",
        "logprobs": "logprobs are not supported",
        "response_format": "This response_format type is unavailable now",
    }
    for part, said in parts.items():
        yield Mode("refusals", part, refusing(unless(part, said)), True, True)
        yield Mode("refusals", f"{part}, as 500", refusing(unless(part, said), 500), True)
    yield Mode(
        "refusals",
        "all of them",
        refusing(
            lambda request: next(
                (said for part, said in parts.items() if part in request.body), None
            )
        ),
        True,
        True,
    )
    yield Mode(
        "refusals",
        "thinking unless told not to",
        refusing(
            lambda request: (
                None
                if request.body.get("enable_thinking") is False
                else "parameter.enable_thinking must be set to false for non-streaming calls"
            )
        ),
        True,
        True,
    )
    yield Mode(
        "refusals",
        "thinking in any case",
        refusing(
            lambda request: (
                None
                if request.body.get("enable_thinking") and request.body.get("stream")
                else "The value of the enable_thinking parameter is restricted to True."
                if not request.body.get("enable_thinking")
                else "only support stream mode"
            )
        ),
        True,
        True,
    )
    yield Mode(
        "refusals",
        "a stream, but no stream_options",
        refusing(
            lambda request: (
                "only support stream mode"
                if not request.body.get("stream")
                else "Unknown parameter: stream_options"
                if "stream_options" in request.body
                else None
            )
        ),
        True,
        True,
    )
    for said in (
        "This model's maximum context length is 4096 tokens.",
        "no such model",
        "insufficient balance",
        "",
        "\ud800",
        "x" * 1_000_000,
    ):
        name = f"all: {said[:20]!r}"
        yield Mode("refusals", name, refusing(lambda request, said=said: said), False, False)  # type: ignore[misc]


def _loading() -> Iterator[Mode]:
    loading = failure(503, "Loading model")
    yield Mode("loading", "for a while", first(loading, loading), True, True)
    yield Mode(
        "loading", "for ever", always(loading), False, False, params={"loading_timeout": 0.5}
    )


def _secrets() -> Iterator[Mode]:
    half = len(KEY) // 2
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY)
    entities = "".join(f"&#{ord(character)};" for character in KEY)
    for name, said in {
        "the key": KEY,
        "its first half": KEY[:half],
        "its second half": KEY[half:],
        "a header": f"Authorization: Bearer {KEY}",
        "escaped": escaped,
        "as entities": entities,
        "twice": KEY * 2,
        "at the end of much": "x" * 190 + KEY,
        "behind much": "x" * 3990 + KEY,
    }.items():
        in_value = lambda content, said=said: completion(  # noqa: E731
            content.replace("null", f'"{said}"')
        )
        yield Mode("secrets", f"in a value: {name}", answering(in_value))
        yield Mode("secrets", f"in an error: {name}", always(failure(400, said)), False, False)
        yield Mode("secrets", f"in a page: {name}", always(web_page(500, said)), False, False)
        refusal = choosing(message={"content": None, "refusal": said})
        yield Mode("secrets", f"in a refusal: {name}", always(refusal), False, False)
        yield Mode("secrets", f"in a stream: {name}", always(streamed(said)), False)
    yield Mode(
        "secrets",
        "in tokens",
        answering(
            lambda content: choosing(
                content.replace("null", f'"{KEY}"', 1),
                logprobs={"content": [{"token": c, "logprob": -0.1} for c in content + KEY]},
            )
        ),
    )
    yield Mode(
        "secrets",
        "in the list of models",
        listing(Reply(json.dumps({"data": [{"id": f"m-{KEY}"}]}))),
    )


def modes() -> list[Mode]:
    families = (
        *(_statuses, _redirects, _bodies, _completions, _usages, _errors_as_successes, _streams),
        *(_sockets, _lists, _refusals, _loading, _secrets),
    )
    return [mode for family in families for mode in family()]


def prepare(folder: Path) -> Path:
    """Documents, and their page OCR, so that only the endpoint is under trial."""
    lines = []
    for number in range(DOCUMENTS):
        file = folder / f"{number}.png"
        Image.new("RGB", (300, 200), (250, 250, 240 + number)).save(file)
        quad = ((0.1, 0.1), (0.6, 0.1), (0.6, 0.15), (0.1, 0.15))
        line = Line(text=f"{FIELD} {NAME}", confidence=0.99, quad=quad)
        text = PageText(engine="hand", width=300, height=200, rotation=0, lines=(line,))
        entry = {"sha256": digest(file), "page": 1, "text": text.model_dump(mode="json")}
        lines.append(json.dumps(entry, ensure_ascii=False))
    ocr = folder / "pages.jsonl"
    ocr.write_text("\n".join(lines), encoding="utf-8")
    return ocr


def configured(server: ChatServer, mode: Mode) -> Config:
    config = load_config()
    text = config.chat["text"]
    address = server.base_url.replace("http://", f"http://user:{KEY[::-1]}@")
    own = {"base_url": address, "timeout": TIMEOUT, "retries": 1, "breaker_threshold": 4}
    params = {**text.params, **own, **mode.params}
    return config.model_copy(
        update={
            "workers": 1,
            "chat": {"text": type(text).model_validate({"kind": text.kind, **params})},
            "strategies": {"ocr_page_llm": config.strategies["ocr_page_llm"]},
        }
    )


def trial(mode: Mode, ocr: Path, elsewhere: ChatServer) -> Iterator[Verdict]:
    """One way, asked by extract and by doctor."""
    arguments = {"probed": True, **mode.server(elsewhere.base_url)}
    for command, work in (("extract", _extract), ("doctor", _doctor)):
        asked_before = len(elsewhere.requests)
        started = time.perf_counter()
        with logged() as log, ChatServer(**arguments) as server:
            try:
                problem = work(mode, configured(server, mode), ocr)
            except Exception:
                problem = traceback.format_exc()
        seconds = time.perf_counter() - started
        if seconds > MOST_SECONDS:
            problem = problem or f"took {seconds:.0f} s"
        if len(elsewhere.requests) > asked_before:
            problem = problem or "a document went to another host"
        problem = problem or leak("the log", log.getvalue().encode())
        yield Verdict(mode, command, problem, seconds)


def _extract(mode: Mode, config: Config, ocr: Path) -> str:
    with tempfile.TemporaryDirectory() as out:
        run = extract(
            sorted(ocr.parent.glob("*.png")),
            out=Path(out) / "run",
            strategy="ocr_page_llm",
            options=Options(schema="business_license", ocr=ocr, config=config, workers=1),
        )
        outcome = run.outcome
        assert outcome is not None
        if outcome.documents != DOCUMENTS:
            return f"{outcome.documents} records of {DOCUMENTS}"
        read = list(run.to_frame()[FIELD]) == [NAME] * DOCUMENTS
        if mode.reads is not None and read is not mode.reads:
            return f"read: {read}; {'; '.join(outcome.failures)[:300]}"
        if any("unexpected error" in failure for failure in outcome.failures):
            return outcome.failures[0]
        with Store(run.folder / "store.sqlite", write=False) as store:
            if len(list(store.records("ocr_page_llm"))) != DOCUMENTS:
                return "the store has not all records"
        found = [leak("a failure", said.encode()) for said in outcome.failures]
        for file in sorted(run.folder.rglob("*")):
            if file.is_file():
                found += [leak(file.name, content) for content in contents(file)]
        return next(filter(None, found), "")


def _doctor(mode: Mode, config: Config, ocr: Path) -> str:
    findings = list(examine_endpoints(config, Workshop(config)))
    state = {finding.subject: finding for finding in findings}
    endpoint = state["text endpoint"]
    if mode.well is not None and (endpoint.state == "good") is not mode.well:
        return f"{endpoint.state}: {endpoint.words}"
    ready = state["strategies that run here"].words
    if endpoint.state == "bad" and ready != "none":
        return f"ready with a bad server: {ready}"
    return next(filter(None, map(_leak_of_finding, findings)), "")


def _leak_of_finding(finding: Finding) -> str:
    return leak(finding.subject, finding.words.encode("utf-8", "surrogatepass"))


def contents(file: Path) -> Iterator[bytes]:
    """A file's bytes, or those of its members."""
    if file.suffix == ".xlsx":
        with zipfile.ZipFile(file) as archive:
            yield from map(archive.read, archive.namelist())
    else:
        yield file.read_bytes()


def leak(where: str, data: bytes) -> str:
    """What is said where twelve characters of the key, or of the password, stand in some bytes."""
    for secret in (KEY, KEY[::-1]):
        for start in range(len(secret) - 11):
            if secret[start : start + 12].encode() in data:
                return f"{where} holds {secret[start : start + 12]}"
    return ""


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """All that is logged, from the finest level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def keyed() -> Iterator[None]:
    """The key in its variable, and no other endpoint."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
        del os.environ[name]
    os.environ["OCR_MOE_TEXT_API_KEY"] = KEY
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(chosen: Sequence[Mode]) -> Iterator[Verdict]:
    with tempfile.TemporaryDirectory() as folder, keyed(), ChatServer() as elsewhere:
        ocr = prepare(Path(folder))
        for mode in chosen:
            yield from trial(mode, ocr, elsewhere)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="only each so manieth way")
    parser.add_argument("--only", default="", help="only the ways with this in their names")
    options = parser.parse_args(arguments)
    chosen = [mode for mode in modes() if options.only in f"{mode.kind}: {mode.name}"][
        :: options.every
    ]
    tried: Counter[tuple[str, str]] = Counter()
    survived: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    for verdict in run(chosen):
        key = (verdict.mode.kind, verdict.command)
        tried[key] += 1
        survived[key] += not verdict.problem
        slowest = max(slowest, verdict.seconds)
        if verdict.problem:
            where = f"{verdict.mode.kind}: {verdict.mode.name} ({verdict.command})"
            print(f"NOT {where}: {verdict.problem.strip()}", file=sys.stderr, flush=True)
    print(f"{len(chosen)} ways in which a server fails, {tried.total()} trials\n")
    print("| kind | command | tried | survived |\n|---|---|---|---|")
    for kind, command in tried:
        print(f"| {kind} | {command} | {tried[kind, command]} | {survived[kind, command]} |")
    print()
    publish(
        "fuzz_endpoints",
        {
            "ways": len(chosen),
            "trials": [
                {"kind": kind, "command": command, "tried": n, "survived": survived[kind, command]}
                for (kind, command), n in tried.items()
            ],
            "slowest_seconds": slowest,
        },
        [f"survived: {survived.total()} of {tried.total()}; the slowest took {slowest:.1f} s"],
    )
    return 0 if survived == tried else 1


if __name__ == "__main__":
    sys.exit(main())

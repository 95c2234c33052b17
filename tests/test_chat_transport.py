"""The transport against real servers that hang, drip, flood, stream, move and break."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import pytest

from ocr_moe.engines.chat.breaker import LONGEST, Breaker
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.hosts import Address
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.errors import (
    ChatAnswerError,
    ChatConnectionError,
    ChatError,
    ChatRequestError,
    ChatServerError,
    ChatTooLargeError,
    ConfigError,
)
from ocr_moe.protocols import ChatReply
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

pytestmark = pytest.mark.slow

SCHEMA = {"type": "object", "properties": {"姓名": {}}, "required": ["姓名"]}
ZHANG = '{"姓名": "张三"}'
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
_OPEN: list[ChatEndpoint] = []


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for what in ("BASE_URL", "MODEL", "API_KEY"):
        monkeypatch.delenv(f"OCR_MOE_TEXT_{what}", raising=False)
    yield
    while _OPEN:
        _OPEN.pop().close()


def endpoint(server: ChatServer, **params: Any) -> ChatEndpoint:
    settings: dict[str, Any] = {"base_url": server.base_url, "model": "m", "retries": 0} | params
    _OPEN.append(ChatEndpoint("text", ChatParams(**settings)))
    return _OPEN[-1]


def ask(chat: ChatEndpoint, **options: Any) -> ChatReply:
    return chat.complete(system="s", user="- 姓名", json_schema=SCHEMA, **options)


def dripping(start: bytes, piece: bytes) -> Raw:
    def pieces() -> Iterator[bytes]:
        yield start
        yield from repeat(piece)

    return Raw(pieces, pause=0.05)


@pytest.mark.parametrize(
    "reply",
    [
        dripping(b"", b""),
        dripping(HEAD, b" "),
        dripping(HEAD[:20], b"a"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(HEAD.replace(b"application/json", b"text/event-stream"), b": wait\n\n"),
    ],
    ids=["hangs", "body", "headers", "continue", "stream"],
)
def test_an_attempt_as_a_whole_is_bounded(reply: Raw) -> None:
    with ChatServer(lambda _: reply) as server:
        with pytest.raises(ChatConnectionError, match=r"within 0\.3 s"):
            ask(endpoint(server, timeout=0.3))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head", [HEAD, HEAD.replace(b"application/json", b"text/event-stream")], ids=["json", "stream"]
)
def test_an_endless_body_is_given_up(head: bytes) -> None:
    def pieces() -> Iterator[bytes]:
        yield head
        yield from repeat(b" " * 65536)

    with (
        ChatServer(lambda _: Raw(pieces)) as server,
        pytest.raises(ChatAnswerError, match=r"more than 100,000 bytes.*max_answer_bytes"),
    ):
        ask(endpoint(server, max_answer_bytes=100_000, timeout=20))


def test_the_very_first_request_is_retried_like_any_other() -> None:
    hanging = dripping(b"", b"")
    with ChatServer(lambda _: ZHANG, script=[Raw(tuple), hanging]) as server:
        reply = ask(endpoint(server, timeout=0.5, retries=2))
        assert reply.content == ZHANG
        assert reply.constrained
        assert [request.form for request in server.requests] == ["json_schema"] * 3
    with ChatServer(lambda _: Raw(tuple)) as server:
        with pytest.raises(ChatConnectionError):
            ask(endpoint(server, retries=2))
        assert len(server.requests) == 3


def test_a_server_that_fails_in_a_row_is_left_alone_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with ChatServer(lambda _: Raw(tuple)) as server:
        chat = endpoint(server, retries=1, breaker_threshold=3)
        for _ in range(6):
            with pytest.raises(ChatConnectionError) as caught:
                ask(chat)
        assert len(server.requests) == 3
        assert "is not asked: it failed 3 times in a row" in str(caught.value)
        assert "--retry-failed" in str(caught.value)
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(told) == 1
    assert "goes on without it" in told[0]


def test_a_server_that_is_back_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    away = failure(503, "no")
    with ChatServer(lambda _: ZHANG, script=[away, away]) as server:
        chat = endpoint(server, breaker_threshold=2, breaker_pause=0.01)
        with pytest.raises(ChatError):
            ask(chat)
        while True:
            try:
                assert ask(chat).content == ZHANG
                break
            except ChatConnectionError:
                continue
        assert ask(chat).content == ZHANG
    assert "answers again" in caplog.text


def test_a_breaker_opens_tries_and_closes() -> None:
    now = [0.0]
    breaker = Breaker(2, 10.0, lambda: now[0])
    assert not breaker.failed()
    assert breaker.wait() == 0
    assert breaker.failed()
    assert not breaker.failed()  # of another thread's attempt, which was under way
    assert breaker.wait() == 10
    now[0] = 10
    assert breaker.wait() == 0  # the one trial
    assert breaker.wait() == 1
    assert not breaker.failed()  # told already
    assert breaker.wait() == 20
    now[0] = 30
    assert breaker.wait() == 0
    breaker.abandoned()
    assert breaker.wait() == 0
    assert breaker.succeeded()
    assert not breaker.succeeded()
    assert breaker.wait() == 0
    assert not breaker.failed()
    assert breaker.failed()


def test_pauses_grow_but_not_for_ever() -> None:
    now = [0.0]
    breaker = Breaker(1, 1.0, lambda: now[0])
    lengths = []
    for _ in range(7):
        breaker.failed()
        lengths.append(breaker.wait())
        now[0] += lengths[-1]
        assert breaker.wait() == 0
    assert lengths == [1, 2, 4, 8, 16, 16, 16]
    assert max(lengths) == LONGEST


def test_a_stream_that_was_not_asked_for() -> None:
    with ChatServer(lambda _: streamed(ZHANG, usage=(7, 5))) as server:
        reply = ask(endpoint(server))
        assert reply.content == ZHANG
        assert (reply.cost.prompt_tokens, reply.cost.completion_tokens) == (7, 5)
        assert not reply.truncated


def test_a_server_that_only_streams() -> None:
    def answer(request: Request) -> Reply:
        if not request.body.get("stream"):
            return failure(400, "This model only support stream mode, please enable the stream")
        wants_usage = request.body["stream_options"] == {"include_usage": True}
        return streamed(ZHANG, usage=(7, 5) if wants_usage else None)

    with ChatServer(answer) as server:
        chat = endpoint(server)
        assert ask(chat).cost.prompt_tokens == 7
        ask(chat)
        assert len(server.requests) == 3


def test_a_stream_that_broke_off_is_cut_off() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": '{"姓名": "张'}}]}
    with ChatServer(lambda _: stream(chunk, done=False)) as server:
        assert ask(endpoint(server)).truncated


@pytest.mark.parametrize(
    "path", ["/openai/deployments/gpt-4o/", "/openai/deployments/gpt-4o/chat/completions"]
)
def test_azure(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", "azure-secret")
    asked = "/openai/deployments/gpt-4o/chat/completions"
    with ChatServer(lambda _: ZHANG, paths=(asked,)) as server:
        url = server.base_url.removesuffix("/v1") + f"{path}?api-version=2024-06-01"
        chat = endpoint(server, base_url=url, model=None)
        assert chat.model == "gpt-4o"
        assert ask(chat).content == ZHANG
        request = server.requests[0]
        assert (request.path, request.query) == (asked, "api-version=2024-06-01")
        assert request.headers["api-key"] == "azure-secret"
        assert chat.probe().answers


@pytest.mark.parametrize(
    ("url", "base", "version"),
    [
        ("https://a.openai.azure.com", "https://a.openai.azure.com/openai", "2024-10-21"),
        ("https://a.openai.azure.com/openai/v1/", "https://a.openai.azure.com/openai/v1", None),
        (
            "https://a.cognitiveservices.azure.com/openai?api-version=7",
            "https://a.cognitiveservices.azure.com/openai",
            "7",
        ),
        ("https://llm.example.com/v1/chat/completions", "https://llm.example.com/v1", None),
        ("http://me:pass@gpu7:8000/v1?a=b", "http://gpu7:8000/v1", None),
    ],
)
def test_addresses(url: str, base: str, version: str | None) -> None:
    address = Address.parse(url)
    assert (address.base, address.azure_version) == (base, version)


def test_credentials_of_an_address_go_into_a_header_and_into_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with ChatServer(lambda _: ZHANG) as server:
        ask(endpoint(server, base_url=server.base_url.replace("://", "://me:pass%40word@")))
        pair = b64encode(b"me:pass@word").decode()
        assert server.requests[0].headers["authorization"] == f"Basic {pair}"
    assert "HTTP Request" in caplog.text
    assert "pass%40word" not in caplog.text
    assert pair not in caplog.text


def test_a_key_does_not_belong_into_a_configuration() -> None:
    params = ChatParams(base_url="http://127.0.0.1:1/v1", api_key_variable="sk-very-secret")
    with pytest.raises(ConfigError, match=r"chat\.text\.api_key_variable") as caught:
        ChatEndpoint("text", params)
    assert "sk-very" not in str(caught.value)


def test_a_model_that_is_loading_is_waited_for() -> None:
    loading = failure(503, "Loading model")
    with ChatServer(lambda _: ZHANG, script=[loading]) as server:
        assert ask(endpoint(server)).content == ZHANG
    with ChatServer(lambda _: loading) as server, pytest.raises(ChatServerError, match="Loading"):
        ask(endpoint(server, loading_timeout=0.1))


@pytest.mark.parametrize(
    "reply", [web_page(413), failure(400, "image too large"), failure(500, "Image size exceeds")]
)
def test_what_is_too_large_is_told_as_such_and_not_searched_away(reply: Reply) -> None:
    with ChatServer(lambda _: reply) as server:
        with pytest.raises(ChatTooLargeError, match="max_side"):
            ask(endpoint(server))
        assert len(server.requests) == 1


def test_an_error_sent_as_a_success_is_retried_by_its_code() -> None:
    busy = Reply(json.dumps({"error": {"message": "slow down", "code": 429}}))
    with ChatServer(lambda _: ZHANG, script=[busy]) as server:
        assert ask(endpoint(server, retries=1)).content == ZHANG
        assert len(server.requests) == 2


def test_embedding_models_are_not_talked_to() -> None:
    listed = ("nomic-embed-text:latest", "qwen2.5:7b")
    with ChatServer(lambda _: ZHANG, models=listed) as server:
        assert endpoint(server, model=None).model == "qwen2.5:7b"
    with (
        ChatServer(models=listed[:1]) as server,
        pytest.raises(ChatAnswerError, match="OCR_MOE_TEXT_MODEL"),
    ):
        _ = endpoint(server, model=None).model


@pytest.mark.parametrize(
    ("status", "arrives"), [(307, True), (308, True), (302, False), (303, False)]
)
def test_a_redirect_on_the_same_host_is_followed_where_it_keeps_the_question(
    status: int, arrives: bool
) -> None:
    moved = Reply("", status, headers={"location": "/v1/moved"})
    with ChatServer(
        lambda request: ZHANG if request.path == "/v1/moved" else moved, paths=("/v1/moved",)
    ) as server:
        if arrives:
            assert ask(endpoint(server)).content == ZHANG
        else:
            with pytest.raises(ChatRequestError, match="OCR_MOE_TEXT_BASE_URL"):
                ask(endpoint(server))


@pytest.mark.parametrize("usage", [None, (-5, -5), (0, 0), (10**12, 10**12), ("many", None)])
def test_tokens_that_are_not_counted_are_estimated_and_that_is_told_once(
    usage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with ChatServer(lambda _: completion(ZHANG, usage=usage)) as server:
        chat = endpoint(server, prompt_price=1_000_000)
        costs = [ask(chat).cost for _ in range(2)]
    for cost in costs:
        # "s" and "- 姓名"; the answer has two characters beyond ASCII and eight within.
        assert (cost.prompt_tokens, cost.completion_tokens) == (1 + 3, 4 + 2)
        assert (cost.calls, cost.estimated_calls, cost.money) == (1, 1, 4.0)
    assert caplog.text.count("does not count tokens") == 1


def test_what_finding_out_took_is_paid_too() -> None:
    with ChatServer(lambda _: ZHANG, structured=frozenset(), refusal_words="no") as server:
        cost = ask(endpoint(server)).cost
        assert (cost.calls, cost.prompt_tokens) == (2, 240)  # a single token, and the answer


@pytest.mark.parametrize(
    "message",
    [
        {"content": None},
        {"content": "", "refusal": "no"},
        {"content": "", "reasoning_content": "I see"},
    ],
)
def test_an_answer_without_use_is_paid(message: dict[str, Any]) -> None:
    with ChatServer(lambda _: completion(None, message=message)) as server:
        with pytest.raises(ChatAnswerError) as caught:
            ask(endpoint(server))
        assert isinstance(caught.value.reply, ChatReply)
        assert caught.value.reply.cost.calls == 1
        assert caught.value.reply.cost.prompt_tokens >= 120


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text", "text": ZHANG}]},
        {"content": [{"type": "thinking", "thinking": "{}"}, {"type": "text", "text": ZHANG}]},
        {"content": {"姓名": "张三"}},
        {"content": None, "reasoning_content": ZHANG},
        {"content": None, "tool_calls": [{"function": {"name": "f", "arguments": ZHANG}}]},
    ],
    ids=["parts", "thoughts", "object", "reasoning", "call"],
)
def test_content_in_other_forms(message: dict[str, Any]) -> None:
    with ChatServer(lambda _: completion(None, message=message)) as server:
        assert ask(endpoint(server)).content == ZHANG


def test_the_probe_says_that_a_server_streams_or_thinks() -> None:
    with ChatServer(lambda _: streamed("hello")) as server:
        report = endpoint(server).probe()
        assert (report.answers, report.streamed) == (True, True)

    def thinking(request: Request) -> Reply:
        enough = request.body["max_tokens"] > 100
        said = {"content": "hello" if enough else "", "reasoning_content": "Let me see"}
        return completion(None, message=said, finish="stop" if enough else "length")

    with ChatServer(thinking) as server:
        report = endpoint(server).probe()
        assert (report.answers, report.thinks, report.problem) == (True, True, None)
    with ChatServer(lambda _: completion("<think>Let me see", finish="length")) as server:
        report = endpoint(server).probe()
        assert not report.answers
        assert "only thinks" in str(report.problem)
        assert "enable_thinking: false" in str(report.problem)


def test_a_refusal_about_extra_body_names_the_key() -> None:
    with ChatServer(lambda _: failure(400, "unknown argument top_q")) as server:
        chat = endpoint(server, extra_body={"top_q": 1}, structured="none", logprobs=False)
        with pytest.raises(ChatRequestError, match=r"`top_q` in chat\.text\.extra_body"):
            ask(chat)

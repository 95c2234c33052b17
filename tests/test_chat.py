"""The chat endpoint against a real HTTP server: what it finds out, and what bad answers become."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.hosts import Address, is_local_host
from ocr_moe.engines.chat.quirks import QUIRKS, Quirk, Structured, recognise
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.engines.chat.transport import retry_after_of
from ocr_moe.errors import (
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
    ConfigError,
    EndpointMissingError,
)
from ocr_moe.permits import Limiter, Outcome, lend
from ocr_moe.protocols import ChatImage, ChatReply
from ocr_moe.testing.chatserver import (
    ALL_FORMS,
    ChatServer,
    Reply,
    Request,
    completion,
    failure,
    streamed,
    web_page,
)

SCHEMA = {
    "type": "object",
    "properties": {"姓名": {"type": ["string", "null"]}},
    "required": ["姓名"],
    "additionalProperties": False,
}
ZHANG = '{"姓名": "张三"}'


_OPEN: list[ChatEndpoint] = []


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("TEXT", "VISION"):
        for what in ("BASE_URL", "MODEL", "API_KEY"):
            monkeypatch.delenv(f"OCR_MOE_{name}_{what}", raising=False)
    yield
    while _OPEN:
        _OPEN.pop().close()


def build(name: str, params: ChatParams) -> ChatEndpoint:
    """An endpoint that is closed after the test."""
    _OPEN.append(ChatEndpoint(name, params))
    return _OPEN[-1]


def endpoint(server: ChatServer, **params: Any) -> ChatEndpoint:
    return build("text", ChatParams(base_url=server.base_url, **{"retries": 0} | params))


def ask(chat: ChatEndpoint, **options: Any) -> ChatReply:
    return chat.complete(system="s", user="- 姓名", json_schema=SCHEMA, **options)


@pytest.mark.parametrize("blank", ["", "  ", "\n", None])
def test_not_configured_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, blank: str | None
) -> None:
    if blank is not None:
        monkeypatch.setenv("OCR_MOE_VISION_BASE_URL", blank)
    with pytest.raises(EndpointMissingError, match="OCR_MOE_VISION_BASE_URL"):
        build("vision", ChatParams(base_url=blank))


NO_ADDRESSES = {
    "localhost:8000/v1": "does not begin with http",
    "127.0.0.1:8000": "does not begin with http",
    "//127.0.0.1:8000/v1": "does not begin with http",
    "ftp://127.0.0.1/v1": "does not begin with http",
    "http:127.0.0.1:8000/v1": "does not begin with http",
    "http：//127.0.0.1:8000/v1": "does not begin with http",
    "admin:pass-word@localhost:8000/v1": "does not begin with http",
    "pass-word": "does not begin with http",
    "http://": "names no host",
    "https:///v1": "names no host",
    "http://:8000/v1": "names no host",
    "http://admin:pass-word@/v1": "names no host",
    "http://local host:8000/v1": "blank",
    "http://localhost:8000/v1 http://localhost:8001/v1": "blank",
    "http://localhost:eight/v1": "host or port",
    "http://localhost:80000/v1": "host or port",
    "http://localhost:8000:8000/v1": "host or port",
    "http://[::1:8000/v1": "host or port",
    "http://..:8000/v1": "host or port",
    "http://localhost:0/v1": "port is 0",
    "http://admin:12#pass-word@localhost/v1": "%23",
    "http://admin:12/pass-word@localhost/v1": "%2F",
}


@pytest.mark.parametrize("where", ["environment", "configuration"])
@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_an_address_that_is_none_is_an_error_of_configuration(
    monkeypatch: pytest.MonkeyPatch, text: str, where: str
) -> None:
    if where == "environment":
        monkeypatch.setenv("OCR_MOE_VISION_BASE_URL", text)
        params, named = ChatParams(), "OCR_MOE_VISION_BASE_URL"
    else:
        # What the environment says counts only where the configuration says nothing.
        monkeypatch.setenv("OCR_MOE_VISION_BASE_URL", "http://127.0.0.1:1/v1")
        params, named = ChatParams(base_url=text), "chat.vision.base_url"
    with pytest.raises(ConfigError) as caught:
        build("vision", params)
    said = str(caught.value)
    assert said.startswith(named)
    assert NO_ADDRESSES[text] in said
    assert "http://127.0.0.1:8000/v1" in said
    assert "pass-word" not in said
    assert "admin" not in said


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        (" HTTPS://LLM.example.com/v1?api-version=1 ", "llm.example.com"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("http://llm_server:8000", "llm_server:8000"),
        ("http://admin:pa%2Fss-word@gpu7/v1", "gpu7"),
        ("http://模型.example/v1", "模型.example"),
    ],
)
def test_a_host_is_shown_without_credentials(text: str, host: str) -> None:
    address = Address.parse(text)
    assert address.host == host
    assert "ss-word" not in repr(address)


def test_everything_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(lambda _: ZHANG, key="sk-secret") as server:
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", server.base_url)
        monkeypatch.setenv("OCR_MOE_TEXT_MODEL", "chosen")
        monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", "sk-secret")
        chat = build("text", ChatParams())
        assert ask(chat).content == ZHANG
        assert server.requests[0].body["model"] == "chosen"


def test_a_foreign_key_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-somebody-else")
    with ChatServer(lambda _: ZHANG) as server:
        ask(endpoint(server))
        assert "somebody" not in server.requests[0].headers["authorization"]


def test_model_auto_takes_the_first_listed() -> None:
    with ChatServer(lambda _: ZHANG, models=("alpha", "beta")) as server:
        reply = ask(endpoint(server))
        assert reply.model == "alpha"
        assert server.requests[0].body["model"] == "alpha"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (ALL_FORMS, Structured.JSON_SCHEMA),
        (ALL_FORMS - {"json_schema"}, Structured.JSON_OBJECT_SCHEMA),
        (frozenset({"json_object"}), Structured.JSON_OBJECT),
        (frozenset(), Structured.NONE),
    ],
)
@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize("words", ["unsupported response_format {form}", "bad request"])
def test_the_best_form_is_found_once(
    known: frozenset[str], found: Structured, status: int, words: str
) -> None:
    with ChatServer(
        lambda _: ZHANG, structured=known, refusal_status=status, refusal_words=words
    ) as server:
        chat = endpoint(server)
        reply = ask(chat)
        assert reply.content == ZHANG
        assert chat.capabilities is not None
        assert chat.capabilities.structured is found
        assert reply.constrained is (
            found in (Structured.JSON_SCHEMA, Structured.JSON_OBJECT_SCHEMA)
        )
        before = len(server.requests)
        ask(chat)
        assert len(server.requests) == before + 1
        assert server.requests[-1].form == found


def test_a_passing_500_does_not_lower_the_form() -> None:
    with ChatServer(lambda _: ZHANG, script=[failure(500, "busy")]) as server:
        chat = endpoint(server)
        assert ask(chat).constrained
        assert chat.capabilities is not None
        assert chat.capabilities.structured is Structured.JSON_SCHEMA


@pytest.mark.parametrize("refused", [True, False])
def test_a_server_without_logprobs(refused: bool) -> None:
    with ChatServer(lambda _: ZHANG, logprobs_refused=refused) as server:
        chat = endpoint(server)
        assert ask(chat).logprobs == ()
        ask(chat)
        assert "logprobs" not in server.requests[-1].body
        assert server.requests[-1].form == "json_schema"


def test_logprobs_are_handed_on() -> None:
    with ChatServer(lambda _: ZHANG, logprobs=True) as server:
        reply = ask(endpoint(server))
        assert "".join(token for token, _ in reply.logprobs) == ZHANG
        assert {logprob for _, logprob in reply.logprobs} == {-0.25}


def test_parameters_that_a_model_does_not_take_are_left_out() -> None:
    def answer(request: Any) -> Any:
        if "temperature" in request.body:
            return failure(400, "Unsupported value: 'temperature' does not support 0.0")
        if "max_tokens" in request.body:
            return failure(400, "Use 'max_completion_tokens' instead of 'max_tokens'.")
        return ZHANG

    with ChatServer(answer) as server:
        chat = endpoint(server)
        assert ask(chat).constrained
        assert "seed" not in server.requests[-1].body
        assert server.requests[-1].body["max_completion_tokens"] == 1024


def test_temperature_is_left_out_even_where_nothing_else_can_be() -> None:
    def answer(request: Any) -> Any:
        return failure(400, "unsupported: temperature") if "temperature" in request.body else ZHANG

    with ChatServer(answer) as server:
        chat = endpoint(server, structured="none", logprobs=False)
        assert ask(chat).content == ZHANG
        ask(chat)
        assert len(server.requests) == 3


COMPLAINTS = {
    "Unsupported parameter: 'max_tokens' is not supported with this model.": "newer name",
    "Unsupported value: 'temperature' does not support 0.0 with this model.": "own way",
    "Unknown parameter: 'seed'.": "own way",
    "logits_all must be True to get logprobs": "log-probabilities",
    "This response_format type is unavailable now": "bind its answer",
    "guided decoding is not available": "bind its answer",
    "This model's maximum context length is 4096 tokens.": "too long",
    "At most 1 image(s) may be provided in one request.": "images",
    "Unrecognized request argument supplied: stream_options": "tokens of a stream",
    "The value of the enable_thinking parameter is restricted to True.": "in any case",
    "parameter.enable_thinking must be set to false for non-streaming calls": "only where",
    "This model only support stream mode, please enable the stream parameter to access the model.": (
        "only streams"
    ),
    "Stream must be set to true": "only streams",
    "image size exceeds the limit of 5 MB": "smaller one",
    "413 Request Entity Too Large": "smaller one",
}
"""Real complaints, and what they mean."""


@pytest.mark.parametrize("said", COMPLAINTS)
def test_complaints_are_recognised(said: str) -> None:
    quirk = recognise(said.lower())
    assert quirk is not None
    assert COMPLAINTS[said] in quirk.meaning


def test_every_quirk_is_known_by_a_real_complaint() -> None:
    known = [recognise(said.lower()) for said in COMPLAINTS]
    assert [quirk.meaning for quirk in QUIRKS if quirk not in known] == []


@pytest.mark.parametrize("quirk", QUIRKS, ids=lambda quirk: quirk.words[0])
def test_what_a_server_complains_of_is_left_out_and_nothing_else(quirk: Quirk) -> None:
    """Whatever stands in the table: a new quirk needs no other code."""
    unwanted = {*quirk.without, *quirk.renamed}

    def answer(request: Any) -> Any:
        wanting = not quirk.added.items() <= request.body.items()
        if quirk.of_document or unwanted & set(request.body) or wanting:
            return failure(400, f"Unsupported: {quirk.words[0]}")
        reply = streamed if request.body.get("stream") else completion
        return reply(ZHANG, logprobs=True)

    with ChatServer(answer, logprobs=True) as server:
        chat = endpoint(server)
        if quirk.of_document:
            with pytest.raises(ChatRequestError):
                ask(chat)
            assert len(server.requests) == 1
            return
        assert ask(chat).content == ZHANG
        best, plain = (set(server.requests[at].body) for at in (0, -1))
        assert best - plain == unwanted & best
        assert plain - best == {*quirk.renamed.values(), *quirk.added}
        ask(chat)
        assert set(server.requests[-1].body) == plain


def test_one_search_for_many_threads() -> None:
    with ChatServer(lambda _: ZHANG, structured=frozenset()) as server:
        chat = endpoint(server)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: ask(chat), range(8)))
        assert [reply.content for reply in replies] == [ZHANG] * 8
        assert sum(request.form != "none" for request in server.requests) <= 6


def test_no_more_requests_at_a_time_than_allowed() -> None:
    with ChatServer(lambda _: completion(ZHANG, delay=0.05)) as server:
        chat = endpoint(server, concurrency=2)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: ask(chat), range(8)))
        assert server.at_once == 2


def test_how_many_at_a_time_is_learnt_unless_it_is_told() -> None:
    with ChatServer(lambda _: completion(ZHANG, delay=0.02)) as server:
        assert endpoint(server).concurrency == 64
        assert endpoint(server, concurrency=3).concurrency == 3
        chat = endpoint(server)
        with ThreadPoolExecutor(16) as pool:
            first = ask(chat)
            assert server.at_once == 1
            replies = list(pool.map(lambda _: ask(chat), range(64)))
        assert [reply.content for reply in (first, *replies)] == [ZHANG] * 65
        assert 1 < server.at_once <= 16
    with pytest.raises(ValueError, match="concurrency"):
        ChatParams.model_validate({"concurrency": 0})


def test_usage_and_money() -> None:
    with ChatServer(lambda _: ZHANG, usage=(1_000_000, 500_000)) as server:
        cost = ask(endpoint(server, prompt_price=2.0, completion_price=6.0)).cost
        assert (cost.calls, cost.prompt_tokens, cost.completion_tokens) == (1, 1_000_000, 500_000)
        assert cost.money == pytest.approx(5.0)
        assert cost.seconds > 0
    with ChatServer(lambda _: ZHANG, usage=None) as server:
        cost = ask(endpoint(server)).cost
        assert (cost.prompt_tokens, cost.completion_tokens) == (
            4,
            6,
        )  # "s" and "- 姓名"; the answer
        assert cost.estimated_calls == 1


@pytest.mark.parametrize(
    "told",
    [
        {"prompt_tokens_details": {"cached_tokens": 600_000}},  # OpenAI, vLLM
        {"prompt_cache_hit_tokens": 600_000},  # DeepSeek
        {"cached_tokens": 600_000, "prompt_tokens_details": None},  # Moonshot
    ],
)
def test_cached_tokens_have_a_price_of_their_own(told: Mapping[str, Any]) -> None:
    body = json.loads(completion(ZHANG, usage=(1_000_000, 500_000)).body)
    body["usage"] |= told
    with ChatServer(lambda _: Reply(json.dumps(body))) as server:
        for cached_price, money in ((None, 2.0 + 3.0), (0.5, 0.8 + 0.3 + 3.0)):
            prices = {"prompt_price": 2.0, "completion_price": 6.0}
            chat = endpoint(server, cached_prompt_price=cached_price, **prices)
            cost = ask(chat).cost
            assert (cost.prompt_tokens, cost.cached_tokens) == (1_000_000, 600_000)
            assert cost.money == pytest.approx(money)


@pytest.mark.parametrize("cached", [-1, "many", 10**9, None, [], 1e400])
def test_more_tokens_than_the_prompt_has_are_not_cached(cached: Any) -> None:
    body = json.loads(completion(ZHANG, usage=(100, 10)).body)
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": cached}
    with ChatServer(lambda _: Reply(json.dumps(body))) as server:
        cost = ask(endpoint(server)).cost
        assert cost.prompt_tokens == 100
        assert cost.cached_tokens in (0, 100)


def test_an_answer_that_was_cut_off_says_so() -> None:
    with ChatServer(lambda _: completion('{"姓名": "张', finish="length")) as server:
        reply = ask(endpoint(server))
        assert reply.truncated
        assert reply.content == '{"姓名": "张'


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (failure(401, "no key"), ChatAuthError, "OCR_MOE_TEXT_API_KEY"),
        (failure(403, "not yours"), ChatAuthError, "not yours"),
        (failure(404, "no such model"), ChatRequestError, "no such model"),
        (failure(429, "slow down"), ChatRateLimitError, "429"),
        (failure(500, "out of memory"), ChatServerError, "out of memory"),
        (
            web_page(502, "<html><body><h1>Bad gateway</h1></body></html>"),
            ChatServerError,
            "Bad gateway",
        ),
        (web_page(), ChatAnswerError, "usually ends in /v1"),
        (
            Reply("{half", content_type="application/json"),
            ChatAnswerError,
            "other than a chat completion",
        ),
        (Reply('{"unexpected": 1}'), ChatAnswerError, "other than a chat completion"),
        (completion(""), ChatAnswerError, "empty answer"),
        (completion(None), ChatAnswerError, "empty answer"),
        (completion(None, refusal="I can't help with that."), ChatAnswerError, "refused"),
        (completion("", finish="content_filter"), ChatAnswerError, "content filter"),
        (completion("", finish="length"), ChatAnswerError, "reasoning"),
        (failure(400, "maximum context length is 4096 tokens"), ChatRequestError, "context"),
    ],
)
def test_bad_answers_become_clear_errors(reply: Reply, error: type[ChatError], words: str) -> None:
    with ChatServer(lambda _: reply) as server:
        chat = endpoint(server)
        for _ in range(2):
            with pytest.raises(error, match=words) as caught:
                ask(chat)
            sentence = str(caught.value)
            assert "127.0.0.1" in sentence
            assert "<" not in sentence


def test_an_error_about_the_document_is_not_searched_away() -> None:
    with ChatServer(lambda _: failure(400, "maximum context length is 4096 tokens")) as server:
        with pytest.raises(ChatRequestError):
            ask(endpoint(server))
        assert len(server.requests) == 1


class Noting:
    """Permits for everybody; notes how requests end."""

    def __init__(self) -> None:
        self.ends: list[Outcome] = []

    def acquire(self, endpoint: str, limiter: Limiter) -> None:
        return

    def release(self, endpoint: str, outcome: Outcome) -> None:
        self.ends.append(outcome)


@pytest.fixture
def noting() -> Iterator[Noting]:
    permits = Noting()
    lend(permits)
    yield permits
    lend(None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "50"}, 50.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_refusal_is_told_to_whoever_lets_requests_through(
    noting: Noting, headers: Mapping[str, str], seconds: float | None
) -> None:
    said = json.dumps({"error": {"message": "later"}})
    with ChatServer(lambda _: ZHANG) as server:
        chat = endpoint(server, retries=2)
        ask(chat)
        server._script.append(Reply(said, status=429, headers=headers))
        before = len(server.requests)
        assert ask(chat).content == ZHANG
        assert len(server.requests) == before + 2
    assert [end.overloaded for end in noting.ends[1:]] == [True, False]
    assert noting.ends[1].retry_after == seconds
    assert all(end.answered for end in noting.ends)


def test_a_date_after_which_to_ask_again() -> None:
    headers = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after_of(headers, now=lambda: 1445412450.0) == 30.0


def test_a_server_that_is_away_for_a_while_is_left_alone_by_all(noting: Noting) -> None:
    away = Reply("{}", status=503, headers={"Retry-After": "0.01"})
    with ChatServer(lambda _: ZHANG, script=[away]) as server:
        assert ask(endpoint(server, retries=1)).content == ZHANG
    assert (noting.ends[0].overloaded, noting.ends[0].retry_after) == (True, 0.01)


def test_a_request_is_not_given_up_while_others_are_answered() -> None:
    """64 at a time where 4 are allowed: refused ones are asked again until they are let in."""
    lock, under_way = threading.Lock(), 0

    def say(request: Request) -> Any:
        nonlocal under_way
        with lock:
            under_way += 1
            busy = under_way > 4
        try:
            if busy:
                return failure(429, "too many")
            time.sleep(0.05)
            return ZHANG
        finally:
            with lock:
                under_way -= 1

    with ChatServer(say) as server:
        chat = endpoint(server, concurrency=16, retries=1)
        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: ask(chat), range(48)))
        assert [reply.content for reply in replies] == [ZHANG] * 48


def test_a_request_that_is_refused_again_and_again_fails() -> None:
    with ChatServer(lambda _: failure(429, "no quota")) as server:
        with pytest.raises(ChatRateLimitError, match="no quota"):
            ask(endpoint(server, retries=1, structured="json_schema", logprobs=False))
        assert len(server.requests) == 2


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    chat = build("text", ChatParams(base_url=f"http://127.0.0.1:{port}/v1", retries=0))
    with pytest.raises(ChatConnectionError, match="OCR_MOE_TEXT_BASE_URL"):
        ask(chat)
    report = chat.probe()
    assert not report.answers
    assert report.problem is not None
    assert "cannot be reached" in report.problem


def test_slow_answers_time_out() -> None:
    with (
        ChatServer(lambda _: completion(ZHANG, delay=1.0)) as server,
        pytest.raises(ChatConnectionError, match=r"within 0\.2 s"),
    ):
        ask(endpoint(server, timeout=0.2))


def test_secrets_stay_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", "sk-wrong-secret")
    with ChatServer(key="sk-right") as server:
        url = server.base_url.replace("http://", "http://user:pass-word@")
        chat = build("text", ChatParams(base_url=url, retries=0))
        with pytest.raises(ChatAuthError) as caught:
            ask(chat)
        pair = b64encode(b"user:pass-word").decode()
        assert server.requests[0].headers["authorization"] in (
            f"Basic {pair}",
            "Bearer sk-wrong-secret",
        )
        for text in (str(caught.value), repr(chat), chat.fingerprint, str(chat.probe())):
            assert "secret" not in text
            assert "pass-word" not in text
            assert pair not in text


def test_a_key_is_taken_out_before_a_server_s_words_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", "sk-very-secret")
    said = "x" * 190 + " sk-very-secret"
    for reply in (failure(400, said), Reply(json.dumps({"error": said}))):
        with ChatServer(script=[reply] * 2) as server, pytest.raises(ChatError) as caught:
            ask(endpoint(server))
        assert "sk-" not in str(caught.value)
        assert "x" * 190 in str(caught.value)


def test_the_fingerprint_holds_what_decides_the_answer() -> None:
    def of(**params: Any) -> str:
        return build(
            "text", ChatParams(**{"base_url": "http://127.0.0.1:1/v1", "model": "m"} | params)
        ).fingerprint

    assert of() == of(timeout=5, retries=9, concurrency=1, prompt_price=3)
    assert len({of(), of(model="n"), of(temperature=0.5), of(seed=1), of(extra_body={"a": 1})}) == 5
    assert of() == of(base_url="http://127.0.0.1:2/v1")


def test_the_probe_tells_taking_from_obeying() -> None:
    def stubborn(request: Any) -> Any:
        return "hello"

    with ChatServer(stubborn, logprobs=True, sees=False) as server:
        report = endpoint(server).probe()
        assert report.answers
        assert report.local
        assert report.model == "test-model"
        assert report.structured is Structured.JSON_SCHEMA
        assert report.logprobs is True
        assert report.images is False
    with ChatServer(lambda _: "hello", structured=frozenset()) as server:
        assert endpoint(server).probe().structured is Structured.NONE


def test_the_probe_finds_a_server_that_ignores_the_schema() -> None:
    with ChatServer(lambda _: completion('{"greeting": "hello"}')) as server:
        server._reply = lambda request: completion('{"greeting": "hello"}')  # type: ignore[method-assign]
        assert endpoint(server).probe().structured is Structured.JSON_OBJECT


def test_the_probe_sees_whether_images_are_seen() -> None:
    def looks(request: Any) -> str:
        if not request.images:
            return "hello"
        return "Red." if request.images[0].getpixel((5, 5)) == (255, 0, 0) else "Blue."

    with ChatServer(looks) as server:
        assert endpoint(server).probe().images is True


def test_the_probe_does_without_parameters_that_a_model_does_not_take() -> None:
    def answer(request: Any) -> Any:
        if "temperature" in request.body:
            return failure(400, "Unsupported value: 'temperature' does not support 0.0")
        return "hello"

    with ChatServer(answer) as server:
        report = endpoint(server).probe()
        assert report.answers
        assert report.problem is None


def test_images_arrive_whole() -> None:
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (40, 30), (0, 0, 255)).save(buffer, "PNG")
    with ChatServer(lambda _: ZHANG) as server:
        ask(endpoint(server), images=(ChatImage(buffer.getvalue(), "image/png"),))
        assert server.requests[0].images[0].size == (40, 30)


def test_what_is_local() -> None:
    assert is_local_host("127.0.0.1")
    assert is_local_host("localhost")
    assert is_local_host("::1")
    assert not is_local_host("192.0.2.1")
    assert not is_local_host("no-such-host.invalid")


def test_a_local_endpoint_is_not_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with ChatServer(lambda _: ZHANG) as server:
        assert ask(endpoint(server, timeout=5)).content == ZHANG


def test_a_local_endpoint_may_not_send_documents_elsewhere() -> None:
    with ChatServer(lambda _: ZHANG) as elsewhere:
        moved = {"location": f"{elsewhere.base_url}/chat/completions"}
        with ChatServer(lambda _: Reply("", 307, headers=moved)) as server:
            with pytest.raises(ChatError):
                ask(endpoint(server, timeout=5))
            assert server.requests
        assert not elsewhere.requests


def test_threads_are_gone_after_the_server() -> None:
    before = threading.active_count()
    with ChatServer(lambda _: ZHANG) as server:
        chat = endpoint(server)
        ask(chat)
        chat.close()
    assert threading.active_count() <= before + 1


def test_a_refused_image_is_not_searched_away_and_a_bare_refusal_is() -> None:
    """The endpoint's own name, `vision`, must not pass for the server's words."""
    with ChatServer(
        lambda _: ZHANG, structured=frozenset({"json_object"}), refusal_words="bad request"
    ) as server:
        chat = build("vision", ChatParams(base_url=server.base_url, retries=0))
        assert ask(chat).content == ZHANG
        assert chat.capabilities is not None
        assert chat.capabilities.structured is Structured.JSON_OBJECT


def test_a_busy_server_keeps_its_form() -> None:
    busy = [failure(429, "later", retry_after="0.1") for _ in range(3)]
    with ChatServer(lambda _: ZHANG, script=busy) as server:
        chat = endpoint(server, retries=3)
        assert ask(chat).constrained
        assert chat.capabilities is not None
        assert chat.capabilities.structured is Structured.JSON_SCHEMA


def test_an_error_inside_a_200_is_told() -> None:
    reply = Reply('{"error": {"message": "no provider has capacity"}}')
    with (
        ChatServer(lambda _: reply) as server,
        pytest.raises(ChatAnswerError, match="no provider has capacity"),
    ):
        ask(endpoint(server))


def test_the_probe_does_without_a_list_of_models() -> None:
    with ChatServer(lambda _: "hello", models_reply=web_page(404)) as server:
        assert not endpoint(server).probe().answers
        report = endpoint(server, model="chosen").probe()
        assert report.answers
        assert report.model == "chosen"

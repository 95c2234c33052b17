"""What stands before the desk and the service: who comes in, and what never does."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from ocr_moe.errors import ConfigError, UsageError
from ocr_moe.settings import ReviewOptions, ServiceOptions
from ocr_moe.web.access import TOKEN as VARIABLE
from ocr_moe.web.access import Access, Host
from ocr_moe.web.checks import caller_of, reviewer_name
from ocr_moe.web.guard import guarded
from ocr_moe.web.headers import HEADERS, POLICY
from ocr_moe.web.pages import Pages
from ocr_moe.web.sessions import (
    LOGIN_ATTEMPTS,
    MAX_ADDRESSES,
    MAX_SESSIONS,
    SESSION_HOURS,
    Attempts,
    Sessions,
)
from ocr_moe.workshop.config import Config, load_config
from tests.browsing import Visit, violations
from tests.conftest import Command
from tests.httpservers import Got, ask, serving

TOKEN = "a-token-of-the-tests-0123456789"
BEARER = ("Authorization", f"Bearer {TOKEN}")
HTML = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


async def seen(request: Request) -> Response:
    """What the application behind the guard is told."""
    return JSONResponse(
        {
            "reviewer": caller_of(request).reviewer,
            "address": caller_of(request).address,
            "session": caller_of(request).logout is not None,
            "scheme": request.url.scheme,
            "host": request.headers["host"],
            "headers": sorted(request.headers.keys()),
            "body": (await request.body()).decode("utf-8"),
        }
    )


async def spoken(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("said")


def application() -> Starlette:
    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(
        routes=[
            Route("/healthz", lambda request: PlainTextResponse("ok")),
            WebSocketRoute("/socket", spoken),
            Route("/{path:path}", seen, methods=methods),
        ]
    )
    Pages("web").mount(app)
    app.router.routes.insert(0, app.router.routes.pop())
    return app


def configured(
    hosts: tuple[str, ...] = (), proxies: tuple[str, ...] = (), header: str | None = None
) -> Config:
    return load_config().model_copy(
        update={
            "service": ServiceOptions(hosts=hosts, trusted_proxies=proxies),
            "review": ReviewOptions(reviewer_header=header),
        }
    )


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


Start = Callable[..., int]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def start(clock: Clock) -> Iterator[Start]:
    """Serve the application behind a guard; the port. Servers are shared, but for `fresh` ones."""
    running: dict[object, int] = {}
    with ExitStack() as stack:

        def starting(
            config: Config | None = None,
            token: str | None = None,
            app: ASGIApp | None = None,
            fresh: bool = False,
        ) -> int:
            config = config or configured()
            key = (config.service, config.review, token, app)
            if fresh or key not in running:
                environment = {} if token is None else {VARIABLE: token}
                access = Access.of(config, "127.0.0.1", 8000, environment)
                behind = guarded(app or application(), access, clock=clock)
                running[key] = stack.enter_context(serving(behind))
            return running[key]

        yield starting


# --- what a server may be called


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:9999", 200),
        ("localhost", 200),
        ("LocalHost.:80", 200),
        ("[::1]:8000", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("desk.example.org", 200),
        ("DESK.example.ORG.:443", 200),
        ("审核.example".encode("idna").decode(), 200),
        ("pinned.example:8443", 200),
        ("pinned.example", 421),
        ("pinned.example:443", 421),
        ("evil.example", 421),
        ("evil.example:8000", 421),
        ("localhost.evil.example", 421),
        ("desk.example.org.evil.example", 421),
        ("0.0.0.0:8000", 421),
        ("[::]", 421),
        ("192.168.1.7", 421),
        ("0x7f.1", 421),
        ("2130706433", 421),
        ("127.1", 421),
        ("", 400),
        ("localhost:", 400),
        ("localhost:0", 400),
        ("localhost:99999", 400),
        ("localhost:80:80", 400),
        ("me@localhost", 400),
        ("localhost/x", 400),
        ("localhost, evil.example", 400),
        ("local host", 400),
        ("[::1", 400),
        ("[::1%25lo]", 400),
        ("[::1]x", 400),
        ("审核.example", 400),
        ("a" * 300, 400),
    ],
)
def test_the_host_must_be_one_of_ours(start: Start, host: str, status: int) -> None:
    config = configured(hosts=("desk.example.org", "审核.example", "pinned.example:8443"))
    port = start(config)
    header = host.encode("utf-8").decode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        request = f"GET /x HTTP/1.1\r\nHost: {header}\r\nConnection: close\r\n\r\n"
        raw.sendall(request.encode("latin-1"))
        first = raw.makefile("rb").readline()
    assert first.split()[1] == str(status).encode()


@pytest.mark.parametrize("hosts", [(), ("localhost", "evil.example"), ("localhost", "localhost")])
def test_a_request_names_one_host(start: Start, hosts: tuple[str, ...]) -> None:
    lines = "".join(f"Host: {host}\r\n" for host in hosts)
    with socket.create_connection(("127.0.0.1", start()), timeout=30) as raw:
        raw.sendall(f"GET /x HTTP/1.0\r\n{lines}\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] == b"400"


@pytest.mark.parametrize(
    ("bound", "host", "served"),
    [
        ("0.0.0.0", "192.168.1.7:80", True),
        ("0.0.0.0", "[2001:db8::1]", True),
        ("0.0.0.0", "localhost", True),
        ("0.0.0.0", "0.0.0.0", False),
        ("::", "[::]", False),
        ("::", "box.local", False),
        ("192.168.1.7", "192.168.1.7:8000", True),
        ("192.168.1.7", "localhost", False),
        ("192.168.1.7", "192.168.1.8", False),
        ("box.local", "Box.Local:8000", True),
        ("box.local", "localhost", False),
        ("localhost", "127.0.0.1", True),
        ("::1", "[::1]:8000", True),
    ],
)
def test_what_is_bound_says_how_it_is_called(bound: str, host: str, served: bool) -> None:
    assert Access(bound, 8000, token=TOKEN).serves(Host.parse(host)) is served


def test_a_refused_host_is_told_in_the_language_of_the_reader(start: Start) -> None:
    port = start()
    got = ask(port, "GET", "/x", [("Accept-Language", "zh-CN")], host="evil.example")
    assert got["content-type"] == "application/problem+json"
    problem = json.loads(got.body)
    assert problem["status"] == 421
    assert problem["title"] == "Misdirected Request"
    assert problem["type"] == "urn:ocr-moe:problem:host"
    assert got["content-language"] == "zh"
    assert "evil.example" in problem["detail"]
    assert "service.hosts" in problem["detail"]
    assert "本服务器" in problem["detail"]
    page = ask(port, "GET", "/x", [HTML], host="evil.example")
    assert page.status == 421
    assert page["content-type"].startswith("text/html")
    assert "evil.example" in page.text


# --- who changes something


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 200),
        ([("Sec-Fetch-Site", "same-origin")], 200),
        ([("Sec-Fetch-Site", "none")], 200),
        ([("Sec-Fetch-Site", "cross-site")], 403),
        ([("Sec-Fetch-Site", "same-site")], 403),
        ([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")], 403),
        ([("Origin", "http://desk.example")], 200),
        ([("Origin", "http://desk.example:80")], 200),
        ([("Origin", "https://desk.example")], 403),
        ([("Origin", "http://desk.example:8001")], 403),
        ([("Origin", "http://evil.example")], 403),
        ([("Origin", "http://desk.example.evil.example")], 403),
        ([("Origin", "http://desk.example@evil.example")], 403),
        ([("Origin", "null")], 403),
        ([("Origin", "")], 403),
        ([("Origin", "file://")], 403),
        ([("Origin", "http://desk.example"), ("Origin", "http://evil.example")], 403),
        ([("Referer", "http://desk.example/a?b")], 200),
        ([("Referer", "http://evil.example/?desk.example")], 403),
        ([("Cookie", "ocr_moe_session_8000=x")], 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_what_changes_something_comes_from_a_page_of_ours_or_from_no_page(
    start: Start, method: str, headers: list[tuple[str, str]], status: int
) -> None:
    got = ask(start(configured(("desk.example",))), method, "/x", headers, host="desk.example:80")
    allowed = 405 if method in ("PATCH", "BREW") else 200
    assert got.status == (allowed if status == 200 else status)


def test_behind_a_proxy_that_ends_tls_the_origin_has_the_port_of_https(start: Start) -> None:
    port = start(configured(("desk.example",)))
    for host in ("desk.example", "desk.example:443"):
        assert (
            ask(port, "POST", "/x", [("Origin", "https://desk.example")], host=host).status == 200
        )


def test_reading_is_no_change(start: Start) -> None:
    port = start()
    assert ask(port, "GET", "/x", [("Origin", "http://evil.example")]).status == 200


def test_a_forged_request_with_the_token_is_refused_as_well(start: Start) -> None:
    port = start(token=TOKEN)
    assert ask(port, "POST", "/x", [BEARER, ("Origin", "http://evil.example")]).status == 403


@pytest.mark.parametrize("headers", [[], [BEARER], [("Origin", "http://evil.example")]])
def test_no_websocket_is_opened(start: Start, headers: list[tuple[str, str]]) -> None:
    upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    assert ask(start(token=TOKEN), "GET", "/socket", [*upgrade, *headers]).status != 101


# --- the token


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([BEARER], 200),
        ([("Authorization", f"bearer  {TOKEN} ")], 200),
        ([], 401),
        ([("Authorization", TOKEN)], 401),
        ([("Authorization", f"Basic {TOKEN}")], 401),
        ([("Authorization", "Bearer")], 401),
        ([("Authorization", f"Bearer {TOKEN[:-1]}")], 401),
        ([("Authorization", f"Bearer {TOKEN}x")], 401),
        ([("Authorization", "Bearer 令牌".encode())], 401),
        ([BEARER, BEARER], 401),
        ([("Cookie", f"ocr_moe_session_8000={TOKEN}")], 401),
    ],
)
@pytest.mark.parametrize("path", ["/v1/extract", "/readyz", "/metrics", "/openapi.json", "/"])
def test_the_token_opens(
    start: Start, path: str, headers: list[tuple[str, str | bytes]], status: int
) -> None:
    got = ask(start(token=TOKEN), "GET", path, headers)
    assert got.status == status
    if status == 401:
        assert got["www-authenticate"] == 'Bearer realm="ocr_moe"'
        assert VARIABLE in json.loads(got.body)["detail"]
        assert TOKEN not in got.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/static/web/style.css", 200),
        ("/healthz/", 401),
        ("/healthz/../v1/jobs", 401),
        ("//healthz", 401),
        ("/Healthz", 401),
        ("/static", 401),
        ("/static/web/../../words.yaml", 404),
        ("/static/web/%2e%2e/words.yaml", 404),
        ("/static/web/..%2f..%2fguard.py", 404),
    ],
)
def test_what_is_open_without_it(start: Start, path: str, status: int) -> None:
    assert ask(start(token=TOKEN), "GET", path).status == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "box.local", ""])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    with pytest.raises(UsageError, match=r"set OCR_MOE_TOKEN to a secret"):
        Access.of(configured(), host, 8000, {})
    with pytest.raises(UsageError):
        Access.of(configured(), host, 8000, {VARIABLE: ""})
    assert Access.of(configured(), host, 8000, {VARIABLE: TOKEN}).token == TOKEN


def test_a_service_without_one_is_not_started(ocr_moe: Command, tmp_path: Path) -> None:
    done = ocr_moe("serve", "--host", "0.0.0.0", "--port", "0", "--data", tmp_path / "data")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(
        "Error: 0.0.0.0 can be reached from other machines: set OCR_MOE_TOKEN"
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_on_this_machine_none_is_needed(host: str) -> None:
    assert Access.of(configured(), host, 8000, {}).token is None


@pytest.mark.parametrize(
    "token", ["short", "令牌" * 20, "with a blank in it 0123", "x" * 20 + "\n"]
)
def test_a_token_that_is_none_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError) as told:
        Access.of(configured(), "127.0.0.1", 8000, {VARIABLE: token})
    assert token not in str(told.value)


def test_the_token_is_not_in_what_is_printed_of_it() -> None:
    assert TOKEN not in repr(Access("127.0.0.1", 8000, token=TOKEN))


# --- people


def login(port: int, token: str = TOKEN, after: str = "/", *headers: tuple[str, str]) -> Got:
    body = urlencode({"token": token, "next": after}).encode()
    return ask(port, "POST", "/login", [FORM, *headers], body)


def test_a_browser_is_led_to_the_login_page_and_back(start: Start) -> None:
    port = start(token=TOKEN)
    got = ask(port, "GET", "/desk/%E9%A1%B5?n=1&m=%2F", [HTML])
    assert got.status == 303
    assert got["location"] == "/login?next=/desk/%25E9%25A1%25B5%3Fn%3D1%26m%3D%252F"
    page = ask(port, "GET", got["location"], [HTML, ("Accept-Language", "zh")])
    assert page.status == 200
    assert "令牌" in page.text
    [after] = re.findall(r'name="next" value="([^"]*)"', page.text)
    done = login(port, TOKEN, after.replace("&amp;", "&"))
    assert done.status == 303
    assert done["location"] == "/desk/%E9%A1%B5?n=1&m=%2F"


def test_a_session_opens_until_it_is_logged_out_of(start: Start) -> None:
    port = start(token=TOKEN)
    cookie = login(port)["set-cookie"]
    pair, *flags = cookie.split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(flags)
    assert "Secure" not in flags
    assert TOKEN not in cookie
    session = ("Cookie", pair)
    own = ("Origin", f"http://127.0.0.1:{port}")
    assert json.loads(ask(port, "GET", "/x", [session]).body)["session"] is True
    assert ask(port, "POST", "/x", [session, own]).status == 200
    assert ask(port, "POST", "/x", [session]).status == 403
    assert ask(port, "GET", "/logout", [session]).status == 405
    assert ask(port, "POST", "/logout", [session, ("Origin", "http://evil.example")]).status == 403
    assert ask(port, "GET", "/x", [session]).status == 200
    gone = ask(port, "POST", "/logout", [session, own])
    assert (gone.status, gone["location"]) == (303, "/login")
    assert "Max-Age=0" in gone["set-cookie"]
    assert ask(port, "GET", "/x", [session]).status == 401


def test_pages_offer_to_log_out_of_a_session(start: Start) -> None:
    pages = Pages("web")

    async def front(request: Request) -> Response:
        return pages.page(request, "refused.html", why="guard_form", values={})

    port = start(app=Starlette(routes=[Route("/", front)]), token=TOKEN, fresh=True)
    session = ("Cookie", login(port)["set-cookie"].split(";")[0])
    assert 'action="/logout"' in ask(port, "GET", "/", [session]).text
    assert "/logout" not in ask(port, "GET", "/", [BEARER]).text


def test_every_login_is_a_session_of_its_own(start: Start) -> None:
    port = start(token=TOKEN)
    assert len({login(port)["set-cookie"] for _ in range(3)}) == 3


def test_a_session_ends_by_itself(start: Start, clock: Clock) -> None:
    port = start(token=TOKEN)
    session = ("Cookie", login(port)["set-cookie"].split(";")[0])
    clock.now += SESSION_HOURS * 3600 - 1
    assert ask(port, "GET", "/x", [session]).status == 200
    clock.now += 1
    assert ask(port, "GET", "/x", [session]).status == 401


def test_sessions_are_bounded(clock: Clock) -> None:
    sessions = Sessions(clock)
    first, *others = [sessions.open() for _ in range(MAX_SESSIONS + 1)]
    assert not sessions.is_open(first)
    assert all(map(sessions.is_open, others))


def test_wrong_tokens_are_slowed_down(
    start: Start, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    port = start(token=TOKEN, fresh=True)
    for _ in range(LOGIN_ATTEMPTS):
        got = login(port, "wrong")
        assert got.status == 403
        assert 'role="alert"' in got.text
        clock.now += 1
    for token in ("wrong", TOKEN):
        got = login(port, token)
        assert (got.status, got["retry-after"]) == (429, "55")
        assert "set-cookie" not in got
    assert caplog.messages == ["a wrong token from 127.0.0.1"] * LOGIN_ATTEMPTS
    assert ask(port, "GET", "/x", [BEARER]).status == 200
    clock.now += 55
    assert login(port).status == 303


def test_attempts_are_counted_by_address_and_bounded(clock: Clock) -> None:
    attempts = Attempts(clock)
    for last in range(LOGIN_ATTEMPTS):
        attempts.note(f"2001:db8:0:1::{last:x}")
    assert attempts.wait("2001:db8:0:1:ffff::9") == 60
    assert attempts.wait("2001:db8:0:2::1") == 0
    assert attempts.wait(None) == 0
    for number in range(MAX_ADDRESSES):
        attempts.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._at) == MAX_ADDRESSES
    assert attempts.wait("2001:db8:0:1::1") == 0


@pytest.mark.parametrize(
    "after",
    [
        *("//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)"),
        *("/\t/evil.example", "/\r\nSet-Cookie: a=b", "", "evil", "\\\\evil.example", "/页"),
    ],
)
def test_a_login_leads_nowhere_else(start: Start, after: str) -> None:
    got = login(start(token=TOKEN), TOKEN, after)
    assert (got.status, got["location"]) == (303, "/")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ([FORM, ("Origin", "http://evil.example")], b"token=" + TOKEN.encode(), 403),
        ([("Content-Type", "application/json")], b"{}", 415),
        ([FORM], b"token=" + b"x" * 9000, 413),
        ([FORM], b"&".join(b"a=%d" % n for n in range(100)), 400),
        ([FORM], b"token=\xff\xfe", 400),
        ([FORM], b"", 403),
        ([FORM], b"token=%00%ff", 403),
    ],
)
def test_a_login_that_is_none(
    start: Start, headers: list[tuple[str, str]], body: bytes, status: int
) -> None:
    got = ask(start(token=TOKEN, fresh=True), "POST", "/login", headers, body)
    assert got.status == status
    assert "set-cookie" not in got


def test_without_a_token_there_is_nothing_to_log_in_to(start: Start) -> None:
    port = start()
    assert ask(port, "GET", "/login", [HTML])["location"] == "/"
    assert login(port)["location"] == "/"


def test_the_methods_of_the_login_page_are_told(start: Start) -> None:
    got = ask(start(token=TOKEN), "PUT", "/login")
    assert (got.status, got["allow"]) == (405, "GET, HEAD, POST")


# --- what goes with every answer


@pytest.mark.parametrize("path", ["/x", "/nowhere/at/all", "/login", "/healthz", "/v1/x"])
def test_every_answer_has_the_headers(start: Start, path: str) -> None:
    for host in ("", "evil.example"):
        got = ask(start(token=TOKEN), "GET", path, host=host)
        for name, value in HEADERS.items():
            assert got[name.lower()] == value


def test_the_policy_lets_no_script_in() -> None:
    parts = dict(part.split(" ", 1) for part in POLICY.split("; "))
    assert parts["default-src"] == parts["frame-ancestors"] == parts["base-uri"] == "'none'"
    assert parts["script-src"] == parts["style-src"] == parts["form-action"] == "'self'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


def test_files_may_be_kept_and_documents_not(start: Start) -> None:
    port = start(token=TOKEN)
    page = ask(port, "GET", "/login", [HTML]).text
    [style] = re.findall(r'href="(/static/web/style\.css\?v=[0-9a-f]+)"', page)
    assert "immutable" in ask(port, "GET", style)["cache-control"]
    assert ask(port, "GET", "/static/web/style.css")["cache-control"] == "no-cache"
    assert ask(port, "GET", "/static/web/none.css?v=1")["cache-control"] == "no-store"
    assert ask(port, "GET", "/x?v=1", [BEARER])["cache-control"] == "no-store"


def test_an_answer_may_say_otherwise_itself(start: Start) -> None:
    async def kept(request: Request) -> Response:
        return Response(headers={"Cache-Control": "private, max-age=60"})

    got = ask(start(app=Starlette(routes=[Route("/", kept)])), "GET", "/")
    assert got["cache-control"] == "private, max-age=60"


# --- proxies


FORWARDED = [
    ("X-Forwarded-For", "6.6.6.6, 203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "desk.example"),
    ("X-Reviewer", "张三"),
]


def raw(headers: list[tuple[str, str]]) -> list[tuple[str, str | bytes]]:
    return [(name, value.encode("utf-8")) for name, value in headers]


def told(port: int, headers: list[tuple[str, str]]) -> dict[str, object]:
    data: dict[str, object] = json.loads(ask(port, "GET", "/x", raw(headers)).body)
    return data


def test_a_trusted_proxy_is_believed(start: Start) -> None:
    port = start(configured(("desk.example",), ("127.0.0.0/8",), "X-Reviewer"))
    data = told(port, FORWARDED)
    assert data["reviewer"] == "张三"
    assert data["address"] == "203.0.113.9"
    assert data["scheme"] == "https"
    assert data["host"] == "desk.example"
    assert data["headers"] == ["accept-encoding", "host"] or data["headers"] == ["host"]


def test_anybody_else_is_not(start: Start) -> None:
    port = start(configured(("desk.example",), ("10.0.0.1",), "X-Reviewer"))
    data = told(port, FORWARDED)
    assert data["reviewer"] is None
    assert data["address"] == "127.0.0.1"
    assert data["scheme"] == "http"
    assert data["host"] == f"127.0.0.1:{port}"
    assert not [name for name in data["headers"] if "forwarded" in name or "reviewer" in name]  # type: ignore[attr-defined]


def test_the_host_that_a_proxy_tells_must_be_one_of_ours_too(start: Start) -> None:
    port = start(configured(proxies=("127.0.0.1",)))
    got = ask(port, "GET", "/x", [("X-Forwarded-Host", "localhost, evil.example")])
    assert got.status == 421


def test_behind_a_proxy_with_tls_the_session_is_for_tls_only(start: Start) -> None:
    port = start(configured(proxies=("127.0.0.1",)), token=TOKEN)
    assert "Secure" in login(port, TOKEN, "/", ("X-Forwarded-Proto", "https"))["set-cookie"]


def test_attempts_are_those_of_the_client_behind_the_proxy(start: Start) -> None:
    port = start(configured(proxies=("127.0.0.1",)), token=TOKEN, fresh=True)
    for _ in range(LOGIN_ATTEMPTS):
        assert login(port, "wrong", "/", ("X-Forwarded-For", "203.0.113.1")).status == 403
    assert login(port, TOKEN, "/", ("X-Forwarded-For", "9.9.9.9, 203.0.113.1")).status == 429
    assert login(port, TOKEN, "/", ("X-Forwarded-For", "203.0.113.2")).status == 303


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("", "127.0.0.1"),
        ("nonsense", "127.0.0.1"),
        ("6.6.6.6, nonsense", "127.0.0.1"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.9, 127.0.0.2", "203.0.113.9"),
        ("127.0.0.3, 127.0.0.2", "127.0.0.3"),
    ],
)
def test_the_client_is_the_last_before_our_proxies(
    start: Start, forwarded: str, address: str
) -> None:
    port = start(configured(proxies=("127.0.0.0/8",)))
    assert told(port, [("X-Forwarded-For", forwarded)])["address"] == address


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("张三".encode(), "张三"),
        (b"UTF-8''%E5%BC%A0%E4%B8%89", "张三"),
        (b"utf-8'zh-CN'%E5%BC%A0", "张"),
        (b" O'Neil ", "O'Neil"),
        (b"", None),
        (b"UTF-8''%20", None),
        (b"100%", "100%"),
        ("e\u0301".encode(), "é"),
        (b"<script>=1+1", "<script>=1+1"),
    ],
)
def test_reviewers_have_names(header: bytes, name: str | None) -> None:
    assert reviewer_name(header) == name


@pytest.mark.parametrize(
    "header",
    [
        b"\xc5\xff",
        b"a\x00b",
        b"a\x1bb",
        b"UTF-8''a%0d%0ab",
        b"UTF-8''%ff",
        "a\u202eb".encode(),
        "a\u200bb".encode(),
        "a\u2028b".encode(),
        "\ue000".encode(),
        ("长" * 101).encode(),
    ],
)
def test_what_is_no_name_is_refused(start: Start, header: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it "):
        reviewer_name(header)


def test_a_name_that_is_none_or_given_twice_stops_the_request(start: Start) -> None:
    port = start(configured(proxies=("127.0.0.1",), header="X-Reviewer"))
    for headers in ([("X-Reviewer", b"\xff")], [("X-Reviewer", b"a"), ("x-reviewer", b"b")]):
        assert ask(port, "GET", "/x", headers).status == 400


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (configured(header="X-Reviewer"), "names none"),
        (configured(proxies=("0.0.0.0/0",)), "is everybody"),
        (configured(proxies=("::/0",)), "is everybody"),
        (configured(proxies=("proxy.example",)), "no address and no network"),
        (configured(proxies=("10.0.0.1/24",)), "host bits"),
        (configured(hosts=("https://desk.example",)), "no host"),
        (configured(hosts=("*",)), "no host"),
        (configured(hosts=("",)), "no host"),
    ],
)
def test_what_cannot_be_meant_is_told_before_anything_is_served(config: Config, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Access.of(config, "127.0.0.1", 8000, {})
    assert issubclass(ConfigError, UsageError)


# --- in a real browser


def form(action: str) -> str:
    return (
        f'<!doctype html><title>evil</title><form method="post" action="{action}">'
        '<input name="a" value="b"></form><script>document.forms[0].submit()</script>'
    )


def test_a_person_logs_in_and_no_other_page_acts_for_them(browser: Any, start: Start) -> None:
    port = start(token=TOKEN, fresh=True)
    address = f"http://127.0.0.1:{port}"
    visit = Visit(browser, f"{address}/front?a=b", locale="zh-CN")
    page = visit.page
    assert page.url == f"{address}/login?next=/front%3Fa%3Db"
    assert violations(page) == []
    assert visit.complaints == []
    page.fill("input[name=token]", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.locator("[role=alert]").inner_text() == "令牌不正确。"
    page.fill("input[name=token]", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/front?a=b")
    assert '"session":true' in page.content()
    assert page.evaluate("document.cookie") == ""

    async def evil(request: Request) -> Response:
        return HTMLResponse(form(f"{address}/judge"))

    async def framing(request: Request) -> Response:
        return HTMLResponse(f'<!doctype html><title>x</title><iframe src="{address}/front">')

    # On the same host, and so the same site: the session's cookie is sent.
    elsewhere = Starlette(routes=[Route("/", evil), Route("/frame", framing)])
    with serving(elsewhere) as other:
        with page.expect_response(f"{address}/judge") as answered:
            page.goto(f"http://127.0.0.1:{other}/")
        assert "ocr_moe_session" in answered.value.request.all_headers()["cookie"]
        assert answered.value.status == 403
        page.goto(f"http://127.0.0.1:{other}/frame")
        assert "session" not in (page.frames[1].content() if len(page.frames) > 1 else "")


def test_a_form_of_our_own_comes_through_without_fetch_metadata(browser: Any, start: Start) -> None:
    """On a plain address in a network, browsers tell the Origin alone; see Referrer-Policy."""

    async def front(request: Request) -> Response:
        if request.method == "POST":
            return JSONResponse({"origin": request.headers.get("origin")})
        return HTMLResponse('<form method="post"><button>go</button></form>')

    app = Starlette(routes=[Route("/", front, methods=["GET", "POST"])])
    port = start(app=app)
    page = Visit(browser, f"http://127.0.0.1:{port}/").page
    page.click("button")
    page.wait_for_function("document.body.innerText.includes('origin')")
    assert f'"origin":"http://127.0.0.1:{port}"' in page.content()

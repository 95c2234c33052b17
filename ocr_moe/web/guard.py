"""Who may ask: what stands before every application here, and lets through what is meant for it.

Programs send the token; people give it once, on a page, and their browser then holds a session. What
other web sites make a browser send is refused by its Host (DNS rebinding) and by its Origin (forged
requests), with a token or without. What a proxy adds is believed of trusted ones only.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import math
import os
import re
import secrets
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocr_moe.errors import ConfigError, UsageError
from ocr_moe.web.pages import Pages, language_of
from ocr_moe.web.responses import Problem
from ocr_moe.workshop.config import Config

_LOG = logging.getLogger(__name__)
TOKEN = "OCR_MOE_TOKEN"
"""The environment variable that holds the token."""
MIN_TOKEN = 16
"""Characters. Random ones are then more than can be guessed over a network."""
SESSION_HOURS = 12
"""A working day. Sessions live in memory: a restart ends them."""
MAX_SESSIONS = 1000
"""Of all people together; with more, the oldest ends."""
LOGIN_ATTEMPTS = 5
"""Wrong tokens from one address (of IPv6: one network /64) until it has to wait."""
LOGIN_WAIT = 60.0
"""Seconds after which an attempt is forgotten."""
MAX_NAME = 100
"""Characters of a reviewer's name in a header."""
_MAX_FORM = 8192
"""Bytes of the form of the login page."""
_MAX_ADDRESSES = 4096
"""Addresses whose attempts are kept in mind."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",  # pictures that a page itself holds: previews, icons
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Content-Security-Policy: scripts and styles come from our files only, and nothing goes elsewhere."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers then give forms the Origin `null`, also those of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""Of every response that does not say otherwise itself."""
_FOREVER = "public, max-age=31536000, immutable"
"""A file whose address holds its digest."""

_HEALTH = "/healthz"
_FILES = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site: a page of ours, or the person at the browser."""
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")
_PORT = re.compile(r"^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$")
_TOLD = frozenset({b"forwarded", b"x-real-ip"})
_ENCODED = re.compile(rb"(?i:UTF-8)'[^']*'(.*)")
_CALLER = "ocr_moe.caller"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Host:
    """A host as it stands in a request, in one way of writing it."""

    name: str
    """In small letters and ASCII; an address as its digits, without brackets."""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Host:
        """Of `name`, `name:port`, `address`, `[address]:port`. Raises ValueError."""
        found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?", text)
        if found is None or not text.isascii():
            raise ValueError(f"{text!r} is no host")
        port = None if found[2] is None else int(found[2])
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"{text!r} has no port that there is")
        if found[1].startswith("["):
            return cls(str(ipaddress.IPv6Address(found[1][1:-1])), port)
        name = found[1].lower().removesuffix(".")
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise ValueError(f"{text!r} is no host")
        return cls(name, port)

    @property
    def address(self) -> Address | None:
        """The address that it is, written as browsers write it; None for a name."""
        try:
            return ipaddress.ip_address(self.name)
        except ValueError:
            return None


@dataclass(frozen=True)
class Access:
    """By which names, and by whom, a server may be called."""

    host: str
    """The address that it is bound to."""
    port: int
    hosts: tuple[Host, ...] = ()
    """Further names; one without a port may be called at any."""
    token: str | None = field(default=None, repr=False)
    proxies: tuple[Network, ...] = ()
    """Whose headers are believed."""
    reviewer_header: str | None = None
    """In which these name the reviewer."""

    def __post_init__(self) -> None:
        if self.token is None and not self.on_loopback:
            raise UsageError(
                f"{self.host} can be reached from other machines: set {TOKEN} to a secret of "
                f"{MIN_TOKEN} characters or more (such as `openssl rand -hex 24` prints), or leave "
                "out --host to serve this machine alone"
            )
        if self.token is not None and (
            len(self.token) < MIN_TOKEN or not _B64TOKEN.fullmatch(self.token)
        ):
            raise UsageError(
                f"{TOKEN} is to have {MIN_TOKEN} characters or more, all of them letters, digits or "
                "- . _ ~ + /, such as `openssl rand -hex 24` prints"
            )
        if self.reviewer_header is not None and not self.proxies:
            raise UsageError(
                f"review.reviewer_header is {self.reviewer_header}, but it is believed of trusted "
                "proxies only, and service.trusted_proxies names none"
            )

    @classmethod
    def of(
        cls, config: Config, host: str, port: int, environment: Mapping[str, str] = os.environ
    ) -> Access:
        """What the configuration and the environment say. Raises UsageError."""
        return cls(
            host=host,
            port=port,
            hosts=tuple(_configured_host(each) for each in config.service.hosts),
            token=environment.get(TOKEN) or None,
            proxies=tuple(_proxy(each) for each in config.service.trusted_proxies),
            reviewer_header=config.review.reviewer_header,
        )

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        bound = _address(self.host)
        return bound.is_loopback if bound else self.host.lower() == "localhost"

    def serves(self, host: Host) -> bool:
        """Whether a request that names this host is meant for us.

        A name that somebody else owns may be made to lead here; an address cannot, nor can
        `localhost`, which browsers ask nobody for. The port of a request says nothing: it is another
        one behind a proxy, a tunnel or a container's mapping.
        """
        if any(own.name == host.name and own.port in (None, host.port) for own in self.hosts):
            return True
        bound, called = _address(self.host), host.address
        if bound is not None and bound.is_unspecified:
            return host.name == "localhost" or not (called is None or called.is_unspecified)
        if host.name == self.host.lower() or (bound is not None and called == bound):
            return True
        local = called.is_loopback if called else host.name == "localhost"
        return local and self.on_loopback

    def trusts(self, client: str | None) -> bool:
        """Whether an address is a trusted proxy's."""
        address = _address(client or "")
        return address is not None and any(address in network for network in self.proxies)


@dataclass(frozen=True)
class Caller:
    """Whom a request is from, as far as it is known."""

    address: str | None
    """Of the client; behind trusted proxies, the one that they tell."""
    reviewer: str | None = None
    session: bool = False
    """Whether it came with a session, which can be logged out of."""


def caller_of(request: Request) -> Caller:
    """Whom a request is from. Without a guard before the application, nobody that is known."""
    found = request.scope.get(_CALLER)
    return found if isinstance(found, Caller) else Caller(None)


def reviewer_of(request: Request) -> str | None:
    """The reviewer's name as a trusted proxy tells it, or None. It is text like any other."""
    return caller_of(request).reviewer


def reviewer_name(header: bytes) -> str | None:
    """A name as it stands in a header: UTF-8, as it is or by RFC 8187 (`UTF-8''%E5%BC%A0`).

    None where it is empty. Raises ValueError for one that is too long, or holds characters that
    cannot be seen.
    """
    data = header.strip()
    if encoded := _ENCODED.fullmatch(data):
        data = unquote_to_bytes(encoded[1])
    try:
        name = unicodedata.normalize("NFC", data.decode("utf-8")).strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if not all(each.isprintable() or unicodedata.category(each) == "Zs" for each in name):
        raise ValueError("it holds characters that cannot be seen")
    if len(name) > MAX_NAME:
        raise ValueError(f"it has more than {MAX_NAME} characters")
    return name or None


def guarded(
    app: ASGIApp, access: Access, *, clock: Callable[[], float] = time.monotonic
) -> ASGIApp:
    """An application behind the checks of this module. `clock` tells seconds."""
    return _Guard(app, access, clock)


class _Refused(Exception):
    """A request that goes no further; `key` is that of the sentence in words.yaml."""

    def __init__(self, status: int, key: str, *, allow: str | None = None, **values: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values
        self.headers = {} if allow is None else {"Allow": allow}


class _Guard:
    def __init__(self, app: ASGIApp, access: Access, clock: Callable[[], float]) -> None:
        self._app = app
        self._access = access
        self._pages = Pages("web")
        self._sessions = _Sessions(clock)
        self._attempts = _Attempts(clock)
        # Cookies know no ports: another server of ours on this host has sessions of its own.
        self._cookie = f"ocr_moe_session_{access.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(dict(scope), receive, _with_headers(scope, send))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._checked(scope, receive)
        except _Refused as refused:
            response = self._refusal(Request(scope), refused)
        except ClientDisconnect:
            return
        await (response or self._app)(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Response | None:
        """An answer of our own, or None for what the application is to answer."""
        caller = _told_by_proxies(scope, self._access)
        _check_host(scope, self._access)
        _check_origin(scope, self._cookie)
        path = _path(scope)
        if path == "/login":
            return await self._login(Request(scope, receive), caller)
        if path == "/logout":
            return self._logout(Request(scope))
        session = self._session(Request(scope))
        if self._is_open(scope, path) or session is not None or self._has_token(scope):
            scope[_CALLER] = replace(caller, session=session is not None)
            # For the desk's choice of reviewers, and for the frame of all pages.
            told: dict[str, str | None] = {"reviewer": caller.reviewer}
            if session is not None:
                told["logout"] = f"{scope.get('root_path', '')}/logout"
            scope["state"] = {**scope.get("state", {}), **told}
            return None
        return self._to_login(Request(scope))

    def _is_open(self, scope: Scope, path: str) -> bool:
        """Whether anybody may have it: all, where there is no token."""
        if self._access.token is None or path == _HEALTH:
            return True
        return path.startswith(_FILES) and scope["method"] in ("GET", "HEAD")

    def _has_token(self, scope: Scope) -> bool:
        given = Headers(scope=scope).getlist("authorization")
        if len(given) != 1 or self._access.token is None:
            return False
        scheme, _, token = given[0].partition(" ")
        return scheme.lower() == "bearer" and _same(token.strip(), self._access.token)

    def _session(self, request: Request) -> str | None:
        """The session that a request comes with, if it is one of ours."""
        given = request.cookies.get(self._cookie)
        return given if given and self._sessions.is_open(given) else None

    def _to_login(self, request: Request) -> Response:
        if _wants_page(request) and request.method in ("GET", "HEAD"):
            query = f"?{request.url.query}" if request.url.query else ""
            after = quote(quote(_path(request.scope)) + query, safe="/")
            return RedirectResponse(f"{_root(request)}/login?next={after}", 303)
        challenge = {"WWW-Authenticate": 'Bearer realm="ocr_moe"'}
        return self._refusal(request, _Refused(401, "guard_token", variable=TOKEN), challenge)

    async def _login(self, request: Request, caller: Caller) -> Response:
        token = self._access.token
        if token is None:
            return RedirectResponse(f"{_root(request)}/", 303)
        if request.method in ("GET", "HEAD"):
            return self._login_page(request, request.query_params.get("next", ""))
        if request.method != "POST":
            raise _Refused(405, "guard_method", allow="GET, HEAD, POST")
        form = await _form(request)
        after = form.get("next", "")
        wait = self._attempts.wait(caller.address)
        if wait:
            page = self._login_page(request, after, 429, wait=wait)
            page.headers["Retry-After"] = str(wait)
            return page
        if not _same(form.get("token", "").strip(), token):
            self._attempts.note(caller.address)
            _LOG.warning("a wrong token from %s", caller.address)
            return self._login_page(request, after, 403, wrong=True)
        response = RedirectResponse(_root(request) + _local(after), 303)
        response.set_cookie(
            self._cookie,
            self._sessions.open(),
            SESSION_HOURS * 3600,
            path=f"{_root(request)}/",
            secure=request.scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    def _login_page(
        self, request: Request, after: str, status: int = 200, *, wrong: bool = False, wait: int = 0
    ) -> Response:
        return self._pages.page(
            request,
            "login.html",
            status=status,
            after=_local(after),
            wrong=wrong,
            wait=wait,
            variable=TOKEN,
        )

    def _logout(self, request: Request) -> Response:
        if request.method != "POST":
            raise _Refused(405, "guard_method", allow="POST")
        if session := self._session(request):
            self._sessions.close(session)
        response = RedirectResponse(f"{_root(request)}/login", 303)
        response.delete_cookie(self._cookie, f"{_root(request)}/", httponly=True, samesite="strict")
        return response

    def _refusal(
        self, request: Request, refused: _Refused, headers: Mapping[str, str] = {}
    ) -> Response:
        """A page for people, a problem for programs."""
        status, values = refused.status, refused.values
        if _wants_page(request):
            response: Response = self._pages.page(
                request, "refused.html", status=status, why=refused.key, values=values
            )
        else:
            language = language_of(request)
            told = self._pages.text(refused.key, language, **values)
            kind = refused.key.removeprefix("guard_").replace("_", "-")
            response = Problem(status, kind, told, language)
        response.headers.update({**refused.headers, **headers})
        return response


class _Sessions:
    """Who is logged in. Only digests are kept, so that nothing here opens a session."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ends: OrderedDict[bytes, float] = OrderedDict()
        """Digest → when it ends, the oldest first."""

    def open(self) -> str:
        while self._ends and (
            len(self._ends) >= MAX_SESSIONS or next(iter(self._ends.values())) <= self._clock()
        ):
            self._ends.popitem(last=False)
        session = secrets.token_urlsafe(32)
        self._ends[_digest(session)] = self._clock() + SESSION_HOURS * 3600
        return session

    def is_open(self, session: str) -> bool:
        return self._ends.get(_digest(session), float("-inf")) > self._clock()

    def close(self, session: str) -> None:
        self._ends.pop(_digest(session), None)


class _Attempts:
    """Wrong tokens, by the address that they came from."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: OrderedDict[str, list[float]] = OrderedDict()
        """Where from → when, the latest attempts only; who tried longest ago is first."""

    def note(self, client: str | None) -> None:
        key = _neighbourhood(client)
        before = self._at.pop(key, [])
        self._at[key] = [*before, self._clock()][-LOGIN_ATTEMPTS:]
        if len(self._at) > _MAX_ADDRESSES:
            self._at.popitem(last=False)

    def wait(self, client: str | None) -> int:
        """Seconds until the next attempt is taken."""
        at = self._at.get(_neighbourhood(client), [])
        if len(at) < LOGIN_ATTEMPTS:
            return 0
        return max(0, math.ceil(at[0] + LOGIN_WAIT - self._clock()))


def _told_by_proxies(scope: Scope, access: Access) -> Caller:
    """What proxies tell, taken out of a scope's headers and, where they are trusted, believed.
    Raises _Refused."""
    client = scope["client"][0] if scope.get("client") else None
    named = (access.reviewer_header or "").lower().encode("latin-1", "replace")
    told: dict[bytes, list[bytes]] = {}
    kept = []
    for name, value in scope["headers"]:
        if name == named or name in _TOLD or name.startswith(b"x-forwarded-"):
            told.setdefault(name, []).append(value)
        else:
            kept.append((name, value))
    scope["headers"] = kept
    if not access.trusts(client):
        return Caller(client)
    scheme = _last(told.get(b"x-forwarded-proto", []))
    if scheme in (b"http", b"https"):
        scope["scheme"] = scheme.decode("ascii")
    if host := _last(told.get(b"x-forwarded-host", [])):
        scope["headers"] = [*(each for each in kept if each[0] != b"host"), (b"host", host)]
    forwarded = b",".join(told.get(b"x-forwarded-for", [])).decode("latin-1").split(",")
    names = told.get(named, [])
    if len(names) > 1:
        raise _Refused(400, "guard_reviewer")
    try:
        reviewer = reviewer_name(names[0]) if names else None
    except ValueError:
        raise _Refused(400, "guard_reviewer") from None
    return Caller(_first_stranger(forwarded, client, access), reviewer)


def _first_stranger(forwarded: Sequence[str], client: str | None, access: Access) -> str | None:
    """The last address before our proxies; anybody can have written what stands before it."""
    known = client
    for text in reversed(forwarded):
        bare = _PORT.sub(r"\1\2", text.strip())
        if _address(bare) is None:
            break
        known = bare
        if not access.trusts(bare):
            break
    return known


def _check_host(scope: Scope, access: Access) -> None:
    """That a request is meant for us. Raises _Refused."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise _Refused(400, "guard_host_unclear")
    try:
        host = Host.parse(hosts[0].decode("latin-1"))
    except ValueError:
        raise _Refused(400, "guard_host_unclear") from None
    if not access.serves(host):
        raise _Refused(421, "guard_host", host=host.name)


def _check_origin(scope: Scope, cookie: str) -> None:
    """That what changes something was not sent by a page of somebody else's. Raises _Refused.

    Browsers tell where such a request comes from (Fetch Metadata, else Origin, at least Referer);
    whoever tells nothing is no browser, and has no session either.
    """
    if scope["method"] in _SAFE:
        return
    headers = Headers(scope=scope)
    own = Host.parse(headers["host"])
    if sites := headers.getlist("sec-fetch-site"):
        ours = set(sites) <= _OURS
    elif origins := headers.getlist("origin") or headers.getlist("referer"):
        ours = all(_is_of(origin, own) for origin in origins)
    else:
        ours = cookie not in Request(scope).cookies
    if not ours:
        raise _Refused(403, "guard_origin")


def _is_of(origin: str, own: Host) -> bool:
    """Whether an address is one of a page at a host."""
    try:
        scheme, place, *_ = urlsplit(origin)
        host = Host.parse(place)
    except ValueError:
        return False
    default = {"http": 80, "https": 443}.get(scheme)
    ports = {default if each.port is None else each.port for each in (host, own)}
    return default is not None and host.name == own.name and len(ports) == 1


def _with_headers(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if _FILES in _path(scope) and message["status"] in (200, 304):
                lasting = b"v=" in scope.get("query_string", b"")
                headers.setdefault("Cache-Control", _FOREVER if lasting else "no-cache")
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _path(scope: Scope) -> str:
    """The path of a request below the one that we are served under."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _wants_page(request: Request) -> bool:
    """Whether a person is to read the answer."""
    return "text/html" in request.headers.get("accept", "").lower()


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises _Refused, ClientDisconnect."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _Refused(415, "guard_form")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            raise _Refused(413, "guard_form")
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=8)
    except ValueError:
        raise _Refused(400, "guard_form") from None
    return {name: values[-1] for name, values in fields.items()}


def _local(target: str) -> str:
    """A path of ours to go on to; the first page where it is none."""
    return target if _LOCAL.fullmatch(target) else "/"


def _last(values: Sequence[bytes]) -> bytes:
    """What the nearest proxy added to a list in a header."""
    return values[-1].rpartition(b",")[2].strip() if values else b""


def _same(given: str, expected: str) -> bool:
    """Whether two texts are one, in a time that tells nothing of either."""
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _neighbourhood(client: str | None) -> str:
    """An address, or the network that a single customer is given (IPv6)."""
    address = _address(client or "")
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return client or ""


def _configured_host(text: str) -> Host:
    try:
        # IDNA: browsers write 审核.example as xn--….example.
        return Host.parse(text if ":" in text else text.encode("idna").decode("ascii"))
    except ValueError:
        raise ConfigError(
            f"service.hosts: {text!r} is no host; write a name such as certificates.example.org, or "
            "certificates.example.org:8443"
        ) from None


def _proxy(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise ConfigError(
            f"service.trusted_proxies: {text!r} is no address and no network ({error}); write "
            "10.0.0.5 or 10.0.0.0/24"
        ) from None
    if network.prefixlen == 0:
        raise ConfigError(f"service.trusted_proxies: {text} is everybody; name the proxies")
    return network

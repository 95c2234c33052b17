"""What a request tells of itself, and what of that is believed: by whom, for which host, from where."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from ocr_moe.web.access import Access, Host, address_of

MAX_NAME = 100
"""Characters of a reviewer's name in a header."""
CALLER = "ocr_moe.caller"
"""Where in a scope the caller stands."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})
"""Of Sec-Fetch-Site: a page of ours, or the person at the browser."""
_PORT = re.compile(r"^\[(.*)\](?::\d+)?$|^([\d.]+):\d+$")
_TOLD = frozenset({b"forwarded", b"x-real-ip"})
_ENCODED = re.compile(rb"(?i:UTF-8)'[^']*'(.*)")


class Refused(Exception):
    """A request that goes no further; `key` is that of the sentence in words.yaml."""

    def __init__(self, status: int, key: str, *, allow: str | None = None, **values: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key
        self.values = values
        self.headers = {} if allow is None else {"Allow": allow}


@dataclass(frozen=True)
class Caller:
    """Whom a request is from, as far as it is known."""

    address: str | None
    """Of the client; behind trusted proxies, the one that they tell."""
    reviewer: str | None = None
    """The name that a trusted proxy tells: text like any other."""
    logout: str | None = None
    """The address that ends the session that it came with; None without one."""


def caller_of(request: Request) -> Caller:
    """Whom a request is from. Without a guard before the application, nobody that is known."""
    found = request.scope.get(CALLER)
    return found if isinstance(found, Caller) else Caller(None)


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


def told_by_proxies(scope: Scope, access: Access) -> Caller:
    """What proxies tell, taken out of a scope's headers and, where they are trusted, believed.
    Raises Refused."""
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
        raise Refused(400, "guard_reviewer")
    try:
        reviewer = reviewer_name(names[0]) if names else None
    except ValueError:
        raise Refused(400, "guard_reviewer") from None
    return Caller(_first_stranger(forwarded, client, access), reviewer)


def _first_stranger(forwarded: Sequence[str], client: str | None, access: Access) -> str | None:
    """The last address before our proxies; anybody can have written what stands before it."""
    known = client
    for text in reversed(forwarded):
        bare = _PORT.sub(r"\1\2", text.strip())
        if address_of(bare) is None:
            break
        known = bare
        if not access.trusts(bare):
            break
    return known


def check_host(scope: Scope, access: Access) -> None:
    """That a request is meant for us. Raises Refused."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise Refused(400, "guard_host_unclear")
    try:
        host = Host.parse(hosts[0].decode("latin-1"))
    except ValueError:
        raise Refused(400, "guard_host_unclear") from None
    if not access.serves(host):
        raise Refused(421, "guard_host", host=host.name)


def check_origin(scope: Scope, cookie: str) -> None:
    """That what changes something was not sent by a page of somebody else's. Raises Refused.

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
        raise Refused(403, "guard_origin")


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


def _last(values: Sequence[bytes]) -> bytes:
    """What the nearest proxy added to a list in a header."""
    return values[-1].rpartition(b",")[2].strip() if values else b""

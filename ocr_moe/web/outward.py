"""Requests that others have us make: https, to public addresses only, whatever a name leads to.

A name is resolved once, every address that it has is looked at, and exactly one of these is connected
to: what the name leads to a moment later (DNS rebinding) is of no account. Proxies of the environment
are not asked, nothing is followed, and no answer can take longer or be larger than was agreed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import quote, urljoin, urlsplit

from ocr_moe.version import __version__

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int, float], Sequence[str]]
"""Host, port and seconds → addresses. Raises OSError."""
Connect = Callable[[str, int, float], socket.socket]
"""Address, port and seconds → a connected socket. Raises OSError."""

MAX_ADDRESS = 2048
"""Characters of an address."""
_TRIED = 4
"""Addresses of a name that are connected to, one after the other."""
_FIRST_FREE_PORT = 1024
"""Ports below are those of other protocols, and 443."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Where IPv6-only networks put IPv4 (RFC 6052)."""
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given out; addresses that embed one of IPv4 in another way lie elsewhere, or in
the next two networks."""
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # shared by a provider's customers (RFC 6598); metadata of Alibaba Cloud
        "168.63.129.16/32",  # the host of a virtual machine in Azure
        "192.0.0.0/24",  # of protocols; metadata of Oracle Cloud
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # of protocols, Teredo among them
        "2001:db8::/32",  # documentation, here and next
        "3fff::/20",
        "2002::/16",  # 6to4: an IPv4 address in it
    )
)
"""What is not to be reached beside what Python knows not to be global, in all its versions."""


class Unreachable(Exception):
    """Why an address cannot be asked. The sentence tells nothing of the network here."""


@dataclass(frozen=True)
class Target:
    """An https address in its parts."""

    host: str
    """In ASCII (IDNA), without a last dot; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query."""

    @classmethod
    def parse(cls, url: str) -> Target:
        """Raises Unreachable, with a sentence that does not repeat the address: it may hold a secret."""
        if len(url) > MAX_ADDRESS:
            raise Unreachable(f"the address has more than {MAX_ADDRESS} characters")
        if not url.isprintable() or " " in url or "\\" in url:
            raise Unreachable("there is a blank or a backslash in the address")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            if not host.isascii():
                host = host.encode("idna").decode("ascii")
        except ValueError:
            raise Unreachable("the address cannot be read") from None
        if parts.scheme.lower() != "https":
            raise Unreachable("the address does not begin with https://")
        if "@" in parts.netloc:
            raise Unreachable("the address holds a user or a password")
        host = host.removesuffix(".")
        if not re.fullmatch(r"[0-9A-Za-z_.:-]{1,253}", host):
            raise Unreachable("the address names no host")
        port = 443 if port is None else port
        if port != 443 and port < _FIRST_FREE_PORT:
            raise Unreachable(f"port {port} is not one of https")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
        return cls(host, port, f"{path}?{query}" if query else path)

    def joined(self, location: str) -> Target:
        """Where a redirection from here leads. Raises Unreachable."""
        return Target.parse(urljoin(f"https://{self.place}{self.path}", location))

    @property
    def place(self) -> str:
        """Host and port as they stand in an address and in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet that everybody can reach."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST:
            return False
    ordinary = address.is_global and not (address.is_multicast or address.is_reserved)
    return ordinary and not any(address in network for network in _NOT_PUBLIC)


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """All addresses of a host, as the system knows them. Raises OSError."""
    found: list[str] = []
    problems: list[Exception] = []

    def look() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            problems.append(error)

    # In a thread of its own, for the system's resolver can be told no time.
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if problems or not found:
        raise OSError("no such host")
    return found


def connect(address: str, port: int, seconds: float) -> socket.socket:
    """A connection to an address. Raises OSError."""
    return socket.create_connection((address, port), seconds)


def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class Answer:
    """An answer that is being read."""

    def __init__(self, response: HTTPResponse, broken: Callable[[], Unreachable]) -> None:
        self._response = response
        self._broken = broken
        self.status = response.status
        self.length: int | None = response.length
        """Bytes of the body, where the server tells."""

    def header(self, name: str) -> str | None:
        """A header; None where it is missing, or there are several."""
        values = self._response.headers.get_all(name, [])
        return values[0] if len(values) == 1 else None

    def read(self, size: int) -> bytes:
        """Up to so many bytes, none at the end. Raises Unreachable."""
        try:
            return self._response.read(size)
        except (OSError, HTTPException, ValueError):
            raise self._broken() from None


@dataclass(frozen=True)
class Outside:
    """The way out. What it is made of is for tests to replace."""

    resolve: Resolve = resolve
    connect: Connect = connect
    trust: ssl.SSLContext = field(default_factory=_trust)
    """Whose certificates are believed: by default, those that the system believes."""

    @contextmanager
    def asked(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        seconds: float,
    ) -> Iterator[Answer]:
        """The answer to one request, to be read within the context; after `seconds` in all, the
        connection is cut.

        Raises Unreachable: no such host, not public, no connection, no trusted certificate, no HTTP, or
        too slow.
        """
        ends = time.monotonic() + seconds
        expired = threading.Event()

        def broken() -> Unreachable:
            slow = f"no answer within {seconds:g} s"
            return Unreachable(slow if expired.is_set() else "the connection broke")

        with self._connected(target, ends) as plain:
            try:
                tls = self.trust.wrap_socket(
                    plain,
                    server_hostname=target.host,
                    do_handshake_on_connect=False,
                    suppress_ragged_eofs=False,
                )
            except (OSError, ValueError):
                raise broken() from None
        connection = HTTPConnection(target.host, target.port)
        connection.auto_open = 0
        connection.sock = tls
        sent = {
            "Host": target.place,
            "User-Agent": f"ocr_moe/{__version__}",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        }
        clock = threading.Timer(ends - time.monotonic(), _cut, (tls, expired))
        clock.daemon = True
        clock.start()
        with tls, closing(connection):
            try:
                tls.do_handshake()
                connection.request(method, target.path, body, sent)
                response = connection.getresponse()
            except ssl.SSLCertVerificationError:
                raise Unreachable("its certificate is not to be trusted") from None
            except (OSError, HTTPException, ValueError):
                raise broken() from None
            else:
                with closing(response):
                    yield Answer(response, broken)
            finally:
                clock.cancel()
        if expired.is_set():
            raise broken()

    def _connected(self, target: Target, ends: float) -> socket.socket:
        try:
            found = self.resolve(target.host, target.port, ends - time.monotonic())
            addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in found]
        except (OSError, ValueError):
            raise Unreachable("there is no such host") from None
        if not addresses or not all(map(is_public, addresses)):
            raise Unreachable("the host is not one of the public internet")
        for address in addresses[:_TRIED]:
            left = ends - time.monotonic()
            if left <= 0:
                break
            try:
                connected = self.connect(str(address), target.port, left)
            except OSError:
                continue
            connected.settimeout(max(left, 0.001))
            return connected
        raise Unreachable("no connection can be made")


def _cut(tls: ssl.SSLSocket, expired: threading.Event) -> None:
    """End a connection under whoever waits for it."""
    expired.set()
    with suppress(OSError):  # it may have ended just now
        # Of the connection below TLS: the object above it is in use by the thread that waits.
        socket.socket.shutdown(tls, socket.SHUT_RDWR)

"""Where a server is: addresses, hosts without credentials, and whether a host is this machine."""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ocr_moe.formats.addresses import without_credentials

AZURE_VERSION = "2024-10-21"
"""Of Azure's API where an address names none: the latest that is not a preview."""


@dataclass(frozen=True)
class Address:
    """An http(s) URL. It may hold credentials; `host` and the repr do not."""

    url: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises ValueError, which says what is wrong and quotes nothing: it may be a secret."""
        url = text.strip()
        if not re.match(r"https?://", url, re.IGNORECASE):
            raise ValueError("it does not begin with http:// or https://")
        if not url.isprintable() or " " in url:
            raise ValueError("there is a blank in it")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host.encode("idna")
        except ValueError:
            raise ValueError("its host or port cannot be read") from None
        if not host:
            raise ValueError("it names no host")
        if port == 0:
            raise ValueError("its port is 0")
        if "@" in parts.path + parts.query + parts.fragment:
            # Else the beginning of a password that holds / ? or # would pass for host and port.
            raise ValueError("/ ? # and @ in a password are written %2F %3F %23 and %40")
        return cls(url)

    @property
    def host(self) -> str:
        """Host and port, without credentials, path or query."""
        host = self._parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        return f"{host}:{self._parts.port}" if self._parts.port else host

    @property
    def is_local(self) -> bool:
        """Whether documents sent there stay on this machine."""
        return is_local_host(self._parts.hostname or "")

    @property
    def base(self) -> str:
        """The URL to which a request's own path is added. Its credentials are left out, since the
        HTTP client writes addresses into its log: see `authorization`."""
        path = self._parts.path.rstrip("/").removesuffix("/chat/completions")
        if self.azure_version is not None and not path.startswith("/openai"):
            path = f"{path}/openai"
        place = self._parts.netloc.rpartition("@")[2]
        return self._parts._replace(netloc=place, path=path, query="", fragment="").geturl()

    @property
    def authorization(self) -> str | None:
        """The header that the URL's user and password come to (RFC 7617), where it has them."""
        pair = self._pair
        return f"Basic {base64.b64encode(pair).decode('ascii')}" if pair else None

    @property
    def query(self) -> dict[str, str]:
        """What is added to every request's address."""
        return dict(parse_qsl(self._parts.query, keep_blank_values=True))

    @property
    def azure_version(self) -> str | None:
        """The version of Azure's API, where it is one: by its host, or by a deployment in its path.

        Its newest form (/openai/v1) is like any other server.
        """
        host, path = self._parts.hostname or "", self._parts.path
        named = host.endswith((".openai.azure.com", ".cognitiveservices.azure.com"))
        if path.startswith("/openai/v1") or not (named or "/openai/deployments/" in path):
            return None
        return self.query.get("api-version") or AZURE_VERSION

    @property
    def deployment(self) -> str | None:
        """The model that an address is about, where it names one (Azure)."""
        found = re.search(r"/openai/deployments/([^/]+)", self._parts.path)
        return unquote(found.group(1)) if found else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials in the URL, in the forms in which a server may repeat them."""
        hidden = without_credentials(self.url)
        asked = [value for name, value in self.query.items() if f"{name}={value}" not in hidden]
        user, password = self._parts.username or "", self._parts.password or ""
        secret = password or user
        if not secret:
            return tuple(asked)
        encoded = base64.b64encode(self._pair).decode("ascii")
        return (encoded, secret, unquote(secret), *asked)

    @property
    def _pair(self) -> bytes:
        user, password = self._parts.username or "", self._parts.password or ""
        return f"{unquote(user)}:{unquote(password)}".encode() if user or password else b""

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)


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

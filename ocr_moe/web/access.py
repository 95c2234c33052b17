"""Who may call a server, and by which names: what the configuration and the environment say."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ocr_moe.errors import ConfigError, UsageError
from ocr_moe.workshop.config import Config

TOKEN = "OCR_MOE_TOKEN"
"""The environment variable that holds the token."""
MIN_TOKEN = 16
"""Characters. Random ones are then more than can be guessed over a network."""
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")

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
        bound = address_of(self.host)
        return bound.is_loopback if bound else self.host.lower() == "localhost"

    def serves(self, host: Host) -> bool:
        """Whether a request that names this host is meant for us.

        A name that somebody else owns may be made to lead here; an address cannot, nor can
        `localhost`, which browsers ask nobody for. The port of a request says nothing: it is another
        one behind a proxy, a tunnel or a container's mapping.
        """
        if any(own.name == host.name and own.port in (None, host.port) for own in self.hosts):
            return True
        bound, called = address_of(self.host), host.address
        if bound is not None and bound.is_unspecified:
            return host.name == "localhost" or not (called is None or called.is_unspecified)
        if host.name == self.host.lower() or (bound is not None and called == bound):
            return True
        local = called.is_loopback if called else host.name == "localhost"
        return local and self.on_loopback

    def trusts(self, client: str | None) -> bool:
        """Whether an address is a trusted proxy's."""
        address = address_of(client or "")
        return address is not None and any(address in network for network in self.proxies)


def address_of(text: str) -> Address | None:
    """The address that a text is; None for anything else."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


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

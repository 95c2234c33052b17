"""Who is logged in, and who tries to be: in memory, and never longer than a server runs."""

from __future__ import annotations

import ipaddress
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

from ocr_moe.web.access import address_of

SESSION_HOURS = 12
"""A working day. Sessions live in memory: a restart ends them."""
MAX_SESSIONS = 1000
"""Of all people together; with more, the oldest ends."""
LOGIN_ATTEMPTS = 5
"""Wrong tokens from one address (of IPv6: one network /64) until it has to wait."""
LOGIN_WAIT = 60.0
"""Seconds after which an attempt is forgotten."""
MAX_ADDRESSES = 4096
"""Addresses whose attempts are kept in mind."""


class Sessions:
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
        self._ends[digest(session)] = self._clock() + SESSION_HOURS * 3600
        return session

    def is_open(self, session: str) -> bool:
        return self._ends.get(digest(session), float("-inf")) > self._clock()

    def close(self, session: str) -> None:
        self._ends.pop(digest(session), None)


class Attempts:
    """Wrong tokens, by the address that they came from."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at: OrderedDict[str, list[float]] = OrderedDict()
        """Where from → when, the latest attempts only; who tried longest ago is first."""

    def note(self, client: str | None) -> None:
        key = _neighbourhood(client)
        before = self._at.pop(key, [])
        self._at[key] = [*before, self._clock()][-LOGIN_ATTEMPTS:]
        if len(self._at) > MAX_ADDRESSES:
            self._at.popitem(last=False)

    def wait(self, client: str | None) -> int:
        """Seconds until the next attempt is taken."""
        at = self._at.get(_neighbourhood(client), [])
        if len(at) < LOGIN_ATTEMPTS:
            return 0
        return max(0, math.ceil(at[0] + LOGIN_WAIT - self._clock()))


def digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _neighbourhood(client: str | None) -> str:
    """An address, or the network that a single customer is given (IPv6)."""
    address = address_of(client or "")
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return client or ""

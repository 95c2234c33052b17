"""Addresses as they are written into files and shown: without the credentials in them."""

from __future__ import annotations

import re
from typing import Any

MASK = "…"
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(
    r"([?&][^=&#\s]*(?:key|token|secret|sig|password|credential)[^=&#\s]*=)[^&#\s]+", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """An address, or a text with addresses in it, with … for users, passwords and keys.

    >>> without_credentials("http://me:pass@host:8000/v1?api-key=1234&version=2")
    'http://…@host:8000/v1?api-key=…&version=2'
    """
    return _QUERY.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", text))


def all_without_credentials(value: Any) -> Any:
    """Plain values of any depth with all texts so."""
    if isinstance(value, str):
        return without_credentials(value)
    if isinstance(value, dict):
        return {key: all_without_credentials(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_without_credentials(inner) for inner in value]
    return value

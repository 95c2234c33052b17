"""Addresses as they are written into files and shown: without credentials, and fit to be linked to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

MASK = "…"
_ENCODED = re.compile(r"(?:%[89A-F][0-9A-F])+")
"""Bytes of characters beyond ASCII."""
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


def file_address(path: str) -> str:
    """The `file:` URI of a file, to be linked to; empty where a path is not absolute or no text.

    ASCII that means something in an address (`#`, `%`, spaces) is encoded; other characters stay, as
    Excel itself writes them: it does not read them encoded everywhere.

    >>> file_address("/scans/张三 #1 50%.jpg")
    'file:///scans/张三%20%231%2050%25.jpg'
    """
    place = Path(path)
    if not place.is_absolute() or not path.isprintable():
        return ""
    address = place.as_uri()
    return _ENCODED.sub(lambda found: unquote(found[0], errors="strict"), address)

"""Names of files and folders made of names that come from elsewhere."""

from __future__ import annotations

import hashlib
import re

_NAME_BYTES = 200
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"|?*\\/\ud800-\udfff]')
_FILE = re.compile(r"(?i)\.(html|jsonl?|lock|sqlite[^.]*|xlsx|yaml)$|^documents$")
"""What the files of a run are called, and the folder beside them."""


def safe_name(part: str) -> str:
    """A part of a path that stays inside its folder and that every common file system takes."""
    safe = _FORBIDDEN.sub("_", part)
    if set(safe) <= {"."}:
        safe = "_" * max(len(safe), 1)
    if safe.endswith((".", " ")):
        safe = safe.rstrip(". ") + "_"
    if _RESERVED.fullmatch(safe):
        safe = f"_{safe}"
    encoded = safe.encode("utf-8")
    if len(encoded) > _NAME_BYTES:
        safe = encoded[:_NAME_BYTES].decode("utf-8", "ignore")
    return safe


def folder_name(name: str) -> str:
    """The name of a strategy's folder: the strategy's own, where it can be one beside a run's files.

    Otherwise with a hash of it, so that names stay apart.

    >>> folder_name("moe"), folder_name("../../x")
    ('moe', '.._.._x.9cdf6a50100a')
    """
    safe = safe_name(name)
    if safe == name and not safe.startswith(".") and not _FILE.search(safe):
        return name
    return f"{safe}.{short_digest(name)}"


def short_digest(text: str) -> str:
    """Twelve characters that differ where texts do."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]

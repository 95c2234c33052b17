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


def readable(name: str) -> str:
    """A path that can be written as UTF-8, whatever bytes the file system holds.

    Parts that are not UTF-8 are taken for GBK, as Chinese Windows programs wrote them.
    """
    return "/".join(map(_readable_part, name.split("/")))


def _readable_part(part: str) -> str:
    if part.isascii():
        return part
    try:
        raw = part.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character: from Windows, where names are UTF-16
        raw = part.encode("utf-8", "replace")
    return text_of(raw)


def text_of(raw: bytes) -> str:
    """Bytes as text: UTF-8, else GBK, as Chinese Windows programs write it, else what can be
    read."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


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

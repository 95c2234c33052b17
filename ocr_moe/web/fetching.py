"""Documents named by their https address, where the configuration allows it: fetched, never opened as
files here, and looked at by the intake like any other bytes."""

from __future__ import annotations

from typing import BinaryIO
from urllib.parse import unquote

from ocr_moe.errors import TooLargeError, UnreadableFileError
from ocr_moe.formats.addresses import without_credentials
from ocr_moe.formats.names import safe_name
from ocr_moe.web.outward import Answer, Outside, Target, Unreachable

MAX_REDIRECTS = 3
"""Each is looked at as the first address is."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 1 << 16


def fetch(
    url: str, into: BinaryIO, *, limit: int, seconds: float, outside: Outside | None = None
) -> str:
    """Write what is at an https address into a stream; the name that its path gives it, safe as a
    file's.

    At most `limit` bytes, and `seconds` for each address on the way. Raises UnreadableFileError, and
    TooLargeError; what was written by then is to be thrown away.
    """
    outside = outside or Outside()
    shown = without_credentials(url)[:200]
    try:
        target = Target.parse(url)
        for _ in range(MAX_REDIRECTS + 1):
            with outside.asked("GET", target, {"Accept": "*/*"}, seconds=seconds) as answer:
                if answer.status not in _REDIRECTS:
                    _write(answer, into, limit)
                    return _name(target)
                location = answer.header("Location")
            if location is None:
                raise Unreachable("it leads on to nowhere")
            target = target.joined(location)
        raise Unreachable(f"it leads on more than {MAX_REDIRECTS} times")
    except Unreachable as error:
        raise UnreadableFileError(f"{shown}: {error}") from None
    except _TooMuch:
        raise TooLargeError(f"{shown}: it has more than {limit} bytes") from None


class _TooMuch(Exception):
    pass


def _write(answer: Answer, into: BinaryIO, limit: int) -> None:
    """Raises Unreachable, _TooMuch."""
    if answer.status != 200:
        raise Unreachable(f"the server answers {answer.status}")
    if (answer.header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise Unreachable("the server packs what it was asked not to pack")
    declared, done = answer.length, 0
    if declared is not None and declared > limit:
        raise _TooMuch
    while chunk := answer.read(min(_CHUNK, limit - done + 1)):
        done += len(chunk)
        if done > limit:
            raise _TooMuch
        into.write(chunk)
    if declared is not None and done != declared:
        raise Unreachable("the connection broke")


def _name(target: Target) -> str:
    """What the last part of a path says, for people: what the file is, its bytes tell."""
    last = unquote(target.path.partition("?")[0].rpartition("/")[2], errors="replace")
    return safe_name(last) if last else "document"

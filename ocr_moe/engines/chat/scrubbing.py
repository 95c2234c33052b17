"""Secrets taken out of whatever a server says, where it comes in: nothing further in ever holds them."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote

MASK = "…"
_WHOLE = 12
"""So many characters of a secret give it away, wherever it was cut."""
_LEAST = 8
"""Shorter secrets are looked for as whole words only: parts of them are everywhere."""
_PLACEHOLDERS = frozenset(
    {"none", "null", "empty", "dummy", "test", "ollama", "lm-studio", "key", "x", "xxx"}
)
"""What is written for a key where a server wants none."""
_ESCAPED = re.compile(r"\\u00([2-7][0-9a-fA-F])")


class Scrubber:
    """Finds secrets, their parts of 12 characters and more, and the forms in which they are sent.

    Of a secret of less than 24 characters its half gives it away, of one of less than 8 the whole.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            if secret and secret.lower() not in _PLACEHOLDERS
            for form in _forms(secret)
        }
        self._long = tuple(sorted((form for form in forms if len(form) >= _LEAST), key=len))
        short = sorted(re.escape(form) for form in forms if 1 < len(form) < _LEAST)
        self._short = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(short)})(?![A-Za-z0-9])")
        self._seeks_short = bool(short)

    def text(self, text: str) -> str:
        """The text with … for each secret."""
        spans = self._spans(text)
        if not spans and "\\u00" in text:
            # A secret in a JSON string, escaped letter by letter.
            plain = _ESCAPED.sub(_unescaped, text)
            if self._spans(plain):
                text, spans = plain, self._spans(plain)
        if not spans and "&" in text and ";" in text:
            plain = html.unescape(text)
            if self._spans(plain):
                text, spans = plain, self._spans(plain)
        kept, at = [], 0
        for start, end in spans:
            kept += [text[at:start], MASK]
            at = end
        return "".join((*kept, text[at:]))

    def tokens(self, tokens: Sequence[str]) -> list[str]:
        """The same for a text in pieces: as many pieces, which add up to the scrubbed text."""
        spans = self._spans("".join(tokens))
        if not spans:
            return list(tokens)
        first = {start for start, _ in spans}
        secret = {position for start, end in spans for position in range(start, end)}
        kept, at = [], 0
        for token in tokens:
            left = [
                MASK if position in first else character
                for position, character in enumerate(token, start=at)
                if position in first or position not in secret
            ]
            kept.append("".join(left))
            at += len(token)
        return kept

    def _spans(self, text: str) -> list[tuple[int, int]]:
        """Where secrets stand, in order, merged where they touch or overlap."""
        found = [span for form in self._long for span in _parts(form, text)]
        if self._seeks_short:
            found += [match.span() for match in self._short.finditer(text)]
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return merged


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield unquote(secret)
    yield base64.b64encode(secret.encode()).decode("ascii").rstrip("=")


def _parts(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Every stretch of `text` that is a part of `secret` long enough to give it away.

    Such a part holds one of the secret's blocks of half that length whole, so that texts without
    any are passed over quickly.
    """
    enough = max(_LEAST, min(_WHOLE, -(-len(secret) // 2)))
    block = max(1, (enough + 1) // 2)
    for offset in range(0, len(secret) - block + 1, block):
        piece = secret[offset : offset + block]
        at = text.find(piece)
        while at >= 0:
            start, end = at, at + block
            before, after = offset, offset + block
            while start and before and text[start - 1] == secret[before - 1]:
                start, before = start - 1, before - 1
            while end < len(text) and after < len(secret) and text[end] == secret[after]:
                end, after = end + 1, after + 1
            if end - start >= enough:
                yield start, end
            at = text.find(piece, at + 1)


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match.group(1), 16))
    return match.group() if character in '"\\' else character

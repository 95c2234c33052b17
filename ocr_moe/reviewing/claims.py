"""Documents that reviewers keep for themselves for some minutes, so that no two work on one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ocr_moe.errors import OcrMoeError
from ocr_moe.subjects import DocumentKey


class ClaimedError(OcrMoeError):
    """Somebody else works on the document."""


@dataclass(frozen=True)
class _Claim:
    reviewer: str
    until: datetime


class Claims:
    """Who works on which document. A reviewer has one at a time. Not to be shared between threads."""

    def __init__(self, minutes: float) -> None:
        """`minutes` after which a claim that nobody renews ends."""
        self._lasting = timedelta(minutes=minutes)
        self._claims: dict[DocumentKey, _Claim] = {}

    def claim(self, key: DocumentKey, reviewer: str) -> None:
        """Keep a document for a reviewer, in place of the one before. Raises ClaimedError."""
        self.check(key, reviewer)
        self.release(reviewer)
        self._claims[key] = _Claim(reviewer, datetime.now(UTC) + self._lasting)

    def holder(self, key: DocumentKey) -> str | None:
        """Who keeps a document; None for nobody."""
        claim = self._claims.get(key)
        return claim.reviewer if claim is not None and claim.until > datetime.now(UTC) else None

    def is_open_to(self, key: DocumentKey, reviewer: str) -> bool:
        """Whether nobody else keeps the document."""
        return self.holder(key) in (None, reviewer)

    def check(self, key: DocumentKey, reviewer: str) -> None:
        """Raises ClaimedError where another keeps the document."""
        if not self.is_open_to(key, reviewer):
            raise ClaimedError(f"{self.holder(key)} works on {key.path}")

    def release(self, reviewer: str) -> None:
        """Let go of what a reviewer has claimed."""
        self._claims = {k: c for k, c in self._claims.items() if c.reviewer != reviewer}

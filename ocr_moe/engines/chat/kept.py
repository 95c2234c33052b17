"""A reply as it is kept for the question that it answers, until that is put again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.replies import checked
from ocr_moe.errors import ChatServerError
from ocr_moe.types import Cost, Value


class Kept(Value):
    """What came of one request, in canonical form and free of secrets."""

    status: int = 0
    """0 where it was not made, or not to its end, however often it was in a batch."""
    body: Mapping[str, Any] = {}
    why: str = ""
    factor: float = 1.0
    """The part of the price that was paid."""
    before: Cost | None = None
    """What was paid besides, for finding out what the server can do."""

    def completion(self, complaints: Complaints) -> Any:
        """The completion. Raises ChatError, as if the server had just said it."""
        from openai.types.chat import ChatCompletion

        if self.status == 0:
            said = complaints.quoted(self.why or self.body.get("error", {}).get("message") or "")
            raise ChatServerError(
                f"{complaints.who} did not answer in any of its batches{f': {said}' if said else ''}. "
                "Run again with --retry-failed to have it asked anew."
            )
        if self.status >= 400:
            raise complaints.of_status(self.status, self.body)
        return checked(ChatCompletion.construct(**self.body), complaints)

"""From third-party exceptions and status codes to the tree of `ocr_moe.errors`.

Every error is a sentence that says what to do, with the server's own words short, readable and free
of secrets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ocr_moe.engines.chat.settings import variable
from ocr_moe.errors import (
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
)

_LONGEST = 200
"""Characters of a server's words that are told."""


@dataclass(frozen=True)
class Complaints:
    """Words for whatever goes wrong with one endpoint."""

    name: str
    host: str
    timeout: float
    secrets: tuple[str, ...]
    """What must not appear in any message."""

    @property
    def who(self) -> str:
        """Begins a sentence."""
        return f"The {self.name} endpoint ({self.host})"

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turns the client's exceptions into ours. Raises ChatError."""
        import openai

        try:
            yield
        except openai.APITimeoutError as error:
            raise ChatConnectionError(
                f"{self.who} did not answer within {self.timeout:g} s. Is it overloaded? "
                "A longer `timeout` or a smaller `concurrency` may help."
            ) from error
        except openai.APIConnectionError as error:
            raise ChatConnectionError(
                f"{self.who} cannot be reached. Is the server running, and is "
                f"{variable(self.name, 'BASE_URL')} right?"
            ) from error
        except openai.APIStatusError as error:
            raise self._of_status(error.status_code, error.body) from error
        except (openai.OpenAIError, ValueError) as error:
            # The client raises plain ValueError where a body announced as JSON is not JSON.
            raise ChatAnswerError(
                f"{self.who} answered with something that is not JSON. Check the base URL: it "
                "usually ends in /v1."
            ) from error

    def quoted(self, said: object) -> str:
        """A server's words on one short line, without markup and without secrets."""
        plain = _plain(said)
        for secret in self.secrets:
            plain = plain.replace(secret, "…")
        return _short(plain)

    def _of_status(self, status: int, body: object) -> ChatError:
        said = self.quoted(_message(body))
        said = f": {said}" if said else ""
        if status in (401, 403):
            key = variable(self.name, "API_KEY")
            return ChatAuthError(f"{self.who} refused the key ({status}){said}. Set {key}.")
        if status == 429:
            return ChatRateLimitError(
                f"{self.who} still answered 429 (too many requests) after all retries{said}. "
                "Lower `concurrency`, or run again later: what was read is kept."
            )
        if status >= 500:
            return ChatServerError(f"{self.who} failed with {status}{said}.")
        hint = " Check the base URL: it usually ends in /v1." if status in (404, 405) else ""
        return ChatRequestError(f"{self.who} refused the request ({status}){said}.{hint}")


def words_of(error: ChatError) -> str:
    """What the server itself said, in lower case, without our sentence around it."""
    body = getattr(error.__cause__, "body", None)
    return _short(_plain(_message(body))).lower()


def _message(body: Any) -> Any:
    if isinstance(body, dict):
        inner = body.get("error", body)
        text = inner.get("message") if isinstance(inner, dict) else inner
        return text or body.get("detail") or body.get("message") or ""
    return body if isinstance(body, str) else ""


def _plain(text: object) -> str:
    plain = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", str(text), flags=re.S))
    return " ".join(plain.split())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

"""From third-party exceptions and status codes to the tree of `ocr_moe.errors`.

Every error is a sentence that says what to do, with the server's own words short, readable and free
of secrets.
"""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ocr_moe.engines.chat.quirks import recognise
from ocr_moe.engines.chat.scrubbing import Scrubber
from ocr_moe.engines.chat.settings import variable
from ocr_moe.errors import (
    ChatAnswerError,
    ChatAuthError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
    ChatTooLargeError,
)

_log = logging.getLogger(__name__)

_LONGEST = 200
"""Characters of a server's words that are told."""


@dataclass(frozen=True)
class Complaints:
    """Words for whatever goes wrong with one endpoint."""

    name: str
    host: str
    timeout: float
    scrub: Scrubber
    """Takes out what must not appear anywhere."""
    extra: tuple[str, ...] = ()
    """Keys of the configured `extra_body`."""

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
        except openai.OpenAIError as error:
            # An error of ours comes back as it is, or wrapped by older versions of the client.
            told = getattr(error, "told", None) or getattr(error.__cause__, "told", None)
            raise (told or self._of_client(error)) from error
        except ValueError as error:
            # The client raises plain ValueError where a body announced as JSON is not JSON.
            raise self.no_completion() from error

    def _of_client(self, error: Exception) -> ChatError:
        import openai

        if isinstance(error, openai.APITimeoutError):
            return ChatConnectionError(
                f"{self.who} did not answer within {self.timeout:g} s. Is it overloaded? "
                "A longer `timeout` or a smaller `concurrency` may help."
            )
        if isinstance(error, openai.APIConnectionError):
            return ChatConnectionError(
                f"{self.who} cannot be reached. Is the server running, and is "
                f"{variable(self.name, 'BASE_URL')} right?"
            )
        if isinstance(error, openai.APIStatusError):
            return self.of_status(error.status_code, error.body)
        return self.no_completion()

    def no_completion(self, body: object = "") -> ChatAnswerError:
        """Of a body that is something else."""
        said = self.quoted(message_of(body))
        return ChatAnswerError(
            f"{self.who} answered with something other than a chat completion"
            f"{f' ({said})' if said else ''}. Check the base URL: it usually ends in /v1."
        )

    def given_up(self, failures: int, seconds: float) -> ChatError:
        """Of a question that is not put."""
        return ChatConnectionError(
            f"{self.who} is not asked: it failed {failures} times in a row. It is tried again in "
            f"{seconds:.0f} s; what fails until then is asked with --retry-failed."
        )

    def tell_given_up(self, failures: int) -> None:
        _log.warning(
            "%s hangs or is away: %d attempts failed in a row. The batch goes on without it, and "
            "tries it again now and then; run it again with --retry-failed for what it misses.",
            *(self.who, failures),
        )

    def tell_estimated(self) -> None:
        _log.warning(
            "%s does not count tokens. They are estimated from the texts, and money is by estimate.",
            self.who,
        )

    def tell_back(self) -> None:
        _log.warning("%s answers again.", self.who)

    def redirected(self, host: str) -> ChatError:
        """Of a document that is not sent on."""
        return ChatRequestError(
            f"{self.who} sends requests on to {self.quoted(host)}, where no document is sent unasked. "
            f"Set {variable(self.name, 'BASE_URL')} to the address that is meant."
        )

    def overloaded(self, status: int, body: object) -> ChatError:
        said = self.quoted(message_of(body))
        return ChatRateLimitError(
            f"{self.who} still answered {status} (too many requests) after all retries"
            f"{f': {said}' if said else ''}. Lower `concurrency`, or run again later: what was read "
            "is kept."
        )

    def compressed(self) -> ChatError:
        return ChatAnswerError(
            f"{self.who} answered in a compressed form that was not asked for or is damaged. Is "
            "there a proxy between?"
        )

    def too_long(self, most: int) -> ChatError:
        return ChatAnswerError(
            f"{self.who} answered with more than {most:,} bytes, which is given up. Is it a chat "
            f"server? If so, see chat.{self.name}.max_answer_bytes."
        )

    def quoted(self, said: object) -> str:
        """A server's words on one short line, without markup and without secrets."""
        return _short(self.scrub.text(_plain(said)))

    def of_status(self, status: int, body: object) -> ChatError:
        """Of a refusal or failure of the server."""
        said = self.quoted(message_of(body))
        said = f": {said}" if said else ""
        if status in (401, 403):
            key = variable(self.name, "API_KEY")
            return ChatAuthError(f"{self.who} refused the key ({status}){said}. Set {key}.")
        if status == 429:
            return self.overloaded(status, body)
        quirk = recognise(_words(body))
        if status == 413 or (quirk is not None and quirk.too_large):
            return ChatTooLargeError(
                f"{self.who} finds the request too large ({status}){said}. For images, set a smaller "
                "`max_side` for the expert that sends them, or allow the server more."
            )
        if status >= 500:
            return ChatServerError(f"{self.who} failed with {status}{said}.")
        hint = " Check the base URL: it usually ends in /v1." if status in (404, 405) else ""
        for key in self.extra:
            if key.lower() in _words(body):
                hint = f" Change `{key}` in chat.{self.name}.extra_body, or leave it out."
        return ChatRequestError(f"{self.who} refused the request ({status}){said}.{hint}")


def words_of(error: ChatError) -> str:
    """What the server itself said, in lower case, without our sentence around it."""
    return _words(getattr(error.__cause__, "body", None))


def _words(body: object) -> str:
    return _short(_plain(message_of(body))).lower()


def message_of(body: Any) -> Any:
    """The sentence in an error's body, in any of the forms that servers have for it."""
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

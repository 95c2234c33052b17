"""A server's batches: requests in a file, submitted once, and what came of each.

The API is OpenAI's (/v1/files, /v1/batches), as compatible servers have it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ocr_moe.engines.chat.bodies import canonical
from ocr_moe.engines.chat.connection import Connection
from ocr_moe.errors import (
    ChatAnswerError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
    ConfigError,
)

MARK = "ocr_moe_batch"
"""Key of a batch's metadata under which our mark stands."""
_URL = "/v1/chat/completions"
_WINDOW = "24h"
"""The only one that OpenAI has."""
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_TRANSFER = 1800.0
"""Seconds in which a file of 200 MB is there, at a megabit a second."""
_LOOK = 30.0
"""Seconds in which a server says whether it has batches; one that does not is found out later."""
_PAGE = 100
"""Batches that are listed at a time."""
_SKEW = 86_400.0
"""Seconds by which the clocks of a server and of this machine may differ."""
_WITHOUT = frozenset({400, 404, 405, 501})
"""How servers without batches answer those who ask for them."""
_AGAIN = frozenset({408, 409, 429})
"""Statuses below 500 that a request need not meet twice."""


@dataclass(frozen=True)
class Line:
    """What a batch says of one request."""

    key: str
    status: int
    """0 where the request was not made, or not to its end."""
    body: Mapping[str, Any]
    """In canonical form (`ocr_moe.engines.chat.bodies`)."""

    @property
    def may_be_repeated(self) -> bool:
        return self.status == 0 or self.status >= 500 or self.status in _AGAIN


@dataclass(frozen=True)
class Ended:
    lines: Iterable[Line]
    why: str
    """What is to be said of requests that no line is about, as the rest of a sentence."""


class Batches:
    """Of one server. Safe to share between threads. All methods raise ChatError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def examine(self) -> None:
        """Raises ConfigError where the server has none."""
        with self._refusing():
            self._ask(lambda client: client.batches.list(limit=1), seconds=_LOOK, retries=1)

    def submit(self, mark: str, requests: Callable[[], Iterable[tuple[str, str]]]) -> str:
        """The server's name for the batch. An attempt that broke off is looked for before the next."""
        with self._refusing():
            data = b"".join(map(_line, requests()))
            upload = (f"ocr_moe-{mark}.jsonl", data, "application/jsonl")
            file = self._ask(
                lambda client: client.files.create(file=upload, purpose="batch"), seconds=_TRANSFER
            )
            attempts = self._connection.params.retries
            while True:
                try:
                    batch = self._ask(
                        lambda client: client.batches.create(
                            input_file_id=file.id,
                            endpoint=_URL,
                            completion_window=_WINDOW,
                            metadata={MARK: mark},
                            extra_headers={"Idempotency-Key": mark},
                        ),
                        retries=0,
                    )
                    return _named(batch.id)
                except (ChatConnectionError, ChatServerError, ChatRateLimitError, ChatAnswerError):
                    found = self.find(mark, 0.0)
                    if found is not None:
                        return found
                    if not attempts:
                        raise
                    attempts -= 1

    def find(self, mark: str, since: float) -> str | None:
        """The server's name for the batch of a mark that was submitted after `since`."""
        after: dict[str, Any] = {}
        while True:
            page = self._page(**after)
            for batch in page.data or ():
                if (batch.metadata or {}).get(MARK) == mark:
                    return _named(batch.id)
            last = page.data[-1] if page.data else None
            if last is None or not page.has_more or (last.created_at or 0) < since - _SKEW:
                return None
            after = {"after": last.id}

    def end(self, id: str) -> Ended | None:
        """What came of a batch; None while it is under way."""
        batch = self._ask(lambda client: client.batches.retrieve(id))
        if batch.status not in _ENDED:
            return None
        said = [error.message for error in (batch.errors and batch.errors.data) or ()]
        words = self._connection.complaints.quoted("; ".join(filter(None, said)))
        files = [file for file in (batch.output_file_id, batch.error_file_id) if file]
        why = f"the batch {id} is {batch.status}{f' ({words})' if words else ''}"
        return Ended(self._lines(files), why)

    def _lines(self, files: Iterable[str]) -> Iterator[Line]:
        scrub = self._connection.complaints.scrub
        for file in files:
            for text in self._content(file).splitlines():
                try:
                    said = json.loads(text)
                    key, response = said["custom_id"], said.get("response") or {}
                    status = int(response.get("status_code") or 0)
                    body = response.get("body") or {"error": said.get("error") or {}}
                except (ValueError, RecursionError, LookupError, AttributeError, TypeError):
                    continue  # its request counts as one that was left out
                plain = canonical(body, scrub)
                if status and status < 400 and "choices" not in plain:
                    status = 0
                yield Line(str(key), status, plain)

    def _page(self, **after: Any) -> Any:
        return self._ask(lambda client: client.batches.list(limit=_PAGE, **after))

    def _content(self, file: str) -> bytes:
        content = self._ask(lambda client: client.files.content(file), seconds=_TRANSFER)
        return bytes(content.content)

    def _ask(
        self,
        ask: Callable[[Any], Awaitable[Any]],
        *,
        seconds: float | None = None,
        retries: int | None = None,
    ) -> Any:
        return self._connection.call(ask, seconds=seconds, retries=retries)

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turns the refusal of a server without batches into a ConfigError."""
        try:
            yield
        except (ChatRequestError, ChatServerError, ChatAnswerError) as error:
            status = getattr(error.__cause__, "status_code", None)
            if not isinstance(error, ChatAnswerError) and status not in _WITHOUT:
                raise
            name = self._connection.name
            raise ConfigError(
                f"{self._connection.complaints.who} takes no batches: {_sentence(error)} Set "
                f"chat.{name}.batch to false to have its questions answered at once, at its usual price."
            ) from error


def _sentence(error: ChatError) -> str:
    text = str(error)
    return text if text.endswith(".") else f"{text}."


def _line(request: tuple[str, str]) -> bytes:
    """A request in a batch's file; its body is JSON already."""
    key, body = request
    head = json.dumps({"custom_id": key, "method": "POST", "url": _URL})
    return f'{head[:-1]}, "body": {body}}}\n'.encode("ascii")


def _named(id: object) -> str:
    if not isinstance(id, str) or not id:
        raise ChatAnswerError("the server gave a batch no name")
    return id

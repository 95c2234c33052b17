"""One attempt at a request, bounded in time and size, and what comes back made plain.

This is the HTTP client that the `openai` package is lent.  It is an asynchronous one, run in a thread
of its own, since only a task can be given up wherever it hangs: while a name is looked up, in a
handshake, between two bytes of a header.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import threading
import time
import zlib
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import mktime_tz, parsedate_tz
from typing import Any, TypeVar

import openai

from ocr_moe.engines.chat.bodies import canonical, decoded, status_of
from ocr_moe.engines.chat.breaker import Breaker
from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.quirks import LOADING
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.errors import ChatError
from ocr_moe.observing import Observed, observe

Result = TypeVar("Result")

# httpx, or its successor
_HTTP = sys.modules[openai.DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0]]
_REDIRECTS = 5
_POLL = 2.0
"""Seconds between two looks at a server that is loading its model."""
_RETRY = "x-stainless-retry-count"
"""In which the client counts the attempts of a request."""
_KEPT = ("retry-after", "retry-after-ms", "x-should-retry")
"""Headers of an answer that the client goes by."""
_OF_BATCHES = re.compile(r"/(?:files|batches)(?:/[^/]+(?P<content>/content)?)?$")
"""Paths of requests about batches."""
_LONGEST_FILE = 1_000_000_000
"""Bytes of a batch's replies: 50,000 with the log-probabilities of 200 tokens each."""
_AWAY = frozenset({502, 503, 504})
"""A gateway's words for a server that hangs or is down."""


class Told(openai.OpenAIError):
    """Carries an error of ours through the client, which does not retry it."""

    def __init__(self, error: ChatError) -> None:
        super().__init__(str(error))
        self.told = error


class Overloaded(Told):
    """A request that was refused since the server has too much to do."""

    def __init__(self, error: ChatError, retry_after: float | None) -> None:
        super().__init__(error)
        self.retry_after = retry_after
        """Seconds, where the server says so."""


class Background:
    """An event loop in a thread of its own, for callers that wait."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(thread_name_prefix="ocr_moe-chat")
        self._loop.set_default_executor(self._pool)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="ocr_moe-chat", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work; an interrupt while waiting gives the work up."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """What is under way is given up."""
        with suppress(asyncio.CancelledError):
            self.run(_given_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._loop.close()


async def _given_up() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class Transport(openai.DefaultAsyncHttpxClient):
    """Sends requests to one server.

    An attempt as a whole (connecting, redirects on the same host, headers and body) takes no longer
    than the request's timeout; a body is no longer than `max_answer_bytes`.  A server that is loading
    its model is waited for, one that failed often in a row is not asked (`Breaker`).  An answer is
    its canonical JSON, with the status that belongs to it.
    """

    def __init__(
        self, params: ChatParams, complaints: Complaints, breaker: Breaker, *, local: bool
    ) -> None:
        # A document meant to stay on this machine must not leave it through a proxy.
        super().__init__(
            trust_env=not local,
            headers={"accept-encoding": "identity"},
            # How many there are is a matter of permits: none may wait here, on its time.
            limits=_HTTP.Limits(max_connections=None, max_keepalive_connections=None),
        )
        self._settings = params
        self._complaints = complaints
        self._breaker = breaker

    async def send(self, request: Any, **options: Any) -> Any:
        """One attempt, and further ones while the server loads its model.

        Raises Told, or what the HTTP library raises.
        """
        if request.headers.get(_RETRY, "0") != "0":
            observe(Observed.RETRIES, self._complaints.name)
        patience_ends = time.monotonic() + self._settings.loading_timeout
        while True:
            answer = await self._attempt(request, options)
            left = patience_ends - time.monotonic()
            if answer.status_code < 500 or left <= 0 or not _is_loading(answer.text):
                return self._unless_overloaded(answer)
            await asyncio.sleep(min(_POLL, left))

    def _unless_overloaded(self, answer: Any) -> Any:
        """Whoever asked decides when to ask again, not the client. Raises Overloaded."""
        retry_after = retry_after_of(answer.headers)
        status = answer.status_code
        if status == 429 or (status == 503 and retry_after is not None):  # RFC 9110, 10.2.3
            raise Overloaded(self._complaints.overloaded(status, answer.json()), retry_after)
        return answer

    async def _attempt(self, request: Any, options: dict[str, Any]) -> Any:
        seconds = self._breaker.wait()
        if seconds:
            raise Told(self._complaints.given_up(self._breaker.failures, seconds))
        http = _HTTP
        limit = (request.extensions.get("timeout") or {}).get("read")
        try:
            async with asyncio.timeout(limit):
                answer = await self._whole(request, options)
        except Told:
            self._recovered()
            raise
        except (TimeoutError, http.TimeoutException) as error:
            self._failed()
            raise http.ReadTimeout("the attempt took too long", request=request) from error
        except Exception as error:  # whatever a broken connection or protocol makes a library raise
            self._failed()
            if isinstance(error, http.RequestError):
                raise
            raise http.RemoteProtocolError(type(error).__name__, request=request) from error
        except BaseException:
            self._breaker.abandoned()
            raise
        if answer.status_code in _AWAY and not _is_loading(answer.text):
            self._failed()
        else:
            self._recovered()
        return answer

    async def _whole(self, request: Any, options: dict[str, Any]) -> Any:
        """The answer, once all of it is there."""
        for _ in range(_REDIRECTS):
            response = await super().send(
                request, **{**options, "stream": True, "follow_redirects": False}
            )
            try:
                data = await self._read(response)
            finally:
                await response.aclose()
            onward = response.next_request
            if onward is None:
                return self._plain(response, data)
            if not _is_same_server(request.url, onward.url) or onward.method != request.method:
                raise Told(self._complaints.redirected(onward.url.host))
            request = onward
        raise Told(self._complaints.redirected(request.url.host))

    async def _read(self, response: Any) -> bytes:
        """The body, decompressed. Raises Told where it is too long or compressed in a strange way."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        packed = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(encoding)
        if packed is None and encoding not in ("identity", ""):
            raise Told(self._complaints.compressed())
        unpack = None if packed is None else zlib.decompressobj(packed)
        most = self._settings.max_answer_bytes
        if _OF_BATCHES.search(response.request.url.path):
            most = max(most, _LONGEST_FILE)
        body = bytearray()
        async for chunk in response.aiter_raw():
            try:
                body += chunk if unpack is None else unpack.decompress(chunk, most + 1 - len(body))
            except zlib.error as error:
                raise Told(self._complaints.compressed()) from error
            if len(body) > most:
                raise Told(self._complaints.too_long(most))
        return bytes(body)

    def _plain(self, response: Any, data: bytes) -> Any:
        scrub = self._complaints.scrub
        status = response.status_code
        of_batches = _OF_BATCHES.search(response.request.url.path)
        if of_batches and status < 400:
            if not of_batches["content"]:  # lines of that are made canonical each
                data = scrub.text(data.decode("utf-8", errors="replace")).encode("utf-8")
            return type(response)(
                status,
                headers={"content-type": "application/json"},
                content=data,
                request=response.request,
            )
        body = decoded(data)
        if status < 400:
            status = status_of(body) or status
        said = json.dumps(canonical(body, scrub), ensure_ascii=False)
        kept = {name: response.headers[name] for name in _KEPT if name in response.headers}
        return type(response)(
            status,
            headers=kept | {"content-type": "application/json"},
            content=said.encode("utf-8"),
            request=response.request,
        )

    def _failed(self) -> None:
        if self._breaker.failed():
            self._complaints.tell_given_up(self._breaker.failures)
            observe(Observed.GIVEN_UP, self._complaints.name)

    def _recovered(self) -> None:
        if self._breaker.succeeded():
            self._complaints.tell_back()
            observe(Observed.GIVEN_UP, self._complaints.name, number=0)


def retry_after_of(
    headers: Mapping[str, str], now: Callable[[], float] = time.time
) -> float | None:
    """Seconds for which a server wants to be left alone: a number of them or a date (RFC 9110), or
    milliseconds (OpenAI); None where it does not say so in a way that can be read."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        said = headers.get(name, "").strip()
        try:
            seconds = float(said) * unit
        except ValueError:
            date = parsedate_tz(said)
            seconds = mktime_tz(date) - now() if date is not None and date[9] is not None else -1.0
        if 0 <= seconds < math.inf:
            return seconds
    return None


def _is_loading(text: str) -> bool:
    said = text.lower()
    return any(words in said for words in LOADING)


def _is_same_server(one: Any, other: Any) -> bool:
    """Whether an address is on the same host and port, or on the same host by TLS."""
    if one.host != other.host:
        return False
    return (one.scheme, one.port) == (other.scheme, other.port) or (
        one.scheme == "http" and other.scheme == "https"
    )

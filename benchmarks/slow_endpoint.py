"""A chat server that takes its time: so many seconds an answer, so many requests at a time, 429 beyond.

    python -m benchmarks.slow_endpoint [--latency 1] [--allowed 64] [--answers-at-once 0]

It speaks just as much HTTP and as much of the OpenAI protocol as a client needs, in one thread and about
a fifth of a millisecond a request, so that what is measured is the client.  The first line it prints is
its address; `GET /stats` tells what it has seen, `POST /reset` forgets it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from dataclasses import dataclass, field

_NAMES = re.compile(rb'"required": ?\[([^\]]*)\]')
_CHUNK = 1 << 16


@dataclass
class Seen:
    """What came in since the last reset."""

    answered: int = 0
    refused: int = 0
    connections: int = 0
    most: int = 0
    """Requests under way at one time."""
    first: float | None = None
    """When the first request came (seconds of a monotonic clock)."""
    ends: list[float] = field(default_factory=list)
    """When answers were sent."""

    def told(self) -> dict[str, object]:
        start = self.first or 0.0
        return {
            "answered": self.answered,
            "refused": self.refused,
            "connections": self.connections,
            "most": self.most,
            "ends": [round(end - start, 4) for end in self.ends],
        }


class SlowEndpoint:
    """`answers_at_once` is how many are worked on at a time, the others queue (llama.cpp with one slot);
    0 is all of them."""

    def __init__(
        self, latency: float, allowed: int, answers_at_once: int, values: dict[str, str]
    ) -> None:
        self._values = values
        self._latency = latency
        self._allowed = allowed
        self._slots = asyncio.Semaphore(answers_at_once) if answers_at_once else None
        self._under_way = 0
        self._seen = Seen()
        self._answers: dict[bytes, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        self._seen.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(found[1])) if found else b""
                method, path = head.split(b" ", 2)[:2]
                status, said = await self._respond(method, path, body)
                writer.write(
                    b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                    % (status, len(said))
                    + said
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _respond(self, method: bytes, path: bytes, body: bytes) -> tuple[bytes, bytes]:
        if path == b"/stats":
            return b"200 OK", json.dumps(self._seen.told()).encode()
        if path == b"/reset":
            self._seen = Seen()
            return b"200 OK", b"{}"
        if method == b"GET":
            return b"200 OK", b'{"object": "list", "data": [{"id": "slow", "object": "model"}]}'
        seen = self._seen
        if seen.first is None:
            seen.first = time.monotonic()
        if self._under_way >= self._allowed:
            seen.refused += 1
            return b"429 Too Many Requests", b'{"error": {"message": "too many requests"}}'
        self._under_way += 1
        seen.most = max(seen.most, self._under_way)
        try:
            if self._slots is None:
                await asyncio.sleep(self._latency)
            else:
                async with self._slots:
                    await asyncio.sleep(self._latency)
        finally:
            self._under_way -= 1
        seen.answered += 1
        seen.ends.append(time.monotonic())
        return b"200 OK", self._answer(body)

    def _answer(self, body: bytes) -> bytes:
        """A completion with a value for every field of the bound form."""
        form = _NAMES.search(body)
        names = form[1] if form else b""
        if names not in self._answers:
            values = {name: self._values.get(name) for name in json.loads(b"[%s]" % names)}
            content = json.dumps(values, ensure_ascii=False)
            message = {"role": "assistant", "content": content}
            completion = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "slow",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 600, "completion_tokens": 150, "total_tokens": 750},
            }
            self._answers[names] = json.dumps(completion).encode()
        return self._answers[names]


async def _main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--allowed", type=int, default=64)
    parser.add_argument("--answers-at-once", type=int, default=0)
    parser.add_argument("--values", type=json.loads, default={}, help="field → value, as JSON")
    options = parser.parse_args()
    endpoint = SlowEndpoint(
        options.latency, options.allowed, options.answers_at_once, options.values
    )
    server = await asyncio.start_server(
        endpoint.serve, "127.0.0.1", 0, limit=_CHUNK, backlog=4 * options.allowed
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())

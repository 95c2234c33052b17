"""The socket that pages and the service are served on."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from ocr_moe.web.serving import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_sent_at_once(host: str) -> None:
    """Without Nagle's algorithm, which waits for a client that itself waits."""

    async def taken() -> int:
        with listen(host, 0) as bound:
            found = asyncio.get_running_loop().create_future()

            class Seen(asyncio.Protocol):
                def connection_made(self, transport: asyncio.BaseTransport) -> None:
                    plain = transport.get_extra_info("socket")
                    found.set_result(plain.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                    transport.close()

            server = await asyncio.get_running_loop().create_server(Seen, sock=bound)
            async with server:
                _, writer = await asyncio.open_connection(*bound.getsockname()[:2])
                seen: int = await asyncio.wait_for(found, 30)
                writer.close()
                return seen

    with ThreadPoolExecutor(1) as apart:  # the browser of other tests has a loop in this thread
        assert apart.submit(lambda: asyncio.run(taken())).result()

"""Objects over a pair of pipes, between processes that trust each other."""

from __future__ import annotations

import pickle
import struct
import threading
from contextlib import suppress
from typing import IO, Any

_LENGTH = struct.Struct(">Q")


class Channel:
    """Whole objects in both directions. Any thread may send, one receives."""

    def __init__(self, incoming: IO[bytes], outgoing: IO[bytes]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Raises OSError or ValueError where the other side is gone, or the channel closed."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._outgoing.write(_LENGTH.pack(len(data)) + data)
            self._outgoing.flush()

    def end(self) -> None:
        """Nothing more is sent; the other side hears of it."""
        with self._lock, suppress(OSError):
            self._outgoing.close()

    def close(self) -> None:
        """By whoever receives."""
        self.end()
        self._incoming.close()

    def receive(self) -> Any:
        """The next object. Raises EOFError where no whole one will come any more."""
        [length] = _LENGTH.unpack(self._read(_LENGTH.size))
        return pickle.loads(self._read(length))

    def _read(self, size: int) -> bytes:
        try:
            data = self._incoming.read(size)
        except (OSError, ValueError) as error:
            raise EOFError from error
        if len(data) < size:
            raise EOFError
        return data

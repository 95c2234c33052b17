"""The process that decodes: started by `decoding`, fed over a pipe, bounded in memory and time.

A request is a line of JSON, after which for `open` the file's bytes follow; a reply is a line of
JSON, which for `text` holds all of it, and after which for `page` the RGB pixels follow, some rows at
a time. The process ends when the
pipe does. It imports neither pydantic nor numpy unless a file needs it, so as to start fast.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any, Protocol

from PIL import Image

from ocr_moe.errors import DocumentError, UnreadableFileError
from ocr_moe.intake.bounds import Bounds, frontier
from ocr_moe.intake.images import RasterFile
from ocr_moe.intake.kinds import IMAGES, kind_of, refusal

if TYPE_CHECKING:
    from ocr_moe.intake.textlayer import TextLayer

if sys.platform != "win32":
    import resource

STRIP = 1 << 20
"""Bytes of pixels that are sent at once, at least one row."""
_GRACE = 5
"""Seconds that the parent has to end a process which is over its time, before it ends itself."""


class OpenedFile(Protocol):
    """What decoders of all kinds have in common."""

    pages: int

    def text(self, number: int) -> TextLayer | None: ...

    def page(self, number: int, *, text: bool = True) -> Image.Image: ...

    def close(self) -> None: ...


def open_bytes(name: str, data: bytes, bounds: Bounds) -> OpenedFile:
    """Raises UnreadableFileError or TooLargeError."""
    kind = kind_of(data)
    if kind in IMAGES:
        return RasterFile(name, data, kind, bounds)
    if kind == "PDF":
        from ocr_moe.intake.pdf import PdfFile

        return PdfFile(name, data, bounds)
    raise UnreadableFileError(refusal(name, data))


def rows_per_strip(width: int) -> int:
    return max(STRIP // (3 * width), 1)


def serve(requests: IO[bytes], replies: IO[bytes], seconds: float) -> None:
    """Answer requests until there are no more."""
    opened: OpenedFile | None = None
    while line := requests.readline():
        request = json.loads(line)
        _set_alarm(seconds + _GRACE)
        image: Image.Image | None = None
        reply: dict[str, Any] = {}
        try:
            with frontier(request["name"]):
                if request["op"] == "open":
                    if opened is not None:
                        opened.close()
                    data = requests.read(request["size"])
                    opened = open_bytes(request["name"], data, Bounds(*request["bounds"]))
                    del data
                    reply = {"pages": opened.pages}
                elif request["op"] == "text":
                    assert opened is not None
                    reply = {"layer": opened.text(request["page"])}
                else:
                    assert opened is not None
                    image = opened.page(request["page"], text=request["text"])
        except DocumentError as error:
            exhausted = isinstance(error.__cause__, MemoryError)
            told = {"error": type(error).__name__, "message": str(error), "exhausted": exhausted}
            _reply(replies, told)
        else:
            if image is None:
                _reply(replies, reply)
            else:
                _send_pixels(replies, image)
        _set_alarm(0)


def _reply(replies: IO[bytes], reply: dict[str, Any]) -> None:
    replies.write(json.dumps(reply).encode() + b"\n")
    replies.flush()


def _send_pixels(replies: IO[bytes], image: Image.Image) -> None:
    """Some rows at a time, while the other side takes them in: a page need not be held twice."""
    width, height = image.size
    _reply(replies, {"size": image.size})
    step = rows_per_strip(width)
    for top in range(0, height, step):
        replies.write(image.crop((0, top, width, min(top + step, height))).tobytes())
    replies.flush()


def _set_alarm(seconds: float) -> None:
    """The system ends this process then, even amid a decoder's C code; 0 takes it back."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit_memory(mib: int) -> None:
    """Let this process grow by so much. What it has now is the interpreter and its libraries."""
    if sys.platform == "linux":
        with open("/proc/self/statm", encoding="ascii") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        most = now + (mib << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """End when the parent has been killed while a decoder is at work here."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    Image.MAX_IMAGE_PIXELS = None  # sizes are held against our own limits
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get among the replies
    if sys.platform != "win32":
        _end_with_parent()
    _limit_memory(memory)
    serve(requests, replies, seconds)


if __name__ == "__main__":
    main()

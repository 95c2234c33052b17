"""Files opened under limits: small plain images here, all others in a process of their own.

A decoder that crashes, hangs or swallows memory costs its document and a new process, never the
batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, TypeVar

from PIL import Image

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError
from ocr_moe.intake.bounds import out_of_memory
from ocr_moe.intake.images import RasterFile
from ocr_moe.intake.kinds import is_plain, kind_of
from ocr_moe.intake.limits import MIB, ImageLimits
from ocr_moe.intake.sources import Source
from ocr_moe.intake.textlayer import TextLayer, TextLine
from ocr_moe.intake.texts.documents import entries_of
from ocr_moe.intake.texts.setting import draw, page_text
from ocr_moe.intake.worker import STRIP, OpenedFile, rows_per_strip
from ocr_moe.types import PageText

Result = TypeVar("Result")

_PLAIN_PIXELS = 30_000_000
"""Pixels up to which plain images are decoded in this process."""
_PLAIN_MEMORY = 12
"""Bytes a pixel that a plain image may take at most on its way to RGB."""
_FILES_PER_PROCESS = 500
"""Files after which a process makes way for a new one, lest leaks add up."""
_PAGES_TO_LOSE = 3
"""Pages of a file that may crash or outlast their process before the others are given up: a file of
500 such pages is not to hold up a batch for a day."""
_START_SECONDS = 60.0
"""What a process may take to start on a busy machine."""
_ERRORS: Mapping[str, type[DocumentError]] = {
    error.__name__: error for error in (UnreadableFileError, TooLargeError)
}


class Decoder:
    """Opens files; keeps the processes that decode them. Safe to share between threads.

    As many processes are started as files are open at once that need one.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._idle: list[_Process] = []

    def open(self, source: Source, sha256: str | None = None) -> ImageFile:
        """Raises UnreadableFileError or TooLargeError; also when its bytes have not that hash."""
        return ImageFile(source, self, sha256)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for process in idle:
            process.stop()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lend(self) -> _Process:
        """A process for one file, to be given back."""
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return _Process(self.limits)
            if process.is_alive():
                return process
            process.stop()

    def give_back(self, process: _Process) -> None:
        if process.files >= _FILES_PER_PROCESS or not process.is_alive():
            process.stop()
            return
        with self._lock:
            self._idle.append(process)


class ImageFile(AbstractContextManager["ImageFile"]):
    """An opened file of one or more pages. See `Decoder.open`."""

    def __init__(self, source: Source, decoder: Decoder, sha256: str | None) -> None:
        self._source = source
        self._decoder = decoder
        self._sha256 = sha256
        self._here: OpenedFile | None = None
        self._process: _Process | None = None
        self._ended = 0
        """Processes that its pages took down."""
        self._open()

    pages: int
    given: PageText | None = None
    """Of a source without pixels, such as an item of JSON: its text, which is all of its one page."""

    def text(self, number: int) -> TextLayer | None:
        """What a page (from 1) itself says, without recognition; None where it is pixels.

        Raises UnreadableFileError or TooLargeError.
        """
        if self._here is not None or self.given is not None:
            return None
        self._reopen(number)
        return self._ask(lambda process: process.text(self._source.name, number))

    def page(self, number: int, *, text: bool = True) -> Image.Image:
        """The RGB pixels of a page (from 1), EXIF orientation obeyed.

        Without `text` those of the lines that `text` gives are left out. A text without pixels is drawn.
        Raises UnreadableFileError or TooLargeError.
        """
        if self.given is not None:
            return draw(self.given, self._source.name)
        if self._here is not None:
            image: Image.Image = self._here.page(number)
            return image
        self._reopen(number)
        return self._ask(lambda process: process.page(self._source.name, number, text))

    def _reopen(self, number: int) -> None:
        """Open the file once more where another page of it ended its process."""
        if self._process is None:
            if self._ended >= _PAGES_TO_LOSE:
                raise UnreadableFileError(
                    f"{self._source.name}: page {number} was not tried, for {_PAGES_TO_LOSE} others "
                    "crashed their decoder or took too long; save the file again"
                )
            self._open()

    def close(self) -> None:
        if self._here is not None:
            self._here.close()
            self._here = None
        if self._process is not None:
            self._decoder.give_back(self._process)
            self._process = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> None:
        name, limits = self._source.name, self._decoder.limits
        data = self._source.read(limits)
        if self._sha256 not in (None, hashlib.sha256(data).hexdigest()):
            raise UnreadableFileError(
                f"{name}: the file was changed while the run was under way; "
                "start again with --update"
            )
        if not data:
            raise UnreadableFileError(f"{name}: the file is empty; copy it again")
        kind = kind_of(data)
        if kind is None and (entries := entries_of(name, data)) is not None:
            self.given, self.pages = page_text(entries), 1
            return
        most = min(_PLAIN_PIXELS, limits.max_pixels, limits.max_memory * MIB // _PLAIN_MEMORY)
        if kind is not None and is_plain(data, kind, most):
            self._here = RasterFile(name, data, kind, limits.bounds)
            self.pages = self._here.pages
            return
        if len(data) > limits.max_memory * MIB // 2:
            raise TooLargeError(out_of_memory(name))
        self._process = self._decoder.lend()
        self.pages = self._ask(lambda process: process.open(name, data))

    def _ask(self, ask: Callable[[_Process], Result]) -> Result:
        assert self._process is not None
        try:
            return ask(self._process)
        except BaseException as error:
            process, self._process = self._process, None
            # After a refusal the process is as good as before; after all else it may be amid a reply.
            if type(error) in _ERRORS.values() and process.is_alive():
                self._decoder.give_back(process)
            else:
                process.stop()
                self._ended += 1
            raise


@contextmanager
def open_file(file: Path, limits: ImageLimits) -> Iterator[ImageFile]:
    """A single file, opened by itself. Raises UnreadableFileError or TooLargeError."""
    with Decoder(limits) as decoder, decoder.open(Source(file, file.name)) as opened:
        yield opened


class _Process:
    """A running `worker`, and one question to it at a time."""

    def __init__(self, limits: ImageLimits) -> None:
        self.files = 0
        """Files that were opened in it."""
        self._limits = limits
        self._seconds = _START_SECONDS
        self._popen: subprocess.Popen[bytes] | None = None

    def _started(self, name: str) -> tuple[IO[bytes], IO[bytes]]:
        if self._popen is None:
            try:
                self._popen = _start(self._limits)
            except OSError as error:
                raise UnreadableFileError(
                    f"{name}: no process could be started to decode it ({error.strerror}); "
                    "run again with --retry-failed"
                ) from error
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        return self._popen.stdin, self._popen.stdout

    def is_alive(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def stop(self) -> None:
        if self._popen is not None:
            self._popen.kill()
            with suppress(OSError), self._popen:
                pass
            self._popen = None

    def open(self, name: str, data: bytes) -> int:
        """Number of pages. Raises DocumentError, after which the process may be gone."""
        self.files += 1
        request = {"op": "open", "name": name, "size": len(data), "bounds": self._limits.bounds}
        with self._conversation(name) as (requests, replies):
            _send(requests, request, data)
            return int(self._reply(replies)["pages"])

    def text(self, name: str, number: int) -> TextLayer | None:
        """See `open`."""
        with self._conversation(name) as (requests, replies):
            _send(requests, {"op": "text", "name": name, "page": number})
            return _layer_of(self._reply(replies)["layer"])

    def page(self, name: str, number: int, text: bool) -> Image.Image:
        """See `open`."""
        with self._conversation(name) as (requests, replies):
            _send(requests, {"op": "page", "name": name, "page": number, "text": text})
            width, height = self._reply(replies)["size"]
            image = Image.new("RGB", (width, height))
            step = rows_per_strip(width)
            for top in range(0, height, step):
                rows = min(step, height - top)
                data = replies.read(3 * width * rows)
                if len(data) < 3 * width * rows:
                    raise EOFError
                image.paste(Image.frombytes("RGB", (width, rows), data), (0, top))
            return image

    def _reply(self, replies: IO[bytes]) -> dict[str, Any]:
        line = replies.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            if reply["exhausted"]:
                self.files = _FILES_PER_PROCESS
            raise _ERRORS[reply["error"]](reply["message"])
        return reply

    @contextmanager
    def _conversation(self, name: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        pipes = self._started(name)
        assert self._popen is not None
        seconds = self._limits.max_seconds
        late = threading.Event()

        def end(popen: subprocess.Popen[bytes]) -> None:
            late.set()
            popen.kill()

        timer = threading.Timer(seconds + self._seconds, end, (self._popen,))
        timer.daemon = True
        timer.start()
        try:
            yield pipes
            self._seconds = 0.0
        except (EOFError, OSError) as error:
            status = self._popen.wait()
            if late.is_set() or -status == getattr(signal, "SIGALRM", None):
                raise TooLargeError(
                    f"{name}: not decoded within {seconds:g} seconds (images.max_seconds in the "
                    "configuration); save it simpler or raise the limit"
                ) from error
            raise UnreadableFileError(
                f"{name}: its decoder crashed ({_signal_name(status)}), which damaged files do to "
                f"it, and those that take more than {self._limits.max_memory:,} MiB "
                "(images.max_memory in the configuration); save it again"
            ) from error
        finally:
            timer.cancel()


def _start(limits: ImageLimits) -> subprocess.Popen[bytes]:
    folders = [folder or os.getcwd() for folder in sys.path]
    command = [sys.executable, "-P", "-X", "utf8", "-m", "ocr_moe.intake.worker"]
    # A group of its own: Ctrl-C is for us, who then let it finish its page.
    group: dict[str, Any] = {"process_group": 0}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        [*command, str(limits.max_memory), str(limits.max_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=STRIP,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(folders),
            "OPENBLAS_NUM_THREADS": "1",
        },
        **group,
    )


def _send(requests: IO[bytes], request: dict[str, Any], data: bytes = b"") -> None:
    requests.write(json.dumps(request).encode() + b"\n" + data)
    requests.flush()


def _layer_of(told: list[Any] | None) -> TextLayer | None:
    """A text layer as it comes out of JSON, which knows lists only."""
    if told is None:
        return None
    width, height, rotation, lines, rest = told
    found = (TextLine(text, tuple((x, y) for x, y in quad), odd) for text, quad, odd in lines)
    return TextLayer(width, height, rotation, tuple(found), rest)


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"exit status {status}"

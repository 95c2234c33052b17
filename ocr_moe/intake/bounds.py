"""What decoders are told and how they say no; light, for the process that decodes imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ocr_moe.errors import DocumentError, TooLargeError, UnreadableFileError

_ADDRESS = re.compile(r"\s*<[^<>]*0x[0-9a-fA-F]+[^<>]*>")
MAX_SIDE = 65_500
"""Pixels a side may have; JPEG allows 65,535, and what is longer is no page."""


_HEAVY = 20
"""Bytes a pixel that the hungriest decoder takes: an animated WebP keeps five copies."""


class Bounds(NamedTuple):
    """The limits that concern the pixels of one file."""

    dpi: int
    max_pixels: int
    max_pages: int
    max_memory: int
    """MiB."""

    def check_size(self, name: str, width: int, height: int) -> None:
        """Raises TooLargeError."""
        if width * height > self.max_pixels:
            raise TooLargeError(
                f"{name}: {width:,} × {height:,} pixels, the limit is {self.max_pixels:,} "
                "(images.max_pixels in the configuration); save it smaller"
            )
        if max(width, height) > MAX_SIDE:
            raise TooLargeError(
                f"{name}: {width:,} × {height:,} pixels; a side may have {MAX_SIDE:,}: cut it up"
            )

    def is_heavy(self, pixels: int) -> bool:
        """Whether an image of so many pixels may fail for lack of memory, whatever its decoder says."""
        return pixels * _HEAVY > self.max_memory << 20

    def check_pages(self, name: str, pages: int, *, more: bool = False) -> None:
        """Raises TooLargeError; `more` says that there are more pages than were counted."""
        if pages > self.max_pages:
            raise TooLargeError(
                f"{name}: {'more than ' if more else ''}{pages - more} pages, the limit is "
                f"{self.max_pages} (images.max_pages in the configuration); split it"
            )


@contextmanager
def frontier(name: str, what: str = "damaged or cut off") -> Iterator[None]:
    """Whatever a decoder raises on a file becomes that file's error."""
    try:
        yield
    except DocumentError:
        raise
    except MemoryError as error:
        raise TooLargeError(out_of_memory(name)) from error
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise UnreadableFileError(
            f"{name}: {what} ({first_line(error)}); scan or save it again"
        ) from error


def out_of_memory(name: str) -> str:
    return (
        f"{name}: takes more memory to decode than images.max_memory in the configuration allows; "
        "save it smaller or raise the limit"
    )


def first_line(error: BaseException) -> str:
    """The error's own words, cut short; its class where it has none.

    Objects' addresses are left out: what is recorded is to be the same each time.
    """
    lines = _ADDRESS.sub("", str(error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__

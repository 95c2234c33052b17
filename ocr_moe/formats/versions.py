"""The version that a written file carries under `format`."""

from __future__ import annotations

from typing import Any


def refusal(written: Any, known: int) -> str | None:
    """Why a file of format `written` cannot be read where formats up to `known` are; None if it can.

    What carries no number is of format 1, which did not always say so.
    """
    if written is None:
        return None
    if not isinstance(written, int) or isinstance(written, bool) or written < 1:
        return f"the format {written!r} is no version number"
    if written > known:
        return (
            f"format {written} is of a later version than this program's {known}; upgrade ocr-moe"
        )
    return None

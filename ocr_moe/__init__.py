"""ocr_moe: certificates in, a checked spreadsheet out.

import ocr_moe
run = ocr_moe.extract("scans/", out="run")
run.to_frame()
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocr_moe.version import __version__

if TYPE_CHECKING:
    from ocr_moe.api import Options, Run, compare, evaluate, extract, review, suggest

__all__ = ["Options", "Run", "__version__", "compare", "evaluate", "extract", "review", "suggest"]


def __getattr__(name: str) -> Any:
    """The API is loaded on first use, so that importing the package costs nothing."""
    if name in __all__:
        from ocr_moe import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

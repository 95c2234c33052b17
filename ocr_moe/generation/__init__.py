"""Synthetic certificates with truth: images that look like scans, and what they say.

`generate` writes a set to disk; `render` draws one page from a `Spec`; `damage` damages a page.
Nothing here is a real document, person or number.
"""

from __future__ import annotations

from ocr_moe.generation.damage import LEVELS, Damaged, damage
from ocr_moe.generation.fonts import FontBook
from ocr_moe.generation.render import render
from ocr_moe.generation.samples import generate, layout_names
from ocr_moe.generation.spec import Rendered, Sample, Spec

__all__ = [
    "LEVELS",
    "Damaged",
    "FontBook",
    "Rendered",
    "Sample",
    "Spec",
    "damage",
    "generate",
    "layout_names",
    "render",
]

"""Typefaces: which of those we know are installed, and what each can draw."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont

from ocr_moe.errors import ConfigError
from ocr_moe.generation.lexicons import table
from ocr_moe.types import Value

PACKAGES = (
    "fonts-noto-cjk fonts-arphic-ukai fonts-arphic-uming fonts-wqy-zenhei "
    "fonts-wqy-microhei fonts-liberation fonts-dejavu-core fonts-freefont-ttf"
)


class Typeface(Value):
    """One face of a font file."""

    name: str
    style: str
    """song, hei, kai, fang (and …bold) for Chinese; serif, sans, mono, italic for Latin."""
    script: str
    """`cjk`, `latin`, or `digits` (a Chinese face that lacks simplified characters)."""
    path: str
    index: int = 0


class FontBook(Value):
    """The typefaces to draw with."""

    faces: tuple[Typeface, ...]

    @classmethod
    def discover(
        cls, folders: Sequence[Path] | None = None, only: Sequence[str] | None = None
    ) -> FontBook:
        """Finds the known typefaces below `folders` (default: the system's font folders).

        `only` keeps typefaces by name, e.g. to hold some back for testing; Latin ones stay when
        none of them is named.

        Raises:
            ConfigError: when no typeface for simplified Chinese is left, or a name is unknown.
        """
        roots = system_folders() if folders is None else folders
        found = {path.name.lower(): path for root in roots for path in _font_files(root)}
        faces = [
            Typeface(
                name=row["name"],
                style=row["style"],
                script=row["script"],
                path=str(found[row["file"].lower()]),
                index=int(row["index"]),
            )
            for row in table("fonts.csv")
            if row["file"].lower() in found
        ]
        if only is not None:
            known = {row["name"] for row in table("fonts.csv")}
            unknown = [name for name in only if name not in known]
            if unknown:
                raise ConfigError(
                    f"unknown typeface {unknown[0]!r}; known are {', '.join(sorted(known))}"
                )
            keep_latin = not any(f.name in only for f in faces if f.script != "cjk")
            faces = [f for f in faces if f.name in only or (keep_latin and f.script != "cjk")]
        if not any(face.script == "cjk" for face in faces):
            where = ", ".join(str(root) for root in roots)
            raise ConfigError(
                f"no typeface for Chinese was found in {where}. On Debian or Ubuntu: "
                f"apt-get install {PACKAGES}"
            )
        return cls(faces=tuple(faces))

    def of(self, *styles: str) -> tuple[Typeface, ...]:
        """The typefaces of these styles; all Chinese ones if there is none."""
        found = tuple(face for face in self.faces if face.style in styles)
        return found or tuple(face for face in self.faces if face.script == "cjk")

    def covering(self, face: Typeface, char: str) -> Typeface:
        """`face`, or the first other one that has a glyph for `char`, of its style if any."""
        if covers(face.path, face.index, char):
            return face
        for other in sorted(self.faces, key=lambda f: (f.style != face.style, f.script != "cjk")):
            if covers(other.path, other.index, char):
                return other
        return face


def system_folders() -> tuple[Path, ...]:
    """Where this system keeps fonts."""
    home = Path.home()
    if sys.platform == "darwin":
        return (Path("/Library/Fonts"), Path("/System/Library/Fonts"), home / "Library/Fonts")
    if os.name == "nt":
        return (Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",)
    return (
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        Path("/usr/share/texlive/texmf-dist/fonts/opentype"),
        home / ".local/share/fonts",
        home / ".fonts",
    )


def _font_files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in sorted(names):
            if name.lower().endswith((".ttf", ".ttc", ".otf")):
                yield Path(folder, name)


@lru_cache(maxsize=512)
def load(path: str, index: int, size: int) -> ImageFont.FreeTypeFont:
    """A face at a size in pixels. Basic layout: the same pixels wherever raqm is missing."""
    return ImageFont.truetype(path, size, index=index, layout_engine=ImageFont.Layout.BASIC)


@cache
def _missing_glyph(path: str, index: int) -> bytes:
    return _glyph(path, index, "\uffff")


def _glyph(path: str, index: int, char: str) -> bytes:
    mask = load(path, index, 32).getmask(char)
    return bytes(mask)


@lru_cache(maxsize=65536)
def covers(path: str, index: int, char: str) -> bool:
    """Whether the face has a glyph of its own for `char`."""
    return char.isspace() or _glyph(path, index, char) not in (b"", _missing_glyph(path, index))

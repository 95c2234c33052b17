"""Writes what docs/architecture.md says of floors and rooms from `.importlinter` and the docstrings.

    python -m recipes.architecture

The rest of that page is written by hand; a test holds every name in it against the code.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "architecture.md"
FLOORS = re.compile(r"(?<=<!-- floors -->\n).*?(?=## The way of one document)", re.DOTALL)
ROOMS = re.compile(r"(?<=<!-- rooms -->\n).*", re.DOTALL)


def main() -> None:
    """Write the page where it differs."""
    before = TARGET.read_text(encoding="utf-8")
    after = page(before)
    if after != before:
        TARGET.write_text(after, encoding="utf-8")
    print(f"{TARGET} is {'up to date' if after == before else 'written'}.")


def page(before: str) -> str:
    """The page with its made parts as the source has them now."""
    floors = "\n".join(f"    {floor}" for floor in floors_of(ROOT / ".importlinter"))
    made = FLOORS.sub(lambda _: f"\n{floors}\n\n", before, count=1)
    return ROOMS.sub(lambda _: "\n".join(_rooms(ROOT / "ocr_moe")) + "\n", made, count=1)


def floors_of(contracts: Path) -> list[str]:
    """The floors of the first contract, top floor first."""
    parser = configparser.ConfigParser()
    parser.read(contracts, encoding="utf-8")
    layers = parser["importlinter:contract:floors"]["layers"]
    return [line.strip() for line in layers.splitlines() if line.strip()]


def _rooms(package: Path) -> Iterator[str]:
    yield from ("", "### At the root: the seams", *_modules(package))
    for room in sorted(path.parent for path in package.rglob("__init__.py")):
        if room != package:
            name = room.relative_to(package).as_posix()
            yield from ("", f"### {name}/", _first_sentence(room / "__init__.py"), "")
            yield from _modules(room)


def _modules(room: Path) -> Iterator[str]:
    for module in sorted(room.glob("*.py")):
        if module.name != "__init__.py":
            yield f"- `{module.name}` {_first_sentence(module)}"


def _first_sentence(module: Path) -> str:
    text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


if __name__ == "__main__":
    main()

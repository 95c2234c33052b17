"""Draw data_samples again, and tell whether the bytes are those that ship.

    python -m recipes samples [--out FOLDER] [--workers N]

The same typefaces and the same versions of Pillow and OpenCV (constraints.txt) make the same bytes;
data_samples/README.md names the typefaces.
"""

from __future__ import annotations

import filecmp
import tempfile
from pathlib import Path

import typer

from ocr_moe.generation import generate

SAMPLES = Path(__file__).parent.parent / "data_samples"
SEED = 2060
COUNTS = {"graduation_certificate": 36, "business_license": 24}
"""Schema, which is also the folder's name → how many images."""


def main(out: Path | None = None, workers: int = 1) -> None:
    """Draw data_samples into a folder (a temporary one by default), and compare it with ours.

    Exits with 1 where a file differs from the shipped one.
    """
    with tempfile.TemporaryDirectory() as temporary:
        different = [
            name
            for schema, count in COUNTS.items()
            for name in redrawn(schema, count, (out or Path(temporary)) / schema, workers)
        ]
    if different:
        typer.echo(
            "Other typefaces, or versions of Pillow and OpenCV, draw otherwise: "
            "data_samples/README.md and constraints.txt name those that we used.",
            err=True,
        )
        raise typer.Exit(1)


def redrawn(schema: str, count: int, folder: Path, workers: int) -> list[str]:
    """Draw one set, tell how it compares, and give the names of the files that differ."""
    generate(folder, schema=schema, count=count, seed=SEED, workers=workers)
    names = sorted(path.name for path in folder.iterdir())
    same, differ, missing = filecmp.cmpfiles(SAMPLES / schema, folder, names, shallow=False)
    typer.echo(f"{schema}: {len(same)} of {len(names)} files have the bytes that ship")
    different = sorted([*differ, *missing])
    for name in different:
        typer.echo(f"  {name} differs")
    return different


if __name__ == "__main__":
    typer.run(main)

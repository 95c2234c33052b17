"""Measures an exported recogniser on the validation sets and writes its model card.

Needs `ocr_moe` installed, not PyTorch: what is measured is the file that ships, through the class
that uses it, next to the PP-OCR recogniser on the same crops.
"""

from __future__ import annotations

import argparse
import hashlib
import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image
from scipy.stats import binomtest

from ocr_moe.engines.lines import PpOcrLines, PpOcrParams, SpecialistLines, SpecialistParams
from ocr_moe.protocols import LineRecognizer, Posterior

SETS = ("clean", "scan", "photo", "hard", "codes")
CHARACTERS = frozenset(string.digits + string.ascii_uppercase)


@dataclass(frozen=True)
class Row:
    """Lines of one set read without an error."""

    name: str
    lines: int
    specialist: int
    ppocr: int
    only_specialist: int
    only_ppocr: int

    def share(self, right: int) -> str:
        """The share in per cent with its 95 % Wilson interval."""
        test = binomtest(right, self.lines)
        low, high = test.proportion_ci(method="wilson")
        return f"{100 * right / self.lines:.1f} % ({100 * low:.1f}–{100 * high:.1f})"

    def p_value(self) -> str:
        """Exact McNemar test of the two recognisers on the same lines."""
        apart = self.only_specialist + self.only_ppocr
        return f"{binomtest(self.only_specialist, apart).pvalue:.2g}" if apart else "–"


def greedy(posterior: Posterior) -> str:
    """Digits and capitals of the best path."""
    best = posterior.probabilities.argmax(axis=1)
    kept = [k for place, k in enumerate(best) if place == 0 or k != best[place - 1]]
    return "".join(c for c in (posterior.alphabet[k] for k in kept) if c in CHARACTERS)


def lines_of(path: Path) -> list[tuple[Image.Image, str]]:
    with np.load(path) as stored:
        data, shapes, texts = stored["data"], stored["shapes"], stored["texts"]
    lines, start = [], 0
    for (height, width), text in zip(shapes, texts, strict=True):
        end = start + int(height) * int(width) * 3
        pixels = data[start:end].reshape(height, width, 3)
        lines.append((Image.fromarray(pixels), "".join(c for c in str(text) if c in CHARACTERS)))
        start = end
    return lines


def measure(path: Path, specialist: LineRecognizer, ppocr: LineRecognizer) -> Row:
    lines = lines_of(path)
    crops = [crop for crop, _ in lines]
    ours = [
        greedy(posterior) == text
        for posterior, (_, text) in zip(specialist.recognize(crops), lines, strict=True)
    ]
    # PP-OCR also reads the label; its capitals before the code are no error.
    theirs = [
        greedy(posterior).endswith(text)
        for posterior, (_, text) in zip(ppocr.recognize(crops), lines, strict=True)
    ]
    pairs = list(zip(ours, theirs, strict=True))
    return Row(
        name=path.stem,
        lines=len(lines),
        specialist=sum(ours),
        ppocr=sum(theirs),
        only_specialist=sum(a and not b for a, b in pairs),
        only_ppocr=sum(b and not a for a, b in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--validation", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    specialist = SpecialistLines("specialist", SpecialistParams(model=options.model))
    ppocr = PpOcrLines("ppocr", PpOcrParams())
    rows = [
        measure(options.validation / f"{name}-{group}.npz", specialist, ppocr)
        for group in ("seen", "unseen")
        for name in SETS
    ]
    session = onnxruntime.InferenceSession(str(options.model))
    weights = options.model.read_bytes()
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
    )
    card = environment.get_template("card.md.j2").render(
        rows=rows,
        seen=int(session.get_modelmeta().custom_metadata_map["seen"]),
        parameters=f"{len(weights) / 2e6:.1f}",
        bytes=len(weights),
        sha256=hashlib.sha256(weights).hexdigest(),
        lines=sum(row.lines for row in rows),
    )
    options.out.write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()

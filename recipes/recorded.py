"""Ask the text LLM once about data_samples, and keep its answers for `make demo` to replay.

    OCR_MOE_TEXT_BASE_URL=http://127.0.0.1:8000/v1 python -m recipes recorded

Only answers are kept, no page text and no records. A second start asks only what is missing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import typer

from ocr_moe import api
from ocr_moe.cli.session import progress
from ocr_moe.store.database import Store

SAMPLES = Path(__file__).parent.parent / "data_samples"
STRATEGIES = ("ocr_page_llm", "ocr_crop_llm")


def main(
    samples: Path = SAMPLES,
    out: Path = SAMPLES / "recorded.sqlite",
    work: Path = Path("reports/record"),
) -> None:
    """Ask the text LLM (OCR_MOE_TEXT_BASE_URL) about data_samples, and keep its answers."""
    sheets = sorted(samples.glob("*/verified.xlsx"))
    with progress() as (report, notice):
        run, _ = api.compare(
            samples, sheets, out=work, strategies=STRATEGIES, report=report, notice=notice
        )
    count = keep_answers(run.folder / "store.sqlite", out, STRATEGIES)
    typer.echo(f"{count} answers in {out}")


def keep_answers(run: Path, out: Path, experts: Sequence[str]) -> int:
    """Copy the experts' answers of a run into a store of their own; how many there are."""
    staging = out.with_suffix(".part")
    staging.unlink(missing_ok=True)
    with Store(run, write=False) as source, Store(staging) as target:
        count = source.copy_answers(target, experts)
        target.pack()
    os.replace(staging, out)
    Path(f"{staging}.lock").unlink(missing_ok=True)
    return count


if __name__ == "__main__":
    typer.run(main)

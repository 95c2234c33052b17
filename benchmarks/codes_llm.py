"""The text LLM (strategies 3 and 4) on images of the code benchmark, beside what was read there.

    OCR_MOE_TEXT_BASE_URL=http://127.0.0.1:8000/v1 python -m benchmarks.codes_llm
        [--of reports/codes] [--count 60] [--config FILE]

Takes the same number of documents of every damage level from a finished `benchmarks.codes`. A second
start asks only what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.codes import (
    LEVELS,
    SYSTEMS,
    Case,
    Outcome,
    accuracy_table,
    exact,
    in_short,
    markdown,
    paired_table,
)
from benchmarks.results import publish
from ocr_moe import api
from ocr_moe.api import Options
from ocr_moe.schema import Kind
from ocr_moe.workshop.config import find_schema

SCHEMA = "graduation_certificate"
STRATEGIES = {"ocr_page_llm": "3 page + LLM", "ocr_crop_llm": "4 crop + LLM"}


def stratified(outcomes: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """The same number of every level, in the order of the file names."""
    chosen: list[Mapping[str, Any]] = []
    for level in LEVELS:
        group = [outcome for outcome in outcomes if outcome["level"] == level]
        group.sort(key=lambda outcome: str(outcome["file"]))
        chosen += group[: count // len(LEVELS)]
    return chosen


def codes_of(records: Path, code: str) -> dict[str, str | None]:
    """File name → code, as a strategy wrote them."""
    written = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    return {
        Path(record["document"]["path"]).name: record["fields"].get(code, {}).get("value")
        for record in written
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--of", type=Path, default=Path("reports/codes"))
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--config", type=Path)
    options = parser.parse_args()
    written = (options.of / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()
    chosen = stratified([json.loads(line) for line in written], options.count)
    images = options.of / "images"
    out = options.of / "llm"
    api.compare(
        [images / outcome["file"] for outcome in chosen],
        images / "verified.xlsx",
        out=out,
        strategies=tuple(STRATEGIES),
        options=Options(schema=SCHEMA, config=options.config, update=True),
    )
    schema = find_schema(SCHEMA)
    code = next(field.name for field in schema.fields if field.kind is Kind.CODE)
    answers = {s: codes_of(out / s / "records.jsonl", code) for s in STRATEGIES}
    outcomes = []
    for told in chosen:
        case = Case(images / told["file"], told["level"], told["truth"], schema)
        values = dict(told["values"])
        values |= {title: answers[s].get(told["file"]) for s, title in STRATEGIES.items()}
        outcomes.append(Outcome(case, values=values))
    systems = (*STRATEGIES.values(), *SYSTEMS)
    report = markdown(
        {
            "Exact codes": accuracy_table(outcomes, systems),
            "Against `bound`": paired_table(outcomes, [s for s in systems if s != "bound"]),
        }
    )
    (out / "codes.md").write_text(report, encoding="utf-8")
    print(report)
    publish("codes_llm", exact(outcomes), [f"exact codes: {in_short(outcomes)}"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

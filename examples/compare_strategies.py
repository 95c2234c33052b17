"""Which strategy is worth its cost? Recorded answers of an LLM are replayed; no endpoint is needed.

python examples/compare_strategies.py [FOLDER] [OUT]
"""

import sys
from pathlib import Path

import ocr_moe

RECORDED = Path(__file__).parent.parent / "data_samples" / "recorded.sqlite"


def main(folder: str = "data_samples", out: str = "reports/compared") -> None:
    sheets = sorted(Path(folder).rglob("verified.xlsx"))
    run, scores = ocr_moe.compare(
        [folder], sheets, out=out, options=ocr_moe.Options(recorded=RECORDED)
    )
    ranked = sorted(scores.strategies.items(), key=lambda item: -(item[1].cells.accuracy or 0.0))
    for name, score in ranked:
        low, high = score.cells.interval
        print(
            f"{name:16} {score.cells.right}/{score.cells.n} cells right "
            f"({low:.1%} to {high:.1%}), {score.cost.tokens} tokens, {score.origin or 'live'}"
        )
    best, score = ranked[0]
    print(f"\nBest: {best}. Its weakest fields:")
    fields = [(name, field) for name, field in score.fields.items() if field.n]
    for name, field in sorted(fields, key=lambda item: item[1].right / item[1].n)[:3]:
        print(f"  {name}: {field.right}/{field.n} right, {field.missing} missing")
    print(f"Open {run.folder / 'report.html'}")


if __name__ == "__main__":
    main(*sys.argv[1:])

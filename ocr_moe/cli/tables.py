"""Score tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr_moe.evaluation.report.measures import Estimate
    from ocr_moe.evaluation.scores import Scores


def print_scores(scores: Scores) -> None:
    """Fields × strategies, in percent, with 95 % intervals; what was skipped, and why."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ocr_moe.evaluation.report.measures import ACCEPTED, OVERALL, estimate_of

    console = Console(soft_wrap=False)
    table = Table(title="Accuracy in % [95 % interval]", header_style="bold")
    table.add_column("field")
    table.add_column("cells", justify="right")
    for name, strategy in scores.strategies.items():
        recorded = "\n(recorded)" if strategy.origin else ""
        table.add_column(escape(name) + recorded, justify="right")
    fields: dict[str, None] = {}
    for strategy in scores.strategies.values():
        fields.update(dict.fromkeys(strategy.fields))
    for field in fields:
        cells = [strategy.fields.get(field) for strategy in scores.strategies.values()]
        n = max((cell.n for cell in cells if cell is not None), default=0)
        shares = ("" if cell is None else _percent(estimate_of(cell)) for cell in cells)
        table.add_row(escape(field), str(n), *shares)
    table.add_section()
    both = scores.strategies.values()
    for overall in OVERALL:
        table.add_row(overall.heading, "", *(_percent(overall.of(score)) for score in both))
    for measure in ACCEPTED:
        table.add_row(measure.heading, "", *(measure.shown(score) for score in both))
    console.print(table)
    for name, strategy in scores.strategies.items():
        if strategy.origin:
            console.print(f"{escape(name)}: {escape(str(strategy.origin))}")
    for name, reason in scores.skipped.items():
        console.print(f"[dim]skipped {escape(name)}: {escape(reason)}[/]")


def _percent(share: Estimate) -> str:
    if share.value is None:
        return ""
    low, high = share.interval
    return f"{100 * share.value:.1f} [{100 * low:.0f}–{100 * high:.0f}]"

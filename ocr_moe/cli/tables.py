"""Score tables on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ocr_moe.evaluation.scores import Scores


def print_scores(scores: Scores) -> None:
    """Fields × strategies, in percent, with 95 % intervals; what was skipped, and why."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

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
        table.add_row(
            escape(field),
            str(n),
            *("" if cell is None else _percent(cell.accuracy, cell.interval) for cell in cells),
        )
    table.add_section()
    both = scores.strategies.values()
    table.add_row("mean of fields", "", *(_percent(s.macro, s.macro_interval) for s in both))
    table.add_row("perfect documents", "", *(_percent(s.perfect, s.perfect_interval) for s in both))
    table.add_row(
        "accepted: coverage",
        "",
        *("" if s.cells.coverage is None else f"{s.cells.coverage:.1%}" for s in both),
    )
    table.add_row(
        "accepted: accuracy",
        "",
        *(
            "" if s.cells.selective_accuracy is None else f"{s.cells.selective_accuracy:.2%}"
            for s in both
        ),
    )
    console.print(table)
    for name, strategy in scores.strategies.items():
        if strategy.origin:
            console.print(f"{escape(name)}: {escape(str(strategy.origin))}")
    for name, reason in scores.skipped.items():
        console.print(f"[dim]skipped {escape(name)}: {escape(reason)}[/]")


def _percent(value: float | None, interval: tuple[float, float] | None) -> str:
    if value is None:
        return ""
    if interval is None or interval[0] is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval[0]:.0f}–{100 * interval[1]:.0f}]"

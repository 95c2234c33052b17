"""Figures as text for people."""

from __future__ import annotations

_NARROW = "\u202f"
"""A narrow space that does not break."""


def percent(value: float | None, places: int) -> str:
    """A share in percent; `–` for None."""
    if value is None:
        return "–"
    # 99.96 % must not read as 100.0 %: only what is whole is shown as whole.
    scaled = 100 * value
    if 100 - 0.5 * 10**-places <= scaled < 100:
        scaled = 100 - 10**-places
    return f"{scaled:.{places}f}{_NARROW}%"


def round_percent(value: float) -> str:
    """A share that was set, with no more places than it has."""
    return f"{100 * value:g}{_NARROW}%"


def decimal(value: float, places: int) -> str:
    return f"{value:.{places}f}"


def points(value: float) -> str:
    """A difference of shares in percentage points, signed."""
    scaled = round(100 * value, 1)
    return f"{scaled:+.1f}".replace("-", "−") if scaled else "0.0"


def amount_text(value: float) -> str:
    """A cost in any unit."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def money(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"

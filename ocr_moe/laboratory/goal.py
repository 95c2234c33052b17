"""What a recommended policy must be certified for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What a recommended policy must be certified for."""

    accuracy: float = 0.99
    """Of the values that it accepts, field by field."""
    confidence: float = 0.9
    """Chance that the certificate holds."""

"""How else a gate could be set: what the laboratory tries beside the configured settings.

A gate that has variants offers them by the method of `Tunable`, a plug-in's as well as ours; the
laboratory replays every one of them, and fits learned gates to stand in for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Variant:
    """Other settings of a gate."""

    label: str
    """Short, and different from the other variants': `0.9`."""
    title: str
    """What the gate does with them: `asks the next expert below a confidence of 0.9`."""
    changes: Mapping[str, Any]
    """Parameters, as they stand in a configuration, that take the place of the gate's own."""


@runtime_checkable
class Tunable(Protocol):
    """A gate that weighs cost against confidence by parameters that can be set otherwise."""

    def variants(self) -> Sequence[Variant]:
        """The settings worth trying; each is a strategy of its own with the same combiner."""

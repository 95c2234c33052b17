"""Settings that several rooms read: how a component and a verified sheet stand in a configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ocr_moe.types import Value


class Component(BaseModel):
    """A part that the composition root builds: its kind, and the parameters of that kind."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class TruthOptions(Value):
    """How a verified sheet is read."""

    absent: tuple[str, ...] = ("无", "-", "null", "absent")
    """Cells that mean: this field is not on the document."""
    blank: Literal["unverified", "absent"] = "unverified"
    """What an empty cell means: nobody looked (left out), or not on the document."""
    sheet: str | None = None
    """Name of the sheet; else the one with most usable columns."""
    file_column: str | None = None
    """Heading of the column with the file names; else found by its usual names."""
    subject_column: str | None = None
    """Heading of the column with the subjects' names; else found by its usual names."""

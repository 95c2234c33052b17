"""What a document says, before it is drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

from ocr_moe.types import Value

Rows: TypeAlias = tuple[Mapping[str, str], ...]
"""Of a table: cells by column. Without an entry where a cell is empty."""


class Facts(Value):
    """One document of some kind; `ocr_moe.generation.documents` has a module each."""

    @abstractmethod
    def truth(self) -> dict[str, str | None]:
        """Every field's value, in the order of the schema, printed or not; None where this document
        has no such entry."""

    def rows(self) -> dict[str, Rows]:
        """The schema's tables."""
        return {}

    @property
    @abstractmethod
    def stem(self) -> str:
        """The file name without its suffix."""

    @property
    @abstractmethod
    def owner(self) -> str:
        """Who is named on a second seal over the document's number."""

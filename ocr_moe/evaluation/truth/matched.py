"""Rows and documents that belong together: what matching comes to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ocr_moe.evaluation.truth.problems import Problem
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell
from ocr_moe.subjects import DocumentKey

Said = Mapping[str, Collection[str]]
"""What strategies read on one document: field → values."""
Reader = Callable[[], Mapping[DocumentKey, Said]]
"""Tells what was read on all documents; asked only where files do not tell what rows are about."""


class MatchedBy(StrEnum):
    """What says that a row is about a document."""

    FILE_NAME = "file name"
    SUBJECT = "subject"
    """The subject's name, in the name of the file."""
    NAME_READ = "name read"
    """The subject's name, as it was read: a document on which nobody read it right is not found, so
    that what is found reads better than what there is."""
    CODE_READ = "code read"
    """A code as it was read: with the same warning."""


@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """A document with what the sheet says of it."""

    key: DocumentKey
    rows: tuple[int, ...]
    cells: Mapping[str, TruthCell]
    by: MatchedBy = MatchedBy.FILE_NAME


@dataclass(frozen=True, slots=True)
class Match:
    """A verified sheet with the documents that its rows are about."""

    truth: Truth
    documents: tuple[VerifiedDocument, ...]
    """In the order of their keys."""
    rows_without_document: tuple[str, ...]
    """Keys of the rows that no document belongs to."""
    rows_unclear: tuple[str, ...]
    """Keys of the rows that fit several documents, or one that other rows fit as well."""
    touched: frozenset[DocumentKey]
    """Documents that some row is about, scored or not, and documents of a subject that stand back
    behind the chosen one."""
    problems: tuple[Problem, ...]

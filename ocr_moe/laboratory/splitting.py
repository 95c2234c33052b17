"""Splits that keep apart what belongs together: no file and no subject is on two sides."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ocr_moe.errors import TruthError
from ocr_moe.laboratory.documents import RecordedDocument

_MOST_OF_ONE_SUBJECT = 12


def groups_of(documents: Sequence[RecordedDocument]) -> list[str]:
    """A label per document: those of one file, of the same bytes or of one subject share it."""
    parent = list(range(len(documents)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    people = _people(documents)
    for i, document in enumerate(documents):
        keys = [("sha256", document.sha256)]
        if document.subject in people:
            keys.append(("subject", str(document.subject)))
        for key in keys:
            a, b = root(first.setdefault(key, i)), root(i)
            parent[max(a, b)] = min(a, b)
    members: dict[int, list[str]] = defaultdict(list)
    for i, document in enumerate(documents):
        members[root(i)].append(document.sha256)
    labels = {at: min(hashes) for at, hashes in members.items()}
    return [labels[root(i)] for i in range(len(documents))]


def split(
    documents: Sequence[RecordedDocument], shares: Sequence[float], seed: int = 0
) -> list[list[RecordedDocument]]:
    """Divide the documents into parts of about these shares; no group is on two sides.

    Which part a group falls into depends on its hash and the seed alone, as far as the sizes allow.
    """
    groups: dict[str, list[RecordedDocument]] = defaultdict(list)
    for label, document in zip(groups_of(documents), documents, strict=True):
        groups[label].append(document)
    order = sorted(groups, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode()).digest())
    parts: list[list[RecordedDocument]] = [[] for _ in shares]
    for label in order:
        missing = [
            share * len(documents) - len(part) for share, part in zip(shares, parts, strict=True)
        ]
        parts[missing.index(max(missing))].extend(groups[label])
    leaks = leaked(parts)
    if leaks:
        raise AssertionError(f"documents on two sides of a split: {leaks}")
    return parts


def leaked(parts: Iterable[Iterable[RecordedDocument]]) -> list[str]:
    """Hashes and subjects that stand in more than one part. Empty when the parts are clean."""
    listed = [list(part) for part in parts]
    people = _people([document for part in listed for document in part])
    sides: dict[str, set[int]] = defaultdict(set)
    for side, part in enumerate(listed):
        for document in part:
            sides[f"sha256 {document.sha256}"].add(side)
            if document.subject in people:
                sides[f"subject {document.subject}"].add(side)
    return sorted(key for key, where in sides.items() if len(where) > 1)


def _people(documents: Iterable[RecordedDocument]) -> frozenset[str | None]:
    """Subjects that can be one person: names like `scan` (of scan_001, scan_002, …) are none."""
    counts = Counter(d.subject for d in documents if d.subject is not None)
    return frozenset(name for name, count in counts.items() if count <= _MOST_OF_ONE_SUBJECT)


def demand(documents: Sequence[RecordedDocument], n: int) -> None:
    """Raises TruthError where a part of the documents holds less than is needed of it."""
    if not any(document.answers for document in documents):
        raise TruthError("no expert's answer about a verified document is recorded")
    if len(documents) < n:
        raise TruthError(
            f"{len(documents)} verified document(s) with recorded answers are too few: "
            "a policy is chosen on one part of them, tested on another and reported on the rest"
        )

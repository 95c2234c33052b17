"""Grouping documents to subjects (students) by their file names.

A schema's `subjects` says how a file's name is built. The pattern is matched against the whole
stem, so 张三 is never taken for 张三丰. Documents that carry the same name belong to one subject,
unless they cannot: two different files for the same degree and kind mean that two students may
share the name. Those are never merged; they are told apart by folder where that works, and stand
alone where it does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ocr_moe.errors import SchemaError
from ocr_moe.schema import Subjects
from ocr_moe.types import DocumentRef


@dataclass(frozen=True, slots=True)
class NamedDocument:
    """What a document's file name says."""

    document: DocumentRef
    name: str
    identity: str = ""
    """The optional group `id` of the pattern: two students of one name with different ids."""
    degree: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject with all its documents, the chosen one first."""

    name: str
    identity: str
    documents: tuple[NamedDocument, ...]
    chosen: NamedDocument | None
    """The document that speaks for the subject; None when the rule skips every degree."""
    namesakes: bool
    """Other subjects carry the same name: a person should tell them apart."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grouping:
    subjects: tuple[Subject, ...]
    unmatched: tuple[DocumentRef, ...]
    """Documents whose file names do not fit the pattern."""


class FileNameRule:
    """A schema's subject rule, ready to be asked. Raises SchemaError for a wrong pattern."""

    def __init__(self, rule: Subjects) -> None:
        try:
            self._pattern = re.compile(rule.pattern)
        except re.error as error:
            raise SchemaError(f"subjects.pattern is not a regular expression: {error}") from error
        if "name" not in self._pattern.groupindex:
            raise SchemaError("subjects.pattern needs the group (?P<name>…)")
        self._degrees = _ranks(rule.degree_order)
        self._kinds = _ranks(rule.kind_order)
        self._first_kind = 0 if rule.kind_order else None
        self._skip = rule.skip_degree_without_kind

    def identify(self, document: DocumentRef) -> NamedDocument | None:
        """What the file name says, or None when the pattern does not match the whole stem."""
        stem = unicodedata.normalize("NFC", PurePosixPath(document.path).stem)
        match = self._pattern.fullmatch(stem)
        if match is None or not (match["name"] or "").strip():
            return None
        groups = match.groupdict(default="")
        return NamedDocument(
            document=document,
            name=groups["name"].strip(),
            identity=groups.get("id", "").strip(),
            degree=groups.get("degree", "").strip(),
            kind=groups.get("kind", "").strip(),
        )

    def group(self, documents: Iterable[DocumentRef]) -> Grouping:
        """All subjects in the order of their names, each with its chosen document."""
        unmatched: list[DocumentRef] = []
        named: dict[tuple[str, str], list[NamedDocument]] = {}
        for document in documents:
            found = self.identify(document)
            if found is None:
                unmatched.append(document)
            else:
                named.setdefault((found.name, found.identity), []).append(found)
        carriers = Counter(name for name, _ in named)
        subjects: list[Subject] = []
        for (name, identity), members in sorted(named.items()):
            groups = self._tell_apart(members)
            namesakes = len(groups) > 1 or (not identity and carriers[name] > 1)
            subjects.extend(
                self._subject(name, identity, group, namesakes=namesakes) for group in groups
            )
        return Grouping(tuple(subjects), tuple(unmatched))

    def _subject(
        self, name: str, identity: str, members: list[NamedDocument], *, namesakes: bool
    ) -> Subject:
        ranked = sorted(members, key=self._rank)
        chosen = self._choose(ranked)
        notes = []
        if namesakes:
            notes.append("several subjects carry this name; not merged")
        if chosen is None:
            notes.append("no degree has a document of the first kind; nothing chosen")
        documents = tuple(ranked)
        if chosen is not None:
            documents = (chosen, *(member for member in ranked if member is not chosen))
        return Subject(name, identity, documents, chosen, namesakes, "; ".join(notes))

    def _tell_apart(self, members: list[NamedDocument]) -> list[list[NamedDocument]]:
        """One group where the documents can belong to one subject, several where they cannot."""
        if not self._clash(members):
            return [members]
        folders: dict[str, list[NamedDocument]] = {}
        for member in members:
            folder = str(PurePosixPath(member.document.path).parent)
            folders.setdefault(folder, []).append(member)
        groups: list[list[NamedDocument]] = []
        for _, inside in sorted(folders.items()):
            groups.extend([[member] for member in inside] if self._clash(inside) else [inside])
        return groups

    def _clash(self, members: list[NamedDocument]) -> bool:
        """Two different files for the same degree and kind; pages of one file do not clash."""
        seen: dict[tuple[int, int], str] = {}
        for member in members:
            degree, kind, *_ = self._rank(member)
            content = member.document.sha256
            if seen.setdefault((degree, kind), content) != content:
                return True
        return False

    def _choose(self, ranked: list[NamedDocument]) -> NamedDocument | None:
        if not self._skip or self._first_kind is None:
            return ranked[0]
        return next(
            (member for member in ranked if self._kinds.get(member.kind) == self._first_kind), None
        )

    def _rank(self, member: NamedDocument) -> tuple[int, int, str, int, int]:
        return (
            self._degrees.get(member.degree, len(self._degrees)),
            self._kinds.get(member.kind, len(self._kinds)),
            member.document.path,
            member.document.page,
            member.document.part,
        )


def kind_rank(rule: Subjects, text: str) -> int | None:
    """Which of the rule's kinds of document a heading, label or file name speaks of."""
    return _rank_in(rule.kind_order, text)


def degree_rank(rule: Subjects, text: str) -> int | None:
    """Which of the rule's degrees a text speaks of."""
    return _rank_in(rule.degree_order, text)


def _rank_in(order: tuple[str, ...], text: str) -> int | None:
    ranks = _ranks(order)
    found = {ranks[word] for word in ranks if word and word in text}
    return found.pop() if len(found) == 1 else None


def _ranks(order: tuple[str, ...]) -> dict[str, int]:
    """Rank of each word; words of one rank are written together as `本科|学士`."""
    return {word: rank for rank, entry in enumerate(order) for word in entry.split("|")}

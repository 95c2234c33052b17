"""Grouping documents to subjects (students) by their file names, else by the names that were read.

A schema's `subjects` says how a file's name is built. The pattern is matched against the whole
stem, so 张三 is never taken for 张三丰. Documents that carry the same name belong to one subject,
unless they cannot: two different files for the same degree and kind mean that two students may
share the name. Those are never merged; they are told apart by folder where that works, and stand
alone where it does not.

Nor are documents merged on which other people were read: another birth date, and no field in common.

A document whose file name tells nothing joins the subject whose name was read on it, where another
field agrees as well (a birth date, a school): names alone are shared by too many. Names that cameras,
scanners and messengers give to files tell nothing (IMG_0231, 微信图片_2024), nor does one under which
different people were read (全班.pdf).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from ocr_moe.errors import SchemaError
from ocr_moe.folds import fold_name
from ocr_moe.schema import Kind, Schema, Subjects
from ocr_moe.types import DocumentRef

_OF_A_DEVICE = re.compile(
    r"""(?xi)
    (?: img | image | dscf | dscn? | pic(?:ture)? | photo | scan(?:ned)? | camscanner | doc(?:ument)?
      | page | file | screenshot | screen\ shot | mmexport | wechatimg | wx_camera | untitled | download
      | (?: 扫描 | 扫描全能王 | 微信 | 图片 | 图像 | 照片 | 相片 | 影像 | 截图 | 截屏 | 屏幕 | 拍照
          | 复印 | 文档 | 文件 | 附件 | 未命名 | 无标题 | 新建 | 下载 )
        (?:件|图片|图像|照片|文件|文档|截图|快照|版)*
    )? [\W\d_年月日时分秒副本]*
    | [0-9a-f]{8,} (?: [-_] [0-9a-f]+ )*
    """
)
"""What cameras, scanners, messengers and digests call a file; also nothing, and mere digits."""


class DocumentKey(NamedTuple):
    """Which document of a run."""

    path: str
    page: int = 1
    part: int = 1


def key_of(document: DocumentRef) -> DocumentKey:
    return DocumentKey(document.path, document.page, document.part)


def shown(document: DocumentRef) -> str:
    """A document in words: its path, with page and part where they are not the first."""
    where = [f"page {document.page}"] if document.page > 1 else []
    where += [f"part {document.part}"] if document.part > 1 else []
    return f"{document.path} ({', '.join(where)})" if where else document.path


def shared_pages(documents: Iterable[DocumentRef]) -> frozenset[tuple[str, int]]:
    """(path, page) of the pages that hold several of the documents."""
    counted = Counter((document.path, document.page) for document in documents)
    return frozenset(page for page, count in counted.items() if count > 1)


class GroupedBy(StrEnum):
    """What says that documents are about one subject."""

    FILE_NAME = "file name"
    NAME_READ = "name read"
    """At least one of them by the name that was read on it: less sure."""


@dataclass(frozen=True, slots=True)
class NameRead:
    """Who a document is about by what was read on it."""

    name: str
    degree: str = ""
    kind: str = ""
    """The label of its number, which names the kind of document."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Other fields that the documents of a subject share."""


def name_read(schema: Schema, values: Mapping[str, str]) -> NameRead | None:
    """What the values that were read (field → value) say of a document's subject; None where the
    schema names no field for it, or no name was read."""
    rule = schema.subjects
    if rule is None or rule.name_field not in values:
        return None
    shared = (*rule.constant, *rule.constant_in_degree)
    telling = [n for n in shared if n != rule.name_field and schema.field(n).kind is not Kind.ENUM]
    return NameRead(
        name=values[rule.name_field],
        degree=values.get(rule.degree_field, ""),
        kind=_kind_of_number(schema, values),
        said={name: values[name] for name in telling if name in values},
    )


def _kind_of_number(schema: Schema, values: Mapping[str, str]) -> str:
    """The first label of the grammar that one of the document's numbers has."""
    for each in schema.fields:
        for grammar in each.grammars:
            if grammar.labels and each.name in values and grammar.matches(values[each.name]):
                return grammar.labels[0]
    return ""


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
    grouped_by: GroupedBy = GroupedBy.FILE_NAME


@dataclass(frozen=True, slots=True)
class Grouping:
    subjects: tuple[Subject, ...]
    unmatched: tuple[DocumentRef, ...]
    """Documents that say nowhere whose they are."""


class FileNameRule:
    """A schema's subject rule, ready to be asked. Raises SchemaError for a wrong pattern.

    `told` is what people say of whose documents are: it goes before any file's name.
    """

    def __init__(self, rule: Subjects, told: Mapping[DocumentKey, str] = {}) -> None:
        self._told = told
        try:
            self._pattern = re.compile(rule.pattern)
        except re.error as error:
            raise SchemaError(f"subjects.pattern is not a regular expression: {error}") from error
        if "name" not in self._pattern.groupindex:
            raise SchemaError("subjects.pattern needs the group (?P<name>…)")
        self._degrees = _ranks(rule.degree_order)
        self._kinds = _ranks(rule.kind_order)
        self._words = sorted((*self._kinds, *self._degrees), key=len, reverse=True)
        self._first_kind = 0 if rule.kind_order else None
        self._skip = rule.skip_degree_without_kind
        self._constant = frozenset(rule.constant)

    def identify(self, document: DocumentRef) -> NamedDocument | None:
        """What people or the file name say, or None when nobody does and the pattern does not match
        the whole stem."""
        told = self._told.get(key_of(document))
        stem = unicodedata.normalize("NFC", PurePosixPath(document.path).stem)
        match = self._pattern.fullmatch(stem)
        if match is None or self._is_no_name(match["name"] or ""):
            return None if told is None else NamedDocument(document, told)
        groups = match.groupdict(default="")
        return NamedDocument(
            document=document,
            name=told or groups["name"].strip(),
            identity="" if told else groups.get("id", "").strip(),
            degree=groups.get("degree", "").strip(),
            kind=groups.get("kind", "").strip(),
        )

    def _is_no_name(self, name: str) -> bool:
        """Whether it is what a device calls a file, or words for kinds of documents and no more."""
        rest = name
        for word in self._words:
            rest = rest.replace(word, "") if word else rest
        return _OF_A_DEVICE.fullmatch(rest.strip()) is not None

    def nameless(
        self, documents: Sequence[DocumentRef], read: Mapping[DocumentKey, NameRead]
    ) -> list[DocumentRef]:
        """Documents whose files do not tell whose they are."""
        return self._by_files(documents, read)[1]

    def _by_files(
        self, documents: Sequence[DocumentRef], read: Mapping[DocumentKey, NameRead]
    ) -> tuple[dict[tuple[str, str], list[NamedDocument]], list[DocumentRef]]:
        """Documents by the name and identity that their files tell, and those whose files do not."""
        shared = shared_pages(documents)
        nameless: list[DocumentRef] = []
        named: dict[tuple[str, str], list[NamedDocument]] = {}
        for document in documents:
            found = self.identify(document)
            alone = (document.path, document.page) not in shared
            if found is not None and not alone and key_of(document) not in self._told:
                # One name of a file cannot tell whose each of its parts is.
                known = read.get(key_of(document))
                found = None if known is not None else found
            if found is None:
                nameless.append(document)
            else:
                named.setdefault((found.name, found.identity), []).append(found)
        for (name, identity), members in list(named.items()):
            if _of_several(name, members, read):
                del named[name, identity]
                nameless += [member.document for member in members]
        return named, nameless

    def group(
        self,
        documents: Iterable[DocumentRef],
        read: Mapping[DocumentKey, NameRead] | None = None,
    ) -> Grouping:
        """All subjects in the order of their names, each with its chosen document.

        `read` tells what was read on documents; without it file names alone count.
        """
        documents, read = list(documents), read or {}
        named, nameless = self._by_files(documents, read)
        told = [
            (name, identity, group)
            for (name, identity), members in named.items()
            for of_files in self._tell_apart(members)
            for group in self._by_person(of_files, read)
        ]
        by_name: dict[str, list[list[NamedDocument]]] = {}
        for name, _, group in told:
            by_name.setdefault(fold_name(name), []).append(group)
        joined: set[int] = set()
        unmatched: list[DocumentRef] = []
        for document in nameless:
            known = read.get(key_of(document))
            if known is None:
                unmatched.append(document)
                continue
            member = self._as_read(document, known)
            fitting = [
                group
                for group in by_name.get(fold_name(known.name), [])
                if any(self._belong_together(known, read.get(key_of(m.document))) for m in group)
            ]
            if len(fitting) == 1:
                [group] = fitting
                group.append(member)
            else:
                group = [member]
                told.append((known.name, "", group))
                by_name.setdefault(fold_name(known.name), []).append(group)
            joined.add(id(group))
        groups_of = Counter((fold_name(name), identity) for name, identity, _ in told)
        identities_of = Counter(name for name, _ in groups_of)
        subjects = []
        for name, identity, group in sorted(told, key=lambda item: item[:2]):
            plain = fold_name(name)
            alike = groups_of[plain, identity] > 1 or (not identity and identities_of[plain] > 1)
            grouped_by = GroupedBy.NAME_READ if id(group) in joined else GroupedBy.FILE_NAME
            subjects.append(self._subject(name, identity, group, alike, grouped_by))
        return Grouping(tuple(subjects), tuple(unmatched))

    def _as_read(self, document: DocumentRef, known: NameRead) -> NamedDocument:
        kind = next((word for word in self._kinds if word and word in known.kind), "")
        return NamedDocument(document, known.name, degree=known.degree, kind=kind)

    def _subject(
        self,
        name: str,
        identity: str,
        members: list[NamedDocument],
        namesakes: bool,
        grouped_by: GroupedBy,
    ) -> Subject:
        ranked = sorted(members, key=self._rank)
        chosen = self._choose(ranked)
        notes = []
        if namesakes:
            notes.append("several subjects carry this name; not merged")
        if grouped_by is GroupedBy.NAME_READ:
            notes.append("grouped by the name that was read")
        if chosen is None:
            notes.append("no degree has a document of the first kind; nothing chosen")
        documents = tuple(ranked)
        if chosen is not None:
            documents = (chosen, *(member for member in ranked if member is not chosen))
        return Subject(name, identity, documents, chosen, namesakes, "; ".join(notes), grouped_by)

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

    def _by_person(
        self, members: list[NamedDocument], read: Mapping[DocumentKey, NameRead]
    ) -> list[list[NamedDocument]]:
        """The documents of one name, those apart on which another person was read."""
        groups: list[list[NamedDocument]] = []
        for member in members:
            mine = read.get(key_of(member.document))
            for group in groups:
                others = (read.get(key_of(other.document)) for other in group)
                if not any(self._are_two(mine, other) for other in others):
                    group.append(member)
                    break
            else:
                groups.append([member])
        return groups

    def _are_two(self, one: NameRead | None, other: NameRead | None) -> bool:
        """Whether two documents of one name are of two people: they differ in what never changes, by
        more than a misreading, and have nothing else in common either."""
        if one is None or other is None:
            return False
        shared = one.said.keys() & other.said.keys()
        if any(_alike(one.said[name], other.said[name]) for name in shared):
            return False
        return bool(shared & self._constant)

    def _belong_together(self, known: NameRead, other: NameRead | None) -> bool:
        """Whether two documents on which one name was read agree in more than they differ in. School and
        major are those of a degree: where degrees differ, what never changes tells alone."""
        if other is None:
            return False
        both = known.said.keys() & other.said.keys()
        degrees = {self._degrees.get(each.degree) for each in (known, other)}
        if len(degrees) == 2 and None not in degrees:
            both &= self._constant
        same = sum(known.said[name] == other.said[name] for name in both)
        return same > len(both) - same

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


MISREAD_OF = 4
"""A value may be a misreading of another where no more than one character in so many differs; in short
ones, one."""


def may_be_misread(read: str, meant: str, misread_of: int = MISREAD_OF) -> bool:
    """Whether what was read may be a misreading of what is meant."""
    allowed = max(1, len(meant) // misread_of)
    return Levenshtein.distance(read, meant, score_cutoff=allowed) <= allowed


def _of_several(
    name: str, members: Sequence[NamedDocument], read: Mapping[DocumentKey, NameRead]
) -> bool:
    """Whether a name is no subject's: other people were read under it, and not one of that name. Files
    that somebody named for a degree or kind each were named with care; that they differ is to be told.
    """
    several = len({member.document.path for member in members}) > 1
    if several and any(member.degree or member.kind for member in members):
        return False
    known = (read.get(key_of(member.document)) for member in members)
    names = list(dict.fromkeys(fold_name(each.name) for each in known if each is not None))
    if any(_alike(fold_name(name), other) for other in names):
        return False
    return any(not _alike(one, other) for one in names for other in names)


def _alike(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return may_be_misread(longer, shorter)


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

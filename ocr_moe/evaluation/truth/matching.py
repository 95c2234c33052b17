"""Which row of the verified sheet is about which document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath

from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell, TruthRow
from ocr_moe.folds import fold_path
from ocr_moe.schema import Kind, Schema, Subjects
from ocr_moe.subjects import (
    DocumentKey,
    FileNameRule,
    NamedDocument,
    Subject,
    degree_rank,
    key_of,
    kind_rank,
)
from ocr_moe.types import DocumentRef, Record
from ocr_moe.values.printed import clean_text

_LONGEST_NAME = 255
"""Characters of a file's name on today's file systems."""


Said = Mapping[str, Collection[str]]
"""What strategies read on one document: field → values."""


@dataclass(frozen=True, slots=True)
class VerifiedDocument:
    """A document with what the sheet says of it."""

    key: DocumentKey
    rows: tuple[int, ...]
    cells: Mapping[str, TruthCell]


@dataclass(frozen=True, slots=True)
class Match:
    """A verified sheet with the documents that its rows are about."""

    truth: Truth
    documents: tuple[VerifiedDocument, ...]
    """In the order of their keys."""
    rows_without_document: tuple[str, ...]
    """Keys of the rows that no document belongs to."""
    touched: frozenset[DocumentKey]
    """Documents that some row is about, scored or not, and documents of a subject that stand back
    behind the chosen one."""
    problems: tuple[Problem, ...]


def documents_of(runs: Mapping[str, Iterable[Record]]) -> list[DocumentRef]:
    """Every document of which any strategy has a record, in the order of their keys."""
    documents: dict[DocumentKey, DocumentRef] = {}
    for records in runs.values():
        for record in records:
            documents.setdefault(key_of(record.document), record.document)
    return [documents[key] for key in sorted(documents)]


def match(
    truth: Truth, documents: Sequence[DocumentRef], said: Mapping[DocumentKey, Said] = {}
) -> Match:
    """Bring rows and documents together; what is not clear is left out and told.

    `said` is what was read on documents that share a page.  They have its file's name in common: which
    of them a row is about, its column `part` says, or else what was read there.

    Raises SchemaError when rows are by subject and the schema's pattern is wrong.
    """
    notebook = Notebook(truth.source.name)
    if truth.by == "subject":
        return _by_subject(truth, documents, notebook)
    return _by_file(truth, documents, said, notebook)


def said_of_parts(runs: Mapping[str, Iterable[Record]]) -> Mapping[DocumentKey, Said]:
    """What was read on documents that have a part of their page only."""
    found: dict[DocumentKey, dict[str, set[str]]] = {}
    for records in runs.values():
        for record in records:
            if record.document.region is None:
                continue
            of_part = found.setdefault(key_of(record.document), {})
            for name, decision in record.fields.items():
                if decision.value is not None:
                    of_part.setdefault(name, set()).add(decision.value)
    return found


def _by_file(
    truth: Truth,
    documents: Sequence[DocumentRef],
    said: Mapping[DocumentKey, Said],
    notebook: Notebook,
) -> Match:
    settle = partial(_settle, truth.schema, said)
    index = _FileIndex(documents)
    rows_of: dict[DocumentKey, list[TruthRow]] = defaultdict(list)
    touched: set[DocumentKey] = set()
    without: list[str] = []
    # Exact names first, so that a row with another folder cannot take a document from its own row.
    waiting = []
    for row in truth.rows:
        found = index.exact(row.key)
        if found:
            settle(row, found, rows_of, touched, notebook)
        else:
            waiting.append(row)
    for row in waiting:
        found = [key for key in index.loose(row.key) if key not in rows_of]
        if found:
            settle(row, found, rows_of, touched, notebook)
        else:
            without.append(row.key)
    if any(row.of_kind for row in truth.rows):
        rows_of = _with_own_kind(truth, rows_of, documents, notebook)
    merged = [_merge(key, rows, notebook) for key, rows in sorted(rows_of.items())]
    touched |= set(rows_of)
    return Match(truth, tuple(merged), tuple(without), frozenset(touched), notebook.problems())


def _with_own_kind(
    truth: Truth,
    rows_of: Mapping[DocumentKey, Sequence[TruthRow]],
    documents: Iterable[DocumentRef],
    notebook: Notebook,
) -> dict[DocumentKey, list[TruthRow]]:
    """The rows with what they say of their own document's kind, by its file name."""
    rule = truth.schema.subjects
    kinds: dict[DocumentKey, int | None] = {}
    if rule is not None:
        namer = FileNameRule(rule)
        for document in documents:
            named = namer.identify(document)
            kinds[key_of(document)] = kind_rank(rule, named.kind) if named else None
    return {
        key: [replace(row, cells=_cells_for(row, kinds.get(key), notebook)) for row in rows]
        for key, rows in rows_of.items()
    }


def _cells_for(row: TruthRow, kind: int | None, notebook: Notebook) -> Mapping[str, TruthCell]:
    """A row's cells for a document of that kind: the kind's own among them, no other kind's.

    Of a document whose kind is unknown no cell is known that differs from kind to kind.
    """
    if kind is not None or not row.of_kind:
        return {**row.cells, **(row.of_kind.get(kind, {}) if kind is not None else {})}
    cells = dict(row.cells)
    for name in dict.fromkeys(name for own in row.of_kind.values() for name in own):
        said = [own[name] for own in row.of_kind.values() if name in own]
        if len(said) == 1:
            cells.setdefault(name, said[0])
        elif name not in cells:
            notebook.add(
                ProblemKind.AMBIGUOUS,
                f"{name}: the file's name does not say which of the columns is its own; the cell "
                "is left out",
                name,
                row.number,
            )
    return cells


def _settle(
    schema: Schema,
    said: Mapping[DocumentKey, Said],
    row: TruthRow,
    found: Sequence[DocumentKey],
    rows_of: dict[DocumentKey, list[TruthRow]],
    touched: set[DocumentKey],
    notebook: Notebook,
) -> None:
    """Give the row to the one document that it fits, or say that it fits several."""
    candidates = found
    if row.page is not None:
        found = [key for key in found if key.page == row.page]
    if row.part is not None:
        found = [key for key in found if key.part == row.part]
    shared = len(found) > 1 and len({key[:2] for key in found}) == 1
    if shared:
        likely = _most_alike(schema, row, {key: said.get(key, {}) for key in found})
        found = [likely] if likely is not None else found
    # What shares the page with the row's own document is another row's, or nobody's.
    touched.update(
        key for key in candidates if len(found) != 1 or key == found[0] or key[:2] != found[0][:2]
    )
    if len(found) == 1:
        rows_of[found[0]].append(row)
    elif not found:
        notebook.add(ProblemKind.AMBIGUOUS, "there is no such page in the file", row=row.number)
    elif shared:
        notebook.add(
            ProblemKind.AMBIGUOUS,
            "the page holds several documents, and none was read as this row says; add a column "
            "`part`",
            row=row.number,
        )
    elif len({key.path for key in found}) == 1:
        notebook.add(
            ProblemKind.AMBIGUOUS,
            "the file has several pages, each a document of its own; add a column `page`",
            row=row.number,
        )
    else:
        notebook.add(
            ProblemKind.AMBIGUOUS,
            f"the name fits several documents ({listed(key.path for key in found)}); "
            "write the folder too",
            row=row.number,
        )


def _most_alike(
    schema: Schema, row: TruthRow, parts: Mapping[DocumentKey, Said]
) -> DocumentKey | None:
    """The document that was read most as the row says, if one was: its code counts before its
    person's name, and that before all else."""

    def likeness(values: Said) -> tuple[int, int, int]:
        right = [
            item.kind
            for item in schema.fields
            if (cell := row.cells.get(item.name)) is not None
            and any(cell.says(item, value) for value in values.get(item.name, ()))
        ]
        return right.count(Kind.CODE), right.count(Kind.PERSON), len(right)

    ranked = sorted(((likeness(values), key) for key, values in parts.items()), reverse=True)
    (best, key), (second, _) = ranked[:2]
    return key if best > second else None


class _FileIndex:
    """Finds documents by their path, by the end of it, and by the name without its extension."""

    def __init__(self, documents: Iterable[DocumentRef]) -> None:
        self._paths: dict[str, list[DocumentKey]] = defaultdict(list)
        self._ends: dict[str, list[DocumentKey]] = defaultdict(list)
        self._names: dict[str, list[DocumentKey]] = defaultdict(list)
        for document in documents:
            path = fold_path(document.path)
            key = key_of(document)
            for form in dict.fromkeys((path, _stem(path))):
                self._paths[form].append(key)
                self._names[PurePosixPath(form).name].append(key)
                for end in _ends(form):
                    self._ends[end].append(key)

    def exact(self, name: str) -> list[DocumentKey]:
        """Documents whose path is `name`, ends in `name`, or is the end of `name`."""
        name = fold_path(name)
        if name in self._paths:
            return self._paths[name]
        if name in self._ends:
            return self._ends[name]
        for end in _ends(name):
            if end in self._paths:
                return self._paths[end]
        return []

    def loose(self, name: str) -> list[DocumentKey]:
        """Documents of that file name in another folder or with another extension."""
        base = PurePosixPath(fold_path(name)).name
        for form in dict.fromkeys((base, _stem(base))):
            if form in self._names:
                return self._names[form]
        if not base.isdecimal() or len(base) > _LONGEST_NAME:
            return []
        # A spreadsheet turns the name 0005 into the number 5.
        return [
            key
            for form, keys in self._names.items()
            if form.isdecimal() and int(form) == int(base)
            for key in keys
        ]


def _stem(path: str) -> str:
    pure = PurePosixPath(path)
    return str(pure.with_suffix("")) if pure.suffix else path


def _ends(path: str) -> list[str]:
    """All ends of a path but itself, longest first."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts)) if parts[-1]]


def _by_subject(truth: Truth, documents: Sequence[DocumentRef], notebook: Notebook) -> Match:
    rule = truth.schema.subjects
    if rule is None:
        raise ValueError(f"{truth.schema.name} has no rule for subjects")
    grouping = FileNameRule(rule).group(documents)
    subjects = defaultdict(list)
    for subject in grouping.subjects:
        subjects[clean_text(subject.name)].append(subject)
    rows_of: dict[str, list[TruthRow]] = defaultdict(list)
    for row in truth.rows:
        rows_of[clean_text(row.key)].append(row)
    merged: list[VerifiedDocument] = []
    touched: set[DocumentKey] = set()
    without: list[str] = []
    for name, rows in rows_of.items():
        named = subjects.get(name, [])
        touched |= {key_of(item.document) for subject in named for item in subject.documents}
        if not named:
            without.append(name)
        elif any(_differ(other, rows[0]) for other in rows):
            merged += _row_by_row(truth.schema, rule, rows, named, notebook)
        elif len(named) > 1:
            _note_namesakes(notebook, rows, "several subjects among the documents")
        elif named[0].chosen is None:
            message = f"{name}: {named[0].note}"
            notebook.add(ProblemKind.AMBIGUOUS, message, row=rows[0].number)
        else:
            _note_repeats(notebook, rows)
            numbers = tuple(row.number for row in rows)
            for document, cells in _documents_of(rows[0], rule, named[0], notebook):
                merged.append(VerifiedDocument(key_of(document.document), numbers, cells))
    merged.sort(key=lambda document: document.key)
    return Match(truth, tuple(merged), tuple(without), frozenset(touched), notebook.problems())


def _differ(a: TruthRow, b: TruthRow) -> bool:
    return a.cells != b.cells or a.of_kind != b.of_kind


def _documents_of(
    row: TruthRow, rule: Subjects, subject: Subject, notebook: Notebook
) -> Iterator[tuple[NamedDocument, Mapping[str, TruthCell]]]:
    """The subject's chosen document with the row's cells, and its other documents of that degree
    with what the row says of their kind alone."""
    chosen = subject.chosen
    if chosen is None:
        return
    own = kind_rank(rule, chosen.kind)
    yield chosen, _cells_for(row, own, notebook)
    for other in subject.documents:
        kind = kind_rank(rule, other.kind)
        same = degree_rank(rule, other.degree) == degree_rank(rule, chosen.degree)
        if same and kind is not None and kind != own and kind in row.of_kind:
            yield other, row.of_kind[kind]


def _row_by_row(
    schema: Schema,
    rule: Subjects,
    rows: Sequence[TruthRow],
    named: Sequence[Subject],
    notebook: Notebook,
) -> list[VerifiedDocument]:
    """Rows of one name that differ, each with the one document that its degree and the form of its
    code leave; the others are told."""
    documents = [document for subject in named for document in subject.documents]
    claims: dict[DocumentKey, list[TruthRow]] = defaultdict(list)
    lost = []
    for row in rows:
        said = _spoken_of(schema, rule, row)
        fitting = [document for document in documents if _fits(rule, document, said)]
        if len(fitting) == 1 and said != (None, None):
            claims[key_of(fitting[0].document)].append(row)
        else:
            lost.append(row)
    found = []
    for key, claiming in claims.items():
        if all(not _differ(row, claiming[0]) for row in claiming):
            _note_repeats(notebook, claiming)
            numbers = tuple(row.number for row in claiming)
            found.append(VerifiedDocument(key, numbers, claiming[0].cells))
        else:
            lost += claiming
    what = "several rows that differ, and not one document that only this row can be about"
    _note_namesakes(notebook, sorted(lost, key=lambda row: row.number), what)
    return found


def _fits(rule: Subjects, document: NamedDocument, said: tuple[int | None, int | None]) -> bool:
    """Whether a document's name has the degree and the kind, as far as both are known."""
    named = (degree_rank(rule, document.degree), kind_rank(rule, document.kind))
    return all(a is None or b is None or a == b for a, b in zip(said, named, strict=True))


def _spoken_of(schema: Schema, rule: Subjects, row: TruthRow) -> tuple[int | None, int | None]:
    """Ranks of the degree and of the kind of document that a row's values speak of."""
    degree = kind = None
    for item in schema.fields:
        cell = row.cells.get(item.name)
        if cell is None or cell.value is None:
            continue
        if item.kind is Kind.ENUM and degree is None:
            degree = degree_rank(rule, cell.value)
        elif item.kind is Kind.CODE and kind is None:
            kinds = {
                kind_rank(rule, label)
                for grammar in item.grammars
                if grammar.matches(cell.value)
                for label in grammar.labels
            } - {None}
            kind = kinds.pop() if len(kinds) == 1 else None
    return degree, kind


def _note_namesakes(notebook: Notebook, rows: Sequence[TruthRow], what: str) -> None:
    for row in rows:
        notebook.add(
            ProblemKind.NAMESAKES,
            f"{row.key}: {what}; left out, not merged (add a column with file names)",
            row=row.number,
        )


def _note_repeats(notebook: Notebook, rows: Sequence[TruthRow]) -> None:
    for row in rows[1:]:
        notebook.add(
            ProblemKind.DUPLICATE_ROW, "repeats an earlier row; counted once", row=row.number
        )


def _merge(key: DocumentKey, rows: Sequence[TruthRow], notebook: Notebook) -> VerifiedDocument:
    """All rows about one document; cells in which they differ are left out."""
    numbers = tuple(row.number for row in rows)
    if len(rows) == 1:
        return VerifiedDocument(key, numbers, rows[0].cells)
    cells: dict[str, TruthCell] = {}
    differing: list[str] = []
    for name in dict.fromkeys(name for row in rows for name in row.cells):
        said = [row.cells[name] for row in rows if name in row.cells]
        if len({cell.value for cell in said}) == 1:
            cells[name] = said[0]
        else:
            differing.append(name)
    for name in differing:
        for number in numbers:
            notebook.add(
                ProblemKind.CONTRADICTION,
                f"{key[0]}: the rows differ in {name}; the cell is left out",
                name,
                number,
            )
    if not differing:
        _note_repeats(notebook, rows)
    return VerifiedDocument(key, numbers, cells)

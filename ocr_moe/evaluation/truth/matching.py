"""Which row of the verified sheet is about which document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import PurePosixPath

from ocr_moe.evaluation.truth.by_reading import by_reading
from ocr_moe.evaluation.truth.by_subject import Matching, by_subject, cells_for, note_repeats
from ocr_moe.evaluation.truth.likeness import assigned, likeness
from ocr_moe.evaluation.truth.matched import Match, MatchedBy, Reader, Said
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind, listed
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell, TruthRow
from ocr_moe.folds import fold_path
from ocr_moe.schema import Kind, Schema
from ocr_moe.subjects import DocumentKey, FileNameRule, key_of, kind_rank
from ocr_moe.types import DocumentRef, Record

_LONGEST_NAME = 255
"""Characters of a file's name on today's file systems."""


def documents_of(runs: Mapping[str, Iterable[Record]]) -> list[DocumentRef]:
    """Every document of which any strategy has a record, in the order of their keys."""
    documents: dict[DocumentKey, DocumentRef] = {}
    for records in runs.values():
        for record in records:
            documents.setdefault(key_of(record.document), record.document)
    return [documents[key] for key in sorted(documents)]


class Readings:
    """What strategies read on each document, each value once, in the order of the runs; gone through
    when it is first asked for."""

    def __init__(self, runs: Mapping[str, Iterable[Record]]) -> None:
        self._runs = runs

    def __call__(self) -> Mapping[DocumentKey, Said]:
        return self._said

    @cached_property
    def _said(self) -> Mapping[DocumentKey, Said]:
        found: dict[DocumentKey, dict[str, tuple[str, ...]]] = {}
        for records in self._runs.values():
            for record in records:
                said = found.setdefault(key_of(record.document), {})
                for name, decision in record.fields.items():
                    known = said.get(name, ())
                    if decision.value is not None and decision.value not in known:
                        said[name] = (*known, decision.value)
        return found


def _unread() -> Mapping[DocumentKey, Said]:
    return {}


def match(truth: Truth, documents: Sequence[DocumentRef], read: Reader = _unread) -> Match:
    """Bring rows and documents together; what is not clear is left out and told.

    By the file's name, else by the subject's (the file's name for it, else the one that was read), else
    by a code that was read. `read` tells what was read; it is asked about documents whose files do not
    tell whose they are.

    Raises SchemaError when the schema's pattern for subjects is wrong.
    """
    matching = Matching(truth, Notebook(truth.source.name))
    if truth.by == "subject":
        by_subject(matching, documents, read)
    elif truth.by == "file":
        _by_file(matching, documents, read)
    else:
        matching.waiting += truth.rows
    by_reading(matching, documents, read)
    for row, kind, why in matching.unclear.values():
        matching.notebook.add(kind, why, row=row.number)
    unclear = [*matching.lost, *(row for row, _, _ in matching.unclear.values())]
    return Match(
        truth=truth,
        documents=tuple(matching.found[key] for key in sorted(matching.found)),
        rows_without_document=_keys(matching.waiting),
        rows_unclear=_keys(unclear),
        touched=frozenset(matching.touched),
        problems=matching.notebook.problems(),
    )


def _keys(rows: Iterable[TruthRow]) -> tuple[str, ...]:
    return tuple(row.key for row in sorted(rows, key=lambda row: row.place))


def _by_file(matching: Matching, documents: Sequence[DocumentRef], read: Reader) -> None:
    """By the file's name; the rows of files that are not there wait."""
    truth, notebook = matching.truth, matching.notebook
    settle = partial(_settle, matching, read)
    index = _FileIndex(documents)
    rows_of: dict[DocumentKey, list[TruthRow]] = defaultdict(list)
    # Exact names first, so that a row with another folder cannot take a document from its own row.
    unmet = []
    for row in truth.rows:
        found = index.exact(row.key)
        if found:
            settle(row, found, rows_of)
        else:
            unmet.append(row)
    for row in unmet:
        found = [key for key in index.loose(row.key) if key not in rows_of]
        if found:
            settle(row, found, rows_of)
        else:
            matching.waiting.append(row)
    if any(row.of_kind for row in truth.rows):
        rows_of = _with_own_kind(truth, rows_of, documents, notebook)
    for key, rows in sorted(rows_of.items()):
        matching.add(key, rows, _merge(key, rows, notebook), MatchedBy.FILE_NAME)


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
        key: [replace(row, cells=cells_for(row, kinds.get(key), notebook)) for row in rows]
        for key, rows in rows_of.items()
    }


def _settle(
    matching: Matching,
    read: Reader,
    row: TruthRow,
    found: Sequence[DocumentKey],
    rows_of: dict[DocumentKey, list[TruthRow]],
) -> None:
    """Give the row to the one document that it fits, or say that it fits several."""
    schema, notebook = matching.truth.schema, matching.notebook
    candidates = found
    if row.page is not None:
        found = [key for key in found if key.page == row.page]
    if row.part is not None:
        found = [key for key in found if key.part == row.part]
    shared = len(found) > 1 and len({key[:2] for key in found}) == 1
    if len(found) > 1:
        said = read()
        choose = _most_alike if shared else _told_apart
        likely = choose(schema, row, {key: said.get(key, {}) for key in found})
        found = [likely] if likely is not None else found
    # What shares the page with the row's own document is another row's, or nobody's.
    matching.touched.update(
        key for key in candidates if len(found) != 1 or key == found[0] or key[:2] != found[0][:2]
    )
    if len(found) == 1:
        rows_of[found[0]].append(row)
        return
    matching.lost.append(row)
    if not found:
        why = "there is no such page in the file"
    elif shared:
        why = (
            "the page holds several documents, and none was read as this row says; add a column "
            "`part`"
        )
    elif len({key.path for key in found}) == 1:
        why = "the file has several pages, each a document of its own; add a column `page`"
    else:
        paths = listed(key.path for key in found)
        why = f"the name fits several documents ({paths}); write the folder too"
    notebook.add(ProblemKind.AMBIGUOUS, why, row=row.number)


def _told_apart(
    schema: Schema, row: TruthRow, said: Mapping[DocumentKey, Said]
) -> DocumentKey | None:
    """The one of several files or pages that was read as the row says."""
    fits = {(row.place, key): likeness(schema, row, values) for key, values in said.items()}
    return assigned({pair: like for pair, like in fits.items() if like.telling}).get(row.place)


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


def _merge(
    key: DocumentKey, rows: Sequence[TruthRow], notebook: Notebook
) -> Mapping[str, TruthCell]:
    """What all rows about one document say; cells in which they differ are left out."""
    if len(rows) == 1:
        return rows[0].cells
    cells: dict[str, TruthCell] = {}
    differing: list[str] = []
    for name in dict.fromkeys(name for row in rows for name in row.cells):
        said = [row.cells[name] for row in rows if name in row.cells]
        if len({cell.value for cell in said}) == 1:
            cells[name] = said[0]
        else:
            differing.append(name)
    for name in differing:
        for row in rows:
            notebook.add(
                ProblemKind.CONTRADICTION,
                f"{key[0]}: the rows differ in {name}; the cell is left out",
                name,
                row.number,
            )
    if not differing:
        note_repeats(notebook, rows)
    return cells

"""Rows that name a subject (a student): which of its documents each is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ocr_moe.evaluation.truth.likeness import (
    Likeness,
    assigned,
    codes_of,
    kind_read,
    likeness,
    name_field,
    names_read,
)
from ocr_moe.evaluation.truth.matched import MatchedBy, Reader, Said, VerifiedDocument
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind
from ocr_moe.evaluation.truth.sheet import Place, Truth, TruthCell, TruthRow
from ocr_moe.folds import fold_name
from ocr_moe.schema import Kind, Schema, Subjects
from ocr_moe.subjects import (
    DocumentKey,
    FileNameRule,
    NamedDocument,
    NameRead,
    Subject,
    degree_rank,
    key_of,
    kind_rank,
    name_read,
)
from ocr_moe.types import DocumentRef


@dataclass
class Matching:
    """Rows and documents while they are brought together."""

    truth: Truth
    notebook: Notebook
    found: dict[DocumentKey, VerifiedDocument] = field(default_factory=dict)
    touched: set[DocumentKey] = field(default_factory=set)
    waiting: list[TruthRow] = field(default_factory=list)
    """Rows that no document was found for yet."""
    lost: list[TruthRow] = field(default_factory=list)
    """Rows whose file has several documents, told already."""
    unclear: dict[Place, tuple[TruthRow, ProblemKind, str]] = field(default_factory=dict)
    """By place, rows that fit several documents, with what is to be told where it stays so."""

    def add(
        self,
        key: DocumentKey,
        rows: Sequence[TruthRow],
        cells: Mapping[str, TruthCell],
        by: MatchedBy,
    ) -> None:
        numbers = tuple(row.number for row in rows)
        self.found[key] = VerifiedDocument(key, numbers, cells, by)
        self.touched.add(key)
        for row in rows:
            self.unclear.pop(row.place, None)

    def doubt(self, rows: Iterable[TruthRow], kind: ProblemKind, why: str) -> None:
        for row in rows:
            self.unclear[row.place] = (row, kind, why)


def by_subject(matching: Matching, documents: Sequence[DocumentRef], read: Reader) -> None:
    """Match rows by the subject's name: that of files, else the one that was read.

    Raises SchemaError when the schema's pattern is wrong.
    """
    truth = matching.truth
    rule = truth.schema.subjects
    if rule is None:
        raise ValueError(f"{truth.schema.name} has no rule for subjects")
    namer = FileNameRule(rule)
    grouping = namer.group(documents)
    rest = _take(matching, rule, truth.rows, grouping.subjects, MatchedBy.SUBJECT, read)
    free = [document for document in documents if key_of(document) not in matching.touched]
    if rest and free:
        said = read()
        nameless = namer.nameless(free, _first_names(truth.schema, said))
        wanted = {fold_name(row.key) for row in rest}
        keys = map(key_of, nameless)
        names = _names_of(truth.schema, wanted, {key: said.get(key, {}) for key in keys})
        known = [document for document in nameless if key_of(document) in names]
        grouped = namer.group(known, names).subjects
        rest = _take(matching, rule, rest, grouped, MatchedBy.NAME_READ, read)
    matching.waiting += rest


def _first_names(schema: Schema, said: Mapping[DocumentKey, Said]) -> dict[DocumentKey, NameRead]:
    field = name_field(schema)
    return {key: NameRead(next(iter(v[field]))) for key, v in said.items() if v.get(field)}


def _names_of(
    schema: Schema, wanted: set[str], said: Mapping[DocumentKey, Said]
) -> dict[DocumentKey, NameRead]:
    """What was read on each document of which one of the wanted names was read, and no other."""
    found = {}
    for key, values in said.items():
        if len(named := wanted & names_read(schema, values)) != 1:
            continue
        [name] = named
        known = name_read(schema, {field: next(iter(v)) for field, v in values.items() if v})
        if known is not None:
            found[key] = NameRead(name, known.degree, known.kind, known.said)
    return found


def _take(
    matching: Matching,
    rule: Subjects,
    rows: Iterable[TruthRow],
    subjects: Iterable[Subject],
    by: MatchedBy,
    read: Reader,
) -> list[TruthRow]:
    """Match the rows with the subjects of their name; those that have none are given back."""
    named = defaultdict(list)
    for subject in subjects:
        named[fold_name(subject.name)].append(subject)
    rows_of: dict[str, list[TruthRow]] = defaultdict(list)
    for row in rows:
        rows_of[fold_name(row.key)].append(row)
    rest: list[TruthRow] = []
    for name, own in rows_of.items():
        if name not in named:
            rest += own
            continue
        matching.touched |= {key_of(d.document) for s in named[name] for d in s.documents}
        settle = _Settling(matching, rule, by, read)
        if any(_differ(other, own[0]) for other in own):
            settle.row_by_row(own, named[name])
        elif len(named[name]) > 1:
            settle.among_namesakes(own, named[name])
        else:
            settle.one(own, named[name][0])
    return rest


def _differ(a: TruthRow, b: TruthRow) -> bool:
    return a.cells != b.cells or a.of_kind != b.of_kind


@dataclass(frozen=True)
class _Settling:
    """Which documents rows of one name are about."""

    matching: Matching
    rule: Subjects
    by: MatchedBy
    read: Reader

    def one(self, rows: Sequence[TruthRow], subject: Subject) -> None:
        """Rows that say the same, and the one subject of their name."""
        if subject.chosen is None:
            self.matching.doubt(rows, ProblemKind.AMBIGUOUS, f"{rows[0].key}: {subject.note}")
            return
        if self.by is MatchedBy.NAME_READ and self._best(rows[0], subject).of_strangers:
            why = f"{rows[0].key}: read on a document that agrees with the row in nothing else"
            self.matching.doubt(rows, ProblemKind.NAMESAKES, why)
            return
        spoken = spoken_of(self.matching.truth.schema, self.rule, rows[0])
        fitting = [each for each in subject.documents if fits_in(self.rule, each, spoken)]
        if len(rows) > 1 and len(rows) == len(fitting):
            # As many rows that say the same as documents that they may be about: a row each.
            for row, document in zip(rows, fitting, strict=True):
                self._add([row], [(document, self._cells_of(row, document))])
        else:
            self._add(rows, self._documents_of(rows[0], subject))

    def among_namesakes(self, rows: Sequence[TruthRow], subjects: Sequence[Subject]) -> None:
        """Rows that say the same, and several subjects of their name: their other cells decide."""
        fits = {
            (0, index): like
            for index, subject in enumerate(subjects)
            if subject.chosen is not None and (like := self._best(rows[0], subject)).telling
        }
        index = assigned(fits).get(0)
        if index is not None:
            self._add(rows, self._documents_of(rows[0], subjects[index]))
        else:
            self._doubt_namesakes(rows, "several subjects among the documents")

    def row_by_row(self, rows: Sequence[TruthRow], subjects: Sequence[Subject]) -> None:
        """Rows of one name that differ, each with the one document that its degree and the form of its
        code leave, or else that was read as the row says; the others are told."""
        documents = [document for subject in subjects for document in subject.documents]
        schema = self.matching.truth.schema
        claims: dict[DocumentKey, list[TruthRow]] = defaultdict(list)
        lost = []
        for row in rows:
            spoken = spoken_of(schema, self.rule, row)
            fitting = [document for document in documents if fits_in(self.rule, document, spoken)]
            if len(fitting) == 1 and spoken != (None, None):
                claims[key_of(fitting[0].document)].append(row)
            else:
                lost.append(row)
        by_key = {key_of(document.document): document for document in documents}
        for key, claiming in claims.items():
            if all(not _differ(row, claiming[0]) for row in claiming):
                document = by_key.pop(key)
                self._add(claiming, [(document, self._cells_of(claiming[0], document))])
            else:
                lost += claiming
        said = self.read() if lost and by_key else {}
        fits = {
            (index, key): like
            for index, row in enumerate(lost)
            for key, document in by_key.items()
            if fits_in(self.rule, document, spoken_of(schema, self.rule, row))
            and (like := likeness(schema, row, said.get(key, {}))).telling
        }
        pairs = assigned(fits)
        for index, key in pairs.items():
            self._add([lost[index]], [(by_key[key], self._cells_of(lost[index], by_key[key]))])
        still = [row for index, row in enumerate(lost) if index not in pairs]
        what = "several rows that differ, and not one document that only this row can be about"
        self._doubt_namesakes(sorted(still, key=lambda row: row.number), what)

    def _best(self, row: TruthRow, subject: Subject) -> Likeness:
        """How the row fits that document of the subject that it fits best."""
        schema = self.matching.truth.schema
        keys = [key_of(document.document) for document in subject.documents]
        said = self.read()
        return max(likeness(schema, row, said.get(key, {})) for key in keys)

    def _cells_of(self, row: TruthRow, document: NamedDocument) -> Mapping[str, TruthCell]:
        return cells_for(row, kind_rank(self.rule, document.kind), self.matching.notebook)

    def _documents_of(
        self, row: TruthRow, subject: Subject
    ) -> Iterator[tuple[NamedDocument, Mapping[str, TruthCell]]]:
        """The subject's chosen document with the row's cells, and its other documents of that degree
        with what the row says of their kind alone."""
        chosen = self._spoken(row, subject)
        if chosen is None:
            return
        own = kind_rank(self.rule, chosen.kind)
        yield chosen, cells_for(row, own, self.matching.notebook)
        for other in subject.documents:
            kind = kind_rank(self.rule, other.kind)
            same = degree_rank(self.rule, other.degree) == degree_rank(self.rule, chosen.degree)
            if same and kind is not None and kind != own and kind in row.of_kind:
                yield other, row.of_kind[kind]

    def _spoken(self, row: TruthRow, subject: Subject) -> NamedDocument | None:
        """The document that the row speaks of: the chosen one, unless files do not tell and only
        another one fits the row's degree and the form of its code."""
        if self.by is MatchedBy.SUBJECT or len(subject.documents) == 1:
            return subject.chosen
        spoken = spoken_of(self.matching.truth.schema, self.rule, row)
        fitting = [each for each in subject.documents if fits_in(self.rule, each, spoken)]
        return fitting[0] if fitting and subject.chosen not in fitting else subject.chosen

    def _add(
        self,
        rows: Sequence[TruthRow],
        documents: Iterable[tuple[NamedDocument, Mapping[str, TruthCell]]],
    ) -> None:
        note_repeats(self.matching.notebook, rows)
        for document, cells in documents:
            self.matching.add(key_of(document.document), rows, cells, self.by)

    def _doubt_namesakes(self, rows: Sequence[TruthRow], what: str) -> None:
        for row in rows:
            why = f"{row.key}: {what}; left out, not merged (add a column with file names)"
            self.matching.doubt([row], ProblemKind.NAMESAKES, why)


def cells_for(row: TruthRow, kind: int | None, notebook: Notebook) -> Mapping[str, TruthCell]:
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


def fits_in(rule: Subjects, document: NamedDocument, spoken: tuple[int | None, int | None]) -> bool:
    """Whether a document has the degree and the kind that a row speaks of, as far as both are known."""
    named = (degree_rank(rule, document.degree), kind_rank(rule, document.kind))
    return all(a is None or b is None or a == b for a, b in zip(spoken, named, strict=True))


def spoken_of(schema: Schema, rule: Subjects, row: TruthRow) -> tuple[int | None, int | None]:
    """Ranks of the degree and of the kind of document that a row's values speak of."""
    degree = None
    for item in schema.fields:
        cell = row.cells.get(item.name)
        if item.kind is Kind.ENUM and cell is not None and cell.value is not None:
            degree = degree_rank(rule, cell.value) if degree is None else degree
    return degree, kind_read(schema, rule, codes_of(schema, row))


def note_repeats(notebook: Notebook, rows: Sequence[TruthRow]) -> None:
    for row in rows[1:]:
        notebook.add(
            ProblemKind.DUPLICATE_ROW, "repeats an earlier row; counted once", row=row.number
        )

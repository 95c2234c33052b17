"""Rows that neither a file's name nor a subject's brings to a document: what was read on it decides.

First the subject's name with something else that agrees, then a code. What fits several is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

from ocr_moe.evaluation.truth.by_subject import Matching, cells_for, note_repeats, spoken_of
from ocr_moe.evaluation.truth.likeness import (
    Likeness,
    assigned,
    codes_of,
    codes_read,
    kind_read,
    likeness,
    name_field,
    names_read,
    one_character_apart,
    own_fields,
)
from ocr_moe.evaluation.truth.matched import MatchedBy, Reader, Said
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.sheet import Place, TruthRow
from ocr_moe.folds import fold_name
from ocr_moe.schema import Subjects
from ocr_moe.subjects import DocumentKey, FileNameRule, degree_rank, key_of, kind_rank
from ocr_moe.types import DocumentRef

Fits = dict[tuple[Place, DocumentKey], Likeness]
"""How rows (by their place in the file) and documents agree that may belong together."""


def by_reading(matching: Matching, documents: Iterable[DocumentRef], read: Reader) -> None:
    """Match the rows that wait, and those that are unclear, with documents that no row took yet."""
    free = {key_of(document): document for document in documents}
    free = {key: document for key, document in free.items() if key not in matching.found}
    if not free or not (matching.waiting or matching.unclear):
        return
    pairing = _Pairing(matching, free, read())
    if pairing.rule is not None:
        pairing.by_name(MatchedBy.SUBJECT)
        pairing.by_name(MatchedBy.NAME_READ)
    pairing.by_code(pairing.with_one_code())
    pairing.by_code(pairing.with_a_misread_code())


class _Pairing:
    def __init__(
        self,
        matching: Matching,
        free: Mapping[DocumentKey, DocumentRef],
        said: Mapping[DocumentKey, Said],
    ) -> None:
        self._matching = matching
        self._schema = matching.truth.schema
        self._free = dict(free)
        self._said = said
        self.rule: Subjects | None = self._schema.subjects
        namer = FileNameRule(self.rule) if self.rule is not None else None
        named = (namer.identify(document) if namer else None for document in free.values())
        self._named = dict(zip(free, named, strict=True))

    @property
    def _rows(self) -> Sequence[TruthRow]:
        """One of those that say the same."""
        return [rows[0] for rows in self._repeats().values()]

    def _repeats(self) -> Mapping[Hashable, Sequence[TruthRow]]:
        """The rows to be matched, those together that say the same."""
        rows = [*self._matching.waiting, *(row for row, _, _ in self._matching.unclear.values())]
        repeats: dict[Hashable, list[TruthRow]] = defaultdict(list)
        for row in rows:
            of_kind = ((kind, *own.items()) for kind, own in row.of_kind.items())
            repeats[self._name_of(row), (*row.cells.items(), *of_kind)].append(row)
        return repeats

    def by_name(self, by: MatchedBy) -> None:
        """By the subject's name: that of the file, else the one that was read, where another cell
        agrees as well."""
        documents: dict[str, list[DocumentKey]] = defaultdict(list)
        for key in self._free:
            for name in self._names(key, by):
                documents[name].append(key)
        fits: Fits = {}
        for row in self._rows:
            for key in documents.get(self._name_of(row), ()):
                like = likeness(self._schema, row, self._said.get(key, {}))
                of_file = by is MatchedBy.SUBJECT and not like.of_strangers
                if like.code or ((of_file or like.telling) and self._is_of_kind(row, key)):
                    fits[row.place, key] = like
        self._settle(fits, by)

    def _names(self, key: DocumentKey, by: MatchedBy) -> frozenset[str]:
        if by is MatchedBy.NAME_READ:
            return names_read(self._schema, self._said.get(key, {}))
        named = self._named[key]
        # Whom a subject's own rows did not take by the file's name, this does not either.
        taken = named is None or key in self._matching.touched
        return frozenset() if taken or named is None else frozenset({fold_name(named.name)})

    def _name_of(self, row: TruthRow) -> str:
        if self._matching.truth.by == "subject":
            return fold_name(row.key)
        cell = row.cells.get(name_field(self._schema))
        return fold_name(cell.value) if cell is not None and cell.value else ""

    def _is_of_kind(self, row: TruthRow, key: DocumentKey) -> bool:
        """Whether the degree and kind that the row speaks of can be the document's."""
        if self.rule is None:
            return True
        spoken = spoken_of(self._schema, self.rule, row)
        known = (self._degree(key), self._kind(key))
        return all(a is None or b is None or a == b for a, b in zip(spoken, known, strict=True))

    def _degree(self, key: DocumentKey) -> int | None:
        """The degree of a document by its file's name, else as it was read."""
        if self.rule is None:
            return None
        named = self._named[key]
        degree = degree_rank(self.rule, named.degree) if named is not None else None
        if degree is not None:
            return degree
        values = self._said.get(key, {}).get(self.rule.degree_field, ())
        ranks = {degree_rank(self.rule, value) for value in values}
        return ranks.pop() if len(ranks) == 1 else None

    def _kind(self, key: DocumentKey) -> int | None:
        """The kind of a document by its file's name, else by the form of the code that was read."""
        if self.rule is None:
            return None
        named = self._named[key]
        kind = kind_rank(self.rule, named.kind) if named is not None else None
        if kind is not None:
            return kind
        return kind_read(self._schema, self.rule, codes_read(self._schema, self._said.get(key, {})))

    def with_one_code(self) -> Iterator[tuple[TruthRow, DocumentKey]]:
        """Rows with the documents on which one of their codes was read."""
        documents: dict[str, set[DocumentKey]] = defaultdict(set)
        for key in self._free:
            for code in codes_read(self._schema, self._said.get(key, {})):
                documents[code].add(key)
        for row in self._rows:
            for key in {key for code in codes_of(self._schema, row) for key in documents[code]}:
                yield row, key

    def with_a_misread_code(self) -> Iterator[tuple[TruthRow, DocumentKey]]:
        """Rows with the documents on which one of their codes was read but for a character, and
        something of their own (a birth date) as the row says."""
        for item in own_fields(self._schema):
            documents: dict[str, list[DocumentKey]] = defaultdict(list)
            for key in self._free:
                for value in self._said.get(key, {}).get(item.name, ()):
                    documents[value].append(key)
            for row in self._rows:
                cell = row.cells.get(item.name)
                if cell is None or cell.value is None:
                    continue
                for key in documents.get(cell.value, ()):
                    read = tuple(codes_read(self._schema, self._said.get(key, {})))
                    told = codes_of(self._schema, row)
                    if any(one_character_apart(a, b) for a in told for b in read):
                        yield row, key

    def by_code(self, pairs: Iterable[tuple[TruthRow, DocumentKey]]) -> None:
        fits = {
            (row.place, key): likeness(self._schema, row, self._said.get(key, {}))
            for row, key in pairs
        }
        self._settle(fits, MatchedBy.CODE_READ)

    def _settle(self, fits: Fits, by: MatchedBy) -> None:
        repeats = {rows[0].place: rows for rows in self._repeats().values()}
        pairs = assigned(fits)
        for place, key in pairs.items():
            rows = repeats[place]
            note_repeats(self._matching.notebook, rows)
            cells = cells_for(rows[0], self._kind(key), self._matching.notebook)
            self._matching.add(key, rows, cells, by)
            del self._free[key]
        for place, key in fits:
            if place in pairs or key not in self._free:
                continue
            # A document that rows cannot agree on has rows all the same.
            self._matching.touched.add(key)
            for row in repeats[place]:
                if row.place not in self._matching.unclear:
                    why = f"{row.key}: {_WHY[by]}; left out (add a column with file names)"
                    self._matching.doubt([row], _KIND[by], why)
        settled = {row.place for place in pairs for row in repeats[place]}
        self._matching.waiting = [
            row
            for row in self._matching.waiting
            if row.place not in settled and row.place not in self._matching.unclear
        ]


_KIND = {
    MatchedBy.SUBJECT: ProblemKind.NAMESAKES,
    MatchedBy.NAME_READ: ProblemKind.NAMESAKES,
    MatchedBy.CODE_READ: ProblemKind.AMBIGUOUS,
}
_WHY = {
    MatchedBy.SUBJECT: "the name fits several documents, or several rows one of them",
    MatchedBy.NAME_READ: "the name was read on several documents, or several rows fit one of them",
    MatchedBy.CODE_READ: "the code was read on several documents, or several rows have it",
}

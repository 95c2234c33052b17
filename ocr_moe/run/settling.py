"""The last stage of a run: what people said, and what documents of one subject say of one another.

Records as experts alone decide them stay in the store, so that a run that goes on, or takes further
files in, is settled anew, and nothing that a person says is ever mixed up with what was read.  What
settling changes stands beside them, in the table `settled`.

After one judgement only the documents are weighed again that may have something to do with it: those
that share, directly or through others, a subject's name, a number or a page with the one judged.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence

from ocr_moe.folds import fold_name
from ocr_moe.judgements import Verdict, latest, verdicts_of
from ocr_moe.routing.dossiers import Dossiers, Entry, Settled, said_of, settled_record
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.judging import Judging
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, FileNameRule, key_of
from ocr_moe.types import Box, DocumentRef, Judgement, JudgementKind, Record
from ocr_moe.version import __version__
from ocr_moe.workshop.build import Workshop

Content = tuple[str, int, Box | None]
"""(hash, page, region): what a judgement is about, under however many paths it lies."""


def settle(
    store: Store, strategies: Sequence[Strategy], schemas: Sequence[Schema], workshop: Workshop
) -> None:
    """Write down what people and other documents change of the records of every strategy.

    Raises SchemaError for a wrong subject pattern, StoreError where the store is lost.
    """
    for strategy in strategies:
        if _stands(store, strategy, schemas):
            continue
        if strategy.dossiers is None and not store.last_judgement():
            store.put_settled(strategy.name, (), _way(strategy, schemas))
            continue
        Settling(store, strategy, schemas, Judging(store, workshop, strategy, schemas)).settle()


def own_records(store: Store, strategy: Strategy, schemas: Sequence[Schema]) -> Iterator[Record]:
    """A strategy's records as experts and documents of one subject leave them, without people's word.

    Nothing is written. Raises SchemaError for a wrong subject pattern, StoreError.
    """
    return Settling(store, strategy, schemas).records()


def _stands(store: Store, strategy: Strategy, schemas: Sequence[Schema]) -> bool:
    """Whether the store holds what settling would come to anew.

    Where people judged, that also depends on all that decides over recorded answers, calibration
    included: there it is not asked.
    """
    return not store.last_judgement() and store.is_settled(strategy.name, _way(strategy, schemas))


def _way(strategy: Strategy, schemas: Sequence[Schema]) -> str:
    """A digest of all that settling depends on but for records, readings and people's word."""
    params = strategy.dossiers and strategy.dossiers.model_dump(mode="json")
    plain = [__version__, params, [schema.model_dump(mode="json") for schema in schemas]]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _unheard(record: Record) -> None:
    """Nobody asks for records as they stand."""


class Settling:
    """The documents of one strategy, and what is said of them. Not to be shared between threads."""

    def __init__(
        self,
        store: Store,
        strategy: Strategy,
        schemas: Sequence[Schema],
        judging: Judging | None = None,
    ) -> None:
        """Without `judging` people's word does not count. Raises SchemaError for a wrong subject
        pattern."""
        self._store = store
        self._strategy = strategy
        self._judging = judging
        self._told: dict[DocumentKey, str] = {}
        """What people say of whose documents are."""
        self._offers: dict[Content, dict[str, set[str]]] = {}
        offered = _offered(store, strategy, self._offers)
        weighed = schemas if strategy.dossiers is not None else ()
        self._dossiers = {
            schema.name: Dossiers(schema, strategy.dossiers, offered, self._told)
            for schema in weighed
            if strategy.dossiers is not None
            and schema.subjects is not None
            and schema.subjects.fields
        }
        self._rules = {
            schema.name: FileNameRule(schema.subjects, self._told)
            for schema in schemas
            if schema.name in self._dossiers and schema.subjects is not None
        }
        self._all_schemas = schemas
        self._schemas = {schema.name: schema for schema in schemas}
        self._wanted = {name: dossiers.fields for name, dossiers in self._dossiers.items()}
        self._entries: dict[DocumentKey, tuple[str, Entry]] = {}
        """Key → (schema, what other documents need of it)."""
        self._marked: dict[DocumentKey, tuple[Hashable, ...]] = {}
        """Key → what it may have in common with others."""
        self._sharing: dict[Hashable, set[DocumentKey]] = defaultdict(set)
        """What documents may have in common → those that have it."""
        self._paths: dict[Content, list[DocumentKey]] = defaultdict(list)

    def settle(self, taken: Callable[[Record], None] = _unheard) -> None:
        """Weigh all documents, and write down what that changes, in place of what it changed before;
        nothing where that stands already. `taken` is told of every record as it now is, in the order
        of path, page and part; it may not write to the store."""
        judged = self._take_all()
        if _stands(self._store, self._strategy, self._all_schemas):
            for record in self._store.records(self._strategy.name):
                taken(record)
            return
        changes = self._weighed(self._entries)
        changed = self._changed(judged, changes, taken)
        way = _way(self._strategy, self._all_schemas)
        self._store.put_settled(self._strategy.name, changed, way)

    def records(self) -> Iterator[Record]:
        """All records as they are once all documents are weighed; nothing is written."""
        judged = self._take_all()
        changes = self._weighed(self._entries)
        for alone in self._store.records(self._strategy.name, alone=True):
            yield self._as_settled(alone, judged, changes)

    def without_words(self) -> dict[DocumentKey, Record]:
        """The documents that people's word may have changed, themselves judged or tied to one that is,
        with their records as they would be without it; once `settle` was called."""
        given = _given(self._store) if self._judging is not None else {}
        judged = {key for content in given for key in self._paths.get(content, ())}
        plain = Settling(self._store, self._strategy, self._all_schemas)
        alone: dict[DocumentKey, Record] = {}

        def read(key: DocumentKey) -> None:
            record = self._store.record(self._strategy.name, key, alone=True)
            if record is not None:
                alone[key] = record
                plain._note(key, record)

        for key in judged:
            read(key)
        # A word may tie a document to others than it was tied to before: both count.
        found: set[DocumentKey] = set()
        waiting = list(judged)
        while waiting:
            here = waiting.pop()
            if here in found:
                continue
            found.add(here)
            for marked in (self._marked, plain._marked):
                for mark in marked.get(here, ()):
                    for sharing in (self._sharing, plain._sharing):
                        waiting += sharing.get(mark, ())
        for key in found - judged:
            read(key)
        changes = plain._weighed(plain._entries)
        return {key: plain._as_settled(record, {}, changes) for key, record in alone.items()}

    def _take_all(self) -> dict[DocumentKey, Record]:
        """Take all documents in, none of them settled; those that people judged, by their word."""
        verdicts, subjects = self._said()
        for kept in (self._entries, self._marked, self._sharing, self._paths, self._told):
            kept.clear()
        self._offers.clear()
        judged: dict[DocumentKey, Record] = {}
        for record in self._store.records(self._strategy.name, alone=True):
            key = key_of(record.document)
            content = content_of(record.document)
            self._paths[content].append(key)
            if content in subjects:
                self._told[key] = subjects[content]
            if content in verdicts:
                record = judged[key] = self._judged(record, verdicts[content])
            self._note(key, record)
        return judged

    def _changed(
        self,
        judged: Mapping[DocumentKey, Record],
        changes: Mapping[DocumentKey, Settled],
        taken: Callable[[Record], None],
    ) -> Iterator[Record]:
        for alone in self._store.records(self._strategy.name, alone=True):
            record = self._as_settled(alone, judged, changes)
            taken(record)
            if record is not alone:
                yield record

    def _as_settled(
        self,
        alone: Record,
        judged: Mapping[DocumentKey, Record],
        changes: Mapping[DocumentKey, Settled],
    ) -> Record:
        key = key_of(alone.document)
        record = judged.get(key, alone)
        return settled_record(record, changes[key]) if key in changes else record

    def _judged(self, record: Record, verdicts: Mapping[str, Verdict]) -> Record:
        return record if self._judging is None else self._judging.record(record, verdicts)

    def after(self, document: DocumentRef) -> list[Record]:
        """Settle what a judgement on a document may have changed, after `settle` was called once; the
        records that are now other than they were."""
        judged: dict[DocumentKey, Record] = {}
        touched: set[DocumentKey] = set()
        for key in self._paths[content_of(document)]:
            alone = self._store.record(self._strategy.name, key, alone=True)
            if alone is not None:
                touched |= self._connected(key)
                touched |= self._taken(key, alone, judged)
        return self._written(touched, judged)

    def replaced(self, paths: Container[str], records: Iterable[Record]) -> list[Record]:
        """Settle what follows where the records of some files, as experts alone decide them, were
        replaced in the store by others; the records that are now other than the store has them."""
        self._offers.clear()
        touched: set[DocumentKey] = set()
        for content, keys in list(self._paths.items()):
            gone = [key for key in keys if key.path in paths]
            for key in gone:
                touched |= self._connected(key)
                self._forget(key)
                self._told.pop(key, None)
                keys.remove(key)
            if not keys:
                del self._paths[content]
        judged: dict[DocumentKey, Record] = {}
        for record in records:
            key = key_of(record.document)
            self._paths[content_of(record.document)].append(key)
            touched |= self._taken(key, record, judged)
        return self._written(touched, judged)

    def _taken(
        self, key: DocumentKey, alone: Record, judged: dict[DocumentKey, Record]
    ) -> set[DocumentKey]:
        """Take a document in as people's word leaves it; those that it is tied to."""
        given = self._store.judgements_of(*content_of(alone.document))
        self._told.pop(key, None)
        if (name := _subject_in(given)) is not None:
            self._told[key] = name
        judged[key] = self._judged(alone, verdicts_of(given))
        self._note(key, judged[key])
        return self._connected(key)

    def _written(
        self, touched: set[DocumentKey], judged: Mapping[DocumentKey, Record]
    ) -> list[Record]:
        """Weigh some documents again and write down what that changes; the records that changed."""
        changes = self._weighed(
            {key: self._entries[key] for key in touched if key in self._entries}
        )
        changed: list[Record] = []
        plain: list[DocumentKey] = []
        settled: list[Record] = []
        for key in sorted(touched | judged.keys()):
            before = self._store.record(self._strategy.name, key)
            alone = self._store.record(self._strategy.name, key, alone=True)
            if before is None or alone is None:
                continue
            record = judged.get(key) or self._judged_anew(alone)
            if key in changes:
                record = settled_record(record, changes[key])
            if record == before:
                continue
            changed.append(record)
            (plain.append(key) if record == alone else settled.append(record))
        self._store.change_settled(self._strategy.name, settled, plain)
        return changed

    def copies(self, document: DocumentRef) -> list[DocumentKey]:
        """All documents of the same content, this one among them, once `settle` was called."""
        return self._paths[content_of(document)]

    def _judged_anew(self, alone: Record) -> Record:
        judgements = self._store.judgements_of(*content_of(alone.document))
        return self._judged(alone, verdicts_of(judgements))

    def _said(self) -> tuple[dict[Content, dict[str, Verdict]], dict[Content, str]]:
        """Content → verdicts, and content → whose it is, of what people said something of."""
        if self._judging is None:
            return {}, {}
        given = _given(self._store)
        verdicts = {content: verdicts_of(judgements) for content, judgements in given.items()}
        return verdicts, _subjects_in(given)

    def _note(self, key: DocumentKey, record: Record) -> None:
        """Keep what other documents need of a record, and by what they find it."""
        schema = record.schema_name or ""
        self._forget(key)
        if schema not in self._dossiers or not record.fields:
            return
        said = {
            name: said_of(record.fields[name])
            for name in self._wanted[schema]
            if name in record.fields
        }
        self._entries[key] = (schema, Entry(record.document, said))
        self._marked[key] = tuple(self._marks(*self._entries[key]))
        for mark in self._marked[key]:
            self._sharing[mark].add(key)

    def _forget(self, key: DocumentKey) -> None:
        self._entries.pop(key, None)
        for mark in self._marked.pop(key, ()):
            self._sharing[mark].discard(key)

    def _marks(self, schema: str, entry: Entry) -> Iterator[Hashable]:
        """What a document may have in common with others that `Dossiers` weighs together."""
        rule = self._schemas[schema].subjects
        assert rule is not None
        yield schema, "page", entry.document.path, entry.document.page
        named = self._rules[schema].identify(entry.document)
        if named is not None:
            yield schema, "name", fold_name(named.name)
        for field in (rule.name_field, *rule.unique):
            said = entry.said.get(field)
            if said is not None and said.value is not None:
                kind = "name" if field == rule.name_field else field
                yield schema, kind, fold_name(said.value) if kind == "name" else said.value

    def _connected(self, key: DocumentKey) -> set[DocumentKey]:
        """The documents that are tied to one, itself among them."""
        found: set[DocumentKey] = set()
        waiting = [key]
        while waiting:
            here = waiting.pop()
            if here in found or here not in self._entries:
                continue
            found.add(here)
            for mark in self._marked[here]:
                waiting += self._sharing[mark]
        return found

    def _weighed(
        self, entries: Mapping[DocumentKey, tuple[str, Entry]]
    ) -> dict[DocumentKey, Settled]:
        of_schema: dict[str, list[Entry]] = {name: [] for name in self._dossiers}
        for _, (schema, entry) in sorted(entries.items()):
            of_schema[schema].append(entry)
        changes: dict[DocumentKey, Settled] = {}
        for name, found in of_schema.items():
            if found:
                changes |= self._dossiers[name].settle(found)
        return changes


def content_of(document: DocumentRef) -> Content:
    """(hash, page, region) as the store tells them, whose regions have five places: what a judgement is
    about."""
    region = document.region
    if region is not None:
        x0, y0, x1, y1 = (round(side, 5) for side in region)
        region = (x0, y0, x1, y1)
    return document.sha256, document.page, region


def subjects_told(store: Store, strategy: str) -> dict[DocumentKey, str]:
    """Whose documents are, where people say so."""
    told = _subjects_in(_given(store))
    if not told:
        return {}
    documents = (record.document for record in store.records(strategy))
    return {
        key_of(each): told[content] for each in documents if (content := content_of(each)) in told
    }


def _given(store: Store) -> dict[Content, list[Judgement]]:
    """Content → judgements that count, in the order in which they were given."""
    given: dict[Content, list[Judgement]] = defaultdict(list)
    for each in store.judgements():
        if not each.undone and each.judgement.kind is not JudgementKind.UNDO:
            given[each.sha256, each.page, each.region].append(each.judgement)
    return given


def _subjects_in(given: Mapping[Content, Iterable[Judgement]]) -> dict[Content, str]:
    found = ((content, _subject_in(judgements)) for content, judgements in given.items())
    return {content: name for content, name in found if name is not None}


def _subject_in(judgements: Iterable[Judgement]) -> str | None:
    told = latest(judgements, JudgementKind.SUBJECT)
    return None if told is None else told.value


def _offered(
    store: Store, strategy: Strategy, of_document: dict[Content, dict[str, set[str]]]
) -> Callable[[DocumentRef, str], Iterable[str]]:
    """The values that the strategy's experts gave for a field of a document, likely or not;
    `of_document` keeps them."""

    def offered(document: DocumentRef, field: str) -> Iterable[str]:
        key = (document.sha256, document.page, document.region)
        if key not in of_document:
            values: dict[str, set[str]] = {}
            for expert, _, answer in store.answers(*key):
                for reading in answer.readings if expert in strategy.experts else ():
                    given = (reading.value, *(other.value for other in reading.alternatives))
                    values.setdefault(reading.field, set()).update(v for v in given if v)
            of_document[key] = values
        return of_document[key].get(field, ())

    return offered

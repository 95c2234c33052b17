"""What the documents of one subject say of one another, after every one of them was decided.

A subject's documents (a student's diploma and degree certificate) form a dossier.  They share what the
schema calls `constant`, and documents of one degree usually share more.  So a misreading in one is
mended by what another says, agreement makes both surer, and what cannot both be true becomes a
`Conflict` on every document that takes part, and takes acceptance away where a person must decide.

Everything here rests on recorded decisions and readings: nobody is asked.

The model: with p and q the chances that two documents were read right, and independent misreadings,
equal values have the odds p/(1-p) · q/(1-q); a grouping that is right only with chance t leaves the
share 1-t of a document's own chance.  A file's name counts like another document that says the
subject's name.  (Record linkage after Fellegi & Sunter 1969 asks who belongs together; here the file's
name says so, or the name that was read with another field that agrees.)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, pairwise
from typing import NamedTuple

from pydantic import Field as PydanticField

from ocr_moe.folds import has_cjk
from ocr_moe.odds import DECISION_EDGE, logit, sigmoid
from ocr_moe.routing.settings import UNDECIDED, Thresholds
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.subjects import (
    MISREAD_OF,
    DocumentKey,
    FileNameRule,
    GroupedBy,
    Subject,
    key_of,
    may_be_misread,
    name_read,
    shared_pages,
    shown,
)
from ocr_moe.types import (
    HUMAN,
    Conflict,
    ConflictKind,
    Decision,
    DocumentRef,
    Probability,
    Record,
    Status,
    Value,
)
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.normalize import equal

_SUREST = 0.999
"""The most that another document's word makes of a confidence: groupings can be wrong."""
_LIKELY = 0.3
"""Chance that a misread name came out as what was read, given that the two look alike: there are a few
such characters for each. [a judgement; at 0.1 a reading of 0.7 is mended with 0.81 instead of 0.93]"""
_A_NAME = 0.9
"""Belief in a file's name as a person's from which another name on the page contradicts it: it begins
with a known surname, or has the parts of a minority name. Scans are called 扫描件 as well."""


class DossierParams(Value):
    """How far documents of one subject weigh on one another."""

    accept: Thresholds = Thresholds()
    """The confidence from which a value stands; the strategy's combiner has its own for documents
    alone, and by default it is the same."""
    sure: Probability = 0.97
    """Confidence from which a value mends another document's."""
    unsure: Probability = 0.85
    """Confidence below which a value may be mended."""
    by_file_name: Probability = 0.99
    """t where file names group: how often they say whose document it is."""
    by_name_read: Probability = 0.95
    """t where the name that was read groups, which namesakes share."""
    misread_of: int = PydanticField(default=MISREAD_OF, ge=1)
    """A value may be a misreading of another where no more than one character in so many differs (in
    short ones, one), or an expert offered the other as well."""


class Said(NamedTuple):
    """What a document's record says of a field, as far as other documents matter to it."""

    value: str | None
    confidence: float | None
    status: Status
    ceiling: float = 1.0
    """The most that the confidence may be, whoever else says the same."""
    notes: tuple[str, ...] = ()
    """What other documents added."""
    by_people: bool = False
    """Whether people said it, also where they differ: no document overrules that."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document of a run, as far as others can say something of it."""

    document: DocumentRef
    said: Mapping[str, Said]
    key: DocumentKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", key_of(self.document))


class _Witness(NamedTuple):
    """A document that has a value for a field."""

    entry: Entry
    value: str
    confidence: float
    verified: bool
    """Whether it is a person's word, which no number of readings outweighs."""

    @property
    def content(self) -> str:
        """The same bytes were read once, and are no second witness."""
        return self.entry.document.sha256


@dataclass(slots=True)
class Settled:
    """What a document's dossier changes of it."""

    fields: dict[str, Said] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)


Offered = Callable[[DocumentRef, str], Iterable[str]]
"""The values that any expert offered for a field of a document."""


class Dossiers:
    """The documents of one schema, as dossiers; `settle` weighs them. Raises SchemaError for a wrong
    pattern of file names.

    `told` is what people say of whose documents are; of those a file's name says nothing.
    """

    def __init__(
        self,
        schema: Schema,
        params: DossierParams,
        offered: Offered,
        told: Mapping[DocumentKey, str] = {},
    ) -> None:
        if schema.subjects is None:
            raise ValueError(f"{schema.name} has no rule for subjects")
        self._schema = schema
        self._rule = schema.subjects
        self._params = params
        self._offered = offered
        self._told = told
        self._names = FileNameRule(self._rule, told)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are looked at: an `Entry` needs no others."""
        return self._rule.fields

    def settle(self, entries: Sequence[Entry]) -> dict[DocumentKey, Settled]:
        """What changes, by document; documents of which nothing changes are left out."""
        work = _Work(self._schema, self._params, self._offered, entries)
        shared = shared_pages(entry.document for entry in entries)
        for entry in entries:
            named = self._names.identify(entry.document)
            alone = (entry.document.path, entry.document.page) not in shared
            if entry.key in self._told:
                continue
            if named is not None and alone and self._rule.name_field:
                work.hold_against_file_name(entry, self._rule.name_field, named.name)
        for name in self._rule.unique:
            for copies in work.copies(name, self._rule.constant):
                work.agree(copies, self.fields, self._params.by_file_name)
        subjects = self._subjects(work, entries)
        work.tell_of_namesakes(subjects, self._rule.name_field)
        for subject in subjects:
            members = [work.entries[key_of(item.document)] for item in subject.documents]
            trust = self._params.by_file_name
            if subject.grouped_by is GroupedBy.NAME_READ:
                trust = self._params.by_name_read
            constant = [name for name in self._rule.constant if name != self._rule.name_field]
            if subject.grouped_by is GroupedBy.FILE_NAME and self._rule.name_field:
                constant.insert(0, self._rule.name_field)
            work.agree(members, constant, trust)
            for fellows in work.of_one_degree(members, self._rule.degree_field):
                work.agree(fellows, self._rule.constant_in_degree, trust, usual=True)
                for name in self._rule.close:
                    work.lie_near(fellows, name, self._rule.close_days)
        return work.changed()

    def _subjects(self, work: _Work, entries: Sequence[Entry]) -> Sequence[Subject]:
        read = {entry.key: name_read(self._schema, work.values(entry)) for entry in entries}
        found = self._names.group(
            [entry.document for entry in entries],
            {key: name for key, name in read.items() if name is not None},
        )
        return found.subjects


class _Work:
    """What is said as things stand, and the conflicts that are found."""

    def __init__(
        self, schema: Schema, params: DossierParams, offered: Offered, entries: Sequence[Entry]
    ) -> None:
        self.entries = {entry.key: entry for entry in entries}
        self._fields = {each.name: each for each in schema.fields}
        self._params = params
        self._offered = offered
        self._settled: dict[DocumentKey, Settled] = defaultdict(Settled)

    def changed(self) -> dict[DocumentKey, Settled]:
        return {k: s for k, s in self._settled.items() if s.fields or s.conflicts}

    def said(self, entry: Entry, name: str) -> Said | None:
        settled = self._settled.get(entry.key)
        if settled is not None and name in settled.fields:
            return settled.fields[name]
        return entry.said.get(name)

    def values(self, entry: Entry) -> dict[str, str]:
        """Field → value, of the fields that have one."""
        known = ((name, self._value(entry, name)) for name in entry.said)
        return {name: value for name, value in known if value is not None}

    def _value(self, entry: Entry, name: str) -> str | None:
        said = self.said(entry, name)
        return None if said is None else said.value

    def hold_against_file_name(self, entry: Entry, name: str, told: str) -> None:
        """A file's name tells whose document it is: the page agrees, is mended, or contradicts."""
        said = self.said(entry, name)
        if said is None or said.confidence is None:
            return
        each = self._fields[name]
        own, trust = said.confidence, self._params.by_file_name
        is_name = each.kind is Kind.PERSON and kind_of(each).belief(each, told) >= _A_NAME
        if said.value is None or (is_name and own < UNDECIDED and told != said.value):
            if is_name:
                self._offer(entry, name, told)
            return
        if has_cjk(told) != has_cjk(said.value):
            return  # a name in pinyin says nothing of its characters
        if told == said.value or equal(each, told, said.value):
            together = _together([own, trust])
            self._surer(
                entry, name, trust * together + (1 - trust) * own, "so says the file's name"
            )
        elif own < self._params.unsure and self._may_be(entry, each, said.value, told):
            misread = (1.0 - own) * _LIKELY * trust
            note = f"read as {said.value}, taken as {told} because the file's name says so"
            self._mend(entry, name, told, misread / (misread + own * (1.0 - trust)), note)
        elif is_name:
            # The name of an organisation is often shortened for a file.
            message = f"the file's name says {told}, the page says {said.value}"
            self._contradict([entry], name, ConflictKind.FILE_NAME, message)

    def tell_of_namesakes(self, subjects: Sequence[Subject], name: str) -> None:
        """Two students of one name are no contradiction; that none is missing is a person's to say."""
        alike: dict[str, list[Entry]] = defaultdict(list)
        for subject in subjects:
            if subject.namesakes and name:
                found = [self.entries[key_of(each.document)] for each in subject.documents]
                alike[subject.name] += found
        for shared, entries in alike.items():
            message = f"several subjects carry the name {shared}; not merged"
            self._note(entries, name, ConflictKind.NAMESAKES, message)

    def copies(self, name: str, constant: Sequence[str]) -> list[list[Entry]]:
        """Documents with one number: one certificate several times, or two subjects with one number.

        Both become conflicts; gives the groups of the first kind.
        """
        numbered: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries.values():
            number = self._value(entry, name)
            if number is not None and self._is_whole(name, number):
                numbered[number].append(entry)
        found = []
        for number, sharing in numbered.items():
            groups = self._of_one_subject(sharing, constant)
            for group in groups:
                if len(group) > 1:
                    found.append(group)
                    message = f"{name} {number}: one document, handed in several times"
                    self._note(group, name, ConflictKind.COPY, message)
            if len(groups) > 1:
                message = f"{name} {number} stands on documents of different subjects"
                self._contradict(sharing, name, ConflictKind.SAME_NUMBER, message)
        return found

    def _is_whole(self, name: str, code: str) -> bool:
        """Whether a number is whole, and so one document's own."""
        grammars = self._fields[name].grammars
        return not grammars or any(grammar.matches(code) for grammar in grammars)

    def _of_one_subject(
        self, entries: Sequence[Entry], constant: Sequence[str]
    ) -> list[list[Entry]]:
        groups: list[list[Entry]] = []
        for entry in entries:
            for group in groups:
                if all(self._may_be_one(entry, other, constant) for other in group):
                    group.append(entry)
                    break
            else:
                groups.append([entry])
        return groups

    def _may_be_one(self, a: Entry, b: Entry, constant: Sequence[str]) -> bool:
        """Whether two documents differ in no more than one misreading of what is constant."""
        misread = 0
        for name in constant:
            one, other = self._value(a, name), self._value(b, name)
            if one is None or other is None or _agree(self._fields[name], one, other):
                continue
            if has_cjk(one) != has_cjk(other):
                continue  # a name in Latin letters is no other name
            if not self._is_near(one, other):
                return False
            misread += 1
        return misread <= 1

    def of_one_degree(self, members: Sequence[Entry], degree_field: str) -> list[list[Entry]]:
        if not degree_field:
            return [list(members)]
        degrees: dict[str, list[Entry]] = defaultdict(list)
        for entry in members:
            degree = self._value(entry, degree_field)
            if degree is not None:
                degrees[degree].append(entry)
        return list(degrees.values())

    def agree(
        self, members: Sequence[Entry], names: Sequence[str], trust: float, *, usual: bool = False
    ) -> None:
        """Weigh what documents say of fields that should be equal on all of them.

        Where they only usually are (`usual`), values that are nothing like each other both stay.
        """
        for name in names:
            witnesses = [
                _Witness(entry, said.value, said.confidence, said.status is Status.VERIFIED)
                for entry in members
                if (said := self.said(entry, name)) is not None
                and said.value is not None
                and said.confidence is not None
            ]
            # A certificate and its English page write one name in two scripts.
            for script in (True, False):
                alike = [each for each in witnesses if has_cjk(each.value) is script]
                if len({witness.content for witness in alike}) > 1:
                    self._weigh(name, alike, trust, usual)

    def _weigh(self, name: str, witnesses: Sequence[_Witness], trust: float, usual: bool) -> None:
        each = self._fields[name]
        camps: list[list[_Witness]] = []
        for witness in witnesses:
            for camp in camps:
                if _agree(each, witness.value, camp[0].value):
                    camp.append(witness)
                    break
            else:
                camps.append([witness])
        camps.sort(key=lambda camp: (not _is_verified(camp), -_chance(camp), -len(camp)))
        first, chance = camps[0], _chance(camps[0])
        if len({witness.content for witness in first}) > 1:
            for witness in first:
                others = _shown([other.entry for other in first if other is not witness])
                better = trust * chance + (1.0 - trust) * witness.confidence
                self._surer(witness.entry, name, better, f"so says {others}")
        # A full date says more than its month.
        spokesman = max(first, key=lambda each: (each.verified, len(each.value), each.confidence))
        for witness in chain.from_iterable(camps[1:]):
            self._differ(name, witness, spokesman, chance, trust, usual)

    def _differ(
        self,
        name: str,
        mine: _Witness,
        theirs: _Witness,
        chance: float,
        trust: float,
        usual: bool,
    ) -> None:
        """One document says otherwise than the surest of its dossier, which is right with `chance`."""
        misread = self._may_be(mine.entry, self._fields[name], mine.value, theirs.value)
        if usual and not misread:
            return
        unsure = mine.confidence < self._params.unsure
        where = _shown([theirs.entry])
        if misread and unsure and chance >= self._params.sure:
            note = f"read as {mine.value}, taken as {theirs.value} because {where} says so"
            self._mend(mine.entry, name, theirs.value, trust * chance, note)
            return
        both = [mine.entry, theirs.entry]
        message = f"{_shown([mine.entry])} says {mine.value}, {where} says {theirs.value}"
        if unsure and misread:
            self._note(both, name, ConflictKind.DIFFERS, message)
            self._doubt(mine.entry, name)
        else:
            self._contradict(both, name, ConflictKind.DIFFERS, message)

    def lie_near(self, members: Sequence[Entry], name: str, days: int) -> None:
        """Dates of one degree that lie further apart than its documents are ever issued."""
        dated = [(day, entry) for entry in members if (day := _day(self._value(entry, name)))]
        dated.sort(key=lambda item: item[0])
        for (first, a), (second, b) in pairwise(dated):
            if (second - first).days > days:
                message = (
                    f"{_shown([a])} says {first}, {_shown([b])} says {second}, "
                    f"more than {days} days later"
                )
                self._contradict([a, b], name, ConflictKind.FAR_APART, message)

    def _may_be(self, entry: Entry, each: Field, read: str, meant: str) -> bool:
        """Whether what was read may be a misreading of the other value."""
        if self._is_near(read, meant):
            return True
        return any(equal(each, meant, value) for value in self._offered(entry.document, each.name))

    def _is_near(self, read: str, meant: str) -> bool:
        return may_be_misread(read, meant, self._params.misread_of)

    def _surer(self, entry: Entry, name: str, confidence: float, why: str) -> None:
        """Raise a confidence; with a note where the value comes to stand by it."""
        said = self.said(entry, name)
        confidence = round(min(confidence, _SUREST, 1.0 if said is None else said.ceiling), 6)
        if said is None or confidence <= (said.confidence or 0.0):
            return
        said = said._replace(confidence=confidence)
        if said.status is Status.ABSTAINED and self._stands(name, confidence):
            said = said._replace(status=Status.ACCEPTED, notes=(*said.notes, why))
        self._put(entry, name, said)

    def _offer(self, entry: Entry, name: str, told: str) -> None:
        """The file's name where the page's could not be read: a guess, for a person to look at."""
        said = self.said(entry, name)
        value, notes = (None, ()) if said is None else (said.value, said.notes)
        read = "not read" if value is None else f"read as {value}"
        notes = (*notes, f"{read}; the file's name says {told}")
        guess = Said(told, UNDECIDED, Status.ABSTAINED, ceiling=UNDECIDED, notes=notes)
        self._put(entry, name, guess)

    def _mend(self, entry: Entry, name: str, value: str, confidence: float, note: str) -> None:
        said = self.said(entry, name)
        confidence = round(min(confidence, _SUREST), 6)
        status = Status.ACCEPTED if self._stands(name, confidence) else Status.ABSTAINED
        notes = (*said.notes, note) if said is not None else (note,)
        self._put(entry, name, Said(value, confidence, status, notes=notes))

    def _put(self, entry: Entry, name: str, said: Said) -> None:
        """Write down what is to be said from now on; a person's word stays as it is."""
        before = self.said(entry, name)
        if before is None or not before.by_people:
            self._settled[entry.key].fields[name] = said

    def _contradict(
        self, entries: Sequence[Entry], name: str, kind: ConflictKind, message: str
    ) -> None:
        self._note(entries, name, kind, message)
        for entry in entries:
            self._doubt(entry, name)

    def _doubt(self, entry: Entry, name: str) -> None:
        """Take the acceptance away: a person must look."""
        said = self.said(entry, name)
        if said is not None and said.value is not None:
            confidence = min(said.confidence or 0.0, UNDECIDED)
            self._put(entry, name, said._replace(confidence=confidence, status=Status.ABSTAINED))

    def _note(self, entries: Sequence[Entry], name: str, kind: ConflictKind, message: str) -> None:
        for entry in entries:
            others = tuple(shown(other.document) for other in entries if other is not entry)
            conflict = Conflict(kind=kind, fields=(name,), documents=others, message=message)
            settled = self._settled[entry.key]
            if conflict not in settled.conflicts:
                settled.conflicts.append(conflict)
            said = self.said(entry, name)
            if said is not None and message not in said.notes:
                settled.fields[name] = said._replace(notes=(*said.notes, message))

    def _stands(self, name: str, confidence: float) -> bool:
        return self._params.accept.reached(self._fields[name], confidence)


def _shown(entries: Sequence[Entry]) -> str:
    return ", ".join(shown(entry.document) for entry in entries)


def _agree(each: Field, a: str, b: str) -> bool:
    """Whether two values say the same; a date without its day agrees with that month's days."""
    if a == b or equal(each, a, b):
        return True
    short, long = sorted((a, b), key=len)
    return each.kind is Kind.DATE and len(short) == 7 and long.startswith(short)


def _together(chances: Iterable[float]) -> float:
    """The chance that all are right who say the same."""
    return sigmoid(sum(logit(p, DECISION_EDGE) for p in chances))


def _is_verified(camp: Sequence[_Witness]) -> bool:
    return any(witness.verified for witness in camp)


def _chance(camp: Sequence[_Witness]) -> float:
    """The chance that the value of these witnesses is right."""
    of_content: dict[str, float] = {}
    for witness in camp:
        known = of_content.get(witness.content, 0.0)
        of_content[witness.content] = max(known, witness.confidence)
    return _together(of_content.values())


_DAY = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?")


def _day(value: str | None) -> date | None:
    found = _DAY.fullmatch(value or "")
    try:
        return None if found is None else date(int(found[1]), int(found[2]), int(found[3] or 15))
    except ValueError:
        return None


def said_of(decision: Decision) -> Said:
    return Said(
        decision.value,
        decision.confidence,
        decision.status,
        decision.ceiling,
        by_people=HUMAN in decision.experts,
    )


def settled_decisions(decisions: Mapping[str, Decision], settled: Settled) -> dict[str, Decision]:
    """A document's decisions (field → decision) with what its dossier changed."""
    changed = dict(decisions)
    for name, said in settled.fields.items():
        decision = changed[name]
        same = said.value == decision.value
        changed[name] = decision.model_copy(
            update={
                "value": said.value,
                "confidence": said.confidence,
                "status": said.status,
                "characters": decision.characters if same else (),
                "notes": (*decision.notes, *said.notes),
            }
        )
    return changed


def settled_record(record: Record, settled: Settled) -> Record:
    """The record with what its dossier changed."""
    fields = settled_decisions(record.fields, settled)
    return record.model_copy(update={"fields": fields, "conflicts": tuple(settled.conflicts)})

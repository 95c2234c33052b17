"""The draft of a schema: fields from labels that come again, or from the columns of a verified sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from ocr_moe.drafting.columns import Column, Verified
from ocr_moe.drafting.finding import Announced, announced, patterns_before, patterns_of
from ocr_moe.drafting.grammars import induced
from ocr_moe.drafting.identity import Identity, identity_of, slug_of
from ocr_moe.drafting.kinds import Guess, guess_of, is_code
from ocr_moe.drafting.labels import Found, Labels, learnt, sections_on
from ocr_moe.drafting.printing import Printed, folded, printed_of
from ocr_moe.drafting.prose import Told, is_sentence, same_values, told_in
from ocr_moe.drafting.samples import Sample, Samples
from ocr_moe.drafting.scores import Share, scored
from ocr_moe.drafting.tables import FoundTable, tables_on
from ocr_moe.drafting.writing import written
from ocr_moe.errors import UsageError
from ocr_moe.formats.phrases import Language, Phrase
from ocr_moe.schema import Fallback, Field, Kind, Schema, forms_of

_ALWAYS = 0.9
"""Share of the samples on which a field has a value that every document seems to have."""
_FEW_LABELS = 3
"""Labels with values up to which documents may be prose, whose sentences are looked at."""
_FEWER = (1, 2, 4)
"""How many labels of a field are tried, the ones that most samples have."""
_GOOD = 0.95
"""Share of right cells from which nothing else is tried for a field."""
FOLDS = 3
"""Parts of the samples, each of which is read by a draft from the others …"""
FEWEST_TO_CROSS = 6
"""… where there are so many samples with rows."""
_ALTERNATIVES: Mapping[Kind, tuple[tuple[Fallback, ...], ...]] = {
    Kind.ORGANISATION: ((Fallback.ORGANISATION,), (Fallback.FIRST_LINE,)),
    Kind.TEXT: ((Fallback.FIRST_LINE,), (Fallback.BLOCK,)),
    Kind.DATE: ((Fallback.FIRST_DATE,), (Fallback.LAST_DATE,)),
    Kind.MONEY: ((Fallback.LARGEST_AMOUNT,),),
    Kind.CODE: ((Fallback.ANYWHERE,),),
    Kind.ENUM: ((Fallback.ANYWHERE,),),
}
"""Places where values may stand without a label, which are tried where labels alone do not do."""


Declared = TypeVar("Declared", Field, Schema)


@dataclass(frozen=True)
class Draft:
    """A schema with what each part was drawn from."""

    schema: Schema
    samples: int
    remarks: Mapping[str, tuple[Phrase, ...]] = field(default_factory=dict)
    """Key, or `fields.NAME` → what is said of it."""
    head: tuple[Phrase, ...] = ()
    nowhere: tuple[str, ...] = ()
    """Columns of the sheet whose values are nowhere on the pages."""

    def text(self, language: Language) -> str:
        """As YAML with comments."""
        return written(self.schema, self.remarks, language, self.head)

    def of(self, schema: Schema, **remarks: Phrase) -> Draft:
        """The draft with another schema, and a remark more to some of its fields."""
        said = dict(self.remarks)
        for name, phrase in remarks.items():
            said[f"fields.{name}"] = (*said.get(f"fields.{name}", ()), phrase)
        return replace(self, schema=schema, remarks=said)


def drafted(
    samples: Samples,
    verified: Verified | None = None,
    *,
    name: str = "",
    file: Path | None = None,
    trying: bool = True,
) -> Draft:
    """A schema for documents such as the samples; with a sheet its fields are the sheet's columns, and
    what finds most of them is taken, unless nothing is to be tried. Raises UsageError where nothing on
    the samples looks like a field."""
    documents = samples.documents
    pages = printed_of(documents)
    draft = _drafted(documents, pages, verified, name=name, file=file)
    if verified is None or not trying:
        return draft
    return _tried(draft, samples, pages, verified)


def _drafted(
    documents: Sequence[Sample],
    pages: Sequence[Printed],
    verified: Verified | None,
    *,
    name: str,
    file: Path | None,
) -> Draft:
    n = len(documents)
    labels = learnt(pages, n)
    remarks: dict[str, tuple[Phrase, ...]] = {}
    nowhere: list[str] = []
    known: dict[str, int] = {each.label: len(each.samples) for each in labels.fields}
    if verified is None:
        fields = _from_labels(labels, pages, n, remarks)
        if not fields:
            raise UsageError(
                f"no labels found on {n} samples: nothing comes again with values beside it that "
                "differ. Give more samples of one kind of document, or a verified sheet with --truth"
            )
        headings = {folded(word) for each in fields for word in _headings(each)}
        others = tuple(
            label for label in labels.others if not any(w in folded(label) for w in headings)
        )
    else:
        fields = _from_columns(verified, pages, remarks, nowhere)
        own = {folded(form) for each in fields for label in each.labels for form in forms_of(label)}
        every = (*(each.label for each in labels.fields), *labels.others)
        others = tuple(
            label
            for label in dict.fromkeys(every)
            if not any(_overlap(folded(form), own) for form in forms_of(label))
            and not _is_of_value(folded(label), verified)
        )
    identity = identity_of(pages, n, known)
    pages_one = all(each.is_whole and len(each.pages) == 1 for each in documents)
    _say(remarks, "title", _of_title(identity, n))
    if pages_one:
        _say(remarks, "pages", Phrase("pages_one"))
    if identity.words:
        least = min(identity.seen.values())
        _say(remarks, "words", Phrase("words_seen", {"least": least, "n": n}))
    if others:
        _say(remarks, "other_labels", Phrase("others_seen"))
    given = "" if file is None else file.stem
    schema = Schema(
        name=name or slug_of(given, identity.title) if not given or name else given,
        title=identity.title,
        pages=1 if pages_one else None,
        words=identity.words,
        other_labels=others,
        sections=_sections(fields, pages, n),
        fields=tuple(fields),
    )
    head = [Phrase("head_from", {"n": n})]
    if verified is not None:
        rows = len(verified.samples)
        head.append(Phrase("head_truth", {"file": verified.sheet.name, "n": rows}))
    head.append(Phrase("head_use", {"file": "schema.yaml" if file is None else file.name}))
    return Draft(schema, n, remarks, tuple(head), tuple(nowhere))


def _sections(
    fields: Sequence[Field], pages: Sequence[Printed], n: int
) -> dict[str, tuple[str, ...]]:
    """Blocks that have no field of their own, for they end those that have."""
    named = {each.within for each in fields if each.within}
    return {word: () for word in sections_on(pages, n) if named and word not in named}


def _headings(made: Field) -> list[str]:
    return [label for column in made.columns for label in column.labels]


def changed(value: Declared, **update: Any) -> Declared:
    """A declaration with other values: made anew, for a copy would keep what was worked out of the
    old."""
    given = {name: getattr(value, name) for name in value.model_fields_set}
    return type(value)(**{**given, **update})


def _overlap(label: str, own: Iterable[str]) -> bool:
    return any(label.startswith(each) or each.startswith(label) for each in own)


def _is_of_value(label: str, verified: Verified) -> bool:
    """Whether what seems to be a label is a part of what a sheet says stands there, or holds it."""
    for column in verified.columns:
        for cell in column.cells.values():
            value = folded(cell.value or "")
            if len(value) > 2 and (label in value or value in label):
                return True
    return False


def _of_title(identity: Identity, n: int) -> Phrase:
    if identity.title:
        return Phrase("title_seen", {"count": identity.titled, "n": n})
    return Phrase("title_none")


def _say(remarks: dict[str, tuple[Phrase, ...]], key: str, *phrases: Phrase) -> None:
    remarks[key] = (*remarks.get(key, ()), *phrases)


def _from_labels(
    labels: Labels, pages: Sequence[Printed], n: int, remarks: dict[str, tuple[Phrase, ...]]
) -> list[Field]:
    tables = tables_on(pages, n)
    headings = {folded(heading) for table in tables for heading in table.headings}
    headings |= {text for table in tables for text in table.cells}
    fields: list[Field] = []
    names: set[str] = set()
    own = [
        each
        for each in labels.fields
        if not any(folded(form) in headings for form in forms_of(each.label))
    ]
    sentences = _sentences(own, pages, n)
    for found in own:
        if sentences and is_sentence(found.texts):
            continue
        guess = guess_of(found.texts, found.label)
        name = _unique(_name_of(found), names)
        always = len(found.valued) >= _ALWAYS * n
        made = _field(name, guess, (found.label,), required=always)
        number = None if found.section else found.occurrence
        made = changed(made, within=found.section, occurrence=number)
        fields.append(made)
        numbers = {"found": len(found.samples), "n": n, "valued": len(found.valued)}
        said = [Phrase("label_seen", numbers)]
        if found.section:
            said.append(Phrase("label_section"))
        elif found.occurrence:
            said.append(Phrase("label_occurrence", {"number": found.occurrence}))
        _say(remarks, f"fields.{name}", *said, *_of_guess(guess, made))
    for told in sentences:
        name = _unique(told.name, names)
        always = len(told.values) >= _ALWAYS * n
        made = changed(_field(name, told.guess, (), required=always), patterns=(told.pattern,))
        fields.append(made)
        seen = Phrase("told_seen", {"found": len(told.values), "n": n})
        _say(remarks, f"fields.{name}", seen, *_of_guess(told.guess, made))
    fields += _of_tables(tables, n, names, remarks)
    return fields


def _sentences(labels: Sequence[Found], pages: Sequence[Printed], n: int) -> list[Told]:
    """What sentences tell on documents that are no forms."""
    plain = [each for each in labels if not is_sentence(each.texts)]
    if len(plain) > _FEW_LABELS:
        return []
    known = [dict(each.values) for each in plain]
    return [
        told for told in told_in(pages, n) if not any(same_values(told, values) for values in known)
    ]


def _of_tables(
    tables: Sequence[FoundTable],
    n: int,
    names: set[str],
    remarks: dict[str, tuple[Phrase, ...]],
) -> list[Field]:
    fields = []
    for table in tables:
        name = _unique(table.field.name, names)
        fields.append(changed(table.field, name=name))
        numbers = {"found": len(table.samples), "n": n, "rows": table.rows}
        _say(remarks, f"fields.{name}", Phrase("table_seen", numbers))
    return fields


def _name_of(found: Found) -> str:
    """What a field is called: its label in its first language, without marks."""
    name = re.sub(r"[\s:：]+$", "", forms_of(found.label)[1 if " / " in found.label else 0]).strip()
    return f"{found.section}{name}" if found.section else name


def _unique(name: str, names: set[str]) -> str:
    number, given = 1, name
    while name in names:
        number += 1
        name = f"{given} {number}"
    names.add(name)
    return name


def _field(name: str, guess: Guess, labels: tuple[str, ...], *, required: bool) -> Field:
    kind = guess.kind
    return Field(
        name=name,
        kind=kind,
        required=required,
        labels=labels,
        values=dict(guess.values) if kind is Kind.ENUM else {},
        units=dict(guess.units) if kind is Kind.NUMBER else {},
        grammars=guess.grammars if kind is Kind.CODE else (),
        # What may be missing is not sought elsewhere: another date is no date of this field.
        fallbacks=() if required else (Fallback.NOWHERE,),
    )


def _of_guess(guess: Guess, made: Field) -> list[Phrase]:
    said = []
    if guess.of and guess.kind is not Kind.TEXT:
        numbers = {"fitting": guess.fitting, "of": guess.of, "kind": guess.kind.value}
        said.append(Phrase("kind_seen", numbers))
    said += [Phrase("check_seen", {"check": each.check}) for each in made.grammars if each.check]
    if not made.required:
        said.append(Phrase("optional_seen"))
    return said


def _from_columns(
    verified: Verified,
    pages: Sequence[Printed],
    remarks: dict[str, tuple[Phrase, ...]],
    nowhere: list[str],
) -> list[Field]:
    fields = []
    for column in verified.columns:
        found = announced(column, pages)
        guess = _guess_of(column, found)
        made = _field(
            column.heading, guess, found.labels, required=column.missing == 0 and bool(found.found)
        )
        fields.append(made)
        key = f"fields.{column.heading}"
        if not found.verified:
            _say(remarks, key, Phrase("column_unverified"))
        elif not found.found:
            nowhere.append(column.heading)
            _say(remarks, key, Phrase("column_nowhere", {"verified": found.verified}))
        else:
            numbers = {"found": len(found.found), "verified": found.verified}
            _say(remarks, key, Phrase("column_found", numbers))
            if not found.labels:
                _say(remarks, key, Phrase("column_unannounced"))
        _say(remarks, key, *_of_guess(guess, made))
    return fields


def _guess_of(column: Column, found: Announced) -> Guess:
    """The kind by the sheet; a code's grammars by the print, which has the zeros that sheets lose."""
    guess = column.guess
    if guess.kind is not Kind.CODE:
        return guess
    codes = [text for text in found.printed if is_code(text)]
    verified = [cell.value for cell in column.cells.values() if cell.value]
    grammars = induced(codes) or induced(verified)
    return replace(guess, grammars=grammars)


def _tried(draft: Draft, samples: Samples, pages: Sequence[Printed], verified: Verified) -> Draft:
    """The draft with what reads its weak fields best: patterns, places, or fewer labels."""
    best = scored(samples.tried(draft.schema), draft.schema, verified).fields
    draft, best = _pruned(draft, samples, verified, best)
    columns = {column.heading: column for column in verified.columns}
    waiting = {
        each.name: _alternatives(each, columns[each.name], pages)
        for each in draft.schema.fields
        if _is_weak(best.get(each.name)) and each.name in columns
    }
    chosen: dict[str, tuple[Field, Phrase]] = {}
    while any(waiting.values()):
        trial = {name: choices.pop(0) for name, choices in waiting.items() if choices}
        schema = _with(draft.schema, {**_fields(chosen), **_fields(trial)})
        read = scored(samples.tried(schema), schema, verified).fields
        for name, choice in trial.items():
            if name in read and read[name].right > best.get(name, Share(0, 0)).right:
                chosen[name], best = choice, {**best, name: read[name]}
                if not _is_weak(read[name]):
                    waiting[name] = []
    schema = _with(draft.schema, _fields(chosen))
    said = {name: phrase for name, (_, phrase) in chosen.items()}
    return draft.of(schema, **said)


def _pruned(
    draft: Draft, samples: Samples, verified: Verified, best: Mapping[str, Share]
) -> tuple[Draft, Mapping[str, Share]]:
    """The draft with the fewest labels that read as many cells right: those of few samples are mostly
    other words."""
    for count in _FEWER:
        fewer = {
            each.name: changed(each, labels=each.labels[:count])
            for each in draft.schema.fields
            if len(each.labels) > count and each.name in best
        }
        if not fewer:
            continue
        schema = _with(draft.schema, fewer)
        read = scored(samples.tried(schema), schema, verified).fields
        kept = {
            name: made
            for name, made in fewer.items()
            if name in read and read[name].right >= best[name].right
        }
        draft = replace(draft, schema=_with(draft.schema, kept))
        best = {**best, **{name: read[name] for name in kept}}
    return draft, best


def _fields(chosen: Mapping[str, tuple[Field, Phrase]]) -> dict[str, Field]:
    return {name: made for name, (made, _) in chosen.items()}


def _with(schema: Schema, fields: Mapping[str, Field]) -> Schema:
    return changed(schema, fields=tuple(fields.get(each.name, each) for each in schema.fields))


def _is_weak(share: Share | None) -> bool:
    return share is not None and share.right < _GOOD * share.cells


def _alternatives(
    made: Field, column: Column, pages: Sequence[Printed]
) -> list[tuple[Field, Phrase]]:
    """Other ways to find a field."""
    found = announced(column, pages)
    choices: list[tuple[Field, Phrase]] = []
    patterns = patterns_of(found, made.kind)
    by_place = Phrase("fallback_seen")
    followed = patterns_before(found, made.kind)
    for chosen in dict.fromkeys((patterns, followed, (*patterns, *followed))):
        if chosen:
            update = {"patterns": chosen, "fallbacks": ()}
            choices.append((changed(made, **update), Phrase("pattern_seen")))
            choices.append((changed(made, **update, labels=()), Phrase("pattern_seen")))
    for rival in found.rivals:
        fallbacks = (Fallback.NOWHERE,)
        choice = changed(made, labels=(rival,), required=False, fallbacks=fallbacks)
        choices.append((choice, Phrase("label_chosen")))
    if made.labels:
        for number in (1, -1):
            said = Phrase("label_occurrence", {"number": number})
            choices.append((changed(made, occurrence=number), said))
    for places in _ALTERNATIVES.get(made.kind, ()):
        choices.append((changed(made, fallbacks=places), by_place))
        if made.labels:
            choices.append((changed(made, fallbacks=places, labels=()), by_place))
    different: list[tuple[Field, Phrase]] = []
    for choice, phrase in choices:
        if choice != made and all(choice != other for other, _ in different):
            different.append((choice, phrase))
    return different


def crossed(
    samples: Samples, verified: Verified, strategy: str, folds: int = FOLDS
) -> Mapping[str, Share]:
    """How right drafts are on samples that they were not drafted from: each part of the samples is read
    by a draft from the others. Nothing where there are too few."""
    rows = sorted(verified.samples)
    if len(rows) < FEWEST_TO_CROSS:
        return {}
    counted: dict[str, Share] = {}
    for fold in range(folds):
        left_out = set(rows[fold::folds])
        kept = [index for index in range(len(samples.documents)) if index not in left_out]
        own = Samples(samples.workshop, [samples.documents[index] for index in kept])
        others = Samples(samples.workshop, [samples.documents[index] for index in sorted(left_out)])
        draft = drafted(own, verified.of(kept))
        for name, share in scored(
            others.read(draft.schema, strategy), draft.schema, verified
        ).fields.items():
            counted[name] = counted.get(name, Share(0, 0)) + share
    return {
        column.heading: counted[column.heading]
        for column in verified.columns
        if column.heading in counted
    }

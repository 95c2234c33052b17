"""Schemas: which fields a kind of document has, and what is known about each.

A schema is a YAML file. The shipped ones stand in `config/schemas`; a user's own is named by path.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import Field as PydanticField
from rapidfuzz import process

from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.codes.lexicon import SCHOOLS, read_lexicon
from ocr_moe.errors import ConfigError, SchemaError
from ocr_moe.expressions import Expression, Moment, Operand, parsed
from ocr_moe.folds import fold_label
from ocr_moe.formats.yamlfile import read_yaml, validation_sentences
from ocr_moe.types import Box, Value

Name = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


_PARTED = re.compile(r"[,，、;；]")


def _as_tuple(value: object) -> object:
    """A text alone is a list of one, unless it looks like a list whose brackets were forgotten."""
    return (value,) if isinstance(value, str) and not _PARTED.search(value) else value


def _as_expressions(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _as_choices(value: object) -> object:
    return dict.fromkeys(value, ()) if isinstance(value, list) and _all_text(value) else value


def _all_text(values: list[object]) -> bool:
    return all(isinstance(value, str) for value in values)


Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...]),
]
"""Several texts; in a file, one may stand without brackets."""
Expressions = Annotated[
    tuple[str, ...],
    BeforeValidator(_as_expressions, json_schema_input_type=str | tuple[str, ...]),
]
"""Several regular expressions, in which a comma is one."""
Choices = Annotated[
    dict[str, Texts],
    BeforeValidator(_as_choices, json_schema_input_type=list[str] | dict[str, Texts]),
]
"""Values with their synonyms; in a file, those without any may be a list."""


class Kind(StrEnum):
    """What sort of value a field has; `ocr_moe.values.kinds` holds all that is known of each."""

    TEXT = "text"
    PERSON = "person"
    ORGANISATION = "organisation"
    DATE = "date"
    ENUM = "enum"
    MONEY = "money"
    CODE = "code"
    NUMBER = "number"
    PERCENTAGE = "percentage"
    TIME = "time"
    TABLE = "table"


class Score(StrEnum):
    """How a value is held against the truth."""

    EXACT = "exact"
    """Right where it says the same, as the field's kind has it."""
    ROUGE = "rouge"
    """By ROUGE-L, for texts of which no two people write the same: neither right nor wrong."""
    SET = "set"
    """By the F1 of its parts (a, b, c), in whatever order: neither right nor wrong."""


class Fallback(StrEnum):
    """Places in a page's layout where a value may stand without a label."""

    FIRST_LINE = "first_line"
    """The first believable row."""
    ORGANISATION = "organisation"
    """The row that looks most like the name of an organisation: by its ending, size and place."""
    FIRST_DATE = "first_date"
    LAST_DATE = "last_date"
    EARLIEST_DATE = "earliest_date"
    """One that lies before another date by as many years as a check of the schema says."""
    """The first or last full date on the page."""
    LARGEST_AMOUNT = "largest_amount"
    CODE = "code"
    """What the segment of a code on the page says that is bound to this field: the value of an enum,
    or the year of a date of which only month and day can be read."""
    ANYWHERE = "anywhere"
    """enum: any of the values' words; code: any text of the right form."""
    COLUMN = "column"
    """A line in a column of values whose label was not read."""
    BLOCK = "block"
    """The first run of rows that contains `shape`, as far as it goes on: an address."""
    NOWHERE = "nowhere"
    """No place: what a schema's `fallbacks: []` says. Without the key the kind of the field decides."""


_TONGUES = " / "
"""Parts the languages of one label."""


def forms_of(label: str) -> tuple[str, ...]:
    """How a label may be printed: as a whole, and where it is one in several languages, each of them."""
    parts = [part.strip() for part in label.split(_TONGUES)]
    return (label, *filter(None, parts)) if len(parts) > 1 else (label,)


def why_no_expression(text: str) -> str | None:
    """What is wrong with a regular expression; None for a right one."""
    try:
        with warnings.catch_warnings():
            # Of sets and flags that a later Python will read otherwise: they work today.
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None


_DIRECTIVE = re.compile(r"%(-?.)?")
_DATE_PARTS = (("d", "-d"), ("m", "-m", "b", "B"), ("Y", "y"))


def _is_date_format(text: str) -> bool:
    """Whether a format shows day, month and year, each once, and nothing else that is of a date."""
    given = _DIRECTIVE.findall(text)
    shown = [sum(name in part for name in given) for part in _DATE_PARTS]
    return shown == [1, 1, 1] and len(given) == len(_DATE_PARTS)


class NameList(Value):
    """A list of names that most values of a field are of (see `ocr_moe.codes.lexicon`).

    A schema names it: `schools`, or a CSV with the columns `name` and `code`, beside the schema.
    """

    name: str
    """As the schema names it."""
    digest: str = ""
    """What the file holds, in 16 hexadecimal digits; empty for a list that a package brings."""
    path: Path | None = PydanticField(default=None, exclude=True)
    """Where the file is on this machine: no part of a question, which is the same on any."""


class MarkList(Value):
    """A field's place in a symbol whose text is a list, such as that of a VAT invoice."""

    form: str
    """A regular expression that the whole text begins with where it is such a list."""
    item: int = PydanticField(ge=1)
    """The field's place in the list, counted from 1."""
    separator: str = PydanticField(default=",", min_length=1)
    """What parts the items."""
    values: dict[str, str] = PydanticField(default={}, exclude_if=lambda values: not values)
    """What the items mean, where they are not the value itself (`"10": 增值税电子普通发票`)."""

    @model_validator(mode="after")
    def _an_expression(self) -> MarkList:
        if wrong := why_no_expression(self.form):
            raise ValueError(f"{self.form!r} is not a regular expression: {wrong}")
        return self


class Marks(Value):
    """What QR codes, bar codes and the like say of a field, read by the expert `marks`."""

    keys: Texts | None = None
    """The words before the value (`名称：…`, `{"name": …}`), the ones believed most first; by default
    the field's labels, name and aliases. Empty: keys never announce it. Labels that are no keys
    still end the value before them."""
    parameters: Texts = ()
    """Parameters of an address (`http://…?uniscid=…`) that hold the value."""
    lists: tuple[MarkList, ...] = ()
    """The field's place in texts that are lists."""
    plain: bool = False
    """Whether a symbol may hold the code and nothing else though its grammar has no check. What
    passes a check is always taken."""


class CodePart(Value):
    """Where in another field's code a value stands as well: in a machine-readable zone, an identity
    number."""

    field: Name
    """The field of the code."""
    part: Texts = PydanticField(min_length=1)
    """The segment of its grammars, or several that make up the value one after the other."""
    name: Literal["primary", "secondary"] | None = None
    """Of a part that holds a person's names: the surname, before `<<`, or the given names after it."""
    before: str = ""
    """A date of two-digit years: the part with a later date, which tells the century."""
    values: dict[str, str] = {}
    """What the part's texts mean, where they are not the value itself (`M: 男`)."""


class Total(Value):
    """What the numbers of a table's column add up to."""

    column: Name
    """The column that is summed."""
    field: str = ""
    """The field that holds the sum; by default it is printed in a row of the table (合计, Total)."""
    tolerance: float = PydanticField(default=0.005, ge=0.0)
    """How far the sum may be off, for columns of rounded numbers."""


class Field(Value):
    """One field of a schema."""

    model_config = ConfigDict(populate_by_name=True)

    name: Name
    """The JSON key and the Excel heading."""
    kind: Kind = Kind.TEXT
    """What sort of value it is: what is taken for one, how it is written, when two are the same."""
    aliases: Texts = ()
    """Other headings of the same field in a verified sheet or in a model's answer."""
    required: bool = True
    """Whether every document of the kind has it."""
    description: str = ""
    """Goes into prompts."""
    labels: Texts = ()
    """The words printed before (or under) the value. `证号 / License No.` is one label in two languages,
    printed on one line or two, or one of them alone."""
    within: str = ""
    """The section in which the value stands: a block's heading, or one of the schema's `sections`."""
    occurrence: int | None = None
    """Which of several labels with the same words is meant, from the top (1) or the foot (-1); within
    the section, where one is named."""
    above: Texts = ()
    """Printed words above the first of which the value stands …"""
    below: Texts = ()
    """… and below the first of which."""
    column_of: Texts = ()
    """The heading of the column in which the value stands."""
    weak_labels: Texts = ()
    """Labels of something near the field, believed where none of `labels` has a value."""
    patterns: Expressions = ()
    """Regular expressions over the page's running text (rows joined); the group `value`, or the
    whole match, holds the value. The first are believed most. One that speaks of lines runs over
    lines, like `line_patterns`: it begins with `(?m)` or `^`, ends with `$`, or says `\\n`."""
    case: bool = False
    """Whether patterns tell capitals from small letters."""
    values: Choices = {}
    """enum: the allowed values, each with the synonyms by which it is printed. date: words that may
    stand in the place of a date (`长期: [永久]`)."""
    units: Choices = {}
    """number: the units that its values have, as they are to be written, each with the synonyms by which
    it is printed (`kg: [公斤, 千克]`); by default any."""
    format: str = ""
    """date: how workbooks show full dates, in the directives of strftime: `%d.%m.%Y`. Values stay ISO
    8601 everywhere else, and the cells dates."""
    line_patterns: Expressions = ()
    """Like `patterns`, over the rows of the page: one a line, a tab between separate boxes."""
    shape: str = ""
    """A regular expression that a believable value contains; others are believed less."""
    reject: str = ""
    """A regular expression that no value contains."""
    trim: Expressions = ()
    """Regular expressions of what is cut out of a value found on the page."""
    stops: Texts = ()
    """Printed words at which a value ends that a label or a pattern has found."""
    fallbacks: tuple[Fallback, ...] = ()
    """Where to look when neither patterns nor labels find it, in this order."""
    places: tuple[Box, ...] = ()
    """code: where on a page the value mostly stands, as boxes (x0, y0, x1, y1) in fractions of the
    page. Where nothing was found, fainter type is read there than elsewhere."""
    grammars: tuple[CodeGrammar, ...] = ()
    """code and other strict fields: the variants that the value may have."""
    forms: Expressions = ()
    """code: regular expressions of whole values that no grammar describes, such as those with
    characters in them ((103)臺大字第000123號), in simplified characters. Believed less than a
    grammar; the code reader does not know them."""
    lexicon: NameList | None = None
    """organisation, text: the names that its values mostly are; `schools`, or a CSV beside the
    schema. A prior, never a cage: what is surely read stands though no list has it."""

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _none_asked_for(cls, named: Any, info: ValidationInfo) -> Any:
        """An empty list that somebody wrote into a schema's file says something."""
        return (Fallback.NOWHERE,) if named == [] and info.context is not None else named

    @field_validator("lexicon", mode="before", json_schema_input_type=str | None)
    @classmethod
    def _found(cls, named: Any, info: ValidationInfo) -> Any:
        if not isinstance(named, str):
            return named
        if not named.endswith(".csv"):
            if named != SCHOOLS:
                raise ValueError(f"lexicon {named!r} is neither {SCHOOLS} nor a CSV file")
            return {"name": named}
        path = (info.context or {}).get("folder", Path()) / named
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            read_lexicon(path)  # what is wrong with it is told before anything is read
        except OSError as error:
            raise ValueError(f"lexicon {named}: {error.strerror or error}") from None
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return {"name": named, "digest": digest, "path": path}

    marks: Marks = Marks()
    """What QR codes and the like say of it."""
    made: str = ""
    """What an expert makes of the whole text where the value is not found in it: `summary`, `sentiment`,
    `topics`, or another task that the description tells a language model. Strategies say who is asked
    by it."""
    score: Score = Score.EXACT
    """How a value is held against the truth."""
    origin: CodePart | None = PydanticField(default=None, alias="from")
    """The part of another field's code that says the same: it stands in for a value that is not found,
    bears out one that is, and a person decides where the two differ."""

    columns: tuple[Field, ...] = ()
    """table: its columns, each a field of any other kind; `labels` are its headings."""
    key: str = ""
    """table: the column that tells its rows apart, by which they are matched with a verified sheet
    and between experts; by default rows are matched in their order."""
    totals: tuple[Total, ...] = ()
    """table: columns whose sum is known."""

    @model_validator(mode="after")
    def _consistent(self) -> Field:
        if self.kind is Kind.ENUM and not self.values:
            raise ValueError(f"field {self.name}: an enum needs `values`")
        if self.units and self.kind is not Kind.NUMBER:
            raise ValueError(f"field {self.name}: `units` is for `kind: number`")
        if self.format and self.kind is not Kind.DATE:
            raise ValueError(f"field {self.name}: `format` is for `kind: date`")
        if self.format and not _is_date_format(self.format):
            raise ValueError(
                f"field {self.name}: {self.format!r} is no format of dates; write day, month and year "
                "with %d or %-d, %m, %-m, %b or %B, and %Y or %y, such as %d.%m.%Y"
            )
        if self.occurrence == 0:
            raise ValueError(f"field {self.name}: `occurrence` is counted from 1, or from -1")
        self._check_table()
        expressions = (
            *self.patterns,
            *self.line_patterns,
            *self.trim,
            *self.forms,
            self.shape,
            self.reject,
        )
        for expression in expressions:
            if wrong := why_no_expression(expression):
                raise ValueError(
                    f"field {self.name}: {expression!r} is not a regular expression: {wrong}"
                )
        return self

    @cached_property
    def label_forms(self) -> tuple[str, ...]:
        """The labels, and each of those that one label in several languages is made of."""
        return tuple(dict.fromkeys(form for label in self.labels for form in forms_of(label)))

    @property
    def placed(self) -> bool:
        """Whether the schema says where on the page the value stands."""
        return bool(self.within or self.above or self.below or self.column_of)

    @property
    def only_labelled(self) -> bool:
        """Whether a page without its label is without the field: it may be missing, and nothing but
        labels announces it."""
        places = [each for each in self.fallbacks if each is not Fallback.NOWHERE]
        found = self.patterns or self.line_patterns or places
        return bool(self.labels) and not self.required and not found

    def _check_table(self) -> None:
        """Raises ValueError."""
        if self.kind is not Kind.TABLE:
            named = ("columns", "key", "totals")
            if given := [name for name in named if getattr(self, name)]:
                raise ValueError(f"field {self.name}: `{given[0]}` is for `kind: table`")
            return
        if not self.columns:
            raise ValueError(f"field {self.name}: a table needs `columns`")
        names = [column.name for column in self.columns]
        for column in self.columns:
            if column.kind is Kind.TABLE:
                raise ValueError(f"field {self.name}: column {column.name} is a table itself")
            if column.origin is not None:
                raise ValueError(f"field {self.name}: column {column.name} cannot have `from`")
            if names.count(column.name) > 1:
                raise ValueError(f"field {self.name}: two columns are called {column.name!r}")
        known = ", ".join(names)
        for name in (self.key, *(total.column for total in self.totals)):
            if name and name not in names:
                raise ValueError(f"field {self.name}: no column {name!r} (there are: {known})")

    def column(self, name: str) -> Field:
        """A table's column of that name or alias. Raises KeyError."""
        for each in self.columns:
            if name == each.name or name in each.aliases:
                return each
        raise KeyError(name)

    def has_code_length(self, value: str) -> bool:
        """Whether one of the field's grammars has codes of that length."""
        return any(grammar.has_length(value) for grammar in self.grammars)


class Subjects(Value):
    """How documents group into subjects (students), by their file names, else by the names that were
    read; and what the documents of one subject share."""

    pattern: str
    """Regular expression over the file's stem with the groups `name`, and optionally `degree`
    and `kind`; it must match the whole stem."""
    degree_order: Texts = ()
    """Highest first."""
    kind_order: Texts = ()
    """Preferred first, within the chosen degree."""
    skip_degree_without_kind: bool = False
    """Skip a degree that has no document of the first kind (as the published script does)."""
    name_field: str = ""
    """The field that names the subject, for files whose names do not."""
    degree_field: str = ""
    """The field with the degree."""
    constant: Texts = ()
    """Fields that are equal on all documents of a subject."""
    constant_in_degree: Texts = ()
    """Fields that usually are on those of one degree."""
    unique: Texts = ()
    """Fields that no two documents share."""
    close: Texts = ()
    """Dates that lie close together on the documents of one degree."""
    close_days: int = PydanticField(default=1500, ge=0)
    """How close, in days."""

    def by_file_name(self) -> Subjects:
        """The rule without what it says of fields: for documents that lack them."""
        of_files = {"pattern", "degree_order", "kind_order", "skip_degree_without_kind"}
        return Subjects(**self.model_dump(include=of_files))

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields that are named here."""
        named = (
            *(self.name_field, self.degree_field),
            *(*self.constant, *self.constant_in_degree, *self.unique, *self.close),
        )
        return tuple(dict.fromkeys(name for name in named if name))


class Check(Value):
    """A cross-field consistency check; a failed one becomes a note on its fields."""

    kind: Literal["date_order", "code_year", "code_check", "not_future", "expression"]
    """What is checked."""
    fields: Texts = ()
    """date_order: (earlier, later). code_year: (code, date). code_check: (code,). not_future:
    dates that lie on or before the day of the run. expression: those that it speaks against; by default
    all that it names."""
    expression: str = ""
    """expression: what is true of a right document, such as `total == net + tax` (see
    `ocr_moe.expressions`)."""
    years: tuple[int, int] | None = None
    """date_order: fewest and most years from the earlier date to the later one."""
    segment: str = "year"
    """code_year: the grammar segment that holds the year."""
    message: str = ""
    """Stands in place of the note that a failed check makes."""

    @model_validator(mode="after")
    def _whole(self) -> Check:
        if (self.kind == "expression") is not bool(self.expression.strip()):
            raise ValueError("`expression` goes with `kind: expression`, and only with it")
        if self.kind == "expression":
            parsed(self.expression)
        elif not self.fields:
            raise ValueError(f"check {self.kind}: needs `fields`")
        return self


class Schema(Value):
    """A kind of document."""

    name: Name
    """What it is called: in records, on the command line, by other programs."""
    title: str = ""
    """Heads pages and lists; by default its name."""
    description: str = ""
    """What the document is, for people; the service tells it with the kinds. No prompt has it."""
    pages: int | None = PydanticField(default=None, ge=1)
    """1: every page of a file is a document of its own; 2: every two. None: a file is a document."""
    items: bool = False
    """Whether its documents are items of text with keys: `--schema auto` knows them by these, and takes
    no page for one."""
    words: dict[str, float] = {}
    """Words by which `--schema auto` recognises the document, with weights."""
    other_labels: Texts = ()
    """Labels printed on the document that announce none of the fields: values end there."""
    sections: Choices = {}
    """The blocks of the document, each with other words for its heading. A block ends where the next
    one's heading stands, so that those count, too, in which there is no field."""
    anchors: Texts = ()
    """Printed words that patterns rely on; one misread character in them is forgiven."""
    script: Literal["likely", "as_printed"] = "likely"
    """`likely`: single traditional characters that OCR reads on a simplified page are its slips, and
    written simplified. `as_printed`: every character is kept as it was read, for documents in Japanese
    or with names in another script than the rest."""
    fields: tuple[Field, ...] = PydanticField(min_length=1)
    """In the order of the sheet's columns."""
    checks: tuple[Check, ...] = ()
    """What is true of a right document."""
    subjects: Subjects | None = None
    """How documents belong together, such as all of one student."""

    @model_validator(mode="after")
    def _unique(self) -> Schema:
        seen: dict[str, str] = {}
        for field in self.fields:
            for heading in (field.name, *field.aliases):
                if heading in seen and seen[heading] != field.name:
                    raise ValueError(f"{heading!r} names both {seen[heading]!r} and {field.name!r}")
                seen[heading] = field.name
        for field in self.fields:
            self._check_origin(field)
            self._check_totals(field)
        for check in self.checks:
            for name in check.fields:
                if name not in self.names:
                    raise ValueError(f"check {check.kind}: no field {name!r}{self._near(name)}")
            if check.expression:
                self._try(parsed(check.expression))
        for name in self.subjects.fields if self.subjects is not None else ():
            if name not in self.names:
                raise ValueError(f"subjects: no field {name!r}")
        return self

    def named(self, name: str) -> Field:
        """The field that an expression names so, in NFKC. Raises KeyError."""
        return self._by_plain_name[unicodedata.normalize("NFKC", name)]

    def _try(self, expression: Expression) -> None:
        """Hold an expression against values of its fields' kinds: whether it is right of those does not
        matter, but whether it can be worked out does."""
        trial: dict[str, Operand | None] = {}
        for number, name in enumerate(expression.names):
            try:
                field = self.named(name)
            except KeyError:
                near = self._near(name)
                raise ValueError(
                    f"check expression: {expression.text!r}: no field {name!r}{near}"
                ) from None
            trial[name] = _OPERANDS.get(field.kind, _any_text)(number)
        try:
            expression.holds(trial)
        except TypeError as error:
            raise ValueError(f"check expression: {expression.text!r}: {error}") from None

    def _near(self, name: str) -> str:
        near = process.extractOne(name, self.names, score_cutoff=50)
        return f"; did you mean {near[0]!r}?" if near else f" (there are {', '.join(self.names)})"

    def _check_origin(self, field: Field) -> None:
        origin = field.origin
        if origin is None:
            return
        code = next((other for other in self.fields if other.name == origin.field), None)
        if code is None or code.name == field.name:
            raise ValueError(f"field {field.name}: `from` names no other field ({origin.field!r})")
        parts = {segment.name for grammar in code.grammars for segment in grammar.segments}
        for part in (*origin.part, *filter(None, [origin.before])):
            if part not in parts:
                known = ", ".join(sorted(filter(None, parts))) or "none"
                raise ValueError(
                    f"field {field.name}: {code.name} has no part {part!r} (there are: {known})"
                )

    def _check_totals(self, field: Field) -> None:
        for total in field.totals:
            if total.field and (total.field not in self.names or total.field == field.name):
                raise ValueError(
                    f"field {field.name}: the sum of {total.column} is to be in {total.field!r}, "
                    "which is no other field"
                )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @cached_property
    def rivalled(self) -> frozenset[str]:
        """The fields that are announced by a word that announces another one as well."""
        announced = {f.name: {fold_label(form) for form in f.label_forms} for f in self.fields}
        count = Counter(word for words in announced.values() for word in words)
        return frozenset(
            name for name, words in announced.items() if any(count[word] > 1 for word in words)
        )

    @cached_property
    def headings(self) -> dict[str, tuple[str, ...]]:
        """Section → the words of its heading, those of the fields' own sections included."""
        named = dict.fromkeys((*self.sections, *(f.within for f in self.fields if f.within)))
        return {section: (section, *self.sections.get(section, ())) for section in named}

    @cached_property
    def one_valued(self) -> tuple[Field, ...]:
        """The fields that are no tables: a document has one value of each."""
        return tuple(field for field in self.fields if field.kind is not Kind.TABLE)

    @cached_property
    def tables(self) -> tuple[Field, ...]:
        """The fields that are tables."""
        return tuple(field for field in self.fields if field.kind is Kind.TABLE)

    def field(self, name: str) -> Field:
        """The field of that name or alias. Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        named = [(name, field) for field in self.fields for name in (field.name, *field.aliases)]
        return dict(reversed(named))

    @cached_property
    def _by_plain_name(self) -> dict[str, Field]:
        return {unicodedata.normalize("NFKC", name): each for name, each in self._by_name.items()}

    def select(self, names: tuple[str, ...] | list[str]) -> tuple[Field, ...]:
        return tuple(self.field(name) for name in names)


def _any_text(_: int) -> str:
    """Of digits, which may be taken for a number."""
    return "1" * 40


_OPERANDS: Mapping[Kind, Callable[[int], Operand]] = {
    Kind.NUMBER: lambda number: Decimal(number + 2),
    Kind.PERCENTAGE: lambda number: Decimal(number + 2) / 100,
    Kind.MONEY: lambda number: Decimal(number + 2),
    Kind.DATE: lambda number: Moment(f"20{10 + number % 80}-06-20"),
    Kind.TIME: lambda number: Moment(f"{number % 24:02d}:30"),
}
"""Values on which expressions are tried, each another one; those of other kinds are texts."""


def load_schema(path: Path) -> Schema:
    """Read one schema file. Raises SchemaError, which names the wrong key and the nearest right one."""
    data: Any = read_yaml(path, SchemaError, texts=True)
    try:
        return Schema.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise SchemaError(f"{path}: {validation_sentences(error, Schema, path)}") from error


def crop_schema(schemas: tuple[Schema, ...], name: str) -> Schema:
    """A schema for ready-made crops of one field: that field alone, and all text is its value.

    Raises SchemaError when none of the schemas has the field.
    """
    for schema in schemas:
        try:
            field = schema.field(name)
        except KeyError:
            continue
        patterns = (*field.patterns, r"(?s)^.+$")
        whole = field.model_copy(update={"patterns": patterns, "origin": None})
        return Schema(
            name=f"{schema.name}_{field.name}",
            title=f"{schema.title}: {field.name}",
            pages=1,
            fields=(whole,),
            subjects=schema.subjects and schema.subjects.by_file_name(),
        )
    known = "; ".join(f"{schema.name}: {', '.join(schema.names)}" for schema in schemas)
    raise SchemaError(f"no field {name!r} (there are {known})")

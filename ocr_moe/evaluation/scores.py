"""The figures of an evaluation as values: what scores.json holds.

docs/formats.md tells what the keys mean; they keep that meaning.
"""

from __future__ import annotations

from typing import Literal

from ocr_moe.evaluation.costs import Unit
from ocr_moe.evaluation.metrics import Interval
from ocr_moe.types import LIVE, Cost, Origin, Value


class ConfidenceScore(Value):
    """How much a strategy's confidence tells about its cells being right."""

    n: int
    """Cells with a confidence."""
    errors: int
    """How many of them are not right."""
    auroc: float | None
    auroc_interval: Interval | None
    ece: float | None
    brier: float | None
    signal: str
    """`strong`, `some`, `none`, `too_few_errors` or `no_confidence`."""


class CellCounts(Value):
    """What became of verified cells."""

    n: int
    """Verified cells."""
    right: int
    wrong: int
    missing: int
    invented: int
    failed: int
    accuracy: float | None
    """right / n, whatever the status."""
    interval: Interval
    """Wilson, 95 %."""
    coverage: float | None
    """Share of cells that the strategy stands by (accepted, absent or verified)."""
    selective_accuracy: float | None
    """right / n among those."""


class CellScore(CellCounts):
    """Figures over cells: of one field, or of all of them."""

    to_check: int
    """Cells that it does not stand by: n less those."""
    silent_errors: int
    """Cells that it stands by and that are not right: the worst outcome."""
    precision: float | None
    """right values / values read."""
    recall: float | None
    """right values / values in truth."""
    f1: float | None
    character_accuracy: float | None
    """1 - edit distance / characters in truth; a missing value has every character wrong."""
    mistakes: dict[str, int]
    confidence: ConfidenceScore


class ColumnScore(Value):
    """Figures over the cells of one column of a table."""

    n: int
    right: int
    accuracy: float


class TableScore(CellCounts):
    """Figures of one table: by cell, and by row."""

    n_documents: int
    perfect: float
    """Share of documents whose every verified cell is right, and that have no further row."""
    rows: int
    """Verified rows."""
    rows_right: int
    """Those whose every verified cell is right."""
    rows_missing: int
    """Those that were not read."""
    rows_extra: int
    """Rows that were read and that truth does not have."""
    silent_errors: int
    """Cells that it stands by and that are not right."""
    columns: dict[str, ColumnScore]


class Review(Value):
    """What a person has to check, least confident cells first, to reach a target accuracy."""

    target: float
    cells: int
    checked: int
    accuracy: float
    threshold: float | None


class CostRate(Value):
    """A cost per document."""

    calls: float
    prompt_tokens: float
    completion_tokens: float
    seconds: float
    money: float


class StrategyCost(Value):
    """What a strategy took over its records."""

    documents: int
    total: Cost
    per_document: CostRate
    tokens: int
    saving: float | None
    """1 - cost / cost of the dearest strategy, by the run's cost measure."""


class Confusion(Value):
    """A character that was read for another; an empty string is a dropped or added one."""

    verified: str
    read: str
    count: int


class StrategyScore(Value):
    title: str
    origin: Origin = LIVE
    n_documents: int
    perfect: float | None
    """Share of documents whose every verified cell is right."""
    perfect_interval: Interval
    macro: float | None
    """Mean of the fields' accuracies."""
    macro_interval: Interval
    """Bootstrap by document, 95 %."""
    cells: CellScore
    fields: dict[str, CellScore]
    tables: dict[str, TableScore] = {}
    """Of fields of kind `table`, which are not among the others' figures."""
    review: Review
    cost: StrategyCost
    field_costs: dict[str, Cost]
    confusions: tuple[Confusion, ...]


class McNemar(Value):
    """Units that only one of two strategies has right, and the exact test of them."""

    n: int
    only_a: int
    only_b: int
    p: float
    p_holm: float
    """Adjusted over all pairs of strategies for this field."""


class PairScore(Value):
    """Two strategies on the documents that both have."""

    a: str
    b: str
    n_documents: int
    macro_difference: float | None
    """macro of a - macro of b."""
    macro_interval: Interval
    """Paired bootstrap by document, 95 %."""
    perfect: McNemar
    fields: dict[str, McNemar]


class SheetProblem(Value):
    kind: str
    sentence: str
    message: str = ""
    """The sentence without the sheet and the rows."""
    source: str = ""
    """The sheet."""
    field: str | None = None
    rows: tuple[int, ...] = ()


class LeftOut(Value):
    """What the figures are not about, or only as failures."""

    documents_without_truth: int = 0
    """Documents that no row of a verified sheet is about."""
    rows_without_document: int = 0
    """Rows that are about no document of the run."""
    damaged_cells: int = 0
    """Verified cells that a spreadsheet has spoilt."""
    columns_missing: tuple[str, ...] = ()
    """Fields for which a verified sheet has no column."""
    documents_failed: int = 0
    """Documents that could not be read under some strategy; their verified cells count as failed."""
    pages_blank: int = 0
    rows_unclear: int = 0
    """Rows that fit several documents, or one that other rows fit as well."""
    rows_unchecked: int = 0
    """Rows that nobody marked as checked, in a sheet with a column for it."""


class Matched(Value):
    """What says which documents the rows of verified sheets are about."""

    documents: int = 0
    """Of the run; blank pages are none."""
    rows: int = 0
    """Of the verified sheets."""
    by_file_name: int = 0
    """Documents that were found by the name of their file."""
    by_subject: int = 0
    """By the subject's (student's) name in it."""
    by_name_read: int = 0
    """By the subject's name as it was read: where nobody read it right, a document is not found."""
    by_code_read: int = 0
    """By a code as it was read: likewise."""


class TextScore(Value):
    """Figures of a field whose values are neither right nor wrong, such as a summary."""

    measure: str
    """`rouge` (ROUGE-L) or `set`; see `ocr_moe.evaluation.overlap`."""
    n: int
    """Cells whose truth has a value."""
    f1: float
    """Mean over all of them, 0 where nothing was made."""
    precision: float
    recall: float
    missing: int
    """Cells without a value, failed ones left out."""
    failed: int


class Scores(Value):
    """scores.json."""

    format: Literal[1] = 1
    strategies: dict[str, StrategyScore]
    pairs: tuple[PairScore, ...]
    skipped: dict[str, str]
    """Strategies that could not be run, with what to set."""
    best: str
    """The strategy with the highest macro accuracy; where they tie the one that leaves fewer cells
    to check, then the cheaper one."""
    fields: tuple[str, ...]
    n_documents: int
    n_cells: int
    cost_measure: Unit
    """What strategies are compared by."""
    cost_reference: str
    """The dearest strategy by that measure, which savings refer to."""
    target: float
    rows_without_document: tuple[str, ...]
    documents_without_truth: tuple[str, ...]
    unverified_cells: int
    unscorable_cells: int
    left_out: LeftOut
    matched: Matched = Matched()
    problems: tuple[SheetProblem, ...]
    texts: dict[str, dict[str, TextScore]] = {}
    """Strategy → field that is neither right nor wrong → its figures; no other figure counts these."""

"""The figures that people look at: one entry each, for the page, the workbook and the terminal.

A new figure is worked out where the scores are made (`summary`), gets one entry here, and its
headings in words.yaml: `figure_<key>`, English as in the workbook, and Chinese.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ocr_moe.evaluation.metrics import Interval
from ocr_moe.evaluation.report.numbers import decimal, money, percent
from ocr_moe.evaluation.report.phrases import unfilled
from ocr_moe.evaluation.scores import CellScore, CostRate, Scores, StrategyScore
from ocr_moe.formats.phrases import Language, Phrase
from ocr_moe.types import Cost

Figure = float | int | str | None
S = TypeVar("S")


@dataclass(frozen=True)
class Display:
    """How a kind of figure is shown."""

    text: Callable[[Any], str]
    """For the page and the terminal; never asked about None."""
    number: str = "General"
    """Excel's number format."""
    width: float = 10
    """Of the column in Excel."""
    places: int | None = None
    """To which Excel gets it rounded where the number format does not."""
    words: str = ""
    """How the keys of words.yaml begin that say a figure which is a word."""

    def shown(self, value: Figure) -> str:
        return "–" if value is None else self.text(value)

    def in_excel(self, value: Figure, language: Language) -> Figure:
        if self.words and value is not None:
            return unfilled(f"{self.words}{value}", language)
        return (
            value
            if self.places is None or not isinstance(value, float)
            else round(value, self.places)
        )


@dataclass(frozen=True)
class Headed:
    """Something with headings of its own."""

    key: str

    @property
    def words(self) -> str:
        """The key of its headings in words.yaml."""
        return f"figure_{self.key}"

    def heading_in(self, language: Language) -> str:
        return unfilled(self.words, language)


@dataclass(frozen=True)
class Measure(Headed, Generic[S]):
    """A figure of a score."""

    of: Callable[[S], Figure]
    display: Display
    on_page: bool = True
    in_workbook: bool = True

    def shown(self, score: S) -> str:
        return self.display.shown(self.of(score))


@dataclass(frozen=True)
class Share:
    """A share with its interval."""

    value: float | None
    interval: Interval
    n: int
    right: int | None = None
    """Of `n`; None where the share is not one of so many."""


@dataclass(frozen=True)
class Overall(Headed):
    """A share over all fields, for a row below those of the fields."""

    of: Callable[[StrategyScore], Share]


@dataclass(frozen=True)
class Omission:
    """Something that the figures are not about, told in a sentence before them."""

    key: str
    count: Callable[[Scores], int]
    names: Callable[[Scores], Sequence[str]] = lambda _: ()
    """Of what was left out, where names are known."""
    of: Callable[[Scores], int] = lambda _: 0
    """How many there are in all, where the sentence tells the share."""

    @property
    def words(self) -> str:
        """The key of its sentence in words.yaml."""
        return f"left_{self.key}"

    def sentence(self, scores: Scores) -> Phrase:
        """With the first few names, in brackets."""
        names = self.names(scores)
        some: Phrase | Sequence[str] = tuple(names[:_NAMED])
        if len(names) > _NAMED:
            some = Phrase("problem_rows_more", {"some": some, "more": len(names) - _NAMED})
        told = Phrase("left_names", {"names": some}) if names else ""
        return Phrase(self.words, {**_part(self.count(scores), self.of(scores)), "names": told})


COUNT = Display("{:,}".format, "0")
_NAMED = 3
"""How many names of what was left out stand in a sentence."""


def _share(places: int, number: str = "0.00%", width: float = 11) -> Display:
    return Display(lambda value: percent(value, places), number, width)


def _decimal(width: float = 9) -> Display:
    return Display(lambda value: decimal(value, 3), "0.000", width)


def share_of(cells: CellScore) -> Share:
    """The accuracy of one field, or of all cells."""
    return Share(cells.accuracy, cells.interval, cells.n, cells.right)


ALL_CELLS = Overall("all_cells", lambda score: share_of(score.cells))
OVERALL: tuple[Overall, ...] = (
    ALL_CELLS,
    Overall("macro", lambda s: Share(s.macro, s.macro_interval, s.n_documents)),
    Overall(
        "perfect",
        lambda s: Share(
            s.perfect,
            s.perfect_interval,
            s.n_documents,
            round((s.perfect or 0) * s.n_documents),
        ),
    ),
)
"""Shares over all fields, below the accuracy of each: page, workbook (summary) and terminal."""

REVIEW: tuple[Measure[StrategyScore], ...] = (
    Measure("target", lambda score: score.review.target, _share(1, "0.0#%"), on_page=False),
    Measure("to_target", lambda score: score.review.checked, COUNT),
    Measure("of_cells", lambda score: score.review.cells, COUNT),
    Measure("up_to_confidence", lambda score: score.review.threshold, _decimal(12)),
    Measure("after_check", lambda score: score.review.accuracy, _share(2, width=13), on_page=False),
    Measure("coverage", lambda score: score.cells.coverage, _share(1)),
    Measure("selective", lambda score: score.cells.selective_accuracy, _share(2, width=13)),
)
"""What a person has to check, a row a strategy: page, workbook (strategies)."""

ACCEPTED: tuple[Measure[StrategyScore], ...] = tuple(
    measure for measure in REVIEW if measure.key in ("coverage", "selective")
)
"""Those that the terminal shows as well."""

COSTS: tuple[Measure[Cost | CostRate], ...] = (
    Measure("calls", lambda cost: cost.calls, Display("{:,}".format, width=12)),
    Measure("prompt_tokens", lambda cost: cost.prompt_tokens, Display("{:,}".format, width=12)),
    Measure(
        "completion_tokens", lambda cost: cost.completion_tokens, Display("{:,}".format, width=12)
    ),
    Measure("seconds", lambda cost: cost.seconds, Display("{:,.1f}".format, width=12, places=3)),
    Measure("money", lambda cost: cost.money, Display(money, width=12, places=6)),
)
"""What was spent, a row a strategy: page, workbook (strategies; in all and a document)."""

CELLS: tuple[Measure[CellScore], ...] = (
    Measure("n", lambda cells: cells.n, COUNT, on_page=False),
    Measure("right", lambda cells: cells.right, COUNT, on_page=False),
    Measure("wrong", lambda cells: cells.wrong, COUNT, on_page=False),
    Measure("missing", lambda cells: cells.missing, COUNT, on_page=False),
    Measure("invented", lambda cells: cells.invented, COUNT, on_page=False),
    Measure("failed", lambda cells: cells.failed, COUNT, on_page=False),
    Measure("accuracy", lambda cells: cells.accuracy, _share(1), on_page=False),
    Measure("low", lambda cells: cells.interval[0] if cells.n else None, _share(1), on_page=False),
    Measure("high", lambda cells: cells.interval[1] if cells.n else None, _share(1), on_page=False),
    Measure("coverage", lambda cells: cells.coverage, _share(1), on_page=False),
    Measure("selective_accuracy", lambda c: c.selective_accuracy, _share(2), on_page=False),
    Measure("to_check", lambda cells: cells.to_check, COUNT, on_page=False),
    Measure("silent_errors", lambda cells: cells.silent_errors, COUNT, on_page=False),
    Measure("precision", lambda cells: cells.precision, _share(1), on_page=False),
    Measure("recall", lambda cells: cells.recall, _share(1), on_page=False),
    Measure("f1", lambda cells: cells.f1, _share(1), on_page=False),
    Measure("characters", lambda cells: cells.character_accuracy, _share(1), on_page=False),
    Measure("with_confidence", lambda cells: cells.confidence.n, COUNT, in_workbook=False),
    Measure("errors", lambda cells: cells.confidence.errors, COUNT, in_workbook=False),
    Measure("auroc", lambda cells: cells.confidence.auroc, _decimal()),
    Measure("ece", lambda cells: cells.confidence.ece, _decimal()),
    Measure("brier", lambda cells: cells.confidence.brier, _decimal()),
    Measure(
        "signal",
        lambda cells: cells.confidence.signal,
        Display(str, width=24, words="signal_"),
        on_page=False,
    ),
)
"""Of one field, a row a field: workbook (fields), and on the page what confidence is worth."""


LEFT_OUT: tuple[Omission, ...] = (
    Omission(
        "documents_without_truth",
        lambda scores: scores.left_out.documents_without_truth,
        lambda scores: scores.documents_without_truth,
        lambda scores: scores.matched.documents,
    ),
    Omission(
        "rows_without_document",
        lambda scores: scores.left_out.rows_without_document,
        lambda scores: scores.rows_without_document,
        lambda scores: scores.matched.rows,
    ),
    Omission(
        "rows_unclear",
        lambda scores: scores.left_out.rows_unclear,
        of=lambda scores: scores.matched.rows,
    ),
    Omission(
        "rows_unchecked",
        lambda scores: scores.left_out.rows_unchecked,
        of=lambda scores: scores.matched.rows,
    ),
    Omission("damaged_cells", lambda scores: scores.left_out.damaged_cells),
    Omission(
        "columns_missing",
        lambda scores: len(scores.left_out.columns_missing),
        lambda scores: scores.left_out.columns_missing,
    ),
    Omission("documents_failed", lambda scores: scores.left_out.documents_failed),
    Omission("pages_blank", lambda scores: scores.left_out.pages_blank),
    Omission(
        "found_by_name_read",
        lambda scores: scores.matched.by_name_read,
        of=lambda scores: scores.n_documents,
    ),
    Omission(
        "found_by_code_read",
        lambda scores: scores.matched.by_code_read,
        of=lambda scores: scores.n_documents,
    ),
)
"""What is said first: at the head of the page, of the workbook (summary) and on the terminal."""
MOST = 0.5
"""Share of documents or rows from which on being left out is an alarm: the figures are then about the
lesser part of the material."""


def alarms(scores: Scores) -> tuple[Phrase, ...]:
    """What to do where most of the documents are not scored, or most of the rows not used."""
    documents, rows = scores.matched.documents, scores.matched.rows
    lost = scores.left_out.rows_without_document + scores.left_out.rows_unclear
    unverified = scores.left_out.documents_without_truth
    found = []
    if unverified and unverified >= MOST * documents:
        values = _part(documents - unverified, documents) | {"rows": lost}
        found.append(Phrase("alarm_apart" if lost else "alarm_sample", values))
    if lost and lost >= MOST * rows and not (unverified and found):
        found.append(Phrase("alarm_unused", _part(rows - lost, rows)))
    return tuple(found)


def left_out(scores: Scores) -> tuple[Phrase, ...]:
    """A sentence each on what was left out, alarms first; none where everything was counted."""
    told = (omission.sentence(scores) for omission in LEFT_OUT if omission.count(scores))
    return (*alarms(scores), *told)


def _part(n: int, of: int) -> dict[str, int | str]:
    of = max(n, of)
    return {"n": n, "of": of, "share": percent(n / of if of else 0.0, 0)}


def skipped_together(scores: Scores) -> tuple[tuple[str, str], ...]:
    """Names and reason of the strategies that were not run, those of one reason together."""
    names: dict[str, list[str]] = {}
    for name, reason in scores.skipped.items():
        names.setdefault(reason, []).append(name)
    return tuple((", ".join(some), reason) for reason, some in names.items())


def on_page(measures: Sequence[Measure[S]]) -> tuple[Measure[S], ...]:
    return tuple(measure for measure in measures if measure.on_page)


def in_workbook(measures: Sequence[Measure[S]]) -> tuple[Measure[S], ...]:
    return tuple(measure for measure in measures if measure.in_workbook)

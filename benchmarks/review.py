"""What a simulated reviewer makes of a run with the plan's advice, many times over.

The reviewer is right with a fixed chance, and otherwise errs as people do: overlooks the wrong value
that is shown, or types another. First they check what the plan asks for, with the blind share, until
the target can be expected; then they go on blind until the sheet is certified. The machine's values
and confidences are those of a real run, right or wrong by a verified sheet; every repetition has
another blind order, other slips, and, with `--documents`, other documents of the run, drawn with
replacement. A promise is kept if the sheet that was called certified really is as right as promised.

    python -m benchmarks.review [RUN SHEET] [--target 0.99] [--documents 1000]
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import ocr_moe
from benchmarks.results import publish
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.metrics import wilson
from ocr_moe.evaluation.scoring import score
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.judgements import RELIABILITY
from ocr_moe.reviewing.cells import SURE, Cell, cell_of, check_of
from ocr_moe.reviewing.planning import Plan, Planner
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.reliability import COINCIDENCE
from ocr_moe.run.batch import STORE
from ocr_moe.run.exporting import schemas_of
from ocr_moe.settings import ReviewOptions
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Judgement, Shown, Status

SAMPLES = Path("data_samples/graduation_certificate")
TRUTH, SLIP = "truth", "slip"
"""What stands on the page, and what a reviewer may make of it."""
PARTS = 8
"""The plan is looked at again after such a part of what it asks for."""
BLIND_EVERY = 5
"""Cells that are shown for one that is drawn blind, while the blind share is due."""


@dataclass(frozen=True)
class Known:
    """A cell of a run of which the verified sheet tells whether it is right."""

    cell: Cell
    machine: str | None
    """`TRUTH`, or what the machine made of it; None where it has nothing."""


def documents_of(run: Path, sheet: Path) -> list[list[Known]]:
    """The verified cells of every document of a run's first strategy."""
    with Store(run / STORE, write=False) as store:
        name = store.strategies()[0]
        runs = {name: list(store.records(name))}
        matches = gather(runs, schemas_of(store), read_truths([sheet])).matches
    scoring = score(runs, matches)
    records = {key_of(record.document): record for record in runs[name]}
    documents = []
    for row, document in enumerate(scoring.documents):
        grid, found = scoring.grids[name], []
        for column in np.flatnonzero(grid.scored[row]):
            scored = scoring.fields[column]
            decision = records[document].fields.get(scored.field.name)
            cell = cell_of(CellKey(document, scored.key), scored.schema.name, decision)
            is_right = bool(grid.right[row, column])
            found.append(Known(cell, TRUTH if is_right else grid.values[row, column]))
        documents.append(found)
    return documents


@dataclass
class Sheet:
    """A sheet that a simulated reviewer works on."""

    known: dict[CellKey, Known]
    planner: Planner
    reliability: float
    generator: np.random.Generator
    said: dict[CellKey, list[Judgement]] = field(default_factory=dict)
    looks: int = 0

    def look(self, key: CellKey, *, hidden: bool = False) -> None:
        """The reviewer judges a cell; where a blind word differs from the machine's, twice."""
        machine = self.known[key].machine
        words = self.said.setdefault(key, [])
        if not words or not hidden:
            words.append(self._word(machine, words, hidden))
        check = check_of(machine, words, self.looks)
        if check is not None and check.open:
            words.append(self._word(machine, words, hidden=False))
            check = check_of(machine, words, self.looks)
        self.planner.update(self.known[key].cell._replace(check=check))

    def _word(self, machine: str | None, before: Sequence[Judgement], hidden: bool) -> Judgement:
        self.looks += 1
        value: str | None = TRUTH
        if self.generator.random() >= self.reliability:
            seen = [machine, *(word.value for word in before)]
            wrong = [each for each in seen if each is not None and each != TRUTH]
            if hidden and self.generator.random() >= COINCIDENCE:
                wrong = []
            value = wrong[0] if wrong else SLIP
        shown = Shown(
            value=machine,
            confidence=None,
            status=Status.ACCEPTED,
            strategy="moe",
            hidden=hidden,
        )
        return Judgement(value=value, reviewer="simulated", at="", shown=shown)

    @property
    def accuracy(self) -> float:
        """Share of right cells, were the sheet handed over now."""
        right = 0
        for key, known in self.known.items():
            words = self.said.get(key)
            right += (words[-1].value if words else known.machine) == TRUTH
        return right / len(self.known)


@dataclass(frozen=True)
class Outcome:
    """What came of one sheet."""

    cells: int
    looks: int
    """Until the target could be expected."""
    accuracy: float
    expected: bool
    """Whether the target was reached, as the plan expects it."""
    inside: bool
    """Whether the true accuracy lay in the plan's interval then."""
    all_looks: int
    """Until it was certified, or could not be."""
    final: float
    certified: bool
    kept: bool


def work(sheet: Sheet) -> Outcome:
    """Follow the plan's advice to the end."""
    plan = sheet.planner.plan()
    while plan.to_check or plan.blind.drawn < plan.blind.due:
        asked = sheet.planner.queue(math.ceil(plan.to_check / PARTS))
        for key in asked:
            sheet.look(key)
        due = plan.blind.due - plan.blind.drawn
        share = 1 + len(asked) // BLIND_EVERY if asked else due
        for key in sheet.planner.blind_keys(min(due, share)):
            sheet.look(key, hidden=True)
        plan = sheet.planner.plan()
    looks, accuracy, expected = sheet.looks, sheet.accuracy, plan
    plan = certify(sheet)
    final = sheet.accuracy
    low, high = expected.accuracy_interval
    return Outcome(
        cells=len(sheet.known),
        looks=looks,
        accuracy=accuracy,
        expected=expected.reached,
        inside=low - 1e-9 <= accuracy <= high + 1e-9,
        all_looks=sheet.looks,
        final=final,
        certified=plan.stop,
        kept=not plan.stop or final >= plan.target - 1e-9,
    )


def certify(sheet: Sheet) -> Plan:
    """Check what the audit leaves out, then cells of the blind order, as long as it can help."""
    doubtful = {key for key, known in sheet.known.items() if known.cell.status not in SURE}
    for key in sorted(doubtful - sheet.said.keys()):
        sheet.look(key)
    plan = sheet.planner.plan()
    while not plan.stop and plan.certificate.more is not None:
        # Fewer cannot certify it, so nothing is missed between.
        keys = sheet.planner.blind_keys(max(1, plan.certificate.more))
        if not keys:
            break
        for key in keys:
            sheet.look(key, hidden=True)
        plan = sheet.planner.plan()
    return plan


def simulate(
    documents: Sequence[Sequence[Known]],
    *,
    repetitions: int,
    target: float,
    reliability: float,
    resampled: int | None,
) -> Iterator[Outcome]:
    for repetition in range(repetitions):
        generator = np.random.default_rng(repetition)
        drawn = documents
        if resampled is not None:
            drawn = [documents[i] for i in generator.integers(len(documents), size=resampled)]
        cells = {
            key: Known(known.cell._replace(key=key), known.machine)
            for i, document in enumerate(drawn)
            for known in document
            for key in [CellKey(DocumentKey(str(i)), known.cell.key.field)]
        }
        options = ReviewOptions(target=target)
        planner = Planner((known.cell for known in cells.values()), options, str(repetition))
        yield work(Sheet(cells, planner, reliability, generator))


def report(outcomes: Sequence[Outcome], target: float) -> str:
    """A row of the table."""
    n = len(outcomes)
    cells = sum(each.cells for each in outcomes)
    certified = [each for each in outcomes if each.certified]
    broken = sum(not each.kept for each in certified)
    low, high = wilson(broken, n)
    means = {
        name: float(np.mean([getattr(each, name) for each in outcomes]))
        for name in ("looks", "accuracy", "inside", "all_looks", "final", "expected")
    }
    spread = np.quantile([each.accuracy for each in outcomes], [0.025, 0.975])
    return (
        f"| {target:.1%} | {cells / n:.0f} | {means['looks']:.0f} | {means['expected']:.0%} "
        f"| {means['accuracy']:.2%} ({spread[0]:.2%}-{spread[1]:.2%}) | {means['inside']:.0%} "
        f"| {means['all_looks']:.0f} | {len(certified)} | {means['final']:.2%} "
        f"| {broken} ({low:.1%}-{high:.1%}) |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, nargs="?", help="default: data_samples, read anew")
    parser.add_argument("sheet", type=Path, nargs="?", help="verified sheet of the run")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--reliability", type=float, default=RELIABILITY)
    parser.add_argument("--target", type=float, nargs="+", default=[0.995, 0.99, 0.98])
    parser.add_argument("--documents", type=int, help="draw so many, with replacement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run, sheet = options.run, options.sheet
        if run is None:
            run, sheet = ocr_moe.extract(SAMPLES, out=folder).folder, SAMPLES / "verified.xlsx"
        documents = documents_of(run, sheet)
    machine = [known for document in documents for known in document]
    right = sum(known.machine == TRUTH for known in machine)
    print(
        f"{len(documents)} documents, {len(machine)} verified cells, {right} of them right as read; "
        f"a reviewer who is right {options.reliability:.1%} of the time, "
        f"{options.repetitions} repetitions\n"
    )
    print(
        "| target | cells | looks until expected | expected | accuracy then (95 % of sheets) "
        "| inside the plan's interval | looks until certified | certified | accuracy then | broken |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    rows = {}
    for target in options.target:
        outcomes = simulate(
            documents,
            repetitions=options.repetitions,
            target=target,
            reliability=options.reliability,
            resampled=options.documents,
        )
        row = report(list(outcomes), target)
        print(row, flush=True)
        rows[f"{target:g}"] = [cell.strip() for cell in row.strip("|").split("|")]
    print()
    publish(
        "review",
        {
            "documents": len(documents),
            "cells": len(machine),
            "right": right,
            "repetitions": options.repetitions,
            "targets": rows,
        },
        [
            f"target {row[0]}: certified after {row[6]} looks of {row[1]} cells, promise broken {row[9]}"
            for row in rows.values()
        ],
    )


if __name__ == "__main__":
    main()

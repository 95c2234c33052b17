"""How much hangs on each threshold of the rules? Every one is moved, and right cells are counted.

Reads the page OCR that a run has stored, answers with the rules again and again, each time with one
named number of their modules at half, 0.8, 1.25 and 2 times its value, and prints those numbers whose
move makes a cell come out differently: what is not printed, these documents do not tell.

    python -m benchmarks.thresholds reports/demo data_samples/*/verified.xlsx [--only forms fallbacks]
"""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.run.batch import STORE
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.subjects import key_of
from ocr_moe.testing.pages import StubDocument, StubPage
from ocr_moe.types import Reading
from ocr_moe.values.normalize import equal
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

T = TypeVar("T")

MODULES = (
    "experts.rules.expert",
    "reading.candidates",
    "reading.fallbacks",
    "reading.forms",
    "reading.gathering",
    "values.amounts",
    "values.codes",
    "values.dates",
    "values.names",
    "values.plausible",
    "values.texts",
)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign)
STEPS = (0.5, 0.8, 1.25, 2.0)


@dataclass(frozen=True)
class Knob:
    """A number with a name, or one of a table with a name."""

    name: str
    value: float
    table: Any
    """What the name stands for: the number itself, or the tuple or mapping that holds it."""
    place: Any
    """Its index or key there."""

    def at(self, value: float) -> Any:
        """What the name stands for with another number in this place."""
        if isinstance(self.table, tuple):
            return tuple(value if i == self.place else v for i, v in enumerate(self.table))
        if isinstance(self.table, dict):
            return {**self.table, self.place: value}
        return value

    def __str__(self) -> str:
        return f"{self.name}[{self.place}]" if isinstance(self.table, tuple | dict) else self.name


@dataclass(frozen=True)
class Cell:
    """A verified cell: the document it is of, its field, and what the sheet says."""

    document: int
    field: Field
    truth: str | None

    def is_right(self, value: str | None) -> bool:
        if value is None or self.truth is None:
            return value is self.truth
        return equal(self.field, self.truth, value)


def knobs(module: ModuleType) -> Iterator[Knob]:
    """The numbers that a module names itself; a table of characters or words holds no judgements."""
    for name in _assigned(module):
        held = vars(module)[name]
        entries: Mapping[Any, Any] = {None: held}
        if isinstance(held, tuple):
            entries = dict(enumerate(held))
        elif isinstance(held, dict):
            entries = {key: value for key, value in held.items() if type(key) is not str}
        for place, value in entries.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield Knob(name, value, held, place)


def _assigned(module: ModuleType) -> list[str]:
    """Names in capitals that stand for something in the module's own code."""
    tree = ast.parse(inspect.getsource(module))
    nodes = [node for each in tree.body if isinstance(each, ASSIGNMENTS) for node in ast.walk(each)]
    names = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [name for name in names if name.isupper()]


def steps(value: float) -> list[float]:
    """Other values to try: whole numbers stay whole, and move by one at least."""
    if isinstance(value, int):
        return sorted({max(value // 2, 1), value - 1, value + 1, 2 * value} - {value})
    return [step * value for step in STEPS]


def moved(module: ModuleType, name: str, value: Any, ask: Callable[[], T]) -> T:
    """What `ask` gives while the name stands for another value, also where it is imported."""
    known = [m for m in map(_module, MODULES) if name in vars(m)]
    users = [module] if name.startswith("_") else known
    before = vars(module)[name]
    try:
        for user in users:
            setattr(user, name, value)
        return ask()
    finally:
        for user in users:
            setattr(user, name, before)


def _module(name: str) -> ModuleType:
    return import_module(f"ocr_moe.{name}")


def open_run(run: Path, sheets: Sequence[Path]) -> tuple[list[StubDocument], list[Cell]]:
    """The run's documents with their stored OCR, and the verified cells.

    Raises StoreError and TruthError.
    """
    with Store(run / STORE, write=False) as store:
        records = {key_of(r.document): r for s in store.strategies() for r in store.records(s)}
        pages = [(sha256, StubPage(text, number=number)) for sha256, number, text in store.pages()]
    names = sorted({r.schema_name for r in records.values() if r.schema_name is not None})
    material = gather(
        {"rules": list(records.values())}, [find_schema(n) for n in names], read_truths(sheets)
    )
    documents: list[StubDocument] = []
    cells: list[Cell] = []
    for found in material.matches:
        schema = found.truth.schema
        for verified in found.documents:
            record = records[verified.key]
            if record.schema_name != schema.name:
                continue
            ref = record.document
            numbers = range(ref.page, ref.page + ref.pages)
            own = [page for sha, page in pages if sha == ref.sha256 and page.number in numbers]
            cells += [
                Cell(len(documents), schema.field(name), None if cell.value is None else cell.raw)
                for name, cell in verified.cells.items()
            ]
            documents.append(StubDocument(schema, own))
    return documents, cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run, with its store")
    parser.add_argument("verified", type=Path, nargs="+", help="verified sheets")
    parser.add_argument("--only", nargs="+", help="modules, by the end of their names")
    options = parser.parse_args()
    documents, cells = open_run(options.run, options.verified)
    expert = Workshop(load_config()).expert("rules")

    def ask() -> list[Reading]:
        answers = [expert.read(document, document.schema.fields) for document in documents]
        told = [{r.field: r for r in answer.readings} for answer in answers]
        return [told[cell.document][cell.field.name] for cell in cells]

    def count(readings: Sequence[Reading]) -> int:
        return sum(c.is_right(r.value) for c, r in zip(cells, readings, strict=True))

    before = ask()
    print(f"{len(documents)} documents, {count(before)} of {len(cells)} cells right\n")
    print("| module | name | value | moved to | cells that differ | right |")
    print("|---|---|---|---|---|---|")
    tried = 0
    for name in MODULES:
        if options.only and name.rpartition(".")[2] not in options.only:
            continue
        for knob in knobs(_module(name)):
            tried += 1
            for value in steps(knob.value):
                now = moved(_module(name), knob.name, knob.at(value), ask)
                differ = sum(a.value != b.value for a, b in zip(before, now, strict=True))
                if not differ:
                    continue
                print(
                    f"| {name} | {knob} | {knob.value:g} | {value:g} "
                    f"| {differ} | {count(now) - count(before):+d} |",
                    flush=True,
                )
    print(f"\n{tried} numbers moved")


if __name__ == "__main__":
    main()

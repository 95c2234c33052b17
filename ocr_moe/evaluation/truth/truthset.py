"""Which verified sheet is for which schema of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.sheet import (
    Truth,
    load_truth,
    load_truth_tables,
    usable_columns,
)
from ocr_moe.evaluation.truth.tables import Table, read_tables
from ocr_moe.schema import Schema
from ocr_moe.settings import TruthOptions


def load_truths(
    paths: Sequence[Path] | Mapping[str, Path],
    schemas: Sequence[Schema],
    options: TruthOptions | None = None,
) -> tuple[Truth, ...]:
    """One truth a schema, from files that name their schema (a mapping) or are told apart.

    A sheet goes to the schema of which it has the most columns; a workbook may have a sheet for
    each of several schemas. Raises TruthError when a file fits none, or two files fit the same.
    """
    by_name = {schema.name: schema for schema in schemas}
    if isinstance(paths, Mapping):
        unknown = [name for name in paths if name not in by_name]
        if unknown:
            raise TruthError(
                f"a sheet is given for the schema {unknown[0]!r}, which the run does not have; "
                f"it has {', '.join(sorted(by_name))}"
            )
        return tuple(load_truth(path, by_name[name], options) for name, path in paths.items())
    if len(schemas) == 1 and len(paths) == 1:
        return (load_truth(paths[0], schemas[0], options),)
    found: dict[str, Truth] = {}
    for path in paths:
        for truth in _truths_of(path, schemas, options):
            other = found.setdefault(truth.schema.name, truth)
            if other is not truth:
                raise TruthError(
                    f"both {other.source} and {path} are for the schema {truth.schema.name}; "
                    "give one sheet a schema"
                )
    return tuple(found.values())


def _truths_of(path: Path, schemas: Sequence[Schema], options: TruthOptions | None) -> list[Truth]:
    tables = read_tables(path)
    if options is not None and options.sheet is not None:
        tables = tuple(table for table in tables if table.name == options.sheet) or tables
    sheets: dict[str, list[Table]] = {}
    for table in tables:
        best = max(schemas, key=lambda schema: usable_columns([table], schema))
        if usable_columns([table], best):
            sheets.setdefault(best.name, []).append(table)
    if not sheets:
        # The first schema's message names what was found and which headings would do.
        return [load_truth_tables(path, tables, schemas[0], options)]
    return [
        load_truth_tables(path, sheets[schema.name], schema, options)
        for schema in schemas
        if schema.name in sheets
    ]

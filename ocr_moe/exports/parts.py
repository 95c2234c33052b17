"""Records in many files: sharded JSONL, and Parquet for what reads columns (DuckDB, Spark, pandas).

A part holds a fixed number of documents in the order of every export, so that equal records make equal
parts.  In Parquet a document is a row and `fields` a list of structs: kinds of documents have different
fields, and one list holds them all without a column for each.  Nothing is lost on the way: a record that
is read back from a row is the record of its line in records.jsonl.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ocr_moe.errors import MissingDependencyError, UsageError
from ocr_moe.exports.forms import FORMAT
from ocr_moe.exports.jsonl import record_from_json, record_to_json, write_jsonl
from ocr_moe.formats.files import replacing, writing_to
from ocr_moe.formats.versions import refusal
from ocr_moe.schema import Schema
from ocr_moe.types import Record

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 100_000
"""Documents of a part."""
_GROUP = 5_000
"""Documents of a row group: what a reader holds at once."""
_META = b"ocr_moe"
"""Key of the file's metadata under which it says what it is."""


def write_jsonl_parts(folder: Path, records: Iterable[Record], *, rows: int = ROWS) -> int:
    """Write part-00000.jsonl and so on; how many records. Raises OutputError, ValueError."""
    return _write(
        folder,
        ".jsonl",
        records,
        rows,
        lambda path, some: write_jsonl(path, some, presorted=True),
    )


def write_parquet(
    folder: Path, records: Iterable[Record], schemas: Sequence[Schema], *, rows: int = ROWS
) -> int:
    """Write part-00000.parquet and so on; how many records. Raises OutputError, and
    MissingDependencyError without pyarrow."""
    parquet = _parquet()
    import pyarrow as pa

    declared = [schema.model_dump(mode="json") for schema in schemas]

    def write(path: Path, some: Iterable[Record]) -> int:
        count, waiting = 0, iter(some)
        about = {"format": FORMAT, "schemas": declared}
        form = _form().with_metadata({_META: json.dumps(about, ensure_ascii=False).encode()})
        with (
            replacing(path) as temporary,
            parquet.ParquetWriter(temporary, form, compression="zstd") as writer,
        ):
            while group := [_row(record) for record in islice(waiting, _GROUP)]:
                writer.write_table(pa.Table.from_pylist(list(group), schema=form))
                count += len(group)
        return count

    return _write(folder, ".parquet", records, rows, write)


def _write(folder: Path, suffix: str, records: Iterable[Record], rows: int, write: Any) -> int:
    count, part, waiting = 0, 0, iter(records)
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    while True:
        some = list(islice(waiting, 1))
        if not some and part:
            break
        path = folder / f"part-{part:05}{suffix}"
        count += write(path, chain(some, islice(waiting, rows - 1)))
        part += 1
    with writing_to(folder):
        for path in folder.glob(f"part-*{suffix}"):  # of an export that had more
            with suppress(ValueError):
                if int(path.stem.removeprefix("part-")) >= part:
                    path.unlink()
    return count


@dataclass(frozen=True)
class ParquetRecords:
    """The records of one strategy in the parts of a folder: iterable again and again, few in memory."""

    parts: tuple[Path, ...]
    strategy: str

    def __iter__(self) -> Iterator[Record]:
        for path in self.parts:
            for row in _rows(path):
                if row["strategy"] == self.strategy:
                    yield _record(path, row)


def read_parquet(what: Path) -> tuple[dict[str, ParquetRecords], tuple[Schema, ...]]:
    """Strategy → its records, and what the documents could be, of a Parquet file or of all those below a
    folder. Raises UsageError for what is none of ours, MissingDependencyError without pyarrow."""
    parquet = _parquet()
    parts = tuple(sorted(what.rglob("*.parquet"))) if what.is_dir() else (what,)
    strategies: dict[str, None] = {}
    schemas: dict[str, Schema] = {}
    for path in parts:
        try:
            file = parquet.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: not a Parquet file that can be read ({error})") from error
        with file:
            for schema in _declared(path, file.schema_arrow.metadata or {}):
                schemas[schema.name] = schema
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, columns=["strategy"])["strategy"]
                strategies.update(dict.fromkeys(column.unique().to_pylist()))
    return {name: ParquetRecords(parts, name) for name in strategies}, tuple(schemas.values())


def _declared(path: Path, metadata: Mapping[bytes, bytes]) -> list[Schema]:
    if _META not in metadata:
        raise UsageError(f"{path}: not a Parquet file of records that ocr-moe wrote")
    about = json.loads(metadata[_META])
    refused = refusal(about.get("format"), FORMAT)
    if refused is not None:
        raise UsageError(f"{path}: {refused}")
    try:
        return [Schema.model_validate(each) for each in about["schemas"]]
    except (ValidationError, KeyError) as error:
        raise UsageError(f"{path}: its schemas cannot be read ({error})") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with _parquet().ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_GROUP):
            yield from batch.to_pylist()


def _record(path: Path, row: Mapping[str, Any]) -> Record:
    place = ("path", "sha256", "page", "pages", "part", "rotation", "region")
    plain = {
        **row,
        "format": FORMAT,
        "document": {key: row[key] for key in place},
        "fields": {said["name"]: _decision(said) for said in row["fields"]},
        "conflicts": json.loads(row["conflicts"]) if row["conflicts"] else [],
    }
    try:
        return record_from_json({key: value for key, value in plain.items() if key not in place})
    except UsageError as error:
        raise UsageError(f"{path}, {row['path']}: {error}") from error


def _decision(said: Mapping[str, Any]) -> dict[str, Any]:
    rows = said.get("rows")
    value = json.loads(rows) if rows else said["value"]
    return {key: value for key, value in said.items() if key not in ("name", "rows")} | {
        "value": value
    }


def _columns(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """A decision; the rows of a table are JSON, in a column of their own."""
    value = said["value"]
    rows = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else None
    return {
        "name": name,
        **said,
        "value": None if rows else value,
        "evidence": _evidence(said),
        "rows": rows,
    }


def _row(record: Record) -> dict[str, Any]:
    """What stands in records.jsonl, as columns."""
    plain = record_to_json(record)
    conflicts = plain.get("conflicts")
    fields = plain["fields"].items()
    return {
        "region": None,
        **plain["document"],
        "schema": plain["schema"],
        "strategy": plain["strategy"],
        "fields": [_columns(name, said) for name, said in fields],
        "cost": plain["cost"],
        "error": plain["error"],
        "blank": plain.get("blank", False),
        "set_aside": plain.get("set_aside"),
        "conflicts": json.dumps(conflicts, ensure_ascii=False) if conflicts else None,
    }


def _evidence(said: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if said["evidence"] is None else {"page": 1, **said["evidence"]}


def _form() -> pa.Schema:
    import pyarrow as pa

    numbers = pa.list_(pa.float64())
    words = pa.list_(pa.string())
    evidence = pa.struct([("box", numbers), ("text", pa.string()), ("page", pa.int32())])
    decision = pa.struct(
        [
            ("name", pa.string()),
            ("value", pa.string()),
            ("confidence", pa.float64()),
            ("status", pa.string()),
            ("experts", words),
            ("evidence", evidence),
            ("characters", numbers),
            ("notes", words),
            ("reviewer", pa.string()),
            ("at", pa.string()),
            ("rows", pa.string()),
        ]
    )
    cost = pa.struct(
        [
            ("calls", pa.int64()),
            ("prompt_tokens", pa.int64()),
            ("completion_tokens", pa.int64()),
            ("seconds", pa.float64()),
            ("ocr_seconds", pa.float64()),
            ("money", pa.float64()),
        ]
    )
    return pa.schema(
        [
            ("path", pa.string()),
            ("sha256", pa.string()),
            ("page", pa.int32()),
            ("pages", pa.int32()),
            ("part", pa.int32()),
            ("rotation", pa.int32()),
            ("region", numbers),
            ("schema", pa.string()),
            ("strategy", pa.string()),
            ("fields", pa.list_(decision)),
            ("cost", cost),
            ("error", pa.struct([("type", pa.string()), ("message", pa.string())])),
            ("blank", pa.bool_()),
            ("set_aside", pa.string()),
            ("conflicts", pa.string()),
        ]
    )


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            f"Parquet: pyarrow is not installed ({error}); pip install 'ocr-moe[parquet]'"
        ) from error
    return pyarrow.parquet

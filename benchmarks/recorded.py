"""Large runs that nobody had to read: the documents of a small one, many times over.

Every copy has a path, a hash, a name and a number of its own, as one person's certificate has beside
another's. Its hash is that of the original's bytes with the number of the copy behind them: the file of
a copy can be made where a benchmark wants it opened (`Copy.lay_out`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ocr_moe.run.batch import STORE

SAME = {"name": "姓名", "number": "证书编号"}
"""Fields that differ from copy to copy, as they do from person to person."""
_FILES = "SELECT path, place FROM inputs"


class Copy(NamedTuple):
    """A document that is another under another name."""

    original: Path
    number: int
    file: Path
    """Where the run believes it to be."""

    def lay_out(self) -> None:
        """Make the file."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(self.original.read_bytes() + _mark(self.number))


def multiply(run: Path, documents: int) -> dict[str, Copy]:
    """Copy a run's documents within its store, with all that was read of them, until it has so many (or
    somewhat fewer, where that is no multiple); path → copy. For files of one page on this machine."""
    copies: dict[str, Copy] = {}
    with sqlite3.connect(run / STORE) as db:
        db.execute("PRAGMA synchronous = OFF")
        rows = db.execute(
            "SELECT strategy, path, page, part, failed, record FROM records"
        ).fetchall()
        files: dict[str, str] = {path: json.loads(place) for path, place in db.execute(_FILES)}
        hashed = {path: hashlib.sha256(Path(file).read_bytes()) for path, file in files.items()}
        held: dict[str, list[tuple[str, tuple[Any, ...]]]] = {}
        for table in ("files", "pages", "answers"):
            for sha256, *line in db.execute(f"SELECT * FROM {table}"):
                held.setdefault(sha256, []).append((table, tuple(line)))
        for number in range(1, documents // len(rows)):
            for strategy, path, page, part, failed, text in rows:
                record = json.loads(text)
                names = _renamed(record, number)
                target = told_otherwise(path, names).replace(".", f"_{number}.", 1)
                target = f"{number:04d}/{target}"
                copies[target] = Copy(Path(files[path]), number, run / "copies" / target)
                digest = hashed[path].copy()
                digest.update(_mark(number))
                new, old = digest.hexdigest(), record["document"]["sha256"]
                record = json.loads(told_otherwise(text, names))
                record["document"] |= {"sha256": new, "path": target}
                told = json.dumps(record, ensure_ascii=False)
                row = (strategy, target, page, part, failed, told)
                db.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)
                for table, line in held[old]:
                    told_line = [
                        told_otherwise(c, names) if isinstance(c, str) else c for c in line
                    ]
                    marks = ", ".join("?" * (len(line) + 1))
                    db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", (new, *told_line))
                db.execute(
                    "INSERT OR REPLACE INTO inputs (path, place, sha256) VALUES (?, ?, ?)",
                    (target, json.dumps(str(copies[target].file)), new),
                )
        db.execute("DELETE FROM meta WHERE key = 'settled'")
    db.close()
    return copies


def told_otherwise(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def _mark(number: int) -> bytes:
    """What stands behind a copy's bytes: decoders pass over it."""
    return b"%d" % number


def _renamed(record: Mapping[str, Any], number: int) -> dict[str, str]:
    """What stands in a record → what is to stand in its copy."""
    names = {}
    name = record["fields"].get(SAME["name"], {}).get("value")
    if name:
        names[name] = name + chr(0x4E00 + number)
    code = record["fields"].get(SAME["number"], {}).get("value")
    if code and len(code) > 12:
        names[code] = code[:-4] + f"{number:04d}"
    return names

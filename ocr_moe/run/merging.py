"""Several runs into one, as if nobody had ever divided it: shards of a run, or runs of further files.

Nobody is asked and no file is opened: pages, answers, records and people's words are taken out of the
stores as they are (`ocr_moe.store.merging`); only what documents say of one another is weighed anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ocr_moe.errors import StoreError, UsageError
from ocr_moe.formats.phrases import Language
from ocr_moe.run.batch import STORE
from ocr_moe.run.exporting import told
from ocr_moe.run.identity import unlike
from ocr_moe.run.opened import opened
from ocr_moe.run.outcome import Outcome, count_documents
from ocr_moe.run.settling import settle
from ocr_moe.run.shards import Division, Listing, Shard
from ocr_moe.run.writing import write_exports
from ocr_moe.store.database import Store
from ocr_moe.store.merging import Merging, take_judgements
from ocr_moe.store.opening import is_begun
from ocr_moe.types import Origin

_SHOWN = 3
"""Paths that stand in a sentence."""


@dataclass(frozen=True)
class Unfinished:
    """A run that was taken in before it was done."""

    folder: Path
    files: int
    """That have no records."""
    of: int


@dataclass
class Merged:
    """What was taken in, and what a person should know of it."""

    outcome: Outcome = field(default_factory=Outcome)
    missing: list[Shard] = field(default_factory=list)
    """Shards that are in none of the folders, though files were assigned to them."""
    absent: int = 0
    """Files of the whole that are in none of the folders; 0 where that cannot be told."""
    listings: list[tuple[Path, int]] = field(default_factory=list)
    """Folder and files of the whole that its shard is of, where shards are of different wholes."""
    doubled: list[tuple[Shard, tuple[Path, ...]]] = field(default_factory=list)
    """Shards that are there more than once, which is harmless."""
    unfinished: list[Unfinished] = field(default_factory=list)
    repeated: int = 0
    """Questions that two shards had paid for; run.json tells what it cost."""

    @property
    def complete(self) -> bool:
        """Whether every file of the whole is there, with its records."""
        return not (self.missing or self.absent or self.listings or self.unfinished)


@dataclass(frozen=True)
class _Part:
    """One of the runs."""

    folder: Path
    store: Store
    words: Mapping[str, Any]
    """What it says of itself: key of the store → value."""
    divisions: tuple[Division, ...]
    """Of what shards it is: one, none for a whole run, more where it was merged before."""

    @property
    def identity(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.words.get("identity", {})
        return found


def merge(
    folders: Sequence[Path],
    out: Path,
    *,
    language: Language = "en",
    begun: Callable[[Merged], None] = lambda merged: None,
) -> Merged:
    """Take the runs of some folders into that of `out`, and write its exports.

    What is there already stays, so that a merge that was killed, or to which a shard came late, goes
    on.  The runs must have been made alike: otherwise, and where one of them cannot be used or a file
    is another one in each, raises StoreError, having written nothing.  `begun` is told before anything
    is written which shards are missing or doubled.
    """
    merged = Merged()
    with ExitStack() as stack:
        parts = sorted((_part(each, stack) for each in _each_once(folders, out)), key=_order)
        here = None
        if is_begun(out / STORE):
            with ExitStack() as briefly:
                here = _part(out, briefly)
            here = here if here.identity else None  # it was killed before it took anything in
        all_parts = parts if here is None else [here, *parts]
        _agree(all_parts)
        found = _listed(out, here is not None, parts)
        _look_for_missing(all_parts, found, merged)
        merged.doubled = _doubled(parts, folders)
        begun(merged)
        with Store(out / STORE) as store:
            _take_all(store, here, parts, merged)
            _finish(store, parts, out, merged, language)
    return merged


def _each_once(folders: Sequence[Path], out: Path) -> list[Path]:
    known = {folder.resolve(): folder for folder in folders}
    known.pop(out.resolve(), None)
    return list(known.values())


def _order(part: _Part) -> tuple[list[tuple[int, int]], str]:
    """Shards by number, then other runs by name."""
    numbers = [(each.count, each.index) for each in part.divisions]
    return (numbers or [(1 << 62, 0)], str(part.folder))


_WORDS: Mapping[str, Any] = {
    "identity": dict[str, Any],
    "started": str,
    "parsings": dict[str, str],
    "schemas": list[Any],
    "origins": dict[str, Any],
    "titles": dict[str, str],
    "configuration": dict[str, Any],
    "experts": dict[str, dict[str, str | None]],
    "skipped": dict[str, str],
    "rereading": list[str],
}
"""What a run says of itself that a merged one says as well, and of which type it is."""


def _part(folder: Path, stack: ExitStack) -> _Part:
    """A run as it is now, should somebody be writing it. Raises StoreError."""
    file = folder / STORE
    if not file.is_file():
        what = "has no store.sqlite" if folder.exists() else "is not there"
        raise StoreError(
            f"{folder} {what}: name the folders that `extract --shard` wrote, and leave out shards that "
            "are lost: they are told"
        )
    store = stack.enter_context(Store(file, write=False))
    store.examine()
    stack.enter_context(store.snapshot())
    words: dict[str, Any] = {}
    for key, type_ in _WORDS.items():
        value: Any = told(store, key, type_, None)
        if value is not None:
            words[key] = value
    own = told(store, "shard", dict[str, int | str], {})
    before = told(store, "merged", tuple[Division, ...], ())
    divisions = (*((Division.model_validate(own),) if own else ()), *before)
    words["merged"] = [each.model_dump(mode="json") for each in divisions]
    return _Part(folder, store, words, divisions)


def _agree(parts: Sequence[_Part]) -> None:
    """Raises StoreError where the runs are not of one making, or a file is not the same in two."""
    if not parts:
        raise UsageError("name the folders that are to be merged")
    for part in parts:
        if not part.identity:
            raise StoreError(f"{part.folder}: its run was not begun; give its command again")
    first = parts[0]
    for part in parts[1:]:
        try:
            found = unlike(first.identity, part.identity, first.words.get("schemas", ()))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{part.store.path}: the store is damaged, whose run it is cannot be read; leave it "
                "out, or make that shard again"
            ) from error
        found += _otherwise_parsed(first, part)
        if found:
            raise StoreError(
                f"{part.folder} was not made as {first.folder} was: {'; '.join(found)}. Runs are merged "
                "that have the same schemas, strategies and settings"
            )


def _listed(out: Path, begun: bool, parts: Sequence[_Part]) -> Listing:
    """The names of all inputs, each once. Raises StoreError where a file is not the same in two runs."""
    with ExitStack() as stack:
        stores = [(part.folder, part.store) for part in parts]
        if begun:
            stores.insert(0, (out, stack.enter_context(Store(out / STORE, write=False))))
        # On the disk, as there may be many.
        seen = stack.enter_context(closing(sqlite3.connect("", isolation_level=None)))
        seen.execute("CREATE TABLE seen (path TEXT PRIMARY KEY, sha256) WITHOUT ROWID")
        listing = Listing()
        for folder, store in stores:
            differing: list[str] = []
            for row in store.inputs:
                known = seen.execute(
                    "SELECT sha256 FROM seen WHERE path = ?", (row.path,)
                ).fetchone()
                if known is None:
                    listing.add(row.path)
                if known is not None and known[0] and row.sha256 not in (None, "", known[0]):
                    differing.append(row.path)
                elif row.sha256 or known is None:
                    seen.execute(
                        "INSERT OR REPLACE INTO seen VALUES (?, ?)", (row.path, row.sha256)
                    )
            if differing:
                more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
                raise StoreError(
                    f"{folder}: {', '.join(differing[:_SHOWN])}{more}: another file stood there than in "
                    "a folder named before. Where it was changed in between, run that shard again with "
                    "--update; where these are two files of one name, run both from their common folder"
                )
        return listing


def _otherwise_parsed(first: _Part, part: _Part) -> Iterator[str]:
    """What each run's experts were, where the configuration cannot tell."""
    one, other = (each.words.get("parsings", {}) for each in (first, part))
    for name in sorted(one.keys() & other.keys()):
        if one[name] != other[name]:
            yield (
                f"replies to {name} were made readings of by another release; give the command of the "
                "older one again, which asks nobody"
            )
    said, says = (each.words.get("experts", {}) for each in (first, part))
    for strategy in sorted(said.keys() & says.keys()):
        for name in sorted(said[strategy].keys() & says[strategy].keys()):
            was, now = said[strategy][name], says[strategy][name]
            if was is not None and now is not None and was != now:
                yield f"{name} was another one ({was}, then {now})"
                return


def _look_for_missing(parts: Sequence[_Part], found: Listing, merged: Merged) -> None:
    """Whether every file of the whole is in one of the parts, and if not, where the rest is."""
    divisions = [(part, each) for part in parts for each in part.divisions]
    if not divisions:
        return
    wholes = {each.listing: (part.folder, each.files) for part, each in divisions}
    if len(wholes) > 1:
        merged.listings = list(wholes.values())
    whole = divisions[0][1]
    if len(wholes) == 1 and found.digest == whole.listing:
        return
    if len(wholes) == 1:
        merged.absent = max(whole.files - found.files, 0)
    for count in sorted({each.count for _, each in divisions}):
        there = {each.index for _, each in divisions if each.count == count}
        merged.missing += [Shard(i, count) for i in range(1, count + 1) if i not in there]


def _doubled(parts: Sequence[_Part], named: Sequence[Path]) -> list[tuple[Shard, tuple[Path, ...]]]:
    folders: dict[Shard, list[Path]] = {}
    for part in parts:
        same = [each for each in named if each.resolve() == part.folder.resolve()]
        for division in part.divisions:
            folders.setdefault(division.shard, []).extend(same)
    return [(shard, tuple(where)) for shard, where in folders.items() if len(where) > 1]


def _take_all(store: Store, here: _Part | None, parts: Sequence[_Part], merged: Merged) -> None:
    first = here or parts[0]
    names = list(first.identity["strategies"]["chosen"])
    merging = Merging(store, names)
    words = here.words if here else {}
    identity = {key: value for key, value in first.identity.items() if key != "shard"}
    for part in parts:
        words = {**_together(words, part.words), "identity": identity}
        merging.take(part.store, words)
    take_judgements(store, [part.store for part in parts])
    merged.repeated = store.count_repeats()


def _together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs say of themselves as one: the earlier start, everyone's files."""
    both = {**other, **one}
    for key in ("parsings", "origins", "titles", "experts", "skipped"):
        if key in both:
            both[key] = {**other.get(key, {}), **one.get(key, {})}
    for key in ("merged", "rereading"):
        known = one.get(key, [])
        both[key] = [*known, *(each for each in other.get(key, ()) if each not in known)]
    if "started" in one and "started" in other:
        both["started"] = min(one["started"], other["started"])
    return both


def _finish(
    store: Store, parts: Sequence[_Part], out: Path, merged: Merged, language: Language
) -> None:
    store.drop_damaged()
    run = opened(out, store)
    unfinished = {row.path for row in store.inputs.unfinished(run.strategies)}
    for part in parts if unfinished else ():
        paths = [row.path for row in part.store.inputs]
        left = len(unfinished.intersection(paths))
        if left:
            merged.unfinished.append(Unfinished(part.folder, left, len(paths)))
    # Built to decide over recorded answers; that is not where these answers are from.
    origins = told(store, "origins", dict[str, Origin], {})
    strategies = [
        replace(run.workshop.strategy(name), origin=origins.get(name, Origin()))
        for name in run.strategies
    ]
    settle(store, strategies, run.schemas, run.workshop)
    outcome = merged.outcome
    outcome.files = len(store.inputs)
    count_documents(outcome, store, run.strategies)
    written = write_exports(out, store, strategies, run.schemas, run.workshop, language=language)
    if len(strategies) == 1:
        outcome.to_check = written.strategies[strategies[0].name].left_to_check
    if store.last_judgement():
        # verified.xlsx is the desk's to write; it knows by this that there is something new.
        store.set_meta("written", 0)

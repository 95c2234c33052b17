"""`--shard i/n`: which of a run's files one of n machines takes, without a word between them.

A file goes by its name alone, by a hash that is the same everywhere.  By its bytes, equal ones would
meet in one shard and be read once; but then each of n machines had to read every byte of the whole to
know its share, n times the whole from a storage that all share.  What two shards read twice is told by
`ocr-moe merge`, which counts it once.  By a hash and not by turns, as files that come later do not move
those that are done.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ocr_moe.errors import UsageError
from ocr_moe.intake.source import Source
from ocr_moe.types import Value

_FORM = re.compile(r"\s*([0-9]{1,9})\s*/\s*([0-9]{1,9})\s*")
_SUMS = 1 << 128
"""Sums of names' hashes are taken modulo this."""


@dataclass(frozen=True)
class Shard:
    """One of `count` shares, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Raises UsageError for what is no shard."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise UsageError(
                f"--shard {text}: i/n is expected, such as 3/16 for the third of 16 shards"
            )
        index, count = int(found[1]), int(found[2])
        if not 1 <= index <= count:
            raise UsageError(
                f"--shard {text}: shards are counted from 1 to n; "
                + (f"of {count} the last is {count}/{count}" if count else "there are none of 0")
            )
        return cls(index, count)

    def holds(self, name: str) -> bool:
        """Whether the file of that name, as it stands in records, is in this share."""
        return _hash_of(name) % self.count == self.index - 1


class Division(Value):
    """What a shard's store says of the whole that it is a share of."""

    index: int
    count: int
    files: int
    """Of the whole."""
    listing: str
    """A digest of the names of all files of the whole, in whatever order they are found."""

    @property
    def shard(self) -> Shard:
        return Shard(self.index, self.count)


class Share(Collection[Source]):
    """Those of some sources, in their order, that a shard holds; iterable again and again."""

    def __init__(self, shard: Shard, sources: Collection[Source]) -> None:
        self._shard = shard
        self._sources = sources
        whole = Listing()
        self._count = 0
        for source in sources:
            whole.add(source.name)
            self._count += shard.holds(source.name)
        self.division = Division(
            index=shard.index, count=shard.count, files=whole.files, listing=whole.digest
        )
        """What the shard's store is to say of the whole."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Source]:
        return (source for source in self._sources if self._shard.holds(source.name))

    def __contains__(self, source: object) -> bool:
        return any(source == each for each in self)


class Listing:
    """A digest of names that does not depend on their order."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.files = 0
        self._sum = 0
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        self.files += 1
        self._sum = (self._sum + _hash_of(name)) % _SUMS

    @property
    def digest(self) -> str:
        return f"{self._sum:032x}"


def _hash_of(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:16], "big")

"""Questions that wait for a batch of their endpoint: submitted, waited for, and answered.

No batch is paid for twice: it is in the store before the server hears of it, and where its name at the
server is not, the server is asked for it by the mark that it was given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping

from ocr_moe.errors import (
    BudgetExceededError,
    ChatConnectionError,
    ChatError,
    ChatRateLimitError,
    ChatServerError,
    PostponedError,
    StoreError,
)
from ocr_moe.protocols import Batching
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.outcome import Notice
from ocr_moe.store.database import Store
from ocr_moe.store.requests import FiledRequest, OpenBatch, Settled

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of a batch's file; both are OpenAI's limits."""
_HEAD = 200
"""Bytes of a request's line besides its body, at most."""
_PASSING = (ChatConnectionError, ChatRateLimitError, ChatServerError)
"""What is no reason to stop waiting."""


class DeferredQuestions:
    """Of one run. Not to be shared between threads."""

    def __init__(
        self,
        store: Callable[[], Store],
        endpoints: Mapping[str, Batching],
        ledger: Ledger,
        notice: Callable[[Notice], None],
        *,
        wait: bool = True,
    ) -> None:
        """`endpoints` are those that the run asks and that can be asked in batches; without `wait` the
        run ends once its questions are submitted."""
        self._store_of = store
        self._endpoints = {name: each for name, each in endpoints.items() if each.defers}
        self._others = endpoints.keys() - self._endpoints.keys()
        self._ledger = ledger
        self._notice = notice
        self._wait = wait
        self._promised: dict[str, float] = {}
        """Mark of an open batch → what the ledger was told that it costs at most."""

    @property
    def is_wanted(self) -> bool:
        """Whether any endpoint is to be asked in batches."""
        return bool(self._endpoints)

    @property
    def is_needed(self) -> bool:
        """Whether it is, or was, and its replies are still to be used."""
        return self.is_wanted or (bool(self._others) and self._store.requests.has_any())

    @property
    def _store(self) -> Store:
        return self._store_of()

    def examine(self) -> None:
        """Raises ConfigError where a server has no batches. One that cannot be asked just now shows
        itself when it is to answer."""
        for endpoint in self._endpoints.values():
            try:
                endpoint.examine_batches()
            except ChatError:
                continue

    def hold(self) -> None:
        """Raises StoreError where an endpoint that is now asked at once still has a batch under way: its
        questions would be paid for twice."""
        for batch in self._open() if self._others else ():
            if batch.endpoint in self._others:
                raise StoreError(
                    f"{self._store.path}: questions are in batch {batch.id or batch.mark} of the "
                    f"{batch.endpoint} endpoint and would be paid for twice; set "
                    f"chat.{batch.endpoint}.batch to true until they are answered, or name another --out"
                )

    def begin_round(self) -> None:
        """Before documents are gone through."""
        if self.is_wanted:
            self._store.requests.forget_wishes()

    def end_round(self) -> None:
        """Submit what documents wait for, as far as the budget allows, and wait for all batches.

        Raises PostponedError where they are not to be waited for, BudgetExceededError where not even
        one more request may be submitted, ConfigError, StoreError, and why the run is to stop.
        """
        try:
            for name, endpoint in self._endpoints.items():
                for batch in self._open(name):
                    self._promise(batch)
                    if batch.id is None:
                        found = endpoint.find_batch(batch.mark, batch.made)
                        self._named(endpoint, batch, found)
                self._submit(name, endpoint)
        except ChatError as error:
            raise PostponedError(f"{error} The same command goes on where this stopped") from error
        if not self._waited_for():
            raise BudgetExceededError(
                f"--max-cost {self._ledger.limit or 0:g} does not allow for another batch: the next "
                f"question may cost {self._next():.4g} (spent {self._ledger.money:.4g}); run again with "
                "a higher one to go on where this stopped"
            )
        self._await()

    def end(self) -> None:
        """Once every document has its records."""
        if self.is_needed:
            self._store.requests.clear()

    def _open(self, name: str | None = None) -> list[OpenBatch]:
        """The open batches of the endpoint of that name, or of all."""
        found = self._store.requests.open_batches()
        return [each for each in found if name is None or each.endpoint == name]

    def _waited_for(self) -> list[OpenBatch]:
        return [each for each in self._open() if each.endpoint in self._endpoints]

    def _promise(self, batch: OpenBatch) -> None:
        if batch.mark not in self._promised:
            self._promised[batch.mark] = batch.money
            self._ledger.promise(batch.money)

    def _submit(self, name: str, endpoint: Batching) -> None:
        for keys in self._portions(self._store.requests.filed(name)):
            self._ledger.proceed()
            batch = self._store.requests.begin_batch(name, keys)
            self._promise(batch)
            self._named(endpoint, batch, None)

    def _named(self, endpoint: Batching, batch: OpenBatch, id: str | None) -> None:
        """Write down the name of a batch, for which it is submitted where it has none yet."""
        requests = self._store.requests
        id = id or endpoint.submit_batch(batch.mark, lambda: requests.bodies(batch.mark))
        requests.name_batch(batch.mark, id)

    def _portions(self, filed: list[FiledRequest]) -> Iterator[list[str]]:
        """The keys of one batch after the other, until the budget does not allow for more."""
        keys: list[str] = []
        size, money = 0, 0.0
        for each in filed:
            length = each.size + _HEAD
            if keys and (len(keys) == MOST_REQUESTS or size + length > MOST_BYTES):
                yield keys  # for which its money is promised meanwhile
                keys, size, money = [], 0, 0.0
            if not self._ledger.affords_later(money + each.money):
                break
            keys.append(each.key)
            size, money = size + length, money + each.money
        if keys:
            yield keys

    def _next(self) -> float:
        for name in self._endpoints:
            for each in self._store.requests.filed(name):
                return each.money
        return 0.0

    def _await(self) -> None:
        told = False
        stopped = threading.Event()
        with self._ledger.telling(stopped.set):
            while True:
                self._ledger.proceed()
                for batch in self._waited_for():
                    self._look(self._endpoints[batch.endpoint], batch)
                left = self._waited_for()
                if not left:
                    return
                if not self._wait:
                    raise PostponedError(self._postponed(left))
                if not told:
                    self._notice(Notice.BATCH)
                    told = True
                seconds = min(self._endpoints[each.endpoint].patience[1] for each in left)
                stopped.wait(seconds)

    def _postponed(self, left: list[OpenBatch]) -> str:
        parts = [
            f"{each.requests} {'question is' if each.requests == 1 else 'questions are'} in batch "
            f"{each.id} of the {each.endpoint} endpoint ({self._endpoints[each.endpoint].host})"
            for each in left
        ]
        return f"{'; '.join(parts)}; come back with the same command"

    def _look(self, endpoint: Batching, batch: OpenBatch) -> None:
        """See whether a batch has ended, and write down what came of it."""
        assert batch.id is not None
        most = self._store.requests.money(batch.mark)
        spent = 0.0
        settled: list[Settled] = []
        try:
            ended = endpoint.end_of_batch(batch.id)
            if ended is None:
                return
            for reply in ended.replies:
                if reply.key in most:
                    spent += most[reply.key] if reply.money is None else reply.money
                    settled.append(Settled(reply.key, reply.reply, reply.failed, reply.again))
        except _PASSING:
            return
        except ChatError as error:
            raise StoreError(
                f"{self._store.path}: what was paid for is in batch {batch.id} of the {batch.endpoint} "
                f"endpoint, of which it is said: {error} See that chat.{batch.endpoint} has the address "
                "and the key with which it was submitted"
            ) from error
        retries, _ = endpoint.patience
        self._store.requests.end_batch(batch.mark, settled, ended.unanswered, retries)
        self._ledger.keep_promise(self._promised.pop(batch.mark, 0.0), spent)

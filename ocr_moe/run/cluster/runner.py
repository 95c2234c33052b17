"""The run's side of a cluster: files in blocks through a Ray Data pipeline, records and rows out of it.

Ray Data has the pool of actors (it grows and shrinks between the limits that are set, and starts anew
what dies), keeps as many blocks under way as the actors take, and gives a block that was lost to another
actor.  A block that fails again and again is taken apart: each of its files is tried alone, and one that
ends its actor even so gets a record that says so.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from ocr_moe.errors import ClusterLostError, WorkerLostError
from ocr_moe.intake.source import Source
from ocr_moe.run.answers import words_of
from ocr_moe.run.cluster.attaching import Cluster, examine_nodes, has_room
from ocr_moe.run.cluster.office import MOST, Office
from ocr_moe.run.cluster.worker import BlockReader, Made, blocks
from ocr_moe.run.kept import take_kept
from ocr_moe.run.ledger import Ledger
from ocr_moe.run.processing import Processed
from ocr_moe.run.workers.messages import Job, Work
from ocr_moe.settings import ClusterOptions
from ocr_moe.store.database import Store
from ocr_moe.store.portions import put_portions

_WINDOW = 20_000
"""Files of one pipeline: what Ray holds in memory of files that still wait."""
_LOOK = 2.0
"""Seconds without news after which it is seen whether the cluster is still there."""
_LOST = 3
"""Looks in vain after which it is not."""
_AT_ONCE = 2
"""Blocks that an actor works on at once, so that the end of one is no idle time."""

GiveUp = Callable[[Work, WorkerLostError], Processed]


class RayRunner:
    """Makes records on a cluster that this process is connected to."""

    def __init__(self, cluster: Cluster, options: ClusterOptions) -> None:
        self._cluster = cluster
        self._options = options

    def examine(self, job: Job, example: Source | None) -> None:
        """Raises ClusterError where an actor has room nowhere, or a node would not read what this
        machine reads; `example` is a file that all of them should be able to open."""
        examine_nodes(job, example, self._options)

    def work(
        self, job: Job, works: Iterable[Work], store: Store, ledger: Ledger, give_up: GiveUp
    ) -> Generator[list[Processed], None, None]:
        """The records of each content, as they come, some at a time; what else was read and asked is in
        the store by then.

        Raises what is about the run, once what is under way is done, and ClusterLostError;
        KeyboardInterrupt waits for nobody.
        """
        waiting = iter(works)
        first = list(islice(waiting, _WINDOW))
        if not first:
            return
        office = self._open_office(job, ledger)
        try:
            with ledger.telling(lambda: _stop(office, ledger)):
                window = first
                while window:
                    yield from self._window(job, window, office, store, ledger, give_up)
                    window = list(islice(waiting, _WINDOW))
        finally:
            self._close_office(office, store, ledger)
        ledger.proceed()

    def _window(
        self,
        job: Job,
        window: Sequence[Work],
        office: Any,
        store: Store,
        ledger: Ledger,
        give_up: GiveUp,
    ) -> Iterator[list[Processed]]:
        left = {work.sha256: work for work in window}
        for round, size in enumerate((self._options.block, 1)):
            for some in self._made(job, list(left.values()), size, round, office, store):
                put_portions(store, [each.portion for each in some])
                done = []
                for each in some:
                    if isinstance(each.came, BaseException):
                        ledger.stop(each.came)
                    elif each.came is not None and left.pop(each.sha256, None) is not None:
                        done.append(each.came)
                if done:
                    yield done
            ledger.proceed()
            if not left:
                return
        error = (
            "the actor that read it was lost again and again, with nothing else to do in the end"
        )
        yield [
            give_up(
                work,
                WorkerLostError(
                    f"{work.sources[0].name}: {error}; see whether there is memory for it on the nodes, "
                    "then run again with --retry-failed"
                ),
            )
            for work in left.values()
        ]

    def _made(
        self,
        job: Job,
        works: Sequence[Work],
        size: int,
        round: int,
        office: Any,
        store: Store,
    ) -> Iterator[list[Made]]:
        """What comes of the works, block by block."""
        import ray

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        options = self._options
        least = min(options.min_actors, options.max_actors or options.min_actors)
        read = ray.data.from_items(
            [{"work": each} for each in blocks(works)["work"]],
            override_num_blocks=-(-len(works) // size),
        ).map_batches(
            BlockReader,
            batch_size=None,
            batch_format="numpy",
            fn_constructor_kwargs={
                "job": pickle.dumps(job),
                "office": office,
                "started": store.get_meta("started"),
                "round": round,
            },
            compute=ray.data.ActorPoolStrategy(
                min_size=least,
                max_size=options.max_actors,
                max_tasks_in_flight_per_actor=2 * _AT_ONCE,
                max_concurrent_calls_per_actor=_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=options.cpus,
            num_gpus=options.gpus or None,
        )
        batches = read.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=0)
        for batch in self._watched(batches):
            yield [pickle.loads(each) for each in batch["made"]]

    def _watched(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same, from a thread that is left alone should the cluster be lost: Ray waits for it."""
        queue: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

        def fetch() -> None:
            try:
                for batch in batches:
                    queue.put((batch, None))
                queue.put((None, None))
            except BaseException as error:
                queue.put((None, error))

        Thread(target=fetch, name="cluster", daemon=True).start()
        vain, roomless = 0, 0.0
        while True:
            try:
                batch, error = queue.get(timeout=_LOOK)
            except Empty:
                vain = 0 if self._cluster.is_there() else vain + 1
                if vain >= _LOST:
                    raise self._lost("its head does not answer any more") from None
                roomless = 0.0 if vain or has_room(self._options) else roomless or time.monotonic()
                if roomless and time.monotonic() - roomless > self._options.wait:
                    raise self._lost("no node is left that has room for an actor") from None
                continue
            if error is not None:
                why = words_of(error).rsplit("Error: ", 1)[-1]
                raise self._lost(why) from error
            if batch is None:
                return
            vain, roomless = 0, 0.0
            yield batch

    def _lost(self, why: str) -> ClusterLostError:
        host, port = self._cluster.head
        return ClusterLostError(
            f"the Ray cluster at {host}:{port} is lost ({why}); what was done is kept, and the same "
            "command goes on where this stopped once the cluster is there again"
        )

    def _open_office(self, job: Job, ledger: Ledger) -> Any:
        """On this node: the store is on its disk."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = ray.get_runtime_context().get_node_id()
        actor = ray.remote(
            num_cpus=0,
            max_concurrency=MOST,
            scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
        )(Office)
        limit = None if ledger.limit is None else max(ledger.limit - ledger.money, 0.0)
        return actor.remote(job.store, limit)

    def _close_office(self, office: Any, store: Store, ledger: Ledger) -> None:
        """Take over what it counted and kept; where it is gone, the next start does."""
        import ray
        from ray.exceptions import RayError

        if not self._cluster.is_there():
            return
        try:
            asked, money = ray.get(office.spent.remote(), timeout=_LOOK)
            ledger.asked += asked
            ledger.money += money
            ray.get(office.close.remote(), timeout=_LOOK)
            ray.kill(office)
            take_kept(store)
        except RayError:
            return


def _stop(office: Any, ledger: Ledger) -> None:
    """Told amid a signal perhaps: nothing is waited for."""
    try:
        ledger.proceed()
    except BaseException as error:
        office.stop.remote(error)

"""Several documents at once, in threads: models release the interpreter, endpoints are waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class PoolRunner:
    """Keeps `workers` documents under way, and no more than twice that many in memory.

    `shared` is a pool whose threads other batches use as well; it is never shut down here.
    """

    def __init__(self, workers: int, shared: ThreadPoolExecutor | None = None) -> None:
        self._workers = workers
        self._shared = shared

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results as they come. The first exception ends the run once the running items are done,
        and what came of those is given before it is raised. KeyboardInterrupt waits for nobody."""
        pool = self._shared or ThreadPoolExecutor(self._workers, thread_name_prefix="document")
        waiting: set[Future[Result]] = set()
        failed: list[BaseException] = []
        patient = True

        def results(full: int) -> Iterator[Result]:
            """What is done, until fewer than `full` items wait."""
            nonlocal waiting
            while len(waiting) >= full:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    error = None if future.cancelled() else future.exception()
                    if error is not None:
                        failed.append(error)
                        for other in waiting:
                            other.cancel()
                    elif not future.cancelled():
                        yield future.result()

        try:
            for item in items:
                waiting.add(pool.submit(work, item))
                yield from results(2 * self._workers)
                if failed:
                    break
            yield from results(1)
            if failed:
                raise failed[0]
        except KeyboardInterrupt:
            patient = False
            raise
        finally:
            for future in waiting:
                future.cancel()
            if patient:
                wait(waiting)
            if pool is not self._shared:
                pool.shutdown(wait=patient)

"""What workers share, kept by the run: the permits of endpoints, and the ledger."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ocr_moe.permits import LocalPermits, Outcome
from ocr_moe.run.ledger import Ledger

_MOST = 1024
"""Questions that wait to be allowed; each of them is a thread."""


class Offices:
    """Safe to share between threads."""

    def __init__(self, ledger: Ledger, permits: LocalPermits, eased: Callable[[], None]) -> None:
        """`eased` is called when fewer requests wait for a permit than before."""
        self.ledger = ledger
        self.permits = permits
        self._eased = eased
        self._clerks = ThreadPoolExecutor(_MOST, thread_name_prefix="clerk")

    def put(
        self, wait: Callable[[], object], answer: Callable[[BaseException | None], None]
    ) -> None:
        """Has a question answered once `wait` returns, or with what it raises."""

        def serve() -> None:
            refusal: BaseException | None = None
            try:
                wait()
            except BaseException as error:
                refusal = error
            answer(refusal)
            self._eased()

        self._clerks.submit(serve)

    def release(self, endpoint: str, outcome: Outcome) -> None:
        self.permits.release(endpoint, outcome)
        self._eased()

    def close(self) -> None:
        """Waits for nobody."""
        self._clerks.shutdown(wait=False, cancel_futures=True)

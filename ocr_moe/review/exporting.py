"""The files of a run under review, written anew while people may go on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from ocr_moe.formats.phrases import Language
from ocr_moe.review.opening import OpenedRun
from ocr_moe.review.verified import VERIFIED, export_verified
from ocr_moe.run.exporting import write_exports
from ocr_moe.run.settling import settle
from ocr_moe.store.database import Store


def export_run(
    run: OpenedRun,
    strategy: str,
    at_rest: AbstractContextManager[object],
    begun: Callable[[str], None],
    language: Language,
) -> None:
    """Write every export of a run anew and verified.xlsx of the reviewed strategy, as the store stands
    now; `begun` is told of each.

    Within `at_rest` nobody judges: the other strategies are settled there. Raises OutputError,
    StoreError.
    """
    strategies = [run.workshop.strategy(name) for name in run.strategies]
    with at_rest:
        others = [each for each in strategies if each.name != strategy]
        settle(run.store, others, run.schemas, run.workshop)
    with Store(run.store.path, write=False) as reader, reader.snapshot():
        write_exports(
            run.folder,
            run.store,
            strategies,
            run.schemas,
            run.workshop,
            snapshot=reader,
            begun=begun,
        )
        begun(VERIFIED)
        export_verified(run.folder / VERIFIED, reader, strategy, language)

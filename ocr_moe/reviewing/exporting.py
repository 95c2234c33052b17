"""The files of a run under review, written anew while people may go on."""

from __future__ import annotations

from collections.abc import Callable

from ocr_moe.formats.phrases import Language
from ocr_moe.reviewing.verified import VERIFIED, export_verified
from ocr_moe.run.opened import OpenedRun
from ocr_moe.run.settling import settle
from ocr_moe.run.writing import write_exports
from ocr_moe.store.database import Store


def settle_others(run: OpenedRun, strategy: str) -> None:
    """Have what people said stand in the records of the strategies that are not reviewed. Nobody may
    judge meanwhile. Raises SchemaError, StoreError."""
    others = [run.workshop.strategy(name) for name in run.strategies if name != strategy]
    settle(run.store, others, run.schemas, run.workshop)


def export_run(
    run: OpenedRun, strategy: str, begun: Callable[[str], None], language: Language
) -> int:
    """Write every export of a run anew and verified.xlsx of the reviewed strategy, as the store stands
    now; `begun` is told of each.

    The last judgement that they hold. Raises OutputError, StoreError.
    """
    with Store(run.store.path, write=False) as reader, reader.snapshot():
        known = reader.last_judgement()
        write_exports(
            run.folder,
            run.store,
            [run.workshop.strategy(name) for name in run.strategies],
            run.schemas,
            run.workshop,
            snapshot=reader,
            begun=begun,
            language=language,
        )
        begun(VERIFIED)
        export_verified(run.folder / VERIFIED, reader, strategy, language)
    return known

"""run.json: what a run was made with, and what it came to."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from ocr_moe.exports.workbook import to_check
from ocr_moe.formats.addresses import all_without_credentials
from ocr_moe.formats.files import write_text
from ocr_moe.protocols import Package
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.documents import page_key
from ocr_moe.run.outcome import ToCheck
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.types import Cost, Origin, Status, Value
from ocr_moe.version import __version__
from ocr_moe.workshop.build import Workshop, fingerprint_of
from ocr_moe.workshop.config import Config

RUN = "run.json"


class StrategyManifest(Value):
    """What one strategy came to."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    title: str
    origin: Origin
    experts: dict[str, str | None]
    """Name → fingerprint; null where the expert's server did not say which model it has."""
    documents: int
    failed_documents: int
    """Documents that could not be processed at all."""
    blank_pages: int = 0
    """Pages that are blank; `documents` does not count them."""
    set_aside: int = 0
    """Documents that are of no kind that the run knows, as people say."""
    documents_to_check: int
    """Documents that have fields which abstained or failed."""
    contradicting_documents: int = 0
    """Documents that contradict others or the names of their files."""
    fields: dict[str, int]
    """Status → how many fields have it."""
    cost: Cost

    @property
    def left_to_check(self) -> ToCheck:
        """What a person should look at."""
        failed = self.fields.get(Status.FAILED, 0)
        return ToCheck(
            cells=self.fields.get(Status.ABSTAINED, 0) + failed,
            documents=self.documents_to_check,
            failed_cells=failed,
            failed_documents=self.failed_documents,
            contradicting=self.contradicting_documents,
        )


class Manifest(Value):
    """run.json."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    format: Literal[1] = 1
    ocr_moe: str
    """Version of ocr_moe that wrote this."""
    versions: dict[str, str]
    """Of Python and of the packages that read."""
    started: str | None
    """When the run was started for the first time, ISO 8601 in UTC."""
    engine: str
    """What page OCR is stored under: the engine, and what is done to pages before it."""
    schemas: tuple[str, ...]
    """What documents could be."""
    strategies: dict[str, StrategyManifest]
    inputs: int
    """Files."""
    repeated: Cost = Cost()
    """What answers cost that two shards paid for, of which one counts; no strategy's cost has it."""
    configuration: dict[str, Any]
    """The whole configuration; of a secret, the name of the variable that holds it, and … for what
    stands in an address."""


def manifest(
    store: Store, strategies: Sequence[Strategy], schemas: Sequence[Schema], workshop: Workshop
) -> Manifest:
    """Of the run that a store holds."""
    config = workshop.config
    return Manifest(
        ocr_moe=__version__,
        versions=_versions(workshop.packages()),
        started=store.get_meta("started"),
        engine=page_key(workshop.engine("default"), config.remove_seals),
        schemas=tuple(schema.name for schema in schemas),
        strategies={strategy.name: _of_strategy(store, strategy) for strategy in strategies},
        inputs=len(store.inputs),
        repeated=_rounded(store.repeated_cost()),
        configuration=configuration_of(config),
    )


def configuration_of(config: Config) -> dict[str, Any]:
    """The whole configuration as plain values, without what stands for a secret in an address."""
    plain: dict[str, Any] = all_without_credentials(config.model_dump(mode="json"))
    return plain


def write_manifest(path: Path, written: Manifest) -> None:
    """Write run.json in one step. Raises OutputError."""
    data = written.model_dump(mode="json")
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def _of_strategy(store: Store, strategy: Strategy) -> StrategyManifest:
    documents = failed = blank = aside = unsure = contradicting = 0
    statuses: dict[str, int] = {}
    cost = Cost()
    for record in store.records(strategy.name):
        documents += not record.blank
        blank += record.blank
        aside += record.set_aside is not None
        failed += record.error is not None
        cost += record.cost
        unsure += bool(to_check(record))
        contradicting += bool(record.conflicts)
        for decision in record.fields.values():
            statuses[decision.status.value] = statuses.get(decision.status.value, 0) + 1
    return StrategyManifest(
        title=strategy.title,
        origin=strategy.origin,
        experts={name: fingerprint_of(e) for name, e in sorted(strategy.experts.items())},
        documents=documents,
        failed_documents=failed,
        blank_pages=blank,
        set_aside=aside,
        documents_to_check=unsure,
        contradicting_documents=contradicting,
        fields=dict(sorted(statuses.items())),
        cost=_rounded(cost),
    )


def _rounded(cost: Cost) -> Cost:
    return Cost(**{key: round(value, 6) for key, value in cost.model_dump().items()})


def _versions(packages: Sequence[Package]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package.name] = version(package.name)
        except PackageNotFoundError:
            continue
    return found

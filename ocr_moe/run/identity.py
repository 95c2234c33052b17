"""What makes two starts in one folder the same run, and, where they are not, what differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ocr_moe.errors import StoreError
from ocr_moe.intake.images import ImageLimits
from ocr_moe.protocols import Rereader
from ocr_moe.routing.loop import Strategy
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.config import Config

Identity = Mapping[str, Any]
"""Plain values, kept in the store under the key `identity`."""


def identity_of(
    inputs: Mapping[str, str],
    schemas: Sequence[Schema],
    strategies: Sequence[Strategy],
    configuration: Config,
) -> Identity:
    """Everything that the records depend on; `inputs` is name → hash of the file."""
    config = configuration.model_dump(mode="json")
    return {
        "inputs": dict(inputs),
        "schemas": {schema.name: _digest(schema) for schema in schemas},
        "pages": {key: config[key] for key in ("images", "ocr", "remove_seals", "engines")},
        "strategies": {
            "chosen": {s.name: config["strategies"].get(s.name) for s in strategies},
            "experts": {
                s.name: {expert: config["experts"].get(expert) for expert in sorted(s.experts)}
                for s in strategies
            },
        },
    }


def parsings_of(strategies: Sequence[Strategy]) -> dict[str, str]:
    """Expert → what makes readings of its stored replies, for those that keep replies."""
    return {
        name: expert.parsing
        for strategy in strategies
        for name, expert in strategy.experts.items()
        if isinstance(expert, Rereader)
    }


def hold_against(
    store: Store, identity: Identity, out: Path, *, update: bool, frozen_strategies: bool
) -> bool:
    """Whether records of an earlier start hold for this one. Raises StoreError if it is another run.

    `update` takes changed inputs in. Without `frozen_strategies` other strategies are welcome.
    """
    before = store.get_meta("identity")
    if before is None:
        return True
    try:
        before = _as_of_today(before, identity, store.get_meta("schemas") or ())
        differences = _differences(before, identity, update=update, frozen=frozen_strategies)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{store.path}: the store is damaged, whose run it is cannot be read; take a copy that "
            "is whole, or name another --out"
        ) from error
    if differences:
        raise StoreError(
            f"{out} holds another run: {'; '.join(differences)}. Name another --out"
            + ("" if update else ", or take changed inputs in with --update")
        )
    return before == identity


def _as_of_today(before: Identity, now: Identity, schemas: Sequence[Mapping[str, Any]]) -> Identity:
    """An earlier identity with what its version did not have: settings unset, engines unused."""
    digests = dict(before["schemas"])
    pages = dict(before["pages"])
    try:
        digests |= {s.name: _digest(s) for s in map(Schema.model_validate, schemas)}
        pages["engines"] = {**now["pages"]["engines"], **pages["engines"]}
        pages["images"] = ImageLimits.model_validate(pages["images"]).model_dump(mode="json")
    except ValidationError:  # a setting that is no more: the difference is to be named
        return before
    return {**before, "schemas": digests, "pages": pages}


def _differences(before: Identity, now: Identity, *, update: bool, frozen: bool) -> list[str]:
    """What keeps this start from going on with an earlier one, in words."""
    found = []
    old, new = before["inputs"], now["inputs"]
    if not update:
        for what, names in (
            ("added", sorted(new.keys() - old.keys())),
            ("gone", sorted(old.keys() - new.keys())),
            ("changed", sorted(k for k in old.keys() & new.keys() if old[k] != new[k])),
        ):
            if names:
                some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
                found.append(f"{len(names)} input file(s) {what} ({some})")
    keys = ("schemas", "pages", "strategies") if frozen else ("schemas", "pages")
    for key in keys:
        paths = _changed_paths(before[key], now[key], key)
        if paths:
            found.append("different: " + ", ".join(paths[:5]))
    return found


def _changed_paths(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            path
            for key in sorted(old.keys() | new.keys())
            for path in _changed_paths(old.get(key), new.get(key), f"{where}.{key}")
        ]
    return [] if old == new else [where]


def _digest(schema: Schema) -> str:
    text = json.dumps(schema.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

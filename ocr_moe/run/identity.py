"""What makes two starts in one folder the same run, and, where they are not, what differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ocr_moe.errors import StoreError
from ocr_moe.intake.limits import ImageLimits
from ocr_moe.protocols import Rereader
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.inputs import Changes
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.workshop.config import Config, StrategyConfig

_OF_PAGES = {"dpi", "text_layer", "max_pixels", "max_pages"}
"""What of `images` says how a page comes out. The other limits say what a machine can bear: raise
them, and what failed for them can be tried again in the same run."""
_LONG = 40
"""Characters of a setting's value that stand in a sentence."""
Identity = Mapping[str, Any]
"""Plain values, kept in the store under the key `identity`."""


def identity_of(
    schemas: Sequence[Schema],
    strategies: Sequence[Strategy],
    configuration: Config,
    shard: str | None = None,
) -> Identity:
    """Everything that the records depend on but for the inputs (`ocr_moe.run.inputs`); `shard` says
    which share of a larger run those are."""
    config = configuration.model_dump(mode="json")
    config["images"] = configuration.images.model_dump(mode="json", include=_OF_PAGES)
    return {
        **({} if shard is None else {"shard": shard}),
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


def unlike(one: Identity, other: Identity, schemas: Sequence[Mapping[str, Any]]) -> list[str]:
    """What keeps two runs, whatever their inputs, from being one, in words; `schemas` is what the store
    of the first says of them. Raises ValueError, TypeError or KeyError for what is no identity."""
    own = {key: value for key, value in one.items() if key != "shard"}
    its = {key: value for key, value in other.items() if key != "shard"}
    return _differences(_as_of_today(own, its, schemas), its, frozen=True)


def hold_against(
    store: Store,
    identity: Identity,
    changes: Changes,
    out: Path,
    *,
    update: bool,
    frozen_strategies: bool,
) -> bool:
    """Whether records of an earlier start hold for this one. Raises StoreError if it is another run.

    `update` takes changed inputs in. Without `frozen_strategies` other strategies are welcome.
    """
    before = store.get_meta("identity")
    if before is None:
        return True
    try:
        _hold_shard(before.get("shard"), identity.get("shard"), out)
        before = _as_of_today(before, identity, store.get_meta("schemas") or ())
        differences = [] if update else changes.told()
        differences += _differences(before, identity, frozen=frozen_strategies)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"{store.path}: the store is damaged, whose run it is cannot be read; take a copy that "
            "is whole, or name another --out"
        ) from error
    if differences:
        raise StoreError(
            f"{out} holds another run: {'; '.join(differences)}. Name another --out"
            + ("" if update or not changes else ", or take changed inputs in with --update")
        )
    return before == identity


def _hold_shard(before: str | None, now: str | None, out: Path) -> None:
    """Raises StoreError where a start is of another share of the files than the run."""
    if before != now:
        was, is_ = (f"shard {each}" if each else "of all files" for each in (before, now))
        raise StoreError(f"{out} is {was}, this start is {is_}. Name another --out")


def _as_of_today(before: Identity, now: Identity, schemas: Sequence[Mapping[str, Any]]) -> Identity:
    """An earlier identity with what its version did not have: settings unset, engines unused."""
    digests = dict(before["schemas"])
    pages = dict(before["pages"])
    strategies = dict(before["strategies"])
    try:
        for schema in map(Schema.model_validate, schemas):
            digests[schema.name] = _digest(schema)
        pages["engines"] = {**now["pages"]["engines"], **pages["engines"]}
        pages["images"] = ImageLimits.model_validate(pages["images"]).model_dump(
            mode="json", include=_OF_PAGES
        )
        strategies["chosen"] = {
            name: chosen and StrategyConfig.model_validate(chosen).model_dump(mode="json")
            for name, chosen in strategies["chosen"].items()
        }
    except ValidationError:  # a setting that is no more: the difference is to be named
        return before
    return {**before, "schemas": digests, "pages": pages, "strategies": strategies}


def _differences(before: Identity, now: Identity, *, frozen: bool) -> list[str]:
    """What but for the inputs keeps this start from going on with an earlier one, in words."""
    found = _schemas_changed(before["schemas"], now["schemas"])
    changed = _settings_changed(before["pages"], now["pages"], "")
    if frozen:
        was, chosen = before["strategies"], now["strategies"]
        if was["chosen"].keys() != chosen["chosen"].keys():
            found.append(
                f"it is of the strategy {_names(was['chosen'])}, this start is of "
                f"{_names(chosen['chosen'])}"
            )
        else:
            changed += _settings_changed(was["chosen"], chosen["chosen"], "strategies")
            for name in chosen["chosen"]:
                asked, asks = was["experts"][name], chosen["experts"][name]
                found += _experts_changed(name, asked.keys(), asks.keys())
                both = asked.keys() & asks.keys()
                old, new = ({key: each[key] for key in both} for each in (asked, asks))
                changed += _settings_changed(old, new, "experts")
    if changed:
        found.append("changed settings: " + _some(changed, 5))
    return found


def _schemas_changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    found = []
    if new.keys() - old.keys():
        found.append(f"documents may also be {_names(new.keys() - old.keys())} (see --schema)")
    if old.keys() - new.keys():
        found.append(f"documents may no longer be {_names(old.keys() - new.keys())} (see --schema)")
    both = {name for name in old.keys() & new.keys() if old[name] != new[name]}
    if both:
        found.append(f"the declaration of {_names(both)} changed")
    return found


def _experts_changed(strategy: str, old: Set[str], new: Set[str]) -> list[str]:
    """Whom a strategy can ask depends on the endpoints that are configured."""
    found = []
    if new - old:
        found.append(f"{strategy} can now ask {_names(new - old)} as well")
    if old - new:
        found.append(f"{strategy} can no longer ask {_names(old - new)}")
    return found


def _settings_changed(old: Any, new: Any, where: str) -> list[str]:
    """Every setting that differs, by its name in the configuration, with what it was and is."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            change
            for key in sorted(old.keys() | new.keys())
            for change in _settings_changed(
                old.get(key), new.get(key), f"{where}.{key}" if where else key
            )
        ]
    return [] if old == new else [f"{where} (was {_told(old)}, is {_told(new)})"]


def _told(value: Any) -> str:
    """A setting as it stands in a configuration, cut where it is long."""
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _some(items: Sequence[str], shown: int) -> str:
    more = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {more} more" if more > 0 else "")


def _digest(schema: Schema) -> str:
    text = json.dumps(schema.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

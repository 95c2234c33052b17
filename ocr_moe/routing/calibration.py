"""Fitted models as readable values: how sure to be of a value, and whom to ask.

Everything here predicts; the laboratory fits, because that needs the truth. A model
is a logistic regression over named features (Platt 1999, with more than one feature), written as
YAML so that a person can see what counts for how much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import Field as PydanticField
from pydantic import ValidationError

from ocr_moe.errors import ConfigError
from ocr_moe.formats.versions import refusal
from ocr_moe.formats.yamlfile import read_yaml, validation_sentences
from ocr_moe.odds import sigmoid
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Value

FORMAT = 1

M = TypeVar("M", "Calibration", "Policy")


class Weight(Value):
    """What one feature adds to the log-odds: weight · (x - mean) / scale, or `missing`."""

    weight: float
    mean: float = 0.0
    scale: float = PydanticField(default=1.0, gt=0.0)
    missing: float = 0.0
    """Added where the feature is not there."""
    low: float | None = None
    high: float | None = None
    """The range seen when the model was fitted; values outside count as its ends."""


class Quality(Value):
    """How good a model's confidences were on documents it was not fitted on."""

    cells: int
    wrong: int
    auroc: float | None = None
    """Chance that a right cell is surer than a wrong one; None without both kinds of cells."""
    ece: float | None = None
    brier: float | None = None
    verdict: str = ""
    """The same in a sentence."""


class Logistic(Value):
    """A regularised logistic regression over a sparse vector of named features."""

    bias: float
    weights: dict[str, Weight] = {}

    def logit(self, features: Mapping[str, float]) -> float:
        """Log-odds; features that the model does not know are passed over."""
        return self._compiled[1] + self.added(features)

    def probability(self, features: Mapping[str, float]) -> float:
        return sigmoid(self.logit(features))

    def added(self, features: Mapping[str, float]) -> float:
        """What these features add to the log-odds of a vector in which they were missing."""
        known = self._compiled[0]
        total = 0.0
        if len(features) < len(known):
            for name, x in features.items():
                if name in known:
                    slope, offset, low, high = known[name]
                    total += slope * (low if x < low else high if x > high else x) + offset
        else:
            for name, (slope, offset, low, high) in known.items():
                if name in features:
                    x = features[name]
                    total += slope * (low if x < low else high if x > high else x) + offset
        return total

    @cached_property
    def _compiled(self) -> tuple[dict[str, tuple[float, float, float, float]], float]:
        """Per feature (slope, offset, low, high), with every `missing` moved into the bias."""
        known = {}
        bias = self.bias
        for name, w in self.weights.items():
            slope = w.weight / w.scale
            low = -math.inf if w.low is None else w.low
            high = math.inf if w.high is None else w.high
            known[name] = (slope, -slope * w.mean - w.missing, low, high)
            bias += w.missing
        return known, bias


class Mean(NamedTuple):
    """Two models trusted alike: the mean of their log-odds."""

    first: Logistic
    second: Logistic

    def logit(self, features: Mapping[str, float]) -> float:
        return 0.5 * (self.first.logit(features) + self.second.logit(features))

    def probability(self, features: Mapping[str, float]) -> float:
        return sigmoid(self.logit(features))

    def added(self, features: Mapping[str, float]) -> float:
        return 0.5 * (self.first.added(features) + self.second.added(features))


Model = Logistic | Mean


class Provenance(Value):
    """What a model was fitted on."""

    data: str
    """The data set, in words."""
    synthetic: bool
    documents: int
    fitted: str
    """ISO date."""
    seed: int | None = None
    hashes: tuple[str, ...] = ()
    """The first 8 digits of the SHA-256 of every document, so that none of them is taken for
    certifying what was fitted on it."""


class Calibration(Value):
    """A confidence model per kind of field, and what else was learnt about the experts."""

    format: int = FORMAT
    provenance: Provenance | None = None
    models: dict[Kind, Logistic] = {}
    """Chance that a value is right: of a candidate seen alone, and, with the features that only the
    whole record tells, of a decided value."""
    joint: dict[Kind, Logistic] = {}
    """Chance that a value is right on which a record-level step had its say; the step's own
    confidence where there is no model."""
    absence: Logistic | None = None
    """Chance that a field without a value is not on the document."""
    weights: dict[Kind, dict[str, float]] = {}
    """g of y = Σ g·f: each expert's weight in a vote."""
    quality: dict[str, Quality] = {}
    """Per field, cross-fitted by document."""

    def model_of(self, field: Field, carriers: Iterable[str]) -> Model:
        """The model for a value that these experts carry.

        What was fitted on some experts says nothing about others: a value that only strangers
        carry is judged by `PRIOR`. What was fitted on some fields says something about others of the
        kind, but less: half of it is judgement. (On 60 receipts with a schema of a user's own, amounts
        and dates, 97 of 106 accepted values are right without that, 72 of 74 with it.)
        """
        fitted = self.models.get(field.kind)
        if fitted is None:
            return PRIOR
        known = self.weights.get(field.kind)
        if known and known.keys().isdisjoint(carriers):
            return PRIOR
        return fitted if not self.quality or field.name in self.quality else Mean(fitted, PRIOR)

    @cached_property
    def _absence(self) -> Logistic:
        """What was fitted, with what is judged of signals that the data did not have."""
        if self.absence is None:
            return ABSENCE_PRIOR
        judged = {"rules.empty": ABSENCE_PRIOR.weights["rules.empty"]}
        return Logistic(bias=self.absence.bias, weights=judged | self.absence.weights)

    def absence_of(self) -> Logistic:
        return self._absence


class PolicyExpert(Value):
    """One expert as a learned gate sees it."""

    cost: float = PydanticField(ge=0.0)
    """Mean cost of one question, in the policy's unit."""
    chance: dict[str, Logistic]
    """Per field name or kind: the chance to be right, given what was read so far."""


class Policy(Value):
    """A learned gate: each expert's chance to be right and its cost."""

    format: int = FORMAT
    provenance: Provenance | None = None
    unit: str = "money"
    """What costs are counted in: money, tokens or seconds."""
    price: float = PydanticField(default=0.0, ge=0.0)
    """λ: the right cells that one unit of cost must bring."""
    experts: dict[str, PolicyExpert]

    def chance(self, expert: str, field: Field, features: Mapping[str, float]) -> float | None:
        """Chance that the expert reads the field right; None where it does not read it."""
        models = self.experts[expert].chance
        model = models.get(field.name) or models.get(field.kind)
        return None if model is None else model.probability(features)


PRIOR = Logistic(
    bias=0.4,
    weights={
        "score": Weight(weight=0.25, missing=0.2, low=-6.0, high=5.0),
        "agree": Weight(weight=1.6, high=3.0),
        "rivals": Weight(weight=-1.0, high=3.0),
        "rival_score": Weight(weight=-0.2, low=0.0),
        "silent": Weight(weight=-0.3, high=3.0),
        "evidence": Weight(weight=0.5),
        "notes": Weight(weight=-1.0, high=2.0),
        "voted": Weight(weight=-0.7),
        "rules.clear": Weight(weight=0.7),
    },
)
"""Judgement, for what no data was fitted on: an expert of the user's own, or a new kind of field.
An expert's own score counts for little, because language models are always sure of themselves; the
agreement of another expert counts for much, and without it nothing reaches 0.9 but a clear case: one
short value, well read, beside its label.
"""

CELL_PRIOR = Logistic(
    bias=-0.3,
    weights={
        "score": Weight(weight=0.8, low=-4.0, high=7.0),
        "agree": Weight(weight=1.6, high=3.0),
        "rivals": Weight(weight=-1.6, high=3.0),
        "silent": Weight(weight=-0.5, high=3.0),
        "voted": Weight(weight=-0.7),
    },
)
"""Judgement of a table's cell. What was fitted on fields says little of cells, which are short, have
many like them around and need no label; whoever read the table says how sure each is. A score of the
expert `rules`, which is fitted (`ocr_moe.experts.rules.tables`), comes to 0.9 at 0.958.
"""

ABSENCE_PRIOR = Logistic(
    bias=0.5,
    weights={
        "score": Weight(weight=1.0, low=-3.0, high=3.0),
        "required": Weight(weight=-4.0),
        "silent": Weight(weight=0.7, high=4.0),
        "failed": Weight(weight=-2.0, high=2.0),
        "notes": Weight(weight=-1.0, high=2.0),
        "rules.empty": Weight(weight=1.5),
    },
)

JOINT_PRIOR = Logistic(bias=0.0, weights={"bound": Weight(weight=1.0)})
"""The step's own confidence stands."""

UNFITTED = Calibration()


def load_calibration(path: Path) -> Calibration:
    """Raises ConfigError, which names a wrong key."""
    return _load(path, Calibration)


def load_policy(path: Path) -> Policy:
    """Raises ConfigError, which names a wrong key."""
    return _load(path, Policy)


def to_yaml(model: Calibration | Policy) -> str:
    """Readable YAML that the loaders read back to the same value."""
    data = model.model_dump(mode="json", exclude_defaults=True)
    return plain_yaml({"format": model.format, **data})


def plain_yaml(data: Mapping[str, Any]) -> str:
    """YAML of plain values with numbers of six digits and short mappings on one line."""
    return yaml.dump(_rounded(data), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100)


def _load(path: Path, model: type[M]) -> M:
    data: Any = read_yaml(path, ConfigError)
    refused = refusal(data["format"], FORMAT) if data.get("format") else "the key format is missing"
    if refused is not None:
        raise ConfigError(f"{path}: {refused}, or fit it again with this version")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{path}: {validation_sentences(error, model)}") from error


class _Dumper(yaml.SafeDumper):
    """Numbers and words of one model entry stay on one line."""


def _represent(dumper: yaml.SafeDumper, data: dict[str, Any]) -> yaml.MappingNode:
    flat = all(not isinstance(value, dict | list) for value in data.values())
    return dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=flat)


def _represent_list(dumper: yaml.SafeDumper, data: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Dumper.add_representer(dict, _represent)
_Dumper.add_representer(list, _represent_list)


def _rounded(data: Any) -> Any:
    """Six significant digits are more than any fit can tell."""
    if isinstance(data, float):
        return float(f"{data:.6g}")
    if isinstance(data, Mapping):
        return {str(key): _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return data

"""The `transformers` expert: a model of the package transformers makes the fields that it is asked for.

The task says how: `summarization` has an encoder-decoder write a text (the package's pipeline of that
name is gone since its version 5; the model is asked directly), the others are pipelines:
`text-classification` names one of a field's values with a score, `zero-shot-classification` chooses
among the field's values (or `labels`), `token-classification` lists what it finds.  The model is a name
on the hub or a folder; `local_only` never looks on the hub, which is what a run without a network wants.

A text is cut to the model's own limit, in its own tokens: what its tokenizer and its positions can take,
whichever is less.  A model that is given more fails with an index out of range, far from the cause.
What was cut off is told in a note.

The package and torch are the extra `text`; they are loaded with the first text, once a process.

Features: `tokens` of the text, `cut` 1 where some were cut off.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field as PydanticField

from ocr_moe.errors import ConfigError, ExpertError, MissingDependencyError
from ocr_moe.protocols import Document, Package, Services
from ocr_moe.reading.texts import running_text
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Reading, Value
from ocr_moe.values.normalize import normalize

REVISION = "1"
"""Changes when the expert, or anything that it stands on, may read differently."""

_NO_TEXT = "the document has no running text"
_UNBOUNDED = 100_000
"""Tokens from which a tokenizer's limit is none: it says 10^30 where nobody told it."""
_HYPOTHESIS = 32
"""Tokens for what a text is asked about (`This example is positive.`), where that is put after it."""
_LEAST = 8
"""Tokens that a model has to take, or something is wrong with what it says of itself."""
_POSITIONS = (
    *("max_position_embeddings", "n_positions", "max_encoder_position_embeddings"),
    *("max_source_positions", "max_seq_len", "max_sequence_length"),
)
"""Where a model's configuration says how many positions it has."""
_OFFSET = frozenset({"roberta", "camembert", "xlm-roberta", "longformer", "mpnet", "data2vec-text"})
"""Models that keep two of their positions for padding."""

Task = Literal[
    "summarization",
    "text-classification",
    "zero-shot-classification",
    "token-classification",
]


class TransformersParams(Value):
    """The model, what it does, and where."""

    model: str = PydanticField(min_length=1)
    """Name on the hub, or folder."""
    task: Task
    """What it does."""
    revision: str = ""
    """Commit of the model on the hub; without one, whatever stands there today."""
    device: str = "cpu"
    """Where it runs: `cpu`, `cuda:0`, `mps`."""
    local_only: bool = True
    """Whether the hub is never asked, only folders and what was downloaded before."""
    labels: dict[str, str] = {}
    """The model's labels by what the field calls them (`LABEL_1: positive`), where they are not the
    field's values or synonyms."""
    max_tokens: int = PydanticField(default=0, ge=0)
    """Most tokens of a text; 0 for the model's own limit."""
    max_new_tokens: int = PydanticField(default=128, ge=1)
    """Longest text that is written."""


class Transformers:
    """A model of the package transformers; it is loaded with the first text."""

    Params = TransformersParams
    packages = (
        Package("transformers", "models for texts", install="'ocr-moe[text]'"),
        Package("torch", "what they run on", install="'ocr-moe[text]'"),
    )

    def __init__(self, name: str, params: TransformersParams, services: Services) -> None:
        self.name = name
        self._params = params
        self._lock = threading.Lock()
        self._pipeline: Any = None

    @property
    def fingerprint(self) -> str:
        params = self._params.model_dump_json(exclude={"device", "local_only"})
        return f"transformers/{REVISION} {self._params.model} {_digest(params)}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises, or
        MissingDependencyError, ConfigError, ExpertError."""
        text = "\n".join(
            passage.text for passage in running_text([(p.number, p.text) for p in document.pages])
        )
        began = time.perf_counter()
        if not text.strip():
            readings = [Reading(field=field.name, notes=(_NO_TEXT,)) for field in fields]
        else:
            with self._lock:  # a pipeline is not for several threads
                pipeline = self._loaded()
                cut, tokens, limit = _cut(pipeline, text, self._limit(pipeline))
                readings = [self._reading(pipeline, field, cut, tokens, limit) for field in fields]
        seconds = round(time.perf_counter() - began, 4)
        return Answer(
            expert=self.fingerprint,
            readings=tuple(readings),
            cost=Cost(seconds=seconds),
            model=self._params.model,
        )

    def _loaded(self) -> Any:
        if self._pipeline is None:
            params = self._params
            try:
                import torch  # noqa: F401
                import transformers  # noqa: F401
            except ImportError as error:
                raise MissingDependencyError(
                    f"the expert {self.name} needs transformers and torch ({error}); "
                    "pip install 'ocr-moe[text]'"
                ) from error
            try:
                self._pipeline = _Writing(params) if _writes(params) else _pipeline(params)
            except Exception as error:
                raise ConfigError(
                    f"experts.{self.name}: the model {params.model} cannot be loaded for "
                    f"{params.task} ({type(error).__name__}: {_first_line(error)}); name a folder, or "
                    "set `local_only: false` for one on the hub"
                ) from error
        return self._pipeline

    def _limit(self, pipeline: Any) -> int:
        """Tokens that the model takes, those around the text included."""
        own = limit_of(pipeline.tokenizer, pipeline.model.config)
        if self._params.task == "zero-shot-classification":
            own = max(own - _HYPOTHESIS, _LEAST)
        return min(own, self._params.max_tokens) if self._params.max_tokens else own

    def _reading(self, pipeline: Any, field: Field, text: str, tokens: int, limit: int) -> Reading:
        try:
            value, score = self._made(pipeline, field, text)
        except Exception as error:  # whatever a model makes of a text
            raise ExpertError(
                f"the model {self._params.model} failed ({type(error).__name__}: "
                f"{_first_line(error)})"
            ) from error
        was_cut = tokens > limit
        notes = [f"the model saw the first {limit:,} of {tokens:,} tokens"] if was_cut else []
        normal = normalize(field, value) if value else None
        if value and normal is None:
            notes.append(f"{value!r} is not a value of this field; see `labels` of the expert")
        return Reading(
            field=field.name,
            value=normal,
            raw=value or None,
            score=score if normal is not None else None,
            features={"tokens": float(tokens), "cut": float(was_cut)},
            notes=tuple(notes),
        )

    def _made(self, pipeline: Any, field: Field, text: str) -> tuple[str, float | None]:
        task = self._params.task
        if task == "text-classification":
            [best] = pipeline([text], truncation=True)
            label = str(best["label"])
            return self._params.labels.get(label, label), min(float(best["score"]), 1.0)
        if task == "zero-shot-classification":
            found = pipeline(text, candidate_labels=list(field.values or self._params.labels))
            label = str(found["labels"][0])
            return self._params.labels.get(label, label), min(float(found["scores"][0]), 1.0)
        if task == "token-classification":
            found = pipeline(text, aggregation_strategy="simple")
            return "、".join(dict.fromkeys(str(each["word"]).strip() for each in found)), None
        return str(pipeline(text)).strip(), None


def _writes(params: TransformersParams) -> bool:
    return params.task == "summarization"


def _found(params: TransformersParams) -> dict[str, Any]:
    """Where a model is looked for."""
    return {"local_files_only": params.local_only, "revision": params.revision or "main"}


def _pipeline(params: TransformersParams) -> Any:
    from transformers import (
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
        AutoTokenizer,
        pipeline,
    )

    by_token = params.task == "token-classification"
    kind = AutoModelForTokenClassification if by_token else AutoModelForSequenceClassification
    return pipeline(
        params.task,
        model=kind.from_pretrained(params.model, **_found(params)),
        tokenizer=AutoTokenizer.from_pretrained(params.model, **_found(params)),
        device=params.device,
    )


class _Writing:
    """An encoder-decoder that writes a text about a text."""

    def __init__(self, params: TransformersParams) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(params.model, **_found(params))
        self.model = AutoModelForSeq2SeqLM.from_pretrained(params.model, **_found(params))
        self.model.to(params.device).train(False)
        self._longest = params.max_new_tokens

    def __call__(self, text: str) -> str:
        given = self.tokenizer(text, return_tensors="pt").to(self.model.device)
        written = self.model.generate(**given, max_new_tokens=self._longest, do_sample=False)
        return str(self.tokenizer.decode(written[0], skip_special_tokens=True))


def limit_of(tokenizer: Any, config: Any) -> int:
    """Tokens that a model takes at once: the least of what tokenizer and configuration say."""
    told = [getattr(tokenizer, "model_max_length", None)]
    told += [getattr(config, name, None) for name in _POSITIONS]
    if getattr(config, "model_type", "") in _OFFSET:
        told = [told[0], *(n - 2 if isinstance(n, int) else n for n in told[1:])]
    bounds = [n for n in told if isinstance(n, int) and _LEAST <= n < _UNBOUNDED]
    return min(bounds, default=512)


def _cut(pipeline: Any, text: str, limit: int) -> tuple[str, int, int]:
    """As much of a text as the model takes, how many tokens the whole has, and how many it takes."""
    encoded: Mapping[str, Any] = pipeline.tokenizer(
        text, add_special_tokens=True, truncation=False, return_offsets_mapping=True, verbose=False
    )
    count = len(encoded["input_ids"])
    if count <= limit:
        return text, count, limit
    around = count - len(
        pipeline.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    )
    ends = [end for _, end in encoded["offset_mapping"] if end > 0]
    return text[: ends[max(limit - around, 1) - 1]], count, limit


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]

"""Better names, descriptions and labels for a draft, asked of a language model in one question.

What it answers is taken only as far as it can be checked: fields stay as many and of the kinds that they
are, names are short and tell them apart, labels stand on the samples.  A draft of a sheet keeps the
names of the sheet's columns.  Without an answer the draft stands as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ocr_moe.drafting.draft import Draft, changed
from ocr_moe.drafting.printing import hides, printed_of
from ocr_moe.drafting.samples import Sample
from ocr_moe.errors import ChatAnswerError
from ocr_moe.experts.llm.prompts import data_section, load
from ocr_moe.experts.llm.regions import row_texts
from ocr_moe.experts.llm.unwrapping import load as loaded
from ocr_moe.experts.llm.unwrapping import outside_reasoning, spans, whole
from ocr_moe.folds import fold_print
from ocr_moe.formats.phrases import Phrase
from ocr_moe.protocols import ChatModel
from ocr_moe.schema import Field, Schema

_SAMPLES = 2
"""Samples of which the model is shown the text …"""
_CHARACTERS = 3000
"""… and how much of each."""
_TOKENS = 2048
_NAME, _SENTENCE, _LABEL = 30, 160, 24
"""Characters of a name, a description and a label at most."""
_LABELS = 4
"""Labels that a field gets from the model at most."""
_TEXT = {"type": ["string", "null"]}
_ANSWER: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": _TEXT,
        "description": _TEXT,
        "fields": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "name": _TEXT,
                    "description": _TEXT,
                    "labels": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["field", "name", "description", "labels"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "description", "fields"],
    "additionalProperties": False,
}


def named(
    draft: Draft, samples: Sequence[Sample], chat: ChatModel, *, rename: bool = True
) -> Draft:
    """The draft with what a model makes of it. Without `rename` fields keep their names. Raises
    ChatError where there is no answer that can be used."""
    prompt = load("naming")
    text = data_section("text", _text(samples))
    reply = chat.complete(
        system=prompt.system,
        user=prompt.fill(_described(draft.schema), text),
        json_schema=_ANSWER,
        max_tokens=_TOKENS,
    )
    answer = _object_in(reply.content)
    if answer is None:
        raise ChatAnswerError("the answer is no JSON object", reply)
    pages = printed_of(samples)
    print_of_all = "\n".join(page.letters[0] for page in pages)
    return _taken(draft, answer, print_of_all, reply.model, rename=rename)


def _described(schema: Schema) -> list[Field]:
    """The fields with their labels as descriptions, by which the model tells them apart."""
    return [
        changed(each, description="、".join(each.labels)) if each.labels else each
        for each in schema.fields
    ]


def _text(samples: Sequence[Sample]) -> Iterator[str]:
    for sample in samples[:_SAMPLES]:
        left = _CHARACTERS
        for page in sample.pages[:1]:
            for line in row_texts(page):
                yield line[:left]
                left -= len(line)
                if left <= 0:
                    break
        yield ""


def _object_in(content: str) -> Mapping[str, Any] | None:
    text, _ = outside_reasoning(content)
    found = whole(text)
    if isinstance(found, dict):
        return found
    for span in spans(text):
        value = loaded(text, span)
        if value is not None and isinstance(value.value, dict) and not value.cut:
            return value.value
    return None


def _taken(
    draft: Draft, answer: Mapping[str, Any], printed: str, model: str, *, rename: bool
) -> Draft:
    schema = draft.schema
    listed = answer.get("fields")
    said = {
        each["field"]: each
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("field"), str)
    }
    own = {label for each in schema.fields for label in (*each.labels, *schema.other_labels)}
    names = set(schema.names)
    fields: list[Field] = []
    remarks = dict(draft.remarks)
    for each in schema.fields:
        told = said.get(each.name)
        if told is None:
            fields.append(each)
            continue
        name = _sentence(told.get("name"), _NAME) if rename else ""
        if not name or name in names - {each.name}:
            name = each.name
        names = (names - {each.name}) | {name}
        update: dict[str, Any] = {"name": name}
        if description := _sentence(told.get("description"), _SENTENCE):
            update["description"] = description
        labels = [*each.labels, *_labels(told.get("labels"), printed, own)]
        if each.labels and len(labels) > len(each.labels):
            update["labels"] = tuple(labels)
            own |= set(labels)
        made = changed(each, **update)
        fields.append(made)
        before = remarks.pop(f"fields.{each.name}", ())
        if made != each:
            before = (*before, Phrase("named_by_model", {"model": _sentence(model, _SENTENCE)}))
        remarks[f"fields.{name}"] = before
    title = schema.title or _sentence(answer.get("title"), _NAME)
    description = schema.description or _sentence(answer.get("description"), _SENTENCE)
    made_schema = changed(schema, fields=tuple(fields), title=title, description=description)
    return replace(draft, schema=made_schema, remarks=remarks)


def _labels(told: object, printed: str, own: set[str]) -> Iterator[str]:
    """Labels that stand on the samples and are no other field's."""
    given = told if isinstance(told, list) else []
    count = 0
    for each in given:
        label = _sentence(each, _LABEL)
        fold = fold_print(label)
        if len(fold) > 1 and label not in own and fold in printed and count < _LABELS:
            count += 1
            yield label


def _sentence(told: object, longest: int) -> str:
    """A text on one line that hides nothing; empty where it is none, or too long."""
    if not isinstance(told, str):
        return ""
    text = " ".join(told.split())
    return "" if hides(text) or len(text) > longest else text

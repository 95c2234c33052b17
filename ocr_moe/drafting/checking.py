"""A schema's text while somebody edits it: the schema, or what is wrong with the text and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from ocr_moe.errors import SchemaError
from ocr_moe.formats.phrases import Language, Patterns
from ocr_moe.formats.yamlfile import parse_yaml, validation_problems
from ocr_moe.schema import Schema

_CHINESE = Patterns("ocr_moe.drafting", "mistakes.yaml")


@dataclass(frozen=True)
class Mistake:
    """Something that is wrong with a text."""

    message: str
    line: int | None = None
    """Counted from 1; None where it is about the whole."""
    key: str = ""

    def told(self, language: Language) -> str:
        """What is wrong, in a language; as it is where no Chinese is known for it."""
        where, colon, what = self.message.partition(": ")
        known = None if language == "en" else _CHINESE.chinese(what if colon else where)
        if known is None:
            known = None if language == "en" else _CHINESE.chinese(self.message)
            return self.message if known is None else known
        return f"{where}：{known}" if colon else known


class MistakenError(SchemaError):
    """A text that is no schema; `mistakes` says why."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(each.message for each in mistakes))
        self.mistakes = tuple(mistakes)


def schema_of(text: str, file: Path) -> Schema:
    """The schema that a text is, which is to stand in a file. Raises MistakenError."""
    try:
        data = parse_yaml(text, file, SchemaError)
    except SchemaError as error:
        mark = getattr(error.__cause__, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        raise MistakenError([Mistake(str(error).removeprefix(f"{file}: "), line)]) from error
    try:
        return Schema.model_validate(data, context={"folder": file.parent})
    except ValidationError as error:
        root = yaml.compose(text, yaml.SafeLoader)
        mistakes = []
        for loc, sentence in validation_problems(error, Schema):
            line, key = _place(root, loc)
            mistakes.append(Mistake(sentence, line, key))
        raise MistakenError(mistakes) from error


def _place(node: yaml.Node | None, loc: Sequence[str | int]) -> tuple[int | None, str]:
    """(line, last key) of what keys and places in lists lead to, as far as they lead."""
    line: int | None = None
    key = ""
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if found is None:
                break
            line, key, node = found[0].start_mark.line + 1, str(part), found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line, key

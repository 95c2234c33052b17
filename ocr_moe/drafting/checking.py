"""A schema's text while somebody edits it: the schema, or what is wrong with the text and where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ocr_moe.errors import SchemaError
from ocr_moe.formats.phrases import Language, Patterns
from ocr_moe.formats.yamlfile import line_of, nodes_in, parse_yaml, validation_problems
from ocr_moe.schema import Schema

_OF_LINE = re.compile(r"line (\d+): ")
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
        data = parse_yaml(text, file, SchemaError, texts=True)
    except SchemaError as error:
        told = str(error).removeprefix(f"{file}: ")
        mark = getattr(error.__cause__, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        if named := _OF_LINE.match(told):
            line, told = int(named[1]), told[named.end() :]
        raise MistakenError([Mistake(told, line)]) from error
    try:
        return Schema.model_validate(data, context={"folder": file.parent})
    except ValidationError as error:
        root = nodes_in(text)
        mistakes = [
            Mistake(sentence, line_of(root, loc), _key(loc))
            for loc, sentence in validation_problems(error, Schema)
        ]
        raise MistakenError(mistakes) from error


def _key(loc: Sequence[str | int]) -> str:
    """The last key of those that lead to something."""
    return next((part for part in reversed(loc) if isinstance(part, str)), "")

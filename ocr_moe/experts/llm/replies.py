"""From what a language model said to exactly one reading per asked field.

Models leave fields out, rename them, wrap the object in prose, stop half-way or answer with
numbers and lists.  What can be used of a reply is used; what cannot becomes the error of that
field alone.  Nothing here asks anybody: stored replies can be parsed again for nothing.

`ocr_moe.experts.llm.unwrapping` finds JSON in the text, `.gathering` the fields in it, and
`.interpreting` makes a reading of what is said of a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ocr_moe.errors import ChatAnswerError
from ocr_moe.experts.llm.gathering import Answered, Keys, answered
from ocr_moe.experts.llm.interpreting import interpret
from ocr_moe.experts.llm.tables import bare_rows, interpret_table
from ocr_moe.formats.text import sound
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Answer, Failure, Line, RawReply, Reading

REVISION = "3"
"""Changes when the same reply may give other readings; stored replies are then parsed again."""


def parse(
    replies: Iterable[RawReply], fields: Iterable[Field], pages: Sequence[Sequence[Line]]
) -> dict[str, Reading]:
    """Field → reading, for every field of `fields` that a reply is about; never raises.

    Evidence is aligned on the lines of each page.  A field that a reply leaves out is an error where
    the schema requires it and absent where it does not.
    """
    declared = {field.name: field for field in fields}
    found: dict[str, Reading] = {}
    for reply in replies:
        group = [declared[name] for name in reply.fields if name in declared]
        if reply.error is not None:
            readings = [Reading(field=field.name, error=reply.error) for field in group]
        else:
            readings = _understood(reply, group, pages)
        found |= {reading.field: reading for reading in readings}
    return found


def reread(
    answer: Answer, schema: Schema, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> Answer:
    """The answer with its replies parsed anew: one reading per field, in order.

    A reading whose field no reply is about stands as it is.
    """
    readings = {reading.field: reading for reading in answer.readings}
    readings |= parse(answer.replies, (*schema.fields, *fields), pages)
    ordered = tuple(readings[field.name] for field in fields)
    return answer.model_copy(update={"readings": ordered, "parsing": REVISION})


def _understood(
    reply: RawReply, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> list[Reading]:
    try:
        return _readings(reply, fields, pages)
    except ChatAnswerError as error:
        return [_failed(field, error) for field in fields]
    except Exception as error:
        return [_failed(field, _flaw(reply, error)) for field in fields]


def _flaw(reply: RawReply, error: Exception) -> ChatAnswerError:
    """What stands for a flaw of the parser, which must not lose the reply that was paid for."""
    return ChatAnswerError(
        f"The answer of {reply.model} could not be understood ({type(error).__name__}: {error})"
    )


def _readings(
    reply: RawReply, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> list[Reading]:
    """One reading per field. Raises ChatAnswerError when the reply holds none of the fields."""
    found = answered(reply.content or "", Keys(fields))
    if not found.given:
        rows = bare_rows(reply.content or "", fields)
        if rows is not None:
            return [interpret_table(reply, fields[0], [(fields[0].name, rows)], pages)]
        raise _unanswered(reply, found)
    return [_reading(reply, field, found, pages) for field in fields]


def _reading(
    reply: RawReply, field: Field, found: Answered, pages: Sequence[Sequence[Line]]
) -> Reading:
    said = found.given.get(field.name)
    if said is not None:
        try:
            if field.kind is Kind.TABLE:
                return interpret_table(reply, field, said, pages)
            return interpret(reply, field, said, pages)
        except ChatAnswerError as error:
            return _failed(field, error)
        except Exception as error:
            return _failed(field, _flaw(reply, error))
    if not field.required and not found.cut:
        return Reading(field=field.name)
    why = (
        "was cut off before this field. Raise `max_tokens` of the expert"
        if found.cut
        else "left out this field. Ask for it alone (`fields: single`), or ask another model"
    )
    return _failed(field, ChatAnswerError(f"The answer of {reply.model} {why}."))


def _unanswered(reply: RawReply, found: Answered) -> ChatAnswerError:
    """Why none of the fields is there, and what to do."""
    if found.reasoning:
        end = "was cut off inside" if reply.truncated else "never left"
        return ChatAnswerError(
            f"The answer of {reply.model} {end} the model's reasoning. Raise `max_tokens` of the "
            "expert, or switch reasoning off with `extra_body` of the endpoint."
        )
    if reply.truncated:
        hint = "It was cut off: raise `max_tokens` of the expert."
    else:
        hint = "Set `structured` for the endpoint if its server knows it, or ask another model."
    how = "without any of the asked fields" if found.json else "without JSON"
    return ChatAnswerError(
        f"The model {reply.model} answered {how}: {_quote(reply.content or '')}. {hint}"
    )


def _failed(field: Field, error: ChatAnswerError) -> Reading:
    failure = Failure(type=type(error).__name__, message=sound(str(error)))
    return Reading(field=field.name, error=failure)


def _quote(text: str) -> str:
    plain = " ".join(text[:1000].split())
    return repr(plain if len(plain) <= 80 else plain[:79] + "…")

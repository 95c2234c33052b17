"""What comes back: the parts of a chat completion, and whether it is one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ocr_moe.engines.chat.complaints import Complaints
from ocr_moe.engines.chat.quirks import Capabilities, Structured
from ocr_moe.errors import ChatAnswerError
from ocr_moe.protocols import ChatReply

NOT_THINKING = (
    "thinking is switched off by `extra_body`, with enable_thinking: false or "
    "chat_template_kwargs: {enable_thinking: false}"
)


def checked(completion: Any, complaints: Complaints) -> Any:
    """The completion. Raises ChatAnswerError for what is not one."""
    choices = getattr(completion, "choices", None)
    if choices and getattr(choices[0], "message", None) is not None:
        return completion
    error = getattr(completion, "error", "")
    raise complaints.no_completion({"error": error})


def content_of(completion: Any) -> str:
    """The text, as the server gave it; empty where there is none."""
    message = completion.choices[0].message
    content = _joined(message.content)
    if content.strip():
        return content
    # Some servers take the whole of a bound answer for reasoning where the model is told not to reason.
    for name in ("reasoning_content", "reasoning"):
        thought = getattr(message, name, None)
        if isinstance(thought, str) and _is_object(thought):
            return thought
    return content


def _joined(content: Any) -> str:
    """The text of a content that is one, or comes in parts; parts of reasoning are no content."""
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
            text = part.get("text")
            texts.append(text if isinstance(text, str) else "")
    return "".join(texts)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def thought_of(completion: Any) -> str:
    """What a reasoning model thought before it answered, where the server keeps that apart."""
    thought = getattr(completion.choices[0].message, "reasoning_content", "")
    return thought if isinstance(thought, str) else ""


def is_streamed(completion: Any) -> bool:
    return getattr(completion, "streamed", False) is True


def is_truncated(completion: Any) -> bool:
    """Whether the limit of tokens cut it off."""
    return bool(completion.choices[0].finish_reason == "length")


def demand_answer(completion: Any, reply: ChatReply, complaints: Complaints) -> None:
    """Raises ChatAnswerError, with the paid `reply` in it, for a refusal and for an empty answer."""
    choice = completion.choices[0]
    empty = not reply.content.strip()
    refusal = getattr(choice.message, "refusal", None)
    if refusal and empty:
        said = complaints.quoted(refusal)
        raise ChatAnswerError(f"{complaints.who} refused to answer: {said}", reply)
    if choice.finish_reason == "content_filter":
        raise ChatAnswerError(f"{complaints.who} withheld its answer (content filter).", reply)
    if empty:
        why = ""
        if reply.truncated:
            why = " (all tokens went into reasoning; allow more)"
        elif thought_of(completion).strip():
            why = f" (it thought and then said nothing; {NOT_THINKING})"
        raise ChatAnswerError(f"{complaints.who} gave an empty answer{why}.", reply)


def is_constrained(content: str, form: Capabilities, schema: Mapping[str, Any] | None) -> bool:
    """Whether the server was bound to the schema and kept to it."""
    if schema is None or form.structured not in (
        Structured.JSON_SCHEMA,
        Structured.JSON_OBJECT_SCHEMA,
    ):
        return False
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and set(schema.get("required", ())) <= set(answer)


def logprobs_of(completion: Any) -> tuple[tuple[str, float], ...]:
    """(token, natural-log probability) pairs; empty where the server gives none."""
    found = getattr(completion.choices[0], "logprobs", None)
    tokens = getattr(found, "content", None) or ()
    return tuple((str(token.token), float(token.logprob)) for token in tokens)


def tokens_of(completion: Any) -> tuple[int, int]:
    """Tokens of the prompt and of the answer; 0 where the server does not count them."""
    usage = completion.usage
    return usage.prompt_tokens, usage.completion_tokens


def cached_tokens_of(completion: Any) -> int:
    """Those of the prompt that the server had worked on before, as far as it tells."""
    details = completion.usage.prompt_tokens_details
    return 0 if details is None else details.cached_tokens or 0

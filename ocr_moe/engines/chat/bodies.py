"""What a server's bytes come to: one small JSON value with nothing in it that is not used.

Here replies come in: from here on they are bounded in size and depth, free of secrets and of what no
file can hold, and of one form, whether the server streamed them or not.  Nothing here raises.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ocr_moe.engines.chat.quirks import ERROR_STATUS
from ocr_moe.engines.chat.scrubbing import Scrubber
from ocr_moe.formats.text import sound

_LONGEST_WORDS = 4000
"""Characters of a body that is no JSON, or of an error's message: more is never told."""
_MOST_MODELS = 1000
_MOST_TOKENS = 10_000_000
"""No model takes or gives more in one request; what counts more does not count."""


def decoded(data: bytes) -> Any:
    """The JSON value of a body, the completion that an event stream adds up to, or else its text."""
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff").strip()
    if text.startswith(("data:", "event:", "id:", "retry:", ":")):
        return _assembled(_events(text))
    value = _json(text)
    return text if value is None else value


def status_of(body: Any) -> int | None:
    """The status that belongs to an error which a server sent as a success, where it says so."""
    error = _error(body)
    if error is None:
        return None
    for said in (error.get("code"), error.get("type"), error.get("status")):
        if isinstance(said, int) or (isinstance(said, str) and said.isdecimal() and len(said) < 5):
            if 400 <= int(said) < 600:
                return int(said)
        elif isinstance(said, str):
            for name, status in ERROR_STATUS.items():
                if name in said.lower():
                    return status
    return None


def canonical(body: Any, scrub: Scrubber) -> dict[str, Any]:
    """Of a completion, a list of models or an error its parts that are used; all else is an error
    whose message is the body's text."""
    error: Mapping[str, Any] | None = None
    if isinstance(body, Mapping):
        if isinstance(body.get("choices"), list):
            return _completion(body, scrub)
        if isinstance(body.get("data"), list):
            return {"object": "list", "data": list(_models(body["data"], scrub))}
        error = _error(body)
    if error is None:
        error = {"message": body if isinstance(body, str) else _dumped(body)}
    return {
        "error": {
            "message": _words(_message(error), scrub),
            "type": _words(error.get("type"), scrub) or None,
            "code": _words(error.get("code"), scrub) or None,
        }
    }


def _completion(body: Mapping[str, Any], scrub: Scrubber) -> dict[str, Any]:
    """With one choice; an empty one where the server gave none."""
    choice = next((c for c in body["choices"] if isinstance(c, Mapping)), {})
    message = choice.get("message")
    message = message if isinstance(message, Mapping) else {}
    content, thought = _content(message.get("content"))
    for part in ("reasoning_content", "reasoning"):
        if isinstance(message.get(part), str):
            thought = thought or message[part]
    content = content or _arguments(message)
    if not content.strip() and isinstance(_json(thought.strip()), Mapping):
        # A server that takes a whole answer for reasoning (vLLM with a reasoning parser for a model
        # that did not think).
        content, thought = thought, ""
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    return {
        "id": "",
        "object": "chat.completion",
        "created": 0,
        "model": _words(body.get("model"), scrub),
        "choices": [
            {
                "index": 0,
                "finish_reason": _text(choice.get("finish_reason")) or None,
                "message": {
                    "role": "assistant",
                    "content": scrub.text(sound(content)),
                    "reasoning_content": _words(thought, scrub),
                    "refusal": _words(message.get("refusal"), scrub) or None,
                },
                "logprobs": {"content": _logprobs(choice.get("logprobs"), scrub)},
            }
        ],
        "usage": {
            "prompt_tokens": _count(usage.get("prompt_tokens")),
            "completion_tokens": _count(usage.get("completion_tokens")),
            "total_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": _cached(usage)},
        },
        "streamed": body.get("streamed") is True,
    }


def _content(content: Any) -> tuple[str, str]:
    """What is said and what was thought, of a text, parts, or an object where a text should be."""
    if isinstance(content, list):
        said, thought = [], []
        for part in content:
            if isinstance(part, str):
                said.append(part)
            elif isinstance(part, Mapping):
                kind = _text(part.get("type"))
                if "think" in kind or "reason" in kind:
                    inner = part.get("thinking") or part.get("reasoning") or part.get("text")
                    thought.append(
                        "".join(_content(inner)) if isinstance(inner, list) else _text(inner)
                    )
                else:
                    said.append(_text(part.get("text")))
        return "".join(said), "".join(thought)
    if isinstance(content, Mapping):
        return _dumped(content), ""
    return _text(content), ""


def _arguments(message: Mapping[str, Any]) -> str:
    """The arguments of a call, where a server answers by calling a function that was not offered."""
    calls = message.get("tool_calls")
    call = calls[0] if isinstance(calls, list) and calls else message.get("function_call")
    function = call.get("function", call) if isinstance(call, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return _dumped(arguments) if isinstance(arguments, Mapping) else _text(arguments)


def _logprobs(logprobs: Any, scrub: Scrubber) -> list[dict[str, Any]] | None:
    """All tokens, or none where one of them is not of the protocol."""
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list) or not content:
        return None
    tokens, values = [], []
    for entry in content:
        token = entry.get("token") if isinstance(entry, Mapping) else None
        value = entry.get("logprob") if isinstance(entry, Mapping) else None
        if not isinstance(token, str) or isinstance(value, bool):
            return None
        if not isinstance(value, int | float) or math.isnan(value) or value > 0:
            return None
        tokens.append(sound(token))
        values.append(float(value))
    return [
        {"token": token, "logprob": value, "bytes": None, "top_logprobs": []}
        for token, value in zip(scrub.tokens(tokens), values, strict=True)
    ]


def _count(said: Any) -> int:
    """A number of tokens; 0 for one that cannot be."""
    if isinstance(said, str) and said.isdecimal() and len(said) < 9:
        said = int(said)
    if isinstance(said, bool) or not isinstance(said, int | float):
        return 0
    return int(said) if 0 < said <= _MOST_TOKENS else 0


def _cached(usage: Mapping[str, Any]) -> int:
    """Prompt tokens that a server found in its cache, as OpenAI and vLLM, DeepSeek, or Moonshot tell."""
    details = usage.get("prompt_tokens_details")
    told = details.get("cached_tokens") if isinstance(details, Mapping) else None
    for each in (told, usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")):
        if count := _count(each):
            return min(count, _count(usage.get("prompt_tokens")))
    return 0


def _models(data: list[Any], scrub: Scrubber) -> Iterator[dict[str, Any]]:
    for entry in data[:_MOST_MODELS]:
        if isinstance(entry, Mapping) and isinstance(entry.get("id"), str) and entry["id"].strip():
            yield {
                "id": _words(entry["id"], scrub),
                "object": "model",
                "created": 0,
                "owned_by": "",
                "type": _words(entry.get("type"), scrub),
            }


def _error(body: Any) -> Mapping[str, Any] | None:
    """The error in a body, in any of the forms that servers have for it."""
    if not isinstance(body, Mapping):
        return None
    error = body.get("error")
    if isinstance(error, Mapping):
        return error
    if error:
        return {**body, "message": error}
    if body.get("object") == "error" or any(
        isinstance(body.get(name), str) for name in ("message", "detail", "msg", "error_msg")
    ):
        return body
    if isinstance(body.get("detail"), list):  # FastAPI's validation
        return {"message": body["detail"]}
    return None


def _message(error: Mapping[str, Any]) -> Any:
    names = ("message", "detail", "msg", "error_msg", "metadata")
    found = next((error[name] for name in names if error.get(name)), "")
    return found if isinstance(found, str) else _dumped(found)


def _events(text: str) -> Iterator[Any]:
    """The data of server-sent events (WHATWG HTML, 9.2), each a JSON value; None is the end."""
    data: list[str] = []
    for line in (*text.splitlines(), ""):
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line.strip() and data:
            said = "\n".join(data)
            data = []
            yield None if said.strip() == "[DONE]" else _json(said)


def _assembled(events: Iterator[Any]) -> dict[str, Any]:
    """The completion that a stream's chunks add up to; the error where the stream is one."""
    said: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": [], "call": []}
    tokens: list[Any] = []
    finish: Any = None
    whole: dict[str, Any] = {"model": None, "usage": None}
    ended = False
    for event in events:
        if event is None:
            ended = True
            continue
        if not isinstance(event, Mapping):
            continue
        if event.get("error"):
            return dict(event)
        whole = {name: event.get(name) or before for name, before in whole.items()}
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, Mapping) or choice.get("index") not in (0, None):
                continue
            finish = choice.get("finish_reason") or finish
            logprobs = choice.get("logprobs")
            if isinstance(logprobs, Mapping) and isinstance(logprobs.get("content"), list):
                tokens += logprobs["content"]
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, Mapping):
                content, thought = _content(delta.get("content"))
                said["content"].append(content)
                said["reasoning_content"].append(
                    thought or _text(delta.get("reasoning_content") or delta.get("reasoning"))
                )
                said["refusal"].append(_text(delta.get("refusal")))
                said["call"].append(_arguments(delta))
    content = "".join(said["content"]) or "".join(said["call"])
    if finish is None and not (ended or _json(content) is not None):
        finish = "length"  # the stream broke off
    return {
        **whole,
        "choices": [
            {
                "finish_reason": finish,
                "message": {
                    "content": content,
                    "reasoning_content": "".join(said["reasoning_content"]),
                    "refusal": "".join(said["refusal"]),
                },
                "logprobs": {"content": tokens},
            }
        ],
        "streamed": True,
    }


def _words(said: Any, scrub: Scrubber) -> str:
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    # Scrubbed before it is cut, so that no half of a secret is left at the end.
    return scrub.text(sound(_text(said)))[:_LONGEST_WORDS]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _json(text: str) -> Any:
    """The value; None where it is no JSON or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""

"""How a request is made plainer, step by step, until the server takes it.

What a server can do is found out with the first real request, not asked for in advance: the best
form is tried first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ocr_moe.engines.chat.complaints import words_of
from ocr_moe.engines.chat.quirks import (
    FORM,
    LEVELS,
    LOGPROBS,
    Capabilities,
    Quirk,
    Structured,
    recognise,
)
from ocr_moe.errors import (
    ChatAnswerError,
    ChatConnectionError,
    ChatRateLimitError,
    ChatRequestError,
    ChatServerError,
    ChatTooLargeError,
)

Completion = TypeVar("Completion")


@dataclass(frozen=True)
class Ladder:
    """The forms of a request, best first, within what is settled; what is None is found out."""

    model: str
    structured: Structured | None = None
    logprobs: bool | None = None

    @property
    def best(self) -> Capabilities:
        return Capabilities(
            model=self.model,
            structured=self.structured or LEVELS[0],
            logprobs=self.logprobs is not False,
        )

    def plainest(self, form: Capabilities) -> Capabilities:
        """With nothing that servers are commonly without, and what was learnt of `form`."""
        return form.model_copy(update={"structured": Structured.NONE, "logprobs": False})

    def plainer(self, form: Capabilities, quirk: Quirk | None) -> Capabilities | None:
        """The next form after the server refused `form`, or None where nothing is left to leave out.

        `quirk` is what the server complained of, None where it did not say.
        """
        parts = quirk.without if quirk else ()
        if quirk and not (quirk.of_document or quirk.on_ladder or quirk in form.quirks):
            return form.model_copy(update={"quirks": (*form.quirks, quirk)})
        if form.logprobs and self.logprobs is None and FORM not in parts:
            return form.model_copy(update={"logprobs": False})
        if self.structured is None and form.structured is not Structured.NONE:
            level = LEVELS[LEVELS.index(form.structured) + 1]
            logprobs = self.logprobs is not False and LOGPROBS not in parts
            return form.model_copy(update={"structured": level, "logprobs": logprobs})
        return None


def descend(
    ladder: Ladder,
    send: Callable[[Capabilities, int], Completion],
    check: Callable[[Capabilities], object],
    retries: int,
) -> tuple[Completion, Capabilities]:
    """The answer to a request in the best form that the server takes, and that form.

    `send(form, retries)` makes the request; `check(form)` asks for a single token.  Both raise
    ChatError; so does this where no form is taken, or the complaint is about the document.  A server
    that is busy, hangs or is away is asked `retries` times again, as it would be later on.
    """
    form = ladder.best
    reachable = patient = False
    while True:
        last = ladder.plainer(form, None) is None
        try:
            return send(form, retries - 1 if patient else retries if last else 0), form
        except ChatTooLargeError:
            raise
        except (ChatConnectionError, ChatRateLimitError):
            if patient or last or not retries:
                raise
            patient = True
        except (ChatRequestError, ChatServerError, ChatAnswerError) as error:
            quirk = recognise(words_of(error))
            plainer = ladder.plainer(form, quirk)
            if plainer is None or (quirk and quirk.of_document):
                raise
            if not reachable and quirk is None:
                # Is it the form of the request, or is the server unwell? One token tells.
                check(ladder.plainest(form))
                reachable = True
                if isinstance(error, ChatServerError):
                    continue
            form = plainer

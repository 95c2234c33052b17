"""Expert `writer`: a text LLM makes what no text holds: summaries, sentiments, topics.

It is shown the document's text as `ocr_text` is, and asked to write instead of to copy.  What it makes
stands nowhere on the page, so that no evidence is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field as PydanticField

from ocr_moe.experts.llm.asking import ChatRequest, ask, digest, groups
from ocr_moe.experts.llm.prompts import data_section, load
from ocr_moe.experts.llm.regions import row_texts
from ocr_moe.experts.llm.replies import REVISION as PARSING
from ocr_moe.experts.llm.replies import reread
from ocr_moe.protocols import ChatUse, Document, Services
from ocr_moe.schema import Field
from ocr_moe.types import Answer, Value

REVISION = "1"
"""Changes when the server may be asked otherwise."""
PROMPT_TOKENS = 1200
"""Of a typical request: the instructions and a text."""
COMPLETION_TOKENS = 80
"""Of a typical answer, for each field."""
_LEFT_OUT = "（后文略）"


class WriterParams(Value):
    """What a text model is given, and how it is asked."""

    chat: str = "text"
    """Name of the chat endpoint."""
    fields: Literal["together", "single"] = "together"
    """All asked fields in one request, or one request a field."""
    max_characters: int = PydanticField(default=12_000, ge=200)
    """Of the text that is sent; the rest is left out, and that is told the model."""
    max_tokens: int = PydanticField(default=1024, ge=16)
    """Longest answer."""


class Writer:
    """A text LLM writes what the fields ask for.

    Raises EndpointMissingError at construction where the chat endpoint is not configured."""

    Params = WriterParams

    @staticmethod
    def chat_uses(params: WriterParams) -> tuple[ChatUse, ...]:
        single = params.fields == "single"
        return (ChatUse(params.chat, PROMPT_TOKENS, COMPLETION_TOKENS, each_field=single),)

    def __init__(self, name: str, params: WriterParams, services: Services) -> None:
        self.name = name
        self.params = params
        self._services = services
        self._chat = services.chat(params.chat)
        self._prompt = load("writing")

    @property
    def fingerprint(self) -> str:
        return (
            f"writer r{REVISION} {digest(self.params)} prompt {self._prompt.digest} | "
            f"{self._chat.fingerprint} | {self._services.engine('default').fingerprint}"
        )

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        return ask(
            self._chat,
            self.fingerprint,
            self._prompt.system,
            self._requests(document, fields),
            fields,
            [page.text.lines for page in document.pages],
            self.params.max_tokens,
        )

    @property
    def parsing(self) -> str:
        return PARSING

    def reread(self, document: Document, fields: Sequence[Field], answer: Answer) -> Answer:
        return reread(answer, document.schema, fields, [page.text.lines for page in document.pages])

    def _requests(self, document: Document, fields: Sequence[Field]) -> Iterator[ChatRequest]:
        text = data_section("text", self._lines(document))
        for group in groups(fields, self.params.fields == "together"):
            yield ChatRequest(group, self._prompt.fill(group, text))

    def _lines(self, document: Document) -> Iterator[str]:
        room = self.params.max_characters
        for page in document.pages:
            given = page.is_given
            for line in (x.text for x in page.text.lines) if given else row_texts(page.text):
                if len(line) > room:
                    yield line[:room] + _LEFT_OUT
                    return
                room -= len(line)
                yield line

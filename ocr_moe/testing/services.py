"""What an expert is lent in a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ocr_moe.errors import ConfigError, EndpointMissingError
from ocr_moe.protocols import ChatModel, LineRecognizer, OcrEngine, SymbolReader

Lent = TypeVar("Lent")


class StubServices:
    """Lends what it was given: one thing for every name, or one a name.

    An endpoint that was not given raises EndpointMissingError, an engine, a recogniser or a reader of
    symbols raises ConfigError, as a configuration without them does.

    >>> from ocr_moe.testing import ScriptedEngine, page
    >>> services = StubServices(engine=ScriptedEngine(page("毕业证书")))
    >>> services.engine("default").fingerprint
    'scripted engine'
    """

    def __init__(
        self,
        *,
        chat: ChatModel | Mapping[str, ChatModel] | None = None,
        engine: OcrEngine | Mapping[str, OcrEngine] | None = None,
        recognizer: LineRecognizer | Mapping[str, LineRecognizer] | None = None,
        symbols: SymbolReader | Mapping[str, SymbolReader] | None = None,
    ) -> None:
        self._chat = chat
        self._engine = engine
        self._recognizer = recognizer
        self._symbols = symbols

    def chat(self, name: str) -> ChatModel:
        found = _named(self._chat, name)
        if found is None:
            raise EndpointMissingError(f"the test lends no chat endpoint {name!r}")
        return found

    def engine(self, name: str) -> OcrEngine:
        found = _named(self._engine, name)
        if found is None:
            raise ConfigError(f"the test lends no engine {name!r}")
        return found

    def recognizer(self, name: str) -> LineRecognizer:
        found = _named(self._recognizer, name)
        if found is None:
            raise ConfigError(f"the test lends no recogniser {name!r}")
        return found

    def symbols(self, name: str) -> SymbolReader:
        found = _named(self._symbols, name)
        if found is None:
            raise ConfigError(f"the test lends no reader of symbols {name!r}")
        return found


def _named(given: Lent | Mapping[str, Lent] | None, name: str) -> Lent | None:
    return given.get(name) if isinstance(given, Mapping) else given

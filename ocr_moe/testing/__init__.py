"""For the tests of plug-ins, and of ocr_moe itself: what an expert, gate or engine is shown and lent.

    >>> from ocr_moe.schema import Field, Kind, Schema
    >>> from ocr_moe.testing import StubDocument, StubPage, page
    >>> card = Schema(name="card", fields=(Field(name="名称", kind=Kind.ORGANISATION),))
    >>> document = StubDocument(card, [StubPage(page("营业执照\\n名称：某公司"))])
    >>> [line.text for line in document.pages[0].text.lines]
    ['营业执照', '名称：某公司']

- `page` draws a page of OCR lines from rows of text, `picture` prints such a page in pixels.
- `StubPage` and `StubDocument` show pages to an expert; `StubServices` lends it what it asks for.
- `ScriptedEngine`, `ScriptedRecognizer` and `line_posterior` stand in for OCR.
- `ChatServer` (in `ocr_moe.testing.chatserver`) is a real HTTP server of the OpenAI protocol.

Nothing here needs pytest, and nothing else of ocr_moe imports it.
"""

from ocr_moe.testing.chatserver import ChatServer
from ocr_moe.testing.engines import ScriptedEngine, ScriptedRecognizer, line_posterior
from ocr_moe.testing.pages import StubDocument, StubPage, page, picture
from ocr_moe.testing.services import StubServices

__all__ = [
    "ChatServer",
    "ScriptedEngine",
    "ScriptedRecognizer",
    "StubDocument",
    "StubPage",
    "StubServices",
    "line_posterior",
    "page",
    "picture",
]

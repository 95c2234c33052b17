"""`ocr_moe.testing` keeps the promises that authors of plug-ins build on."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import ocr_moe.testing
from ocr_moe.codes.decoding import free_reading
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.engines.rapid import RapidEngine
from ocr_moe.errors import ConfigError, DocumentError, EndpointMissingError, EngineError
from ocr_moe.protocols import Document, LineRecognizer, OcrEngine, Page, Services
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.testing import (
    ChatServer,
    ScriptedEngine,
    ScriptedRecognizer,
    StubDocument,
    StubPage,
    StubServices,
    line_posterior,
    page,
    picture,
)
from ocr_moe.types import PageText

MODULES = [
    "ocr_moe.testing",
    *(f"ocr_moe.testing.{found.name}" for found in pkgutil.iter_modules(ocr_moe.testing.__path__)),
]
CARD = Schema(name="card", fields=(Field(name="name", kind=Kind.PERSON),))
BLANK = Image.new("RGB", (60, 40))


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_run_as_printed(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.failed == 0
    assert result.attempted > 0


def test_every_public_name_has_an_example() -> None:
    for name in ocr_moe.testing.__all__:
        assert ">>>" in (getattr(ocr_moe.testing, name).__doc__ or ""), name


def test_what_stands_in_satisfies_the_protocols() -> None:
    """The assignments are judged by the type checker, the rest here."""
    shown: Page = StubPage(page("name: Jane"), BLANK)
    document: Document = StubDocument(CARD, [StubPage()])
    services: Services = StubServices()
    engine: OcrEngine = ScriptedEngine()
    recognizer: LineRecognizer = ScriptedRecognizer(line_posterior("1"))
    assert isinstance(engine, OcrEngine)
    assert isinstance(recognizer, LineRecognizer)
    for protocol, value in ((Page, shown), (Document, document), (Services, services)):
        asked = {name for name in vars(protocol) if not name.startswith("_")}
        assert asked <= set(dir(value)), protocol


def test_it_is_light_and_does_without_pytest() -> None:
    heavy = {"pytest", "paddleocr", "cv2", "pandas", "openai", "sklearn", "PIL", "numpy"}
    code = f"import sys, ocr_moe.testing; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_page_makes_its_parts_once_and_only_when_asked() -> None:
    made: list[str] = []

    def pixels() -> Image.Image:
        made.append("pixels")
        return BLANK

    shown = StubPage(image=pixels, number=2)
    assert made == []
    assert shown.image is shown.image
    assert made == ["pixels"]
    with pytest.raises(DocumentError, match="page 2 of the test was given no text"):
        _ = shown.text
    with pytest.raises(DocumentError, match="no pixels"):
        _ = StubPage(page("name: Jane")).image


def test_a_page_that_cannot_be_read_raises_what_a_run_would() -> None:
    def broken() -> PageText:
        raise EngineError("the engine failed")

    with pytest.raises(EngineError):
        _ = StubPage(broken).text


def test_boxes_stand_where_they_are_drawn() -> None:
    text = page("head\n>>inner|@0.5 right", confidence=0.7)
    head, inner, right = text.lines
    assert inner.box[0] == pytest.approx(head.box[0] + 0.1)
    assert right.box[0] == 0.5
    assert inner.box[1] > head.box[3]
    assert {line.confidence for line in text.lines} == {0.7}
    slanted = page("head", turned=2.0).lines[0].quad
    assert slanted[1][1] > slanted[0][1]


def test_a_picture_has_ink_in_the_lines_boxes_only() -> None:
    text = page("Name: Jane Doe\n\nNo: 1234", width=800, height=600)
    dark = np.asarray(picture(text).convert("L")) < 128
    for line in text.lines:
        x0, y0, x1, y1 = line.box
        box = (
            slice(round(y0 * 600) - 1, round(y1 * 600) + 1),
            slice(round(x0 * 800) - 1, round(x1 * 800) + 1),
        )
        assert dark[box].any()
        dark[box] = False
    assert not dark.any()


@pytest.mark.slow
def test_a_picture_can_be_read() -> None:
    text = page("Name: Jane Doe\n\nNo: 12345678", width=800, height=600)
    lines = RapidEngine("rapid", RapidEngine.Params()).read(picture(text))
    assert [line.text.replace(" ", "") for line in lines] == ["Name:JaneDoe", "No:12345678"]


def test_a_scripted_engine_says_its_lines_and_what_it_was_shown() -> None:
    engine = ScriptedEngine(page("first"), EngineError("it broke"), page("last"))
    assert engine.read(BLANK)[0].text == "first"
    with pytest.raises(EngineError, match="it broke"):
        engine.read(BLANK)
    assert [engine.read(BLANK)[0].text for _ in range(2)] == ["last", "last"]
    assert engine.asked == [BLANK] * 4
    assert ScriptedEngine().read(BLANK) == ()


def test_a_scripted_recogniser_gives_a_posterior_a_crop() -> None:
    recognizer = ScriptedRecognizer(line_posterior("123"), line_posterior("45"))
    found = recognizer.recognize([BLANK, BLANK, BLANK])
    assert [free_reading(posterior)[0] for posterior in found] == ["123", "45", "45"]
    assert len(recognizer.asked) == 3


def test_services_lend_by_name_what_they_were_given() -> None:
    one, other = ScriptedEngine(fingerprint="one"), ScriptedEngine(fingerprint="other")
    services = StubServices(engine={"default": one, "second": other})
    assert services.engine("second") is other
    with pytest.raises(ConfigError, match="lends no engine 'third'"):
        services.engine("third")
    with pytest.raises(ConfigError, match="lends no recogniser 'ppocr'"):
        services.recognizer("ppocr")
    with pytest.raises(EndpointMissingError, match="lends no chat endpoint 'text'"):
        services.chat("text")


def test_the_chat_server_answers_a_real_endpoint() -> None:
    with ChatServer(answer=lambda request: {"name": "Jane"}) as server:
        endpoint = ChatEndpoint("text", ChatParams(base_url=server.base_url, model="test-model"))
        lent = StubServices(chat=endpoint)
        reply = lent.chat("text").complete(system="Read.", user="- name")
        endpoint.close()
    assert reply.content == '{"name": "Jane"}'
    assert [request.asked for request in server.requests] == [("name",)]

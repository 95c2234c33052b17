"""The command line: quick to answer, light to load, and clear about what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from recipes.formats import FORMS
from tests.conftest import ROOT, Command, environment

HEAVY = {
    *("paddle", "paddleocr", "paddlex", "rapidocr", "onnxruntime", "torch", "cv2", "numpy", "PIL"),
    *("pandas", "scipy", "sklearn", "openpyxl", "openai", "httpx", "pydantic", "ray", "fastapi"),
}


def loaded_by(code: str) -> set[str]:
    """The modules that a process of its own has loaded after running this."""
    code += "\nimport sys; print('modules:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("modules: ")[2].split())


@pytest.mark.parametrize(
    "code",
    [
        "import ocr_moe",
        "import sys; sys.argv = ['ocr-moe', '--help']\n"
        "from ocr_moe.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code",
    ],
    ids=["import", "help"],
)
def test_starting_loads_nothing_heavy(code: str) -> None:
    """Reading the help is quick because next to nothing is loaded for it."""
    loaded = loaded_by(code)
    assert loaded.isdisjoint(HEAVY)
    own = {name.removeprefix("ocr_moe.") for name in loaded if name.startswith("ocr_moe.")}
    assert {name for name in own if name.split(".")[0] != "cli"} <= {"errors", "version"}


def test_the_public_names_are_had_on_first_use() -> None:
    """Which loads what they need, but none of the engines and nothing to fit or draw with."""
    loaded = loaded_by("import ocr_moe; ocr_moe.extract; ocr_moe.compare")
    assert "ocr_moe.api" in loaded
    late = {"numpy", "PIL", "pydantic"}
    assert loaded.isdisjoint(HEAVY - late)


def test_help_names_the_commands(ocr_moe: Command) -> None:
    commands = ocr_moe("--help").out
    for name in ("extract", "evaluate", "compare", "calibrate", "generate", "export", "doctor"):
        assert name in commands


@pytest.fixture
def page(tmp_path: Path) -> Path:
    Image.new("RGB", (200, 100), "white").save(tmp_path / "page.png")
    return tmp_path / "page.png"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("worker: 3", r"unknown key 'worker'; did you mean 'workers'"),
        ("experts: {rules: {kind: rule}}", r"unknown kind 'rule'; did you mean 'rules'"),
        (
            "chat: {text: {kind: openai, base_ur: x}}",
            r"chat\.text.*base_ur.*did you mean 'base_url'",
        ),
        (
            "strategies: {rules: {gate: {kind: fixed, default: [ruls]}}}",
            r"no expert 'ruls'.*'rules'",
        ),
        ("ocr: padle", r"no engine.*'padle'; did you mean 'paddle'"),
        ("- a list", r"expected a mapping"),
        ("a: [", r"not valid YAML"),
    ],
)
def test_wrong_configuration_is_named(
    page: Path, tmp_path: Path, ocr_moe: Command, config: str, words: str
) -> None:
    (tmp_path / "mine.yaml").write_text(config)
    done = ocr_moe("extract", page, "--out", tmp_path / "o", "--config", tmp_path / "mine.yaml")
    assert done.status == 2, done.err
    assert re.search(words, done.err, re.DOTALL), done.err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--strategy", "mo"], "no strategy 'mo'"),
        (["--strategy", "vision_all"], "OCR_MOE_VISION_BASE_URL"),
        (["--schema", "diploma"], "no schema 'diploma'"),
        (["--config", "nowhere.yaml"], "there is no such file"),
        (["--crops", "证书号吗"], "no field '证书号吗'"),
        (["--recorded", "nowhere.sqlite"], "there is no such store"),
    ],
)
def test_what_cannot_be_started_exits_with_two(
    page: Path, tmp_path: Path, ocr_moe: Command, arguments: list[str], words: str
) -> None:
    done = ocr_moe("extract", page, "--out", tmp_path / "o", *arguments)
    assert done.status == 2, done.err
    assert words in done.err
    assert "Traceback" not in done.err


def test_missing_inputs_exit_with_two(tmp_path: Path, ocr_moe: Command) -> None:
    (tmp_path / "empty").mkdir()
    for path, words in ((tmp_path / "empty", "no images found"), ("nowhere", "no such file")):
        done = ocr_moe("extract", path, "--out", tmp_path / "o")
        assert done.status == 2
        assert words in done.err


def test_local_only_refuses_other_machines(page: Path, tmp_path: Path, ocr_moe: Command) -> None:
    env = {
        "OCR_MOE_TEXT_BASE_URL": "https://llm.example.com/v1",
        "OCR_MOE_TEXT_MODEL": "m",
        "OCR_MOE_TEXT_API_KEY": "secret-key",
    }
    done = ocr_moe(
        *("extract", page, "--out", tmp_path / "o"),
        *("--strategy", "ocr_page_llm", "--local-only"),
        env=env,
    )
    assert done.status == 2
    assert "--local-only" in done.err
    assert "secret-key" not in done.err + done.out


def test_dry_run_starts_nothing(page: Path, tmp_path: Path, ocr_moe: Command) -> None:
    done = ocr_moe("extract", page, "--out", tmp_path / "o", "--dry-run")
    assert done.status == 0
    assert "1 document. Nothing was started." in done.out
    assert "No language model is asked" in done.out
    (tmp_path / "priced.yaml").write_text(
        "chat: {text: {kind: openai, prompt_price: 2.0, completion_price: 10.0}}\n"
    )
    done = ocr_moe(
        *("extract", page, "--out", tmp_path / "o", "--dry-run", "--schema", "business_license"),
        *("--strategy", "ocr_page_llm", "--config", tmp_path / "priced.yaml"),
        env={"OCR_MOE_TEXT_BASE_URL": "http://127.0.0.1:9/v1", "OCR_MOE_TEXT_MODEL": "m"},
    )
    assert done.status == 0, done.err
    assert "ocr_page_llm (text endpoint): 1 call," in done.out
    assert not (tmp_path / "o").exists()


def test_schemas_and_strategies_are_listed(ocr_moe: Command) -> None:
    schemas = ocr_moe("schemas")
    assert schemas.status == 0
    assert "graduation_certificate" in schemas.out
    assert "统一社会信用代码 (code" in schemas.out
    strategies = ocr_moe("strategies")
    assert strategies.status == 0
    for name in (
        *("vision_all", "vision_single", "ocr_page_llm", "ocr_crop_llm", "ocr_hint_vision"),
        *("published_moe", "rules", "moe (default)"),
    ):
        assert f"{name}:" in strategies.out


def test_doctor_tells_in_plain_words(ocr_moe: Command) -> None:
    done = ocr_moe("doctor", env={"OCR_MOE_TEXT_BASE_URL": "http://127.0.0.1:9/v1"})
    assert done.status == 1
    assert "engine ppocr (reads pages): reads a test page" in done.out
    assert re.search(r"BAD text endpoint: .*127\.0\.0\.1", done.out)
    assert "No vision endpoint is configured" in done.out
    assert ocr_moe("doctor").status == 0


@pytest.mark.slow
def test_the_wheel_works_from_any_folder(tmp_path: Path) -> None:
    built = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"),
            *("-w", tmp_path / "wheel", ROOT),
        ],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = (tmp_path / "wheel").glob("*.whl")
    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", site, wheel],
        check=True,
        capture_output=True,
    )
    schemas = site / "ocr_moe" / "formats" / "schemas"
    assert {file.name for file in schemas.iterdir()} == {f"{name}.json" for name in FORMS}
    code = (
        "import ocr_moe; from ocr_moe.workshop.build import Workshop\n"
        "from ocr_moe.workshop.config import *\n"
        "config = load_config(); Workshop(config).validate()\n"
        "print(ocr_moe.__file__, [s.name for s in candidate_schemas(config)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(site)),
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stdout
    assert "graduation_certificate" in done.stdout

"""An endpoint's address that is set but is none: it must not pass for one that is not configured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.errors import ConfigError, EndpointMissingError
from ocr_moe.store.database import Store
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.checkup import examine
from ocr_moe.workshop.config import load_config
from tests.conftest import SAMPLES, Command

NONE = "admin:pass-word@localhost:8000/v1"
RECORDED = SAMPLES / "recorded.sqlite"
TRUTH = SAMPLES / "graduation_certificate" / "verified.xlsx"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    Image.new("RGB", (200, 100), "white").save(tmp_path / "page.png")
    return tmp_path / "page.png"


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract"],
        ["extract", "--dry-run"],
        ["extract", "--strategy", "rules"],
        ["extract", "--strategy", "ocr_page_llm", "--recorded", RECORDED],
        ["compare", "--truth", TRUTH],
        ["compare", "--truth", TRUTH, "--strategies", "rules"],
    ],
    ids=lambda arguments: " ".join(str(argument) for argument in arguments[:3]),
)
@pytest.mark.parametrize("where", ["environment", "configuration"])
def test_nothing_is_started(
    page: Path, tmp_path: Path, ocr_moe: Command, arguments: list[str], where: str
) -> None:
    """Neither where a strategy would only ask when unsure (moe), nor where answers are recorded."""
    config = tmp_path / "mine.yaml"
    env = {}
    if where == "environment":
        config.write_text("workers: 1\n")
        env["OCR_MOE_TEXT_BASE_URL"] = NONE
        named = "OCR_MOE_TEXT_BASE_URL"
    else:
        config.write_text(f"chat: {{text: {{kind: openai, base_url: '{NONE}'}}}}\n")
        named = "chat.text.base_url"
    command, *more = arguments
    done = ocr_moe(command, page, "--out", tmp_path / "out", "--config", config, *more, env=env)
    assert done.status == 2, done.err
    assert f"Error: {named} is not the address of a chat server" in done.err
    assert "http://127.0.0.1:8000/v1" in done.err
    assert "Traceback" not in done.err
    assert "pass-word" not in done.err + done.out
    assert not (tmp_path / "out").exists()


def test_a_blank_address_is_not_configured(page: Path, tmp_path: Path, ocr_moe: Command) -> None:
    done = ocr_moe(
        *("extract", page, "--out", tmp_path / "out", "--dry-run"),
        env={"OCR_MOE_TEXT_BASE_URL": "  ", "OCR_MOE_VISION_BASE_URL": ""},
    )
    assert done.status == 0, done.err
    assert "No language model is asked" in done.out


@pytest.mark.slow
def test_doctor_tells_of_it_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", NONE)
    monkeypatch.delenv("OCR_MOE_VISION_BASE_URL", raising=False)
    config = load_config()
    strategies = ("rules", "ocr_page_llm", "ocr_crop_llm", "vision_all")
    small = {
        "ocr": "rapid",
        "engines": {"rapid": config.engines["rapid"]},
        "recognizers": {},
        "strategies": {name: config.strategies[name] for name in strategies},
    }
    found = {finding.subject: finding for finding in examine(config.model_copy(update=small))}
    text = found["text endpoint"]
    assert text.state == "bad"
    assert text.words.startswith("OCR_MOE_TEXT_BASE_URL is not the address of a chat server")
    assert found["vision endpoint"].state == "missing"
    assert found["strategies that run here"].words == "rules"
    assert found["strategies that need an endpoint"].words == "vision_all"
    broken = found["strategies ocr_page_llm, ocr_crop_llm"]
    assert (broken.state, broken.words) == ("bad", text.words)


def test_recorded_answers_do_not_stand_in_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCR_MOE_TEXT_BASE_URL", raising=False)
    monkeypatch.delenv("OCR_MOE_VISION_BASE_URL", raising=False)
    with Store(RECORDED, write=False) as store:
        unset = Workshop(load_config(), recorded=store)
        assert "ocr_page_llm" in unset.available_experts()
        unset.check_endpoints()
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", NONE)
        wrong = Workshop(load_config(), recorded=store)
        with pytest.raises(ConfigError):
            wrong.expert("ocr_page_llm")
        with pytest.raises(ConfigError):
            wrong.available_experts()
        with pytest.raises(ConfigError):
            wrong.available_strategies()
        with pytest.raises(ConfigError):
            wrong.check_endpoints()
        with pytest.raises(EndpointMissingError):
            wrong.chat("vision")


def test_an_endpoint_is_built_without_its_client() -> None:
    script = (
        "import sys\n"
        "from ocr_moe.engines.chat.endpoint import ChatEndpoint\n"
        "from ocr_moe.engines.chat.settings import ChatParams\n"
        "ChatEndpoint('text', ChatParams(base_url='http://127.0.0.1:8000/v1'))\n"
        "print(*({'openai', 'httpx', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""

"""Batches against a real HTTP server: budgets, broken endpoints, retries, and secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

import ocr_moe
from ocr_moe.api import Options
from ocr_moe.run.documents import IMPORTED
from ocr_moe.store.database import Store
from ocr_moe.testing.chatserver import ChatServer, Raw, Reply, Request
from ocr_moe.workshop.config import load_config
from tests.conftest import scans_with_text

pytestmark = pytest.mark.slow

KEY = "sk-very-secret"


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three scans, and page OCR for them, so that only the endpoint is under test."""
    return scans_with_text(tmp_path_factory.mktemp("scans"), 3)


def options(scans: Path, config: Path | None = None, **more: object) -> Options:
    return Options(
        schema="business_license",
        ocr=scans / "pages.jsonl",
        config=config,
        workers=1,
        **more,  # type: ignore[arg-type]
    )


def name_only(request: Request) -> dict[str, str | None]:
    return dict.fromkeys(request.asked) | {"名称": "某某有限公司"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer(answer=name_only) as server:
        for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", server.base_url)
        monkeypatch.setenv("OCR_MOE_TEXT_API_KEY", KEY)
        yield server


def test_answers_are_stored_and_never_asked_again(
    server: ChatServer, scans: Path, tmp_path: Path
) -> None:
    first = ocr_moe.extract(
        scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans)
    )
    assert first.outcome is not None
    assert first.outcome.asked == 3
    assert set(first.to_frame()["名称"]) == {"某某有限公司"}
    seen = len(server.requests)
    again = ocr_moe.extract(
        scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans)
    )
    assert again.outcome is not None
    assert again.outcome.asked == 0
    assert len(server.requests) == seen


def test_a_budget_stops_cleanly_and_a_higher_one_goes_on(
    server: ChatServer, scans: Path, tmp_path: Path
) -> None:
    priced = tmp_path / "priced.yaml"
    priced.write_text("chat: {text: {kind: openai, prompt_price: 1000000}}\n")
    run = ocr_moe.extract(
        scans,
        out=tmp_path / "run",
        strategy="ocr_page_llm",
        options=options(scans, priced, max_cost=0.5),
    )
    assert run.outcome is not None
    assert run.outcome.asked == 1
    assert run.outcome.stopped is not None
    assert "--max-cost" in run.outcome.stopped
    on = ocr_moe.extract(
        scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans, priced)
    )
    assert on.outcome is not None
    assert on.outcome.asked == 2
    assert on.outcome.stopped is None
    assert len(on.to_frame()) == 3


def test_a_failing_call_fails_its_document_only_and_can_be_retried(
    server: ChatServer, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = tmp_path / "quick.yaml"
    quick.write_text("chat: {text: {kind: openai, retries: 0, model: test-model}}\n")
    with ChatServer(answer=name_only, script=[Reply(status=401, body="no")]) as refusing:
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", refusing.base_url)
        run = ocr_moe.extract(
            scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans, quick)
        )
        assert run.outcome is not None
        assert run.outcome.failed == 1
        assert "401" in run.outcome.failures[0] or "key" in run.outcome.failures[0]
        statuses = run.statuses()["名称"].value_counts().to_dict()
        assert statuses.pop("failed") == 1
        assert sum(statuses.values()) == 2
        again = options(scans, quick, retry_failed=True)
        retried = ocr_moe.extract(
            scans, out=tmp_path / "run", strategy="ocr_page_llm", options=again
        )
    assert retried.outcome is not None
    assert retried.outcome.asked == 1
    assert retried.outcome.failed == 0


def test_the_key_is_nowhere_in_the_run(server: ChatServer, scans: Path, tmp_path: Path) -> None:
    ocr_moe.extract(scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans))
    assert all(KEY in str(dict(request.headers)) for request in server.requests)
    assert server.requests
    for file in (tmp_path / "run").rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file


def test_credentials_of_an_address_are_nowhere_in_the_run(
    server: ChatServer, scans: Path, tmp_path: Path
) -> None:
    address = server.base_url.replace("://", "://me:pass-word@")
    config = tmp_path / "mine.yaml"
    config.write_text(f"chat: {{text: {{kind: openai, base_url: '{address}'}}}}\n")
    run = ocr_moe.extract(
        scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans, config)
    )
    assert "Basic" in server.requests[0].headers["authorization"]
    for file in run.folder.rglob("*"):
        if file.is_file():
            assert b"pass-word" not in file.read_bytes(), file
    written = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    shown = written["configuration"]["chat"]["text"]["base_url"]
    assert shown == server.base_url.replace("://", "://…@")


def test_a_batch_goes_on_without_a_server_that_hangs(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with ChatServer(lambda _: Raw(lambda: repeat(b""), pause=0.05)) as hanging:
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", hanging.base_url)
        config = tmp_path / "mine.yaml"
        config.write_text(
            "chat: {text: {kind: openai, model: m, timeout: 0.2, retries: 0, "
            "breaker_threshold: 2}}\n"
        )
        moe = ocr_moe.extract(scans, out=tmp_path / "run", options=options(scans, config))
        assert len(hanging.requests) == 2
    # What the other experts read is there all the same.
    assert list(moe.to_frame()["名称"]) == [f"第{n}有限公司" for n in range(3)]
    assert caplog.text.count("goes on without it") == 1


def test_an_endpoint_that_is_down_fails_every_document_clearly(
    monkeypatch: pytest.MonkeyPatch, scans: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", "http://127.0.0.1:9/v1")
    quick = tmp_path / "quick.yaml"
    quick.write_text("chat: {text: {kind: openai, retries: 0, timeout: 2}}\n")
    run = ocr_moe.extract(
        scans, out=tmp_path / "run", strategy="ocr_page_llm", options=options(scans, quick)
    )
    assert run.outcome is not None
    assert run.outcome.failed == 3
    assert all("127.0.0.1" in failure for failure in run.outcome.failures)
    # The default strategy goes on with the experts that need no server.
    moe = ocr_moe.extract(scans, out=tmp_path / "moe", options=options(scans, quick))
    assert list(moe.to_frame()["名称"]) == [f"第{n}有限公司" for n in range(3)]


def test_moe_asks_the_llm_only_where_the_others_are_unsure(
    server: ChatServer, scans: Path, tmp_path: Path
) -> None:
    run = ocr_moe.extract(scans, out=tmp_path / "run", options=options(scans))
    with Store(run.folder / "store.sqlite", write=False) as store:
        asked = {expert for page in _documents(scans) for expert, _, _ in store.answers(page, 1)}
        assert store.get_page(_documents(scans)[0], 1, IMPORTED) is not None
    assert {"rules", "ocr_page_llm"} <= asked
    first = next(r for r in server.requests if "名称" in r.prompt)
    assert "有限公司" in first.prompt


def test_configuration_can_be_given_as_an_object(scans: Path, tmp_path: Path) -> None:
    config = load_config().model_copy(update={"workers": 1})
    run = ocr_moe.extract(
        scans,
        out=tmp_path / "run",
        strategy="rules",
        options=Options(schema="business_license", ocr=scans / "pages.jsonl", config=config),
    )
    assert len(run.to_frame()) == 3


def _documents(scans: Path) -> list[str]:
    lines = (scans / "pages.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["sha256"] for line in lines]

"""`--max-cost` and requests side by side, against a real HTTP server with prices."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ocr_moe
from ocr_moe.api import Options, Run
from ocr_moe.budget import account, charged_to
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.errors import BudgetExceededError, ChatAuthError, ChatConnectionError, EngineError
from ocr_moe.experts.llm.asking import ChatRequest, ask
from ocr_moe.run.ledger import Ledger
from ocr_moe.schema import Field
from ocr_moe.testing.chatserver import ChatServer, Request, completion, failure
from ocr_moe.types import Answer, Cost
from tests.conftest import scans_with_text

PRICE = 0.12
"""Of a request: 120 tokens at a thousand a million."""
FIELDS = tuple(Field(name=f"field{number}") for number in range(8))


def requests_for(fields: tuple[Field, ...] = FIELDS) -> Iterator[ChatRequest]:
    for field in fields:
        yield ChatRequest((field,), f"- {field.name}")


@pytest.fixture
def chat() -> Iterator[Callable[..., ChatEndpoint]]:
    opened: list[ChatEndpoint] = []

    def make(server: ChatServer, **params: Any) -> ChatEndpoint:
        known: dict[str, Any] = {"base_url": server.base_url, "model": "m", "retries": 0}
        opened.append(ChatEndpoint("text", ChatParams(**(known | params))))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def put(endpoint: ChatEndpoint, requests: Iterator[ChatRequest] | None = None) -> Answer:
    return ask(endpoint, "x", "system", requests or requests_for(), FIELDS, [], 100)


# One question, many requests.


@pytest.mark.parametrize("concurrency", [1, 3])
def test_fields_are_asked_for_side_by_side_and_answered_in_order(
    chat: Callable[..., ChatEndpoint], concurrency: int
) -> None:
    together = threading.Barrier(concurrency)

    def say(request: Request) -> Any:
        (name,) = request.asked
        if name != "field0" and int(name[-1]) <= 2 * concurrency:
            together.wait(timeout=30)
        return {name: f"value of {name}"}

    with ChatServer(say) as server:
        answer = put(chat(server, concurrency=concurrency))
        assert server.at_once == concurrency
        assert len(server.requests) == len(FIELDS)
    assert [reading.value for reading in answer.readings] == [f"value of {f.name}" for f in FIELDS]
    assert [reply.fields for reply in answer.replies] == [(field.name,) for field in FIELDS]
    assert answer.cost.calls == len(FIELDS)


def test_a_failure_costs_its_field_only(chat: Callable[..., ChatEndpoint]) -> None:
    def say(request: Request) -> Any:
        (name,) = request.asked
        return failure(500, "boom") if name in ("field0", "field3") else {name: "v"}

    with ChatServer(say) as server:
        answer = put(chat(server))
    failed = [reading.field for reading in answer.readings if reading.error is not None]
    assert failed == ["field0", "field3"]
    assert [reply.fields for reply in answer.replies] == [(field.name,) for field in FIELDS]


def test_after_a_refused_key_the_rest_is_not_asked(chat: Callable[..., ChatEndpoint]) -> None:
    def say(request: Request) -> Any:
        (name,) = request.asked
        if name == "field1":
            return failure(401, "expired")
        # The refusal is heard before the other slot is free again.
        return completion(json.dumps({name: "v"}), delay=0.0 if name == "field0" else 0.5)

    with ChatServer(say) as server:
        answer = put(chat(server, concurrency=2))
        assert len(server.requests) <= 4
    errors = {reading.field: reading.error for reading in answer.readings}
    assert errors["field0"] is None
    assert all(errors[f.name] is not None for f in FIELDS[4:])
    with ChatServer(key="right") as server:
        with pytest.raises(ChatAuthError):
            put(chat(server))
        assert len(server.requests) == 1
    with pytest.raises(ChatConnectionError):
        put(chat(server))


def test_a_request_that_cannot_be_made_loses_no_reply(chat: Callable[..., ChatEndpoint]) -> None:
    def breaking(error: Exception) -> Iterator[ChatRequest]:
        yield from requests_for(FIELDS[:3])
        raise error

    for error in (EngineError("no crop"), ValueError("a flaw")):
        with ChatServer(lambda request: dict.fromkeys(request.asked, "v")) as server:
            answer = put(chat(server), breaking(error))
        assert [reading.value for reading in answer.readings] == ["v"] * 3 + [None] * 5
        assert answer.cost.calls == 3
        last = answer.readings[-1].error
        assert last is not None
        assert last.message == str(error)


# The ledger.


def test_without_a_question_everything_is_allowed() -> None:
    account().reserve()
    account().book(1.0)


def test_money_is_reserved_before_it_is_spent() -> None:
    ledger = Ledger(0.3)
    with ledger.question("a") as question:
        account().reserve()
        account().book(0.1)
        account().reserve()
        account().reserve()  # three times 0.1 is 0.3
        account().book(0.1)
        account().book(0.1)
        with pytest.raises(BudgetExceededError, match=r"--max-cost 0.3 is reached \(spent 0.3\)"):
            account().reserve()
        question.settle(Cost(money=0.3))
    assert ledger.money == pytest.approx(0.3)
    assert ledger.asked == 1
    with pytest.raises(BudgetExceededError), ledger.question("free"):
        raise AssertionError("nothing more may be asked")


def test_a_request_that_would_pass_the_limit_is_not_made() -> None:
    ledger = Ledger(0.3)
    with ledger.question("a") as question:
        question.settle(Cost(money=0.2))
    with pytest.raises(BudgetExceededError, match=r"may cost 0\.2"), ledger.question("a"):
        raise AssertionError("0.2 and 0.2 are more than 0.3")
    with ledger.question("rules") as question:
        question.settle(Cost())
    assert ledger.money == pytest.approx(0.2)


def test_what_comes_to_nothing_holds_nothing() -> None:
    ledger = Ledger(0.3)
    with pytest.raises(ZeroDivisionError), ledger.question("a"):
        raise ZeroDivisionError
    with ledger.question("a") as question, charged_to(question):
        account().reserve()
        account().book(None)
        question.settle(Cost())
    with ledger.question("a") as question:
        question.settle(Cost(money=0.1))
    assert ledger.money == pytest.approx(0.1)


def test_side_by_side_the_limit_holds() -> None:
    ledger = Ledger(1.0)
    refused = []

    def work() -> None:
        for _ in range(50):
            try:
                with ledger.question("a") as question:
                    question.settle(Cost(money=0.12))
            except BudgetExceededError:
                refused.append(1)
                return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert ledger.money == pytest.approx(0.96)
    assert len(refused) == 8


# Whole runs.


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six scans, and page OCR for them, so that no engine is asked."""
    return scans_with_text(tmp_path_factory.mktemp("scans"), 6)


def extract(
    server: ChatServer,
    scans: Path,
    out: Path,
    strategy: str,
    workers: int,
    max_cost: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
        monkeypatch.delenv(name)
    priced = out.parent / "priced.yaml"
    entry = "{kind: openai, retries: 0, model: m, prompt_price: 1000}"
    priced.write_text(f"chat: {{text: {entry}, vision: {entry}}}\n")
    monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", server.base_url)
    monkeypatch.setenv("OCR_MOE_VISION_BASE_URL", server.base_url)
    return ocr_moe.extract(
        scans,
        out=out,
        strategy=strategy,
        options=Options(
            schema="business_license",
            ocr=scans / "pages.jsonl",
            config=priced,
            workers=workers,
            max_cost=max_cost,
            retry_failed=True,  # what was never asked for has not failed
        ),
    )


ANSWERS: dict[str, Callable[[Request], Any]] = {
    "good": lambda request: dict.fromkeys(request.asked, "2020-01-02"),
    "prose": lambda request: completion("I cannot read it.", usage=(120, 0)),
    "empty": lambda request: completion("", usage=(120, 0)),
    "cut off": lambda request: completion('{"', finish="length", usage=(120, 0)),
    "refused": lambda request: completion(None, refusal="I may not.", usage=(120, 0)),
    "filtered": lambda request: completion("x", finish="content_filter", usage=(120, 0)),
}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("strategy", ["ocr_page_llm", "vision_single"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_max_cost_is_never_passed(
    kind: str,
    strategy: str,
    workers: int,
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ChatServer(ANSWERS[kind], usage=(120, 0)) as server:
        run = extract(server, scans, tmp_path / "run", strategy, workers, 0.3, monkeypatch)
        assert len(server.requests) == 2
    assert run.outcome is not None
    assert run.outcome.stopped is not None
    assert "--max-cost 0.3" in run.outcome.stopped


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 4])
def test_what_was_paid_before_the_budget_ended_is_not_paid_again(
    workers: int, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(server: ChatServer, name: str, max_cost: float | None) -> Run:
        folder = tmp_path / name
        return extract(server, scans, folder, "vision_single", workers, max_cost, monkeypatch)

    with ChatServer(ANSWERS["good"], usage=(120, 0)) as server:
        whole = run(server, "whole", None)
        undisturbed = len(server.requests)
    asked = 0
    with ChatServer(ANSWERS["good"], usage=(120, 0)) as server:
        for limit in (0.5, 1.0, 2.2):
            part = run(server, "part", limit)
            assert part.outcome is not None
            assert part.outcome.stopped is not None
            assert len(server.requests) - asked == int(limit / PRICE)
            asked = len(server.requests)
        part = run(server, "part", None)
        assert len(server.requests) == undisturbed
    assert part.outcome is not None
    assert part.outcome.stopped is None
    assert records(part) == records(whole)


def records(run: Run) -> list[Any]:
    lines = (run.folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    for record in found:
        record["cost"].pop("seconds")
        record["cost"]["money"] = round(record["cost"]["money"], 9)
    return found

"""Metrics, structured logs and the tally: what a run tells of itself, and what it never tells."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import threading
import urllib.request
from pathlib import Path

import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from ocr_moe.cli.session import standing
from ocr_moe.errors import OutputError, UsageError
from ocr_moe.exports.ocr import write_ocr
from ocr_moe.observing import Observation, Observed, gathered, observe, observed_here
from ocr_moe.run.batch import PROCESSES_FROM
from ocr_moe.run.outcome import Progress
from ocr_moe.telemetry import logs
from ocr_moe.telemetry.exposition import exposed
from ocr_moe.telemetry.logs import Event, logging_to
from ocr_moe.telemetry.metrics import Metrics
from ocr_moe.telemetry.tally import Tally
from ocr_moe.testing.chatserver import ChatServer, Reply, Request, completion, failure
from ocr_moe.testing.pages import page
from tests.conftest import ROOT, Command

SECRET = "sk-never-to-be-told"
VALUES = {"姓名": "顾长卿", "证书编号": "106131202505004931", "专业": "敦煌学"}
"""What is on the page; no other text of ours has it."""


def step(done: int, total: int, *seen: Observation, failure: str | None = None) -> Progress:
    return Progress(done, total, "顾长卿.png", failure, sha256="ab" * 32, observations=seen)


def cells(status: str, n: int, strategy: str = "moe") -> Observation:
    return Observation(Observed.CELLS, n, (strategy, status))


def document(strategy: str = "moe") -> Observation:
    return Observation(Observed.DOCUMENTS, 1, (strategy, "read"))


def samples(page: bytes) -> dict[str, float]:
    """`name{labels}` → value."""
    found = {}
    for family in text_string_to_metric_families(page.decode("utf-8")):
        for name, labels, value, *_ in family.samples:
            inner = ",".join(f"{key}={labels[key]}" for key in sorted(labels))
            found[f"{name}{{{inner}}}" if inner else name] = value
    return found


# Observations


def test_observations_are_gathered_where_somebody_asks() -> None:
    observe(Observed.PAGES, "read")  # to nobody
    with gathered() as outer:
        observe(Observed.PAGES, "read")
        with gathered() as inner:
            observe(Observed.MONEY, "a", number=0.5)
        observe(Observed.PAGES, "stored")
    assert outer == [(Observed.PAGES, 1.0, ("read",)), (Observed.PAGES, 1.0, ("stored",))]
    assert inner == [(Observed.MONEY, 0.5, ("a",))]


def test_threads_count_for_whoever_started_them_on_purpose() -> None:
    with gathered() as found:
        for target in (observed_here(observe), observe):
            thread = threading.Thread(target=target, args=(Observed.RETRIES, "text"))
            thread.start()
            thread.join()
    assert found == [(Observed.RETRIES, 1.0, ("text",))]


# The tally


def test_a_tally_starts_its_clock_with_the_first_file() -> None:
    now = [0.0]
    tally = Tally(lambda: now[0])
    now[0] = 60.0  # models were loaded
    tally.progressed(step(11, 31, document(), cells("abstained", 2), cells("accepted", 5)))
    assert (tally.documents_a_second, tally.seconds_left, tally.to_check) == (None, None, 2)
    now[0] = 70.0
    spent = (Observation(Observed.TOKENS, 900, ("x", "prompt")), Observation(Observed.MONEY, 0.25))
    # Two documents in one file: documents and files have a speed each.
    tally.progressed(step(12, 31, document(), document(), cells("failed", 1), *spent))
    assert tally.documents_a_second == 0.2
    assert tally.seconds_left == 190.0
    assert (tally.to_check, tally.tokens, tally.money) == (3, 900, 0.25)


def test_compared_strategies_count_a_document_once_and_no_cells() -> None:
    now = [0.0]
    tally = Tally(lambda: now[0])
    both = (document("a"), document("b"), cells("failed", 1, "a"), cells("failed", 1, "b"))
    for done in (1, 2, 3):
        tally.progressed(step(done, 3, *both))
        now[0] += 1
    assert tally.documents_a_second == pytest.approx(2 / 3)
    assert tally.to_check is None


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            [
                "0.2 documents/s",
                "3 cells to check so far",
                "1,900 tokens",
                "money 0.25",
                "0:01:40 left",
            ],
        ),
        (
            "zh",
            [
                "每秒 0.2 份",
                "目前有 3 个单元格需要核对",
                "1,900 token",
                "费用 0.25",
                "剩余 0:01:40",
            ],
        ),
    ],
)
def test_what_the_terminal_says_of_a_tally(
    language: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocr_moe.cli.words import said

    monkeypatch.setenv("OCR_MOE_LANGUAGE", language)
    now = [0.0]
    tally = Tally(lambda: now[0])
    tally.progressed(step(1, 22, document(), cells("failed", 3)))
    now[0] = 5.0
    spent = (Observation(Observed.TOKENS, 1900, ("x", "prompt")), Observation(Observed.MONEY, 0.25))
    tally.progressed(step(2, 22, document(), *spent))
    assert [said("only", parts=[part]) for part in standing(tally)] == expected


# Metrics


def test_every_observation_has_a_metric_and_the_page_says_it() -> None:
    metrics = Metrics()
    seen = (
        document(),
        cells("accepted", 9),
        Observation(Observed.FAILURES, 1, ("DocumentError",)),
        Observation(Observed.PAGES, 1, ("read",)),
        Observation(Observed.PAGE_SECONDS, 0.5),
        Observation(Observed.ANSWERS, 1, ("rules", "stored", "answered")),
        Observation(Observed.ANSWER_SECONDS, 2.0, ("vision_all",)),
        Observation(Observed.REQUESTS, 2, ("vision_all",)),
        Observation(Observed.TOKENS, 700, ("vision_all", "prompt")),
        Observation(Observed.MONEY, 0.125, ("vision_all",)),
        Observation(Observed.RETRIES, 1, ("vision",)),
        Observation(Observed.GIVEN_UP, 1, ("vision",)),
    )
    assert {each.what for each in seen} == set(Observed)
    metrics.progressed(Progress(1, 5, "a.png", None, observations=seen, requests=(3, 4)))
    metrics.progressed(Progress(2, 5, "b.png", "broken", requests=(1, 0)))
    found = samples(metrics.page())
    assert found["ocr_moe_files_total{outcome=read}"] == 1
    assert found["ocr_moe_files_total{outcome=failed}"] == 1
    assert found["ocr_moe_files_waiting"] == 3
    assert found["ocr_moe_endpoint_requests{state=under_way}"] == 1
    assert found["ocr_moe_cells_total{status=accepted,strategy=moe}"] == 9
    assert found["ocr_moe_answers_total{expert=rules,outcome=answered,source=stored}"] == 1
    assert found["ocr_moe_answer_seconds_bucket{expert=vision_all,le=2.5}"] == 1
    assert found["ocr_moe_answer_seconds_bucket{expert=vision_all,le=1.0}"] == 0
    assert found["ocr_moe_page_seconds_sum"] == 0.5
    assert found["ocr_moe_tokens_total{expert=vision_all,kind=prompt}"] == 700
    assert found["ocr_moe_money_total{expert=vision_all}"] == 0.125
    assert found["ocr_moe_endpoint_given_up{endpoint=vision}"] == 1
    back = Observation(Observed.GIVEN_UP, 0, ("vision",))
    metrics.progressed(Progress(3, 5, "c.png", None, observations=(back,)))
    assert samples(metrics.page())["ocr_moe_endpoint_given_up{endpoint=vision}"] == 0


def test_metrics_are_served_on_this_machine_while_the_block_lasts() -> None:
    metrics = Metrics()
    metrics.progressed(step(1, 2, document()))
    with exposed("0", metrics) as address:
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as reply:
            found = samples(reply.read())
        with pytest.raises(UsageError, match="name another port"), exposed(_port(address), metrics):
            pass
    assert found["ocr_moe_documents_total{outcome=read,strategy=moe}"] == 1
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


def _port(address: str) -> str:
    [port] = re.findall(r":(\d+)/", address)
    return str(port)


def test_metrics_are_written_at_the_end_however_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "node" / "ocr_moe.prom"
    metrics = Metrics()

    def broken() -> None:
        with exposed(str(file), metrics):
            metrics.progressed(step(1, 2, document()))
            raise RuntimeError("torn")

    with pytest.raises(RuntimeError, match="torn"):
        broken()
    assert samples(file.read_bytes())["ocr_moe_files_waiting"] == 1
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError), exposed(str(tmp_path / "taken" / "a.prom"), metrics):
        raise AssertionError("begun all the same")


@pytest.mark.parametrize("target", ["", "x", "70000", "host:", ":80x", "a b.txt"])
def test_a_wrong_target_is_said_before_anything_begins(target: str) -> None:
    with pytest.raises(UsageError, match=r"\.prom"), exposed(target, Metrics()):
        raise AssertionError("begun all the same")


# Logs


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "events.jsonl"


def told(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_events_are_lines_of_json(lines: Path) -> None:
    with logging_to("info", lines):
        logs.started("1.0")
        away = Observation(Observed.GIVEN_UP, 1, ("vision",))
        logs.progressed(step(1, 2, document(), cells("accepted", 3), cells("failed", 1), away))
        why = Observation(Observed.FAILURES, 1, ("DocumentError",))
        logs.progressed(step(2, 2, why, failure="顾长卿.png is torn"))
        logging.getLogger("ocr_moe.engines").warning("%s hangs", "The text endpoint")
        logging.getLogger("ocr_moe.engines").info("something small")
    logs.started("after the block")
    begun, away_told, done, failed, warned = told(lines)
    assert begun["event"] == Event.RUN_STARTED
    assert str(begun["time"]).endswith("+00:00")
    assert (away_told["event"], away_told["level"]) == (Event.ENDPOINT_GIVEN_UP, "warning")
    assert done["cells"] == {"accepted": 3, "failed": 1}
    assert done["document"] == "abababababab"
    assert (failed["event"], failed["errors"]) == (Event.FILE_FAILED, ["DocumentError"])
    assert warned["message"] == "The text endpoint hangs"
    assert "顾长卿" not in lines.read_text(encoding="utf-8")


def test_debug_names_files_and_says_why(lines: Path) -> None:
    with logging_to("debug", lines):
        logs.progressed(step(1, 1, failure="torn"))
    assert told(lines)[0]["path"] == "顾长卿.png"
    assert told(lines)[0]["failure"] == "torn"


def test_nothing_is_told_unless_asked_for(lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(None, None):
        logs.started("1.0")
    assert capsys.readouterr() == ("", "")
    with logging_to("error", lines):
        logs.started("1.0")
    assert told(lines) == []


def test_wrong_words_and_places_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="debug, info"), logging_to("loud", None):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), logging_to("info", tmp_path / "file" / "log"):
        pass


def test_every_event_and_metric_is_documented() -> None:
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    assert [event for event in Event if f"`{event.value}`" not in page] == []
    exposed_names = set(re.findall(rb"# TYPE (ocr_moe_\w+)", Metrics().page()))
    names = {name.decode() for name in exposed_names}
    assert [
        name for name in sorted(names) if f"`{name}`" not in page and "_created" not in name
    ] == []


# All of it, over commands

PAGE = "毕业证书\n学生 顾长卿 性别 男 于二〇二一年\n专业：敦煌学\n证书编号：106131202505004931"


def hostile(request: Request) -> Reply:
    """A server that repeats the key, the page and the values in whatever it says."""
    if "顾长卿" not in request.prompt:
        return failure(400, f"{SECRET}: 顾长卿, 敦煌学, 106131202505004931 are not to be told")
    return completion(json.dumps({name: VALUES.get(name) for name in request.asked}))


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files with their page OCR, one of a page that the server refuses, and one that is no image."""
    folder = tmp_path_factory.mktemp("观察")
    pages = []
    for name, colour, rows in (
        ("顾长卿_毕业证书.png", "white", PAGE),
        ("refused.png", "grey", "毕业证书\n证书编号：106131202505004931"),
    ):
        file = folder / "scans" / name
        file.parent.mkdir(exist_ok=True)
        Image.new("RGB", (64, 48), colour).save(file)
        pages.append((hashlib.sha256(file.read_bytes()).hexdigest(), 1, page(rows)))
    (folder / "scans" / "106131202505004931.png").write_bytes(b"no image")
    write_ocr(folder / "pages.jsonl", pages)
    return folder


def test_a_run_tells_figures_and_nothing_of_its_documents(
    scans: Path, tmp_path: Path, ocr_moe: Command
) -> None:
    busy = failure(429, "slow down", retry_after="0")
    log, metrics = tmp_path / "log.jsonl", tmp_path / "ocr_moe.prom"
    with ChatServer(hostile, script=[busy, busy], key=SECRET) as server:
        endpoint = {
            "OCR_MOE_TEXT_BASE_URL": server.base_url,
            "OCR_MOE_TEXT_MODEL": "test-model",
            "OCR_MOE_TEXT_API_KEY": SECRET,
        }
        done = ocr_moe(
            *("extract", scans / "scans", "--ocr", scans / "pages.jsonl"),
            *("--schema", "graduation_certificate", "--strategy", "ocr_page_llm"),
            *("--metrics", metrics, "--out", tmp_path / "out"),
            env=endpoint | {"OCR_MOE_LOG": "info", "OCR_MOE_LOG_FILE": str(log)},
        )
        asked = len(server.requests)
    assert done.status == 1, done.err
    records = (tmp_path / "out" / "records.jsonl").read_text(encoding="utf-8")
    assert "敦煌学" in records

    said = log.read_text(encoding="utf-8")
    for secret in (SECRET, "顾长卿", "敦煌学", "106131202505004931", "毕业证书", str(scans)):
        assert secret not in said
    events = [line["event"] for line in told(log) if "event" in line]
    assert events[0] == Event.RUN_STARTED
    assert events[-1] == Event.RUN_FINISHED
    assert events.count(Event.FILE_DONE) == 1
    assert events.count(Event.FILE_FAILED) == 2

    page_of_metrics = metrics.read_bytes()
    for secret in (SECRET, "顾长卿", "敦煌学", "106131202505004931"):
        assert secret.encode() not in page_of_metrics
    found = samples(page_of_metrics)
    one = "expert=ocr_page_llm"
    assert found["ocr_moe_files_total{outcome=read}"] == 1
    assert found["ocr_moe_files_total{outcome=failed}"] == 2
    assert found[f"ocr_moe_answers_total{{{one},outcome=answered,source=asked}}"] == 1
    assert found[f"ocr_moe_answers_total{{{one},outcome=failed,source=asked}}"] == 1
    assert found[f"ocr_moe_tokens_total{{{one},kind=prompt}}"] > 0
    assert found["ocr_moe_retries_total{endpoint=text}"] >= 1
    assert found["ocr_moe_pages_total{source=stored}"] == 2
    assert asked > 2
    assert "tokens" in done.err.splitlines()[-1]


def test_a_wrong_target_starts_nothing(scans: Path, tmp_path: Path, ocr_moe: Command) -> None:
    done = ocr_moe("extract", scans / "scans", "--metrics", "here", "--out", tmp_path / "out")
    assert done.status == 2
    assert "--metrics here" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_processes_count_is_added_up_and_found_again_in_the_store(
    tmp_path: Path, ocr_moe: Command
) -> None:
    """So many files that worker processes read them; then all of it again from the store."""
    scans, out, pages = tmp_path / "scans", tmp_path / "out", []
    scans.mkdir()
    for number in range(PROCESSES_FROM + 1):
        file = scans / f"{number}.png"
        Image.new("RGB", (64, 48 + number), "white").save(file)
        pages.append((hashlib.sha256(file.read_bytes()).hexdigest(), 1, page(PAGE)))
    write_ocr(tmp_path / "pages.jsonl", pages)
    figures: list[dict[str, float]] = []
    for more in ((), ("--update",)):
        metrics = tmp_path / f"{len(figures)}.prom"
        done = ocr_moe(
            *("extract", scans, "--ocr", tmp_path / "pages.jsonl", "--strategy", "rules"),
            *("--workers", 2, "--schema", "graduation_certificate", "--out", out),
            *("--metrics", metrics, *more),
        )
        assert done.status == 0, done.err
        figures.append(samples(metrics.read_bytes()))
        if not more:
            (scans / "0.png").rename(scans / "another name.png")  # its records are made anew
    files = PROCESSES_FROM + 1
    assert figures[0]["ocr_moe_documents_total{outcome=read,strategy=rules}"] == files
    asked, stored = (
        f"ocr_moe_answers_total{{expert=rules,outcome=answered,source={source}}}"
        for source in ("asked", "stored")
    )
    assert figures[0][asked] == files
    assert stored not in figures[0]
    assert asked not in figures[1]
    assert figures[1][stored] >= 1

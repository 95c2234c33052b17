"""Programs are told that a job has ended: signed, of nobody's documents, and in public only."""

from __future__ import annotations

import base64
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from ocr_moe.errors import UsageError
from ocr_moe.settings import ServiceOptions
from ocr_moe.web import webhooks
from ocr_moe.web.service.lent import hooks
from ocr_moe.web.webhooks import (
    PAUSES,
    Delivery,
    JobEnded,
    check_address,
    secret_of,
    send,
    signature,
)
from tests.internet import HOST, PUBLIC, Internet, Reply, head, public_internet, saying
from tests.servicekit import Running, scan

URL = f"https://{HOST}/hooks/jobs?of=me"
SECRET = bytes(range(32))
EVENT = JobEnded(
    job="j-1", status="done", at="2026-11-28T01:00:00Z", documents=40, failed=1, to_check=12
)


@pytest.fixture
def internet() -> Iterator[Internet]:
    with public_internet() as outside:
        yield outside


def sent(internet: Internet, url: str = URL) -> tuple[Delivery, list[float]]:
    """What came of it, and the pauses that were made."""
    pauses: list[float] = []
    delivery = send(url, EVENT, SECRET, outside=internet.outside(), pause=pauses.append)
    return delivery, [pause for pause in pauses if pause]


def answering(*statuses: str) -> Reply:
    left = list(statuses)

    def reply(connection: ssl.SSLSocket, request: bytes) -> None:
        connection.sendall(head(left.pop(0), Content_Length=0, Location="/elsewhere"))

    return reply


def parts(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """First line, headers and body, as whoever takes webhooks sees them."""
    top, _, body = request.partition(b"\r\n\r\n")
    first, *lines = top.decode("ascii").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


def test_it_is_told_once_and_signed(internet: Internet) -> None:
    internet.reply = saying(head("202 Accepted", Content_Length=0))
    before = int(time.time())
    assert sent(internet) == (Delivery(1), [])
    [request] = internet.requests
    first, headers, body = parts(request)
    assert first == "POST /hooks/jobs?of=me HTTP/1.1"
    stamp = headers["webhook-timestamp"]
    assert before <= int(stamp) <= before + 60
    # As the specification of Standard Webhooks has it.
    content = f"{headers['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET, content, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert "." not in headers["webhook-id"]
    assert json.loads(body) == {
        "type": "job.done",
        "timestamp": EVENT.at,
        "data": {"id": "j-1", "status": "done", "documents": 40, "failed": 1, "cells_to_check": 12},
    }


def test_the_example_of_the_specification_is_signed_alike() -> None:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    secret = secret_of({webhooks.SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_told_again_with_the_same_id_until_it_is_taken(internet: Internet) -> None:
    internet.reply = answering("500 Broken", "429 Slow Down", "204 No Content")
    assert sent(internet) == (Delivery(3), list(PAUSES[:2]))
    ids = {line for r in internet.requests for line in r.split(b"\r\n") if b"webhook-id" in line}
    assert len(internet.requests) == 3
    assert len(ids) == 1


def test_it_is_not_told_for_ever(internet: Internet) -> None:
    internet.reply = answering(*["503 Away"] * 9)
    assert sent(internet) == (Delivery(4, "the server answers 503"), list(PAUSES))
    assert len(internet.requests) == 4


@pytest.mark.parametrize("status", ["301 Moved", "307 Elsewhere", "400 No", "404 None", "410 Gone"])
def test_a_no_is_a_no_and_nothing_is_followed(internet: Internet, status: str) -> None:
    internet.reply = answering(*[status] * 9)
    assert sent(internet) == (Delivery(1, f"the server answers {status[:3]}"), [])
    assert len(internet.requests) == 1


def test_nothing_in_private_networks_is_told(internet: Internet) -> None:
    internet.names[HOST] = [["10.0.0.1"]]
    delivery, _ = sent(internet)
    assert delivery.problem == "the host is not one of the public internet"
    assert internet.connected == []


def test_a_name_that_leads_inside_the_next_time_is_not_followed_there(internet: Internet) -> None:
    internet.names[HOST] = [[PUBLIC], ["127.0.0.1"]]
    internet.reply = answering("500 Broken")
    delivery, _ = sent(internet)
    assert delivery.problem == "the host is not one of the public internet"
    assert internet.connected == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "url", [f"http://{HOST}/", "", "file:///x", f"https://me:pazz@{HOST}/", f"https://{HOST}:25/"]
)
def test_addresses_that_are_not_told(internet: Internet, url: str) -> None:
    delivery, pauses = sent(internet, url)
    assert delivery.attempts == 0
    assert delivery.problem
    assert (pauses, internet.looked_up) == ([], [])
    with pytest.raises(UsageError, match="webhook") as told:
        check_address(url)
    assert "pazz" not in str(told.value)


def test_an_address_that_may_be_told() -> None:
    check_address(URL)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "secret" * 10, "whsec_&" * 9])
def test_a_secret_that_is_none_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError, match=webhooks.SECRET) as told:
        secret_of({webhooks.SECRET: text} if text else {})
    assert not text.strip("whsec_&") or text not in str(told.value)


def test_the_secret_is_what_its_base64_says() -> None:
    text = "whsec_" + base64.b64encode(SECRET).decode()
    assert secret_of({webhooks.SECRET: text}) == SECRET


def form(**fields: str) -> dict[str, tuple[None, str]]:
    """A form of several parts without any file, as httpx takes it."""
    return {name: (None, value) for name, value in fields.items()}


@pytest.mark.slow
def test_the_service_fetches_and_tells(internet: Internet, tmp_path: Path) -> None:
    """From a document's address to the webhook of its job; nothing of the document is told."""
    document, told = scan(7), threading.Event()

    def reply(connection: ssl.SSLSocket, request: bytes) -> None:
        if request.startswith(b"GET "):
            connection.sendall(head(Content_Length=len(document)) + document)
        else:
            connection.sendall(head("204 No Content"))
            told.set()

    internet.reply = reply
    internet.names["inside.example"] = [["192.168.0.1"]]
    options = ServiceOptions(urls=True, webhooks=True)
    environment = {webhooks.SECRET: "whsec_" + base64.b64encode(SECRET).decode()}
    lent = hooks(options, environment, internet.outside())
    with Running(tmp_path, lent, urls=True, webhooks=True) as service:
        inside = service.client.post("/v1/extract", files=form(urls="https://inside.example/1.png"))
        assert (inside.status_code, inside.json()["type"]) == (
            422,
            "urn:ocr-moe:problem:not-fetched",
        )
        sent = form(urls=f"https://{HOST}/%E5%BC%A0.png", webhook=URL)
        answer = service.client.post("/v1/jobs", files=sent)
        assert answer.status_code == 202, answer.text
        job = service.over(answer.json()["id"])
        assert told.wait(60)
        records = service.client.get(f"/v1/jobs/{job['id']}/records.jsonl").text
    assert json.loads(records)["document"]["path"] == "张.png"
    _, headers, body = parts(internet.requests[-1])
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], stamp, body)
    data = json.loads(body)["data"]
    assert (data["id"], data["status"], data["documents"]) == (job["id"], "done", 1)
    assert "张" not in body.decode("unicode_escape")
    assert "王小明" not in body.decode("unicode_escape")


def test_nothing_is_lent_that_is_not_enabled() -> None:
    nothing = hooks(ServiceOptions(), {})
    assert nothing.fetch is None
    assert nothing.announce is None
    with pytest.raises(UsageError, match=webhooks.SECRET):
        hooks(ServiceOptions(webhooks=True), {})

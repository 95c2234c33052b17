"""Telling a program that a job has ended: one signed request to the https address that it gave.

Signed as Standard Webhooks (https://www.standardwebhooks.com) has it, for which there are libraries in
most languages: `webhook-id` is the same in every attempt, `webhook-timestamp` is in seconds since 1970,
and `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`. The body
tells how a job went in numbers; of its documents it tells nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from ocr_moe.errors import UsageError
from ocr_moe.types import Value
from ocr_moe.web.outward import Outside, Target, Unreachable

SECRET = "OCR_MOE_WEBHOOK_SECRET"
"""The environment variable that holds the secret."""
MIN_SECRET = 24
"""Bytes, as Standard Webhooks has it."""
_PREFIX = "whsec_"
SECONDS = 10.0
"""For one attempt."""
PAUSES = (1.0, 5.0, 15.0)
"""Seconds before the second attempt and those after it."""
_AGAIN = frozenset({408, 425, 429})
"""Below 500: what may be otherwise the next time."""


class JobEnded(Value):
    """That a job has ended, and how."""

    job: str
    status: Literal["done", "failed", "cancelled"]
    at: str
    """ISO 8601 in UTC."""
    documents: int
    failed: int
    """How many of them failed."""
    to_check: int
    """Cells that a person should look at."""

    @property
    def id(self) -> str:
        """The same whenever it is told."""
        return f"{self.job}_{self.status}"  # a full stop ends it where it is signed

    def body(self) -> bytes:
        """What is sent."""
        data = {
            "id": self.job,
            "status": self.status,
            "documents": self.documents,
            "failed": self.failed,
            "cells_to_check": self.to_check,
        }
        told = {"type": f"job.{self.status}", "timestamp": self.at, "data": data}
        return json.dumps(told, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True)
class Delivery:
    """What came of telling it."""

    attempts: int
    problem: str | None = None
    """Why it was not taken, in the last attempt; None where it was."""


def secret_of(environment: Mapping[str, str] = os.environ) -> bytes:
    """The secret that webhooks are signed with. Raises UsageError."""
    text = environment.get(SECRET, "")
    try:
        secret = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not text.startswith(_PREFIX) or len(secret) < MIN_SECRET:
        raise UsageError(
            f"webhooks are signed: set {SECRET} to {_PREFIX} and {MIN_SECRET} or more random bytes in "
            f'base64, such as `echo "{_PREFIX}$(openssl rand -base64 32)"` prints'
        )
    return secret


def check_address(url: str) -> None:
    """Whether an address can be told at all, before a job is taken on. Raises UsageError."""
    try:
        Target.parse(url)
    except Unreachable as error:
        raise UsageError(f"the webhook cannot be called: {error}") from None


def signature(secret: bytes, id: str, timestamp: int, body: bytes) -> str:
    """What stands in `webhook-signature`."""
    content = f"{id}.{timestamp}.".encode("ascii") + body
    return f"v1,{base64.b64encode(hmac.digest(secret, content, sha256)).decode('ascii')}"


def send(
    url: str,
    event: JobEnded,
    secret: bytes,
    *,
    outside: Outside | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Delivery:
    """Tell an event until it is taken (status 2xx), with ever longer pauses, at most
    `len(PAUSES) + 1` times.

    Nothing is raised: a job is done, whoever hears of it. It waits; call it in a thread.
    """
    outside = outside or Outside()
    try:
        target = Target.parse(url)
    except Unreachable as error:
        return Delivery(0, str(error))
    body = event.body()
    attempt, problem = 0, ""
    for before in (0.0, *PAUSES):
        pause(before)
        attempt += 1
        now = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(secret, event.id, now, body),
        }
        try:
            # The name is resolved and its addresses are looked at anew each time.
            with outside.asked("POST", target, headers, body, seconds=SECONDS) as answer:
                status = answer.status
        except Unreachable as error:
            problem = str(error)
            continue
        if 200 <= status < 300:
            return Delivery(attempt)
        problem = f"the server answers {status}"
        if status < 500 and status not in _AGAIN:
            break
    return Delivery(attempt, problem)

"""What works on this machine: packages, weights, engines, endpoints, strategies."""

from __future__ import annotations

import platform
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from ocr_moe.errors import EndpointMissingError, OcrMoeError
from ocr_moe.protocols import EndpointReport, KnowsModels, Package, Probeable
from ocr_moe.version import __version__
from ocr_moe.workshop.build import COMMON_PACKAGES, Workshop
from ocr_moe.workshop.config import Config


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `missing` is no fault: it is optional."""

    state: Literal["good", "missing", "bad"]
    subject: str
    words: str


def examine(config: Config) -> Iterator[Finding]:
    """Look at everything, the quick things first."""
    yield Finding(
        "good",
        "ocr_moe",
        f"{__version__} on Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
    )
    workshop = Workshop(config)
    try:
        workshop.validate()
    except OcrMoeError as error:
        yield from _packages(COMMON_PACKAGES)
        yield Finding("bad", "configuration", str(error))
        return
    yield from _packages(workshop.packages())
    yield Finding("good", "configuration", "every component's parameters are right")
    yield from _engines(config, workshop)
    yield from _recognizers(config, workshop)
    yield from examine_endpoints(config, workshop)


def examine_endpoints(config: Config, workshop: Workshop) -> Iterator[Finding]:
    """Ask the endpoints what they are, and say which strategies run."""
    bad: dict[str, str] = {}
    for name in config.chat:
        finding = _endpoint(name, workshop)
        if finding.state == "bad":
            bad[name] = finding.words
        yield finding
    yield from _strategies(config, workshop, bad)


def _packages(packages: Sequence[Package]) -> Iterator[Finding]:
    for package in packages:
        try:
            yield Finding("good", package.name, version(package.name))
        except PackageNotFoundError:
            install = f"pip install '{package.install or package.name}'"
            yield Finding(
                "missing" if package.optional else "bad",
                package.name,
                f"not installed; it is for {package.use}; {install}",
            )


def _engines(config: Config, workshop: Workshop) -> Iterator[Finding]:
    """Reads a small drawn page with each engine: that its weights are there is not enough."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(page).text((30, 35), "OCR 2026", fill="black", font=ImageFont.load_default(48))
    for name in config.engines:
        chief = " (reads pages)" if name == config.ocr else ""
        start = time.perf_counter()
        try:
            engine = workshop.engine(name)
            lines = engine.read(page)
        except OcrMoeError as error:
            state: Literal["missing", "bad"] = "bad" if name == config.ocr else "missing"
            yield Finding(state, f"engine {name}{chief}", str(error))
            continue
        text = "".join(line.text for line in lines).replace(" ", "")
        seconds = time.perf_counter() - start
        right = text == "OCR2026"
        words = f"reads a test page in {seconds:.1f} s, loading included"
        if not right:
            words = f"misreads a test page: {text!r} instead of 'OCR2026'"
        yield Finding("good" if right else "bad", f"engine {name}{chief}", words)
        if isinstance(engine, KnowsModels):
            yield _models(name, engine.models())


def _models(engine: str, models: Mapping[str, str | None]) -> Finding:
    here = [f"{name} ({place})" for name, place in models.items() if place is not None]
    missing = [name for name, place in models.items() if place is None]
    words = f"here: {', '.join(here) or 'none'}"
    if missing:
        words += f"; fetched when they are first used: {', '.join(missing)}"
    return Finding("good", f"models of engine {engine}", words)


def _recognizers(config: Config, workshop: Workshop) -> Iterator[Finding]:
    for name in config.recognizers:
        try:
            words = f"weights found ({workshop.recognizer(name).fingerprint})"
            yield Finding("good", f"line recogniser {name}", words)
        except OcrMoeError as error:
            yield Finding("bad", f"line recogniser {name}", str(error))


def _endpoint(name: str, workshop: Workshop) -> Finding:
    subject = f"{name} endpoint"
    try:
        endpoint = workshop.chat(name)
        if isinstance(endpoint, Probeable):
            return _of_report(name, endpoint.probe())
        return Finding("good", subject, endpoint.fingerprint)
    except EndpointMissingError as error:
        return Finding("missing", subject, str(error))
    except OcrMoeError as error:
        return Finding("bad", subject, str(error))


def _of_report(name: str, report: EndpointReport) -> Finding:
    if not report.answers:
        return Finding("bad", f"{name} endpoint", report.problem or f"{report.host}: no answer")
    abilities = [
        f"binds its answer by {report.structured}" if report.structured else "",
        "gives token probabilities" if report.logprobs else "",
        "reads images" if report.images else "text only" if report.images is False else "",
        "streams its answers" if report.streamed else "",
        "thinks before it answers: allow for it in max_tokens" if report.thinks else "",
    ]
    can = "; ".join(ability for ability in abilities if ability)
    return Finding(
        "bad" if report.problem else "good",
        f"{name} endpoint",
        f"{report.host} answers with {report.model}; {can}"
        + (f"; {report.problem}" if report.problem else ""),
    )


def _strategies(config: Config, workshop: Workshop, bad: Mapping[str, str]) -> Iterator[Finding]:
    """`bad` are the endpoints that were found so: what must ask one does not run."""
    ready: list[str] = []
    lacking: list[str] = []
    broken: dict[str, list[str]] = {}
    for name in config.strategies:
        try:
            workshop.strategy(name)
            asked = _asked(workshop, name)
        except EndpointMissingError:
            lacking.append(name)
        except OcrMoeError as error:
            broken.setdefault(str(error), []).append(name)
        else:
            words = next((bad[endpoint] for endpoint in asked if endpoint in bad), None)
            (ready if words is None else broken.setdefault(words, [])).append(name)
    yield Finding("good", "strategies that run here", ", ".join(ready) or "none")
    if lacking:
        yield Finding("missing", "strategies that need an endpoint", ", ".join(lacking))
    for words, names in broken.items():
        yield Finding("bad", f"strategies {', '.join(names)}", words)


def _asked(workshop: Workshop, strategy: str) -> list[str]:
    """The endpoints without which a strategy is not what its name says."""
    experts = sorted(workshop.required_experts(strategy))
    return [use.endpoint for expert in experts for use in workshop.chat_uses(expert)]

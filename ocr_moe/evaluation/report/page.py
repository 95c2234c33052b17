"""report.html: one file that opens offline, for people who decide.

Everything read off documents reaches the page through an escaping template; the page's own policy
(CSP) allows no request and no script but the one inside, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import jinja2
import yaml
from markupsafe import Markup, escape

from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.view import View, ViewOptions, build_view
from ocr_moe.evaluation.scores import PolicyPoint, Recommendation, Scores
from ocr_moe.evaluation.scoring import Scoring
from ocr_moe.formats.files import write_text
from ocr_moe.types import Origin, Record


class ReportOptions(ViewOptions):
    """How the report is made."""

    lang: Literal["auto", "en", "zh"] = "auto"
    """The language it opens in; a reader can switch. `auto` follows the browser."""


def write_report(
    path: Path,
    scoring: Scoring,
    scores: Scores,
    runs: Mapping[str, Sequence[Record]],
    *,
    options: ReportOptions | None = None,
    points: Sequence[PolicyPoint] = (),
    recommendation: Recommendation | None = None,
    image_source: ImageSource | None = None,
) -> None:
    """Write the report in one step.

    `image_source(record, page)` gives the righted page of which crops are shown, or None. Raises
    OSError when writing fails.
    """
    options = options or ReportOptions()
    view = build_view(
        scoring,
        scores,
        runs,
        options=options,
        points=points,
        recommendation=recommendation,
        image_source=image_source,
        words=_svg_words,
    )
    write_text(path, render(view, options.lang))


def render(view: View, lang: str = "auto") -> str:
    """The page as text."""
    script = _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    opening = 1 if lang == "zh" else 0
    return environment.get_template("report.html.j2").render(
        view=view,
        lang=lang,
        style=Markup(_asset("report.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        t=_words,
        origin=_origin,
        plain=lambda key: _phrases()[key][opening],
        strong=lambda text: Markup("<b>{}</b>").format(text),
    )


def _words(key: str, **values: Any) -> Markup:
    """A phrase in both languages, of which the style sheet shows one."""
    english, chinese = (_filled(text, values, language) for language, text in _both(key))
    return Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh-CN">{}</span>'
    ).format(english, chinese)


def _origin(origin: Origin) -> Markup:
    """Whose recorded answers they are."""
    return _words("recorded_of", told=str(origin), models="、".join(origin.recorded))


def _svg_words(key: str) -> Markup:
    english, chinese = _phrases()[key]
    return Markup('<tspan class="en">{}</tspan><tspan class="zh">{}</tspan>').format(
        english, chinese
    )


def _both(key: str) -> tuple[tuple[str, str], tuple[str, str]]:
    english, chinese = _phrases()[key]
    return ("en", english), ("zh", chinese)


def _filled(text: str, values: Mapping[str, Any], language: str) -> Markup:
    return Markup(escape(text)).format(**values)


@cache
def _phrases() -> dict[str, list[str]]:
    phrases: dict[str, list[str]] = yaml.safe_load(_asset("words.yaml"))
    return phrases


@cache
def _asset(name: str) -> str:
    folder = resources.files("ocr_moe.evaluation.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")

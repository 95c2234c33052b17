"""report.html: one file that opens offline, for people who decide.

Everything read off documents reaches the page through an escaping template; the page's own policy
(CSP) allows no request and no script but the one inside, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from ocr_moe.evaluation.advice import Advice, PolicyPoint
from ocr_moe.evaluation.report.crops import ImageSource
from ocr_moe.evaluation.report.phrases import asset, attribute, markup, unfilled
from ocr_moe.evaluation.report.view import PageView, ViewOptions, build_view
from ocr_moe.evaluation.scores import Scores
from ocr_moe.evaluation.scoring import Scoring
from ocr_moe.formats.files import write_text
from ocr_moe.formats.phrases import Language, Phrase
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
    advice: Advice | None = None,
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
        advice=advice,
        image_source=image_source,
        words=_svg_words,
    )
    write_text(path, render(view, options.lang))


def render(view: PageView, lang: str = "auto") -> str:
    """The page as text."""
    script = asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    opening: Language = "zh" if lang == "zh" else "en"
    return environment.get_template("report.html.j2").render(
        view=view,
        lang=lang,
        style=Markup(asset("report.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        t=_words,
        told=_told,
        origin=_origin,
        plain=lambda key: unfilled(key, opening),
        in_en=lambda key: unfilled(key, "en"),
        in_zh=lambda key: unfilled(key, "zh"),
        both=lambda name, key: attribute(name, key, opening),
        strong=lambda text: Markup("<b>{}</b>").format(text),
    )


def _words(key: str, **values: Any) -> Markup:
    """A phrase in both languages, of which the style sheet shows one."""
    return _told((Phrase(key, values),))


def _told(phrases: Sequence[Phrase]) -> Markup:
    """Sentences in both languages, one after the other."""
    return Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh-CN">{}</span>'
    ).format(markup(phrases, "en"), markup(phrases, "zh"))


def _origin(origin: Origin) -> Markup:
    """Whose recorded answers they are."""
    return _words("recorded_of", told=str(origin), models=origin.recorded)


def _svg_words(key: str) -> Markup:
    return Markup('<tspan class="en">{}</tspan><tspan class="zh">{}</tspan>').format(
        unfilled(key, "en"), unfilled(key, "zh")
    )

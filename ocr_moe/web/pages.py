"""Server-rendered pages: templates, their words in two languages, and the files that go with them.

Whatever is filled in is escaped; nothing on a page comes from elsewhere, and no script stands in it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase, Words
from ocr_moe.web.checks import caller_of

LANGUAGE_COOKIE = "ocr_moe_language"
_CHOICE = "language"
"""The parameter of an address by which a reader chooses."""
_YEAR = 365 * 24 * 3600
_SHARED = "web"
"""The room of what all pages share."""
_BREAKS = "\t\n"
_SPACES = "Zs"
_UNSEEN = Markup('<span class="unseen">{}</span>')
_CUT = Markup('<span class="soft">… ({:,})</span>')


class Pages:
    """The pages of a room below `ocr_moe.web`, from its `templates/`, `static/` and `words.yaml`.

    A template may extend and include those of `ocr_moe.web` by the prefix `web/`, and its own by the
    room's name; words are looked for in the room first. In templates, `t("key", …)` is a phrase,
    `language` the language, `static("room/file")` the address of a file. What documents say is shown
    by the filters `data` (see `shown`) and, in attributes, `visible`. The room `web` is that of what
    all pages share.
    """

    def __init__(self, room: str) -> None:
        packages = {_SHARED: "ocr_moe.web"}
        if room != _SHARED:
            packages[room] = f"ocr_moe.web.{room}"
        self._room = room
        self._words = [Words(package, "words.yaml") for package in reversed(packages.values())]
        self._files = {
            name: Path(str(resources.files(package).joinpath("static")))
            for name, package in packages.items()
        }
        loaders = {name: PackageLoader(package) for name, package in packages.items()}
        self._environment = Environment(
            loader=PrefixLoader(loaders),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"data": shown, "visible": visible}

    def page(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> HTMLResponse:
        """A page of the room in the reader's language. Raises what jinja2 raises over a template."""
        language = language_of(request)
        text = self._environment.get_template(f"{self._room}/{template}").render(
            context,
            language=language,
            told=lambda sentence: told(sentence, language),
            t=lambda key, **values: self.said(key, language, **values),
            static=lambda name: self._address(request, name),
            request=request,
            root=request.scope.get("root_path", ""),
            logout=caller_of(request).logout,
        )
        response = HTMLResponse(text, status)
        if request.query_params.get(_CHOICE) == language:
            response.set_cookie(LANGUAGE_COOKIE, language, _YEAR, httponly=True, samesite="lax")
        return response

    def said(self, key: str, language: Language, **values: Any) -> Markup:
        """A phrase, with what fills it in escaped. Raises KeyError."""
        return Markup(self._words_with(key).filled(Phrase(key, values), language, escape))

    def text(self, key: str, language: Language, **values: Any) -> str:
        """A phrase as plain text, for what is no HTML. Raises KeyError."""
        return self.plain(Phrase(key, values), language)

    def plain(self, phrase: Phrase, language: Language) -> str:
        """The same of a phrase that stands ready."""
        return self._words_with(phrase.key).filled(phrase, language, str)

    def _words_with(self, key: str) -> Words:
        words = next((each for each in self._words if key in each.all), None)
        if words is None:
            raise KeyError(key)
        return words

    def phrases(self, prefix: str, language: Language) -> Mapping[str, str]:
        """What stands under keys with a prefix, unfilled, for the scripts of a page."""
        keys = [key for words in self._words for key in words.all if key.startswith(prefix)]
        found = {key: words for words in self._words for key in keys if key in words.all}
        return {key: words.unfilled(key, language) for key, words in found.items()}

    def mount(self, app: Starlette) -> None:
        """Serve the files of `static/` below /static/<room>/."""
        for name, folder in self._files.items():
            app.router.routes.append(Mount(f"/static/{name}", StaticFiles(directory=folder)))

    def _address(self, request: Request, name: str) -> str:
        return f"{request.scope.get('root_path', '')}/static/{name}?v={self._digests[name]}"

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        return {
            f"{room}/{path.relative_to(folder).as_posix()}": hashlib.sha256(
                path.read_bytes()
            ).hexdigest()[:12]
            for room, folder in self._files.items()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def visible(text: object) -> str:
    """A text in which nothing hides: each control, format, private or unassigned character, such as a
    NUL, U+202E (what follows runs backwards) or U+200B (no width), as its number; spaces, line breaks
    and tabs stay.

    None is the empty text. What it comes to is still to be escaped, and `shown` is to be preferred:
    Hebrew and Arabic letters run backwards too.

    >>> visible("abc\u202efdp.exe")
    'abc[U+202E]fdp.exe'
    """
    return "".join(_numbered(each) if _hides(each) else each for each in _text(text))


def shown(text: object, limit: int | None = None) -> Markup:
    """What a document, a file's name or a person says, as HTML that cannot touch what stands around it:
    escaped, with a direction of its own (`<bdi>`), and nothing in it hidden (see `visible`).

    Beyond `limit` characters it is cut, and tells how many there are.
    """
    whole = _text(text)
    pieces = [
        _UNSEEN.format("".join(map(_numbered, run))) if hidden else escape("".join(run))
        for hidden, run in groupby(whole[:limit], _hides)
    ]
    if limit is not None and len(whole) > limit:
        pieces.append(_CUT.format(len(whole)))
    return Markup("<bdi>{}</bdi>").format(Markup().join(pieces))


def told(sentence: str, language: Language) -> Markup:
    """A note or failure, which is made in English, in the reader's language, as HTML; marked as English
    where no Chinese is known for it."""
    said = note_in(sentence, language)
    if language == "en" or said != sentence:
        return escape(said)
    return Markup('<span lang="en">{}</span>').format(said)


def _text(text: object) -> str:
    return "" if text is None else str(text)


def _hides(character: str) -> bool:
    return not (
        character.isprintable()
        or character in _BREAKS
        or unicodedata.category(character) == _SPACES
    )


def _numbered(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def language_of(request: Request) -> Language:
    """The language that a reader chose, now or before, else the browser's, else English."""
    for chosen in (request.query_params.get(_CHOICE), request.cookies.get(LANGUAGE_COOKIE)):
        for language in LANGUAGES:
            if chosen == language:
                return language
    for accepted in request.headers.get("accept-language", "").split(","):
        name = accepted.split(";")[0].strip().lower()
        for language in LANGUAGES:
            if name.startswith(language):
                return language
    return "en"

"""What a text says: entries, each a value under its key or a part of the running text.

A text is data: nothing in it is run, opened or fetched. What is no text of a form that is known here is
none of ours: its bytes are looked at by the decoders of images.
"""

from __future__ import annotations

import email
import email.policy
import email.utils
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage, MIMEPart
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import NamedTuple
from xml.etree import ElementTree

from ocr_moe.errors import TooLargeError, UnreadableFileError
from ocr_moe.intake.bounds import frontier
from ocr_moe.intake.limits import MIB
from ocr_moe.intake.texts.items import decoded_file, flattened, is_item_name

_MOST = 16 * MIB
"""Bytes of a text that is read as one document."""
_SILENT = frozenset(
    ("script", "style", "noscript", "template", "svg", "math", "head", "iframe", "object")
)
"""Elements of HTML whose content nobody reads on the page."""
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "br", "caption", "dd", "div", "dl", "dt"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
        *("hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"),
    )
)
_METAS = {
    "author": "author",
    "date": "published",
    "article:published_time": "published",
    "og:site_name": "source",
    "og:url": "url",
}
"""Names of meta elements, and the keys under which they are given."""
_HEADERS = (("Subject", "subject"), ("From", "from"), ("To", "to"), ("Date", "date"))
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
DOCX_TEXT = "word/document.xml"
"""The file of a Word document that has its text."""


class Entry(NamedTuple):
    """A value under its key; of running text without keys the key is empty."""

    key: str
    text: str


def is_text_name(name: str) -> bool:
    """Whether a file or item of that name is read as text."""
    return is_item_name(name) or PurePosixPath(name).suffix.lower() in _FORMS


def entries_of(name: str, data: bytes) -> list[Entry] | None:
    """The entries of a text by the name `name`; None where it is no text of a form that is known.

    Raises UnreadableFileError or TooLargeError.
    """
    if is_item_name(name):
        return _of_item(data)
    form = _FORMS.get(PurePosixPath(name).suffix.lower())
    if form is None:
        return None
    if len(data) > _MOST:
        raise TooLargeError(f"{name}: has more than {_MOST // MIB} MiB of text; split it")
    if (
        form is not _of_docx
        and b"\0" in data[:4096]
        and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    ):
        raise UnreadableFileError(f"{name}: is no text; save it as text in UTF-8")
    with frontier(name, "damaged, or no text of its kind"):
        found = form(data)
    return [entry for entry in found if entry.text.strip()]


def _of_item(data: bytes) -> list[Entry]:
    return [Entry(key, text) for key, text in flattened(json.loads(data)) if text.strip()]


def _of_plain(data: bytes) -> list[Entry]:
    return [Entry("", line) for line in decoded_file(data).splitlines()]


def _of_html(data: bytes) -> list[Entry]:
    declared = re.search(rb"(?i)<meta[^>]+charset=[\"']?\s*([\w-]+)", data[:4096])
    text = None
    if declared is not None:
        try:
            text = data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            text = None
    page = _Html()
    page.feed(decoded_file(data) if text is None else text)
    page.close()
    return [*page.metas(), *(Entry("", line) for line in page.lines())]


class _Html(HTMLParser):
    """The text of a page as a reader sees it, and what its head says of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._silent: list[str] = []
        self._title: list[str] | None = None
        self._said: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title" and "title" not in self._said and "svg" not in self._silent:
            self._title = []
        elif tag == "meta":
            self._meta({name: value or "" for name, value in attrs})
        elif tag == "body":
            self._silent.clear()  # a head that was never closed
        elif tag in _SILENT:
            self._silent.append(tag)
        elif tag in _BLOCKS:
            self._parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SILENT:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title" and self._title is not None:
            self._said["title"], self._title = " ".join("".join(self._title).split()), None
        elif tag in self._silent:
            del self._silent[self._silent.index(tag) :]
        elif tag in _BLOCKS:
            self._parts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._title is not None:
            self._title.append(data)
        elif not self._silent:
            self._parts.append(re.sub(r"\s+", " ", data))

    def metas(self) -> Iterator[Entry]:
        yield from (Entry(key, value) for key, value in self._said.items())

    def lines(self) -> Iterator[str]:
        for line in "".join(self._parts).split("\n"):
            if bare := " ".join(line.split()):
                yield bare

    def _meta(self, attributes: Mapping[str, str]) -> None:
        name = (attributes.get("name") or attributes.get("property") or "").lower()
        if name in _METAS and attributes.get("content"):
            self._said.setdefault(_METAS[name], attributes["content"])


def _of_mail(data: bytes) -> list[Entry]:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    found = [Entry(key, _header(message, header)) for header, key in _HEADERS]
    body = message.get_body(("plain", "html"))
    attached = []
    for part in message.iter_attachments():
        size = len(part.get_payload(decode=True) or b"")
        named = part.get_filename() or "without a name"
        attached.append(f"{named} ({part.get_content_type()}, {size:,} bytes, not read)")
    if attached:
        found.append(Entry("attachments", ", ".join(attached)))
    if body is None:
        return found
    if body.get_content_type() == "text/html":
        lines = [entry for entry in _of_html(_payload(body)) if not entry.key]
    else:
        lines = [Entry("", line) for line in _content(body).splitlines()]
    return found + lines


def _header(message: EmailMessage, name: str) -> str:
    text = str(message.get(name, ""))
    if name == "Date":
        try:
            return email.utils.parsedate_to_datetime(text).strftime("%Y-%m-%d %H:%M")
        except (TypeError, ValueError):
            return text
    return " ".join(text.split())


def _payload(part: MIMEPart) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _content(part: MIMEPart) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a character set that nobody knows, or not the one it says
        return decoded_file(_payload(part))


def _of_docx(data: bytes) -> list[Entry]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(DOCX_TEXT) as member:
        xml = member.read(_MOST + 1)
    if len(xml) > _MOST:
        raise ValueError(f"its text has more than {_MOST // MIB} MiB")
    if b"<!DOCTYPE" in xml or b"\0" in xml:
        raise ValueError("its text declares entities, or is no UTF-8, as in no Word document")
    found = []
    for paragraph in ElementTree.fromstring(xml).iter(f"{_WORD}p"):
        runs = []
        for node in paragraph.iter():
            if node.tag == f"{_WORD}t":
                runs.append(node.text or "")
            elif node.tag in (f"{_WORD}tab", f"{_WORD}br"):
                runs.append(" ")
        found.append(Entry("", "".join(runs)))
    return found


_FORMS: Mapping[str, Callable[[bytes], list[Entry]]] = {
    ".txt": _of_plain,
    ".md": _of_plain,
    ".html": _of_html,
    ".htm": _of_html,
    ".eml": _of_mail,
    ".docx": _of_docx,
}
SUFFIXES = frozenset(_FORMS) - {".docx"}
"""Files that are one text each. A Word document is one where it has no pictures, which may be scans."""

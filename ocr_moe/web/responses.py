"""What rooms of pages and of HTTP answer alike: problems, and names of files that are downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import JSONResponse

from ocr_moe.formats.names import safe_name
from ocr_moe.formats.phrases import Language

PROBLEM = "application/problem+json"


class Problem(JSONResponse):
    """What went wrong, for programs (RFC 9457): `kind` tells the sort of problem to them, `detail` is a
    sentence for the user, in a language."""

    media_type = PROBLEM

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        language: Language,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        body = {
            "type": f"urn:ocr-moe:problem:{kind}",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
        }
        told = {"Content-Language": language, "Vary": "Accept-Language"}
        super().__init__(body, status, {**told, **(headers or {})})


def attachment(name: str) -> str:
    """The header Content-Disposition of a file that is to be saved under a name (RFC 6266).

    Whatever the name is made of, the header stays one header and the file stays in its folder: the
    name is that of `ocr_moe.formats.names.safe_name`, without what cannot be seen. Programs that do
    not know RFC 8187 get it with `_` for all that is not ASCII.
    """
    seen = "".join(each for each in safe_name(name) if each.isprintable()) or "_"
    plain = "".join(each if each.isascii() and each != "%" else "_" for each in seen)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(seen, safe='')}"

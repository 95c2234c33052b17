"""Who reviews: a name from a trusted proxy, else one that was chosen, else whoever runs the desk."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from ocr_moe.reviewing.taking import whoever
from ocr_moe.settings import ReviewOptions
from ocr_moe.web.checks import caller_of

REVIEWER_COOKIE = "ocr_moe_reviewer"


class Reviewers:
    """The people who may review, by the configuration."""

    def __init__(self, options: ReviewOptions) -> None:
        self._options = options

    @property
    def names(self) -> tuple[str, ...]:
        """Those to choose from; empty where it is whoever runs the desk."""
        return self._options.reviewers

    def of(self, request: Request) -> str | None:
        """Whose word a request is; None where a name is still to be chosen."""
        given = caller_of(request).reviewer
        if given:
            return given
        if not self.names:
            return whoever()
        chosen = unquote(request.cookies.get(REVIEWER_COOKIE, ""))
        if chosen in self.names:
            return chosen
        return self.names[0] if len(self.names) == 1 else None

    def choose(self, response: Response, name: str) -> None:
        """Remember a choice. Raises KeyError for a name that is none to choose."""
        if name not in self.names:
            raise KeyError(name)
        response.set_cookie(REVIEWER_COOKIE, quote(name), httponly=True, samesite="strict")

"""Who may ask: what stands before every application here, and lets through what is meant for it.

Programs send the token; people give it once, on a page, and their browser then holds a session. What
other web sites make a browser send is refused by its Host (DNS rebinding) and by its Origin (forged
requests), with a token or without. What a proxy adds is believed of trusted ones only.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ocr_moe.web.access import TOKEN, Access
from ocr_moe.web.checks import CALLER, Caller, Refused, check_host, check_origin, told_by_proxies
from ocr_moe.web.headers import FILES, path_of, with_headers
from ocr_moe.web.pages import Pages, language_of
from ocr_moe.web.responses import Problem
from ocr_moe.web.sessions import SESSION_HOURS, Attempts, Sessions, digest

_LOG = logging.getLogger(__name__)
_MAX_FORM = 8192
"""Bytes of the form of the login page."""
_HEALTH = "/healthz"
_LOCAL = re.compile(r"/(?![/\\])[!-~]*")


def guarded(
    app: ASGIApp, access: Access, *, clock: Callable[[], float] = time.monotonic
) -> ASGIApp:
    """An application behind the guard. `clock` tells seconds."""
    return _Guard(app, access, clock)


class _Guard:
    def __init__(self, app: ASGIApp, access: Access, clock: Callable[[], float]) -> None:
        self._app = app
        self._access = access
        self._pages = Pages("web")
        self._sessions = Sessions(clock)
        self._attempts = Attempts(clock)
        # Cookies know no ports: another server of ours on this host has sessions of its own.
        self._cookie = f"ocr_moe_session_{access.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._answer(dict(scope), receive, with_headers(scope, send))
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # nothing here speaks it

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._checked(scope, receive)
        except Refused as refused:
            response = self._refusal(Request(scope), refused)
        except ClientDisconnect:
            return
        await (response or self._app)(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Response | None:
        """An answer of our own, or None for what the application is to answer."""
        caller = told_by_proxies(scope, self._access)
        check_host(scope, self._access)
        check_origin(scope, self._cookie)
        path = path_of(scope)
        if path == "/login":
            return await self._login(Request(scope, receive), caller)
        if path == "/logout":
            return self._logout(Request(scope))
        session = self._session(Request(scope))
        if self._is_open(scope, path) or session is not None or self._has_token(scope):
            logout = None if session is None else f"{scope.get('root_path', '')}/logout"
            scope[CALLER] = replace(caller, logout=logout)
            return None
        return self._to_login(Request(scope))

    def _is_open(self, scope: Scope, path: str) -> bool:
        """Whether anybody may have it: all, where there is no token."""
        if self._access.token is None or path == _HEALTH:
            return True
        return path.startswith(FILES) and scope["method"] in ("GET", "HEAD")

    def _has_token(self, scope: Scope) -> bool:
        given = Headers(scope=scope).getlist("authorization")
        if len(given) != 1 or self._access.token is None:
            return False
        scheme, _, token = given[0].partition(" ")
        return scheme.lower() == "bearer" and _same(token.strip(), self._access.token)

    def _session(self, request: Request) -> str | None:
        """The session that a request comes with, if it is one of ours."""
        given = request.cookies.get(self._cookie)
        return given if given and self._sessions.is_open(given) else None

    def _to_login(self, request: Request) -> Response:
        if _wants_page(request) and request.method in ("GET", "HEAD"):
            query = f"?{request.url.query}" if request.url.query else ""
            after = quote(quote(path_of(request.scope)) + query, safe="/")
            return RedirectResponse(f"{_root(request)}/login?next={after}", 303)
        challenge = {"WWW-Authenticate": 'Bearer realm="ocr_moe"'}
        return self._refusal(request, Refused(401, "guard_token", variable=TOKEN), challenge)

    async def _login(self, request: Request, caller: Caller) -> Response:
        token = self._access.token
        if token is None:
            return RedirectResponse(f"{_root(request)}/", 303)
        if request.method in ("GET", "HEAD"):
            return self._login_page(request, request.query_params.get("next", ""))
        if request.method != "POST":
            raise Refused(405, "guard_method", allow="GET, HEAD, POST")
        form = await _form(request)
        after = form.get("next", "")
        wait = self._attempts.wait(caller.address)
        if wait:
            page = self._login_page(request, after, 429, wait=wait)
            page.headers["Retry-After"] = str(wait)
            return page
        if not _same(form.get("token", "").strip(), token):
            self._attempts.note(caller.address)
            _LOG.warning("a wrong token from %s", caller.address)
            return self._login_page(request, after, 403, wrong=True)
        response = RedirectResponse(_root(request) + _local(after), 303)
        response.set_cookie(
            self._cookie,
            self._sessions.open(),
            SESSION_HOURS * 3600,
            path=f"{_root(request)}/",
            secure=request.scope["scheme"] == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    def _login_page(
        self, request: Request, after: str, status: int = 200, *, wrong: bool = False, wait: int = 0
    ) -> Response:
        return self._pages.page(
            request,
            "login.html",
            status=status,
            after=_local(after),
            wrong=wrong,
            wait=wait,
            variable=TOKEN,
        )

    def _logout(self, request: Request) -> Response:
        if request.method != "POST":
            raise Refused(405, "guard_method", allow="POST")
        if session := self._session(request):
            self._sessions.close(session)
        response = RedirectResponse(f"{_root(request)}/login", 303)
        response.delete_cookie(self._cookie, f"{_root(request)}/", httponly=True, samesite="strict")
        return response

    def _refusal(
        self, request: Request, refused: Refused, headers: Mapping[str, str] = {}
    ) -> Response:
        """A page for people, a problem for programs."""
        status, values = refused.status, refused.values
        if _wants_page(request):
            response: Response = self._pages.page(
                request, "refused.html", status=status, why=refused.key, values=values
            )
        else:
            language = language_of(request)
            told = self._pages.text(refused.key, language, **values)
            kind = refused.key.removeprefix("guard_").replace("_", "-")
            response = Problem(status, kind, told, language)
        response.headers.update({**refused.headers, **headers})
        return response


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _wants_page(request: Request) -> bool:
    """Whether a person is to read the answer."""
    return "text/html" in request.headers.get("accept", "").lower()


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises Refused, ClientDisconnect."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "guard_form")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            raise Refused(413, "guard_form")
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=8)
    except ValueError:
        raise Refused(400, "guard_form") from None
    return {name: values[-1] for name, values in fields.items()}


def _local(target: str) -> str:
    """A path of ours to go on to; the first page where it is none."""
    return target if _LOCAL.fullmatch(target) else "/"


def _same(given: str, expected: str) -> bool:
    """Whether two texts are one, in a time that tells nothing of either."""
    return hmac.compare_digest(digest(given), digest(expected))

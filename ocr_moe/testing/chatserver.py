"""A real HTTP server that speaks the OpenAI protocol, for tests: scripted, or reading pixels.

    >>> import json, urllib.request
    >>> with ChatServer(answer=lambda request: {"姓名": "张三"}) as server:
    ...     asked = {"messages": [{"role": "user", "content": "- 姓名"}]}
    ...     url = f"{server.base_url}/chat/completions"
    ...     with urllib.request.urlopen(url, json.dumps(asked).encode()) as reply:
    ...         reply = json.load(reply)
    >>> reply["choices"][0]["message"]["content"]
    '{"姓名": "张三"}'
    >>> server.requests[0].asked
    ('姓名',)

A `ChatEndpoint` is pointed at it with `ChatParams(base_url=server.base_url)`, a command with the
variable OCR_MOE_TEXT_BASE_URL.
The server answers like a well-behaved one unless told otherwise: `structured` is what it knows of
`response_format`, `script` holds replies that are given first, one a request.  `seeing(read)` makes
an answer that decodes the image it was sent and reads its pixels.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

ALL_FORMS = frozenset({"json_schema", "json_object_schema", "json_object"})


@dataclass(frozen=True)
class Request:
    """What a client sent to /chat/completions."""

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    path: str = "/v1/chat/completions"
    query: str = ""

    @property
    def form(self) -> str:
        """json_schema, json_object_schema, json_object or none."""
        asked = self.body.get("response_format") or {}
        kind = str(asked.get("type", "none"))
        return "json_object_schema" if kind == "json_object" and "schema" in asked else kind

    @property
    def schema(self) -> Mapping[str, Any] | None:
        asked = self.body.get("response_format") or {}
        found = asked.get("schema") or asked.get("json_schema", {}).get("schema")
        return found if isinstance(found, dict) else None

    @property
    def prompt(self) -> str:
        """The text of the user's message."""
        content = self.body["messages"][-1]["content"]
        if isinstance(content, str):
            return content
        return "\n".join(part["text"] for part in content if part["type"] == "text")

    @property
    def asked(self) -> tuple[str, ...]:
        """The fields asked for, from the schema or else from the prompt's list."""
        if self.schema is not None:
            return tuple(self.schema["properties"])
        head = self.prompt.split("<ocr>\n")[0]
        return tuple(re.findall(r"^- ([^：:（(\s]+)", head, re.MULTILINE))

    @property
    def images(self) -> tuple[Image.Image, ...]:
        """The images of the user's message, decoded from their data URLs."""
        from PIL import Image

        content = self.body["messages"][-1]["content"]
        urls = (
            []
            if isinstance(content, str)
            else [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        )
        return tuple(
            Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))).convert("RGB")
            for url in urls
        )


@dataclass(frozen=True)
class Reply:
    """Bytes to be sent back."""

    body: str
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0


@dataclass(frozen=True)
class Raw:
    """Bytes for the socket as they are, status line and all; then the connection is closed."""

    pieces: Callable[[], Iterable[bytes]]
    """Makes them anew for each request."""
    pause: float = 0.0
    """Seconds after each piece."""


def stream(*chunks: Any, done: bool = True, headers: Mapping[str, str] = {}) -> Reply:
    """An event stream of those chunks, each a JSON value.

    >>> stream({"choices": []}).body
    'data: {"choices": []}\\n\\ndata: [DONE]\\n\\n'
    """
    said = [json.dumps(chunk, ensure_ascii=False) for chunk in chunks] + ["[DONE]"] * done
    body = "".join(f"data: {data}\n\n" for data in said)
    return Reply(body, content_type="text/event-stream", headers=headers)


def streamed(
    content: str, *, logprobs: bool = False, usage: tuple[int, int] | None = (120, 30)
) -> Reply:
    """A completion as a stream, two characters a chunk; the usage stands in the last one.

    >>> streamed("hello").content_type
    'text/event-stream'
    """
    pieces = re.findall(r"..?", content, re.DOTALL)
    chunks: list[Any] = []
    for piece in pieces:
        choice: dict[str, Any] = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
        if logprobs:
            choice["logprobs"] = {"content": [{"token": piece, "logprob": -0.25}]}
        chunks.append({"choices": [choice]})
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage is not None:
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
        chunks.append({"choices": [], "usage": counted})
    return stream(*chunks)


def completion(
    content: str | None,
    *,
    finish: str = "stop",
    refusal: str | None = None,
    logprobs: bool = False,
    usage: tuple[Any, Any] | None = (120, 30),
    delay: float = 0.0,
    message: Mapping[str, Any] = {},
) -> Reply:
    """A chat completion with that content; `message` is laid over its message.

    >>> completion("hello").status
    200
    """
    tokens = re.findall(r"..?", content or "", re.DOTALL) if logprobs else []
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "test-model",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "message": {"role": "assistant", "content": content, "refusal": refusal, **message},
                "logprobs": {
                    "content": [
                        {"token": token, "logprob": -0.25, "bytes": None, "top_logprobs": []}
                        for token in tokens
                    ]
                }
                if logprobs
                else None,
            }
        ],
    }
    if usage is not None:
        body["usage"] = {
            "prompt_tokens": usage[0],
            "completion_tokens": usage[1],
            "total_tokens": 0,
        }
    return Reply(json.dumps(body, ensure_ascii=False), delay=delay)


def failure(status: int, message: str = "", **headers: str) -> Reply:
    """An error in the protocol's form; header names are given with _ for -.

    >>> failure(429, "slow down", retry_after="1").headers
    {'retry-after': '1'}
    """
    body = json.dumps({"error": {"message": message, "type": "error", "code": None}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body, status, headers=named)


def web_page(
    status: int = 200, text: str = "<html><body><h1>It works!</h1></body></html>"
) -> Reply:
    """What a web server answers that is no chat server.

    >>> web_page(502).content_type
    'text/html'
    """
    return Reply(text, status, "text/html")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    """Connections that wait to be accepted: socketserver's five reset the rest of a wave of requests."""


Answer = Callable[[Request], "Mapping[str, Any] | str | Reply | Raw"]


class ChatServer:
    """Serves on a free port of the loopback interface while it is entered.

    `answer` gives the fields (or the text, or a whole `Reply`) for a request; without it every asked
    field is null.  `script` holds replies that are given first, one a request.  `structured` is what
    the server knows of `response_format`, `key` what it wants as bearer token, `paths` where else it
    takes questions; with `probed` it answers the probe's question about a bound answer by itself.

    >>> with ChatServer(script=[failure(503)]) as server:
    ...     server.base_url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        answer: Answer | None = None,
        *,
        script: Sequence[Reply | Raw] = (),
        structured: frozenset[str] = ALL_FORMS,
        refusal_status: int = 400,
        refusal_words: str = "unsupported response format: {form}",
        logprobs: bool = False,
        logprobs_refused: bool = False,
        sees: bool = True,
        key: str | None = None,
        models: Sequence[str] = ("test-model",),
        models_reply: Reply | Raw | None = None,
        usage: tuple[Any, Any] | None = (120, 30),
        paths: Sequence[str] = (),
        probed: bool = True,
    ) -> None:
        self.requests: list[Request] = []
        """Every request to /chat/completions, in order of arrival."""
        self.at_once = 0
        """Most requests that were in work at the same time."""
        self._answer = answer or (lambda request: dict.fromkeys(request.asked))
        self._script = list(script)
        self._structured = structured
        self._refusal = (refusal_status, refusal_words)
        self._logprobs = logprobs
        self._logprobs_refused = logprobs_refused
        self._sees = sees
        self._key = key
        self._models = models
        self._models_reply = models_reply
        self._usage = usage
        self._probed = probed
        self._paths = ("/v1/chat/completions", *paths)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._in_work = 0
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _reply(self, request: Request) -> Reply | Raw:
        with self._lock:
            self.requests.append(request)
            scripted = self._script.pop(0) if self._script else None
        if scripted is not None:
            return scripted
        if self._key and request.headers.get("authorization") != f"Bearer {self._key}":
            return failure(401, f"Incorrect API key: {request.headers.get('authorization')}")
        if request.form != "none" and request.form not in self._structured:
            status, words = self._refusal
            return failure(status, words.format(form=request.form))
        if request.body.get("logprobs") and self._logprobs_refused:
            return failure(400, "logprobs are not supported by this model")
        if request.images and not self._sees:
            return failure(400, "this model does not support image input")
        if (
            self._probed
            and request.asked == ("code",)
            and (request.schema or {}).get("additionalProperties") is False
        ):
            return completion('{"code": "Q7"}', usage=self._usage)
        answer = self._answer(request)
        if isinstance(answer, Reply | Raw):
            return answer
        content = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        wants = bool(request.body.get("logprobs")) and self._logprobs
        return completion(content, logprobs=wants, usage=self._usage)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path.rstrip("/") != "/v1/models":
                    return self._send(web_page(404, "<html>not found</html>"))
                listed = {
                    "object": "list",
                    "data": [{"id": name, "object": "model"} for name in server._models],
                }
                self._send(server._models_reply or Reply(json.dumps(listed)))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                path, _, query = self.path.partition("?")
                if path.rstrip("/") not in server._paths:
                    return self._send(web_page(404, "<html>not found</html>"))
                with server._lock:
                    server._in_work += 1
                    server.at_once = max(server.at_once, server._in_work)
                try:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    self._send(server._reply(Request(body, headers, path, query)))
                finally:
                    with server._lock:
                        server._in_work -= 1

            def _send(self, reply: Reply | Raw) -> None:
                if isinstance(reply, Raw):
                    return self._send_raw(reply)
                server._closing.wait(reply.delay)
                data = reply.body.encode("utf-8", "surrogatepass")
                try:
                    self.send_response(reply.status)
                    self.send_header("content-type", reply.content_type)
                    self.send_header("content-length", str(len(data)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    # A client that has given up waiting is one of the cases under test.
                    self.close_connection = True

            def _send_raw(self, reply: Raw) -> None:
                self.close_connection = True
                with suppress(OSError):
                    for piece in reply.pieces():
                        self.wfile.write(piece)
                        self.wfile.flush()
                        if reply.pause and server._closing.wait(reply.pause):
                            return

            def log_message(self, format: str, *args: object) -> None:
                return

        return Handler


def seeing(
    read: Callable[[Image.Image], Sequence[str]], labels: Mapping[str, Sequence[str]]
) -> Answer:
    """An answer that reads the image it was sent: for every asked field what follows its label.

    `read` gives the text lines of an image; the answer knows nothing but the pixels.

    >>> answer = seeing(lambda image: ["Name: Jane"], labels={"name": ("Name",)})
    """

    def answer(request: Request) -> Mapping[str, Any]:
        lines = [line.replace(" ", "") for image in request.images for line in read(image)]
        return {name: _after_label(labels.get(name, (name,)), lines) for name in request.asked}

    return answer


def _after_label(labels: Sequence[str], lines: Sequence[str]) -> str | None:
    for label in labels:
        for position, line in enumerate(lines):
            before, found, after = line.partition(label)
            value = after.lstrip(":：")
            if found and not before and value:
                return value
            if found and not before and position + 1 < len(lines):
                return lines[position + 1]
    return None

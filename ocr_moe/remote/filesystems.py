"""Files that are named by URLs which fsspec knows: listed, looked at, read and fetched.

Credentials come from where the backends look for them (environment, profiles, the machine's role), never
from us; what stands for one in a URL is in no message.  Backends retry with back-off what a storage
refuses for a while; an error that reaches us is for good, whatever its type, and becomes one sentence.
fsspec and its backends are loaded when the first URL is met.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from ocr_moe.errors import MissingDependencyError, UsageError
from ocr_moe.formats.addresses import without_credentials
from ocr_moe.types import FileState

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*::)*[A-Za-z][A-Za-z0-9+.-]*://")
_LOCAL = re.compile(r"(?:file|local)://", re.IGNORECASE)
_FOLDED = re.compile(
    r"(s3a?|gs|gcs|az|abfss?|adl|oss|memory|https?|sftp|ftp|hdfs|file):[/\\](?![/\\])"
)
"""A URL that went through `pathlib`, which folds its slashes."""
_MAGIC = re.compile(r"[*?[]")
_EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "az": "azure",
    "abfs": "azure",
    "abfss": "azure",
}
"""Scheme → the extra of ocr-moe that brings its backend."""
_OBJECT_STORES = frozenset(
    ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "memory")
)
_TAGS = ("ETag", "etag", "md5Hash", "generation", "crc32c", "content_settings.content_md5")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Under which keys backends tell what a file's content is known by, and when it was written."""
_BLOCK = 4 << 20
"""Bytes that are asked for at once where a file is read in part."""
_LONG = 300
"""Characters of a backend's own words that are kept."""
_REFUSED = frozenset(
    {
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
        *(
            "ClientAuthenticationError",
            "DefaultCredentialsError",
            "RefreshError",
            "TokenRetrievalError",
        ),
        *("NoAuthTokenError", "UnauthorizedSSOTokenError", "SSOTokenLoadError", "ProfileNotFound"),
    }
)
_UNREACHED = frozenset(
    {
        *("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "HTTPClientError"),
        *(
            "ClientConnectorError",
            "ClientConnectionError",
            "ServerDisconnectedError",
            "ClientOSError",
        ),
        *("ConnectionClosedError", "FSTimeoutError", "ServiceRequestError", "ClientPayloadError"),
        *("IncompleteReadError", "ServiceResponseError", "gaierror"),
    }
)
"""Names of backends' exceptions; the backends themselves may not be installed."""


def is_url(text: str) -> bool:
    """Whether a PATH is a URL, of whatever scheme."""
    return _URL.match(text) is not None


def as_given(path: str | PathLike[str]) -> str:
    """A PATH as it was typed: a URL that was made a `pathlib.Path` on the way becomes one again."""
    text = str(path)
    if isinstance(path, str) or not _FOLDED.match(text) or Path(text).exists():
        return text
    scheme, _, rest = text.replace("\\", "/").partition(":/")
    return f"{scheme}://{rest}"


def local_path(url: str) -> str | None:
    """The path that a `file:` URL stands for; None for all other URLs."""
    if not _LOCAL.match(url):
        return None
    return unquote(urlsplit(url).path) if url.lower().startswith("file://") else url[8:]


def shown(url: str) -> str:
    """A URL without what stands for a credential in it: users, passwords, signatures."""
    return without_credentials(url)


@dataclass(frozen=True)
class RemoteFile:
    """A file behind a URL; small, and of use in every process that has the same credentials."""

    url: str

    def __str__(self) -> str:
        return shown(self.url)

    @property
    def parts(self) -> tuple[str, ...]:
        """The scheme, and what stands between slashes, without a query; of a chain, what holds the rest
        comes first."""
        found: list[str] = []
        for link in reversed(self.url.split("::")):
            scheme, _, rest = link.partition("://")
            if _is_web(link):
                rest = unquote(re.split(r"[?#]", rest, maxsplit=1)[0])
            found += [f"{scheme}:"] if rest and not found else []
            found += [part for part in rest.split("/") if part]
        return tuple(found)

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def is_object(self) -> bool:
        """Whether it is in an object store, or in an archive there: what a run from elsewhere names may
        be opened then, as no other server is asked for it."""
        schemes = {link.partition("://")[0].lower() for link in self.url.split("::")}
        return schemes <= _OBJECT_STORES | {"zip"}

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix

    def open(self) -> IO[bytes]:
        """Its bytes from any place on, read as they are needed. Raises RemoteError."""
        with telling(self.url) as (system, path):
            return io.BufferedReader(_Stream(system, system.open(path, "rb", block_size=_BLOCK)))

    def state(self) -> FileState | None:
        """What the storage tells of it now. Raises RemoteError."""
        with telling(self.url) as (system, path):
            return _state(system.info(path))

    def fetch(self, to: Path) -> None:
        """Copy it to a local file. Raises RemoteError, or OSError where that cannot be written."""
        with telling(self.url) as (system, path):
            system.get_file(path, str(to))


class RemoteError(OSError):
    """A file behind a URL cannot be had; `strerror` is why, and what to do."""

    def __init__(self, why: str, *, absent: bool = False) -> None:
        super().__init__(None, why)
        self.absent = absent
        """Whether there is nothing."""


class _Stream(io.RawIOBase):
    """A file of a backend, whose errors say what is wrong."""

    def __init__(self, system: AbstractFileSystem, stream: IO[bytes]) -> None:
        self._system = system  # that of an archive closes it when it is let go of
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with _worded():
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with _worded():
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def files_behind(url: str) -> Iterator[tuple[RemoteFile, str, FileState | None]]:
    """What a URL names: a file, all files below it, or what matches its pattern; each with its name
    relative to the URL. Listed in pages, few in memory where the backend lists so.

    Raises RemoteError where it cannot be looked at, UsageError where no backend knows the scheme.
    """
    with telling(url) as (system, path):
        if _is_web(url):
            info = system.info(path)
            yield RemoteFile(url), RemoteFile(url).name, _state(info)
            return
        try:
            info = system.info(path)
        except FileNotFoundError:
            if not _MAGIC.search(path):
                raise
            for name, info in system.glob(path, detail=True).items():
                if info.get("type") == "file":
                    file = RemoteFile(_url_of(url, system, name))
                    yield file, file.name, _state(info)
            return
        if info.get("type") != "directory":
            yield RemoteFile(url), RemoteFile(url).name, _state(info)
            return
        root = path.rstrip("/")
        for info in _below(system, root):
            name = info["name"]
            relative = name[len(root) :].lstrip("/") if name.startswith(root) else name
            yield RemoteFile(_url_of(url, system, name)), relative, _state(info)


def system_of(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system behind a URL, and the path in it. Raises MissingDependencyError or UsageError."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingDependencyError(f"{shown(url)}: URLs need the package fsspec") from error
    scheme = re.split("::|://", url, maxsplit=1)[0].lower()
    try:
        # Listings are not to be kept: what others write meanwhile is to be seen, and they may be huge.
        system, path = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        needed = re.split("::|://", url.rpartition("::")[2], maxsplit=1)[0].lower()
        extra = _EXTRAS.get(needed) or _EXTRAS.get(scheme)
        install = f"pip install 'ocr-moe[{extra}]'" if extra else str(error)
        raise MissingDependencyError(f"{shown(url)}: needs a package: {install}") from error
    except ValueError as error:
        raise UsageError(
            f"{shown(url)}: no storage is known by {scheme}://; there are s3://, gs://, az:// and all "
            "that fsspec knows"
        ) from error
    return system, path


def put(file: Path, url: str) -> None:
    """Copy a local file to a URL, in parts where it is large. Raises RemoteError."""
    with telling(url) as (system, path):
        system.put_file(str(file), path)


def remove(url: str) -> None:
    """Delete what is behind a URL; nothing where nothing is. Raises RemoteError."""
    with telling(url) as (system, path), suppress(FileNotFoundError):
        system.rm_file(path)


@contextmanager
def telling(url: str) -> Iterator[tuple[AbstractFileSystem, str]]:
    """The file system behind a URL; what it raises in the block becomes a RemoteError."""
    with _worded():
        yield system_of(url)


@contextmanager
def _worded() -> Iterator[None]:
    """What a backend raises in the block becomes a RemoteError."""
    try:
        yield
    except (GeneratorExit, UsageError, RemoteError):
        raise
    except Exception as error:
        raise RemoteError(_why(error), absent=isinstance(error, FileNotFoundError)) from error


def _why(error: Exception) -> str:
    """Why a storage does not give what it is asked for, and what to do."""
    seen: BaseException | None = error
    names: set[str] = set()
    while seen is not None:
        names |= {kind.__name__ for kind in type(seen).__mro__}
        seen = seen.__cause__
    if isinstance(error, FileNotFoundError):
        return "there is no such file, folder or bucket"
    if isinstance(error, PermissionError) or names & _REFUSED:
        return (
            "the storage refuses access; see that the credentials of this machine (environment, "
            "profile or role) are valid for it"
        )
    if isinstance(error, ConnectionError | TimeoutError) or names & _UNREACHED:
        return f"the storage cannot be reached ({type(error).__name__}); run again when it can"
    words = shown(" ".join(str(error).split()))[:_LONG]
    return f"the storage gave an error ({type(error).__name__}: {words})"


def _below(system: AbstractFileSystem, root: str) -> Iterator[Mapping[str, Any]]:
    """All files below a folder, as the backend tells of them."""
    if "s3" in _schemes(system):
        yield from _pages_of_s3(system, root)
        return
    for _, _, files in system.walk(root, detail=True, on_error="raise"):
        yield from files.values()


def _pages_of_s3(system: AbstractFileSystem, root: str) -> Iterator[Mapping[str, Any]]:
    """The same a page of a thousand at a time: s3fs itself would hold all of them."""
    bucket, _, prefix = root.partition("/")
    asked = {"Bucket": bucket, "Prefix": f"{prefix}/" if prefix else ""}
    while True:
        page = system.call_s3("list_objects_v2", **asked)
        for each in page.get("Contents", ()):
            yield {**each, "name": f"{bucket}/{each['Key']}", "size": each["Size"]}
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _schemes(system: AbstractFileSystem) -> tuple[str, ...]:
    known = system.protocol
    return (known,) if isinstance(known, str) else tuple(known)


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _url_of(given: str, system: AbstractFileSystem, name: str) -> str:
    """The URL of a file that was found behind another URL."""
    head, chained, rest = given.partition("::")
    if not chained:
        return str(system.unstrip_protocol(name))
    scheme = head.partition("://")[0]
    return f"{scheme}://{name.lstrip('/')}::{rest}"


def _state(info: Mapping[str, Any]) -> FileState | None:
    """None where nothing is told by which a change would be seen."""
    tag = next((str(info[key]) for key in _TAGS if info.get(key)), "")
    written = next((info[key] for key in _TIMES if info.get(key)), None)
    modified = 0 if tag else _nanoseconds(written)
    if info.get("size") is None or not (tag or modified):
        return None
    return FileState(int(info["size"]), modified, tag)


def _nanoseconds(moment: object) -> int:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return 0
    if isinstance(moment, datetime):
        moment = moment.timestamp()
    return int(moment * 1e9) if isinstance(moment, int | float) else 0

"""Files: what the desk writes, and what a person corrected elsewhere and gives back."""

from __future__ import annotations

import tempfile
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, Request, Response, UploadFile
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from ocr_moe.errors import OcrMoeError
from ocr_moe.evaluation.truth.problems import Problem
from ocr_moe.formats.names import safe_name
from ocr_moe.formats.phrases import Language
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.taking import taken_in
from ocr_moe.web.desk.frame import (
    NotFoundError,
    RefusedError,
    back,
    desk_of,
    reviewer_of,
    shown,
)
from ocr_moe.web.pages import language_of

DOCUMENTS = "documents"
FILES = ("verified.xlsx", "records.xlsx", "records.jsonl", "review.html", DOCUMENTS)
"""What is given out, by its name within a run; of a folder, an archive."""
MAX_UPLOAD = 64 * 1024 * 1024
"""Bytes of a workbook that is taken in; one of 100,000 rows has a fifth of that."""
_STEP = 1024 * 1024


router = APIRouter()


@dataclass(frozen=True)
class ExportState:
    """How far writing is."""

    busy: bool = False
    writing: str = ""
    """The file that is being written."""
    finished: str = ""
    """When the files were written last by this desk, ISO 8601 in UTC."""
    failure: str = ""


class Exports:
    """Writes a desk's files, in the background. Safe to share between threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._state = ExportState()

    @property
    def state(self) -> ExportState:
        return self._state

    def begin(self, language: Language) -> None:
        """Write all files anew; does nothing where that is under way."""
        with self._lock:
            if self._state.busy:
                return
            before = self._state
            self._state = ExportState(True, "", before.finished)
        # Not a daemon: a desk that ends waits for its files.
        threading.Thread(target=self._write, args=(language,), name="exports").start()

    def _write(self, language: Language) -> None:
        before = self._state
        try:
            self._desk.export(self._tell, language)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._state = ExportState(finished=now)
        except OcrMoeError as error:
            self._state = ExportState(finished=before.finished, failure=str(error))
        except BaseException as error:
            why = f"unexpected error ({type(error).__name__})"
            self._state = ExportState(finished=before.finished, failure=why)
            raise

    def _tell(self, target: str) -> None:
        state = self._state
        self._state = ExportState(True, target, state.finished)


@dataclass(frozen=True)
class _File:
    name: str
    size: int
    """Bytes; 0 of a folder."""
    at: str
    """When it was written, ISO 8601 in UTC."""


@router.get("/files")
def files_page(request: Request, new: int = -1) -> Response:
    """What can be downloaded and given back."""
    reviewer_of(request)
    return _files(request, new=new)


def _files(request: Request, *, new: int = -1, problems: Sequence[Problem] = ()) -> Response:
    desk = desk_of(request)
    state: ExportState = request.app.state.exports.state
    return shown(
        request,
        "files.html",
        "files",
        files=[_file(_folder_of(desk, name) / name, name) for name in FILES],
        state=state,
        newer=desk.unwritten,
        counts=desk.overview(),
        new=new,
        problems=[each.told(language_of(request)) for each in problems],
    )


@router.post("/files/write")
def write_files(request: Request) -> Response:
    """Begin to write all files anew."""
    reviewer_of(request)
    request.app.state.exports.begin(language_of(request))
    return back(request, "/files")


@router.get("/files/state")
def files_state(request: Request) -> dict[str, bool | str]:
    """Whether files are being written, and which."""
    state: ExportState = request.app.state.exports.state
    return {"busy": state.busy, "writing": state.writing}


@router.get("/files/{name}")
def download(request: Request, name: str) -> Response:
    """A file with all that was decided: written anew where it lacks something."""
    if name not in FILES:
        raise NotFoundError
    desk = desk_of(request)
    path = _folder_of(desk, name) / name
    if desk.unwritten:
        desk.export(language=language_of(request))
    if not path.exists():
        raise RefusedError("problem_not_written")
    if name == DOCUMENTS:
        return _archive(path)
    return FileResponse(path, filename=name)


@router.post("/files/take-in")
def take_in(request: Request, file: UploadFile) -> Response:
    """Take in what a person corrected or marked as checked."""
    reviewer, desk = reviewer_of(request), desk_of(request)
    name = (file.filename or "file").replace("\\", "/").rpartition("/")[2]
    with tempfile.TemporaryDirectory(prefix="ocr_moe-") as folder:
        path = Path(folder) / safe_name(name)  # the client's name, but in a folder of its own
        size = 0
        with path.open("wb") as target:
            while chunk := file.file.read(_STEP):
                size += len(chunk)
                if size > MAX_UPLOAD:
                    raise RefusedError("problem_large", limit=MAX_UPLOAD // _STEP)
                target.write(chunk)
        new, problems = taken_in(desk, path, reviewer)
    if problems:
        return _files(request, new=new, problems=problems)
    return back(request, "/files", new=str(new))


def _folder_of(desk: Desk, name: str) -> Path:
    """Where a file of the reviewed strategy lies."""
    return desk.export_folder if name != "verified.xlsx" else desk.run.folder


def _file(path: Path, name: str) -> _File | None:
    try:
        found = path.stat()
    except OSError:
        return None
    at = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
    return _File(name, 0 if path.is_dir() else found.st_size, at)


def _archive(folder: Path) -> Response:
    """A folder of JSON files as one to download."""
    with tempfile.NamedTemporaryFile(prefix="ocr_moe-", suffix=".zip", delete=False) as target:
        written = Path(target.name)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*.json")):
                archive.write(path, path.relative_to(folder).as_posix())
    return FileResponse(
        written, filename=f"{folder.name}.zip", background=BackgroundTask(written.unlink)
    )

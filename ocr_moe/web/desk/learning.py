"""What was learnt from people's words: how right every strategy is, and what a refit would change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from ocr_moe.errors import OcrMoeError, TruthError
from ocr_moe.evaluation.scores import Scores
from ocr_moe.formats.phrases import Language, Phrase
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.scoring import refit, said, score_verified
from ocr_moe.store.database import Store
from ocr_moe.web.desk.frame import NotFoundError, back, desk_of, reviewer_of, shown
from ocr_moe.web.pages import language_of

FOLDER = "verified"
"""Of a run: what is written here."""
FILES = ("report.html", "accuracy.xlsx", "scores.json", "calibrated.yaml", "recommended.yaml")
"""What is given out of it, as far as it is there."""

router = APIRouter()


@dataclass(frozen=True)
class Lesson:
    """What came of it when it was last looked at."""

    busy: bool = False
    known: int = -1
    """The last judgement that it rests on."""
    scores: Scores | None = None
    sentences: Sequence[Phrase] = ()
    nothing: bool = False
    """Whether nothing is verified yet."""
    failure: str = ""


class Learning:
    """Scores and refits in the background, over the store as it is then. Safe between threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self.lesson = Lesson()

    def begin(self, language: Language) -> None:
        """Look anew; does nothing where that is under way."""
        with self._lock:
            if self.lesson.busy:
                return
            self.lesson = Lesson(busy=True)
        # Not a daemon: the store is open while it reads.
        threading.Thread(target=self._learn, args=(language,), name="learning").start()

    def _learn(self, language: Language) -> None:
        known = self._desk.store.last_judgement()
        try:
            self.lesson = self._learnt(known, language)
        except TruthError as error:
            self.lesson = Lesson(known=known, nothing=True, failure=str(error))
        except OcrMoeError as error:
            self.lesson = Lesson(known=known, failure=str(error))
        except BaseException as error:
            self.lesson = Lesson(known=known, failure=f"unexpected error ({type(error).__name__})")
            raise

    def _learnt(self, known: int, language: Language) -> Lesson:
        run = self._desk.run
        strategies = [run.workshop.strategy(name) for name in run.strategies]
        folder = run.folder / FOLDER
        with Store(self._desk.store.path, write=False) as store, store.snapshot():
            scores = score_verified(
                store,
                strategies,
                run.schemas,
                folder,
                language=language,
                image_source=self._desk.pictures,
            )
            learnt = refit(store, run.workshop, strategies, run.schemas, judged=self._desk.strategy)
        for name in ("calibrated.yaml", "calibration.yaml", "recommended.yaml"):
            with suppress(OSError):
                (folder / name).unlink()
        learnt.write(folder, run.config)
        return Lesson(known=known, scores=scores, sentences=learnt.sentences)


@router.get("/learning")
def learning_page(request: Request) -> Response:
    """How right every strategy is on what people verified, and what could be learnt from that."""
    reviewer_of(request)
    desk = desk_of(request)
    lesson: Lesson = request.app.state.learning.lesson
    folder = desk.run.folder / FOLDER
    return shown(
        request,
        "learning.html",
        "learning",
        lesson=lesson,
        newer=desk.store.last_judgement() - max(lesson.known, 0),
        sentences=said(lesson.sentences, language_of(request)),
        files=[name for name in FILES if lesson.scores and (folder / name).is_file()],
    )


@router.post("/learning")
def learn(request: Request) -> Response:
    """Begin to look anew."""
    reviewer_of(request)
    request.app.state.learning.begin(language_of(request))
    return back(request, "/learning")


@router.get("/learning/state")
def learning_state(request: Request) -> dict[str, bool]:
    """Whether it is being looked at."""
    return {"busy": request.app.state.learning.lesson.busy}


@router.get("/learning/{name}")
def download(request: Request, name: str) -> Response:
    """A file that was written."""
    if name not in FILES:
        raise NotFoundError
    path = desk_of(request).run.folder / FOLDER / name
    if not path.is_file():
        raise NotFoundError
    return FileResponse(path, filename=name)

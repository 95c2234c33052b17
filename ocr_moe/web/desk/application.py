"""The review desk as an application: its pages, and what they ask for."""

from __future__ import annotations

from fastapi import FastAPI

from ocr_moe.reviewing.desk import Desk
from ocr_moe.web.desk import decisions, documents, exports, frame, learning, overview
from ocr_moe.web.desk.cells import cells_router
from ocr_moe.web.desk.exports import Exports
from ocr_moe.web.desk.images import images_router
from ocr_moe.web.desk.learning import Learning
from ocr_moe.web.desk.reviewers import Reviewers
from ocr_moe.web.pages import Pages


def desk_app(desk: Desk) -> FastAPI:
    """The desk over a run, to be served alone or mounted below a path of the service.

    It trusts whoever asks: `ocr_moe.web.guard` stands before it.
    """
    app = FastAPI(title="ocr_moe review desk", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.desk = desk
    app.state.reviewers = Reviewers(desk.options)
    app.state.pages = Pages("desk")
    app.state.pages.mount(app)
    app.state.exports = Exports(desk)
    app.state.learning = Learning(desk)
    frame.answer_errors(app)
    for room in (overview, documents, decisions, learning, exports):
        app.include_router(room.router)
    app.include_router(cells_router())
    app.include_router(images_router())
    return app

"""Page images and crops for the desk. A client names a document by its id and never a path."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from fastapi import APIRouter, Request, Response

from ocr_moe.formats.phrases import Phrase
from ocr_moe.imaging.jpeg import jpeg
from ocr_moe.reviewing.desk import Desk
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.run.pictures import surrounded
from ocr_moe.types import Box, DocumentRef
from ocr_moe.web.desk.problems import Problem, ProblemRoute

WIDTHS = (480, 1200, 2000)
"""Widths in which pages are given, in pixels: a thumbnail, a phone, a desk. Few, so they are kept."""
_WIDEST_CROP = 1600
_QUALITY = 86
"""Of JPEG: strokes stay clean, and a page is some 300 kB."""
_KEPT = 48 << 20
"""Bytes of encoded images that are kept: some 150 pages."""
_FRESH = "private, max-age=3600"
"""Images are the documents': no shared cache may hold them."""


class _Encoded:
    """Encoded images by their tag, the latest used kept. Safe to share between threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, tag: str) -> tuple[bytes, str] | None:
        with self._lock:
            if tag in self._kept:
                self._kept.move_to_end(tag)
            return self._kept.get(tag)

    def put(self, tag: str, body: bytes, box: str) -> None:
        with self._lock:
            if tag in self._kept:
                return
            self._kept[tag] = body, box
            self._bytes += len(body)
            while self._bytes > _KEPT:
                _, (dropped, _) = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


def images_router() -> APIRouter:
    """Images by the document's id: /img/page/… and /img/crop/…."""
    router = APIRouter(route_class=ProblemRoute)
    encoded = _Encoded()

    @router.get("/img/page/{doc_id}/{page}")
    def page_image(request: Request, doc_id: str, page: int, w: int = WIDTHS[-1]) -> Response:
        desk: Desk = request.app.state.desk
        document = _document(desk, doc_id)
        if not 1 <= page <= max(document.pages, 1):
            raise KeyError(page)
        width = next((each for each in WIDTHS if each >= w), WIDTHS[-1])
        tag = _tag(document, page, str(width))
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _FRESH})
        found = encoded.get(tag)
        if found is None:
            image = desk.pictures.page(document, page)
            found = jpeg(image, (width, image.height), _QUALITY), ""
            encoded.put(tag, *found)
        return _image(found[0], tag)

    @router.get("/img/crop/{doc_id}/{field}")
    def crop_image(
        request: Request, doc_id: str, field: str, row: int | None = None, column: str = ""
    ) -> Response:
        """What stands at the evidence of a cell, or of one in a row (counted from 0) and column of a
        table, a little around it included. The header Crop-Box tells which part of the page that is:
        x0, y0, x1, y1 in fractions of it."""
        desk: Desk = request.app.state.desk
        record = desk.record(desk.key_of_id(doc_id))
        if row is not None and _is_second_look(
            request, desk, CellKey(desk.key_of_id(doc_id), field)
        ):
            # Its rows are those that were read, whatever the first reviewer made of them.
            record = desk.store.record(desk.strategy, desk.key_of_id(doc_id), alone=True)
        decision = None if record is None else record.fields[field]
        if decision is not None and row is not None:
            decision = decision.rows[row].get(column) if 0 <= row < len(decision.rows) else None
        if record is None or decision is None or decision.evidence is None:
            raise Problem(404, Phrase("cell_problem_no_place"), kind="no_place")
        evidence = decision.evidence
        document = record.document
        tag = _tag(document, evidence.page, ",".join(f"{edge:.5f}" for edge in evidence.box))
        found = encoded.get(tag)
        if found is None:
            page = desk.pictures.page(document, evidence.page)
            shown = surrounded(evidence.box, page.width / page.height)
            crop = desk.pictures.crop(document, evidence.box, evidence.page)
            found = jpeg(crop, (_WIDEST_CROP, crop.height), _QUALITY), _written(shown)
            encoded.put(tag, *found)
        headers = {"Crop-Box": found[1]}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag, **headers})
        # Where a value stands may change with what people say: asked for anew, though mostly unchanged.
        return _image(found[0], tag, {**headers, "Cache-Control": "private, no-cache"})

    return router


def _is_second_look(request: Request, desk: Desk, key: CellKey) -> bool:
    reviewer = request.app.state.reviewers.of(request)
    return reviewer is not None and desk.is_second_look(key, reviewer)


def _document(desk: Desk, doc_id: str) -> DocumentRef:
    record = desk.record(desk.key_of_id(doc_id))
    if record is None:
        raise KeyError(doc_id)
    return record.document


def _tag(document: DocumentRef, page: int, what: str) -> str:
    return f'"{document.sha256[:24]}-{document.page + page - 1}-{document.rotation}-{what}"'


def _written(box: Box) -> str:
    return ",".join(f"{edge:.6f}" for edge in box)


def _image(body: bytes, tag: str, headers: dict[str, str] | None = None) -> Response:
    told = {"ETag": tag, "Cache-Control": _FRESH, "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type="image/jpeg", headers=told | (headers or {}))

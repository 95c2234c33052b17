"""PDFs written by hand, for what no library writes."""

from __future__ import annotations

from collections.abc import Sequence


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalogue."""
    data = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + end


def stream(data: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(data), data)


def page_with(
    content: bytes,
    *more: bytes,
    box: bytes = b"0 0 612 792",
    catalogue: bytes = b"",
    entries: bytes = b"",
) -> bytes:
    """One page: its content stream is object 4, `more` are objects from 5 on.

    Object 5 is the image /I, objects 6 and 7 are the fonts /F and /C, where the content uses them.
    """
    resources = b"<</XObject<</I 5 0 R>>/Font<</F 6 0 R/C 7 0 R>>/ExtGState<</G<</ca 0.5>>>>>>"
    return pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R%s>>" % catalogue,
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources%s%s>>"
            % (box, resources, entries),
            stream(content),
            *more,
        ]
    )


def image(
    width: int, height: int, data: bytes, coding: bytes = b"DCTDecode", space: bytes = b"DeviceRGB"
) -> bytes:
    """An image object."""
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/Filter/%s" % (width, height, coding)
    return stream(data, entries + b"/BitsPerComponent 8/ColorSpace/%s" % space)


FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"

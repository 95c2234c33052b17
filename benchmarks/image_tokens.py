"""How many tokens of images does a vision expert save that shows parts of pages?

Counts, for every certificate of a folder, the tokens of what `image: page`, `crop` and `region` would
send, by the formulas that are published: Qwen2.5-VL (a token for 28 × 28 pixels; arXiv:2502.13923) and
OpenAI's tiles (85, and 170 for each 512 × 512 of the image reduced to 2,048 pixels and its short side
to 768). Pages are read by the configured OCR; nobody is asked. Says nothing about accuracy.

    python -m benchmarks.image_tokens [FOLDER] [--limit 20] [--ocr FILE]
"""

from __future__ import annotations

import argparse
import io
import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.results import publish
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.experts.llm.vision import Vision, VisionParams
from ocr_moe.exports.ocr import read_ocr
from ocr_moe.intake.decoding import Decoder
from ocr_moe.intake.sources import discover
from ocr_moe.protocols import ChatImage
from ocr_moe.run.documents import IMPORTED, PageReader, open_document
from ocr_moe.store.database import Store
from ocr_moe.testing import StubServices
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

SAMPLES = Path(__file__).parent.parent / "data_samples" / "graduation_certificate"
SCHEMA = "graduation_certificate"
_PATCH = 28
_TILE, _TILE_TOKENS, _BASE_TOKENS = 512, 170, 85
_LONGEST, _SHORT = 2048, 768


def qwen_tokens(width: int, height: int) -> int:
    """Of an image whose sides are rounded to whole squares."""
    return max(1, round(width / _PATCH)) * max(1, round(height / _PATCH))


def openai_tokens(width: int, height: int) -> int:
    """Of an image in detail `high` (GPT-4o, GPT-4.1)."""
    scale = min(1.0, _LONGEST / max(width, height))
    scale *= min(1.0, _SHORT / (scale * min(width, height)))
    tiles = math.ceil(width * scale / _TILE) * math.ceil(height * scale / _TILE)
    return _BASE_TOKENS + _TILE_TOKENS * tiles


COUNTS = {"Qwen2.5-VL": qwen_tokens, "OpenAI": openai_tokens}


def sizes(images: Sequence[ChatImage]) -> list[tuple[int, int]]:
    return [Image.open(io.BytesIO(image.data)).size for image in images]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SAMPLES)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--ocr", type=Path, help="page OCR as `ocr-moe export --ocr` writes it")
    options = parser.parse_args()
    config, schema = load_config(), find_schema(SCHEMA)
    workshop = Workshop(config)
    nobody = ChatEndpoint("vision", ChatParams(base_url="http://127.0.0.1:9/v1", model="none"))
    services = StubServices(chat=nobody, engine=workshop.engine("default"))
    experts = {
        kind: Vision(kind, VisionParams(image=kind), services)
        for kind in ("page", "crop", "region")
    }
    found: dict[tuple[str, str], list[int]] = {}
    whole = 0
    sources = list(discover([str(options.folder)]))[: options.limit or None]
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder, "store.sqlite")) as store,
        Decoder(config.images) as decoder,
    ):
        if options.ocr is not None:
            store.put_pages((p.sha256, p.page, IMPORTED, p.text) for p in read_ocr(options.ocr))
        for source in sources:
            sha256 = source.digest(config.images)
            reader = PageReader(source, sha256, workshop.engine("default"), store, decoder)
            document = open_document(source, sha256, schema, reader, 1, 1)
            shown = {
                kind: [
                    size
                    for request in expert._requests(document, schema.fields)
                    for size in sizes(request.images)
                ]
                for kind, expert in experts.items()
            }
            whole += shown["region"] == shown["page"]
            for kind, images in shown.items():
                for model, tokens in COUNTS.items():
                    count = sum(tokens(*size) for size in images)
                    found.setdefault((model, kind), []).append(count)
            reader.close()
    means = {key: statistics.mean(counts) for key, counts in found.items()}
    publish(
        "image_tokens",
        {
            "pages": len(sources),
            "whole_pages": whole,
            "tokens_a_page": {f"{model} {kind}": mean for (model, kind), mean in means.items()},
        },
        [
            f"{len(sources)} pages; `region` shows the whole page of {whole}",
            *(
                f"{model} {kind}: {mean:,.0f} tokens a page, "
                f"{mean / means[model, 'page']:.0%} of the page"
                for (model, kind), mean in means.items()
            ),
        ],
    )


if __name__ == "__main__":
    main()

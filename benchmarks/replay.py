"""How long does it take to compare strategies that are recorded already?

Fills a store with answers of every expert about small files that nobody needs to open, as a live run
would have left them, and replays five strategies over it: routing, combining, and the records.

    python -m benchmarks.replay [--documents 10000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from ocr_moe.intake.sources import digest, discover
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.documents import IMPORTED
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Question, Store
from ocr_moe.types import Answer, Cost, Evidence, Line, PageText, Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

STRATEGIES = ("rules", "ocr_page_llm", "vision_all", "ocr_hint_vision", "moe")
EXPERTS = {
    "rules": 0.93,
    "codes": 0.97,
    "ocr_page_llm": 0.9,
    "vision_all": 0.9,
    "ocr_hint_vision": 0.93,
}
"""Expert → share of the cells that it reads right."""


def fill(store: Store, files: list[Path], schema: Schema, workshop: Workshop) -> None:
    """Page text and one answer of every expert about every file."""
    random = Random(0)
    fingerprints = {
        name: workshop.expert(name).fingerprint
        if name in ("rules", "codes")
        else f"{name}/recorded"
        for name in EXPERTS
    }
    codes = [field for field in schema.fields if field.kind is Kind.CODE]
    for file in files:
        sha256 = digest(file)
        store.put_page_count(sha256, 1)
        store.put_page(sha256, 1, IMPORTED, page_text())
        truth = {field.name: value_of(field, random) for field in schema.fields}
        for name, accuracy in EXPERTS.items():
            fields = codes if name == "codes" else list(schema.fields)
            answer = Answer(
                expert=fingerprints[name],
                readings=tuple(readings(fields, truth, accuracy, random)),
                cost=Cost(calls=1, prompt_tokens=900, seconds=0.5),
                model="recorded",
            )
            question = Question(
                sha256=sha256,
                page=1,
                fingerprint=fingerprints[name],
                digest=digest_fields(schema.name, fields),
                expert=name,
                schema=schema.name,
                fields=tuple(field.name for field in fields),
            )
            store.put_answer(question, answer)


def page_text() -> PageText:
    lines = tuple(
        Line(
            text=f"第{i}行文字，大约二十个字的样子在这里",
            confidence=0.98,
            quad=((0.1, i / 30), (0.9, i / 30), (0.9, (i + 1) / 30), (0.1, (i + 1) / 30)),
        )
        for i in range(24)
    )
    return PageText(engine=IMPORTED, width=1500, height=1060, rotation=0, lines=lines, seconds=0.5)


def value_of(field: Field, random: Random) -> str:
    match field.kind:
        case Kind.CODE:
            return "".join(random.choices("0123456789", k=18))
        case Kind.DATE:
            return f"20{random.randint(10, 24)}-06-{random.randint(10, 28)}"
        case Kind.ENUM:
            return random.choice(list(field.values))
        case _:
            return "".join(random.choices("大学信息工程经济管理北京上海江苏四川", k=6))


def readings(
    fields: list[Field], truth: dict[str, str], accuracy: float, random: Random
) -> Iterator[Reading]:
    for field in fields:
        value = truth[field.name]
        right = random.random() < accuracy
        yield Reading(
            field=field.name,
            value=value if right else value_of(field, random),
            raw=value,
            score=random.uniform(0.7, 1.0) if right else random.uniform(0.2, 1.0),
            evidence=Evidence(box=(0.1, 0.1, 0.5, 0.2), text=value),
            features={"conf": 0.95, "label": 1.0, "margin": random.random()},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=10_000)
    options = parser.parse_args()
    config = load_config()
    schema = find_schema("graduation_certificate")
    with tempfile.TemporaryDirectory() as folder:
        scans, out = Path(folder, "scans"), Path(folder, "out")
        scans.mkdir()
        files = [scans / f"{i:06d}.png" for i in range(options.documents)]
        for i, file in enumerate(files):
            file.write_bytes(b"%d" % i)
        with Store(out / STORE) as store:
            fill(store, files, schema, Workshop(config))
        with Store(out / STORE, write=False) as recorded:
            workshop = Workshop(config, recorded=recorded)
            strategies = [workshop.strategy(name) for name in STRATEGIES]
            with Batch(out, workshop=workshop, strategies=strategies, schemas=[schema]) as batch:
                start = time.perf_counter()
                outcome = batch.execute(discover([str(scans)]))
                replayed = time.perf_counter() - start
                batch.export()
                exported = time.perf_counter() - start - replayed
    print(f"{outcome.documents} documents, {len(STRATEGIES)} strategies, {outcome.failed} failed")
    print(f"replayed in {replayed:.1f} s, exported in {exported:.1f} s")


if __name__ == "__main__":
    main()

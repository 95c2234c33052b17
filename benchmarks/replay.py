"""How long does it take to decide anew what is recorded already, by several strategies?

Fills a store with what experts would have said of files that nobody needs to open, as a live run would
have left it: every question that the strategies' gates put has its answer. Then five strategies are
replayed over it: routing, combining, and the records, in as many processes as there are cores.

    python -m benchmarks.replay [--documents 10000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from benchmarks.results import REPEATS, Spread, publish
from ocr_moe.intake.sources import digest, discover
from ocr_moe.protocols import Ask
from ocr_moe.routing.loop import Strategy, decide
from ocr_moe.routing.recall import digest_fields
from ocr_moe.run.batch import STORE, Batch
from ocr_moe.run.documents import IMPORTED
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Question, Store
from ocr_moe.types import Answer, Cost, Evidence, Line, PageText, Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

STRATEGIES = ("rules", "ocr_page_llm", "vision_all", "ocr_hint_vision", "moe")
GOAL = (10_000, 10.0)
"""Documents, and seconds that replaying all strategies over them may take on two cores."""
ASKED_ABOUT = ("ocr_page_llm", "vision_all", "ocr_hint_vision")
"""Experts that nobody has here: their recorded answers stand in for them."""
ACCURACY = {"codes": 0.97, "typed": 0.95, "rules": 0.93, "ocr_hint_vision": 0.93}
"""Expert → share of the cells that it reads right."""
_OTHERS = 0.9
_IDLE = "marks"
"""An expert that mostly has nothing to look at."""


class Filling:
    """Answers every question of the strategies' gates, and keeps the answers."""

    def __init__(
        self, store: Store, schema: Schema, workshop: Workshop, strategies: Sequence[Strategy]
    ) -> None:
        self._store = store
        self._schema = schema
        self._workshop = workshop
        self._strategies = strategies
        self._random = Random(0)

    def fill(self, file: Path) -> None:
        """Page text of a file, and what its experts say."""
        sha256 = digest(file)
        self._store.put_page_count(sha256, 1)
        self._store.put_page(sha256, 1, IMPORTED, page_text())
        truth = {field.name: value_of(field, self._random) for field in self._schema.fields}
        known: dict[tuple[str, tuple[str, ...]], Answer] = {}

        def answer(ask: Ask) -> Answer:
            key = (ask.expert, tuple(ask.fields))
            if key not in known:
                known[key] = self._answer(sha256, ask, truth)
            return known[key]

        for strategy in self._strategies:
            decide(self._schema, strategy.gate, strategy.combiner, answer)

    def _answer(self, sha256: str, ask: Ask, truth: dict[str, str]) -> Answer:
        fields = self._schema.select(ask.fields)
        fingerprint = self.fingerprint(ask.expert)
        answer = Answer(
            expert=fingerprint,
            readings=tuple(
                Reading(field=field.name, idle=True)
                if ask.expert == _IDLE
                else self._reading(field, truth[field.name], ACCURACY.get(ask.expert, _OTHERS))
                for field in fields
            ),
            cost=Cost(calls=int(ask.expert in ASKED_ABOUT), prompt_tokens=900, seconds=0.5),
            model="recorded" if ask.expert in ASKED_ABOUT else None,
        )
        question = Question(
            sha256=sha256,
            page=1,
            fingerprint=fingerprint,
            digest=digest_fields(self._schema.name, fields),
            expert=ask.expert,
            schema=self._schema.name,
            fields=tuple(field.name for field in fields),
        )
        self._store.put_answer(question, answer)
        return answer

    def fingerprint(self, expert: str) -> str:
        if expert in ASKED_ABOUT:
            return f"{expert}/recorded"
        return self._workshop.expert(expert).fingerprint

    def _reading(self, field: Field, value: str, accuracy: float) -> Reading:
        random = self._random
        right = random.random() < accuracy
        return Reading(
            field=field.name,
            value=value if right else value_of(field, random),
            raw=value,
            score=random.uniform(0.7, 1.0) if right else random.uniform(0.2, 1.0),
            evidence=Evidence(box=(0.1, 0.1, 0.5, 0.2), text=value),
            features={"conf": 0.95, "label": 1.0, "margin": random.random()},
        )

    def introduce(self) -> None:
        """So that the workshop finds recorded answers of experts that nobody has here."""
        for expert in ASKED_ABOUT:
            names = self._schema.names
            ask = Ask(expert, names)
            self._answer("0" * 64, ask, dict.fromkeys(names, ""))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=GOAL[0])
    parser.add_argument("--repeats", type=int, default=REPEATS)
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
            Filling(store, schema, Workshop(config), ()).introduce()
        with Store(out / STORE, write=False) as recorded:
            workshop = Workshop(config, recorded=recorded)
            strategies = [workshop.strategy(name) for name in STRATEGIES]
            with Store(out / STORE) as store:
                filling = Filling(store, schema, workshop, strategies)
                for file in files:
                    filling.fill(file)
            seconds = []
            for _ in range(options.repeats):
                with Batch(
                    out, workshop=workshop, strategies=strategies, schemas=[schema]
                ) as batch:
                    start = time.perf_counter()
                    outcome = batch.execute(discover([str(scans)]))
                    seconds.append(time.perf_counter() - start)
                    asked = outcome.asked
                with sqlite3.connect(out / STORE) as db:
                    for table in ("settled", "records"):
                        db.execute(f"DELETE FROM {table}")
                    db.execute("DELETE FROM meta WHERE key = 'settled'")
                db.close()
    spread = Spread(tuple(seconds))
    publish(
        "replay",
        {
            "documents": outcome.documents,
            "strategies": list(STRATEGIES),
            "failed": outcome.failed,
            "asked": asked,
            "seconds": spread,
        },
        [
            f"{outcome.documents} documents, {len(STRATEGIES)} strategies, {outcome.failed} failed, "
            f"{asked} questions asked",
            f"replayed in {spread} s",
        ],
    )


if __name__ == "__main__":
    main()

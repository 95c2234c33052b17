"""The code reader against plain engines, on the same images in one run, and what each part adds.

    python -m benchmarks.codes [--per-level 200] [--levels clean scan photo hard] [--seed 7707]
                               [--layouts heldout] [--licences FOLDER] [--ablation]
                               [--out reports/codes]

Documents are generated afresh; neither their seed nor, by default, their layouts were used for
training or tuning.  Systems compared:

- `rapidocr`, `paddleocr`: the engine's own reading of the page, its most code-like line;
- `engine`: PP-OCR's own best path over the line that the code reader found, no grammar;
- `codes`: the code reader;
- `bound`: what the pipeline makes of the code reader and the rules without an LLM, the code bound
  to the other fields.

`--ablation` leaves out the peers and takes away one ingredient of `bound` after the other.

`--licences` names a folder with real business licences: `labels.jsonl` with `file` and
`fields.social_credit_code`.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from benchmarks.results import publish
from ocr_moe.codes.decoding import free_reading
from ocr_moe.codes.finding import CodePlace, find_codes
from ocr_moe.evaluation.metrics import auroc, mcnemar_exact, wilson
from ocr_moe.experts.codes.expert import CodesExpert, CodesParams, Crop, free_code
from ocr_moe.generation import generate
from ocr_moe.imaging.linecrops import crop_strip
from ocr_moe.intake.righting import read_upright, turn
from ocr_moe.intake.seals import without_seals
from ocr_moe.protocols import ChatModel, LineRecognizer, OcrEngine, Posterior, State, SymbolReader
from ocr_moe.run.documents import reader_of
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import Component
from ocr_moe.testing import StubDocument, StubPage
from ocr_moe.types import Decision, DocumentRef, Line, PageText, Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

LEVELS = ("clean", "scan", "photo", "hard")
SYSTEMS = ("rapidocr", "paddleocr", "engine", "codes", "bound")


@dataclass(frozen=True)
class Case:
    """One image with the truth of its code."""

    path: Path
    level: str
    truth: str | None
    schema: Schema

    @property
    def field(self) -> Field:
        return next(f for f in self.schema.fields if f.kind is Kind.CODE)


@dataclass
class Outcome:
    """What every system said of one case."""

    case: Case
    values: dict[str, str | None] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    page_seconds: float = 0.0
    seconds: float = 0.0
    look: int = 0

    def right(self, system: str) -> bool:
        return self.values[system] == self.case.truth


class Remembering:
    """Services whose engines and recognisers answer a repeated question from memory."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._recognizers: dict[str, _RememberingRecognizer] = {}
        self._engines: dict[str, _RememberingEngine] = {}

    def chat(self, name: str) -> ChatModel:
        return self._workshop.chat(name)

    def engine(self, name: str) -> OcrEngine:
        if name not in self._engines:
            self._engines[name] = _RememberingEngine(self._workshop.engine(name))
        return self._engines[name]

    def recognizer(self, name: str) -> LineRecognizer:
        if name not in self._recognizers:
            self._recognizers[name] = _RememberingRecognizer(self._workshop.recognizer(name))
        return self._recognizers[name]

    def symbols(self, name: str) -> SymbolReader:
        return self._workshop.symbols(name)

    def forget(self) -> None:
        for recognizer in self._recognizers.values():
            recognizer.known.clear()
        for engine in self._engines.values():
            engine.known.clear()


class _RememberingRecognizer:
    def __init__(self, asked: LineRecognizer) -> None:
        self._asked = asked
        self.known: dict[bytes, Posterior] = {}

    @property
    def fingerprint(self) -> str:
        return self._asked.fingerprint

    def recognize(self, crops: Sequence[Image.Image]) -> list[Posterior]:
        posteriors = []
        for crop in crops:
            key = crop.tobytes()
            if key not in self.known:
                self.known[key] = self._asked.recognize([crop])[0]
            posteriors.append(self.known[key])
        return posteriors


class _RememberingEngine:
    def __init__(self, asked: OcrEngine) -> None:
        self._asked = asked
        self.known: dict[bytes, tuple[Line, ...]] = {}

    @property
    def fingerprint(self) -> str:
        return self._asked.fingerprint

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        key = image.tobytes()
        if key not in self.known:
            self.known[key] = self._asked.read(image)
        return self.known[key]


def ablations(full: CodesParams) -> dict[str, CodesParams]:
    """The code reader without one of its ingredients each."""

    def without(**changed: object) -> CodesParams:
        return full.model_copy(update=changed)

    def crops(keep: Callable[[Crop], bool]) -> tuple[Crop, ...]:
        return tuple(crop for crop in full.crops if keep(crop))

    variants = {
        "one view": without(crops=full.crops[:1]),
        "no tight crops": without(crops=crops(lambda crop: crop.padding >= 0.0)),
        "no colour suppression": without(crops=crops(lambda crop: crop.colour)),
        "no label prior": without(fusion=full.fusion.model_copy(update={"announced": 0.0})),
        "no check characters": without(
            fusion=full.fusion.model_copy(update={"check_passed": 0.0, "hint_passed": 0.0})
        ),
        "no closer look": without(doubt_margin=-math.inf),
        "no long lists": without(doubt_beam=full.fusion.beam, doubt_best=full.fusion.best),
        "no faint lines": without(faint_lines=0),
        "no other detector": without(second_look=None),
        "every page looked at": without(sure_confidence=1.1),
        "every view always": without(enough_margin=math.inf),
    }
    for name in full.recognizers:
        others = tuple(other for other in full.recognizers if other != name)
        variants[f"no {name}"] = without(recognizers=others)
    for place in full.unread_places:
        rest = tuple(other for other in full.unread_places if other != place)
        variants[f"no places {place.replace('_', ' ')}"] = without(unread_places=rest)
    return variants


def generated(
    folder: Path, levels: Sequence[str], per_level: int, seed: int, layouts: Sequence[str]
) -> list[Case]:
    """The same number of certificates at every damage level."""
    schema = find_schema("graduation_certificate")
    samples = generate(
        folder,
        schema=schema.name,
        count=per_level * len(levels),
        seed=seed,
        levels=levels,
        layouts=layouts,
        workers=os.cpu_count() or 1,
    )
    code = next(f.name for f in schema.fields if f.kind is Kind.CODE)
    return [Case(folder / s.file, s.level, s.truth[code], schema) for s in samples]


def licences(folder: Path) -> list[Case]:
    schema = find_schema("business_license")
    cases = []
    for line in (folder / "labels.jsonl").read_text(encoding="utf-8").splitlines():
        label = json.loads(line)
        truth = label["fields"].get("social_credit_code")
        cases.append(Case(folder / label["file"], "licences", truth, schema))
    return cases


def plain_reading(text: PageText, wanted: Field, schema: Schema) -> CodePlace | None:
    """What stands at the code's label or looks most like one, as the engine read it."""
    aliens = [label for f in schema.fields if f.name != wanted.name for label in f.labels]
    found = find_codes(text, wanted.grammars, wanted.labels, aliens).places
    return found[0] if found and found[0].score > 0.0 else None


def pixels(path: Path) -> Image.Image:
    """The image as its EXIF tag turns it."""
    with Image.open(path) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


class Bench:
    """Runs all systems over a case."""

    def __init__(self, workshop: Workshop, ablation: bool) -> None:
        self.services = Remembering(workshop)
        self._codes = CodesExpert("codes", _configured(workshop), self.services)
        self._rules = workshop.expert("rules")
        self._combiner = workshop.strategy("moe").combiner
        self._engine = workshop.engine("default")
        self._read = reader_of(self._engine, workshop.config.remove_seals)
        self._rapid = workshop.engine("rapid")
        self.variants = {
            name: CodesExpert(name, params, self.services)
            for name, params in (ablations(_configured(workshop)) if ablation else {}).items()
        }

    def run(self, case: Case) -> Outcome:
        outcome = Outcome(case)
        self.services.forget()
        image = pixels(case.path)
        started = time.perf_counter()
        rotation, lines = read_upright(image, self._read)
        outcome.page_seconds = time.perf_counter() - started
        upright = turn(image, rotation)
        text = _page_text("ours", upright, rotation, lines)
        wanted = case.field
        for system, plain in self._peers(case, upright, text) if not self.variants else ():
            outcome.values[system] = plain.run if plain is not None else None
            outcome.confidence[system] = plain.confidence if plain is not None else 0.0
        page = StubPage(text, lambda: turn(pixels(case.path), rotation))
        ref = DocumentRef(path=case.path.name, sha256="")
        document = StubDocument(case.schema, [page], ref)
        started = time.perf_counter()
        reading = self._codes.read(document, [wanted]).readings[0]
        outcome.seconds = time.perf_counter() - started
        outcome.look = int(reading.features.get("look", 0.0))
        outcome.values["codes"] = reading.value
        outcome.confidence["codes"] = reading.score or 0.0
        free, confidence = self._free(page, text, wanted, case.schema)
        outcome.values["engine"] = free
        outcome.confidence["engine"] = confidence
        rules = self._rules.read(document, case.schema.fields).readings
        bound = self._bound(case.schema, reading, rules)
        outcome.values["bound"] = bound.value
        outcome.confidence["bound"] = bound.confidence or 0.0
        for name, variant in self.variants.items():
            reading = variant.read(document, [wanted]).readings[0]
            outcome.values[name] = self._bound(case.schema, reading, rules).value
        return outcome

    def _peers(
        self, case: Case, upright: Image.Image, text: PageText
    ) -> Iterator[tuple[str, CodePlace | None]]:
        """What the engines read by themselves, seals and all."""
        paddle = text
        if without_seals(upright) is not upright:
            lines = self._engine.read(upright)
            paddle = _page_text("paddle", upright, text.rotation, lines)
        rapid = _page_text("rapid", upright, text.rotation, self._rapid.read(upright))
        yield "rapidocr", plain_reading(rapid, case.field, case.schema)
        yield "paddleocr", plain_reading(paddle, case.field, case.schema)

    def _free(
        self, page: StubPage, text: PageText, wanted: Field, schema: Schema
    ) -> tuple[str | None, float]:
        """The recogniser's best path over the crop of the likeliest line, and its confidence."""
        plain = plain_reading(text, wanted, schema)
        if plain is None:
            return None, 0.0
        crops = [crop_strip(page.image, strip, padding=0.0) for strip in plain.strips]
        posteriors = self.services.recognizer("ppocr").recognize(crops)
        run = free_code(posteriors)
        chances = [chance for p in posteriors for chance in free_reading(p)[1]]
        return run or None, float(np.mean(chances)) if run else 0.0

    def _bound(self, schema: Schema, code: Reading, rules: Sequence[Reading]) -> Decision:
        """What the pipeline makes of the code reader's answer and the rules', without an LLM."""
        readings = {reading.field: {"rules": reading} for reading in rules}
        readings[code.field] = {"codes": code, **readings[code.field]}
        return self._combiner.combine(State(schema=schema, readings=readings))[code.field]


def _configured(workshop: Workshop) -> CodesParams:
    return CodesParams.model_validate(workshop.config.experts["codes"].params)


def _page_text(engine: str, image: Image.Image, rotation: int, lines: tuple[Line, ...]) -> PageText:
    return PageText.model_validate(
        {
            "engine": engine,
            "width": image.width,
            "height": image.height,
            "rotation": rotation,
            "lines": lines,
        }
    )


def accuracy_table(outcomes: Sequence[Outcome], systems: Sequence[str]) -> list[list[str]]:
    """Exact codes a level and system, with 95 % Wilson intervals."""
    levels = list(dict.fromkeys(o.case.level for o in outcomes))
    rows = [["level", "n", *systems]]
    for level in levels:
        group = [o for o in outcomes if o.case.level == level]
        cells = []
        for system in systems:
            right = sum(o.right(system) for o in group)
            low, high = wilson(right, len(group))
            cells.append(f"{100 * right / len(group):.1f} % [{100 * low:.1f}, {100 * high:.1f}]")
        rows.append([level, str(len(group)), *cells])
    return rows


def confidence_table(outcomes: Sequence[Outcome], systems: Sequence[str]) -> list[list[str]]:
    """AUROC on photo and hard, and errors among the surest 90 %."""
    rows = [["system", "AUROC photo+hard", "wrong at 90 % coverage", "of"]]
    for system in systems:
        damaged = [o for o in outcomes if o.case.level in ("photo", "hard")] or list(outcomes)
        area = auroc(
            np.array([o.confidence[system] for o in damaged]),
            np.array([o.right(system) for o in damaged]),
        )
        surest = sorted(outcomes, key=lambda o: -o.confidence[system])
        surest = surest[: round(0.9 * len(surest))]
        wrong = sum(not o.right(system) for o in surest)
        rows.append([system, "–" if area is None else f"{area:.4f}", str(wrong), str(len(surest))])
    return rows


def paired_table(outcomes: Sequence[Outcome], others: Sequence[str]) -> list[list[str]]:
    """Exact codes of other systems or variants against `bound`; exact McNemar test."""
    rows = [["", "exact", "only `bound` right", "only this right", "p"]]
    total = len(outcomes)
    rows.append(["bound", f"{sum(o.right('bound') for o in outcomes)}/{total}", "", "", ""])
    for name in others:
        ours = sum(o.right("bound") and not o.right(name) for o in outcomes)
        theirs = sum(o.right(name) and not o.right("bound") for o in outcomes)
        right = sum(o.right(name) for o in outcomes)
        p = mcnemar_exact(ours, theirs)
        rows.append([name, f"{right}/{total}", str(ours), str(theirs), f"{p:.3g}"])
    return rows


def time_table(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """What the code reader adds to page OCR."""
    rows = [["level", "page OCR s", "code reader s", "added", "at first sight", "second look"]]
    levels = list(dict.fromkeys(o.case.level for o in outcomes))
    for level in [*levels, "all"]:
        group = [o for o in outcomes if level in ("all", o.case.level)]
        page = sum(o.page_seconds for o in group)
        own = sum(o.seconds for o in group)
        rows.append(
            [
                level,
                f"{page / len(group):.3f}",
                f"{own / len(group):.3f}",
                f"{100 * own / page:.0f} %",
                f"{100 * np.mean([o.look == 1 for o in group]):.0f} %",
                f"{100 * np.mean([o.look == 3 for o in group]):.0f} %",
            ]
        )
    return rows


def markdown(tables: Mapping[str, Sequence[Sequence[str]]]) -> str:
    parts = []
    for title, rows in tables.items():
        parts += [f"## {title}", "", "| " + " | ".join(rows[0]) + " |"]
        parts.append("|" + "---|" * len(rows[0]))
        parts += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        parts.append("")
    return "\n".join(parts)


@cache
def _bench(ablation: bool) -> Bench:
    cv2.setNumThreads(1)  # one process a core: threads within one would only fight for it
    one_thread = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
    config = load_config()
    rapid = Component.model_validate({"kind": "rapid", "settings": one_thread})
    config = config.model_copy(update={"engines": config.engines | {"rapid": rapid}})
    return Bench(Workshop(config), ablation)


def run(case: Case, ablation: bool) -> Outcome:
    """All systems over one case, in whichever process."""
    return _bench(ablation).run(case)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-level", type=int, default=200)
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=LEVELS)
    parser.add_argument("--seed", type=int, default=7707)
    parser.add_argument("--layouts", nargs="+", default=["heldout"])
    parser.add_argument("--licences", type=Path)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("reports/codes"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    cases = licences(options.licences) if options.licences else []
    if options.per_level:
        folder = options.out / "images"
        cases += generated(folder, options.levels, options.per_level, options.seed, options.layouts)
    outcomes = []
    # Fresh processes, as decoding is Python; a forked one may hang in OpenCV's threads.
    spawned = multiprocessing.get_context("spawn")
    with (
        open(options.out / "outcomes.jsonl", "w", encoding="utf-8") as stream,
        ProcessPoolExecutor(mp_context=spawned) as pool,
    ):
        for done in as_completed(pool.submit(run, case, options.ablation) for case in cases):
            outcome = done.result()
            case = outcome.case
            outcomes.append(outcome)
            line = {
                "file": case.path.name,
                "level": case.level,
                "truth": case.truth,
                "values": outcome.values,
                "confidence": outcome.confidence,
                "look": outcome.look,
                "seconds": [round(outcome.page_seconds, 3), round(outcome.seconds, 3)],
            }
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            stream.flush()
    outcomes.sort(key=lambda o: ("licences", *LEVELS).index(o.case.level))
    systems = [name for name in SYSTEMS if name in outcomes[0].values]
    tables = {
        "Exact codes": accuracy_table(outcomes, systems),
        "Against `bound`": paired_table(outcomes, [name for name in systems if name != "bound"]),
        "Confidence": confidence_table(outcomes, systems),
        "Time": time_table(outcomes),
    }
    if options.ablation:
        variants = [name for name in outcomes[0].values if name not in SYSTEMS]
        tables["Ablation (`codes`: no binding)"] = paired_table(outcomes, ["codes", *variants])
    report = markdown(tables)
    (options.out / "codes.md").write_text(report, encoding="utf-8")
    print(report)
    name = "codes_ablation" if options.ablation else "codes"
    publish(name, exact(outcomes), [f"exact codes: {in_short(outcomes)}"])


def exact(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, int]]]:
    """Level → system → how many codes there were and how many were exact."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for outcome in outcomes:
        level = found.setdefault(outcome.case.level, {})
        for system, value in outcome.values.items():
            counts = level.setdefault(system, {"n": 0, "right": 0})
            counts["n"] += 1
            counts["right"] += value == outcome.case.truth
    return found


def in_short(outcomes: Sequence[Outcome]) -> str:
    """Each system's share of exact codes, all levels together."""
    levels = exact(outcomes).values()
    systems = dict.fromkeys(system for level in levels for system in level)
    shares = []
    for system in systems:
        counts = [level[system] for level in levels if system in level]
        right, n = (sum(each[key] for each in counts) for key in ("right", "n"))
        shares.append(f"{system} {right / n:.1%}")
    return ", ".join(shares)


if __name__ == "__main__":
    import benchmarks.codes  # other processes look its functions up there

    benchmarks.codes.main()

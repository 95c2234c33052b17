"""The strategy laboratory over a run: recorded answers meet the verified sheets.

Nothing here asks an expert anything; every policy is replayed over what the store holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ocr_moe.errors import ConfigError, OcrMoeError, TruthError
from ocr_moe.evaluation.material import Material, gather
from ocr_moe.evaluation.truth.matched import Match
from ocr_moe.evaluation.truth.problems import Problem, ProblemKind
from ocr_moe.evaluation.truth.sheet import TruthCell
from ocr_moe.evaluation.truth.truthset import TruthSet, read_truths
from ocr_moe.laboratory.calibrating import CalibratedBuilder, CalibrationResult, calibrate
from ocr_moe.laboratory.candidates import PolicyCandidate
from ocr_moe.laboratory.documents import Judge, RecordedDocument, experts_of
from ocr_moe.laboratory.learning import today
from ocr_moe.laboratory.recommending import Recommendation, recommend
from ocr_moe.laboratory.study import Study, study
from ocr_moe.protocols import Combiner, Gate, State
from ocr_moe.routing.calibration import Calibration, Provenance
from ocr_moe.routing.consistency import day_of
from ocr_moe.run.exporting import own_configuration, schemas_of
from ocr_moe.run.settling import own_records
from ocr_moe.schema import Field, Schema, Score
from ocr_moe.settings import Component
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey, FileNameRule, key_of, name_read
from ocr_moe.types import HUMAN, Box, DocumentRef, Record
from ocr_moe.workshop.build import Workshop, fingerprint_of
from ocr_moe.workshop.config import Config, StrategyConfig


@dataclass(frozen=True)
class Laboratory:
    """Recorded documents, and the workshop that builds policies over them."""

    documents: tuple[RecordedDocument, ...]
    workshop: Workshop
    fellows: tuple[RecordedDocument, ...] = ()
    """Documents without verified cells that are of the same subjects as those with."""

    @property
    def experts(self) -> frozenset[str]:
        return frozenset(experts_of(self.documents))

    def build(
        self, gate: Component, combiner: Component, calibration: Calibration | None = None
    ) -> tuple[Gate, Combiner]:
        """A policy for the experts that have recorded answers. Raises ConfigError."""
        return self.workshop.policy(gate, combiner, self.experts, calibration=calibration)

    def calibrated(self, candidate: PolicyCandidate) -> CalibratedBuilder:
        """How to build a policy around a calibration."""
        return lambda calibration: self.build(candidate.gate, candidate.combiner, calibration)

    def candidates(self) -> list[PolicyCandidate]:
        """The configured strategies all of whose required experts have recorded answers."""
        found = []
        for name, settings in self.workshop.config.strategies.items():
            if self._required_here(name, settings) <= self.experts:
                found.append(
                    PolicyCandidate(
                        name=name,
                        title=settings.title or name,
                        gate=settings.gate,
                        combiner=settings.combiner,
                        dossiers=settings.dossiers,
                    )
                )
        return found

    def _required_here(self, name: str, settings: StrategyConfig) -> frozenset[str]:
        """The experts that a strategy requires, but for those that it asks for none of the fields of
        these documents: the reader of codes, say, where there are no codes."""
        required = self.workshop.required_experts(name)
        gate, _ = self.workshop.policy(settings.gate, settings.combiner, self.experts | required)
        schemas = {document.schema.name: document.schema for document in self.documents}
        asks = [ask for schema in schemas.values() for ask in gate.route(State(schema))]
        return required & {ask.expert for ask in asks}

    def study(self) -> Study:
        """All configured strategies with the oracle and the single experts as bounds."""
        return study(self.documents, self.candidates(), self.build, fellows=self.fellows)

    def recommend(self, target: float, confidence: float) -> Recommendation:
        """The cheapest policy, with thresholds certified for the target. Raises TruthError."""
        return recommend(
            self.documents,
            self.candidates(),
            self.build,
            target=target,
            confidence=confidence,
            fitted_on=self.workshop.fitted_on(),
            fellows=self.fellows,
        )

    def calibrate(
        self,
        data: str,
        *,
        synthetic: bool,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> CalibrationResult:
        """Fit confidences; their quality is told for the default strategy. Raises TruthError."""
        fits = {candidate.name: self.calibrated(candidate) for candidate in self.candidates()}
        judged = self.workshop.config.strategy
        if judged not in fits:
            raise ConfigError(f"the run has no answers for the strategy {judged}")
        provenance = Provenance(data=data, synthetic=synthetic, documents=0, fitted=today())
        return calibrate(self.documents, fits, judged=judged, provenance=provenance, report=report)


def open_run(
    store: Store, sheets: Sequence[Path], config: Config, workshop: Workshop | None = None
) -> Laboratory:
    """The laboratory over a run and its verified sheets.

    `workshop` builds the policies; without one it is a workshop for the configuration, in which
    recorded answers stand in for experts that cannot be had. Raises TruthError when a sheet cannot
    be used or no document is verified, UsageError when the run has no records.
    """
    material = run_material(store, read_truths(sheets, config.truth), config)
    return open_laboratory(store, material, workshop or Workshop(config, recorded=store))


def run_material(
    store: Store, truths: TruthSet, config: Config, *, listed: bool = False
) -> Material:
    """Records of a run, matched with verified sheets. Raises TruthError, UsageError.

    Rows are matched with the records as they stand. What is held against the rows is what the
    strategies themselves made of the documents: a person's word in a reviewed run is no achievement of
    theirs. `config` is for a run that does not say what it was made with. `listed` reads the records
    once and keeps them; else they are streamed whenever they are used.
    """
    schemas = schemas_of(store)
    names = store.strategies()
    runs: dict[str, Iterable[Record]] = {name: store.records(name) for name in names}
    if listed:
        runs = {name: list(records) for name, records in runs.items()}
    material = gather(runs, schemas, truths)
    peoples = max((_judged_cells(records) for records in runs.values()), default=0)
    if not peoples:
        return material
    workshop = Workshop(own_configuration(store) or config, recorded=store, offline=True)
    own = {name: _own(store, name, workshop, schemas) for name in names}
    return replace(
        material,
        runs={name: [each for each in records if not each.blank] for name, records in own.items()},
        matches=(_noted(material.matches[0], peoples), *material.matches[1:]),
    )


def _judged_cells(records: Iterable[Record]) -> int:
    return sum(HUMAN in each.experts for record in records for each in record.fields.values())


def _own(
    store: Store, name: str, workshop: Workshop, schemas: Sequence[Schema]
) -> Iterable[Record]:
    """A strategy's own records; as its experts left them one by one where it cannot be built here."""
    try:
        strategy = workshop.strategy(name)
    except OcrMoeError:
        return store.records(name, alone=True)
    return own_records(store, strategy, schemas)


def _noted(found: Match, peoples: int) -> Match:
    message = (
        f"cells of the run with a person's word: {peoples}; scored is what the strategies read there "
        "themselves"
    )
    problem = Problem(ProblemKind.PEOPLES_WORD, message)
    return replace(found, problems=(*found.problems, problem))


def open_laboratory(store: Store, material: Material, workshop: Workshop) -> Laboratory:
    """The verified documents of a run with all answers. Raises TruthError when there are none."""
    readable: dict[str, dict[DocumentRef, Record]] = {}
    for records in material.runs.values():
        for record in records:
            if record.schema_name is not None and record.error is None and not record.blank:
                readable.setdefault(record.schema_name, {}).setdefault(record.document, record)
    current = {
        name: found
        for name in workshop.available_experts()
        if (found := fingerprint_of(workshop.expert(name))) is not None
    }
    documents: list[RecordedDocument] = []
    fellows: list[RecordedDocument] = []
    for match in material.matches:
        of_schema = readable.get(match.truth.schema.name, {})
        scored, others = _documents_of(match, of_schema, store, current)
        documents += scored
        fellows += others
    if not documents:
        raise TruthError("no verified document of this run has recorded answers")
    return Laboratory(tuple(documents), workshop, tuple(fellows))


def _documents_of(
    sheet: Match,
    records: Mapping[DocumentRef, Record],
    store: Store,
    current: Mapping[str, str],
) -> tuple[list[RecordedDocument], list[RecordedDocument]]:
    """The sheet's documents that could be read and were taken for its schema, and the others of their
    subjects. `records` has one of each document of the schema, whatever the strategy."""
    verified = {document.key: document for document in sheet.documents}
    schema = sheet.truth.schema
    subjects = _subjects_of(schema, records)
    people = {subjects.get(key_of(ref)) for ref in records if key_of(ref) in verified} - {None}
    scored: list[RecordedDocument] = []
    others: list[RecordedDocument] = []
    found: set[tuple[str, int, Box | None]] = set()
    day = day_of(store.get_meta("started"))
    # Of the same bytes under two names, the one that has a row is to be found first.
    for ref in sorted(records, key=lambda ref: key_of(ref) not in verified):
        document = verified.get(key_of(ref))
        subject = subjects.get(key_of(ref))
        if (ref.sha256, ref.page, ref.region) in found:
            continue
        if document is None and subject not in people:
            continue
        found.add((ref.sha256, ref.page, ref.region))
        cells = {} if document is None else _right_or_wrong(document.cells, schema)
        (others if document is None else scored).append(
            RecordedDocument(
                sha256=ref.sha256,
                page=ref.page,
                part=ref.part,
                path=ref.path,
                region=ref.region,
                subject=subject,
                schema=schema,
                answers=tuple(
                    entry
                    for entry in store.answers(ref.sha256, ref.page, ref.region)
                    if current.get(entry.expert, entry.answer.expert) == entry.answer.expert
                ),
                verified=frozenset(cells),
                judge=_judge(cells),
                ocr_seconds=records[ref].cost.ocr_seconds,
                today=day,
            )
        )
    return scored, others


def _subjects_of(
    schema: Schema, records: Mapping[DocumentRef, Record]
) -> Mapping[DocumentKey, str]:
    """Whom documents are about by their file names, else by what was read on them."""
    if schema.subjects is None:
        return {}
    read = {
        key_of(ref): name
        for ref, record in records.items()
        if (name := name_read(schema, _values(record))) is not None
    }
    return {
        key_of(member.document): subject.name
        for subject in FileNameRule(schema.subjects).group(records, read).subjects
        for member in subject.documents
    }


def _values(record: Record) -> dict[str, str]:
    return {n: each.value for n, each in record.fields.items() if each.value is not None}


def _right_or_wrong(cells: Mapping[str, TruthCell], schema: Schema) -> Mapping[str, TruthCell]:
    """The cells of fields that can be either: not of a summary."""
    return {n: cell for n, cell in cells.items() if schema.field(n).score is Score.EXACT}


def _judge(cells: Mapping[str, TruthCell]) -> Judge:
    def right(field: Field, value: str | None) -> bool:
        return cells[field.name].says(field, value)

    return right

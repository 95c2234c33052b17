"""Combiners: what all readings of a document come to.

`priority`   the first expert of a list that has a value
`confident`  the reading whose expert is surest, on the calibrated scale
`agreement`  the value that most experts give
`votes`      an aligned, weighted vote over characters; over whole values for enums
`moe`        per kind of field the best of these, then the record-level steps (default)

All of them give one decision per field of the schema and differ only in which value they choose.
The confidence is the calibrated chance that the chosen value is right, given every reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from datetime import date
from typing import Literal, Protocol

from ocr_moe.judgements import Verdict, judged
from ocr_moe.odds import sigmoid
from ocr_moe.protocols import State
from ocr_moe.routing.calibration import CELL_PRIOR, PRIOR, UNFITTED, Calibration, Model
from ocr_moe.routing.consistency import Contradiction
from ocr_moe.routing.exactness import exact_word
from ocr_moe.routing.features import (
    GIVEN_KEY,
    SEVERAL,
    absence_features,
    candidate_features,
    record_features,
)
from ocr_moe.routing.made import made_decision
from ocr_moe.routing.settings import UNDECIDED, Thresholds
from ocr_moe.routing.tables import decided_rows, judged_table, lowest, tabulated
from ocr_moe.routing.votes import Ballot, plurality, vote
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import Component
from ocr_moe.types import Decision, Evidence, Reading, Status, Value
from ocr_moe.values.kinds import kind_of

_REQUIRED_ABSENT = 0.5
"""The most that the absence of a required field is believed."""
_SEVERAL_DOCUMENTS = "this page seems to hold several documents"
_UNASKED = ("no expert that reads this field could be asked",)
Readings = Mapping[str, Reading]


class RecordStep(Protocol):
    """Joint knowledge: looks at all decisions of a document at once, and may change them."""

    def bind(self, state: State, decisions: Mapping[str, Decision]) -> Mapping[str, Decision]:
        """One decision per given decision; unchanged ones are the same objects."""


class Checking(Protocol):
    """Finds contradictions between fields."""

    def __call__(
        self, schema: Schema, values: Mapping[str, str | None], today: str | None
    ) -> Mapping[str, list[Contradiction]]:
        """What contradicts what, per field that takes part in a failed check."""


class CombinerParams(Value):
    """What every combiner knows."""

    accept: Thresholds = Thresholds()
    """The confidence from which a value stands without a person's look."""
    calibration: str | None = "default"
    """The confidence model: `default` (shipped), a file, or null for plain judgement."""
    steps: tuple[Component, ...] = ()
    """Record-level steps, in order, after the fields' own decisions."""
    exact: tuple[str, ...] = ()
    """Experts that read what cannot be misread, such as a QR code. Where the print says the same, or
    nothing, their value stands; where it says something else, a person decides."""


class PriorityParams(CombinerParams):
    """In which order experts are believed."""

    order: tuple[str, ...] = ()
    """Experts not named come after these, in the order in which they were asked."""
    kinds: dict[Kind, tuple[str, ...]] = {}
    """Another order for fields of a kind."""
    fields: dict[str, tuple[str, ...]] = {}
    """Another order for fields by name; goes before `kinds`."""


class VotesParams(CombinerParams):
    """What each expert's vote weighs."""

    weights: dict[str, float] = {}
    """g: the weight of each expert's vote; by default the calibration's, or 1."""
    kinds: dict[Kind, dict[str, float]] = {}
    """Other weights for fields of a kind."""


Method = Literal["best", "priority", "confident", "agreement", "votes"]


class MoeParams(CombinerParams):
    """Which method chooses the value."""

    method: Method = "best"
    """`best`: the candidate with the highest calibrated chance to be right, where the result of a
    vote among three or more is a candidate as well. The others: the combiner of that name."""
    methods: dict[Kind, Method] = {}
    """Another method for fields of a kind."""
    order: tuple[str, ...] = ()
    """For `priority`."""
    weights: dict[str, float] = {}
    """For votes: each expert's weight; by default the calibration's, or 1."""


@dataclass(slots=True)
class _Draft:
    """What is known of a field before the rest of the record is looked at."""

    field: Field
    readings: Readings
    value: str | None = None
    features: dict[str, float] = dataclass_field(default_factory=dict)
    model: Model = PRIOR
    logit: float | None = None
    """Log-odds of the value, or of the field's absence; None where nobody could answer."""
    experts: tuple[str, ...] = ()
    evidence: Evidence | None = None
    characters: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    floor: float | None = None
    """Log-odds below which an exact expert's value does not fall by what else the record tells."""
    contested: bool = False
    """Whether an exact expert and the print differ, so that a person decides."""
    ceiling: float = 1.0
    verdict: Verdict | None = None
    """What people say of it: that stands, and the rest of the record is weighed with it."""

    @property
    def decided(self) -> str | None:
        """The value, a person's where one spoke."""
        return self.value if self.verdict is None else self.verdict.value

    def decision(self) -> Decision:
        confidence = None if self.logit is None else min(sigmoid(self.logit), self.ceiling)
        if confidence is not None and self.floor is not None:
            confidence = max(confidence, sigmoid(self.floor))
        status = Status.FAILED if confidence is None else Status.ABSTAINED
        decision = _decision(self, self, self.value, confidence, status)
        return decision if self.verdict is None else judged(decision, self.verdict)


class FieldCombiner:
    """Chooses a value per field, then decides on its confidence and status.

    `calibration` is what `params.calibration` names, loaded by the caller; `steps`, those of
    `params.steps`, built by the caller, see the decisions of all fields together and may change
    them; `check` finds contradictions.
    """

    def __init__(
        self,
        params: CombinerParams,
        calibration: Calibration | None = None,
        steps: Sequence[RecordStep] = (),
        check: Checking | None = None,
    ) -> None:
        self._accept = params.accept
        self._exact = frozenset(params.exact)
        self._calibration = calibration or UNFITTED
        self._steps = tuple(steps)
        self._check = check

    def combine(
        self, state: State, basis: dict[str, dict[str, float]] | None = None
    ) -> Mapping[str, Decision]:
        """One decision for every field of the schema, in the schema's order.

        `basis`, where given, is filled with the features on which each field's confidence rests.
        """
        drafts = {
            field.name: self._draft(field, state.readings.get(field.name, {}))
            for field in state.schema.fields
            if not field.made
        }
        made = {
            field.name: made_decision(field, state.readings.get(field.name, {}), self._accept)
            for field in state.schema.fields
            if field.made
        }
        for name, verdict in state.verdicts.items():
            if name in drafts:
                drafts[name].verdict = verdict
        bound: Mapping[str, Decision] = {}
        if self._steps:
            alone = {name: draft.decision() for name, draft in drafts.items()} | made
            joint: Mapping[str, Decision] = alone
            for step in self._steps:
                joint = step.bind(state, joint)
            bound = {
                name: d
                for name, d in joint.items()
                if d is not alone[name] and name in drafts and name not in state.verdicts
            }
        failed_checks: Mapping[str, list[Contradiction]] = {}
        if self._check is not None:
            values = {
                name: bound[name].value if name in bound else draft.decided
                for name, draft in drafts.items()
            }
            failed_checks = self._check(state.schema, values, state.today)
        # How well the page could be read: a person's word says nothing of that.
        known = [draft.logit for draft in drafts.values() if draft.logit is not None]
        total = sum(known)
        decisions = {}
        for name, draft in drafts.items():
            others = None
            if draft.logit is not None and len(known) > 1:
                others = (total - draft.logit) / (len(known) - 1)
            notes = failed_checks.get(name, ())
            if draft.verdict is not None:
                decisions[name] = _noted(draft.decision(), notes)
                continue
            changed = bound.get(name)
            more = record_features(draft.value, changed, len(notes), others)
            decisions[name] = (
                self._settle(draft, more, notes)
                if changed is None
                else self._settle_changed(draft, changed, more, notes)
            )
            if basis is not None:
                basis[name] = {**draft.features, **more}
        for field in state.schema.tables:
            draft = drafts[field.name]
            decisions[field.name] = self._tabulated(draft, decisions[field.name])
        mixed_up = [name for name in _mixed_up(state) if name not in state.verdicts]
        for name, decision in made.items():
            said = state.verdicts.get(name)
            decisions[name] = decision if said is None else judged(decision, said)
        decisions |= {name: _withheld(decisions[name]) for name in mixed_up}
        return {name: decisions[name] for name in state.schema.names} if made else decisions

    @property
    def calibration(self) -> Calibration:
        """The confidence models."""
        return self._calibration

    def chance(self, field: Field, readings: Readings, value: str) -> float:
        """The calibrated chance of one value among the readings of its field, before the rest of the
        record is looked at."""
        carriers = [expert for expert, reading in readings.items() if reading.value == value]
        model = self._calibration.model_of(field, carriers or readings)
        return model.probability(candidate_features(field, readings, value))

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        """One of two or more different `values` (in the order read), or a new one.

        `readings` are those that have a value.
        """
        raise NotImplementedError

    def _draft(self, field: Field, readings: Readings) -> _Draft:
        # What the document says under the field's own key is its value: others read the same text.
        given = {
            e: r for e, r in readings.items() if r.features.get(GIVEN_KEY) and r.value is not None
        }
        readings = given or readings
        # Who had nothing to look at has no opinion, unless nobody else was asked.
        readings = {e: reading for e, reading in readings.items() if not reading.idle} or readings
        draft = _Draft(field, readings)
        speaking = {
            expert: reading
            for expert, reading in readings.items()
            if reading.value is not None and reading.error is None
        }
        if len(speaking) == len(readings) > 0:
            self._fill(draft, speaking, ())
            return draft
        errors = [
            f"{expert} could not answer: {reading.error.message}"
            for expert, reading in readings.items()
            if reading.error is not None
        ]
        if len(errors) == len(readings):
            draft.notes = tuple(errors) or _UNASKED
        elif not speaking:
            self._leave_empty(draft, errors)
        else:
            self._fill(draft, speaking, errors)
        return draft

    def _fill(self, draft: _Draft, speaking: Readings, errors: Sequence[str]) -> None:
        field = draft.field
        word = exact_word(field, speaking, self._exact) if self._exact else None
        if word is not None and word.floor is None and not word.contested:
            word = None
            draft.readings = self._printed(draft.readings)
            speaking = self._printed(speaking)
        readings = draft.readings
        values = list(dict.fromkeys([str(reading.value) for reading in speaking.values()]))
        if word is not None and word.contested:
            value = self._best_guess(field, speaking, word.value)
        elif word is not None:
            value = word.value
        else:
            value = values[0] if len(values) == 1 else self._choose(field, speaking, values)
        carriers = [pair for pair in speaking.items() if pair[1].value == value]
        carriers.sort(key=lambda each: (each[0] in self._exact, _own_score(each)), reverse=True)
        draft.experts = tuple([expert for expert, _ in carriers]) or tuple(speaking)
        model = self._calibration.model_of(field, draft.experts)
        features = candidate_features(field, readings, value)
        logit = model.logit(features)
        if word is not None:
            draft.floor, draft.contested = word.floor, word.contested
        elif logit < 0.0 and not field.required and features["silent"] > 0.0:
            absent = self._calibration.absence_of().logit(absence_features(field, readings))
            if absent > logit:
                self._leave_empty(draft, errors)
                return
        draft.value, draft.features, draft.model, draft.logit = value, features, model, logit
        if draft.floor is None:
            # What one expert takes for a part, another may have read with a character more or less.
            ceilings = [r.ceiling for r in speaking.values() if _overlapping(str(r.value), value)]
            draft.ceiling = min(ceilings, default=1.0)
        notes: list[str] = []
        for _, reading in carriers:
            if reading.characters and not draft.characters:
                draft.characters = reading.characters
            if draft.evidence is None:
                draft.evidence = reading.evidence
            if reading.notes:
                notes += reading.notes
        if not carriers:
            draft.characters = vote(self._ballots(field, speaking)).shares
        if word is not None and word.notes:
            notes += word.notes
        elif len(values) > 1:
            notes += _otherwise(speaking, value)
        if notes or errors:
            draft.notes = _distinct(notes, errors)

    def _best_guess(self, field: Field, speaking: Readings, exact: str) -> str:
        """The value of a contested field, of which nothing is accepted: the print's, which is what a
        verified sheet holds, unless it is likelier wrong than right."""
        printed = self._printed(speaking)
        values = list(dict.fromkeys([str(reading.value) for reading in printed.values()]))
        if not values:
            return exact
        value = values[0] if len(values) == 1 else self._choose(field, printed, values)
        carriers = [e for e, reading in printed.items() if reading.value == value]
        model = self._calibration.model_of(field, carriers or printed)
        likely = model.logit(candidate_features(field, printed, value)) >= 0.0
        return value if likely else exact

    def _printed(self, readings: Readings) -> Readings:
        return {e: reading for e, reading in readings.items() if e not in self._exact}

    def _leave_empty(self, draft: _Draft, errors: Sequence[str]) -> None:
        draft.model = self._calibration.absence_of()
        draft.features = absence_features(draft.field, draft.readings)
        draft.logit = draft.model.logit(draft.features)
        silent = [
            note
            for reading in draft.readings.values()
            if reading.value is None
            for note in reading.notes
        ]
        draft.notes = _distinct(silent, _otherwise(draft.readings, None), errors)

    def _settle(
        self, draft: _Draft, more: Mapping[str, float], failed_checks: Sequence[Contradiction]
    ) -> Decision:
        """Confidence and status of a field in the light of the whole record."""
        if draft.logit is None:
            return draft.decision()
        logit = draft.logit + draft.model.added(more)
        if draft.floor is not None and not failed_checks:
            logit = max(logit, draft.floor)
        belief = min(sigmoid(logit), draft.ceiling)
        confidence, status = self._judge(draft, draft.value, belief)
        return _decision(draft, draft, draft.value, confidence, status, failed_checks)

    def _settle_changed(
        self,
        draft: _Draft,
        bound: Decision,
        more: Mapping[str, float],
        failed_checks: Sequence[Contradiction],
    ) -> Decision:
        """The same for a field on which a record-level step had its say.

        What the step made of the confidence already holds what the readings say of the value; it
        stands where only judgement speaks of those that read it.
        `draft` takes over the features on which the new confidence rests.
        """
        if bound.status is Status.FAILED:
            return bound
        belief = bound.confidence
        if bound.value is None:
            draft.features = absence_features(draft.field, draft.readings)
            model = self._calibration.absence_of()
            belief = sigmoid(model.logit(draft.features) + model.added(more))
        else:
            draft.features = {f"field={draft.field.name}": 1.0}
            joint = self._calibration.joint.get(draft.field.kind)
            known = draft.model is not PRIOR and not bound.settled
            if joint is not None and belief is not None and known:
                belief = sigmoid(joint.logit(draft.features) + joint.added(more))
        if draft.floor is not None and bound.value != draft.value:
            draft.contested = True  # the rest of the record speaks against what cannot be misread
        if belief is not None:
            belief = min(belief, bound.ceiling)
            if bound.settled and failed_checks:
                belief = min(belief, UNDECIDED)
        confidence, status = self._judge(draft, bound.value, belief)
        return _decision(draft, bound, bound.value, confidence, status, failed_checks)

    def _judge(
        self, draft: _Draft, value: str | None, belief: float | None
    ) -> tuple[float | None, Status]:
        """Confidence and status of a value, or of a field's absence."""
        field = draft.field
        if draft.contested and belief is not None:
            return min(belief, UNDECIDED), Status.ABSTAINED
        if value is None and field.required and belief is not None:
            # What every document should have is not surely missing because nobody found it: a
            # person looks for it before it is called absent.
            return min(belief, _REQUIRED_ABSENT), Status.ABSTAINED
        if not self._accept.reached(field, belief):
            return belief, Status.ABSTAINED
        return belief, Status.ABSENT if value is None else Status.ACCEPTED

    def _tabulated(self, draft: _Draft, decision: Decision) -> Decision:
        """A table's decision with its rows, each cell decided by itself."""
        read = {expert: reading for expert, reading in draft.readings.items() if reading.rows}
        chosen = next((e for e in draft.experts if e in read), None)
        rows: tuple[dict[str, Decision], ...] = ()
        if chosen is not None:
            rows = decided_rows(draft.field, read, chosen, self._cell)
        if draft.verdict is not None:
            known = len(draft.decision().notes)  # what follows are checks that fail with that word
            alone = self._read_table(draft, rows)
            return judged_table(draft.field, alone, draft.verdict, decision.notes[known:])
        if decision.value is None or not rows:
            return decision
        sure = self._accept.reached(draft.field, lowest(decision, rows))
        impossible = decision.ceiling <= UNDECIDED
        return tabulated(decision, rows, sure and not impossible)

    def _read_table(self, draft: _Draft, rows: tuple[dict[str, Decision], ...]) -> Decision:
        """A table as it would be without a person's word."""
        read = replace(draft, verdict=None).decision()
        return tabulated(read, rows, accepted=False) if rows else read

    def _cell(self, column: Field, readings: Readings) -> Decision:
        """A table's cell, decided as a field is that stands alone."""
        speaking = {e: reading for e, reading in readings.items() if reading.value is not None}
        draft = _Draft(column, readings)
        if not speaking:
            # Something may stand there that is no value of the column.
            unclear = any(reading.raw for reading in readings.values())
            draft.ceiling = UNDECIDED if unclear else 1.0
            draft.notes = _distinct([note for r in readings.values() for note in r.notes])
            empty = max([r.score for r in readings.values() if r.score is not None], default=0.5)
            confidence, status = self._judge(draft, None, min(empty, draft.ceiling))
            return _decision(draft, draft, None, confidence, status)
        values = list(dict.fromkeys([str(reading.value) for reading in speaking.values()]))
        value = values[0] if len(values) == 1 else self._choose(column, speaking, values)
        carriers = [pair for pair in speaking.items() if pair[1].value == value]
        draft.experts = tuple(e for e, _ in carriers) or tuple(speaking)
        draft.evidence = next((r.evidence for _, r in carriers if r.evidence is not None), None)
        draft.notes = _distinct(
            [note for _, reading in carriers for note in reading.notes],
            _otherwise(speaking, value) if len(values) > 1 else (),
        )
        belief = sigmoid(CELL_PRIOR.logit(candidate_features(column, readings, value)))
        confidence, status = self._judge(draft, value, belief)
        return _decision(draft, draft, value, confidence, status)

    def _weights(self, field: Field) -> Mapping[str, float]:
        return self._calibration.weights.get(field.kind, {})

    def _ballots(self, field: Field, readings: Readings) -> list[Ballot]:
        """g · confidence of every reading with a value; the same scale for all of them."""
        weights = self._weights(field)
        return [
            Ballot(
                reading.value,
                weights.get(expert, 1.0) * (0.5 if reading.score is None else reading.score),
                reading.characters,
            )
            for expert, reading in readings.items()
            if reading.value is not None
        ]

    def _alone(self, field: Field, readings: Readings) -> dict[str, float]:
        """Each speaking expert's chance to be right, as if it had been the only one asked."""
        return {
            expert: self._calibration.model_of(field, (expert,)).probability(
                candidate_features(field, {expert: reading}, reading.value)
            )
            for expert, reading in readings.items()
            if reading.value is not None
        }

    def _elected(self, field: Field, readings: Readings) -> str:
        """The result of the vote; where it makes no sense for the field, the best whole value."""
        ballots = self._ballots(field, readings)
        if not kind_of(field).closed and field.kind is not Kind.TABLE:
            value = vote(ballots).value
            if any(value == ballot.value for ballot in ballots) or _possible(field, value):
                return value
        return plurality(ballots).value

    def _most_agreed(self, readings: Readings, values: Sequence[str]) -> str:
        support = dict.fromkeys(values, (0, 0.0))
        for reading in readings.values():
            if reading.value is not None:
                count, total = support[reading.value]
                score = 0.5 if reading.score is None else reading.score
                support[reading.value] = (count + 1, total + score)
        return max(values, key=lambda value: support[value])

    def _most_confident(self, field: Field, readings: Readings) -> str:
        chances = self._alone(field, readings)
        surest = max(chances, key=lambda expert: chances[expert])
        value = readings[surest].value
        assert value is not None
        return value


class Priority(FieldCombiner):
    """The first expert of the list that has a value."""

    Params = PriorityParams

    def __init__(
        self,
        params: PriorityParams,
        calibration: Calibration | None = None,
        steps: Sequence[RecordStep] = (),
        check: Checking | None = None,
    ) -> None:
        super().__init__(params, calibration, steps, check)
        self._params = params

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        params = self._params
        order = params.fields.get(field.name, params.kinds.get(field.kind, params.order))
        return _first_of(order, readings, values)


class Confident(FieldCombiner):
    """The reading whose expert, taken alone, is surest."""

    Params = CombinerParams

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        return self._most_confident(field, readings)


class Agreement(FieldCombiner):
    """The value that most experts give; ties go to the higher sum of own scores."""

    Params = CombinerParams

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        return self._most_agreed(readings, values)


class Votes(FieldCombiner):
    """The elected string; for enums the value with most weight behind it."""

    Params = VotesParams

    def __init__(
        self,
        params: VotesParams,
        calibration: Calibration | None = None,
        steps: Sequence[RecordStep] = (),
        check: Checking | None = None,
    ) -> None:
        super().__init__(params, calibration, steps, check)
        self._params = params

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        return self._elected(field, readings)

    def _weights(self, field: Field) -> Mapping[str, float]:
        own = self._params.kinds.get(field.kind, self._params.weights)
        return {**super()._weights(field), **own}


class Moe(FieldCombiner):
    """The default: the best method per kind of field, then joint knowledge of the record."""

    Params = MoeParams

    def __init__(
        self,
        params: MoeParams,
        calibration: Calibration | None = None,
        steps: Sequence[RecordStep] = (),
        check: Checking | None = None,
    ) -> None:
        super().__init__(params, calibration, steps, check)
        self._params = params

    def _choose(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        match self._params.methods.get(field.kind, self._params.method):
            case "best":
                return self._best(field, readings, values)
            case "priority":
                return _first_of(self._params.order, readings, values)
            case "confident":
                return self._most_confident(field, readings)
            case "agreement":
                return self._most_agreed(readings, values)
            case "votes":
                return self._elected(field, readings)

    def _best(self, field: Field, readings: Readings, values: Sequence[str]) -> str:
        candidates = list(values)
        if len(readings) > 2:
            elected = self._elected(field, readings)
            if elected not in candidates:
                candidates.append(elected)
        chances = {}
        for value in candidates:
            carriers = [expert for expert in readings if readings[expert].value == value]
            model = self._calibration.model_of(field, carriers or readings)
            chances[value] = model.logit(candidate_features(field, readings, value))
        return max(candidates, key=lambda value: chances[value])

    def _weights(self, field: Field) -> Mapping[str, float]:
        return {**super()._weights(field), **self._params.weights}


def _first_of(order: Sequence[str], readings: Readings, values: Sequence[str]) -> str:
    for expert in order:
        reading = readings.get(expert)
        if reading is not None and reading.value is not None:
            return reading.value
    return values[0]


def _mixed_up(state: State) -> tuple[str, ...]:
    """The fields whose values may be of different documents: those that have several on the page, and
    all of them where more than one has."""
    doubled = tuple(
        name
        for name, readings in state.readings.items()
        if any(reading.features.get(SEVERAL) for reading in readings.values())
    )
    return state.schema.names if len(doubled) > 1 else doubled


def _withheld(decision: Decision) -> Decision:
    """Nothing of a mixture stands without a person's look."""
    if decision.status is Status.FAILED:
        return decision
    confidence = decision.confidence
    return decision.model_copy(
        update={
            "status": Status.ABSTAINED,
            "confidence": None if confidence is None else min(confidence, UNDECIDED),
            "ceiling": min(decision.ceiling, UNDECIDED),
            "notes": _distinct(decision.notes, (_SEVERAL_DOCUMENTS,)),
        }
    )


def _noted(decision: Decision, failed_checks: Sequence[Contradiction]) -> Decision:
    """What contradicts a person's word is told, and changes nothing."""
    if not failed_checks:
        return decision
    notes = _distinct(decision.notes, [each.note for each in failed_checks])
    return decision.model_copy(update={"notes": notes})


def _possible(field: Field, value: str) -> bool:
    """Whether a value that no expert gave can stand in the field at all."""
    if field.kind is Kind.DATE:
        try:
            date.fromisoformat(value if len(value) != 7 else f"{value}-01")
        except ValueError:
            return False
    if field.grammars:
        return field.has_code_length(value)
    return bool(value)


def _overlapping(first: str, second: str) -> bool:
    return first in second or second in first


def _own_score(carrier: tuple[str, Reading]) -> float:
    return -1.0 if carrier[1].score is None else carrier[1].score


def _otherwise(readings: Readings, value: str | None) -> list[str]:
    """What the other experts read, for the person who looks at the cell."""
    return [
        f"{expert} reads {f'{len(reading.rows)} rows' if reading.rows else reading.value}"
        for expert, reading in readings.items()
        if reading.error is None and reading.value is not None and reading.value != value
    ]


def _distinct(*groups: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for group in groups for note in group))


def _decision(
    draft: _Draft,
    source: _Draft | Decision,
    value: str | None,
    confidence: float | None,
    status: Status,
    failed_checks: Sequence[Contradiction] = (),
) -> Decision:
    """What a draft came to; `source` is the draft itself, or what a record-level step made of it.

    Where a person must decide, the ceiling says so to whatever else weighs the value later.
    """
    # No value is accepted of which, or of whose fellow, a check says that it cannot be.
    impossible = any(each.impossible for each in failed_checks)
    ceiling = min(source.ceiling, UNDECIDED if draft.contested or impossible else 1.0)
    if impossible:
        status = Status.ABSTAINED if status is Status.ACCEPTED else status
    notes = [each.note for each in failed_checks]
    return Decision(
        value=value,
        confidence=None if confidence is None else min(confidence, ceiling),
        status=status,
        experts=source.experts,
        evidence=source.evidence,
        characters=source.characters,
        notes=_distinct(source.notes, notes) if notes else source.notes,
        ceiling=ceiling,
    )

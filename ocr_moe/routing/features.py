"""What is known about a value before the truth is: the features of confidence and routing.

A feature vector is a mapping from names to numbers; a name that is not there is a missing value,
and the model says what that counts (`calibration.Weight.missing`). Names:

    field=<name>            1; lets the fields of one kind differ in their base rate
    score                   log-odds of the best own score among the experts that carry the value
    agree, rivals           other experts with the same value; experts with another value
    rival_score, similar    log-odds of the rivals' best score; their best edit similarity (0-1)
    silent, failed          experts that found nothing; experts that could not answer
    evidence                1 if the value was found on the page
    weakest                 log-odds of the least sure character
    margin                  natural-log probability between the two best alternatives
    length                  characters of the value
    voted                   1 if no expert says it: it came out of a vote
    <expert>                1 if that expert carries the value
    <expert>.score          log-odds of its own score
    <expert>.differs, .silent, .failed   1 if it says otherwise, nothing, or could not answer
    <expert>.<feature>      whatever a carrying expert's `Reading.features` hold

An idle reading counts as none. And, where the whole record is known:

    notes                   failed cross-field checks that touch the field
    others                  mean log-odds of the record's other fields

Where a record-level step had its say, these two, the field's name and only the following count:

    changed                 1 if the step put another value there
    bound                   log-odds of the step's own confidence
"""

from __future__ import annotations

from collections.abc import Mapping

from rapidfuzz.distance import Indel

from ocr_moe.odds import logit
from ocr_moe.schema import Field
from ocr_moe.types import Decision, Reading

GIVEN_KEY = "given_key"
"""Feature of a reading whose value a text item has under the field's own key."""
SEVERAL = "several"
"""Feature of a reading whose field has other values on the page that are of another document."""


def candidate_features(
    field: Field, readings: Mapping[str, Reading], value: str
) -> dict[str, float]:
    """Features of one candidate value among all readings of its field."""
    features = {f"field={field.name}": 1.0, "length": float(len(value))}
    carriers = rivals = silent = failed = 0
    score = rival_score = weakest = margin = similar = -1.0
    evidence = 0.0
    for expert, reading in readings.items():
        if reading.idle:
            continue
        if reading.error is not None:
            failed += 1
            features[expert + ".failed"] = 1.0
        elif reading.value is None:
            silent += 1
            features[expert + ".silent"] = 1.0
        elif reading.value == value:
            carriers += 1
            features[expert] = 1.0
            own = reading.score
            if own is not None:
                features[expert + ".score"] = logit(own)
                if own > score:
                    score = own
            if reading.evidence is not None:
                evidence = 1.0
            if reading.characters:
                weakest = max(weakest, min(reading.characters))
            if len(reading.alternatives) > 1:
                best, second = reading.alternatives[:2]
                margin = max(margin, best.logprob - second.logprob)
            prefix = expert + "."
            for name, x in reading.features.items():
                features[prefix + name] = x
        else:
            rivals += 1
            features[expert + ".differs"] = 1.0
            similar = max(similar, Indel.normalized_similarity(value, reading.value))
            if reading.score is not None and reading.score > rival_score:
                rival_score = reading.score
    features["agree"] = carriers - 1.0 if carriers else 0.0
    features["rivals"] = float(rivals)
    features["silent"] = float(silent)
    features["failed"] = float(failed)
    features["evidence"] = evidence
    if score >= 0.0:
        features["score"] = logit(score)
    if rival_score >= 0.0:
        features["rival_score"] = logit(rival_score)
    if similar >= 0.0:
        features["similar"] = similar
    if weakest >= 0.0:
        features["weakest"] = logit(weakest)
    if margin >= 0.0:
        features["margin"] = margin
    if carriers == 0:
        features["voted"] = 1.0
    return features


def absence_features(field: Field, readings: Mapping[str, Reading]) -> dict[str, float]:
    """Features of the claim that the field is not on the document.

    `score` is here the log-odds of the best own belief in that among the silent experts, `required`
    says whether the schema expects the field on every document, and `labelled` whether nothing but a
    label announces it: then a page without the label is without the field. The field's name is left
    out: how often one field is missing says nothing of those of another schema.
    """
    only_labelled = bool(field.labels) and not (field.patterns or field.line_patterns)
    features = {"required": float(field.required), "labelled": float(only_labelled)}
    rivals = silent = failed = 0
    belief = -1.0
    for expert, reading in readings.items():
        if reading.idle:
            continue
        if reading.error is not None:
            failed += 1
        elif reading.value is None:
            silent += 1
            features[f"{expert}.silent"] = 1.0
            if reading.score is not None:
                belief = max(belief, reading.score)
            for name, x in reading.features.items():
                features[f"{expert}.{name}"] = x
        else:
            rivals += 1
    features["silent"] = float(silent)
    features["failed"] = float(failed)
    features["rivals"] = float(rivals)
    if belief >= 0.0:
        features["score"] = logit(belief)
    return features


def state_features(
    field: Field, readings: Mapping[str, Reading], decisions: Mapping[str, Decision]
) -> dict[str, float]:
    """What a gate knows of a field: the decision so far, and the readings behind it.

    `confidence` is the decision's log-odds, `others` the mean of the other fields', and `empty` 1
    if there is no value; before the first call only `field=<name>` is there.
    """
    decision = decisions.get(field.name)
    if decision is None or not readings:
        return {f"field={field.name}": 1.0}
    if decision.value is None:
        features = absence_features(field, readings)
        features |= {f"field={field.name}": 1.0, "empty": 1.0}
    else:
        features = candidate_features(field, readings, decision.value)
    if decision.confidence is not None:
        features["confidence"] = logit(decision.confidence)
    others = [
        logit(other.confidence)
        for name, other in decisions.items()
        if name != field.name and other.confidence is not None
    ]
    if others:
        features["others"] = sum(others) / len(others)
    return features


def record_features(
    value: str | None, bound: Decision | None, failed_checks: int, others: float | None
) -> dict[str, float]:
    """Features that only the whole record tells.

    `value` is what the field had alone; `bound` is its decision after the record-level steps where
    they changed it; `others` the mean log-odds of the other fields alone.
    """
    features = {"notes": float(failed_checks)}
    if others is not None:
        features["others"] = others
    if bound is not None:
        features["changed"] = float(bound.value != value)
        if bound.confidence is not None:
            features["bound"] = logit(bound.confidence)
    return features

"""Documents of one subject weigh on one another in the laboratory as at the end of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ocr_moe.laboratory.documents import RecordedDocument
from ocr_moe.routing.dossiers import DossierParams, Dossiers, Entry, said_of, settled_decisions
from ocr_moe.routing.loop import Course
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Decision, DocumentRef


def weighed(
    documents: Sequence[RecordedDocument], courses: Sequence[Course], params: DossierParams
) -> list[Mapping[str, Decision]]:
    """The decisions on each document once all of them have had their say, in the same order.

    A value counts as offered where an expert gave it that the policy has asked: in a run of its own
    nobody else's answers are there. Raises SchemaError for a wrong subject pattern.
    """
    decided: list[Mapping[str, Decision]] = [course.decisions for course in courses]
    offered: dict[DocumentKey, dict[str, set[str]]] = {}
    places: dict[str, list[int]] = defaultdict(list)
    schemas: dict[str, Schema] = {}
    for place, (document, course) in enumerate(zip(documents, courses, strict=True)):
        rule = document.schema.subjects
        if rule is not None and rule.fields:
            schemas[document.schema.name] = document.schema
            places[document.schema.name].append(place)
            offered[key_of(document.ref)] = _offered(course)

    def of_document(document: DocumentRef, field: str) -> Iterable[str]:
        return offered[key_of(document)].get(field, ())

    for name, schema in schemas.items():
        dossiers = Dossiers(schema, params, of_document)
        of_key = {key_of(documents[place].ref): place for place in places[name]}
        changes = dossiers.settle(
            [
                Entry(
                    documents[place].ref,
                    {
                        field: said_of(decided[place][field])
                        for field in dossiers.fields
                        if field in decided[place]
                    },
                )
                for place in places[name]
            ]
        )
        for key, settled in changes.items():
            decided[of_key[key]] = settled_decisions(decided[of_key[key]], settled)
    return decided


def _offered(course: Course) -> dict[str, set[str]]:
    """Field → every value that was given for it, likely or not."""
    values: dict[str, set[str]] = defaultdict(set)
    for _, answer in course.exchanges:
        for reading in answer.readings:
            given = (reading.value, *(other.value for other in reading.alternatives))
            values[reading.field].update(value for value in given if value)
    return values

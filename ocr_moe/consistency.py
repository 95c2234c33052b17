"""Cross-field checks that a schema declares: contradictions become notes on the fields."""

from __future__ import annotations

from collections.abc import Mapping

from ocr_moe.schema import Check, Schema


def check(schema: Schema, values: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Notes per field that takes part in a failed check; fields without a note are left out."""
    notes: dict[str, list[str]] = {}
    for declared in schema.checks:
        found = [values.get(name) for name in declared.fields]
        if any(value is None for value in found):
            continue
        sentence = _fails(declared, schema, [value or "" for value in found])
        if sentence is not None:
            note = f"{declared.message} ({sentence})" if declared.message else sentence
            for name in declared.fields:
                notes.setdefault(name, []).append(note)
    return notes


def _fails(declared: Check, schema: Schema, values: list[str]) -> str | None:
    if declared.kind == "date_order":
        earlier, later = values
        # ISO dates compare as text, to the precision that both have.
        length = min(len(earlier), len(later))
        if earlier[:length] > later[:length]:
            return f"{earlier} is after {later}"
        return None
    code = values[0]
    grammars = schema.field(declared.fields[0]).grammars
    fitting = [grammar for grammar in grammars if grammar.matches(code)]
    if declared.kind == "code_check":
        verdicts = [grammar.checks(code) for grammar in fitting]
        if verdicts and not any(verdict is not False for verdict in verdicts):
            return f"the check character of {code} is wrong"
        return None
    year = values[1][:4]
    for grammar in fitting:
        spans = grammar.parse(code) or {}
        if declared.segment in spans:
            start, end = spans[declared.segment]
            if code[start:end] == year:
                return None
            return f"the number says {code[start:end]}, the date says {year}"
    return None

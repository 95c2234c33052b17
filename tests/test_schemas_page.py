"""docs/schemas.md is true: every key stands there, with an example that is read as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic import BaseModel

from ocr_moe.codes.checks import known_checks
from ocr_moe.codes.grammar import CodeGrammar, Segment, SegmentBinding
from ocr_moe.errors import SchemaError
from ocr_moe.schema import (
    Check,
    CodePart,
    Fallback,
    Field,
    Kind,
    MarkList,
    Marks,
    Schema,
    Subjects,
    Total,
    load_schema,
)
from ocr_moe.workshop.config import shipped_schemas
from recipes.formats import EDITORS, as_text, editors_schema
from tests.conftest import ROOT, Command
from tests.schemadocs import PAGE, Example, anchors, examples, load, outcome

TEXT = PAGE.read_text(encoding="utf-8")
EXAMPLES = examples(TEXT)
CHAPTERS: Mapping[str, tuple[type[BaseModel], ...]] = {
    "Keys of the document": (Schema,),
    "Keys of a field": (Field,),
    "Keys of a grammar": (CodeGrammar,),
    "Keys of a segment": (Segment,),
    "Keys of a binding": (SegmentBinding,),
    "Keys of `marks`": (Marks, MarkList),
    "Keys of `from`": (CodePart,),
    "Keys of `totals`": (Total,),
    "Keys of a check": (Check,),
    "Keys of `subjects`": (Subjects,),
}
CHAPTER_OF = {model: chapter for chapter, models in CHAPTERS.items() for model in models}
TRAPS = re.findall(r"^```yaml trap\n(.*?)^```\n\n```text error\n(.*?)\n```$", TEXT, re.M | re.S)
FOR_OTHERS = {
    # What they say is not for whoever reads a page.
    "Keys of the document": {"title", "description"},
    "Keys of a field": {"key", "score", "places", "lexicon"},
    "Keys of `subjects`": set(Subjects.model_fields)
    - {"pattern", "kind_order", "degree_order"}
    - {"skip_degree_without_kind"},
}


def keys_of(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def headed(section: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", section))


def sections(chapter: str) -> list[str]:
    [text] = re.findall(rf"^## {re.escape(chapter)}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    return re.findall(r"^### (.+)$", text, re.M)


def identity(example: Example) -> str:
    return f"{example.line}: {example.section or example.chapter}"


@pytest.mark.parametrize("example", EXAMPLES, ids=identity)
def test_an_example_is_read_as_the_page_says(example: Example, tmp_path: Path) -> None:
    schema = load(tmp_path, example)
    shown = dict(example.shown)
    results = [what for what in shown if what not in INPUTS]
    assert results
    for what in results:
        expected = shown[what] if what.startswith("text") else json.loads(shown[what])
        assert outcome(what, schema, shown) == expected


INPUTS = ("text page", "text symbol", "text files", "json item")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_key_has_its_heading_and_every_heading_is_of_keys(chapter: str) -> None:
    told = [key for section in sections(chapter) for key in sorted(headed(section))]
    assert len(told) == len(set(told))
    assert set(told) == set().union(*map(keys_of, CHAPTERS[chapter]))


def set_in(value: BaseModel) -> Iterator[tuple[str, str]]:
    """(chapter, key) of all that a schema says, by the models that it was made of."""
    chapter = CHAPTER_OF.get(type(value))
    for name in value.model_fields_set:
        if chapter is not None:
            yield chapter, type(value).model_fields[name].alias or name
        within = getattr(value, name)
        for each in within if isinstance(within, tuple) else (within,):
            if isinstance(each, BaseModel):
                yield from set_in(each)


def test_every_key_stands_in_an_example_under_its_heading(tmp_path: Path) -> None:
    shown: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for example in EXAMPLES:
        found = set(set_in(load(tmp_path, example)))
        shown.setdefault((example.chapter, example.section), set()).update(found)
    for chapter in CHAPTERS:
        for section in sections(chapter):
            told = {key for of, key in shown.get((chapter, section), set()) if of == chapter}
            assert headed(section) <= told, f"{chapter}: {section}"


def without(data: Any, path: tuple[str, ...], key: str) -> bool:
    """Take a key out of all mappings at a path of keys; whether there was one."""
    if isinstance(data, list):
        taken = [each for each in data if without(each, path, key)]
        return bool(taken)
    if not isinstance(data, dict):
        return False
    if path:
        return path[0] in data and without(data[path[0]], path[1:], key)
    return data.pop(key, None) is not None


PLACES: Mapping[type[BaseModel], tuple[tuple[str, ...], ...]] = {
    Schema: ((),),
    Field: (("fields",), ("fields", "columns")),
    CodeGrammar: (("fields", "grammars"),),
    Segment: (("fields", "grammars", "segments"),),
    SegmentBinding: (("fields", "grammars", "segments", "binding"),),
    Marks: (("fields", "marks"),),
    MarkList: (("fields", "marks", "lists"),),
    CodePart: (("fields", "from"),),
    Total: (("fields", "totals"),),
    Check: (("checks",),),
    Subjects: (("subjects",),),
}
SHOWN = [
    (chapter, section, model, key)
    for chapter, models in CHAPTERS.items()
    for section in sections(chapter)
    for model in models
    for key in sorted(headed(section) & keys_of(model))
    if key not in FOR_OTHERS.get(chapter, set())
]


@pytest.mark.parametrize(
    ("chapter", "section", "model", "key"), SHOWN, ids=[f"{m.__name__}-{k}" for *_, m, k in SHOWN]
)
def test_an_example_shows_what_its_key_does(
    chapter: str, section: str, model: type[BaseModel], key: str, tmp_path: Path
) -> None:
    """Without the key the schema is none, or something else comes of the same page."""
    told = [e for e in EXAMPLES if (e.chapter, e.section) == (chapter, section)]
    assert any(differs_without(key, PLACES[model], example, tmp_path) for example in told)


def differs_without(
    key: str, places: tuple[tuple[str, ...], ...], example: Example, folder: Path
) -> bool:
    data = yaml.load(example.schema, yaml.BaseLoader)
    if not [path for path in places if without(data, path, key)]:
        return False
    text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
    try:
        schema = load(folder, replace(example, schema=text))
    except SchemaError:
        return True
    shown = dict(example.shown)
    return any(
        outcome(what, schema, shown) != (text if what.startswith("text") else json.loads(text))
        for what, text in example.shown
        if what not in INPUTS
    )


def rows(heading: str) -> set[str]:
    """What stands in the first column of the table under a heading of the third level."""
    [text] = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^##)", TEXT, re.M | re.S)
    return {name for cell in re.findall(r"^\| (`.+?`) \|", text, re.M) for name in headed(cell)}


def test_every_kind_place_and_check_is_told() -> None:
    assert rows("`kind`") == set(Kind)
    assert rows("`fallbacks`") == set(Fallback)
    assert rows("`kind`, `fields`, `message`") == {
        "date_order",
        "not_future",
        "code_check",
        "code_year",
        "expression",
    }
    [checks] = re.findall(r"### `check`\n(.*?)```", TEXT, re.S)[:1]
    assert headed(checks) <= known_checks() | {"check"}


@pytest.mark.parametrize(("written", "told"), TRAPS)
def test_a_trap_is_told_as_the_page_says(written: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(SchemaError) as raised:
        load_schema(path)
    assert told in str(raised.value)
    assert len(TRAPS) >= 10


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", TEXT, flags=re.M | re.S)
    ):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        page = PAGE if not file else (PAGE.parent / file).resolve()
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page.read_text(encoding="utf-8")), target


# --- the JSON Schema for editors ----------------------------------------------------------------------


def validator() -> Draft7Validator:
    return Draft7Validator(json.loads(EDITORS.read_text(encoding="utf-8")))


def as_editors_see(text: str) -> Any:
    """YAML as JSON has it: dates are text there."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_json_schema_is_up_to_date() -> None:
    Draft7Validator.check_schema(editors_schema())
    assert EDITORS.read_text(encoding="utf-8") == as_text(editors_schema()), "run: make formats"


def test_the_json_schema_says_what_every_key_means() -> None:
    schema = editors_schema()
    parts = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    assert {part["title"] for part in parts} >= {model.__name__ for model in CHAPTER_OF}
    told = [
        (part["title"], key, words) for part in parts for key, words in part["properties"].items()
    ]
    assert [(title, key) for title, key, words in told if not words.get("description")] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=identity)
def test_the_json_schema_takes_every_example(example: Example) -> None:
    assert [e.message for e in validator().iter_errors(as_editors_see(example.schema))] == []


def test_the_json_schema_takes_the_shipped_schemas_and_no_mistakes() -> None:
    for path in (*shipped_schemas().values(), *(ROOT / "examples").glob("*.yaml")):
        data = as_editors_see(path.read_text(encoding="utf-8"))
        assert [error.message for error in validator().iter_errors(data)] == [], path
    for wrong in ("lables: [x]", "kind: txt", "required: maybe", "occurrence: first"):
        text = f"name: t\nfields:\n  - name: a\n    {wrong}\n"
        assert list(validator().iter_errors(as_editors_see(text))), wrong


def test_the_command_prints_it(ocr_moe: Command) -> None:
    done = ocr_moe("schemas", "--json-schema")
    assert done.status == 0, done.err
    assert json.loads(done.out) == json.loads(EDITORS.read_text(encoding="utf-8"))
    told = ROOT / "docs" / "schemas.md"
    assert "ocr-moe schemas --json-schema > schema.json" in told.read_text(encoding="utf-8")


def test_the_readmes_say_where_it_is() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        assert "docs/schemas.md" in (ROOT / readme).read_text(encoding="utf-8")

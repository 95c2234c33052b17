"""YAML as people and attackers write it: every file is read, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.errors import ConfigError, SchemaError
from ocr_moe.formats.yamlfile import read_yaml
from ocr_moe.schema import load_schema
from ocr_moe.workshop.config import load_config

NINE = "[" + ",".join(["x"] * 9) + "]"
LAUGHS = f"a: &a {NINE}\n" + "\n".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: " + "[" * 1_000_000, "more than 100 levels within one another"),
        ('{"a": ' * 200_000, "more than 100 levels within one another"),
        ("a: &a [*a]", "an alias stands within what it stands for"),
        (LAUGHS, "aliases make more than 1,000,000 values"),
        ("a: 2019-13-45", "line 1, column 4.*|'2019-13-45' is taken for a timestamp and is none"),
        ("a: 0b_", "'0b_' is taken for a int and is none; put it in quotation marks"),
        ("a: " + "9" * 5000, "is taken for a int and is none"),
        ("a: !!timestamp hello", "'hello' is taken for a timestamp and is none"),
        ("a: !!bool hello", "'hello' is taken for a bool and is none"),
        ("a: 1\nb: 2\na: 3", "the key 'a' stands here twice at line 3"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ('a: "\\ud800"', "invalid Unicode character"),
        ("a: \x00", "not valid YAML"),
        ("? [a]\n: b", "unhashable key"),
        ("- a", "expected a mapping"),
        ("", "expected a mapping"),
    ],
)
def test_what_is_no_configuration_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=sentence) as raised:
        read_yaml(path, ConfigError)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_the_same_value_in_two_places_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n", encoding="utf-8-sig")

    assert read_yaml(path, ConfigError) == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


def test_other_encodings_and_other_things_than_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_bytes("strategy: 规则".encode("gbk"))

    with pytest.raises(ConfigError, match="not UTF-8; save it as UTF-8"):
        load_config(path)
    with pytest.raises(ConfigError, match="device or pipe"):
        load_config(Path("/dev/zero"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Path("a\0.yaml"))


def test_what_yaml_takes_for_something_else_than_text_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("name: t\nfields:\n  - {name: no, aliases: [2019-06-20, 0012, ok]}\n")

    with pytest.raises(SchemaError) as raised:
        load_schema(path)
    for words in ("YAML reads False here", "YAML reads 2019-06-20 here", "YAML reads 10 here"):
        assert words in str(raised.value)
    assert "quotation marks" in str(raised.value)


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("patterns: ['x{99999999999}']", "is not a regular expression"),
        (
            "kind: code, grammars: [{name: g, segments: [{length: 9, "
            "values: ['000000000-999999999']}]}]",
            "more than 100,000 values",
        ),
        (
            "kind: code, grammars: [{name: g, segments: [{length: 1, max_length: 1000000000}]}]",
            "less than or equal to 64",
        ),
    ],
)
def test_a_schema_that_would_take_all_memory_is_refused(
    tmp_path: Path, field: str, sentence: str
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"name: t\nfields:\n  - {{name: a, {field}}}\n")

    with pytest.raises(SchemaError, match=sentence):
        load_schema(path)

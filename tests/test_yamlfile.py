"""YAML as people and attackers write it: every file is read, or refused with a sentence."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from ocr_moe.errors import ConfigError, SchemaError
from ocr_moe.formats.yamlfile import read_yaml
from ocr_moe.schema import Schema, load_schema
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
        ("a: !!int [1, 2]", "expected a scalar node, but found sequence"),
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


FIELD = "name: t\nfields:\n  - name: a\n"


def schema_of(text: str | bytes, folder: Path) -> Schema:
    path = folder / "own.yaml"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return load_schema(path)


@pytest.mark.parametrize(
    "label",
    [
        *("no", "No", "NO", "yes", "on", "Off", "true", "y", "N"),
        *("2019-06-20", "2019-06-20 12:30:00", "12:30", "1:30.5", "190:20:30"),
        *("0012", "007", "0123", "0x1F", "0b11", "0o17", "1_000", "1e5", "1.5e3", "6.", ".5", "+3"),
        *(
            ".inf",
            ".nan",
            "=",
            "<<",
            "100%",
            "C#",
            "a:b",
            "http://a.b/c",
            "合计：",
            "（大写）",
            "、",
            "-x",
        ),
    ],
)
def test_the_words_of_a_schema_are_text_as_it_stands_there(label: str, tmp_path: Path) -> None:
    text = (
        f"name: {label}\ntitle: {label}\nother_labels:\n  - {label}\n"
        f"fields:\n  - name: {label}\n    kind: enum\n    labels: [{label}]\n"
        f"    values: {{{label}: [{label}]}}\n"
    )
    if label in ("=", "<<"):
        text = text.replace(f"{{{label}: ", f"{{'{label}': ")  # a key that merges, unless quoted
    schema = schema_of(text, tmp_path)
    [field] = schema.fields
    assert (schema.name, schema.title, schema.other_labels) == (label, label, (label,))
    assert (field.name, field.labels, field.values) == (label, (label,), {label: (label,)})


def test_what_is_a_number_or_true_is_so_all_the_same(tmp_path: Path) -> None:
    text = """
name: t
pages: 1
items: on
words: {毕业: 3, 学位: 1.5, 证书: 1e-1, No: 010}
fields:
  - {name: a, required: no, case: YES, occurrence: -1, places: [[0, .5, 1, 1.0]]}
  - {name: b, labels: No, kind: date, required: "false"}
checks: [{kind: date_order, fields: [b, b], years: [15, 070]}]
"""
    schema = schema_of(text, tmp_path)
    assert (schema.pages, schema.items) == (1, True)
    assert schema.words == {"毕业": 3, "学位": 1.5, "证书": 0.1, "No": 10}
    a, b = schema.fields
    assert (a.required, a.case, a.occurrence, a.places) == (False, True, -1, ((0, 0.5, 1, 1),))
    assert (b.required, b.labels) == (False, ("No",))
    assert schema.checks[0].years == (15, 70)


def test_one_text_may_stand_without_brackets_and_values_without_synonyms(tmp_path: Path) -> None:
    text = FIELD + "    kind: enum\n    labels: 是否合格\n    values: [是, 否]\n"
    [field] = schema_of(text, tmp_path).fields
    assert (field.labels, field.values) == (("是否合格",), {"是": (), "否": ()})
    text = FIELD + "    patterns: '第(?P<value>\\d{1,3})号'\n"
    assert schema_of(text, tmp_path).fields[0].patterns == (r"第(?P<value>\d{1,3})号",)
    for words in ("No, No.", "姓名，名字", "地址、电话"):
        with pytest.raises(
            SchemaError, match=r"line 4, fields\.0\.labels: .*a list is meant: \[a, b\]"
        ):
            schema_of(FIELD + f"    labels: {words}\n", tmp_path)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        # What YAML takes for something else, without a word.
        ("    labels:\n      - Invoice #\n", "line 5: 'Invoice #' is cut off at its #"),
        ("    labels:\n      - Cheque #12\n", "line 5: 'Cheque #' is cut off at its #"),
        ("    labels: [Invoice #, No]\n", "line 4: 'Invoice #' is cut off at its #"),
        ("    labels: [“金额”]\n", "line 4: '“金额”' stands in signs that are no quotation marks"),
        ("    labels: [‘金额’]\n", "no quotation marks in YAML; write \"…\" or '…'"),
        (
            "    labels: [姓名，名字]\n",
            "line 4: '姓名，名字' is one item of the list: ， parts none",
        ),
        (
            '    patterns: ["\\bNo"]\n',
            r"line 4: \b in double quotation marks is a control character",
        ),
        ("    labels: [&Co Ltd]\n", "line 4: '&Co Ltd' begins with the name of a part; put it in"),
        (
            "    \u00a0kind: text\n",
            "line 4: 'kind' stands beside a character that cannot be seen (no-break",
        ),
        (
            "    labels: [金额\u3000]\n",
            "(ideographic space, U+3000); delete it; indent with spaces",
        ),
        ("    labels: [\u200b金额]\n", "(zero width space, U+200B)"),
        # What it refuses, in the words of its grammar: here is what to do.
        (
            '    patterns: ["\\d+"]\n',
            r"line 4: write expressions in single quotation marks, where \ is",
        ),
        ('    patterns: ["\\u4e"]\n', "line 4: write expressions in single quotation marks"),
        ("\tkind: text\n", "line 4: YAML is not indented with tabs; write spaces"),
        (
            "    labels: [%合格]\n",
            "line 4: a text that begins with % @ ` * & ! | or > stands in quotation",
        ),
        ("    labels: [@x]\n", "stands in quotation marks"),
        ("    labels: [*姓名]\n", "line 4: a text that begins with % @ ` * "),
        ("    labels: [*Name]\n", "line 4: a text that begins with % @ ` * "),
        ("    labels: [!重要]\n", "line 4: a text that begins with % @ ` * "),
        (
            "    kind：text\n",
            "line 4: ：is the Chinese colon; behind a key YAML wants the other one",
        ),
        ("    kind:text\n", "line 4: a space is missing behind the colon of a key (name: value)"),
        ("   kind: text\n", "line 4: keys that belong together begin in one column"),
        ("    labels: ['a\n", "line 4"),
        ("    labels: [姓名 “x\n", "“ and ” are no quotation marks in YAML"),
        (
            '    labels: ["a"b]\n',
            "text with quotation marks in it stands in those of the other kind",
        ),
        (
            "    title: Total: net\n",
            "line 4: a text with a colon and a space in it stands in quotation marks",
        ),
        ("---\nname: u\n", "line 4: `---` begins another document; a file holds one"),
        # What is no schema.
        (
            "    labels: [Total: net]\n",
            "line 4, fields.0.labels.0: Input should be a valid string (a text ",
        ),
        (
            "    labels:\n",
            "line 4, fields.0.labels: Input should be a valid tuple (nothing stands here",
        ),
        (
            "    labels: [null]\n",
            "line 4, fields.0.labels.0: Input should be a valid string (nothing",
        ),
        (
            "    lables: [x]\n",
            "line 4, fields.0.lables: unknown key 'lables'; did you mean 'labels'?",
        ),
        (
            "  - {kind:text}\n",
            "line 4, fields.1.kind:text: unknown key 'kind:text'; behind a key stand a",
        ),
        (
            "  - kind：text\n",
            "line 4, fields.1: Input should be a valid dictionary or instance of Field (keys",
        ),
        ("    required: maybe\n", "line 4, fields.0.required: Input should be a valid boolean"),
        ("    kind: txt\n", "line 4, fields.0.kind: Input should be 'text', 'person'"),
        ("    occurrence: first\n", "line 4, fields.0.occurrence: Input should be a valid integer"),
        ("    name: b\n", "the key 'name' stands here twice at line 4"),
    ],
)
def test_a_trap_is_told_with_its_line_and_with_what_to_write(
    lines: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError) as raised:
        schema_of(FIELD + lines, tmp_path)
    assert told in str(raised.value)
    assert str(raised.value).startswith(f"{tmp_path / 'own.yaml'}: ")
    assert "at least 1 item" not in str(raised.value), "what follows from the error is no error"


@pytest.mark.parametrize(
    "lines",
    [
        "    kind: text # why\n    labels: [a] #why\n    required: no #为什么\n",
        "    labels: ['Invoice #', \"No #\", C#, '#1'] ## !\n",
        "    labels: ['“金额”', '姓名，名字', '&Co', '\u3000']\n",
        "    description: “甲”或“乙”\n    aliases:\n      - 甲，乙\n",
        "    labels: &shared [x]\n",
        "    description: >-\n      Invoice #\n      “x”\n",
        '    patterns: ["\\\\bNo\\t"]\n',
    ],
)
def test_what_only_looks_like_a_trap_is_none(lines: str, tmp_path: Path) -> None:
    assert schema_of(FIELD + lines, tmp_path).names == ("a",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_unicode_with_its_mark_is_read_as_windows_writes_it(
    encoding: str, end: str, tmp_path: Path
) -> None:
    mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
    text = (mark + FIELD + "    labels: [姓名]\n").replace("\n", end)
    assert schema_of(text.encode(encoding), tmp_path).fields[0].labels == ("姓名",)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "姓名、性别".encode("gbk"),
            "save it as UTF-8 (it looks like GBK, which Windows calls ANSI; line 4: ",
        ),
        ("Größe".encode("latin-1"), "the text is not UTF-8; save it as UTF-8 (line 4: "),
        ("Prénom".encode("cp1252"), "the text is not UTF-8; save it as UTF-8 (line 4: "),
    ],
)
def test_an_old_encoding_is_named_and_never_guessed(
    written: bytes, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError) as raised:
        schema_of(FIELD.encode() + b"    labels: [" + written + b"]\n", tmp_path)
    assert told in str(raised.value)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n", "\ufeff"])
def test_an_empty_schema_is_called_empty(text: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="the file is empty"):
        schema_of(text, tmp_path)


def test_values_that_are_merged_again_and_again_are_taken_once(tmp_path: Path) -> None:
    names = "abcdefghijklmnop"
    laughs = "a: &a {x: 1, y: 2}\n" + "\n".join(
        f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}], {b}: 3, y: {b}}}"
        for a, b in itertools.pairwise(names)
    )
    path = tmp_path / "own.yaml"
    path.write_text(laughs, encoding="utf-8")
    last = read_yaml(path, ConfigError)["p"]
    assert (last["x"], last["y"], last["p"], len(last)) == (1, "p", 3, 2 + 15)

    path.write_text("a: &a {<<: *a, k: 1}\n", encoding="utf-8")
    assert read_yaml(path, ConfigError) == {"a": {"k": 1}}
    path.write_text("a: &a {k: 1, l: 1}\nb: {l: 3, <<: [*a, {k: 2, m: 2}]}\n", encoding="utf-8")
    assert read_yaml(path, ConfigError)["b"] == {"k": 1, "l": 3, "m": 2}
    path.write_text("a: &a x\nb: {<<: *a}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="takes keys and values, or a list of such"):
        read_yaml(path, ConfigError)
    wide = ",".join(f"k{n}: 1" for n in range(2000))
    path.write_text(f"a: &a {{{wide}}}\nb: {{<<: [{','.join(['*a'] * 600)}]}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="merges more than 1,000,000 values"):
        read_yaml(path, ConfigError)
    chain = "\n".join(f"- &a{n} {{<<: *a{n - 1}}}" for n in range(1, 3000))
    path.write_text(f"list:\n- &a0 {{k: 1}}\n{chain}\n<<: *a2999\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="merges too many times over"):
        read_yaml(path, ConfigError)


@pytest.mark.parametrize("written", ["010", "-0123", "1:30", "190:20:30", "1:30.5"])
def test_a_number_that_yaml_counts_otherwise_is_refused_in_a_configuration(
    written: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"workers: {written}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="is another number to YAML than to people") as raised:
        load_config(path)
    assert "line 1" in str(raised.value)
    for same in ("0", "00", "0.5", "-0.0", "1.5e+3", "0x10"):
        path.write_text(f"a: {same}\n", encoding="utf-8")
        assert isinstance(read_yaml(path, ConfigError)["a"], int | float)


def test_a_configuration_says_what_yaml_made_of_a_text_and_where(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("workers: 1\nstrategy: no\nocr: 2019-06-20\nschemas: [12]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    for words in (
        "line 2, strategy: Input should be a valid string (YAML reads False here, no text; put what is "
        "meant in quotation marks)",
        "line 3, ocr: Input should be a valid string (YAML reads 2019-06-20 here",
        "line 4, schemas.0: Input should be a valid string (YAML reads 12 here",
    ):
        assert words in str(raised.value)
    path.write_text("experts:\n  rules: {kind: rules}\nreview:\n  lockk: 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 4, review\.lockk: unknown key 'lockk'"):
        load_config(path)


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


@pytest.mark.parametrize("pages", ["0", "-1", "x"])
def test_a_document_has_pages(pages: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"line 2, pages: Input should be"):
        schema_of(f"name: t\npages: {pages}\nfields: [{{name: a}}]\n", tmp_path)

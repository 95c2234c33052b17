"""The forms in which models give the same answer, and texts made to break whoever reads them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.experts.llm import replies
from ocr_moe.experts.llm.nothing import says_nothing
from ocr_moe.folds import fold_print
from ocr_moe.formats.files import write_text
from ocr_moe.formats.text import sound
from ocr_moe.schema import Field, Kind, Schema, load_schema
from ocr_moe.testing.chatserver import ChatServer, Reply, completion
from ocr_moe.types import RawReply, Reading
from ocr_moe.workshop.config import shipped_schemas

SCHEMA = Schema(
    name="certificate",
    fields=(
        Field(name="姓名", kind=Kind.PERSON, aliases=("name", "student_name")),
        Field(name="性别", kind=Kind.ENUM, values={"男": ("male",), "女": ("female",)}),
        Field(name="出生日期", kind=Kind.DATE, aliases=("birth_date",)),
        Field(name="毕业院校", kind=Kind.ORGANISATION, aliases=("school",), labels=("校名",)),
        Field(name="专业", aliases=("major",)),
        Field(name="证书编号", kind=Kind.CODE, aliases=("certificate_number",)),
    ),
)
WORDS = {
    "姓名": "陈思远",
    "性别": "男",
    "出生日期": "1997年3月15日",
    "毕业院校": "江城理工大学",
    "专业": "土木工程",
    "证书编号": "100051201905001234",
}
RIGHT = WORDS | {"出生日期": "1997-03-15"}
ENGLISH = ("Name", "性别", "Birth Date", "School", "Major", "Certificate Number")
TRADITIONAL = {"性别": "性別", "毕业院校": "畢業院校", "专业": "專業", "证书编号": "證書編號"}
Words = Mapping[str, str]


def parsed(
    text: str, *, truncated: bool = False, fields: tuple[str, ...] = SCHEMA.names
) -> dict[str, Reading]:
    reply = RawReply(fields=fields, content=text, model="m", truncated=truncated)
    return replies.parse([reply], SCHEMA.fields, [])


def values(found: Mapping[str, Reading]) -> dict[str, str | None]:
    return {name: reading.value for name, reading in found.items()}


def failures(found: Mapping[str, Reading]) -> dict[str, str]:
    return {n: reading.error.message for n, reading in found.items() if reading.error is not None}


def plain(words: Any, **options: Any) -> str:
    return json.dumps(words, ensure_ascii=False, **options)


def renamed(words: Words, names: Mapping[str, str]) -> dict[str, str]:
    return {names.get(name, name): value for name, value in words.items()}


def halves(words: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    items = list(words.items())
    middle = len(items) // 2
    late: dict[str, Any] = dict.fromkeys(name for name, _ in items[:1])
    return dict(items[:middle]), late | dict(items[middle:])


def lines(words: Words, form: str) -> str:
    return "\n".join(form.format(number, *each) for number, each in enumerate(words.items(), 1))


DRAFT = '{"姓名": "林建国", "证书编号": "1"}'
REASONING: dict[str, str] = {
    "think": f"<think>{DRAFT}？不对。</think>\n@",
    "thinking": f"<thinking>草稿 {DRAFT}，不对。</thinking>\n@",
    "a tag with attributes": f'<thought time="3s">{DRAFT}</thought>@',
    "reasoning": f"<reasoning>{DRAFT}</reasoning><answer>@</answer>",
    "a Chinese tag": f"<思考>{DRAFT}</思考>@",
    "only closed": f"先看姓名 {DRAFT}\n</think>\n\n@",
    "opened twice": f"<think>a<think>b</think>{DRAFT}</think>@",
    "after the answer": f"@\n<reflection>{DRAFT}</reflection>",
    "after the answer, not closed": f"@\n<think>{DRAFT}",
    "capitals in brackets": f"[THINK]{DRAFT}[/THINK]@",
    "lozenges": f"◁think▷{DRAFT}◁/think▷@",
    "marked beginning and end": f"<|begin_of_thought|>{DRAFT}<|end_of_thought|>@",
    "channels": f"<|channel|>analysis<|message|>{DRAFT}<|end|>"
    "<|start|>assistant<|channel|>final <|constrain|>json<|message|>@<|return|>",
    "channels of another kind": f"<|channel>thought\n{DRAFT}<channel|>@",
    "channels without their marks": f"analysisLook: {DRAFT}assistantfinal@",
    "untagged": f"草稿：{DRAFT}\n最终答案：@",
}
AROUND: dict[str, str] = {
    "alone": "@",
    "byte order mark": "\ufeff@",
    "zero width": "\u200b@\u200b",
    "prose": "好的，结果如下（共{6}项）：@ 希望有帮助 [1]。",
    "a fence": "```json\n@\n```",
    "two fences": "图片文字：\n```\n学生 陈思远 性别 男\n```\n结果：\n```json\n@\n```",
    "a brace before": "编号是{吗？@",
    "a quote before": 'The 5" form: @',
    "script": "const result = @;",
    "answer tag": "<answer>@</answer>",
}
OBJECTS: dict[str, Callable[[Words], str]] = {
    "plain": plain,
    "indented": lambda w: plain(w, indent=2).replace("\n", "\r\n"),
    "escaped": lambda w: json.dumps(w),
    "in data": lambda w: plain({"code": 0, "data": w}),
    "in a list in data": lambda w: plain({"data": [w]}),
    "pairs": lambda w: plain([{"field": n, "value": v} for n, v in w.items()]),
    "named fields": lambda w: plain({"fields": [{"name": n, "value": v} for n, v in w.items()]}),
    "lists of two": lambda w: plain([[n, v] for n, v in w.items()]),
    "one each": lambda w: plain([{n: v} for n, v in w.items()]),
    "one a line": lambda w: "\n".join(plain({n: v}) for n, v in w.items()),
    "list of lines": lambda w: plain([f"{n}: {v}" for n, v in w.items()]),
    "wrapped values": lambda w: plain({n: {"value": v, "confidence": 0.9} for n, v in w.items()}),
    "lists of one": lambda w: plain({n: [v] for n, v in w.items()}),
    "by page": lambda w: plain(dict(zip(("page_1", "page_2"), halves(w), strict=True))),
    "list of pages": lambda w: plain([{"page": n, **each} for n, each in enumerate(halves(w))]),
    "numbered": lambda w: plain({f"{i}. {n}": v for i, (n, v) in enumerate(w.items(), 1)}),
    "numbered in brackets": lambda w: plain(
        {f"（{i}）{n}": v for i, (n, v) in enumerate(w.items())}
    ),
    "with a note": lambda w: plain({f"{n}（必填）": v for n, v in w.items()}),
    "bold": lambda w: plain({f"**{n}**": f"**{v}**" for n, v in w.items()}),
    "traditional": lambda w: plain(renamed(w, TRADITIONAL)),
    "respelt": lambda w: plain(renamed(w, {"证书编号": "证书编码", "出生日期": "出生时间"})),
    "Japanese": lambda w: plain(renamed(w, {"证书编号": "証書番号"})),
    "English": lambda w: plain(dict(zip(ENGLISH, w.values(), strict=True))),
    "labels": lambda w: plain({n: f"{n}：{v}" for n, v in w.items()}),
    "a tool's call": lambda w: plain({"name": "extract", "arguments": w}),
    "a tool's call, encoded": lambda w: plain({"name": "extract", "arguments": plain(w)}),
    "reasons beside it": lambda w: plain({"reasoning": "姓名：李四，性别：女", "answer": w}),
    "encoded in an answer": lambda w: plain({"answer": plain(w)}),
    "two braces": lambda w: "{" + plain(w) + "}",
    "trailing comma": lambda w: plain(w)[:-1] + ",}",
    "dots": lambda w: plain(w)[:-1] + ", ...}",
    "comments": lambda w: (
        plain(w, indent=1).replace("\n", ' // 姓名 "x"\n', 2).replace("{", "{/* y */")
    ),
    "single quotes": str,
    "curly quotes": lambda w: plain(w).replace('"', "”"),
    "all of full width": lambda w: plain(w).translate(str.maketrans('{}:,"', "｛｝：，＂")),
    "full-width punctuation": lambda w: plain(w).translate(str.maketrans(":,", "：，")),
}
WHOLE: dict[str, Callable[[Words], str]] = {
    "encoded twice": lambda w: plain(plain(w)),
    "encoded three times": lambda w: plain(plain(plain(w))),
    "escaped without a string": lambda w: plain(w, indent=1).replace('"', r"\""),
    "a tag that is a value's": lambda w: plain(dict(w) | {"备注": f"</think>{DRAFT}<think>"}),
    "lines": lambda w: lines(w, "{1}: {2}"),
    "YAML": lambda w: "```yaml\n" + lines(w, '{1}: "{2}"') + "\n```",
    "bullets": lambda w: "结果：\n" + lines(w, "- **{1}**：{2}"),
    "numbered lines": lambda w: lines(w, "{0}. {1}：{2}"),
    "arrows": lambda w: lines(w, "{1} -> {2}"),
    "assignments": lambda w: lines(w, "{1}={2}"),
    "one line": lambda w: "，".join(f"{n}：{v}" for n, v in w.items()) + "。",
    "a table": lambda w: "| 字段 | 值 |\n|---|:--|\n" + lines(w, "| {1} | {2} |"),
    "a table with fields for columns": lambda w: (
        "| " + " | ".join(w) + " |\n|" + "---|" * len(w) + "\n| " + " | ".join(w.values()) + " |"
    ),
    "an HTML table": lambda w: f"<table>{lines(w, '<tr><td>{1}</td><td>{2}</td></tr>')}</table>",
    "XML": lambda w: f"<result>{lines(w, '<{1}>{2}</{1}>')}</result>",
    "named XML": lambda w: lines(w, '<field name="{1}">{2}</field>'),
}


@pytest.mark.parametrize("form", OBJECTS)
def test_an_object_in_many_forms(form: str) -> None:
    assert values(parsed(OBJECTS[form](WORDS))) == RIGHT


@pytest.mark.parametrize("form", WHOLE)
def test_a_text_in_many_forms(form: str) -> None:
    assert values(parsed(WHOLE[form](WORDS))) == RIGHT


@pytest.mark.parametrize("around", [*REASONING, *AROUND])
def test_what_stands_around_an_object(around: str) -> None:
    text = (REASONING | AROUND)[around].replace("@", plain(WORDS))
    assert values(parsed(text)) == RIGHT


names = st.text("陈思远林建国王小明欧阳", min_size=2, max_size=4)
schools = st.builds(
    lambda name: f"{name}大学", st.text("江城理工师范东南北", min_size=2, max_size=6)
)
majors = st.text("土木工程机械电子信息", min_size=2, max_size=8)
codes = st.text("0123456789", min_size=16, max_size=18)
dates = st.dates().filter(lambda date: date.year > 1900)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(OBJECTS)),
    st.sampled_from(sorted(AROUND | REASONING)),
    names,
    st.sampled_from("男女"),
    dates,
    schools,
    majors,
    codes,
)
def test_any_rendering_gives_the_same_readings(
    form: str, around: str, name: str, sex: str, born: Any, school: str, major: str, code: str
) -> None:
    spelt = f"{born.year}年{born.month}月{born.day}日"
    words = dict(zip(SCHEMA.names, (name, sex, spelt, school, major, code), strict=True))
    text = (AROUND | REASONING)[around].replace("@", OBJECTS[form](words))
    assert values(parsed(text)) == values(parsed(plain(words)))
    assert values(parsed(text))["证书编号"] == code


def test_a_brace_before_an_object_of_full_width_is_no_part_of_it() -> None:
    text = "编号是{吗？｛＂姓名＂： ＂陈思远＂， ＂性别＂： ＂男＂｝"
    assert values(parsed(text))["姓名"] == "陈思远"
    assert values(parsed(text))["性别"] == "男"


JUNK = st.lists(
    st.sampled_from(
        [
            *(
                '{"',
                '"}',
                '":"',
                '","',
                "{",
                "}",
                "[",
                "]",
                '"',
                "'",
                ":",
                "：",
                ",",
                "，",
                "\\",
                "\\u",
                "|",
            ),
            *(
                "<think>",
                "</think>",
                "```",
                "```json\n",
                "<姓名>",
                "</姓名>",
                "\n",
                " ",
                "null",
                "1e17",
            ),
            *(
                "姓名",
                "证书编号",
                "value",
                "name",
                "张三",
                "0012",
                "1.50",
                "12",
                "\ud800",
                "\u2028",
            ),
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(JUNK | st.text())
def test_junk_gives_errors_and_no_value_that_does_not_stand_there(text: str) -> None:
    text = sound(text)
    found = parsed(text)
    assert list(found) == list(SCHEMA.names)
    plain = re.sub(r"\\[nrtbf]", "", text)
    # What reasoning parted stands together once it is taken out.
    there = fold_print(plain) + " " + fold_print(re.sub(r"(?s)<think>.*?</think>", "", plain))
    for reading in found.values():
        assert reading.error is None or reading.error.type == "ChatAnswerError"
        if reading.value is not None and reading.field != "出生日期":
            assert all(fold_print(part) in there for part in reading.value.split("、"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"<think>图中可能是 {DRAFT}？不对，应当看",
            "cut off inside the model's reasoning.*max_tokens",
        ),
        (f"<|channel|>analysis<|message|>{DRAFT}", "cut off inside the model's reasoning"),
        ("我来看看这张图", "without JSON.*max_tokens"),
    ],
)
def test_an_answer_cut_off_in_the_reasoning_has_no_value(text: str, words: str) -> None:
    found = parsed(text, truncated=True)
    assert set(values(found).values()) == {None}
    assert all(re.search(words, message) for message in failures(found).values())
    assert set(failures(found)) == set(SCHEMA.names)


def test_reasoning_that_never_ends_has_no_value() -> None:
    found = parsed(f"<think>{DRAFT}")
    assert set(values(found).values()) == {None}
    assert "never left the model's reasoning" in failures(found)["姓名"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("1.00051201905001234e17", "digits are lost.*json_schema"),
        ('"1.00051201905001234E+17"', "digits are lost"),
        ("100051201905001234.0", "digits are lost"),
        ("true", "cannot be understood"),
        ('["100051201905001234", "100051201905001235"]', "more than one value"),
        ('{"digits": 18}', "cannot be understood"),
    ],
)
@pytest.mark.parametrize("broken", [False, True])
def test_what_is_no_value_is_the_fields_error(said: str, words: str, broken: bool) -> None:
    text = plain(WORDS).replace(f'"{WORDS["证书编号"]}"', said)
    found = parsed(text[:-1] + ",}" if broken else text)
    assert values(found) == RIGHT | {"证书编号": None}
    assert re.search(words, failures(found)["证书编号"])


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("100051201905001234", "100051201905001234"),
        ("0012", "0012"),
        ("12.0", "12"),
        (plain(list("100051201905001234")), "100051201905001234"),
        ('"100051201905001234（置信度：0.98）"', "100051201905001234"),
        ('"`100051201905001234`"', "100051201905001234"),
        ("NaN", None),
        ("false", None),
    ],
)
def test_a_code_keeps_its_digits(said: str, value: str | None) -> None:
    found = parsed(plain(WORDS).replace(f'"{WORDS["证书编号"]}"', said))
    assert values(found) == RIGHT | {"证书编号": value}
    assert not failures(found)


@pytest.mark.parametrize(
    "said",
    [
        {"year": 1997, "month": 3, "day": 15},
        {"年": "1997年", "月": "3", "日": "15日"},
        ["1997-03-15"],
    ],
)
def test_a_date_in_parts(said: Any) -> None:
    assert values(parsed(plain(WORDS | {"出生日期": said}))) == RIGHT


def test_two_answers_that_differ_are_the_errors_of_the_fields_in_which_they_do() -> None:
    for text in (
        plain([WORDS, WORDS | {"姓名": "李四"}]),
        plain(WORDS)[:-1] + ', "姓名": "李四"}',
        lines(WORDS, "{1}: {2}") + "\n姓名：李四",
    ):
        found = parsed(text)
        assert values(found) == RIGHT | {"姓名": None}
        assert "more than one value" in failures(found)["姓名"]


def test_a_nested_alternative_does_not_stand_for_a_field() -> None:
    text = '{"姓名": "陈思远", "备选": [{"姓名": "李四", "专业": "法学"}]'
    assert values(parsed(text + "}")) == dict.fromkeys(SCHEMA.names) | {"姓名": "陈思远"}
    assert values(parsed(text + ', "证书')) == dict.fromkeys(SCHEMA.names) | {"姓名": "陈思远"}


def test_a_value_that_swallowed_the_next_field_is_none() -> None:
    found = parsed("{'x': 1, 姓名: 陈思远, 性别: 男}")
    assert found["姓名"].value in (None, "陈思远")
    assert found["姓名"].value is not None or "cannot be understood" in failures(found)["姓名"]
    assert parsed("姓名：陈思远，性别男")["姓名"].value == "陈思远"


@pytest.mark.parametrize(
    "said",
    [{"value": "陈思远"}, {"answer": "陈思远", "confidence": 1}, {"data": {"value": "陈思远"}}],
)
def test_one_field_alone_needs_no_name(said: Any) -> None:
    assert values(parsed(plain(said), fields=("姓名",))) == {"姓名": "陈思远"}
    assert values(parsed(plain(said))) == dict.fromkeys(SCHEMA.names)


def test_a_list_of_pairs_cut_off_keeps_what_is_whole() -> None:
    text = plain([{"field": name, "value": value} for name, value in WORDS.items()])
    found = parsed(text[:-8], truncated=True)
    assert values(found) == RIGHT | {"证书编号": None}
    assert re.search("cut off.*max_tokens", failures(found)["证书编号"])


def test_half_of_a_pair_of_surrogates_is_replaced(tmp_path: Any) -> None:
    found = parsed(plain(WORDS).replace("土木工程", r"土木\ud800工程"))
    assert values(found) == RIGHT | {"专业": "土木\ufffd工程"}
    write_text(tmp_path / "stored", "".join(r.model_dump_json() for r in found.values()))
    broken = parsed(r'{"姓名": {"\ud800": "x"}, "\udfff": 1}')
    write_text(tmp_path / "stored", "".join(r.model_dump_json() for r in broken.values()))


NOTHING = (
    *(
        "图片中未显示",
        "不适用",
        "XXXXXXXX",
        "图片中未找到该字段",
        "未在图片中找到",
        "无法辨认",
        "看不清",
    ),
    *(
        "證書上沒有顯示",
        "该字段不存在",
        "未提及",
        "没有相关信息",
        "——",
        "/",
        "（无）",
        "****",
        "XXXX年XX月XX日",
    ),
    *(
        "N/A",
        "Not visible in the image",
        "not provided",
        "No such field",
        "Cannot be determined",
        "暂无",
    ),
    *("缺失", "模糊不清", "我无法识别图片中的姓名", "姓名", "[姓名]", "string"),
)


@pytest.mark.parametrize("said", NOTHING)
def test_a_phrase_for_nothing_is_nothing(said: str) -> None:
    found = parsed(plain(WORDS | {"姓名": said}))
    assert values(found) == RIGHT | {"姓名": None}
    assert not failures(found)


def test_real_values_are_no_phrases_for_nothing() -> None:
    """Every word in the shipped schemas, and names that look like phrases."""
    field = Field(name="x")
    words = (
        "吴明",
        "无锡学院",
        "未来学院",
        "不动产",
        "无机非金属材料",
        "X射线",
        "Noon",
        "No. 12",
        "Nan Li",
        "布依",
    )
    listed = [
        (word, each)
        for path in shipped_schemas().values()
        for each in load_schema(path).fields
        for value, forms in each.values.items()
        for word in (value, *forms)
    ]
    assert listed
    asked = [*((word, field) for word in words), *listed]
    assert not [word for word, of in asked if says_nothing(word, of)]
    assert says_nothing("不明", field)


BOMBS = {
    "brackets": '"[" * 100_000',
    "braces": '"{" * 100_000',
    "objects in objects": """'{"姓名":' * 100_000""",
    "closed": """'{"a":' * 100_000 + '1' + '}' * 100_000""",
    "crossed": '"{]" * 100_000',
    "quotes": """'{"姓名":' + '"' * 200_000""",
    "escapes": r"""'{"姓名":"' + '\\"' * 200_000""",
    "backslashes": r"""'{"姓名":"' + '\\' * 1_000_000""",
    "spaces": """'{"姓名"' + ' ' * 1_000_000 + ':'""",
    "spaces in a fence": "'```' + ' ' * 500_000 + 'x'",
    "numbers": """'{"姓名": ' + '1.' * 19_000 + ',}'""",
    "tags": '"<think" * 100_000',
    "channels": '"<|channel|>analysis" * 50_000',
    "pipes": '"|" * 500_000',
    "lines": '"姓名: 张三\\n" * 50_000',
    "prose": '"张三李四王五，" * 200_000',
    "objects": """'{"a": 1} ' * 50_000""",
    "broken objects": """'{"a": 1, x} ' * 50_000""",
    "long broken objects": """('{"a": ' + 'b ' * 15_000 + '}') * 20""",
    "one long value": """'{"姓名": "' + '张' * 1_000_000 + '"}'""",
}


@pytest.mark.slow
def test_hostile_texts_are_read_in_bounded_time() -> None:
    """What grew with the square of a text's length would take hours here, not minutes."""
    script = (
        "from tests.test_answer_forms import parsed\n"
        f"for name, text in {BOMBS!r}.items():\n"
        "    found = parsed(eval(text))\n"
        "    print(name, len(found), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=True
    )
    assert done.stdout.splitlines() == [f"{name} {len(SCHEMA.names)}" for name in BOMBS]


# What arrives at the endpoint otherwise than as one text.


def _message(**message: Any) -> Reply:
    body = json.loads(completion("").body)
    body["choices"][0]["message"] = {"role": "assistant", **message}
    return Reply(json.dumps(body))


THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "先看姓名"}]}


@pytest.mark.parametrize(
    "reply",
    [
        _message(content=[THOUGHT, {"type": "text", "text": plain(WORDS)}]),
        _message(
            content=[{"type": "output_text", "text": part} for part in plain(WORDS).partition(",")]
        ),
        _message(content=[plain(WORDS)]),
        _message(content=plain(WORDS), reasoning_content=DRAFT),
        _message(content=None, reasoning_content=plain(WORDS)),
        _message(content="", reasoning=plain(WORDS)),
    ],
)
def test_content_in_parts_and_beside_reasoning(reply: Reply) -> None:
    with ChatServer(lambda _: reply) as server:
        endpoint = ChatEndpoint("text", ChatParams(base_url=server.base_url, model="m", retries=0))
        content = endpoint.complete(system="s", user="u").content
        endpoint.close()
    assert values(parsed(content)) == RIGHT

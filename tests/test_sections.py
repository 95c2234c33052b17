"""Sections, labels over several lines and in two languages, occurrences, columns, and empty boxes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageDraw

from ocr_moe.experts.codes.expert import _part_for
from ocr_moe.experts.llm.prompts import describe
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.reading.candidates import prepare
from ocr_moe.reading.sections import Sections
from ocr_moe.routing.recall import digest_fields
from ocr_moe.schema import Fallback, Field, Kind, Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import PageText, Reading

ROOT = Path(__file__).parent.parent
EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())


def schema_of(text: str, folder: Path) -> Schema:
    path = folder / "schema.yaml"
    path.write_text(text, encoding="utf-8")
    return load_schema(path)


def read(
    schema: Schema, text: PageText | str, image: Image.Image | None = None
) -> dict[str, Reading]:
    shown = StubPage(page(text) if isinstance(text, str) else text, image)
    answer = EXPERT.read(StubDocument(schema, [shown]), schema.fields)
    return {reading.field: reading for reading in answer.readings}


def values(schema: Schema, text: PageText | str) -> dict[str, str | None]:
    return {name: reading.value for name, reading in read(schema, text).items()}


DOCUMENTED = re.findall(
    r"```yaml\n(.*?)```\s*```text\n(.*?)```\s*```json\n(.*?)```",
    (ROOT / "docs" / "labels.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.mark.parametrize(("schema", "print_", "told"), DOCUMENTED)
def test_what_the_documentation_shows_is_read(
    schema: str, print_: str, told: str, tmp_path: Path
) -> None:
    assert values(schema_of(schema, tmp_path), page(print_, pitch=0.034)) == json.loads(told)


def test_every_key_of_places_is_documented() -> None:
    shown = " ".join(schema for schema, _, _ in DOCUMENTED)
    for key in ("within", "occurrence", "above", "below", "column_of", "case", "sections", "stops"):
        assert f"{key}:" in shown, key


PARTIES = """
name: contract
sections: {甲方: [委托方], 乙方: [受托方]}
fields:
  - {name: first, kind: organisation, labels: [名称], within: 甲方}
  - {name: first_person, kind: person, labels: [联系人], within: 甲方}
  - {name: second, kind: organisation, labels: [名称], within: 乙方}
  - {name: second_person, kind: person, labels: [联系人], within: 乙方}
"""
BOTH = {
    "first": "江海建筑有限公司",
    "first_person": "王小丽",
    "second": "云岭设计事务所",
    "second_person": "赵国强",
}
LAYOUTS = {
    "headings on lines of their own": """
甲方
名称:江海建筑有限公司
联系人:王小丽
乙方
名称:云岭设计事务所
联系人:赵国强
""",
    "headings before the first label, the second party first": """
乙方:|名称:云岭设计事务所|@0.6 联系人:赵国强
甲方:|名称:江海建筑有限公司|@0.6 联系人:王小丽
""",
    "other words, and a note": """
委托方(盖章)
名称:江海建筑有限公司
联系人:王小丽
受托方信息
名称:云岭设计事务所
联系人:赵国强
""",
    "side by side": """
>>甲方|@0.6 乙方
名称:江海建筑有限公司|@0.55 名称:云岭设计事务所
联系人:王小丽|@0.55 联系人:赵国强
""",
    "down the page": """
@0.1 甲|@0.2 名称:江海建筑有限公司
@0.1 方|@0.2 联系人:王小丽

@0.1 乙|@0.2 名称:云岭设计事务所
@0.1 方|@0.2 联系人:赵国强
""",
    "down the page, glued to the labels": """
@0.1 甲名称:江海建筑有限公司
@0.1 方联系人:王小丽

@0.1 乙名称:云岭设计事务所
@0.1 方联系人:赵国强
""",
    "down the page side by side, with a note": """
@0.06 甲|@0.1 名称:江海建筑有限公司|@0.5 乙|@0.55 名称:云岭设计事务所
@0.06 方|@0.5 方
@0.06 信|@0.5 信
@0.06 息|@0.1 联系人:王小丽|@0.5 息|@0.55 联系人:赵国强
""",
    "in the label itself": """
乙方名称:云岭设计事务所|@0.6 乙方联系人:赵国强
甲方名称:江海建筑有限公司|@0.6 甲方联系人:王小丽
""",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_whose_name_it_is_is_told_by_the_section(layout: str, tmp_path: Path) -> None:
    readings = read(schema_of(PARTIES, tmp_path), layout)
    assert {name: reading.value for name, reading in readings.items()} == BOTH
    assert all(reading.ceiling == 1.0 for reading in readings.values())


@pytest.mark.parametrize("lost", ["购", "买", "方"])
def test_a_heading_that_runs_down_may_lose_a_letter(lost: str, tmp_path: Path) -> None:
    schema = schema_of(
        """
name: invoice
fields:
  - {name: buyer, kind: text, labels: [名称], within: 购买方}
  - {name: seller, kind: text, labels: [名称], within: 销售方}
""",
        tmp_path,
    )
    rows = """
@0.1 购|@0.2 名称:江海职业技术学院
@0.1 买
@0.1 方|@0.2 地址:江海市学府路1号

@0.1 销|@0.2 名称:滴答出行科技有限公司
@0.1 售
@0.1 方|@0.2 地址:天津开发区第一大街79号
"""
    head, _, tail = rows.partition(lost)
    readings = read(schema, f"{head} {tail}")
    assert readings["buyer"].value == "江海职业技术学院"
    assert readings["seller"].value == "滴答出行科技有限公司"
    assert readings["buyer"].ceiling == 1.0


def test_without_the_heading_a_value_is_a_guess_that_is_never_accepted(tmp_path: Path) -> None:
    schema = schema_of(PARTIES, tmp_path)
    readings = read(schema, "名称:江海建筑有限公司\n\n乙方\n名称:云岭设计事务所")
    assert readings["second"].value == "云岭设计事务所"
    assert readings["second"].ceiling == 1.0
    assert readings["first"].value == "江海建筑有限公司"
    assert readings["first"].ceiling == 0.5
    assert readings["first"].notes == ("the words that tell where first stands were not found",)


def test_with_neither_heading_the_fields_have_the_labels_in_their_order(tmp_path: Path) -> None:
    readings = read(schema_of(PARTIES, tmp_path), "名称:江海建筑有限公司\n名称:云岭设计事务所")
    assert [readings[name].value for name in ("first", "second")] == [
        "江海建筑有限公司",
        "云岭设计事务所",
    ]
    assert {readings[name].ceiling for name in ("first", "second")} == {0.5}


def test_a_page_with_the_heading_outweighs_one_without(tmp_path: Path) -> None:
    schema = schema_of(PARTIES, tmp_path)
    pages = [
        StubPage(page("名称:海西贸易有限公司"), number=1),
        StubPage(page("甲方\n名称:江海建筑有限公司\n联系人:王小丽"), number=2),
    ]
    [reading] = EXPERT.read(StubDocument(schema, pages), [schema.field("first")]).readings
    assert (reading.value, reading.ceiling) == ("江海建筑有限公司", 1.0)


def test_an_empty_box_of_one_party_is_not_filled_from_the_other(tmp_path: Path) -> None:
    found = values(
        schema_of(PARTIES, tmp_path),
        "甲方\n名称:江海建筑有限公司\n联系人:\n乙方\n名称:云岭设计事务所\n联系人:赵国强",
    )
    assert found == BOTH | {"first_person": None}


def test_a_word_of_prose_is_no_heading(tmp_path: Path) -> None:
    schema = schema_of(PARTIES, tmp_path)
    rows = "甲方委托乙方完成下列工作\n乙方应当按时完成"
    assert Sections(prepare(schema, 1, page(rows)).layout, schema.headings).headings == ()


def test_a_bound_that_is_not_printed_bounds_nothing_unless_two_fields_hang_on_it(
    tmp_path: Path,
) -> None:
    schema = schema_of(
        """
name: receipt
fields:
  - {name: total, kind: money, labels: [Total], above: GST SUMMARY}
  - {name: ordered, kind: date, labels: [Date], above: Signed}
  - {name: signed, kind: date, labels: [Date], below: Signed}
""",
        tmp_path,
    )
    rows = (
        "Date: 2024-03-01\nTotal|@0.4 5.30\nGST SUMMARY\nTotal|@0.4 5.00\nSigned\nDate: 2024-03-05"
    )
    told = read(schema, rows)
    assert {name: reading.value for name, reading in told.items()} == {
        "total": "5.30",
        "ordered": "2024-03-01",
        "signed": "2024-03-05",
    }
    lost = read(schema, "Date: 2024-03-01\nTotal|@0.4 5.30\nDate: 2024-03-05")
    assert (lost["total"].value, lost["total"].ceiling) == ("5.30", 1.0)
    assert (lost["ordered"].ceiling, lost["signed"].ceiling) == (0.5, 0.5)


def test_patterns_and_fallbacks_see_the_section_alone(tmp_path: Path) -> None:
    schema = schema_of(
        """
name: letter
fields:
  - {name: sender_date, kind: date, within: Sender, patterns: ['(?P<value>\\d{4}-\\d\\d-\\d\\d)']}
  - {name: receiver_date, kind: date, within: Receiver, fallbacks: [last_date]}
  - {name: receiver, kind: organisation, within: Receiver, fallbacks: [first_line]}
""",
        tmp_path,
    )
    rows = "Receiver\nHarbour Stores Ltd\n2024-03-05\nSender\n2024-03-01\nAlder Ltd"
    assert values(schema, rows) == {
        "sender_date": "2024-03-01",
        "receiver_date": "2024-03-05",
        "receiver": "Harbour Stores Ltd",
    }


def test_a_code_is_sought_among_the_lines_of_its_section(tmp_path: Path) -> None:
    schema = schema_of(
        """
name: invoice
fields:
  - {name: buyer_id, kind: code, labels: [税号], within: 购买方}
  - {name: seller_id, kind: code, labels: [税号], within: 销售方}
""",
        tmp_path,
    )
    text = page("购买方\n税号:111111111111111\n销售方\n税号:222222222222222")
    for name, number in (("buyer_id", "1" * 15), ("seller_id", "2" * 15)):
        part = _part_for(schema.field(name), schema, text)
        assert number in "".join(line.text for line in part.lines)
        assert ("1" * 15 in str(part.lines)) != ("2" * 15 in str(part.lines))


def test_two_labels_of_one_field_with_a_value_each_stay_two(tmp_path: Path) -> None:
    schema = schema_of(
        "name: bill\nfields:\n  - {name: total, kind: money, labels: [Total, 合计]}", tmp_path
    )
    form = prepare(schema, 1, page("合计|@0.3 5.00\nTotal|@0.3 5.05")).form
    assert [label.lines for label in form.labels] == [(), ()]


def test_a_value_level_with_either_line_of_a_label_is_its_value(tmp_path: Path) -> None:
    schema = schema_of(
        "name: card\nfields:\n  - {name: sex, kind: text, labels: [性别 / Sex]}", tmp_path
    )
    for rows in (
        "性别|@0.3 女性\nSex",
        "性别\nSex|@0.3 女性",
        "性别 Sex|@0.3 女性",
        "Sex|@0.3 女性",
    ):
        assert values(schema, rows) == {"sex": "女性"}, rows


def ruled(written: str = "") -> Image.Image:
    """A form of one row, 600 by 400 pixels: 曾用名 at the left, a box with ruled lines beside it."""
    image = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((55, 38, 400, 62), outline="black")
    draw.line((125, 38, 125, 62), fill="black")
    draw.text((150, 44), written, fill="black")
    return image


CARD = """
name: card
fields:
  - {name: former_name, kind: person, required: false, labels: [曾用名]}
  - {name: name, kind: person, labels: [姓名]}
"""


@pytest.mark.parametrize(("written", "empty"), [("", 1.0), ("Ann", 0.0)])
def test_a_box_is_empty_where_the_picture_shows_no_ink(
    written: str, empty: float, tmp_path: Path
) -> None:
    text = page("曾用名", width=600, height=400)
    reading = read(schema_of(CARD, tmp_path), text, ruled(written))["former_name"]
    assert reading.value is None
    assert reading.features["empty"] == empty
    assert ("nothing is written" in reading.notes[0]) == bool(empty)


def test_without_pixels_nobody_says_that_a_box_is_empty(tmp_path: Path) -> None:
    reading = read(schema_of(CARD, tmp_path), page("曾用名"))["former_name"]
    assert reading.notes == ("label found, no value beside it",)


@pytest.mark.parametrize("required", [True, False])
def test_a_field_that_may_be_missing_is_given_beside_its_label_alone(required: bool) -> None:
    wanted = Field(name="学号", kind=Kind.CODE, labels=("学号",), required=required)
    schema = Schema(name="award", fields=(wanted,))
    assert wanted.only_labelled != required
    found = values(schema, "2022-2023学年\n20231234567")["学号"]
    assert (found is not None) == required
    assert values(schema, "学号:20231234567")["学号"] == "20231234567"


def test_a_value_whose_label_may_not_have_been_read_is_neither_given_nor_called_absent() -> None:
    born = Field(name="born", kind=Kind.DATE, labels=("出生日期",), required=False)
    name = Field(name="name", kind=Kind.PERSON, labels=("姓名",))
    schema = Schema(name="card", fields=(name, born))
    lost = read(schema, "登记卡\n姓名|@0.3 王小丽\n|@0.3 1997年3月5日")["born"]
    gone = read(schema, "登记卡\n姓名|@0.3 王小丽")["born"]
    assert (lost.value, gone.value) == (None, None)
    assert lost.notes == ("a value of its kind stands without a label",)
    assert lost.score is not None
    assert gone.score is not None
    assert lost.score < 0.5 < gone.score


def test_an_empty_list_of_fallbacks_in_a_file_means_none(tmp_path: Path) -> None:
    declared = "name: s\nfields: [{name: issued, kind: date, labels: [日期]%s}]"
    silent = schema_of(declared % "", tmp_path)
    spoken = schema_of(declared % ", fallbacks: []", tmp_path)
    assert values(silent, "2024年3月1日") == {"issued": "2024-03-01"}
    assert values(spoken, "2024年3月1日") == {"issued": None}
    assert spoken.fields[0].fallbacks == (Fallback.NOWHERE,)
    for schema in (silent, spoken):  # a schema that was written down is the same when read again
        assert Schema.model_validate(schema.model_dump(mode="json")) == schema


def test_a_field_without_the_new_keys_is_the_question_that_it_was() -> None:
    plain = Field(name="name", labels=("Name",))
    placed = plain.model_copy(update={"within": "Buyer"})
    assert digest_fields("s", [plain]) == "18a390c7f1264cf0"
    assert digest_fields("s", [placed]) != digest_fields("s", [plain])


def test_language_models_are_told_where_a_field_stands() -> None:
    told = describe(Field(name="buyer", within="购买方", labels=("名称",), description="抬头"))
    assert told == "- buyer：抬头；在“购买方”一栏中"
    assert "倒数第1个“姓名”" in describe(Field(name="b", labels=("姓名",), occurrence=-1))
    assert "在“税额”这一列" in describe(Field(name="c", column_of=("税额",)))


def test_a_wrong_occurrence_is_refused() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        Field(name="b", occurrence=0)


def test_the_example_reads_both_parties_of_an_invoice() -> None:
    path = ROOT / "config" / "schemas" / "vat_invoice.yaml"
    schema = load_schema(path)
    assert set(yaml.safe_load(path.read_text(encoding="utf-8"))["sections"]) >= {"购买方", "销售方"}
    found = values(
        schema,
        """
购|@0.2 名称:江海职业技术学院|@0.6 密|@0.65 03*18+25992859
买|@0.2 纳税人识别号:|@0.6 码|@0.65 63812<9>12<4>
方|@0.2 地址、电话:|@0.6 区|@0.65 31826859447170

销|@0.2 名称:滴答出行科技有限公司
售|@0.2 纳税人识别号:911201163409833307
方|@0.2 地址、电话:天津开发区第一大街79号
""",
    )
    assert found["购买方名称"] == "江海职业技术学院"
    assert found["购买方识别号"] is None
    assert found["销售方名称"] == "滴答出行科技有限公司"
    assert found["销售方识别号"] == "911201163409833307"


AWARD = r"""
name: award
words: {荣誉证书: 3, 获奖证书: 3, 奖状: 3}
fields:
  - {name: 姓名, kind: person, patterns: ['(?P<value>[\u4e00-\u9fff·]{2,8})\s*(?:同学|同志)']}
  - {name: 学号, kind: code, required: false, labels: [学号]}
  - {name: 奖项, kind: text, patterns: ['(?:荣获|获|评为)(?P<value>[^。,;]+)'], stops: [称号]}
  - {name: 单位, kind: organisation}
"""
AWARDS = [
    (
        ">>>>荣誉证书\n张伟同学:\n>在2022-2023学年第一学期表现突出,被评为\n优秀学生干部\n"
        ">特发此证,以资鼓励\n>>>>江海职业技术学院",
        ("张伟", "优秀学生干部", "江海职业技术学院"),
    ),
    (
        ">>>>获奖证书\n欧阳思远 同学\n>在第十五届结构设计竞赛中荣获\n二等奖\n"
        ">特颁此证,以资鼓励\n>>>>>结构设计竞赛委员会",
        ("欧阳思远", "二等奖", "结构设计竞赛委员会"),
    ),
    (
        ">>>>荣誉证书\n王小丽同志:\n您在2019年度工作中成绩显著,荣获先进工作者\n称号。特此表彰\n"
        ">>>>云岭设计有限公司",
        ("王小丽", "先进工作者", "云岭设计有限公司"),
    ),
    (
        ">>>>奖状\n李明同学在2020-2021学年度\n中,品学兼优,被评为三好\n学生,特发此状。\n>>>>江海市第一中学",
        ("李明", "三好学生", "江海市第一中学"),
    ),
]


@pytest.mark.parametrize(("rows", "told"), AWARDS)
def test_prose_without_full_stops_is_read(
    rows: str, told: tuple[str, str, str], tmp_path: Path
) -> None:
    found = values(schema_of(AWARD, tmp_path), rows)
    assert found == {"姓名": told[0], "学号": None, "奖项": told[1], "单位": told[2]}


def test_a_value_in_the_middle_of_the_page_goes_on_over_two_rows(tmp_path: Path) -> None:
    schema = schema_of(
        r"""
name: diploma
fields: [{name: degree, kind: text, patterns: ['degree of (?P<value>.+?) with all']}]
""",
        tmp_path,
    )
    rows = (
        "@0.387 has conferred the\n@0.431 degree of\n@0.36 Bachelor of Science in\n"
        "@0.279 Mechanical and Electrical Engineering\n@0.377 with all its rights"
    )
    assert values(schema, rows) == {
        "degree": "Bachelor of Science in Mechanical and Electrical Engineering"
    }


FURTHER_LINES = """
name: page
fields:
  - {name: authority, kind: text, required: false, labels: [Authority, 签发机关 / Authority]}
  - {name: issued, kind: date, required: false, labels: [Date of issue]}
  - {name: address, kind: text, required: false, labels: [住址]}
other_labels: [Address, Signature]
"""


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "签发机关 / Authority|@0.6 Signature\n国家移民管理局\nNational Immigration Administration",
            {"authority": "国家移民管理局National Immigration Administration"},
        ),
        (
            "Authority (9)|@0.6 Date of issue (7)\nMinistry of Justice|@0.6 05 FEB /FÉV 2021",
            {"authority": "Ministry of Justice", "issued": "2021-02-05"},
        ),
        (
            "Date of issue (7) Authority (9)\n05 FEB 2021|@0.35 Ministry of Justice",
            {"issued": "2021-02-05"},
        ),
        (
            "Date of issue|@0.5 Antoridad/Authority\n14 02 2022|@0.5 DGP",
            {"issued": "2022-02-14", "authority": "DGP"},
        ),
        (
            "住址|@0.3 浙江省杭州市西湖区文三路478号华星\nAddress|@0.3 时代广场12幢1503室",
            {"address": "浙江省杭州市西湖区文三路478号华星时代广场12幢1503室"},
        ),
    ],
    ids=[
        "two lines under a label",
        "the numbers of entries",
        "two labels in one box",
        "a misread language before a stroke",
        "beside the label's second language",
    ],
)
def test_what_is_of_a_label_and_what_of_its_value(
    rows: str, told: dict[str, str], tmp_path: Path
) -> None:
    found = values(schema_of(FURTHER_LINES, tmp_path), page(rows, pitch=0.038))
    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize(
    ("second", "address"),
    [
        ("@0.3 元1506", "义乌市幸福里15号楼5单元1506"),
        ("户型:|@0.3 三室一厅", "义乌市幸福里15号楼5单"),
        ("@0.3 123456", "义乌市幸福里15号楼5单"),
    ],
    ids=["nothing before it", "an unknown label before it", "another field's value"],
)
def test_a_line_as_far_down_as_the_next_field(second: str, address: str, tmp_path: Path) -> None:
    text = """
name: card
fields:
  - {name: person, kind: person, labels: [姓名]}
  - {name: address, kind: text, labels: [住址]}
  - {name: number, kind: code, labels: [编号], grammars: [{name: n, segments: [{length: 6}]}]}
  - {name: issuer, kind: organisation, labels: [签发机关], shape: 公安}
"""
    rows = f"姓名|@0.3 罗可颖|@0.7 身份证复印件粘贴处\n住址|@0.3 义乌市幸福里15号楼5单\n{second}"
    assert values(schema_of(text, tmp_path), page(rows, pitch=0.05))["address"] == address

"""VAT invoices, awards, qualifications, transcripts and English diplomas: drawn, read and recognised."""

from __future__ import annotations

import re
from decimal import Decimal
from random import Random

import pytest
from stdnum.cn import uscc

from ocr_moe.codes.checks import passes
from ocr_moe.engines.ppocr import PpOcrEngine, PpOcrParams
from ocr_moe.experts.marks.payloads import statements
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.generation import FontBook, Spec, render
from ocr_moe.generation.dates import capital_money, worded_day
from ocr_moe.generation.documents.awards import draw_award
from ocr_moe.generation.documents.invoices import Invoice, draw_invoice
from ocr_moe.generation.documents.qualifications import draw_qualification
from ocr_moe.generation.documents.transcripts import draw_transcript
from ocr_moe.generation.layouts import select
from ocr_moe.generation.payloads import of_invoice
from ocr_moe.protocols import State
from ocr_moe.reading.recognition import recognise
from ocr_moe.routing.consistency import check
from ocr_moe.routing.parts import Parts
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import Decision, PageText, Status
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import parse_date
from ocr_moe.values.normalize import equal
from tests.drawnkinds import SHIPPED, drawn, is_well_formed, read_by

KINDS = (
    "vat_invoice",
    "award_certificate",
    "professional_qualification",
    "transcript",
    "english_diploma",
)
EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())


# What is drawn


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_drawn_is_what_the_schema_asks(kind: str) -> None:
    schema = SHIPPED[kind]
    for facts in drawn(kind):
        truth = facts.truth()
        assert tuple(truth) == tuple(field.name for field in schema.one_valued)
        assert set(facts.rows()) == {table.name for table in schema.tables}
        for name, value in truth.items():
            if value is None:
                continue
            assert is_well_formed(schema, name, value), (name, value)
            if schema.field(name).grammars:
                assert any(each.matches(value) for each in schema.field(name).grammars), value


def test_a_true_document_passes_every_check() -> None:
    for kind in KINDS:
        for facts in drawn(kind, 120):
            said = {name: value for name, value in facts.truth().items() if value is not None}
            assert check(SHIPPED[kind], said) == {}, (kind, said)


def test_an_invoice_comes_out() -> None:
    rng = Random(3)
    for _ in range(200):
        facts = draw_invoice(rng)
        assert uscc.is_valid(facts.seller.number)
        amounts = [Decimal(line.amount) for line in facts.lines]
        assert sum(amounts) == Decimal(facts.amount)
        assert Decimal(facts.amount) + Decimal(facts.tax or 0) == Decimal(facts.total)
        told = parse_amount(facts.capitals)
        assert told is not None
        assert told.value == Decimal(facts.total)
        assert (len(facts.number), len(facts.code)) == {
            "digital": (20, 0),
            "electronic": (8, 12),
            "paper": (8, 10),
        }[facts.edition]


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("16.32", "壹拾陆圆叁角贰分"),
        ("300.02", "叁佰圆零贰分"),
        ("10305.20", "壹万零叁佰零伍圆贰角整"),
        ("200000", "贰拾万圆整"),
        ("100000003", "壹亿零叁圆整"),
    ],
)
def test_amounts_are_written_in_capitals(amount: str, words: str) -> None:
    assert capital_money(Decimal(amount)) == words
    told = parse_amount(words)
    assert told is not None
    assert told.value == Decimal(amount)


def test_qualifications_are_of_people_with_right_identity_numbers() -> None:
    rng = Random(4)
    sorts = set()
    for _ in range(200):
        facts = draw_qualification(rng)
        sorts.add(facts.sort)
        assert passes("cn_id", facts.person.number)
        assert facts.person.birth.replace("-", "") == facts.person.number[6:14]
        assert 16 <= int(facts.approved[:4]) - int(facts.person.birth[:4]) <= 80
    assert len(sorts) == 6


def test_awards_have_the_level_that_they_name() -> None:
    rng = Random(5)
    levels = set()
    for _ in range(300):
        truth = draw_award(rng).truth()
        level, award = truth["获奖等级"], truth["奖项"]
        levels.add(level)
        assert award is not None
        assert level is None or level in award
        assert "奖学金" not in award or level is None
    assert {None, "一等奖", "金奖", "第一名"} <= levels


def test_a_transcript_adds_up() -> None:
    rng = Random(6)
    for _ in range(50):
        facts = draw_transcript(rng)
        assert sum(float(each.credits) for each in facts.courses) == float(facts.credits)
        assert 1 <= float(facts.average) <= 5
        assert len({each.name for each in facts.courses}) == len(facts.courses)


def test_days_in_words_are_read_as_the_days_they_are() -> None:
    rng = Random(8)
    for _ in range(400):
        day = f"{rng.randint(1985, 2029)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
        words = worded_day(rng, day, british=rng.random() < 0.5)
        assert parse_date(words) == day, words


# What is read


def read(kind: str, *texts: PageText | str) -> dict[str, str | None]:
    schema = SHIPPED[kind]
    pages = [
        StubPage(page(text, pitch=0.034) if isinstance(text, str) else text, number=number)
        for number, text in enumerate(texts, start=1)
    ]
    answer = EXPERT.read(StubDocument(schema, pages), schema.one_valued)
    return {reading.field: reading.value for reading in answer.readings}


ELECTRONIC = """
机器编号：499099660821|@0.3 上海增值税电子普通发票|@0.68 发票代码：031001900411
|@0.68 发票号码：81523399
|@0.68 开票日期：2020年06月12日
|@0.68 校 验 码：12345 67890 12345 67890
购|@0.2 名　　　　称：江海职业技术学院|@0.6 密|@0.65 03*18+25992859
买|@0.2 纳税人识别号：12310000425006133D|@0.6 码|@0.65 63812<9>12<4>
方|@0.2 地址、电话：|@0.6 区|@0.65 31826859447170
货物或应税劳务、服务名称|@0.3 规格型号|@0.42 单位|@0.5 数量|@0.58 单价|@0.7 金额|@0.8 税率|@0.88 税额
*餐饮服务*餐费|@0.42 次|@0.5 1|@0.58 188.68|@0.7 188.68|@0.8 6%|@0.88 11.32
合　计|@0.7 ¥188.68|@0.88 ¥11.32
价税合计（大写）|@0.3 贰佰圆整|@0.7 （小写）¥200.00
销|@0.2 名　　　　称：上海某餐饮管理有限公司
售|@0.2 纳税人识别号：91310000MA1FL5E52T
方|@0.2 地址、电话：上海市某路1号 021-12345678
收款人：张三|@0.3 复核：李四|@0.55 开票人：王五
"""
DIGITAL = """
>>>>电子发票（普通发票）|@0.68 发票号码：24312000000012345678
|@0.68 开票日期：2024年03月05日
购|@0.12 名称：张伟|@0.52 销|@0.62 名称：某市某科技有限公司
买|@0.12 纳税人识别号：|@0.52 售|@0.62 纳税人识别号：91310000MA1FL5E52T
方|@0.52 方

项目名称|@0.3 规格型号|@0.42 单位|@0.5 数量|@0.58 单价|@0.7 金额|@0.8 税率/征收率|@0.9 税额
*信息技术服务*服务费|@0.42 项|@0.5 1|@0.58 1000|@0.7 1000.00|@0.8 6%|@0.9 60.00
合　计|@0.7 ¥1000.00|@0.9 ¥60.00
价税合计（大写）|@0.3 壹仟零陆拾圆整|@0.7 （小写）¥1060.00
备注
开票人：王五
"""
AWARD = """
>>>>>荣誉证书
张伟、李娜同学：
>在第十五届全国大学生结构设计竞赛中荣获本科组一等奖。
>特发此证，以资鼓励。
|@0.6 全国大学生结构设计竞赛组委会
|@0.65 二〇二一年十月十八日
证书编号：JG-2021-0031
"""
HONOUR = """
>>>>奖 状
欧阳思远同学：
>在2018-2019学年中表现突出，被评为“优秀学生干部”。
>特发此证
|@0.6 江海职业技术学院
|@0.65 2019年6月20日
"""
SCHOLARSHIP = """
>>>>获奖证书
王小丽同学荣获2020年度国家励志奖学金。特颁此证，以资鼓励。
|@0.6 江海职业技术学院学生工作处
|@0.65 2020.12.1
"""
EXAM = """
>>>>中华人民共和国
>>>>专业技术人员职业资格证书
>>>>一级建造师
姓　　名：王小丽
证件号码：110101199003077803
性　　别：女
出生年月：1990年03月
专　　业：建筑工程
批准日期：2019年09月22日
管 理 号：2019090321109876543
|@0.5 中华人民共和国人力资源和社会保障部
"""
TEACHER = """
>>>>教师资格证书
持 证 人|@0.3 王小丽
性　　别|@0.3 女
出生年月|@0.3 1990年3月
身份证号码|@0.3 110101199003077803
资格种类|@0.3 高级中学教师资格
任教学科|@0.3 数学
证书号码|@0.3 20131101142000123
认定机构|@0.3 上海市教育局
认定时间|@0.3 2013年6月20日
"""
SKILL = """
>>>>职业技能等级证书
姓名：王小丽
证件类型：居民身份证
证件号码：110101199003077803
职业名称：保育师
职业技能等级：四级/中级工
证书编号：S000031000021223000123
发证机构：上海市某职业技能鉴定指导中心
发证日期：2022年5月8日
"""
TRANSCRIPT = """
>>>>东海理工大学学生成绩单
姓名：陈思远|@0.35 学号：2019001234|@0.65 学院：土木工程学院
专业：土木工程|@0.35 入学时间：2015年9月
课程名称|@0.4 课程性质|@0.6 学分|@0.75 成绩
高等数学|@0.4 必修|@0.6 5|@0.75 88
结构力学|@0.4 专业选修|@0.6 4|@0.75 91
工程测量|@0.4 必修|@0.6 3|@0.75 优
总学分：12|@0.4 平均学分绩点：3.61
|@0.6 教务处
|@0.6 2019年6月28日
"""
DIPLOMA = """
>>>>UNIVERSITY OF NORTH HALLOW
>>>The Board of Regents, on recommendation of the Faculty,
>>>>>has conferred upon
>>>>Margaret Elise Thornbury
>>>>>the degree of
>>>Bachelor of Science in Mechanical Engineering
>>with all the rights, honors and privileges thereunto appertaining.
>>>>>magna cum laude
>>>Given at Hallow City, this seventeenth day of May,
>>>>two thousand and nineteen
President of the University|@0.6 Dean of the Faculty
Diploma No. 2019-BSME-00417
"""
FORM = """
>>>>Wexmoor Institute of Technology
>>>>DEGREE CERTIFICATE
Full Name:|@0.4 Siobhán van der Berg
Degree Awarded:|@0.4 Master of Science
Field of Study:|@0.4 Data Science
Date of Conferral:|@0.4 3 July 2018
Certificate No.:|@0.4 W004711
"""
PAGES: list[tuple[str, str, dict[str, str | None]]] = [
    (
        "vat_invoice",
        ELECTRONIC,
        {
            "发票类型": "增值税电子普通发票",
            "发票代码": "031001900411",
            "发票号码": "81523399",
            "开票日期": "2020-06-12",
            "校验码": "12345678901234567890",
            "机器编号": "499099660821",
            "购买方名称": "江海职业技术学院",
            "购买方地址电话": None,
            "销售方名称": "上海某餐饮管理有限公司",
            "金额": "188.68",
            "税额": "11.32",
            "价税合计": "200.00",
            "价税合计大写": "贰佰圆整",
            "开票人": "王五",
            "收款人": "张三",
        },
    ),
    (
        "vat_invoice",
        DIGITAL,
        {
            "发票类型": "电子发票（普通发票）",
            "发票代码": None,
            "发票号码": "24312000000012345678",
            "购买方名称": "张伟",
            "购买方识别号": None,
            "销售方名称": "某市某科技有限公司",
            "销售方识别号": "91310000MA1FL5E52T",
            "金额": "1000.00",
            "税额": "60.00",
            "价税合计": "1060.00",
        },
    ),
    (
        "award_certificate",
        AWARD,
        {
            "姓名": "张伟、李娜",
            "奖项": "本科组一等奖",
            "获奖等级": "一等奖",
            "活动名称": "第十五届全国大学生结构设计竞赛",
            "颁发单位": "全国大学生结构设计竞赛组委会",
            "颁发日期": "2021-10-18",
            "证书编号": "JG-2021-0031",
        },
    ),
    (
        "award_certificate",
        HONOUR,
        {
            "姓名": "欧阳思远",
            "奖项": "优秀学生干部",
            "获奖等级": None,
            "活动名称": None,
            "颁发单位": "江海职业技术学院",
            "颁发日期": "2019-06-20",
        },
    ),
    (
        "award_certificate",
        SCHOLARSHIP,
        {"姓名": "王小丽", "奖项": "国家励志奖学金", "获奖等级": None, "颁发日期": "2020-12-01"},
    ),
    (
        "professional_qualification",
        EXAM,
        {
            "姓名": "王小丽",
            "资格名称": "一级建造师",
            "专业": "建筑工程",
            "批准日期": "2019-09-22",
            "管理号": "2019090321109876543",
            "出生日期": "1990-03",
            "发证单位": "中华人民共和国人力资源和社会保障部",
        },
    ),
    (
        "professional_qualification",
        TEACHER,
        {
            "姓名": "王小丽",
            "性别": "女",
            "资格名称": "高级中学教师资格",
            "专业": "数学",
            "证书编号": "20131101142000123",
            "发证单位": "上海市教育局",
            "批准日期": "2013-06-20",
        },
    ),
    (
        "professional_qualification",
        SKILL,
        {
            "资格名称": "保育师",
            "级别": "四级/中级工",
            "证书编号": "S000031000021223000123",
            "批准日期": "2022-05-08",
        },
    ),
    (
        "transcript",
        TRANSCRIPT,
        {
            "学校": "东海理工大学",
            "姓名": "陈思远",
            "学号": "2019001234",
            "学院": "土木工程学院",
            "专业": "土木工程",
            "入学日期": "2015-09",
            "总学分": "12",
            "平均学分绩点": "3.61",
            "出具日期": "2019-06-28",
        },
    ),
    (
        "english_diploma",
        DIPLOMA,
        {
            "name": "Margaret Elise Thornbury",
            "institution": "UNIVERSITY OF NORTH HALLOW",
            "degree": "Bachelor of Science",
            "level": "Bachelor",
            "major": "Mechanical Engineering",
            "honours": "magna cum laude",
            "date": "2019-05-17",
            "number": "2019-BSME-00417",
        },
    ),
    (
        "english_diploma",
        FORM,
        {
            "name": "Siobhán van der Berg",
            "institution": "Wexmoor Institute of Technology",
            "degree": "Master of Science",
            "level": "Master",
            "major": "Data Science",
            "honours": None,
            "date": "2018-07-03",
            "number": "W004711",
        },
    ),
]
NAMES = [f"{kind}-{number}" for number, (kind, _, _) in enumerate(PAGES)]


@pytest.mark.parametrize(("kind", "rows", "told"), PAGES, ids=NAMES)
def test_pages_are_read(kind: str, rows: str, told: dict[str, str | None]) -> None:
    found = read(kind, rows)
    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize(("kind", "rows"), [(k, r) for k, r, _ in PAGES], ids=NAMES)
def test_pages_are_known_for_what_they_are(kind: str, rows: str) -> None:
    found, confidence = recognise(page(rows), list(SHIPPED.values()))
    assert found is SHIPPED[kind]
    assert confidence > 0.5


def test_a_label_that_a_cell_begins_with_does_not_end_the_table() -> None:
    schema = SHIPPED["transcript"]
    text = page(TRANSCRIPT, pitch=0.034)
    answer = EXPERT.read(StubDocument(schema, [StubPage(text)]), [schema.field("课程")])
    rows = answer.readings[0].rows
    assert [(row["课程名称"].value, row["课程性质"].value) for row in rows] == [
        ("高等数学", "必修"),
        ("结构力学", "专业选修"),
        ("工程测量", "必修"),
    ]


def test_a_field_below_a_table_ends_it_all_the_same() -> None:
    schema = SHIPPED["transcript"]
    rows = TRANSCRIPT.replace(
        "总学分：12|@0.4 平均学分绩点：3.61", "专业：土木|@0.4 学院：土木学院"
    )
    answer = EXPERT.read(
        StubDocument(schema, [StubPage(page(rows, pitch=0.034))]), [schema.field("课程")]
    )
    assert len(answer.readings[0].rows) == 3


def test_a_table_is_known_by_the_columns_that_all_such_tables_have() -> None:
    schema = SHIPPED["transcript"]
    three = "课程名称|@0.5 学分|@0.7 成绩\n高等数学|@0.5 5|@0.7 88\n结构力学|@0.5 4|@0.7 91"
    two = three.replace("|@0.5 学分", "").replace("|@0.5 5", "").replace("|@0.5 4", "")
    for rows, count in ((three, 2), (two, 0)):
        shown = StubDocument(schema, [StubPage(page(rows))])
        assert len(EXPERT.read(shown, [schema.field("课程")]).readings[0].rows) == count


def test_the_row_of_sums_gives_the_fields_that_its_totals_name() -> None:
    schema = Schema.model_validate(
        {
            "name": "bill",
            "fields": [
                {"name": "net", "kind": "money", "fallbacks": []},
                {"name": "tax", "kind": "money", "fallbacks": []},
                {
                    "name": "lines",
                    "kind": "table",
                    "columns": [
                        {"name": "item", "labels": ["Item"]},
                        {"name": "amount", "kind": "money", "labels": ["Amount"]},
                        {"name": "vat", "kind": "money", "labels": ["VAT"]},
                    ],
                    "totals": [
                        {"column": "amount", "field": "net"},
                        {"column": "vat", "field": "tax"},
                    ],
                },
            ],
        }
    )
    rows = (
        "Item|@0.5 Amount|@0.7 VAT\nChairs|@0.5 120.00|@0.7 24.00\nDesk|@0.5 80.00|@0.7 16.00\n"
        "Total|@0.5 200.00|@0.7 40.00"
    )
    shown = StubDocument(schema, [StubPage(page(rows))])
    readings = EXPERT.read(shown, schema.one_valued).readings
    assert [reading.value for reading in readings] == ["200.00", "40.00"]


# Codes


@pytest.mark.parametrize("edition", ["paper", "electronic", "digital"])
def test_an_invoice_s_code_says_what_the_invoice_does(edition: str) -> None:
    schema = SHIPPED["vat_invoice"]
    facts = next(
        each
        for each in drawn("vat_invoice")
        if isinstance(each, Invoice) and each.edition == edition
    )
    told = {each.field: each.raw for each in statements(schema, of_invoice(facts).decode())}
    truth = facts.truth()
    assert told["发票类型"] == facts.type
    assert told["发票号码"] == facts.number
    assert told.get("发票代码") == truth["发票代码"]
    assert told.get("校验码") == truth["校验码"]
    assert told["开票日期"] == facts.issued.replace("-", "")
    summed = "价税合计" if edition == "digital" else "金额"
    assert told[summed] == truth[summed]
    assert ("金额" in told) is (edition != "digital")


def test_the_day_in_an_identity_number_completes_the_month_that_is_printed() -> None:
    schema = SHIPPED["professional_qualification"]

    def decided(birth: str) -> Decision:
        said = {name: Decision(status=Status.ABSENT, confidence=0.9) for name in schema.names}
        said["身份证号"] = Decision(
            value="110101199003077803", status=Status.ACCEPTED, confidence=0.99, experts=("codes",)
        )
        said["出生日期"] = Decision(
            value=birth, status=Status.ACCEPTED, confidence=0.95, experts=("rules",)
        )
        return Parts(Parts.Params()).bind(State(schema, {}), said)["出生日期"]

    agreed = decided("1990-03")
    assert agreed.value == "1990-03-07"
    assert (agreed.confidence or 0) > 0.9
    assert not agreed.notes
    other = decided("1990-04")
    assert (other.confidence or 1) <= 0.5
    assert other.notes


@pytest.mark.parametrize(
    ("tax", "capitals", "spoken"),
    [
        ("11.32", "贰佰圆整", set()),
        ("11.23", "贰佰圆整", {"税额"}),
        ("11.32", "贰佰零壹圆整", {"价税合计大写"}),
    ],
)
def test_sums_of_an_invoice_are_held_against_each_other(
    tax: str, capitals: str, spoken: set[str]
) -> None:
    said = {"金额": "188.68", "税额": tax, "价税合计": "200.00", "价税合计大写": capitals}
    found = check(SHIPPED["vat_invoice"], said)
    assert spoken <= set(found)
    assert bool(found) is bool(spoken)


# Pages that are drawn and read by the engine


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_clean_pages_of_every_layout_are_read(kind: str) -> None:
    """One page a layout, by page OCR and `rules` alone: nine of ten values are right, and every page is
    known for what it is."""
    engine, book = PpOcrEngine("ppocr", PpOcrParams()), FontBook.discover()
    schema = SHIPPED[kind]
    right = wrong = 0
    for layout in select(kind, ("standard", "heldout")):
        facts = next(each for each in drawn(kind, 400) if layout.accepts(each))
        made = render(Spec(layout=layout.name, facts=facts, level="clean", seed=5, fonts=book))
        text = read_by(engine, made.image)
        assert recognise(text, list(SHIPPED.values()))[0] is schema, layout.name
        found = read(kind, text)
        for name, value in made.truth.items():
            good = _agrees(schema.field(name), value, found[name])
            right, wrong = right + good, wrong + (not good)
    assert right > 9 * wrong, (right, wrong)


def _agrees(field: Field, truth: str | None, value: str | None) -> bool:
    if truth is None or value is None:
        return truth == value or field.origin is not None or field.kind is Kind.CODE
    return equal(field, truth, value) or (field.origin is not None and truth.startswith(value))


def test_the_reading_of_names_is_bounded() -> None:
    """A pattern that goes through a long page of prose ends."""
    prose = "在" + "中国国际大学生创新创业" * 300
    found = read("award_certificate", f"荣誉证书\n{prose}")
    assert found["获奖等级"] is None
    assert re.fullmatch(r"[^\n]*", found["奖项"] or "")

"""Certificates of Taiwan and Hong Kong, of foreign students, English pages, early ones, registers."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.engines.ppocr import PpOcrEngine, PpOcrParams
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.generation import FontBook, Spec, layout_names, render
from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.plan import plan
from ocr_moe.reading.recognition import recognise
from ocr_moe.schema import Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import PageText
from ocr_moe.values.normalize import equal

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())
KINDS = ("taiwan", "foreign", "english", "early", "registry")

PAGES: list[tuple[str, str, dict[str, str]]] = [
    (
        "taiwan",
        """
學位證書
(103)臺大字第012345號
學生　陳思遠
中華民國八十二年三月十五日生
在本校工學院土木工程學系修業期滿成績及格准予畢業
依學位授予法之規定授予工學學士學位
國立臺灣大學校長　楊泮池
中華民國一百零三年六月十二日
""",
        {
            "姓名": "陳思遠",
            "出生日期": "1993-03-15",
            "学历层次": "本科",
            "毕业日期": "2014-06-12",
            "毕业院校": "國立臺灣大學",
            "专业": "土木工程",
            "证书编号": "(103)臺大字第012345號",
        },
    ),
    (
        "taiwan, title and school in one",
        """
>>>>東海大學碩士學位證書
林俊傑君，男，民國70年5月4日出生，在本校應用數學系修業期滿，
成績及格，准予畢業，並依學位授予法規定授予理學碩士學位。
校長　王茂駿
證書編號：096000321|>>>>民國96年6月9日
""",
        {
            "姓名": "林俊傑",
            "性别": "男",
            "学历层次": "硕士研究生",
            "毕业日期": "2007-06-09",
            "毕业院校": "東海大學",
            "专业": "應用數學",
            "证书编号": "096000321",
        },
    ),
    (
        "taiwan, private",
        """
>>>>畢業證書
>>>>>>>>(92)南應大證字第0920345號
學生　王小明　性別：男
身分證字號：A123456789
生於中華民國六十九年十月五日
在本校商學院企業管理系四年制修業期滿成績及格
准予畢業　依學位授予法之規定　授予商學士學位
私立南華應用大學　校長　張大同
中華民國九十二年六月
""",
        {
            "姓名": "王小明",
            "出生日期": "1980-10-05",
            "毕业日期": "2003-06",
            "毕业院校": "私立南華應用大學",
            "专业": "企業管理",
            "证书编号": "(92)南應大證字第0920345號",
        },
    ),
    (
        "macau",
        """
澳門大學
畢業證書
茲證明學生 何嘉欣，女，一九九五年五月五日出生，於二零一三年九月至二零一七年六月
在本校工商管理學院會計專業修讀學士學位課程，成績合格，准予畢業。
校長 趙偉
二零一七年六月二十日
""",
        {"姓名": "何嘉欣", "性别": "女", "毕业院校": "澳門大學", "专业": "會計"},
    ),
    (
        "hong kong",
        """
香港中文大學
茲證明 陳大文 修業期滿 考試及格 授予 工商管理碩士學位
二〇一五年十一月十九日
校長 沈祖堯
""",
        {
            "姓名": "陳大文",
            "学历层次": "硕士研究生",
            "毕业日期": "2015-11-19",
            "毕业院校": "香港中文大學",
        },
    ),
    (
        "foreign student",
        """
>>>>>普通高等学校
>>>>>毕业证书
学生 MOHAMMED ALI HASSAN 性别 男，一九九五年三月十五日生，国籍：也门，于二〇一五年
九月至二〇一九年六月在本校土木工程专业四年制本科学习，修完教学计划规定的全部
课程，成绩合格，准予毕业。
校名：江城理工大学|>>>>校长：林建国
证书编号：100051201905001234|>>>>二〇一九年六月二十日
""",
        {
            "姓名": "MOHAMMED ALI HASSAN",
            "性别": "男",
            "出生日期": "1995-03-15",
            "毕业院校": "江城理工大学",
            "专业": "土木工程",
            "证书编号": "100051201905001234",
        },
    ),
    (
        "foreign student with a passport",
        """
>>>>>毕业证书
LEFÈVRE, Marie-Claire（护照号码：A12345678），女，1996年2月3日出生，法国国籍，2014年9月至
2018年7月在本校汉语言专业四年制本科学习，成绩合格，准予毕业。
北京语言大学|>>>>校长：刘利
证书编号：100321201805000456|>>>>二〇一八年七月一日
""",
        {"姓名": "LEFÈVRE, Marie-Claire", "性别": "女", "证书编号": "100321201805000456"},
    ),
    (
        "english page",
        """
>>>>CERTIFICATE OF GRADUATION
This is to certify that CHEN Siyuan, male, born on March 15, 1997,
having studied Civil Engineering at Jiangcheng University of Technology
from September 2015 to June 2019, has completed all the courses of the
four-year undergraduate programme and is hereby awarded graduation.
Certificate No.: 100051201905001234
President: Lin Jianguo
June 20, 2019
""",
        {
            "姓名": "CHEN Siyuan",
            "性别": "男",
            "出生日期": "1997-03-15",
            "学历层次": "本科",
            "毕业日期": "2019-06-20",
            "毕业院校": "Jiangcheng University of Technology",
            "专业": "Civil Engineering",
            "证书编号": "100051201905001234",
        },
    ),
    (
        "english page that begins with the name",
        """
>>>>DIPLOMA
Ms. Käthe Müller-Lüdenscheidt (female, born on 20 June 1993) was enrolled in the undergraduate
program in Computer Science and Technology of Harbin Institute of Technology from September 2011
to July 2015, has passed all examinations and is allowed to graduate.
President: Wang Haifeng
10 July 2015|Certificate No. 102131201505025958
""",
        {
            "姓名": "Käthe Müller-Lüdenscheidt",
            "性别": "女",
            "学历层次": "本科",
            "毕业院校": "Harbin Institute of Technology",
            "专业": "Computer Science and Technology",
        },
    ),
    (
        "english page with a school within a university",
        """
>>>>GRADUATION CERTIFICATE OF REGULAR HIGHER EDUCATION
This is to certify that student Wang Xiaoming, male, born on the 5th of May 1993, majoring in
Mechanical Design, Manufacturing and Automation at School of Mechanical Engineering of Wuhan
University of Science and Technology during September 2011 to June 2015, has completed the
four-year undergraduate course and passed all the exams, and is hereby permitted to graduate.
President: Kong Jianyi
20 June 2015
Certificate No: 104881201505001234
""",
        {
            "姓名": "Wang Xiaoming",
            "出生日期": "1993-05-05",
            "毕业日期": "2015-06-20",
            "毕业院校": "Wuhan University of Science and Technology",
            "专业": "Mechanical Design, Manufacturing and Automation",
        },
    ),
    (
        "english degree",
        """
>>>>CERTIFICATE OF BACHELOR'S DEGREE
This is to certify that Ms. LI Xiaohong, female, born on March 3, 1990, having completed the
required courses in English Language and Literature at Beijing Foreign Studies University and
passed the examinations, is awarded the degree of Bachelor of Arts.
Chairman, Academic Degree Evaluation Committee
July 1, 2012
Certificate No.: 1003042012000123
""",
        {
            "姓名": "LI Xiaohong",
            "性别": "女",
            "学历层次": "本科",
            "毕业日期": "2012-07-01",
            "毕业院校": "Beijing Foreign Studies University",
            "专业": "English Language and Literature",
            "证书编号": "1003042012000123",
        },
    ),
    (
        "english form",
        """
>>>>>GRADUATION CERTIFICATE
Name:|>>>YU Bochen
Sex:|>>>female
Date of Birth:|>>>June 22, 1993
School:|>>>Harbin Institute of Technology
Major:|>>>Civil Engineering
Level of Education:|>>>bachelor's
Date of Graduation:|>>>June 28, 2015
Certificate No.:|>>>102131201505025958
""",
        {
            "姓名": "YU Bochen",
            "性别": "女",
            "出生日期": "1993-06-22",
            "学历层次": "本科",
            "毕业日期": "2015-06-28",
            "毕业院校": "Harbin Institute of Technology",
            "专业": "Civil Engineering",
            "证书编号": "102131201505025958",
        },
    ),
    (
        "early",
        """
>>>>>毕业证书
第 971234 号
学生 李建军 系山东省济南市人，现年二十二岁，于一九九三年九月至一九九七年七月在本校
机械制造专业四年制本科学习期满，成绩及格，准予毕业。
>>>校长：王明
>>>山东工业大学
>>>一九九七年七月一日
""",
        {
            "姓名": "李建军",
            "毕业日期": "1997-07-01",
            "毕业院校": "山东工业大学",
            "专业": "机械制造",
            "证书编号": "971234",
        },
    ),
    (
        "register",
        """
>>>>教育部学历证书电子注册备案表
更新日期：2021年3月8日
姓名|>>田林杰|@0.5 性别|>>男
出生日期|>>1990年1月1日|@0.5 入学日期|>>2016年9月
毕(结)业日期|>>2019年6月22日
学校名称|>>邯郸学院
专业|>>计算机软件与理论
学历类别|>>普通高等教育|@0.5 学制|>>4 年
学习形式|>>全日制|@0.5 层次|>>本科
证书编号|>>101031201905000371
毕(结)业|>>毕业|@0.5 校(院)长姓名|>>杨桂艳
在线验证码|>>K9TVEWUNNL6X4AHC
""",
        {
            "姓名": "田林杰",
            "性别": "男",
            "出生日期": "1990-01-01",
            "学历层次": "本科",
            "毕业日期": "2019-06-22",
            "毕业院校": "邯郸学院",
            "专业": "计算机软件与理论",
            "证书编号": "101031201905000371",
        },
    ),
    (
        "report of verification",
        """
>>>>中国高等教育学历认证报告
>>>>>>>>报告编号：2017030812
翟伟，男，1988年5月1日出生，2011年1月26日毕业于哈尔滨工业大学园艺专业，
学历层次为本科。毕业证书编号：102131201105001234。
经核查，该学历证书信息与国家学历数据库中的记录一致。
>>>>>>>>学历认证中心
>>>>>>>>2013年3月8日
""",
        {
            "姓名": "翟伟",
            "学历层次": "本科",
            "毕业日期": "2011-01-26",
            "毕业院校": "哈尔滨工业大学",
            "专业": "园艺",
            "证书编号": "102131201105001234",
        },
    ),
]


def values(schema: Schema, text: PageText) -> dict[str, str | None]:
    answer = EXPERT.read(StubDocument(schema, [StubPage(text)]), schema.fields)
    return {reading.field: reading.value for reading in answer.readings}


@pytest.mark.parametrize(("rows", "truth"), [p[1:] for p in PAGES], ids=[p[0] for p in PAGES])
def test_further_kinds_are_read(rows: str, truth: dict[str, str]) -> None:
    found = values(CERTIFICATE, page(rows, type_size=0.022))
    assert {name: found[name] for name in truth} == truth


@pytest.mark.parametrize(
    "rows", [p[1] for p in PAGES if p[0] != "hong kong"], ids=lambda rows: rows.strip()[:12]
)
def test_further_kinds_are_recognised(rows: str) -> None:
    found, _ = recognise(page(rows, type_size=0.022), [LICENCE, CERTIFICATE])
    assert found is CERTIFICATE


@pytest.mark.parametrize(
    "rows",
    [
        """
UNIVERSITY OF NORTH HALLOW
The Board of Regents has conferred upon
Margaret Elise Thornbury
the degree of
Bachelor of Science in Mechanical Engineering
magna cum laude
Diploma No. 2019-BSME-00417
""",
        """
>>>>ACADEMIC TRANSCRIPT
Name: LIN Shuyao|Major: Materials Science|Student No. 201814092
University of Donghai|Date of Graduation: June 30, 2022
Calculus 92|Physics 88|English 90
""",
        """
>>>>在职证明
兹证明孙志强，身份证号330106198709231234，自2015年3月起在我公司任软件工程师。
特此证明。
杭州示例科技有限公司
2024年5月20日
""",
        """
This is to certify that Mr. James Brown has been employed by Example Limited
since May 2015 as a senior engineer. He holds a degree of Bachelor of Science.
""",
        "TAX INVOICE\nInvoice No. 100051201905001234\nUniversity Book Store\nTOTAL 12.90",
    ],
    ids=["foreign diploma", "transcript", "employment", "reference", "invoice"],
)
def test_what_is_like_them_is_not_recognised(rows: str) -> None:
    assert recognise(page(rows, type_size=0.022), [LICENCE, CERTIFICATE]) == (None, 0.0)


def test_on_a_bilingual_page_the_chinese_names_stand() -> None:
    rows = """
>>>>毕业证书|@0.58 Graduation Certificate
学生张伟性别男，一九九八年六月二十日生，|@0.56 This is to certify that ZHANG Wei, male, born
于二〇一五年九月至二〇一九年六月在本校|@0.56 on June 20, 1998, majoring in English at
英语专业四年制本科学习，修完教学计划规|@0.56 Sichuan University from September 2015 to
定的全部课程，成绩合格，准予毕业。|@0.56 June 2019, is granted graduation.
四川大学|@0.56 President
二〇一九年六月二十日|@0.56 June 20, 2019
"""
    found = values(CERTIFICATE, page(rows, type_size=0.018))
    assert (found["姓名"], found["毕业院校"], found["专业"]) == ("张伟", "四川大学", "英语")


def test_a_number_of_the_ministry_outranks_other_numbers() -> None:
    rows = """
>>>>>毕业证书
第 971234 号
学生李建军性别男，1980年3月2日生，于1999年9月至2003年7月在本校机械制造专业学习，准予毕业。
证书编号：106131200305004931
"""
    assert values(CERTIFICATE, page(rows))["证书编号"] == "106131200305004931"


@pytest.mark.parametrize(
    ("written", "birth"),
    [
        ("三月十五\n九月至", "1995-03-15"),
        ("三月二十\n二〇一五年九月至", "1995-03-20"),
        ("三月\n九月至", "1995-03"),
        ("三月十五日\n九月至", "1995-03-15"),
    ],
)
def test_a_birth_date_may_end_with_its_row(written: str, birth: str) -> None:
    rows = f"""
>>>>>毕业证书
学生 张伟 性别男，一九九五年{written}二〇一九年六月在本校土木工程专业四年制本科学习，准予毕业。
"""
    assert values(CERTIFICATE, page(rows, type_size=0.02))["出生日期"] == birth


@pytest.mark.parametrize(
    ("rows", "field", "value"),
    [
        ("校(院)长：李明|四川大学", "毕业院校", "四川大学"),
        ("校名：陕西科技大学校(院)长：李明", "毕业院校", "陕西科技大学"),
        ("校名：长江大学二〇一八年六月十五日", "毕业院校", "长江大学"),
        ("学生张三于2015年9月至2019年6月在本核市场营销专业学习，准予毕业。", "专业", "市场营销"),
        ("学生张三于2015年9月至2019年6月在本校公共事业管理业专业学习。", "专业", "公共事业管理"),
        ("学生张三于2015年9月至2019年6月在本校林业专业学习。", "专业", "林业"),
    ],
)
def test_what_belongs_to_the_neighbour_is_cut_off(rows: str, field: str, value: str) -> None:
    assert values(CERTIFICATE, page(">>>>毕业证书\n" + rows, type_size=0.02))[field] == value


@pytest.fixture(scope="module")
def engine() -> PpOcrEngine:
    return PpOcrEngine("ppocr", PpOcrParams())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_drawn_page_of_each_kind_is_read(kind: str, engine: PpOcrEngine) -> None:
    """Real pixels, real OCR: what the generator draws clean is read but for a field."""
    [(_, spec)] = plan(
        "graduation_certificate",
        count=1,
        seed=5,
        levels=("clean",),
        layouts=(kind,),
        fonts=FontBook.discover(),
    )
    drawn = render(spec.model_copy(update={"second_seal": False}))
    width, height = drawn.image.size
    lines = engine.read(drawn.image)
    text = PageText(engine="ppocr", width=width, height=height, rotation=0, lines=lines)
    found = values(CERTIFICATE, text)
    wrong = {
        name: (found[name], truth)
        for name, truth in drawn.truth.items()
        if truth and not (found[name] and equal(CERTIFICATE.field(name), found[name] or "", truth))
    }
    assert len(wrong) <= 1, wrong
    assert recognise(text, [LICENCE, CERTIFICATE])[0] is CERTIFICATE


def test_further_layouts_are_drawn_only_where_they_are_asked_for() -> None:
    usual = {
        *layout_names("graduation_certificate"),
        *layout_names("graduation_certificate", "heldout"),
    }
    further = {
        *layout_names("graduation_certificate", "further"),
        *layout_names("graduation_certificate", "heldout_further"),
    }
    assert not usual & further
    for kind in KINDS:
        assert set(layout_names("graduation_certificate", kind)) <= further
        assert set(layout_names("graduation_certificate", f"heldout_{kind}")) <= further


def specs(*layouts: str, count: int = 12) -> list[Spec]:
    book = FontBook.discover()
    planned = plan(
        "graduation_certificate", count=count, seed=3, levels=("scan",), layouts=layouts, fonts=book
    )
    return [spec for _, spec in planned]


def test_holders_are_those_of_the_layout() -> None:
    holders = {
        spec.layout: spec.facts.holder
        for spec in specs("further", count=40)
        if isinstance(spec.facts, Graduate)
    }
    assert holders["taiwan_prose"] == "taiwan"
    assert holders["foreign_prose"] == "foreign"
    assert holders["early_prose"] == "early"
    assert holders["english_page"] == "mainland"

"""The rules expert on pages set up in code: prose in many wordings, forms in many layouts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.reading.candidates import prepare, snap
from ocr_moe.reading.gathering import gather
from ocr_moe.schema import Field, Kind, Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import Line, PageText, Reading
from ocr_moe.values.normalize import equal

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")


EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())


def read(schema: Schema, *texts: PageText, names: Sequence[str] = ()) -> dict[str, Reading]:
    pages = [StubPage(text, number=number) for number, text in enumerate(texts, start=1)]
    asked = schema.select(list(names) or list(schema.names))
    answer = EXPERT.read(StubDocument(schema, pages), asked)
    assert [reading.field for reading in answer.readings] == [field.name for field in asked]
    return {reading.field: reading for reading in answer.readings}


def values(schema: Schema, text: PageText) -> dict[str, str | None]:
    return {name: reading.value for name, reading in read(schema, text).items()}


PROSE: list[tuple[str, str, dict[str, str | None]]] = []


def case(name: str, rows: str, *truth: str | None) -> None:
    PROSE.append((name, rows, dict(zip(CERTIFICATE.names, truth, strict=True))))


case(
    "diploma",
    """
>>>>>>普通高等学校
>>>>>>毕业证书
学生|张伟|性别|男|,一九九八年六月二十日生,于二〇一五年
九月至二〇一九年六月在本校|计算机科学与技术|专业
四年制|本科|学习,修完教学计划规定的全部课程,成绩合格,准予
毕业。
校名：华东理工大学|>>>>校(院)长：李明
证书编号：102511201905004931|>>>>二〇一九年六月二十日
""",
    "张伟",
    "男",
    "1998-06-20",
    "本科",
    "2019-06-20",
    "华东理工大学",
    "计算机科学与技术",
    "102511201905004931",
)
case(
    "master",
    """
>>>>>>硕士研究生毕业证书
研究生 王小丽 性别 女，1990年 1 月 1 日生，于2012年9月至
2015年6月在 材料科学与工程 专业学习，学制 3 年，修完硕士研究
生培养计划规定的全部课程，成绩合格，毕业论文答辩通过，准予毕业。
培养单位：哈尔滨工业大学|>>>>校长：周玉
证书编号：102131201502001234|>>>>2015年6月30日
""",
    "王小丽",
    "女",
    "1990-01-01",
    "硕士研究生",
    "2015-06-30",
    "哈尔滨工业大学",
    "材料科学与工程",
    "102131201502001234",
)
case(
    "degree",
    """
>>>>>>学士学位证书
李娜,女,1997年3月5日生。在北京外国语大学
英语专业完成了本科学习计划,业已毕业,经审核符合
《中华人民共和国学位条例》的规定,授予文学学士学位。
北京外国语大学校长|>>>>学位评定委员会主席
证书编号：1003042019000123|>>>>二〇一九年六月二十八日
""",
    "李娜",
    "女",
    "1997-03-05",
    "本科",
    "2019-06-28",
    "北京外国语大学",
    "英语",
    "1003042019000123",
)
case(
    "doctor_degree",
    """
>>>>>>博士学位证书
赵强 系 山东省济南市 人，1985年7月12日生。在我校
物理化学 学科(专业)已通过博士学位的课程考试和论文答辩,成绩合格。
根据《中华人民共和国学位条例》的规定,授予理学博士学位。
南开大学|>>>>校长
>>>>学位评定委员会主席
证书编号：1005522013000321|>>>>二〇一三年六月三十日
""",
    "赵强",
    None,
    "1985-07-12",
    "博士研究生",
    "2013-06-30",
    "南开大学",
    "物理化学",
    "1005522013000321",
)
case(
    "adult",
    """
>>>>>>成人高等教育
>>>>>>毕业证书
学生|刘洋|性别|女|,1980年5月3日生,于二〇〇五年三月至
二〇〇八年一月在本校会计学专业函授专升本学习,修完本科教学计划
规定的全部课程,成绩合格,准予毕业。
校名：西南财经大学|>>>>校(院)长：
批准文号：(80)教高字001号|>>>>二〇〇八年一月十日
证书编号：106515200805000456
""",
    "刘洋",
    "女",
    "1980-05-03",
    "本科",
    "2008-01-10",
    "西南财经大学",
    "会计学",
    "106515200805000456",
)
case(
    "self_study",
    """
>>>>>>高等教育自学考试
>>>>>>毕业证书
孙丽 性别 女 身份证号 320102198203041225
参加法律专业(本科段)高等教育自学考试,全部课程成绩合格,
经审定,准予毕业。
主考院校：南京大学
江苏省高等教育自学考试委员会
证书编号：65320102061012345|>>>>二〇〇六年六月三十日
""",
    "孙丽",
    "女",
    "1982-03-04",
    "本科",
    "2006-06-30",
    "南京大学",
    "法律",
    "65320102061012345",
)
case(
    "form",
    """
>>>>>>毕业证书
姓名|陈静|>>>性别|女
出生日期|1995年12月1日|>>>学制|三年
专业|护理|>>>层次|专科
学习形式|普通全日制|>>>毕业日期|2016年7月1日
证书编号|127861201606000321
学校名称|安徽医学高等专科学校
""",
    "陈静",
    "女",
    "1995-12-01",
    "专科",
    "2016-07-01",
    "安徽医学高等专科学校",
    "护理",
    "127861201606000321",
)
case(
    "1987",
    """
>>>>>>毕业证书
学生周建国系江苏省南京市人,现年二十二岁,于一九八三年九月入
本校机械工程系机械制造工艺及设备专业四年制本科学习,
现已学完教学计划规定的全部课程,成绩及格,准予毕业。
>>>>>东南大学校长 韦钰
>>>>>一九八七年七月十日
证书登记第870123号
""",
    "周建国",
    None,
    None,
    "本科",
    "1987-07-10",
    "东南大学",
    "机械制造工艺及设备",
    "870123",
)
case(
    "college",
    """
>>>>>>普通高等学校
>>>>>>毕业证书
学生　吴昊　性别男，一九八九年十月八日生，于二〇〇七年九月
至二〇一〇年六月在本校软件技术专业三年制专科学习，修完
教学计划规定的全部课程，成绩合格，准予毕业。
校　名：深圳职业技术学院
校（院）长：刘洪一
证书编号：113131201006001234
>>>>>二〇一〇年六月三十日
""",
    "吴昊",
    "男",
    "1989-10-08",
    "专科",
    "2010-06-30",
    "深圳职业技术学院",
    "软件技术",
    "113131201006001234",
)
case(
    "professional_degree",
    """
>>>>>>硕士学位证书
>>>>>>(专业学位)
黄志强,男,1988年2月生。在清华大学已通过工商管理硕士
学位的课程考试和论文答辩,成绩合格。根据《中华人民共和国学位条例》
的规定,授予工商管理硕士(专业)学位。
清华大学|>>>>校长
>>>>>学位评定委员会主席
证书编号：Z1000332014000555|>>>>二〇一四年七月二日
""",
    "黄志强",
    "男",
    "1988-02",
    "硕士研究生",
    "2014-07-02",
    "清华大学",
    None,
    "Z1000332014000555",
)
case(
    "party_school",
    """
>>>>>中共中央党校
>>>>>毕业证书
学员|郑国栋|,性别|男|,一九七〇年五月生,于二〇〇一年九月
至二〇〇四年七月在本校在职研究生班|经济管理|专业学习,
修完全部课程,成绩合格,准予毕业。
>>>>>中共中央党校
证书编号：党研字第20040123号|>>>>二〇〇四年七月十日
""",
    "郑国栋",
    "男",
    "1970-05",
    "硕士研究生",
    "2004-07-10",
    "中共中央党校",
    "经济管理",
    "20040123",
)
case(
    "school_in_title",
    """
>>>>>北京大学
>>>>>毕业证书
学生 阿依古丽·买买提 性别女，一九九六年四月九日生，于二〇一四年
九月至二〇一八年七月在本校外国语学院俄语专业四年制本科学习，
修完教学计划规定的全部课程，成绩合格，准予毕业。
校长：郝平
证书编号：100011201805001111|>>>>二〇一八年七月四日
""",
    "阿依古丽·买买提",
    "女",
    "1996-04-09",
    "本科",
    "2018-07-04",
    "北京大学",
    "俄语",
    "100011201805001111",
)
case(
    "broken_boxes",
    """
>>>>>>毕业证书
学生|林峰|性别|男|，1999年8月15日生，于2017年9月至2021年6月
在本校|国际经济与贸易|专业|四|年制|本科|学习，修完
教学计划规定的全部课程，成绩合格，准予毕业。
>>校长：|★|>>>>厦门大学
证书编号：|103841202105002233
>>>>>>二〇二一年|六月|十八日
""",
    "林峰",
    "男",
    "1999-08-15",
    "本科",
    "2021-06-18",
    "厦门大学",
    "国际经济与贸易",
    "103841202105002233",
)
case(
    "online",
    """
>>>>>网络高等教育
>>>>>毕业证书
学生 何敏 性别 女 ，1986 年 11 月 2 日生，于 2010 年 3 月至
2012 年 7 月在本校工商管理专业专科起点本科网络教育学习，修完教
学计划规定的全部课程，成绩合格，准予毕业。
校名：北京交通大学|>>>校（院）长：宁滨
证书编号：100047201205003322|>>>2012 年 7 月 10 日
""",
    "何敏",
    "女",
    "1986-11-02",
    "本科",
    "2012-07-10",
    "北京交通大学",
    "工商管理",
    "100047201205003322",
)
case(
    "doctor",
    """
>>>>>>博士研究生毕业证书
研究生|徐文博|性别|男|,|1987|年|9|月|23|日生,于|2011|年|9|月至
|2015|年|6|月在|中国科学院大学|攻读|凝聚态物理|专业博士学位,
学制|4|年,修完博士研究生培养方案规定的全部课程,成绩合格,毕业论文
答辩通过,准予毕业。
培养单位：物理研究所
校长：丁仲礼
证书编号：144301201501000876|>>>>2015年7月1日
""",
    "徐文博",
    "男",
    "1987-09-23",
    "博士研究生",
    "2015-07-01",
    "中国科学院大学",
    "凝聚态物理",
    "144301201501000876",
)
case(
    "second_bachelor",
    """
>>>>>>学位证书
>>>>>(第二学士学位)
马超,男,生于1992年10月31日。在浙江大学法学专业修完
第二学士学位教学计划规定的全部课程,成绩合格,授予法学学士学位。
>>>浙江大学|>>>校长
编号 1033542017000777
>>>>>2017年6月30日
""",
    "马超",
    "男",
    "1992-10-31",
    "本科",
    "2017-06-30",
    "浙江大学",
    "法学",
    "1033542017000777",
)
case(
    "adult_college",
    """
>>>>>>成人高等教育
毕业证书
学生 高兰 性别 女， 一九七八年 三 月 二 日生， 于一九九九年九月至
二〇〇二年七月在本校 汉语言文学 专业业余 学习，修完三年制专科教学计划
规定的全部课程，成绩合格，准予毕业。
校名：山西大学|>>>校(院)长
>>>二〇〇二年七月一日
学校编号：101085200206000222
""",
    "高兰",
    "女",
    "1978-03-02",
    "专科",
    "2002-07-01",
    "山西大学",
    "汉语言文学",
    "101085200206000222",
)
case(
    "form_with_colons",
    """
>>>>>>毕业证书
学生姓名：谢婷婷
性　　别：女
出生年月：1994年11月
所学专业：学前教育
学　　历：大专
毕业院校：江西师范高等专科学校
毕业时间：2015年06月30日
证书编号：1286 6120 1506 0009 98
""",
    "谢婷婷",
    "女",
    "1994-11",
    "专科",
    "2015-06-30",
    "江西师范高等专科学校",
    "学前教育",
    "128661201506000998",
)
case(
    "1990",
    """
>>>>>>毕业证书
学生王芳系河北省保定市人,一九六八年三月生,于一九八六年九月至
一九九〇年七月在本校中文系汉语言文学专业学习,修业期满,
成绩及格,准予毕业。
>>>>>>河北大学|>>校长|王培光
>>>>>>一九九〇年七月五日
""",
    "王芳",
    None,
    "1968-03",
    None,
    "1990-07-05",
    "河北大学",
    "汉语言文学",
    None,
)
case(
    "awarded_to",
    """
>>>>>>学士学位证书
兹授予 王建军 工学学士学位
>>>>清华大学
>>>>学位评定委员会主席|高景德
>>>>一九八五年七月十五日
证书编号 850123
""",
    "王建军",
    None,
    None,
    "本科",
    "1985-07-15",
    "清华大学",
    None,
    "850123",
)
case(
    "open_university",
    """
>>>>中央广播电视大学
>>>>>毕业证书
学生|赵敏|性别|女|,一九八〇年五月十一日生,于二〇〇三年三月至
二〇〇五年七月在本校|会计学|专业|开放教育专科|学习,
修完教学计划规定的全部课程,成绩合格,准予毕业。
校长：葛道凯|>>>>中央广播电视大学
证书编号：511615200506123456|>>二〇〇五年七月三十一日
""",
    "赵敏",
    "女",
    "1980-05-11",
    "专科",
    "2005-07-31",
    "中央广播电视大学",
    "会计学",
    "511615200506123456",
)
case(
    "faculty_named",
    """
>>>>>硕士研究生
>>>>>毕业证书
研究生 李雷 性别男,一九九二年十月一日生,于二〇一四年九月至
二〇一七年七月在化学与分子工程学院有机化学专业学习,学制三年,
修完硕士研究生培养计划规定的全部课程,成绩合格,毕业论文答辩通过,
准予毕业。
>>>>>>>>>>北京大学
校长：林建华|>>>>二〇一七年七月四日
证书编号：100011201702001234
""",
    "李雷",
    "男",
    "1992-10-01",
    "硕士研究生",
    "2017-07-04",
    "北京大学",
    "有机化学",
    "100011201702001234",
)
case(
    "independent_college",
    """
>>>>电子科技大学成都学院
>>>>>毕业证书
学生 韩梅梅 性别女,1993年2月14日生,于2011年9月至2015年6月在
电子科技大学成都学院计算机科学与技术专业四年制本科学习,修完
教学计划规定的全部课程,成绩合格,准予毕业。
校名：电子科技大学成都学院|>>校(院)长：汪令江
证书编号：136661201505001234|>>2015年6月30日
""",
    "韩梅梅",
    "女",
    "1993-02-14",
    "本科",
    "2015-06-30",
    "电子科技大学成都学院",
    "计算机科学与技术",
    "136661201505001234",
)
case(
    "professional_law",
    """
>>>>>硕士学位证书
欧阳娜娜,女,1990年12月12日生。在我校法律(非法学)
专业学位类别已通过硕士学位的课程考试和论文答辩,成绩合格。根据
《中华人民共和国学位条例》的规定,授予法律硕士学位。
中国政法大学|>>>校长|>>>黄进
证书编号：Z1005332016000987|>>>2016年6月30日
""",
    "欧阳娜娜",
    "女",
    "1990-12-12",
    "硕士研究生",
    "2016-06-30",
    "中国政法大学",
    "法律(非法学)",
    "Z1005332016000987",
)
case(
    "form_minority",
    """
>>>>>毕业证书
姓　名：|买买提·艾力|>>性　别：|男
出生年月：|1988年7月|>>学　制：|四年
院　系：|信息科学与工程学院
专　业：|通信工程
层　次：|本科|>>学习形式：|全日制
该生在校期间修完全部课程,成绩合格,准予毕业。
>>>>>新疆大学
>>>>>2011年6月30日
证书编号：107551201105004321
""",
    "买买提·艾力",
    "男",
    "1988-07",
    "本科",
    "2011-06-30",
    "新疆大学",
    "通信工程",
    "107551201105004321",
)
case(
    "adult_degree",
    """
学士学位证书
(成人高等教育)
刘芳,女,1982年4月3日生。
在南京师范大学汉语言文学专业完成了本科学习计划,业已毕业,
经审核符合《中华人民共和国学位条例》的规定,授予文学学士学位。
南京师范大学校长
学位评定委员会主席 宋永忠
证书编号：1031942008500123|>>二〇〇八年十二月三十日
(成人高等教育本科毕业生)
""",
    "刘芳",
    "女",
    "1982-04-03",
    "本科",
    "2008-12-30",
    "南京师范大学",
    "汉语言文学",
    "1031942008500123",
)
case(
    "military",
    """
>>>>>>毕业证书
学员陈勇,男,一九七九年八月生,江苏省南通市人,于一九九八年九月
至二〇〇二年七月在本院指挥自动化工程专业四年制本科学习,学完
规定课程,成绩合格,准予毕业。
>>>>>中国人民解放军理工大学
>>>>>院长|>>政治委员
>>>>>二〇〇二年七月一日
编号:20020456
""",
    "陈勇",
    "男",
    "1979-08",
    "本科",
    "2002-07-01",
    "中国人民解放军理工大学",
    "指挥自动化工程",
    "20020456",
)
case(
    "self_study_2004",
    """
>>>>高等教育自学考试
>>>>>毕业证书
周杰|性别|男|身份证号|320106197501012012
参加|行政管理|专业(独立本科段)高等教育自学考试,
成绩合格,准予毕业,特颁发毕业证书。
主考学校|南京师范大学|>>江苏省高等教育自学考试委员会
>>>>>>>2004年12月30日
""",
    "周杰",
    "男",
    "1975-01-01",
    "本科",
    "2004-12-30",
    "南京师范大学",
    "行政管理",
    None,
)
case(
    "degree_2012",
    """
>>>>>博士学位证书
林徽,女,1984 年 5 月生。在我校 建筑历史与理论
学科(专业)已通过博士学位的课程考试和论文答辩,成绩合格。根据《中
华人民共和国学位条例》的规定,授予 工学 博士学位。
>>东南大学|>>校长 学位评定委员会主席 易红
证书编号：1028622012000111|>二〇一二年六月二十五日
""",
    "林徽",
    "女",
    "1984-05",
    "博士研究生",
    "2012-06-25",
    "东南大学",
    "建筑历史与理论",
    "1028622012000111",
)
case(
    "vocational",
    """
>>>>>>普通高等学校
>>>>>>毕业证书
>>>>学生 马云飞 性别 男
一九九七年九月九日生,于二〇一六年九月至二〇一九年六月在本校
畜牧兽医专业三年制专科(高职)学习,修完教学计划规定的全部课
程,成绩合格,准予毕业。
校　　名:黑龙江农业职业技术学院
校(院)长:于波
证书编号:129061201906000789|>>>二〇一九年六月二十八日
中华人民共和国教育部学历证书查询网址:http://www.chsi.com.cn
""",
    "马云飞",
    "男",
    "1997-09-09",
    "专科",
    "2019-06-28",
    "黑龙江农业职业技术学院",
    "畜牧兽医",
    "129061201906000789",
)
case(
    "degree_2025",
    """
BACHELOR'S DEGREE CERTIFICATE
>>>>>学士学位证书
宋佳|男|,|1999|年|12|月|5|日生。在|武汉理工大学
车辆工程|专业完成了本科学习计划,业已毕业,经审核符合
《中华人民共和国学位法》的规定,授予|工学|学士学位。
武汉理工大学|>>校长、学位评定委员会主席|>杨宗凯
证书编号：1049742025001234|>>>2025|年|6|月|20|日
""",
    "宋佳",
    "男",
    "1999-12-05",
    "本科",
    "2025-06-20",
    "武汉理工大学",
    "车辆工程",
    "1049742025001234",
)


@pytest.mark.parametrize(
    ("rows", "truth"), [(rows, truth) for _, rows, truth in PROSE], ids=[n for n, _, _ in PROSE]
)
@pytest.mark.parametrize("turned", [0.0, 2.5])
def test_wordings_of_certificates(rows: str, truth: dict[str, str | None], turned: float) -> None:
    found = values(CERTIFICATE, page(rows, turned=turned))
    for name, value in truth.items():
        got = found[name]
        field = CERTIFICATE.field(name)
        same = got == value if value is None or got is None else equal(field, got, value)
        assert same, f"{name}: {got!r} instead of {value!r}"


def test_misread_characters_around_values_are_survived() -> None:
    """One character in forty of the surroundings is wrong: the values are still found."""
    rng = random.Random(7)
    right = total = 0
    for _, rows, truth in PROSE:
        kept = "".join(value or "" for value in truth.values())
        noisy = "".join(
            rng.choice("田由甲申电目且")
            if ord(char) > 0x4E00 and char not in kept and rng.random() < 0.025
            else char
            for char in rows
        )
        found = values(CERTIFICATE, page(noisy))
        for name, value in truth.items():
            if value is not None:
                total += 1
                got = found[name]
                right += got is not None and equal(CERTIFICATE.field(name), got, value)
    assert right >= 0.93 * total


COMPANY = {
    "统一社会信用代码": "91371482MA3CFKE25H",
    "名称": "禹城勤农农业机械有限公司",
    "类型": "有限责任公司(自然人独资)",
    "法定代表人": "李建国",
    "注册资本": "壹佰万元整",
    "成立日期": "2016-08-22",
    "住所": "山东省德州市禹城市市中街道张陈社区祁庄村",
    "营业期限": "2016年08月22日至2036年08月21日",
    "经营范围": "农业机械设备销售。(依法须经批准的项目,经相关部门批准后可开展经营活动)",
}

LABEL_LEFT = """
>>>>>>营业执照
>>>>统一社会信用代码|91371482MA3CFKE25H
名|@0.18 称|@0.23 禹城勤农农业机械有限公司
类|@0.18 型|@0.23 有限责任公司(自然人独资)
住|@0.18 所|@0.23 山东省德州市禹城市市中街道张陈社区祁庄村
法定代表人|@0.23 李建国
注册资本|@0.23 壹佰万元整
成立日期|@0.23 2016年08月22日
营业期限|@0.23 2016年08月22日至2036年08月21日
经营范围|@0.23 农业机械设备销售。(依法须经批准的项目,经相关
@0.23 部门批准后可开展经营活动)
>>>>>>登记机关
>>>>>>>2018年05月03日
"""

GLUED = """
>>>>>>营业执照
>>>统一社会信用代码91371482MA3CFKE25H
名|@0.18 称禹城勤农农业机械有限公司
类|@0.18 型有限责任公司(自然人独资)
住|@0.18 所山东省德州市禹城市市中街道张陈社区祁庄村
法定代表人李建国
注册资本壹佰万元整
成立日期2016年08月22日
营业期限2016年08月22日至2036年08月21日
经营范围农业机械设备销售。(依法须经批准的项目,经相关部门
@0.2 批准后可开展经营活动)
>>>>>>登记机关
"""

TWO_COLUMNS = """
>>>>>>营业执照
统一社会信用代码
91371482MA3CFKE25H
名称|禹城勤农农业机械有限公司|>>注册资本|壹佰万元整
类型|有限责任公司(自然人独资)|>>成立日期|2016年08月22日
法定代表人|李建国|>>>>>>营业期限|2016年08月22日至2036年08月21日
住所|山东省德州市禹城市市中街道张陈社区祁庄村
经营范围|农业机械设备销售。(依法须经批准的项目,经相关部门批准后可开展经营活动)
>>>>>>登记机关
"""

LABEL_ABOVE = """
>>>>>>营业执照
统一社会信用代码|@0.5 名称
91371482MA3CFKE25H|@0.5 禹城勤农农业机械有限公司
类型|@0.5 法定代表人
有限责任公司(自然人独资)|@0.5 李建国
注册资本|@0.5 成立日期
壹佰万元整|@0.5 2016年08月22日
住所
山东省德州市禹城市市中街道张陈社区祁庄村
营业期限
2016年08月22日至2036年08月21日
经营范围
农业机械设备销售。(依法须经批准的项目,经相关部门批准后可开展经营活动)
"""


@pytest.mark.parametrize("turned", [0.0, -2.0, 3.0])
@pytest.mark.parametrize("rows", [LABEL_LEFT, GLUED], ids=["left", "glued"])
def test_licences_with_labels_beside_their_values(rows: str, turned: float) -> None:
    assert values(LICENCE, page(rows, turned=turned)) == COMPANY


@pytest.mark.parametrize("rows", [TWO_COLUMNS, LABEL_ABOVE], ids=["two columns", "above"])
def test_other_layouts_of_licences(rows: str) -> None:
    assert values(LICENCE, page(rows)) == COMPANY


def test_a_misread_label_is_known_by_the_rest_of_it_and_by_its_column() -> None:
    rows = LABEL_LEFT.replace("法定代表人", "法定代裹人").replace("类|>>型", "类")
    found = values(LICENCE, page(rows))
    assert found["法定代表人"] == "李建国"
    assert found["类型"] == "有限责任公司(自然人独资)"


def test_a_value_whose_label_is_lost_is_known_by_its_shape() -> None:
    found = values(LICENCE, page(LABEL_LEFT.replace("法定代表人|", "").replace("成立日期|", "")))
    assert found["法定代表人"] == "李建国"
    assert found["成立日期"] == "2016-08-22"
    assert found["注册资本"] == "壹佰万元整"


def test_letters_of_labels_in_one_tall_box() -> None:
    def box(text: str, x0: float, y0: float, x1: float, y1: float) -> Line:
        return Line(text=text, confidence=0.99, quad=((x0, y0), (x1, y0), (x1, y1), (x0, y1)))

    lines = (
        box("名类住", 0.10, 0.30, 0.13, 0.42),
        box("称型所", 0.20, 0.30, 0.23, 0.42),
        box("禹城勤农农业机械有限公司", 0.26, 0.305, 0.50, 0.335),
        box("有限责任公司", 0.26, 0.345, 0.38, 0.375),
        box("山东省德州市禹城市市中街道", 0.26, 0.385, 0.52, 0.415),
    )
    text = PageText(engine="test", width=1000, height=1400, rotation=0, lines=lines)
    found = values(LICENCE, text)
    assert found["名称"] == "禹城勤农农业机械有限公司"
    assert found["类型"] == "有限责任公司"
    assert found["住所"] == "山东省德州市禹城市市中街道"


def test_absent_fields_have_no_value_and_say_so() -> None:
    rows = "\n".join(row for row in LABEL_LEFT.split("\n") if "注册资本" not in row)
    reading = read(LICENCE, page(rows))["注册资本"]
    assert reading.value is None
    assert reading.error is None
    assert (reading.score or 0.0) > 0.5
    assert reading.notes
    bare = read(LICENCE, page(LABEL_LEFT.replace("李建国", "")))["法定代表人"]
    assert bare.value is None
    assert bare.features["trace"] == 1.0


def test_an_empty_page_has_no_values() -> None:
    empty = PageText(engine="test", width=100, height=100, rotation=0, lines=())
    assert set(values(CERTIFICATE, empty).values()) == {None}
    blank = page("　|　")
    assert set(values(LICENCE, blank).values()) == {None}


def test_evidence_is_the_value_s_part_of_its_line() -> None:
    text = page(GLUED)
    reading = read(LICENCE, text)["法定代表人"]
    assert reading.evidence is not None
    assert reading.evidence.text == "李建国"
    line = next(line for line in text.lines if line.text == "法定代表人李建国")
    x0, y0, x1, y1 = reading.evidence.box
    lx0, ly0, lx1, ly1 = line.box
    assert lx0 + 0.5 * (lx1 - lx0) < x0 < x1 <= lx1 + 1e-6
    assert ly0 - 1e-6 <= y0 < y1 <= ly1 + 1e-6


def test_a_reading_depends_on_the_page_and_not_on_what_else_is_asked() -> None:
    for schema, rows in ((CERTIFICATE, PROSE[0][1]), (LICENCE, LABEL_LEFT)):
        together = read(schema, page(rows))
        for name in schema.names:
            assert read(schema, page(rows), names=[name])[name] == together[name]


def test_features_are_always_the_same_and_scores_are_probabilities() -> None:
    names = set()
    for schema, rows in ((CERTIFICATE, PROSE[2][1]), (LICENCE, LABEL_ABOVE), (LICENCE, "空")):
        for reading in read(schema, page(rows)).values():
            names.add(tuple(sorted(reading.features)))
            assert reading.score is not None
            assert 0.0 <= reading.score <= 1.0
    assert len(names) == 1


def test_confidence_of_the_lines_reaches_the_score() -> None:
    sure = read(LICENCE, page(LABEL_LEFT))["名称"]
    unsure = read(LICENCE, page(LABEL_LEFT, confidence=0.6))["名称"]
    assert (sure.score or 0.0) > (unsure.score or 0.0) > 0.0


def test_later_pages_are_read_too() -> None:
    reading = read(LICENCE, page("封面"), page(LABEL_LEFT))["名称"]
    assert reading.value == COMPANY["名称"]
    assert reading.evidence is not None
    assert reading.evidence.page == 2


def test_a_two_page_spread_is_read_page_by_page() -> None:
    rows = """
>>>>>学位证书|>>>>>>>>>>CERTIFICATE OF DEGREE
>>朱涛贵,男,一九七七年一月六日生。|>>>Tao Zhu, male, born on January 6, 1977,
在河北北方学院微生物学学科(专业)已通|>has satisfied the requirements of the
过硕士学位的课程考试和论文答辩,成绩合|>Regulations on Academic Degrees of the
格。根据《中华人民共和国学位条例》的规|>People's Republic of China and is awarded
定,授予理学硕士学位。|>>>>>>>>>>the degree of Master of Science by Hebei
>>>>>>河北北方学院|>>>>>>>>>>>Beifang University on June 18, 2003.
>>>>二〇〇三年六月十八日
"""
    found = values(CERTIFICATE, page(rows, type_size=0.022))
    assert found["姓名"] == "朱涛贵"
    assert found["专业"] == "微生物学"
    assert found["毕业院校"] == "河北北方学院"
    assert found["毕业日期"] == "2003-06-18"
    assert found["出生日期"] == "1977-01-06"


def test_traditional_characters_that_slipped_in_are_written_simplified() -> None:
    rows = PROSE[2][1].replace("专业", "專業").replace("完成了本科学习", "完成了本科學習")
    found = values(CERTIFICATE, page(rows))
    assert found["专业"] == "英语"
    assert found["学历层次"] == "本科"


def test_a_date_that_lost_its_year_takes_it_from_the_number() -> None:
    rows = PROSE[0][1].replace("二〇一九年六月二十日", "年六月二十日")
    assert values(CERTIFICATE, page(rows))["毕业日期"] == "2019-06-20"


def test_codes_take_digits_for_letters_that_the_grammar_lacks() -> None:
    rows = LABEL_LEFT.replace("91371482MA3CFKE25H", "9137I482MA3CFKE25H")
    assert values(LICENCE, page(rows))["统一社会信用代码"] == COMPANY["统一社会信用代码"]


def test_a_longer_number_beside_another_label_is_not_the_code() -> None:
    rows = """
>>>>>>营业执照
编号|320928000201908290083
名称|禹城勤农农业机械有限公司
类型|有限责任公司
"""
    assert values(LICENCE, page(rows))["统一社会信用代码"] is None


RECEIPT = """
name: receipt
words: {TOTAL: 2, CASH: 1, INVOICE: 1}
other_labels: [SUB TOTAL, TOTAL QTY, TOTAL GST, CASH, CHANGE]
fields:
  - {name: company, kind: organisation, fallbacks: [organisation, first_line]}
  - {name: date, kind: date, labels: [DATE]}
  - name: address
    shape: '\\b(jalan|jln|lot|road|street|taman|\\d{5})\\b'
    reject: 'gst|tel|reg|bhd'
    fallbacks: [block]
  - {name: total, kind: money, labels: [GRAND TOTAL, TOTAL]}
"""


def test_a_user_s_schema_of_fifteen_lines(tmp_path: Path) -> None:
    file = tmp_path / "receipt.yaml"
    file.write_text(RECEIPT, encoding="utf-8")
    rows = """
HOME MASTER HARDWARE SDN BHD
NO.113G JALAN SETIA GEMBILANG
BANDAR SETIA ALAM,
40170 SHAH ALAM, SELANGOR
GST REG NO 001 234 567
DATE:|22/12/2017 14:33
CABLE TIE|>>>>2|>>>>12.90
SUB TOTAL|>>>>>>>>>12.90
TOTAL GST|>>>>>>>>>>0.73
TOTAL|>>>>>>>>>>>RM 13.63
CASH|>>>>>>>>>>>>50.00
"""
    assert values(load_schema(file), page(rows)) == {
        "company": "HOME MASTER HARDWARE SDN BHD",
        "date": "2017-12-22",
        "address": "NO.113G JALAN SETIA GEMBILANG BANDAR SETIA ALAM, 40170 SHAH ALAM, SELANGOR",
        "total": "RM 13.63",
    }


def test_names_of_fields_serve_as_labels_where_none_are_declared() -> None:
    schema = Schema.model_validate(
        {
            "name": "card",
            "fields": [{"name": "serial_number"}, {"name": "Holder", "kind": "person"}],
        }
    )
    found = values(schema, page("Serial Number:|A-1234\nHOLDER|Jane Smith"))
    assert found == {"serial_number": "A-1234", "Holder": "Jane Smith"}


def test_snap_mends_one_character_and_leaves_what_two_words_claim() -> None:
    assert snap("准子毕业", ["准予毕业"]) == "准予毕业"
    assert snap("某士学位", ["硕士学位", "博士学位"]) == "某士学位"
    assert snap("硕士学位", ["博士学位", "硕士学位"]) == "硕士学位"
    assert snap("毕亚", ["毕业"]) == "毕亚"


def test_experts_share_what_was_prepared_and_found_of_a_page() -> None:
    schema = CERTIFICATE
    text = page("姓名|陈思远\n性别|男")
    name = schema.field("姓名")
    first = prepare(schema, 1, text)
    assert prepare(schema, 1, text) is first
    assert [c for c, _ in gather(name, [first])] == [c for c, _ in gather(name, [first])]
    assert first.found["姓名"][1]
    # Nothing of it is taken for another page, another schema, or a field of the same name.
    assert prepare(schema, 2, text) is not first
    other = schema.model_copy()
    assert prepare(other, 1, text).schema is other
    bare = Field(name="姓名", kind=Kind.PERSON)
    assert {c.value for c, _ in gather(bare, [first])} == {
        c.value for c, _ in gather(bare, [prepare(schema, 1, text.model_copy())])
    }


@pytest.mark.parametrize("tail", ["修业年限三年", "学制四年", "学习形式全日制"])
def test_a_major_ends_where_the_next_label_is_glued_to_it(tail: str) -> None:
    """Small type under blur: the blank between two entries of one row is lost."""
    rows = f">>>>>>毕业证书\n姓名|陈思远|性别|男\n专业|控制理论与控制工程{tail}\n>>>>2019年6月20日"
    assert values(CERTIFICATE, page(rows))["专业"] == "控制理论与控制工程"

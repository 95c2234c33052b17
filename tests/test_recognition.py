"""Which schema a page belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.reading.recognition import recognise
from ocr_moe.schema import Schema, load_schema
from ocr_moe.testing import page

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")

DIPLOMA = """
>>>>普通高等学校
>>>>毕业证书
学生张伟性别男,一九九八年六月二十日生,于二〇一五年九月至
二〇一九年六月在本校英语专业四年制本科学习,修完教学计划规定的
全部课程,成绩合格,准予毕业。
"""
COMPANY = """
>>>>营业执照
统一社会信用代码|91371482MA3CFKE25H
名称|禹城勤农农业机械有限公司
法定代表人|李建国
经营范围|农业机械设备销售
登记机关
"""


@pytest.mark.parametrize(
    ("rows", "schema"),
    [
        (DIPLOMA, CERTIFICATE),
        (COMPANY, LICENCE),
        ("学|位|证|书\n授予文学学士学位\n校长", CERTIFICATE),
        (DIPLOMA.replace("毕业证书", "").replace("普通高等学校", ""), CERTIFICATE),
        (COMPANY.replace("营业执照", "宫业执照").replace("信用代码", "信用代妈"), LICENCE),
        (DIPLOMA.replace("学", "學").replace("业", "業").replace("证书", "證書"), CERTIFICATE),
    ],
    ids=["diploma", "licence", "spaced title", "no title", "misread", "traditional"],
)
def test_documents_are_recognised(rows: str, schema: Schema) -> None:
    found, confidence = recognise(page(rows), [LICENCE, CERTIFICATE])
    assert found is schema
    assert 0.5 < confidence <= 1.0


@pytest.mark.parametrize(
    "rows", ["TOTAL 12.90\nCASH 50.00", "年度工作总结\n各部门负责人学习文件", "　"]
)
def test_other_pages_fit_nothing(rows: str) -> None:
    assert recognise(page(rows), [LICENCE, CERTIFICATE]) == (None, 0.0)


def test_no_schemas_no_answer() -> None:
    assert recognise(page(DIPLOMA), []) == (None, 0.0)


def test_a_schema_without_words_is_known_by_its_labels() -> None:
    schema = Schema.model_validate(
        {
            "name": "receipt",
            "fields": [
                {"name": "total", "kind": "money", "labels": ["TOTAL"]},
                {"name": "date", "kind": "date", "labels": ["DATE"]},
            ],
        }
    )
    found, _ = recognise(page("DATE 1/2/2018\nTOTAL 12.90"), [LICENCE, schema])
    assert found is schema


def test_a_rival_lowers_the_confidence() -> None:
    alone = recognise(page(COMPANY), [LICENCE])[1]
    mixed = recognise(page(COMPANY + DIPLOMA), [LICENCE, CERTIFICATE])[1]
    assert mixed < alone

"""Schemas: the shipped ones, a user's own, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.errors import SchemaError
from ocr_moe.schema import Kind, Schema, load_schema
from ocr_moe.subjects import FileNameRule
from ocr_moe.types import DocumentRef
from ocr_moe.values.normalize import normalize

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
SHIPPED = sorted(path.stem for path in SCHEMAS.glob("*.yaml"))


def load(tmp_path: Path, text: str) -> Schema:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load_schema(file)


def test_shipped_schemas_have_the_headings_of_the_verified_sheets() -> None:
    assert {"business_license", "graduation_certificate"} <= set(SHIPPED)
    certificate = load_schema(SCHEMAS / "graduation_certificate.yaml")
    assert certificate.names == (
        "姓名",
        "性别",
        "出生日期",
        "学历层次",
        "毕业日期",
        "毕业院校",
        "专业",
        "证书编号",
    )
    assert certificate.pages == 1
    licence = load_schema(SCHEMAS / "business_license.yaml")
    assert licence.names[:7] == (
        "统一社会信用代码",
        "名称",
        "类型",
        "法定代表人",
        "注册资本",
        "成立日期",
        "住所",
    )
    assert not licence.field("注册资本").required


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_schemas_say_how_every_field_is_found(name: str) -> None:
    schema = load_schema(SCHEMAS / f"{name}.yaml")
    assert schema.name == name
    assert schema.words
    for field in schema.fields:
        by_key = schema.items  # what stands in items of text, or is made of them
        by_form = field.grammars or field.origin  # a code of its own form, or a part of one
        by_pattern = field.patterns or field.line_patterns
        assert field.labels or field.columns or by_pattern or by_form or by_key, field.name
        assert (field.kind is Kind.CODE) == bool(field.grammars), field.name


@pytest.mark.parametrize(
    ("name", "alias", "field"),
    [
        ("graduation_certificate", "学生姓名", "姓名"),
        ("graduation_certificate", "出生年月", "出生日期"),
        ("graduation_certificate", "学历", "学历层次"),
        ("graduation_certificate", "毕业时间", "毕业日期"),
        ("graduation_certificate", "certificate_number", "证书编号"),
        ("business_license", "注册号", "统一社会信用代码"),
        ("business_license", "social_credit_code", "统一社会信用代码"),
        ("business_license", "经营者", "法定代表人"),
        ("business_license", "registration_capital", "注册资本"),
        ("business_license", "location", "住所"),
        ("business_license", "operation_date", "营业期限"),
    ],
)
def test_other_headings_of_the_fields(name: str, alias: str, field: str) -> None:
    assert load_schema(SCHEMAS / f"{name}.yaml").field(alias).name == field


@pytest.mark.parametrize(
    ("printed", "level"),
    [
        ("大学本科", "本科"),
        ("学士", "本科"),
        ("硕士", "硕士研究生"),
        ("大专", "专科"),
        ("博士", "博士研究生"),
    ],
)
def test_levels(printed: str, level: str) -> None:
    schema = load_schema(SCHEMAS / "graduation_certificate.yaml")
    assert normalize(schema.field("学历层次"), printed) == level


@pytest.mark.parametrize(
    ("stem", "name", "degree", "kind"),
    [
        ("张三_本科_毕业证书", "张三", "本科", "毕业证书"),
        ("张三-硕士研究生-学位证", "张三", "硕士研究生", "学位证"),
        ("张三丰_博士_学位证书_2", "张三丰", "博士", "学位证书"),
        ("本科毕业证书 张三", "张三", "本科", "毕业证书"),
        ("张三本科毕业证书(1)", "张三", "本科", "毕业证书"),
        ("阿依古丽·买买提_专科_毕业证", "阿依古丽·买买提", "专科", "毕业证"),
        ("John Smith_本科_学位证", "John Smith", "本科", "学位证"),
        ("张三", "张三", "", ""),
    ],
)
def test_file_names_of_certificates(stem: str, name: str, degree: str, kind: str) -> None:
    schema = load_schema(SCHEMAS / "graduation_certificate.yaml")
    assert schema.subjects is not None
    found = FileNameRule(schema.subjects).identify(DocumentRef(path=f"a/{stem}.jpg", sha256="0"))
    assert found is not None
    assert (found.name, found.degree, found.kind) == (name, degree, kind)


@pytest.mark.parametrize("stem", ["IMG_0001", "scan-17", "本科毕业证书", "2019"])
def test_file_names_without_a_student(stem: str) -> None:
    schema = load_schema(SCHEMAS / "graduation_certificate.yaml")
    assert schema.subjects is not None
    rule = FileNameRule(schema.subjects)
    assert rule.identify(DocumentRef(path=f"{stem}.jpg", sha256="0")) is None


def test_a_user_s_own_schema(tmp_path: Path) -> None:
    schema = load(
        tmp_path,
        """
        name: receipt
        words: {TOTAL: 1, CASH: 1}
        fields:
          - {name: company, kind: organisation, fallbacks: [organisation]}
          - {name: date, kind: date, labels: [DATE]}
          - {name: total, kind: money, labels: [GRAND TOTAL, TOTAL]}
        """,
    )
    assert schema.names == ("company", "date", "total")
    assert schema.field("total").kind is Kind.MONEY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nfields:\n  - {name: a, lables: [A]}", ["lables", "labels"]),
        ("name: x\nfelds: []\nfields: [{name: a}]", ["felds", "fields"]),
        ("name: x\nfields: [{name: a, kind: mony}]", ["fields.0.kind", "money"]),
        ("name: x\nfields: [{name: a, kind: enum}]", ["a", "values"]),
        ("name: x\nfields: [{name: a, patterns: ['(']}]", ["'('", "regular expression"]),
        ("name: x\nfields: [{name: a, aliases: [b]}, {name: b}]", ["'b'", "'a'"]),
        ("name: x\nfields: [{name: a, fallbacks: [last_dat]}]", ["last_date"]),
        ("name: x\nfields: []", ["fields"]),
        ("name: x\nfields: [{name: a}]\nchecks: [{kind: code_check, fields: [b]}]", ["'b'"]),
        ("- a", ["mapping"]),
        ("name: [", ["YAML"]),
    ],
)
def test_a_wrong_schema_is_named_with_the_nearest_right_word(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    with pytest.raises(SchemaError) as caught:
        load(tmp_path, text)
    assert "mine.yaml" in str(caught.value)
    for word in said:
        assert word in str(caught.value)


def test_a_missing_schema(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="no such file"):
        load_schema(tmp_path / "none.yaml")

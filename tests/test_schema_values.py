"""Numbers, percentages, times, worded dates, and checks between fields: what docs/kinds.md tells."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ocr_moe.errors import SchemaError
from ocr_moe.evaluation.scoring import score
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.evaluation.truth.sheet import load_truth
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.expressions import Moment, parsed
from ocr_moe.formats.notes import note_in
from ocr_moe.protocols import State
from ocr_moe.routing.combiners import Priority
from ocr_moe.routing.consistency import check
from ocr_moe.routing.recall import digest_fields
from ocr_moe.schema import Check, Field, Kind, Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, page
from ocr_moe.types import Decision, DocumentRef, Reading, Record, Status
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.normalize import equal, normalize

DOC = (Path(__file__).parent.parent / "docs" / "kinds.md").read_text(encoding="utf-8")
PRINTED = re.findall(r"^\| `(\w+)` \| `([^`]+)` \| `([^`]+)` \|$", DOC, re.MULTILINE)
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
WEIGHT = Field(
    name="weight", kind=Kind.NUMBER, units={"kg": ("公斤", "千克", "KGS"), "t": ("吨", "MT")}
)
RATE = Field(name="rate", kind=Kind.PERCENTAGE)
TIME = Field(name="time", kind=Kind.TIME)


def schema_of(text: str, folder: Path) -> Schema:
    path = folder / "schema.yaml"
    path.write_text(text, encoding="utf-8")
    return load_schema(path)


@pytest.mark.parametrize(("kind", "printed", "value"), PRINTED)
def test_values_are_written_as_the_documentation_says(kind: str, printed: str, value: str) -> None:
    field = Field(name="x", kind=Kind(kind))
    assert normalize(field, printed) == value
    assert normalize(field, value) == value, "what is written down is read as itself"


def test_the_documentation_tells_of_every_new_kind() -> None:
    assert {kind for kind, _, _ in PRINTED} >= {"number", "percentage", "time", "date"}


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("约30吨（29,800 公斤）", "30 t"),
        ("No. 5, 20 KGS net", "20 kg"),
        ("第3页 12.0千克", "12.0 kg"),
        ("1.234,50 kg", "1234.50 kg"),
        ("1 234.5 kg", "1234.5 kg"),
        ("-3.5", "-3.5"),
        ("ABC", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_a_number_takes_the_units_of_its_field(printed: str, value: str | None) -> None:
    assert normalize(WEIGHT, printed) == value


def test_numbers_are_the_same_by_what_they_mean() -> None:
    assert equal(WEIGHT, "12.50 公斤", "12.5kg")
    assert equal(WEIGHT, "12.5", "12.5 kg"), "one does not say"
    assert not equal(WEIGHT, "12.5 t", "12.5 kg")
    assert not equal(WEIGHT, "125 kg", "12.5 kg")
    assert equal(RATE, "98.50%", "98.5 %")
    assert not equal(RATE, "98.5%", "89.5%")
    assert equal(TIME, "15:20", "下午3时20分05秒")
    assert not equal(TIME, "15:20:04", "15:20:05")


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("12:00 AM", "00:00"),
        ("中午12点", "12:00"),
        ("晚上八点一刻", "20:15"),
        ("2019-05-06 08:30:59", "08:30:59"),
        ("24:00", "24:00"),
        ("25:00", None),
        ("24:10", None),
        ("用时3小时20分", None),
        ("2019.06.20", None),
    ],
)
def test_times(printed: str, value: str | None) -> None:
    assert normalize(TIME, printed) == value


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("the first day of June in the year of two thousand and five", "2005-06-01"),
        ("the seventeenth of May of the year two thousand nineteen", "2019-05-17"),
        (
            "the Fourth Day of the Month of July, One Thousand Nine Hundred Ninety",
            "1990-07-04",
        ),
        ("明治45年7月30日", "1912-07-30"),
        ("昭和六十四年一月七日", "1989-01-07"),
        ("R3.5.1", "2021-05-01"),
        ("S 55/03/01", "1980-03-01"),
        ("V2.H3.5.1.2", None),
        ("KH30.4.1", None),
    ],
)
def test_eras_and_words(printed: str, value: str | None) -> None:
    assert normalize(Field(name="x", kind=Kind.DATE), printed) == value


@given(st.text(max_size=40), st.sampled_from([WEIGHT, RATE, TIME]))
def test_any_text_has_a_value_of_its_kind_or_none(text: str, field: Field) -> None:
    value = normalize(field, text)
    if value is not None:
        assert normalize(field, value) is not None
        assert 0.0 <= kind_of(field).belief(field, value) <= 1.0
    part = kind_of(field).find(field, text)
    assert part is None or text[part.start : part.end].strip() == part.text.strip()


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_a_number_survives_every_way_of_printing_it(number: Decimal) -> None:
    for printed in (f"{number}kg", f"{number:,} KGS", f"净重 {number} 公斤"):
        assert equal(WEIGHT, printed, f"{number} kg"), printed


def test_rules_read_the_new_kinds_off_a_page(tmp_path: Path) -> None:
    schema = schema_of(BLOCKS[0], tmp_path)
    text = page(
        "Delivery note\nNet weight:|29,800 公斤|Gross: 30,100\nMoisture:|12.5 %\nLoaded at:|3:20 PM"
        "\nDate of issue:|this first day of June, two thousand and twenty\nValid until:|indefinitely"
    )
    document = StubDocument(schema, [StubPage(text)])
    answer = RulesExpert("rules", RulesExpert.Params(), None).read(document, schema.fields)  # type: ignore[arg-type]
    assert {each.field: each.value for each in answer.readings} == {
        "net weight": "29800 kg",
        "moisture": "12.5%",
        "loaded": "15:20",
        "date of issue": "2020-06-01",
        "valid until": "长期",
    }


def test_a_word_in_place_of_a_date() -> None:
    until = {"name": "until", "kind": "date", "values": {"长期": ["永久"]}}
    schema = Schema.model_validate(
        {
            "name": "card",
            "fields": [{"name": "issued", "kind": "date"}, until],
            "checks": [
                {"kind": "date_order", "fields": ["issued", "until"], "years": [0, 20]},
                {"kind": "not_future", "fields": ["issued", "until"]},
                {
                    "kind": "expression",
                    "expression": 'until == "长期" or years(issued, until) < 21',
                },
            ],
        }
    )
    field = schema.field("until")
    assert normalize(field, "永久有效") == "长期"
    assert normalize(field, "2031年5月4日，永久") == "2031-05-04"
    assert normalize(field, "暂无") is None
    assert equal(field, "长期", "永久")
    assert not equal(field, "长期", "2031-05-04")
    known = {"issued": "2011-05-04", "until": "长期"}
    assert check(schema, known, "2020-01-01") == {}
    late = check(schema, known | {"until": "2041-05-04"}, "2020-01-01")
    assert len(late["until"]) == 3
    assert normalize(schema.field("issued"), "长期") is None


def test_characters_are_kept_as_printed_where_asked() -> None:
    fields = (Field(name="姓名", kind=Kind.PERSON, labels=("姓名",)),)
    text = page("毕业证书\n姓名：|張國榮\n在我校修业期满成绩合格准予毕业特发此证学校名称校长签名")
    for script, name in (("likely", "张国荣"), ("as_printed", "張國榮")):
        schema = Schema.model_validate({"name": "x", "fields": fields, "script": script})
        document = StubDocument(schema, [StubPage(text)])
        [reading] = RulesExpert("r", RulesExpert.Params(), None).read(document, fields).readings  # type: ignore[arg-type]
        assert reading.value == name


def test_dates_have_the_look_that_the_schema_asks_for(tmp_path: Path) -> None:
    look = Field.model_validate({"name": "issued", "kind": "date", "format": "%-d. %B %Y"})
    schema = Schema(name="x", pages=1, fields=(look, Field(name="rate", kind=Kind.PERCENTAGE)))
    values = {"issued": "2019-06-20", "rate": "12.5%"}
    fields = {
        n: Decision(value=v, confidence=0.9, status=Status.ACCEPTED) for n, v in values.items()
    }
    record = Record(
        document=DocumentRef(path="one.jpg", sha256="1" * 64),
        schema_name="x",
        strategy="rules",
        fields=fields,
    )
    write_workbook(tmp_path / "records.xlsx", [record], [schema])
    sheet = openpyxl.load_workbook(tmp_path / "records.xlsx")["documents"]
    cell = next(cell for row in sheet for cell in row if cell.value == datetime(2019, 6, 20))
    assert cell.number_format == "d. mmmm yyyy"

    verified = openpyxl.Workbook()
    verified.active.append(["file", "issued", "rate"])
    verified.active.append(["one.jpg", datetime(2019, 6, 20), 0.125])
    verified.active["B2"].number_format = "d. mmmm yyyy"
    verified.active["C2"].number_format = "0.0%"
    verified.save(tmp_path / "verified.xlsx")
    truth = load_truth(tmp_path / "verified.xlsx", schema)
    scoring = score({"rules": [record]}, [match(truth, [record.document])])
    assert scoring.grids["rules"].right.all()


def test_a_look_is_no_other_question() -> None:
    plain = Field(name="issued", kind=Kind.DATE)
    assert digest_fields("x", [plain]) == digest_fields(
        "x", [plain.model_copy(update={"format": "%d.%m.%Y"})]
    )
    assert digest_fields("x", [plain]) == "e851e805e03b0b70", "as before there were these keys"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"kind": "date", "format": "DD.MM.YYYY"}, "is no format of dates"),
        ({"kind": "date", "format": "%d.%m"}, "is no format of dates"),
        ({"kind": "date", "format": "%d.%m.%Y %H"}, "is no format of dates"),
        ({"kind": "money", "format": "%d.%m.%Y"}, "`format` is for `kind: date`"),
        ({"kind": "money", "units": {"kg": []}}, "`units` is for `kind: number`"),
    ],
)
def test_keys_where_they_mean_nothing_are_told(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        Field.model_validate({"name": "x", **keys})


INVOICE: dict[str, str | None] = {
    "金额": "¥100.00",
    "税率": "13%",
    "税额": "13.00元",
    "价税合计": "人民币壹佰壹拾叁元整",
    "折扣": None,
    "Date of issue": "2019-06-20",
    "due": "2019-07-20",
    "buyer": "某某貿易公司",
    "seller": "另一公司",
}


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({}, set()),
        ({"折扣": "3.00"}, {"金额", "税额", "价税合计", "折扣"}),
        ({"价税合计": "118.00"}, {"金额", "税额", "价税合计", "折扣"}),
        ({"税率": "3%"}, {"金额", "税率", "税额"}),
        ({"due": "2019-06-19"}, {"Date of issue", "due"}),
        ({"due": "2019-06"}, set()),
        ({"seller": "某某贸易公司"}, {"buyer"}),
        ({"金额": None}, set()),
        ({"金额": "看不清"}, set()),
    ],
)
def test_the_checks_of_the_documentation(
    tmp_path: Path, changed: dict[str, str | None], fields: set[str]
) -> None:
    schema = schema_of(BLOCKS[1], tmp_path)
    assert set(check(schema, INVOICE | changed)) == fields


def test_a_failed_check_keeps_its_fields_from_being_accepted_and_says_why(tmp_path: Path) -> None:
    schema = schema_of(BLOCKS[1], tmp_path)
    values = INVOICE | {"价税合计": "118.00", "buyer": "某某贸易公司"}
    readings = {
        name: {"rules": Reading(field=name, value=value, score=0.999)}
        for name, value in values.items()
    }
    combiner = Priority(Priority.Params(calibration=None), check=check)
    decided = combiner.combine(State(schema=schema, readings=readings))
    assert decided["价税合计"].status is Status.ABSTAINED
    assert (decided["buyer"].confidence or 0.0) > 0.5, "no check is about it"
    confidence = decided["价税合计"].confidence
    assert confidence is not None
    assert confidence <= 0.5
    [note] = decided["价税合计"].notes
    assert note == (
        "check fails: 价税合计 == 金额 + 税额 - default(折扣, 0) "
        "(价税合计 = 118.00, 金额 = ¥100.00, 税额 = 13.00元)"
    )
    assert note_in(note, "zh").startswith("校验不成立：价税合计 == ")


WRONG = {
    "价税合计 = 金额": "what is equal is written ==",
    "价格 > 3": "no field '价格'",
    "金额.real > 3": "an attribute (.real) cannot be used",
    "金额.__class__ == 3": "an attribute (.__class__) cannot be used",
    "__import__('os')": "there is no function '__import__'",
    "(lambda: 1)()": "there is no function",
    "金额 ** 9 > 3": "a power (**) cannot be used",
    "[x for x in 金额]": "ListComp cannot be used",
    "f'{金额}' == 'x'": "JoinedStr cannot be used",
    "金额 > '3'": "a text and a number are compared",
    "buyer + 金额 == 3": "`+` wants numbers",
    "金额 + 税额": "comes to a value, and not to true or false",
    "due - due == 3": "dates are not subtracted",
    "1 == 1": "names no field",
    "金额 is 3": "write ==",
    "field(金额) > 1": "write the name in quotation marks",
    "default(3, 金额) == 3": "its first argument is a field",
    "金额 == None": "None cannot be used",
    "abs(x=金额) > 1": "arguments have no names",
    "金额 > 0 and " * 100 + "金额 > 0": "may have 1000 characters",
    "not " * 45 + "金额 > 0": "more than 40 deep",
    "": "goes with `kind: expression`",
}


@pytest.mark.parametrize(("expression", "words"), WRONG.items())
def test_a_wrong_expression_is_told_before_anything_is_read(
    tmp_path: Path, expression: str, words: str
) -> None:
    head = BLOCKS[1].partition("checks:")[0]
    quoted = expression.replace("'", "''")
    text = f"{head}checks:\n  - {{kind: expression, expression: '{quoted}'}}\n"
    with pytest.raises(SchemaError, match=re.escape(words)):
        schema_of(text, tmp_path)


def test_other_checks_have_fields_and_no_expression() -> None:
    with pytest.raises(ValidationError, match="needs `fields`"):
        Check(kind="date_order")
    with pytest.raises(ValidationError, match="goes with `kind: expression`"):
        Check(kind="date_order", fields=("a", "b"), expression="a < b")


@pytest.mark.parametrize(
    "expression", ["round(a, 1e300) == 1", "a % 1e300 == 1", "a / (a - a) > 1"]
)
def test_what_cannot_be_worked_out_says_nothing_or_ends_soon(expression: str) -> None:
    assert parsed(expression).holds({"a": Decimal(5)}) in (None, False)


def test_parts_and_functions() -> None:
    values = {"id": "110101199003070011", "born": Moment("1990-03-07"), "at": Moment("08:30")}
    for expression, holds in {
        'id[6:10] == "1990"': True,
        "number(id[6:10]) == year(born)": True,
        "len(id) == 18 and month(born) == 3 and day(born) == 7": True,
        'years(born, "2008-03-06") == 17': True,
        'born < "1990"': False,
        'at >= "08:00" and minutes(at) == 510': True,
        'id[0] in ("1", "2")': True,
        '"0307" in id': True,
        "given(born) and not (len(id) != 18)": True,
        "id[30:40] == 'x'": None,
        "round(2.5) == 3 and max(1, 2, 3) - min(1, 2) == 2 and sum(1, 2) == 3 and len(id) > 0": True,
    }.items():
        assert parsed(expression).holds(values) is holds, expression

"""Documents of one subject, weighed together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.api import Options, extract
from ocr_moe.exports.jsonl import read_jsonl
from ocr_moe.routing.dossiers import DossierParams, Dossiers, Entry, Said, Settled, settled_record
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import ConflictKind, Decision, DocumentRef, Record, Status
from ocr_moe.workshop.config import find_schema
from tests.conftest import SAMPLES

DIPLOMA = "陈思远_本科_毕业证书.jpg"
DEGREE = "陈思远_本科_学位证书.jpg"
SCAN = "IMG_0231.jpg"
RIGHT = {
    "姓名": "陈思远",
    "性别": "男",
    "出生日期": "1997-03-15",
    "学历层次": "本科",
    "毕业院校": "江城理工大学",
    "专业": "土木工程",
    "毕业日期": "2019-06-20",
}
NUMBERS = {
    DIPLOMA: "100051201905001234",
    DEGREE: "1000542019001234",
    SCAN: "100051201905001234",
}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return find_schema("graduation_certificate")


def entry(path: str, sure: float = 0.99, **other: tuple[str | None, float]) -> Entry:
    """A document that says what is right, but for `other`: field → (value, confidence)."""
    told = {name: (value, sure) for name, value in RIGHT.items()}
    told["证书编号"] = (NUMBERS.get(path, "1000542018004321"), sure)
    said = {
        name: Said(value, p, Status.ACCEPTED if value and p >= 0.9 else Status.ABSTAINED)
        for name, (value, p) in (told | other).items()
    }
    return Entry(DocumentRef(path=path, sha256=path), said)


def settle(
    schema: Schema,
    *entries: Entry,
    offered: Mapping[tuple[str, str], Iterable[str]] | None = None,
) -> dict[str, Settled]:
    given = offered or {}
    dossiers = Dossiers(
        schema, DossierParams(), lambda document, field: given.get((document.path, field), ())
    )
    found: dict[DocumentKey, Settled] = dossiers.settle(entries)
    return {path: settled for (path, _, _), settled in found.items()}


def kinds(settled: Settled) -> set[ConflictKind]:
    return {conflict.kind for conflict in settled.conflicts}


def test_documents_that_agree_make_one_another_surer(schema: Schema) -> None:
    found = settle(
        schema,
        entry(DIPLOMA, 出生日期=("1997-03-15", 0.8)),
        entry(DEGREE, 出生日期=("1997-03-15", 0.8)),
    )

    said = found[DIPLOMA].fields["出生日期"]
    assert said.status is Status.ACCEPTED
    assert said.confidence is not None
    assert 0.9 < said.confidence < 0.95  # 0.8/0.2 squared are odds of 16
    assert DEGREE in said.notes[-1]


def test_a_misreading_is_mended_by_the_surer_document(schema: Schema) -> None:
    found = settle(schema, entry(DIPLOMA), entry(DEGREE, 毕业院校=("江城理王大学", 0.6)))

    said = found[DEGREE].fields["毕业院校"]
    assert (said.value, said.status) == ("江城理工大学", Status.ACCEPTED)
    assert "江城理王大学" in said.notes[-1]
    assert DIPLOMA in said.notes[-1]
    assert not found[DEGREE].conflicts


def test_a_value_that_no_misreading_explains_is_not_mended(schema: Schema) -> None:
    """Another school in the same degree happens: a branch, an independent college."""
    found = settle(schema, entry(DIPLOMA), entry(DEGREE, 毕业院校=("海州师范学院", 0.6)))

    assert "毕业院校" not in found.get(DEGREE, Settled()).fields


def test_it_is_mended_where_an_expert_offered_the_other_value(schema: Schema) -> None:
    misread = entry(DEGREE, 出生日期=("1989-11-05", 0.5))
    unlike = settle(schema, entry(DIPLOMA), misread)
    offered = {(DEGREE, "出生日期"): ["1989-11-05", "1997-03-15"]}
    mended = settle(schema, entry(DIPLOMA), misread, offered=offered)

    assert unlike[DEGREE].fields["出生日期"].value == "1989-11-05"
    assert mended[DEGREE].fields["出生日期"].value == "1997-03-15"


def test_two_sure_birth_dates_take_acceptance_from_both(schema: Schema) -> None:
    found = settle(schema, entry(DIPLOMA), entry(DEGREE, 出生日期=("1996-03-15", 0.98)))

    for path in (DIPLOMA, DEGREE):
        assert kinds(found[path]) == {ConflictKind.DIFFERS}
        assert found[path].fields["出生日期"].status is Status.ABSTAINED
        assert found[path].fields["出生日期"].confidence == 0.5
    assert found[DIPLOMA].conflicts[0].documents == (DEGREE,)


def test_a_month_agrees_with_its_days(schema: Schema) -> None:
    found = settle(schema, entry(DIPLOMA), entry(DEGREE, 出生日期=("1997-03", 0.95)))

    assert not any(settled.conflicts for settled in found.values())
    assert found[DEGREE].fields["出生日期"].value == "1997-03"  # nobody printed the day


def test_a_person_that_the_file_name_does_not_name_is_told(schema: Schema) -> None:
    found = settle(schema, entry("戴秀梦_本科_毕业证书.jpg", 姓名=("杨琪", 0.99)))

    settled = found["戴秀梦_本科_毕业证书.jpg"]
    assert kinds(settled) == {ConflictKind.FILE_NAME}
    assert settled.fields["姓名"].status is Status.ABSTAINED
    assert settled.fields["姓名"].value == "杨琪"


@pytest.mark.parametrize("path", ["扫描件_001.jpg", "Chen Siyuan 毕业证.jpg", "证书.jpg"])
def test_a_file_name_that_names_no_such_person_contradicts_nothing(
    schema: Schema, path: str
) -> None:
    assert not any(s.conflicts for s in settle(schema, entry(path)).values())


def test_a_doubtful_character_of_a_name_is_taken_from_the_file_name(schema: Schema) -> None:
    path = "李赟_本科_毕业证书.jpg"
    doubtful = settle(schema, entry(path, 姓名=("李赞", 0.6)))[path]
    sure = settle(schema, entry(path, 姓名=("李赞", 0.98)))[path]

    assert doubtful.fields["姓名"].value == "李赟"
    assert not doubtful.conflicts
    # What was read surely is never overruled, nor accepted against the file's name.
    assert sure.fields["姓名"].value == "李赞"
    assert sure.fields["姓名"].status is Status.ABSTAINED
    assert kinds(sure) == {ConflictKind.FILE_NAME}


@pytest.mark.parametrize("read", [None, "陈恩选", "关海购"])
def test_a_name_that_could_not_be_read_is_guessed_from_the_file_name(
    schema: Schema, read: str | None
) -> None:
    found = settle(schema, entry(DIPLOMA, 姓名=(read, 0.2)), entry(DEGREE, 姓名=(read, 0.2)))
    said = found[DIPLOMA].fields["姓名"]

    assert (said.value, said.status) == ("陈思远", Status.ABSTAINED)
    assert said.notes[-1].endswith("the file's name says 陈思远")
    assert not found[DIPLOMA].conflicts
    # The scanner's own names are nobody's.
    assert "姓名" not in settle(schema, entry(SCAN, 姓名=(read, 0.2))).get(SCAN, Settled()).fields


def test_a_name_that_the_file_name_confirms_stands(schema: Schema) -> None:
    said = settle(schema, entry(DIPLOMA, 姓名=("陈思远", 0.6)))[DIPLOMA].fields["姓名"]

    assert said.status is Status.ACCEPTED
    assert said.notes


def test_one_certificate_handed_in_twice_is_told_on_both(schema: Schema) -> None:
    found = settle(schema, entry(DIPLOMA), entry(SCAN, 专业=("土木工稈", 0.5)))

    assert kinds(found[DIPLOMA]) == kinds(found[SCAN]) == {ConflictKind.COPY}
    assert found[DIPLOMA].conflicts[0].documents == (SCAN,)
    assert found[SCAN].fields["专业"].value == "土木工程"
    assert found[SCAN].fields["证书编号"].status is Status.ACCEPTED


def test_one_number_on_two_people_is_accepted_for_neither(schema: Schema) -> None:
    other = entry(
        "IMG_7.jpg",
        姓名=("刘若琳", 0.99),
        出生日期=("1996-11-02", 0.99),
        证书编号=(NUMBERS[DIPLOMA], 0.99),
    )
    found = settle(schema, entry(DIPLOMA), other)

    for path in (DIPLOMA, "IMG_7.jpg"):
        assert ConflictKind.SAME_NUMBER in kinds(found[path])
        assert found[path].fields["证书编号"].status is Status.ABSTAINED


def test_an_english_page_writes_the_same_name_otherwise(schema: Schema) -> None:
    english = entry(
        SCAN,
        姓名=("CHEN Siyuan", 0.99),
        毕业院校=("Jiangcheng University of Technology", 0.99),
        专业=("Civil Engineering", 0.99),
    )
    found = settle(schema, entry(DIPLOMA), english)

    assert kinds(found[DIPLOMA]) == kinds(found[SCAN]) == {ConflictKind.COPY}
    assert all(said.status is Status.ACCEPTED for said in found[SCAN].fields.values())


def test_two_students_of_one_name_are_told_and_keep_their_values(schema: Schema) -> None:
    """Another birth date, another school, another major: no misreading explains it."""
    master = "陈思远_硕士_毕业证书.jpg"
    other = entry(
        master,
        性别=("女", 0.99),
        出生日期=("1989-11-02", 0.99),
        学历层次=("硕士研究生", 0.99),
        毕业院校=("江城师范大学", 0.99),
        专业=("汉语言文学", 0.99),
        证书编号=("100061201502005678", 0.99),
    )
    found = settle(schema, entry(DIPLOMA), other)
    one_person = settle(schema, entry(DIPLOMA), entry(DEGREE, 出生日期=("1989-11-02", 0.99)))

    assert kinds(found[DIPLOMA]) == kinds(found[master]) == {ConflictKind.NAMESAKES}
    assert all(s.status is Status.ACCEPTED for s in found[master].fields.values())
    # With the school and the major in common it is one student, and a contradiction.
    assert kinds(one_person[DIPLOMA]) == {ConflictKind.DIFFERS}
    assert one_person[DIPLOMA].fields["出生日期"].status is Status.ABSTAINED


def test_parts_of_a_page_go_to_whom_they_name(schema: Schema) -> None:
    """A scan of two certificates, named after one of the two: nothing is contradicted."""
    page, sha256 = "陈思远_本科_毕业证书.jpg", "0"
    other = entry(
        page,
        姓名=("刘若琳", 0.99),
        出生日期=("1996-11-02", 0.99),
        证书编号=("100061201905005678", 0.99),
        毕业院校=("江城师范大学", 0.99),
    )
    first = Entry(DocumentRef(path=page, sha256=sha256, part=1), entry(page).said)
    second = Entry(DocumentRef(path=page, sha256=sha256, part=2), other.said)

    assert not any(s.conflicts for s in settle(schema, first, second).values())


def test_namesakes_are_not_weighed_together(schema: Schema) -> None:
    """The name was read on both, but neither birth date, nor school, nor major is shared."""
    other = entry(
        SCAN,
        出生日期=("1989-01-30", 0.95),
        毕业院校=("海州师范学院", 0.95),
        专业=("会计学", 0.95),
        证书编号=("100061201905005678", 0.95),
    )

    for settled in settle(schema, entry(DIPLOMA), other).values():
        assert kinds(settled) == {ConflictKind.NAMESAKES}
        assert all(said.status is Status.ACCEPTED for said in settled.fields.values())


def test_dates_of_one_degree_far_apart_are_told(schema: Schema) -> None:
    found = settle(schema, entry(DIPLOMA), entry(DEGREE, 毕业日期=("2036-12-22", 0.95)))

    assert kinds(found[DEGREE]) == {ConflictKind.FAR_APART}
    assert found[DEGREE].fields["毕业日期"].status is Status.ABSTAINED


def test_no_witness_lifts_a_value_over_its_ceiling(schema: Schema) -> None:
    """A number that may lack a character stays a person's business, however many scans lack it."""
    cut = Said(NUMBERS[DIPLOMA], 0.5, Status.ABSTAINED, ceiling=0.5)
    scans = [entry(path) for path in (DIPLOMA, SCAN)]
    found = settle(schema, *(Entry(s.document, {**s.said, "证书编号": cut}) for s in scans))

    assert kinds(found[SCAN]) == {ConflictKind.COPY}
    assert found[SCAN].fields["证书编号"].status is Status.ABSTAINED
    assert found[SCAN].fields["证书编号"].confidence == 0.5


def test_the_same_bytes_are_no_second_witness(schema: Schema) -> None:
    one = entry(DIPLOMA, 出生日期=("1997-03-15", 0.7))
    copy = Entry(DocumentRef(path=DEGREE, sha256=DIPLOMA), one.said)
    found = settle(schema, one, copy)

    assert "出生日期" not in found[DIPLOMA].fields
    assert kinds(found[DIPLOMA]) == {ConflictKind.COPY}


def test_a_settled_record_keeps_what_did_not_change() -> None:
    decision = Decision(
        value="陈思远", confidence=0.6, status=Status.ABSTAINED, characters=(0.9, 0.9, 0.6)
    )
    record = Record(
        document=DocumentRef(path=DIPLOMA, sha256="0"),
        schema_name="graduation_certificate",
        strategy="moe",
        fields={"姓名": decision, "性别": decision},
    )
    surer = settled_record(
        record, Settled({"姓名": Said("陈思远", 0.99, Status.ACCEPTED, notes=("why",))})
    )
    other = settled_record(record, Settled({"姓名": Said("陈恩远", 0.99, Status.ACCEPTED)}))

    assert surer.fields["姓名"].characters == decision.characters
    assert surer.fields["姓名"].notes == ("why",)
    assert surer.fields["性别"] is decision
    assert other.fields["姓名"].characters == ()


@pytest.mark.slow
def test_a_run_tells_of_copies_and_of_other_people_and_forgets_it_with_them(tmp_path: Path) -> None:
    """Real pages; a run that takes a file in or loses one weighs all documents anew."""
    samples = SAMPLES / "graduation_certificate"
    certificate = Image.open(samples / "彭鑫涵_本科_学位证书.jpg")
    scans, out = tmp_path / "scans", tmp_path / "run"
    scans.mkdir()
    certificate.save(scans / "彭鑫涵_本科_学位证书.jpg", quality=95)
    options = Options(schema="graduation_certificate")

    def told() -> dict[str, set[ConflictKind]]:
        records = read_jsonl(out / "records.jsonl")
        return {r.document.path: {c.kind for c in r.conflicts} for r in records}

    extract(scans, out=out, options=options)
    assert told() == {"彭鑫涵_本科_学位证书.jpg": set()}
    alone = (out / "records.jsonl").read_bytes()

    certificate.save(scans / "IMG_0231.jpg", quality=90)
    certificate.save(scans / "刘若琳_本科_学位证书.jpg", quality=85)
    extract(scans, out=out, options=replace(options, update=True))
    copy, other = {ConflictKind.COPY}, {ConflictKind.COPY, ConflictKind.FILE_NAME}
    assert told() == {
        "IMG_0231.jpg": copy,
        "刘若琳_本科_学位证书.jpg": other,
        "彭鑫涵_本科_学位证书.jpg": copy,
    }

    (scans / "IMG_0231.jpg").unlink()
    (scans / "刘若琳_本科_学位证书.jpg").unlink()
    extract(scans, out=out, options=replace(options, update=True))
    assert (out / "records.jsonl").read_bytes() == alone

"""Grouping documents to subjects by their file names."""

from __future__ import annotations

import pytest

from ocr_moe.errors import SchemaError
from ocr_moe.schema import Subjects
from ocr_moe.subjects import FileNameRule, GroupedBy, Grouping, NameRead, key_of
from ocr_moe.types import DocumentRef
from ocr_moe.workshop.config import find_schema

RULE = Subjects(
    pattern=r"(?P<name>[^_]+)_(?P<degree>博士|硕士|本科|学士)_(?P<kind>毕业|学位)",
    degree_order=("博士", "硕士", "本科|学士"),
    kind_order=("毕业", "学位"),
)


def ref(path: str, sha256: str = "", page: int = 1) -> DocumentRef:
    return DocumentRef(path=path, sha256=sha256 or path, page=page)


def group(*paths: str, rule: Subjects = RULE) -> Grouping:
    return FileNameRule(rule).group([ref(path) for path in paths])


def chosen(grouping: Grouping) -> dict[str, str | None]:
    return {
        subject.name: subject.chosen.document.path if subject.chosen else None
        for subject in grouping.subjects
    }


def test_the_highest_degree_is_chosen_and_within_it_the_graduation_certificate() -> None:
    grouping = group("张三_本科_毕业.jpg", "张三_硕士_学位.jpg", "张三_硕士_毕业.jpg")

    assert chosen(grouping) == {"张三": "张三_硕士_毕业.jpg"}
    assert [d.document.path for d in grouping.subjects[0].documents] == [
        "张三_硕士_毕业.jpg",
        "张三_硕士_学位.jpg",
        "张三_本科_毕业.jpg",
    ]


def test_a_degree_without_a_graduation_certificate_is_skipped_where_the_rule_says_so() -> None:
    paths = ("李四_博士_学位.jpg", "李四_硕士_毕业.jpg")

    assert chosen(group(*paths)) == {"李四": "李四_博士_学位.jpg"}
    published = RULE.model_copy(update={"skip_degree_without_kind": True})
    assert chosen(group(*paths, rule=published)) == {"李四": "李四_硕士_毕业.jpg"}
    assert chosen(group("王五_博士_学位.jpg", rule=published)) == {"王五": None}


def test_whole_names_only() -> None:
    grouping = group("张三_本科_毕业.jpg", "张三丰_本科_毕业.jpg")

    assert [subject.name for subject in grouping.subjects] == ["张三", "张三丰"]
    assert not any(subject.namesakes for subject in grouping.subjects)


def test_two_students_of_one_name_are_reported_and_not_merged() -> None:
    grouping = group("a/张三_本科_毕业.jpg", "a/张三_本科_学位.jpg", "b/张三_本科_毕业.jpg")

    assert [len(subject.documents) for subject in grouping.subjects] == [2, 1]
    assert all(subject.namesakes and "not merged" in subject.note for subject in grouping.subjects)


def test_namesakes_in_one_folder_stand_alone() -> None:
    grouping = FileNameRule(RULE.model_copy(update={"pattern": RULE.pattern + r"(\(\d\))?"})).group(
        [ref("张三_本科_毕业.jpg"), ref("张三_本科_毕业(2).jpg"), ref("张三_硕士_毕业.jpg")]
    )

    assert len(grouping.subjects) == 3
    assert all(subject.namesakes for subject in grouping.subjects)


def test_words_of_one_rank_are_the_same_degree() -> None:
    grouping = group("张三_本科_学位.jpg", "张三_学士_学位.jpg")

    assert len(grouping.subjects) == 2


def test_the_same_bytes_twice_and_the_pages_of_a_file_are_one_subject() -> None:
    copies = [ref("张三_本科_毕业.jpg", "x"), ref("copy/张三_本科_毕业.jpg", "x")]
    pages = [ref("李四_本科_毕业.pdf", "y"), ref("李四_本科_毕业.pdf", "y", page=2)]

    grouping = FileNameRule(RULE).group([*copies, *pages])

    assert [len(subject.documents) for subject in grouping.subjects] == [2, 2]
    assert not any(subject.namesakes for subject in grouping.subjects)


def test_the_group_id_tells_namesakes_apart() -> None:
    rule = RULE.model_copy(update={"pattern": r"(?P<id>\d+)_" + RULE.pattern})

    grouping = group("01_张三_本科_毕业.jpg", "02_张三_本科_毕业.jpg", rule=rule)

    assert [(s.name, s.identity, s.namesakes) for s in grouping.subjects] == [
        ("张三", "01", False),
        ("张三", "02", False),
    ]


@pytest.mark.parametrize(
    "stem",
    [
        *("IMG_0231", "DSC00012", "Scan 001", "mmexport1690000000000", "0007", "3f2a9bcdef01"),
        *("微信图片_20240101123456", "扫描件1", "扫描全能王 2024-01-01 10.11", "新建文档 (2)"),
        *("毕业证书", "学位证书_2", "本科毕业证"),
    ],
)
def test_what_devices_and_kinds_call_a_file_is_no_name(stem: str) -> None:
    for schema in ("graduation_certificate", "business_license"):
        rule = find_schema(schema).subjects
        assert rule is not None
        known = FileNameRule(rule).identify(ref(f"{stem}.jpg"))
        assert known is None or (schema, "证" in stem) == ("business_license", True)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("文静", "文静"), ("李文档_本科_毕业证", "李文档"), ("诗图_本科_学位证书", "诗图")],
)
def test_names_with_such_characters_are_names(stem: str, name: str) -> None:
    rule = find_schema("graduation_certificate").subjects
    assert rule is not None
    known = FileNameRule(rule).identify(ref(f"{stem}.jpg"))
    assert known is not None
    assert known.name == name


def of(name: str, degree: str = "本科", **said: str) -> NameRead:
    return NameRead(name, degree=degree, said=said)


def test_a_file_of_many_people_names_none_of_them() -> None:
    rule = find_schema("graduation_certificate").subjects
    assert rule is not None
    pages = [ref("全班.pdf", "x", page) for page in (1, 2, 3)]
    names = ("张三", "李四", "张三")
    read = {
        key_of(page): of(name, 出生日期="1997") for page, name in zip(pages, names, strict=True)
    }
    grouping = FileNameRule(rule).group(pages, read)
    assert [(s.name, len(s.documents)) for s in grouping.subjects] == [("张三", 2), ("李四", 1)]
    assert {subject.grouped_by for subject in grouping.subjects} == {GroupedBy.NAME_READ}

    # A name that somebody gave stands, though it was misread; so does one that pages contradict.
    misread = {
        key_of(page): of(name) for page, name in zip(pages, ("全斑", "李四", ""), strict=True)
    }
    assert [s.name for s in FileNameRule(rule).group(pages, misread).subjects] == ["全班"]
    named = [ref("王五_本科_毕业证书.jpg"), ref("王五_本科_学位证书.jpg")]
    others = {key_of(doc): of(name) for doc, name in zip(named, ("张三", "李四"), strict=True)}
    assert [s.name for s in FileNameRule(rule).group(named, others).subjects] == ["王五"]


def test_degrees_of_one_student_belong_together_by_what_never_changes() -> None:
    rule = find_schema("graduation_certificate").subjects
    assert rule is not None
    documents = [ref("张三_本科_毕业证书.jpg"), ref("IMG_1.jpg"), ref("IMG_2.jpg")]
    read = {
        key_of(documents[0]): of("张三", 出生日期="1997-03-15", 毕业院校="甲", 专业="数学"),
        key_of(documents[1]): of(
            "张三", "硕士研究生", 出生日期="1997-03-15", 毕业院校="乙", 专业="物理"
        ),
        key_of(documents[2]): of("张三", 出生日期="1990-11-30", 毕业院校="甲", 专业="物理"),
    }
    grouping = FileNameRule(rule).group(documents, read)
    assert sorted(len(subject.documents) for subject in grouping.subjects) == [1, 2]
    assert all(subject.namesakes for subject in grouping.subjects)
    [student] = [subject for subject in grouping.subjects if len(subject.documents) == 2]
    assert student.chosen is not None
    assert student.chosen.document.path == "IMG_1.jpg"


def test_decomposed_file_names_and_names_that_do_not_fit() -> None:
    decomposed = "Jose\u0301_本科_毕业.jpg"

    grouping = group(decomposed, "IMG_0001.jpg")

    assert grouping.subjects[0].name == "Jos\u00e9"
    assert [document.path for document in grouping.unmatched] == ["IMG_0001.jpg"]


@pytest.mark.parametrize(("pattern", "words"), [("(", "not a regular"), ("(.*)", "(?P<name>")])
def test_a_wrong_pattern_is_named(pattern: str, words: str) -> None:
    with pytest.raises(SchemaError, match=r"subjects\.pattern") as raised:
        FileNameRule(Subjects(pattern=pattern))
    assert words in str(raised.value)

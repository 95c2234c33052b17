"""Grouping documents to subjects by their file names."""

from __future__ import annotations

import pytest

from ocr_moe.errors import SchemaError
from ocr_moe.schema import Subjects
from ocr_moe.subjects import FileNameRule, Grouping
from ocr_moe.types import DocumentRef

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

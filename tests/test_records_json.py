"""records.jsonl and documents/: the form of docs/formats.md, there and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.errors import UsageError
from ocr_moe.exports.forms import (
    RecordLine,
    Written,
    WrittenAnswer,
    WrittenDecision,
    WrittenDocument,
    WrittenEvidence,
    WrittenReading,
)
from ocr_moe.exports.jsonl import (
    answer_to_json,
    document_path,
    read_jsonl,
    record_from_json,
    record_to_json,
    write_documents,
    write_jsonl,
)
from ocr_moe.exports.stored import UnusualError, answer_data, record_data
from ocr_moe.formats.files import replacing
from ocr_moe.types import (
    Alternative,
    Answer,
    Conflict,
    ConflictKind,
    Cost,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Reading,
    Record,
    Status,
    Value,
)

PLAIN = Record(
    document=DocumentRef(path="班级/张三.jpg", sha256="ab", rotation=90),
    schema_name="graduation_certificate",
    strategy="moe",
    fields={
        "证书编号": Decision(
            value="106131202505004931",
            confidence=0.998,
            status=Status.ACCEPTED,
            experts=("codes",),
            evidence=Evidence(box=(0.1, 0.2, 0.3, 0.4), text="编号:106131202505004931"),
            characters=(0.99, 1.0),
            notes=("year agrees",),
        )
    },
    cost=Cost(calls=2, seconds=0.61, ocr_seconds=0.5),
)


def test_a_line_to_the_letter() -> None:
    assert json.dumps(record_to_json(PLAIN), ensure_ascii=False) == (
        '{"format": 1, "document": {"path": "班级/张三.jpg", "sha256": "ab", "page": 1, '
        '"pages": 1, "part": 1, "rotation": 90}, '
        '"schema": "graduation_certificate", "strategy": "moe", '
        '"fields": {"证书编号": {"value": "106131202505004931", "confidence": 0.998, '
        '"status": "accepted", "experts": ["codes"], '
        '"evidence": {"box": [0.1, 0.2, 0.3, 0.4], "text": "编号:106131202505004931"}, '
        '"characters": [0.99, 1.0], "notes": ["year agrees"]}}, '
        '"cost": {"calls": 2, "prompt_tokens": 0, "completion_tokens": 0, "seconds": 0.61, '
        '"ocr_seconds": 0.5, "money": 0.0}, "error": null}'
    )


def test_an_unreadable_file_has_no_fields_and_an_error() -> None:
    record = Record(
        document=DocumentRef(path="a.jpg", sha256="x"),
        schema_name=None,
        strategy="moe",
        error=Failure(type="UnreadableFileError", message="a.jpg is empty"),
    )

    data = record_to_json(record)

    assert data["fields"] == {}
    assert data["error"] == {"type": "UnreadableFileError", "message": "a.jpg is empty"}
    assert record_from_json(data) == record


probability = st.floats(0, 1)
text = st.text(max_size=12)
decisions = st.builds(
    Decision,
    value=st.none() | text,
    confidence=st.none() | probability,
    status=st.sampled_from(Status),
    experts=st.tuples(text),
    evidence=st.none()
    | st.builds(
        Evidence,
        box=st.tuples(probability, probability, probability, probability),
        text=text,
        page=st.integers(1, 9),
    ),
    characters=st.lists(probability, max_size=3).map(tuple),
    notes=st.tuples(text),
)
records = st.builds(
    Record,
    document=st.builds(
        DocumentRef,
        path=text,
        sha256=text,
        page=st.integers(1, 99),
        pages=st.integers(1, 5),
        part=st.integers(1, 3),
        rotation=st.sampled_from([0, 90, 180, 270]),
    ),
    schema_name=st.none() | text,
    strategy=text,
    fields=st.dictionaries(text, decisions, max_size=3),
    cost=st.builds(
        Cost,
        calls=st.integers(0, 9),
        seconds=st.floats(0, 1e4),
        ocr_seconds=st.floats(0, 1e4),
    ),
    error=st.none() | st.builds(Failure, type=text, message=text),
    blank=st.booleans(),
    set_aside=st.none() | text,
    conflicts=st.lists(
        st.builds(
            Conflict,
            kind=st.sampled_from(ConflictKind),
            fields=st.tuples(text),
            documents=st.tuples(text),
            message=text,
        ),
        max_size=2,
    ).map(tuple),
)
number = st.floats(-1e3, 1e3)
readings = st.builds(
    Reading,
    field=text,
    value=st.none() | text,
    raw=st.none() | text,
    score=st.none() | probability,
    alternatives=st.tuples(st.builds(Alternative, value=text, logprob=number)),
    characters=st.lists(probability, max_size=3).map(tuple),
    evidence=st.none() | st.builds(Evidence, box=st.tuples(*[probability] * 4), text=text),
    features=st.dictionaries(text, number, max_size=3),
    notes=st.tuples(text),
    error=st.none() | st.builds(Failure, type=text, message=text),
    idle=st.booleans(),
)
answers = st.builds(
    Answer,
    expert=text,
    readings=st.lists(readings, max_size=2).map(tuple),
    cost=st.builds(Cost, calls=st.integers(0, 9), money=st.floats(0, 10)),
    model=st.none() | text,
)


@given(records)
@settings(max_examples=60, deadline=None)
def test_there_and_back_is_the_same(record: Record) -> None:
    line = json.dumps(record_to_json(record), allow_nan=False)
    again = record_from_json(json.loads(line))

    assert json.dumps(record_to_json(again), allow_nan=False) == line
    assert again.document == record.document
    assert again.blank == record.blank
    assert {name: d.value for name, d in again.fields.items()} == {
        name: d.value for name, d in record.fields.items()
    }


@given(records, answers)
@settings(max_examples=60, deadline=None)
def test_what_is_made_of_a_stored_row_is_what_the_models_give(
    record: Record, answer: Answer
) -> None:
    made = (
        record_data(record.model_dump_json().encode()),
        answer_data("typed", answer.model_dump_json().encode()),
    )

    given = (record_to_json(record), answer_to_json("typed", answer))
    assert json.dumps(made) == json.dumps(given)


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"[]",
        b"3",
        PLAIN.model_dump_json().replace('"ceiling":1.0,', "").encode(),  # of an earlier release
        PLAIN.model_dump_json().replace('"ceiling"', '"cieling"').encode(),
        PLAIN.model_dump_json().replace('"accepted"', '"excepted"').encode(),
        PLAIN.model_dump_json().replace('"confidence":0.998', '"confidence":"0.998"').encode(),
        PLAIN.model_dump_json().replace('"region":null', '"region":[0,0,1,1]').encode(),
    ],
)
def test_an_unusual_row_is_left_to_the_models(row: bytes) -> None:
    with pytest.raises(UnusualError):
        record_data(row)


@pytest.mark.parametrize(
    ("inside", "written", "but"),
    [
        (Record, RecordLine, set()),
        # The confidence keeps to the ceiling, and holds what a step settled.
        (Decision, WrittenDecision, {"ceiling", "settled", "rows"}),  # `rows` are the value
        (DocumentRef, WrittenDocument, set()),
        (Evidence, WrittenEvidence, set()),
        (Reading, WrittenReading, {"ceiling", "rows"}),  # the store has the former, a note says why
        (Answer, WrittenAnswer, {"replies", "parsing"}),  # the store has them
    ],
)
def test_all_that_is_known_is_written(
    inside: type[Value], written: type[Written], but: set[str]
) -> None:
    assert inside.model_fields.keys() - written.model_fields.keys() == but


@pytest.mark.parametrize("missing", ["document", "schema", "strategy", "fields"])
def test_a_key_that_is_missing_is_named(missing: str) -> None:
    data = record_to_json(PLAIN)
    del data[missing]

    with pytest.raises(UsageError, match=f"not a record: the key '{missing}' is missing"):
        record_from_json(data)


def test_added_keys_do_no_harm() -> None:
    data = record_to_json(PLAIN)
    data["document"]["new"] = 1
    data["fields"]["证书编号"]["new"] = 2
    data["new"] = 3

    assert record_from_json(data) == PLAIN


def test_a_line_of_version_0_1_0_is_read() -> None:
    data = record_to_json(PLAIN)
    for key in ("pages", "part"):
        del data["document"][key]
    del data["format"], data["cost"]["ocr_seconds"]

    assert record_from_json(data) == PLAIN.model_copy(update={"cost": Cost(calls=2, seconds=0.61)})


@pytest.mark.parametrize(
    ("written", "words"), [(2, "later version.*upgrade ocr-moe"), ("x", "no version number")]
)
def test_a_line_of_a_later_format_is_refused(tmp_path: Path, written: object, words: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record_to_json(PLAIN) | {"format": written}) + "\n")

    with pytest.raises(UsageError, match=rf"records\.jsonl, line 1: .*{words}"):
        list(read_jsonl(path))


@pytest.mark.parametrize("broken", [{}, {"document": {}}, {**record_to_json(PLAIN), "fields": 3}])
def test_what_is_no_record_is_a_usage_error(broken: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="not a record"):
        record_from_json(broken)


def at(path: str, page: int = 1) -> Record:
    return PLAIN.model_copy(update={"document": DocumentRef(path=path, sha256="x", page=page)})


def test_lines_are_sorted_and_equal_records_are_equal_bytes(tmp_path: Path) -> None:
    shuffled = [at("b.pdf", 10), at("b.pdf", 2), at("a/z.jpg"), at("a.jpg")]

    assert write_jsonl(tmp_path / "one.jsonl", shuffled) == 4
    write_jsonl(tmp_path / "two.jsonl", reversed(shuffled))

    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    order = [(r.document.path, r.document.page) for r in read_jsonl(tmp_path / "one.jsonl")]
    assert order == [("a.jpg", 1), ("a/z.jpg", 1), ("b.pdf", 2), ("b.pdf", 10)]


def test_a_presorted_stream_out_of_order_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("old")

    with pytest.raises(ValueError, match="out of order"):
        write_jsonl(path, iter([at("b"), at("a")]), presorted=True)

    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["records.jsonl"]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_jsonl(path, [at("a")])
    path.write_text(path.read_text() + "{half\n")

    with pytest.raises(UsageError, match="line 2"):
        list(read_jsonl(path))
    with pytest.raises(UsageError, match="no such file"):
        list(read_jsonl(tmp_path / "none.jsonl"))


def test_file_names_that_are_not_utf_8_survive(tmp_path: Path) -> None:
    record = at(b"\xff.jpg".decode("utf-8", "surrogateescape"))

    write_jsonl(tmp_path / "records.jsonl", [record])

    assert list(read_jsonl(tmp_path / "records.jsonl")) == [record]


def test_an_exception_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    def half() -> None:
        with replacing(tmp_path / "sub" / "file.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert list((tmp_path / "sub").iterdir()) == []


@pytest.mark.parametrize(
    ("path", "page", "where"),
    [
        ("班级/张三.jpg", 1, "班级/张三.jpg.json"),
        ("a.pdf", 2, "a.pdf.page2.json"),
        ("a.jpg", 1, "a.jpg.json"),
    ],
)
def test_where_a_document_is_written(path: str, page: int, where: str) -> None:
    assert str(document_path(DocumentRef(path=path, sha256="", page=page))) == where


@given(st.text(min_size=0, max_size=300))
@settings(deadline=None)
def test_no_path_leaves_the_folder_or_breaks_a_file_system(path: str) -> None:
    safe = document_path(DocumentRef(path=path, sha256=""))

    assert not safe.is_absolute()
    assert all(part not in ("..", ".", "") for part in safe.parts)
    assert all(len(part.encode()) <= 255 for part in safe.parts)
    assert not set('\0<>:"|?*\\') & set(str(safe))


def test_different_paths_stay_different() -> None:
    paths = ["../a.jpg", "/a.jpg", "a.jpg", "./a.jpg", "x/../a.jpg", "con", "_con", "..", "."]

    assert len({document_path(DocumentRef(path=path, sha256="")) for path in paths}) == len(paths)


def test_no_document_takes_the_file_of_another() -> None:
    documents = [
        ("a.tif", 1),
        ("a.tif", 2),
        ("a.tif.page2", 1),
        ("a.tif.page2", 2),
        ("a.tif.PAGE2", 1),
        ("a.tif.json/b", 1),
        ("a.tif.json_/b", 1),
        ("a:b", 1),
        (document_path(DocumentRef(path="a:b", sha256="")).name.removesuffix(".json"), 1),
        ("/".join(["deep"] * 500), 1),
    ]
    paths = [document_path(DocumentRef(path=p, sha256="", page=page)) for p, page in documents]
    assert len(set(paths)) == len(paths)
    parents = {parent for path in paths for parent in path.parents}
    assert not parents & set(paths), "a folder is called as a file"
    assert max(len(str(path)) for path in paths) < 1100


def test_a_document_holds_every_reading_and_error(tmp_path: Path) -> None:
    answer = Answer(
        expert="codes:1",
        readings=(
            Reading(
                field="证书编号",
                value="1",
                raw="1 ",
                score=0.5,
                alternatives=(Alternative(value="7", logprob=-1.5),),
                features={"margin": 2.0},
                evidence=Evidence(box=(0, 0, 1, 1), text="1", page=2),
            ),
            Reading(field="姓名", error=Failure(type="ChatAnswerError", message="prose")),
        ),
        model="qwen",
    )

    write_documents(tmp_path / "documents", [PLAIN], lambda record: {"codes": [answer]})

    data = json.loads((tmp_path / "documents" / "班级" / "张三.jpg.json").read_text("utf-8"))
    assert record_from_json(data) == PLAIN
    [call] = data["answers"]
    assert (call["expert"], call["fingerprint"], call["model"]) == ("codes", "codes:1", "qwen")
    assert call["readings"][0]["alternatives"] == [{"value": "7", "logprob": -1.5}]
    assert call["readings"][0]["evidence"] == {"box": [0, 0, 1, 1], "text": "1", "page": 2}
    assert call["readings"][1]["error"] == {"type": "ChatAnswerError", "message": "prose"}

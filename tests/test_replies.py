"""Raw replies of language models: kept as they came, and parsed again when parsing has changed."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocr_moe
from ocr_moe.api import Options, Run
from ocr_moe.engines.chat.endpoint import ChatEndpoint
from ocr_moe.engines.chat.settings import ChatParams
from ocr_moe.errors import ChatConnectionError, EngineError
from ocr_moe.experts.llm import asking, interpreting, ocr_text, replies, vision
from ocr_moe.experts.llm.asking import ChatRequest, ask
from ocr_moe.experts.llm.gathering import Answered, answered
from ocr_moe.experts.llm.ocr_text import OcrText, OcrTextParams
from ocr_moe.formats.text import sound
from ocr_moe.protocols import Document, Rereader
from ocr_moe.routing.recall import digest_fields, recall
from ocr_moe.run.answers import NotRecordedError, StoredAnswers
from ocr_moe.run.ledger import Ledger
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Question, Store
from ocr_moe.testing import StubDocument, StubPage, page
from ocr_moe.testing.chatserver import ChatServer, Reply, Request, completion, failure
from ocr_moe.types import Answer, Failure, RawReply, Reading, Recorded
from ocr_moe.values.normalize import normalize
from ocr_moe.workshop.recorded import RecordedExpert
from tests.conftest import SAMPLES, scans_with_text

SCHEMA = Schema(
    name="card",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="毕业日期", kind=Kind.DATE),
        Field(name="注册资本", kind=Kind.MONEY, required=False),
    ),
)
DOCUMENT = StubDocument(SCHEMA, (StubPage(page("姓名 张三\n二〇一九年六月二十日")),))
GOOD = {"姓名": "张三", "毕业日期": "二〇一九年六月", "注册资本": None}
WORDS = "他叫李四。"
"""An answer that only a better parser understands."""
Reads = Callable[..., Answer]


class Lent:
    """Services with one chat endpoint; the engine only has a name."""

    fingerprint = "engine 1"

    def __init__(self, base_url: str) -> None:
        params = ChatParams(base_url=base_url, model="test-model", retries=0)
        self.endpoint = ChatEndpoint("text", params)

    def chat(self, name: str) -> ChatEndpoint:
        return self.endpoint

    def engine(self, name: str) -> Any:
        return self

    def recognizer(self, name: str) -> Any:
        raise NotImplementedError

    def symbols(self, name: str) -> Any:
        raise NotImplementedError


@pytest.fixture
def expert() -> Iterator[Callable[..., OcrText]]:
    lent: list[Lent] = []

    def make(server: ChatServer, **params: Any) -> OcrText:
        lent.append(Lent(server.base_url))
        return OcrText("ocr_page_llm", OcrTextParams(**params), lent[-1])

    yield make
    for each in lent:
        each.endpoint.close()


@pytest.fixture
def better(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Raises the parser: from now on it understands prose, and gives every value with a mark."""

    def understanding(content: str, keys: Any) -> Any:
        words = re.findall(r"([他它])叫(\w+)", content)
        given = {{"他": "姓名", "它": "名称"}[who]: [("", said)] for who, said in words}
        return Answered(given) if given else answered(content, keys)

    def upgrade() -> None:
        for module in (asking, ocr_text, vision):
            monkeypatch.setattr(module, "PARSING", "next")
        monkeypatch.setattr(replies, "REVISION", "next")
        monkeypatch.setattr(replies, "answered", understanding)
        marked = lambda field, raw: f"{normalize(field, raw)}!"  # noqa: E731
        monkeypatch.setattr(interpreting, "normalize", marked)

    return upgrade


def values(answer: Answer) -> dict[str, str | None]:
    return {reading.field: reading.value for reading in answer.readings}


def again(answer: Answer) -> Answer:
    """As the store gives it back."""
    return Answer.model_validate_json(answer.model_dump_json())


def test_the_reply_is_kept_as_it_came(expert: Callable[..., OcrText]) -> None:
    said = "Here: " + json.dumps(GOOD, ensure_ascii=False) + " \n"
    with ChatServer(lambda _: said, structured=frozenset()) as server:
        reader = expert(server)
        answer = again(reader.read(DOCUMENT, SCHEMA.fields))
    assert answer.replies == (
        RawReply(fields=SCHEMA.names, content=said, model="test-model", constrained=False),
    )
    assert answer.parsing == reader.parsing == replies.REVISION
    assert values(answer) == {"姓名": "张三", "毕业日期": "2019-06", "注册资本": None}


def test_logprobs_and_constraint_are_kept(expert: Callable[..., OcrText]) -> None:
    with ChatServer(lambda _: GOOD, logprobs=True) as server:
        [reply] = expert(server).read(DOCUMENT, SCHEMA.fields).replies
    assert reply.constrained
    assert "".join(token for token, _ in reply.logprobs) == reply.content
    assert {logprob for _, logprob in reply.logprobs} == {-0.25}


def test_one_reply_a_request_and_the_failures_of_those_that_failed(
    expert: Callable[..., OcrText],
) -> None:
    def say(request: Request) -> Any:
        (name,) = request.asked
        return failure(500, "boom") if name == "毕业日期" else {name: GOOD[name]}

    with ChatServer(say) as server:
        answer = expert(server, fields="single").read(DOCUMENT, SCHEMA.fields)
    assert [reply.fields for reply in answer.replies] == [(name,) for name in SCHEMA.names]
    assert [reply.content is None for reply in answer.replies] == [False, True, False]
    broken = answer.replies[1].error
    assert broken is not None
    assert broken == answer.readings[1].error
    assert "boom" in broken.message


SAID: list[Any] = [
    GOOD,
    {"姓名": "张三"},
    {"foo": "bar"},
    {"result": GOOD},
    WORDS,
    "{",
    '{"姓名": "张三", "毕业日期": "2019-',
    '{"姓名": "\\ud83d张三", "毕业日期": "2019-06-20"}',
    Reply(completion("x").body.replace('"x"', '"\\ud83d' + json.dumps(WORDS)[1:])),
    completion(json.dumps(GOOD), finish="length"),
    completion(""),
    completion("", finish="length"),
    completion(None, refusal="I may not."),
    completion(json.dumps(GOOD), finish="content_filter"),
]


@pytest.mark.parametrize("together", ["together", "single"])
@pytest.mark.parametrize("said", SAID, ids=range(len(SAID)))
def test_parsed_again_by_the_same_parser_it_is_the_same(
    expert: Callable[..., OcrText], said: Any, together: str
) -> None:
    with ChatServer(lambda _: said, structured=frozenset(), logprobs=True) as server:
        reader = expert(server, fields=together)
        assert isinstance(reader, Rereader)
        answer = again(reader.read(DOCUMENT, SCHEMA.fields))
        asked = len(server.requests)
        assert reader.reread(DOCUMENT, SCHEMA.fields, answer) == answer
        assert len(server.requests) == asked
    assert answer.cost.calls == len(answer.replies) > 0
    assert all(reply.content is not None for reply in answer.replies)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (WORDS, "without JSON"),
        (completion(""), "empty answer"),
        (completion("", finish="length"), "reasoning"),
        (completion(None, refusal="I may not."), "refused to answer: I may not"),
        (completion("half", finish="content_filter"), "content filter"),
    ],
)
def test_an_answer_of_no_use_keeps_reply_and_cost(
    expert: Callable[..., OcrText], said: Any, words: str
) -> None:
    with ChatServer(lambda _: said, structured=frozenset()) as server:
        answer = expert(server).read(DOCUMENT, SCHEMA.fields)
    assert answer.cost.calls == 1
    assert answer.cost.prompt_tokens == 120
    assert answer.model == answer.replies[0].model == "test-model"
    for reading in answer.readings:
        assert reading.error is not None
        assert reading.error.type == "ChatAnswerError"
        assert words in reading.error.message


def test_nothing_is_kept_where_nothing_came(expert: Callable[..., OcrText]) -> None:
    with ChatServer() as server:
        reader = expert(server, fields="single")
    with pytest.raises(ChatConnectionError):
        reader.read(DOCUMENT, SCHEMA.fields)


def test_a_request_that_cannot_be_made_loses_no_reply_before_it() -> None:
    def requests() -> Iterator[ChatRequest]:
        yield ChatRequest((SCHEMA.fields[0],), "first")
        raise EngineError("the crop cannot be read")

    with ChatServer(lambda _: GOOD) as server:
        endpoint = Lent(server.base_url).endpoint
        answer = ask(endpoint, "x", "system", requests(), SCHEMA.fields, [], 100)
        assert len(server.requests) == 1
        endpoint.close()
    assert values(answer)["姓名"] == "张三"
    problem = Failure(type="EngineError", message="the crop cannot be read")
    assert [reading.error for reading in answer.readings] == [None, problem, problem]
    assert answer.cost.calls == 1


@given(st.text() | st.text(alphabet='{}[]":,姓名毕业日期 \\ud83an0-') | st.binary().map(repr))
def test_no_reply_breaks_the_parser(content: str) -> None:
    reply = RawReply(fields=SCHEMA.names, content=sound(content), model="m")
    found = replies.parse([reply], SCHEMA.fields, [DOCUMENT.pages[0].text.lines])
    assert list(found) == list(SCHEMA.names)


def test_a_flaw_of_the_parser_costs_its_readings_only(
    expert: Callable[..., OcrText], monkeypatch: pytest.MonkeyPatch
) -> None:
    def flawed(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(interpreting, "normalize", flawed)
    with ChatServer(lambda _: GOOD) as server:
        answer = expert(server).read(DOCUMENT, SCHEMA.fields)
    assert len(answer.replies) == answer.cost.calls == 1
    errors = {reading.error.message for reading in answer.readings if reading.error is not None}
    assert errors == {"The answer of test-model could not be understood (KeyError: 'oops')"}


def test_a_reading_that_no_reply_is_about_stands() -> None:
    kept = Reading(field="毕业日期", value="2019")
    reply = RawReply(fields=("姓名", "gone"), content='{"姓名": "王五"}', model="m")
    answer = Answer(expert="x", readings=(Reading(field="姓名"), kept), replies=(reply,))
    reread = replies.reread(answer, SCHEMA, SCHEMA.fields[:2], [])
    assert values(reread) == {"姓名": "王五", "毕业日期": "2019"}
    assert reread.readings[1] == kept
    assert reread.parsing == replies.REVISION


def test_an_answer_put_together_of_several_has_no_replies_to_parse() -> None:
    def entry(name: str) -> Recorded:
        reply = RawReply(fields=(name,), content=f'{{"{name}": "甲"}}', model="m")
        reading = Reading(field=name, value="甲")
        return Recorded("x", name, Answer(expert="x", readings=(reading,), replies=(reply,)))

    entries = [entry(name) for name in SCHEMA.names[:2]]
    both = recall(entries, "x", "?", SCHEMA.names[:2])
    assert both is not None
    assert not both.replies
    one = recall(entries, "x", "?", SCHEMA.names[:1])
    assert one is not None
    assert one.replies == entries[0].answer.replies


class Stored:
    """A store on disk with one answer in it, as it was parsed then."""

    def __init__(self, folder: Path, reader: OcrText, fields: tuple[Field, ...]) -> None:
        self.store = Store(folder / "store.sqlite")
        self.question = Question(
            sha256=DOCUMENT.ref.sha256,
            page=1,
            fingerprint=reader.fingerprint,
            digest=digest_fields(SCHEMA.name, fields),
            expert=reader.name,
            schema=SCHEMA.name,
            fields=tuple(field.name for field in fields),
        )
        self.before = reader.read(DOCUMENT, fields)
        self.store.put_answer(self.question, self.before)

    def answers(self, ledger: Ledger | None) -> StoredAnswers:
        return StoredAnswers(self.store, ledger, {}, DOCUMENT)


def test_a_changed_parser_reads_what_is_stored_and_asks_nobody(
    expert: Callable[..., OcrText], better: Callable[[], None], tmp_path: Path
) -> None:
    with ChatServer(lambda _: WORDS, structured=frozenset()) as server:
        reader = expert(server)
        stored = Stored(tmp_path, reader, SCHEMA.fields)
        asked = len(server.requests)
        assert stored.answers(None).answer(reader, SCHEMA.fields) == stored.before
        better()
        # Nobody may be asked there, but nothing be stored either.
        with pytest.raises(NotRecordedError, match=r"page\.jpg: the replies to ocr_page_llm"):
            stored.answers(None).answer(reader, SCHEMA.fields)
        ledger = Ledger(limit=0.0)  # nothing may be spent
        after = stored.answers(ledger).answer(reader, SCHEMA.fields)
        assert after.readings[0].value == "李四!"
        assert (after.cost, after.replies) == (stored.before.cost, stored.before.replies)
        assert after.parsing == "next"
        assert ledger.asked == 0
        assert stored.store.get_answer(stored.question) == after
        assert stored.answers(None).answer(reader, SCHEMA.fields) == after
        assert len(server.requests) == asked
    stored.store.close()


def test_a_parser_that_breaks_keeps_the_replies_for_the_next(
    expert: Callable[..., OcrText], better: Callable[[], None], tmp_path: Path
) -> None:
    class Broken(OcrText):
        def reread(self, document: Document, fields: Any, answer: Answer) -> Answer:
            raise KeyError("oops")

    with ChatServer(lambda _: GOOD) as server:
        reader = expert(server)
        stored = Stored(tmp_path, reader, SCHEMA.fields)
        better()
        broken = Broken(reader.name, reader.params, reader._services)
        after = stored.answers(Ledger()).answer(broken, SCHEMA.fields)
    assert all(reading.error is not None for reading in after.readings)
    assert (after.cost, after.replies) == (stored.before.cost, stored.before.replies)
    stored.store.close()


def test_recorded_answers_are_parsed_as_today_without_their_model(
    expert: Callable[..., OcrText], better: Callable[[], None], tmp_path: Path
) -> None:
    with ChatServer(lambda _: GOOD) as server:
        reader = expert(server)
        stored = Stored(tmp_path, reader, SCHEMA.fields)
    better()
    name, fingerprint = reader.name, reader.fingerprint
    recorded = RecordedExpert(name, fingerprint, None, stored.store, rereader=reader)
    one = recorded.read(DOCUMENT, SCHEMA.fields[:1])
    assert values(one) == {"姓名": "张三!"}
    assert recorded.reread(DOCUMENT, SCHEMA.fields[:1], one) == one
    alone = RecordedExpert(name, fingerprint, None, stored.store)
    assert values(alone.read(DOCUMENT, SCHEMA.fields[:1])) == {"姓名": "张三"}
    stored.store.close()


# Whole runs.


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scans, and page OCR for them, so that no engine is asked."""
    return scans_with_text(tmp_path_factory.mktemp("scans"), 2)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """Understood for the first document, and not for the second."""

    def say(request: Request) -> Any:
        if "第0有限公司" in request.prompt:
            return dict.fromkeys(request.asked) | {"名称": "甲有限公司"}
        return "它叫乙有限公司。"

    for name in [name for name in os.environ if name.startswith("OCR_MOE_")]:
        monkeypatch.delenv(name)
    with ChatServer(say, structured=frozenset()) as server:
        monkeypatch.setenv("OCR_MOE_TEXT_BASE_URL", server.base_url)
        yield server


def extract(scans: Path, out: Path, recorded: Path | None = None) -> Run:
    return ocr_moe.extract(
        scans,
        out=out,
        strategy="ocr_page_llm",
        options=Options(
            schema="business_license",
            ocr=scans / "pages.jsonl",
            workers=1,
            recorded=recorded,
        ),
    )


def names(run: Run) -> list[str | None]:
    lines = (run.folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["fields"]["名称"]["value"] for line in lines]


def test_a_finished_run_goes_on_after_an_upgrade_without_a_request(
    server: ChatServer, scans: Path, tmp_path: Path, better: Callable[[], None]
) -> None:
    run = extract(scans, tmp_path / "run")
    assert names(run) == ["甲有限公司", None]
    asked = len(server.requests)
    unchanged = (run.folder / "records.jsonl").read_bytes()
    extract(scans, tmp_path / "run")
    assert (run.folder / "records.jsonl").read_bytes() == unchanged
    costs = [record.cost for record in _records(run)]
    better()
    run = extract(scans, tmp_path / "run")
    assert names(run) == ["甲有限公司!", "乙有限公司!"]
    assert run.outcome is not None
    assert run.outcome.asked == 0
    assert run.outcome.resumed == 0
    assert len(server.requests) == asked
    assert [record.cost for record in _records(run)] == costs
    resumed = extract(scans, tmp_path / "run")
    assert resumed.outcome is not None
    assert resumed.outcome.resumed == 2
    [file, _] = sorted((run.folder / "documents").glob("*.json"))
    [call] = json.loads(file.read_text(encoding="utf-8"))["answers"]
    assert set(call) == {"expert", "fingerprint", "model", "readings", "cost"}


def test_what_an_earlier_revision_did_not_understand_is_read_anew_for_nothing(
    server: ChatServer, scans: Path, tmp_path: Path
) -> None:
    run = extract(scans, tmp_path / "run")
    asked = len(server.requests)
    right = (run.folder / "records.jsonl").read_bytes()
    with sqlite3.connect(run.folder / "store.sqlite") as db:  # as the revision before wrote them
        db.execute(
            "UPDATE answers SET answer = json_set(answer, '$.parsing', '1', '$.readings[0].value', null)"
        )
        db.execute(
            "UPDATE meta SET value = replace(value, ?, '\"1\"') WHERE key = 'parsings'",
            (f'"{replies.REVISION}"',),
        )
    db.close()
    run = extract(scans, tmp_path / "run")
    assert (run.folder / "records.jsonl").read_bytes() == right
    assert names(run) == ["甲有限公司", None]
    assert run.outcome is not None
    assert (run.outcome.asked, run.outcome.resumed) == (0, 0)
    assert len(server.requests) == asked


def test_answers_of_before_stand_as_they_are(
    server: ChatServer, scans: Path, tmp_path: Path, better: Callable[[], None]
) -> None:
    run = extract(scans, tmp_path / "run")
    asked = len(server.requests)
    with sqlite3.connect(run.folder / "store.sqlite") as db:  # as the version before wrote them
        db.execute("UPDATE answers SET answer = json_remove(answer, '$.replies', '$.parsing')")
        db.execute("DELETE FROM meta WHERE key = 'parsings'")
        db.execute("DELETE FROM records")
    db.close()
    better()
    run = extract(scans, tmp_path / "run")
    assert names(run) == ["甲有限公司", None]
    assert run.outcome is not None
    assert run.outcome.asked == 0
    assert len(server.requests) == asked


def test_the_shipped_recorded_answers_load() -> None:
    with Store(SAMPLES / "recorded.sqlite", write=False) as store:
        hashes = store._rows("SELECT DISTINCT sha256 FROM answers LIMIT 3")
        answers = [answer for (sha256,) in hashes for _, _, answer in store.answers(sha256, 1)]
    assert answers
    assert not any(answer.is_outdated("anything") for answer in answers)


def test_a_run_on_recorded_replies_parses_them_as_today(
    server: ChatServer,
    scans: Path,
    tmp_path: Path,
    better: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    then = extract(scans, tmp_path / "then")
    asked = len(server.requests)
    monkeypatch.delenv("OCR_MOE_TEXT_BASE_URL")
    better()
    run = extract(scans, tmp_path / "now", recorded=then.folder / "store.sqlite")
    assert len(server.requests) == asked
    assert names(run) == ["甲有限公司!", "乙有限公司!"]


def test_an_expert_that_needs_its_endpoint_from_the_start_gives_what_was_recorded(
    server: ChatServer, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = extract(scans, tmp_path / "then")
    monkeypatch.delenv("OCR_MOE_TEXT_BASE_URL")
    init = OcrText.__init__

    def eager(self: OcrText, name: str, params: OcrTextParams, services: Any) -> None:
        init(self, name, params, services)
        services.chat(params.chat).warm_up()

    monkeypatch.setattr(OcrText, "__init__", eager)
    run = extract(scans, tmp_path / "now", recorded=then.folder / "store.sqlite")
    assert names(run) == names(then) == ["甲有限公司", None]


def _records(run: Run) -> list[Any]:
    with Store(run.folder / "store.sqlite", write=False) as store:
        return list(store.records("ocr_page_llm"))

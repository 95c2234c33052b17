"""A person's word: what several come to, and that it stands whatever was read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_moe.judgements import RELIABILITY, Verdict, judged, verdicts_of
from ocr_moe.protocols import Ask, State
from ocr_moe.routing.combiners import Agreement, Confident, FieldCombiner, Moe, Priority, Votes
from ocr_moe.routing.consistency import check
from ocr_moe.routing.dossiers import DossierParams, Dossiers, Entry, Said
from ocr_moe.routing.loop import decide
from ocr_moe.store.database import Store
from ocr_moe.subjects import key_of
from ocr_moe.types import (
    HUMAN,
    Answer,
    Decision,
    DocumentRef,
    Evidence,
    Judgement,
    JudgementKind,
    Reading,
    Status,
)
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config

SCHEMA = find_schema("graduation_certificate")
DOCUMENT = DocumentRef(path="a.jpg", sha256="5" * 64)


def said(value: str | None, reviewer: str = "li", **more: object) -> Judgement:
    at = "2026-01-02T03:04:05.000+00:00"
    return Judgement(field="姓名", value=value, reviewer=reviewer, at=at, **more)  # type: ignore[arg-type]


def test_the_last_word_counts() -> None:
    assert verdicts_of([said("王芳"), said("王方", "wu")])["姓名"].value == "王方"


def test_independent_words_that_agree_are_one_verdict() -> None:
    verdict = verdicts_of([said("王芳"), said("王芳", "wu", independent=True)])["姓名"]
    assert (verdict.value, verdict.disputed) == ("王芳", False)


def test_independent_words_that_differ_are_a_dispute_until_somebody_decides() -> None:
    given = [said("王芳"), said("王方", "wu", independent=True)]
    verdict = verdicts_of(given)["姓名"]
    assert verdict.disputed
    decision = judged(Decision(value="王芳", confidence=0.99, status=Status.ACCEPTED), verdict)
    assert decision.status is Status.ABSTAINED
    assert decision.notes == ("reviewers differ: li says 王芳; wu says 王方",)
    decided = verdicts_of([*given, said("王方", "chen")])["姓名"]
    assert (decided.value, decided.reviewer, decided.disputed) == ("王方", "chen", False)


def test_a_reviewer_who_thinks_again_does_not_dispute_with_themselves() -> None:
    given = [said("王芳"), said("王方", "wu", independent=True)]
    again = said("王芳", "wu", independent=True)
    assert not verdicts_of([*given, again])["姓名"].disputed


def test_a_verified_value_says_who_when_and_what_it_was() -> None:
    evidence = Evidence(box=(0.1, 0.1, 0.2, 0.2), text="王方")
    before = Decision(value="王方", confidence=0.4, status=Status.ABSTAINED, evidence=evidence)
    after = judged(before, Verdict("王芳", "li", "2026-01-02T03:04:05Z"))
    assert after == Decision(
        value="王芳",
        confidence=RELIABILITY,
        status=Status.VERIFIED,
        experts=(HUMAN,),
        evidence=evidence,
        notes=("was 王方",),
        reviewer="li",
        at="2026-01-02T03:04:05Z",
    )


class Once:
    """Asks one expert for everything, once."""

    def route(self, state: State) -> Sequence[Ask]:
        return () if any(state.readings.values()) else (Ask("rules", state.schema.names),)


class Stubborn:
    """A combiner of somebody else's, which knows nothing of people."""

    def combine(self, state: State) -> Mapping[str, Decision]:
        return {
            name: Decision(value="machine", confidence=1.0, status=Status.ACCEPTED)
            for name in state.schema.names
        }


READ = {
    "姓名": "王方",
    "性别": "女",
    "出生日期": "1990-01-02",
    "学历层次": "本科",
    "毕业日期": "2012-06-30",
    "毕业院校": "四川大学",
    "专业": "法学",
    "证书编号": "106101201205001234",
}


def answer(ask: Ask) -> Answer:
    readings = tuple(Reading(field=name, value=READ[name], score=0.9) for name in ask.fields)
    return Answer(expert="rules/1", readings=readings)


OTHERWISE = {
    "姓名": "王芳",
    "性别": "男",
    "出生日期": "1991-03",
    "学历层次": "专科",
    "毕业日期": "1980-06-30",
    "毕业院校": "河北农业大学",
    "专业": "土木工程",
    "证书编号": "100861199905001234",
}
words_on = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from([None, READ[name], OTHERWISE[name]]) for name in READ}
)


@given(words_on, st.sampled_from((Priority, Confident, Agreement, Votes, Moe)))
def test_a_persons_word_stands_under_every_combiner(
    words: Mapping[str, str | None], kind: type[FieldCombiner]
) -> None:
    verdicts = {name: Verdict(value, "li", "2026-01-02") for name, value in words.items()}
    combiner = kind(kind.Params(), check=check)  # type: ignore[attr-defined]
    for each in (combiner, Stubborn()):
        decisions = decide(SCHEMA, Once(), each, answer, verdicts=verdicts).decisions
        for name, decision in decisions.items():
            verified = decision.status is Status.VERIFIED
            assert verified == (name in words)
            if verified:
                assert decision.value == words[name]
                assert decision.confidence == RELIABILITY


def moe() -> FieldCombiner:
    combiner = Workshop(load_config()).strategy("moe").combiner
    assert isinstance(combiner, FieldCombiner)
    return combiner


def test_a_corrected_school_weighs_on_the_number() -> None:
    alone = decide(SCHEMA, Once(), moe(), answer).decisions["证书编号"]
    verdicts = {"毕业院校": Verdict("河北农业大学", "li", "2026-01-02")}
    after = decide(SCHEMA, Once(), moe(), answer, verdicts=verdicts).decisions["证书编号"]
    assert after.value == alone.value
    assert (after.confidence or 0.0) < (alone.confidence or 0.0)
    assert after.notes != alone.notes


def test_a_word_on_one_field_says_nothing_of_how_well_the_others_were_read() -> None:
    alone = decide(SCHEMA, Once(), moe(), answer).decisions
    verdicts = {"专业": Verdict("法学", "li", "2026-01-02")}
    after = decide(SCHEMA, Once(), moe(), answer, verdicts=verdicts).decisions
    assert {name: d for name, d in after.items() if name != "专业"} == {
        name: d for name, d in alone.items() if name != "专业"
    }


def entry(
    path: str, name: str, status: Status, confidence: float, *, by_people: bool = False
) -> Entry:
    told = {
        "姓名": Said(name, confidence, status, by_people=by_people),
        "出生日期": Said("1990-01-02", 0.99, Status.ACCEPTED),
    }
    return Entry(DocumentRef(path=path, sha256=path), told)


@pytest.mark.parametrize(
    ("status", "confidence"), [(Status.VERIFIED, RELIABILITY), (Status.ABSTAINED, 0.5)]
)
def test_no_number_of_documents_outweighs_a_persons_word(status: Status, confidence: float) -> None:
    """Nor settles what people differ on."""
    entries = [
        entry("王芳_本科_毕业证书.jpg", "王方", status, confidence, by_people=True),
        entry("王芳_本科_学位证书.jpg", "王芳", Status.ACCEPTED, 0.999),
        entry("王芳_硕士_毕业证书.jpg", "王芳", Status.ACCEPTED, 0.999),
    ]
    found = Dossiers(SCHEMA, DossierParams(), lambda *_: ()).settle(entries)
    mine = found[key_of(entries[0].document)].fields.get("姓名")
    assert mine is None or (mine.value, mine.status) == ("王方", status)
    for other in entries[1:] if status is Status.VERIFIED else ():
        assert found[key_of(other.document)].fields["姓名"].status is Status.ABSTAINED


def test_the_store_only_adds(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        first = store.put_judgement(DOCUMENT, said("王芳"))
        second = store.put_judgement(DOCUMENT, said("王方", "wu"))
        undo = Judgement(kind=JudgementKind.UNDO, field="姓名", reviewer="wu", at="2026-01-02")
        store.put_judgement(DOCUMENT, undo, undoes=second)
        assert [each.value for each in store.judgements_of(DOCUMENT.sha256, 1)] == ["王芳"]
        assert [(each.id, each.undone) for each in store.judgements()] == [
            (first, False),
            (second, True),
            (3, False),
        ]
        assert store.last_judgement() == 3
    with Store(tmp_path / "store.sqlite", write=False) as store:
        assert len(store.judgements(after=first)) == 2


def test_words_on_parts_of_a_page_are_kept_apart(tmp_path: Path) -> None:
    part = DOCUMENT.model_copy(update={"region": (0.0, 0.123456789, 1.0, 0.5), "part": 2})
    with Store(tmp_path / "store.sqlite") as store:
        store.put_judgement(part, said("王芳"))
        assert store.judgements_of(DOCUMENT.sha256, 1) == []
        assert len(store.judgements_of(part.sha256, 1, part.region)) == 1


@pytest.mark.slow
def test_a_word_that_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from ocr_moe.store.database import Store
from tests.test_judgements import DOCUMENT, said
store = Store(Path({str(tmp_path / "store.sqlite")!r}))
for number in range(1000):
    store.put_judgement(DOCUMENT, said(str(number)))
    print(number, flush=True)
"""
    command = [sys.executable, "-c", script]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(5)][-1]
    os.kill(process.pid, signal.SIGKILL)
    rest = process.communicate()[0].split()
    acknowledged = max([acknowledged, *map(int, rest)])
    with Store(tmp_path / "store.sqlite", write=False) as store:
        kept = [each.value for each in store.judgements_of(DOCUMENT.sha256, 1)]
    assert kept[: acknowledged + 1] == [str(number) for number in range(acknowledged + 1)]

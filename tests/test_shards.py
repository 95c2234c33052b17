"""Shards of a run, made without a word between them, come to what one undivided run comes to."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from PIL import Image

import ocr_moe
from benchmarks.kills import answering, differences
from ocr_moe.api import Options, Run, extract, merge
from ocr_moe.errors import StoreError, UsageError
from ocr_moe.intake.sources import digest
from ocr_moe.run.batch import STORE
from ocr_moe.run.merging import Merged
from ocr_moe.run.shards import Listing, Shard
from ocr_moe.store.database import Store
from ocr_moe.store.merging import Merging
from ocr_moe.testing.chatserver import ChatServer
from ocr_moe.workshop.config import Config
from tests.conftest import Command, print_alone
from tests.test_replay import page

DOCUMENTS = 10
SCHEMA = "graduation_certificate"


def test_every_file_is_in_one_shard_whatever_else_there_is() -> None:
    names = [f"第{number}批/{number:04}.jpg" for number in range(1000)]
    shards = [Shard(index, 7) for index in range(1, 8)]
    sizes = [sum(map(shard.holds, names)) for shard in shards]
    assert sum(sizes) == 1000
    assert min(sizes) > 100
    for name in names:
        assert [shard.holds(name) for shard in shards].count(True) == 1
    assert Shard.parse(" 3/7 ") == Shard(3, 7)
    assert Listing(names).digest == Listing(reversed(names)).digest
    assert Listing(names).digest != Listing(names[1:]).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("5/4", "of 4 the last is 4/4"),
        ("0/4", "counted from 1"),
        ("1/0", "there are none of 0"),
        ("3", "such as 3/16"),
        ("-1/4", "such as 3/16"),
        ("1/2/3", "such as 3/16"),
    ],
)
def test_what_is_no_shard_is_told(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Shard.parse(text)


def lay_out(folder: Path) -> Path:
    """Small images, page OCR that is not theirs, one file that is none, and one content in two shards
    of three and of two."""
    (folder / "scans").mkdir(parents=True)
    lines = []
    for number in range(DOCUMENTS):
        file = folder / "scans" / f"{number:03}.png"
        Image.new("L", (30, 20 + number)).save(file)
        text = page(number).model_dump(mode="json")
        lines.append(json.dumps({"sha256": digest(file), "page": 1, "text": text}))
    (folder / "pages.jsonl").write_text("\n".join(lines))
    (folder / "scans" / "broken.png").write_bytes(b"\x89PNG and no more")
    twin = next(
        name
        for name in (f"twin{number}.png" for number in range(100))
        if all(not of.holds(name) for of in (_shard_of("000.png", 2), _shard_of("000.png", 3)))
    )
    shutil.copy(folder / "scans" / "000.png", folder / "scans" / twin)
    return folder


def _shard_of(name: str, count: int) -> Shard:
    return next(s for s in (Shard(i, count) for i in range(1, count + 1)) if s.holds(name))


@pytest.fixture(scope="module")
def paid() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(paid: list[str]) -> Iterator[ChatServer]:
    with answering(paid, delay=0.0) as server:
        yield server


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, server: ChatServer) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OCR_MOE_TEXT_BASE_URL", server.base_url)
        patch.setenv("OCR_MOE_TEXT_MODEL", "test-model")
        yield lay_out(tmp_path_factory.mktemp("inputs"))


def run(inputs: Path, out: Path, shard: str | None = None, **more: object) -> Run:
    config = print_alone().model_copy(update={"workers": 1})
    options = Options(schema=SCHEMA, config=config, ocr=inputs / "pages.jsonl", shard=shard)
    return extract(
        inputs / "scans",
        out=out,
        strategy="ocr_page_llm",
        options=Options(**{**vars(options), **more}),
    )


@pytest.fixture(scope="module")
def whole(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(inputs, tmp_path_factory.mktemp("whole") / "run").folder


@pytest.fixture(scope="module")
def made(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of three, and of two."""
    folder = tmp_path_factory.mktemp("shards")
    for shard in ("1/3", "2/3", "3/3", "1/2", "2/2"):
        run(inputs, folder / shard.replace("/", "of"), shard)
    return folder


@pytest.fixture
def shards(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "shards"))


def of_three(shards: Path) -> list[Path]:
    return [shards / f"{index}of3" for index in (1, 2, 3)]


def store_rows(out: Path, table: str) -> list[object]:
    with sqlite3.connect(out / STORE) as db:
        return db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()


def told_apart(out: Path, whole: Path) -> list[str]:
    """Exports that differ; what a run notes of its own files is none."""
    return [name for name in differences(out, whole) if not name.startswith(".")]


def merged_into(out: Path, folders: Sequence[Path]) -> Merged:
    return merge(folders, out)[1]


@pytest.mark.slow
def test_merged_shards_are_what_one_run_would_have_been(
    whole: Path, shards: Path, tmp_path: Path, paid: list[str]
) -> None:
    asked = len(paid)
    merged = merged_into(tmp_path / "out", reversed(of_three(shards)))  # type: ignore[arg-type]
    assert len(paid) == asked, "nobody is asked again"
    assert merged.complete
    assert merged.outcome.documents == DOCUMENTS + 2
    # The content that two shards read was paid for twice, counts once, and is told.
    assert told_apart(tmp_path / "out", whole) == ["run.json"]
    assert merged.repeated == 1
    told, alone = (json.loads((f / "run.json").read_text()) for f in (tmp_path / "out", whole))
    assert told["repeated"]["calls"] == 1
    assert told["repeated"]["prompt_tokens"] > 0
    assert alone["repeated"]["calls"] == 0
    for each in (told, alone):
        del each["started"], each["repeated"]
        for strategy in each["strategies"].values():
            del strategy["cost"]["seconds"], strategy["cost"]["ocr_seconds"]
    assert told == alone
    assert len(store_rows(tmp_path / "out", "answers")) == DOCUMENTS


@pytest.mark.slow
def test_a_merged_run_goes_on_as_the_undivided_command(
    inputs: Path, shards: Path, tmp_path: Path, paid: list[str]
) -> None:
    merged_into(tmp_path / "out", of_three(shards))
    asked = len(paid)
    outcome = run(inputs, tmp_path / "out").outcome
    assert outcome is not None
    assert (outcome.resumed, outcome.asked) == (DOCUMENTS + 2, 0)
    assert len(paid) == asked


@pytest.mark.slow
def test_a_missing_shard_is_named_first_and_may_come_late(
    whole: Path, shards: Path, tmp_path: Path
) -> None:
    one, two, three = of_three(shards)
    first: list[list[str]] = []
    _, merged = merge(
        [one, three], tmp_path / "out", begun=lambda m: first.append(list(map(str, m.missing)))
    )
    assert first == [["2/3"]]
    assert not merged.complete
    assert merged.absent == len(_inputs(two))
    late = merged_into(tmp_path / "out", [two])
    assert late.complete
    assert told_apart(tmp_path / "out", whole) == ["run.json"]


def _inputs(folder: Path) -> dict[str, str]:
    with Store(folder / STORE, write=False) as store:
        return {row.path: row.sha256 or "" for row in store.inputs}


@pytest.mark.slow
def test_a_shard_that_is_there_twice_counts_once(whole: Path, shards: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shards / "2of3", tmp_path / "copy"))
    merged = merged_into(tmp_path / "out", [*of_three(shards), copy, shards / "1of3"])
    assert merged.complete
    assert [str(shard) for shard, _ in merged.doubled] == ["1/3", "2/3"]
    assert set(dict(merged.doubled)[Shard(2, 3)]) == {copy, shards / "2of3"}
    assert merged.repeated == 1
    assert told_apart(tmp_path / "out", whole) == ["run.json"]


@pytest.mark.slow
def test_overlapping_shards_of_other_numbers_cover_the_whole(
    whole: Path, shards: Path, tmp_path: Path
) -> None:
    merged = merged_into(tmp_path / "out", [shards / "1of2", shards / "2of2", shards / "2of3"])
    assert merged.complete
    assert merged.repeated > 0
    assert told_apart(tmp_path / "out", whole) == ["run.json"]
    again = merged_into(tmp_path / "out", [shards / "1of2", shards / "2of3"])
    assert again.complete
    assert again.repeated == merged.repeated, "no cost counts twice"


@pytest.mark.slow
def test_runs_that_were_made_otherwise_are_refused(
    inputs: Path, shards: Path, tmp_path: Path
) -> None:
    config = print_alone().model_dump(mode="json")
    config |= {"remove_seals": False, "workers": 1}
    run(inputs, tmp_path / "other", "2/3", config=Config.model_validate(config))
    with pytest.raises(StoreError, match=r"remove_seals \(was true, is false\)"):
        merge([shards / "1of3", tmp_path / "other", shards / "3of3"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_files_of_one_name_are_not_taken_for_one(
    inputs: Path, shards: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(inputs, tmp_path / "inputs"))
    shutil.copy(changed / "scans" / "004.png", changed / "scans" / "003.png")
    run(changed, tmp_path / "later")
    with pytest.raises(StoreError, match=r"003\.png: another file stood there"):
        merge([*of_three(shards), tmp_path / "later"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_damaged_store_is_refused_and_nothing_is_written(shards: Path, tmp_path: Path) -> None:
    with (shards / "2of3" / STORE).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * 8192)
    with pytest.raises(StoreError, match=r"2of3.*damaged"):
        merge(of_three(shards), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (shards / "3of3" / STORE).unlink()
    with pytest.raises(StoreError, match=r"3of3 has no store\.sqlite"):
        merge([shards / "1of3", shards / "3of3"], tmp_path / "out")


@pytest.mark.slow
def test_a_damaged_record_leaves_its_file_to_be_done_again(shards: Path, tmp_path: Path) -> None:
    path = next(
        name for name in _inputs(shards / "2of3") if name[:3].isdigit() and name != "000.png"
    )
    with sqlite3.connect(shards / "2of3" / STORE) as db:
        db.execute("UPDATE records SET record = substr(record, 1, 40) WHERE path = ?", (path,))
    merged = merged_into(tmp_path / "out", of_three(shards))
    assert [(each.folder.name, each.files) for each in merged.unfinished] == [("2of3", 1)]
    assert not merged.complete


@pytest.mark.slow
def test_a_merge_that_was_ended_goes_on(
    whole: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    take = Merging.take

    def breaking(self, source, meta):  # type: ignore[no-untyped-def]
        taken.append(source.path)
        if len(taken) == 2:
            raise KeyboardInterrupt
        return take(self, source, meta)

    monkeypatch.setattr(Merging, "take", breaking)
    with pytest.raises(KeyboardInterrupt):
        merge(of_three(shards), tmp_path / "out")
    assert merged_into(tmp_path / "out", of_three(shards)).complete
    assert told_apart(tmp_path / "out", whole) == ["run.json"]


@pytest.mark.slow
def test_what_people_said_is_kept_once(shards: Path, tmp_path: Path) -> None:
    path = next(name for name in _inputs(shards / "1of3") if name[:3].isdigit())
    with ocr_moe.review(shards / "1of3") as desk:
        cell = next(c for c in desk.waiting() if c.key[0].path == path)
        desk.judge(cell.key, "王五", reviewer="li")
        desk.undo(reviewer="li")
        desk.judge(cell.key, "王六", reviewer="li")
    copy = Path(shutil.copytree(shards / "1of3", tmp_path / "copy"))
    for _ in range(2):
        merged_into(tmp_path / "out", [*of_three(shards), copy])
        with Store(tmp_path / "out" / STORE, write=False) as store:
            said = [(j.judgement.kind.value, j.judgement.value) for j in store.judgements()]
            undone = [j.undone for j in store.judgements()]
            document = next(r for r in store.records("ocr_page_llm") if r.document.path == path)
        assert said == [("value", "王五"), ("undo", None), ("value", "王六")]
        assert undone == [True, False, False]
        assert "王六" in {d.value for d in document.fields.values() if d.status == "verified"}


@pytest.mark.slow
def test_another_shard_does_not_go_on_in_the_folder_of_one(
    inputs: Path, shards: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="is shard 1/3, this start is shard 2/3"):
        run(inputs, shards / "1of3", "2/3")
    with pytest.raises(StoreError, match="is shard 1/3, this start is of all files"):
        run(inputs, shards / "1of3", update=True)


@pytest.mark.slow
def test_more_shards_than_files_leave_some_with_nothing_to_do(inputs: Path, tmp_path: Path) -> None:
    empty = next(
        i
        for i in range(1, 200)
        if not any(Shard(i, 200).holds(file.name) for file in (inputs / "scans").iterdir())
    )
    outcome = run(inputs, tmp_path / "out", f"{empty}/200").outcome
    assert outcome is not None
    assert (outcome.files, outcome.documents, outcome.failed) == (0, 0, 0)
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == b""


@pytest.mark.slow
def test_the_command_says_what_is_missing(
    shards: Path, inputs: Path, tmp_path: Path, ocr_moe: Command
) -> None:
    done = ocr_moe("merge", shards / "1of3", shards / "3of3", "--out", tmp_path / "out")
    assert done.status == 1
    assert done.err.splitlines()[0].startswith("Missing: shard 2/3.")
    assert (tmp_path / "out" / "records.jsonl").is_file()
    refused = ocr_moe("extract", inputs / "scans", "--shard", "4/3", "--out", tmp_path / "no")
    assert refused.status == 2
    assert "of 3 the last is 3/3" in refused.err
    assert not (tmp_path / "no").exists()

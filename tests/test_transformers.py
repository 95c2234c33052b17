"""The expert `transformers`, with tiny models that are made here; no hub is asked.

Where transformers and torch (the extra `text`) are not installed, only what needs neither is tested.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ocr_moe.errors import ConfigError, MissingDependencyError
from ocr_moe.experts.texts.transformer import Transformers, TransformersParams, limit_of
from ocr_moe.intake.texts.documents import Entry
from ocr_moe.intake.texts.setting import page_text
from ocr_moe.testing import StubDocument, StubPage, StubServices
from ocr_moe.types import Reading
from ocr_moe.workshop.config import find_schema

NEWS = find_schema("news_item")
INSTALLED = all(importlib.util.find_spec(name) for name in ("torch", "transformers"))
installed = pytest.mark.skipif(not INSTALLED, reason="the extra `text` is not installed")
POSITIONS = 32
WORDS = ["good", "bad", "train", "station", "rain", "."]


def document(text: str) -> StubDocument:
    return StubDocument(NEWS, [StubPage(page_text([Entry("text", text)]))])


def one(params: dict[str, Any], name: str, text: str) -> Reading:
    expert = Transformers("t", TransformersParams.model_validate(params), StubServices())
    [reading] = expert.read(document(text), [NEWS.field(name)]).readings
    return reading


@pytest.mark.parametrize(
    ("told", "config", "limit"),
    [
        (512, {"max_position_embeddings": 512}, 512),
        (10**30, {"max_position_embeddings": 64}, 64),
        (10**30, {"n_positions": 128}, 128),
        (10**30, {"max_position_embeddings": 514, "model_type": "roberta"}, 512),
        (10**30, {}, 512),
    ],
)
def test_the_limit_is_the_least_of_what_tokenizer_and_model_say(
    told: int, config: dict[str, Any], limit: int
) -> None:
    assert limit_of(SimpleNamespace(model_max_length=told), SimpleNamespace(**config)) == limit


@pytest.mark.skipif(INSTALLED, reason="they are installed")
def test_without_the_packages_it_says_what_to_install() -> None:
    with pytest.raises(MissingDependencyError, match=r"pip install 'ocr-moe\[text\]'"):
        one({"model": "m", "task": "text-classification"}, "sentiment", "x.")


def test_a_document_without_text_needs_no_model() -> None:
    assert one({"model": "m", "task": "text-classification"}, "sentiment", "").value is None


class Words:
    """A pipeline whose tokens are words; like a model, it cannot take more than it has positions."""

    model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=POSITIONS))

    def __init__(self) -> None:
        self.tokenizer = self
        self.seen: list[str] = []

    def __call__(self, text: str | list[str], **asked: Any) -> Any:
        if isinstance(text, list):
            [only] = text
            self.seen.append(only)
            if len(only.split()) + 2 > POSITIONS:
                raise IndexError("index out of range in self")
            return [{"label": "positive", "score": 0.75}]
        around = asked["add_special_tokens"]
        spans = [match.span() for match in re.finditer(r"\S+", text)]
        spans = [(0, 0), *spans, (0, 0)] if around else spans
        return {"input_ids": [0] * len(spans), "offset_mapping": spans}


@pytest.mark.parametrize(
    ("words", "most", "kept"),
    [(1, 0, 1), (30, 0, 30), (31, 0, 30), (400, 0, 30), (400, 10, 8), (400, 1000, 30)],
)
def test_a_text_is_cut_to_what_its_model_takes(words: int, most: int, kept: int) -> None:
    params = {"model": "m", "task": "text-classification", "max_tokens": most}
    expert = Transformers("t", TransformersParams.model_validate(params), StubServices())
    expert._pipeline = pipeline = Words()
    [reading] = expert.read(document("好 " * words), [NEWS.field("sentiment")]).readings
    assert [len(text.split()) for text in pipeline.seen] == [kept]
    assert (reading.value, reading.score) == ("positive", 0.75)
    assert reading.features == {"tokens": float(words + 2), "cut": float(kept < words)}
    assert bool(reading.notes) == (kept < words)


def tokenizer(folder: Path) -> None:
    """A tokenizer of a few words that says nothing of a limit."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {w: i for i, w in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    ).save_pretrained(folder)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 32 positions."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    folder = tmp_path_factory.mktemp("classifier")
    tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS) + 4,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=POSITIONS,
        num_labels=2,
        id2label={0: "NEG", 1: "LABEL_1"},
        label2id={"NEG": 0, "LABEL_1": 1},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder-decoder of 32 positions."""
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    folder = tmp_path_factory.mktemp("writer")
    tokenizer(folder)
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=len(WORDS) + 4,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        forced_eos_token_id=2,
    )
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


LONG = "good train station . " * 400


@installed
@pytest.mark.slow
def test_a_long_text_is_cut_to_the_models_own_positions(classifier: Path) -> None:
    params = {
        "model": str(classifier),
        "task": "text-classification",
        "labels": {"NEG": "negative", "LABEL_1": "positive"},
    }
    short = one(params, "sentiment", "good train.")
    assert short.value in ("negative", "positive")
    assert short.score is not None
    assert 0 < short.score <= 1
    assert short.features["cut"] == 0.0
    long = one(params, "sentiment", LONG)
    assert long.error is None
    assert long.value in ("negative", "positive")
    assert long.notes == ("the model saw the first 32 of 1,602 tokens",)
    unnamed = one(params | {"labels": {"NEG": "kaputt", "LABEL_1": "toll"}}, "sentiment", "bad.")
    assert unnamed.value is None
    assert "is not a value of this field; see `labels`" in unnamed.notes[0]


@installed
@pytest.mark.slow
def test_an_encoder_decoder_writes_about_a_text_of_any_length(writer: Path) -> None:
    params = {"model": str(writer), "task": "summarization", "max_new_tokens": 8}
    for text in ("good train station.", LONG):
        reading = one(params, "summary", text)
        assert reading.error is None
        assert reading.score is None
        assert set((reading.raw or "").split()) <= {*WORDS, "<unk>"}


@installed
@pytest.mark.slow
def test_a_field_is_chosen_for_a_text_and_things_are_found_in_it(
    classifier: Path, tmp_path: Path
) -> None:
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

    names = {0: "contradiction", 1: "neutral", 2: "entailment"}
    config = BertConfig.from_pretrained(classifier, num_labels=3)
    config.id2label, config.label2id = names, {name: index for index, name in names.items()}
    for kind, folder in (
        (BertForSequenceClassification, tmp_path / "choosing"),
        (BertForTokenClassification, tmp_path / "finding"),
    ):
        tokenizer(folder)
        kind(config).save_pretrained(folder)
    chosen = one(
        {"model": str(tmp_path / "choosing"), "task": "zero-shot-classification"}, "sentiment", LONG
    )
    assert chosen.value in ("positive", "neutral", "negative")
    found = one(
        {"model": str(tmp_path / "finding"), "task": "token-classification"}, "topics", LONG
    )
    assert found.error is None
    assert found.features["cut"] == 1.0


@installed
@pytest.mark.slow
def test_a_model_that_is_not_there_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be loaded for text-classification"):
        one({"model": str(tmp_path), "task": "text-classification"}, "sentiment", "good.")

"""Secrets are taken out of whatever comes in, wherever they are cut and however they are written."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_moe.engines.chat.scrubbing import Scrubber
from ocr_moe.formats.addresses import all_without_credentials, without_credentials

KEY = "sk-proj-Zq8vT3nLw5XyB7kR2mHd9PfJ"
SCRUB = Scrubber([KEY])


def leaks(text: str, secret: str = KEY) -> bool:
    return any(secret[at : at + 12] in text for at in range(len(secret) - 11))


@given(
    st.text(max_size=30),
    st.integers(0, len(KEY) - 12),
    st.integers(12, len(KEY)),
    st.text(max_size=30),
)
def test_every_part_of_twelve_characters_goes(
    before: str, start: int, length: int, after: str
) -> None:
    part = KEY[start : start + length]
    scrubbed = SCRUB.text(before + part + after)
    assert not leaks(scrubbed)
    assert "…" in scrubbed


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert SCRUB.text(text) == text


@given(
    st.lists(
        st.sampled_from([*KEY, KEY[:5], KEY[5:13], KEY[13:], KEY, "张", "{", '"']), max_size=60
    )
)
def test_tokens_add_up_to_the_scrubbed_text(tokens: list[str]) -> None:
    scrubbed = SCRUB.tokens(tokens)
    assert len(scrubbed) == len(tokens)
    assert "".join(scrubbed) == SCRUB.text("".join(tokens))


@pytest.mark.parametrize(
    "written",
    [
        "".join(f"\\u{ord(character):04x}" for character in KEY),
        "".join(f"&#{ord(character)};" for character in KEY),
        base64.b64encode(KEY.encode()).decode(),
        f"Bearer {KEY}",
        KEY[:16] + " and " + KEY[16:],
        KEY * 1000,
    ],
    ids=["escaped", "entities", "base64", "header", "halves", "many"],
)
def test_however_it_is_written(written: str) -> None:
    scrubbed = SCRUB.text(f"refused: {written}!")
    assert "…" in scrubbed
    assert not any(part in scrubbed for part in (written, KEY[:12], KEY[-12:]))


def test_an_escaped_quotation_mark_stays_one() -> None:
    escaped = '{"a": "\\u0022' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '\\u0022"}'
    assert SCRUB.text(escaped) == '{"a": "\\u0022…\\u0022"}'


def test_a_short_key_goes_as_a_word_only() -> None:
    scrub = Scrubber(["123456"])
    assert scrub.text("key 123456 is wrong") == "key … is wrong"
    assert scrub.text("证书编号 100051234562019") == "证书编号 100051234562019"


@pytest.mark.parametrize("placeholder", ["none", "EMPTY", "ollama", ""])
def test_a_placeholder_is_no_secret(placeholder: str) -> None:
    assert Scrubber([placeholder]).text("none EMPTY ollama") == "none EMPTY ollama"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://me:pass@host:8000/v1", "http://…@host:8000/v1"),
        ("see https://pass@host/v1, or http://host/", "see https://…@host/v1, or http://host/"),
        ("http://me:p@ss@host/v1", "http://…@host/v1"),
        ("https://host/v1?api-key=12&api-version=3", "https://host/v1?api-key=…&api-version=3"),
        ("http://host/v1/a@b", "http://host/v1/a@b"),
        ("user@example.com", "user@example.com"),
    ],
)
def test_addresses_without_credentials(address: str, shown: str) -> None:
    assert without_credentials(address) == shown
    assert all_without_credentials({"a": [{"b": address}, 1, None]}) == {
        "a": [{"b": shown}, 1, None]
    }

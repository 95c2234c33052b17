"""Folds side by side: what each one takes for the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ocr_moe.folds import (
    fold_glyph,
    fold_heading,
    fold_in_place,
    fold_label,
    fold_label_glyph,
    fold_name,
    fold_path,
    fold_print,
    fold_value,
)

Fold = Callable[[str], str]
FOLDS: tuple[Fold, ...] = (
    fold_in_place,
    fold_print,
    fold_label,
    fold_heading,
    fold_name,
    fold_value,
    fold_path,
)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("No", "NO", {fold_in_place, fold_print, fold_label, fold_heading, fold_path}),
        ("证 书", "证书", {fold_print, fold_label, fold_heading, fold_name, fold_value}),
        ("a b", "ab", {fold_print, fold_label, fold_heading, fold_name}),
        (
            "No 4,Mill Lane",
            "No 4 , Mill Lane",
            {fold_print, fold_label, fold_heading, fold_name, fold_value},
        ),
        ("Ｎ１", "N1", {fold_in_place, fold_print, fold_label, fold_heading, fold_name}),
        ("编号:", "编号", {fold_print, fold_heading}),
        ("编号*", "编号", {fold_print, fold_heading, fold_value}),
        ("编号。", "编号", {fold_print, fold_value}),
        ("院(分院)", "院分院", {fold_print, fold_name}),
        ("甲·乙", "甲•乙", {fold_print, fold_value}),
        ("甲·乙", "甲乙", {fold_print, fold_name}),
        ("1—2", "1-2", {fold_print, fold_value}),
        ("二〇", "二", set()),
        ("a\\b", "a/b", {fold_print, fold_path}),
        ("./a", "a", {fold_print, fold_path}),
        ("e\u0301", "\u00e9", {fold_label, fold_heading, fold_name, fold_path}),
    ],
)
def test_what_is_the_same_to_whom(a: str, b: str, same: set[Fold]) -> None:
    assert {fold for fold in FOLDS if fold(a) == fold(b)} == same


@pytest.mark.parametrize("fold", FOLDS)
def test_folding_again_changes_nothing(fold: Fold) -> None:
    for text in ("Ｎｏ．（一）：甲 乙 ㎏ ﬁ", "ß ſ İ", "./A\\B ", "二〇一九", "“甲”—【乙】。*"):
        assert fold(fold(text)) == fold(text)


def test_positions_stay_where_a_place_is_wanted() -> None:
    text = "ｎｏ：㎏ ß１"
    assert fold_in_place(text) == "NO:㎏ ß1"
    assert len(fold_in_place(text)) == len(text)
    assert fold_glyph("㎏") == "KG"
    assert [fold_label_glyph(char) for char in "ßA证"] == ["s", "a", "证"]
    assert fold_print("甲 乙") == "".join(map(fold_print, "甲 乙"))

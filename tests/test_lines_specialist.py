"""The shipped recogniser for codes, on printed lines."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from ocr_moe.codes.posterior import OTHER
from ocr_moe.engines.lines import SpecialistLines, SpecialistParams
from tests.printedlines import greedy, printed

CODE = "106131202000004931"


@pytest.fixture(scope="module")
def specialist() -> SpecialistLines:
    return SpecialistLines("specialist", SpecialistParams())


def test_rows_are_distributions_over_the_alphabet(specialist: SpecialistLines) -> None:
    (posterior,) = specialist.recognize([printed("No. " + CODE)])
    assert posterior.alphabet == ("", *"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", OTHER)
    assert posterior.probabilities.shape[1] == len(posterior.alphabet)
    np.testing.assert_allclose(posterior.probabilities.sum(axis=1), 1.0, atol=1e-5)


def test_a_label_is_other(specialist: SpecialistLines) -> None:
    (posterior,) = specialist.recognize([printed("No. " + CODE)])
    assert greedy(posterior) == OTHER + CODE


def test_blank_paper_holds_no_code(specialist: SpecialistLines) -> None:
    (posterior,) = specialist.recognize([Image.new("RGB", (400, 40), (250, 250, 250))])
    assert greedy(posterior).replace(OTHER, "") == ""


def test_the_model_is_small(specialist: SpecialistLines) -> None:
    assert specialist._file.stat().st_size <= 8_000_000

"""The reference of the configuration is made from the source, complete, and up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from ocr_moe.types import Value
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config
from ocr_moe.workshop.registry import KINDS
from recipes.configuration import (
    ENVIRONMENT,
    GROUPS,
    TARGET,
    attribute_docstrings,
    models,
    render,
    table,
)
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def reference() -> str:
    return render()


def test_the_reference_is_up_to_date(reference: str) -> None:
    assert TARGET.read_text(encoding="utf-8") == reference, "run `make docs`"


def test_every_kind_has_its_section(reference: str) -> None:
    assert GROUPS.keys() == KINDS.keys()
    headings = re.findall(r"^### `\{kind: (\w+)\}`$", reference, re.MULTILINE)
    assert headings == [kind for group in GROUPS for kind in KINDS[group]]


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_every_parameter_says_what_it_means(model: type[BaseModel]) -> None:
    told = attribute_docstrings(model)
    assert [name for name in model.model_fields if not told.get(name)] == []
    assert model.__doc__ not in (None, Value.__doc__)


def test_no_link_leads_nowhere(reference: str) -> None:
    anchors = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", reference, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(\w+)\)", reference)) <= anchors
    for file in re.findall(r"\]\(\.\./([\w./]+)\)", reference):
        assert (ROOT / file).is_file()


def test_the_example_is_a_configuration(reference: str, tmp_path: Path) -> None:
    [example] = re.findall(r"^```yaml\n(.*?)^```", reference, re.DOTALL | re.MULTILINE)
    (tmp_path / "mine.yaml").write_text(example)
    config = load_config(tmp_path / "mine.yaml")
    Workshop(config).validate()
    assert config.workers == 4
    assert config.engines["paddle"].params == {"detection_limit": 1600}


class Coat(Value):
    """What a docstring becomes."""

    colour: str | None = "red"
    """Of the cloth; None: a colour
    of the tailor's."""
    buttons: tuple[tuple[int, float] | str, ...] = ((1, 0.5),)
    """A | B."""
    lined: bool


def test_types_and_defaults_are_told_in_the_words_of_yaml() -> None:
    assert attribute_docstrings(Coat) == {
        "colour": "Of the cloth; None: a colour\nof the tailor's.",
        "buttons": "A | B.",
    }
    del Coat.model_fields["lined"]
    assert table(Coat).splitlines()[2:] == [
        '| `colour` | text or `null` | `"red"` | Of the cloth; `null`: a colour of the tailor\'s. |',
        "| `buttons` | list of ([whole number, number] or text) | `[[1, 0.5]]` | A \\| B. |",
        "",
    ]


def test_every_variable_of_the_environment_stands_there() -> None:
    code = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "ocr_moe").rglob("*.py"))
    named = {name for name in re.findall(r"OCR_MOE_[A-Z_]+", code) if not name.endswith("_")}
    known = {re.sub(r"<NAME>", "(TEXT|VISION)", name) for name in ENVIRONMENT}
    strangers = {name for name in named if not any(re.fullmatch(k, name) for k in known)}
    assert strangers == set()
    for name in ENVIRONMENT:
        assert name.replace("OCR_MOE_<NAME>", "") in code


def test_the_readmes_say_where_it_is() -> None:
    for readme in ("README.md", "README.zh-CN.md"):
        assert "docs/configuration.md" in (ROOT / readme).read_text(encoding="utf-8")

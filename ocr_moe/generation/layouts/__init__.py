"""The layouts: how a document of a kind is set on its page. One file a family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ocr_moe.errors import ConfigError
from ocr_moe.generation.documents.businesses import Licence
from ocr_moe.generation.documents.graduates import Graduate, Holder
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.look import Look
from ocr_moe.generation.sheet import Sheet

F = TypeVar("F", bound=Facts)
DrawCertificate = Callable[[Sheet, Graduate, Look], None]
DrawLicence = Callable[[Sheet, Licence, Look], None]


@dataclass(frozen=True)
class Layout:
    """One way of setting documents."""

    name: str
    schema: str
    ratio: tuple[float, float]
    """Range of the page's height over its width."""
    accepts: Callable[[Facts], bool]
    draw: Callable[[Sheet, Facts, Look], None]
    heldout: bool = False
    """Kept out of the default selection, so that it can test what was tuned on the others."""
    older: bool = False
    """For documents of before 2003 (certificates)."""
    weight: float = 1.0
    """How often it is drawn, beside the others."""
    further: str = ""
    """The further kind of document that it sets (`taiwan`, `english` …), drawn only where it is asked
    for; empty for the usual certificates and licences."""
    holder: Holder = "mainland"
    """Whose certificates it sets."""
    scale: float = 1.0
    """How many times as many pixels its page has as others: sheets with fine print are scanned so."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names by which it is chosen together with others."""
        if not self.further:
            return ("heldout" if self.heldout else "standard",)
        prefix = "heldout_" if self.heldout else ""
        return (prefix + self.further, prefix + "further")


_LAYOUTS: dict[str, Layout] = {}


def certificate(
    name: str,
    *,
    kind: str,
    ratio: tuple[float, float],
    forms: Sequence[str] = (),
    heldout: bool = False,
    older: bool = False,
    weight: float = 1.0,
    further: str = "",
    holder: Holder = "mainland",
) -> Callable[[DrawCertificate], DrawCertificate]:
    """Registers a layout of graduation certificates of a kind, for some forms of study or all."""

    def register(draw: DrawCertificate) -> DrawCertificate:
        def accepts(facts: Facts) -> bool:
            return (
                isinstance(facts, Graduate)
                and facts.kind == kind
                and facts.holder == holder
                and (not forms or facts.form in forms)
            )

        def run(sheet: Sheet, facts: Facts, look: Look) -> None:
            assert isinstance(facts, Graduate)
            draw(sheet, facts, look)

        schema = "graduation_certificate"
        _LAYOUTS[name] = Layout(
            name, schema, ratio, accepts, run, heldout, older, weight, further, holder
        )
        return draw

    return register


def setting(
    name: str,
    facts: type[F],
    *,
    schema: str,
    ratio: tuple[float, float],
    suits: Callable[[F], bool] = lambda _: True,
    heldout: bool = False,
    weight: float = 1.0,
    scale: float = 1.0,
) -> Callable[[Callable[[Sheet, F, Look], None]], Callable[[Sheet, F, Look], None]]:
    """Registers a layout of the documents of a class of facts, of those that it suits."""

    def register(draw: Callable[[Sheet, F, Look], None]) -> Callable[[Sheet, F, Look], None]:
        def accepts(said: Facts) -> bool:
            return isinstance(said, facts) and suits(said)

        def run(sheet: Sheet, said: Facts, look: Look) -> None:
            assert isinstance(said, facts)
            draw(sheet, said, look)

        _LAYOUTS[name] = Layout(
            name, schema, ratio, accepts, run, heldout, weight=weight, scale=scale
        )
        return draw

    return register


def licence(
    name: str,
    *,
    era: str,
    families: Sequence[str],
    ratio: tuple[float, float],
    heldout: bool = False,
    weight: float = 1.0,
) -> Callable[[DrawLicence], DrawLicence]:
    """Registers a layout of business licences of an era, for some families of businesses."""
    return setting(
        name,
        Licence,
        schema="business_license",
        ratio=ratio,
        suits=lambda facts: facts.era == era and facts.family in families,
        heldout=heldout,
        weight=weight,
    )


def layouts(schema: str | None = None) -> tuple[Layout, ...]:
    """All layouts, or those of a schema."""
    from ocr_moe.generation.layouts import (  # noqa: F401  (they register themselves)
        abroad,
        awards,
        degrees,
        diplomas,
        drivers,
        early,
        english,
        englishdiplomas,
        heldout,
        households,
        identitycards,
        invoices,
        licences,
        qualifications,
        registers,
        transcripts,
        travellers,
    )

    return tuple(
        layout for layout in _LAYOUTS.values() if schema is None or layout.schema == schema
    )


def select(schema: str, names: Sequence[str] | None = None) -> tuple[Layout, ...]:
    """The layouts with these names, or of these groups; None is standard.

    Groups are standard, heldout, further (all further kinds), each further kind, and these with
    `heldout_` before them.

    Raises:
        ConfigError: for a schema or a name that no layout has.
    """
    known = layouts(schema)
    if not known:
        have = sorted({layout.schema for layout in layouts()})
        raise ConfigError(f"nothing to generate for schema {schema!r}; there is {', '.join(have)}")
    chosen: dict[str, Layout] = {}
    for name in names or ("standard",):
        found = [each for each in known if name == each.name or name in each.groups]
        if not found:
            groups = dict.fromkeys(group for layout in known for group in layout.groups)
            options = ", ".join((*groups, *(layout.name for layout in known)))
            raise ConfigError(f"unknown layout {name!r} of {schema}; known are {options}")
        chosen.update((layout.name, layout) for layout in found)
    return tuple(chosen.values())

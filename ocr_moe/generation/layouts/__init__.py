"""The layouts: how a document of a kind is set on its page. One file a family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ocr_moe.errors import ConfigError
from ocr_moe.generation.facts import Graduate, Licence
from ocr_moe.generation.look import Look
from ocr_moe.generation.sheet import Sheet

Facts = Graduate | Licence
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
) -> Callable[[DrawCertificate], DrawCertificate]:
    """Registers a layout of graduation certificates of a kind, for some forms of study or all."""

    def register(draw: DrawCertificate) -> DrawCertificate:
        def accepts(facts: Facts) -> bool:
            return (
                isinstance(facts, Graduate)
                and facts.kind == kind
                and (not forms or facts.form in forms)
            )

        def run(sheet: Sheet, facts: Facts, look: Look) -> None:
            assert isinstance(facts, Graduate)
            draw(sheet, facts, look)

        schema = "graduation_certificate"
        _LAYOUTS[name] = Layout(name, schema, ratio, accepts, run, heldout, older, weight)
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

    def register(draw: DrawLicence) -> DrawLicence:
        def accepts(facts: Facts) -> bool:
            return isinstance(facts, Licence) and facts.era == era and facts.family in families

        def run(sheet: Sheet, facts: Facts, look: Look) -> None:
            assert isinstance(facts, Licence)
            draw(sheet, facts, look)

        schema = "business_license"
        _LAYOUTS[name] = Layout(name, schema, ratio, accepts, run, heldout, False, weight)
        return draw

    return register


def layouts(schema: str | None = None) -> tuple[Layout, ...]:
    """All layouts, or those of a schema."""
    from ocr_moe.generation.layouts import (  # noqa: F401  (they register themselves)
        degrees,
        diplomas,
        heldout,
        licences,
    )

    return tuple(
        layout for layout in _LAYOUTS.values() if schema is None or layout.schema == schema
    )


def select(schema: str, names: Sequence[str] | None = None) -> tuple[Layout, ...]:
    """The layouts with these names; `heldout` and `standard` name a group; None is standard.

    Raises:
        ConfigError: for a schema or a name that no layout has.
    """
    known = layouts(schema)
    if not known:
        have = sorted({layout.schema for layout in layouts()})
        raise ConfigError(f"nothing to generate for schema {schema!r}; there is {', '.join(have)}")
    chosen: dict[str, Layout] = {}
    for name in names or ("standard",):
        found = [
            layout
            for layout in known
            if name == layout.name or name == ("heldout" if layout.heldout else "standard")
        ]
        if not found:
            options = ", ".join(layout.name for layout in known)
            raise ConfigError(
                f"unknown layout {name!r} of {schema}; known are standard, heldout, {options}"
            )
        chosen.update((layout.name, layout) for layout in found)
    return tuple(chosen.values())

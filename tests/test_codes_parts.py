"""Values out of the parts of codes: of machine-readable zones, of identity numbers."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from ocr_moe.codes.checks import passes
from ocr_moe.generation import codes, generate
from ocr_moe.generation.documents.travellers import Passport, draw_passport
from ocr_moe.protocols import State
from ocr_moe.routing.parts import Parts, PartsParams, value_of
from ocr_moe.schema import Field, Schema, load_schema
from ocr_moe.types import Decision, Evidence, Status
from ocr_moe.values.normalize import equal
from tests.conftest import ROOT, Command

PASSPORT = load_schema(ROOT / "config" / "schemas" / "passport.yaml")
ZONE = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"  # ICAO Doc 9303 part 4, the specimen


def decision(value: str | None, confidence: float | None = 0.95, **more: object) -> Decision:
    characters = (0.999,) * len(value or "")
    known = {
        "value": value,
        "confidence": confidence,
        "characters": characters,
        "experts": ("codes",),
    }
    return Decision.model_validate({"status": Status.ABSTAINED, **known, **more})


def bound(schema: Schema = PASSPORT, **known: Decision) -> dict[str, Decision]:
    empty = decision(None, 0.1, experts=())
    decisions = {name: known.get(name.replace(" ", "_"), empty) for name in schema.names}
    return Parts(PartsParams()).bind(State(schema), decisions)


def test_the_parts_of_a_zone_are_values() -> None:
    names = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
    found = bound(zone=decision(ZONE), names=decision(names))
    assert {name: each.value for name, each in found.items() if each.value is not None} == {
        "zone": ZONE,
        "names": names,
        "number": "L898902C3",
        "surname": "ERIKSSON",
        "given names": "ANNA MARIA",
        "issuer": "UTO",
        "nationality": "UTO",
        "birth": "1974-08-12",
        "sex": "F",
        "expiry": "2012-04-15",
    }
    assert found["birth"].confidence == 0.995
    assert found["birth"].experts == ("codes",)


def test_a_part_is_worth_what_its_own_check_digit_says() -> None:
    misread = (
        ZONE[:13] + "740813" + ZONE[19:]
    )  # of the birth date, and so the composite is wrong too
    found = bound(zone=decision(misread, 0.3))
    assert (found["birth"].confidence or 1) <= 0.3
    assert (found["expiry"].confidence or 0) > 0.9
    unsure = (0.999,) * 20 + (0.6,) + (0.999,) * 23
    found = bound(zone=decision(ZONE, 0.95, characters=unsure))
    assert found["sex"].confidence == pytest.approx(0.6)  # no check digit is over it
    assert (found["birth"].confidence or 0) > 0.99


def test_print_and_part() -> None:
    printed = decision("1974-08-12", 0.7, experts=("rules",), characters=())
    found = bound(zone=decision(ZONE), birth=printed)["birth"]
    assert found.experts == ("rules", "codes")
    assert (found.confidence or 0) > 0.99
    other = decision("1974-08-13", 0.7, experts=("rules",), characters=())
    found = bound(zone=decision(ZONE), birth=other)["birth"]
    assert found.value == "1974-08-12"
    assert found.confidence == found.ceiling == 0.5
    assert found.notes == ("birth: zone says 1974-08-12, the print says 1974-08-13",)
    hopeless = decision("1974-08-13", 0.1, experts=("rules",), characters=())
    found = bound(zone=decision(ZONE), birth=hopeless)["birth"]
    assert found.value == "1974-08-12"
    assert (found.confidence or 0) > 0.9
    assert found.notes
    accented = decision("Éríksson", 0.7, experts=("rules",), characters=())
    names = decision("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<")
    assert bound(names=names, surname=accented)["surname"].value == "Éríksson"


def test_one_place_is_one_witness() -> None:
    box = Evidence(box=(0.1, 0.8, 0.9, 0.85), text=ZONE)
    inside = Evidence(box=(0.3, 0.81, 0.4, 0.84), text="740812")
    printed = decision("1974-08-12", 0.7, experts=("rules",), characters=(), evidence=inside)
    weak = decision(ZONE, 0.9, characters=(0.9,) * 44, evidence=box)
    apart = printed.model_copy(update={"evidence": None})
    together = bound(zone=weak, birth=printed)["birth"].confidence or 0
    assert together < (bound(zone=weak, birth=apart)["birth"].confidence or 0)


@pytest.mark.parametrize(
    ("birth", "expiry", "value"),
    [
        ("740812", "120415", "1974-08-12"),
        ("240812", "340415", "2024-08-12"),
        ("350812", "340415", "1935-08-12"),
        ("991399", "340415", None),
        ("74<<12", "340415", None),
        ("740812", "", None),
    ],
)
def test_centuries(birth: str, expiry: str, value: str | None) -> None:
    field = PASSPORT.field("birth")
    assert field.origin is not None
    assert value_of(field, field.origin, birth, expiry) == value


def test_a_birth_date_in_an_identity_number() -> None:
    born = {"field": "id", "part": ["year", "month", "day"]}
    segments = [("region", 6), ("year", 4), ("month", 2), ("day", 2), ("order", 3)]
    schema = Schema.model_validate(
        {
            "name": "card",
            "fields": [
                {
                    "name": "id",
                    "kind": "code",
                    "grammars": [
                        {
                            "name": "resident",
                            "check": "cn_id",
                            "segments": [
                                *({"name": name, "length": length} for name, length in segments),
                                {"name": "check", "length": 1, "alphabet": "0123456789X"},
                            ],
                        }
                    ],
                },
                {"name": "born", "kind": "date", "from": born},
            ],
        }
    )
    found = bound(schema, id=decision("11010519491231002X"))["born"]
    assert found.value == "1949-12-31"
    assert (found.confidence or 0) > 0.95


def test_a_part_that_is_none_is_refused() -> None:
    wrong = PASSPORT.model_dump(mode="json", by_alias=True)
    wrong["fields"][2]["from"]["part"] = ["numbr"]
    with pytest.raises(ValueError, match=r"zone has no part 'numbr' .there are: birth"):
        Schema.model_validate(wrong)
    part = {"field": "zone", "part": "names"}
    field = Field.model_validate({"name": "x", "from": part})
    assert Field.model_validate(field.model_dump(mode="json")) == field


def zone_of(facts: Passport, size: str) -> str:
    """What the check of a zone of a size is over; TD1 and TD2 as ICAO Doc 9303 sets them."""
    _, second = facts.zone
    number, state, birth, sex, expiry = (
        *(second[:10], second[10:13], second[13:20], second[20], second[21:28]),
    )
    if size == "TD3":
        return second
    if size == "TD2":
        line = f"{second[:28]}AB12<<<"
        return line + codes.zone_digit(number + birth + expiry + "AB12<<<")
    optional, more = "AB12".ljust(15, "<"), "<" * 11
    lower = f"{birth}{sex}{expiry}{state}{more}"
    check = codes.zone_digit(number + optional + birth + expiry + more)
    return f"I<{state}{number}{optional}{lower}{check}"


@pytest.mark.parametrize(
    ("size", "check"), [("TD1", "mrz_td1"), ("TD2", "mrz_td2"), ("TD3", "mrz_td3")]
)
def test_checks_of_zones(size: str, check: str) -> None:
    text = zone_of(draw_passport(Random(3)), size)
    assert passes(check, text)
    place = next(i for i, c in enumerate(text) if c.isdigit())
    assert not passes(check, text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :])


@pytest.mark.parametrize(
    ("printed", "zone", "sure"),
    [
        ("MÜLLER", "MUELLER", False),
        ("ŁĄCKA", "LACKA", False),
        ("O'CONNOR", "OCONNOR", True),
        ("GROẞ", "GROSS", False),
        ("ZIELIÑSKA", "ZIELINSKA", False),
        ("KOWALSKA", "KOWALSKA", True),
    ],
)
def test_letters_that_zones_write_otherwise(printed: str, zone: str, sure: bool) -> None:
    names = decision(f"P<UTO{zone}<<ANNA".ljust(44, "<"))
    own = decision(printed, 0.7, experts=("rules",), characters=())
    found = bound(names=names, surname=own)["surname"]
    assert (found.value, found.notes) == (printed, ())
    # Which marks a letter has stands in no zone.
    assert ((found.confidence or 0) > 0.9) is sure
    assert (found.confidence or 0) >= 0.7


def test_a_zone_tells_the_century_of_a_short_year() -> None:
    zone = "L898902C36UTO7408122F3304159ZE184226B<<<<<18"
    short = Evidence(box=(0.6, 0.5, 0.8, 0.53), text="15 APR /AVR 33")
    own = decision("1933-04-15", 0.7, experts=("rules",), characters=(), evidence=short)
    found = bound(zone=decision(zone), expiry=own)["expiry"]
    assert (found.value, found.notes) == ("2033-04-15", ())
    full = own.model_copy(update={"evidence": short.model_copy(update={"text": "15 APR 1933"})})
    assert bound(zone=decision(zone), expiry=full)["expiry"].notes


BORNE_OUT = ("number", "surname", "given names", "nationality", "birth", "sex", "expiry")
"""What a zone says, too: a label that is not read hides none of it."""


@pytest.mark.slow
def test_a_drawn_passport(tmp_path: Path, ocr_moe: Command) -> None:
    scans = tmp_path / "scans"
    [sample] = generate(
        scans, schema="passport", count=1, seed=5, levels=("photo",), layouts=("passport_data",)
    )
    done = ocr_moe("extract", scans, "--schema", "passport", "--out", tmp_path / "run")
    assert done.status == 0, done.err
    record = json.loads((tmp_path / "run" / "records.jsonl").read_text(encoding="utf-8"))
    fields = record["fields"]
    wrong = {
        name: fields[name]["value"]
        for name, value in sample.truth.items()
        if value
        and name in BORNE_OUT
        and not equal(PASSPORT.field(name), fields[name]["value"] or "", value)
    }
    assert wrong == {}
    assert [fields[name]["status"] for name in ("birth", "sex", "expiry")] == ["accepted"] * 3

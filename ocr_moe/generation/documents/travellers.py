"""Random passports of invented people."""

from __future__ import annotations

import unicodedata
from datetime import date, timedelta
from random import Random

from ocr_moe.generation import codes
from ocr_moe.generation.dates import random_day
from ocr_moe.generation.documents.citizens import years_later
from ocr_moe.generation.documents.graduates import draw_name
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import Travellers, passports

_WRITTEN_OUT = {"Ä": "AE", "Ö": "OE", "Ü": "UE", "ß": "SS", "Ø": "OE", "Å": "AA", "Ł": "L"}
"""Of ICAO Doc 9303, part 3, section 6; other letters lose their marks."""
_CHINESE = 4
"""How many Chinese passports there are for one of any other state."""
_UNSTATED = 0.04
"""Share of holders whose sex the page leaves open."""


class Passport(Facts):
    """The data page of one passport."""

    state: str
    """As the zone writes it: D<<."""
    number: str
    surname: str
    given: str
    characters: str
    """The name in Chinese characters; empty where there is none."""
    nationality: str
    """As printed; the zone has the state."""
    birth: str
    birthplace: str
    sex: str
    """F, M or X."""
    issued: str
    expiry: str
    authorities: tuple[str, ...]
    """Who issued it, in each language."""
    labels: str
    """Languages of the form."""
    months: str
    """How dates are printed."""
    personal: str
    """The personal number in the zone."""

    @property
    def zone(self) -> tuple[str, str]:
        """The two lines at the foot."""
        return codes.passport_zone(
            state=self.state,
            surname=zone_name(self.surname),
            given=zone_name(self.given),
            number=self.number,
            birth=date.fromisoformat(self.birth),
            sex="<" if self.sex == "X" else self.sex,
            expiry=date.fromisoformat(self.expiry),
            personal=self.personal,
        )

    def truth(self) -> dict[str, str | None]:
        first, second = self.zone
        return {
            "zone": second,
            "names": first,
            "number": self.number,
            "surname": self.surname,
            "given names": self.given,
            "name in characters": self.characters or None,
            "issuer": self.state.replace("<", ""),
            "nationality": self.state.replace("<", ""),
            "birth": self.birth,
            "place of birth": self.birthplace,
            "sex": self.sex,
            "issued": self.issued,
            "expiry": self.expiry,
            "authority": " ".join(self.authorities),
        }

    @property
    def owner(self) -> str:
        return self.authorities[0]

    @property
    def stem(self) -> str:
        return f"{self.surname}_{self.given}_passport".replace(" ", "_").replace("'", "")


def zone_name(name: str) -> str:
    """A name as machine-readable zones write it.

    >>> zone_name("García-López"), zone_name("O'Connor"), zone_name("Müller")
    ('GARCIA<LOPEZ', 'OCONNOR', 'MUELLER')
    """
    text = "".join(_WRITTEN_OUT.get(char, char) for char in name.upper().replace("'", ""))
    plain = unicodedata.normalize("NFD", text)
    return "".join(char if "A" <= char <= "Z" else "<" for char in plain if char.isascii())


def draw_passport(rng: Random) -> Passport:
    homes = passports().travellers
    home = rng.choices(homes, [_CHINESE if each.state == "CHN" else 1 for each in homes])[0]
    issued = random_day(rng, date(2014, 1, 1), date(2025, 5, 30))
    adult = rng.random() < 0.85
    oldest = issued.year - (19 if adult else 1)
    birth = random_day(rng, date(oldest - (60 if adult else 14), 1, 1), date(oldest, 12, 28))
    expiry = years_later(issued, 10 if adult else 5)
    if rng.random() < 0.7:
        expiry -= timedelta(days=1)
    sex = "X" if rng.random() < _UNSTATED and home.state != "CHN" else rng.choice("FM")
    return Passport(
        state=home.state,
        number=_number(rng, home),
        surname=rng.choice(home.family),
        given=rng.choice(home.given),
        characters=draw_name(rng, birth.year)[0].split("·")[0] if home.state == "CHN" else "",
        nationality=home.nationality,
        birth=birth.isoformat(),
        birthplace=rng.choice(home.places),
        sex=sex,
        issued=issued.isoformat(),
        expiry=expiry.isoformat(),
        authorities=tuple(rng.choice(home.authorities).split("/")),
        labels=home.labels,
        months=home.months,
        personal="".join(rng.choices("0123456789", k=rng.choice((8, 11, 14))))
        if rng.random() < 0.25
        else "",
    )


def _number(rng: Random, home: Travellers) -> str:
    if home.state == "CHN":
        return rng.choice(("G", "E", "E", "E", "EA", "EC")).ljust(2, rng.choice("0123456789")) + (
            f"{rng.randrange(10**7):07d}"
        )
    form = rng.choice(("LLDDDDDDD", "DDDDDDDDD", "DDLLDDDDD", "LDDDDDDD", "LDDDDDDDD"))
    drawn = {"L": "ABCDEFGHJKLMNPRSTVWXYZ", "D": "0123456789"}
    return "".join(rng.choice(drawn[each]) for each in form)

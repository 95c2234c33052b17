"""Random university diplomas in English."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Literal

from ocr_moe.generation.dates import random_day
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import english_diplomas

Custom = Literal["american", "british"]


class EnglishDiploma(Facts):
    """One diploma of a degree."""

    custom: Custom
    """Of which country's universities its words are."""
    name: str
    institution: str
    place: str
    degree: str
    level: str
    major: str
    honours: str
    awarded: str
    number: str

    def truth(self) -> dict[str, str | None]:
        return {
            "name": self.name,
            "institution": self.institution,
            "degree": self.degree,
            "level": self.level,
            "major": self.major or None,
            "honours": self.honours or None,
            "date": self.awarded,
            "number": self.number or None,
        }

    @property
    def stem(self) -> str:
        return f"{self.name}_diploma"

    @property
    def owner(self) -> str:
        return self.institution


def draw_english_diploma(rng: Random) -> EnglishDiploma:
    """A random diploma."""
    words = english_diplomas()
    custom: Custom = rng.choice(("american", "american", "british"))
    degree = rng.choice(words.degrees)
    name = " ".join(
        filter(None, (rng.choice(words.given), rng.choice(words.middle), rng.choice(words.family)))
    )
    day = random_day(rng, date(1988, 1, 10), date(2025, 5, 30))
    chance = 0.5 if degree.level in ("Bachelor", "Associate") or custom == "british" else 0.0
    serial = rng.randrange(10**5)
    number = rng.choice(
        (
            f"{serial + 10**5}",
            f"{day.year}-{rng.choice(('BSME', 'BA', 'MSC', 'PHD', 'UG'))}-{serial:05d}",
            f"{rng.choice('ABDLW')}{serial:06d}",
            f"{day.year}/{serial:05d}",
        )
    )
    return EnglishDiploma(
        custom=custom,
        name=name,
        institution=rng.choice(words.institutions),
        place=rng.choice(words.places),
        degree=degree.title,
        level=degree.level,
        major=rng.choice(degree.fields),
        honours=rng.choice(words.honours[custom]) if rng.random() < chance else "",
        awarded=day.isoformat(),
        number=number if rng.random() < 0.6 else "",
    )

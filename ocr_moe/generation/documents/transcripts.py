"""Random transcripts of records: a student and the courses taken."""

from __future__ import annotations

from datetime import date
from random import Random

from ocr_moe.generation.dates import random_day
from ocr_moe.generation.documents.graduates import draw_person
from ocr_moe.generation.facts import Facts, Rows
from ocr_moe.generation.lexicons import courses, english_words, schools, table
from ocr_moe.types import Value


class Course(Value):
    """A row of a transcript."""

    name: str
    kind: str
    hours: str
    credits: str
    mark: str
    points: str
    """绩点 of the mark."""
    term: str


class Transcript(Facts):
    """One transcript, in Chinese or in English."""

    english: bool
    name: str
    sex: str
    number: str
    school: str
    college: str
    major: str
    start: str
    """ISO month of entry."""
    years: int
    courses: tuple[Course, ...]
    average: str
    """The grade point average."""
    credits: str
    """Of all courses."""
    issued: str

    def truth(self) -> dict[str, str | None]:
        return {
            "学校": self.school,
            "姓名": self.name,
            "学号": self.number,
            "学院": self.college or None,
            "专业": self.major,
            "入学日期": self.start,
            "平均学分绩点": self.average,
            "总学分": self.credits,
            "出具日期": self.issued,
        }

    def rows(self) -> dict[str, Rows]:
        return {"课程": tuple(row_of(self, n) for n in range(len(self.courses)))}

    @property
    def stem(self) -> str:
        return f"{self.name}_成绩单"

    @property
    def owner(self) -> str:
        return self.school


COLUMNS = ("序号", "课程名称", "课程性质", "学时", "学分", "成绩", "绩点", "学期")


def row_of(facts: Transcript, n: int) -> dict[str, str]:
    """All that a transcript can say of its course number `n`, by column."""
    each = facts.courses[n]
    cells = (
        str(n + 1), each.name, each.kind, each.hours, each.credits, each.mark, each.points, each.term,
    )  # fmt: skip
    return dict(zip(COLUMNS, cells, strict=True))


def draw_transcript(
    rng: Random, *, count: int | None = None, english: bool | None = None
) -> Transcript:
    """A random transcript, with so many courses and in that language where it matters."""
    if english is None:
        english = rng.random() < 0.3
    start = rng.randint(2008, 2020)
    person = draw_person(rng, start - rng.randint(17, 20))
    school = rng.choice([each for each in schools() if each.level == "本科"])
    major = rng.choice([row for row in table("majors.csv") if "本" in row["levels"]])
    taken = _courses(rng, count or rng.randint(14, 36), start, english)
    total = sum(float(each.credits) for each in taken)
    average = sum(float(each.credits) * float(each.points) for each in taken) / total
    return Transcript(
        english=english,
        name=_latin(rng, person.name) if english else person.name,
        sex=("Male" if person.sex == "男" else "Female") if english else person.sex,
        number=_number(rng, start),
        school=school.english if english else school.name,
        college="" if english else rng.choice(courses().colleges),
        major=major["english"] if english else major["name"],
        start=f"{start}-09",
        years=4,
        courses=taken,
        average=f"{average:.2f}",
        credits=f"{total:g}",
        issued=random_day(rng, date(start + 4, 5, 20), date(start + 5, 3, 1)).isoformat(),
    )


def _courses(rng: Random, count: int, start: int, english: bool) -> tuple[Course, ...]:
    words = courses()
    names: dict[str, None] = {}
    while len(names) < count:
        if english:
            name = rng.choice(words.english)
            names.setdefault(
                name if name not in names else f"{name} {rng.choice(('I', 'II', 'III'))}"
            )
        else:
            names.setdefault(rng.choice(words.courses) + rng.choice(words.parts))
    return tuple(
        _course(rng, name, start + index * 4 // count, index % 2 + 1, english)
        for index, name in enumerate(names)
    )


def _course(rng: Random, name: str, year: int, half: int, english: bool) -> Course:
    credit = rng.choice(("1", "2", "3", "4", "1.5", "2.5", "5.5"))
    mark = rng.randint(60, 99)
    graded = rng.random() < 0.16
    letters = ("A-", "B+", "B") if english else ("优", "良", "中")
    return Course(
        name=name,
        kind=rng.choice(courses().english_kinds if english else courses().kinds),
        hours=f"{float(credit) * 16:g}",
        credits=credit,
        mark=rng.choice(letters) if graded else str(mark),
        points=rng.choice(("3.7", "3.3", "3.0")) if graded else f"{max(1.0, (mark - 50) / 10):.1f}",
        term=f"{year}-{year + 1}-{half}",
    )


def _number(rng: Random, start: int) -> str:
    length = rng.choice((6, 4, 8))
    digits = f"{rng.randrange(10**length):0{length}d}"
    return f"{start}{digits}" if rng.random() < 0.7 else f"{start % 100:02d}{digits}"


def _latin(rng: Random, name: str) -> str:
    syllables = english_words().syllables
    family, *given = (rng.choice(syllables) for _ in range(min(3, len(name))))
    return f"{family.capitalize()} {''.join(given).capitalize() or 'Yi'}"

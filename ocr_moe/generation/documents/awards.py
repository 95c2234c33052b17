"""Random award certificates: of competitions, honours and scholarships."""

from __future__ import annotations

from datetime import date
from random import Random
from typing import Literal

from ocr_moe.generation.dates import chinese_number, random_day
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.documents.graduates import draw_name
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.lexicons import awards, regions, schools

Sort = Literal["competition", "honour", "scholarship"]

LEVELS = {
    "特等奖": "特等奖",
    "一等奖": "一等奖",
    "二等奖": "二等奖",
    "三等奖": "三等奖",
    "优秀奖": "优秀奖",
    "优胜奖": "优胜奖",
    "金奖": "金奖",
    "银奖": "银奖",
    "铜奖": "铜奖",
    "第一名": "第一名",
    "第二名": "第二名",
    "第三名": "第三名",
    "冠军": "冠军",
    "亚军": "亚军",
    "季军": "季军",
}


class Award(Facts):
    """One award certificate."""

    sort: Sort
    name: str
    """Of one person, or of several, parted by 、."""
    title: str
    """What stands behind the name: 同学, 老师, or nothing."""
    school: str
    event: str
    award: str
    work: str
    advisor: str
    term: str
    """The time or the work for which an honour is given."""
    held: str
    """ISO: the day of the competition, which is not that of the certificate."""
    issuer: str
    issued: str
    number: str

    def truth(self) -> dict[str, str | None]:
        level = next((level for word, level in LEVELS.items() if self.award.endswith(word)), None)
        return {
            "姓名": self.name,
            "奖项": self.award,
            "获奖等级": level,
            "活动名称": self.event or None,
            "作品名称": self.work or None,
            "指导教师": self.advisor or None,
            "颁发单位": self.issuer,
            "颁发日期": self.issued,
            "证书编号": self.number or None,
        }

    @property
    def stem(self) -> str:
        return f"{self.name.split('、')[0]}_获奖证书"

    @property
    def owner(self) -> str:
        return self.issuer


def draw_award(rng: Random) -> Award:
    """A random award certificate."""
    words = awards()
    sort: Sort = rng.choices(("competition", "honour", "scholarship"), weights=(55, 30, 15))[0]
    day = random_day(rng, date(2008, 3, 1), date(2025, 5, 30))
    birth = day.year - rng.randint(19, 40)
    names = [draw_name(rng, birth)[0] for _ in range(1 if sort != "competition" else _team(rng))]
    school = rng.choice(schools()).name
    event = award = ""
    if sort == "competition":
        nth = chinese_number(rng.randint(2, 19))
        event = rng.choice(words.events).format(year=day.year, nth=nth)
        award = rng.choice(words.groups) + rng.choice(words.prizes)
    else:
        award = rng.choice(words.honours if sort == "honour" else words.scholarships)
    region = rng.choice(regions())
    body = rng.choice([each for each in words.bodies if event or "{event}" not in each])
    issuer = body.format(
        event=event,
        school=school,
        city=region.short_city,
        province=region.province,
        company=draw_licence(rng, family="company").name,
        field=rng.choice(words.fields),
    )
    term = rng.choice((f"{day.year - 1}-{day.year}学年", f"{day.year - 1}年度", f"{day.year}年"))
    held = date.fromordinal(day.toordinal() - rng.randint(5, 60))
    title = rng.choice(("同学", "同学", "同志", "老师", "")) if len(names) == 1 else ""
    return Award(
        sort=sort,
        name="、".join(names),
        title=title,
        school=school,
        event=event,
        award=award,
        work=rng.choice(words.works) if sort == "competition" else "",
        advisor=draw_name(rng, 1975)[0] if sort == "competition" else "",
        term=term,
        held=held.isoformat(),
        issuer=issuer,
        issued=day.isoformat() if rng.random() < 0.85 else day.isoformat()[:7],
        number=_number(rng, day.year) if rng.random() < 0.6 else "",
    )


def _team(rng: Random) -> int:
    return rng.choices((1, 2, 3), weights=(82, 6, 12))[0]


def _number(rng: Random, year: int) -> str:
    running = rng.randrange(1, 99999)
    return rng.choice(
        (
            f"{year}{running:05d}",
            f"{rng.choice(('CUMCM', 'ZS', 'HJ', 'LQB', 'JSDS'))}{year}{running:05d}",
            f"{rng.choice(('ZS', 'HJ', 'RY'))}-{year}-{running % 10000:04d}",
            f"{year}{rng.randrange(1, 13):02d}{running:06d}",
            f"NO.{year}{running:04d}",
        )
    ).removeprefix("NO.")

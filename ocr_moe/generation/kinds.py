"""The kinds of documents that can be drawn: how a set of each comes about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from ocr_moe.generation.documents.awards import draw_award
from ocr_moe.generation.documents.businesses import draw_licence
from ocr_moe.generation.documents.drivers import draw_driving_licence
from ocr_moe.generation.documents.englishdiplomas import draw_english_diploma
from ocr_moe.generation.documents.graduates import draw_certificates, draw_further
from ocr_moe.generation.documents.households import draw_household_member
from ocr_moe.generation.documents.identitycards import draw_identity_card
from ocr_moe.generation.documents.invoices import draw_invoice
from ocr_moe.generation.documents.qualifications import draw_qualification
from ocr_moe.generation.documents.transcripts import draw_transcript
from ocr_moe.generation.documents.travellers import draw_passport
from ocr_moe.generation.facts import Facts
from ocr_moe.generation.layouts import Layout

Documents: TypeAlias = Iterator[tuple[Facts, Layout]]


@dataclass(frozen=True)
class Kind:
    """What is drawn for one schema."""

    schema: str
    documents: Callable[[Random, Sequence[Layout]], Documents]
    """Without end: what a document says, and on which of the layouts it is set."""
    code: str = ""
    """The field over which a second seal may lie; empty where none ever does."""
    seals: tuple[str, ...] = ()
    """What such a seal is for."""


def kinds() -> dict[str, Kind]:
    """All, by schema."""
    return {kind.schema: kind for kind in _KINDS}


def kind_of(schema: str) -> Kind:
    """The kind of a schema.

    Raises:
        KeyError: nothing is drawn for it.
    """
    return kinds()[schema]


def each_of(draw: Callable[[Random], Facts]) -> Callable[[Random, Sequence[Layout]], Documents]:
    """Documents one after the other, each independent of the others."""

    def documents(rng: Random, chosen: Sequence[Layout]) -> Documents:
        used: Counter[str] = Counter()
        while True:
            facts = draw(rng)
            fitting = [layout for layout in chosen if layout.accepts(facts)]
            if fitting:
                yield facts, _pick(rng, fitting, used)

    return documents


def _certificates(rng: Random, chosen: Sequence[Layout]) -> Documents:
    """Certificates, student by student; now and then one of an earlier student's name.

    Where there are layouts for holders of several kinds, the kinds take turns by chance.
    """
    holders = sorted({layout.holder for layout in chosen})
    others = [holder for holder in holders if holder != "mainland"]
    seen: list[str] = []
    used: Counter[str] = Counter()
    older = sum(layout.weight for layout in chosen if layout.older)
    share = 0.9 * older / sum(layout.weight for layout in chosen)
    while True:
        holder = rng.choice(holders) if others else "mainland"
        if holder != "mainland":
            facts = draw_further(rng, holder)
            yield facts, _pick(rng, [layout for layout in chosen if layout.accepts(facts)], used)
            continue
        name = rng.choice(seen) if seen and rng.random() < 0.03 else None
        certificates = draw_certificates(rng, older=rng.random() < share, name=name)
        seen.append(certificates[0].person.name)
        for facts in certificates:
            before = int(facts.issued[:4]) < 2003
            fitting = [
                layout
                for layout in chosen
                if layout.accepts(facts) and (before or not layout.older)
            ]
            if fitting:
                yield facts, _pick(rng, fitting, used)


def _pick(rng: Random, fitting: Sequence[Layout], used: Counter[str]) -> Layout:
    """By weight, but sooner what was used seldom: small sets then show every layout."""
    weights = [layout.weight / (1 + used[layout.name] / layout.weight) ** 2 for layout in fitting]
    layout = rng.choices(fitting, weights)[0]
    used[layout.name] += 1
    return layout


_KINDS = (
    Kind(
        "graduation_certificate",
        _certificates,
        code="证书编号",
        seals=("学历证书专用章", "教务处", "证书专用章", "学籍专用章"),
    ),
    Kind(
        "business_license",
        each_of(lambda rng: draw_licence(rng, era="old" if rng.random() < 0.35 else "modern")),
        code="统一社会信用代码",
        seals=("登记专用章", "企业登记专用章", "注册登记专用章"),
    ),
    Kind("vat_invoice", each_of(draw_invoice)),
    Kind("award_certificate", each_of(draw_award), code="证书编号", seals=("教务处", "学生工作处")),
    Kind("resident_identity_card", each_of(draw_identity_card)),
    Kind("passport", each_of(draw_passport)),
    Kind("driving_license", each_of(draw_driving_licence)),
    Kind("household_register", each_of(draw_household_member)),
    Kind("professional_qualification", each_of(draw_qualification)),
    Kind("transcript", each_of(draw_transcript)),
    Kind("english_diploma", each_of(draw_english_diploma)),
)

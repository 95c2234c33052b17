"""From files to a drafted schema that stands in its own file, with the samples at hand."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from ocr_moe.drafting.columns import Verified, read_sheet
from ocr_moe.drafting.draft import crossed, drafted
from ocr_moe.drafting.naming import named
from ocr_moe.drafting.printing import printed_of
from ocr_moe.drafting.samples import Samples, read_samples
from ocr_moe.drafting.scores import Share
from ocr_moe.drafting.session import Drafting
from ocr_moe.errors import ChatError, EndpointMissingError, UsageError
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.intake.sources import Source
from ocr_moe.run.outcome import Notice
from ocr_moe.workshop.build import Workshop

_ENDPOINT = "text"
"""The chat endpoint that is asked for names."""
_YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Wish:
    """What is to be drafted."""

    file: Path
    sheet: Path | None = None
    name: str = ""
    count: int = 20
    strategy: str = "rules"
    llm: bool = True
    language: Language = "en"
    """Of the comments."""


def suggested(
    sources: Collection[Source],
    workshop: Workshop,
    wish: Wish,
    kept: Path | None,
    *,
    report: Callable[[int, int], None],
    notice: Callable[[Notice], None],
    trouble: Callable[[str], None],
) -> Drafting:
    """Draft a schema and write it. Raises UsageError and its kin, before anything is read where the file
    cannot be the draft's."""
    if wish.file.suffix.lower() not in _YAML:
        raise UsageError(f"{wish.file}: a schema is a YAML file; name it something.yaml")
    if wish.file.exists():
        raise UsageError(
            f"{wish.file} exists, and somebody may have worked in it; name another file with --out"
        )
    if wish.count < 1:
        raise UsageError("--count: at least one sample is needed")
    workshop.strategy(wish.strategy)
    samples = _samples(sources, workshop, wish, kept, report, notice)
    try:
        for each in samples.unread:
            trouble(f"{each.name}: {note_in(each.why, wish.language)}")
        return _drafting(samples, workshop, wish, trouble)
    except BaseException:
        samples.close()
        raise


def _samples(
    sources: Collection[Source],
    workshop: Workshop,
    wish: Wish,
    kept: Path | None,
    report: Callable[[int, int], None],
    notice: Callable[[Notice], None],
) -> Samples:
    sheets = () if wish.sheet is None else (wish.sheet,)
    with tempfile.TemporaryDirectory(prefix="ocr-moe-") as folder:
        return read_samples(
            sources,
            workshop,
            count=wish.count,
            kept=kept or Path(folder),
            named=sheets,
            report=report,
            notice=notice,
        )


def _drafting(
    samples: Samples, workshop: Workshop, wish: Wish, trouble: Callable[[str], None]
) -> Drafting:
    verified: Verified | None = None
    if wish.sheet is not None:
        pages = printed_of(samples.documents)
        truth = workshop.config.truth
        verified = read_sheet(wish.sheet, truth, samples.documents, pages)
        for problem in verified.problems:
            trouble(problem.told(wish.language))
    draft = drafted(samples, verified, name=wish.name, file=wish.file)
    if wish.llm:
        try:
            chat = workshop.chat(_ENDPOINT)
            draft = named(draft, samples.documents, chat, rename=verified is None)
        except EndpointMissingError:
            pass  # nobody configured one
        except ChatError as error:
            trouble(str(error))
    left_out: Mapping[str, Share] = {}
    if verified is not None:
        left_out = crossed(samples, verified, wish.strategy)
    drafting = Drafting(
        samples,
        draft.text(wish.language),
        wish.file,
        verified=verified,
        strategy=wish.strategy,
        crossed=left_out,
        nowhere=draft.nowhere,
    )
    drafting.save(drafting.text)
    return drafting

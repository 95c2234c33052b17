"""By what a kind of document is told: its title, and the words that stand on nearly all of the
samples."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocr_moe.drafting.printing import Printed, enough, folded, is_wording, wide
from ocr_moe.folds import HAN
from ocr_moe.reading.layout import Piece
from ocr_moe.schema import forms_of

_NEARLY_ALL = 0.6
"""Share of the samples on which a word stands by which they are known."""
_WORDS = 7
_LONGEST = 16
"""Characters of such a word, Latin letters by half."""
_TITLE_WEIGHT, _WORD_WEIGHT, _LABEL_WEIGHT = 3.0, 2.0, 1.0
_UPPER = 0.55
"""Part of a page, from the top, in which titles stand."""
_LARGER = 1.25
"""Times the height of the text from which print is a title."""
_TITLED = 0.3
"""Share of the samples on which a title stands."""
_NEARLY = 0.8
_LATIN_TITLE = 4
"""Letters of a title of Latin words at least."""
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


@dataclass(frozen=True)
class Identity:
    """What tells the kind."""

    title: str
    titled: int
    """Samples on which the title stands."""
    words: dict[str, float]
    """Word → weight."""
    seen: dict[str, int]
    """Word → samples on which it stands."""


def identity_of(pages: Sequence[Printed], samples: int, labels: Mapping[str, int]) -> Identity:
    """The title and the words of so many samples; labels, with the samples on which each is found, count
    as words as well."""
    seen: dict[str, set[int]] = defaultdict(set)
    largest: dict[int, tuple[float, str]] = {}
    printed: dict[str, Counter[str]] = defaultdict(Counter)
    for page in pages:
        if page.number > 1:
            continue
        bottom = max((p.v for p in page.layout.pieces), default=1.0)
        for row in page.layout.rows:
            texts = [(piece.text, piece.height, piece.v) for piece in row]
            if len(row) > 1 and all(_is_spaced(piece, page) for piece in row):
                whole = "".join(piece.text for piece in row)
                texts.append((whole, max(p.height for p in row), row[0].v))
            for text, height, v in texts:
                key = folded(text)
                if not is_wording(key) or not 2 <= wide(key) <= _LONGEST or set(":*") & set(text):
                    continue
                seen[key].add(page.sample)
                printed[key][text.strip(" .,;*")] += 1
                size = height / page.layout.height
                if v <= _UPPER * bottom and size >= max(
                    _LARGER, largest.get(page.sample, (0.0, ""))[0]
                ):
                    largest[page.sample] = size, text.strip(" .,;*")
    title, titled = _title({sample: text for sample, (_, text) in largest.items()}, samples)
    weights: dict[str, float] = {}
    counts: dict[str, int] = {}
    if title:
        weights[title], counts[title] = _TITLE_WEIGHT, titled
    least = max(enough(samples), _NEARLY_ALL * samples)
    of_labels = {folded(form): label for label in labels for form in forms_of(label)}
    usual = {
        printed[key].most_common(1)[0][0]: len(where)
        for key, where in seen.items()
        if len(where) >= least and key != folded(title) and key not in of_labels
    }
    announcing = {label: count for label, count in labels.items() if count >= least}
    for words, weight in ((usual, _WORD_WEIGHT), (announcing, _LABEL_WEIGHT)):
        for word in sorted(words, key=lambda word: -words[word])[:_WORDS]:
            weights[word], counts[word] = weight, words[word]
    return Identity(title, titled, weights, counts)


def _title(large: Mapping[int, str], samples: int) -> tuple[str, int]:
    """What the largest print of most samples has in common, and on how many of them that stands."""
    seen: dict[str, set[int]] = defaultdict(set)
    for sample, text in large.items():
        shortest = 2 if HAN.search(text) else _LATIN_TITLE
        for start in range(len(text)):
            for end in range(start + shortest, len(text) + 1):
                part = text[start:end]
                if HAN.search(text) or _is_whole(text, start, end):
                    seen[part].add(sample)
    often = max(map(len, seen.values()), default=0)
    if often < max(1 if samples == 1 else 2, _TITLED * samples):
        return "", 0
    # Nearly as often, the longest: that the last letter was misread on one sample takes none from it.
    best = max(
        (part for part, where in seen.items() if len(where) >= _NEARLY * often),
        key=lambda part: (len(part), len(seen[part]), part),
    )
    return best, len(seen[best])


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a part of a text of Latin words is made of whole ones."""
    before, after = text[:start][-1:], text[end:][:1]
    return (
        not (before.isalnum() or after.isalnum())
        and not text[start].isspace()
        and not text[end - 1].isspace()
    )


def _is_spaced(piece: Piece, page: Printed) -> bool:
    """Whether a box may be a letter of a title that is spaced out, and not one of print down the
    page."""
    return len(piece.glyphs) <= 2 and len(page.text.lines[piece.glyphs[0].line].text.strip()) <= 2


def slug_of(*texts: str) -> str:
    """A schema's name from the first of these texts that has Latin letters; else `document`."""
    for text in texts:
        slug = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
        if _SLUG.fullmatch(slug) and len(slug) > 2:
            return slug[:40].rstrip("_")
    return "document"

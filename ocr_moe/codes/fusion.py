"""One reading out of several views of a code, by one or several recognisers.

Every view votes with exact log-likelihoods for the union of all views' hypotheses.  A view's votes
are relative to its own favourite and bounded, so that a ruined view abstains instead of vetoing.
Views of one recogniser see the same pixels and err together: they are averaged; recognisers of
different families are added (a log-linear pool, Genest and Zidek 1986).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import Field as PydanticField
from rapidfuzz.distance import Levenshtein

from ocr_moe.codes.decoding import Emissions, Hypothesis, score
from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.codes.placing import Row
from ocr_moe.types import Value

_IMPOSSIBLE = -200.0  # nats; a code that has no alignment with a view


@dataclass(frozen=True)
class View:
    """What one recogniser saw in one crop of the code."""

    recognizer: str
    crop: str
    """Which way the crop was cut and treated."""
    emissions: Emissions
    free: str
    """The code-like run that the recogniser reads without a grammar."""
    hypotheses: tuple[Hypothesis, ...]
    """The codes that the emissions speak for, the likeliest first."""
    rows: tuple[Row, ...] = ()
    """The strips to which the emissions' time steps belong, one after the other."""


class FusionParams(Value):
    """Weights of the pool, in nats; chosen on generated documents."""

    weights: dict[str, float] = {}
    """Recogniser → weight of its votes; 1 where it is not named."""
    temper: float = PydanticField(default=0.6, gt=0.0, le=1.0)
    """Exponent on all votes: recognisers are surer than they are right, and err together. With 0.6
    the true codes of 283 generated certificates are likelier than with 1 by 18 nats."""
    bound: float = 14.0
    """The most that one view may hold against a code."""
    check_passed: float = 4.0
    """What a right check character is worth; a printed wrong one is rare but happens."""
    part_passed: float = 2.3
    """What the right check digit of a part of the code is worth: one in ten is right by chance."""
    hint_passed: float = 1.5
    """What each hint of the grammar that a code passes is worth, likely beginnings among them."""
    announced: float = 2.0
    """What the label that goes with a variant is worth."""
    elsewhere: float = 9.0
    """How much less likely than the best hypothesis "none of them" is taken to be."""
    best: int = 20
    """How many hypotheses are listed, of every view and of the pool."""
    beam: int = 24
    """Width of the search for them."""


@dataclass(frozen=True)
class Fused:
    """Hypotheses with normalised log-probabilities, the likeliest first, and what tells of them."""

    codes: tuple[tuple[str, float], ...]
    characters: tuple[float, ...]
    """For each character of the likeliest code the probability that it is right."""
    grammar: CodeGrammar
    checked: bool | None
    features: Mapping[str, float] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.codes[0][0]


def fuse(
    views: Sequence[View],
    grammars: Sequence[CodeGrammar],
    params: FusionParams,
    announced: str | None = None,
) -> Fused | None:
    """The fused reading, or None where no view holds a code of any grammar.

    `announced` is the label beside the code.
    """
    codes = sorted({h.code for view in views for h in view.hypotheses})
    if not codes:
        return None
    likelihoods = [[max(x, _IMPOSSIBLE) for x in score(view.emissions, codes)] for view in views]
    recognizers = sorted({view.recognizer for view in views})
    pooled = []
    priors = [_prior(code, grammars, params, announced) for code in codes]
    for i in range(len(codes)):
        total = priors[i]
        for recognizer in recognizers:
            own = [
                max(likelihoods[k][i] - max(likelihoods[k]), -params.bound)
                for k, view in enumerate(views)
                if view.recognizer == recognizer
            ]
            weight = params.temper * params.weights.get(recognizer, 1.0)
            total += weight * sum(own) / len(own)
        pooled.append(total)
    order = sorted(range(len(codes)), key=lambda i: (-pooled[i], codes[i]))
    best = order[0]
    mass = math.log(sum(math.exp(p - pooled[best]) for p in pooled) + math.exp(-params.elsewhere))
    ranked = [(codes[i], pooled[i] - pooled[best] - mass) for i in order[: params.best]]
    winner = codes[best]
    grammar = next(
        g
        for g in sorted(grammars, key=lambda g: -_grammar_prior(winner, g, params, announced))
        if g.matches(winner)
    )
    characters = _characters(winner, ranked)
    favourites = [view.hypotheses[0].code for view in views if view.hypotheses]
    gaps = [
        min(max(score(view.emissions, [view.free])[0] - likelihoods[k][best], 0.0), 50.0)
        for k, view in enumerate(views)
    ]
    margin = pooled[best] - pooled[order[1]] if len(order) > 1 else params.bound
    features = {
        "logprob": min(max(likelihoods[k][best] for k in range(len(views))), 0.0) / len(winner),
        "logprob_mean": max(
            sum(likelihoods[k][best] for k in range(len(views))) / len(views) / len(winner), -20.0
        ),
        "margin": min(margin, 30.0),
        "margin_character": min(characters),
        "gap": min(gaps),
        "gap_mean": sum(gaps) / len(gaps),
        "views": float(len(views)),
        "agreement": sum(c == winner for c in favourites) / len(views),
        "agreement_free": sum(view.free == winner for view in views) / len(views),
        "check": 0.0 if grammar.check is None else 1.0 if grammar.checks(winner) else -1.0,
    }
    for recognizer in recognizers:
        own_views = [k for k, view in enumerate(views) if view.recognizer == recognizer]
        features[f"vote_{recognizer}"] = sum(
            max(likelihoods[k][best] - max(likelihoods[k]), -params.bound) for k in own_views
        ) / len(own_views)
    return Fused(tuple(ranked), characters, grammar, grammar.checks(winner), features)


def _prior(
    code: str, grammars: Sequence[CodeGrammar], params: FusionParams, announced: str | None
) -> float:
    return max(
        (_grammar_prior(code, g, params, announced) for g in grammars if g.matches(code)),
        default=-params.bound,
    )


def _grammar_prior(
    code: str, grammar: CodeGrammar, params: FusionParams, announced: str | None
) -> float:
    prior = math.log(grammar.weight)
    if grammar.check is not None and grammar.checks(code):
        prior += params.check_passed
    prior += params.part_passed * sum(grammar.part_checks(code).values())
    prior += params.hint_passed * grammar.hinted(code)
    if announced is not None and announced in grammar.labels:
        prior += params.announced
    return prior


def _characters(winner: str, ranked: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Probability of each character of `winner`: the mass of the hypotheses that share it."""
    against = [1.0 - sum(math.exp(p) for _, p in ranked)] * len(winner)
    for code, logprob in ranked[1:]:
        for edit in Levenshtein.editops(winner, code):
            position = min(edit.src_pos, len(winner) - 1)
            against[position] += math.exp(logprob)
    return tuple(min(max(1.0 - a, 0.0), 1.0) for a in against)

"""Grammars compiled to one deterministic automaton that the decoder walks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ocr_moe.codes.grammar import CodeGrammar

_Node = tuple[int, int, int, str]
"""Grammar, segment, characters read in the segment, and the text of a segment of listed values."""
State = frozenset[_Node]


class Automaton:
    """Accepts exactly the codes of the given grammars; state 0 is the start.

    Determinised as it is walked (subset construction), and safe to share between threads: a state
    that two threads discover together is the same set of nodes either way.
    """

    def __init__(self, grammars: Sequence[CodeGrammar]) -> None:
        self.grammars = tuple(grammars)
        self.characters = frozenset().union(*(g.characters for g in self.grammars))
        total = sum(g.weight for g in self.grammars)
        self._log_weights = [math.log(g.weight / total) for g in self.grammars]
        self._moves: dict[State, dict[str, State]] = {}
        self._ends: dict[State, float | None] = {}
        self.start = self._close({(g, 0, 0, "") for g in range(len(self.grammars))})

    def moves(self, state: State) -> Mapping[str, State]:
        """Character → next state."""
        known = self._moves.get(state)
        if known is None:
            reached: dict[str, set[_Node]] = {}
            for node in state:
                for character, following in self._steps(node):
                    reached.setdefault(character, set()).add(following)
            known = {c: self._close(nodes) for c, nodes in reached.items()}
            self._moves[state] = known
        return known

    def log_weight(self, state: State) -> float | None:
        """Log of the weight of the likeliest grammar that ends here, or None where none does."""
        if state not in self._ends:
            whole = [g for g, s, _, _ in state if s == len(self.grammars[g].segments)]
            self._ends[state] = max((self._log_weights[g] for g in whole), default=None)
        return self._ends[state]

    def _steps(self, node: _Node) -> list[tuple[str, _Node]]:
        grammar, index, read, text = node
        segments = self.grammars[grammar].segments
        if index == len(segments):
            return []
        segment = segments[index]
        if segment.values:
            longer = {
                value[: read + 1]
                for value in segment.choices
                if len(value) > read and value.startswith(text)
            }
            return [(t[-1], (grammar, index, read + 1, t)) for t in longer]
        if read == segment.longest:
            return []
        return [(c, (grammar, index, read + 1, "")) for c in segment.characters]

    def _close(self, nodes: set[_Node]) -> State:
        """Add the beginnings of segments whose predecessor may end here."""
        closed = set(nodes)
        pending = list(nodes)
        while pending:
            grammar, index, read, text = pending.pop()
            segments = self.grammars[grammar].segments
            if index == len(segments):
                continue
            segment = segments[index]
            complete = text in segment.choices if segment.values else read >= segment.length
            following = (grammar, index + 1, 0, "")
            if complete and following not in closed:
                closed.add(following)
                pending.append(following)
        return frozenset(closed)


def compiled(grammars: Sequence[CodeGrammar]) -> Automaton:
    """The automaton of these grammars, built once a process."""
    return _compiled(tuple(grammar.model_dump_json() for grammar in grammars))


@lru_cache(maxsize=64)
def _compiled(declarations: tuple[str, ...]) -> Automaton:
    return Automaton([CodeGrammar.model_validate_json(text) for text in declarations])

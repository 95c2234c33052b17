"""English words that speak well or ill of something, as news and reviews use them.

Written for this package. Stems: a word counts that is one of them with an ending of its own (-s, -ed, -ing,
-ly, …).
"""

from __future__ import annotations

import re

_POSITIVE = frozenset(
    """
    achieve acclaim accolade admire advance affordable agree amazing appreciate award beautiful benefit best
    better boom boost brave breakthrough bright brilliant celebrate champion charm cheer clean
    comfortable congratulate convenient creative delight delicious dependable durable eager easy effective
    efficient elegant enjoy excellent excite expand fair famous fantastic fast favourite favorite flourish
    fresh friend fun gain generous glad gold good grateful great grow happy healthy help honest honour
    honor hope improve impressive increase innovate inspire joy love loyal lucky lush milestone
    modern nice optimist outperform outstanding peace perfect pleasant please popular positive powerful
    praise prize profit progress promise prosper protect proud quick rally rebound recommend recover
    reliable relief remarkable rescue resilient restore reward rich rise safe satisfy save secure shine smart
    smooth soar solid solve stable strong succeed success superb support surge surpass sustain talent terrific
    thank thrill thrive triumph trust upbeat upgrade useful valuable vibrant victory warm welcome well win
    wonderful won worthy
    """.split()
)
_NEGATIVE = frozenset(
    """
    abuse accident accuse afraid aggressive alarm anger angry annoy arrest attack awful bad ban bankrupt blame
    bleak bloody bomb boring break broke broken bug bully burden casualty cheat chaos cold collapse complain
    complaint concern condemn conflict confuse corrupt crash crime criminal crisis criticise criticism
    criticize cruel curb cut damage danger dead deadly death debt decline defeat defect deficit delay deny
    despair destroy die difficult dirty disappoint disaster disease dismal dispute disrupt doubt downgrade
    downturn drop drought evil expensive explode explosion fail failure fake fall false fatal fault fear fell
    fight fined fire flaw flood fraud fret frustrate gloomy grief guilty hack harm hate horrible hostile
    hurt ill illegal injure injury investigate jail kill lack lawsuit layoff leak lie lose loss lost
    mess miss mistake murder nasty negative neglect pain panic penalty plunge poison pollute poor poverty
    problem protest punish quit reject resign riot risk ruin rude sad scandal scare severe shock shortage
    shrink shut sick slow slump sorry steal strike struggle stupid sue suffer suspend terrible terror theft
    threat toxic tragedy tragic trouble ugly unhappy unrest unsafe victim violate violent vulnerable war warn
    waste weak worry worse worst wound wreck wrong
    """.split()
)
_NEUTRAL = frozenset("goods likely likewise unlikely dying best-selling".split())
"""What begins like one of these words, and speaks neither well nor ill."""
NEGATIONS = frozenset("not no never neither nor without hardly barely cannot".split())
REACH = 3
"""Words between a negation and the one that it turns."""
_ENDINGS = re.compile(
    r"(?:'s|s|es|d|ed|ing|ly|er|ers|ful|fully|ness|ment|ments|able|ous|y|ies|ied|ation|ations|ive|or|ors)$"
)


def weight_of(word: str) -> float:
    """1 for a word in lower case that speaks well, -1 for one that speaks ill, 0 for any other."""
    if word in _NEUTRAL:
        return 0.0
    for stem in _stems(word):
        if stem in _NEGATIVE:
            return -1.0
        if stem in _POSITIVE:
            return 1.0
    return 0.0


def _stems(word: str) -> list[str]:
    """The word, and what may be its stem: longer ones first."""
    found = [word]
    for size in range(1, 7):
        stem, ending = word[:-size], word[-size:]
        if len(stem) < 3 or not _ENDINGS.fullmatch(ending):
            continue
        found += [stem, f"{stem}e", f"{stem}y"]
        if stem[-1] == stem[-2]:  # stopped, winning
            found.append(stem[:-1])
    return found

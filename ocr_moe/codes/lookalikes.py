"""Glyphs that are taken for one another, and who believes it of which.

`GROUPS` is what glyphs look like; the other tables are parts of it, or more than it, each for the
one reader who needs it so.
"""

from __future__ import annotations

GROUPS = ("0OoDQ〇○口", "1Il|i!丨()[]/", "2Zz", "5Ss", "7?了", "8B", "6Gb", "9gq", "VUvu")
"""Groups of glyphs that look alike in one typeface or another."""

DIGIT_OF = {
    letter: group[0]
    for group in reversed(GROUPS)
    if group[0].isdigit()
    for glyph in group
    if (letter := glyph.upper()).isascii() and letter.isalpha()
}
"""Capital letter → the digit that it resembles in a run of digits.  A letter of two groups (b, q)
goes by its capital's, which comes first."""

FILLERS = "<‹〈《«＜"
"""What a `<` of a machine-readable zone is read as …"""
LIKE_FILLERS = "KkCcLEeX(く"
"""… and what it is taken for."""

NOT_IN_CREDIT_CODES = "IOSVZ"
"""The letters that GB 32100-2015 leaves out, because they look like others."""

CREDIT_CODE_TWINS = {
    letter: next(glyph for glyph in group if glyph not in NOT_IN_CREDIT_CODES)
    for group in GROUPS
    for letter in group
    if letter in NOT_IN_CREDIT_CODES
}
"""Letter that no social credit code has → the character that was meant."""

SURE_DIGIT_OF = {letter: digit for letter, digit in DIGIT_OF.items() if letter not in "DG"}
"""For the `rules` expert, which has no pixels to ask: D and G stay letters, as they were when its
scores were calibrated."""

ZEROS_IN_DATES = "0OoQΟОº◎◯〇○零"
"""What is read as 0 in a date.  Dates are sought in all of a page's text, not in a run of digits, so
there is no D; there are the Greek and Cyrillic O, rings, and 零."""
ONES_IN_DATES = "1Il|"
"""What is read as 1 in a date, for the same reason without i and the exclamation mark."""
ZEROS_UNDER_SEALS = "。.·•口回DC●◦@"
"""Only inside a year in Chinese numerals, where a seal over a 〇 leaves an engine with any small
round thing."""

"""The screen is for our own messages, whatever third parties warn of and the terminal can write."""

from __future__ import annotations

import os
import sys
import warnings
from io import TextIOWrapper


def prepare() -> None:
    """Keep third parties' warnings off, and let no name end a command that the terminal cannot write.

    Who asks Python for warnings (`-W`, PYTHONWARNINGS) gets them.
    """
    if not sys.warnoptions:
        # They are about a missing ccache or a version, and nothing that a user of ours can mend.
        os.environ["PYTHONWARNINGS"] = "ignore"  # the processes that are started as well
        warnings.simplefilter("ignore")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error has it

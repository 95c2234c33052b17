"""Ctrl-C, and what is sent in its place: a batch is asked to stop, and only then made to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_FIRST = b"\nStopping once what is under way is done. Once more ends at once.\n"


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """The first Ctrl-C in the block calls `stop`, a second one raises KeyboardInterrupt.

    Libraries may swallow an interrupt or leave a half-done page behind; what is under way, and was
    perhaps paid for, is therefore finished first. Every signal counts that would otherwise raise
    KeyboardInterrupt. Without effect outside of the main thread, which alone is sent signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        stop()
        with suppress(
            OSError
        ):  # unbuffered: a print that was interrupted may hold the stream's lock
            os.write(2, _FIRST)

    interrupting = signal.default_int_handler
    taken = [one for one in signal.valid_signals() if signal.getsignal(one) is interrupting]
    for one in taken:
        signal.signal(one, on_signal)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, interrupting)


def leave_signals_to_the_run() -> None:
    """Ctrl-C, and what is sent to every process of a service that is to end, is for the run's own
    process, which then lets the others finish what is under way. Call it in those."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def leave_with(parent: int) -> None:
    """End this process, which works for another one, when that one is gone; leave Ctrl-C to it.

    On Windows a process does not hear of it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        waiting = threading.Event()
        while os.getppid() == parent:
            waiting.wait(0.5)
        os._exit(1)

    if os.name != "nt":
        threading.Thread(target=watch, name="parent", daemon=True).start()

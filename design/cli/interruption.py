"""Ctrl-C, kept until the command has ended by it.

Compiled code that Python calls, and destructors, cannot pass an exception on: they print it and continue with whatever they have.
A Ctrl-C that falls there is dropped, or comes back as nonsense from half-made tables. So the press itself is written down: it is
repeated until it gets through, and whatever a command raises or returns after it is an interruption.

In: the block of a command. Out: ``KeyboardInterrupt`` after a press, else whatever the block does.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType, TracebackType

_PAUSE = 0.05
"""Seconds from a dropped interruption to the next."""


class _Press:
    """Whether Ctrl-C was pressed, and the hooks that see where Python drops it."""

    def __init__(self) -> None:
        self.came = False
        self._next: threading.Timer | None = None

    def take(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal as Python does, and remember it."""
        self.came = True
        signal.default_int_handler(number, frame)

    def print_others(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Print an exception that compiled code drops (``sys.excepthook``), unless it is the interruption."""
        if not issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)

    def repeat(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Interrupt once more if the exception that was dropped is the interruption (``sys.unraisablehook``)."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)
            return
        self.came = True
        main_thread = threading.main_thread().ident
        if main_thread is not None:  # from outside of where it was dropped, so that it is not dropped there again
            self._next = threading.Timer(_PAUSE, signal.pthread_kill, (main_thread, signal.SIGINT))
            self._next.daemon = True
            self._next.start()

    def end(self) -> None:
        """Take back the repetition that is still to come."""
        if self._next is not None:
            self._next.cancel()
            self._next.join()


@contextmanager
def no_interruption_lost() -> Generator[None]:
    """End a block in which Ctrl-C was pressed by ``KeyboardInterrupt``, whatever became of the first one."""
    press = _Press()
    hooks = sys.excepthook, sys.unraisablehook
    handler = signal.getsignal(signal.SIGINT)
    ours = handler is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    sys.excepthook, sys.unraisablehook = press.print_others, press.repeat
    if ours:
        signal.signal(signal.SIGINT, press.take)
    try:
        yield
    except Exception as error:
        if press.came:
            raise KeyboardInterrupt from error
        raise
    else:
        if press.came:
            raise KeyboardInterrupt
    finally:
        press.end()
        if ours:
            signal.signal(signal.SIGINT, handler)
        sys.excepthook, sys.unraisablehook = hooks

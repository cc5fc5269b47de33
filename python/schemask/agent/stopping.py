"""How a generation is ended from another thread: at its next piece of text."""

from __future__ import annotations

import threading


class Stopped(BaseException):
    """A generation was ended by who asked for it; no `Exception`, as it is none of a model's."""


class Stop:
    """A flag that the thread of a generation looks at."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ends the generation at the next `check`."""
        self._event.set()

    def check(self) -> None:
        """Ends the generation if it is to end.

        Raises:
            Stopped: It is.
        """
        if self._event.is_set():
            raise Stopped

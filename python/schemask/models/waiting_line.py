"""Generations of a model that has room for one: they take turns, first come first served."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from schemask.errors import GenerationError

# How often one that waits looks whether it is wanted still.
_LOOK_SECONDS = 0.05


class WaitingLine:
    """Lets threads in one at a time, in the order in which they came."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._places: deque[object] = deque()

    @contextlib.contextmanager
    def turn(self, cancel: threading.Event | None = None) -> Iterator[None]:
        """Waits for those that came before; the next one's turn comes when the block ends.

        Args:
            cancel: Set by whoever wants no turn any more.

        Raises:
            GenerationError: It was set before the turn came.
        """
        place = object()
        with self._changed:
            self._places.append(place)
        try:
            with self._changed:
                while not self._changed.wait_for(
                    lambda: self._places[0] is place, None if cancel is None else _LOOK_SECONDS
                ):
                    if cancel is not None and cancel.is_set():
                        break
            if cancel is not None and cancel.is_set():
                raise GenerationError("stopped before it began: cancelled")
            yield
        finally:
            with self._changed:
                self._places.remove(place)
                self._changed.notify_all()

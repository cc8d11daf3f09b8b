"""Progress on stderr, one line that is rewritten; only on a terminal."""

from __future__ import annotations

import shutil
import sys
import time


class Progress:
    """Shows what is being worked on; silent where stderr is not a terminal."""

    def __init__(self) -> None:
        self.active = sys.stderr.isatty()
        self._last = 0.0
        self._width = 0

    def __call__(self, message: str) -> None:
        now = time.monotonic()
        # At most some ten updates a second, so that a terminal keeps up.
        if not self.active or now - self._last < 0.08:
            return
        self._last = now
        self._show(message)

    def _show(self, message: str) -> None:
        columns = shutil.get_terminal_size().columns - 1
        text = message[:columns]
        sys.stderr.write("\r" + text + " " * max(0, self._width - len(text)))
        sys.stderr.flush()
        self._width = len(text)

    def say(self, message: str) -> None:
        """A line that stays, terminal or not."""
        self.clear()
        print(message, file=sys.stderr)

    def clear(self) -> None:
        """Remove the line."""
        if self.active and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0

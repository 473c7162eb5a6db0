"""A limit on how much is logged, whatever goes on: a device that comes and goes must not fill or wear out the card."""

import logging
from collections.abc import Callable

MOST_LINES = 100
"""In a minute; far more than anybody reads, far less than fills a card."""


class LogLimit(logging.Filter):
    """Lets so many lines of each minute pass; the next one after that says how many were left out."""

    def __init__(self, now_s: Callable[[], float], most_lines: int = MOST_LINES) -> None:
        """Begin a minute.

        Args:
            now_s: real time that never steps [s].
            most_lines: in a minute.
        """
        super().__init__()
        self._now_s = now_s
        self._most_lines = most_lines
        self._minute = -1
        self._lines = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is logged."""
        minute = int(self._now_s() // 60)
        if minute != self._minute:
            left_out = self._lines - self._most_lines
            if left_out > 0:
                record.msg, record.args = f"({left_out} lines were left out before) {record.getMessage()}", ()
            self._minute, self._lines = minute, 0
        self._lines += 1
        return self._lines <= self._most_lines

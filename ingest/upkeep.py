"""Look after the journal beside the running ingest: check closed months, and close the next one when it is time.

A thread reads the journal and writes the month's file, which takes minutes; the journal's owner only lists it (one
small commit) and then takes a few rows out of the journal between two batches, so that no ack waits longer than
milliseconds for it.
"""

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Final

from ingest.errors import JournalError, MonthError
from ingest.store import closing
from ingest.store.journal import Journal
from ingest.store.months import Month, Verified, folder_of
from ingest.store.reader import JournalReader
from metering.clock import Clock

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 600.0
_CHECK_PAUSE_S: Final = 0.01
"""Between two MiB of a check, so that the disk is there for commits."""
_SWEEP_EVERY_MS: Final = 50
_SWEEP_MS: Final = 5
"""How long taking rows out of the journal may hold up an ack; how many rows that is, the last time tells [ms]."""
_LEAST_ROWS, _MOST_ROWS = 8, 1024


class _StoppedError(Exception):
    """Ingest ends: what is half done is done again at its next start."""


class Upkeep:
    """What is done beside one running ingest."""

    def __init__(self, journal: Path, clock: Clock, stop: threading.Event) -> None:
        """Keep the parts; nothing is opened before `run`.

        Args:
            journal: the journal's SQLite file.
            clock: which months are over.
            stop: ends `run`.
        """
        self._path = journal
        self._clock = clock
        self._stop = stop
        self._built: Verified | None = None
        self._sweep_ms = 0
        self._rows = _LEAST_ROWS
        self._swept = False
        self.bad_months: tuple[str, ...] = ()
        """Closed months whose file is missing or was changed."""

    def run(self) -> None:
        """Check every closed month once, then close months when their time has come, until told to stop."""
        try:
            self._check()
            while not self._stop.is_set():
                if self._built is None:
                    self._close_next()
                self._stop.wait(_LOOK_EVERY_S)
        except _StoppedError:
            return

    def _check(self) -> None:
        bad = []
        listed = JournalReader(self._path).months()
        for entry in listed:
            try:
                Month(folder_of(self._path), entry).check(lambda: self._wait(_CHECK_PAUSE_S))
            except MonthError as error:
                log.error("%s; records are taken all the same", error)  # noqa: TRY400 - a sentence, not a traceback
                bad.append(entry.name)
        self.bad_months = tuple(bad)
        known = {entry.name for entry in listed}
        for file in sorted(folder_of(self._path).glob("*.sqlite")):
            if file.name not in known:
                log.warning("%s belongs to no month of this journal; it is left as it is", file)

    def _close_next(self) -> None:
        try:
            found = closing.next_month(self._path, self._clock.now_ms())
            if found is not None:
                self._built = closing.build(self._path, found, lambda: self._wait(0))
        except (JournalError, OSError, sqlite3.Error) as error:
            log.error("a month was not closed, which costs only space; tried again later: %s", error)  # noqa: TRY400

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds) if seconds else self._stop.is_set():
            raise _StoppedError

    def settle(self, journal: Journal) -> None:
        """List a month that was built, or take some rows of listed ones out of the journal; for the journal's owner.

        Raises:
            JournalFullError: when the disk is full.
        """
        now_ms = self._clock.mono_ms()
        if self._built is not None:
            month = self._built.month
            with journal.transaction():
                journal.closed.add(self._built, self._clock.now_ms())
            self._built, self._swept = None, False
            log.info("closed %s: %d records, %d bytes", month.name, month.records, month.size_bytes)
        elif not self._swept and now_ms >= self._sweep_ms:
            self._sweep_ms = now_ms + _SWEEP_EVERY_MS
            self._swept = not journal.closed.to_sweep()
            if not self._swept:
                with journal.transaction():
                    journal.closed.sweep(self._rows)
                slow = self._clock.mono_ms() - now_ms > _SWEEP_MS
                self._rows = max(_LEAST_ROWS, self._rows // 2) if slow else min(_MOST_ROWS, self._rows * 5 // 4)

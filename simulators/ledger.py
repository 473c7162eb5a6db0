"""In: every answer that a simulator gives. Out: an SQLite file that afterwards says exactly what was served, and when.

An answer is written within the request that it answers, before it is sent. Commits are the process's business
(`serve`): at least once a second and when it stops; a simulator is never the part that is killed, so the ledger is
complete.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from simulators.errors import LedgerError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS served (
    id INTEGER PRIMARY KEY,
    served_ms INTEGER NOT NULL,  -- the plant's clock, ms since the Unix epoch
    project TEXT NOT NULL,
    site TEXT NOT NULL,
    device TEXT NOT NULL,
    unit_id INTEGER NOT NULL,
    function INTEGER NOT NULL,
    address INTEGER NOT NULL,
    count INTEGER NOT NULL,
    words BLOB NOT NULL          -- big-endian, two bytes a register
)
"""


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """One answer with registers; exceptions are not answers."""

    served_ms: int
    """When the registers were evaluated, on the plant's clock [ms since the Unix epoch]."""
    project: str
    site: str
    device: str
    unit_id: int
    function: int
    address: int
    words: bytes
    """Big-endian, two bytes a register."""


class Ledger:
    """The writing side; one process has it open."""

    def __init__(self, path: Path) -> None:
        """Keep the path; `with` opens it."""
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Self:
        """Create the file and its folder when they are missing.

        Raises:
            LedgerError: it cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(_SCHEMA)
            self._connection.commit()
        except (OSError, sqlite3.Error) as error:
            if self._connection is not None:
                self._connection.close()
            raise LedgerError(
                f"simulators: the ledger {self._path} cannot be written: {error}; name another with `ledger = ...`"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit and close."""
        self.commit()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def append(self, answer: ServedAnswer) -> None:
        """Write one answer; it is visible to readers after the next commit."""
        if self._connection is None:
            raise RuntimeError("the ledger is not open: use it in a `with` block")
        self._connection.execute(
            "INSERT INTO served (served_ms, project, site, device, unit_id, function, address, count, words)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                answer.served_ms,
                answer.project,
                answer.site,
                answer.device,
                answer.unit_id,
                answer.function,
                answer.address,
                len(answer.words) // 2,
                answer.words,
            ),
        )

    def commit(self) -> None:
        """Make what was appended visible to readers."""
        if self._connection is not None:
            self._connection.commit()


def read_ledger(path: Path, project: str | None = None) -> Iterator[ServedAnswer]:
    """Read what was served, in the order in which it was.

    Args:
        path: the ledger's file; it may be in use.
        project: only this project's answers; all when absent.

    Raises:
        LedgerError: there is none, or it cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield from (
                ServedAnswer(*row)
                for row in connection.execute(
                    "SELECT served_ms, project, site, device, unit_id, function, address, words FROM served"
                    " WHERE ?1 IS NULL OR project = ?1 ORDER BY id",
                    (project,),
                )
            )
    except sqlite3.Error as error:
        raise LedgerError(
            f"simulators: the ledger {path} cannot be read: {error}; `ledger` says where it is, seen from the folder in"
            " which the simulators ran"
        ) from None


def count_served(path: Path, project: str | None = None) -> int:
    """How many answers the ledger holds, of one project or of all."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        query = "SELECT count(*) FROM served WHERE ?1 IS NULL OR project = ?1"
        return int(connection.execute(query, (project,)).fetchone()[0])

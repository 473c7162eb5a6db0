"""What stands in an outbox, in the journal and in the ledger, and whether they agree. Reads files only.

References:
    architecture.md section 3, invariant 1.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.store.reader import JournalReader, StoredRecord
from ingest.store.readings import Evidence, collect
from metering import record
from metering.interval import Interval
from metering.measurands import INT64_MAX
from metering.quality import Quality
from sakugen.demo.account import read_records
from simulators.ledger import read_ledger
from simulators.score import ExplainedGap, Score, score


@dataclass(frozen=True)
class Copy:
    """A record as an outbox holds it."""

    stream: str
    seq: int
    acked: bool
    data: bytes

    @property
    def digest(self) -> str:
        return record.digest_of(self.data)


class OutboxBook:
    """An outbox, read while its agent lives or after it died."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _rows(self, sql: str, *values: object) -> list[tuple]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(sql, values).fetchall()

    def records(self) -> list[Copy]:
        """Sealed records that are still there, acknowledged or not; horizons are not among them."""
        sql = "SELECT stream, seq, acked, data FROM record WHERE seq > 0 ORDER BY stream, seq"
        return [Copy(stream, seq, bool(acked), data) for stream, seq, acked, data in self._rows(sql)]

    def unacknowledged(self) -> int:
        return self._rows("SELECT COUNT(*) FROM record WHERE acked = 0")[0][0]

    def pending(self) -> int:
        """Committed slots that no record holds yet."""
        return self._rows("SELECT COUNT(*) FROM pending")[0][0]

    def pending_slots(self) -> set[tuple[str, int]]:
        """The (poll group, slot) of each of them."""
        return {tuple(json.loads(body)[:2]) for (body,) in self._rows("SELECT body FROM pending")}

    def accounted_ms(self) -> dict[str, int]:
        """The last slot of each poll group that is committed, or explained [ms since the Unix epoch]."""
        return dict(self._rows("SELECT poll_group, slot_ms FROM progress"))

    def streams(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT id FROM stream ORDER BY id")]

    def last_seq(self, stream: str) -> int:
        return self._rows("SELECT last_seq FROM stream WHERE id = ?", stream)[0][0]

    def acked(self) -> dict[str, int]:
        """How far each stream is acknowledged."""
        return dict(self._rows("SELECT id, acked FROM stream"))


class JournalBook:
    """The journal, read while ingest lives or after it died."""

    def __init__(self, path: Path, project: str) -> None:
        self.path = path
        self.project = project
        self._reader = JournalReader(path)

    def rows(self) -> list[StoredRecord]:
        """Every record, in order of arrival."""
        return self._reader.after(0, -1) if self.path.exists() else []

    def holds(self, copy: Copy) -> bool:
        return self.times(copy.stream, copy.seq) > 0

    def times(self, stream: str, seq: int) -> int:
        return sum(row.stream == stream and row.seq == seq for row in self.rows())

    def parsed(self, stream: str | None = None) -> list[record.Record]:
        """The project's records by stream and sequence number."""
        rows = self._reader.records(self.project, 0, INT64_MAX)
        return [record.parse(row.data) for row in rows if stream in (None, row.stream)]

    def streams(self) -> list[str]:
        return sorted({row.stream for row in self.rows()})

    def incidents(self) -> Counter[str]:
        return Counter(incident.code for incident in self._reader.incidents())

    def holes(self) -> list[tuple[str, int, int]]:
        return [(hole.stream, hole.first_seq, hole.last_seq) for hole in self._reader.holes()]

    def forks(self) -> list[tuple[str, int, bytes]]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as db:
            return db.execute("SELECT stream, seq, bytes FROM forks ORDER BY id").fetchall()

    def journal_id(self) -> str:
        return self._reader.journal_id

    def evidence(self) -> Evidence:
        return collect(row.data for row in self._reader.records(self.project, 0, INT64_MAX))

    def slots(self) -> set[tuple[str, int]]:
        """Every (poll group, slot) of which a reading is there."""
        return {
            (group.group, slot)
            for parsed in self.parsed()
            if isinstance(parsed, record.Readings)
            for group in parsed.groups
            for slot in group.slots
        }

    def gaps(self) -> list[record.Gap]:
        return [parsed for parsed in self.parsed() if isinstance(parsed, record.Gap)]


def not_exactly_once(outboxes: Iterable[OutboxBook], journal: JournalBook) -> list[str]:
    """Name what an outbox holds sealed and the journal does not hold once, byte for byte."""
    times = Counter((row.stream, row.seq, row.data) for row in journal.rows())
    return [
        f"{book.path.parent.name}: record {copy.seq} of {copy.stream}: {times[copy.stream, copy.seq, copy.data]} times"
        for book in outboxes
        for copy in book.records()
        if times[copy.stream, copy.seq, copy.data] != 1
    ]


def against_ledger(
    ledger: Path,
    journal: JournalBook,
    ends: Iterable[tuple[OutboxBook, int]],
    aside: Iterable[record.Record] = (),
    *,
    copied_ms: int | None = None,
) -> Score:
    """Compare the journal with what the meters served, word for word.

    Args:
        ledger: the simulators' file.
        journal: what ingest holds.
        ends: each outbox, and when its agent ended [ms since the Unix epoch]. What a meter answered after the last
            committed slot was on its way then: it would be a gap after the next start, and there is none.
        aside: records that are on purpose not in the journal.
        copied_ms: when a card was copied, if one was [ms since the Unix epoch]. Both boxes sealed the slots that were
            not sealed then, and each pair is one reading; two boxes that read one slot later are two.
    """
    contents = read_records([*journal.parsed(), *aside])
    before = {answer for answer in contents.answers if copied_ms is not None and answer.slot_ms <= copied_ms}
    answers = [*before, *(answer for answer in contents.answers if answer not in before)]
    on_the_way = [
        ExplainedGap(group.partition("/")[0], Interval(slot_ms + 1, ended_ms + 1))
        for book, ended_ms in ends
        for group, slot_ms in book.accounted_ms().items()
    ]
    # Two processes round the same clock to milliseconds.
    # Other requests read nothing that a point is decoded from: who the meter is, or whether a line is in step.
    served = [
        answer
        for answer in read_ledger(ledger, journal.project)
        if (answer.device, answer.function, answer.address, len(answer.words) // 2) in contents.points_in
    ]
    return score(served, answers, (*contents.gaps, *on_the_way), tolerance_ms=4)


def slots_of_quality(evidence: Evidence, quality: Quality) -> dict[str, list[int]]:
    """For each point, the slots that have a quality in any of its series [ms since the Unix epoch]."""
    found: dict[str, set[int]] = {}
    for point, measurand in evidence.keys():  # noqa: SIM118 - it is no mapping
        series = evidence.series(point, measurand)
        found.setdefault(point, set()).update(int(slot) for slot in series.time_ms[series.quality == quality])
    return {point: sorted(slots) for point, slots in found.items() if slots}


def qualities(evidence: Evidence) -> set[Quality]:
    """Every quality that any slot has."""
    codes = {int(code) for key in evidence.keys() for code in np.unique(evidence.series(*key).quality)}  # noqa: SIM118
    return {Quality(code) for code in codes}


def runs_of(slots: Sequence[int], interval_ms: int) -> list[Interval]:
    """Join neighbouring slots to intervals."""
    runs: list[Interval] = []
    for slot in slots:
        if runs and runs[-1].end_ms == slot:
            runs[-1] = Interval(runs[-1].start_ms, slot + interval_ms)
        else:
            runs.append(Interval(slot, slot + interval_ms))
    return runs

"""What stands in an outbox, in the journal and in the ledger, and whether they agree. Reads files only.

References:
    architecture.md section 3, invariant 1.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
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

    def evidence(self, counts: Callable[[record.Record], bool] = lambda _: True) -> Evidence:
        """The project's readings; of births all, of other records those that a test wants to count."""
        rows = self._reader.records(self.project, 0, INT64_MAX)
        return collect(row.data for row in rows if row.kind == "birth" or counts(record.parse(row.data)))

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
    project: str,
    records: Iterable[record.Record],
    unread: Iterable[ExplainedGap] = (),
    *,
    copied_ms: int | None = None,
) -> Score:
    """Compare records with what the meters served, word for word.

    Args:
        ledger: the simulators' file.
        project: whose meters.
        records: what ingest holds, and what is on purpose not in the journal; in the plant's true time.
        unread: when an answer may have been on its way to an agent that was killed, or ended, and explains no gap.
        copied_ms: when a card was copied, if one was [ms since the Unix epoch]. Both boxes sealed the slots that were
            not sealed then, and each pair is one reading; two boxes that read one slot later are two.
    """
    contents = read_records(records)
    before = {answer for answer in contents.answers if copied_ms is not None and answer.slot_ms <= copied_ms}
    answers = [*before, *(answer for answer in contents.answers if answer not in before)]
    # Two processes round the same clock to milliseconds.
    # Other requests read nothing that a point is decoded from: who the meter is, or whether a line is in step.
    served = [
        answer
        for answer in read_ledger(ledger, project)
        if (answer.device, answer.function, answer.address, len(answer.words) // 2) in contents.points_in
    ]
    return score(served, answers, (*contents.gaps, *unread), tolerance_ms=4)


def unread_between(from_ms: Mapping[str, int], to_ms: int) -> list[ExplainedGap]:
    """What a meter answered after the last committed slot was on its way when its agent ended.

    Args:
        from_ms: for each poll group, from when on nothing is committed [ms since the Unix epoch].
        to_ms: when the agent ended [ms since the Unix epoch].
    """
    return [
        ExplainedGap(group.partition("/")[0], Interval(start_ms, to_ms + 1))
        for group, start_ms in from_ms.items()
        if start_ms <= to_ms
    ]


def in_true_time(parsed: record.Record, shift_ms: int) -> record.Record:
    """Move what was read by a clock that was ahead to when it really was.

    Args:
        parsed: the record.
        shift_ms: how far the clock was ahead [ms].
    """
    match parsed:
        case record.Readings():
            groups = [
                part.model_copy(update={"slots": tuple(slot - shift_ms for slot in part.slots)})
                for part in parsed.groups
            ]
            return parsed.model_copy(update={"groups": tuple(groups)})
        case record.Gap(reason="agent-down"):
            # It begins where the run before ended, by the right clock.
            return parsed.model_copy(update={"to_ms": max(parsed.from_ms, parsed.to_ms - shift_ms)})
        case record.Gap():
            moved = {"from_ms": parsed.from_ms - shift_ms, "to_ms": parsed.to_ms - shift_ms}
            return parsed.model_copy(update=moved)
        case _:
            return parsed


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

"""A journal that holds given records, as ingest would have appended them."""

from collections.abc import Iterable
from pathlib import Path

from ingest import replay
from ingest.store.journal import Journal, NewRecord, StreamHead, StreamKey
from metering import record


def write_journal(
    path: Path, records: Iterable[bytes], now_ms: int, project: str = "test", *, held: Iterable[bytes] = ()
) -> None:
    """Make a journal of records of one project, all received at one instant [ms]; those that are `held` are so.

    Readings that come before the birth of their stream wait for it, as with ingest.
    """
    waiting = set(held)
    with Journal.open(path, now_ms) as journal, journal.transaction():
        for data in records:
            parsed = record.parse(data)
            key = StreamKey(parsed.site, parsed.gateway, parsed.stream)
            journal.move_head(key, StreamHead(parsed.seq, record.digest_of(data)), project, now_ms)
            journal.append(
                NewRecord(
                    key=key, seq=parsed.seq, kind=parsed.kind,
                    held="schema" if data in waiting else _waits(journal, key, parsed),
                    received_ms=now_ms, slots_ms=_slots(parsed), project=project, replaces=None,
                    digest=record.digest_of(data), data=data,
                )
            )  # fmt: skip
            if isinstance(parsed, record.Birth):
                replay.stream(journal, key, now_ms)


def _waits(journal: Journal, key: StreamKey, parsed: record.Record) -> str | None:
    is_known = isinstance(parsed, record.Birth) or journal.birth_named_before(key, parsed.seq) is not None
    return None if is_known else "no-birth"


def _slots(parsed: record.Record) -> tuple[int, int] | None:
    if not isinstance(parsed, record.Readings):
        return None
    slots = [slot for group in parsed.groups for slot in group.slots]
    return min(slots), max(slots)

"""What ingest did not append, for people: held and forked records, refused messages, holes, incidents.

In goes the path of a journal, out come rows; that reads only, so it may run beside ingest. `replay_held` writes, and
waits for nobody: it needs ingest to be stopped.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest import replay
from ingest.config import IngestSettings
from ingest.replay import Replayed
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering.keys import KeyRing


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that somebody should look at."""

    what: str
    """held, fork, refused, hole or incident."""
    site: str
    gateway: str
    stream: str
    seq: int | None
    reason: str
    at_ms: int
    """When it first came [ms since the Unix epoch]."""
    times: int
    digest: str | None


def rows(journal: Path) -> list[Row]:
    """List everything, oldest first within each kind.

    Args:
        journal: the journal's SQLite file.

    Raises:
        JournalError: when the file is missing or no journal.
    """
    reader = JournalReader(journal)
    found = [
        Row("held", one.site, one.gateway, one.stream, one.seq, one.reason or "", one.received_ms, 1, one.digest)
        for one in reader.all_held()
    ]
    found += [
        Row("fork", one.site, one.gateway, one.stream, one.seq, one.reason, one.received_ms, one.times, one.digest)
        for one in reader.forks()
    ]
    for message in reader.refusals():
        gateway = message.gateway
        site, name = (gateway.site, gateway.gateway) if gateway is not None else ("", message.topic)
        found.append(
            Row("refused", site, name, "", None, message.reason, message.received_ms, message.times, message.digest)
        )
    found += [
        Row(
            "hole",
            one.site,
            one.gateway,
            one.stream,
            one.first_seq,
            f"lost up to {one.last_seq}",
            one.noted_ms,
            1,
            None,
        )
        for one in reader.holes()
    ]
    found += [
        Row(
            "incident",
            one.site,
            one.gateway,
            one.stream,
            one.seq,
            f"{one.code}: {one.what}",
            one.first_ms,
            one.times,
            None,
        )
        for one in reader.incidents()
    ]
    return found


def replay_held(settings: IngestSettings) -> tuple[list[Replayed], int]:
    """Look at every held record again.

    Args:
        settings: whose journal it is.

    Returns:
        Those that can be used now, and how many are still held.

    Raises:
        JournalInUseError: when ingest is running; it does the same at its start, and when a birth comes.
        KeyFileError: when the list of keys cannot be read.
    """
    now_ms = settings.clock.build().now_ms()
    with Journal.open(settings.journal_path, now_ms) as journal:
        done = replay.everything(journal, KeyRing.load(settings.keys_file), now_ms)
    return done, len(JournalReader(settings.journal_path).all_held())

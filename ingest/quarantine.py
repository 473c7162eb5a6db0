"""What ingest did not append, for people: held and forked records, refused messages, holes, incidents.

In goes the path of a journal, out come rows; it reads only, so it may run beside ingest.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest.store.reader import JournalReader


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

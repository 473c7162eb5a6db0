"""How a journal stands, in numbers for whoever watches it.

In goes the path of a journal, out comes a `Census`; it reads only, so it may run beside ingest.
"""

from dataclasses import dataclass
from pathlib import Path

from ingest.store.months import folder_of
from ingest.store.rows import Rows


@dataclass(frozen=True, slots=True)
class GatewayStanding:
    """What the journal knows of one gateway."""

    site: str
    gateway: str
    heard_ms: int
    """When a record of it was last stored [ms since the Unix epoch]."""
    newest_slot_ms: int | None
    """The last slot of its newest record [ms since the Unix epoch]; None when that one speaks of none."""
    held: int
    """Records that are stored and cannot be used yet."""
    refused: int
    """Messages on its topic that prove nothing, ever."""


@dataclass(frozen=True, slots=True)
class Census:
    """Numbers of one instant."""

    last_id: int
    """The last record, in order of arrival."""
    gateways: tuple[GatewayStanding, ...]
    forks: int
    holes: int
    incidents: int
    bytes: dict[str, int]
    """Size of the journal's own file, its WAL file, and the closed months [bytes]."""


def take(journal: Path) -> Census:
    """Count.

    Args:
        journal: the journal's SQLite file.

    Raises:
        JournalError: when it cannot be read.
    """
    rows = Rows(journal)
    ((last_id, forks, holes, incidents),) = rows.query(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM records), (SELECT COUNT(*) FROM forks),"
        " (SELECT COUNT(*) FROM holes), (SELECT COUNT(*) FROM incidents)"
    )
    held = dict(_by_gateway(rows, "SELECT site, gateway, COUNT(*) FROM records WHERE status = 'held' GROUP BY 1, 2"))
    refused = dict(_by_gateway(rows, "SELECT site, gateway, refused FROM refused_counts"))
    heard = rows.query(
        "SELECT heads.site, heads.gateway, MAX(heads.heard_ms), MAX(records.last_slot_ms) FROM heads LEFT JOIN records"
        " ON (records.site, records.gateway, records.stream, records.seq)"
        " = (heads.site, heads.gateway, heads.stream, heads.head) GROUP BY 1, 2 ORDER BY 1, 2"
    )
    gateways = tuple(
        GatewayStanding(site, name, heard_ms, slot_ms, held.get((site, name), 0), refused.get((site, name), 0))
        for site, name, heard_ms, slot_ms in heard
    )
    return Census(last_id, gateways, forks, holes, incidents, _sizes(journal))


def _by_gateway(rows: Rows, sql: str) -> list[tuple[tuple[str, str], int]]:
    return [((site, gateway), count) for site, gateway, count in rows.query(sql)]


def _sizes(journal: Path) -> dict[str, int]:
    wal = journal.with_name(journal.name + "-wal")
    months = [file.stat().st_size for file in folder_of(journal).glob("*") if file.is_file()]
    return {
        "journal": journal.stat().st_size,
        "wal": wal.stat().st_size if wal.exists() else 0,
        "months": sum(months),
    }


@dataclass(frozen=True, slots=True)
class StreamStanding:
    """How whole one stream is in the journal."""

    site: str
    gateway: str
    stream: str
    project: str | None
    head: int
    """The last record that is stored."""
    named: int
    """The last record that a later stream of the same gateway names; 0 when none does."""
    lost: int
    """Records that no gateway holds any more."""
    held: int
    """Records that cannot be used yet."""
    forks: int
    """Records that contradict what is stored."""

    @property
    def incomplete(self) -> bool:
        """Whether something of it is not there, or not usable."""
        return bool(self.named > self.head or self.lost or self.held or self.forks)


def streams(journal: Path) -> list[StreamStanding]:
    """Tell how whole each stream is, also one of which nothing has come yet.

    Args:
        journal: the journal's SQLite file.

    Raises:
        JournalError: when it cannot be read.
    """
    rows = Rows(journal).query(
        "WITH homes AS (SELECT site, gateway, stream FROM heads"
        " UNION SELECT site, gateway, after_stream FROM heads WHERE after_stream IS NOT NULL)"
        " SELECT site, gateway, stream,"
        " (SELECT project FROM heads WHERE (site, gateway, stream) = (homes.site, homes.gateway, homes.stream)),"
        " COALESCE((SELECT head FROM heads"
        "   WHERE (site, gateway, stream) = (homes.site, homes.gateway, homes.stream)), 0),"
        " COALESCE((SELECT MAX(after_seq) FROM heads"
        "   WHERE (site, gateway, after_stream) = (homes.site, homes.gateway, homes.stream)), 0),"
        " (SELECT COALESCE(SUM(last_seq - first_seq + 1), 0) FROM holes"
        "   WHERE (site, gateway, stream) = (homes.site, homes.gateway, homes.stream)),"
        " (SELECT COUNT(*) FROM records WHERE status = 'held'"
        "   AND (site, gateway, stream) = (homes.site, homes.gateway, homes.stream)),"
        " (SELECT COUNT(*) FROM forks WHERE (site, gateway, stream) = (homes.site, homes.gateway, homes.stream))"
        " FROM homes ORDER BY 1, 2, 3"
    )
    return [StreamStanding(*row) for row in rows]

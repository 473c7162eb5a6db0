"""The journal's tables, version 2: what SQLite is told, and nothing that runs."""

from typing import Final

SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x53414B4A  # "SAKJ": a file that says it is a Sakugen journal

# records: a row a record, exact bytes. Rows are only ever added, so `id` is the order of arrival and a cursor for
#   forwarders. The key holds the digest too, because a `dropped` or `thinned` record stands beside what it replaces.
#   `through` and `replaces`: where the chain goes on after this record, for kinds that stand for several sequence
#   numbers (`dropped`, `thinned`: n to m; `horizon`, kept as seq 0: all before the oldest held); null for all others.
#   The blob comes last, so that SQLite need not walk over it to read the other columns.
SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('appended', 'held')),
    reason TEXT,
    received_ms INTEGER NOT NULL,
    first_slot_ms INTEGER, last_slot_ms INTEGER,
    project TEXT,
    through INTEGER, replaces TEXT,
    digest TEXT NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (site, gateway, stream, seq, digest)
);
CREATE INDEX records_by_project ON records (project, stream, seq, id);
CREATE INDEX records_by_slot ON records (project, last_slot_ms);
CREATE INDEX records_replacing ON records (site, gateway, stream, through) WHERE through IS NOT NULL;
CREATE INDEX records_births ON records (site, gateway, stream, seq) WHERE kind = 'birth';
CREATE INDEX records_held ON records (site, gateway) WHERE status = 'held';
CREATE TABLE heads (
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL,
    head INTEGER NOT NULL, digest TEXT,
    project TEXT,
    after_stream TEXT, after_seq INTEGER,
    heard_ms INTEGER NOT NULL,
    PRIMARY KEY (site, gateway, stream)
) WITHOUT ROWID;
CREATE INDEX heads_by_predecessor ON heads (site, gateway, after_stream) WHERE after_stream IS NOT NULL;
CREATE TABLE forks (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    reason TEXT NOT NULL, received_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1,
    digest TEXT NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (site, gateway, stream, seq, digest)
);
CREATE TABLE refused (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL, reason TEXT NOT NULL, received_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1,
    size_bytes INTEGER NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL,
    UNIQUE (digest, topic)
);
CREATE TABLE refused_counts (
    site TEXT NOT NULL, gateway TEXT NOT NULL, refused INTEGER NOT NULL, PRIMARY KEY (site, gateway)
) WITHOUT ROWID;
CREATE TABLE holes (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, project TEXT, noted_ms INTEGER NOT NULL
);
CREATE TABLE incidents (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL, site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    what TEXT NOT NULL, first_ms INTEGER NOT NULL, times INTEGER NOT NULL DEFAULT 1,
    UNIQUE (code, site, gateway, stream)
);
"""

# replays: held records that became usable later, in that order: a cursor for forwarders, which are past their rows.
# claims: which points each gateway reads, as its newest live birth says.
# months: closed months, a row a file in the folder `months` (`store/months.py`): it holds what arrived from first_id to
#   last_id. Rows of `records` up to swept_id are gone from here.
# month_streams: which numbers of which stream are in which month, so that only files that are needed are opened.
ADDED: Final = f"""
CREATE TABLE IF NOT EXISTS replays (
    id INTEGER PRIMARY KEY, record INTEGER NOT NULL UNIQUE, reason TEXT, replayed_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS claims (
    project TEXT NOT NULL, point TEXT NOT NULL, measurand TEXT NOT NULL, site TEXT NOT NULL, gateway TEXT NOT NULL,
    PRIMARY KEY (project, point, measurand, site, gateway)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_by_gateway ON claims (site, gateway);
CREATE TABLE IF NOT EXISTS months (
    last_id INTEGER PRIMARY KEY, first_id INTEGER NOT NULL, name TEXT NOT NULL UNIQUE, records INTEGER NOT NULL,
    first_slot_ms INTEGER, last_slot_ms INTEGER, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
    closed_ms INTEGER NOT NULL, swept_id INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS month_streams (
    site TEXT NOT NULL, gateway TEXT NOT NULL, stream TEXT NOT NULL, last_id INTEGER NOT NULL,
    first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
    PRIMARY KEY (site, gateway, stream, last_id)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""
"""Tables that a journal made by earlier software gets when it is opened for writing."""

"""A gateway's files in a folder: its configuration, its key, and what its outbox holds."""

import sqlite3
from pathlib import Path

from metering.clock import monotonic_s
from metering.keys import new_signer, save_signer
from metering.record import parse

STEP_MS = 60_000
FACTOR = 600  # a slot a minute is one every 100 ms
MAP = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M1"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 10
type = "u16"
"""


def device(folder: Path, name: str, place: int | str, unit: int, interval_s: int = 60, serial: str = "1") -> str:
    """One device; its place is a port on loopback, or the name of a bus."""
    where = f'host = "127.0.0.1"\nport = {place}' if isinstance(place, int) else f'bus = "{place}"'
    return f"""
[[device]]
name = "{name}"
map = "{folder / "m1.toml"}"
{where}
unit_id = {unit}
timeout_s = 0.5
meter = {{ make = "Test", model = "M1", serial = "{serial}" }}
group = [{{ name = "all", interval_s = {interval_s}, points = [{{ point = "{name}", measurand = "active_power_w" }}] }}]
"""


def head(
    folder: Path,
    broker_port: int,
    more: str = "",
    ack_key: str | None = None,
    protocol: int = 5,
    seal_after_s: float = 0.1,
) -> str:
    """Everything but the devices; makes the key and the device map on the way."""
    save_signer(new_signer("site-1/gw-1"), folder / "gw.key")
    (folder / "m1.toml").write_text(MAP)
    return f"""
site = "site-1"
gateway = "gw-1"
project = "project-1"
mode = "test"
data_dir = "{folder / "data"}"
key_file = "{folder / "gw.key"}"
ack_keys = ["{ack_key or new_signer("ack").verifier}"]
seal_after_s = {seal_after_s}
broker = {{ host = "127.0.0.1", port = {broker_port}, protocol = {protocol} }}
clock = {{ kind = "scaled", start = 2025-12-24T00:00:00+08:00, anchor_s = {monotonic_s()}, factor = {FACTOR} }}
{more}
"""


def records_of(folder: Path) -> list:
    """What the outbox in a folder holds, while somebody else writes to it."""
    try:
        db = sqlite3.connect(f"file:{folder / 'data'}/outbox.sqlite?mode=ro", uri=True)
    except sqlite3.OperationalError:  # not there yet
        return []
    try:
        rows = db.execute("SELECT data FROM record WHERE seq > 0 ORDER BY stream, seq").fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()
    return [parse(bytes(data)) for (data,) in rows]


def slots_of(records: list, group: str) -> list[int]:
    """The slots that were read [ms since the Unix epoch]; fails when one comes twice."""
    slots = [
        slot
        for record in records
        if record.kind == "readings"
        for part in record.groups
        if part.group == group
        for slot in part.slots
    ]
    assert len(slots) == len(set(slots))
    return slots


def gaps_of(records: list, group: str) -> list:
    return [record for record in records if record.kind == "gap" and record.group in {group, None}]

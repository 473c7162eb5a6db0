"""Three days of readings that wait in an outbox, sent in order once the broker is there."""

import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass

from benchkit.plant import GATEWAY, SITE, WORDS, Shape
from benchkit.run import bare

from gateway.birth import birth_body
from gateway.config import GatewaySettings
from gateway.entries import SlotReading
from gateway.outbox import Outbox
from metering.clock import ClockState, ClockStatus, monotonic_s
from metering.config import load_toml
from metering.keys import load_signer
from metering.topics import GatewayId

MINUTE_MS = 60_000
SHAPE = Shape(40, 50, interval_s=60)
"""2,000 readings a minute."""


@dataclass
class PastClock:
    """Shows the instant that is being written."""

    wall_ms: int
    factor: float = 1.0

    def now_ms(self) -> int:
        return self.wall_ms

    def mono_ms(self) -> int:
        return self.wall_ms

    def status(self) -> ClockStatus:
        return ClockStatus(ClockState.SYNCHRONISED, 0)


def _fill(plant, minutes: int) -> tuple[str, int]:
    """Commit and seal as the agent does; gives the stream and its number of records."""
    settings = load_toml(plant.gateway_file, GatewaySettings)
    birth = birth_body(settings, 1.0)
    first_ms = plant.clock.now_ms() // MINUTE_MS * MINUTE_MS - minutes * MINUTE_MS
    clock = PastClock(first_ms)
    signer = load_signer(plant.key_file)
    with Outbox(settings.data_dir / "outbox.sqlite", GatewayId(SITE, GATEWAY), signer, clock) as outbox:
        outbox.begin_stream(birth, first_ms)
        for minute in range(minutes):
            clock.wall_ms = first_ms + minute * MINUTE_MS
            outbox.commit([_slot(group.group, clock.wall_ms, minute) for group in birth.groups])
        outbox.seal()
        state = outbox.state()
    return state.stream, state.unacknowledged_records


def _slot(group: str, slot_ms: int, minute: int) -> SlotReading:
    words = [(minute + at) & 0x7FFF for at in range(WORDS)]
    values = tuple(1000 * (words[at % 24 * 2] * 65536 + words[at % 24 * 2 + 1]) for at in range(SHAPE.points))
    return SlotReading(group, slot_ms, 3, 5, values, (), struct.pack(f">{WORDS}H", *words))


def test_three_days_of_backlog_drained_in_order(new_plant, broker, report, sizes, wait_until):
    minutes = sizes.of(72 * 60, 60)
    plant = new_plant(SHAPE)
    began_s = monotonic_s()
    stream, records = _fill(plant, minutes)
    filled_s = monotonic_s() - began_s
    (size,) = plant.outbox.rows("SELECT SUM(LENGTH(data)) FROM record")[0]
    alone = bare("publish", outbox=str(plant.outbox.path), port=broker.port)

    plant.ingest.bring_up()
    began_s = monotonic_s()
    plant.gateway.start()
    unacked = "SELECT COUNT(*) FROM record WHERE acked = 0 AND stream = ?"
    wait_until(lambda: plant.outbox.rows(unacked, stream) == [(0,)], 1800)
    took_s = monotonic_s() - began_s
    plant.gateway.end()
    plant.ingest.end()

    with closing(sqlite3.connect(f"{plant.journal.as_uri()}?mode=ro", uri=True)) as journal:
        stored = journal.execute("SELECT seq, status FROM records WHERE stream = ? ORDER BY id", (stream,)).fetchall()
    assert stored == [(seq, "appended") for seq in range(1, records + 1)]
    report.add("from the gateway's start to the last ack", took_s, "s", at_most=60)
    report.add("the same records by paho alone, confirmed by the broker only", alone["seconds"], "s", compared=True)
    report.add("drained", minutes * 2000 / took_s, "readings/s")
    report.add("writing them through the outbox", filled_s, "s")
    report.note(f"{minutes * 2000:,} readings in {records:,} records, {size / 1e6:.0f} MB; stored in order, none held.")

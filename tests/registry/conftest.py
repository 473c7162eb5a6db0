"""A small plant that signs its own records: one revenue meter, hourly slots, two days around a year's end."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from metering import keys, record
from metering.clock import ClockState
from metering.decode import pack_words
from metering.keys import KeyEntry, KeyRing, Role
from metering.note import Signer
from metering.quality import Quality

HOUR_MS = 3_600_000
SITE, GATEWAY, PROJECT = "mongolia-farm", "gw-solar", "test-solar"
STREAM = "01JFXP0000QZ8V6ZJ3T5N7R9WA"

MAP_TEXT = """\
schema = "sakugen.devicemap/1"
make = "Example"
model = "Revenue 1"
tier = "cross-checked"

[[source]]
title = "Written for a test"
read = "nothing"

[[register]]
name = "energy_export_total"
measurand = "energy_export_total_wh"
function = 3
address = 3204
type = "u64"
modulus = "0x10000000000000000"
reset_source = "written for a test: the counter cannot be reset"
"""
MAP_DIGEST = hashlib.sha256(MAP_TEXT.encode()).hexdigest()


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@dataclass
class Plant:
    """Writes the chained, signed records of one gateway."""

    signer: Signer
    map_text: str = MAP_TEXT
    stream: str = STREAM
    seq: int = 0
    prev: str | None = None
    records: list[bytes] = field(default_factory=list)

    def _common(self) -> dict:
        self.seq += 1
        return {
            "site": SITE,
            "gateway": GATEWAY,
            "stream": self.stream,
            "seq": self.seq,
            "prev": self.prev,
            "clock": record.ClockPart(state=ClockState.SYNCHRONISED, offset_ms=0),
            "mono_ms": self.seq,
        }

    def _add(self, body: record.Record) -> bytes:
        data = record.build(body, self.signer)
        self.prev = body.replaces if isinstance(body, record.Dropped) else record.digest_of(data)
        self.records.append(data)
        return data

    def birth(self, after: record.RecordRef | None = None) -> bytes:
        digest = hashlib.sha256(self.map_text.encode()).hexdigest()
        point = {"point": "ac-bus", "measurand": "energy_export_total_wh", "quantum": "mWh"}
        group = record.GroupPart(
            group="revenue/energy",
            device="revenue",
            interval_ms=HOUR_MS,
            map=digest,
            unit_id=1,
            meter=record.MeterPart(make="Example", model="Revenue 1", serial="R1-0001"),
            blocks=(record.BlockPart(function=3, address=3204, count=4),),
            points=(record.PointPart.model_validate({**point, "register": "energy_export_total"}),),
        )
        return self._add(
            record.Birth(
                **self._common(),
                project=PROJECT,
                mode="live",
                agent="test 1",
                time_factor=1.0,
                config_digest="0" * 64,
                after=after,
                device_maps={digest: self.map_text},
                groups=(group,),
            )
        )

    def readings(self, slots: dict[int, int | None], **changes) -> bytes:
        """Seal readings: slot [ms] to register value [Wh]; None = the meter did not answer."""
        quality = tuple((0, n, int(Quality.NO_ANSWER)) for n, wh in enumerate(slots.values()) if wh is None)
        part = {
            "group": "revenue/energy",
            "slots": tuple(slots),
            "sent": tuple(5 for _ in slots),
            "received": tuple(25 for _ in slots),
            "values": (tuple(None if wh is None else wh * 1000 for wh in slots.values()),),
            "raw": tuple("" if wh is None else pack_words(words_of(wh)) for wh in slots.values()),
            "quality": quality,
            **changes,
        }
        return self._add(record.Readings(**self._common(), groups=(record.GroupReadings(**part),)))

    def gap(self, from_ms: int, to_ms: int) -> bytes:
        return self._add(
            record.Gap(**self._common(), from_ms=from_ms, to_ms=to_ms, group=None, reason=Quality.AGENT_DOWN.label)
        )

    def instead_of(self, lost: list[bytes], from_ms: int, to_ms: int) -> bytes:
        """Give up records that were written last, and stand for them."""
        first, last = record.parse(lost[0]), record.parse(lost[-1])
        self.seq, self.prev = first.seq - 1, first.prev
        body = record.Dropped(
            **self._common(),
            kind="dropped",
            through=last.seq,
            replaces=record.digest_of(lost[-1]),
            from_ms=from_ms,
            to_ms=to_ms,
            reason="full",
        )
        self.seq = last.seq
        return self._add(body)

    def days(self, start_ms: int, hours: int, wh_per_hour: int = 400_000, first_wh: int = 9_000_000) -> None:
        """Read every hour, six slots a record."""
        for begin in range(0, hours, 6):
            slots = {start_ms + n * HOUR_MS: first_wh + n * wh_per_hour for n in range(begin, min(begin + 6, hours))}
            self.readings(slots)


def words_of(wh: int) -> tuple[int, ...]:
    data = wh.to_bytes(8)
    return tuple(int.from_bytes(data[n : n + 2]) for n in range(0, 8, 2))


def entry(signer: Signer, role: Role, **more) -> KeyEntry:
    return KeyEntry(id=signer.name, role=role, public_key=str(signer.verifier), **more)


@dataclass(frozen=True)
class Keys:
    gateway: Signer
    operator: Signer

    @property
    def ring(self) -> KeyRing:
        return KeyRing(
            (
                entry(self.gateway, Role.GATEWAY, site=SITE, valid_from=datetime(2025, 1, 1, tzinfo=UTC)),
                entry(self.operator, Role.OPERATOR),
            )
        )


@pytest.fixture(scope="session")
def signers() -> Keys:
    return Keys(keys.new_signer(f"{SITE}/{GATEWAY}"), keys.new_signer("test-operator"))


@pytest.fixture
def plant(signers) -> Plant:
    return Plant(signers.gateway)

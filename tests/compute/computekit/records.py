"""Real record bytes of a small meter park: signed and chained the way a gateway's are."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering import decode, note, record
from metering.clock import ClockState
from metering.measurands import measurand
from metering.quality import Quality

STREAM = "01JZZZZZZZZZZZZZZZZZZZZZZZ"


@dataclass
class Shown:
    """What one point shows for one measurand, slot by slot; None = the device did not answer."""

    point: str
    measurand: str
    values: Mapping[int, int | None]
    """Slot [ms] → value [quanta]."""
    serial: str = "S1"
    reset_source: str | None = "datasheet page 1: the total cannot be reset"
    tier: str = "bench"
    received_ms: Mapping[int, int] = field(default_factory=dict)
    """Slot → when the answer was in after it [ms]; 20 when not said."""
    sent_ms: Mapping[int, int] = field(default_factory=dict)
    """Slot → when it was asked for after it [ms]; 15 before the answer when not said."""
    unsynced: frozenset[int] = frozenset()
    modulus: int | None = None
    interval_ms: int = 900_000
    nonvolatile_s: int | None = None
    orientation: str | None = None
    scale: str | None = None
    """One step of the register [unit]; one quantum when not said."""


def map_text(shown: Shown) -> str:
    unit = shown.scale or ("0.001" if measurand(shown.measurand).quanta_per_unit == 1000 else "1")
    lines = [
        'schema = "sakugen.devicemap/1"',
        'make = "Test"',
        f'model = "{shown.measurand} {shown.tier} {bool(shown.reset_source)} {shown.modulus} {shown.nonvolatile_s}"',
        f'tier = "{shown.tier}"',
        '[[source]]\ntitle = "datasheet"\nread = "the manual"',
        f'[[register]]\nname = "value"\nmeasurand = "{shown.measurand}"\nfunction = 3\naddress = 0\ntype = "s64"',
        f'scale = "{unit}"',
    ]
    lines += [f'reset_source = "{shown.reset_source}"'] if shown.reset_source else []
    lines += [f"nonvolatile_s = {shown.nonvolatile_s}"] if shown.nonvolatile_s else []
    lines += [f'orientation = "{shown.orientation}"'] if shown.orientation else []
    lines += [f'modulus = "{shown.modulus}"'] if shown.modulus else []
    return "\n".join(lines) + "\n"


def _words(value: int) -> str:
    data = value.to_bytes(8, signed=True)
    return decode.pack_words([int.from_bytes(data[i : i + 2]) for i in range(0, 8, 2)])


def _group(shown: Shown, index: int) -> record.GroupPart:
    digest = hashlib.sha256(map_text(shown).encode()).hexdigest()
    return record.GroupPart(
        group=f"device-{index}/all",
        device=f"device-{index}",
        interval_ms=shown.interval_ms,
        map=digest,
        unit_id=1,
        meter=record.MeterPart(make="Test", model="Meter", serial=shown.serial),
        blocks=(record.BlockPart(function=3, address=0, count=4),),
        points=(
            record.PointPart(
                point=shown.point,
                measurand=shown.measurand,
                quantum=measurand(shown.measurand).quantum,
                register="value",
            ),
        ),
    )


def _readings(shown: Shown, index: int, slots: Sequence[int]) -> record.GroupReadings:
    values = [shown.values[slot] for slot in slots]
    received = tuple(shown.received_ms.get(slot, 20) for slot in slots)
    steps = int(Fraction(shown.scale) * measurand(shown.measurand).quanta_per_unit) if shown.scale else 1
    return record.GroupReadings(
        group=f"device-{index}/all",
        slots=tuple(slots),
        sent=tuple(shown.sent_ms.get(slot, max(0, after - 15)) for slot, after in zip(slots, received, strict=True)),
        received=received,
        values=(tuple(values),),
        raw=tuple("" if value is None else _words(value // steps) for value in values),
        quality=tuple((0, place, int(Quality.NO_ANSWER)) for place, value in enumerate(values) if value is None),
    )


class _Stream:
    """Records of one gateway, chained and signed."""

    def __init__(self, stream: str) -> None:
        self.signer = note.Signer("site/gw", Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
        self.records: list[bytes] = []
        self.stream = stream

    def head(self, synced: bool = True) -> dict[str, object]:
        state = ClockState.SYNCHRONISED if synced else ClockState.UNKNOWN
        prev = record.digest_of(self.records[-1]) if self.records else None
        return {
            "site": "site",
            "gateway": "gw",
            "stream": self.stream,
            "seq": len(self.records) + 1,
            "prev": prev,
            "clock": record.ClockPart(state=state, offset_ms=0),
            "mono_ms": 0,
        }

    def add(self, item: record.Record) -> None:
        self.records.append(record.build(item, self.signer))


def records_of(
    parts: Sequence[Shown],
    *,
    time_factor: float = 1.0,
    project: str = "test",
    stream: str = STREAM,
    after: record.RecordRef | None = None,
    slots_a_record: int | None = None,
) -> list[bytes]:
    """A birth, and the readings of some points; all that the clock was synchronised for come first.

    Args:
        parts: the points.
        time_factor: how much faster than time the gateway's clock goes.
        project: of the birth.
        stream: whose records they are.
        after: the last record that the outbox knew when the stream began.
        slots_a_record: how many slots of each point a record holds; all when not said.
    """
    chain = _Stream(stream)
    maps = {hashlib.sha256(map_text(part).encode()).hexdigest(): map_text(part) for part in parts}
    chain.add(
        record.Birth(
            **chain.head(),
            project=project,
            mode="live",
            agent="test",
            time_factor=time_factor,
            config_digest="0" * 64,
            after=after,
            device_maps=maps,
            groups=tuple(_group(part, index) for index, part in enumerate(parts)),
        )
    )
    longest = max((len(part.values) for part in parts), default=0)
    step = slots_a_record or max(longest, 1)
    for synced in (True, False):
        for first in range(0, longest, step):
            groups = []
            for index, part in enumerate(parts):
                slots = [slot for slot in sorted(part.values) if (slot in part.unsynced) != synced]
                if kept := slots[first : first + step]:
                    groups.append(_readings(part, index, kept))
            if groups:
                chain.add(record.Readings(**chain.head(synced), groups=tuple(groups)))
    return chain.records


def last_of(records: Sequence[bytes], stream: str = STREAM) -> record.RecordRef:
    """Names the last record of a stream, for the birth of the one that follows it."""
    return record.RecordRef(stream=stream, seq=len(records), digest=record.digest_of(records[-1]))

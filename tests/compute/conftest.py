"""Evidence from real record bytes: a small meter park, signed and collected the way the journal's records are."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingest.store.readings import Evidence, collect
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
        sent=tuple(max(0, after - 15) for after in received),
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
    parts: Sequence[Shown], *, time_factor: float = 1.0, project: str = "test", stream: str = STREAM
) -> list[bytes]:
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
            after=None,
            device_maps=maps,
            groups=tuple(_group(part, index) for index, part in enumerate(parts)),
        )
    )
    for synced in (True, False):
        groups = []
        for index, part in enumerate(parts):
            slots = [slot for slot in sorted(part.values) if (slot in part.unsynced) != synced]
            if slots:
                groups.append(_readings(part, index, slots))
        if groups:
            chain.add(record.Readings(**chain.head(synced), groups=tuple(groups)))
    return chain.records


@pytest.fixture(scope="session")
def shown() -> type[Shown]:
    return Shown


@pytest.fixture(scope="session")
def make_records() -> Callable[..., list[bytes]]:
    return records_of


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Evidence]:
    """`make_evidence([shown(...), ...])` signs records of them and collects these."""

    def build(parts: Sequence[Shown], *, time_factor: float = 1.0) -> Evidence:
        return collect(records_of(parts, time_factor=time_factor))

    return build


PROJECT_HEAD = """
id = "test"
title = "A test project"
jcm_reference = "MN000"
partner_country = "Mongolia"
site = "site"
methodology = "{methodology}"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar"
crediting_period = {{ start = 2025-01-01, end = 2035-01-01 }}
period = [{{ id = "p1", start = 2025-12-31, end = 2026-01-02 }}]
"""

METER = """
[[meter]]
point = "{point}"
make = "Test"
model = "Meter"
serial = "{serial}"
installed_from = 2025-01-01T00:00:00+08:00
accuracy_class = "0.5S"
"""

CALIBRATION = """
[meter.calibration]
certificate = "C-1"
date = 2025-06-01
valid_until = 2027-06-01
mpe_percent = "0.5"
source = "calibration laboratory"
"""


def parameter_text(name: str, value: str, unit: str, mark: str = "V", point: str | None = None) -> str:
    of = f'point = "{point}"\n' if point else ""
    return (
        f'[[parameter]]\nname = "{name}"\n{of}value = "{value}"\nunit = "{unit}"\nsource = "page 1"\nmark = "{mark}"\n'
    )


def _solar_text(*, auxiliary: bool = False, calibrated: bool = True) -> str:
    seal = CALIBRATION if calibrated else ""
    text = PROJECT_HEAD.format(methodology="solar-pv")
    text += '[[point]]\nid = "bus"\nrole = "generation"\nrated_power_w = 8_300_000\n'
    text += METER.format(point="bus", serial="S1") + seal + parameter_text("EF_RE", "0.797", "tCO2/MWh")
    if auxiliary:
        text += '[[point]]\nid = "aux"\nrole = "auxiliary"\nrated_power_w = 8_300_000\n'
        text += METER.format(point="aux", serial="S1") + seal + parameter_text("EF_AUX", "1.1501", "tCO2/MWh")
    return text


def _boiler_text() -> str:
    text = PROJECT_HEAD.format(methodology="heat-only-boiler")
    text += '[[point]]\nid = "heat"\nrole = "heat"\nrated_power_w = 1_200_000\n'
    text += '[[point]]\nid = "burner"\nrole = "burner"\n'
    text += METER.format(point="heat", serial="S1") + CALIBRATION + METER.format(point="burner", serial="S1")
    for name, value, unit in (
        ("eta_RE", "0.613", "1"),
        ("eta_PJ", "0.8", "1"),
        ("EF_coal", "0.0909", "tCO2/GJ"),
        ("P_el", "11000", "W"),
        ("EF_grid", "1.1501", "tCO2/MWh"),
    ):
        text += parameter_text(name, value, unit)
    return text


def _fleet_text(losses_w: str = "370") -> str:
    text = PROJECT_HEAD.format(methodology="transformer-fleet")
    text += '[[point]]\nid = "station"\nrole = "station"\nnominal_voltage_v = 230\n'
    text += METER.format(point="station", serial="S1") + CALIBRATION
    for name, value, unit in (
        ("n", "600", "1"),
        ("NLL_RE", "1200", "W"),
        ("NLL_PJ", losses_w, "W"),
        ("UNC", "0.15", "1"),
        ("EF_grid", "0.333", "tCO2/MWh"),
    ):
        text += parameter_text(name, value, unit)
    return text


@pytest.fixture(scope="session")
def project_texts() -> Mapping[str, Callable[..., str]]:
    """project.toml of each family: `project_texts["solar-pv"]()`."""
    return {"solar-pv": _solar_text, "heat-only-boiler": _boiler_text, "transformer-fleet": _fleet_text}

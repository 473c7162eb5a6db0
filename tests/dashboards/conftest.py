"""A real journal for the console: signed records of one gateway, taken in by ingest's own rules."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gateway
from ingest.intake import Intake
from ingest.store.journal import Journal
from metering import keys, record
from metering.devicemap import parse_device_map
from metering.quality import Quality
from metering.topics import GatewayId, log_topic
from metering.ulid import new_ulid

SITE, GATEWAY, PROJECT = "mongolia-farm", "gw-solar", "demo-solar"
SLOT_MS = 1_767_189_600_000  # 2025-12-31T14:00:00Z, 22:00 in Ulaanbaatar
INTERVAL_MS = 900_000
MAP_TEXT = (Path(gateway.__file__).parent / "devices" / "schneider_iem3000.toml").read_text("utf-8")


@dataclass
class Plant:
    """A gateway's records, and the journal that holds them."""

    path: Path
    journal: Journal
    signer: keys.Signer
    ring: keys.KeyRing
    stream: str
    sent: list[str] = field(default_factory=list)

    def birth(self) -> None:
        """Tell which readings will come: energy and power of ac-bus."""
        device_map = parse_device_map(MAP_TEXT)
        registers = [device_map.register_for(name) for name in ("energy_export_total_wh", "active_power_w")]
        part = record.GroupPart(
            group="ac-bus/minute",
            device="ac-bus",
            interval_ms=INTERVAL_MS,
            map=device_map.digest,
            unit_id=10,
            meter=record.MeterPart(make="Schneider Electric", model="iEM3255", serial="SIM-IEM-0001"),
            blocks=tuple(
                record.BlockPart(function=register.function, address=register.address, count=register.words)
                for register in registers
            ),
            points=tuple(
                record.PointPart(
                    point="ac-bus",
                    measurand=register.measurand.name,
                    quantum=register.measurand.quantum,
                    register=register.name,
                )
                for register in registers
            ),
        )
        self._send(
            record.Birth(
                **self._header(), project=PROJECT, mode="live", agent="test", time_factor=1.0, config_digest="0" * 64,
                after=None, device_maps={device_map.digest: MAP_TEXT}, groups=(part,),
            )
        )  # fmt: skip

    def read(self, slot_ms: int, energy_mwh: int, power_mw: int | None, words: str = "AAAAAAAAAAAAAAAA") -> None:
        """Send one slot [ms]: energy [mWh] and power [mW], None = the meter did not answer; raw words in base64."""
        marks = () if power_mw is not None else ((1, 0, int(Quality.NO_ANSWER)),)
        part = record.GroupReadings(
            group="ac-bus/minute", slots=(slot_ms,), sent=(5,), received=(20,), values=((energy_mwh,), (power_mw,)),
            raw=(words,), quality=marks,
        )  # fmt: skip
        self._send(record.Readings(**self._header(), groups=(part,)))

    def refuse(self) -> None:
        """Send bytes that prove nothing."""
        self._take(b"not a record\n")

    def _header(self) -> dict[str, object]:
        clock = record.ClockPart(state="synchronised", offset_ms=0)
        prev = self.sent[-1] if self.sent else None
        return {"site": SITE, "gateway": GATEWAY, "stream": self.stream, "seq": len(self.sent) + 1, "prev": prev,
                "clock": clock, "mono_ms": 0}  # fmt: skip

    def _send(self, body: record.Record) -> None:
        data = record.build(body, self.signer)
        self._take(data)
        self.sent.append(record.digest_of(data))

    def _take(self, data: bytes) -> None:
        topic = log_topic(GatewayId(SITE, GATEWAY))
        Intake(self.journal, 1_000_000).take([(topic, data)], self.ring, SLOT_MS + 60_000)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    signer = keys.new_signer(f"{SITE}/{GATEWAY}")
    entry = keys.KeyEntry(
        id=signer.name, role=keys.Role.GATEWAY, public_key=str(signer.verifier), site=SITE,
        valid_from="2025-01-01T00:00:00Z",
    )  # fmt: skip
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, SLOT_MS) as journal:
        yield Plant(path, journal, signer, keys.KeyRing([entry]), new_ulid(SLOT_MS))


@pytest.fixture
def settings_text(tmp_path: Path) -> Callable[[str], str]:
    """Write the console's configuration for the plant, with further lines at the top."""

    def text(more: str = "") -> str:
        return f"""
journal = "{tmp_path / "journal.sqlite"}"
results = "{tmp_path / "results.sqlite"}"
port = 0
{more}

[[project]]
id = "{PROJECT}"
title = "Solar plant, Mongolia"
site = "{SITE}"
gateway = "{GATEWAY}"
time_zone = "Asia/Ulaanbaatar"
"""

    return text

"""A small plant that signs its own records: one revenue meter, hourly slots, two days around a year's end."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingest.intake import Intake
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from metering import record
from metering.clock import ClockState
from metering.decode import pack_words
from metering.keys import KeyEntry, KeyRing, Role
from metering.note import Signer
from metering.quality import Quality
from metering.topics import GatewayId, log_topic
from registry.bundle import frame, read_bundle, unframe, write_bundle
from registry.canonical import canonical_bytes
from registry.check import check_bundle
from registry.config import RegistrySettings
from registry.draft import DraftRequest, draft_statement, export_bundle
from registry.report import CheckReport, Status
from registry.signing import sign_detached
from registry.store import StatementReader, StatementStore

HOUR_MS = 3_600_000
SITE, GATEWAY, PROJECT = "mongolia-farm", "gw-solar", "test-solar"
STREAM = "01KDMZNGG028T5CY4TQKFF04HM"  # drawn at 2025-12-29T12:00:00Z

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
modulus = "1000000000000"
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

    def instead_of(self, lost: list[bytes], from_ms: int, to_ms: int, **changes) -> bytes:
        """Give up records that were written last, and stand for them."""
        first, last = record.parse(lost[0]), record.parse(lost[-1])
        self.seq, self.prev = first.seq - 1, first.prev
        fields = {"kind": "dropped", "reason": "outbox full"} | changes
        body = record.Dropped(
            **self._common(),
            through=last.seq,
            replaces=record.digest_of(lost[-1]),
            from_ms=from_ms,
            to_ms=to_ms,
            **fields,
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
    return Keys(_signer(f"{SITE}/{GATEWAY}"), _signer("test-operator"))


def _signer(name: str) -> Signer:
    # Always the same key: Ed25519 is deterministic, so the same plant gives the same bytes for ever.
    return Signer(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


@pytest.fixture
def plant(signers) -> Plant:
    return Plant(signers.gateway)


PROJECT_TEXT = """\
# A comment is part of the exact bytes too.
id = "test-solar"
title = "Solar plant for tests"
jcm_reference = "MN_TEST"
partner_country = "MN"
site = "mongolia-farm"
methodology = "solar-pv"
methodology_version = "1.0"
time_zone = "Asia/Ulaanbaatar"
crediting_period = { start = 2025-01-01, end = 2035-01-01 }

[[point]]
id = "ac-bus"
role = "generation"
rated_power_w = 1000000

[[meter]]
point = "ac-bus"
make = "Example"
model = "Revenue 1"
serial = "R1-0001"
installed_from = 2025-01-01T00:00:00+08:00
accuracy_class = "0.5S"
calibration = { certificate = "C-1", date = 2025-01-01, valid_until = 2027-01-01, mpe_percent = "0.5", source = "test" }

[[parameter]]
name = "EF_RE"
value = "0.797"
unit = "tCO2/MWh"
source = "Additional information on MN_AM003"
mark = "V"

[[period]]
id = "new-year"
start = 2025-12-31
end = 2026-01-02
"""
START_MS = ms("2025-12-30T00:00:00+08:00")
DRAWN_UP_MS = ms("2026-01-05T00:00:00+00:00")


class FixedClock:
    """A clock that stands still."""

    factor = 1.0

    def now_ms(self) -> int:
        return DRAWN_UP_MS


@dataclass
class World:
    """One project's journal, keys and statement store, as an operator has them on disk."""

    folder: Path
    keys: Keys
    clock: FixedClock = field(default_factory=FixedClock)

    def __post_init__(self) -> None:
        self.project_file.write_text(PROJECT_TEXT, encoding="utf-8")
        self.keys_file.write_text(self.keys.ring.to_toml(), encoding="utf-8")

    @property
    def project_file(self) -> Path:
        return self.folder / "project.toml"

    @property
    def keys_file(self) -> Path:
        return self.folder / "keys.toml"

    @property
    def journal_file(self) -> Path:
        return self.folder / "journal.sqlite"

    @property
    def journal(self) -> JournalReader:
        return JournalReader(self.journal_file)

    @property
    def settings(self) -> RegistrySettings:
        return RegistrySettings(
            data_dir=self.folder / "registry",
            journal=self.journal_file,
            projects=(self.project_file,),
            keys_file=self.keys_file,
            port=0,
        )

    def take(self, records: list[bytes]) -> None:
        """Let ingest judge and keep records."""
        topic = log_topic(GatewayId(SITE, GATEWAY))
        with Journal.open(self.journal_file, DRAWN_UP_MS) as journal:
            Intake(journal, 1_000_000).take([(topic, data) for data in records], self.keys.ring, DRAWN_UP_MS)

    def store(self) -> StatementStore:
        return StatementStore(self.settings.store_file)

    def draft(self, **changes) -> str:
        request = DraftRequest(self.project_file, self.journal_file, self.keys_file, self.keys.operator, **changes)
        with self.store() as store:
            return draft_statement(request, store, self.clock)

    def export(self, digest: str) -> Path:
        out = self.folder / "bundle.zip"
        export_bundle(StatementReader(self.settings.store_file), self.journal, digest, out)
        return out


def _four_days(plant: Plant) -> list[bytes]:
    """Two days of the period, and one on each side; the agent starts anew in the middle, within one stream."""
    plant.birth()
    plant.days(START_MS, 48)
    plant.birth()
    plant.days(START_MS + 48 * HOUR_MS, 48, first_wh=9_000_000 + 48 * 400_000)
    return plant.records


@pytest.fixture(scope="session")
def records(signers) -> list[bytes]:
    return _four_days(Plant(signers.gateway))


@pytest.fixture(scope="session")
def new_world(tmp_path_factory, signers):
    """Gives a world of its own with an empty journal to whatever lives longer than one test."""
    return lambda name: World(tmp_path_factory.mktemp(name), signers)


@pytest.fixture
def empty_world(tmp_path, signers) -> World:
    return World(tmp_path, signers)


@pytest.fixture
def world(empty_world, records) -> World:
    empty_world.take(records)
    return empty_world


@pytest.fixture(scope="session")
def honest(new_world, records) -> Path:
    """A bundle with nothing wrong."""
    made = new_world("honest")
    made.take(records)
    return made.export(made.draft())


def failed_steps(report: CheckReport) -> dict[str, str]:
    bad = [step for step in report.steps if step.status not in (Status.OK, Status.NOT_BUILT)]
    assert report.ok == (not bad)
    return {step.name: " | ".join((step.detail, *step.faults)) for step in bad}


@pytest.fixture(name="failed_steps")
def failed_steps_of() -> Callable[[CheckReport], dict[str, str]]:
    """`failed_steps(report)`: the steps that did not pass, with everything they said."""
    return failed_steps


@dataclass
class Forgery:
    """A bundle that somebody tampers with; unless told otherwise its manifest is made to fit again."""

    files: dict[str, bytes]
    keys: Keys
    path: Path

    def statement(self) -> dict:
        return json.loads(self.files["statement.json"])

    def state(self, document: dict) -> None:
        """Put another statement in, signed by the operator again."""
        self.files["statement.json"] = canonical_bytes(document)
        self.sign(self.keys.operator)

    def sign(self, signer: Signer) -> None:
        token = sign_detached(self.files["statement.json"], signer, DRAWN_UP_MS)
        self.files["signatures/operator.jws"] = token.encode()

    @property
    def evidence_name(self) -> str:
        return f"evidence/{STREAM}.records"

    @property
    def records(self) -> list[bytes]:
        return list(unframe(self.files[self.evidence_name]))

    @records.setter
    def records(self, records: list[bytes]) -> None:
        self.files[self.evidence_name] = frame(records)

    def check(self, trust: KeyRing | None) -> CheckReport:
        write_bundle(self.path, self.files)
        return check_bundle(self.path, trust)

    def failed(self, trust: KeyRing | None) -> dict[str, str]:
        """The steps of the check that do not pass, with everything they say."""
        return failed_steps(self.check(trust))


@pytest.fixture
def forgery(honest, signers, tmp_path) -> Forgery:
    files = read_bundle(honest)
    del files["manifest.json"]
    return Forgery(files, signers, tmp_path / "forged.zip")

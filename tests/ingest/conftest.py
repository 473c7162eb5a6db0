"""A gateway made of metering's record and keys alone, so that ingest is never tested with the gateway's own code."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from metering import ack, decode, keys, note, record
from metering.clock import ClockState
from metering.keys import KeyEntry, KeyRing, Role
from metering.topics import ALL_INGESTS_ONLINE, GatewayId, ack_topic, log_topic
from metering.ulid import new_ulid

# No package stands under tests, so what these tests share is found by its folder.
sys.path.insert(0, str(Path(__file__).parent))

SLOT_MS = 900_000
START_MS = 1_766_505_600_000  # 2025-12-23T16:00:00Z, a multiple of 15 minutes

MAP = """
schema = "sakugen.devicemap/1"
make = "Example"
model = "EX-1"
tier = "unverified"
[[source]]
title = "A map for tests"
read = "nothing"
[[register]]
name = "active_energy_export"
measurand = "energy_export_total_wh"
function = 3
address = 100
type = "u32"
[[register]]
name = "active_power"
measurand = "active_power_w"
function = 3
address = 102
type = "s16"
scale = "10"
"""
MAP_DIGEST = hashlib.sha256(MAP.encode()).hexdigest()


@dataclass
class FakeGateway:
    """Signs, chains and numbers; remembers everything it made."""

    site: str = "farm"
    gateway: str = "gw-1"
    project: str = "demo"
    signer: note.Signer = field(default_factory=lambda: keys.new_signer("farm/gw-1"))
    stream: str = field(default_factory=lambda: new_ulid(START_MS))
    seq: int = 0
    prev: str | None = None
    made: list[bytes] = field(default_factory=list)

    @property
    def topic(self) -> str:
        return log_topic(GatewayId(self.site, self.gateway))

    @property
    def ring(self) -> KeyRing:
        return KeyRing([KeyEntry(id=self.signer.name, role=Role.GATEWAY, public_key=str(self.signer.verifier))])

    def new_stream(self, stream: str | None = None) -> None:
        self.stream = stream or new_ulid(START_MS, above=self.stream)
        self.seq, self.prev = 0, None

    def common(self, seq: int | None = None, prev: str | None = None) -> dict:
        return {
            "site": self.site,
            "gateway": self.gateway,
            "stream": self.stream,
            "seq": self.seq + 1 if seq is None else seq,
            "prev": self.prev if seq is None else prev,
            "clock": {"state": ClockState.SYNCHRONISED, "offset_ms": 0},
            "mono_ms": 1,
        }

    def seal(self, body: record.Record) -> bytes:
        data = record.build(body, self.signer)
        self.seq, self.prev = body.seq, record.digest_of(data)
        if isinstance(body, record.Dropped):
            self.seq, self.prev = body.through, body.replaces
        self.made.append(data)
        return data

    def birth(self, after: dict | None = None, mode: str = "live", interval_ms: int = SLOT_MS, **changes) -> bytes:
        points = [
            {
                "point": "ac",
                "measurand": "energy_export_total_wh",
                "quantum": "mWh",
                "register": "active_energy_export",
            },
            {"point": "ac", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"},
        ]
        group = {
            "group": "meter/all",
            "device": "meter",
            "interval_ms": interval_ms,
            "map": MAP_DIGEST,
            "unit_id": 1,
            "meter": {"make": "Example", "model": "EX-1", "serial": changes.pop("serial", "s-1")},
            "blocks": [{"function": 3, "address": 100, "count": 3}],
            "points": changes.pop("points", points),
        }
        body = {
            "kind": "birth",
            "project": self.project,
            "mode": mode,
            "agent": "test",
            "time_factor": 1.0,
            "config_digest": "0" * 64,
            "after": after,
            "device_maps": {MAP_DIGEST: MAP},
            "groups": [group],
        }
        return self.seal(_parse(record.Birth, self.common() | body | changes))

    def readings(self, *slots: int, energy: list[int | None] | None = None, quality: int = 1, **common) -> bytes:
        """Energy in Wh at slot numbers counted from START_MS; None = not obtained, with the quality given."""
        wanted = [1000 + 10 * slot for slot in slots] if energy is None else energy
        marks = [[p, s, quality] for s, value in enumerate(wanted) if value is None for p in (0, 1)]
        group = {
            "group": "meter/all",
            "slots": [START_MS + slot * SLOT_MS for slot in slots],
            "sent": [5 for _ in slots],
            "received": [40 for _ in slots],
            "values": [
                [None if value is None else value * 1000 for value in wanted],
                [None if value is None else 50_000 for value in wanted],
            ],
            "raw": ["" if value is None else decode.pack_words((value >> 16, value & 0xFFFF, 5)) for value in wanted],
            "quality": marks,
        }
        body = self.common() | {"kind": "readings", "groups": [group]} | common
        return self.seal(_parse(record.Readings, body))

    def gap(self, first: int, end: int, reason: str = "agent-down", group: str | None = None) -> bytes:
        span = {"from_ms": START_MS + first * SLOT_MS, "to_ms": START_MS + end * SLOT_MS}
        return self.seal(_parse(record.Gap, self.common() | span | {"kind": "gap", "group": group, "reason": reason}))

    def dropped(
        self, seq: int, through: int, replaces: str, prev: str | None, kind: str = "dropped", **changes
    ) -> bytes:
        span = {"from_ms": START_MS, "to_ms": START_MS + SLOT_MS, "reason": "outbox-full"}
        body = {"kind": kind, "through": through, "replaces": replaces} | span | changes
        return self.seal(_parse(record.Dropped, self.common(seq, prev) | body))

    def horizon(self, oldest_seq: int, digest_before: str | None) -> bytes:
        body = {"kind": "horizon", "oldest_seq": oldest_seq, "digest_before": digest_before}
        return record.build(_parse(record.Horizon, self.common(0, None) | body), self.signer)

    def ref(self) -> dict:
        return {"stream": self.stream, "seq": self.seq, "digest": self.prev}


def _parse(model, body: dict):
    return model.model_validate_json(json.dumps(body))


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def new_gateway() -> Callable[..., FakeGateway]:
    def make(name: str) -> FakeGateway:
        return FakeGateway(gateway=name, signer=keys.new_signer(f"farm/{name}"))

    return make


@pytest.fixture
def slot_ms() -> Callable[[int], int]:
    """The n-th slot [ms since the Unix epoch]."""
    return lambda number: START_MS + number * SLOT_MS


class Line:
    """A gateway's MQTT connection: publishes records, keeps the acks it hears."""

    def __init__(self, port: int, gateway: FakeGateway, verifier: note.Verifier) -> None:
        self.gateway = gateway
        self.acks: list[ack.Ack] = []
        self.online: list[bytes] = []
        self._verifier = verifier
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._heard
        self._client.on_connect = lambda client, *_: client.subscribe(
            [
                (ack_topic(GatewayId(gateway.site, gateway.gateway)), SubscribeOptions(1)),
                (ALL_INGESTS_ONLINE, SubscribeOptions(1)),
            ]
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _heard(self, _client, _data, message) -> None:
        if message.topic.endswith("/ack"):
            self.acks.append(ack.parse(message.payload, (self._verifier,)))
        else:
            self.online.append(message.payload)

    def send(self, *records: bytes, topic: str | None = None, retain: bool = False) -> None:
        for data in records:
            self._client.publish(topic or self.gateway.topic, data, qos=1, retain=retain)

    def through(self, stream: str | None = None) -> int:
        """How far the newest ack says that the stream is."""
        found = self.acks[-1].streams.get(stream or self.gateway.stream) if self.acks else None
        return -1 if found is None else found.through

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@dataclass
class Running:
    """An ingest in a process of its own."""

    config: Path
    ready: str
    process: subprocess.Popen
    log: Path

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture
def serve_influx():
    """`serve_influx("v2.7.0", tls=None)`: a fake InfluxDB of a version."""
    from influx_fake import FakeInflux

    servers: list[FakeInflux] = []

    def serve(version: str, tls=None) -> FakeInflux:
        servers.append(FakeInflux(version, tls))
        return servers[-1]

    yield serve
    for server in servers:
        server.end()


DRIVER = Path(__file__).with_name("ingest_process.py")


@pytest.fixture
def ack_signer(tmp_path) -> note.Signer:
    signer = keys.new_signer("ack")
    keys.save_signer(signer, tmp_path / "ack.key")
    return signer


@pytest.fixture
def start_ingest(tmp_path, gateway, ack_signer):
    """`start_ingest(port)`; `kill_at="after-commit"` makes it kill itself there, as a power cut would."""
    running: list[Running] = []
    (tmp_path / "keys.toml").write_text(gateway.ring.to_toml())

    def start(
        port: int,
        kill_at: str = "never",
        wait: bool = True,
        influx_port: int | None = None,
        metrics_port: int | None = None,
        clock_start: str | None = None,
        **broker,
    ) -> Running:
        config = tmp_path / "ingest.toml"
        more = "".join(f"{key} = {value}\n" for key, value in broker.items())
        text = (
            f'data_dir = "{tmp_path / "data"}"\nkeys_file = "{tmp_path / "keys.toml"}"\n'
            f'ack_key_file = "{tmp_path / "ack.key"}"\n[broker]\nport = {port}\n{more}'
        )
        if influx_port is not None:
            text += f'[influxdb]\nurl = "http://127.0.0.1:{influx_port}"\n'
        if metrics_port is not None:
            text += f"[metrics]\nport = {metrics_port}\n"
        if clock_start is not None:
            text += f'[clock]\nkind = "scaled"\nstart = "{clock_start}"\n'
        config.write_text(text)
        log = tmp_path / f"ingest-{len(running)}.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, str(DRIVER), str(config), kill_at], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        running.append(Running(config, "", process, log))
        if wait:
            running[-1].ready = process.stdout.readline()
            assert running[-1].ready.startswith("ready "), log.read_text()
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        one.process.stdout.close()


@pytest.fixture
def connect(gateway, ack_signer):
    """`connect(port)`: the gateway's own connection."""
    lines: list[Line] = []

    def make(port: int) -> Line:
        lines.append(Line(port, gateway, ack_signer.verifier))
        return lines[-1]

    yield make
    for line in lines:
        line.close()

"""The whole gateway against a meter, a broker and a small ingest, all real and on loopback."""

import asyncio
import contextlib
import json
import socket
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import FACTOR, STEP_MS, device, head
from runkit.clocks import SetClock
from runkit.process import Gateway

from gateway.agent import Agent, run
from gateway.config import GatewaySettings
from gateway.errors import OutboxLockedError
from gateway.rounds import Rounds
from metering import ack, note
from metering.clock import Clock, ClockState
from metering.errors import KeyFileError
from metering.keys import load_signer, new_signer, save_signer
from metering.quality import Quality
from metering.record import Readings, digest_of, parse, split
from metering.ulid import new_ulid

SITE, GATEWAY = "site-1", "gw-1"
TOPIC = f"sakugen/v1/{SITE}/{GATEWAY}"


@dataclass
class TinyIngest:
    """What ingest does with a record, in a few lines: only the next record of a stream is taken; then it acks."""

    port: int
    verifier: note.Verifier
    signer: note.Signer
    acking: bool = True
    taken: list[bytes] = field(default_factory=list)
    heads: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    seen: int = 0
    statuses: list[dict] = field(default_factory=list)
    births: list[bytes] = field(default_factory=list)
    journal: str = new_ulid(1)
    run: str = new_ulid(2)
    n: int = 0

    def start(self) -> None:
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, "tiny-ingest", protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe(f"{TOPIC}/#", qos=1)
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", self.port)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
        # paho closes its inner sockets when it is deleted; our callbacks would tie it into a cycle that only gc ends.
        self.client.on_connect = self.client.on_message = None
        del self.client

    def publish_ack(self, signer: note.Signer | None = None, **changes) -> None:
        self.n += 1
        streams = {name: ack.StreamAck(through=seq, digest=digest) for name, (seq, digest) in self.heads.items()}
        whole = {
            "site": SITE, "gateway": GATEWAY, "journal": self.journal, "succeeds": None, "run": self.run, "n": self.n,
            "issued_ms": 1, "streams": streams, "held": (), "refused": 0,
        }  # fmt: skip
        data = ack.build(ack.Ack(**(whole | changes)), signer or self.signer)
        self.client.publish(f"{TOPIC}/ack", data, qos=1, retain=True)

    def _on_message(self, _client, _userdata, message) -> None:
        kind = message.topic.rsplit("/", 1)[1]
        if kind == "status":
            self.statuses.append(json.loads(message.payload))
        elif kind == "birth":
            self.births.append(message.payload)
        elif kind == "log":
            self._take(message.payload)

    def _take(self, data: bytes) -> None:
        self.seen += 1
        note.verify(split(data), self.verifier)
        record = parse(data)
        seq, digest = self.heads.get(record.stream, (0, None))
        if (record.seq, record.prev) == (seq + 1, digest):
            self.heads[record.stream] = (record.seq, digest_of(data))
            self.taken.append(data)
        if self.acking:
            self.publish_ack()

    def records(self) -> list:
        return [parse(data) for data in self.taken]

    def readings(self, group: str = "meter-1/all") -> dict[int, int | None]:
        """Slot → value of a group's first point; fails when a slot comes twice."""
        found: dict[int, int | None] = {}
        for record in self.records():
            for part in record.groups if isinstance(record, Readings) else ():
                if part.group == group:
                    for slot, value in zip(part.slots, part.values[0], strict=True):
                        assert slot not in found
                        found[slot] = value
        return found


@dataclass
class Site:
    """A gateway's files and its ingest."""

    folder: Path
    ingest: TinyIngest
    text: str

    @property
    def settings(self) -> GatewaySettings:
        return GatewaySettings.model_validate(tomllib.loads(self.text))

    @contextmanager
    def running(self, clock: Clock | None = None) -> Iterator[None]:
        signer = load_signer(self.folder / "gw.key")
        loop, stop, failure = asyncio.new_event_loop(), asyncio.Event(), []

        def live() -> None:
            try:
                work = Agent(self.settings, clock, signer).run(stop) if clock else run(self.settings, stop)
                loop.run_until_complete(work)
            except BaseException as error:  # noqa: BLE001 - a main loop: the test that runs it shows what happened
                failure.append(error)
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()

        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield
        finally:
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
            thread.join(20)
            assert not thread.is_alive()
        if failure:
            raise failure[0]


@pytest.fixture
def in_a_hurry(monkeypatch) -> None:
    """A stopping agent does not wait for an ack that will not come."""
    monkeypatch.setattr("gateway.agent.FAREWELL_S", 0.1)


@pytest.fixture
def make_site(tmp_path) -> Iterator[Callable[..., Site]]:
    started: list[TinyIngest] = []

    def make(meter_port: int, broker_port: int, protocol: int = 5, second: str = "", listening: bool = True) -> Site:
        ack_signer = new_signer("ack")
        text = head(tmp_path, broker_port, ack_key=str(ack_signer.verifier), protocol=protocol, seal_after_s=0.2)
        ingest = TinyIngest(broker_port, load_signer(tmp_path / "gw.key").verifier, ack_signer)
        text += device(tmp_path, "meter-1", meter_port, 1) + second
        if listening:
            ingest.start()
            started.append(ingest)
        return Site(tmp_path, ingest, text)

    yield make
    for ingest in started:
        ingest.stop()


def test_readings_go_from_the_meter_to_ingest_once_and_are_all_acknowledged_when_it_stops(
    meter, broker, make_site, wait_until, capsys
):
    site = make_site(meter.port, broker.port)
    with site.running():
        wait_until(lambda: len(site.ingest.readings()) >= 10)
    assert capsys.readouterr().out == f"ready gateway {SITE}/{GATEWAY}: 1 poll groups\n"
    readings = site.ingest.readings()
    assert set(readings.values()) == {1_010_000}  # unit 1, register 10, in mW
    assert all(slot % STEP_MS == 0 for slot in readings)
    assert_every_due_slot_is_read_once_or_explained(site.ingest.records())
    served = sum(1 for request in meter.asked if request == (1, 3, 10, 1))
    assert len(readings) == served, "every answer of the meter was sealed and sent before the agent ended"


def test_people_find_a_retained_birth_and_a_status_that_ends_with_offline(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    with site.running():
        wait_until(lambda: site.ingest.births and site.ingest.statuses)
    wait_until(lambda: site.ingest.statuses[-1] == {"online": False})
    assert site.ingest.births[0] == site.ingest.taken[0]
    first = next(status for status in site.ingest.statuses if status["online"])
    assert first["clock"]["state"] == "synchronised"
    assert {"outbox", "in_flight", "faults", "silent_devices", "agent"} <= set(first)


def test_a_dead_device_has_no_answer_in_every_slot_and_never_delays_the_other(
    meter, broker, make_site, wait_until, free_port, tmp_path
):
    site = make_site(meter.port, broker.port, second=device(tmp_path, "meter-2", free_port(), 1))
    with site.running():
        wait_until(lambda: len(site.ingest.readings("meter-2/all")) >= 10 and len(site.ingest.readings()) >= 10)
    assert set(site.ingest.readings("meter-2/all").values()) == {None}
    assert set(site.ingest.readings().values()) == {1_010_000}
    codes = {
        code
        for record in site.ingest.records()
        if isinstance(record, Readings)
        for part in record.groups
        if part.group == "meter-2/all"
        for _, _, code in part.quality
    }
    assert codes == {Quality.NO_ANSWER}


@pytest.mark.usefixtures("in_a_hurry")
def test_what_nobody_acknowledges_is_sent_again_by_the_next_run_as_the_same_bytes(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    site.ingest.acking = False
    with site.running():
        wait_until(lambda: len(site.ingest.readings()) >= 3)
    first = list(site.ingest.taken)
    site.ingest.taken.clear()
    site.ingest.heads.clear()
    site.ingest.acking = True
    with site.running():
        wait_until(lambda: len({record.stream for record in site.ingest.records()}) == 2)
    assert site.ingest.taken[: len(first)] == first
    second_birth = next(record for record in site.ingest.records() if record.stream != parse(first[0]).stream)
    assert (second_birth.seq, second_birth.after.digest) == (1, digest_of(first[-1]))
    assert any(record.kind == "gap" and record.reason == "agent-down" for record in site.ingest.records())


@pytest.mark.usefixtures("in_a_hurry")
def test_a_gateway_without_space_to_begin_a_stream_sends_what_waits_and_leaves_the_last_birth_to_be_seen(
    meter, broker, make_site, wait_until, monkeypatch
):
    site = make_site(meter.port, broker.port, listening=False)
    with site.running():
        wait_until(lambda: len(meter.asked) >= 10)

    async def wait_for_space(_rounds: Rounds) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Rounds, "begin", wait_for_space)
    asked = len(meter.asked)
    site.ingest.start()
    with site.running():
        wait_until(lambda: any(status["online"] for status in site.ingest.statuses))
        wait_until(lambda: len(site.ingest.readings()) >= 5)
        wait_until(lambda: site.ingest.statuses[-1]["outbox"]["unacknowledged_records"] == 0, timeout_s=20)
    site.ingest.stop()
    assert b"" not in site.ingest.births
    assert len(meter.asked) == asked


@pytest.mark.usefixtures("in_a_hurry")
def test_an_ack_of_another_key_deletes_nothing_and_is_shown(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    site.ingest.acking = False
    with site.running():
        wait_until(lambda: site.ingest.heads)
        site.ingest.publish_ack(new_signer("ack"))
        wait_until(lambda: "ack-refused" in site.ingest.statuses[-1].get("faults", {}))
        assert site.ingest.statuses[-1]["outbox"]["unacknowledged_records"] > 0


@pytest.mark.usefixtures("in_a_hurry")
def test_an_ack_with_another_digest_deletes_nothing_and_raises_identity_conflict(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    site.ingest.acking = False
    with site.running():
        wait_until(lambda: site.ingest.heads)
        (stream,) = site.ingest.heads
        site.ingest.publish_ack(streams={stream: ack.StreamAck(through=1, digest="f" * 64)})
        wait_until(lambda: "identity-conflict" in site.ingest.statuses[-1].get("faults", {}))
        assert site.ingest.statuses[-1]["outbox"]["unacknowledged_records"] > 0


@pytest.mark.usefixtures("in_a_hurry")
def test_an_ingest_that_goes_on_saying_what_is_older_is_shown_until_it_says_something_newer(
    meter, broker, make_site, wait_until, monkeypatch
):
    monkeypatch.setattr("gateway.uplink.OLDER_FOR_S", 0.5)
    site = make_site(meter.port, broker.port)

    def faults() -> dict:
        return site.ingest.statuses[-1].get("faults", {})

    with site.running():
        wait_until(lambda: site.ingest.heads and site.ingest.statuses)
        site.ingest.acking = False
        older = new_ulid(1)

        def older_shown() -> bool:
            site.ingest.publish_ack(run=older)
            return "ack-older" in faults()

        wait_until(older_shown)
        assert older in faults()["ack-older"]
        site.ingest.acking = True
        wait_until(lambda: "ack-older" not in faults())


@pytest.mark.real
def test_polling_goes_on_while_the_broker_is_away_and_everything_arrives_in_order_afterwards(
    meter, mosquitto, make_site, wait_until
):
    site = make_site(meter.port, mosquitto.port)
    with site.running():
        wait_until(lambda: len(site.ingest.readings()) >= 3)
        mosquitto.kill()
        polled = len(meter.asked)
        wait_until(lambda: len(meter.asked) >= polled + 10)
        mosquitto.start()
        wait_until(lambda: len(site.ingest.readings()) >= polled + 10, timeout_s=20)
    served = sum(1 for request in meter.asked if request == (1, 3, 10, 1))
    assert len(site.ingest.readings()) == served


@pytest.mark.real
def test_mqtt_3_1_1_carries_the_same_records(meter, mosquitto, make_site, wait_until):
    site = make_site(meter.port, mosquitto.port, protocol=4)
    with site.running():
        wait_until(lambda: len(site.ingest.readings()) >= 3)


def _broker_that_says_taken_over(listener: socket.socket) -> None:
    """Accept one MQTT 5 client, then tell it that another one took its session over (reason 0x8E)."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(bytes.fromhex("2003000000"))  # CONNACK, success
        connection.recv(4096)  # SUBSCRIBE
        connection.sendall(bytes.fromhex("e0028e00"))  # DISCONNECT, session taken over
        # To close with bytes unread would reset the connection, and the client might never see why it ended.
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while connection.recv(4096):
                pass


@pytest.mark.usefixtures("in_a_hurry")
def test_being_told_that_another_client_took_the_session_over_is_an_identity_conflict(
    meter, make_site, wait_until, caplog
):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_broker_that_says_taken_over, args=(listener,))
        site = make_site(meter.port, listener.getsockname()[1], listening=False)
        thread.start()
        with site.running():
            wait_until(lambda: "identity-conflict: another client connected under this gateway's name" in caplog.text)
            polled = len(meter.asked)
            wait_until(lambda: len(meter.asked) > polled)
        thread.join()


def test_a_clock_set_back_stops_the_reading_until_it_has_passed_the_last_slot_and_leaves_a_gap(
    meter, broker, make_site, wait_until
):
    site, clock = make_site(meter.port, broker.port), SetClock(FACTOR)
    clock.state = ClockState.UNKNOWN
    with site.running(clock):
        wait_until(lambda: len(site.ingest.readings()) >= 3)
        clock.offset_ms -= 20 * STEP_MS
        wait_until(lambda: any(record.kind == "gap" for record in site.ingest.records()))
        last = max(site.ingest.readings())
        wait_until(lambda: max(site.ingest.readings()) > last)
    gaps = [record for record in site.ingest.records() if record.kind == "gap" and record.reason == "clock-behind"]
    # A set clock is noticed within a second, which here is ten slots.
    assert 5 <= sum(gap.to_ms - gap.from_ms for gap in gaps) // STEP_MS <= 21
    assert len({record.stream for record in site.ingest.records()}) == 1
    slots = list(site.ingest.readings())
    assert slots == sorted(slots)


def test_a_synchronised_clock_more_than_an_hour_behind_begins_a_new_stream_and_reads_on_at_once(
    meter, broker, make_site, wait_until
):
    site, clock = make_site(meter.port, broker.port), SetClock(FACTOR)
    clock.state, clock.offset_ms = ClockState.UNKNOWN, 24 * 60 * STEP_MS
    with site.running(clock):
        wait_until(lambda: len(site.ingest.readings()) >= 3)
        clock.state, clock.offset_ms = ClockState.SYNCHRONISED, 0
        wait_until(lambda: len({record.stream for record in site.ingest.records()}) == 2)
        before = len(site.ingest.readings())
        wait_until(lambda: len(site.ingest.readings()) >= before + 5)
    ahead, right = sorted({record.stream for record in site.ingest.records()})
    slots = {
        stream: [slot for r in site.ingest.records() if r.stream == stream and r.kind == "readings"
                 for group in r.groups for slot in group.slots]
        for stream in (ahead, right)
    }  # fmt: skip
    assert slots[right] == sorted(slots[right])
    assert max(slots[right]) < min(slots[ahead])
    assert all(record.clock.state == "synchronised" for record in site.ingest.records() if record.stream == right)


def test_a_second_instance_on_the_same_folder_does_not_start(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    with site.running():
        wait_until(lambda: site.ingest.heads)
        with pytest.raises(OutboxLockedError, match="is this gateway already running"), site.running():
            pass


def test_the_key_of_another_gateway_is_refused(meter, broker, make_site):
    site = make_site(meter.port, broker.port)
    (site.folder / "gw.key").unlink()
    save_signer(new_signer("site-1/other"), site.folder / "gw.key")
    with pytest.raises(KeyFileError, match="signs as 'site-1/other'; this gateway is 'site-1/gw-1'"), site.running():
        pass


@pytest.mark.fault
def test_a_process_that_is_killed_loses_only_slots_inside_its_agent_down_gap(meter, broker, make_site, wait_until):
    site = make_site(meter.port, broker.port)
    with Gateway(site.folder, site.text) as gateway:
        gateway.configure("")
        gateway.start()
        wait_until(lambda: len(site.ingest.readings()) >= 5)
        gateway.kill()
        gateway.start()
        wait_until(lambda: len({record.stream for record in site.ingest.records()}) == 2)
        before = len(site.ingest.readings())
        wait_until(lambda: len(site.ingest.readings()) >= before + 5)
        gateway.stop()
    assert any(record.kind == "gap" and record.reason == "agent-down" for record in site.ingest.records())
    assert_every_due_slot_is_read_once_or_explained(site.ingest.records())

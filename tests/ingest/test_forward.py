"""From the journal into InfluxDB: one suite over both interfaces, and the real 1.x server."""

import http.client
import json
import sqlite3
import threading
from contextlib import ExitStack
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.config import InfluxSettings
from ingest.errors import InfluxError, InfluxRejectedError
from ingest.forward import Forwarder, requests
from ingest.intake import Intake
from ingest.lines import Lines, Row, Span, lines_of
from ingest.store.influx import LazyWriter, OneWriter, TwoWriter, open_writer
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from metering import record
from metering.clock import SystemClock
from metering.measurands import INT64_MAX, INT64_MIN, MEASURANDS

NOW_MS = 1_766_600_000_000


@pytest.fixture(params=["1.6.7", "v2.7.0"])
def influx(serve_influx, request):
    return serve_influx(request.param)


@pytest.fixture
def journal(tmp_path, gateway):
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as opened:
        intake = Intake(opened, 10_000)

        def take(*records: bytes) -> None:
            intake.take([(gateway.topic, data) for data in records], gateway.ring, NOW_MS)

        yield take


@pytest.fixture
def forwarder(tmp_path):
    with ExitStack() as stack:

        def make(url: str) -> Forwarder:
            reader, writer = JournalReader(tmp_path / "journal.sqlite"), LazyWriter(InfluxSettings(url=url))
            return stack.enter_context(Forwarder(reader, writer, tmp_path / "forward.sqlite", SystemClock()))

        yield make


def drain(forwarder):
    while forwarder.step():
        pass


# --- the two interfaces --------------------------------------------------------------------------------------------


def test_the_interface_follows_the_servers_version(influx):
    writer = open_writer(InfluxSettings(url=influx.url))
    assert isinstance(writer, OneWriter if influx.version.startswith("1") else TwoWriter)
    writer.write(b"reading x=1.0 1\n")
    parts = urlsplit(influx.requests[-1])
    assert parts.path == ("/write" if influx.version.startswith("1") else "/api/v2/write")
    assert parse_qs(parts.query)["precision"] == ["ms"]
    assert influx.lines == {b"reading 1": b"x=1.0"}


def test_the_interface_can_be_set(influx):
    assert isinstance(open_writer(InfluxSettings(url=influx.url, api="1")), OneWriter)
    assert isinstance(open_writer(InfluxSettings(url=influx.url, api="2")), TwoWriter)


def test_a_bad_line_is_told_from_a_busy_server(influx):
    writer = open_writer(InfluxSettings(url=influx.url))
    influx.answers = [(400, {}), (429, {"Retry-After": "7"}), (503, {}), (401, {}), (500, {})]
    with pytest.raises(InfluxRejectedError, match=r"400: .*because"):
        writer.write(b"reading x=1.0 1\n")
    with pytest.raises(InfluxError, match="429") as busy:
        writer.write(b"reading x=1.0 1\n")
    assert busy.value.retry_after_s == 7
    for status in ("503", "401", "500"):
        with pytest.raises(InfluxError, match=status) as error:
            writer.write(b"reading x=1.0 1\n")
        assert not isinstance(error.value, InfluxRejectedError)


@pytest.mark.parametrize("api", ["auto", "1", "2"])
def test_a_server_that_is_away_is_said_to_be_away(free_port, api):
    with pytest.raises(InfluxError, match="no answer from InfluxDB"):
        LazyWriter(InfluxSettings(url=f"http://127.0.0.1:{free_port()}", api=api)).write(b"reading x=1.0 1\n")


def test_secrets_come_from_files(influx, tmp_path):
    (tmp_path / "secret").write_text("hunter2\n")
    one = InfluxSettings(url=influx.url, api="1", username="ann", password_file=tmp_path / "secret")
    open_writer(one).write(b"reading x=1.0 1\n")
    two = InfluxSettings(url=influx.url, api="2", token_file=tmp_path / "secret")
    open_writer(two).write(b"reading x=1.0 1\n")
    assert influx.authorization == ["Basic YW5uOmh1bnRlcjI=", "Token hunter2"]


# --- the forwarder -------------------------------------------------------------------------------------------------


def text_of(span: Span) -> list[bytes]:
    found = lines_of(span)
    lines = found.text.splitlines()
    assert len(lines) == found.count
    return lines


def test_a_line_holds_all_measurands_of_a_point_and_slot_as_floats():
    energy = Row("ac", "energy_export_total_wh", [1_234_567, 7, None])
    rows = [energy, Row("dc", "active_power_w", [2000, 3000, 4000]), Row("ac", "active_power_w", [-1, None, 10**18])]
    assert text_of(Span("farm", [5, 6, 7], rows)) == [
        b"reading,point=ac,site=farm energy_export_total_wh=1234.567,active_power_w=-0.001 5",
        b"reading,point=ac,site=farm energy_export_total_wh=0.007 6",
        b"reading,point=ac,site=farm active_power_w=1000000000000000.0 7",
        b"reading,point=dc,site=farm active_power_w=2.0 5",
        b"reading,point=dc,site=farm active_power_w=3.0 6",
        b"reading,point=dc,site=farm active_power_w=4.0 7",
    ]


@given(st.lists(st.integers(INT64_MIN, INT64_MAX), min_size=1))
def test_every_number_reads_back_as_the_float_nearest_to_its_quanta(values):
    slots = list(range(len(values)))
    lines = text_of(Span("farm", slots, [Row("ac", "volume_total_m3", values), Row("ac", "heat_total_j", values)]))
    texts = [[field.partition(b"=")[2] for field in line.split(b" ")[1].split(b",")] for line in lines]
    assert [[float(text) for text in pair] for pair in texts] == [[value / 1e6, value / 1] for value in values]


def test_good_readings_are_forwarded_and_others_are_not(influx, journal, forwarder, gateway, slot_ms):
    journal(gateway.birth(), gateway.readings(1, 2, energy=[1000, None]), gateway.gap(3, 4), gateway.readings(4))
    drain(forwarder(influx.url))
    assert influx.lines == {
        b"reading,point=ac,site=farm %d" % slot_ms(1): b"energy_export_total_wh=1000.0,active_power_w=50.0",
        b"reading,point=ac,site=farm %d" % slot_ms(4): b"energy_export_total_wh=1040.0,active_power_w=50.0",
    }


def test_held_records_and_test_mode_are_not_forwarded(influx, journal, forwarder, gateway):
    journal(gateway.birth(mode="test"), gateway.readings(1), gateway.birth(points=[]), gateway.readings(2))
    drain(forwarder(influx.url))
    assert influx.lines == {}


def test_the_cursor_moves_only_when_the_lines_are_there(influx, journal, forwarder, gateway):
    journal(gateway.birth(), gateway.readings(1))
    one = forwarder(influx.url)
    influx.answers = [(503, {})]
    with pytest.raises(InfluxError, match="503"):
        one.step()
    assert influx.lines == {}
    drain(one)
    assert len(influx.lines) == 1
    requests = len(influx.requests)
    drain(forwarder(influx.url))
    assert len(influx.requests) == requests


def test_a_bad_line_is_held_and_the_rest_is_sent(influx, journal, forwarder, gateway, tmp_path):
    influx.bad = b"=1050.0"
    journal(gateway.birth(), gateway.readings(*range(1, 10)))
    drain(forwarder(influx.url))
    assert len(influx.lines) == 8
    with sqlite3.connect(tmp_path / "forward.sqlite") as connection:
        held = connection.execute("SELECT line, error FROM held_lines").fetchall()
    connection.close()
    assert len(held) == 1
    assert "=1050.0" in held[0][0]
    assert "400" in held[0][1]


def test_a_reading_is_never_overwritten_with_another_value(influx, journal, forwarder, gateway):
    journal(gateway.birth(), gateway.readings(1, 2, energy=[10, 20]))
    drain(forwarder(influx.url))
    before = dict(influx.lines)
    gateway.new_stream()
    journal(gateway.birth(), gateway.readings(1, 2, 3, energy=[10, 99, 30]))
    drain(forwarder(influx.url))
    assert {key: influx.lines[key] for key in before}.keys() == before.keys()
    assert b"energy_export_total_wh=99.0" not in b",".join(influx.lines.values())
    assert len(influx.lines) == 3


def test_what_a_thinned_record_keeps_is_forwarded(influx, journal, forwarder, gateway, slot_ms):
    journal(gateway.birth())
    prev, kept = gateway.prev, json.loads(record.split(gateway.readings(1)).text)["groups"]
    gateway.readings(2)
    journal(gateway.dropped(2, 3, gateway.prev, prev, "thinned", groups=kept))
    drain(forwarder(influx.url))
    assert list(influx.lines) == [b"reading,point=ac,site=farm %d" % slot_ms(1)]


def test_a_reading_answered_at_no_time_that_can_be_is_not_forwarded(influx, journal, forwarder, gateway, slot_ms):
    readings = json.loads(record.split(gateway.readings(1, 2)).text)["groups"]
    readings[0]["received"][0] = 2 * 86_400_000
    gateway.seq, gateway.prev = 0, None
    journal(gateway.birth(), gateway.readings(groups=readings))
    drain(forwarder(influx.url))
    assert list(influx.lines) == [b"reading,point=ac,site=farm %d" % slot_ms(2)]


def test_readings_are_written_with_the_birth_that_governs_them(influx, journal, forwarder, gateway):
    journal(gateway.birth(), gateway.readings(1))
    one = forwarder(influx.url)
    drain(one)
    points = [
        {"point": "new", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": "active_energy_export"},
        {"point": "new", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"},
    ]
    journal(gateway.birth(points=points), gateway.readings(2))
    drain(one)
    drain(forwarder(influx.url))
    assert [line.split(b",")[1] for line in influx.lines] == [b"point=ac", b"point=new"]


def test_an_earlier_record_is_compared_as_the_birth_says_that_governed_it(influx, journal, forwarder, gateway, slot_ms):
    journal(gateway.birth(), gateway.readings(1, 2, energy=[10, 20]))
    points = [
        {"point": "new", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": "active_energy_export"},
        {"point": "new", "measurand": "active_power_w", "quantum": "mW", "register": "active_power"},
    ]
    journal(gateway.birth(points=points), gateway.readings(3))
    gateway.new_stream()
    journal(gateway.birth(), gateway.readings(2, energy=[99]), gateway.readings(4))
    drain(forwarder(influx.url))
    key = b"reading,point=ac,site=farm %d" % slot_ms(2)
    assert influx.lines[key] == b"energy_export_total_wh=20.0,active_power_w=50.0"
    assert len(influx.lines) == 4


def test_what_could_be_used_only_later_is_forwarded_then(influx, journal, forwarder, gateway, slot_ms):
    birth, readings = gateway.birth(), gateway.readings(1)
    horizon = gateway.horizon(3, gateway.prev)
    journal(horizon, gateway.readings(2))
    one = forwarder(influx.url)
    drain(one)
    assert influx.lines == {}
    journal(birth)
    drain(one)
    assert list(influx.lines) == [b"reading,point=ac,site=farm %d" % slot_ms(2)]
    requests = len(influx.requests)
    drain(one)
    drain(forwarder(influx.url))
    assert len(influx.requests) == requests
    assert readings


def test_what_could_be_used_only_later_overwrites_nothing(influx, journal, forwarder, gateway, slot_ms):
    birth = gateway.birth()
    gateway.readings(1)
    journal(gateway.horizon(3, gateway.prev), gateway.readings(2, 3, energy=[20, 30]))
    gateway.new_stream()
    journal(gateway.birth(), gateway.readings(2, energy=[99]))
    one = forwarder(influx.url)
    drain(one)
    journal(birth)
    drain(one)
    fields = {key: line.split(b",")[0] for key, line in influx.lines.items()}
    assert fields == {
        b"reading,point=ac,site=farm %d" % slot_ms(2): b"energy_export_total_wh=99.0",
        b"reading,point=ac,site=farm %d" % slot_ms(3): b"energy_export_total_wh=30.0",
    }


def test_a_batch_that_was_not_taken_is_sent_again_and_all_behind_it(influx, journal, forwarder, gateway, monkeypatch):
    monkeypatch.setattr("ingest.forward.MOST_RECORDS", 2)
    journal(gateway.birth(), *[gateway.readings(slot) for slot in range(1, 8)])
    one = forwarder(influx.url)
    assert one.step()
    influx.answers = [(503, {}), (503, {})]
    for _ in range(2):
        with pytest.raises(InfluxError, match="503"):
            one.step()
    drain(one)
    assert len(influx.lines) == 7
    assert len(influx.requests) == 6


def test_a_request_that_is_too_large_is_halved(influx, journal, forwarder, gateway):
    journal(gateway.birth(), gateway.readings(*range(1, 10)))
    one = forwarder(influx.url)
    influx.answers = [(413, {}), (422, {})]
    drain(one)
    assert len(influx.lines) == 9


@pytest.mark.parametrize(("count", "sizes"), [(4, [2, 2]), (5, [2, 2, 1]), (1, [1])])
def test_requests_are_bounded_and_of_about_the_same_size(monkeypatch, count, sizes):
    monkeypatch.setattr("ingest.forward.MOST_LINES", 2)
    texts = requests([Lines(b"line\n", 1)] * count)
    assert [len(text.splitlines()) for text in texts] == sizes


def test_another_journal_is_forwarded_from_its_start(influx, journal, forwarder, gateway, tmp_path):
    journal(gateway.birth(), gateway.readings(1))
    drain(forwarder(influx.url))
    with sqlite3.connect(tmp_path / "forward.sqlite") as connection:
        connection.execute("UPDATE cursor SET id = 99")
    connection.close()
    influx.lines.clear()
    drain(forwarder(influx.url))
    assert len(influx.lines) == 1


def test_the_thread_waits_for_a_server_that_is_away_and_ends_when_told(journal, forwarder, gateway, free_port):
    journal(gateway.birth(), gateway.readings(1))
    stop = threading.Event()
    thread = threading.Thread(target=forwarder(f"http://127.0.0.1:{free_port()}").run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


# --- the real server -----------------------------------------------------------------------------------------------


def query(port: int, text: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", f"/query?db=sakugen&epoch=ms&q={quote(text)}")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer["results"][0].get("series", [{"values": []}])[0]["values"]


@pytest.mark.real
def test_every_good_reading_is_found_in_a_real_influxd_with_the_same_float(influxd, journal, forwarder, gateway):
    energy = [None if slot % 7 == 0 else 3_000_000 + slot * 17 for slot in range(200)]
    records = [gateway.birth()]
    records += [gateway.readings(*range(n, n + 10), energy=energy[n : n + 10]) for n in range(0, 200, 10)]
    journal(*records)
    drain(forwarder(f"http://127.0.0.1:{influxd.port}"))
    evidence = collect(records)
    for point, measurand in evidence.keys():  # noqa: SIM118 - not a dict
        series = evidence.series(point, measurand)
        unit, good = MEASURANDS[measurand], series.valued
        pairs = zip(series.time_ms[good].tolist(), series.value[good].tolist(), strict=True)
        expected = [[time_ms, unit.to_unit(value)] for time_ms, value in pairs]
        assert len(expected) == 171
        found = query(influxd.port, f"SELECT {measurand} FROM reading WHERE point = '{point}' AND site = 'farm'")
        assert found == expected


@pytest.mark.real
def test_a_real_influxd_that_is_killed_loses_nothing_that_the_cursor_passed(
    influxd, journal, forwarder, gateway, wait_until
):
    journal(gateway.birth(), *[gateway.readings(slot) for slot in range(1, 50)])
    one = forwarder(f"http://127.0.0.1:{influxd.port}")
    drain(one)
    influxd.kill()
    journal(gateway.readings(50))
    with pytest.raises(InfluxError, match="no answer"):
        one.step()
    influxd.start()
    drain(one)
    wait_until(lambda: len(query(influxd.port, "SELECT active_power_w FROM reading")) == 50)


@pytest.mark.real
def test_a_process_forwards_what_it_acknowledges(influxd, broker, start_ingest, connect, gateway, wait_until):
    start_ingest(broker.port, influx_port=influxd.port)
    line = connect(broker.port)
    line.send(gateway.birth(), gateway.readings(1, 2, 3))
    wait_until(lambda: line.through() == 2)
    wait_until(lambda: len(query(influxd.port, "SELECT active_power_w FROM reading")) == 3)

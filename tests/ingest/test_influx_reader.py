"""What was forwarded comes back as the same whole quanta; what was never ours comes as somebody declares it."""

import http.client
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from ingest.config import InfluxSettings
from ingest.errors import InfluxError
from ingest.forward import Forwarder
from ingest.intake import Intake
from ingest.store.influx import OneWriter
from ingest.store.influx_reader import EXACT_BELOW, Declared, InfluxSource, _quanta
from ingest.store.journal import Journal
from ingest.store.reader import JournalReader
from ingest.store.series import Meter
from ingest.store.sources import JournalSource
from metering.clock import SystemClock
from metering.interval import Interval
from metering.measurands import MEASURANDS
from metering.quality import Quality

FIRST_SLOT, LAST_SLOT = 780, 4000
ENERGY = ("ac", "energy_export_total_wh")
EX_1 = Meter("Example", "EX-1", "s-1")


@pytest.fixture
def span(slot_ms):
    return Interval(slot_ms(FIRST_SLOT), slot_ms(LAST_SLOT))


@pytest.fixture
def declare(span):
    def make(measurand=ENERGY[1], meter=EX_1, during=span, point="ac"):
        return Declared(point, measurand, meter, 900_000, during)

    return make


def settings_of(influxd, bucket="sakugen"):
    return InfluxSettings(url=f"http://127.0.0.1:{influxd.port}", bucket=bucket)


def read(influxd, span, *declared):
    return InfluxSource(settings_of(influxd), "farm", declared).evidence("demo", span.start_ms, span.end_ms)


def codes(series):
    return [Quality(code).label for code in series.quality]


@pytest.mark.real
def test_the_good_readings_of_the_journal_come_back_as_the_same_quanta(influxd, gateway, declare, span, tmp_path, rng):
    gateway.birth()
    for first in range(FIRST_SLOT, FIRST_SLOT + 100, 20):
        energy = [None if rng.random() < 0.1 else int(rng.integers(2**31)) for _ in range(20)]
        gateway.readings(*range(first, first + 20), energy=energy)
    gateway.readings(LAST_SLOT - 100)
    with Journal.open(tmp_path / "journal.sqlite", span.end_ms) as journal:
        Intake(journal, 10_000).take([(gateway.topic, one) for one in gateway.made], gateway.ring, span.end_ms)
    reader = JournalReader(tmp_path / "journal.sqlite")
    with Forwarder(reader, OneWriter(settings_of(influxd)), tmp_path / "forward.sqlite", SystemClock()) as forwarder:
        while forwarder.step():
            pass
    theirs = read(influxd, span, declare(), declare("active_power_w"))
    ours = JournalSource(reader).evidence("demo", span.start_ms, span.end_ms)
    assert theirs.keys() == ours.keys()
    for key in ours.keys():  # noqa: SIM118 - not a dict
        one, other = ours.series(*key), theirs.series(*key)
        good = one.quality == Quality.OK
        assert good.sum() > 80
        assert np.array_equal(one.time_ms[good], other.time_ms[other.valued])
        assert np.array_equal(one.value[good], other.value[other.valued])
        assert set(codes(other)) == {"ok", "unexplained"}
        assert [bound.meter for bound in other.bindings] == [EX_1]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.real
def test_history_is_of_the_meter_that_is_declared_for_its_time_and_of_none_outside(influxd, declare, span, slot_ms):
    lines = [f"reading,site=farm,point=ac {ENERGY[1]}={number} {slot_ms(number)}" for number in range(790, 810)]
    lines.append(f"reading,site=elsewhere,point=ac {ENERGY[1]}=7 {slot_ms(811)}")
    OneWriter(settings_of(influxd)).write("\n".join(lines).encode())
    new = Meter("Example", "EX-1", "s-2")
    old_span, new_span = Interval(slot_ms(795), slot_ms(800)), Interval(slot_ms(800), slot_ms(805))
    evidence = read(influxd, span, declare(during=old_span), declare(meter=new, during=new_span))
    series = evidence.series(*ENERGY)
    assert series.value.tolist() == [number * 1000 for number in range(795, 805)]
    assert [series.bound(row).meter.serial for row in range(10)] == ["s-1"] * 5 + ["s-2"] * 5
    assert series.sent_ms.tolist() == series.received_ms.tolist() == series.time_ms.tolist()
    assert [one.meter for one in evidence.meters("ac")] == [EX_1, new]


@pytest.mark.real
def test_two_unequal_numbers_of_one_slot_are_a_conflict(influxd, declare, span, slot_ms):
    lines = [
        f"reading,site=farm,point=ac{tag} {ENERGY[1]}={number} {slot_ms(slot)}"
        for slot, tag, number in ((800, "", 1), (800, ",by=a", 1), (801, "", 2), (801, ",by=a", 3))
    ]
    OneWriter(settings_of(influxd)).write("\n".join(lines).encode())
    assert codes(read(influxd, span, declare()).series(*ENERGY)) == ["ok", "conflict"]


@pytest.mark.real
def test_names_with_quotes_ask_for_nothing_else(influxd, declare, span, slot_ms):
    OneWriter(settings_of(influxd)).write(f"reading,site=farm,point=ac {ENERGY[1]}=1 {slot_ms(800)}".encode())
    assert read(influxd, span, declare(point="x' OR point='ac")).keys() == ()


@pytest.mark.real
def test_nothing_there_is_no_fault_and_no_database_is_one(influxd, declare, span, slot_ms):
    connection = http.client.HTTPConnection("127.0.0.1", influxd.port)
    connection.request("POST", "/query?" + urlencode({"q": "CREATE DATABASE sakugen"}))
    connection.getresponse().read()
    connection.close()
    assert read(influxd, span, declare()).keys() == ()
    absent = InfluxSource(settings_of(influxd, "absent"), "farm", [declare()])
    with pytest.raises(InfluxError, match="database not found: absent"):
        absent.evidence("demo", span.start_ms, span.end_ms)


@pytest.mark.real
def test_text_where_numbers_are_expected_is_told(influxd, declare, span, slot_ms):
    OneWriter(settings_of(influxd)).write(f'reading,site=farm,point=ac {ENERGY[1]}="high" {slot_ms(800)}'.encode())
    with pytest.raises(InfluxError, match="answered no readings"):
        read(influxd, span, declare())


@pytest.mark.real
def test_an_answer_that_is_cut_short_is_told(influxd, declare, span, slot_ms):
    influxd.stop()
    config = Path(influxd.command[-1])
    config.write_text(config.read_text().replace("[http]\n", "[http]\nmax-row-limit = 3\n"))
    influxd.start()
    lines = [f"reading,site=farm,point=ac {ENERGY[1]}={number} {slot_ms(number)}" for number in range(800, 804)]
    OneWriter(settings_of(influxd)).write("\n".join(lines).encode())
    with pytest.raises(InfluxError, match="gave 3 of 4 readings of ac energy_export_total_wh"):
        read(influxd, span, declare())


def test_a_server_that_is_away_is_told(declare, span, free_port):
    source = InfluxSource(InfluxSettings(url=f"http://127.0.0.1:{free_port()}"), "farm", [declare()])
    with pytest.raises(InfluxError, match="no answer from InfluxDB"):
        source.evidence("demo", span.start_ms, span.end_ms)


def test_it_says_that_nothing_is_signed(declare):
    assert "nothing is signed" in InfluxSource(InfluxSettings(), "farm", [declare()]).caveat


@pytest.mark.parametrize("measurand", ["energy_export_total_wh", "volume_total_m3", "heat_total_j"])
def test_whole_quanta_survive_the_way_through_floats(measurand, rng):
    quanta = np.concatenate([rng.integers(-EXACT_BELOW + 1, EXACT_BELOW, 100_000), [EXACT_BELOW - 1, 0, -1]])
    one = MEASURANDS[measurand]
    value, quality = _quanta(np.array([one.to_unit(int(number)) for number in quanta]), one.quanta_per_unit)
    assert np.array_equal(value, quanta)
    assert not quality.any()


def test_a_float_that_names_no_one_number_of_quanta_has_no_value():
    numbers = np.array([EXACT_BELOW / 1000, 1e300, np.nan, np.inf, -np.inf, 1.0])
    value, quality = _quanta(numbers, 1000)
    assert value.tolist() == [0, 0, 0, 0, 0, 1000]
    assert quality.tolist() == [Quality.OUT_OF_RANGE] * 5 + [Quality.OK]

"""Simulated days through the real outbox, broker and ingest: nothing is lost, and values are what the plant shows."""

import asyncio
import re
import threading
import tomllib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import tomli_w

from gateway.config import GatewaySettings
from gateway.errors import OutboxError
from gateway.layout import lay_out
from gateway.maps import load_map
from gateway.outbox import SEAL_BYTES
from gateway.plan import plan_blocks
from gateway.poll import Answer, PollGroup, reading_of
from gateway.sealing import Place, Stamp, readings_maker
from ingest.config import IngestSettings
from ingest.service import run as run_ingest
from ingest.store.reader import JournalReader
from ingest.store.sources import JournalSource
from metering.clock import ClockConfig, ClockState
from metering.config import load_toml
from metering.interval import DAY_MS, HOUR_MS, Interval
from metering.quality import Quality
from metering.topics import GatewayId
from sakugen.backfill import ANSWER_MS, BackfillError, _Source, backfill
from sakugen.demo.layout import Ports, write_layout
from sakugen.demo.sites import SITES
from simulators.config import SimulatorSettings
from simulators.roster import build_site

START_MS = int(datetime(2025, 12, 2, tzinfo=UTC).timestamp() * 1000)
DAY = Interval(START_MS, START_MS + DAY_MS)
PROJECT = "demo-transformers"
PLACE = Place(GatewayId("a", "b"), "01JFV12A70AAAAAAAAAAAAAAAA", 1, None, Stamp(ClockState.SYNCHRONISED, 0, 0))


@pytest.fixture
def layout(tmp_path, broker, free_port):
    plants = {site.project: free_port() for site in SITES}
    ports = Ports(broker=broker.port, registry=free_port(), console=free_port(), plants=plants)
    return write_layout(tmp_path, ports, ClockConfig())


@pytest.fixture
def start_ingest(layout):
    """The real ingest in a thread, from when it is called on."""
    stop, threads = threading.Event(), []

    def start():
        settings = load_toml(layout.config("ingest"), IngestSettings)
        threads.append(threading.Thread(target=run_ingest, args=(settings, stop)))
        threads[-1].start()
        return JournalReader(layout.journal)

    yield start
    stop.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def ingest(start_ingest):
    return start_ingest()


def settings_of(layout, project=PROJECT):
    gateway = load_toml(layout.config(f"gateway-{project}"), GatewaySettings)
    return gateway, load_toml(layout.config("simulators"), SimulatorSettings)


def test_every_due_slot_of_a_day_is_journalled_with_what_the_meters_show_at_its_instant(layout, ingest):
    gateway, simulators = settings_of(layout)
    told = []
    filled = asyncio.run(backfill(gateway, simulators, DAY, told.append))
    assert (filled.slots, filled.readings) == (3 * 96, 3 * 96 * 5)
    assert told[-1] == DAY.end_ms
    plant = build_site("transformer-stations", f"1/{PROJECT}", simulators.counters_from_ms).plant
    evidence = JournalSource(ingest).evidence(PROJECT, DAY.start_ms, DAY.end_ms + HOUR_MS)
    due = np.arange(DAY.start_ms, DAY.end_ms, 900_000)
    for station in ("station-1", "station-2", "station-3"):
        series = evidence.series(station, "energy_import_total_wh")
        shown_wh = plant.columns(station, due + ANSWER_MS // 2)["energy_import_total_wh"]
        assert series.time_ms.tolist() == due.tolist()
        assert np.all(series.quality == Quality.OK)
        # An EM340 counts in tenths of a kWh.
        assert series.value.tolist() == [int(wh // 100) * 100_000 for wh in shown_wh]


def read_each_minute(layout):
    path = layout.config("gateway-demo-solar")
    path.write_text(re.sub(r"interval_s = \d+", "interval_s = 60", path.read_text()))


def test_a_full_outbox_waits_for_ingest_and_lets_copies_go_but_gives_up_nothing(layout, start_ingest):
    read_each_minute(layout)
    gateway, simulators = settings_of(layout, "demo-solar")
    small = gateway.model_copy(update={"max_bytes": 1_000_000})
    days = Interval(DAY.start_ms, DAY.end_ms + 4 * DAY_MS)
    ingest = []

    def begin_when_it_is_nearly_full(at_ms):
        if not ingest and at_ms > DAY.end_ms + DAY_MS:
            ingest.append(start_ingest())

    filled = asyncio.run(backfill(small, simulators, days, begin_when_it_is_nearly_full))
    journalled = list(ingest[0].records("demo-solar", days.start_ms, days.end_ms))
    assert [each.kind for each in journalled] == ["birth", *["readings"] * filled.records]
    assert sum(len(each.data) for each in journalled) > small.max_bytes


def test_when_nothing_is_acknowledged_somebody_is_told_once_and_it_goes_on_when_ingest_does(
    layout, start_ingest, monkeypatch
):
    monkeypatch.setattr("sakugen.backfill._PATIENCE_S", 0.2)
    gateway, simulators = settings_of(layout)
    told = []

    def see(what):
        told.append(what)
        start_ingest()

    filled = asyncio.run(backfill(gateway, simulators, DAY, stalled=see))
    assert filled.records == 1
    assert len(told) == 1
    assert f"is ingest running, and does it listen on the broker at 127.0.0.1:{gateway.broker.port}" in told[0]


def test_a_record_takes_no_more_bytes_than_the_gateway_puts_in_one_and_no_more_than_a_day(layout, ingest):
    read_each_minute(layout)
    asyncio.run(backfill(*settings_of(layout, "demo-solar"), DAY))
    sizes = [len(each.data) for each in ingest.records("demo-solar", DAY.start_ms, DAY.end_ms) if each.kind != "birth"]
    assert SEAL_BYTES / 4 < max(sizes) <= SEAL_BYTES
    two_days = Interval(DAY.start_ms, DAY.end_ms + DAY_MS)
    assert asyncio.run(backfill(*settings_of(layout), two_days)).records == 2


def test_a_record_says_what_the_gateway_would_have_said_reading_slot_by_slot(layout):
    gateway, simulators = settings_of(layout, "demo-solar")
    site = build_site("solar", "1/demo-solar", simulators.counters_from_ms)
    inverter = next(each for each in site.instruments if each.name == "inverter-1")
    laid = next(laid.group for laid in lay_out(gateway) if laid.device == "inverter-1")
    # Asleep is no state here, so there are slots without a value, and others.
    registers = [
        replace(each, sentinels=frozenset({2})) if each.name == "St" else each
        for each in load_map("sunspec_103").registers
        if each.name in {"W", "St", "WH"}
    ]
    group = PollGroup(laid.name, 60_000, laid.unit, tuple(registers), plan_blocks(registers))
    source = _Source(group, inverter, site)
    parts = [Interval(DAY.start_ms + hour * HOUR_MS, DAY.start_ms + (hour + 2) * HOUR_MS) for hour in range(0, 24, 2)]
    found = [source.readings(part) for part in parts]
    assert found == [_slot_by_slot(group, inverter, range(part.start_ms, part.end_ms, 60_000)) for part in parts]
    assert {len(each.quality) for each in found} > {0, 120}


def _slot_by_slot(group, instrument, slots):
    readings = []
    for slot_ms in slots:
        shown = instrument.image(slot_ms + ANSWER_MS // 2)
        answers = [
            Answer(tuple(shown.block(block.address, block.count)[0].tolist()), Quality.OK, slot_ms, slot_ms + ANSWER_MS)
            for block in group.blocks
        ]
        readings.append(reading_of(group, slot_ms, answers, 1.0))
    (sealed,) = readings_maker(readings)(PLACE).groups
    return sealed


def test_the_next_stretch_goes_on_where_the_one_before_ended_and_none_is_filled_twice(layout, ingest):
    gateway, simulators = settings_of(layout)
    for number in range(2):
        part = Interval(DAY.start_ms + number * HOUR_MS, DAY.start_ms + (number + 1) * HOUR_MS)
        assert asyncio.run(backfill(gateway, simulators, part)).slots == 3 * 4
    with pytest.raises(OutboxError, match="slots must increase"):
        asyncio.run(backfill(gateway, simulators, part))
    evidence = JournalSource(ingest).evidence(PROJECT, DAY.start_ms, DAY.end_ms)
    assert len(evidence.series("station-1", "active_power_w")) == 8
    assert {birth.agent.partition(" ")[0] for birth in evidence.births} == {"sakugen-backfill"}


def test_a_device_that_the_plant_lacks_is_named_with_those_that_there_are(layout):
    path = layout.config(f"gateway-{PROJECT}")
    text = (
        path.read_text()
        .replace('name = "station-2"', 'name = "station-9"')
        .replace('point = "station-2"', 'point = "x"')
    )
    path.write_text(tomli_w.dumps(tomllib.loads(text)))
    with pytest.raises(BackfillError, match=r"'station-9', unit 2, .* station-1 \(unit 1\)"):
        asyncio.run(backfill(*settings_of(layout), DAY))


def test_a_project_without_a_plant_is_refused(layout):
    gateway, simulators = settings_of(layout)
    other = simulators.model_copy(update={"plants": simulators.plants[:1]})
    with pytest.raises(BackfillError, match="no simulated plant has project 'demo-transformers'"):
        asyncio.run(backfill(gateway, other, DAY))


def test_a_device_map_of_another_model_is_told_by_its_registers(layout):
    path = layout.config(f"gateway-{PROJECT}")
    path.write_text(path.read_text().replace("carlo_gavazzi_em340", "eastron_sdm630"))
    with pytest.raises(BackfillError, match="is its device map the right one"):
        asyncio.run(backfill(*settings_of(layout), DAY))

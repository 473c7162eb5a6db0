"""What InfluxDB holds, and whether it is what the journal says. Reads by InfluxQL, as a dashboard does."""

import asyncio
from collections.abc import Iterator

import numpy as np
from faultkit.parts import READY_WITHIN_S
from faultkit.rig import DATABASE, Rig
from faultkit.verdict import wrong_clocks_of

from ingest.config import InfluxSettings
from ingest.forward import Forwarder
from ingest.store.influx import LazyWriter
from ingest.store.influx_query import InfluxReader
from ingest.store.reader import JournalReader
from ingest.store.readings import Evidence
from ingest.store.series import VALUED_CODES
from metering.interval import Interval
from metering.measurands import MEASURANDS
from metering.quality import Quality
from sakugen.demo.sites import DemoSite
from sakugen.processes import run_to_end

FOR_EVER = Interval(0, 4_000_000_000_000)
Place = tuple[str, str, int]
"""(point, measurand, slot [ms])."""


def assert_influxdb_tells_the_same(rig: Rig) -> None:
    """Compare each site's good readings, once what ingest had not forwarded yet is sent too.

    A reading stamped by a clock that was hours ahead was good when it came. The journal takes its value away when the
    gateway says so; InfluxDB, which is never overwritten, keeps it. These and no others may be there besides.
    """
    assert rig.influxd is not None
    rig.end_ingest()
    settings = InfluxSettings(url=f"http://127.0.0.1:{rig.influxd.port}", bucket=DATABASE)
    reader = JournalReader(rig.journal.path)
    cursor = rig.journal.path.with_name("forward.sqlite")
    with Forwarder(reader, LazyWriter(settings), cursor, rig.clock) as forwarder:
        while forwarder.step():
            pass
    for site in rig.sites:
        journal = rig.journal_of(site)
        evidence = journal.evidence()
        expected = dict(_rows(evidence, VALUED_CODES))
        lost_value = {place for place, _ in _rows(evidence, np.array([Quality.CLOCK]))}
        for wrong in wrong_clocks_of(rig, site):
            as_it_came = _rows(journal.evidence(wrong.wrote), VALUED_CODES)
            expected |= {place: value for place, value in as_it_came if place in lost_value}
        found = dict(_in_influxdb(InfluxReader(settings), site))
        assert found.keys() - expected.keys() == set(), f"{site.site}: only in InfluxDB"
        assert expected.keys() - found.keys() == set(), f"{site.site}: not in InfluxDB"
        assert {place: value for place, value in found.items() if expected[place] != value} == {}
    arguments = ["reconcile", "--config", str(rig.folder / "ingest.toml")]
    status, said = asyncio.run(run_to_end("reconcile", arguments, READY_WITHIN_S))
    assert status == 0, said


def _rows(evidence: Evidence, qualities: np.ndarray) -> Iterator[tuple[Place, float]]:
    for point, name in evidence.keys():  # noqa: SIM118 - it is no mapping
        series, quanta_per_unit = evidence.series(point, name), MEASURANDS[name].quanta_per_unit
        chosen = np.isin(series.quality, qualities)
        for slot_ms, value in zip(series.time_ms[chosen], series.value[chosen], strict=True):
            yield (point, name, int(slot_ms)), int(value) / quanta_per_unit


def _in_influxdb(reader: InfluxReader, site: DemoSite) -> Iterator[tuple[Place, float]]:
    for device in site.devices:
        for name, (times_ms, values) in reader.readings(site.site, device.name, FOR_EVER).items():
            for slot_ms, value in zip(times_ms, values, strict=True):
                yield (device.name, name, int(slot_ms)), float(value)

"""From the journal into a database: beside it, the same database fed with the same lines built beforehand."""

import json
import time
from dataclasses import dataclass, field

import pytest
from benchkit.fleet import records
from influxdb_client import InfluxDBClient, Point, WriteOptions
from influxdb_client.domain.write_precision import WritePrecision

from ingest.config import InfluxSettings
from ingest.forward import MOST_LINES, Forwarder
from ingest.store.influx import OneWriter, TwoWriter
from ingest.store.journal import Journal, NewRecord, StreamKey
from ingest.store.reader import JournalReader
from metering import record
from metering.clock import SystemClock
from metering.measurands import MEASURANDS

pytestmark = pytest.mark.real
NOW_MS = 1_766_505_600_000
POINTS, SLOTS = 20, 50
ROUNDS = 3
ORG = "sakugen"


@dataclass
class Keeping:
    """Takes lines and keeps them."""

    bodies: list[bytes] = field(default_factory=list)

    def write(self, lines: bytes) -> None:
        self.bodies.append(lines)


def _one_meter(birth: bytes) -> bytes:
    """Let one meter show what the fleet's birth gives to twenty: a line then has twenty fields."""
    text = record.split(birth).text
    body = json.loads(text)
    for part, name in zip(body["groups"][0]["points"], MEASURANDS, strict=False):
        part.update(point="meter", measurand=name)
    return birth.replace(text, json.dumps(body).encode() + b"\n")


@pytest.fixture
def source(tmp_path):
    """`source(count, wide=True)`: a journal of so many records of 1,000 readings; gives a maker of forwarders."""

    def make(count: int, *, wide: bool):
        path = tmp_path / f"{'wide' if wide else 'narrow'}.sqlite"
        birth, *rest = records(1, count, POINTS, SLOTS, NOW_MS)
        with Journal.open(path, NOW_MS) as journal, journal.transaction():
            for seq, data in enumerate([_one_meter(birth) if wide else birth, *rest], start=1):
                kind, slots = ("birth", None) if seq == 1 else ("readings", (seq * SLOTS, seq * SLOTS + SLOTS))
                header = record.parse_header(record.split(data).text)
                key = StreamKey(header.site, header.gateway, header.stream)
                journal.append(NewRecord(key, seq, kind, None, NOW_MS, slots, "bench", None, f"{seq:064}", data))
        cursors = iter(range(1000))

        def forwarder(writer) -> Forwarder:
            return Forwarder(
                JournalReader(path), writer, tmp_path / f"{path.stem}-{next(cursors)}.sqlite", SystemClock()
            )

        return forwarder

    return make


def _drain(forwarder: Forwarder) -> float:
    began_s = time.perf_counter()
    with forwarder:
        while forwarder.step():
            pass
    return time.perf_counter() - began_s


def _send(writer, bodies: list[bytes]) -> float:
    began_s = time.perf_counter()
    for body in bodies:
        writer.write(body)
    return time.perf_counter() - began_s


@pytest.mark.parametrize("wide", [True, False], ids=["20-fields-a-line", "1-field-a-line"])
def test_the_journal_goes_to_influxd_as_fast_as_lines_built_beforehand(influxd, source, report, sizes, wide):
    count = sizes.of(2000 if wide else 500, 20)
    forwarder = source(count, wide=wide)
    keeping = Keeping()
    used_s = time.process_time()
    alone_s = _drain(forwarder(keeping))
    used_s = time.process_time() - used_s
    url = f"http://127.0.0.1:{influxd.port}"
    lines_s, ours_s = [], []
    for at in range(ROUNDS):
        for name, times in (("lines", lines_s), ("ours", ours_s)):
            writer = OneWriter(InfluxSettings(url=url, bucket=f"{name}{at}"))
            writer.write(b"warm x=1 1\n")
            times.append(_send(writer, keeping.bodies) if name == "lines" else _drain(forwarder(writer)))
    fields = count * POINTS * SLOTS
    ours, theirs = fields / sorted(ours_s)[ROUNDS // 2], fields / sorted(lines_s)[ROUNDS // 2]
    report.add("journal to influxd", ours, "fields/s")
    report.add("the same lines, built beforehand", theirs, "fields/s", compared=True)
    report.add("of what influxd takes", 100 * ours / theirs, "%", at_least=85)
    report.add("journal to lines, sent nowhere", fields / alone_s, "fields/s")
    report.add("its CPU a field", 1e9 * used_s / fields, "ns")
    size = sum(map(len, keeping.bodies))
    report.note(f"{fields:,} fields, {size / fields:.0f} bytes each; medians of {ROUNDS} turns, each a new database.")


def _points(bodies: list[bytes]):
    """What somebody has who does not write lines: names, tags, numbers and times."""
    for line in b"".join(bodies).decode().splitlines():
        head, values, time_ms = line.split(" ")
        _, *tags = head.split(",")
        fields = {name: float(text) for name, text in (each.split("=") for each in values.split(","))}
        yield dict(tag.split("=") for tag in tags), fields, int(time_ms)


def _with_points(url: str, rows: list) -> float:
    began_s = time.perf_counter()
    options = WriteOptions(batch_size=MOST_LINES, flush_interval=1000)
    with InfluxDBClient(url, "token", org=ORG) as client, client.write_api(write_options=options) as writer:
        for tags, fields, time_ms in rows:
            point = Point("reading").time(time_ms, WritePrecision.MS)
            for name, value in tags.items():
                point.tag(name, value)
            for name, value in fields.items():
                point.field(name, value)
            writer.write("bench", ORG, point)
    return time.perf_counter() - began_s


@pytest.mark.parametrize("wide", [True, False], ids=["20-fields-a-line", "1-field-a-line"])
def test_the_journal_goes_to_the_v2_endpoint_of_victoria_metrics(victoria_metrics, source, report, sizes, wide):
    count = sizes.of(500 if wide else 300, 20)
    forwarder = source(count, wide=wide)
    keeping = Keeping()
    _drain(forwarder(keeping))
    rows = list(_points(keeping.bodies))
    url = f"http://127.0.0.1:{victoria_metrics.port}"
    ours_s, lines_s, points_s = [], [], []
    for at in range(ROUNDS):
        writer = TwoWriter(InfluxSettings(url=url, api="2", bucket=f"ours{at}"))
        ours_s.append(_drain(forwarder(writer)))
        lines_s.append(_send(writer, keeping.bodies))
        points_s.append(_with_points(url, rows))
    fields = count * POINTS * SLOTS
    ours, lines, points = (fields / sorted(each)[ROUNDS // 2] for each in (ours_s, lines_s, points_s))
    report.add("journal to /api/v2/write", ours, "fields/s")
    report.add("influxdb-client's batching writer with Points", points, "fields/s", compared=True)
    report.add("ours to theirs", ours / points, "times", at_least=6)
    report.add("the same lines, built beforehand", lines, "fields/s", compared=True)
    report.note(f"{fields:,} fields; medians of {ROUNDS} turns.")

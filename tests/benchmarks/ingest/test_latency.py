"""How long a sealed record takes, from the gateway's send to the ack in its hands; being on disk comes before that."""

import pytest


def _tell(report, ran, name, at_most_ms):
    report.add(f"{name}: sent → acknowledged p99", ran.fleet["p99_ms"], "ms", at_most=at_most_ms)
    report.add("p50", ran.fleet["p50_ms"], "ms")
    report.add("longest", ran.fleet["max_ms"], "ms")
    report.add("CPU of ingest", 100 * ran.ingest_cpu_s / ran.fleet["seconds"], "% of a core")
    report.add("CPU of the broker", 100 * ran.broker_cpu_s / ran.fleet["seconds"], "% of a core", compared=True)
    report.add("memory of ingest, most", max(ran.memory_mb), "MiB", at_most=160)
    report.note(f"{name}: {ran.per_s:,.0f} readings/s, {ran.records_per_s:,.0f} records/s")


@pytest.mark.real
@pytest.mark.parametrize(
    ("gateways", "slots"),
    [pytest.param(10, 50, id="10-large-records-a-second"), pytest.param(500, 1, id="500-small-records-a-second")],
)
def test_ten_thousand_readings_a_second(bench_mosquitto, run_fleet, report, sizes, gateways, slots):
    ran = run_fleet(bench_mosquitto, gateways=gateways, records=sizes.of(15, 2), points=20, slots=slots, interval_s=1.0)
    _tell(report, ran, f"{gateways} gateways, a record of {20 * slots} readings each second", 30)


@pytest.mark.real
def test_ten_thousand_gateways_with_a_record_each_ten_seconds(bench_mosquitto, run_fleet, report, sizes):
    gateways = sizes.of(10_000, 100)
    ran = run_fleet(bench_mosquitto, gateways=gateways, records=2, points=20, slots=1, interval_s=sizes.of(10, 1))
    _tell(report, ran, f"{gateways:,} gateways", 250)

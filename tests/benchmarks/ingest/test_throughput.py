"""As fast as it goes: gateways → broker → ingest → fsynced journal → ack, signatures checked and raw words in."""

import pytest


def _tell(report, ran, name, **targets):
    report.add(f"{name}: readings", ran.per_s, "readings/s", **targets.get("readings", {}))
    report.add(f"{name}: records", ran.records_per_s, "records/s", **targets.get("records", {}))
    report.add("CPU of ingest a record", ran.micros_a_record(ran.ingest_cpu_s), "µs")
    report.add("CPU of the broker a record", ran.micros_a_record(ran.broker_cpu_s), "µs", compared=True)
    report.add("CPU of the gateways a record", ran.micros_a_record(ran.fleet["cpu_s"]), "µs", compared=True)
    report.add("memory of ingest, most", max(ran.memory_mb), "MiB", at_most=160)
    half = len(ran.memory_mb) // 2
    report.add("of that, grown in the second half", max(ran.memory_mb[half:]) - max(ran.memory_mb[:half]), "MiB")
    report.note(
        f"{name}: {ran.fleet['records']:,} records of {ran.fleet['readings'] // ran.fleet['records']:,} readings,"
        f" {ran.fleet['bytes'] / ran.fleet['readings']:.1f} bytes a reading, {ran.fleet['seconds']:.1f} s;"
        f" record sent → ack p50 {ran.fleet['p50_ms']:.0f} ms, p99 {ran.fleet['p99_ms']:.0f} ms"
    )


@pytest.mark.real
def test_large_records_through_mosquitto(bench_mosquitto, run_fleet, report, sizes):
    ran = run_fleet(bench_mosquitto, gateways=16, records=sizes.of(1500, 20), points=20, slots=50)
    _tell(report, ran, "1,000 readings a record", readings={"at_least": 2_000_000})


@pytest.mark.real
def test_small_records_through_mosquitto(bench_mosquitto, run_fleet, report, sizes):
    ran = run_fleet(bench_mosquitto, gateways=16, records=sizes.of(3500, 50), points=20, slots=1)
    _tell(report, ran, "20 readings a record", records={"at_least": 4500})


def test_large_records_through_the_embedded_broker(bench_iotcore, run_fleet, report, sizes):
    ran = run_fleet(bench_iotcore, gateways=16, records=sizes.of(1000, 20), points=20, slots=50)
    _tell(report, ran, "1,000 readings a record", readings={"at_least": 1_200_000})

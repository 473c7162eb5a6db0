"""The ledger test: what the meters served, what is in the journal and what is in InfluxDB, after everything went wrong.

Three sites. Gateways, broker, ingest and influxd are killed, lines cut, stalled, slowed and made to lose, double and
swap what they carry; besides, once each: a journal restored from a backup, a card copied into a second box, clocks two
hours and forty seconds ahead and fifty minutes behind, full disks under ingest and under an outbox.
"""

import contextlib

import pytest
from faultkit.books import qualities
from faultkit.chaos import INGEST_FULL, OUTBOX_FULL, Fault, parts_of, plan, play
from faultkit.influx import assert_influxdb_tells_the_same
from faultkit.rig import Rig
from faultkit.verdict import assert_nothing_is_lost
from runkit.disk import Disk

from metering.quality import Quality
from sakugen.demo.sites import SITES

PAUSE_S, LONGEST_S = 0.5, 1.5
DISK_MEGABYTES = 96
SETTLED_WITHIN_S = 120
CLOCKS_AT, OUTBOX_ON_A_DISK_AT = 1, 2
OUTBOX = SITES[OUTBOX_ON_A_DISK_AT].site
SCRIPT = (
    Fault(6.0, 7.0, "ingest", "keep journal"),
    Fault(8.0, 16.0, "gateway 0", "clone"),
    Fault(10.0, 16.0, f"gateway {CLOCKS_AT}", "clock +7200"),
    Fault(21.0, 27.0, f"gateway {CLOCKS_AT}", "clock +20"),
    Fault(24.0, 25.0, "ingest", "restore journal"),
    Fault(33.0, 39.0, f"gateway {CLOCKS_AT}", "clock -3000"),
)
FULL_DISKS = (
    Fault(29.0, 37.0, "ingest", "full disk"),
    # Nothing is written where nothing arrives.
    Fault(30.0, 36.0, "broker", "rest"),
    Fault(30.0, 36.0, "ingest line", "rest"),
    # Behind the journal's restoration: a full outbox lets go the copies that fill a restored journal again.
    Fault(42.0, 49.0, f"gateway {OUTBOX_ON_A_DISK_AT}", "full disk"),
)


@pytest.fixture
def real_or_none(request):
    """A peer that is installed, or None; with SAKUGEN_REQUIRE_REAL=1 it must be."""

    def find(name):
        try:
            return request.getfixturevalue(name)
        except pytest.skip.Exception as missing:
            print(f"without {name}: {missing}")
            return None

    return find


@pytest.fixture
def disks(tmp_path):
    """Small disks to fill up, by the folder that they are mounted on; none where they cannot be mounted."""
    with contextlib.ExitStack() as stack:
        found = {}
        try:
            for name in ("ingest", OUTBOX):
                found[name] = stack.enter_context(Disk(tmp_path / f"{name}.img", tmp_path / name, DISK_MEGABYTES))
        except pytest.skip.Exception as missing:
            print(f"no disk is filled up: {missing}")
            found = {}
        yield found


@pytest.fixture
def ledger_rig(request, tmp_path, real_or_none, disks, wait_until, free_port):
    broker = real_or_none("mosquitto") or request.getfixturevalue("rig_broker")
    influxd = real_or_none("influxd")
    with Rig(tmp_path, broker, wait_until, free_port, SITES, influxd, disks) as rig:
        yield rig


@pytest.mark.fault
@pytest.mark.timeout(400)
def test_after_a_hundred_kills_and_all_that_else_happens_journal_and_influxdb_hold_what_the_meters_served(
    ledger_rig, fault_seed
):
    _assert_survived(ledger_rig, fault_seed, 100)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_after_hundreds_of_kills_and_all_that_else_happens_journal_and_influxdb_hold_what_the_meters_served(
    ledger_rig, fault_seed
):
    _assert_survived(ledger_rig, fault_seed, 500)


def _assert_survived(rig, seed, kills):
    script = SCRIPT + (FULL_DISKS if rig.disks else ())
    parts = parts_of(len(rig.sites), *(["influxd"] if rig.influxd else []))
    faults = plan(seed, lambda drawn: sum(each.kills for each in drawn) >= kills, PAUSE_S, LONGEST_S, parts, script)
    print(*faults, sep="\n")
    rig.boxes[OUTBOX_ON_A_DISK_AT].configure(when_full="stop")
    rig.start()
    began_ms = rig.clock.mono_ms()
    for box in list(rig.boxes):
        rig.read_on(2, box)
    play(rig, faults)
    print(f"{kills} kills in {(rig.clock.mono_ms() - began_ms) / 1000:.0f} s")
    for box in list(rig.boxes):
        if not box.part.is_running:
            rig.revive(box)
        rig.read_on(2, box)
        rig.finish(box, timeout_s=SETTLED_WITHIN_S)
    assert rig.exits == []
    assert rig.journal.holes() == []
    assert_nothing_is_lost(rig, incidents={"same-predecessor"})
    if rig.influxd:
        assert_influxdb_tells_the_same(rig)
    _assert_the_faults_showed(rig)


def _assert_the_faults_showed(rig):
    reasons = {gap.reason for site in rig.sites for gap in rig.journal_of(site).gaps()}
    assert reasons >= {"agent-down", "clock-behind"}
    assert Quality.CLOCK in qualities(rig.journal_of(rig.sites[CLOCKS_AT]).evidence())
    for part, words in {"ingest": INGEST_FULL, f"gateway-{OUTBOX}": OUTBOX_FULL}.items() if rig.disks else ():
        assert words in (rig.folder / f"{part}.log").read_text(), f"{part} never noticed that its disk was full"

"""A real file system that is full, or turns read-only: what was confirmed stays, and reading goes on by itself.

The file system is a small ext4 in a file; only root can mount it, so only root runs these.
"""

import signal

import pytest
from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import device, head
from runkit.disk import Disk
from runkit.process import Gateway

from gateway.bounds import KEPT_FREE_BYTES, Bounds, Policy
from gateway.errors import OutboxFullError
from gateway.outbox import Outbox
from gateway.sender import Verdict
from gateway.store import Store
from metering.record import parse
from metering.topics import GatewayId

pytestmark = pytest.mark.real

START_MS = 1_766_505_600_000
GATEWAY = GatewayId("site-1", "gw-1")


@pytest.fixture
def disk(tmp_path):
    with Disk(tmp_path / "disk.img", tmp_path / "data", megabytes=40) as disk:
        yield disk


@pytest.fixture
def gateway(disk, meter, free_port, tmp_path):
    """A gateway whose data folder is the disk, with one device, not started."""
    with Gateway(tmp_path, head(tmp_path, free_port())) as gateway:
        gateway.devices = device(tmp_path, "meter-1", meter.port, 1)
        gateway.configure(gateway.devices)
        yield gateway


def reads_on(gateway, wait_until, name: str = "meter-1") -> bool:
    before = len(gateway.slots(name))
    wait_until(lambda: len(gateway.slots(name)) >= before + 3, timeout_s=20)
    return True


def test_a_disk_that_others_fill_stops_the_reading_and_it_goes_on_when_there_is_space(disk, gateway, wait_until):
    gateway.start()
    assert reads_on(gateway, wait_until)
    disk.fill()
    wait_until(lambda: "outbox-full" in gateway.log())
    disk.free()
    assert reads_on(gateway, wait_until)
    gateway.stop()
    assert "outbox-full: over" in gateway.log()
    (account,) = assert_every_due_slot_is_read_once_or_explained(gateway.records()).values()
    assert "overrun" in account.explained.values()


def test_an_outbox_that_cannot_even_be_opened_for_want_of_space_says_so(disk):
    with Store(disk.at / "outbox.sqlite"):
        pass
    disk.fill()
    with pytest.raises(OutboxFullError, match="not even to open it"), Store(disk.at / "outbox.sqlite"):
        pass
    disk.free()
    with Store(disk.at / "outbox.sqlite") as store:
        assert store.set_aside is None


def test_a_gateway_killed_on_a_full_disk_starts_on_it_and_begins_when_there_is_space(disk, gateway, wait_until):
    gateway.start()
    assert reads_on(gateway, wait_until)
    disk.fill()
    wait_until(lambda: "outbox-full" in gateway.log())
    gateway.kill()
    confirmed = gateway.slots("meter-1")
    for _ in range(2):
        told = gateway.log().count("outbox-full")
        gateway.start(ready=False)
        wait_until(lambda told=told: gateway.log().count("outbox-full") > told)
        gateway.send(signal.SIGTERM)
        assert gateway.wait() == 0, "it waits, and can be told to stop"
    gateway.start(ready=False)
    wait_until(lambda: gateway.log().count("outbox-full") > told)
    disk.free()
    assert reads_on(gateway, wait_until)
    gateway.stop()
    (account,) = assert_every_due_slot_is_read_once_or_explained(gateway.records()).values()
    assert account.read[: len(confirmed)] == confirmed
    assert "agent-down" in account.explained.values()


def test_a_reload_that_finds_no_space_for_its_birth_changes_nothing_and_works_when_there_is_some(
    disk, gateway, meter, wait_until, tmp_path
):
    both = gateway.devices + device(tmp_path, "meter-2", meter.port, 2)
    gateway.start()
    assert reads_on(gateway, wait_until)
    disk.fill()
    wait_until(lambda: "outbox-full" in gateway.log())
    gateway.reload(both)
    wait_until(lambda: "reload-refused: the configuration stays as it was" in gateway.log())
    disk.free()
    assert reads_on(gateway, wait_until)
    assert len(gateway.births()) == 1
    gateway.reload(both)
    assert reads_on(gateway, wait_until, "meter-2")
    gateway.stop()
    assert_every_due_slot_is_read_once_or_explained(gateway.records())


def test_a_file_system_that_turns_read_only_ends_the_gateway_in_words_until_it_is_repaired(disk, gateway, wait_until):
    gateway.start()
    assert reads_on(gateway, wait_until)
    disk.break_down()
    assert gateway.wait() == 2
    confirmed = gateway.slots("meter-1")
    gateway.start(ready=False)
    assert gateway.wait() == 2
    for words in ("cannot be used", "what was committed is kept", "Read-only file system"):
        assert words in gateway.log()
    assert "Traceback" not in gateway.log()
    disk.repair()
    gateway.start()
    assert reads_on(gateway, wait_until)
    gateway.stop()
    (account,) = assert_every_due_slot_is_read_once_or_explained(gateway.records()).values()
    assert account.read[: len(confirmed)] == confirmed
    assert "agent-down" in account.explained.values()


@pytest.mark.parametrize("policy", Policy)
def test_an_outbox_that_fills_its_disk_by_itself_can_still_give_up_take_acks_and_go_on(
    disk, birth, slot, clock, signer, tmp_path, policy
):
    disk.fill(but_for=KEPT_FREE_BYTES + 2_000_000)
    number = 0

    def fill(outbox: Outbox, end: int) -> bool:
        """Commit up to a number as the keeper does; tells whether nothing more can go."""
        nonlocal number
        while number < end:
            try:
                outbox.commit([slot(number, width=800)])
                number += 1
            except OutboxFullError:
                freed = outbox.make_space()
                if not (freed.copies or freed.given_up):
                    return True
        return False

    with Outbox(tmp_path / "data" / "o.sqlite", GATEWAY, signer, clock, bounds=Bounds(policy=policy)) as outbox:
        outbox.begin_stream(birth(), START_MS)
        assert fill(outbox, 500) is (policy is Policy.STOP)
        if policy is Policy.STOP:
            outbox.shelf.apply(Verdict(let_go={outbox.state().stream: outbox.queue().sealed_records}))
            assert fill(outbox, number + 100) is False
        outbox.seal()
        newest = outbox._store.db.execute("SELECT data FROM record ORDER BY stream DESC, seq DESC").fetchone()[0]
        outbox.begin_stream(birth("another start"), START_MS + number * 60_000)
    assert parse(bytes(newest)).groups[0].slots[-1] == START_MS + (number - 1) * 60_000

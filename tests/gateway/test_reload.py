"""SIGHUP to a real process: what did not change is read on without a missed slot; what is wrong changes nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from runkit.box import STEP_MS, device, gaps_of, head
from runkit.process import Gateway


@pytest.fixture
def running(tmp_path, free_port) -> Callable[..., Gateway]:
    @contextmanager
    def run(devices: str) -> Iterator[Gateway]:
        with Gateway(tmp_path, head(tmp_path, free_port())) as gateway:
            gateway.configure(devices)
            gateway.start()
            yield gateway
            gateway.stop()

    return run


def unbroken(gateway: Gateway, name: str) -> bool:
    slots = gateway.slots(name)
    return slots == list(range(slots[0], slots[-1] + STEP_MS, STEP_MS)) and not gaps_of(
        gateway.records(), f"{name}/all"
    )


def test_a_device_is_added_and_changed_and_removed_while_the_other_misses_no_slot_and_keeps_its_connection(
    rogue, running, wait_until, tmp_path
):
    first = device(tmp_path, "meter-1", rogue.port, 1)
    with running(first) as gateway:
        wait_until(lambda: len(gateway.slots("meter-1")) >= 5)
        gateway.reload(first + device(tmp_path, "meter-2", rogue.port, 2))
        wait_until(lambda: len(gateway.slots("meter-2")) >= 5)
        gateway.reload(first + device(tmp_path, "meter-2", rogue.port, 2, serial="9"))
        wait_until(lambda: len(gateway.births()) == 3)
        before = len(gateway.slots("meter-2"))
        wait_until(lambda: len(gateway.slots("meter-2")) >= before + 5)
        gateway.reload(first)
        wait_until(lambda: len(gateway.births()) == 4)
        asked = rogue.asked.count((2, 3, 10, 1))
        before = len(gateway.slots("meter-1"))
        wait_until(lambda: len(gateway.slots("meter-1")) >= before + 5)
        assert rogue.asked.count((2, 3, 10, 1)) == asked
    assert unbroken(gateway, "meter-1")
    assert unbroken(gateway, "meter-2")
    assert rogue.connections == 1
    births = gateway.births()
    assert len({birth.stream for birth in births}) == 1
    assert [[part.meter.serial for part in birth.groups] for birth in births] == [["1"], ["1", "1"], ["1", "9"], ["1"]]


def test_every_reading_stands_under_a_birth_that_names_its_group(rogue, running, wait_until, tmp_path):
    first, second = device(tmp_path, "meter-1", rogue.port, 1), device(tmp_path, "meter-2", rogue.port, 2)
    with running(first) as gateway:
        wait_until(lambda: gateway.slots("meter-1"))
        for devices, births in ((second, 2), (first + second, 3), (first, 4)):
            gateway.reload(devices)
            wait_until(lambda births=births: len(gateway.births()) == births)
    named: set[str] = set()
    for record in gateway.records():
        if record.kind == "birth":
            named = {part.group for part in record.groups}
        elif record.kind == "readings":
            assert {part.group for part in record.groups} <= named


def test_another_interval_begins_on_its_own_slots_without_a_gap(rogue, running, wait_until, tmp_path):
    with running(device(tmp_path, "meter-1", rogue.port, 1)) as gateway:
        wait_until(lambda: len(gateway.slots("meter-1")) >= 3)
        gateway.reload(device(tmp_path, "meter-1", rogue.port, 1, interval_s=120))
        wait_until(lambda: len(gateway.births()) == 2)
        before = len(gateway.slots("meter-1"))
        wait_until(lambda: len(gateway.slots("meter-1")) >= before + 4)
    slots = gateway.slots("meter-1")
    assert all(slot % (2 * STEP_MS) == 0 for slot in slots[-4:])
    assert slots[-1] - slots[-4] == 3 * 2 * STEP_MS
    assert not gaps_of(gateway.records(), "meter-1/all")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda text, devices: (text, devices + "["), "gateway.toml"),
        (lambda text, devices: (text, devices.replace("active_power_w", "power")), "unknown measurand"),
        (lambda text, devices: (text.replace("gw-1", "gw-2"), devices), "gateway differ"),
    ],
    ids=["not TOML", "unknown measurand", "another gateway"],
)
def test_a_wrong_configuration_is_refused_in_words_and_the_old_one_is_read_on(
    rogue, running, wait_until, tmp_path, wrong, reason
):
    devices = device(tmp_path, "meter-1", rogue.port, 1)
    with running(devices) as gateway:
        wait_until(lambda: len(gateway.slots("meter-1")) >= 3)
        text, changed = wrong(gateway.head, devices)
        gateway.reload(changed, text)
        wait_until(lambda: "reload-refused: the configuration stays as it was" in gateway.log())
        assert reason in gateway.log()
        before = len(gateway.slots("meter-1"))
        wait_until(lambda: len(gateway.slots("meter-1")) >= before + 3)
        assert len(gateway.births()) == 1
        gateway.reload(devices)
        wait_until(lambda: "reload-refused: over" in gateway.log() and "nothing changed" in gateway.log())
    assert unbroken(gateway, "meter-1")
    assert rogue.connections == 1

"""A device that refuses what its map allows: where requests are cut, what is remembered, what it costs."""

import asyncio
from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway.plan import Limits, Span, plan_blocks
from gateway.poll import Answer, PollGroup, poll
from gateway.refusals import find_cuts, load_cuts, refused_blocks, save_cuts
from metering.decode import holds
from metering.devicemap import Register, WordType
from metering.measurands import measurand
from metering.quality import Quality

ALL = (Span(3, 0, 125),)
SLOT = 1_766_505_600_000


def group_of(addresses, cuts=frozenset()) -> PollGroup:
    registers = tuple(
        Register(
            f"r{at}", measurand("active_power_w"), 3, at, WordType.U16, "big", "big", Fraction(1), None, frozenset(),
            None, None,
        )
        for at in addresses
    )  # fmt: skip
    return PollGroup("device/group", 60_000, 1, registers, plan_blocks(registers, Limits(readable=ALL, cuts=cuts)))


class Picky:
    """Refuses some addresses and large requests; every register holds its address."""

    def __init__(self, refused=(), most_words=125, moods=()) -> None:
        self.refused, self.most_words, self.moods, self.asked = set(refused), most_words, list(moods), []
        self.busy = False

    async def read(self, unit: int, function: int, address: int, count: int) -> Answer:
        self.asked.append((address, count))
        wanted = set(range(address, address + count))
        quality = self.moods.pop(0) if self.moods else None
        if quality is None and (wanted & self.refused or count > self.most_words):
            quality = Quality.EXCEPTION
        words = None if quality else tuple(sorted(wanted))
        return Answer(words, quality or Quality.OK, 0, 1, refused=quality is Quality.EXCEPTION and not self.busy)


def cuts_of(group, device):
    return asyncio.run(find_cuts(group, group.blocks[0], device))


def read(group, device, clock):
    return asyncio.run(poll(group, SLOT, device, clock))


def test_one_refused_register_is_found_in_few_requests_and_the_others_are_read_again(clock):
    group = group_of(range(32))
    device = Picky(refused={13})
    assert len(group.blocks) == 1
    assert refused_blocks(group, read(group, device, clock)) == list(group.blocks)
    device.asked.clear()
    cuts = cuts_of(group, device)
    assert len(device.asked) <= 2 * 6
    learned = group_of(range(32), cuts)
    reading = read(learned, device, clock)
    assert [at for at, value in enumerate(reading.values) if value is None] == [13]
    assert reading.values[14] == 14_000
    assert refused_blocks(learned, reading) == [], "what is refused alone cannot be asked for in parts"


def test_a_hole_that_may_not_be_read_is_not_bridged_any_more(clock):
    group = group_of([0, 1, 20, 21])
    device = Picky(refused=set(range(5, 10)))
    cuts = cuts_of(group, device)
    assert cuts == {(3, 20)}
    assert read(group_of([0, 1, 20, 21], cuts), device, clock).quality == ()


def test_a_device_that_gives_less_at_once_than_its_map_says_gets_smaller_requests(clock):
    group = group_of(range(100))
    device = Picky(most_words=40)
    learned = group_of(range(100), cuts_of(group, device))
    assert max(block.count for block in learned.blocks) <= 40
    assert read(learned, device, clock).quality == ()


@given(st.sets(st.integers(0, 60), min_size=2, max_size=20), st.sets(st.integers(0, 60), max_size=5))
def test_every_register_that_can_be_read_alone_is_read_after_one_round(addresses, refused):
    group = group_of(sorted(addresses))
    device = Picky(refused)
    cuts = frozenset().union(*(asyncio.run(find_cuts(group, block, device)) for block in group.blocks))
    blocks = group_of(sorted(addresses), cuts).blocks
    for register in group.registers:
        if register.address not in refused:
            block = next(block for block in blocks if holds(block, register))
            assert not refused & set(range(block.address, block.address + block.count))


def test_a_device_that_was_busy_a_moment_ago_teaches_nothing():
    group = group_of(range(8))
    assert cuts_of(group, Picky(moods=[])) == frozenset()
    assert cuts_of(group, Picky(moods=[Quality.EXCEPTION])) == frozenset(), "the whole is answered after the parts were"


def test_a_device_that_refuses_everything_teaches_nothing():
    assert cuts_of(group_of(range(8)), Picky(refused=range(8))) == frozenset()


def test_a_device_that_is_busy_with_something_else_teaches_nothing():
    device = Picky(refused={3})
    device.busy = True
    assert cuts_of(group_of(range(8)), device) == frozenset()
    assert len(device.asked) == 1


def test_a_device_that_falls_silent_teaches_nothing():
    device = Picky(refused={3}, moods=[Quality.EXCEPTION, Quality.NO_ANSWER])
    assert cuts_of(group_of(range(8)), device) == frozenset()
    assert len(device.asked) == 2


def test_what_was_learned_is_there_after_a_restart_and_another_map_starts_anew(tmp_path):
    file = tmp_path / "refused.json"
    cuts = {"meter/all": frozenset({(3, 20), (4, 7)})}
    save_cuts(file, cuts, {"meter/all": "a" * 64})
    assert load_cuts(file, {"meter/all": "a" * 64, "other/all": "a" * 64}) == cuts
    assert load_cuts(file, {"meter/all": "b" * 64}) == {}
    assert load_cuts(file, {}) == {}


def test_a_damaged_or_missing_file_means_that_nothing_was_learned(tmp_path, caplog):
    file = tmp_path / "refused.json"
    assert load_cuts(file, {}) == {}
    file.write_text('{"type": "sakugen.cuts/1", "groups"')
    assert load_cuts(file, {"meter/all": "a"}) == {}
    assert "learned again" in caplog.text


def test_an_exception_of_one_block_does_not_cast_doubt_on_another(clock):
    group = replace(group_of([0, 1, 100]), blocks=plan_blocks(group_of([0, 1, 100]).registers))
    reading = read(group, Picky(refused={0, 100}), clock)
    assert [block.address for block in refused_blocks(group, reading)] == [0]

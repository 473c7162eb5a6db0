"""One thread for the outbox: commits that wait together are one flush, and a full disk makes them wait."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.entries import Entry
from gateway.errors import OutboxError, OutboxFullError
from gateway.keeper import Keeper
from gateway.outbox import Freed
from gateway.status import Faults


class TellingOutbox:
    """Notes each commit; is full or refuses as a test says."""

    def __init__(self) -> None:
        self.commits: list[list[Entry]] = []
        self.copies, self.spare = 0, 0
        self.full = False
        self.refused: Entry | None = None

    def commit(self, entries: Sequence[Entry]) -> bool:
        if self.full:
            raise OutboxFullError("no space left")
        if self.refused in entries:
            raise OutboxError("slots must increase")
        self.commits.append(list(entries))
        return len(self.commits) % 2 == 0

    def make_space(self) -> Freed:
        freed = Freed(self.copies, 0 if self.copies else self.spare)
        self.copies, self.spare = 0, 0 if freed.given_up else self.spare
        self.full = self.full and not (freed.copies or freed.given_up)
        return freed


@pytest.fixture
def outbox() -> TellingOutbox:
    return TellingOutbox()


@pytest.fixture
def kept(outbox, monkeypatch):
    """Run a coroutine function with a running keeper over the outbox."""
    monkeypatch.setattr("gateway.keeper._FULL_RETRY_S", 0.01)

    def live(work, on_sealed=lambda: None):
        async def main():
            faults = Faults()
            async with Keeper(outbox, faults, on_sealed) as keeper:
                running = asyncio.create_task(keeper.run())
                try:
                    return await asyncio.wait_for(work(keeper, faults), 10)
                finally:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)

        return asyncio.run(main())

    return live


def test_commits_that_wait_together_are_one_flush(outbox, kept, slot):
    async def work(keeper, _faults):
        await asyncio.gather(*(keeper.commit([slot(0, group=f"device/{number}")]) for number in range(20)))

    kept(work)
    assert len(outbox.commits) == 1
    assert len(outbox.commits[0]) == 20


def test_readings_of_one_slot_that_come_one_after_another_are_one_flush(outbox, kept, slot):
    async def work(keeper, _faults):
        commits = []
        for number in range(20):
            commits.append(asyncio.create_task(keeper.commit([slot(0, group=f"device/{number}")])))
            await asyncio.sleep(0)
        await asyncio.gather(*commits)

    kept(work)
    assert len(outbox.commits) == 1
    assert len(outbox.commits[0]) == 20


def test_readings_that_never_cease_to_come_do_not_keep_the_first_waiting(outbox, kept, slot, monkeypatch):
    monkeypatch.setattr("gateway.keeper._QUIET_S", 0)
    monkeypatch.setattr("gateway.keeper._GATHER_S", 0.02)

    async def work(keeper, _faults):
        first, others = asyncio.create_task(keeper.commit([slot(0)])), []
        while not first.done():
            others.append(asyncio.create_task(keeper.commit([slot(0)])))
            await asyncio.sleep(0)
        await asyncio.gather(*others)

    kept(work)
    assert len(outbox.commits) > 1


def test_an_entry_that_is_refused_costs_only_its_own_group(outbox, kept, slot):
    bad, good = slot(0, group="device/bad"), slot(0, group="device/good")
    outbox.refused = bad

    async def work(keeper, _faults):
        return await asyncio.gather(keeper.commit([bad]), keeper.commit([good]), return_exceptions=True)

    refused, committed = kept(work)
    assert isinstance(refused, OutboxError)
    assert committed is None
    assert outbox.commits == [[good]]


def test_a_full_disk_makes_the_reader_wait_shows_it_and_goes_on_when_there_is_space(outbox, kept, slot):
    outbox.full = True

    async def work(keeper, faults):
        commit = asyncio.create_task(keeper.commit([slot(0)]))
        await faults.changed.wait()
        assert "outbox-full" in faults.texts
        assert not commit.done()
        outbox.full = False
        await commit
        assert faults.texts == {}

    kept(work)
    assert outbox.commits == [[slot(0)]]


def test_copies_of_acknowledged_records_are_given_up_before_reading_stops(outbox, kept, slot, caplog):
    outbox.full, outbox.copies = True, 7

    async def work(keeper, _faults):
        await keeper.commit([slot(0)])

    kept(work)
    assert outbox.commits == [[slot(0)]]
    assert "7 copies of acknowledged records were deleted" in caplog.text


def test_records_that_were_given_up_stay_in_the_status(outbox, kept, slot):
    outbox.full, outbox.spare = True, 12

    async def work(keeper, faults):
        await keeper.commit([slot(0)])
        await keeper.commit([slot(1)])
        assert list(faults.texts) == ["records-given-up"]
        assert "12 records were given up" in faults.texts["records-given-up"]

    kept(work)
    assert outbox.commits == [[slot(0)], [slot(1)]]


def test_whoever_sends_is_woken_when_a_commit_sealed_a_record(kept, slot):
    woken = []

    async def work(keeper, _faults):
        await keeper.commit([slot(0)])
        assert woken == []
        await keeper.commit([slot(1)])
        assert woken == [True]

    kept(work, lambda: woken.append(True))


def test_a_damaged_file_reaches_whoever_commits_and_ends_the_keeper(outbox, slot):
    def broken(_entries: object) -> bool:
        raise RuntimeError("disk image is malformed")

    outbox.commit = broken

    async def main() -> None:
        async with Keeper(outbox, Faults(), lambda: None) as keeper:
            running = asyncio.create_task(keeper.run())
            with pytest.raises(RuntimeError, match="malformed"):
                await keeper.commit([slot(0)])
            with pytest.raises(RuntimeError, match="malformed"):
                await running

    asyncio.run(main())


@pytest.mark.parametrize(("slot_s", "quiet_s", "gather_s"), [(900.0, 0.02, 0.2), (0.1, 0.002, 0.02)])
def test_gathering_takes_only_a_share_of_the_time_between_slots(outbox, slot_s, quiet_s, gather_s):
    keeper = Keeper(outbox, Faults(), lambda: None, slot_s=slot_s)
    assert (keeper._quiet_s, keeper._gather_s) == pytest.approx((quiet_s, gather_s))

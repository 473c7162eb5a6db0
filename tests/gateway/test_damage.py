"""A damaged outbox: whoever meets the damage, the file is set aside, and the next start reads on with a new one."""

import asyncio
import sqlite3
import threading
from time import process_time

import pytest
from runkit.account import assert_every_due_slot_is_read_once_or_explained
from runkit.box import device, head
from runkit.process import Gateway

from gateway.errors import OutboxBrokenError
from gateway.keeper import Keeper
from gateway.status import Faults

START_MS = 1_766_505_600_000
PAGE = 4096


def damage(path, table: str) -> None:
    """Overwrite the first page of a table."""
    with sqlite3.connect(path) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


@pytest.fixture
def full_of_records(new_outbox, birth, slot, tmp_path):
    """The path of an outbox with a stream of some records."""
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        for number in range(30):
            outbox.commit([slot(number, width=200)])
            outbox.seal()
    return tmp_path / "outbox.sqlite"


@pytest.mark.parametrize("table", ["record", "progress", "record_unacked"])
def test_looking_through_a_file_finds_a_damaged_page_wherever_it_is(full_of_records, new_outbox, table):
    with new_outbox() as outbox:
        assert outbox.find_damage() is None
    damage(full_of_records, table)
    with new_outbox() as outbox:
        assert outbox.find_damage()


def test_looking_through_a_large_file_ends_when_it_is_told_to(new_outbox):
    with new_outbox() as outbox:
        outbox._store.db.execute("CREATE TABLE ballast (body BLOB)")
        outbox._store.db.execute("INSERT INTO ballast VALUES (ZEROBLOB(60000000))")
        looking = threading.Thread(target=outbox.find_damage)
        begun_s = process_time()
        looking.start()
        while looking.is_alive():
            outbox.stop_looking()
            looking.join(0.001)
        interrupted_s = process_time() - begun_s
        assert outbox.find_damage() is None
        assert interrupted_s < (process_time() - begun_s) / 2


def test_damage_that_only_sending_meets_ends_the_keeper_and_sets_the_file_aside(full_of_records, new_outbox, slot):
    damage(full_of_records, "record_unacked")
    content = full_of_records.read_bytes()

    async def main() -> None:
        with new_outbox() as outbox:
            async with Keeper(outbox, Faults(), lambda: None) as keeper:
                running = asyncio.create_task(keeper.run())
                with pytest.raises(OutboxBrokenError, match="is damaged"):
                    await keeper.do(outbox.shelf.next_unacked, None)
                with pytest.raises(OutboxBrokenError, match="the next start begins a new one"):
                    await asyncio.wait_for(running, 10)
                with pytest.raises(OutboxBrokenError, match="is damaged"):
                    await keeper.do(outbox.commit, [slot(30)])

    asyncio.run(main())
    aside = full_of_records.with_name("outbox.sqlite.damaged-1")
    assert aside.read_bytes() == content
    with new_outbox() as outbox:
        assert outbox.set_aside == aside
        assert outbox.shelf.next_unacked(None) is None


@pytest.mark.parametrize("by", ["sending", "giving up"])
def test_a_bit_that_turned_over_in_a_record_is_damage_that_sqlite_does_not_see(full_of_records, new_outbox, by):
    content = bytearray(full_of_records.read_bytes())
    content[content.index(b'"kind":"readings"') + 10] ^= 1
    full_of_records.write_bytes(content)
    with new_outbox() as outbox:
        assert outbox.find_damage() is None
        birth = outbox.shelf.next_unacked(None)
        with pytest.raises(sqlite3.DatabaseError, match="has other bytes than when it was sealed") as raised:
            outbox.shelf.next_unacked(birth.position) if by == "sending" else outbox.make_space()
        assert "the next start begins a new one" in str(outbox.broken(raised.value))
    assert full_of_records.with_name("outbox.sqlite.damaged-1").exists()


@pytest.mark.parametrize(
    ("code", "aside"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_IOERR_READ, True),
        (sqlite3.SQLITE_IOERR_FSYNC, False),
        (sqlite3.SQLITE_READONLY, False),
    ],
)
def test_a_file_is_set_aside_for_what_it_holds_and_not_for_where_it_lies(full_of_records, new_outbox, code, aside):
    error = sqlite3.OperationalError("told by a test")
    error.sqlite_errorcode = code
    with new_outbox() as outbox:
        outbox.broken(error)
        assert full_of_records.exists() is not aside
        assert full_of_records.with_name("outbox.sqlite.damaged-1").exists() is aside


@pytest.mark.fault
@pytest.mark.parametrize("table", ["record", "pending"])
def test_a_gateway_with_a_damaged_outbox_ends_in_words_and_reads_on_with_a_new_one(
    meter, free_port, tmp_path, wait_until, table
):
    file = tmp_path / "data" / "outbox.sqlite"
    with Gateway(tmp_path, head(tmp_path, free_port())) as gateway:
        gateway.configure(device(tmp_path, "meter-1", meter.port, 1))
        gateway.start()
        wait_until(lambda: len(gateway.slots("meter-1")) >= 5)
        gateway.stop()
        damage(file, table)
        gateway.start(ready=False)
        assert gateway.wait() == 2
        assert "outbox.sqlite is damaged" in gateway.log()
        assert "Traceback" not in gateway.log()
        gateway.start()
        wait_until(lambda: len(gateway.slots("meter-1")) >= 5)
        gateway.stop()
        assert "outbox-set-aside: a damaged outbox is kept as" in gateway.log()
    assert file.with_name("outbox.sqlite.damaged-1").exists()
    assert_every_due_slot_is_read_once_or_explained(gateway.records())

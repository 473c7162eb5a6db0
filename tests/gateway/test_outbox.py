"""The outbox: durable slots, signed and chained records, streams that name what came before."""

import sqlite3

import pytest

from gateway.entries import MissedSlots
from gateway.errors import OutboxError, OutboxFullError, OutboxLockedError
from gateway.outbox import SEAL_READINGS
from metering import note
from metering.clock import ClockState
from metering.quality import Quality
from metering.record import Birth, Gap, Readings, digest_of, parse, split

START_MS = 1_766_505_600_000
STEP_MS = 60_000
GROUP = "meter-1/all"


def records(outbox) -> list:
    rows = outbox._store.db.execute("SELECT data FROM record WHERE seq > 0 ORDER BY stream, seq").fetchall()
    return [parse(bytes(data)) for (data,) in rows]


def kinds(outbox) -> list[str]:
    return [record.kind for record in records(outbox)]


def slots_of(record: Readings) -> list[int]:
    return [(slot - START_MS) // STEP_MS for group in record.groups for slot in group.slots]


def test_a_stream_begins_with_a_birth_and_each_record_names_the_digest_of_the_one_before(
    new_outbox, birth, slot, signer
):
    with new_outbox() as outbox:
        data = outbox.begin_stream(birth(), START_MS)
        for number in range(3):
            outbox.commit([slot(number)])
            outbox.seal()
        rows = outbox._store.db.execute("SELECT data FROM record ORDER BY seq").fetchall()
    exact = [bytes(row[0]) for row in rows]
    assert exact[0] == data
    parsed = [parse(one) for one in exact]
    assert [(record.seq, record.kind) for record in parsed] == [
        (1, "birth"),
        (2, "readings"),
        (3, "readings"),
        (4, "readings"),
    ]
    assert [record.prev for record in parsed] == [None, *(digest_of(one) for one in exact[:-1])]
    for one in exact:
        note.verify(split(one), signer.verifier)


def test_a_record_carries_slots_times_values_and_raw_words_as_they_were_committed(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(0), slot(0, group="meter-2/all")])
        outbox.commit([slot(1)])
        outbox.seal()
        (readings,) = [record for record in records(outbox) if isinstance(record, Readings)]
    one, other = readings.groups
    assert (one.group, one.slots, one.values, one.raw) == (
        GROUP, (START_MS, START_MS + STEP_MS), ((0, 1),), ("AAAAAA==", "AAAAAQ=="),
    )  # fmt: skip
    assert (other.group, other.slots) == ("meter-2/all", (START_MS,))


def test_committed_slots_are_sealed_in_the_same_commit_that_reaches_a_thousand_readings(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        for number in range(9):
            assert outbox.commit([slot(number, width=100)]) is False
        assert outbox.commit([slot(9, width=100)]) is True
        assert outbox.state().pending_slots == 0
        assert sum(len(row) for record in records(outbox)[1:] for row in record.groups[0].values) == SEAL_READINGS


def test_a_record_never_exceeds_the_limits_even_when_slots_do_not_divide_them(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        for number in range(8):
            outbox.commit([slot(number, width=300)])
        assert [slots_of(record) for record in records(outbox)[1:]] == [[0, 1, 2], [3, 4, 5]]
        assert outbox.state().pending_slots == 2


def test_a_change_of_the_clock_state_seals_so_that_a_record_speaks_of_one_state(new_outbox, birth, slot, clock):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(0)])
        clock.state = ClockState.UNKNOWN
        outbox.commit([slot(1)])
        outbox.seal()
        _, synchronised, unknown = records(outbox)
    assert (synchronised.clock.state, slots_of(synchronised)) == (ClockState.SYNCHRONISED, [0])
    assert (unknown.clock.state, slots_of(unknown)) == (ClockState.UNKNOWN, [1])


def test_a_slot_that_is_not_later_than_the_last_one_is_refused_and_costs_nothing_else(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(1)])
        with pytest.raises(OutboxError, match=r"meter-1/all: slot .* slots must increase"):
            outbox.commit([slot(2, group="meter-2/all"), slot(1)])
        assert outbox.state().pending_slots == 1


def test_missed_slots_of_one_group_and_reason_become_one_gap_where_they_touch(new_outbox, birth):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        for number in (0, 1, 2, 5):
            from_ms = START_MS + number * STEP_MS
            outbox.commit([MissedSlots(GROUP, from_ms, from_ms + STEP_MS, Quality.OVERRUN)])
        outbox.seal()
        gaps = [record for record in records(outbox) if isinstance(record, Gap)]
    assert [(gap.group, gap.from_ms, gap.to_ms, gap.reason) for gap in gaps] == [
        (GROUP, START_MS, START_MS + 3 * STEP_MS, "overrun"),
        (GROUP, START_MS + 5 * STEP_MS, START_MS + 6 * STEP_MS, "overrun"),
    ]


def test_the_first_record_of_a_new_outbox_names_nothing_and_that_of_the_next_stream_the_last_record(
    new_outbox, birth, slot
):
    with new_outbox() as outbox:
        assert parse(outbox.begin_stream(birth(), START_MS)).after is None
        outbox.commit([slot(0)])
        outbox.seal()
        last = records(outbox)[-1]
        digest = outbox.shelf.digest_at(last.stream, last.seq)
    with new_outbox() as outbox:
        begun = parse(outbox.begin_stream(birth(), START_MS + STEP_MS))
    assert (begun.after.stream, begun.after.seq, begun.after.digest) == (last.stream, 2, digest)
    assert begun.stream > last.stream


def test_streams_sort_by_age_even_when_the_clock_went_back(new_outbox, birth, clock):
    streams = []
    for _ in range(3):
        with new_outbox() as outbox:
            streams.append(parse(outbox.begin_stream(birth(), START_MS)).stream)
        clock.wall_ms -= 3_600_000
    assert streams == sorted(streams)


def test_slots_left_pending_are_sealed_at_the_next_start_under_the_same_birth(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(0)])
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS + STEP_MS)
        assert kinds(outbox) == ["birth", "birth", "readings"]
        assert slots_of(records(outbox)[2]) == [0]


def test_slots_left_pending_are_sealed_under_the_birth_they_were_read_with_before_the_current_one(
    new_outbox, birth, slot
):
    with new_outbox() as outbox:
        outbox.begin_stream(birth("old agent"), START_MS)
        outbox.commit([slot(0)])
    with new_outbox() as outbox:
        data = outbox.begin_stream(birth("new agent"), START_MS + STEP_MS)
        _, old, readings, new = records(outbox)
    assert [old.agent, readings.kind, new.agent] == ["old agent", "readings", "new agent"]
    assert (old.seq, old.after is not None) == (1, True)
    assert parse(data) == new


def test_the_time_between_the_last_committed_slot_and_the_start_is_an_agent_down_gap(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(2)])
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS + 10 * STEP_MS + 1)
        gap = records(outbox)[-1]
        assert (gap.group, gap.from_ms, gap.to_ms, gap.reason) == (
            GROUP, START_MS + 3 * STEP_MS, START_MS + 10 * STEP_MS + 1, "agent-down",
        )  # fmt: skip
        outbox.commit([slot(11)])


def test_a_start_before_the_next_slot_leaves_no_gap(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(2)])
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS + 3 * STEP_MS)
        assert "gap" not in kinds(outbox)


def test_a_group_that_is_no_longer_configured_leaves_no_gap(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(2)])
        outbox.seal()
    with new_outbox() as outbox:
        outbox.begin_stream(birth(groups=("meter-9/all",)), START_MS + 9 * STEP_MS)
        assert "gap" not in kinds(outbox)


def test_after_a_clock_that_was_ahead_slots_begin_anew_in_a_new_stream_without_a_gap(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(500)])
        outbox.begin_stream(birth(), START_MS, clock_was_ahead=True)
        outbox.commit([slot(1)])
        outbox.seal()
        assert kinds(outbox) == ["birth", "readings", "birth", "readings"]
        assert len({record.stream for record in records(outbox)}) == 2


@pytest.mark.parametrize("restarted", [False, True])
def test_slots_pending_from_a_clock_that_was_ahead_are_not_in_the_stream_in_which_slots_begin_anew(
    new_outbox, birth, slot, restarted
):
    def begin_anew(outbox) -> None:
        outbox.begin_stream(birth(), START_MS, clock_was_ahead=True)
        outbox.commit([slot(1)])
        outbox.seal()

    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(500)])
        if not restarted:
            begin_anew(outbox)
    with new_outbox() as outbox:
        if restarted:
            begin_anew(outbox)
        found = {record.stream: slots_of(record) for record in records(outbox) if record.kind == "readings"}
        assert [record.kind for record in records(outbox)].count("gap") == 0
    assert [found[stream] for stream in sorted(found)] == [[500], [1]]


def test_a_second_process_cannot_open_the_outbox(new_outbox):
    with new_outbox(), pytest.raises(OutboxLockedError, match="is this gateway already running"), new_outbox():
        pass


def test_a_file_that_is_no_outbox_is_set_aside_loudly_and_a_new_one_begins(new_outbox, birth, tmp_path, caplog):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
    file = tmp_path / "outbox.sqlite"
    content = b"\xa5" * 4096 + file.read_bytes()[4096:]
    file.write_bytes(content)
    with new_outbox() as outbox:
        assert outbox.set_aside == tmp_path / "outbox.sqlite.damaged-1"
        assert outbox.set_aside.read_bytes() == content
        assert parse(outbox.begin_stream(birth(), START_MS)).after is None
    assert "is damaged" in caplog.text


def test_an_outbox_of_a_newer_agent_is_refused_and_left_as_it_is(new_outbox, tmp_path):
    with new_outbox() as outbox:
        outbox._store.db.execute("PRAGMA user_version = 99")
    with pytest.raises(OutboxError, match="has schema 99; this agent knows 1: install a newer one"), new_outbox():
        pass
    assert not list(tmp_path.glob("*.damaged*"))


def test_a_full_disk_commits_nothing_loses_nothing_and_goes_on_when_there_is_space(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        db = outbox._store.db
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages + 4}")
        committed = 0

        def commit_until_full() -> None:
            nonlocal committed
            for number in range(100):
                outbox.commit([slot(number, width=400)])
                committed += 1

        with pytest.raises(OutboxFullError, match="no space left"):
            commit_until_full()
        db.execute(f"PRAGMA max_page_count = {pages + 4000}")
        outbox.commit([slot(committed, width=400)])
        outbox.seal()
        found = [number for record in records(outbox)[1:] for number in slots_of(record)]
    assert found == list(range(committed + 1))


def test_a_stream_that_finds_no_space_to_begin_leaves_the_one_before_as_it_was(new_outbox, birth, slot):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        outbox.commit([slot(500)])
        db, before = outbox._store.db, outbox.state().stream
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutboxFullError, match="no space left"):
            outbox.begin_stream(birth("x" * 5000), START_MS)
        db.execute(f"PRAGMA max_page_count = {pages + 4000}")
        outbox.commit([slot(501)])
        outbox.seal()
        assert outbox.state().stream == before
        assert [slots_of(record) for record in records(outbox)[1:]] == [[500, 501]]


def test_every_commit_is_flushed_to_disk(new_outbox):
    with new_outbox() as outbox:
        assert outbox._store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert outbox._store.db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_file_is_an_ordinary_sqlite_file_that_others_may_read(new_outbox, birth, tmp_path):
    with new_outbox() as outbox:
        outbox.begin_stream(birth(), START_MS)
        reader = sqlite3.connect(f"file:{tmp_path / 'outbox.sqlite'}?mode=ro", uri=True)
        assert reader.execute("SELECT COUNT(*) FROM record").fetchone() == (1,)
        reader.close()


def test_a_birth_names_points_measurands_and_the_full_text_of_its_map(new_outbox, birth):
    with new_outbox() as outbox:
        record = parse(outbox.begin_stream(birth(), START_MS))
    assert isinstance(record, Birth)
    (group,) = record.groups
    assert group.points[0].measurand == "energy_export_total_wh"
    assert 'schema = "sakugen.devicemap/1"' in record.device_maps[group.map]

"""A full outbox: copies go first, then by policy instant values, whole readings, or nothing; the chain stays whole."""

import struct
from copy import copy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.bounds import Bounds, Policy
from gateway.entries import BirthBody, MissedSlots, SlotReading
from gateway.errors import OutboxFullError
from gateway.outbox import Outbox
from gateway.sender import Sender, Verdict, judge
from ingest.intake import Intake
from ingest.store.journal import Journal, StreamHead, StreamKey
from ingest.store.readings import collect
from ingest.validate import Action
from metering import note
from metering.ack import Ack, StreamAck
from metering.clock import ClockState
from metering.devicemap import parse_device_map
from metering.keys import KeyEntry, KeyRing, Role, new_signer
from metering.quality import Quality
from metering.record import BlockPart, Dropped, GroupPart, MeterPart, PointPart, build, digest_of, parse, split
from metering.topics import GatewayId, log_topic
from metering.ulid import new_ulid
from registry.evidence import Link, broken_links, chained_runs, left_out, must_be_signed
from registry.redecode import redecode

START_MS = 1_766_505_600_000
STEP_MS = 900_000
HOUR_MS = 3_600_000
GATEWAY = GatewayId("site-1", "gw-1")
GROUP = "meter-1/all"
ENERGY, POWER = ("p1", "energy_export_total_wh"), ("p1", "active_power_w")
MAP_TEXT = """
schema = "sakugen.devicemap/1"
make = "Test"
model = "M2"
tier = "unverified"
[[source]]
title = "made up"
read = "nothing"
[[register]]
name = "energy"
measurand = "energy_export_total_wh"
function = 3
address = 0
type = "u32"
[[register]]
name = "power"
measurand = "active_power_w"
function = 3
address = 2
type = "u16"
"""
JOURNAL, RUN = new_ulid(1), new_ulid(2)


def body() -> BirthBody:
    device_map = parse_device_map(MAP_TEXT)
    points = [
        PointPart(point="p1", measurand="energy_export_total_wh", quantum="mWh", register="energy"),
        PointPart(point="p1", measurand="active_power_w", quantum="mW", register="power"),
    ]
    group = GroupPart(
        group=GROUP,
        device="meter-1",
        interval_ms=STEP_MS,
        map=device_map.digest,
        unit_id=1,
        meter=MeterPart(make="Test", model="M2", serial="1"),
        blocks=(BlockPart(function=3, address=0, count=3),),
        points=tuple(points),
    )
    return BirthBody("project-1", "live", "test", 1.0, "0" * 64, {device_map.digest: device_map.text}, (group,))


def reading(number: int, quality: tuple[tuple[int, Quality], ...] = ()) -> SlotReading:
    """The slot that lies `number` intervals after the start; the counter says 10 Wh more in each."""
    lost = {point for point, code in quality if code is not Quality.LATE_READ}
    values = tuple(None if point in lost else value for point, value in enumerate((number * 10_000, 7_000)))
    raw = b"" if len(lost) == 2 else struct.pack(">IH", number * 10, 7)
    return SlotReading(GROUP, START_MS + number * STEP_MS, 1, 5, values, quality, raw)


@pytest.fixture
def open_outbox(tmp_path, clock, signer):
    """Open the same file with bounds of a test."""

    def make(policy: Policy = Policy.THIN, max_bytes: int = 10**9) -> Outbox:
        return Outbox(tmp_path / "bounded.sqlite", GATEWAY, signer, clock, bounds=Bounds(max_bytes, policy))

    return make


def fill(outbox: Outbox, first: int, end: int, a_record: int = 1) -> None:
    for number in range(first, end):
        outbox.commit([reading(number)])
        if (number + 1 - first) % a_record == 0:
            outbox.seal()


def exact(outbox: Outbox) -> list[bytes]:
    return [bytes(data) for (data,) in outbox._store.db.execute("SELECT data FROM record ORDER BY stream, seq")]


def spans(outbox: Outbox) -> list[tuple[str, int, int]]:
    return outbox._store.db.execute("SELECT kind, seq, through FROM record ORDER BY stream, seq").fetchall()


def give_up_all(outbox: Outbox) -> int:
    count = 0
    while (freed := outbox.make_space()).given_up:
        assert freed.copies == 0
        count += freed.given_up
    return count


def assert_chain_holds(records: list[bytes], signer: note.Signer) -> None:
    """What the registry and the offline check ask of records."""
    links = [Link.of(data) for data in records]
    runs = chained_runs(links)
    assert broken_links(runs) == []
    assert left_out(runs, set()) == []
    for link in must_be_signed(runs):
        note.verify(split(link.data), signer.verifier)
    assert redecode(sorted(links, key=lambda link: (link.record.stream, link.record.seq))).faults == ()


def acknowledge(outbox: Outbox, through: int) -> None:
    stream = outbox.state().stream
    outbox.shelf.apply(Verdict(let_go={stream: through}))


class Box:
    """An ingest with a journal of its own."""

    def __init__(self, journal: Journal, signer: note.Signer) -> None:
        self.journal = journal
        self._intake = Intake(journal, 10**6)
        self._ring = KeyRing([KeyEntry(id=signer.name, role=Role.GATEWAY, public_key=str(signer.verifier))])
        self._n = 0

    def take(self, *records: bytes) -> list[Action]:
        messages = [(log_topic(GATEWAY), data) for data in records]
        return [outcome.action for outcome in self._intake.take(messages, self._ring, START_MS)]

    def head(self, stream: str) -> StreamHead:
        return self.journal.head(StreamKey(GATEWAY.site, GATEWAY.gateway, stream))

    def ack(self, stream: str) -> Ack:
        self._n += 1
        head = self.head(stream)
        return Ack(
            site=GATEWAY.site, gateway=GATEWAY.gateway, journal=JOURNAL, succeeds=None, run=RUN, n=self._n,
            issued_ms=START_MS, streams={stream: StreamAck(through=head.seq, digest=head.digest)}, held=(), refused=0,
        )  # fmt: skip


@pytest.fixture
def box(tmp_path, signer):
    with Journal.open(tmp_path / "journal.sqlite", START_MS) as journal:
        yield Box(journal, signer)


def test_thinning_keeps_the_first_slot_of_each_counter_an_hour_and_loses_the_rest(open_outbox, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 12)
        assert outbox.make_space().given_up == 12
        assert spans(outbox) == [("birth", 1, 1), ("thinned", 2, 13)]
        records = exact(outbox)
    thinned = parse(records[1])
    assert (thinned.from_ms, thinned.to_ms) == (START_MS, START_MS + 11 * STEP_MS + 1)
    (part,) = thinned.groups
    assert part.slots == tuple(START_MS + hour * HOUR_MS for hour in range(3))
    assert part.values == ((0, 40_000, 80_000), (None, None, None))
    assert set(part.quality) == {(1, at, Quality.THINNED) for at in range(3)}
    assert_chain_holds(records, signer)


def test_the_record_behind_a_range_still_names_the_digest_of_the_last_one_that_went(open_outbox, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 4)
        last = exact(outbox)[-1]
        outbox.make_space()
        fill(outbox, 4, 5)
        _, thinned, behind = [parse(data) for data in exact(outbox)]
        assert thinned.replaces == behind.prev == digest_of(last)
        assert (thinned.seq, thinned.through, behind.seq) == (2, 5, 6)
        assert_chain_holds(exact(outbox), signer)


def test_what_was_thinned_grows_and_an_hour_is_not_kept_twice(open_outbox, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        for number in range(16):
            fill(outbox, number, number + 1)
            outbox.make_space()
        assert spans(outbox) == [("birth", 1, 1), ("thinned", 2, 17)]
        (part,) = parse(exact(outbox)[1]).groups
        assert part.slots == tuple(START_MS + hour * HOUR_MS for hour in range(4))
        assert_chain_holds(exact(outbox), signer)


def test_neither_a_birth_nor_a_gap_is_ever_given_up(open_outbox, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 6)
        outbox.commit([MissedSlots(GROUP, START_MS + 6 * STEP_MS, START_MS + 7 * STEP_MS, Quality.OVERRUN)])
        outbox.seal()
        fill(outbox, 7, 12)
        outbox.renew_birth(body())
        fill(outbox, 12, 18)
        assert give_up_all(outbox) == 17
        kinds = [kind for kind, _, _ in spans(outbox)]
        assert kinds == ["birth", "thinned", "gap", "thinned", "birth", "thinned"]
        kept = [part for data in exact(outbox) if isinstance(found := parse(data), Dropped) for part in found.groups]
        hours = [(slot_ms - START_MS) // HOUR_MS for part in kept for slot_ms in part.slots]
        assert hours == [0, 1, 2, 3, 4], "an hour that a gap cuts in two is kept once"
        assert_chain_holds(exact(outbox), signer)


def test_readings_of_different_states_of_the_clock_do_not_share_a_record(open_outbox, clock, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 6)
        clock.state = ClockState.UNKNOWN
        fill(outbox, 6, 12)
        give_up_all(outbox)
        _, synchronised, unknown = [parse(data) for data in exact(outbox)]
        assert (synchronised.clock.state, unknown.clock.state) == (ClockState.SYNCHRONISED, ClockState.UNKNOWN)
        assert_chain_holds(exact(outbox), signer)


def test_thinning_ends_when_nothing_becomes_smaller_by_it(open_outbox):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 1)
        assert outbox.make_space().given_up == 0
        assert [kind for kind, _, _ in spans(outbox)] == ["birth", "readings"]


def test_drop_oldest_gives_up_whole_readings_and_takes_what_was_thinned_too(open_outbox, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 8)
        outbox.make_space()
        fill(outbox, 8, 12)
    with open_outbox(Policy.DROP_OLDEST) as outbox:
        give_up_all(outbox)
        assert spans(outbox) == [("birth", 1, 1), ("dropped", 2, 13)]
        dropped = parse(exact(outbox)[1])
        assert (dropped.groups, dropped.from_ms, dropped.to_ms) == ((), START_MS, START_MS + 11 * STEP_MS + 1)
        assert_chain_holds(exact(outbox), signer)


def test_stop_gives_up_nothing(open_outbox):
    with open_outbox(Policy.STOP) as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 12)
        assert outbox.make_space().given_up == 0


def test_copies_of_acknowledged_records_go_before_anything_is_given_up(open_outbox):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 12)
        acknowledge(outbox, 5)
        freed = outbox.make_space()
        assert (freed.copies, freed.given_up) == (4, 0)
        assert outbox.make_space().given_up == 8
        assert [kind for kind, _, _ in spans(outbox)] == ["birth", "thinned"]


def committed(outbox: Outbox, number: int) -> bool:
    """What the keeper does; False when nothing more can be given up."""
    while True:
        try:
            outbox.commit([reading(number)])
        except OutboxFullError:
            if not outbox.make_space().given_up:
                return False
        else:
            return True


@pytest.mark.parametrize("policy", Policy)
def test_an_outbox_stays_within_its_bounds_and_stops_only_when_nothing_more_can_go(open_outbox, signer, policy):
    limit, stopped = 200_000, None
    with open_outbox(policy, limit) as outbox:
        outbox.begin_stream(body(), START_MS)
        for number in range(1_200):
            if not committed(outbox, number):
                stopped = number
                break
            outbox.seal()
            assert outbox._used_bytes() <= limit + 20_000
        assert_chain_holds(exact(outbox), signer)
        assert (stopped is None) == (policy is not Policy.STOP)
        held = outbox.state().unacknowledged_records
        if policy is Policy.STOP:
            acknowledge(outbox, held)
            assert outbox.make_space().copies
            outbox.commit([reading(stopped)])


def test_a_full_outbox_still_seals_begins_streams_and_takes_acks(open_outbox):
    with open_outbox(Policy.STOP) as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 12)
        outbox.commit([reading(12)])
    with open_outbox(Policy.STOP, 1_000) as outbox:
        outbox.begin_stream(body(), START_MS + 13 * STEP_MS)
        with pytest.raises(OutboxFullError):
            outbox.commit([reading(13)])
        outbox.commit([])
        acknowledge(outbox, 2)
        assert outbox.state().pending_slots == 0


# --- ingest --------------------------------------------------------------------------------------------------------


def test_what_was_thinned_is_acknowledged_by_what_it_replaces(open_outbox, box):
    with open_outbox() as outbox:
        stream = parse(outbox.begin_stream(body(), START_MS)).stream
        fill(outbox, 0, 12)
        outbox.make_space()
        fill(outbox, 12, 14)
        box.take(*exact(outbox))
        verdict = judge(box.ack(stream), outbox.shelf)
        assert verdict.let_go == {stream: 15}
        outbox.shelf.apply(verdict)
        assert outbox.state().unacknowledged_records == 0


def test_a_range_of_which_ingest_has_a_part_is_completed_and_counted_once(open_outbox, box, signer):
    with open_outbox() as outbox:
        stream = parse(outbox.begin_stream(body(), START_MS)).stream
        fill(outbox, 0, 12)
        box.take(*exact(outbox)[:6])  # the birth and slots 0 to 4
        outbox.make_space()
        sender = Sender(outbox.shelf, lambda: 1.0)
        sender.on_connected(0)
        sender.on_ack(box.ack(stream), 0)
        box.take(*(record.data for record in sender.due(1)))
        fill(outbox, 12, 13)
        sender.on_ack(box.ack(stream), 2)
        box.take(*(record.data for record in sender.due(3)))
        sender.on_ack(box.ack(stream), 4)
        assert outbox.state().unacknowledged_records == 0
        assert box.head(stream).seq == 14
    stored = [row[0] for row in box.journal._db.execute("SELECT bytes FROM records").fetchall()]
    evidence = collect(stored)
    energy, power = evidence.series(*ENERGY), evidence.series(*POWER)
    assert energy.quality.tolist() == [0] * 5 + [Quality.THINNED] * 3 + [0] + [Quality.THINNED] * 3 + [0]
    assert power.quality.tolist() == [0] * 5 + [Quality.THINNED] * 7 + [0]
    assert int(energy.value[-1]) - int(energy.value[0]) == 12 * 10_000
    assert_chain_holds(stored, signer)


def test_a_journal_that_was_restored_into_the_middle_of_a_range_gets_the_range_again_and_no_horizon(open_outbox, box):
    with open_outbox() as outbox:
        stream = parse(outbox.begin_stream(body(), START_MS)).stream
        fill(outbox, 0, 12)
        box.take(*exact(outbox)[:4])
        outbox.make_space()
        acknowledge(outbox, 13)
        verdict = judge(box.ack(stream), outbox.shelf)
        assert verdict.again == {stream: 4}
        outbox.shelf.apply(verdict)
        due = outbox.shelf.next_unacked(None)
        assert (due.position.seq, due.through, parse(due.data).kind) == (2, 13, "thinned")
        assert box.take(due.data) == [Action.APPEND]
        assert box.head(stream).seq == 13


def test_below_a_thinned_range_whose_neighbours_are_gone_a_horizon_leads_to_it(open_outbox):
    with open_outbox() as outbox:
        stream = parse(outbox.begin_stream(body(), START_MS)).stream
        fill(outbox, 0, 4)
        acknowledge(outbox, 5)
        fill(outbox, 4, 12)
        before = outbox.shelf.digest_at(stream, 5)
        while outbox.make_space().copies:
            pass
        acknowledge(outbox, 13)
        outbox.shelf.apply(Verdict(again={stream: 1}))
        horizon = parse(outbox.shelf.next_unacked(None).data)
        assert (horizon.kind, horizon.oldest_seq, horizon.digest_before) == ("horizon", 6, before)


def test_a_thinned_record_that_does_not_fit_its_birth_is_held_and_counts_for_nothing(open_outbox, box, signer):
    with open_outbox() as outbox:
        outbox.begin_stream(body(), START_MS)
        fill(outbox, 0, 12)
        outbox.make_space()
        birth, thinned = exact(outbox)
    good = parse(thinned)
    wrong = good.model_copy(update={"groups": (good.groups[0].model_copy(update={"group": "nobody"}),)})
    assert box.take(birth, build(wrong, signer)) == [Action.APPEND, Action.HOLD]
    assert [excluded.reason for excluded in collect([birth, build(wrong, signer)]).excluded] == ["shape"]


# --- properties ----------------------------------------------------------------------------------------------------


class Plant:
    """An outbox and an ingest, and what may happen to them, by name."""

    def __init__(self, folder: Path, box: Box, signer: note.Signer, clock, policy: Policy) -> None:
        self._clock, self._number = clock, 0
        self._new = lambda: Outbox(folder / "outbox.sqlite", GATEWAY, signer, clock, bounds=Bounds(300_000, policy))
        self.box, self.journalled = box, []
        self.outbox = self._new().__enter__()
        self.outbox.begin_stream(body(), START_MS)

    def read(self, count: int) -> None:
        for _ in range(count):
            self.outbox.commit([reading(self._number)])
            self._number += 1

    def gap(self, count: int) -> None:
        from_ms = START_MS + self._number * STEP_MS
        self.outbox.commit([MissedSlots(GROUP, from_ms, from_ms + count * STEP_MS, Quality.OVERRUN)])
        self._number += count

    def marked(self, code: Quality) -> None:
        self.outbox.commit([reading(self._number, ((0, code), (1, code)))])
        self._number += 1

    def birth(self) -> None:
        self.outbox.renew_birth(body())

    def clock_state(self) -> None:
        states = [ClockState.SYNCHRONISED, ClockState.UNKNOWN]
        self._clock.state = states[self._clock.state is states[0]]

    def restart(self) -> None:
        self.outbox.__exit__(None, None, None)
        self.outbox = self._new().__enter__()
        self.outbox.begin_stream(body(), START_MS + self._number * STEP_MS)

    def send(self, share: float = 1) -> None:
        """Ingest takes the first of what is not acknowledged, and says so or not."""
        unsent = _unacked(self.outbox)
        sent = unsent[: round(len(unsent) * abs(share))]
        actions = self.box.take(*(record.data for record in sent))
        assert set(actions) <= {Action.APPEND, Action.IGNORE}
        self.journalled += [record.data for record in sent]
        for stream in sorted({record.position.stream for record in sent}) if share > 0 else ():
            self.outbox.shelf.apply(judge(self.box.ack(stream), self.outbox.shelf))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(1, 12)),
        st.tuples(st.just("gap"), st.integers(1, 3)),
        st.tuples(st.just("marked"), st.sampled_from([Quality.NO_ANSWER, Quality.LATE_READ, Quality.EXCEPTION])),
        st.tuples(st.just("send"), st.sampled_from([0.3, 1.0, -0.5, -1.0])),
        st.tuples(
            st.sampled_from(["seal", "seal", "seal", "make_space", "make_space", "birth", "restart", "clock_state"])
        ),
    ),
    max_size=40,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, policy=st.sampled_from([Policy.THIN, Policy.DROP_OLDEST]))
def test_whatever_was_given_up_the_chain_holds_and_no_value_is_wrong(tmp_path_factory, clock, steps, policy):
    folder, signer = tmp_path_factory.mktemp("given-up"), new_signer(str(GATEWAY))
    with Journal.open(folder / "journal.sqlite", START_MS) as journal:
        plant = Plant(folder, Box(journal, signer), signer, copy(clock), policy)
        for name, *how in [*steps, ("seal",), ("send",)]:
            getattr(plant if hasattr(plant, name) else plant.outbox, name)(*how)
        assert _unacked(plant.outbox) == [], "everything is acknowledged in the end"
        plant.outbox.__exit__(None, None, None)
    records = list(dict.fromkeys(plant.journalled))
    assert_chain_holds(records, signer)
    series = collect(records).series(*ENERGY)
    assert Quality.UNEXPLAINED not in series.quality
    assert Quality.CONFLICT not in series.quality
    for slot_ms, value in zip(series.time_ms[series.valued], series.value[series.valued], strict=True):
        assert value == (slot_ms - START_MS) // STEP_MS * 10_000


def _unacked(outbox: Outbox) -> list:
    found, position = [], None
    while (record := outbox.shelf.next_unacked(position)) is not None:
        found.append(record)
        position = record.position
    return found

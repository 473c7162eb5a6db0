"""Each clause of "what ingest does with a record", against a real journal."""

import json
import sqlite3

import pytest

from ingest.intake import Intake
from ingest.store.journal import EMPTY, Journal, StreamHead, StreamKey, Successor
from ingest.store.reader import JournalReader
from ingest.store.readings import collect
from ingest.validate import Action, Refusal, authenticate, suspect_birth
from metering import keys, note, record
from metering.keys import KeyEntry, KeyRing, Role
from metering.topics import GatewayId

NOW_MS = 1_766_600_000_000
OTHER = "f" * 64


class Box:
    """A journal with an intake, and short words for tests."""

    def __init__(self, path, ring, limit=10_000):
        self.path = path
        self.ring = ring
        self.journal = Journal.open(path, NOW_MS)
        self.intake = Intake(self.journal, limit)
        self.reader = JournalReader(path)

    def take(self, gateway, *records, topic=None):
        outcomes = self.intake.take([(topic or gateway.topic, data) for data in records], self.ring, NOW_MS)
        return [outcome.action for outcome in outcomes]

    def reasons(self, gateway, *records):
        return [o.reason for o in self.intake.take([(gateway.topic, data) for data in records], self.ring, NOW_MS)]

    def head(self, gateway):
        return self.journal.head(StreamKey(gateway.site, gateway.gateway, gateway.stream))

    def codes(self):
        return [incident.code for incident in self.reader.incidents()]

    def rows(self, table):
        with sqlite3.connect(self.path) as connection:
            return connection.execute(f"SELECT * FROM {table}").fetchall()


@pytest.fixture
def box(tmp_path, gateway):
    made = Box(tmp_path / "journal.sqlite", gateway.ring)
    with made.journal:
        yield made


def signed(gateway, /, **changes):
    """A record of the gateway with some keys of its JSON changed, signed again."""
    text = json.loads(note.split(gateway.made[-1]).text)
    return note.sign(json.dumps(text | changes).encode() + b"\n", gateway.signer)


# --- refused -------------------------------------------------------------------------------------------------------


def test_an_unsigned_record_is_refused_and_kept_in_the_bin(box, gateway):
    data = note.split(gateway.birth()).text
    assert box.take(gateway, data) == [Action.REFUSE]
    assert box.reasons(gateway, data) == ["unsigned"]
    assert box.head(gateway) == EMPTY
    assert box.rows("refused")[0][-1] == data
    assert box.journal.refused_count(GatewayId("farm", "gw-1")) == 2


def test_an_altered_record_is_refused(box, gateway):
    altered = gateway.birth().replace(b'"agent":"test"', b'"agent":"TEST"')
    assert box.reasons(gateway, altered) == ["bad-signature"]
    assert box.take(gateway, gateway.made[0]) == [Action.APPEND]


@pytest.mark.parametrize("keep", [0, 1, 100, -1, -10, -100])
def test_a_truncated_record_is_refused(box, gateway, keep):
    assert box.take(gateway, gateway.birth()[:keep]) == [Action.REFUSE]


def test_a_record_of_a_foreign_gateway_is_refused(box, gateway, new_gateway):
    assert box.reasons(gateway, new_gateway("gw-2").birth()) == ["unknown-key"]


def test_a_record_signed_with_another_key_of_the_same_name_is_refused(box, gateway):
    gateway.signer = keys.new_signer("farm/gw-1")
    assert box.reasons(gateway, gateway.birth()) == ["bad-signature"]


def test_a_key_of_another_role_signs_no_record(tmp_path, gateway):
    ring = KeyRing([KeyEntry(id="farm/gw-1", role=Role.ACK, public_key=str(gateway.signer.verifier))])
    box = Box(tmp_path / "j.sqlite", ring)
    with box.journal:
        assert box.reasons(gateway, gateway.birth()) == ["unknown-key"]


def test_during_a_rotation_both_valid_keys_count(tmp_path, gateway):
    new = keys.new_signer("farm/gw-1")
    box = Box(tmp_path / "j.sqlite", KeyRing([*gateway.ring.entries, *_entry(new)]))
    with box.journal:
        assert box.take(gateway, gateway.birth()) == [Action.APPEND]
        gateway.signer = new
        assert box.take(gateway, gateway.readings(1)) == [Action.APPEND]


def _entry(signer):
    return [KeyEntry(id=signer.name, role=Role.GATEWAY, public_key=str(signer.verifier))]


def test_a_record_on_another_gateways_topic_is_refused(box, gateway):
    outcomes = box.intake.take([("sakugen/v1/farm/gw-9/log", gateway.birth())], box.ring, NOW_MS)
    assert [outcome.reason for outcome in outcomes] == ["wrong-topic"]
    assert box.head(gateway) == EMPTY


def test_a_record_with_no_place_in_any_stream_is_refused(box, gateway):
    gateway.birth()
    assert box.reasons(gateway, signed(gateway, seq=0)) == ["shape"]
    assert box.take(gateway, signed(gateway, seq=0)) == [Action.REFUSE]
    assert box.rows("records") == []
    assert box.reasons(gateway, signed(gateway, site="ingest")) == ["shape"]
    assert box.reasons(gateway, signed(gateway, stream="x")) == ["shape"]


def test_the_bin_of_refused_messages_is_bounded_and_the_count_is_not(tmp_path, gateway):
    box = Box(tmp_path / "j.sqlite", gateway.ring, limit=1000)
    with box.journal:
        for number in range(20):
            box.take(gateway, b"%03d" % number + bytes(297))
        assert [row[-1][:3] for row in box.rows("refused")] == [b"017", b"018", b"019"]
        assert box.journal.refused_count(GatewayId("farm", "gw-1")) == 20


def test_invented_topics_do_not_make_counters(box):
    box.intake.take([(f"sakugen/v1/x/y{n}/log", b"") for n in range(5)] + [("nonsense", b"")], box.ring, NOW_MS)
    assert box.rows("refused_counts") == [("", "", 6)]


# --- appended, repeated, ahead, forked -----------------------------------------------------------------------------


def test_the_next_record_is_appended_with_its_exact_bytes(box, gateway, slot_ms):
    birth, readings = gateway.birth(), gateway.readings(1, 2)
    assert box.take(gateway, birth, readings) == [Action.APPEND, Action.APPEND]
    assert box.head(gateway) == StreamHead(2, record.digest_of(readings))
    stored = list(box.reader.records("demo", slot_ms(0), slot_ms(9)))
    assert [row.data for row in stored] == [birth, readings]
    assert (stored[1].first_slot_ms, stored[1].last_slot_ms) == (slot_ms(1), slot_ms(2))
    assert stored[1].received_ms == NOW_MS


def test_a_gap_belongs_to_the_span_from_its_first_slot_to_the_last_before_its_end(box, gateway, slot_ms):
    box.take(gateway, gateway.birth(), gateway.gap(1, 3))
    (stored,) = [row for row in box.reader.records("demo", slot_ms(2), slot_ms(9)) if row.seq == 2]
    assert (stored.first_slot_ms, stored.last_slot_ms) == (slot_ms(1), slot_ms(3) - 1)
    assert [row.seq for row in box.reader.records("demo", slot_ms(3), slot_ms(9))] == [1]


def test_a_record_for_given_up_ones_of_no_time_belongs_to_its_instant(box, gateway, slot_ms):
    birth = gateway.birth()
    body = record.parse(gateway.dropped(2, 2, OTHER, record.digest_of(birth)))
    body = body.model_copy(update={"to_ms": body.from_ms})
    box.take(gateway, birth, record.build(body, gateway.signer))
    (stored,) = [row for row in box.reader.records("demo", slot_ms(0), slot_ms(9)) if row.seq == 2]
    assert (stored.first_slot_ms, stored.last_slot_ms) == (slot_ms(0), slot_ms(0))


def test_a_record_that_is_there_already_is_ignored(box, gateway):
    records = [gateway.birth(), gateway.readings(1)]
    box.take(gateway, *records)
    assert box.take(gateway, *records) == [Action.IGNORE, Action.IGNORE]
    assert len(box.rows("records")) == 2


def test_a_repeat_within_one_batch_is_stored_once(box, gateway):
    birth = gateway.birth()
    assert box.take(gateway, birth, birth) == [Action.APPEND, Action.IGNORE]


def test_a_record_beyond_the_next_is_ignored_and_not_stored(box, gateway):
    gateway.birth()
    gateway.readings(1)
    assert box.take(gateway, gateway.made[1]) == [Action.AHEAD]
    assert box.rows("records") == []
    assert box.take(gateway, gateway.made[0], gateway.made[1]) == [Action.APPEND, Action.APPEND]


def test_another_record_with_a_known_number_is_a_fork(box, gateway):
    box.take(gateway, gateway.birth(), gateway.readings(1))
    head = box.head(gateway)
    gateway.seq, gateway.prev = 1, record.digest_of(gateway.made[0])
    other = gateway.readings(1, energy=[7])
    assert box.take(gateway, other) == [Action.FORK]
    assert box.head(gateway) == head
    assert box.rows("forks")[0][-1] == other
    assert box.codes() == ["fork"]


def test_the_next_record_with_a_wrong_prev_is_a_fork(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.prev = OTHER
    assert box.reasons(gateway, gateway.readings(1)) == ["wrong-prev"]
    assert box.head(gateway).seq == 1
    assert box.codes() == ["fork"]


def test_a_fork_that_is_sent_again_is_counted_once(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.prev = OTHER
    box.take(gateway, *[gateway.readings(1)] * 3)
    assert len(box.rows("forks")) == 1
    assert box.reader.incidents()[0].times == 3


# --- held ----------------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_held_and_the_stream_goes_on(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.readings(1)
    newer = signed(gateway, type="sakugen.record/2", colour="blue")
    gateway.prev = record.digest_of(newer)
    assert box.take(gateway, newer, gateway.readings(2)) == [Action.HOLD, Action.APPEND]
    (held,) = box.reader.held("demo")
    assert (held.reason, held.data) == ("newer-schema", newer)
    assert box.head(gateway).seq == 3


def test_an_unknown_unit_is_held_and_so_is_what_is_read_with_it(box, gateway):
    points = [
        {"point": "ac", "measurand": "energy_export_total_wh", "quantum": "kWh", "register": "active_energy_export"}
    ]
    birth = gateway.birth(points=points)
    assert box.reasons(gateway, birth, gateway.gap(1, 2)) == ["unknown-unit", "birth-held"]


def test_a_birth_whose_map_lacks_a_register_is_held(box, gateway):
    points = [{"point": "ac", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": "elsewhere"}]
    assert box.reasons(gateway, gateway.birth(points=points)) == ["device-map"]


def test_a_wrong_shape_is_held(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.readings(1)
    assert box.reasons(gateway, signed(gateway, groups=3)) == ["shape"]


def test_readings_that_do_not_fit_their_birth_are_held(box, gateway):
    points = [
        {"point": "ac", "measurand": "energy_export_total_wh", "quantum": "mWh", "register": "active_energy_export"}
    ]
    box.take(gateway, gateway.birth(points=points))
    assert box.reasons(gateway, gateway.readings(1)) == ["shape"]


def test_a_gap_for_an_unknown_reason_is_held(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.gap(1, 2)
    assert box.reasons(gateway, signed(gateway, reason="boredom")) == ["shape"]


def test_a_held_record_is_never_read_as_readings(box, gateway, slot_ms):
    box.take(gateway, gateway.birth())
    gateway.readings(1)
    box.take(gateway, signed(gateway, groups=3))
    assert [row.kind for row in box.reader.records("demo", slot_ms(0), slot_ms(9))] == ["birth"]


def test_a_held_record_of_unknown_project_counts_for_the_gateways_project(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.new_stream()
    gateway.birth()
    box.take(gateway, signed(gateway, type="sakugen.record/9"))
    assert [row.reason for row in box.reader.held("demo")] == ["newer-schema"]
    assert box.reader.held("another") == []


def test_readings_of_no_slot_at_all_are_taken(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.readings(1)
    assert box.take(gateway, signed(gateway, groups=[])) == [Action.APPEND]


def test_the_reason_of_a_refusal_names_the_key_and_why_it_does_not_count(gateway):
    found = authenticate(gateway.topic, gateway.birth(), KeyRing([]), NOW_MS)
    assert isinstance(found, Refusal)
    assert found.what == "gateway key farm/gw-1: not enrolled"


# --- dropped, thinned ----------------------------------------------------------------------------------------------


@pytest.fixture
def five(gateway):
    """A birth and readings 2 to 5, none of them taken yet."""
    gateway.birth()
    for slot in range(1, 5):
        gateway.readings(slot)
    return gateway.made


@pytest.mark.parametrize("kind", ["dropped", "thinned"])
def test_a_record_for_given_up_ones_moves_the_head_over_them(box, gateway, five, kind):
    digest = [record.digest_of(data) for data in five]
    given_up = gateway.dropped(2, 4, digest[3], digest[0], kind)
    assert box.take(gateway, five[0], given_up) == [Action.APPEND, Action.APPEND]
    assert box.head(gateway) == StreamHead(4, digest[3])
    assert box.take(gateway, five[4], given_up) == [Action.APPEND, Action.IGNORE]


def test_given_up_records_of_which_a_part_is_there_stand_beside_it(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, *five[:3])
    given_up = gateway.dropped(2, 4, digest[3], digest[0])
    assert box.take(gateway, given_up, given_up, five[4]) == [Action.APPEND, Action.IGNORE, Action.APPEND]
    assert box.head(gateway) == StreamHead(5, digest[4])
    series = collect(row[-1] for row in box.rows("records")).series("ac", "energy_export_total_wh")
    assert len(series.time_ms[series.valued]) == 3


def test_given_up_records_that_are_all_there_leave_the_head(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, *five)
    assert box.take(gateway, gateway.dropped(2, 4, digest[3], digest[0])) == [Action.APPEND]
    assert box.head(gateway) == StreamHead(5, digest[4])


def test_given_up_records_with_a_wrong_digest_at_either_end_are_a_fork(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, *five)
    assert box.reasons(gateway, gateway.dropped(2, 4, OTHER, digest[0])) == ["other-digest"]
    assert box.reasons(gateway, gateway.dropped(3, 4, digest[3], OTHER)) == ["wrong-prev"]


def test_given_up_records_that_name_a_wrong_one_before_them_are_a_fork_also_where_their_end_is_new(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, *five[:3])
    assert box.reasons(gateway, gateway.dropped(2, 5, digest[4], OTHER)) == ["wrong-prev"]
    assert box.take(gateway, gateway.dropped(2, 5, digest[4], digest[0])) == [Action.APPEND]


def test_a_given_up_record_that_comes_after_all_is_kept_and_a_contradicting_one_is_a_fork(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, five[0], gateway.dropped(2, 4, digest[3], digest[0]))
    assert box.take(gateway, five[1], five[3], five[1]) == [Action.APPEND, Action.APPEND, Action.IGNORE]
    assert box.head(gateway) == StreamHead(4, digest[3])
    gateway.seq, gateway.prev = 3, digest[2]
    assert box.take(gateway, gateway.readings(8)) == [Action.FORK]


def test_a_drop_that_ends_before_it_begins_is_held(box, gateway):
    box.take(gateway, gateway.birth())
    gateway.dropped(2, 3, OTHER, gateway.prev)
    assert box.reasons(gateway, signed(gateway, through=1)) == ["shape"]


# --- horizon -------------------------------------------------------------------------------------------------------


def test_a_horizon_leaves_a_hole_and_the_stream_goes_on_behind_it(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    box.take(gateway, five[0])
    horizon = gateway.horizon(4, digest[2])
    assert box.take(gateway, horizon, horizon) == [Action.APPEND, Action.IGNORE]
    assert [(hole.first_seq, hole.last_seq) for hole in box.reader.holes("demo")] == [(2, 3)]
    assert box.take(gateway, five[3]) == [Action.APPEND]
    assert box.head(gateway) == StreamHead(4, digest[3])


def test_a_horizon_that_asks_for_nothing_new_changes_nothing_and_a_contradicting_one_is_a_fork(box, gateway, five):
    box.take(gateway, *five)
    digest = [record.digest_of(data) for data in five]
    assert box.take(gateway, gateway.horizon(4, digest[2]), gateway.horizon(1, None)) == [Action.IGNORE, Action.IGNORE]
    assert box.take(gateway, gateway.horizon(4, OTHER)) == [Action.FORK]
    assert box.rows("holes") == []


def test_a_horizon_within_what_is_lost_already_changes_nothing(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    assert box.take(gateway, five[0], gateway.horizon(4, digest[2]), five[3]) == [Action.APPEND] * 3
    assert box.take(gateway, gateway.horizon(3, digest[1])) == [Action.IGNORE]


def test_a_horizon_without_the_digest_it_needs_is_refused(box, gateway):
    gateway.made.append(gateway.horizon(4, OTHER))
    assert box.reasons(gateway, signed(gateway, digest_before=None)) == ["shape"]


def test_behind_a_horizon_readings_are_held_until_their_birth_is_there(box, gateway, five):
    digest = [record.digest_of(data) for data in five]
    assert box.reasons(gateway, gateway.horizon(4, digest[2]), five[3]) == [None, "no-birth"]
    assert box.reasons(gateway, five[0], five[4]) == [None, None]


# --- identities ----------------------------------------------------------------------------------------------------


def test_two_streams_with_the_same_predecessor_are_an_incident_and_both_are_kept(box, gateway):
    box.take(gateway, gateway.birth())
    last = gateway.ref()
    for _ in range(2):
        gateway.new_stream()
        assert box.take(gateway, gateway.birth(after=last)) == [Action.APPEND]
    assert box.codes() == ["same-predecessor"]


def test_a_stream_is_no_sibling_of_itself():
    after = record.RecordRef(stream="01KDMZNGG028T5CY4TQKFF04HM", seq=5, digest=OTHER)
    assert suspect_birth("B", after, [Successor("B", 5)], StreamHead(5, OTHER)) == ()


def test_a_stream_that_names_a_record_which_its_predecessor_went_beyond_is_an_incident(box, gateway):
    box.take(gateway, gateway.birth())
    last = gateway.ref()
    box.take(gateway, gateway.readings(1))
    gateway.new_stream()
    assert box.take(gateway, gateway.birth(after=last)) == [Action.APPEND]
    assert box.codes() == ["beyond-successor"]


def test_a_stream_that_grows_beyond_what_its_successor_named_is_an_incident(box, gateway):
    first = gateway.birth()
    last = gateway.ref()
    late = gateway.readings(1)
    gateway.new_stream()
    box.take(gateway, first, gateway.birth(after=last))
    assert box.codes() == []
    assert box.take(gateway, late) == [Action.APPEND]
    assert box.codes() == ["beyond-successor"]


def test_an_ordinary_restart_is_no_incident(box, gateway):
    box.take(gateway, gateway.birth(), gateway.readings(1))
    last = gateway.ref()
    gateway.new_stream()
    box.take(gateway, gateway.birth(after=last), gateway.readings(2), gateway.birth(after=last, serial="s-2"))
    assert box.codes() == []
    assert box.rows("forks") == []


# --- any bytes at all ----------------------------------------------------------------------------------------------


def test_no_payload_stops_ingest_and_the_true_record_still_goes_in(box, gateway):
    import random

    chance = random.Random(20)
    birth, readings = gateway.birth(), gateway.readings(1)
    box.take(gateway, birth)
    payloads = [chance.randbytes(chance.randrange(400)) for _ in range(100)]
    for _ in range(300):
        spoiled = bytearray(readings)
        for _ in range(chance.randrange(1, 4)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        payloads.append(bytes(spoiled[: chance.randrange(1, len(spoiled) + 1)]))
    payloads = [payload for payload in payloads if payload != readings]
    assert set(box.take(gateway, *payloads)) == {Action.REFUSE}
    assert box.take(gateway, readings) == [Action.APPEND]


@pytest.mark.parametrize("value", [None, True, -1, 1e400, 2**63, "x" * 100, [], {}, [[[[]]]], "é\u0000"])
def test_no_signed_json_stops_ingest(box, gateway, value):
    gateway.birth()
    first = json.loads(note.split(gateway.made[0]).text)
    for key in first:
        box.take(gateway, signed(gateway, **{key: value}))
    group = first["groups"][0]
    for key in group:
        box.take(gateway, signed(gateway, groups=[group | {key: value}]))
    deep = note.sign(b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n", gateway.signer)
    assert box.take(gateway, deep) == [Action.REFUSE]

"""Records that wait when the key of their gateway is exchanged: none is lost, none counts, none blocks the queue."""

from datetime import UTC, datetime, timedelta

import pytest

from ingest import replay
from ingest.intake import Intake
from ingest.store.journal import Journal, StreamHead, StreamKey
from ingest.validate import Action
from metering import keys, record
from metering.keys import KeyEntry, KeyRing, Role

NOW_MS = 1_766_600_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
HELD = (Action.HOLD, "key-retired")
REFUSED = (Action.REFUSE, "bad-signature")


def ring_of(*signers, **former):
    """The first key as told, the others without an end."""
    ends = [former, *({} for _ in signers[1:])]
    return KeyRing(
        KeyEntry(id=signer.name, role=Role.GATEWAY, public_key=str(signer.verifier), **end)
        for signer, end in zip(signers, ends, strict=True)
    )


@pytest.fixture
def new_key():
    return keys.new_signer("farm/gw-1")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        yield journal


def take(journal, gateway, ring, *records):
    outcomes = Intake(journal, 10_000).take([(gateway.topic, data) for data in records], ring, NOW_MS)
    return [(outcome.action, outcome.reason) for outcome in outcomes]


@pytest.mark.parametrize("end", ["revoked_at", "valid_until"])
def test_what_waits_under_a_former_key_is_held_and_the_new_key_goes_on(journal, gateway, new_key, end):
    ring = ring_of(gateway.signer, new_key, **{end: BEFORE})
    assert take(journal, gateway, ring, gateway.birth(), gateway.readings(1)) == [HELD, HELD]
    head = journal.head(StreamKey("farm", "gw-1", gateway.stream))
    assert head == StreamHead(2, record.digest_of(gateway.made[-1])), "or the gateway could never go on"
    last = gateway.ref()
    gateway.new_stream()
    gateway.signer = new_key
    assert take(journal, gateway, ring, gateway.birth(after=last), gateway.readings(2)) == [(Action.APPEND, None)] * 2


def test_readings_under_a_former_key_are_held_also_behind_a_birth_that_counted(journal, gateway, new_key):
    take(journal, gateway, gateway.ring, gateway.birth())
    ring = ring_of(gateway.signer, new_key, revoked_at=BEFORE)
    assert take(journal, gateway, ring, gateway.readings(1), gateway.readings(2)) == [HELD, HELD]


def test_a_gateway_without_a_new_key_gets_nothing_in(journal, gateway):
    ring = ring_of(gateway.signer, revoked_at=BEFORE)
    assert take(journal, gateway, ring, gateway.birth()) == [(Action.REFUSE, "unknown-key")]


def test_a_stolen_key_gets_nothing_in_whatever_else_is_said_of_it(journal, gateway, new_key):
    ring = ring_of(gateway.signer, new_key, revoked_at=BEFORE, compromised_since=BEFORE)
    assert take(journal, gateway, ring, gateway.birth()) == [REFUSED]


def test_a_key_that_does_not_count_yet_is_no_former_one(journal, gateway, new_key):
    ring = ring_of(gateway.signer, new_key, valid_from=AFTER)
    assert take(journal, gateway, ring, gateway.birth()) == [REFUSED]


def test_a_strangers_signature_is_no_former_one(journal, gateway, new_key):
    ring = ring_of(gateway.signer, new_key, revoked_at=BEFORE)
    gateway.signer = keys.new_signer("farm/gw-1")
    assert take(journal, gateway, ring, gateway.birth()) == [REFUSED]


def test_a_former_key_on_another_gateways_topic_is_refused(journal, gateway, new_key):
    ring = ring_of(gateway.signer, new_key, revoked_at=BEFORE)
    (outcome,) = Intake(journal, 10_000).take([("sakugen/v1/farm/gw-9/log", gateway.birth())], ring, NOW_MS)
    assert (outcome.action, outcome.reason) == (Action.REFUSE, "wrong-topic")


def test_what_is_held_for_its_key_counts_when_the_key_is_found_to_have_ended_later(journal, gateway, new_key):
    ring = ring_of(gateway.signer, new_key, revoked_at=BEFORE)
    take(journal, gateway, ring, gateway.birth(), gateway.readings(1))
    assert replay.everything(journal, ring, NOW_MS) == []
    with journal.transaction():
        assert replay.stream(journal, StreamKey("farm", "gw-1", gateway.stream), NOW_MS) == []
    ring = ring_of(gateway.signer, new_key, revoked_at=AFTER)
    assert [done.seq for done in replay.everything(journal, ring, NOW_MS + 5000)] == [1, 2]


def test_a_key_that_is_listed_twice_counts_as_long_as_one_of_them_does(journal, gateway):
    ring = ring_of(gateway.signer, gateway.signer, revoked_at=BEFORE)
    assert take(journal, gateway, ring, gateway.birth()) == [(Action.APPEND, None)]

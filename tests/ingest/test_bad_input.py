"""Whatever a gateway signs: refused or held for a reason that has a name, while other gateways go on."""

import json

import pytest

from ingest.intake import Intake
from ingest.store.journal import Journal, StreamKey
from ingest.store.reader import JournalReader
from ingest.validate import Action
from metering import note, record
from metering.keys import KeyRing

NOW_MS = 1_766_600_000_000
DAY_MS = 86_400_000


@pytest.fixture
def gateways(gateway, new_gateway):
    return gateway, new_gateway("gw-2")


@pytest.fixture
def take(tmp_path, gateways):
    """Take messages of the first gateway, each followed by one of the second; gives what became of the first's."""
    ring = KeyRing([entry for one in gateways for entry in one.ring.entries])
    with Journal.open(tmp_path / "journal.sqlite", NOW_MS) as journal:
        intake = Intake(journal, 10_000)
        other = gateways[1]
        intake.take([(other.topic, other.birth())], ring, NOW_MS)

        def run(*messages, topic=None):
            pairs = []
            for data in messages:
                pairs += [(topic or gateways[0].topic, data), (other.topic, other.readings(other.seq))]
            outcomes = intake.take(pairs, ring, NOW_MS)
            assert {outcome.action for outcome in outcomes[1::2]} == {Action.APPEND}
            return [(outcome.action, outcome.reason) for outcome in outcomes[::2]]

        run.journal = journal
        yield run


def signed(gateway, text):
    return note.sign(text + b"\n", gateway.signer)


@pytest.fixture
def good(gateway, take):
    """The text of the next readings of a gateway whose birth is in the journal."""
    take(gateway.birth())
    return note.split(gateway.readings(1, 2)).text.rstrip(b"\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"{}", id="nothing in it"),
        pytest.param(b'"text"', id="no object"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
    ],
)
def test_what_has_no_head_is_refused(take, gateway, text):
    assert take(signed(gateway, text)) == [(Action.REFUSE, "shape")]


CHANGES = {
    "NaN": (b'"mono_ms":1', b'"mono_ms":NaN'),
    "NaN among values": (b'"values":[[', b'"values":[[NaN,'),
    "infinite": (b'"mono_ms":1', b'"mono_ms":1e999'),
    "a fraction": (b'"mono_ms":1', b'"mono_ms":1.5'),
    "a key twice": (b'"mono_ms":1', b'"mono_ms":1,"mono_ms":2'),
    "a key twice in a group": (b'"sent":[', b'"sent":[5,5],"sent":['),
    "a key more": (b'"mono_ms":1', b'"mono_ms":1,"colour":"blue"'),
    "a slot more": (b'"slots":[', b'"slots":[0,'),
    "a value more": (b'"values":[[', b'"values":[[1,'),
    "a row more": (b'"values":[[', b'"values":[[1,2],['),
    "a row less": (b'"values":[[1010000,1020000],', b'"values":['),
    "words more": (b'"raw":["', b'"raw":["AAAA'),
    "no base64": (b'"raw":["', b'"raw":["!'),
    "a time behind the calendar": (b'"slots":[1766506500000', b'"slots":[-1'),
    "slots that go back": (b'"slots":[1766506500000', b'"slots":[1966506500000'),
    "an unknown quality": (b'"quality":[]', b'"quality":[[0,0,99]]'),
    "another kind": (b'"kind":"readings"', b'"kind":"riddles"'),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_body_that_is_wrong_is_held_and_the_stream_goes_on(take, gateway, good, change):
    assert change[0] in good
    bad = signed(gateway, good.replace(*change, 1))
    gateway.seq, gateway.prev = 2, record.digest_of(bad)
    assert take(bad, gateway.readings(3)) == [(Action.HOLD, "shape"), (Action.APPEND, None)]


def at(gateway, good, first_ms):
    slots = f'"slots":[{first_ms},{first_ms + 900_000}]'.encode()
    return signed(gateway, good.replace(b'"slots":[1766506500000,1766507400000]', slots))


@pytest.mark.parametrize("first_ms", [0, 315_964_800_000, 4_102_444_800_000, NOW_MS + 400 * DAY_MS])
def test_readings_of_1970_1980_2100_or_next_year_are_held(take, gateway, good, first_ms):
    assert take(at(gateway, good, first_ms)) == [(Action.HOLD, "slot-time")]


@pytest.mark.parametrize("first_ms", [1_262_304_000_000, NOW_MS + 360 * DAY_MS])
def test_readings_of_a_long_outage_or_of_a_clock_that_is_months_ahead_are_not(take, gateway, good, first_ms):
    assert take(at(gateway, good, first_ms)) == [(Action.APPEND, None)]


def test_a_gap_since_1970_is_held(take, gateway, good):
    gateway.seq, gateway.prev = 1, record.digest_of(gateway.made[0])
    gap = json.loads(note.split(gateway.gap(1, 2)).text) | {"from_ms": 0}
    assert take(signed(gateway, json.dumps(gap).encode())) == [(Action.HOLD, "slot-time")]


@pytest.mark.parametrize(
    "topic",
    ["", "sakugen/v1/farm/gw-2/log", "sakugen/v1/other/gw-1/log", "sakugen/v1/../gw-1/log", "a\0b", "/" * 65_535],
)
def test_a_topic_that_is_not_the_gateways_own_is_refused(take, gateway, topic):
    assert take(gateway.birth(), topic=topic or "x") == [(Action.REFUSE, "wrong-topic")]
    assert take.journal.head(StreamKey("farm", "gw-1", gateway.stream)).seq == 0


def test_a_hostile_topic_is_kept_as_far_as_it_helps(take, gateway, tmp_path):
    assert take(b"", topic="/" * 65_535) == [(Action.REFUSE, "unsigned")]
    (kept,) = JournalReader(tmp_path / "journal.sqlite").refusals()
    assert kept.topic == "/" * 200

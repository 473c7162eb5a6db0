"""What people see and do when ingest did not simply append."""

import pytest

from ingest import quarantine
from ingest.adopt import adopt
from ingest.config import IngestSettings
from ingest.errors import AdoptError, JournalInUseError
from ingest.intake import Intake
from ingest.store.journal import Journal
from metering import record
from metering.config import ConfigError, load_toml
from metering.ulid import new_ulid

NOW_MS = 1_766_600_000_000
OLD = new_ulid(NOW_MS)


@pytest.fixture
def settings(tmp_path, gateway):
    (tmp_path / "keys.toml").write_text(gateway.ring.to_toml())
    return IngestSettings(data_dir=tmp_path, keys_file=tmp_path / "keys.toml")


def test_everything_that_was_not_appended_is_listed(settings, gateway):
    birth = gateway.birth()
    held = gateway.birth(points=[]), gateway.readings(1)
    gateway.prev = "f" * 64
    fork = gateway.readings(2)
    gateway.new_stream()
    gateway.birth()
    horizon = gateway.horizon(3, "e" * 64)
    messages = [(gateway.topic, data) for data in (birth, *held, fork, horizon, b"nonsense", b"nonsense")]
    with Journal.open(settings.journal_path, NOW_MS) as journal:
        Intake(journal, 10_000).take([*messages, ("elsewhere", b"")], gateway.ring, NOW_MS)
        rows = quarantine.rows(settings.journal_path)
    assert [(row.what, row.gateway, row.reason, row.times) for row in rows] == [
        ("held", "gw-1", "shape", 1),
        ("fork", "gw-1", "wrong-prev", 1),
        ("refused", "gw-1", "unsigned", 2),
        ("refused", "elsewhere", "unsigned", 1),
        ("hole", "gw-1", "lost up to 2", 1),
        ("incident", "gw-1", rows[-1].reason, 1),
    ]
    assert rows[0].digest == record.digest_of(held[1])


def test_replaying_needs_the_journal_for_itself_and_says_what_is_left(settings, gateway, monkeypatch):
    with Journal.open(settings.journal_path, NOW_MS) as journal:
        monkeypatch.setattr("metering.record.MEASURANDS", {})
        Intake(journal, 10_000).take([(gateway.topic, gateway.birth())], gateway.ring, NOW_MS)
        gateway.new_stream()
        gateway.birth()
        horizon = gateway.horizon(3, "e" * 64)
        gateway.seq, gateway.prev = 2, "e" * 64
        messages = [(gateway.topic, data) for data in (horizon, gateway.readings(3))]
        Intake(journal, 10_000).take(messages, gateway.ring, NOW_MS)
        monkeypatch.undo()
        with pytest.raises(JournalInUseError, match="stop that one first"):
            quarantine.replay_held(settings)
    done, left = quarantine.replay_held(settings)
    assert ([one.seq for one in done], left) == ([1], 1)
    assert [row.reason for row in quarantine.rows(settings.journal_path) if row.what == "held"] == ["no-birth"]


def test_a_new_journal_that_adopts_names_the_old_one_in_its_acks(settings):
    done = adopt(settings, OLD)
    assert done.succeeds == OLD
    with Journal.open(settings.journal_path, NOW_MS) as journal:
        assert (journal.journal_id, journal.succeeds) == (done.journal, OLD)
    assert adopt(settings, OLD) == done


def test_a_journal_succeeds_one_other_and_not_itself(settings):
    done = adopt(settings, OLD)
    with pytest.raises(AdoptError, match=f"already succeeds {OLD}"):
        adopt(settings, new_ulid(NOW_MS))
    with pytest.raises(AdoptError, match="this journal itself"):
        adopt(settings, done.journal)
    with pytest.raises(AdoptError, match="no journal name"):
        adopt(settings, "the old one")


def test_adopting_waits_until_ingest_is_stopped(settings):
    with Journal.open(settings.journal_path, NOW_MS), pytest.raises(JournalInUseError, match="stop that one first"):
        adopt(settings, OLD)


def test_an_empty_configuration_is_complete(tmp_path):
    (tmp_path / "ingest.toml").write_text("")
    settings = load_toml(tmp_path / "ingest.toml", IngestSettings)
    assert settings.broker.protocol == 5
    assert settings.influxdb is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("shard = 'A b'", r":1: shard"),
        ("[broker]\nport = 0", r":2: broker.port = 0"),
        ("[broker]\nprotocol = 3", r":2: broker.protocol = 3"),
        ("[broker]\npassword_file = 'x'", r":1: broker: password_file needs a username"),
        ("[influxdb]\ndatabase = 'x'", r":2: influxdb.database = 'x': unknown key; allowed here: api, bucket"),
    ],
)
def test_a_wrong_configuration_says_where_and_what_is_allowed(tmp_path, text, fault):
    (tmp_path / "ingest.toml").write_text(text)
    with pytest.raises(ConfigError, match=fault):
        load_toml(tmp_path / "ingest.toml", IngestSettings)

"""Keys on disk: for their owner alone, never overwritten, and trusted only in their role and time."""

from datetime import UTC, datetime, timedelta

import pytest

from metering import keys
from metering.errors import KeyFileError
from metering.keys import KeyEntry, KeyRing, Role

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp()) * 1000
HOUR = timedelta(hours=1)


def entry(signer, role=Role.GATEWAY, **more):
    return KeyEntry(id=signer.name, role=role, public_key=str(signer.verifier), **more)


def test_a_key_file_is_for_its_owner_alone(signer, tmp_path):
    path = tmp_path / "new" / "keys" / "gateway.key"
    keys.save_signer(signer, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keys.load_signer(path).public == signer.public


def test_a_key_is_on_disk_when_it_counts_as_saved(signer, tmp_path, monkeypatch):
    path = tmp_path / "gateway.key"
    synced = []
    monkeypatch.setattr(keys.os, "fsync", lambda _: synced.append(path.read_text(encoding="utf-8")))
    keys.save_signer(signer, path)
    assert synced == [path.read_text(encoding="utf-8")]


def test_a_private_key_is_never_overwritten(signer, tmp_path):
    path = tmp_path / "gateway.key"
    keys.save_signer(signer, path)
    before = path.read_bytes()
    with pytest.raises(KeyFileError, match="never overwritten"):
        keys.save_signer(keys.new_signer("another"), path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_file_that_others_can_read_is_refused_with_the_remedy(signer, tmp_path, mode):
    path = tmp_path / "gateway.key"
    keys.save_signer(signer, path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="readable by others; run: chmod 600"):
        keys.load_signer(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "PRIVATE"),
        (b"PRIVATE+KEY+a+b", "expected name"),
        (b"\xff\xfe", "not UTF-8"),
        ("PRIVATE+KEY+a+00000000+ü".encode(), "not base64"),
    ],
)
def test_a_key_file_without_a_key_is_named(tmp_path, content, why):
    path = tmp_path / "gateway.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=rf"gateway\.key: .*{why}"):
        keys.load_signer(path)


def test_a_missing_key_file_says_how_to_make_one(tmp_path):
    with pytest.raises(KeyFileError, match="sakugen keys new"):
        keys.load_signer(tmp_path / "gateway.key")


def test_two_new_keys_of_one_name_differ():
    assert keys.new_signer("a").public != keys.new_signer("a").public


def test_a_ring_finds_a_key_by_name_and_role(signer):
    ring = KeyRing([entry(keys.new_signer("ack-1"), Role.ACK), entry(signer)])
    assert ring.verifier(signer.name, Role.GATEWAY, NOON_MS) == signer.verifier
    assert [found.id for found in ring.of_role(Role.ACK)] == ["ack-1"]


def test_the_key_of_another_gateway_does_not_count(signer):
    with pytest.raises(KeyFileError, match="gateway key 'test-site/gw-2': not enrolled"):
        KeyRing([entry(signer)]).verifier("test-site/gw-2", Role.GATEWAY, NOON_MS)


def test_a_key_does_not_count_in_another_role(signer):
    with pytest.raises(KeyFileError, match="ack key 'test-site/gw-1': not enrolled"):
        KeyRing([entry(signer)]).verifier(signer.name, Role.ACK, NOON_MS)


@pytest.mark.parametrize(
    ("window", "counts", "why"),
    [
        ({"valid_from": NOON}, True, None),
        ({"valid_from": NOON + HOUR}, False, "not valid before"),
        ({"valid_until": NOON + HOUR}, True, None),
        ({"valid_until": NOON}, False, "expired at"),
        ({"revoked_at": NOON + HOUR}, True, None),
        ({"revoked_at": NOON}, False, "revoked at"),
        ({"compromised_since": NOON + HOUR}, True, None),
        ({"compromised_since": NOON}, False, "compromised at"),
        ({"valid_until": NOON + HOUR, "compromised_since": NOON - HOUR}, False, "compromised at"),
    ],
)
def test_a_key_counts_from_its_first_instant_up_to_but_not_including_its_last(signer, window, counts, why):
    ring = KeyRing([entry(signer, **window)])
    if counts:
        assert ring.verifier(signer.name, Role.GATEWAY, NOON_MS) == signer.verifier
    else:
        with pytest.raises(KeyFileError, match=why):
            ring.verifier(signer.name, Role.GATEWAY, NOON_MS)


def test_the_last_millisecond_of_a_key_still_counts(signer):
    ring = KeyRing([entry(signer, valid_until=NOON)])
    assert ring.verifier(signer.name, Role.GATEWAY, NOON_MS - 1) == signer.verifier


def test_a_new_key_takes_over_when_the_old_one_expires(signer):
    successor = keys.new_signer(signer.name)
    ring = KeyRing([entry(signer, valid_until=NOON), entry(successor, valid_from=NOON)])
    assert ring.verifier(signer.name, Role.GATEWAY, NOON_MS - 1) == signer.verifier
    assert ring.verifier(signer.name, Role.GATEWAY, NOON_MS) == successor.verifier


def test_a_ring_survives_being_written_down(signer):
    ring = KeyRing(
        [
            entry(signer, site="test-site", valid_from=NOON, valid_until=NOON + HOUR),
            entry(keys.new_signer('a"b\\c'), Role.OPERATOR, revoked_at=NOON, compromised_since=NOON - HOUR),
            entry(keys.new_signer("Цэцэг-𠮷"), Role.TPE),
        ]
    )
    assert KeyRing.parse(ring.to_toml()).entries == ring.entries


def test_an_entry_under_a_name_that_its_key_does_not_carry_is_refused(signer):
    text = KeyRing([entry(signer)]).to_toml().replace('id = "test-site/gw-1"', 'id = "test-site/gw-2"')
    with pytest.raises(KeyFileError, match="must be the name in public_key"):
        KeyRing.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[key]", "keys.toml: Expected"),
        ("key = 1", "list"),
        ('[[key]]\nid = "a"\nrole = "gateway"\npublic_key = "a+b"', "expected name"),
        ('[[key]]\nid = "a"\nrole = "king"', "'gateway', 'ack', 'log', 'operator' or 'tpe'"),
        ("[[key]]\ncolour = 1", "Extra inputs"),
    ],
)
def test_a_malformed_ring_is_named(text, why):
    with pytest.raises(KeyFileError, match=why):
        KeyRing.parse(text)


def test_a_time_without_a_zone_is_refused(signer):
    text = KeyRing([entry(signer)]).to_toml() + "valid_from = 2025-06-01T12:00:00\n"
    with pytest.raises(KeyFileError, match="timezone"):
        KeyRing.parse(text)


def test_a_missing_or_unreadable_ring_is_named_with_its_file(tmp_path):
    path = tmp_path / "keys.toml"
    with pytest.raises(KeyFileError, match=r"keys\.toml: No such file .* `sakugen keys bootstrap`"):
        KeyRing.load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(KeyFileError, match=r"keys\.toml: not UTF-8"):
        KeyRing.load(path)
    path.write_text("")
    assert KeyRing.load(path).entries == ()

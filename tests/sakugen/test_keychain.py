"""Drawing, enrolling and bootstrapping keys."""

from pathlib import Path

import pytest

from metering.errors import KeyFileError
from metering.keys import KeyRing, Role, load_signer
from sakugen import keychain

NOW_MS = 1_766_505_600_000


def test_bootstrap_makes_a_trusted_key_for_every_role(tmp_path: Path) -> None:
    chain = keychain.bootstrap(tmp_path / "keys", ["a-site/gw-1", "b-site/gw-2"], "operator", NOW_MS)
    ring = KeyRing.load(chain.keys_file)
    assert ring.verifier("a-site/gw-1", Role.GATEWAY, NOW_MS) == load_signer(chain.gateways["a-site/gw-1"]).verifier
    assert ring.verifier("operator", Role.OPERATOR, NOW_MS) == load_signer(chain.operator_key).verifier
    assert str(ring.verifier("ingest", Role.ACK, NOW_MS)) == chain.ack_public


def test_bootstrap_again_adds_a_gateway_and_keeps_the_other_keys(tmp_path: Path) -> None:
    first = keychain.bootstrap(tmp_path / "keys", ["a-site/gw-1"], "operator", NOW_MS)
    second = keychain.bootstrap(tmp_path / "keys", ["b-site/gw-2"], "operator", NOW_MS)
    assert second.ack_public == first.ack_public
    assert len(KeyRing.load(second.keys_file).entries) == 4


def test_private_key_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    keychain.draw("a-site/gw-1", tmp_path / "gateway.key")
    assert (tmp_path / "gateway.key").stat().st_mode & 0o777 == 0o600


def test_private_key_is_never_overwritten(tmp_path: Path) -> None:
    keychain.draw("a-site/gw-1", tmp_path / "gateway.key")
    with pytest.raises(KeyFileError, match="never overwritten"):
        keychain.draw("a-site/gw-1", tmp_path / "gateway.key")


def test_the_same_key_is_enrolled_only_once(tmp_path: Path) -> None:
    public = str(keychain.draw("a-site/gw-1", tmp_path / "gateway.key").verifier)
    keychain.enrol(tmp_path / "keys.toml", public, "gateway", NOW_MS)
    with pytest.raises(KeyFileError, match="listed already"):
        keychain.enrol(tmp_path / "keys.toml", public, "gateway", NOW_MS)


def test_unknown_role_names_the_roles_there_are(tmp_path: Path) -> None:
    public = str(keychain.draw("a-site/gw-1", tmp_path / "gateway.key").verifier)
    with pytest.raises(KeyFileError, match="gateway, ack, log, operator, tpe"):
        keychain.enrol(tmp_path / "keys.toml", public, "auditor", NOW_MS)


def test_key_does_not_count_before_it_was_enrolled(tmp_path: Path) -> None:
    public = str(keychain.draw("a-site/gw-1", tmp_path / "gateway.key").verifier)
    keychain.enrol(tmp_path / "keys.toml", public, "gateway", NOW_MS)
    with pytest.raises(KeyFileError, match="not valid before"):
        KeyRing.load(tmp_path / "keys.toml").verifier("a-site/gw-1", Role.GATEWAY, NOW_MS - 60_000)

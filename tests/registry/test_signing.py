"""A detached signature counts only with a key that the caller trusts for that role at that time."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from metering.keys import KeyEntry, KeyRing, Role, new_signer
from registry.errors import SignatureError
from registry.jwks import jwks
from registry.signing import key_id, read_signature, sign_detached, verify_detached

NOW_MS = 1_767_700_000_000
PAYLOAD = b'{"a":1}'


def _ring(signer, role=Role.OPERATOR, **more):
    return KeyRing([KeyEntry(id=signer.name, role=role, public_key=str(signer.verifier), **more)])


def _unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_signature_is_one_that_ten_lines_without_our_code_can_check(signers):
    """RFC 7515 by hand: base64url(header) . base64url(payload), signed with Ed25519."""
    token = sign_detached(PAYLOAD, signers.operator, NOW_MS)
    header, payload, signature = token.split(".")
    assert payload == ""
    assert json.loads(_unpadded(header))["alg"] == "Ed25519"
    signed = header + "." + base64.urlsafe_b64encode(PAYLOAD).decode().rstrip("=")
    (key,) = [k for k in jwks(signers.ring)["keys"] if k["kid"] == json.loads(_unpadded(header))["kid"]]
    Ed25519PublicKey.from_public_bytes(_unpadded(key["x"])).verify(_unpadded(signature), signed.encode())


def test_a_trusted_operator_is_named_with_the_time(signers):
    found = verify_detached(sign_detached(PAYLOAD, signers.operator, NOW_MS), PAYLOAD, signers.ring)
    assert (found.name, found.signed_ms) == ("test-operator", NOW_MS)


def test_a_statement_longer_than_the_library_s_limit_can_be_signed(signers):
    payload = b"x" * 1_000_000
    assert verify_detached(sign_detached(payload, signers.operator, NOW_MS), payload, signers.ring)


def test_other_bytes_do_not_fit(signers):
    with pytest.raises(SignatureError, match="does not fit"):
        verify_detached(sign_detached(PAYLOAD, signers.operator, NOW_MS), b'{"a":2}', signers.ring)


def test_a_foreign_key_under_the_same_name_is_not_trusted(signers):
    foreign = new_signer(signers.operator.name)
    with pytest.raises(SignatureError, match="not among the keys given as trusted"):
        verify_detached(sign_detached(PAYLOAD, foreign, NOW_MS), PAYLOAD, signers.ring)


def test_a_gateway_key_cannot_sign_a_statement(signers):
    ring = _ring(signers.operator, Role.GATEWAY)
    with pytest.raises(SignatureError, match=r"operator key .* not among"):
        verify_detached(sign_detached(PAYLOAD, signers.operator, NOW_MS), PAYLOAD, ring)


@pytest.mark.parametrize("field", ["valid_until", "revoked_at", "compromised_since"])
def test_a_key_that_did_not_count_when_it_signed_is_refused(signers, field):
    ring = _ring(signers.operator, **{field: datetime(2026, 1, 1, tzinfo=UTC)})
    with pytest.raises(SignatureError, match="at 2026-01-01"):
        verify_detached(sign_detached(PAYLOAD, signers.operator, NOW_MS), PAYLOAD, ring)


@pytest.mark.parametrize("token", ["", "a.b", "a..b", "....", "é..x"])
def test_what_is_no_token_is_told_so(token):
    with pytest.raises(SignatureError, match="not a detached JWS"):
        read_signature(token)


@pytest.mark.parametrize(
    "change", [{"alg": "none"}, {"alg": "HS256"}, {"typ": "JWT"}, {"kid": "nobody"}, {"crit": ["x"]}]
)
def test_another_kind_of_header_is_refused(signers, change):
    header, _, signature = sign_detached(PAYLOAD, signers.operator, NOW_MS).split(".")
    changed = json.loads(_unpadded(header)) | change
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    with pytest.raises(SignatureError, match=r"detached JWS|has alg"):
        verify_detached(f"{forged}..{signature}", PAYLOAD, signers.ring)


def test_the_key_set_shows_role_and_validity_and_no_private_part(signers):
    until = datetime(2026, 1, 1, tzinfo=UTC)
    (key,) = jwks(_ring(signers.operator, valid_until=until))["keys"]
    assert key["kid"] == key_id(signers.operator.verifier)
    assert (key["kty"], key["crv"], key["alg"], key["role"]) == ("OKP", "Ed25519", "Ed25519", "operator")
    assert key["valid_until"] == "2026-01-01T00:00:00Z"
    assert "d" not in key

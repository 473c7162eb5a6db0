"""Acks: only what a pinned key signed counts, and none says more than it can know."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from metering import ack, note
from metering.errors import RecordError
from metering.topics import GatewayId

STREAM = "01JFV12A70AAAAAAAAAAAAAAAA"
OLD_KEY, NEW_KEY, STRANGER = (note.Signer("ack-1", Ed25519PrivateKey.generate()) for _ in range(3))
PINNED = (OLD_KEY.verifier, NEW_KEY.verifier)


def an_ack(**changes):
    good = {
        "site": "test-site",
        "gateway": "gw-1",
        "journal": STREAM,
        "succeeds": None,
        "run": STREAM,
        "n": 1,
        "issued_ms": 0,
        "streams": {STREAM: ack.StreamAck(through=3, digest="0" * 64)},
        "held": (),
        "refused": 0,
    }
    return ack.Ack(**good | changes)


@pytest.mark.parametrize("key", [OLD_KEY, NEW_KEY])
def test_either_of_two_pinned_keys_counts(key):
    assert ack.parse(ack.build(an_ack(), key), PINNED) == an_ack()


def test_a_key_that_is_not_pinned_does_not_count():
    with pytest.raises(RecordError, match="unsigned: not signed by the key"):
        ack.parse(ack.build(an_ack(), STRANGER), PINNED)


def test_without_a_pinned_key_nothing_counts():
    with pytest.raises(RecordError, match="no ack key is pinned"):
        ack.parse(ack.build(an_ack(), OLD_KEY), ())


def test_an_ack_names_the_gateway_it_is_for():
    assert an_ack().gateway_id == GatewayId("test-site", "gw-1")


@pytest.mark.parametrize(("through", "digest"), [(0, None), (1, "0" * 64)])
def test_a_stream_with_something_durable_has_a_digest(through, digest):
    assert ack.StreamAck(through=through, digest=digest).through == through


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"streams": {STREAM: {"through": 1, "digest": None}}}, "digest must be null when through is 0"),
        ({"streams": {STREAM: {"through": 0, "digest": "0" * 64}}}, "digest must be null when through is 0"),
        ({"streams": {"stream": {"through": 0, "digest": None}}}, "String should match"),
        ({"n": 0}, "greater than or equal to 1"),
        ({"run": "1"}, "String should match"),
        ({"journal": None}, "valid string"),
        ({"refused": -1}, "greater than or equal to 0"),
        ({"issued_ms": -1}, "greater than or equal to 0"),
        ({"held": tuple(ack.HeldPart(stream=STREAM, seq=1, reason="shape") for _ in range(33))}, "at most 32"),
        ({"site": "ingest"}, "cannot be a site name"),
        ({"type": "sakugen.ack/2"}, "sakugen.ack/1"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_an_ack_with_one_fault_is_refused(changes, why):
    with pytest.raises(ValidationError, match=why):
        an_ack(**changes)


@given(st.binary(max_size=200))
def test_any_signed_text_is_an_ack_or_a_record_error(text):
    with pytest.raises(RecordError, match=r"unsigned|shape"):
        ack.parse(note.sign(text + b"\n", OLD_KEY), PINNED)


@given(st.binary(max_size=200))
def test_any_bytes_are_no_ack(data):
    with pytest.raises(RecordError, match="unsigned"):
        ack.parse(data, PINNED)

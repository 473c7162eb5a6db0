"""Signed notes: ours verify elsewhere, others' verify here, and what is malformed is named."""

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from metering import note
from metering.errors import NoteError
from metering.note import Signer, Verifier

TEXT = b'{"it": "is so"}\n'

# The example that the documentation of Go's sumdb/note gives: a key, a text and a signature that others made.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_that_go_signed_verifies_here():
    note.verify(note.split(GO_NOTE.encode()), Verifier.parse(GO_KEY))


def test_a_note_that_go_signed_does_not_verify_when_a_letter_differs():
    with pytest.raises(NoteError, match="does not fit the text"):
        note.verify(note.split(GO_NOTE.replace("answer", "Answer").encode()), Verifier.parse(GO_KEY))


def test_the_bytes_are_those_that_anybody_computes_from_the_specification():
    # RFC 8032, section 7.1, test 1 gives the key pair; everything else is hashlib and cryptography alone.
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    private = Ed25519PrivateKey.from_private_bytes(seed)
    key_hash = hashlib.sha256(b"test-site/gw-1\n\x01" + public).digest()[:4]
    line = "— test-site/gw-1 " + base64.b64encode(key_hash + private.sign(TEXT)).decode()
    encoded = base64.b64encode(b"\x01" + public).decode()
    signer = Signer("test-site/gw-1", private)
    assert note.sign(TEXT, signer) == TEXT + b"\n" + line.encode() + b"\n"
    assert str(signer.verifier) == f"test-site/gw-1+{key_hash.hex()}+{encoded}"


def test_a_signature_fits_the_text_with_its_newline_and_nothing_more(signer):
    parts = note.split(note.sign(TEXT, signer))
    key = Ed25519PublicKey.from_public_bytes(signer.public)
    key.verify(parts.signatures[0].signature, TEXT)
    with pytest.raises(InvalidSignature):
        key.verify(parts.signatures[0].signature, TEXT + b"\n")


def test_signing_twice_gives_the_same_bytes(signer):
    assert note.sign(TEXT, signer) == note.sign(TEXT, signer)


def test_keys_survive_being_written_down(signer):
    assert Verifier.parse(str(signer.verifier)) == signer.verifier
    assert note.parse_signer(note.signer_text(signer)).public == signer.public


def test_a_key_may_hold_the_sign_that_divides_its_parts():
    verifier = Verifier("plus", bytes([0xFB]) * 32)
    assert str(verifier).count("+") > 2
    assert Verifier.parse(str(verifier)) == verifier


def test_a_text_may_hold_blank_lines_because_the_last_one_counts(signer):
    text = b"one\n\ntwo\n"
    parts = note.split(note.sign(text, signer))
    assert parts.text == text
    note.verify(parts, signer.verifier)


def test_a_second_signature_by_somebody_else_does_not_spoil_the_first(signer):
    other = Signer("witness", Ed25519PrivateKey.generate())
    both = note.sign(TEXT, signer) + note.sign(TEXT, other).rpartition(b"\n\n")[2]
    note.verify(note.split(both), signer.verifier)
    note.verify(note.split(both), other.verifier)


def test_a_text_that_does_not_end_in_a_newline_is_not_signed(signer):
    with pytest.raises(NoteError, match="must end in a newline"):
        note.sign(b"no end", signer)


BLOB = base64.b64encode(bytes(68)).decode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "no blank line"),
        ("text\n", "no blank line"),
        (f"text\n— name {BLOB}\n", "no blank line"),
        (f"text\n\n— name {BLOB}", "no blank line"),
        ("text\n\n", "no blank line"),
        (f"text\n\n- name {BLOB}\n", "reads '— name base64'"),
        (f"text\n\n—name {BLOB}\n", "reads '— name base64'"),
        ("text\n\n— name\n", "reads '— name base64'"),
        (f"text\n\n—  {BLOB}\n", "cannot name a key"),
        (f"text\n\n— na+me {BLOB}\n", "cannot name a key"),
        (f"text\n\n— na\u00a0me {BLOB}\n", "cannot name a key"),
        ("text\n\n— name !!!!\n", "not base64"),
        ("text\n\n— name üüüü\n", "not base64"),
        (f"text\n\n— name {BLOB[:-1]}B\n", "not base64|bytes"),
        (f"text\n\n— name {BLOB[:-2]}B=\n", "not base64"),
        (f"text\n\n— name {BLOB} \n", "not base64"),
        (f"text\n\n— name {base64.b64encode(bytes(67)).decode()}\n", "has 67 bytes, not 68"),
        (f"text\n\n— name {BLOB}\nmore\n", "reads '— name base64'"),
        (f"te\txt\n\n— name {BLOB}\n", "control characters"),
        (f"text\r\n\r\n— name {BLOB}\r\n", "no blank line"),
        (f"te\0xt\n\n— name {BLOB}\n", "control characters"),
    ],
)
def test_a_malformed_note_is_named(data, why):
    with pytest.raises(NoteError, match=why):
        note.split(data.encode())


def test_bytes_that_are_not_utf_8_are_no_note():
    with pytest.raises(NoteError, match="not UTF-8"):
        note.split(b"\xff\n\n" + f"— name {BLOB}\n".encode())


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_note_or_a_note_error(text, block):
    try:
        parts = note.split(text + b"\n\n\xe2\x80\x94 " + block + b"\n")
    except NoteError:
        return
    assert parts.signatures


def test_a_name_alone_does_not_make_a_key(signer):
    namesake = Signer(signer.name, Ed25519PrivateKey.generate())
    with pytest.raises(NoteError, match=r"not signed by the key 'test-site/gw-1' \([0-9a-f]{8}\)"):
        note.verify(note.split(note.sign(TEXT, namesake)), signer.verifier)


def test_a_key_under_another_name_is_another_key(signer):
    renamed = Verifier("test-site/gw-2", signer.public)
    with pytest.raises(NoteError, match="not signed by the key 'test-site/gw-2'"):
        note.verify(note.split(note.sign(TEXT, signer)), renamed)


HASH, KEY = GO_KEY.split("+", 2)[1:]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected name"),
        ("PeterNeumann", "expected name"),
        (f"PeterNeumann+{HASH}", "expected name"),
        (f"PeterNeumann+{HASH}+!", "not base64"),
        (f"PeterNeumann+{HASH}+ü", "not base64"),
        (f"PeterNeumann+{HASH}+{KEY[:-4]}", "32 bytes"),
        (f"PeterNeumann+{HASH}+{'B' + KEY[1:]}", "one byte 01"),
        (f"PeterNewman+{HASH}+{KEY}", "does not belong to this key"),
        (f"PeterNeumann+{HASH.upper()}+{KEY}", "does not belong to this key"),
        (f"PeterNeumann+00000000+{KEY}", "does not belong to this key"),
    ],
)
def test_a_malformed_public_key_is_named(text, why):
    with pytest.raises(NoteError, match=why):
        Verifier.parse(text)


def test_a_public_key_may_stand_between_spaces_as_people_paste_it():
    assert Verifier.parse(f"  {GO_KEY}\n").name == "PeterNeumann"


@pytest.mark.parametrize(
    "spoil", [lambda text: text[8:], lambda text: text[:-4], lambda text: text.replace("gw-1", "g")]
)
def test_a_malformed_private_key_is_named_and_never_repeated(signer, spoil):
    text = note.signer_text(signer)
    with pytest.raises(NoteError, match="private key") as caught:
        note.parse_signer(spoil(text))
    assert text.rpartition("+")[2][:8] not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u2003b"])
def test_a_name_that_would_break_a_signature_line_names_no_key(name):
    with pytest.raises(NoteError, match="cannot name a key"):
        note.check_name(name)

"""Signed notes: a text, a blank line, and one signature line for each key.

References:
    C2SP signed-note (https://c2sp.org/signed-note), Ed25519 signatures (type 0x01). Golang's `sumdb/note` reads and
    writes the same notes and the same key strings.
"""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from metering.errors import NoteError

_ED25519 = b"\x01"
_DASH = "— "
_KEY_HASH_BYTES = 4
_SIGNATURE_BYTES = 64
_ALLOWED = b"\n" + bytes(range(0x20, 0x100))


def key_hash(name: str, public: bytes) -> bytes:
    """The four bytes that tell keys of one name apart (C2SP signed-note, "Signatures")."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_KEY_HASH_BYTES]


def check_name(name: str) -> str:
    """Give the name back when it may stand in a note: not empty, no space, no plus sign.

    Raises:
        NoteError: when it may not.
    """
    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise NoteError(f"{name!r} cannot name a key: it must not be empty nor hold spaces or plus signs")
    return name


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the name it signs under."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def verifier(self) -> "Verifier":
        """The public half."""
        return Verifier(self.name, self.public)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name it verifies."""

    name: str
    public: bytes

    @property
    def key_hash(self) -> bytes:
        """Four bytes that stand before each signature."""
        return key_hash(self.name, self.public)

    def __str__(self) -> str:
        """The key as text, `name+hash+base64` (C2SP signed-note, "vkey")."""
        return f"{self.name}+{self.key_hash.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """Read a key from `name+hash+base64`.

        Raises:
            NoteError: when it is malformed, of another algorithm, or its hash does not fit.
        """
        name, hex_hash, encoded = _split_key(text, "public key")
        public = _ed25519_bytes(encoded, "public key")
        if key_hash(name, public).hex() != hex_hash:
            raise NoteError(f"public key {name!r}: the hash {hex_hash} does not belong to this key; copy it again")
        return cls(check_name(name), public)


_PRIVATE = "PRIVATE+KEY+"


def signer_text(signer: Signer) -> str:
    """Write a private key as text, `PRIVATE+KEY+name+hash+base64`."""
    seed = signer.private.private_bytes_raw()
    return f"{_PRIVATE}{signer.name}+{signer.verifier.key_hash.hex()}+{base64.b64encode(_ED25519 + seed).decode()}"


def parse_signer(text: str) -> Signer:
    """Read a private key from `PRIVATE+KEY+name+hash+base64`.

    Raises:
        NoteError: when it is malformed or its hash does not fit; the text itself is never repeated.
    """
    if not text.startswith(_PRIVATE):
        raise NoteError("not a private key: it should begin with PRIVATE+KEY+")
    name, hex_hash, encoded = _split_key(text.removeprefix(_PRIVATE), "private key")
    signer = Signer(check_name(name), Ed25519PrivateKey.from_private_bytes(_ed25519_bytes(encoded, "private key")))
    if signer.verifier.key_hash.hex() != hex_hash:
        raise NoteError(f"private key {name!r}: the hash does not belong to this key")
    return signer


def _split_key(text: str, what: str) -> tuple[str, str, str]:
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise NoteError(f"not a {what}: expected name+hash+base64")
    return parts[0], parts[1], parts[2]


def _ed25519_bytes(encoded: str, what: str) -> bytes:
    raw = _from_base64(encoded)
    if raw is None:
        raise NoteError(f"not a {what}: its last part is not base64")
    if raw[:1] != _ED25519 or len(raw) != 33:
        raise NoteError(f"not a {what}: expected one byte 01 and 32 bytes of Ed25519 key")
    return raw[1:]


def _from_base64(text: str) -> bytes | None:
    """Read base64 in its one canonical form: one signature must not have several spellings."""
    try:
        data = base64.b64decode(text)
    except ValueError:
        return None
    return data if base64.b64encode(data).decode() == text else None


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart; nothing is verified yet."""

    text: bytes
    """What was signed: everything up to and including the newline before the blank line."""
    signatures: tuple[Signature, ...]


def sign(text: bytes, signer: Signer) -> bytes:
    """Sign a text.

    Args:
        text: UTF-8 that ends in a newline.
        signer: the key.

    Returns:
        The exact bytes of the note.
    """
    if not text.endswith(b"\n"):
        raise NoteError("a note's text must end in a newline")
    blob = signer.verifier.key_hash + signer.private.sign(text)
    return text + f"\n{_DASH}{signer.name} {base64.b64encode(blob).decode()}\n".encode()


def split(data: bytes) -> Note:
    """Take a note apart without verifying it.

    Raises:
        NoteError: when the bytes are not a note.
    """
    text, blank, block = data.rpartition(b"\n\n")
    if not blank or not block.endswith(b"\n"):
        raise NoteError("not a signed note: no blank line before a block of signature lines")
    if data.translate(None, delete=_ALLOWED):
        raise NoteError("not a signed note: it holds control characters other than newlines")
    try:
        lines = block.decode().removesuffix("\n").split("\n")
        text.decode()
    except UnicodeDecodeError:
        raise NoteError("not a signed note: it is not UTF-8") from None
    return Note(text + b"\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteError("not a signed note: a signature line reads '— name base64'")
    check_name(name)
    blob = _from_base64(encoded)
    if blob is None:
        raise NoteError(f"not a signed note: the signature of {name!r} is not base64")
    if len(blob) != _KEY_HASH_BYTES + _SIGNATURE_BYTES:
        raise NoteError(f"not a signed note: the signature of {name!r} has {len(blob)} bytes, not 68")
    return Signature(name, blob[:_KEY_HASH_BYTES], blob[_KEY_HASH_BYTES:])


def verify(note: Note, verifier: Verifier) -> None:
    """Check that a key signed a note.

    Raises:
        NoteError: when the note has no signature of this key, or a wrong one.
    """
    for signature in note.signatures:
        if (signature.name, signature.key_hash) == (verifier.name, verifier.key_hash):
            try:
                Ed25519PublicKey.from_public_bytes(verifier.public).verify(signature.signature, note.text)
            except InvalidSignature:
                raise NoteError(f"the signature of {verifier.name!r} does not fit the text") from None
            return
    raise NoteError(f"not signed by the key {verifier.name!r} ({verifier.key_hash.hex()})")

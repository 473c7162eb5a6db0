"""Make and enrol keys: what `sakugen keys` does, and what `up` and `demo` start with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from metering.errors import KeyFileError, NoteError
from metering.keys import KeyEntry, KeyRing, Role, load_signer, new_signer, save_signer
from metering.note import Signer, Verifier


@dataclass(frozen=True, slots=True)
class Keychain:
    """A first set of keys on disk."""

    keys_file: Path
    """The list of public keys."""
    ack_key: Path
    ack_public: str
    operator_key: Path
    gateways: dict[str, Path]
    """The private key file of each gateway, by site/gateway."""


def draw(name: str, path: Path) -> Signer:
    """Draw a key and write it to a new file.

    Raises:
        KeyFileError: when the file exists or the name cannot name a key.
    """
    try:
        signer = new_signer(name)
    except NoteError as error:
        raise KeyFileError(str(error)) from None
    save_signer(signer, path)
    return signer


def enrol(keys_file: Path, public_key: str, role: str, now_ms: int) -> KeyEntry:
    """Add a public key to a list, which is made when it is not there.

    Args:
        keys_file: the list.
        public_key: `name+hash+base64`.
        role: what the key may sign.
        now_ms: from when it counts [ms since the Unix epoch].

    Raises:
        KeyFileError: when the key or role is malformed, or this key is listed already.
    """
    try:
        verifier, key_role = Verifier.parse(public_key), Role(role)
    except (NoteError, ValueError) as error:
        raise KeyFileError(f"{error}; roles are {', '.join(Role)}") from None
    ring = KeyRing.load(keys_file) if keys_file.exists() else KeyRing(())
    if any(entry.public_key == str(verifier) for entry in ring.entries):
        raise KeyFileError(f"{keys_file}: the key {verifier.name} is listed already")
    site = verifier.name.partition("/")[0] if key_role is Role.GATEWAY else None
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    entry = KeyEntry(id=verifier.name, role=key_role, public_key=str(verifier), site=site, valid_from=moment)
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    with keys_file.open("a", encoding="utf-8") as file:
        file.write(KeyRing([entry]).to_toml() + "\n")
    return entry


def bootstrap(folder: Path, gateways: Sequence[str], operator: str, now_ms: int) -> Keychain:
    """Make the first set of keys in a new folder.

    Args:
        folder: where; private keys are never overwritten.
        gateways: names `site/gateway`.
        operator: the name that signs statements.
        now_ms: from when the keys count [ms since the Unix epoch].

    Raises:
        KeyFileError: when a key file exists.
    """
    keys_file, ack_key, operator_key = folder / "keys.toml", folder / "ack.key", folder / "operator.key"
    if not ack_key.exists():
        enrol(keys_file, str(draw("ingest", ack_key).verifier), Role.ACK, now_ms)
        enrol(keys_file, str(draw(operator, operator_key).verifier), Role.OPERATOR, now_ms)
    files = {name: folder / f"{name.replace('/', '-')}.key" for name in gateways}
    for name, path in files.items():
        enrol(keys_file, str(draw(name, path).verifier), Role.GATEWAY, now_ms)
    return Keychain(keys_file, ack_key, str(load_signer(ack_key).verifier), operator_key, files)

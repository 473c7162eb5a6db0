"""Key files: private keys on disk, and `keys.toml`, the list of the public keys that are trusted and for what."""

import json
import os
import tomllib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from metering.errors import KeyFileError, NoteError
from metering.note import Signer, Verifier, check_name, parse_signer, signer_text


class Role(StrEnum):
    """What a key may sign."""

    GATEWAY = "gateway"
    ACK = "ack"
    LOG = "log"
    OPERATOR = "operator"
    TPE = "tpe"


def _vkey(text: str) -> str:
    try:
        Verifier.parse(text)
    except NoteError as error:
        raise ValueError(str(error)) from None
    return text


VerifierText = Annotated[str, AfterValidator(_vkey)]
"""A public key as text in a configuration file, `name+hash+base64`."""


class KeyEntry(BaseModel):
    """One key of `keys.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """The name it signs under; a gateway's is `site/gateway`."""
    role: Role
    public_key: VerifierText
    site: str | None = None
    """The site a gateway key belongs to."""
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    compromised_since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _is_the_key_of_its_name(self) -> "KeyEntry":
        if self.verifier.name != self.id:
            raise ValueError(f"id {self.id!r} must be the name in public_key, {self.verifier.name!r}")
        return self

    @cached_property
    def verifier(self) -> Verifier:
        """The public key."""
        return Verifier.parse(self.public_key)

    def refusal(self, at_ms: int) -> str | None:
        """Say why the key did not count at an instant [ms since the Unix epoch]; None when it did."""
        if self.valid_from is not None and at_ms < _ms(self.valid_from):
            return f"not valid before {self.valid_from.isoformat()}"
        for end, what in (
            (self.valid_until, "expired"),
            (self.revoked_at, "revoked"),
            (self.compromised_since, "compromised"),
        ):
            if end is not None and at_ms >= _ms(end):
                return f"{what} at {end.isoformat()}"
        return None

    def retired(self, at_ms: int) -> bool:
        """Whether the key has expired or was revoked by an instant [ms since the Unix epoch], and was never stolen."""
        ends = [end for end in (self.valid_until, self.revoked_at) if end is not None]
        return self.compromised_since is None and any(at_ms >= _ms(end) for end in ends)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class _KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: list[KeyEntry] = Field(default_factory=list)


class KeyRing:
    """The public keys of `keys.toml`."""

    def __init__(self, entries: Iterable[KeyEntry]) -> None:
        """Keep the entries in the order given."""
        self.entries = tuple(entries)
        self._by_name: dict[tuple[str, Role], tuple[KeyEntry, ...]] = {}
        for entry in self.entries:
            name = (entry.id, entry.role)
            self._by_name[name] = (*self._by_name.get(name, ()), entry)

    @classmethod
    def parse(cls, text: str, where: str = "keys.toml") -> "KeyRing":
        """Read the text of a `keys.toml`.

        Raises:
            KeyFileError: when it is not TOML or an entry is malformed.
        """
        try:
            return cls(_KeyFile.model_validate(tomllib.loads(text)).key)
        except (tomllib.TOMLDecodeError, ValidationError) as error:
            raise KeyFileError(f"{where}: {error}") from None

    @classmethod
    def load(cls, path: Path) -> "KeyRing":
        """Read a `keys.toml`.

        Raises:
            KeyFileError: when it is missing or malformed.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; make one with `sakugen keys bootstrap`") from None
        except UnicodeDecodeError:
            raise KeyFileError(f"{path}: not UTF-8") from None

    def verifier(self, name: str, role: Role, at_ms: int) -> Verifier:
        """Find the key that a name signs under in a role at an instant [ms since the Unix epoch].

        Raises:
            KeyFileError: when there is no such key, or it did not count then; says which.
        """
        refusals = []
        for entry in self.named(name, role):
            refusal = entry.refusal(at_ms)
            if refusal is None:
                return entry.verifier
            refusals.append(refusal)
        raise KeyFileError(f"{role} key {name!r}: {'; '.join(refusals) or 'not enrolled'}")

    def named(self, name: str, role: Role) -> tuple[KeyEntry, ...]:
        """All keys that a name signs under in a role, in file order."""
        return self._by_name.get((name, role), ())

    def of_role(self, role: Role) -> tuple[KeyEntry, ...]:
        """All keys of a role, in file order."""
        return tuple(entry for entry in self.entries if entry.role is role)

    def to_toml(self) -> str:
        """Write the list as TOML, one table a key."""
        return "\n".join(_entry_toml(entry) for entry in self.entries)


def _entry_toml(entry: KeyEntry) -> str:
    lines = ["[[key]]"]
    for field, value in entry.model_dump(exclude_none=True).items():
        # What JSON escapes in a string, TOML reads back.
        text = value.isoformat() if isinstance(value, datetime) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{field} = {text}")
    return "\n".join(lines) + "\n"


def new_signer(name: str) -> Signer:
    """Draw a new Ed25519 key for a name."""
    return Signer(check_name(name), Ed25519PrivateKey.generate())


def save_signer(signer: Signer, path: Path) -> None:
    """Write a private key to a new file that only its owner can read.

    Raises:
        KeyFileError: when the file exists: a key is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a private key is never overwritten, choose another name") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(signer_text(signer) + "\n")
        file.flush()
        os.fsync(file.fileno())


def load_signer(path: Path) -> Signer:
    """Read a private key.

    Raises:
        KeyFileError: when it is missing, malformed, or readable by others than its owner.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path} is readable by others; run: chmod 600 {path}")
        return parse_signer(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}; make one with `sakugen keys new`") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path}: not UTF-8") from None
    except NoteError as error:
        raise KeyFileError(f"{path}: {error}") from None

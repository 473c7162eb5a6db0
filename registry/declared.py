"""Declared values with their signatures: files of a folder or a bundle in, what was signed and by whom out.

Beside x.toml lies x.toml.sig with one signature line, so that the two with an empty line between them are a signed note
(C2SP signed-note) that other tools can read and check.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.declared import SIGNATURE_SUFFIX, Declared, parse_declared
from metering import note
from metering.errors import NoteError
from metering.keys import KeyRing, Role
from metering.note import Signature, Signer
from registry.canonical import JsonObject, JsonValue
from registry.errors import DeclaredValueError, SignatureError
from registry.signing import trusted_key

_TOML = ".toml"


@dataclass(frozen=True, slots=True)
class SignedValue:
    """A declared value and the line that signs it; nothing is verified yet."""

    declared: Declared
    signature_line: bytes

    @property
    def signature(self) -> Signature:
        """Who says to have signed.

        Raises:
            DeclaredValueError: when the signature file is not one signature line.
        """
        return self._note.signatures[0]

    @property
    def signer(self) -> str:
        """The key that says to have signed, `name+hash`."""
        return f"{self.signature.name}+{self.signature.key_hash.hex()}"

    @property
    def files(self) -> dict[str, bytes]:
        """Its file and that of its signature, by name."""
        return {self.declared.file: self.declared.data, f"{self.declared.file}{SIGNATURE_SUFFIX}": self.signature_line}

    @property
    def signed_ms(self) -> int:
        """When the signer says it was declared [ms since the Unix epoch]."""
        return int(self.declared.body.when.timestamp() * 1000)

    @property
    def _note(self) -> note.Note:
        try:
            found = note.split(self.declared.data + b"\n" + self.signature_line)
        except NoteError as fault:
            raise DeclaredValueError(f"{self.declared.file}{SIGNATURE_SUFFIX}: {fault}") from None
        if found.text != self.declared.data or len(found.signatures) != 1:
            raise DeclaredValueError(f"{self.declared.file}{SIGNATURE_SUFFIX}: it must hold exactly one signature line")
        return found

    def verify(self, trust: KeyRing) -> None:
        """Check that an operator signed it whose key counted when it was declared.

        Raises:
            DeclaredValueError: when not; says which file and why.
        """
        signature, file = self.signature, self.declared.file
        try:
            key = trusted_key(trust, Role.OPERATOR, signature.name, signature.key_hash.hex(), self.signed_ms)
            note.verify(self._note, key)
        except (NoteError, SignatureError) as fault:
            raise DeclaredValueError(f"{file}: {fault}") from None


def sign_declared(data: bytes, signer: Signer) -> bytes:
    """Sign a declared value; gives the bytes of its signature file.

    Raises:
        NoteError: when the bytes cannot be signed as a note.
    """
    signed = note.sign(data, signer)
    note.split(signed)  # refuses control characters, which a note must not hold
    return signed.removeprefix(data + b"\n")


def folder_files(folder: Path) -> dict[str, bytes]:
    """Read the declared values of a folder and their signatures, by file name; none when there is no folder.

    Raises:
        DeclaredValueError: when a file cannot be read.
    """
    try:
        paths = [path for path in sorted(folder.glob("*")) if path.name.endswith((_TOML, _TOML + SIGNATURE_SUFFIX))]
        return {path.name: path.read_bytes() for path in paths}
    except OSError as error:
        raise DeclaredValueError(f"{error.filename}: {error.strerror}") from None


def signed_values(files: Mapping[str, bytes]) -> tuple[SignedValue, ...]:
    """Put declared values and their signatures together.

    Args:
        files: exact bytes by file name, without a folder.

    Raises:
        ConfigError: when a declared value has faults, with all of them.
        DeclaredValueError: when a declared value is not signed, or a signature signs nothing; names each.
    """
    values = {name: data for name, data in files.items() if name.endswith(_TOML)}
    lines = {name: data for name, data in files.items() if name.endswith(SIGNATURE_SUFFIX)}
    faults = [f"{name} is not signed: {name}{SIGNATURE_SUFFIX} is missing" for name in _alone(values, lines)]
    signed = {f"{name}{SIGNATURE_SUFFIX}" for name in values}
    faults += [f"{name} signs nothing: the declared value is missing" for name in sorted(lines.keys() - signed)]
    if faults:
        raise DeclaredValueError("; ".join(faults))
    read = parse_declared(values)
    return tuple(SignedValue(one, lines[f"{one.file}{SIGNATURE_SUFFIX}"]) for one in read)


def _alone(values: Mapping[str, bytes], lines: Mapping[str, bytes]) -> Iterator[str]:
    return (name for name in sorted(values) if f"{name}{SIGNATURE_SUFFIX}" not in lines)


def signature_faults(values: Sequence[SignedValue], trust: KeyRing) -> list[str]:
    """Say of each declared value that no trusted operator signed why that is so."""
    faults = []
    for value in values:
        try:
            value.verify(trust)
        except DeclaredValueError as fault:
            faults.append(str(fault))
    return faults


def listing(values: Sequence[SignedValue]) -> list[JsonValue]:
    """What a statement says of each declared value; those that a correction replaced are listed too.

    Raises:
        DeclaredValueError: when a signature file is not one signature line.
    """
    return [_listed(value) for value in values]


def _listed(value: SignedValue) -> JsonObject:
    body = value.declared.body
    return {
        "file": value.declared.file,
        "sha256": value.declared.digest,
        "kind": body.kind,
        "id": body.id,
        "point": body.point,
        "replaces": body.replaces,
        "signer": value.signer,
    }

"""Named bytes in, one zip file out, and back: the layout of a bundle and the rules for reading one safely.

Every entry is *stored*, not deflated, with a fixed date and in a fixed order, so the same statement gives the same
bundle on every machine (deflate differs between zlib versions), and a bundle can never unpack to more than its own
size.
"""

import os
import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from registry.canonical import JsonValue, canonical_bytes, digest_of, parse_object
from registry.errors import BundleError, CanonicalError

TYPE = "sakugen.bundle/1"
MANIFEST = "manifest.json"
STATEMENT = "statement.json"
PROJECT = "project.toml"
KEYS = "keys.toml"
OPERATOR_SIGNATURE = "signatures/operator.jws"
DECLARED = "declared/"

_ENTRY = re.compile(
    r"manifest\.json|statement\.json|project\.toml|keys\.toml|signatures/operator\.jws"
    r"|methodology/[a-z0-9][a-z0-9._-]{0,80}\.(?:toml|py)|maps/[0-9a-f]{64}\.toml|evidence/[0-9A-Z]{26}\.records"
    r"|declared/[a-z0-9][a-z0-9._-]{0,80}\.toml(?:\.sig)?"
)
_EARLIEST = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the oldest date a zip can hold: a date of ours would say nothing and change the bytes
_MAX_ENTRIES = 20_000
_MAX_BYTES = 4 * 1024**3
_MAX_RECORD_BYTES = 1024**2  # four times the largest record that a gateway seals
_LENGTH = struct.Struct(">I")
_LOCAL_HEADER_BYTES = 30  # PKWARE APPNOTE 4.3.7; the lengths of name and extra field are its last two members
_NAME_AND_EXTRA = struct.Struct("<HH")
_NAME_AND_EXTRA_AT = 26


def map_entry(digest: str) -> str:
    """Where a device map lies, by the digest [hex] of its text."""
    return f"maps/{digest}.toml"


def methodology_entry(name: str) -> str:
    """Where a file of the methodology lies."""
    return f"methodology/{name}"


def declared_entry(file: str) -> str:
    """Where a declared value or its signature lies, by its file name."""
    return f"{DECLARED}{file}"


def evidence_entry(stream: str) -> str:
    """Where the records of a stream lie."""
    return f"evidence/{stream}.records"


def frame(records: Iterable[bytes]) -> bytes:
    """Write records one behind the other, each after its length as four big-endian bytes."""
    return b"".join(_LENGTH.pack(len(data)) + data for data in records)


def unframe(data: bytes) -> Iterator[bytes]:
    """Take framed records apart.

    Raises:
        BundleError: when a length leads beyond the end or beyond what a record may have.
    """
    start = 0
    while start < len(data):
        if start + _LENGTH.size > len(data):
            raise BundleError(f"the file ends within a record length, {len(data) - start} bytes before its end")
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        if length > _MAX_RECORD_BYTES or start + length > len(data):
            raise BundleError(
                f"a record of {length} bytes is announced at byte {start}, the file has {len(data)} bytes"
            )
        yield data[start : start + length]
        start += length


def write_bundle(out: Path | BinaryIO, files: Mapping[str, bytes]) -> None:
    """Write a bundle with its manifest.

    Args:
        out: where to.
        files: exact bytes by name, without the manifest.

    Raises:
        BundleError: when a name has no place in a bundle.
    """
    foreign = sorted(name for name in files if name == MANIFEST or not _ENTRY.fullmatch(name))
    if foreign:
        raise BundleError(f"no place in a bundle for {', '.join(foreign)}")
    digests: dict[str, JsonValue] = {name: digest_of(data) for name, data in files.items()}
    manifest = canonical_bytes({"type": TYPE, "files": digests})
    order = [STATEMENT, *sorted(files.keys() - {STATEMENT})]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((MANIFEST, manifest), *((name, files[name]) for name in order if name in files)):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = 3  # else the bytes say which system wrote them
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)


def read_bundle(path: Path) -> dict[str, bytes]:
    """Read all entries of a bundle, refusing whatever a bundle does not have.

    Args:
        path: the zip file.

    Returns:
        Exact bytes by name, the manifest included.

    Raises:
        BundleError: not a zip; a foreign, repeated or compressed entry; too many, too large, or larger than the file.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            entries = archive.infolist()
            _refuse_unsafe(entries, path.stat().st_size)
            return {entry.filename: _stored(file, entry) for entry in entries}
    except (zipfile.BadZipFile, OSError, struct.error) as fault:
        raise BundleError(f"{path.name} cannot be read as a zip file: {fault}") from fault


def _stored(file: BinaryIO, entry: zipfile.ZipInfo) -> bytes:
    # Not by ZipFile.read, which gives nothing when the CRC-32 is wrong: the check goes on and names the record.
    file.seek(entry.header_offset)
    name_bytes, extra_bytes = _NAME_AND_EXTRA.unpack_from(file.read(_LOCAL_HEADER_BYTES), _NAME_AND_EXTRA_AT)
    file.seek(name_bytes + extra_bytes, os.SEEK_CUR)
    data = file.read(entry.file_size)
    if len(data) != entry.file_size:
        raise BundleError(f"{entry.filename} ends after {len(data)} of {entry.file_size} bytes")
    return data


def _refuse_unsafe(entries: list[zipfile.ZipInfo], archive_bytes: int) -> None:
    if len(entries) > _MAX_ENTRIES:
        raise BundleError(f"{len(entries)} entries; a bundle has at most {_MAX_ENTRIES}")
    seen: set[str] = set()
    for entry in entries:
        if not _ENTRY.fullmatch(entry.filename):
            raise BundleError(f"{entry.filename!r} has no place in a bundle")
        if entry.filename in seen:
            raise BundleError(f"{entry.filename} occurs twice")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise BundleError(f"{entry.filename} is compressed; the entries of a bundle are stored as they are")
        seen.add(entry.filename)
    total_bytes = sum(entry.file_size for entry in entries)
    if total_bytes > min(archive_bytes, _MAX_BYTES):
        raise BundleError(f"the entries claim {total_bytes} bytes, the file has {archive_bytes} (limit {_MAX_BYTES})")


def manifest_faults(files: Mapping[str, bytes]) -> list[str]:
    """Compare the manifest with the entries.

    Args:
        files: what `read_bundle` gave.

    Returns:
        One sentence per entry that differs, is missing or is not listed; empty when all agree.
    """
    if MANIFEST not in files:
        return [f"{MANIFEST} is missing"]
    try:
        manifest = parse_object(files[MANIFEST])
    except CanonicalError as fault:
        return [f"{MANIFEST}: {fault}"]
    listed = manifest.get("files")
    if manifest.get("type") != TYPE or not isinstance(listed, dict):
        return [f"{MANIFEST}: type {manifest.get('type')!r}; this check knows {TYPE!r} with a table of files"]
    faults = [f"{name}: listed in {MANIFEST} but missing" for name in sorted(listed.keys() - files.keys())]
    for name in sorted(files.keys() - {MANIFEST}):
        found = digest_of(files[name])
        if name not in listed:
            faults.append(f"{name}: not listed in {MANIFEST}")
        elif listed[name] != found:
            faults.append(f"{name}: {MANIFEST} says {listed[name]}, the bytes are {found}")
    return faults

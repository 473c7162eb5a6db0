"""Declared values as files: a folder beside project.toml, or the files of a bundle by name, in; `Declared` out.

A file is never changed: a correction is a further file that names the digest of what it replaces. Signatures are not
looked at here; who draws a statement up, and who checks one, does that.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel

from compute.declared.kinds import (
    MODELS,
    Calibration,
    CtChange,
    Declaration,
    MeterExchange,
    RegisterReading,
    Remap,
)
from metering.config import ConfigError, Fault, line_of, parse_toml

FOLDER = "declared"
"""Where the files lie beside project.toml."""
FILE_NAME = re.compile(r"(?P<number>[0-9]{4})-(?P<words>[a-z][a-z0-9-]{1,70})\.toml")
SIGNATURE_SUFFIX = ".sig"
"""Beside x.toml lies x.toml.sig with the signature lines."""


class _Kinded(BaseModel):
    kind: Literal["value", "register-reading", "meter-exchange", "ct-change", "remap", "calibration", "integrity-check"]


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared value and the exact bytes that say it."""

    file: str
    """The name of its file, without a folder."""
    data: bytes
    body: Declaration

    @property
    def digest(self) -> str:
        """SHA-256 of the exact bytes, in hex: its name."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def number(self) -> int:
        """Its place in the order in which values were declared."""
        return int(self.file[:4])

    def fault(self, key: str, problem: str) -> Fault:
        """Say what is wrong with one of its keys."""
        text = self.data.decode()
        return Fault(self.file, line_of(text, (key,)), key, "", problem)


def parse_declaration(data: bytes, file: str) -> Declared:
    """Read one declared value.

    Args:
        data: the exact bytes.
        file: the name of its file.

    Raises:
        ConfigError: with every fault, by file, line and key.
    """
    name = FILE_NAME.fullmatch(file.rpartition("/")[2])
    if name is None:
        problem = "must be NNNN-<kind>-<words>.toml, for example 0007-calibration-main-meter.toml"
        raise ConfigError([Fault(file, 0, "(file name)", "", problem)])
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError([Fault(file, 0, "(file)", "", "not UTF-8")]) from None
    kind = parse_toml(text, _Kinded, file).kind
    body = parse_toml(text, MODELS[kind], file)
    if not name["words"].startswith(f"{kind}-"):
        raise ConfigError([Fault(file, line_of(text, ("kind",)), "kind", repr(kind), "the file name says another")])
    return Declared(file, data, body)  # type: ignore[arg-type]  # MODELS holds the members of Declaration


def parse_declared(files: Mapping[str, bytes]) -> tuple[Declared, ...]:
    """Read declared values and say what they replace.

    Args:
        files: exact bytes by file name, without signatures.

    Returns:
        All of them, by number; `in_force` leaves out what was replaced.

    Raises:
        ConfigError: with every fault of every file.
    """
    read: list[Declared] = []
    faults: list[Fault] = []
    for file, data in sorted(files.items()):
        try:
            read.append(parse_declaration(data, file))
        except ConfigError as error:
            faults += error.faults
    faults += [*_repeats(read), *_replacement_faults(read), *_clashes(in_force(read))]
    if faults:
        raise ConfigError(sorted(faults, key=lambda fault: (fault.file, fault.line)))
    return tuple(read)


def load_declared(folder: Path) -> tuple[Declared, ...]:
    """Read the declared values of a folder; none when there is no folder.

    Raises:
        ConfigError: with every fault of every file.
    """
    try:
        files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.toml"))}
    except OSError as error:
        raise ConfigError([Fault(str(error.filename), 0, "(file)", "", str(error.strerror))]) from None
    return parse_declared(files)


def declared_beside(project_file: Path, project: str) -> tuple[Declared, ...]:
    """Read a project's declared values from the folder beside its file; other projects may keep theirs there too.

    Args:
        project_file: the project.toml.
        project: the project's id.

    Raises:
        ConfigError: with every fault of every file.
    """
    return tuple(one for one in load_declared(project_file.parent / FOLDER) if one.body.project == project)


def in_force(declared: Iterable[Declared]) -> tuple[Declared, ...]:
    """Those that no other one replaces."""
    every = tuple(declared)
    replaced = {one.body.replaces for one in every}
    return tuple(one for one in every if one.digest not in replaced)


BodyT = TypeVar("BodyT", bound=BaseModel)


def of_kind(declared: Iterable[Declared], model: type[BodyT]) -> tuple[BodyT, ...]:
    """What one kind of those in force says, by number.

    Args:
        declared: all declared values of a project.
        model: the kind, for example `Calibration`.
    """
    return tuple(one.body for one in in_force(declared) if isinstance(one.body, model))


def _repeats(read: Sequence[Declared]) -> Iterator[Fault]:
    for index, one in enumerate(read):
        for other in read[:index]:
            if one.number == other.number:
                yield Fault(one.file, 0, "(file name)", "", f"{other.file} has this number too")
            if one.body.id == other.body.id:
                yield one.fault("id", f"{one.body.id!r} is the id of {other.file} too; each has its own")


def _replacement_faults(read: Sequence[Declared]) -> Iterator[Fault]:
    # A chain is fine: a correction may be corrected. It cannot close to a ring, for names are digests.
    by_digest = {one.digest: one for one in read}
    first: dict[str, str] = {}
    for one in read:
        if one.body.replaces is None:
            continue
        old = by_digest.get(one.body.replaces)
        if old is None:
            yield one.fault("replaces", f"no declared value has the digest {one.body.replaces}")
        elif old.number >= one.number:
            yield one.fault("replaces", f"{old.file} came later; only what was declared before can be replaced")
        elif (old.body.kind, old.body.project) != (one.body.kind, one.body.project):
            what = f"{old.file} is a {old.body.kind} of {old.body.project}"
            yield one.fault("replaces", f"{what}; a correction is of the same kind and project")
        if (taken := first.setdefault(one.body.replaces, one.file)) != one.file:
            yield one.fault("replaces", f"{taken} replaces the same one; correct that one instead")


def _clashes(valid: Sequence[Declared]) -> Iterator[Fault]:
    for one, other in combinations(valid, 2):
        key = _clash(one.body, other.body)
        if key is not None:
            yield other.fault(key, f"{one.file} says something about the same; one of them has to replace the other")


def _clash(one: Declaration, other: Declaration) -> str | None:
    if one.project != other.project:
        return None
    match one, other:
        case CtChange(), CtChange() if one.point == other.point and one.meets(other):
            return "from"
        case Remap(), Remap() if (one.point, one.map) == (other.point, other.map) and one.meets(other):
            return "from"
        case RegisterReading(), RegisterReading() if _instant(one) == _instant(other):
            return "at"
        case MeterExchange(), MeterExchange() if one.removed.is_same(other.removed):
            return "removed"
        case Calibration(), Calibration() if (str(one.meter), one.date) == (str(other.meter), other.date):
            return "date"
    return None


def _instant(reading: RegisterReading) -> tuple[str, str, dt.datetime]:
    return reading.point, reading.measurand, reading.at

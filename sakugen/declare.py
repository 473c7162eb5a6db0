"""Declare a value: what `sakugen declare` does, from given keys to a signed file beside project.toml.

In: values by key, of options or a prepared TOML file. Out: the exact bytes that are signed, and two new files. Nothing
is ever overwritten; a correction is a further file.
"""

import datetime as dt
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.declared import (
    FILE_NAME,
    FOLDER,
    SCHEMA,
    SIGNATURE_SUFFIX,
    Declared,
    in_force,
    load_declared,
    parse_declared,
)
from compute.declared.fit import fitted
from compute.project import load_project
from metering.errors import SakugenError
from metering.note import Signer
from registry.declared import SignedValue, sign_declared
from registry.errors import DeclaredValueError

Values = dict[str, object]
_FIRST = ("schema", "kind", "project", "id", "who", "when", "option", "replaces")
_LONGEST_SLUG = 40


class DeclareError(SakugenError):
    """A value that cannot be declared; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A declared value that is about to be signed."""

    path: Path
    data: bytes
    """The exact bytes."""

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Listed:
    """A declared value of a project, for people."""

    declared: Declared
    signer: str
    """`name+hash`, or why there is none; nothing is verified."""
    replaced_by: str | None
    """The file that corrects it."""


def propose(project_file: Path, values: Values, source_file: Path | None, who: str, now_ms: int) -> Proposal:
    """Put a declared value together and check it against its project and everything declared before.

    Args:
        project_file: the project.toml.
        values: what is declared, by key; tables as dictionaries.
        source_file: the document that was read, whose SHA-256 goes in.
        who: who declares it, when the values do not say.
        now_ms: when it is declared, when the values do not say [ms since the Unix epoch].

    Raises:
        ConfigError: with every fault, by file, line and key.
        DeclareError: when the document cannot be read.
    """
    project = load_project(project_file)
    folder = project_file.parent / FOLDER
    before = load_declared(folder)
    moment = dt.datetime.fromtimestamp(now_ms // 1000, dt.UTC)
    filled = {"schema": SCHEMA, "project": project.id, "who": who, "when": moment} | values
    if "replaces" in filled:
        filled["replaces"] = _digest_of(str(filled["replaces"]), before)
    if source_file is not None:
        source = filled.get("source", {})
        filled["source"] = {**(source if isinstance(source, dict) else {}), "file_sha256": _sha256(source_file)}
    number = 1 + max(_numbers(folder), default=0)
    slug = re.sub(r"[^a-z0-9]+", "-", str(filled.get("id", "")).lower()).strip("-")[:_LONGEST_SLUG] or "value"
    path = folder / f"{number:04}-{filled.get('kind', 'value')}-{slug}.toml"
    data = toml_text(filled).encode()
    every = parse_declared({**{one.file: one.data for one in before}, path.name: data})
    fitted(project, [one for one in every if one.file == path.name or one.body.project == project.id])
    return Proposal(path, data)


def write(proposal: Proposal, signer: Signer) -> None:
    """Sign a proposal and put it and its signature beside the project file.

    The signature comes first: where there is a declared value, there is its signature.

    Raises:
        DeclareError: when a file of that name is there already.
    """
    line = sign_declared(proposal.data, signer)
    proposal.path.parent.mkdir(parents=True, exist_ok=True)
    _put_new(proposal.path.with_name(proposal.path.name + SIGNATURE_SUFFIX), line)
    _put_new(proposal.path, proposal.data)


def listed(project_file: Path) -> tuple[Listed, ...]:
    """Give the declared values beside a project file, by number.

    Raises:
        ConfigError: with every fault of every file.
    """
    folder = project_file.parent / FOLDER
    project = load_project(project_file)
    every = [one for one in load_declared(folder) if one.body.project == project.id]
    valid = set(in_force(every))
    corrections = {one.body.replaces: one.file for one in every}
    return tuple(Listed(one, _signer(folder, one), None if one in valid else corrections[one.digest]) for one in every)


def _signer(folder: Path, one: Declared) -> str:
    path = folder / f"{one.file}{SIGNATURE_SUFFIX}"
    try:
        return SignedValue(one, path.read_bytes()).signer
    except OSError:
        return "not signed"
    except DeclaredValueError as fault:
        return str(fault)


def given(options: Sequence[str], prepared: Values | None = None) -> Values:
    """Read `key=value` pairs; a dotted key leads into a table.

    What reads as a date, a truth value, a table, a list or a string in quotes is one; anything else is text, numbers
    too, for a declared value keeps them as they were written.

    Args:
        options: the pairs.
        prepared: what they go before.

    Raises:
        DeclareError: when there is no equals sign, or a key leads through a value.
    """
    values: Values = dict(prepared or {})
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key:
            raise DeclareError(f"--set {option}: must be key=value, for example meter.serial=S1")
        table = values
        *tables, last = key.split(".")
        for name in tables:
            inner = table.get(name, {})
            if not isinstance(inner, dict):
                raise DeclareError(f"--set {option}: {name} has a value of its own, so nothing can stand below it")
            copied = dict(inner)  # what was prepared stays as it is
            table[name] = copied
            table = copied
        table[last] = _value(text)
    return values


def _value(text: str) -> object:
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return text if is_number else value


def toml_text(values: Mapping[str, object]) -> str:
    """Write TOML: what every declared value has first, tables last, texts of several lines as they are.

    Args:
        values: by key, of the types that `tomllib` gives.
    """
    first = [key for key in _FIRST if key in values]
    others = [key for key in values if key not in _FIRST]
    plain = [key for key in (*first, *others) if key != "source" and not _is_tables(values[key])]
    lines = [f"{key} = {_written(values[key])}" for key in plain]
    source = values.get("source")
    if isinstance(source, dict):
        lines += ["", "[source]", *(f"{key} = {_written(value)}" for key, value in source.items())]
    for key in others:
        lines += _tables(key, values[key])
    return "\n".join(lines) + "\n"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _tables(key: str, value: object) -> Iterator[str]:
    if isinstance(value, list) and _is_tables(value):
        for table in value:
            yield from ("", f"[[{key}]]", *(f"{name} = {_written(inner)}" for name, inner in table.items()))


def _written(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # A signed note holds no control characters but newlines; in quotes they are escaped.
            lines = value.split("\n")
            is_plain = len(lines) > 1 and all(map(str.isprintable, lines)) and not re.search("'''|'$", value)
            return f"'''\n{value}'''" if is_plain else json.dumps(value, ensure_ascii=False)
        case dt.datetime() | dt.date():
            return value.isoformat()
        case dict():
            return "{ " + ", ".join(f"{key} = {_written(inner)}" for key, inner in value.items()) + " }"
        case list():
            return "[" + ", ".join(_written(inner) for inner in value) + "]"
        case _:
            return str(value)


def _numbers(folder: Path) -> Iterator[int]:
    for path in folder.glob("*"):
        name = FILE_NAME.fullmatch(path.name.removesuffix(SIGNATURE_SUFFIX))
        if name is not None:
            yield int(name["number"])


def _digest_of(name: str, before: Sequence[Declared]) -> str:
    return next((one.digest for one in before if one.file == name), name)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DeclareError(f"{path}: {error.strerror}; it is the document that the value was read in") from None


def _put_new(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)  # unlike a rename it never takes the place of a file
    except FileExistsError:
        raise DeclareError(f"{path} is there already; a declared value is never overwritten, declare again") from None
    except OSError as error:
        raise DeclareError(f"{path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

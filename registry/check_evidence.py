"""The steps of the check that start from record bytes: reading, chains, signatures, maps, decoding, computing anew."""

from compute.engine import ENGINE
from compute.errors import ComputeError
from metering import note
from metering.config import ConfigError
from metering.errors import DeviceMapError, NoteError, RecordError
from metering.keys import KeyRing, Role
from metering.record import Birth, split
from registry.bundle import PROJECT, evidence_entry, map_entry, unframe
from registry.canonical import JsonValue, digest_of
from registry.case import CannotCheckError, Case, Outcome
from registry.compare import differences
from registry.errors import BundleError, DeclaredValueError, SignatureError
from registry.evidence import (
    Link,
    broken_links,
    chained_runs,
    evidence_root,
    left_out,
    map_texts,
    must_be_signed,
    read_links,
    run_list,
    times,
)
from registry.redecode import redecode
from registry.run_faults import run_faults
from registry.signing import trusted_key
from registry.statement import Basis, Held, build_statement

_FOLDER = "evidence/"
_MAPS = "maps/"


def records(case: Case) -> Outcome:
    """Every record of the evidence can be read, lies in its stream's file, is there once, and is about this project."""
    faults: list[str] = []
    seen: set[str] = set()
    names = sorted(name for name in case.files if name.startswith(_FOLDER))
    for name in names:
        try:
            links, unreadable = read_links(unframe(case.files[name]), name)
        except BundleError as fault:
            faults.append(f"{name}: {fault}")
            continue
        faults += unreadable
        for link in links:
            faults += _misplaced(case, link, name)
            if link.digest in seen:
                faults.append(f"{link.where} is there twice")
            else:
                case.links.append(link)
            seen.add(link.digest)
    case.runs = chained_runs(case.links)
    case.links = [link for run in case.runs for link in run]
    return Outcome(f"{len(case.links)} records of {len(names)} streams", tuple(faults))


def _misplaced(case: Case, link: Link, name: str) -> list[str]:
    record, faults = link.record, []
    if evidence_entry(record.stream) != name:
        faults.append(f"{link.where} lies in {name}")
    if record.site != case.at("project", "site"):
        faults.append(f"{link.where} is of site {record.site!r}, the statement of {case.at('project', 'site')!r}")
    if isinstance(record, Birth) and record.project != case.at("project", "id"):
        faults.append(f"{link.where} is of project {record.project!r}, the statement of {case.at('project', 'id')!r}")
    return faults


def chains(case: Case) -> Outcome:
    """Each record names the digest of the one before it, none in between is left out, and the runs are as stated."""
    count = len(case.evidence)
    stated, found = case.at("evidence", "runs"), run_list(case.runs)
    faults = [*broken_links(case.runs), *left_out(case.runs, _held_places(case)), *run_faults(stated, found, case.runs)]
    if case.at("evidence", "root") != (root := evidence_root(found)):
        faults.append(f"/evidence/root: stated {case.at('evidence', 'root')}, the records in the bundle give {root}")
    return Outcome(f"{count} links in {len(case.runs)} runs", tuple(faults))


def _held_places(case: Case) -> frozenset[tuple[str, str, int]]:
    held = case.at("evidence", "held")
    named = [_held(item) for item in held] if isinstance(held, list) else []
    return frozenset((one.gateway, one.stream, one.seq) for one in named)


def gateway_signatures(case: Case) -> Outcome:
    """A gateway whom the caller trusts signed each record that no later link covers."""
    keys, at_ms = case.keys, times(case.runs)
    due = must_be_signed(case.runs) if case.evidence else []
    faults = [fault for link in due if (fault := _signature_fault(link, keys, at_ms[link.digest])) is not None]
    return Outcome(
        f"{len(due)} signatures: the last of each run, every birth, every record that stands for others", tuple(faults)
    )


def _signature_fault(link: Link, keys: KeyRing, at_ms: int) -> str | None:
    name = str(link.record.gateway_id)
    try:
        parts = split(link.data)
        hashes = [signature.key_hash.hex() for signature in parts.signatures if signature.name == name]
        if not hashes:
            return f"{link.where} is not signed by {name}"
        note.verify(parts, trusted_key(keys, Role.GATEWAY, name, hashes[0], at_ms))
    except (NoteError, RecordError, SignatureError) as fault:
        return f"{link.where}: {fault}"
    return None


def device_maps(case: Case) -> Outcome:
    """The device maps enclosed are the texts that the births carry, under their digests, and no others."""
    carried = {map_entry(digest): text.encode() for digest, text in map_texts(case.evidence).items()}
    enclosed = {name: data for name, data in case.files.items() if name.startswith(_MAPS)}
    faults = [
        f"{name} is not in the bundle, though a birth carries it" for name in sorted(carried.keys() - enclosed.keys())
    ]
    for name, data in sorted(enclosed.items()):
        if name not in carried:
            faults.append(f"{name} is carried by no birth")
        elif data != carried[name]:
            faults.append(f"{name}: the bytes are {digest_of(data)}")
    stated = case.at("evidence", "device_maps")
    if stated != list(map_texts(case.evidence)):
        faults.append(f"/evidence/device_maps: stated {stated}, the births carry {list(map_texts(case.evidence))}")
    return Outcome(f"{len(carried)} device maps", tuple(faults))


def decoding(case: Case) -> Outcome:
    """Every value is what its raw register words say under the device map of its birth."""
    decoded = redecode(case.evidence)
    return Outcome(f"{decoded.compared} readings decoded again from their raw words", decoded.faults)


def computing(case: Case) -> Outcome:
    """The engine, run again on project.toml and the records, gives the statement, field by field."""
    basis, project, engine = basis_of(case), case.project, case.at("engine", "version")
    if engine != ENGINE:
        raise CannotCheckError(f"the statement was computed by engine {engine!r}, this installation has {ENGINE!r}")
    try:
        again = build_statement(basis)
    except (ComputeError, ConfigError, DeclaredValueError, DeviceMapError) as fault:
        raise CannotCheckError(f"{project.id} cannot be computed anew: {fault}") from fault
    faults = tuple(str(difference) for difference in differences(case.statement, again))
    return Outcome(f"computed anew by engine {ENGINE} under {basis.ruleset}, every field compared", faults)


def basis_of(case: Case) -> Basis:
    """Everything that the statement of a bundle follows from.

    Raises:
        CannotCheckError: when the bundle does not tell.
    """
    period, rules = case.at("period", "id"), case.at("engine", "ruleset")
    supersedes, held = case.at("supersedes"), case.at("evidence", "held")
    if not isinstance(period, str) or not isinstance(rules, str) or not isinstance(held, list):
        raise CannotCheckError("/period/id, /engine/ruleset and /evidence/held must be there to compute anew")
    return Basis(
        project_text=case.file(PROJECT),
        period=period,
        links=tuple(case.evidence),
        held=tuple(_held(item) for item in held),
        ruleset=rules,
        supersedes=supersedes if isinstance(supersedes, str) else None,
        declared=case.declared,
    )


def _held(item: JsonValue) -> Held:
    match item:
        case {
            "gateway": str(gateway),
            "stream": str(stream),
            "seq": int(seq),
            "digest": str(digest),
            "reason": str(reason),
        }:
            return Held(gateway, stream, seq, digest, reason)
    raise CannotCheckError("/evidence/held holds something that names no record")

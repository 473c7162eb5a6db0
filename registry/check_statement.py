"""The steps of the check that look at documents: archive, manifest, statement, signature, project, methodology, log."""

import re
from collections.abc import Mapping

from compute.declared import SIGNATURE_SUFFIX
from compute.methodologies import package_files
from compute.project import parse_project
from metering.config import ConfigError
from registry.bundle import (
    DECLARED,
    KEYS,
    MANIFEST,
    OPERATOR_SIGNATURE,
    PROJECT,
    STATEMENT,
    manifest_faults,
    methodology_entry,
    read_bundle,
)
from registry.canonical import JsonValue, canonical_bytes, digest_of, parse_canonical, parse_object
from registry.case import Case, Outcome
from registry.declared import listing, signature_faults, signed_values
from registry.errors import BundleError, CanonicalError, DeclaredValueError, SignatureError
from registry.signing import verify_detached
from registry.statement import TYPE

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NEEDED = (MANIFEST, STATEMENT, OPERATOR_SIGNATURE, PROJECT, KEYS)
_METHODOLOGY_FOLDER = "methodology/"


def archive(case: Case) -> Outcome:
    """The file is a bundle: known names only, none twice, nothing compressed, no larger than it says."""
    try:
        case.files_read = read_bundle(case.path)
    except BundleError as fault:
        return Outcome("not a bundle that can be read safely", (str(fault),))
    missing = tuple(f"{name} is missing" for name in _NEEDED if name not in case.files)
    return Outcome(f"{len(case.files)} files, {sum(map(len, case.files.values()))} bytes", missing)


def manifest(case: Case) -> Outcome:
    """Every file is as the manifest lists it, and none is missing or added."""
    return Outcome(f"SHA-256 of {len(case.files) - 1} files", tuple(manifest_faults(case.files)))


def statement(case: Case) -> Outcome:
    """The statement is canonical JSON of a known type; its digest is its name."""
    data = case.file(STATEMENT)
    faults = []
    try:
        case.statement_read = parse_object(data)
        parse_canonical(data)
    except CanonicalError as fault:
        faults.append(f"{STATEMENT}: {fault}")
    if case.statement_read is not None and case.at("type") != TYPE:
        faults.append(f"/type: stated {case.at('type')!r}, this check knows {TYPE!r}")
    supersedes = None if case.statement_read is None else case.at("supersedes")
    if supersedes is not None and not (isinstance(supersedes, str) and _DIGEST.fullmatch(supersedes)):
        faults.append(f"/supersedes: stated {supersedes!r}; it names a statement by its SHA-256, or is null")
    return Outcome(f"SHA-256 {digest_of(data)}", tuple(faults))


def operator_signature(case: Case) -> Outcome:
    """An operator whom the caller trusts signed exactly these bytes."""
    token = case.file(OPERATOR_SIGNATURE)
    keys = case.keys
    try:
        found = verify_detached(token.decode("ascii", "replace"), case.file(STATEMENT), keys)
    except SignatureError as fault:
        return Outcome("detached JWS of the operator", (f"{OPERATOR_SIGNATURE}: {fault}",))
    return Outcome(f"signed by {found.name} ({found.key_hash})")


def project_file(case: Case) -> Outcome:
    """project.toml is the file that the statement names, byte for byte, and it can be read."""
    data = case.file(PROJECT)
    faults = []
    try:
        case.project_read = parse_project(data.decode("utf-8"))
    except (ConfigError, UnicodeDecodeError) as fault:
        faults.append(f"{PROJECT}: {fault}")
    stated, found = case.at("project", "settings_sha256"), digest_of(data)
    if stated != found:
        faults.append(f"/project/settings_sha256: stated {stated}, {PROJECT} in the bundle is {found}")
    return Outcome(f"{PROJECT} {found}", tuple(faults))


def methodology(case: Case) -> Outcome:
    """The methodology's files are those that the statement names, and those that this installation computes with."""
    files = package_files(
        case.project.methodology
    )  # there: a project file with an unknown one would not have been read
    installed = {methodology_entry(name): data for name, data in files.items()}
    enclosed = {name: data for name, data in case.files.items() if name.startswith(_METHODOLOGY_FOLDER)}
    faults = []
    for name in sorted(installed.keys() | enclosed.keys()):
        if name not in enclosed:
            faults.append(f"{name} is not in the bundle")
        elif name not in installed:
            faults.append(f"{name} is no part of the methodology")
        elif enclosed[name] != installed[name]:
            faults.append(
                f"{name}: the bundle has {digest_of(enclosed[name])}, this installation computes with "
                f"{digest_of(installed[name])}; check with the version of sakugen that has the former"
            )
    return Outcome(
        f"{case.project.methodology} {case.project.methodology_version}, {len(installed)} files", tuple(faults)
    )


def declared_values(case: Case) -> Outcome:
    """An operator whom the caller trusts signed each declared value, and the statement lists exactly those enclosed."""
    files = {name.removeprefix(DECLARED): data for name, data in case.files.items() if name.startswith(DECLARED)}
    faults = _misstated(case.at("declared_values"), files)
    try:
        case.declared_read = signed_values(files)
        faults += _differently_listed(case.at("declared_values"), listing(case.declared_read)) if not faults else []
    except (ConfigError, DeclaredValueError) as fault:
        return Outcome(f"{len(files)} files", (*faults, *f"{fault}".split("\n")))
    if case.declared_read:
        faults += signature_faults(case.declared_read, case.keys)
    return Outcome(f"{len(case.declared_read)} declared values, each with its signature", tuple(faults))


def _misstated(stated: JsonValue, files: Mapping[str, bytes]) -> list[str]:
    # By name and digest alone, so that a file left out, added or changed is named even when nothing else can be read.
    if not isinstance(stated, list):
        return ["/declared_values: must be a list of declared values"]
    rows = [row for row in stated if isinstance(row, dict)]
    listed = {name: row.get("sha256") for row in rows if isinstance(name := row.get("file"), str)}
    found = {name: digest_of(data) for name, data in files.items() if not name.endswith(SIGNATURE_SUFFIX)}
    faults = [f"{name} is listed by the statement and not in the bundle" for name in listed if name not in found]
    faults += [f"{name} is in the bundle and not listed by the statement" for name in found if name not in listed]
    for name in sorted(found.keys() & listed.keys()):
        if listed[name] != found[name]:
            faults.append(f"{name}: the statement lists {listed[name]}, the bytes are {found[name]}")
    return faults


def _differently_listed(stated: JsonValue, found: list[JsonValue]) -> list[str]:
    if stated == found:
        return []
    shown = " and ".join(canonical_bytes(rows).decode() for rows in (stated, found))
    return [f"/declared_values: stated and found differ: {shown}"]


def transparency_log(case: Case) -> Outcome:
    """There is no log yet; a statement that claims a place in one is wrong."""
    position = case.at("log_position")
    if position is not None or "log_position" not in case.statement:
        return Outcome("log position", ("/log_position: must be null, for there is no transparency log yet",))
    return Outcome(
        "the transparency log is not built yet: the log position is null, and nothing here proves when the statement "
        "or its evidence came to be, or that no other statement was shown to somebody else"
    )

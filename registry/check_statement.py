"""The steps of the check that look at documents: archive, manifest, statement, signature, project, methodology, log."""

import re

from compute.methodologies import package_files
from compute.project import parse_project
from metering.config import ConfigError
from registry.bundle import (
    KEYS,
    MANIFEST,
    OPERATOR_SIGNATURE,
    PROJECT,
    STATEMENT,
    manifest_faults,
    methodology_entry,
    read_bundle,
)
from registry.canonical import canonical_bytes, digest_of, parse_canonical, parse_object
from registry.case import Case, Outcome
from registry.errors import BundleError, CanonicalError, SignatureError
from registry.signing import verify_detached
from registry.statement import TYPE

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NEEDED = (MANIFEST, STATEMENT, OPERATOR_SIGNATURE, PROJECT, KEYS)
_METHODOLOGY_FOLDER = "methodology/"
_DECLARED_FOLDER = "declared/"


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
    """Declared values are enclosed exactly as the statement lists them; this version has none."""
    enclosed = sorted(name for name in case.files if name.startswith(_DECLARED_FOLDER))
    faults = [f"{name} is enclosed, and the statement lists no declared value" for name in enclosed]
    if case.at("declared_values") != []:
        stated = canonical_bytes(case.at("declared_values")).decode()
        faults.append(f"/declared_values: stated {stated}; this version of the check knows none")
    return Outcome("none declared", tuple(faults))


def transparency_log(case: Case) -> Outcome:
    """There is no log yet; a statement that claims a place in one is wrong."""
    position = case.at("log_position")
    if position is not None or "log_position" not in case.statement:
        return Outcome("log position", ("/log_position: must be null, for there is no transparency log yet",))
    return Outcome(
        "the transparency log is not built yet: the log position is null, and nothing here proves when the statement "
        "or its evidence came to be, or that no other statement was shown to somebody else"
    )

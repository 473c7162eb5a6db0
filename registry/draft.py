"""A journal and a project file in, a signed draft in the statement store out; and the bundle of a stored statement.

Evidence is chosen once, when the statement is drawn up, and its record digests are kept beside it: a bundle exported
years later holds exactly those records, whatever has arrived since.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compute.declared import FOLDER
from compute.engine import evidence_window
from compute.project import parse_project
from ingest.store.reader import JournalReader, StoredRecord
from metering.clock import Clock
from metering.interval import Interval
from metering.keys import KeyRing
from metering.note import Signer
from registry import bundle
from registry.canonical import canonical_bytes, digest_of, parse_object
from registry.declared import SignedValue, folder_files, signature_faults, signed_values
from registry.errors import DeclaredValueError, DraftError, EvidenceUnavailableError
from registry.evidence import Link, chained_runs, map_texts
from registry.periods import refuse_open_period, refuse_overlap
from registry.signing import sign_detached
from registry.statement import Basis, Held, build_statement, methodology_files
from registry.states import State
from registry.store import StatementReader, StatementStore, Who

_DIGESTS = "evidence.digests"
_DIGEST_BYTES = 32
_WINDOW = "evidence.window"


@dataclass(frozen=True, slots=True)
class DraftRequest:
    """What a statement is drawn up about, and by whom."""

    project_file: Path
    journal: Path
    keys_file: Path
    """Public keys, which go into the bundle for people; a check trusts only what its caller gives."""
    operator: Signer
    period: str | None = None
    """The monitoring period by id; None = the project's first."""
    supersedes: str | None = None
    """The digest of the statement that this one replaces."""


def draft_statement(request: DraftRequest, store: StatementStore, clock: Clock) -> str:
    """Draw up a statement, sign it and keep it as a draft.

    Args:
        request: what about, and by whom.
        store: the statement store, opened for writing.
        clock: tells when it was signed.

    Returns:
        The digest that names the statement.

    Raises:
        DraftError: when the journal has no birth of the project, the period is not over, or a statement that is handed
            in and not named by `supersedes` tells of a part of it.
        UnknownStatementError: when the store does not hold the statement that is to be replaced.
        ConfigError: when the project file has faults.
        KeyFileError: when the key file is missing or malformed.
        DeclaredValueError: when a declared value beside the project file is not signed by an operator of the key file.
    """
    project_text = _read(request.project_file)
    keys_text = _read(request.keys_file)
    keys = KeyRing.parse(keys_text.decode("utf-8"), str(request.keys_file))
    project = parse_project(project_text.decode("utf-8"), str(request.project_file))
    period = project.period_named(request.period)
    now_ms = clock.now_ms()
    refuse_open_period(project.id, period.id, project.interval_of(period), now_ms)
    span = evidence_window(project, period)
    links, held = _evidence(JournalReader(request.journal), project.id, span)
    declared = _declared(request.project_file, project.id, keys, now_ms)
    basis = Basis(project_text, period.id, links, held, supersedes=request.supersedes, declared=declared)
    document = build_statement(basis)
    data = canonical_bytes(document)
    refuse_overlap(store, project.id, digest_of(data), document)
    return store.add_draft(
        data,
        project=project.id,
        period=period.id,
        signature=sign_detached(data, request.operator, now_ms),
        attachments={
            bundle.PROJECT: project_text,
            bundle.KEYS: keys_text,
            **methodology_files(project),
            **{bundle.declared_entry(name): data for value in declared for name, data in value.files.items()},
            _DIGESTS: b"".join(bytes.fromhex(link.digest) for link in links),
            _WINDOW: f"{span.start_ms} {span.end_ms}".encode(),
        },
        who=Who("operator", request.operator.name, now_ms),
    )


def _declared(project_file: Path, project: str, keys: KeyRing, now_ms: int) -> tuple[SignedValue, ...]:
    files = folder_files(project_file.parent / FOLDER)
    values = tuple(value for value in signed_values(files) if value.declared.body.project == project)
    faults = signature_faults(values, keys)
    faults += [
        f"{value.declared.file}: declared at {value.declared.body.when.isoformat()}, which is yet to come"
        for value in values
        if value.signed_ms > now_ms
    ]
    if faults:
        raise DeclaredValueError("\n".join(faults))
    return values


def submit_statement(digest: str, operator: str, store: StatementStore, clock: Clock) -> None:
    """Hand a signed draft in.

    Args:
        digest: which statement.
        operator: the name of the operator's key.
        store: the statement store, opened for writing.
        clock: tells when.

    Raises:
        DraftError: when evidence of its period is held: it must be replayed or judged first; or when another statement
            that is handed in tells of a part of its period.
        IllegalTransitionError: when the statement is not a draft.
    """
    document = parse_object(store.statement(digest))
    evidence = document["evidence"]
    if isinstance(evidence, dict) and evidence["held"]:
        raise DraftError(
            f"statement {digest} has held evidence; see `sakugen quarantine list`, "
            "replay it and draw the statement up again"
        )
    refuse_overlap(store, store.row(digest).project, digest, document)
    store.move(digest, State.SUBMITTED, Who("operator", operator, clock.now_ms()))


def export_bundle(store: StatementReader, journal: JournalReader, digest: str, out: Path) -> None:
    """Write the bundle of a statement; the same statement always gives the same bytes.

    Args:
        store: the statement store.
        journal: where the records are read again.
        digest: which statement.
        out: the zip file to write.

    Raises:
        UnknownStatementError: when the store does not hold the statement.
        EvidenceUnavailableError: when the journal does not give a record that the statement rests on.
    """
    bundle.write_bundle(out, _bundle_files(store, journal, digest))


def finished_bundle(store: StatementReader, journal: JournalReader, digest: str, folder: Path) -> Path:
    """Give the bundle of a statement as a file, putting it together when it is asked for the first time.

    Returns:
        `<statement digest>.<SHA-256 of the file>.zip` in the folder.
    """
    store.row(digest)
    folder.mkdir(parents=True, exist_ok=True)
    finished = sorted(folder.glob(f"{digest}.*.zip"))
    if finished:
        return finished[0]
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        export_bundle(store, journal, digest, part)
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return part.replace(folder / f"{digest}.{sha256}.zip")
    finally:
        part.unlink(missing_ok=True)


def _bundle_files(store: StatementReader, journal: JournalReader, digest: str) -> dict[str, bytes]:
    statement = store.statement(digest)
    kept = store.attachments(digest)
    links = _again(journal, digest, store.row(digest).project, kept)
    streams: dict[str, list[bytes]] = {}
    for link in links:
        streams.setdefault(link.record.stream, []).append(link.data)
    return {
        bundle.STATEMENT: statement,
        bundle.OPERATOR_SIGNATURE: store.signatures(digest)["operator"].encode(),
        **{name: data for name, data in kept.items() if name not in (_DIGESTS, _WINDOW)},
        **{bundle.map_entry(name): text.encode() for name, text in map_texts(links).items()},
        **{bundle.evidence_entry(stream): bundle.frame(records) for stream, records in streams.items()},
    }


def _again(journal: JournalReader, digest: str, project: str, kept: dict[str, bytes]) -> list[Link]:
    packed = kept[_DIGESTS]
    wanted = [packed[n : n + _DIGEST_BYTES].hex() for n in range(0, len(packed), _DIGEST_BYTES)]
    start_ms, end_ms = (int(part) for part in kept[_WINDOW].split())
    there = {stored.digest: stored.data for stored in journal.records(project, start_ms, end_ms)}
    missing = [name for name in wanted if name not in there]
    if missing:
        raise EvidenceUnavailableError(
            f"statement {digest} rests on {len(wanted)} records; {journal.path} does not give {len(missing)} of them, "
            f"the first is {missing[0]}; is it the journal that the statement was drawn up from?"
        )
    return [_link(name, there[name], journal) for name in wanted]


def _evidence(journal: JournalReader, project: str, span: Interval) -> tuple[tuple[Link, ...], tuple[Held, ...]]:
    stored = list(journal.records(project, span.start_ms, span.end_ms))
    if not any(record.kind == "birth" for record in stored):
        raise DraftError(
            f"{journal.path} holds no birth of project {project!r}; it knows: {', '.join(journal.projects()) or 'none'}"
        )
    # In the order in which runs list them, so that a bundle's files have one order whatever the journal's is.
    read = [_link(record.digest, record.data, journal) for record in stored]
    links = tuple(link for run in chained_runs(read) for link in run)
    return links, tuple(_held(journal.held(project), span))


def _link(digest: str, data: bytes, journal: JournalReader) -> Link:
    link = Link.of(data)
    if link.digest != digest:
        raise EvidenceUnavailableError(
            f"{journal.path}: {link.where} was stored with digest {digest}, its bytes now have {link.digest}; "
            "the journal was changed after ingest wrote it: restore it from a backup"
        )
    return link


def _held(records: Iterable[StoredRecord], span: Interval) -> Iterable[Held]:
    for record in records:
        start_ms, end_ms = record.first_slot_ms, record.last_slot_ms
        # One that does not say what it is about may be about this period.
        if start_ms is None or end_ms is None or (start_ms < span.end_ms and end_ms >= span.start_ms):
            yield Held(f"{record.site}/{record.gateway}", record.stream, record.seq, record.digest, record.reason or "")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DraftError(f"{path}: {error.strerror}") from None

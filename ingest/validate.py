"""Why a record was refused, held, appended or set aside: every rule of ingest, without any input or output.

In go a message's topic and bytes with the keys that are trusted (`authenticate`), then the record with what its stream
looks like in the journal (`decide`); out come verdicts. `intake` carries them out.

References:
    docs/wire.md, "What ingest does with a record".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ingest import decode
from ingest.store.journal import EMPTY, StreamHead, StreamKey, Successor
from ingest.store.readings import bind, chain_end
from metering import note, record
from metering.devicemap import parse_device_map
from metering.errors import DeviceMapError, NoteError, RecordError
from metering.interval import DAY_MS
from metering.keys import KeyEntry, KeyRing, Role
from metering.topics import gateway_of

HORIZON = "horizon"
KEY_RETIRED = "key-retired"
"""Why a record is held that a gateway signed with its former key."""
EARLIEST_SLOT_MS = 1_262_304_000_000
"""2010-01-01: a slot before it was drawn from a clock that nobody had set [ms since the Unix epoch]."""
FARTHEST_AHEAD_MS = 366 * DAY_MS
"""A clock that is months ahead is an old story, and what it read can be told from what came after [ms]; one that is
years ahead names no instant at all."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message proves nothing."""

    reason: str
    """A stable code: unsigned, too-long, shape, unknown-key, bad-signature, wrong-topic."""
    what: str


@dataclass(frozen=True, slots=True)
class Authentic:
    """A record that its gateway signed and that came on this gateway's topic."""

    header: record.Header
    text: bytes
    """What was signed."""
    digest: str
    data: bytes
    """The exact bytes."""
    plain: decode.Plain | None = None
    """What they say, when they are readings that are plainly right in themselves."""
    by_former_key: bool = False
    """The gateway has another key now, and this one was retired."""

    @property
    def key(self) -> StreamKey:
        """The stream it belongs to."""
        return StreamKey(self.header.site, self.header.gateway, self.header.stream)


class Action(StrEnum):
    """What to do with an authentic record."""

    APPEND = "append"
    """Store it: it can be used."""
    HOLD = "hold"
    """Store it: it cannot be used yet."""
    IGNORE = "ignore"
    """The journal has it already; say so again."""
    AHEAD = "ahead"
    """Records before it are missing; say again how far the stream is, and the gateway goes back."""
    FORK = "fork"
    """It contradicts the journal: keep the bytes, acknowledge nothing, tell a person."""
    REFUSE = "refuse"
    """It has no place in any stream."""


@dataclass(frozen=True, slots=True)
class StreamView:
    """What the journal knows about the stream of one record."""

    now_ms: int
    """When the record is looked at [ms since the Unix epoch]."""
    head: StreamHead = EMPTY
    stored: bool = False
    """These exact bytes are there already."""
    chain: Mapping[int, str] = field(default_factory=dict)
    """The digests known for the sequence numbers that the record touches (`touched`)."""
    birth: record.Birth | None = None
    """The birth that governs it."""
    birth_held: bool = False
    """There is such a birth, but it cannot be used yet."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a record, and what it changes."""

    action: Action
    reason: str | None = None
    head: StreamHead | None = None
    """Where the stream's head moves; None = it stays."""
    hole: tuple[int, int] | None = None
    """The first and last sequence number that are lost."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Two boxes may be using one identity."""

    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A record whose gateway is enrolled; that it signed is not checked yet."""

    topic: str
    data: bytes
    parts: note.Note
    header: record.Header
    plain: decode.Plain | None
    keys: tuple[KeyEntry, ...]
    """Those of the gateway that counted when the record came."""
    former_keys: tuple[KeyEntry, ...]
    """Those that had been retired by then."""


def authenticate(topic: str, data: bytes, ring: KeyRing, at_ms: int) -> Authentic | Refusal:
    """Check signature, then key, then that the topic is the one of the signed site and gateway.

    Args:
        topic: where the message came from.
        data: its payload; any bytes at all.
        ring: the keys that are trusted.
        at_ms: when it came, which decides whether a key counted [ms since the Unix epoch].
    """
    claim = claimed(topic, data, ring, at_ms)
    return claim if isinstance(claim, Refusal) else proved(claim)


def claimed(topic: str, data: bytes, ring: KeyRing, at_ms: int) -> Claim | Refusal:
    """Read who says to have signed a message: all of `authenticate` that costs little."""
    try:
        parts = record.split(data)
        plain = decode.read(parts.text)
        header = plain.header if plain is not None else record.parse_header(parts.text)
    except RecordError as error:
        return Refusal(error.reason, error.detail)
    entries = ring.named(str(header.gateway_id), Role.GATEWAY)
    refusals = [entry.refusal(at_ms) for entry in entries]
    valid = tuple(entry for entry, refusal in zip(entries, refusals, strict=True) if refusal is None)
    if not valid:
        why = "; ".join(filter(None, refusals)) or "not enrolled"
        return Refusal("unknown-key", f"gateway key {header.gateway_id}: {why}")
    former = tuple(entry for entry in entries if entry.retired(at_ms))
    return Claim(topic, data, parts, header, plain, valid, former)


def proved(claim: Claim) -> Authentic | Refusal:
    """Check the signature, which costs more than all the rest and runs beside other threads."""
    wrong = [_wrong_signature(claim.parts, entry) for entry in claim.keys]
    by_former_key = all(wrong) and not all(_wrong_signature(claim.parts, entry) for entry in claim.former_keys)
    if all(wrong) and not by_former_key:
        return Refusal("bad-signature", "; ".join(filter(None, wrong)))
    gateway = claim.header.gateway_id
    if gateway_of(claim.topic) != gateway:
        return Refusal("wrong-topic", f"signed by {gateway}, but sent to {claim.topic}")
    digest = record.digest_of(claim.data)
    return Authentic(claim.header, claim.parts.text, digest, claim.data, claim.plain, by_former_key)


def _wrong_signature(parts: note.Note, entry: KeyEntry) -> str | None:
    try:
        note.verify(parts, entry.verifier)
    except NoteError as error:
        return str(error)
    return None


def read_body(authentic: Authentic) -> record.Record | RecordError:
    """Read the whole record, or give back why this software cannot."""
    try:
        return record.parse_body(authentic.text)
    except RecordError as error:
        return error


def touched(authentic: Authentic, body: record.Record | RecordError) -> tuple[int, ...]:
    """Name the sequence numbers whose digests `decide` compares."""
    seq = authentic.header.seq
    end = seq if isinstance(body, RecordError) else chain_end(body, authentic.digest)[0]
    return tuple({seq - 1, seq, end})


def decide(authentic: Authentic, body: record.Record | RecordError, view: StreamView) -> Decision:
    """Decide where a record belongs, given the head (h, digest) of its stream.

    Args:
        authentic: the record.
        body: what `read_body` gave.
        view: what the journal knows about the stream.
    """
    seq = authentic.header.seq
    if authentic.header.kind == HORIZON:
        return _horizon(body, view)
    if seq == 0:
        return Decision(Action.REFUSE, "shape")
    if view.stored:
        return Decision(Action.IGNORE)
    if seq > view.head.seq + 1:
        return Decision(Action.AHEAD)
    held = KEY_RETIRED if authentic.by_former_key else unusable(body, view)
    end = _end(authentic, body)
    if seq == view.head.seq + 1:
        if authentic.header.prev != view.head.digest:
            return Decision(Action.FORK, "wrong-prev")
        return _store(held, end)
    return _not_next(authentic, end, held, view)


def _not_next(authentic: Authentic, end: StreamHead, held: str | None, view: StreamView) -> Decision:
    """Place a record at or below the head whose bytes are new to the journal."""
    seq = authentic.header.seq
    known = view.chain.get(end.seq)
    if known is not None and known != end.digest:
        return Decision(Action.FORK, "other-digest")
    before = view.chain.get(seq - 1)
    if before is not None and before != authentic.header.prev:
        return Decision(Action.FORK, "wrong-prev")
    # Either it stands for others, or it was given up and has come after all: nothing else below the head is unknown.
    return _store(held, end if end.seq > view.head.seq else None)


def _store(held: str | None, head: StreamHead | None) -> Decision:
    return Decision(Action.APPEND if held is None else Action.HOLD, held, head)


def _end(authentic: Authentic, body: record.Record | RecordError) -> StreamHead:
    if isinstance(body, RecordError):
        return StreamHead(authentic.header.seq, authentic.digest)
    return StreamHead(*chain_end(body, authentic.digest))


def _horizon(body: record.Record | RecordError, view: StreamView) -> Decision:
    """Accept that what lies before a gateway's oldest record is lost."""
    if not isinstance(body, record.Horizon):
        return Decision(Action.REFUSE, "shape")
    last = body.oldest_seq - 1
    if last <= view.head.seq:
        known = view.chain.get(last)
        differs = known is not None and known != body.digest_before
        return Decision(Action.FORK, "other-digest") if differs else Decision(Action.IGNORE)
    return Decision(Action.APPEND, head=StreamHead(last, body.digest_before), hole=(view.head.seq + 1, last))


def unusable(body: record.Record | RecordError, view: StreamView) -> str | None:
    """Say why a record cannot be used yet; None when it can."""
    if isinstance(body, RecordError):
        return body.reason
    if isinstance(body, record.Birth):
        return _unusable_birth(body)
    if view.birth_held:
        return "birth-held"
    if view.birth is None:
        return "no-birth"
    if isinstance(body, record.Readings | record.Dropped) and record.misfit(body, view.birth) is not None:
        return "shape"
    slots_ms = slots_of(body)
    return "slot-time" if slots_ms is not None and not in_time(slots_ms, view.now_ms) else None


def in_time(slots_ms: tuple[int, int], now_ms: int) -> bool:
    """Whether a first and a last slot are instants in which somebody may have read a meter."""
    return slots_ms[0] >= EARLIEST_SLOT_MS and slots_ms[1] <= now_ms + FARTHEST_AHEAD_MS


def _unusable_birth(birth: record.Birth) -> str | None:
    try:
        bind(birth, {digest: parse_device_map(text, digest) for digest, text in birth.device_maps.items()})
    except DeviceMapError:
        return "device-map"
    return None


def suspect_birth(
    stream: str, after: record.RecordRef, siblings: Sequence[Successor], predecessor: StreamHead
) -> tuple[Suspicion, ...]:
    """Tell from a stream's first record whether a card was cloned or rolled back.

    Args:
        stream: the new stream.
        after: the record that it names as the last one its outbox knew.
        siblings: streams in the journal that name a record of the same predecessor stream.
        predecessor: how far that predecessor is.
    """
    found = suspect_growth(after.stream, predecessor, [Successor(stream, after.seq)])
    others = ", ".join(sibling.stream for sibling in siblings if sibling.stream != stream)
    if not others:
        return found
    return (*found, Suspicion("same-predecessor", f"streams {stream} and {others} both follow stream {after.stream}"))


def suspect_growth(stream: str, head: StreamHead, successors: Sequence[Successor]) -> tuple[Suspicion, ...]:
    """Tell whether a stream went beyond the record that a later stream names as its last."""
    return tuple(
        Suspicion(
            "beyond-successor",
            f"stream {successor.stream} begins after record {successor.after_seq} of stream {stream},"
            f" which goes to {head.seq}",
        )
        for successor in successors
        if head.seq > successor.after_seq
    )


def slots_of(body: record.Record | RecordError) -> tuple[int, int] | None:
    """The first and the last slot that a record speaks of [ms since the Unix epoch]; None when it speaks of none."""
    match body:
        case record.Readings():
            slots = [slot for part in body.groups for slot in part.slots]
            return (min(slots), max(slots)) if slots else None
        case record.Gap() | record.Dropped():
            return body.from_ms, max(body.from_ms, body.to_ms - 1)
        case _:
            return None

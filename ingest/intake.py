"""Take a batch of messages into the journal in one commit.

In go messages as they came from MQTT, out come outcomes, in the same order; when `take` returns, everything that an
outcome speaks of is on disk. The rules are in `validate`; this carries them out.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain

from ingest import births, decode, replay, validate
from ingest.errors import JournalError
from ingest.store.journal import Journal, NewRecord, StreamHead, StreamKey
from ingest.store.readings import chain_end
from ingest.validate import Action, Authentic, Claim, Decision, Refusal, StreamView
from metering import record
from metering.errors import RecordError
from metering.keys import KeyRing, Role
from metering.topics import GatewayId, gateway_of

_BIRTHS_KEPT_BYTES = 2 * 1024 * 1024
"""Births that were read whole are kept up to so many bytes of records; in memory they are about ten times as large."""
_GROUPS_KEPT = 50_000
"""What the plain way keeps of births: about 500 bytes a poll group."""
LONGEST_TOPIC_KEPT = 200
"""Of a refused message's topic, which may have 65,535 bytes; a gateway's own is shorter."""
_SLICE = 8
"""So many signatures are worth a thread's trouble."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message."""

    gateway: GatewayId | None
    """Whose record it was; None when that is not proved."""
    stream: str | None
    action: Action
    reason: str | None


class Intake:
    """Takes batches into one journal."""

    def __init__(
        self, journal: Journal, refused_limit_bytes: int, pool: Executor | None = None, threads: int = 1
    ) -> None:
        """Keep the journal.

        Args:
            journal: where records go.
            refused_limit_bytes: how large the bin of refused messages may grow [bytes].
            pool: threads in which signatures are checked; None = in this one.
            threads: how many they are.
        """
        self._journal = journal
        self._refused_limit_bytes = refused_limit_bytes
        self._pool = pool
        self._threads = threads
        self._births: dict[str, record.Birth] = {}
        self._births_bytes = 0
        self._shapes: dict[str, decode.Shape] = {}
        self._shapes_groups = 0

    def take(self, messages: Sequence[tuple[str, bytes]], ring: KeyRing, now_ms: int) -> list[Outcome]:
        """Judge and store messages, all in one commit.

        Args:
            messages: topic and payload of each.
            ring: the keys that are trusted.
            now_ms: when they came [ms since the Unix epoch].
        """
        judged = self._prove([validate.claimed(topic, data, ring, now_ms) for topic, data in messages])
        outcomes = []
        with self._journal.transaction():
            for (topic, data), result in zip(messages, judged, strict=True):
                if isinstance(result, Refusal):
                    outcomes.append(self._refuse(topic, data, result.reason, ring, now_ms))
                elif self._append_plain(result, now_ms):
                    header = result.header
                    outcomes.append(Outcome(header.gateway_id, header.stream, Action.APPEND, None))
                else:
                    outcomes.append(self._take(topic, result, ring, now_ms))
            if any(outcome.action is Action.REFUSE for outcome in outcomes):
                self._journal.trim_refused(self._refused_limit_bytes)
        return outcomes

    def _prove(self, claims: Sequence[Claim | Refusal]) -> list[Authentic | Refusal]:
        """Check all signatures, in several threads when there are many; this one waits for them."""
        size = max(_SLICE, -(-len(claims) // self._threads))
        slices = [claims[at : at + size] for at in range(0, len(claims), size)]
        if self._pool is None or len(slices) == 1:
            return _proved(claims)
        return list(chain.from_iterable(self._pool.map(_proved, slices)))

    def _refuse(self, topic: str, data: bytes, reason: str, ring: KeyRing, now_ms: int) -> Outcome:
        self._journal.refuse(topic[:LONGEST_TOPIC_KEPT], reason, record.digest_of(data), data, now_ms)
        sender = gateway_of(topic)
        # Only enrolled gateways are counted one by one: anybody can invent topics.
        known = sender is not None and bool(ring.named(str(sender), Role.GATEWAY))
        self._journal.count_refused(*((sender.site, sender.gateway) if known and sender else ("", "")))
        return Outcome(None, None, Action.REFUSE, reason)

    def _append_plain(self, authentic: Authentic, now_ms: int) -> bool:
        """Append the next readings of a stream that fit their birth: nearly all records, and the fast way for them.

        False means nothing: `_take` looks at the record from the start, and it alone says no.
        """
        plain, header, key = authentic.plain, authentic.header, authentic.key
        if plain is None or authentic.by_former_key:
            return False
        head = self._journal.head(key)
        if (header.seq, header.prev) != (head.seq + 1, head.digest):
            return False
        shape = self._shape_before(key, header.seq)
        if shape is None or not decode.fits(plain, shape) or not validate.in_time(plain.slots_ms, now_ms):
            return False
        self._append(authentic, None, shape.project, now_ms, slots_ms=plain.slots_ms)
        self._move_head(key, StreamHead(header.seq, authentic.digest), shape.project, now_ms)
        return True

    def _take(self, topic: str, authentic: Authentic, ring: KeyRing, now_ms: int) -> Outcome:
        body = validate.read_body(authentic)
        view = self._view(authentic, body, now_ms)
        decision = validate.decide(authentic, body, view)
        header, key = authentic.header, authentic.key
        match decision.action:
            case Action.REFUSE:
                return self._refuse(topic, authentic.data, decision.reason or "shape", ring, now_ms)
            case Action.FORK:
                reason = decision.reason or "other-digest"
                self._journal.fork(key, header.seq, reason, now_ms, authentic.digest, authentic.data)
                what = f"record {header.seq} of stream {header.stream} came with another content ({reason})"
                self._journal.incident("fork", key, header.seq, what, now_ms)
            case Action.APPEND | Action.HOLD:
                self._store(authentic, body, view, decision, now_ms)
            case Action.IGNORE | Action.AHEAD:
                pass
        return Outcome(header.gateway_id, header.stream, decision.action, decision.reason)

    def _view(self, authentic: Authentic, body: record.Record | RecordError, now_ms: int) -> StreamView:
        journal, key, seq = self._journal, authentic.key, authentic.header.seq
        head = journal.head(key)
        birth, birth_held = self._birth_before(key, seq)
        below = seq <= head.seq
        stored = below and journal.stored(key, seq, authentic.digest)
        return StreamView(
            now_ms,
            head=head,
            stored=stored,
            chain=journal.chain(key, validate.touched(authentic, body)) if below and not stored else {},
            birth=birth,
            birth_held=birth_held,
        )

    def _birth_before(self, key: StreamKey, seq: int) -> tuple[record.Birth | None, bool]:
        named = self._journal.birth_named_before(key, seq)
        if named is None:
            return None, False
        digest, held = named
        if held:
            return None, True
        if digest not in self._births:
            self._read_birth(key, seq)
        return self._births[digest], False

    def _shape_before(self, key: StreamKey, seq: int) -> decode.Shape | None:
        named = self._journal.birth_named_before(key, seq)
        if named is None:
            return None
        digest, held = named
        if digest not in self._shapes:
            found = self._journal.birth_before(key, seq)
            shape = None if held or found is None else decode.shape_of(record.split(found[1]).text)
            if shape is None:
                return None
            if self._shapes_groups + len(shape.groups) > _GROUPS_KEPT:
                self._shapes.clear()
                self._shapes_groups = 0
            self._shapes[digest] = shape
            self._shapes_groups += len(shape.groups)
        return self._shapes[digest]

    def _read_birth(self, key: StreamKey, seq: int) -> None:
        found = self._journal.birth_before(key, seq)
        birth = None if found is None else record.parse(found[1])
        if found is None or not isinstance(birth, record.Birth):
            raise JournalError(f"{self._journal.path}: the birth before record {seq} of stream {key.stream} is damaged")
        digest, data, _ = found
        if self._births_bytes + len(data) > _BIRTHS_KEPT_BYTES:
            self._births.clear()
            self._births_bytes = 0
        self._births[digest] = birth
        self._births_bytes += len(data)

    def _store(
        self, authentic: Authentic, body: record.Record | RecordError, view: StreamView, decision: Decision, now_ms: int
    ) -> None:
        journal, header, key = self._journal, authentic.header, authentic.key
        birth = body if isinstance(body, record.Birth) else view.birth
        project = birth.project if birth is not None else journal.project_of(header.gateway_id)
        replaces = None
        if isinstance(body, record.Dropped | record.Horizon):
            replaces = chain_end(body, authentic.digest)
        slots_ms = validate.slots_of(body)
        self._append(authentic, decision.reason, project, now_ms, slots_ms=slots_ms, replaces=replaces)
        if decision.hole is not None:
            journal.hole(key, *decision.hole, project, now_ms)
        if decision.head is not None:
            self._move_head(key, decision.head, birth.project if birth is not None else None, now_ms)
        if isinstance(body, record.Birth):
            births.enter(journal, key, body, now_ms, usable=decision.reason is None)
            if decision.head is None:  # it has come after readings that could not be used without it
                replay.stream(journal, key, now_ms)

    def _append(
        self, authentic: Authentic, held: str | None, project: str | None, now_ms: int, *,
        slots_ms: tuple[int, int] | None, replaces: tuple[int, str | None] | None = None,
    ) -> None:  # fmt: skip
        header = authentic.header
        self._journal.append(
            NewRecord(
                key=authentic.key,
                seq=header.seq,
                kind=header.kind,
                held=held,
                received_ms=now_ms,
                slots_ms=slots_ms,
                project=project,
                replaces=replaces,
                digest=authentic.digest,
                data=authentic.data,
            )
        )

    def _move_head(self, key: StreamKey, head: StreamHead, project: str | None, now_ms: int) -> None:
        self._journal.move_head(key, head, project, now_ms)
        for found in validate.suspect_growth(key.stream, head, self._journal.successors(key)):
            self._journal.incident(found.code, key, head.seq, found.what, now_ms)


def _proved(claims: Sequence[Claim | Refusal]) -> list[Authentic | Refusal]:
    return [claim if isinstance(claim, Refusal) else validate.proved(claim) for claim in claims]

"""Take a batch of messages into the journal in one commit.

In go messages as they came from MQTT, out come outcomes, in the same order; when `take` returns, everything that an
outcome speaks of is on disk. The rules are in `validate`; this carries them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest import births, replay, validate
from ingest.store.journal import Journal, NewRecord, StreamKey
from ingest.store.readings import chain_end
from ingest.validate import Action, Authentic, Decision, Refusal, StreamView
from metering import record
from metering.errors import RecordError
from metering.keys import KeyRing
from metering.topics import GatewayId, gateway_of

_BIRTHS_KEPT = 1024


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

    def __init__(self, journal: Journal, refused_limit_bytes: int) -> None:
        """Keep the journal.

        Args:
            journal: where records go.
            refused_limit_bytes: how large the bin of refused messages may grow [bytes].
        """
        self._journal = journal
        self._refused_limit_bytes = refused_limit_bytes
        self._births: dict[str, record.Birth] = {}

    def take(self, messages: Sequence[tuple[str, bytes]], ring: KeyRing, now_ms: int) -> list[Outcome]:
        """Judge and store messages, all in one commit.

        Args:
            messages: topic and payload of each.
            ring: the keys that are trusted.
            now_ms: when they came [ms since the Unix epoch].
        """
        judged = [validate.authenticate(topic, data, ring, now_ms) for topic, data in messages]
        outcomes = []
        with self._journal.transaction():
            for (topic, data), result in zip(messages, judged, strict=True):
                if isinstance(result, Refusal):
                    outcomes.append(self._refuse(topic, data, result.reason, ring, now_ms))
                else:
                    outcomes.append(self._take(topic, result, ring, now_ms))
            if any(outcome.action is Action.REFUSE for outcome in outcomes):
                self._journal.trim_refused(self._refused_limit_bytes)
        return outcomes

    def _refuse(self, topic: str, data: bytes, reason: str, ring: KeyRing, now_ms: int) -> Outcome:
        self._journal.refuse(topic, reason, record.digest_of(data), data, now_ms)
        sender = gateway_of(topic)
        # Only enrolled gateways are counted one by one: anybody can invent topics.
        known = sender is not None and any(entry.id == str(sender) for entry in ring.entries)
        self._journal.count_refused(*((sender.site, sender.gateway) if known and sender else ("", "")))
        return Outcome(None, None, Action.REFUSE, reason)

    def _take(self, topic: str, authentic: Authentic, ring: KeyRing, now_ms: int) -> Outcome:
        body = validate.read_body(authentic)
        view = self._view(authentic, body)
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

    def _view(self, authentic: Authentic, body: record.Record | RecordError) -> StreamView:
        journal, key, seq = self._journal, authentic.key, authentic.header.seq
        head = journal.head(key)
        birth, birth_held = self._birth_before(key, seq)
        below = seq <= head.seq
        return StreamView(
            head=head,
            stored=stored,
            chain=journal.chain(key, validate.touched(authentic, body)) if below and not stored else {},
            birth=birth,
            birth_held=birth_held,
        )

    def _birth_before(self, key: StreamKey, seq: int) -> tuple[record.Birth | None, bool]:
        found = self._journal.birth_before(key, seq)
        if found is None:
            return None, False
        digest, data, held = found
        if held:
            return None, True
        if digest not in self._births:
            if len(self._births) >= _BIRTHS_KEPT:
                self._births.clear()
            birth = record.parse(data)
            if isinstance(birth, record.Birth):
                self._births[digest] = birth
        return self._births[digest], False

    def _store(
        self, authentic: Authentic, body: record.Record | RecordError, view: StreamView, decision: Decision, now_ms: int
    ) -> None:
        journal, header, key = self._journal, authentic.header, authentic.key
        birth = body if isinstance(body, record.Birth) else view.birth
        project = birth.project if birth is not None else journal.project_of(header.gateway_id)
        replaces = None
        if isinstance(body, record.Dropped | record.Horizon):
            replaces = chain_end(body, authentic.digest)
        journal.append(
            NewRecord(
                key=key,
                seq=header.seq,
                kind=header.kind,
                held=decision.reason,
                received_ms=now_ms,
                slots_ms=validate.slots_of(body),
                project=project,
                replaces=replaces,
                digest=authentic.digest,
                data=authentic.data,
            )
        )
        stored = below and journal.stored(key, seq, authentic.digest)
        if decision.hole is not None:
            journal.hole(key, *decision.hole, project, now_ms)
        if decision.head is not None:
            journal.move_head(key, decision.head, birth.project if birth is not None else None, now_ms)
            grown = validate.suspect_growth(key.stream, decision.head, journal.successors(key))
            self._suspect(grown, key, header.seq, now_ms)
        if isinstance(body, record.Birth):
            births.enter(journal, key, body, now_ms, usable=decision.reason is None)
            if decision.head is None:  # it has come after readings that could not be used without it
                replay.stream(journal, key, now_ms)

    def _suspect(self, suspicions: Sequence[validate.Suspicion], key: StreamKey, seq: int, now_ms: int) -> None:
        for suspicion in suspicions:
            self._journal.incident(suspicion.code, key, seq, suspicion.what, now_ms)

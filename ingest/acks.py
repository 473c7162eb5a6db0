"""What to tell each gateway and when: the pure half of the acknowledgement.

In go outcomes and the real time, out comes which gateways are due. `build` reads how far their streams are from the
journal, so an ack never says more than what is on disk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ingest.intake import Outcome
from ingest.store.journal import Journal, StreamKey
from metering import ack, note
from metering.topics import GatewayId

THROTTLE_MS = 250
"""At most one ack a gateway in this time … [ms, real time]."""
AT_ONCE_RECORDS = 16
"""… unless so many records wait for one."""
REPEAT_MS = 60_000
"""While a stream is open, its gateway hears from us at least this often [ms, real time]."""
MOST_STREAMS = 256
"""How many streams one ack names, those heard from last: a gateway that starts again every few seconds would else make
its acks longer than the broker takes, which cuts the connection of all. Whoever misses one sends again and is heard."""


@dataclass(slots=True)
class _Account:
    heard: dict[str, None] = field(default_factory=dict)
    """By when they were heard from last."""
    waiting: int = 0
    at_once: bool = False
    sent_mono_ms: int = 0
    sent: int = 0


class AckBook:
    """Who waits for an ack. What it costs does not grow with the gateways that wait for none."""

    def __init__(self) -> None:
        """Begin a run of ingest: nobody was heard yet."""
        self._accounts: dict[GatewayId, _Account] = {}
        self._waiting: dict[GatewayId, None] = {}
        """Who waits for an ack, now or when its throttle allows it."""
        self._open: dict[GatewayId, None] = {}
        """Who was heard, by when the last ack was sent: the longest ago first."""

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Take what became of a batch; only proved records count."""
        for outcome in outcomes:
            if outcome.gateway is None or outcome.stream is None:
                continue
            account = self._account(outcome.gateway)
            account.waiting += 1
            if outcome.stream not in account.heard:
                account.at_once = True
            account.heard.pop(outcome.stream, None)
            account.heard[outcome.stream] = None
            if len(account.heard) > MOST_STREAMS:
                del account.heard[next(iter(account.heard))]
            self._waiting[outcome.gateway] = None
            self._open.setdefault(outcome.gateway)

    def ask(self, gateways: Iterable[GatewayId]) -> None:
        """Make an ack due at once, for example after a reconnect."""
        for gateway in gateways:
            self._account(gateway).at_once = True
            self._waiting[gateway] = None

    def due(self, mono_ms: int) -> list[GatewayId]:
        """Name the gateways whose ack is due.

        Args:
            mono_ms: real time [ms].
        """
        found = [gateway for gateway in self._waiting if _is_due(self._accounts[gateway], mono_ms)]
        # A stream heard from in this run stays open, so whoever was heard is told again and again.
        for gateway in self._open:
            if mono_ms - self._accounts[gateway].sent_mono_ms < REPEAT_MS:
                break
            if gateway not in self._waiting:
                found.append(gateway)
        return found

    def wait_ms(self, mono_ms: int) -> int:
        """How long until one may become due that somebody waits for [ms, real time]."""
        waits_ms = (_wait_ms(self._accounts[gateway], mono_ms) for gateway in self._waiting)
        return max(0, min(waits_ms, default=THROTTLE_MS))

    def heard(self, gateway: GatewayId) -> frozenset[str]:
        """The streams of a gateway that were heard from in this run, the last `MOST_STREAMS`."""
        return frozenset(self._account(gateway).heard)

    def sent(self, gateway: GatewayId, mono_ms: int) -> int:
        """Count an ack that is about to be sent; gives its number within the run, from 1."""
        account = self._account(gateway)
        account.sent += 1
        account.sent_mono_ms, account.waiting, account.at_once = mono_ms, 0, False
        self._waiting.pop(gateway, None)
        if gateway in self._open:
            del self._open[gateway]
            self._open[gateway] = None
        return account.sent

    def _account(self, gateway: GatewayId) -> _Account:
        return self._accounts.setdefault(gateway, _Account())


def _is_due(account: _Account, mono_ms: int) -> bool:
    return _wait_ms(account, mono_ms) <= 0


def _wait_ms(account: _Account, mono_ms: int) -> int:
    """How long the ack of a gateway that waits for one is held back [ms]."""
    if account.at_once or account.waiting >= AT_ONCE_RECORDS:
        return 0
    return account.sent_mono_ms + THROTTLE_MS - mono_ms


def build(
    journal: Journal, run: str, book: AckBook, gateway: GatewayId, times_ms: tuple[int, int], signer: note.Signer
) -> bytes:
    """Write the ack that is due to a gateway.

    Args:
        journal: says how far each stream is on disk.
        run: the ULID of this start of ingest.
        book: says which streams were heard from; the ack is counted there.
        gateway: who it is for.
        times_ms: wall clock and real time [ms].
        signer: the ack key.

    Returns:
        The exact bytes to publish.
    """
    wall_ms, mono_ms = times_ms
    streams = {}
    for stream in sorted(book.heard(gateway).union(journal.unfinished(gateway, MOST_STREAMS))):
        head = journal.head(StreamKey(gateway.site, gateway.gateway, stream))
        streams[stream] = ack.StreamAck(through=head.seq, digest=head.digest)
    held = journal.held(gateway, ack.MAX_HELD)
    body = ack.Ack(
        site=gateway.site,
        gateway=gateway.gateway,
        journal=journal.journal_id,
        succeeds=journal.succeeds,
        run=run,
        n=book.sent(gateway, mono_ms),
        issued_ms=wall_ms,
        streams=streams,
        held=tuple(ack.HeldPart(stream=stream, seq=seq, reason=reason) for stream, seq, reason in held),
        refused=journal.refused_count(gateway),
    )
    return ack.build(body, signer)

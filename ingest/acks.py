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
    """Who waits for an ack."""

    def __init__(self) -> None:
        """Begin a run of ingest: nobody was heard yet."""
        self._accounts: dict[GatewayId, _Account] = {}

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

    def ask(self, gateways: Iterable[GatewayId]) -> None:
        """Make an ack due at once, for example after a reconnect."""
        for gateway in gateways:
            self._account(gateway).at_once = True

    def due(self, mono_ms: int) -> list[GatewayId]:
        """Name the gateways whose ack is due.

        Args:
            mono_ms: real time [ms].
        """
        return [gateway for gateway, account in self._accounts.items() if _is_due(account, mono_ms)]

    def wait_ms(self, mono_ms: int) -> int:
        """How long until one may become due [ms, real time]."""
        throttled = [
            account.sent_mono_ms + THROTTLE_MS - mono_ms for account in self._accounts.values() if account.waiting
        ]
        return max(0, min(throttled, default=THROTTLE_MS))

    def heard(self, gateway: GatewayId) -> frozenset[str]:
        """The streams of a gateway that were heard from in this run, the last `MOST_STREAMS`."""
        return frozenset(self._account(gateway).heard)

    def sent(self, gateway: GatewayId, mono_ms: int) -> int:
        """Count an ack that is about to be sent; gives its number within the run, from 1."""
        account = self._account(gateway)
        account.sent += 1
        account.sent_mono_ms, account.waiting, account.at_once = mono_ms, 0, False
        return account.sent

    def _account(self, gateway: GatewayId) -> _Account:
        return self._accounts.setdefault(gateway, _Account())


def _is_due(account: _Account, mono_ms: int) -> bool:
    if account.at_once or account.waiting >= AT_ONCE_RECORDS:
        return True
    if not account.heard:
        return False
    # A stream heard from in this run stays open, so whoever was heard is told again and again.
    return mono_ms - account.sent_mono_ms >= (THROTTLE_MS if account.waiting else REPEAT_MS)


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

"""The ingest process: take what is there, commit once, then acknowledge; and again.

In go settings; out come a journal that grows, acks, and the line `ready …` on standard output. The order store → fsync
→ ack → PUBACK is this file's whole reason; it is written down in `Service.step` and nowhere else.
"""

import logging
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from ingest import acks, replay
from ingest.config import IngestSettings
from ingest.consumer import Consumer, Message
from ingest.errors import JournalFullError, SessionTakenError
from ingest.forward import Forwarder
from ingest.intake import LONGEST_TOPIC_KEPT, Intake, Outcome
from ingest.results import Results
from ingest.store.influx import LazyWriter
from ingest.store.journal import Journal, StreamKey
from ingest.store.reader import JournalReader
from ingest.tally import Tally
from ingest.upkeep import Upkeep
from metering import note
from metering.clock import Clock, monotonic_s
from metering.errors import KeyFileError
from metering.keys import KeyRing, load_signer
from metering.topics import ack_topic

log = logging.getLogger(__name__)

_KEYS_LOOK_MS = 1000
_LOOK_FOR_SPACE_S = 1.0
_MOST_LINES = 16
"""How much the log says of one batch."""
_MOST_ACKS = 256
"""How many acks go out between two batches: after a connect every gateway is due one, and reading goes on."""
_MOST_VERIFIERS = 4
"""How many threads check signatures, at most: beyond that the one that stores is the limit."""


class TrustedKeys:
    """`keys.toml`, read again when it changes: a newly enrolled gateway need not wait for a restart."""

    def __init__(self, path: Path, ring: KeyRing, clock: Clock) -> None:
        """Keep what `load` read."""
        self._path = path
        self._ring = ring
        self._clock = clock
        self._stamp = _stamp(path)
        self._looked_ms = clock.mono_ms()

    @classmethod
    def load(cls, path: Path, clock: Clock) -> "TrustedKeys":
        """Read the file.

        Raises:
            KeyFileError: when it is missing or malformed.
        """
        return cls(path, KeyRing.load(path), clock)

    @property
    def ring(self) -> KeyRing:
        """The keys as the file has them, at most a second old; the last good ones while it is malformed."""
        now_ms = self._clock.mono_ms()
        if now_ms - self._looked_ms >= _KEYS_LOOK_MS:
            self._looked_ms = now_ms
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._ring = KeyRing.load(self._path)
                except KeyFileError as error:
                    log.error("the keys stay as they were: %s", error)  # noqa: TRY400 - a sentence, not a traceback
        return self._ring


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


class Service:
    """One ingest shard, without its start and end (see `run`)."""

    def __init__(
        self, journal: Journal, run: str, consumer: Consumer, keys: TrustedKeys, signer: note.Signer,
        clock: Clock, intake: Intake,
    ) -> None:  # fmt: skip
        """Put the parts together.

        Args:
            journal: open for writing.
            run: the ULID of this start.
            consumer: the broker.
            keys: who is trusted.
            signer: the ack key.
            clock: the wall clock and real time.
            intake: takes batches into the journal.
        """
        self._journal = journal
        self._run = run
        self._consumer = consumer
        self._keys = keys
        self._signer = signer
        self._clock = clock
        self._intake = intake
        self._book = acks.AckBook()
        self._epoch = 0
        self.tally = Tally(stepped_s=monotonic_s())

    def step(self) -> None:
        """Wait a moment for messages, then store → fsync → ack → PUBACK; while the disk is full, wait for space."""
        self.tally.stepped_s = monotonic_s()
        self.tally.connected = self._consumer.connected
        if self.tally.disk_full and not self._space_again():
            return
        try:
            self._take_and_acknowledge()
        except JournalFullError as error:
            self._stop_reading(error)

    def settle(self, upkeep: Upkeep) -> None:
        """Do between two batches what only the journal's owner may do."""
        self.tally.bad_months = len(upkeep.bad_months)
        try:
            if not self.tally.disk_full:
                upkeep.settle(self._journal)
        except JournalFullError as error:
            self._stop_reading(error)

    def _stop_reading(self, error: JournalFullError) -> None:
        self.tally.disk_full = True
        log.error("nothing is read until there is space again: %s", error)
        # What was read has no PUBACK: the broker's session keeps it, and so do the gateways.
        self._consumer.leave()

    def _space_again(self) -> bool:
        self._consumer.rest(_LOOK_FOR_SPACE_S)
        if self._journal.has_space():
            self.tally.disk_full = False
            log.info("the disk takes records again")
        return not self.tally.disk_full

    def _take_and_acknowledge(self) -> None:
        # While none can be sent, an ack that waits must not make this loop spin.
        wait_ms = self._book.wait_ms(self._clock.mono_ms()) if self._consumer.room else acks.THROTTLE_MS
        messages = self._consumer.poll(wait_ms / 1000)
        if self._consumer.later_run is not None:
            # Gateways act on no ack of a run below one that they have heard.
            self._run = self._journal.begin_run(self._clock.now_ms(), above=self._consumer.later_run)
            self._consumer.begin_again(self._run)
            self._epoch = 0
        if self._consumer.epoch != self._epoch:
            self._epoch = self._consumer.epoch
            self._book.ask(self._journal.gateways())
        if messages:
            self._book.note(self.commit(messages))
        self.send_acks()
        self._consumer.hand_over()
        if messages:
            self._consumer.acknowledge(messages)

    def commit(self, messages: Sequence[Message]) -> list[Outcome]:
        """Store a batch; when this returns, it is on disk."""
        pairs = [(message.topic, message.payload) for message in messages]
        self.tally.waiting_bytes = sum(len(payload) for _, payload in pairs)
        began_s = monotonic_s()
        outcomes = self._intake.take(pairs, self._keys.ring, self._clock.now_ms())
        self.tally.committed(monotonic_s() - began_s)
        self.tally.waiting_bytes = 0
        self.tally.outcomes.update(outcome.action for outcome in outcomes)
        told = Counter(
            (outcome.action, message.topic[:LONGEST_TOPIC_KEPT], outcome.reason)
            for message, outcome in zip(messages, outcomes, strict=True)
            if outcome.reason is not None
        )
        # Anybody can send nonsense as fast as he likes, on topics that look like lines of this log.
        for (action, topic, reason), times in told.most_common(_MOST_LINES):
            log.warning("%s on %r: %s, %d times", action, topic, reason, times)
        return outcomes

    def send_acks(self) -> None:
        """Tell gateways whose ack is due how far their streams are on disk; the rest follows after the next batch."""
        for gateway in self._book.due(self._clock.mono_ms())[: min(self._consumer.room, _MOST_ACKS)]:
            times_ms = (self._clock.now_ms(), self._clock.mono_ms())
            payload = acks.build(self._journal, self._run, self._book, gateway, times_ms, self._signer)
            if self._consumer.publish(ack_topic(gateway), payload, retain=True):
                self.tally.acks += 1
            else:
                self._book.ask([gateway])


def run(settings: IngestSettings, stop: threading.Event | None = None) -> None:
    """Run ingest until it is told to stop.

    Args:
        settings: the process's configuration.
        stop: set it to end the run; SIGTERM and SIGINT do the same when this is the main thread.

    Raises:
        IngestError: when the journal is in use or damaged, or another client took the session.
        KeyFileError: when a key file cannot be used.
    """
    stop = stop or threading.Event()
    clock = settings.clock.build()
    signer = load_signer(settings.ack_key_file)
    keys = TrustedKeys.load(settings.keys_file, clock)
    with ExitStack() as stack:
        journal = stack.enter_context(Journal.open(settings.journal_path, clock.now_ms()))
        ulid = journal.begin_run(clock.now_ms())
        if replayed := len(replay.everything(journal, keys.ring, clock.now_ms())):
            log.info("%d held records can be used now", replayed)
        consumer = Consumer(settings.broker, settings.shard, clock, journal.journal_id, ulid)
        stack.callback(consumer.close)
        _stop_on_signals(stop, consumer, stack)
        threads = min(_MOST_VERIFIERS, os.cpu_count() or 1)
        pool = stack.enter_context(ThreadPoolExecutor(threads, "verify"))
        intake = Intake(journal, settings.refused_limit_bytes, pool, threads)
        service = Service(journal, ulid, consumer, keys, signer, clock, intake)
        _start_forwarding(settings, clock, stack)
        if settings.metrics is not None:
            from ingest.metrics import Metrics  # noqa: PLC0415 - an ingest that shows none has no memory for it

            forward = None if settings.influxdb is None else settings.forward_path
            stack.enter_context(Metrics(settings.metrics, settings.journal_path, forward, service.tally, clock))
        upkeep = _start_upkeep(settings, clock, stack)
        ready = False
        try:
            while not stop.is_set():
                service.step()
                service.settle(upkeep)
                if consumer.connected and not ready:
                    ready = True
                    _say_ready(settings, journal)
        except SessionTakenError as error:
            # One journal has one owner, so whoever took our session writes another one.
            with journal.transaction():
                key = StreamKey("", settings.shard, journal.journal_id)
                journal.incident("two-journals", key, 0, str(error), clock.now_ms())
            raise


def _start_forwarding(settings: IngestSettings, clock: Clock, stack: ExitStack) -> None:
    """Copy readings into InfluxDB in a thread of its own, so that nothing there ever delays an ack."""
    if settings.influxdb is None:
        return
    end = threading.Event()
    reader = JournalReader(settings.journal_path)
    writer, results_file = LazyWriter(settings.influxdb), settings.influxdb.results_file
    results = None if results_file is None else Results(results_file, writer)
    forwarder = Forwarder(reader, writer, settings.forward_path, clock, results)
    thread = threading.Thread(target=forwarder.run, args=(end,), name="forward")
    thread.start()
    stack.callback(thread.join)
    stack.callback(end.set)


def _start_upkeep(settings: IngestSettings, clock: Clock, stack: ExitStack) -> Upkeep:
    """Check and close months in a thread of its own."""
    end = threading.Event()
    upkeep = Upkeep(settings.journal_path, clock, end)
    thread = threading.Thread(target=upkeep.run, name="upkeep")
    thread.start()
    stack.callback(thread.join)
    stack.callback(end.set)
    return upkeep


def _say_ready(settings: IngestSettings, journal: Journal) -> None:
    broker = f"{settings.broker.host}:{settings.broker.port}"
    sys.stdout.write(f"ready ingest shard={settings.shard} journal={journal.journal_id} broker={broker}\n")
    sys.stdout.flush()


def _stop_on_signals(stop: threading.Event, consumer: Consumer, stack: ExitStack) -> None:
    if threading.current_thread() is not threading.main_thread():
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        consumer.wake()

    for number in (signal.SIGTERM, signal.SIGINT):
        stack.callback(signal.signal, number, signal.signal(number, end))

"""Exact record bytes → readings as arrays: the same from the journal and from a bundle, and pure.

In goes an iterable of records in any order, repeats allowed; out comes `Evidence`. Nothing is verified here: ingest
verified before it stored, and a verifier verifies before he collects.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter

from ingest.store import judged as of_journal
from ingest.store.columns import Columns
from ingest.store.merge import RANK_GAP, RANK_GIVEN_UP, Chunk, Home, absent, merge, without_slots_ahead
from ingest.store.series import Binding, Meter, Series, empty_series
from metering import decode, record
from metering.clock import ClockState
from metering.devicemap import DeviceMap, parse_device_map
from metering.errors import DeviceMapError
from metering.interval import DAY_MS, Interval
from metering.measurands import INT64_MAX
from metering.quality import Quality

LONGEST_SKEW_MS = DAY_MS
"""A reading asked for or answered further from its slot has quality `clock`: its times mean nothing, and one of them
beyond what a calendar or 64 bits can show would keep its project from ever being computed [ms of real time]."""
_FASTEST = 100_000
Place = tuple[Home, int, str]
"""Stream, number, digest."""
Key = tuple[str, str]
"""(point, measurand)."""
Misfit = Callable[[record.Readings | record.Dropped], str | None]
"""Says why readings cannot be read with a certain birth."""


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one stream without a break: each names the digest of the one before."""

    site: str
    gateway: str
    stream: str
    first: int
    """The first record's sequence number."""
    last: int
    """The last sequence number that the run stands for."""
    digest_of_last: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """A record that was given and does not count, and why."""

    stream: str
    seq: int
    reason: str
    """"test-mode", "no-birth" or "shape"."""


@dataclass(frozen=True, slots=True)
class MeterInterval:
    """A meter and the span of slots it was read in."""

    meter: Meter
    interval: Interval
    """From its first slot to the next meter's first, or to one interval after its last slot."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a set of records says about a project's points."""

    births: tuple[record.Birth, ...]
    """Births in live mode, by stream and sequence number."""
    maps: Mapping[str, DeviceMap]
    """Every device map used, by the SHA-256 of its text."""
    digest: str
    """What was computed from: SHA-256 over the digests of all records that count, by stream and sequence number."""
    runs: tuple[Run, ...]
    excluded: tuple[Excluded, ...]
    horizons: tuple[record.Horizon, ...]
    """What gateways said they no longer hold."""
    by_key: Mapping[Key, Series]

    def series(self, point: str, measurand: str) -> Series:
        """The readings of a measurand of a point; a series without rows when there are none."""
        return self.by_key.get((point, measurand)) or empty_series(point, measurand)

    def keys(self) -> tuple[Key, ...]:
        """Every (point, measurand) that was read, in order."""
        return tuple(sorted(self.by_key))

    @property
    def time_factor(self) -> float:
        """The slowest clock factor of any birth; 1.0 without births."""
        return min((birth.time_factor for birth in self.births), default=1.0)

    def meters(self, point: str) -> tuple[MeterInterval, ...]:
        """Which meter stood at a point when, by first slot."""
        spans: dict[Meter, list[int]] = {}
        for (name, _), series in self.by_key.items():
            for place, bound in enumerate(series.bindings if name == point else ()):
                slots = series.time_ms[series.binding == place]
                if len(slots):
                    ends = (int(slots[0]), int(slots[-1]) + bound.interval_ms)
                    old = spans.setdefault(bound.meter, list(ends))
                    spans[bound.meter] = [min(old[0], ends[0]), max(old[1], ends[1])]
        ordered = sorted(spans.items(), key=lambda item: item[1])
        nexts = [*(span[0] for _, span in ordered), INT64_MAX][1:]
        return tuple(
            MeterInterval(meter, Interval(start, max(start, min(end, following))))
            for (meter, (start, end)), following in zip(ordered, nexts, strict=True)
        )


def bind(birth: record.Birth, maps: Mapping[str, DeviceMap]) -> dict[str, tuple[tuple[Key, Binding], ...]]:
    """Say what each point of each group of a birth is read with.

    Args:
        birth: the birth.
        maps: the birth's device maps by digest.

    Returns:
        For each group, its points in birth order.

    Raises:
        DeviceMapError: when a point names a register that its device map does not have.
    """
    bound: dict[str, tuple[tuple[Key, Binding], ...]] = {}
    for group in birth.groups:
        rows = []
        for point in group.points:
            register = maps[group.map].register(point.register_name)
            if register is None or register.measurand.name != point.measurand:
                raise DeviceMapError(
                    f"group {group.group}: point {point.point!r} wants {point.measurand} from register"
                    f" {point.register_name!r}, which device map {group.map} does not hold"
                )
            binding = Binding(
                group=group.group,
                device=group.device,
                meter=Meter(group.meter.make, group.meter.model, group.meter.serial),
                map_digest=group.map,
                register=register,
                unit_id=group.unit_id,
                interval_ms=group.interval_ms,
                blocks=tuple(decode.Block(block.function, block.address, block.count) for block in group.blocks),
            )
            rows.append(((point.point, point.measurand), binding))
        bound[group.group] = tuple(rows)
    return bound


def longest_skew_ms(time_factor: float) -> int:
    """How far from its slot a reading may be asked for or answered where time goes so much faster [ms]."""
    return int(LONGEST_SKEW_MS * min(max(time_factor, 1), _FASTEST))


def collect(records: Iterable[bytes], *, judged: bool = False) -> Evidence:
    """Read records into arrays.

    Args:
        records: exact bytes of births, readings, gaps, dropped, thinned and horizon records of one project.
        judged: they come from a journal that appended them, in its order of stream and number, so the rules of a
            record need not be tried again.

    Returns:
        The evidence. Records in test mode, without a birth before them in their stream, or that do not fit it are
        listed in `excluded` and count for nothing.

    Raises:
        RecordError: when bytes are not a record of a known version.
        DeviceMapError: when a birth's device map cannot be used.
    """
    if judged:
        collector = _Collector(of_journal.fitting)
        for data in records:  # one after the other: none is kept, however many there are
            collector.add(record.digest_of(data), of_journal.read(data))
        return collector.evidence()
    by_digest = {record.digest_of(data): record.parse(data) for data in records}
    collector = _Collector(_fitting)
    for digest, parsed in sorted(by_digest.items(), key=lambda item: _place(item[1], item[0])):
        collector.add(digest, parsed)
    return collector.evidence()


def _fitting(birth: record.Birth) -> Misfit:
    return lambda readings: record.misfit(readings, birth)


class _Collector:
    def __init__(self, fitting: Callable[[record.Birth], Misfit]) -> None:
        self._fitting = fitting
        self._births: list[record.Birth] = []
        self._maps: dict[str, DeviceMap] = {}
        self._bindings: dict[str, tuple[tuple[Key, Binding], ...]] = {}
        self._birth: record.Birth | None = None
        self._misfit: Misfit = lambda _: None
        self._excluded: list[Excluded] = []
        self._horizons: list[tuple[Place, record.Horizon]] = []
        self._counted = _Counted()
        self._columns: dict[str, Columns] = {}
        self._chunks: dict[Key, list[Chunk]] = {}
        self._after: dict[Home, tuple[Home, int]] = {}
        self._last: Place | None = None

    def add(self, digest: str, parsed: record.Record) -> None:
        """Take the next record, in order of stream and sequence number."""
        place = _place(parsed, digest)
        if isinstance(parsed, record.Horizon):  # beside the chain: several may have one number
            self._horizons.append((place, parsed))
            return
        if self._last is not None and place <= self._last:
            if place == self._last:
                return
            raise ValueError(f"record {place} comes after {self._last}; they must come by stream and number")
        self._last = place
        if isinstance(parsed, record.Birth):
            self._birth, self._misfit = parsed, self._fitting(parsed)
        reason = self._exclusion(parsed)
        if reason is not None:
            self._excluded.append(Excluded(parsed.stream, parsed.seq, reason))
            return
        self._counted.add(digest, parsed)
        match parsed:
            case record.Birth():
                self._enter(parsed)
            case record.Readings():
                self._read(parsed)
            case record.Gap():
                self._absent(parsed, parsed.group, Quality.from_label(parsed.reason), RANK_GAP)
            case record.Dropped():
                self._absent(parsed, None, Quality.from_label(parsed.kind), RANK_GIVEN_UP)
                self._read(parsed)  # what a thinned record keeps goes before its own absence

    def _exclusion(self, parsed: record.Record) -> str | None:
        birth = self._birth
        if birth is None or _home(birth) != _home(parsed):
            return "no-birth"
        if birth.mode != "live":
            return "test-mode"
        if isinstance(parsed, record.Readings | record.Dropped) and self._misfit(parsed) is not None:
            return "shape"
        return None

    def _enter(self, birth: record.Birth) -> None:
        self._close()
        self._births.append(birth)
        if birth.after is not None:
            self._after[_home(birth)] = ((birth.after.stream, birth.site, birth.gateway), birth.after.seq)
        for digest, text in birth.device_maps.items():
            if digest not in self._maps:
                self._maps[digest] = parse_device_map(text, f"device map {digest}")
        self._bindings = bind(birth, self._maps)

    def _read(self, readings: record.Readings | record.Dropped) -> None:
        synced = readings.clock.state is ClockState.SYNCHRONISED
        parts: Iterable[record.GroupReadings | of_journal.Group] = readings.groups
        for part in parts:
            if part.slots:  # a record may hold a group without slots
                group = part if isinstance(part, of_journal.Group) else of_journal.group_of(part)
                if part.group not in self._columns:
                    self._columns[part.group] = Columns(len(group.values))
                self._columns[part.group].add(readings.seq, synced=synced, group=group)

    def _close(self) -> None:
        """Make arrays of what was read under a birth: once for all its records is many times as fast as for each."""
        for group, columns in self._columns.items():
            birth = self._births[-1]
            keys, bindings = zip(*self._bindings[group], strict=True)
            made = columns.chunks(_home(birth), bindings, longest_skew_ms(birth.time_factor))
            for key, chunk in zip(keys, made, strict=True):
                self._keep(key, chunk)
        self._columns.clear()

    def _absent(self, part: record.Gap | record.Dropped, group: str | None, quality: Quality, rank: int) -> None:
        groups = self._bindings.values() if group is None else [self._bindings.get(group, ())]
        for key, binding in (row for rows in groups for row in rows):
            self._keep(key, absent(_home(part), part.seq, binding, part.from_ms, part.to_ms, quality, rank))

    def _keep(self, key: Key, chunk: Chunk) -> None:
        if len(chunk.time_ms):  # a gap may lie between two slots
            self._chunks.setdefault(key, []).append(chunk)

    def evidence(self) -> Evidence:
        """Join what was taken."""
        self._close()
        return Evidence(
            births=tuple(self._births),
            maps=self._maps,
            digest=self._counted.digest,
            runs=self._counted.runs,
            excluded=tuple(self._excluded),
            horizons=tuple(horizon for _, horizon in sorted(self._horizons, key=itemgetter(0))),
            by_key={key: merge(*key, without_slots_ahead(chunks, self._after)) for key, chunks in self._chunks.items()},
        )


def chain_end(parsed: record.Record, digest: str) -> tuple[int, str | None]:
    """Where the chain goes on after a record: the last number it stands for, and the digest the next one names.

    Args:
        parsed: the record.
        digest: the digest of its exact bytes.
    """
    match parsed:
        case record.Dropped():
            return parsed.through, parsed.replaces
        case record.Horizon():
            return parsed.oldest_seq - 1, parsed.digest_before
        case _:
            return parsed.seq, digest


class _Counted:
    """What counts, in order: its digest, and its runs."""

    def __init__(self) -> None:
        self._seen = hashlib.sha256()
        self._runs: list[Run] = []
        self._follows: tuple[Home, int, str | None] | None = None

    def add(self, digest: str, parsed: record.Record) -> None:
        self._seen.update(digest.encode())
        last, next_prev = chain_end(parsed, digest)
        chained = self._follows == (_home(parsed), parsed.seq, parsed.prev)
        first = self._runs.pop().first if chained else parsed.seq
        self._runs.append(Run(parsed.site, parsed.gateway, parsed.stream, first, last, digest))
        self._follows = (_home(parsed), last + 1, next_prev)

    @property
    def digest(self) -> str:
        return self._seen.hexdigest()

    @property
    def runs(self) -> tuple[Run, ...]:
        return tuple(self._runs)


def _place(parsed: record.Record, digest: str) -> Place:
    return _home(parsed), parsed.seq, digest


def _home(parsed: record.Record) -> Home:
    return parsed.stream, parsed.site, parsed.gateway

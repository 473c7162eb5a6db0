"""Which signed records say something about a reading: the last step down, to bytes that anyone can hash.

In: exact record bytes, births included, and the readings that are asked about. Out: for each reading every record that
speaks of it, also those that repeat or contradict it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from metering import record
from metering.quality import Quality

Asked = tuple[str, str, int]
"""Point, measurand and slot [ms]."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What one record says about one reading."""

    gateway: str
    """"{site}/{gateway}"."""
    stream: str
    seq: int
    digest: str
    """SHA-256 of the record's exact bytes [hex]."""
    kind: str
    value: int | None
    """[quanta]; None = it says that there is none."""
    quality: Quality


def tellings(records: Iterable[bytes], asked: Collection[Asked]) -> Mapping[Asked, tuple[Telling, ...]]:
    """Find what records say about readings.

    Args:
        records: each stream's births and whatever may speak of the slots, in any order.
        asked: which readings.

    Returns:
        For each reading that is spoken of, the records by stream and sequence number.

    Raises:
        RecordError: when bytes are not a record of a known version.
    """
    found: dict[Asked, dict[str, Telling]] = {}
    births: dict[tuple[str, str], record.Birth] = {}
    parsed = [(record.digest_of(data), record.parse(data)) for data in records]
    for digest, one in sorted(parsed, key=lambda item: (item[1].stream, item[1].seq, item[0])):
        home = (str(one.gateway_id), one.stream)
        if isinstance(one, record.Birth):
            births[home] = one
        birth = births.get(home)
        if birth is None or birth.mode != "live":
            continue
        for key, value, quality in _says(one, birth, asked):
            telling = Telling(home[0], one.stream, one.seq, digest, one.kind, value, quality)
            # A record that keeps a reading of those it gave up says both; the reading is what counts.
            found.setdefault(key, {}).setdefault(digest, telling)
    return {key: tuple(by_digest.values()) for key, by_digest in found.items()}


def _says(
    one: record.Record, birth: record.Birth, asked: Collection[Asked]
) -> Iterator[tuple[Asked, int | None, Quality]]:
    groups = {part.group: part for part in birth.groups}
    if isinstance(one, record.Readings | record.Dropped):
        if record.misfit(one, birth) is not None:
            return
        for readings in one.groups:
            yield from _of_group(readings, groups[readings.group], asked)
    if isinstance(one, record.Gap | record.Dropped):
        reason = Quality.from_label(one.reason if isinstance(one, record.Gap) else one.kind)
        here = groups.values() if isinstance(one, record.Dropped) or one.group is None else [groups.get(one.group)]
        points = {(point.point, point.measurand) for part in here if part is not None for point in part.points}
        for key in asked:
            if key[:2] in points and one.from_ms <= key[2] < one.to_ms:
                yield key, None, reason


def _of_group(
    readings: record.GroupReadings, part: record.GroupPart, asked: Collection[Asked]
) -> Iterator[tuple[Asked, int | None, Quality]]:
    codes = {(point, slot): Quality(code) for point, slot, code in readings.quality}
    for place, point in enumerate(part.points):
        for at, slot_ms in enumerate(readings.slots):
            key = (point.point, point.measurand, slot_ms)
            if key in asked:
                yield key, readings.values[place][at], codes.get((place, at), Quality.OK)

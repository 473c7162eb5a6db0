"""The reckoning: what the meters served against what the journal holds. Pure but for reading the two files.

In: the simulators' ledger and the journal's records. Out: readings served, committed, lost, doubled, wrong, per
project. A reading is one point's value in one answer; an answer is one block of registers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.store.reader import JournalReader
from metering import decode, record
from metering.devicemap import parse_device_map
from metering.interval import Interval
from metering.measurands import INT64_MAX
from metering.quality import Quality
from simulators.ledger import ServedAnswer, read_ledger
from simulators.score import ExplainedGap, JournalledAnswer, Score, score

_NOT_ANSWERED = frozenset({Quality.NO_ANSWER, Quality.EXCEPTION, Quality.BAD_FRAME})
_SKEW_MS = 2  # two processes round the same clock to milliseconds

BlockKey = tuple[str, int, int, int]
"""(device, function, address, number of words)."""


@dataclass(frozen=True, slots=True)
class Account:
    """The reckoning of one project, in readings."""

    project: str
    served: int
    committed: int
    lost: int
    duplicated: int
    wrong: int
    explained: int
    """Served, not in the journal, but inside a gap that the journal owns up to."""
    gaps: int
    """Gap records in the journal."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return not (self.lost or self.duplicated or self.wrong)


def account(project: str, ledger: Path, journal: Path) -> Account:
    """Compare what one project's meters served with what the journal holds.

    Args:
        project: the project's id.
        ledger: the simulators' SQLite file.
        journal: ingest's SQLite file.
    """
    stored = JournalReader(journal).records(project, 0, INT64_MAX)
    contents = read_records(record.parse(each.data) for each in stored)
    factor = contents.time_factor
    # Answers of other blocks are no readings: a gateway also looks at serial numbers, to know which meter it talks to.
    served = [answer for answer in read_ledger(ledger, project) if _block_of(answer) in contents.points_in]
    result = score(served, contents.answers, contents.gaps, tolerance_ms=max(_SKEW_MS, int(_SKEW_MS * factor)))
    return _in_readings(project, served, result, contents)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a project's records say."""

    answers: tuple[JournalledAnswer, ...]
    gaps: tuple[ExplainedGap, ...]
    points_in: dict[BlockKey, int]
    """How many points are decoded from a block."""
    time_factor: float


def read_records(records: Iterable[record.Record]) -> Contents:
    """Take answers and gaps out of records.

    Args:
        records: births, readings and gaps, by stream and sequence number.
    """
    groups: dict[str, record.GroupPart] = {}
    indices: dict[str, list[int | None]] = {}
    answers: list[JournalledAnswer] = []
    gaps: list[ExplainedGap] = []
    points_in: dict[BlockKey, int] = {}
    factor = 1.0
    for parsed in records:
        match parsed:
            case record.Birth():
                factor = max(factor, parsed.time_factor)
                for group in parsed.groups:
                    groups[group.group] = group
                    indices[group.group] = _block_of_points(group, parsed.device_maps[group.map])
                    points_in |= _points_in(group, indices[group.group])
            case record.Readings():
                for part in parsed.groups:
                    answers += _answers(groups[part.group], indices[part.group], part)
            case record.Gap():
                device = None if parsed.group is None else groups[parsed.group].device
                gaps.append(ExplainedGap(device, Interval(parsed.from_ms, parsed.to_ms)))
            case _:
                pass
    return Contents(tuple(answers), tuple(gaps), points_in, factor)


def _block_of(answer: ServedAnswer | JournalledAnswer) -> BlockKey:
    return (answer.device, answer.function, answer.address, len(answer.words) // 2)


def _blocks(group: record.GroupPart) -> tuple[decode.Block, ...]:
    return tuple(decode.Block(block.function, block.address, block.count) for block in group.blocks)


def _block_of_points(group: record.GroupPart, map_text: str) -> list[int | None]:
    device_map = parse_device_map(map_text)
    places: list[int | None] = []
    for point in group.points:
        register = device_map.register(point.register_name)
        places.append(
            None
            if register is None
            else next(
                (
                    index
                    for index, block in enumerate(group.blocks)
                    if block.function == register.function
                    and block.address <= register.address < block.address + block.count
                ),
                None,
            )
        )
    return places


def _points_in(group: record.GroupPart, places: list[int | None]) -> dict[BlockKey, int]:
    return {
        (group.device, block.function, block.address, block.count): places.count(index)
        for index, block in enumerate(group.blocks)
    }


def _answers(
    group: record.GroupPart, places: list[int | None], part: record.GroupReadings
) -> Iterator[JournalledAnswer]:
    codes = {(point, slot): code for point, slot, code in part.quality}
    blocks = _blocks(group)
    for slot, slot_ms in enumerate(part.slots):
        if not part.raw[slot]:
            continue
        words = decode.unpack_words(part.raw[slot])
        for index, block in enumerate(blocks):
            points = [point for point, place in enumerate(places) if place == index]
            if all(codes.get((point, slot), Quality.OK) in _NOT_ANSWERED for point in points):
                continue
            own = decode.words_at(blocks, words, block.function, block.address, block.count) or ()
            yield JournalledAnswer(
                device=group.device,
                function=block.function,
                address=block.address,
                words=b"".join(word.to_bytes(2) for word in own),
                slot_ms=slot_ms,
                sent_ms=slot_ms + part.sent[slot],
                received_ms=slot_ms + part.received[slot],
            )


def _in_readings(project: str, served: Iterable[ServedAnswer], result: Score, contents: Contents) -> Account:
    def readings(answers: Iterable[ServedAnswer | JournalledAnswer]) -> int:
        return sum(contents.points_in[_block_of(each)] for each in answers)

    return Account(
        project=project,
        served=readings(served),
        committed=readings(contents.answers),
        lost=readings(result.lost),
        duplicated=readings(result.doubled),
        wrong=readings(result.wrong),
        explained=readings(result.explained),
        gaps=len(contents.gaps),
    )

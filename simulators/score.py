"""In: what was served, and what a consumer's journal received. Out: what is lost, doubled, wrong or late.

Pure. An answer is one block of registers of one device. The journal is right when each of its answers is one answer
of the ledger, word for word, served between the sending of its request and its reception, and no answer of the ledger
is used twice or left over, unless a gap explains it.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from metering.interval import Interval
from simulators.ledger import ServedAnswer

_Block = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class JournalledAnswer:
    """One block of registers as a consumer's journal holds it."""

    device: str
    function: int
    address: int
    words: bytes
    """Big-endian, two bytes a register."""
    slot_ms: int
    """The slot it was booked to [ms since the Unix epoch]."""
    sent_ms: int
    """When its request was sent [ms since the Unix epoch]."""
    received_ms: int
    """When it was received [ms since the Unix epoch]."""


@dataclass(frozen=True, slots=True)
class ExplainedGap:
    """A gap that the consumer's records own up to: what a device answered within it need not be in the journal."""

    device: str | None
    """One device; all when absent."""
    interval: Interval
    """From the first missed slot to the end of the last one (its start plus the polling interval)."""


@dataclass(frozen=True, slots=True)
class Score:
    """The result; `clean` is what to ask first."""

    served: int
    journalled: int
    matched: int
    lost: tuple[ServedAnswer, ...]
    """Served, not journalled, not in an explained gap."""
    explained: tuple[ServedAnswer, ...]
    """Served, not journalled, in an explained gap."""
    doubled: tuple[JournalledAnswer, ...]
    """Right in itself, but the one answer that was served is in the journal already."""
    wrong: tuple[JournalledAnswer, ...]
    """No such words were served between its sending and its reception."""
    late: tuple[JournalledAnswer, ...]
    """Matched, but received longer after its slot than allowed, and not marked so by the journal."""

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled, wrong or late."""
        return not (self.lost or self.doubled or self.wrong or self.late)


def score(
    served: Iterable[ServedAnswer],
    journalled: Iterable[JournalledAnswer],
    gaps: Sequence[ExplainedGap] = (),
    *,
    tolerance_ms: int = 0,
    late_after_ms: int | None = None,
) -> Score:
    """Compare a journal with the ledger, for one project.

    Args:
        served: the ledger's answers of the project.
        journalled: the journal's good answers of the project.
        gaps: what the journal's gap records explain.
        tolerance_ms: how far an instant may lie outside [sent, received], for clocks that differ and for rounding [ms].
        late_after_ms: how long after its slot an answer may be received; not judged when absent [ms].
    """
    all_served, all_journalled = list(served), list(journalled)
    candidates = _by_block(all_served)
    used: set[int] = set()
    matched: list[JournalledAnswer] = []
    doubled: list[JournalledAnswer] = []
    wrong: list[JournalledAnswer] = []
    # The earliest to be received takes the earliest that fits: with windows on a line this matches as many as can be.
    for entry in sorted(all_journalled, key=lambda each: (each.received_ms, each.sent_ms)):
        fitting = _fitting(candidates.get(_journalled_block(entry), []), entry, tolerance_ms)
        free = next((each for each in fitting if id(each) not in used), None)
        if free is not None:
            used.add(id(free))
            matched.append(entry)
        else:
            (doubled if fitting else wrong).append(entry)
    left = [each for each in all_served if id(each) not in used]
    explained = tuple(each for each in left if _is_explained(each, gaps))
    return Score(
        served=len(all_served),
        journalled=len(all_journalled),
        matched=len(matched),
        lost=tuple(each for each in left if not _is_explained(each, gaps)),
        explained=explained,
        doubled=tuple(doubled),
        wrong=tuple(wrong),
        late=tuple(each for each in matched if _is_late(each, late_after_ms)),
    )


def _by_block(served: Iterable[ServedAnswer]) -> dict[_Block, list[ServedAnswer]]:
    blocks: dict[_Block, list[ServedAnswer]] = defaultdict(list)
    for answer in sorted(served, key=lambda each: each.served_ms):
        blocks[answer.device, answer.function, answer.address, len(answer.words)].append(answer)
    return blocks


def _journalled_block(entry: JournalledAnswer) -> _Block:
    return (entry.device, entry.function, entry.address, len(entry.words))


def _fitting(served: list[ServedAnswer], entry: JournalledAnswer, tolerance_ms: int) -> list[ServedAnswer]:
    first = bisect_left(served, entry.sent_ms - tolerance_ms, key=lambda each: each.served_ms)
    last = bisect_right(served, entry.received_ms + tolerance_ms, key=lambda each: each.served_ms)
    return [each for each in served[first:last] if each.words == entry.words]


def _is_explained(answer: ServedAnswer, gaps: Sequence[ExplainedGap]) -> bool:
    return any(gap.device in (None, answer.device) and answer.served_ms in gap.interval for gap in gaps)


def _is_late(entry: JournalledAnswer, late_after_ms: int | None) -> bool:
    return late_after_ms is not None and entry.received_ms - entry.slot_ms > late_after_ms

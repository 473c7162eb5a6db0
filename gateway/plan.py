"""Which requests read a poll group: registers in, blocks out. Pure.

A block is one request. It lies inside one range that the device lets us read, asks for no more than the device gives,
and holds a scale factor together with its value, since the factor may change between two requests. Among all plans
that do, the cheapest is taken: a hole is read with its neighbours when that costs less than one more request.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.errors import PlanError
from metering.decode import Block
from metering.devicemap import DeviceMap, Register

MAX_WORDS = 125
"""Most registers that one Modbus request may ask for."""
REQUEST_WORDS = 64
"""What one more request costs over TCP, in registers: a request, its answer and their headers are about 130 bytes."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Consecutive registers."""

    function: int
    """3 = holding registers, 4 = input registers."""
    first: int
    """[register address, 0-based]"""
    end: int
    """The address behind the last register."""

    def holds(self, other: "Span") -> bool:
        """Tell whether another span lies inside."""
        return self.function == other.function and self.first <= other.first and other.end <= self.end


Cut = tuple[int, int]
"""(function, address): what begins at or behind the address is never read in one request with what begins before it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests may be like."""

    max_words: int = MAX_WORDS
    """Most registers that one request to this device may ask for."""
    readable: tuple[Span, ...] = ()
    """Ranges in which every address may be read; empty: only what the registers themselves cover."""
    request_words: int = REQUEST_WORDS
    """What one more request costs, in registers that could be read instead."""
    cuts: frozenset[Cut] = frozenset()
    """Where this device refused a larger request."""


def limits_of(device_map: DeviceMap, request_words: int = REQUEST_WORDS, cuts: Iterable[Cut] = ()) -> Limits:
    """Say what requests to a model may be like.

    Args:
        device_map: of the model; without declared ranges, only what holds something in it is readable.
        request_words: what one more request costs on its line, in registers.
        cuts: where the device refused a larger request.
    """
    access = device_map.access
    declared = tuple(Span(part.function, part.first, part.last + 1) for part in access.readable)
    return Limits(
        access.max_words, declared or _runs(map(span_of, device_map.registers)), request_words, frozenset(cuts)
    )


def plan_blocks(registers: Iterable[Register], limits: Limits | None = None) -> tuple[Block, ...]:
    """Lay out the requests for a group of registers.

    Args:
        registers: of one device, in any order.
        limits: what requests may be like.

    Returns:
        Blocks in order of function and address; each register and its scale factor lie in one block. Equal registers
        and limits give equal blocks.

    Raises:
        PlanError: when no allowed request reads a register together with its scale factor; names the register.
    """
    limits = limits or Limits()
    wanted = {span_of(register): register for register in registers}
    ranges = sorted(limits.readable) or list(_runs(wanted))
    by_range: dict[Span, list[Span]] = {}
    for span, register in sorted(wanted.items(), key=lambda item: item[0]):
        by_range.setdefault(_range_of(register, span, ranges, limits.max_words), []).append(span)
    blocks = [block for spans in by_range.values() for block in _cover(outermost(spans), limits)]
    return tuple(sorted(blocks, key=lambda block: (block.function, block.address)))


def span_of(register: Register) -> Span:
    """The addresses that must be read in one request: a register, its scale factor and what lies between."""
    first, end = register.address, register.address + register.words
    if register.scale_register is not None:
        first = min(first, register.scale_register.address)
        end = max(end, register.scale_register.address + 1)
    return Span(register.function, first, end)


def outermost(spans: Iterable[Span]) -> list[Span]:
    """Leave out spans inside others; of what remains, firsts and ends both increase."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.function, span.first, -span.end)):
        if not kept or not kept[-1].holds(span):
            kept.append(span)
    return kept


def _runs(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join spans that touch or overlap."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and joined[-1].function == span.function and span.first <= joined[-1].end:
            joined[-1] = Span(span.function, joined[-1].first, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return tuple(joined)


def _range_of(register: Register, span: Span, ranges: Sequence[Span], max_words: int) -> Span:
    what = f"register {register.name!r}" + (" and its scale factor" if register.scale_register else "")
    words = span.end - span.first
    if words > max_words:
        raise PlanError(f"{what} span {words} addresses; one request reads at most {max_words}")
    found = next((candidate for candidate in ranges if candidate.holds(span)), None)
    if found is None:
        raise PlanError(
            f"{what} at {span.first} to {span.end - 1} lie in no one range that the device map calls readable"
        )
    return found


def _cover(spans: Sequence[Span], limits: Limits) -> list[Block]:
    """Split spans of one range into the cheapest blocks; the shortest last one among equals."""
    is_cut = [False, *(_is_cut(before, behind, limits.cuts) for before, behind in pairwise(spans))]
    best = [(0, 0, 0)]  # of the first n spans: cost [registers], requests, where the last block begins
    for count in range(1, len(spans) + 1):
        end, chosen = spans[count - 1].end, None
        for begin in reversed(range(count)):
            words = end - spans[begin].first
            if words > limits.max_words:
                break
            cost, requests, _ = best[begin]
            choice = (cost + limits.request_words + words, requests + 1, begin)
            chosen = choice if chosen is None or choice[:2] < chosen[:2] else chosen
            if is_cut[begin]:
                break
        best.append(chosen or best[-1])
    return _blocks(spans, [begin for _, _, begin in best])


def _blocks(spans: Sequence[Span], begins: Sequence[int]) -> list[Block]:
    """Walk back from the last span: `begins` says where the last block of the first n spans begins."""
    blocks: list[Block] = []
    end = len(spans)
    while end:
        first = spans[begins[end]]
        blocks.append(Block(first.function, first.first, spans[end - 1].end - first.first))
        end = begins[end]
    return blocks


def _is_cut(before: Span, behind: Span, cuts: frozenset[Cut]) -> bool:
    return any(function == before.function and before.first < address <= behind.first for function, address in cuts)

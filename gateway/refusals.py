"""What to do when a device refuses a request that the plan thought allowed: find out where to cut it, and remember.

A refused block is halved until its parts are answered; the next plan makes no request across those places. What was
learned lives in a small file beside the outbox; a lost one is learned again.
"""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.entries import SlotReading
from gateway.plan import Cut, Span, outermost, span_of
from gateway.poll import PollGroup, Reader
from metering.decode import Block, holds
from metering.quality import Quality

_LOG = logging.getLogger("gateway.refusals")


class _OtherTroubleError(Exception):
    """The device is silent or busy: what it says now tells nothing about the request."""


def refused_blocks(group: PollGroup, reading: SlotReading) -> list[Block]:
    """Name the blocks of a slot that were answered with an exception and could be asked for in parts.

    Args:
        group: what was read.
        reading: what came of it.
    """
    if not reading.quality:
        return []
    codes = dict(reading.quality)
    refused = [register for at, register in enumerate(group.registers) if codes.get(at) is Quality.EXCEPTION]
    blocks = [block for block in group.blocks if any(holds(block, register) for register in refused)]
    return [block for block in blocks if len(_spans(group, block)) > 1]


async def find_cuts(group: PollGroup, block: Block, reader: Reader) -> frozenset[Cut]:
    """Ask for the parts of a refused block.

    Args:
        group: to which it belongs.
        block: was refused a moment ago.
        reader: the device.

    Returns:
        Where to cut so that as much as possible is answered. Nothing when the whole is answered after all, before or
        after its parts were, when no part is, or when the device falls silent or has other trouble than the request.
    """
    spans = _spans(group, block)
    try:
        cuts, answered = await _halve(group.unit, spans, reader)
        if not cuts or not answered or await _answers(group.unit, spans, reader):
            return frozenset()
    except _OtherTroubleError:
        return frozenset()
    return frozenset(cuts)


async def _halve(unit: int, spans: Sequence[Span], reader: Reader) -> tuple[set[Cut], bool]:
    """Give the cuts that a run of registers needs, and whether any of it is answered then."""
    if await _answers(unit, spans, reader):
        return set(), True
    if len(spans) == 1:
        return set(), False
    middle = len(spans) // 2
    left, left_answered = await _halve(unit, spans[:middle], reader)
    right, right_answered = await _halve(unit, spans[middle:], reader)
    if not (left_answered or right_answered):
        return set(), False
    return left | right | {(spans[middle].function, spans[middle].first)}, True


async def _answers(unit: int, spans: Sequence[Span], reader: Reader) -> bool:
    first = spans[0]
    answer = await reader.read(unit, first.function, first.first, spans[-1].end - first.first)
    if answer.words is None and not answer.refused:
        raise _OtherTroubleError
    return answer.words is not None


def _spans(group: PollGroup, block: Block) -> list[Span]:
    return outermost({span_of(register) for register in group.registers if holds(block, register)})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _GroupCuts(_Table):
    map: str
    """Digest of the device map that the plan came from; another map may name other registers."""
    cuts: tuple[tuple[Literal[3, 4], Annotated[int, Field(ge=0, le=65535)]], ...]


class _Learned(_Table):
    type: Literal["sakugen.cuts/1"] = "sakugen.cuts/1"
    groups: dict[str, _GroupCuts]


def load_cuts(path: Path, maps: Mapping[str, str]) -> dict[str, frozenset[Cut]]:
    """Read what was learned.

    Args:
        path: the file; none, or one that cannot be read, means that nothing was learned yet.
        maps: the digest of the device map of each poll group; what was learned under another one is left out.
    """
    try:
        learned = _Learned.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        _LOG.warning("%s cannot be used (%s); what devices refuse is learned again", path, type(error).__name__)
        return {}
    return {group: frozenset(known.cuts) for group, known in learned.groups.items() if maps.get(group) == known.map}


def save_cuts(path: Path, cuts: Mapping[str, frozenset[Cut]], maps: Mapping[str, str]) -> None:
    """Write what was learned; the file is whole at every moment.

    Args:
        path: the file.
        cuts: by poll group.
        maps: the digest of the device map of each poll group.
    """
    groups = {name: {"map": maps[name], "cuts": sorted(found)} for name, found in cuts.items() if name in maps}
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"type": "sakugen.cuts/1", "groups": groups}, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)

"""Readings of one poll group under one birth, record after record → the columns of its series.

In go groups as the records hold them, out come chunks, which share the columns of when and how they were read.
Everything is kept as plain numbers from the start.
"""

from array import array
from collections.abc import Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ingest.store.judged import Group
from ingest.store.merge import Chunk, Home
from ingest.store.series import Binding
from metering.quality import Quality


class Columns:
    """What was read of a group so far."""

    def __init__(self, points: int) -> None:
        """Begin with nothing.

        Args:
            points: how many the group has.
        """
        self._slots, self._sent, self._received = array("q"), array("q"), array("q")
        self._values = [array("q") for _ in range(points)]
        self._marks, self._marked = array("q"), array("q")
        self._raw: list[str] = []
        self._rows, self._seq, self._synced = array("q"), array("q"), array("b")

    def add(self, seq: int, *, synced: bool, group: Group) -> None:
        """Take the readings of a record.

        Args:
            seq: its number in its stream.
            synced: whether it calls its clock synchronised.
            group: the readings, for as many points.
        """
        self._slots.extend(group.slots)
        self._sent.extend(group.sent)
        self._received.extend(group.received)
        for column, row in zip(self._values, group.values, strict=True):
            column.extend(row)
        self._raw.extend(group.raw)
        self._marks.extend(chain.from_iterable(group.quality))
        self._marked.append(len(group.quality))
        self._rows.append(len(group.slots))
        self._seq.append(seq)
        self._synced.append(synced)

    def chunks(self, home: Home, bindings: tuple[Binding, ...], longest_ms: int) -> Iterator[Chunk]:
        """Make a chunk for each point; nothing can be added afterwards.

        Args:
            home: the stream.
            bindings: what each point was read with.
            longest_ms: readings asked for or answered further from their slot have no value [ms].
        """
        slots, sent, received = (
            np.frombuffer(column, np.int64) for column in (self._slots, self._sent, self._received)
        )
        absurd = (sent > longest_ms) | (sent < -longest_ms) | (received > longest_ms) | (received < -longest_ms)
        if absurd.any():
            sent, received = np.where(absurd, 0, sent), np.where(absurd, 0, received)
        rows = np.frombuffer(self._rows, np.int64)
        seq, synced = (
            np.repeat(np.frombuffer(self._seq, np.int64), rows),
            np.repeat(np.frombuffer(self._synced, np.bool_), rows),
        )
        sent, received, raw = slots + sent, slots + received, _texts(self._raw)
        codes = np.zeros((len(bindings), len(slots)), np.uint8)
        point, row, code = np.frombuffer(self._marks, np.int64).reshape(-1, 3).T
        codes[point, row + np.repeat(np.cumsum(rows) - rows, np.frombuffer(self._marked, np.int64))] = code
        for binding, column, quality in zip(bindings, self._values, codes, strict=True):
            value = np.frombuffer(column, np.int64)
            if absurd.any():
                value, quality[absurd] = np.where(absurd, 0, value), Quality.CLOCK
            yield Chunk(home, seq, slots, value, quality, sent, received, raw, binding, synced, rank=None)


def _texts(texts: list[str]) -> NDArray[np.object_]:
    found = np.empty(len(texts), object)
    found[:] = texts
    return found

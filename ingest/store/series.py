"""The readings of one measurand of one point, as arrays; and what each reading was read with.

In goes nothing by itself (`readings.collect` makes these), out come numpy arrays for compute and raw words for a
verifier.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import overload

import numpy as np
from numpy.typing import NDArray

from metering import decode
from metering.devicemap import Register
from metering.quality import VALUED, Quality

Int64Array = NDArray[np.int64]
UInt8Array = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

VALUED_CODES = np.array(sorted(VALUED), np.uint8)
"""The codes that come with a value."""
_HAS_VALUE = np.isin(np.arange(256, dtype=np.uint8), VALUED_CODES)


@dataclass(frozen=True, slots=True)
class Meter:
    """An instrument, as the gateway's configuration names it."""

    make: str
    model: str
    serial: str


@dataclass(frozen=True, slots=True)
class Binding:
    """What a stretch of readings was read with."""

    group: str
    """The poll group, "{device}/{group}"."""
    device: str
    meter: Meter
    map_digest: str
    """SHA-256 of the device map's text."""
    register: Register
    unit_id: int
    interval_ms: int
    """From one due slot to the next [ms]."""
    blocks: tuple[decode.Block, ...]
    """The requests of the group, in birth order: the layout of its raw words."""


@dataclass(frozen=True, slots=True)
class RawWords:
    """The register words that a value was decoded from."""

    words: tuple[int, ...]
    """The register's own 16-bit words in address order."""
    scale_word: int | None
    """The word of its scale register, when it has one."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """All readings of one (point, measurand), one row a slot, sorted by slot."""

    point: str
    measurand: str
    time_ms: Int64Array
    """Slots [ms since the Unix epoch], strictly increasing."""
    value: Int64Array
    """Quanta of the measurand; 0 and meaningless where `valued` is False."""
    quality: UInt8Array
    """`metering.quality.Quality` codes."""
    sent_ms: Int64Array
    """When the first request went out [ms since the Unix epoch]; the slot itself where there was none."""
    received_ms: Int64Array
    """When the last answer was in [ms since the Unix epoch]; the slot itself where there was no request."""
    synced: BoolArray
    """Whether the gateway called its clock synchronised when it sealed the reading."""
    binding: NDArray[np.int32]
    """For each row, its place in `bindings`."""
    bindings: tuple[Binding, ...]
    """Everything the series was read with, in order of first use."""
    raw_text: Sequence[str]
    """For each row, the base64 words of the whole group, "" where none answered; use `raw`."""

    def __len__(self) -> int:
        """How many slots it has."""
        return len(self.time_ms)

    @property
    def valued(self) -> BoolArray:
        """Where there is a value: quality ok or late-read."""
        return np.asarray(_HAS_VALUE[self.quality])

    @property
    def register(self) -> Register | None:
        """The register of the last row; None for a series without rows."""
        return self.bindings[int(self.binding[-1])].register if len(self) else None

    def bound(self, row: int) -> Binding:
        """What a row was read with."""
        return self.bindings[int(self.binding[row])]

    def raw(self, row: int) -> RawWords | None:
        """Give the register words of a row; None when nothing answered or the record's words do not fit its birth."""
        bound = self.bound(row)
        try:
            words = decode.unpack_words(self.raw_text[row])
        except ValueError:
            return None
        if len(words) != sum(block.count for block in bound.blocks):
            return None
        found = decode.register_words(bound.register, bound.blocks, words)
        return None if found is None else RawWords(*found)

    def decoded_again(self, row: int) -> int | Quality | None:
        """Decode a row once more from its raw words, with the device map that its birth carries.

        Returns:
            The value [quanta], or why the words hold none, or None when there are no words.
        """
        raw = self.raw(row)
        return None if raw is None else decode.decode(self.bound(row).register, raw.words, raw.scale_word)

    def step(self, row: int) -> int | None:
        """One step of the register at a row, rounded up [quanta]; None when its words do not tell."""
        raw = self.raw(row)
        return None if raw is None else decode.resolution(self.bound(row).register, raw.words, raw.scale_word)


class NoWords(Sequence[str]):
    """The words of rows whose words are not at hand: "" for each, and no memory for any."""

    def __init__(self, rows: int) -> None:
        """Keep how many rows there are."""
        self._rows = range(rows)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> "NoWords": ...
    def __getitem__(self, at: int | slice) -> "str | NoWords":
        """The words of one row or of some."""
        if isinstance(at, slice):
            return NoWords(len(self._rows[at]))
        if not -len(self._rows) <= at < len(self._rows):
            raise IndexError(at)
        return ""


class Words(Sequence[str]):
    """The words of rows, in an array that all series of a poll group share."""

    def __init__(self, texts: NDArray[np.object_]) -> None:
        """Keep the words of each row."""
        self._texts = texts

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        """The words of each row."""
        return iter(self._texts.tolist())

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> "Words": ...
    def __getitem__(self, at: int | slice) -> "str | Words":
        """The words of one row or of some."""
        return Words(self._texts[at]) if isinstance(at, slice) else str(self._texts[at])


@dataclass(frozen=True, slots=True, eq=False)
class ArchivedSeries(Series):
    """A series without its raw words, which are in the journal."""

    steps: Int64Array
    """For registers with a scale register: the step at each row [quanta], 0 where its words did not tell."""

    def step(self, row: int) -> int | None:
        """One step of the register at a row, rounded up [quanta]; None without a value, and for floats."""
        register = self.bound(row).register
        if register.scale_register is not None:
            return int(self.steps[row]) or None
        return None if register.type.is_float or not _HAS_VALUE[self.quality[row]] else ceil(register.step)


def empty_series(point: str, measurand: str) -> Series:
    """A series without rows."""
    none = np.empty(0, np.int64)
    no_codes, no_flags, no_bindings = np.empty(0, np.uint8), np.empty(0, np.bool_), np.empty(0, np.int32)
    return Series(point, measurand, none, none, no_codes, none, none, no_flags, no_bindings, (), ())

"""A device's registers as a table, and quantities in; its register image out, for one instant or for many at once.

A device is data: one `Sheet` a file, typed from its sources and never from the gateway's device maps, so that the two
agree only when both are right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulators.frames import ILLEGAL_VALUE, MOST_REGISTERS

FloatArray = NDArray[np.float64]
WordArray = NDArray[np.uint16]
Quantities = Mapping[str, FloatArray]
"""What an instrument sees, by the measurand's name [the measurand's unit], one value an instant."""

Type = Literal["u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64"]
_FORMATS: Mapping[Type, str] = {
    "u16": ">u2", "s16": ">i2", "u32": ">u4", "s32": ">i4", "u64": ">u8", "s64": ">i8", "f32": ">f4", "f64": ">f8",
}  # fmt: skip
COUNTER = "_total_"
"""Is in the name of a counter. A counter shows what is complete; everything else is rounded to the nearest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value in the registers."""

    address: int
    """The protocol's, counted from 0."""
    type: Type
    shows: str
    """The quantity, by its measurand's name."""
    step: float = 1.0
    """How much of the measurand's unit one count is; for a float register the unit it is given in."""
    low_word_first: bool = False
    missing: int | None = None
    """The count that says "no value"; floats say it with NaN. Without one it is 0."""
    modulus: int | None = None
    """Where it goes on from 0 [counts]; None = that is not known, and it stays at its end."""
    resolution: float | None = None
    """Of a float register, to what the device rounds [counts]; None = not at all."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Words that never change."""

    address: int
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """What the device tells of itself, two ASCII characters a register, filled with NUL."""

    address: int
    registers: int
    says: str
    """The text; "{serial}" becomes the serial number."""
    one_a_register: bool = False
    """One character a register, in its low byte."""


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """A serial number in two registers, high word first: the digits of the serial as one number."""

    address: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where something is written about a device beyond its registers."""

    text: str = ""
    """Empty: nowhere that we know of, and what is done is a default."""
    of_a_sister: bool = False
    """Whether it is about another model of the same family, so that it may not be so of this one."""


@dataclass(frozen=True)
class Sheet:
    """What is known of the registers of one model."""

    make: str
    model: str
    function: Literal[3, 4]
    """The Modbus function that reads it."""
    rows: tuple[Row, ...]
    fixed: tuple[Fixed, ...] = ()
    texts: tuple[Text, ...] = ()
    blanks: tuple[tuple[int, int], ...] = ()
    """(first address, registers) that answer 0 where nothing else stands."""
    serials: tuple[SerialNumber, ...] = ()
    also: Literal[3, 4] | None = None
    """The other function, when it reads as well; which registers then are holding ones is not told apart."""
    response_s: float = 0.0
    """How long it takes to answer [s]."""
    response_source: Source = Source()
    most_registers: int = MOST_REGISTERS
    """How many may be asked for in one request."""
    too_many: int = ILLEGAL_VALUE
    """The exception that more of them are answered with."""
    most_source: Source = Source()
    saves_every_s: float | None = None
    """How often it saves its counters: what came after is lost with the supply [s]; None = not known."""
    saves_source: Source = Source()
    wraps_source: Source = Source()
    """Where the modulus of its counters is written."""
    coarser: "Sheet | None" = None
    """The same device after its scale factors have changed; None = it has none."""

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Every register that can be read, ascending."""
        covered = {row.address + at for row in self.rows for at in range(words_of(row))}
        covered |= {part.address + at for part in self.fixed for at in range(len(part.words))}
        covered |= {part.address + at for part in self.texts for at in range(part.registers)}
        covered |= {serial.address + at for serial in self.serials for at in range(2)}
        covered |= {first + at for first, count in self.blanks for at in range(count)}
        return tuple(sorted(covered))

    @cached_property
    def place_of(self) -> Mapping[int, int]:
        """Address to its place among `addresses`."""
        return {address: place for place, address in enumerate(self.addresses)}

    @property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """(first address, registers) of what can be read in one request."""
        breaks = [0, *(at + 1 for at, (one, two) in enumerate(pairwise(self.addresses)) if two != one + 1)]
        ends = [*breaks[1:], len(self.addresses)]
        return tuple((self.addresses[start], end - start) for start, end in zip(breaks, ends, strict=True))


@dataclass(frozen=True, slots=True)
class Image:
    """The registers of a device at some instants."""

    sheet: Sheet
    words: WordArray
    """Instants × `sheet.addresses`."""

    def block(self, address: int, count: int) -> WordArray | None:
        """What a request reads: instants × count; None when a register of it is not there."""
        first = self.sheet.place_of.get(address)
        last = self.sheet.place_of.get(address + count - 1)
        if first is None or last is None or last - first != count - 1:
            return None
        return self.words[:, first : first + count]

    @property
    def registers(self) -> dict[int, int]:
        """Address to word, at the first instant."""
        return dict(zip(self.sheet.addresses, self.words[0].tolist(), strict=True))


def image(sheet: Sheet, quantities: Quantities, serial: str) -> Image:
    """Fill in the registers of a device.

    Args:
        sheet: the device.
        quantities: what its instrument sees; arrays of one length. NaN, or a quantity that is not there, is "no value".
        serial: its serial number.
    """
    instants = max((len(values) for values in quantities.values()), default=1)
    words = np.zeros((instants, len(sheet.addresses)), np.uint16)
    for part in sheet.fixed:
        _put(words, sheet, part.address, np.array([part.words], np.uint16))
    for text in sheet.texts:
        _put(words, sheet, text.address, _characters(text, serial))
    for number in sheet.serials:
        digits = int("".join(filter(str.isdigit, serial)) or "0") % 2**32
        _put(words, sheet, number.address, np.array([divmod(digits, 2**16)], np.uint16))
    unknown = np.full(instants, np.nan)
    for row in sheet.rows:
        _put(words, sheet, row.address, encoded(row, quantities.get(row.shows, unknown)))
    return Image(sheet, words)


def _characters(text: Text, serial: str) -> NDArray[np.unsignedinteger]:
    data = text.says.format(serial=serial).encode("ascii")
    if text.one_a_register:
        return np.frombuffer(data[: text.registers].ljust(text.registers, b"\0"), np.uint8)[None, :]
    return np.frombuffer(data[: 2 * text.registers].ljust(2 * text.registers, b"\0"), ">u2")[None, :]


def _put(words: WordArray, sheet: Sheet, address: int, values: NDArray[np.unsignedinteger]) -> None:
    place = sheet.place_of[address]
    words[:, place : place + values.shape[1]] = values


def encoded(row: Row, values: FloatArray) -> WordArray:
    """The words of one value at each instant, high word first unless the row says otherwise: instants × words."""
    counts = values / row.step
    numbers = _rounded(row, counts) if row.type.startswith("f") else _whole(row, counts)
    words = np.ascontiguousarray(numbers.astype(_FORMATS[row.type]))[:, None].view(">u2").astype(np.uint16)
    return words[:, ::-1] if row.low_word_first else words


def _rounded(row: Row, counts: FloatArray) -> FloatArray:
    if row.modulus is not None:
        counts = np.mod(counts, float(row.modulus))
    return counts if row.resolution is None else _to_whole(row, counts / row.resolution) * row.resolution


def _to_whole(row: Row, counts: FloatArray) -> FloatArray:
    rounded: FloatArray = np.floor(counts) if COUNTER in row.shows else np.rint(counts)
    return rounded


def _whole(row: Row, counts: FloatArray) -> NDArray[np.integer]:
    limits = np.iinfo(_FORMATS[row.type])
    known = ~np.isnan(counts)
    whole = _to_whole(row, counts)
    if row.modulus is not None:
        whole = np.mod(whole, float(row.modulus))
    bounded = np.clip(np.where(known, whole, 0), float(limits.min), np.nextafter(float(limits.max) + 1, 0))
    filled: NDArray[np.integer] = bounded.astype(np.int64 if limits.min < 0 else np.uint64)
    return np.where(known, filled, row.missing or 0)


def phases(address: int, type_: Type, shows: str, step: float = 1, *, apart: int = 2) -> tuple[Row, ...]:
    """The rows of three phases.

    Args:
        address: of the first phase.
        type_: of each.
        shows: the quantity with `{}` where the phase's number stands.
        step: see `Row`.
        apart: from one phase to the next [registers].
    """
    return tuple(Row(address + apart * at, type_, shows.format(at + 1), step=step) for at in range(3))


VOLTAGE, CURRENT, POWER = "voltage_l{}_v", "current_l{}_a", "active_power_l{}_w"
"""What `phases` shows."""


def decoded(row: Row, words: WordArray) -> float | None:
    """What one value's words say [the measurand's unit]; None for "no value".

    Args:
        row: the value.
        words: its words in address order.
    """
    ordered = np.ascontiguousarray(words[::-1] if row.low_word_first else words, ">u2")
    number = ordered.view(_FORMATS[row.type])[0]
    if np.isnan(number) or (row.missing is not None and int(number) == row.missing):
        return None
    return float(number) * row.step


def words_of(row: Row) -> int:
    """How many registers a value takes."""
    return int(row.type[1:]) // 16


def wraps_at(row: Row) -> float | None:
    """Where a counter goes back to 0 [the measurand's unit]; None = not known."""
    return None if row.modulus is None else row.modulus * row.step


def overlaps(sheet: Sheet) -> Sequence[int]:
    """Addresses that two rows claim, for a test: a table that contradicts itself is mistyped."""
    claimed = [row.address + at for row in sheet.rows for at in range(words_of(row))]
    return sorted({address for address in claimed if claimed.count(address) > 1})

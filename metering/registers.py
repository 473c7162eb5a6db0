"""What a device map says of its registers: types, widths, orders, and how a device wants to be asked.

In goes nothing; these are the words that `devicemap` reads from TOML, `decode` reads numbers with, and a gateway plans
its requests with.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from metering.measurands import Measurand
from metering.quality import Quality

Order = Literal["big", "little"]
Orientation = Literal["import-positive", "export-positive"]
_PLAIN_WORDS = {"16": 1, "32": 2, "64": 4}
# Asked for each value that is read, so not built each time.
_FLOATS = frozenset({"f32", "f64"})
_SIGNED = frozenset({"s16", "s32", "s64"})
_DECIMALS = frozenset({"mod10", "bcd"})
_TEXTS = frozenset({"string", "string8"})


class WordType(StrEnum):
    """How the words of a register are read once they are in order."""

    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    MOD10 = "mod10"
    """Each word holds four decimal digits, 0 to 9999, as old power meters count."""
    BCD = "bcd"
    """Each four bits hold a decimal digit."""
    BITS = "bits"
    """Some bits of a status word; the register's mask says which."""
    STRING = "string"
    """Two characters a word, ended by NUL or the last word; for identities only."""
    STRING8 = "string8"
    """One character a word, in its low byte; for identities only."""

    words: int
    """How many 16-bit words it takes; 1 where the register says how many."""
    is_sized_by_register: bool
    """Whether the register says how many words it takes."""
    is_float: bool
    """Whether it is an IEEE 754 number."""
    is_signed: bool
    """Whether it is a two's complement integer."""
    is_decimal: bool
    """Whether its words hold decimal digits, so that it counts to a power of ten."""
    is_text: bool
    """Whether it holds characters and no number."""

    def __init__(self, name: str) -> None:
        """Work out once what every reading asks."""
        self.words = _PLAIN_WORDS.get(name[1:], 1)
        self.is_sized_by_register = name[1:] not in _PLAIN_WORDS
        self.is_float = name in _FLOATS
        self.is_signed = name in _SIGNED
        self.is_decimal = name in _DECIMALS
        self.is_text = name in _TEXTS


@dataclass(frozen=True, slots=True)
class ScaleRegister:
    """A signed 16-bit register whose value n multiplies by 10^n; SunSpec calls it sunssf."""

    address: int
    """In the same function's space as the value [register address, 0-based]."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a device.

    What does not change a value (`nonvolatile_s`, `orientation`) does not make it another register either: a counter
    goes on when a map learns such a fact.
    """

    name: str
    measurand: Measurand
    function: int
    """3 = holding registers, 4 = input registers."""
    address: int
    """0-based, as on the wire."""
    type: WordType
    word_order: Order
    """`little`: the word at the lowest address is the least significant."""
    byte_order: Order
    scale: Fraction
    """One step of the register [unit of the measurand]."""
    scale_register: ScaleRegister | None
    sentinels: frozenset[int]
    """Unsigned bit patterns that mean "not available"."""
    modulus: int | None
    """Where the counter wraps to 0 [register steps]; None = unknown."""
    reset_source: str | None
    """Why the counter cannot be reset, with its source; None = it may be."""
    count: int | None = None
    """How many 16-bit words it takes, where its type does not say."""
    mask: int | None = None
    """Which bits of a `bits` register are the value."""
    nonvolatile_s: int | None = field(default=None, compare=False)
    """How far the counter may step back after a loss of supply [s]; None = unknown."""
    orientation: Orientation | None = field(default=None, compare=False)
    """What a positive value means at the meter's terminals; None = unknown or without a sign."""
    words: int = field(init=False, compare=False)
    """How many 16-bit words it takes."""
    step: Fraction = field(init=False, compare=False)
    """One step of the register, before its scale register [quanta]."""

    def __post_init__(self) -> None:
        """Work out once what every reading needs."""
        object.__setattr__(self, "words", self.count or self.type.words)
        object.__setattr__(self, "step", self.scale * self.measurand.quanta_per_unit)

    @property
    def limit(self) -> int:
        """One more than the largest unsigned number that its words can hold."""
        return 10 ** (4 * self.words) if self.type.is_decimal else 1 << 16 * self.words


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses that may be read in one request, both ends included, whether or not the map names them all."""

    function: int
    first: int
    last: int

    def holds(self, function: int, first: int, last: int) -> bool:
        """Whether all of these addresses lie in it."""
        return function == self.function and self.first <= first and last <= self.last


@dataclass(frozen=True, slots=True)
class Access:
    """How a device wants to be asked."""

    max_words: int = 125
    """Most registers in one request."""
    readable: tuple[Range, ...] = ()
    """A request may bridge holes inside one of these; without any, only the registers of the map may be read."""
    turnaround_ms: int = 0
    """Silence that it needs before the next request [ms]."""
    timeout_ms: int | None = None
    """How long its answer may take [ms]; None = as the configuration says."""


@dataclass(frozen=True, slots=True)
class IdentityRegister:
    """Registers that tell what a device is, or which one."""

    function: int
    address: int
    type: WordType
    count: int
    """How many 16-bit words it takes."""
    word_order: Order = "big"
    byte_order: Order = "big"


@dataclass(frozen=True, slots=True)
class Identity:
    """How to tell that a device is what the map is for."""

    probe: IdentityRegister
    expect: tuple[int | str, ...]
    """What the probe holds on such a device; empty = not known beforehand, but it must stay the same."""
    serial: IdentityRegister | None
    """Where the serial number stands; None = unknown."""


class VectorKind(StrEnum):
    """What a test vector shows."""

    TYPICAL = "typical"
    NEGATIVE = "negative"
    MAXIMUM = "maximum"
    SENTINEL = "sentinel"
    ROLLOVER = "rollover"
    """The last value before the counter wraps."""


@dataclass(frozen=True, slots=True)
class Vector:
    """Words, and what the device means by them."""

    register: str
    kind: VectorKind
    words: tuple[int, ...]
    scale_word: int | None
    expected: int | Quality
    """[quanta], or why there is no value."""

"""A device map: what each register of a model holds, as data with its sources.

In goes the text of a TOML file, out comes a `DeviceMap`. The files live in `gateway/devices/`; the format lives here
because births carry the full text of every map used, and a verifier decodes the raw words again with exactly that text.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from metering.errors import DeviceMapError
from metering.measurands import MEASURANDS, Kind, Measurand, measurand


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

    @property
    def words(self) -> int:
        """How many 16-bit words it takes."""
        return int(self.value[1:]) // 16

    @property
    def is_float(self) -> bool:
        """Whether it is an IEEE 754 number."""
        return self.value[0] == "f"

    @property
    def is_signed(self) -> bool:
        """Whether it is a two's complement integer."""
        return self.value[0] == "s"


class Tier(StrEnum):
    """How sure the map is."""

    UNVERIFIED = "unverified"
    """One source; its points are not creditable without a signed on-site check."""
    CROSS_CHECKED = "cross-checked"
    """Two independent sources agree."""
    BENCH = "bench"
    """Compared with the display of a real meter."""


Order = Literal["big", "little"]
_SCALE = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20}|/[0-9]{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ScaleRegister:
    """A signed 16-bit register whose value n multiplies by 10^n; SunSpec calls it sunssf."""

    address: int
    """In the same function's space as the value [register address, 0-based]."""


@dataclass(frozen=True, slots=True)
class Register:
    """One value of a device."""

    name: str
    measurand: Measurand
    function: int
    """3 = holding registers, 4 = input registers."""
    address: int
    """0-based, as on the wire."""
    type: WordType
    word_order: Order
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

    @property
    def words(self) -> int:
        """How many 16-bit words it takes."""
        return self.type.words


@dataclass(frozen=True, slots=True)
class Source:
    """Where a map's facts were read."""

    title: str
    revision: str | None
    page: str | None
    read: str
    """What was really read: the manual itself, or somebody's driver that cites it."""


@dataclass(frozen=True, slots=True)
class DeviceMap:
    """The register map of a model."""

    make: str
    model: str
    tier: Tier
    sources: tuple[Source, ...]
    caveats: tuple[str, ...]
    registers: tuple[Register, ...]
    text: str
    """The exact text it was read from."""

    @property
    def digest(self) -> str:
        """SHA-256 of the exact text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def register(self, name: str) -> Register | None:
        """Find a register by its name in this map."""
        return next((register for register in self.registers if register.name == name), None)

    def register_for(self, measurand_name: str) -> Register | None:
        """Find the first register that holds a measurand."""
        return next((register for register in self.registers if register.measurand.name == measurand_name), None)


class _SourceModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    revision: str | None = None
    page: str | None = None
    read: str


class _ScaleModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Annotated[int, Field(ge=0, le=65535)]


class _RegisterModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    measurand: str
    function: Literal[3, 4]
    address: Annotated[int, Field(ge=0, le=65535)]
    type: WordType
    word_order: Order = "big"
    byte_order: Order = "big"
    scale: str = "1"
    scale_register: _ScaleModel | None = None
    sentinels: tuple[str, ...] = ()
    modulus: str | None = None
    reset_source: str | None = None

    @field_validator("measurand")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in MEASURANDS:
            raise ValueError(f"unknown measurand {name!r}; allowed: {', '.join(sorted(MEASURANDS))}")
        return name

    @field_validator("scale")
    @classmethod
    def _is_positive(cls, text: str) -> str:
        # No exponents: a birth comes from outside, and 1e999999999 would be a number of a gigabyte.
        try:
            positive = _SCALE.fullmatch(text) is not None and Fraction(text) > 0
        except ZeroDivisionError:
            positive = False
        if not positive:
            raise ValueError(f'scale {text!r} must be a positive decimal or fraction, for example "0.1" or "1/3"')
        return text

    @field_validator("sentinels", "modulus")
    @classmethod
    def _are_integers(cls, texts: tuple[str, ...] | str | None) -> tuple[str, ...] | str | None:
        for text in (texts,) if isinstance(texts, str) else texts or ():
            try:
                int(text, 0)
            except ValueError:
                raise ValueError(f'{text!r} must be an integer, for example "65535" or "0xFFFF"') from None
        return texts

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "_RegisterModel":
        if self.modulus is not None and (self.type.is_float or MEASURANDS[self.measurand].kind is not Kind.COUNTER):
            raise ValueError("modulus belongs to an integer COUNTER register")
        if self.address + self.type.words > 65536:
            raise ValueError("its words run past address 65535")
        limit = 1 << 16 * self.type.words
        if any(not 0 <= int(text, 0) < limit for text in self.sentinels):
            raise ValueError(f"a sentinel of type {self.type} lies between 0 and {limit - 1:#x}")
        if self.modulus is not None and not 1 < int(self.modulus, 0) <= limit:
            raise ValueError(f"the modulus of type {self.type} lies between 2 and {limit}")
        return self

    def build(self) -> Register:
        scale_register = None if self.scale_register is None else ScaleRegister(self.scale_register.address)
        return Register(
            name=self.name,
            measurand=measurand(self.measurand),
            function=self.function,
            address=self.address,
            type=self.type,
            word_order=self.word_order,
            byte_order=self.byte_order,
            scale=Fraction(self.scale),
            scale_register=scale_register,
            sentinels=frozenset(int(text, 0) for text in self.sentinels),
            modulus=None if self.modulus is None else int(self.modulus, 0),
            reset_source=self.reset_source,
        )


class _MapModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["sakugen.devicemap/1"] = Field(alias="schema")
    make: str
    model: str
    tier: Tier
    caveats: tuple[str, ...] = ()
    source: tuple[_SourceModel, ...]
    register_: tuple[_RegisterModel, ...] = Field(alias="register")

    @model_validator(mode="after")
    def _has_sources_and_registers(self) -> "_MapModel":
        # Not by a minimal length of the tuples: that counts only what is valid and adds a fault that is none.
        if not self.source or not self.register_:
            raise ValueError("a map needs at least one [[source]] and one [[register]]")
        names = [register.name for register in self.register_]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"register names used twice: {', '.join(sorted(repeated))}")
        return self


def parse_device_map(text: str, where: str = "device map") -> DeviceMap:
    """Read a device map from the text of its file.

    Args:
        text: TOML with `schema = "sakugen.devicemap/1"`.
        where: names the file in errors.

    Raises:
        DeviceMapError: when it is not TOML or not such a map; says which register and what is allowed.
    """
    data: dict[str, object] = {}
    try:
        data = tomllib.loads(text)
        model = _MapModel.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        raise DeviceMapError(f"{where}: {error}") from None
    except ValidationError as error:
        faults = (_fault(detail, data) for detail in error.errors(include_url=False))
        raise DeviceMapError("\n".join(f"{where}: {fault}" for fault in faults)) from None
    return DeviceMap(
        make=model.make,
        model=model.model,
        tier=model.tier,
        sources=tuple(Source(source.title, source.revision, source.page, source.read) for source in model.source),
        caveats=model.caveats,
        registers=tuple(register.build() for register in model.register_),
        text=text,
    )


def _fault(detail: ErrorDetails, data: dict[str, object]) -> str:
    """Say what is wrong with a register by its name: a position in the file tells a reader nothing."""
    location = list(detail["loc"])
    registers = data.get("register")
    named = ""
    if location[:1] == ["register"] and len(location) > 1 and isinstance(registers, list):
        place = int(location[1])
        entry = registers[place]
        name = entry.get("name") if isinstance(entry, dict) else None
        named = f"register {name!r}: " if isinstance(name, str) else f"register number {place + 1}: "
        location = location[2:]
    key = ".".join(str(part) for part in location)
    if key and detail["type"] != "missing" and not isinstance(detail["input"], dict | list):
        key += f" = {detail['input']!r}"
    return named + (f"{key}: " if key else "") + detail["msg"].removeprefix("Value error, ")

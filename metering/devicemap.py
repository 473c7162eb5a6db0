"""A device map: what each register of a model holds, as data with its sources.

In goes the text of a TOML file, out comes a `DeviceMap`. The files live in `gateway/devices/`; the format lives here
because births carry the full text of every map used, and a verifier decodes the raw words again with exactly that text.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from metering.errors import DeviceMapError
from metering.measurands import INT64_MAX, INT64_MIN, MEASURANDS, Kind, measurand
from metering.quality import Quality
from metering.registers import (
    Access,
    Identity,
    IdentityRegister,
    Order,
    Orientation,
    Range,
    Register,
    ScaleRegister,
    Vector,
    VectorKind,
    WordType,
)

__all__ = [
    "Access",
    "DeviceMap",
    "Identity",
    "IdentityRegister",
    "Range",
    "Register",
    "ScaleRegister",
    "Source",
    "Tier",
    "Vector",
    "VectorKind",
    "WordType",
    "parse_device_map",
]


class Tier(StrEnum):
    """How sure the map is."""

    UNVERIFIED = "unverified"
    """One source; its points are not creditable without a signed on-site check."""
    CROSS_CHECKED = "cross-checked"
    """Two independent sources agree."""
    BENCH = "bench"
    """Compared with the display of a real meter."""


_Address = Annotated[int, Field(ge=0, le=65535)]
_Count = Annotated[int, Field(ge=1, le=125)]
_Word = Annotated[int, Field(ge=0, le=0xFFFF)]
_Quanta = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
MAX_TEXT = 262_144
"""The longest text of a map [characters]."""
MAX_LINE = 2000
"""The longest line of one [characters]."""
_SCALE = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20}|/[0-9]{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a map's facts were read."""

    title: str
    revision: str | None
    page: str | None
    read: str
    """What was really read: the manual itself, or somebody's driver that cites it."""


_ANY_ACCESS = Access()


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
    ct: str | None = None
    """Where the ratios of current and voltage transformers come from, since they multiply everything."""
    access: Access = _ANY_ACCESS
    identity: Identity | None = None
    """None: nothing is known that tells the model or the serial number."""
    vectors: tuple[Vector, ...] = ()

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

    address: _Address


class _RegisterModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    measurand: str
    function: Literal[3, 4]
    address: _Address
    type: WordType
    count: Annotated[int, Field(ge=1, le=4)] | None = None
    mask: str | None = None
    word_order: Order = "big"
    byte_order: Order = "big"
    scale: str = "1"
    scale_register: _ScaleModel | None = None
    sentinels: tuple[str, ...] = ()
    modulus: str | None = None
    reset_source: str | None = None
    nonvolatile_s: Annotated[int, Field(ge=0)] | None = None
    orientation: Orientation | None = None

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

    @field_validator("sentinels", "modulus", "mask")
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
        if self.type.is_text:
            raise ValueError(f"type {self.type} holds no number; it belongs under [identity]")
        _check_count(self.type, self.count)
        if (self.mask is None) == (self.type is WordType.BITS):
            raise ValueError("a mask belongs to type bits, and type bits needs one")
        register = self.build()
        if self.address + register.words > 65536:
            raise ValueError("its words run past address 65535")
        limit = 1 << 16 * register.words
        if any(not 0 <= pattern < limit for pattern in register.sentinels):
            raise ValueError(f"a sentinel of type {self.type} lies between 0 and {limit - 1:#x}")
        if register.mask is not None and not 0 < register.mask < limit:
            raise ValueError(f"a mask of {register.words} words lies between 1 and {limit - 1:#x}")
        if register.modulus is not None and not 1 < register.modulus <= register.limit:
            raise ValueError(f"the modulus of type {self.type} lies between 2 and {register.limit}")
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
            count=self.count,
            mask=None if self.mask is None else int(self.mask, 0),
            nonvolatile_s=self.nonvolatile_s,
            orientation=self.orientation,
        )


def _check_count(word_type: WordType, count: int | None) -> None:
    if (count is None) == word_type.is_sized_by_register:
        raise ValueError(f"type {word_type} " + ("needs a count of words" if count is None else "has its own width"))


class _RangeModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    function: Literal[3, 4]
    first: _Address
    last: _Address

    @model_validator(mode="after")
    def _is_not_empty(self) -> "_RangeModel":
        if self.last < self.first:
            raise ValueError("last must not lie before first")
        return self


class _AccessModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    max_words: _Count = 125
    readable: tuple[_RangeModel, ...] = ()
    turnaround_ms: Annotated[int, Field(ge=0, le=10_000)] = 0
    timeout_ms: Annotated[int, Field(ge=1, le=60_000)] | None = None

    def build(self) -> Access:
        ranges = tuple(Range(part.function, part.first, part.last) for part in self.readable)
        return Access(self.max_words, ranges, self.turnaround_ms, self.timeout_ms)


class _IdentityRegisterModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    function: Literal[3, 4]
    address: _Address
    type: WordType
    count: _Count | None = None
    word_order: Order = "big"
    byte_order: Order = "big"

    @model_validator(mode="after")
    def _fits_its_type(self) -> "_IdentityRegisterModel":
        if self.type.is_float or self.type is WordType.BITS:
            raise ValueError(f"an identity is an integer or text, not {self.type}")
        _check_count(self.type, self.count)
        if self.address + (self.count or self.type.words) > 65536:
            raise ValueError("its words run past address 65535")
        return self

    def register(self) -> IdentityRegister:
        count = self.count or self.type.words
        return IdentityRegister(self.function, self.address, self.type, count, self.word_order, self.byte_order)


class _IdentityModel(_IdentityRegisterModel):
    expect: tuple[int | str, ...] = ()
    serial: _IdentityRegisterModel | None = None

    @field_validator("expect", mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        return (given,) if isinstance(given, int | str) else given

    def build(self) -> Identity:
        return Identity(self.register(), self.expect, None if self.serial is None else self.serial.register())


class _VectorModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    register_: str = Field(alias="register")
    kind: VectorKind
    words: tuple[_Word, ...]
    scale_word: _Word | None = None
    quanta: _Quanta | None = None
    quality: Literal["sentinel", "out-of-range"] | None = None

    @model_validator(mode="after")
    def _expects_one_thing(self) -> "_VectorModel":
        if (self.quanta is None) == (self.quality is None):
            raise ValueError("a vector expects either quanta or a quality")
        return self

    def build(self) -> Vector:
        expected = self.quanta if self.quality is None else Quality.from_label(self.quality)
        if expected is None:  # cannot be: _expects_one_thing
            raise ValueError("a vector expects either quanta or a quality")
        return Vector(self.register_, self.kind, self.words, self.scale_word, expected)


class _MapModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: Literal["sakugen.devicemap/1"] = Field(alias="schema")
    make: str
    model: str
    tier: Tier
    caveats: tuple[str, ...] = ()
    source: tuple[_SourceModel, ...]
    register_: tuple[_RegisterModel, ...] = Field(alias="register")
    ct: str | None = None
    access: _AccessModel | None = None
    identity: _IdentityModel | None = None
    vector: tuple[_VectorModel, ...] = ()

    @model_validator(mode="after")
    def _has_sources_and_registers(self) -> "_MapModel":
        # Not by a minimal length of the tuples: that counts only what is valid and adds a fault that is none.
        if not self.source or not self.register_:
            raise ValueError("a map needs at least one [[source]] and one [[register]]")
        names = [register.name for register in self.register_]
        if repeated := {name for name, times in Counter(names).items() if times > 1}:
            raise ValueError(f"register names used twice: {', '.join(sorted(repeated))}")
        return self

    @model_validator(mode="after")
    def _fits_its_registers(self) -> "_MapModel":
        registers = {model.name: model.build() for model in self.register_}
        if self.access is not None:
            _check_access(self.access.build(), registers.values())
        for vector in self.vector:
            found = registers.get(vector.register_)
            if found is None:
                raise ValueError(f"a vector names register {vector.register_!r}, which is not in the map")
            if len(vector.words) != found.words:
                raise ValueError(f"a vector of register {found.name!r} must have {found.words} words")
            if (vector.scale_word is None) != (found.scale_register is None):
                raise ValueError(f"a vector of register {found.name!r}: scale_word belongs to a scale register")
        return self


def _check_access(access: Access, registers: Iterable[Register]) -> None:
    for register in registers:
        first, last = _span(register)
        if last - first >= access.max_words:
            raise ValueError(f"register {register.name!r} needs more than max_words = {access.max_words}")
        if access.readable and not any(part.holds(register.function, first, last) for part in access.readable):
            raise ValueError(f"register {register.name!r} lies in no single readable range")


def _span(register: Register) -> tuple[int, int]:
    ends = [register.address, register.address + register.words - 1]
    if register.scale_register is not None:
        ends.append(register.scale_register.address)
    return min(ends), max(ends)


def parse_device_map(text: str, where: str = "device map") -> DeviceMap:
    """Read a device map from the text of its file.

    Args:
        text: TOML with `schema = "sakugen.devicemap/1"`.
        where: names the file in errors.

    Raises:
        DeviceMapError: when it is not TOML or not such a map; says which register and what is allowed.
    """
    data = _toml(text, where)
    try:
        model = _MapModel.model_validate(data)
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
        ct=model.ct,
        access=_ANY_ACCESS if model.access is None else model.access.build(),
        identity=None if model.identity is None else model.identity.build(),
        vectors=tuple(vector.build() for vector in model.vector),
    )


def _toml(text: str, where: str) -> dict[str, object]:
    # A birth comes from outside. tomllib takes the square of a line's length for a key of many parts, and gives up on
    # deep nesting and on long numbers with errors of their own.
    if len(text) > MAX_TEXT or max(map(len, text.splitlines()), default=0) > MAX_LINE:
        raise DeviceMapError(f"{where}: longer than {MAX_TEXT} characters, or a line of it than {MAX_LINE}")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeviceMapError(f"{where}: {error}") from None


def _fault(detail: ErrorDetails, data: dict[str, object]) -> str:
    """Say what is wrong with a register by its name: a position in the file tells a reader nothing."""
    location = list(detail["loc"])
    named = ""
    if location[:1] in (["register"], ["vector"]) and len(location) > 1:
        named = _named(str(location[0]), int(location[1]), data)
        location = location[2:]
    key = ".".join(str(part) for part in location)
    if key and detail["type"] != "missing" and not isinstance(detail["input"], dict | list):
        key += f" = {detail['input']!r}"
    return named + (f"{key}: " if key else "") + detail["msg"].removeprefix("Value error, ")


def _named(kind: str, place: int, data: dict[str, object]) -> str:
    entries = data.get(kind)
    entry = entries[place] if isinstance(entries, list) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{kind} {name!r}: " if isinstance(name, str) else f"{kind} number {place + 1}: "

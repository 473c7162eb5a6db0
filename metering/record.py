"""The record, version 1: one line of JSON and a signature, the only thing that travels from a gateway to the journal.

In go the parts of a record, out come its exact bytes, and back. `docs/wire.md` is the same for people who write a
gateway in another language. Old versions stay readable for ever: a change of shape is a new version, never an edit of
this one.
"""

import base64
import hashlib
import json
from operator import lt
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from metering import note
from metering.clock import ClockState
from metering.errors import NoteError, RecordError
from metering.measurands import INT64_MAX, INT64_MIN, MEASURANDS
from metering.quality import VALUED, Quality
from metering.topics import NAME_PATTERN, NOT_A_SITE, GatewayId
from metering.ulid import PATTERN as ULID_PATTERN

RECORD_TYPE: Final = "sakugen.record/1"
MAX_RECORD_BYTES: Final = 1_048_576
YEAR_10000_MS: Final = 253_402_300_800_000


def _site(name: str) -> str:
    if name == NOT_A_SITE:
        raise ValueError(f"{NOT_A_SITE!r} cannot be a site name: its topics belong to the ingest service")
    return name


def _reason(label: str) -> str:
    if Quality.from_label(label) in VALUED:
        raise ValueError(f"{label!r} is no reason for a missing reading")
    return label


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Site = Annotated[Name, AfterValidator(_site)]
Stream = Annotated[str, Field(pattern=ULID_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seq = Annotated[int, Field(ge=0, le=INT64_MAX)]
Millis = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]
Instant = Annotated[int, Field(ge=0, lt=YEAR_10000_MS)]
"""[ms since the Unix epoch, UTC]; within what a calendar can show."""
Quanta = Annotated[int, Field(ge=INT64_MIN, le=INT64_MAX)]


class WirePart(BaseModel):
    """A part of a wire document: no unknown keys, no coercion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ClockPart(WirePart):
    """What the gateway knew about its clock when it sealed the record."""

    state: Annotated[ClockState, Field(strict=False)]
    offset_ms: Millis


class Header(BaseModel):
    """What every record of every version has; enough to place it in its stream."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    type: str
    site: Site
    gateway: Name
    stream: Stream
    seq: Seq
    prev: Digest | None
    kind: str

    @property
    def gateway_id(self) -> GatewayId:
        """The gateway that signed it."""
        return GatewayId(self.site, self.gateway)


class _Common(WirePart):
    type: Literal["sakugen.record/1"] = RECORD_TYPE
    site: Site
    gateway: Name
    stream: Stream
    seq: Annotated[Seq, Field(ge=1)]
    prev: Digest | None
    """Digest of the record before; null for the first of a stream."""
    clock: ClockPart
    mono_ms: Millis

    @property
    def gateway_id(self) -> GatewayId:
        """The gateway that signed it."""
        return GatewayId(self.site, self.gateway)

    @model_validator(mode="after")
    def _prev_fits_seq(self) -> "_Common":
        if self.seq <= 1 and self.prev is not None:
            raise ValueError("the first record of a stream has no record before it: prev must be null")
        if self.seq > 1 and self.prev is None:
            raise ValueError("prev must be the digest of the record before")
        return self


class RecordRef(WirePart):
    """Names one record."""

    stream: Stream
    seq: Annotated[Seq, Field(ge=1)]
    digest: Digest


class MeterPart(WirePart):
    """The instrument as the gateway knows it."""

    make: str
    model: str
    serial: str


class BlockPart(WirePart):
    """One Modbus request: consecutive registers read together."""

    function: Literal[3, 4]
    address: Annotated[int, Field(ge=0, le=65535)]
    count: Annotated[int, Field(ge=1, le=125)]


class PointPart(WirePart):
    """One measurand of one metering point, and the register of the device map that holds it."""

    point: Name
    measurand: str
    quantum: str
    """The unit of one integer step, for example "mWh"; must be the vocabulary's."""
    register_name: str = Field(alias="register")


class GroupPart(WirePart):
    """One device's registers that are polled together."""

    group: str
    device: Name
    interval_ms: Annotated[int, Field(gt=0)]
    map: Digest
    unit_id: Annotated[int, Field(ge=0, le=255)]
    meter: MeterPart
    blocks: tuple[BlockPart, ...]
    points: tuple[PointPart, ...]


BACKFILL_AGENT = "sakugen-backfill"
"""The agent of births whose readings nobody took at their slots: simulated time that was filled in at once."""


class Birth(_Common):
    """What the following records are about; carries the full text of every device map used."""

    kind: Literal["birth"] = "birth"
    project: Name
    mode: Literal["live", "test"]
    agent: str
    time_factor: Annotated[float, Field(gt=0)]
    config_digest: Digest
    after: RecordRef | None
    """The last record this outbox knew when the stream began; null for a new outbox."""
    device_maps: dict[Digest, str]
    groups: tuple[GroupPart, ...]

    @model_validator(mode="after")
    def _maps_are_whole(self) -> "Birth":
        for digest, text in self.device_maps.items():
            if hashlib.sha256(text.encode()).hexdigest() != digest:
                raise ValueError(f"the text of device map {digest} has another digest")
        for group in self.groups:
            if group.map not in self.device_maps:
                raise ValueError(f"group {group.group} uses device map {group.map}, whose text is missing")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Birth":
        groups = [group.group for group in self.groups]
        places = [(point.point, point.measurand) for group in self.groups for point in group.points]
        for names, what in ((groups, "group"), (places, "point and measurand")):
            if len(set(names)) < len(names):
                raise ValueError(f"a {what} may be named once only")
        return self

    def unknown_units(self) -> list[str]:
        """Name the measurands that this software does not know in this unit."""
        return [
            f"{point.measurand} in {point.quantum}"
            for group in self.groups
            for point in group.points
            if point.measurand not in MEASURANDS or MEASURANDS[point.measurand].quantum != point.quantum
        ]


Index = Annotated[int, Field(ge=0)]
Code = Annotated[int, Field(ge=0, le=max(Quality))]


class GroupReadings(WirePart):
    """The readings of one group over some slots."""

    group: str
    slots: tuple[Instant, ...]
    sent: tuple[Millis, ...]
    """When the first request went out [ms after the slot]."""
    received: tuple[Millis, ...]
    """When the last answer was in [ms after the slot]."""
    values: tuple[tuple[Quanta | None, ...], ...]
    """Points × slots, in quanta; null = not obtained."""
    raw: tuple[str, ...]
    """One base64 string a slot: the big-endian words of the group's blocks in birth order; "" when none answered.

    When only some answered, those that did not are written as words 0.
    """
    quality: tuple[tuple[Index, Index, Code], ...]
    """Sparse [point, slot, code]; every null has one."""

    @model_validator(mode="after")
    def _is_rectangular(self) -> "GroupReadings":
        count = len(self.slots)
        if not (len(self.sent) == len(self.received) == len(self.raw) == count):
            raise ValueError("sent, received and raw must have one entry a slot")
        if any(len(row) != count for row in self.values):
            raise ValueError("values must have one row a point and one column a slot")
        if not all(map(lt, self.slots, self.slots[1:])):
            raise ValueError("slots must strictly increase")
        marked = {}
        for point, slot, code in self.quality:
            if point >= len(self.values) or slot >= count:
                raise ValueError(f"quality names point {point}, slot {slot}, which is not there")
            if (point, slot) in marked:
                raise ValueError(f"quality names point {point}, slot {slot} twice")
            marked[point, slot] = code
        named = {point for point, _ in marked}
        for point, row in enumerate(self.values):
            if point not in named and None not in row:
                continue  # as most rows are
            for slot, value in enumerate(row):
                if (value is None) == (marked.get((point, slot), Quality.OK) in VALUED):
                    raise ValueError(
                        f"point {point}, slot {slot}: a null needs a quality that says why, a value must not have one"
                    )
        return self


class Readings(_Common):
    """Readings of one or more groups."""

    kind: Literal["readings"] = "readings"
    groups: tuple[GroupReadings, ...]


class Gap(_Common):
    """Slots that were due and not read, and why."""

    kind: Literal["gap"] = "gap"
    from_ms: Instant
    to_ms: Instant
    """Half-open: the missed slots lie at or after `from_ms` and before `to_ms`."""
    group: str | None
    """null = all groups."""
    reason: Annotated[str, AfterValidator(_reason)]
    """The label of a quality without a value, for example "agent-down"."""

    @model_validator(mode="after")
    def _holds_a_slot(self) -> "Gap":
        if self.to_ms <= self.from_ms:
            raise ValueError("a gap must end after it begins")
        return self


class Dropped(_Common):
    """Stands for records that the outbox gave up: `seq` to `through`."""

    kind: Literal["dropped", "thinned"]
    through: Seq
    replaces: Digest
    """The digest of record `through`."""
    from_ms: Instant
    to_ms: Instant
    reason: str
    """Why, in words, for example "outbox full"."""
    groups: tuple[GroupReadings, ...] = ()
    """What `thinned` keeps of the records it stands for; nothing else will ever carry these readings."""

    @model_validator(mode="after")
    def _goes_forward(self) -> "Dropped":
        if self.through < self.seq or self.to_ms < self.from_ms:
            raise ValueError("through must not lie before seq, nor to_ms before from_ms")
        if self.kind == "dropped" and self.groups:
            raise ValueError("what was dropped keeps no readings; that is what thinned is for")
        return self


class Horizon(_Common):
    """Outside the chain (seq 0, prev null): what this gateway no longer holds."""

    kind: Literal["horizon"] = "horizon"
    seq: Literal[0] = 0
    oldest_seq: Annotated[Seq, Field(ge=1)]
    """The oldest record of `stream` still held; one beyond its last when nothing is held."""
    digest_before: Digest | None
    """The digest of the record before the oldest one held; null when the oldest held is the first."""

    @model_validator(mode="after")
    def _names_what_is_before(self) -> "Horizon":
        if (self.oldest_seq == 1) != (self.digest_before is None):
            raise ValueError("digest_before must be null when the first record is held, and only then")
        return self


Record = Birth | Readings | Gap | Dropped | Horizon
_ADAPTER: TypeAdapter[Record] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def digest_of(data: bytes) -> str:
    """The name of a record: SHA-256 of its exact bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def build(record: Record, signer: note.Signer) -> bytes:
    """Write a record and sign it.

    Returns:
        Its exact bytes, which are stored, sent and hashed unchanged.

    Raises:
        RecordError: "too-long" when it exceeds 1 MiB.
    """
    data = note.sign(record.model_dump_json(by_alias=True).encode() + b"\n", signer)
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError("too-long", f"a record of {len(data)} bytes; the limit is {MAX_RECORD_BYTES}")
    return data


def split(data: bytes) -> note.Note:
    """Take the signature block off a record.

    A record has exactly one signature line: a second one, which anybody on the way could add without breaking the
    first, would change its digest.

    Raises:
        RecordError: "unsigned" when the bytes are no signed note of one line and one signature; "too-long".
    """
    if len(data) > MAX_RECORD_BYTES:
        raise RecordError("too-long", f"{len(data)} bytes; the limit is {MAX_RECORD_BYTES}")
    try:
        parts = note.split(data)
    except NoteError as error:
        raise RecordError("unsigned", str(error)) from None
    if parts.text.count(b"\n") != 1 or len(parts.signatures) != 1:
        raise RecordError("unsigned", "a record is one line of text and one signature line")
    return parts


def parse_header(text: bytes) -> Header:
    """Read what every version has.

    Raises:
        RecordError: "shape" when even that is missing.
    """
    try:
        return Header.model_validate_json(text)
    except ValidationError as error:
        raise RecordError("shape", brief(error)) from None


def parse_body(text: bytes) -> Record:
    """Read a whole record of version 1.

    Raises:
        RecordError: "newer-schema" for another version, "unknown-unit" for a measurand or unit that is not in the
            vocabulary, "shape" for anything else.
    """
    header = parse_header(text)
    if header.type != RECORD_TYPE:
        raise RecordError("newer-schema", f"type {header.type!r}; this software reads {RECORD_TYPE!r}")
    try:
        record = _ADAPTER.validate_json(text)
        json.loads(text, object_pairs_hook=_no_key_twice)
    except ValidationError as error:
        raise RecordError("shape", brief(error)) from None
    except ValueError as error:
        raise RecordError("shape", str(error)) from None
    if isinstance(record, Birth) and (unknown := record.unknown_units()):
        raise RecordError("unknown-unit", ", ".join(unknown))
    return record


def parse(data: bytes) -> Record:
    """Read a record from its exact bytes; the signature is not verified here.

    Raises:
        RecordError: as `split` and `parse_body`.
    """
    return parse_body(split(data).text)


def misfit(readings: Readings | Dropped, birth: Birth) -> str | None:
    """Say why readings cannot be read with the birth that governs them; None when they can."""
    groups = {group.group: group for group in birth.groups}
    for part in readings.groups:
        group = groups.get(part.group)
        if group is None:
            return f"group {part.group!r} is not in the birth"
        if len(part.values) != len(group.points):
            return f"group {part.group!r} has {len(part.values)} rows; its birth has {len(group.points)} points"
        expected = sum(block.count for block in group.blocks)
        for slot_ms, raw in zip(part.slots, part.raw, strict=True):
            if raw and (fault := _raw_fault(raw, expected)):
                return f"group {part.group!r} slot {slot_ms}: {fault}"
    return None


def _raw_fault(raw: str, expected: int) -> str | None:
    try:
        words, odd = divmod(len(base64.b64decode(raw, validate=True)), 2)
    except ValueError:
        return f"raw words are not base64: {raw[:40]!r}"
    if odd or words != expected:
        return f"{words}{' and a half' * odd} raw words, its blocks have {expected}"
    return None


def _no_key_twice(pairs: list[tuple[str, object]]) -> None:
    # Which of the two counts is left open by JSON, so two readers might take a signed record for different things.
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice in one object")


def brief(error: ValidationError) -> str:
    """Say in one line what is wrong first, and how much more there is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else "")
